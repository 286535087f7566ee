"""Every key that a definition file may have: what it holds, what it means, how it is written.

One table, from which come the keys that the parsers know, the JSON Schema, and what an editor completes and explains.
docs/reference/definitions.md says the same at length.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Shape(enum.Enum):
    """What a key may hold."""

    TEXT = "text"
    FLAG = "true or false"
    WORD = "a word"
    WHOLE = "a whole number"
    ANYTHING = "any value"
    GLOBS = "a glob or a list of globs"
    EXPRESSIONS = "a regular expression or a list of them"
    PATHS = "a path, a list of paths, or a number or truth value"
    FIELDS = "paths, or a mapping with `fields` and `plugin`"
    TRAITS = "a mapping of names to traits"
    NAMED = "a mapping of names to paths"
    PLUGIN = "the name of a plugin, or a mapping with `name` and `parameters`"
    PARAMETERS = "a mapping of parameters"
    FLAGS = "a list of mappings with `path`, `bit` and perhaps `value`"
    VALUES = "a mapping of values to values"
    ATTRIBUTES = "a list of attributes"
    PERIOD = "a mapping"
    CONDITIONS = "a mapping of paths to a value or a list of values"
    CLOSES = "true, or a mapping of paths to a value or a list of values"
    LENGTH = "a time, as 1h, 90 min or 60s"
    SAMPLES = "a list of sample definitions"


class Key(NamedTuple):
    """A key of a mapping.

    Attributes:
        name: as it is written.
        shape: what it may hold.
        description: what it means, in a sentence or two.
        example: the key with a value, as a line of YAML.
        required: whether the mapping needs it.
        words: what it may say, with what that means, where it takes one of a few words.
        default: what counts where it is not written, as text for readers.
    """

    name: str
    shape: Shape
    description: str
    example: str
    required: bool = False
    words: Mapping[str, str] = {}
    default: str = ""


TRAIT_TYPE_WORDS = {
    "text": "The value as text. Every value can be text.",
    "int": "A whole number. `'12'` is 12 and `20.9` is 20; `'2.0'` is a problem.",
    "float": "A number. `'1e3'` is 1000.0.",
    "datetime": "A time in ISO 8601, which becomes UTC. A time without a zone is UTC.",
}
ON_ERROR_WORDS = {
    "drop": "The trait is left out, and that is a problem; the event keeps its other traits.",
    "reject": "The notification is rejected: it gives neither an event nor samples, and is dead-lettered whole.",
}
SAMPLE_TYPE_WORDS = {
    "gauge": "How much there is at that time.",
    "delta": "How much it was since the last sample.",
    "cumulative": "How much it was since the beginning.",
}
USAGE_UNIT_WORDS = {"s": "Seconds.", "min": "Minutes.", "h": "Hours.", "d": "Days."}
TIMEDELTA_UNIT_WORDS = {word: USAGE_UNIT_WORDS[word] for word in ("s", "min", "h")}

EVENT = (
    Key(
        "event_type",
        Shape.GLOBS,
        "One glob or a list of globs over event types: `*` is any text, `?` one character, and a glob that begins"
        " with `!` excludes. The last definition that matches a notification applies.",
        "event_type: compute.instance.*",
        required=True,
    ),
    Key(
        "traits",
        Shape.TRAITS,
        "A mapping from the name of a trait to where its value is found; `{}` for the default traits only.",
        "traits: {}",
        required=True,
    ),
    Key("description", Shape.TEXT, "Text for readers.", "description: Everything that nova says about a server."),
)
"""Of an event definition."""

FIELDS = (
    Key(
        "fields",
        Shape.PATHS,
        "One path, or a list of paths of which the first that finds something counts. A number or truth value is the"
        " value itself.",
        "fields: payload.some_key",
        required=True,
    ),
    Key(
        "plugin",
        Shape.PLUGIN,
        "What makes the value from everything that the paths find.",
        "plugin: {name: split, parameters: {separator: '-', segment: 1}}",
    ),
)
"""Of where a value comes from, written as a mapping."""

TRAIT = (
    Key(
        "type",
        Shape.WORD,
        "What the value becomes.",
        "type: int",
        words=TRAIT_TYPE_WORDS,
        default="text",
    ),
    *FIELDS,
    Key("description", Shape.TEXT, "Text for readers.", "description: Memory in MiB."),
    Key(
        "required",
        Shape.FLAG,
        "A notification that does not give the trait, for whatever reason, is rejected.",
        "required: true",
        default="false",
    ),
    Key(
        "on_error",
        Shape.WORD,
        "What a value that cannot be read does.",
        "on_error: reject",
        words=ON_ERROR_WORDS,
        default="drop",
    ),
)
"""Of a trait, written as a mapping."""

PLUGIN = (
    Key("name", Shape.TEXT, "The name of a trait plugin.", "name: split", required=True),
    Key(
        "parameters",
        Shape.PARAMETERS,
        "What the plugin is given; which there are is the plugin's.",
        "parameters: {segment: 1}",
    ),
)
"""Of a plugin, written as a mapping."""

FLAG = (
    Key(
        "path",
        Shape.TEXT,
        "As plugins see it: without `$`, a list step as `[0]` between dots.",
        "path: payload.state",
        required=True,
    ),
    Key("bit", Shape.WHOLE, "The number of the bit that is set, from 0.", "bit: 0", required=True),
    Key("value", Shape.ANYTHING, "What the path has to have.", "value: ACTIVE", default="any value"),
)
"""Of a flag of the plugin bitfield."""

PLUGINS: Mapping[str, tuple[str, tuple[Key, ...]]] = {
    "split": (
        "A piece of each text: `separator` cuts it and `segment` says which piece.",
        (
            Key("separator", Shape.TEXT, "What cuts the text.", "separator: '-'", default="."),
            Key(
                "segment",
                Shape.WHOLE,
                "The number of the piece, from 0, or from the end below 0. A text without that piece gives nothing.",
                "segment: 1",
                default="0",
            ),
            Key("max_split", Shape.WHOLE, "The highest number of cuts.", "max_split: 1", default="no limit"),
        ),
    ),
    "bitfield": (
        "One number: `initial_bitfield` with the bits of the flags that were found. It always gives a trait.",
        (
            Key("initial_bitfield", Shape.WHOLE, "The number to begin with.", "initial_bitfield: 16", default="0"),
            Key(
                "flags",
                Shape.FLAGS,
                "Each sets its `bit` where its `path` has its `value`, or any value. The path is written without `$`,"
                " a list step as `[0]` between dots.",
                "flags: [{path: payload.state, bit: 0, value: ACTIVE}]",
                default="none",
            ),
        ),
    ),
    "timedelta": (
        "The time between exactly two times, never below zero, as a float.",
        (Key("unit", Shape.WORD, "What it is counted in.", "unit: min", words=TIMEDELTA_UNIT_WORDS, default="s"),),
    ),
    "map": (
        "Another value for each value: what `values` has for it, else `default`. No match gives no trait.",
        (
            Key(
                "values",
                Shape.VALUES,
                "From a value to what it becomes.",
                "values: {active: 1, error: 2}",
                required=True,
            ),
            Key("default", Shape.ANYTHING, "For a value that `values` has not.", "default: 0", default="nothing"),
            Key(
                "case_sensitive",
                Shape.FLAG,
                "Whether letter case counts.",
                "case_sensitive: false",
                default="true",
            ),
        ),
    ),
}
"""Our trait plugins: what each gives, and its parameters."""

SAMPLE = (
    Key(
        "name",
        Shape.FIELDS,
        "The meter: a text, or a path where one notification has several meters.",
        "name: volume.size",
        required=True,
    ),
    Key(
        "event_type",
        Shape.EXPRESSIONS,
        "One regular expression or a list, matched from the start of the event type: write `\\.` for a dot and `$` for"
        " the end. Every definition that matches gives its samples.",
        "event_type: volume\\.create\\.end",
        required=True,
    ),
    Key(
        "type",
        Shape.WORD,
        "What the volume says; `delta` beside `period`.",
        "type: gauge",
        required=True,
        words=SAMPLE_TYPE_WORDS,
    ),
    Key(
        "unit",
        Shape.FIELDS,
        "What is counted: a text, or a path; `s`, `min`, `h` or `d` beside `period`.",
        "unit: GB",
        required=True,
    ),
    Key(
        "volume",
        Shape.FIELDS,
        "The number that was measured: a path or a number. Not needed beside `period`.",
        "volume: $.payload.size",
        required=True,
    ),
    Key(
        "resource_id",
        Shape.FIELDS,
        "What it was measured of.",
        "resource_id: $.payload.volume_id",
        required=True,
    ),
    Key(
        "project_id",
        Shape.FIELDS,
        "Whose it is.",
        "project_id: $.payload.tenant_id",
        default="the first of ctxt.project_id, ctxt.tenant_id, ctxt.tenant",
    ),
    Key(
        "user_id",
        Shape.FIELDS,
        "Who uses it.",
        "user_id: $.payload.user_id",
        default="the first of ctxt.user_id, ctxt.user",
    ),
    Key(
        "timestamp",
        Shape.FIELDS,
        "When it was measured.",
        "timestamp: $.payload.created_at",
        default="when the notification was sent",
    ),
    Key(
        "metadata",
        Shape.NAMED,
        "What is kept about the resource; values that are empty, 0 or false are left out.",
        "metadata: {status: $.payload.status}",
        default="the whole payload, event_type and host",
    ),
    Key(
        "user_metadata",
        Shape.FIELDS,
        "A path to metadata that users write, of which the keys that begin with `metering.` are kept.",
        "user_metadata: $.payload.metadata",
        default="none",
    ),
    Key(
        "lookup",
        Shape.ATTRIBUTES,
        "Attributes that have one value for each of several samples. `name` is always looked up.",
        "lookup: [name, volume]",
        default="one sample",
    ),
    Key(
        "required",
        Shape.FLAG,
        "With `false`, a notification without a volume gives no sample, and that is no problem.",
        "required: false",
        default="true",
    ),
    Key(
        "period",
        Shape.PERIOD,
        "The definition claims periods, of which a ledger makes hours that can be billed, instead of giving samples.",
        "period: {begin: $.payload.audit_period_beginning, end: $.payload.audit_period_ending}",
    ),
    Key(
        "dimensions",
        Shape.NAMED,
        "What splits the usage, by name. It counts only beside `period`.",
        "dimensions: {flavor: $.payload.instance_type_id}",
        default="none",
    ),
    Key("description", Shape.TEXT, "Text for readers.", "description: The size of a volume."),
)
"""Of a sample definition."""

PERIOD = (
    Key(
        "begin",
        Shape.FIELDS,
        "The time at which the claim begins; required, or `length` in its place.",
        "begin: $.payload.audit_period_beginning",
    ),
    Key(
        "end",
        Shape.FIELDS,
        "The time at which it ends; the end itself is not in it.",
        "end: $.payload.audit_period_ending",
        required=True,
    ),
    Key(
        "length",
        Shape.LENGTH,
        "How long before `end` the claim begins, for notifications that say only when something ended; at most 366"
        " days.",
        "length: 1h",
    ),
    Key(
        "not_before",
        Shape.FIELDS,
        "A time before which nothing counts. Where it finds no value, the resource has not begun, and the claim is"
        " `idle`.",
        "not_before: $.payload.launched_at",
    ),
    Key(
        "not_after",
        Shape.FIELDS,
        "A time after which nothing counts. Where it finds no value there is no such bound.",
        "not_after: $.payload.deleted_at",
    ),
    Key(
        "while",
        Shape.CONDITIONS,
        "Where one of the paths does not find one of its values, the claim is `idle`: the resource was there, and its"
        " time does not count.",
        "while: {$.payload.state: [active, rescued]}",
    ),
    Key(
        "closes",
        Shape.CLOSES,
        "Where every path finds one of its values, or always with `true`, the resource is gone at the end of the"
        " claim.",
        "closes: true",
    ),
)
"""Of a period."""

FILE = (
    Key(
        "metric",
        Shape.SAMPLES,
        "The sample definitions of the file.",
        "metric: []",
        required=True,
    ),
)
"""Of a file of sample definitions. A file of event definitions is a list."""

ATTRIBUTES = ("name", "type", "volume", "unit", "timestamp", "user_id", "project_id", "resource_id")
"""Keys of a sample definition whose values a notification gives."""
LOOKUP = (*ATTRIBUTES, "metadata")
"""What `lookup` can name."""

BODY = {
    "ctxt": "Who acted: `request_id`, `user_id`, `project_id` and more. The credentials in it are taken out.",
    "publisher_id": "Who sent it, by custom `service.host`.",
    "event_type": "For example `compute.instance.create.end`.",
    "payload": "What the service says.",
    "metadata": "`message_id` and `timestamp`, as received.",
    "priority": "In lower case, `info` unless the sender says otherwise.",
}
"""What paths see at the top of a notification."""


def names(keys: Sequence[Key]) -> tuple[str, ...]:
    return tuple(key.name for key in keys)


def example(keys: Sequence[Key], name: str) -> str:
    """Return how *name*, which is one of *keys*, is written."""
    return next(key.example for key in keys if key.name == name)

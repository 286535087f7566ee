"""The JSON Schema of definition files, made of the table of keys: what editors check, complete and explain.

It is of draft 7, which is what editors know. It accepts every file that loads without a finding, and refuses what
loading says of the shape of a file: unknown keys, missing ones, values of another kind. What a path, a glob or an
expression says is not its matter, nor is what YAML alone can tell (a name that is not text, a key written twice).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from eventdefs.definitions import keys
from eventdefs.definitions.keys import Key, Shape

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
TITLE = "Definitions of eventdefs"

_MERGE = {"description": "Lays a mapping, or a list of them, under this one.", "type": ["object", "array"]}
_EMPTY: list[Any] = [None, [], {}]
"""What Ceilometer takes for a key that is not there, beside '', 0 and false."""


def definitions_schema() -> Schema:
    """Return the schema of both kinds of files: a list of event definitions, or a mapping with `metric`."""
    return {
        "$schema": DRAFT,
        "title": TITLE,
        **_either(("array", {"items": _ref("event")}), ("object", _mapping(keys.FILE))),
        "definitions": {
            "event": {"title": "An event definition", **_mapping(keys.EVENT)},
            "trait": {"title": "A trait", **_paths_or(_mapping(keys.TRAIT))},
            "sample": _sample(),
            "fields": _paths_or(_mapping(keys.FIELDS)),
            "named": _either(("object", _names(_ref("fields"))), ("array", {"maxItems": 0})),
            "plugin": _plugin(),
            "period": {
                "title": "A period",
                **_mapping(keys.PERIOD),
                "oneOf": [{"required": ["begin"]}, {"required": ["length"]}],
            },
            "conditions": _names(
                {"type": [*_PLAIN, "null", "array"], "items": {"type": [*_PLAIN, "null"]}, "minItems": 1}
            ),
        },
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


# --- mappings ---------------------------------------------------------------------------------------------------------


def _mapping(rows: Sequence[Key], optional: Iterable[str] = ()) -> Schema:
    """Return the schema of a mapping with the keys of *rows*; those of *optional* are never required."""
    required = [key.name for key in rows if key.required and key.name not in set(optional)]
    return {
        "type": "object",
        "properties": {**{key.name: _described(key) for key in rows}, "<<": _MERGE},
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _described(key: Key) -> Schema:
    """Return the schema of *key* with what is to say about it."""
    default = f"\n\nDefault: {key.default}." if key.default else ""
    return {
        "description": key.description.replace("`", "'") + default.replace("\n\n", " "),
        "markdownDescription": f"{key.description}{default}\n\n```yaml\n{key.example}\n```",
        **_OF[key.shape](key),
    }


def _names(value: Schema) -> Schema:
    return {"type": "object", "properties": {"<<": _MERGE}, "additionalProperties": value}


# --- values -----------------------------------------------------------------------------------------------------------


_PLAIN = ("string", "number", "boolean")


def _either(*kinds: tuple[str, Schema]) -> Schema:
    """Return a schema of values of several kinds, of which each keyword is about one: so an error is told of that."""
    merged: Schema = {}
    for _, schema in kinds:
        merged.update(schema)
    return {**merged, "type": [kind for kind, _ in kinds]}


def _paths() -> Schema:
    return {
        **_either(*((kind, {}) for kind in _PLAIN), ("array", {"minItems": 1})),
        "if": {"maxItems": 1},
        "then": {"items": {"type": list(_PLAIN)}},
        "else": {"items": {"type": "string"}},
    }


def _paths_or(mapping: Schema) -> Schema:
    paths = _paths()
    return {**paths, **mapping, "type": [*paths["type"], "object"]}


def _texts() -> Schema:
    # A mapping stands for the list of its keys, which is Ceilometer's.
    return _either(("string", {}), ("array", {"items": {"type": "string"}}), ("object", {}))


def _one_of_words(words: Mapping[str, str], any_case: bool) -> Schema:
    enum: Schema = {
        "enum": list(words),
        "markdownEnumDescriptions": list(words.values()),
        "enumDescriptions": [text.replace("`", "'") for text in words.values()],
    }
    if not any_case:
        return enum
    pattern = "|".join("".join(f"[{char.upper()}{char}]" for char in word) for word in words)
    return {"anyOf": [enum, {"type": "string", "pattern": f"^({pattern})$"}]}


def _known_names(names: Mapping[str, str]) -> Schema:
    """Return the schema of a text that is one of *names*, or the name of what others have installed."""
    return {"anyOf": [_one_of_words(names, any_case=False), {"type": "string"}]}


_OF: Mapping[Shape, Callable[[Key], Schema]] = {
    Shape.TEXT: lambda key: {"type": "string"},
    Shape.FLAG: lambda key: {"type": "boolean"},
    Shape.WORD: lambda key: _one_of_words(key.words, any_case=key.words is not keys.TIMEDELTA_UNIT_WORDS),
    Shape.WHOLE: lambda key: {"type": ["integer", "boolean", *(["null"] if key.name == "max_split" else [])]},
    Shape.ANYTHING: lambda key: {},
    Shape.GLOBS: lambda key: _texts(),
    Shape.EXPRESSIONS: lambda key: _texts(),
    Shape.PATHS: lambda key: _paths(),
    Shape.FIELDS: lambda key: {"allOf": [_ref("fields")]},
    Shape.TRAITS: lambda key: _either(
        ("object", _names(_ref("trait"))), ("array", {"maxItems": 0}), ("string", {"maxLength": 0})
    ),
    Shape.NAMED: lambda key: {"allOf": [_ref("named")]},
    Shape.PLUGIN: lambda key: {"allOf": [_ref("plugin")]},
    Shape.PARAMETERS: lambda key: {"type": ["object", "null"]},
    Shape.FLAGS: lambda key: {"type": ["array", "null"], "items": _flag()},
    Shape.VALUES: lambda key: {"type": "object", "minProperties": 1},
    Shape.ATTRIBUTES: lambda key: {
        "if": {"type": "string"},
        "then": {"enum": list(keys.LOOKUP)},
        "else": _either(
            ("array", {"items": {"enum": list(keys.LOOKUP)}}),
            ("object", {"propertyNames": {"enum": [*keys.LOOKUP, "<<"]}}),
        ),
    },
    Shape.PERIOD: lambda key: {"allOf": [_ref("period")]},
    Shape.CONDITIONS: lambda key: {"allOf": [_ref("conditions")]},
    Shape.CLOSES: lambda key: {"if": {"type": "boolean"}, "else": _ref("conditions")},
    Shape.LENGTH: lambda key: {"type": "string", "pattern": "^[0-9]+ ?(s|min|h|d)$"},
    Shape.SAMPLES: lambda key: {"type": "array", "items": _ref("sample")},
}
"""The schema of each shape."""


# --- what depends on what is beside it --------------------------------------------------------------------------------


def _flag() -> Schema:
    schema = _mapping(keys.FLAG)
    bit = schema["properties"]["bit"]
    bit.update({"type": ["integer", "string"], "minimum": 0, "maximum": 1023, "pattern": "^[0-9]+$"})
    return schema


def _plugin() -> Schema:
    """Return the schema of a plugin; of ours the parameters are known."""
    known = {name: description for name, (description, _) in keys.PLUGINS.items()}
    written = _mapping(keys.PLUGIN)
    written["properties"]["name"].update(_known_names(known))
    del written["properties"]["name"]["type"]
    written["allOf"] = [
        {
            "if": {"required": ["name"], "properties": {"name": {"const": name}}},
            "then": {
                "properties": {"parameters": {**_mapping(parameters), "type": ["object", "null"]}},
                **({"required": ["parameters"]} if any(key.required for key in parameters) else {}),
            },
        }
        for name, (_, parameters) in keys.PLUGINS.items()
    ]
    return {"title": "A trait plugin", **_either(("string", {"examples": list(known)}), ("object", written))}


def _sample() -> Schema:
    """Return the schema of a sample definition: what is needed depends on `period` and `lookup`."""
    schema = {"title": "A sample definition", **_mapping(keys.SAMPLE, optional=("volume",))}
    properties = schema["properties"]
    for key in keys.SAMPLE:
        given = properties[key.name]
        if key.required:
            given["not"] = {"enum": [None, "", False, [], {}, *([] if key.name == "volume" else [0])]}
        elif key.shape is Shape.FIELDS:
            given["if"] = {"enum": _EMPTY}
            given["else"] = {"allOf": given.pop("allOf")}
    words = _one_of_words(keys.SAMPLE_TYPE_WORDS, any_case=False)
    del properties["type"]["anyOf"]
    schema["allOf"] = [
        {
            "if": {"required": ["period"]},
            "then": {
                "properties": {
                    "unit": _one_of_words(keys.USAGE_UNIT_WORDS, any_case=False),
                    "type": {"const": "delta"},
                }
            },
            "else": {
                "required": ["volume"],
                "properties": {"dimensions": False},
                "if": {"not": {"required": ["lookup"], "properties": {"lookup": _names_type()}}},
                "then": {"properties": {"type": words}},
                "else": {"properties": {"type": _ref("fields")}},
            },
        }
    ]
    return schema


def _names_type() -> Schema:
    """Return the schema of a `lookup` that names `type`."""
    return {
        "anyOf": [
            {"type": "array", "contains": {"const": "type"}},
            {"const": "type"},
            {"type": "object", "required": ["type"]},
        ]
    }

"""Files, directories and texts to `Definitions`: all or nothing, with every problem at once.

`read_texts` gives what could be read beside what could not, which is what the linter looks at.
"""

from __future__ import annotations

import os
from collections.abc import Sequence as AnySequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from eventdefs.definitions.events import EventDefinition, EventParser
from eventdefs.definitions.fields import FieldsParser
from eventdefs.definitions.findings import Findings
from eventdefs.definitions.options import Options
from eventdefs.definitions.registry import Definitions
from eventdefs.definitions.rereading import Rereader
from eventdefs.definitions.samples import SampleDefinition, SampleParser
from eventdefs.definitions.shapes import describe, known_keys
from eventdefs.definitions.source import MAX_BYTES, Mapping, Node, Scalar, Sequence, parse_yaml
from eventdefs.errors import Finding
from eventdefs.types import Place

SHIPPED = ("event_definitions.yaml", "meters.yaml")
SUFFIX = ".yaml"
TESTS = ".test.yaml"
"""How files of tests end, which are no definitions and may stand beside them."""


def shipped_definitions() -> tuple[Path, ...]:
    """Return the definition files that come with eventdefs: in the package, or beside it in a checkout."""
    return tuple(shipped_file(name) for name in SHIPPED)


def shipped_file(name: str, folder: str = "") -> Path:
    """Return the file *name* that comes with eventdefs: in the package, or in *folder* of a checkout."""
    package = Path(__file__).resolve().parent.parent
    for file in (package / "shipped" / name, package.parent / folder / name):
        if file.is_file():
            return file
    raise FileNotFoundError(f"{name} is not installed")


def load_definitions(*paths: str | os.PathLike[str], options: Options | None = None) -> Definitions:
    """Load definition files and directories of them (``*.yaml``, sorted); without any, the shipped ones.

    A list of event definitions and a mapping with ``metric:`` are told apart by what is in the file. Among event
    definitions of several files the later ones win, among sample definitions of one name the first file does.

    Raises:
        DefinitionErrors: anything of it cannot be used; every problem of every file is there.
    """
    findings = Findings()
    return _assemble(read_texts(read_files(paths or shipped_definitions(), findings), findings), options)


def parse_definitions(text: str, *, file: str = "definitions.yaml", options: Options | None = None) -> Definitions:
    """Load definitions from *text*; *file* is the name that reports give it.

    >>> definitions = parse_definitions("- {event_type: volume.*, traits: {size: {type: int, fields: payload.size}}}")
    >>> definitions
    <Definitions: 1 of events, 0 of samples>

    Raises:
        DefinitionErrors: anything of it cannot be used.
    """
    return _assemble(read_texts([(file, text)], Findings()), options)


def read_files(paths: AnySequence[str | os.PathLike[str]], findings: Findings) -> list[tuple[str, str]]:
    """Return (file, text) of definition files and directories of them; what cannot be read is a finding."""
    texts = [(str(file), _read(file, findings)) for path in paths for file in _files(Path(path), findings)]
    return [(file, text) for file, text in texts if text is not None]


def _files(path: Path, findings: Findings) -> list[Path]:
    try:
        if path.is_dir():
            found = sorted(
                entry
                for entry in path.iterdir()
                if entry.suffix == SUFFIX and not entry.name.endswith(TESTS) and entry.is_file()
            )
            if not found:
                findings.add("E002", f"no {SUFFIX} file is in this directory", Place(str(path)))
            return found
    except OSError as error:
        findings.add("E002", f"cannot be read: {error.strerror or error}", Place(str(path)))
        return []
    return [path]


def _read(file: Path, findings: Findings) -> str | None:
    place = Place(str(file))
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        return data.decode("utf-8-sig")
    except OSError as error:
        findings.add("E002", f"cannot be read: {error.strerror or error}", place)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        findings.add("E002", f"byte {error.start} is not UTF-8: {error.reason}", Place(str(file), line))
    return None


class Reading(NamedTuple):
    """What could be read of definition files.

    Attributes:
        texts: (file, text) of each file.
        roots: the YAML document of each file, None where it is none.
        events, samples: definitions without an error, in the order of the files; the samples that are used.
        findings: what was said so far.
    """

    texts: tuple[tuple[str, str], ...]
    roots: tuple[Node | None, ...]
    events: tuple[EventDefinition, ...]
    samples: tuple[SampleDefinition, ...]
    findings: Findings

    def definitions(self, options: Options, warnings: tuple[Finding, ...]) -> Definitions:
        fingerprint = blake2b(digest_size=8)
        for _, text in self.texts:
            fingerprint.update(text.encode("utf-8", "surrogatepass") + b"\0")
        return Definitions(self.events, self.samples, options, warnings, fingerprint.hexdigest())


def read_texts(
    texts: AnySequence[tuple[str, str]],
    findings: Findings,
    *,
    go_on: bool = False,
    rereader: Rereader | None = None,
) -> Reading:
    """Read (file, text) pairs; what cannot be used is a finding and is left out.

    *go_on*: of a file that is no YAML, read what is left without the definition at fault. *rereader*: remembers what it
    read before.
    """
    parse = parse_yaml if rereader is None else rereader.parse
    fields = FieldsParser(findings)
    event_parser = EventParser(findings, fields)
    sample_parser = SampleParser(findings, fields)
    roots: list[Node | None] = []
    events: list[EventDefinition] = []
    samples: list[SampleDefinition] = []
    named: dict[str, SampleDefinition] = {}
    for file, text in texts:
        root = parse(text, file, findings, go_on=go_on)
        roots.append(root)
        if isinstance(root, Sequence):
            events += event_parser.parse(root)
        elif isinstance(root, Mapping) and root.get("metric") is not None:
            known_keys(root, "a file of sample definitions", ("metric",), findings)
            read = sample_parser.parse(root)
            for definition in read:
                if definition.name in named:
                    sample_parser.warn_of_two(definition, named[definition.name])
                else:
                    samples.append(definition)
            named = {definition.name: definition for definition in read} | named
        elif root is not None:
            found = "empty" if isinstance(root, Scalar) and root.value is None else describe(root)
            hint = "expected a list of event definitions (- event_type: ...) or a mapping with `metric:`"
            if isinstance(root, Mapping) and root.get("cases") is not None:
                hint = f"tests are run by eventdefs test, and their files end with {TESTS}"
            findings.add("E100", f"the file is {found}", root.place, hint)
    return Reading(tuple(texts), tuple(roots), tuple(events), tuple(samples), findings)


def _assemble(reading: Reading, options: Options | None) -> Definitions:
    return reading.definitions(options or Options(), reading.findings.refuse())

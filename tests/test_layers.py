"""The import rules: lower never imports upper, the pure middle touches nothing, and little is loaded at once."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from eventdefs import publishers
from eventdefs.definitions import plugins

TOP = Path(__file__).resolve().parent.parent
PACKAGE = TOP / "eventdefs"

LAYERS = {
    "eventdefs.types": 0,
    "eventdefs.errors": 0,
    "eventdefs.times": 0,
    "eventdefs.hints": 0,
    "eventdefs.regexes": 0,
    "eventdefs.thirdparty": 0,
    "eventdefs.decode": 1,
    "eventdefs.encode": 1,
    "eventdefs.ids": 1,
    "eventdefs.definitions.source": 1,
    "eventdefs.definitions.yamltraps": 1,
    "eventdefs.definitions.findings": 1,
    "eventdefs.definitions.patterns": 1,
    "eventdefs.definitions.dialect": 1,
    "eventdefs.definitions.paths": 1,
    "eventdefs.definitions": 2,
    "eventdefs.definitions.explain": 2,
    "eventdefs.definitions.lint": 2,
    "eventdefs.definitions.propose": 2,
    "eventdefs.metering.claims": 2,
    "eventdefs.metering.hours": 2,
    "eventdefs.metering.records": 2,
    "eventdefs.metering.store": 2,
    "eventdefs.metering": 3,
    "eventdefs.sqldatabase": 3,
    "eventdefs.sqlitefile": 3,
    "eventdefs.bus": 3,
    "eventdefs.pipeline": 3,
    "eventdefs.publishers": 3,
    "eventdefs.publishers.elasticsearch": 3,
    "eventdefs.publishers.http": 3,
    "eventdefs.publishers.kafka": 3,
    "eventdefs.publishers.sql": 3,
    "eventdefs.publishers.sql.migrations": 3,
    "eventdefs.delivery": 3,
    "eventdefs.deadletters": 3,
    "eventdefs.consumers": 3,
    "eventdefs.stores": 3,
    "eventdefs.cases": 3,
    "eventdefs.pytest_plugin": 4,
    "eventdefs.testing": 4,
    "eventdefs.settings": 4,
    "eventdefs.play": 4,
    "eventdefs.cli": 4,
    "eventdefs.language_server": 4,
    "eventdefs.cli.usage": 4,
    "eventdefs.__main__": 4,
    "eventdefs": 4,
}
"""The layer of a module, or of all in a package that are not named themselves."""

PURE = (
    "eventdefs.decode",
    "eventdefs.encode",
    "eventdefs.ids",
    "eventdefs.types",
    "eventdefs.times",
    "eventdefs.definitions",
    "eventdefs.cases.comparing",
    "eventdefs.cases.coverage",
    "eventdefs.cases.edits",
    "eventdefs.cases.reading",
    "eventdefs.cases.values",
    "eventdefs.cases.writing",
    "eventdefs.metering.claims",
    "eventdefs.metering.hours",
    "eventdefs.metering.records",
    "eventdefs.metering.store",
    "eventdefs.play.evaluating",
    "eventdefs.play.spots",
)
WORLD = {
    "asyncio",
    "logging",
    "multiprocessing",
    "os",
    "platform",
    "random",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
}
"""What a pure module has no use for: sockets, clocks, threads, the environment, files, chance, logs."""
EXCEPTIONS = {
    ("eventdefs.definitions.dialect", "threading"): "PLY's parsers keep the state of a parse in themselves",
    ("eventdefs.definitions.dialect", "logging"): "PLY is given a log that says nothing",
    ("eventdefs.definitions.loader", "os"): "loading reads files; `os.PathLike` says which",
}
CLOCKS = {"now", "utcnow", "today", "time", "monotonic"}


class Import(NamedTuple):
    """One module that another imports, and whether only type checkers see it."""

    module: str
    imported: str
    line: int
    typing: bool


def modules() -> dict[str, Path]:
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(TOP).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


MODULES = modules()


def imports(module: str) -> Iterator[Import]:
    """Yield what *module* imports, anywhere in it; of `from package import name`, the module *name* if it is one."""
    tree = ast.parse(MODULES[module].read_text())
    typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [name if name in MODULES else str(node.module) for name in names]
        else:
            continue
        for name in found:
            yield Import(module, name, node.lineno, id(node) in typing)


def layer(module: str) -> int:
    while module not in LAYERS:
        module = module.rpartition(".")[0]
    return LAYERS[module]


ALL = [found for module in MODULES for found in imports(module)]
OURS = [found for found in ALL if found.imported.partition(".")[0] == "eventdefs" and not found.typing]


def shown(found: list[Import]) -> list[str]:
    return [f"{one.module}:{one.line} imports {one.imported}" for one in found]


def test_every_module_has_a_layer() -> None:
    """A new module is given its place here, and none is named that is not there."""
    assert set(LAYERS) <= set(MODULES)
    below = {module.rpartition(".")[0] for module in MODULES} - {""}
    assert [module for module in MODULES if module.count(".") == 1 and module not in LAYERS] == []
    assert below <= set(LAYERS)


def test_lower_never_imports_upper() -> None:
    """What is below knows nothing of what is above, type checkers aside."""
    assert shown([one for one in OURS if layer(one.imported) > layer(one.module)]) == []


def test_errors_and_types_know_no_layer_above_even_as_types() -> None:
    """What everything imports is complete in itself."""
    found = [one for one in ALL if one.imported.startswith("eventdefs") and layer(one.module) == 0]
    assert shown([one for one in found if layer(one.imported) > 0]) == []


def test_publishers_and_definitions_do_not_know_each_other() -> None:
    """A publisher cannot know what a definition is; a definition cannot know that publishers exist."""
    one_way = [one for one in ALL if "publishers" in one.module and one.imported.startswith("eventdefs.definitions")]
    other = [one for one in ALL if "definitions" in one.module and one.imported.startswith("eventdefs.publishers")]
    assert shown(one_way + other) == []


def test_no_module_imports_itself_in_a_circle() -> None:
    """Modules can be read one after the other."""
    below = {module: {one.imported for one in OURS if one.module == module} for module in MODULES}
    done: set[str] = set()
    while len(done) < len(MODULES):
        ready = {module for module in MODULES if module not in done and below[module] <= done}
        assert ready, f"a circle: {sorted(set(MODULES) - done)}"
        done |= ready


def is_pure(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in PURE)


def test_the_pure_middle_touches_nothing() -> None:
    """Decoding, loading and converting use no socket, clock, thread, environment or log."""
    touched = [
        one
        for one in ALL
        if is_pure(one.module)
        and not one.typing
        and (one.imported in WORLD or one.imported.partition(".")[0] in WORLD)
        and (one.module, one.imported) not in EXCEPTIONS
    ]
    assert shown(touched) == []
    assert {(one.module, one.imported) for one in ALL} >= set(EXCEPTIONS)


@pytest.mark.parametrize("module", [module for module in MODULES if is_pure(module)])
def test_the_pure_middle_reads_no_clock(module: str) -> None:
    """No call of `datetime.now` and its like, and none of `open`, `print` or `input`."""
    calls = [node.func for node in ast.walk(ast.parse(MODULES[module].read_text())) if isinstance(node, ast.Call)]
    assert [call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS] == []
    assert [call.id for call in calls if isinstance(call, ast.Name) and call.id in ("open", "print", "input")] == []


def loaded(script: str) -> set[str]:
    """Return the modules that are loaded after *script*."""
    text = f"{script}\nimport sys, json\nsys.__stdout__.write(json.dumps(sorted(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        check=True,
    )
    return set(json.loads(ran.stdout))


HEAVY = {
    "sqlalchemy",
    "yaml",
    "ply",
    "jsonpath_rw",
    "jsonpath_rw_ext",
    "stevedore",
    "sqlite3",
    "regex",
    "msgspec",
    "argparse",
}
LOADED = {
    "import eventdefs": set(),
    "import eventdefs.cli": {"argparse"},
    "import eventdefs; eventdefs.decode_notification": {"msgspec"},
    "import eventdefs; eventdefs.open_publisher('memory://')": {"msgspec"},
    "import eventdefs; eventdefs.open_publisher('stdout://')": {"msgspec"},
    "import eventdefs; eventdefs.parse_definitions('- {event_type: a, traits: {x: payload.x}}')": {
        "msgspec",
        "yaml",
        "ply",
        "jsonpath_rw",
        "jsonpath_rw_ext",
    },
}


@pytest.mark.parametrize(("script", "heavy"), LOADED.items(), ids=LOADED)
def test_what_is_loaded(script: str, heavy: set[str]) -> None:
    """A command starts quickly: what it does not use is not loaded."""
    assert loaded(script) & HEAVY == heavy


def test_import_eventdefs_is_nothing_but_itself() -> None:
    """The face of the library is one module."""
    assert {name for name in loaded("import eventdefs") if name.startswith("eventdefs")} == {"eventdefs"}


def test_the_face_of_the_library() -> None:
    """Every name of `__all__` can be had, and is documented."""
    import eventdefs

    missing = [name for name in eventdefs.__all__ if not getattr(eventdefs, name).__doc__]
    assert (missing, sorted(eventdefs.__all__)) == ([], eventdefs.__all__)
    assert set(eventdefs.__all__) <= set(dir(eventdefs))
    with pytest.raises(AttributeError, match="module 'eventdefs' has no attribute 'Nothing'"):
        eventdefs.Nothing  # noqa: B018


def entry_points(namespace: str) -> dict[str, str]:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    return dict(project["entry-points"][namespace])


def test_built_in_plugins_are_entry_points() -> None:
    """What the package has without looking up is what it registers."""
    known = {name: f"{plugin.__module__}:{plugin.__qualname__}" for name, plugin in plugins.builtin_plugins().items()}
    assert known == entry_points(plugins.NAMESPACE)


def test_built_in_publishers_are_entry_points() -> None:
    """The same of publishers."""
    assert entry_points(publishers.NAMESPACE) == publishers._BUILTIN

"""The folders show the architecture: no arrow of an import runs up, and what is pure is pure as a whole folder.

Pure code reads no environment and no network, opens nothing, asks no clock, throws no dice, and imports little. What is
not pure comes as an argument: a port, a clock, a decision.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

import aftersend
from tests.support.template import ROOT

PACKAGE: Final = Path(aftersend.__file__).parent

# What each folder, or module beside the folders, may import of ours. The order is that of the layers, from below.
LAYERS: Final[dict[str, set[str]]] = {
    "core": set(),
    "classify": {"core"},
    "verp": {"core"},
    "sources": {"core", "classify", "verp"},
    "library": {"core", "classify", "sources"},
    "settings": {"core"},
    "version": set(),
    "http": {"core"},
    "console": {"core", "http"},
    "aws": {"core", "http", "settings"},
    "ports": {"core", "sources"},
    "storage": {"core", "classify", "sources", "aws", "ports"},
    "reporter": {"core", "sources", "aws", "storage"},
    "client": {"core", "classify", "aws", "storage", "reporter"},
    "unnamed": {"core", "ports"},
    "ingest": {"core", "classify", "sources", "storage", "ports", "unnamed"},
    "webhooks": {"core", "sources", "storage", "aws", "http", "settings"},
    "jobs": {"core", "classify", "sources", "storage", "aws", "http", "ports"},
    "lists": {"core", "classify", "sources", "storage", "aws", "ports", "jobs"},
    "api": {"core", "classify", "storage", "lists", "settings", "ports", "version"},
    "outgoing": {"core", "aws", "storage"},
    "observability": {"core", "ports", "ingest", "webhooks", "jobs", "lists", "api", "outgoing"},
}
LAYERS["bootstrap"] = {*LAYERS} - {"client", "library", "reporter"}

# Folders and modules that are pure, with all that they import of ours.
PURE: Final = ("core", "classify", "verp", "sources", "library")
# Modules elsewhere that are pure, through whatever they import of ours, too.
PURE_MODULES: Final = (
    *("outgoing/addresses", "outgoing/schedule", "outgoing/signing", "outgoing/sentence"),
    *("ports", "webhooks/schemes", "webhooks/request", "storage/items", "storage/packing", "storage/dry_run"),
    *("aws/account", "aws/errors", "http/http1", "aws/sigv4", "aws/calls", "aws/protocols"),
)
# These do nothing to the outside but through their ports: of what does they import names at most.
THROUGH_PORTS: Final = ("ingest", "unnamed", "lists")
# The only modules that know AWS's client library, the environment, and files: those that ship beside them.
BOTO3: Final = ["aws/boto.py"]
ENVIRONMENT: Final = ["settings.py"]

LIBRARIES: Final = {"msgspec", "idna", "defusedxml", "cryptography"}
# Of the standard library: what reaches outside, or gives another answer each time.
OUTSIDE: Final = {
    *("asyncio", "ctypes", "getpass", "http", "io", "logging", "multiprocessing", "os", "random", "secrets", "select"),
    *("shutil", "signal", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid"),
}
HARMLESS: Final = ("urllib.parse",)
CLOCKS: Final = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}
EFFECTS: Final = {"open", "print", "input", "exec", "eval", "compile", "__import__"}


def find_files(name: str = "") -> list[Path]:
    """Return the sources of a module, or of a folder and all in it, but for what is only run by hand."""
    folder = PACKAGE / name
    found = sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{name}.py"]
    return [path for path in found if path.name != "__main__.py"]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def find_imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a source imports, wherever in it."""
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{each.name}" for each in node.names)


def find_layer(imported: str) -> str | None:
    """Return the folder or module directly below `aftersend` that an imported name lies in."""
    first, _, rest = imported.partition(".")
    return rest.partition(".")[0] if first == "aftersend" and rest else None


def find_reached(name: str) -> set[Path]:
    """Return the sources of a module or folder, and all of ours that those import, and that these import."""
    found: set[Path] = set()
    waiting = find_files(name)
    while waiting:
        if (path := waiting.pop()) not in found:
            found.add(path)
            waiting += filter(None, map(_resolve, find_imports(path)))
    return found


def _resolve(imported: str) -> Path | None:
    """Return the source of the module of ours that an imported name is, or lies in."""
    first, *names = imported.split(".")
    places = [PACKAGE.joinpath(*names[:length]) for length in range(len(names), -1, -1)] if first == "aftersend" else []
    both = (path for place in places for path in (place.with_suffix(".py"), place / "__init__.py"))
    return next((path for path in both if path.exists()), None)


def list_faults(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Return what is not pure in these sources, by their names."""
    faults = {path.relative_to(PACKAGE).as_posix(): list(find_faults(path)) for path in sorted(paths)}
    return {path: found for path, found in faults.items() if found}


def find_faults(path: Path) -> Iterator[str]:
    """Yield what a source does that pure code does not."""
    for imported in find_imports(path):
        library = imported.partition(".")[0]
        known = library in sys.stdlib_module_names or library in LIBRARIES | {"aftersend"}
        if not known or (library in OUTSIDE and not imported.startswith(HARMLESS)):
            yield f"imports {imported}"
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name) and function.id in EFFECTS:
                yield f"calls {function.id}"
            if isinstance(function, ast.Attribute) and function.attr in CLOCKS and not _is_own_method(function):
                yield f"asks the clock: {ast.unparse(function)}"


def _is_own_method(function: ast.Attribute) -> bool:
    """Whether it is `facts.time(...)`, a method of ours, and not `datetime.now(...)`."""
    return not (isinstance(function.value, ast.Name) and function.value.id in {"datetime", "date", "time"})


def find_users(*libraries: str) -> list[str]:
    """Return the sources that import one of `libraries`."""
    return [
        path.relative_to(PACKAGE).as_posix()
        for path in find_files()
        if {each.partition(".")[0] for each in find_imports(path)} & {*libraries}
    ]


def test_every_folder_and_module_has_its_layer() -> None:
    found = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    found |= {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    assert found == {*LAYERS}


@pytest.mark.parametrize("name", LAYERS)
def test_no_arrow_runs_up(name: str) -> None:
    arrows = {
        f"{path.relative_to(PACKAGE)}: {imported}"
        for path in find_files(name)
        for imported in find_imports(path)
        if (layer := find_layer(imported)) and layer not in LAYERS[name] | {name}
    }
    assert not arrows


def test_the_layers_have_no_cycle() -> None:
    assert {*TopologicalSorter(LAYERS).static_order()} == {*LAYERS}


def test_nothing_in_the_package_imports_what_stands_around_it() -> None:
    assert find_users("aftersend_cli", "functions", "local", "tests") == []


@pytest.mark.parametrize("name", PURE)
def test_pure_folders_are_pure_as_a_whole(name: str) -> None:
    """Design §6: "core, classify and sources are PURE (the folder is what the test asserts)". Of libraries they use
    `msgspec`, `idna` for domain names and `defusedxml` for the XML of strangers; the schemes of webhooks use
    `cryptography` for their signatures.
    """
    assert {*PURE} >= LAYERS[name]
    assert not list_faults(find_files(name))


@pytest.mark.parametrize("name", PURE_MODULES)
def test_pure_modules_reach_nothing_that_is_not(name: str) -> None:
    assert not list_faults(find_reached(name))


@pytest.mark.parametrize("name", THROUGH_PORTS)
def test_what_needs_the_outside_gets_it_through_its_ports(name: str) -> None:
    assert not list_faults(find_files(name))


def test_one_module_knows_boto3_and_one_the_environment() -> None:
    assert find_users("boto3", "botocore") == BOTO3
    assert find_users("os") == ENVIRONMENT


def test_nothing_catches_everything() -> None:
    """CONTRIBUTING: "Nothing catches everything." Whatever is caught is named."""
    everything = {"Exception", "BaseException"}
    sources = [
        path
        for folder in ("layers/aftersend/aftersend", "functions", "local")
        for path in (ROOT / folder).rglob("*.py")
    ]
    caught = {
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ExceptHandler)
        if node.type is None or everything & {each.id for each in ast.walk(node.type) if isinstance(each, ast.Name)}
    }
    assert not caught


def test_routes_load_neither_the_classifier_nor_what_works_list_jobs() -> None:
    """They are part of the function that answers questions, which starts often."""
    command = [sys.executable, "-c", "import sys, aftersend.api.list_jobs; print(*sys.modules)"]
    environment = {"PYTHONPATH": str(ROOT / "layers" / "aftersend"), "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    loaded = set(done.stdout.split())
    assert "aftersend.lists.job" in loaded
    assert not loaded & {"boto3", "aftersend.classify", "aftersend.lists.runner", "aftersend.lists.claims"}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import boto3", "imports boto3"),
        ("from os import environ", "imports os.environ"),
        ("def f():\n    import socket", "imports socket"),
        ("from datetime import datetime\ndatetime.now()", "asks the clock: datetime.now"),
        ("open('x')", "calls open"),
    ],
)
def test_what_is_not_pure_is_found(source: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "impure.py"
    path.write_text(source)
    assert list(find_faults(path)) == [fault]


@pytest.mark.parametrize(
    ("imported", "layer", "source"),
    [
        ("aftersend.api", "api", "api/__init__.py"),
        ("aftersend.core.model.Key", "core", "core/model.py"),
        ("aftersend.classify.Classifier", "classify", "classify/__init__.py"),
        ("aftersend", None, "__init__.py"),
        ("msgspec.Struct", None, None),
    ],
)
def test_an_import_is_seen_as_an_arrow(imported: str, layer: str | None, source: str | None) -> None:
    assert find_layer(imported) == layer
    assert _resolve(imported) == (PACKAGE / source if source else None)

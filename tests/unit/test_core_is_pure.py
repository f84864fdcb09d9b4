"""The pure core: it reads no environment, opens nothing, asks no clock, throws no dice, and imports little."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import aftersend

PACKAGE = Path(aftersend.__file__).parent

# The shell: the only module that knows AWS's client library, and the only one that knows the environment.
BOTO3 = ["aws/boto.py"]
ENVIRONMENT = ["settings.py"]
# Modules that are handed what is not pure: archive's messages and the ports come as arguments.
CORE = [
    *("address", "digest", "envelope", "errors", "facts", "items", "model", "outcome", "policy", "smtp", "steps"),
    *("suppression", "text", "times", "vocabulary", "words", "parsers", "classify"),
    *("aws/account", "aws/errors", "aws/sigv4", "http/http1"),
    *("carrier", "causes", "decisions", "errands", "guard", "envelope_mns"),
    *("verify", "door_request", "kept"),
]
LIBRARIES = {"msgspec", "idna", "defusedxml", "cryptography"}
# Of the standard library: what reaches outside, or gives another answer each time.
OUTSIDE = {
    *("asyncio", "ctypes", "getpass", "http", "io", "logging", "multiprocessing", "os", "random", "secrets", "select"),
    *("shutil", "signal", "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid"),
}
HARMLESS = ("urllib.parse",)
CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}
DOORS = {"open", "print", "input", "exec", "eval", "compile", "__import__"}


def _files(name: str) -> list[Path]:
    """The sources of a module, or of a package and all in it, but for what is only run by hand."""
    folder = PACKAGE / name
    found = sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{name}.py"]
    return [path for path in found if path.name != "__main__.py"]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _imports(path: Path) -> Iterator[str]:
    """The full name of everything that a source imports, wherever in it."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{each.name}" for each in node.names)


def _own(imported: str) -> str | None:
    """The module of ours, or the package directly below `aftersend`, that is meant."""
    first, _, rest = imported.partition(".")
    return rest.partition(".")[0] if first == "aftersend" and rest else None


def _reached(name: str) -> set[str]:
    """The module and all modules of ours that it imports, and that those import."""
    found, waiting = set(), [name]
    while waiting:
        found.add(module := waiting.pop())
        own = {_own(each) for path in _files(module) for each in _imports(path)}
        waiting += [each for each in own if each and each not in found and _files(each)[0].exists()]
    return found


def _faults(path: Path) -> Iterator[str]:
    """What a source does that the pure core does not."""
    for imported in _imports(path):
        library = imported.partition(".")[0]
        known = library in sys.stdlib_module_names or library in LIBRARIES | {"aftersend"}
        if not known or (library in OUTSIDE and not imported.startswith(HARMLESS)):
            yield f"imports {imported}"
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name) and function.id in DOORS:
                yield f"calls {function.id}"
            if isinstance(function, ast.Attribute) and function.attr in CLOCKS and not _is_ours(function):
                yield f"asks the clock: {ast.unparse(function)}"


def _is_ours(function: ast.Attribute) -> bool:
    """`facts.time(...)`, a method of ours, and not `datetime.now(...)`."""
    return not (isinstance(function.value, ast.Name) and function.value.id in {"datetime", "date", "time"})


@pytest.mark.parametrize("name", CORE)
def test_the_pure_core_imports_the_standard_library_and_msgspec(name: str) -> None:
    """Design §7: "The pure core imports the standard library and `msgspec`, takes `now` as an argument, and a test
    enforces it." (`idna` knows domain names, `defusedxml` reads XML of strangers, `cryptography` their
    signatures.) Through whatever it imports, too.
    """
    for module in sorted(_reached(name)):
        faults = {path.name: list(_faults(path)) for path in _files(module)}
        assert not {path: found for path, found in faults.items() if found}, f"reached from {name}"


def test_only_the_shell_knows_aws_and_only_settings_the_environment() -> None:
    """Design §7: "the only boto3, the only environ"."""
    assert _knowing("boto3", "botocore") == BOTO3
    assert _knowing("os") == ENVIRONMENT


def _knowing(*libraries: str) -> list[str]:
    """The sources that import one of `libraries`."""
    return [
        path.relative_to(PACKAGE).as_posix()
        for path in _files("")
        if {each.partition(".")[0] for each in _imports(path)} & {*libraries}
    ]


def test_ingest_reaches_the_outside_only_through_its_ports() -> None:
    for name in ("ingest", "ports"):
        assert not [list(_faults(path)) for path in _files(name) if list(_faults(path))]


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
    assert list(_faults(path)) == [fault]

"""Puts the modules of the console together into a few files, because many small ones pack badly. Pure.

A module becomes a function that is called where it stands, behind all that it imports, so what it does not export stays
its own. What one file needs of another it imports from there: what comes out are plain ES modules, too.

    import { say } from "./texts.js";           const{greet}=(()=>{
    export const greet = () => say("hello");    const greet = () => say("hello");
                                                return{greet}})();

Only what the console is written in is understood. Other forms of import and export are refused with the module's name,
and so are a name that two modules export, modules that import each other, and a module that nobody imports. Source:
ECMAScript 2025, 16.2 (Modules).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from posixpath import basename, dirname, join, normpath, splitext
from typing import Final

from msgspec import Struct, field

# Statements of our own modules begin with a line; those of vendored ones stand anywhere, as short as can be.
_IMPORT: Final = re.compile(
    r'^import (?:(\w+|\{[\w\s,]*\}) from )?"(\.[^"]+)";\n|\bimport(\{[^}]*\})from"(\.[^"]+)";', re.M
)
_AGAIN: Final = re.compile(r'^export (\{[\w\s,]*\})(?: from "(\.[^"]+)")?;\n', re.M)
_EXPORT: Final = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.M)
_DEFAULT: Final = re.compile(r"\bexport default(?= function\()")
_LIST: Final = re.compile(r"\bexport\{([^}]*)\};?")
_LATER: Final = re.compile(r'\bimport\("(\.[^"]+)"\)')
_LEFT: Final = re.compile(r"""(?:^|[;}])[ \t]*(?:import|export)\s*[\w{"'*][^\n]{0,40}""", re.M)
_MAP: Final = re.compile(r"^//# sourceMappingURL=.*\n?", re.M)
_LATER_WHOLE: Final = re.compile(r'\bimport\("([^"]+)"\)')
_FALLBACK: Final = "default"
_INSIDE: Final = "fallback"  # what a default is called within its module


class BundleError(ValueError):
    """A module is written in a way that is not understood here."""


class _Module(Struct):
    """A module: its code without imports and exports, and what these say."""

    code: str = ""
    needs: list[str] = field(default_factory=list)  # modules that run before it
    fetches: list[str] = field(default_factory=list)  # modules that it fetches when it runs
    gives: dict[str, str] = field(default_factory=dict)  # names that it exports, and what each is called inside
    takes: dict[str, tuple[str, str]] = field(default_factory=dict)  # names inside, the module and its name there
    hands_on: dict[str, tuple[str, str]] = field(default_factory=dict)  # names that it exports of other modules


def make_bundles(
    sources: Mapping[str, str], begins: Mapping[str, Sequence[str]], strip: Mapping[str, Callable[[str], str]]
) -> dict[str, str]:
    """Return files by name that hold all modules, each once; raises BundleError where that cannot be done.

    `sources` are the modules by path. `begins` has the files and the modules that each is there for: a file holds
    these and all that they import, but for what a file before it holds. `strip` has what takes away of a module's code
    what does nothing.
    """
    modules = {name: _read(name, source) for name, source in sources.items()}
    files: dict[str, list[str]] = {}
    homes: dict[str, str] = {}
    for file, wanted in begins.items():
        files[file] = [name for name in _order(wanted, modules) if name not in homes]
        homes |= dict.fromkeys(files[file], file)
    if left := sorted(modules.keys() - homes.keys()):
        raise BundleError(f"nobody imports {', '.join(left)}")
    names = _name_all(modules)
    for name, act in strip.items():
        modules[name].code = act(modules[name].code)
    return {file: _write(file, some, _Parts(modules, homes, names)) for file, some in files.items()}


def find_fetched(sources: Mapping[str, str]) -> list[str]:
    """Return the modules that others fetch only when they need them."""
    return sorted({each for name, source in sources.items() for each in _read(name, source).fetches})


# ---- Reading --------------------------------------------------------------------------------------------------------


def _read(name: str, source: str) -> _Module:
    """Take a module apart; raises BundleError where something is left that is not understood."""
    made, code = _Module(), _MAP.sub("", source)
    code = _IMPORT.sub(lambda match: _take(made, name, match), code)
    code = _AGAIN.sub(lambda match: _hand_on(made, name, match), code)
    code = _EXPORT.sub(lambda match: _give(made, {match[1]: match[1]}), code)
    code = _DEFAULT.sub(lambda _: _give(made, {_FALLBACK: _INSIDE}) + f"const {_INSIDE}=", code)
    code = _LIST.sub(lambda match: _give(made, {given: inside for inside, given in _pair(match[1])}), code)
    if left := _LEFT.search(code):
        raise BundleError(f"{name}: not understood: {left[0].strip()}")
    made.fetches = [_find(name, path) for path in _LATER.findall(code)]
    made.code = _LATER.sub(lambda match: f'import("{_find(name, match[1])}")', code)
    return made


def _find(name: str, path: str) -> str:
    return normpath(join(dirname(name), path))


def _take(made: _Module, name: str, match: re.Match[str]) -> str:
    given, other = match[1] or match[3] or "", _find(name, match[2] or match[4])
    made.needs.append(other)
    pairs = _pair(given) if given.startswith("{") or not given else [(_FALLBACK, given)]
    made.takes |= {inside: (other, outside) for outside, inside in pairs}
    return ""


def _hand_on(made: _Module, name: str, match: re.Match[str]) -> str:
    """`export {…}`, of what was imported or is its own, or `export {…} from "…"`."""
    pairs = _pair(match[1])
    if match[2]:
        made.needs.append(_find(name, match[2]))
        made.hands_on |= {given: (made.needs[-1], there) for there, given in pairs}
    else:
        made.hands_on |= {given: made.takes[inside] for inside, given in pairs if inside in made.takes}
        made.gives |= {given: inside for inside, given in pairs if inside not in made.takes}
    return ""


def _give(made: _Module, names: Mapping[str, str]) -> str:
    made.gives |= names
    return ""


def _pair(given: str) -> list[tuple[str, str]]:
    """The names in `{a, b as c}`, each as it is called before and after `as`."""
    parts = [each.strip().partition(" as ") for each in given.strip("{}").split(",") if each.strip()]
    return [(left, right or left) for left, _, right in parts]


def _order(wanted: Sequence[str], modules: Mapping[str, _Module]) -> list[str]:
    """These modules and all that they import, each behind what it imports."""
    done: dict[str, None] = {}

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            raise BundleError(f"modules import each other: {', '.join([*way, name])}")
        if name not in modules:
            raise BundleError(f"{way[-1] if way else 'a file'} imports {name}, which is not there")
        if name not in done:
            for each in modules[name].needs:
                visit(each, (*way, name))
            done[name] = None

    for name in wanted:
        visit(name, ())
    return list(done)


# ---- Names that modules share ---------------------------------------------------------------------------------------

_Place = tuple[str, str]  # a module, and the name of something that it exports


class _Parts(Struct, frozen=True):
    """All modules, the file that each stands in, and by its place what each thing is called that they share."""

    modules: Mapping[str, _Module]
    homes: Mapping[str, str]
    names: Mapping[_Place, str]


def _name_all(modules: Mapping[str, _Module]) -> dict[_Place, str]:
    """Name all that one module has of another, and all of the modules that are fetched."""
    places = [_trace(modules, *place) for each in modules.values() for place in each.takes.values()]
    fetched = {name for each in modules.values() for name in each.fetches}
    places += [(name, given) for name in sorted(fetched) for given in modules[name].gives]
    names = {place: place[1] if place[1] != _FALLBACK else splitext(basename(place[0]))[0] for place in places}
    first: dict[str, _Place] = {}
    for place, name in names.items():
        if first.setdefault(name, place) != place:
            raise BundleError(f"{first[name][0]} and {place[0]} both export {name}")
    return names


def _trace(modules: Mapping[str, _Module], module: str, name: str) -> _Place:
    """The place at which something is made that this module exports, or hands on."""
    if name in modules[module].hands_on:
        return _trace(modules, *modules[module].hands_on[name])
    if name not in modules[module].gives:
        raise BundleError(f"{module} has no {name}")
    return module, name


# ---- Writing --------------------------------------------------------------------------------------------------------


def _write(file: str, names: Sequence[str], parts: _Parts) -> str:
    foreign: dict[str, set[str]] = {}
    for name in names:
        for place in _list_taken(name, parts):
            if parts.homes[place[0]] != file:
                foreign.setdefault(parts.homes[place[0]], set()).add(parts.names[place])
    head = [f'import{{{",".join(sorted(foreign[other]))}}}from"./{other}";\n' for other in sorted(foreign)]
    body = [_wrap(name, parts) for name in names]
    wanted = {place for name, home in parts.homes.items() if home != file for place in _list_taken(name, parts)}
    wanted |= {
        (name, given) for each in parts.modules.values() for name in each.fetches for given in parts.modules[name].gives
    }
    given = sorted(parts.names[place] for place in wanted if parts.homes[place[0]] == file)
    return "".join([*head, *body, f"export{{{','.join(given)}}};\n" if given else ""])


def _list_taken(name: str, parts: _Parts) -> list[_Place]:
    return [_trace(parts.modules, *place) for place in parts.modules[name].takes.values()]


def _wrap(name: str, parts: _Parts) -> str:
    """A module as a function that is called at once, and what others have of it."""
    module = parts.modules[name]
    given = sorted((shown, module.gives[place[1]]) for place, shown in parts.names.items() if place[0] == name)
    called = {inside: parts.names[_trace(parts.modules, *place)] for inside, place in module.takes.items()}
    renamed = "".join(f"const {inside}={shown};" for inside, shown in called.items() if inside != shown)
    code = _LATER_WHOLE.sub(lambda match: f'import("./{parts.homes[match[1]]}")', module.code).strip()
    if not given:
        return f"(()=>{{{renamed}{code}\n}})();\n"
    inner = ",".join(shown if shown == inside else f"{shown}:{inside}" for shown, inside in given)
    return f"const{{{','.join(shown for shown, _ in given)}}}=(()=>{{{renamed}{code}\nreturn{{{inner}}}}})();\n"

"""Puts the modules of the console together into a few files, because many small ones pack badly. Pure.

In a file all modules are in one scope, each behind all that it imports. What a module declares at its top level gets a
short name that nothing else has, so an import is no more than that name. What one file needs of another it imports from
there: what comes out are plain ES modules, too. A vendored module stays as it was published: it becomes a function that
is called where it stands.

    const TEXTS = new Map();                              const b=new Map();const a=(name)=>b.get(name);
    export const say = (name) => TEXTS.get(name);         a("hello");a("bye");

    import { say } from "./texts.js";
    say("hello");
    say("bye");

Only what the console is written in is understood. Other forms of import and export are refused with the module's name,
and so are modules that import each other, and one that nobody imports. Source: ECMAScript 2025, 16.2 (Modules).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from posixpath import dirname, join, normpath
from typing import Final

from msgspec import Struct, field

from aftersend.console.names import Name, find_names, make_names, rename
from aftersend.console.squeeze import squeeze
from aftersend.console.tokens import WORD, Token, read_tokens

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
_SOMETIMES: Final = frozenset(("async", "of"))  # words of the language in some places, names in others

_Place = tuple[str, str]  # a module, and what something is called that it declares


class BundleError(ValueError):
    """A module is written in a way that is not understood here."""


class _Module(Struct):
    """A module: its code without imports and exports, and what these say."""

    code: str = ""
    tokens: Sequence[Token] = ()  # what the code is written of; a vendored module is not taken apart
    names: Sequence[Name] = ()  # of variables, in the code
    needs: list[str] = field(default_factory=list)  # modules that run before it
    fetches: list[str] = field(default_factory=list)  # modules that it fetches when it runs
    gives: dict[str, str] = field(default_factory=dict)  # names that it exports, and what each is called inside
    takes: dict[str, tuple[str, str]] = field(default_factory=dict)  # names inside, the module and its name there
    hands_on: dict[str, tuple[str, str]] = field(default_factory=dict)  # names that it exports of other modules


def make_bundles(
    sources: Mapping[str, str], begins: Mapping[str, Sequence[str]], vendored: Collection[str]
) -> dict[str, str]:
    """Return files by name that hold all modules, each once; raises BundleError where that cannot be done.

    `sources` are the modules by path. `begins` has the files and the modules that each is there for: a file holds
    these and all that they import, but for what a file before it holds. `vendored` are modules that stay as they are.
    """
    modules = {name: _read(name, source) for name, source in sources.items()}
    files: dict[str, list[str]] = {}
    homes: dict[str, str] = {}
    for file, wanted in begins.items():
        files[file] = [name for name in _order(wanted, modules) if name not in homes]
        homes |= dict.fromkeys(files[file], file)
    if left := sorted(modules.keys() - homes.keys()):
        raise BundleError(f"nobody imports {', '.join(left)}")
    for name in modules.keys() - set(vendored):
        _take_apart(name, modules[name])
    places = {name: _find_places(name, modules) for name in modules}
    parts = _Parts(modules, vendored, homes, places, _name_all(modules, places))
    return {file: _write(file, some, parts) for file, some in files.items()}


def find_fetched(sources: Mapping[str, str]) -> list[str]:
    """Return the modules that others fetch only when they need them."""
    return sorted({_find(name, path) for name, source in sources.items() for path in _LATER.findall(source)})


# ---- Reading --------------------------------------------------------------------------------------------------------


def _read(name: str, source: str) -> _Module:
    """Read what a module imports and exports; raises BundleError where something is left that is not understood."""
    made, code = _Module(), _MAP.sub("", source)
    code = _IMPORT.sub(lambda match: _take(made, name, match), code)
    code = _AGAIN.sub(lambda match: _hand_on(made, name, match), code)
    code = _EXPORT.sub(lambda match: _give(made, {match[1]: match[1]}), code)
    code = _DEFAULT.sub(lambda _: _give(made, {_FALLBACK: _INSIDE}) + f"const {_INSIDE}=", code)
    code = _LIST.sub(lambda match: _give(made, {given: inside for inside, given in _pair(match[1])}), code)
    if left := _LEFT.search(code):
        raise BundleError(f"{name}: not understood: {left[0].strip()}")
    made.fetches = [_find(name, path) for path in _LATER.findall(code)]
    made.code = _LATER.sub(lambda match: f'import("{_find(name, match[1])}")', code).strip()
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


def _take_apart(name: str, module: _Module) -> None:
    try:
        module.tokens = squeeze(read_tokens(module.code))
        module.names = list(find_names(module.tokens))
    except ValueError as error:
        raise BundleError(f"{name}: {error}") from error


# ---- Names ----------------------------------------------------------------------------------------------------------


class _Parts(Struct, frozen=True):
    """All modules, the file that each stands in, what its names stand for, and what all that is called now."""

    modules: Mapping[str, _Module]
    vendored: Collection[str]
    homes: Mapping[str, str]
    places: Mapping[str, Mapping[str, _Place]]
    names: Mapping[_Place, str]


def _find_places(name: str, modules: Mapping[str, _Module]) -> dict[str, _Place]:
    """Find where that is declared which the names at the top level of a module stand for."""
    module = modules[name]
    own = {each.text: (name, each.text) for each in module.names if each.is_declared}
    found = own | {inside: _trace(modules, *taken) for inside, taken in module.takes.items()}
    if mixed := _SOMETIMES & found.keys():
        raise BundleError(f"{name}: not understood: a variable {', '.join(sorted(mixed))}")
    return found


def _trace(modules: Mapping[str, _Module], module: str, name: str) -> _Place:
    """Find where something is declared that this module exports, or hands on."""
    if name in modules[module].hands_on:
        return _trace(modules, *modules[module].hands_on[name])
    if name not in modules[module].gives:
        raise BundleError(f"{module} has no {name}")
    return module, modules[module].gives[name]


def _name_all(modules: Mapping[str, _Module], places: Mapping[str, Mapping[str, _Place]]) -> dict[_Place, str]:
    """Name all that stands at the top level of a file; what is named most often gets the shortest name."""
    uses = Counter(place for some in places.values() for place in some.values())
    uses.update(place for each in _list_fetched(modules) for place in _list_given(each, modules).values())
    for name, module in modules.items():
        uses.update(places[name][each.text] for each in module.names if each.text in places[name])
    taken = {text for module in modules.values() for kind, text in module.tokens if kind == WORD}
    return dict(zip(sorted(uses, key=lambda place: (-uses[place], place)), make_names(taken), strict=False))


def _list_fetched(modules: Mapping[str, _Module]) -> list[str]:
    return sorted({each for module in modules.values() for each in module.fetches})


def _list_given(name: str, modules: Mapping[str, _Module]) -> dict[str, _Place]:
    module = modules[name]
    return {given: _trace(modules, name, given) for given in sorted(module.gives | module.hands_on)}


# ---- Writing --------------------------------------------------------------------------------------------------------


def _write(file: str, some: Sequence[str], parts: _Parts) -> str:
    foreign: dict[str, set[str]] = {}
    for place in {place for name in some for place in parts.places[name].values()}:
        if parts.homes[place[0]] != file:
            foreign.setdefault(parts.homes[place[0]], set()).add(parts.names[place])
    head = [f'import{{{",".join(sorted(foreign[other]))}}}from"./{other}";\n' for other in sorted(foreign)]
    body = [_wrap(name, parts) if name in parts.vendored else _write_own(name, parts) for name in some]
    given = _list_exports(file, parts)
    return "".join([*head, *body, f"export{{{','.join(given)}}};\n" if given else ""])


def _list_exports(file: str, parts: _Parts) -> list[str]:
    """What other files take, under its short name, and what modules give that are fetched, under the one they gave."""
    others = {place for name, some in parts.places.items() if parts.homes[name] != file for place in some.values()}
    given = sorted(parts.names[place] for place in others if parts.homes[place[0]] == file)
    fetched: dict[str, str] = {}
    for name in _list_fetched(parts.modules):
        for shown, place in _list_given(name, parts.modules).items() if parts.homes[name] == file else ():
            if fetched.setdefault(shown, name) != name:
                raise BundleError(f"{fetched[shown]} and {name} both export {shown}")
            given.append(f"{parts.names[place]} as {shown}")
    return given


def _write_own(name: str, parts: _Parts) -> str:
    module = parts.modules[name]
    called = {inside: parts.names[place] for inside, place in parts.places[name].items()}
    code = rename(module.tokens, module.names, called)
    return _LATER_WHOLE.sub(lambda match: f'import("./{parts.homes[match[1]]}")', code) + "\n"


def _wrap(name: str, parts: _Parts) -> str:
    """A module as a function that is called at once with what it takes, and gives what others have of it."""
    given = [(inside, shown) for (module, inside), shown in parts.names.items() if module == name]
    shown = ",".join(shown for _, shown in given)
    result = ",".join(inside for inside, _ in given)
    takes = parts.places[name]
    handed = ",".join(parts.names[place] for place in takes.values())
    return f"const[{shown}]=(({','.join(takes)})=>{{{parts.modules[name].code}\nreturn[{result}]}})({handed});\n"

"""Paths into a body: how they are written, and what they find. Pure.

A path is names with dots between them: `data.email.message.id`. `[]` behind a name stands for each element of a list,
`[0]` for one of them: `to[].address`, `event_name[0]`. Names are taken exactly as they are written.

An event may lie within others (`events[].details[]`). A path is looked for in the event itself first, and then in what
it lies in, up to the whole body: so what is said once for all events of a body is found for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

MAX_STEPS: Final = 16
MAX_VALUES: Final = 250  # of a list that a path looks at

Step = str | int | None  # a name, the number of an element, each of them
Path = tuple[Step, ...]

_NAME: Final = re.compile(r"([^.\[\]\s][^.\[\]]{0,127})((?:\[\d{0,3}\]){0,4})").fullmatch
_INDEX: Final = re.compile(r"\[(\d*)\]")


def compile_path(text: str, lists: int = 1) -> Path:
    """Compile a path as it is written, with at most so many `[]`; raises ValueError that says what is wrong."""
    steps: list[Step] = []
    for part in text.split("."):
        found = _NAME(part)
        if found is None:
            raise ValueError(f"{text!r} is no path: names with dots between them, [] or [0] behind a list")
        steps.append(found[1])
        steps += [int(number) if number else None for number in _INDEX.findall(found[2])]
    if len(steps) > MAX_STEPS:
        raise ValueError(f"{text!r} has more than {MAX_STEPS} steps")
    if steps.count(None) > lists:
        raise ValueError(f"{text!r}: no more than {lists} of [] in such a path")
    return tuple(steps)


def find_all(scopes: Sequence[Any], paths: Sequence[Path]) -> list[Any]:
    """Return what the first of `paths` finds that finds anything, in the first of `scopes` where it does."""
    for path in paths:
        for scope in scopes:
            found = [value for value in _walk(scope, path) if is_there(value)]
            if found:
                return found
    return []


def find_first(scopes: Sequence[Any], paths: Sequence[Path]) -> Any:
    """Return the first of what `find_all` finds; None where that is nothing."""
    for path in paths:
        for scope in scopes:
            value = scope
            for at, step in enumerate(path):
                if step.__class__ is not str:  # the elements of a list
                    value = next(filter(is_there, _walk(value, path[at:])), None)
                    break
                value = value.get(step) if value.__class__ is dict else None
                if value is None:
                    break
            if is_there(value):
                return value
    return None


_NUMBERS: Final = frozenset({bool, int, float})


def is_there(value: Any) -> bool:
    """Return whether a value is more than null, an empty text, an empty list or object."""
    return bool(value) or value.__class__ in _NUMBERS


def find_events(body: Any, paths: Sequence[Path]) -> Iterator[list[Any]]:
    """Yield the events of a body, each with what it lies in behind it, the whole body last.

    The first of `paths` counts that finds anything; where none does the body itself is the event, or a list of them,
    unless one of the lists is there and empty.
    """
    for each in body if isinstance(body, list) else [body]:
        path = next((path for path in paths if next(_walk(each, path), _NOTHING) is not _NOTHING), None)
        if path is not None or not any(_is_list(each, path) for path in paths):
            yield from _descend([each], each, path or ())


def _is_list(body: Any, path: Path) -> bool:
    return None in path and isinstance(next(_walk(body, path[: path.index(None)]), None), list)


_NOTHING: Final = object()


def _descend(scopes: list[Any], value: Any, path: Path) -> Iterator[list[Any]]:
    for at, step in enumerate(path):
        if step is None:
            for each in value if isinstance(value, list) else ():
                yield from _descend([each, *scopes], each, path[at + 1 :])
            return
        value = _follow(value, (step,))
    yield scopes if value is None or value is scopes[0] else [value, *scopes]


def _walk(value: Any, path: Path) -> Iterator[Any]:
    if None not in path:
        if (found := _follow(value, path)) is not None or not path:
            yield found
        return
    at = path.index(None)
    elements = _follow(value, path[:at])
    rest = path[at + 1 :]
    for each in elements[: MAX_VALUES + 1] if isinstance(elements, list) else ():
        if None in rest:
            yield from _walk(each, rest)
        elif (found := _follow(each, rest)) is not None or not rest:
            yield found


def _follow(value: Any, steps: Path) -> Any:
    """What stands at the end of these steps, none of which is each of a list; None where nothing does."""
    for step in steps:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        elif step is not None:
            value = value[step] if isinstance(value, list) and step < len(value) else None
        if value is None:
            return None
    return value

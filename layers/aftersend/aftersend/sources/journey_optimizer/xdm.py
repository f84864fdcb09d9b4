"""An event of Adobe Experience Platform (XDM) as values by their paths, however its keys are spelled. Pure.

Source: Adobe's XDM repository: schemas and samples of "experienceevent", of `experience/campaign` and of
`experience/customerJourneyManagement`. A sample writes `https://ns.adobe.com/experience/campaign/message` with
`xdm:reason` in it, a data set `_experience.campaign.message.reason`. Both are one here: of a key that is an address
all segments count at the top, and the last one further down; prefixes and case count nowhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

MAX_VALUES: Final = 4_000  # of one event
MAX_DEPTH: Final = 12
_NAMESPACE: Final = "https://ns.adobe.com/"
_WRAPPERS: Final = ("xdmEntity", "body", "data", "value")  # of an event on its way into the platform, outermost last
_BEFORE: Final = "mutation"  # what an event of a correction said before: not what is so now


def unwrap(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the event itself, out of what a stream of the platform puts around it."""
    for _ in range(3):
        inner = next((event[name] for name in _WRAPPERS if isinstance(event.get(name), dict)), None)
        if inner is None or _is_event(event):
            break
        event = inner
    return event


def _is_event(event: Mapping[str, Any]) -> bool:
    return any(_shorten(name)[-1:] in (["timestamp"], ["eventtype"], ["experience"]) for name in event)


class XdmEvent(Struct, frozen=True):
    """The values of one event by the last two segments of their paths; of two values, that further up counts."""

    values: dict[tuple[str, str], Any]

    def find(self, *names: str) -> Any:
        """Return the first value of these names ("message/reason", or "timestamp" at the top) that is there."""
        for name in names:
            outer, _, inner = name.rpartition("/")
            value = self.values.get((outer, inner))
            if value is not None:
                return value
        return None

    def is_true(self, name: str) -> bool:
        """Return whether a mark is set; some exports write it as a text."""
        return self.find(name) in (True, "true", "True")

    def find_text(self, *names: str) -> str:
        """Return the first of these that is a text or a whole number, as text; an empty text where none is."""
        for name in names:
            value = self.find(name)
            if isinstance(value, str | int) and not isinstance(value, bool) and (text := str(value)[:4096].strip()):
                return text
        return ""


def index(event: Mapping[str, Any]) -> XdmEvent:
    """Return the values of an event by their paths."""
    found: dict[tuple[str, str], Any] = {}
    waiting: deque[tuple[str, Mapping[str, Any], int]] = deque([("", event, 0)])
    seen = 0
    while waiting and seen < MAX_VALUES:
        outer, values, depth = waiting.popleft()
        for name, value in values.items():
            seen += 1
            segments = _shorten(name)
            if not segments or _BEFORE in segments:
                continue
            around = segments[-2] if depth == 0 and len(segments) > 1 else outer
            found.setdefault((around, segments[-1]), value)
            if isinstance(value, dict) and depth < MAX_DEPTH:
                waiting.append((segments[-1], value, depth + 1))
    return XdmEvent(found)


def _shorten(name: str) -> list[str]:
    """The segments of a key, in lower case, without prefixes."""
    path = name.removeprefix(_NAMESPACE).rpartition(":")[2]
    return [segment.lower().lstrip("@_") for segment in path[:300].split("/") if segment.strip("@_")]

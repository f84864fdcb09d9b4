"""Puts events on a bus of Amazon EventBridge, ten in a call, those again that it did not take.

Source: EventBridge API reference, PutEvents: at most ten entries, each with its own fate; user guide, "Sending events".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import EventBridgeClient
from aftersend.core.errors import StoreUnavailable
from aftersend.core.events import Event, encode_event

SOURCE: Final = "aftersend"  # which rules select by, with the name of the event as detail type
MOST_AT_ONCE: Final = 10
TRIES: Final = 4
PAUSE: Final = 0.2  # seconds before the second try, doubled for each one after


class EventBus:
    """One bus."""

    def __init__(self, client: EventBridgeClient, name: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._client, self._name, self._pause = client, name, pause

    def put(self, events: Sequence[Event]) -> None:
        """Put all events on the bus, in their order; raises StoreUnavailable where it has not taken one of them."""
        for start in range(0, len(events), MOST_AT_ONCE):
            self._put([self._build_entry(each) for each in events[start : start + MOST_AT_ONCE]])

    def _put(self, entries: list[dict[str, Any]]) -> None:
        code = ""
        for tried in range(TRIES):
            if tried:
                self._pause(PAUSE * 2 ** (tried - 1))
            with translate_errors("EventBridge: PutEvents"):
                answer = self._client.put_events(Entries=entries)
            fates = answer.get("Entries", ())
            left = [entry for at, entry in enumerate(entries) if at >= len(fates) or "EventId" not in fates[at]]
            if not left:
                return
            code = next((str(each["ErrorCode"]) for each in fates if each.get("ErrorCode")), "missing in the answer")
            entries = left
        raise StoreUnavailable(f"EventBridge: PutEvents failed: {code}")

    def _build_entry(self, event: Event) -> dict[str, Any]:
        return {
            "EventBusName": self._name,
            "Source": SOURCE,
            "DetailType": type(event).__name__,
            "Detail": encode_event(event).decode(),
            "Time": int(datetime.fromisoformat(event.timestamp).timestamp()),
        }

"""Publishes what changes mean: on the bus, and into the queue of webhooks.

Both take an event at least once. It goes out before the change is counted, under an id that a repeat has too; so what
is lost on the way comes again, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

from aftersend.core.changes import Change
from aftersend.core.events import (
    Event,
    Incidents,
    find_outcome_events,
    find_suppression_events,
    is_rare,
)
from aftersend.core.model import Outcome, Suppression
from aftersend.outgoing.bus import EventBus
from aftersend.outgoing.endpoints import Endpoint
from aftersend.outgoing.outbox import WebhookOutbox


class Selection(StrEnum):
    """Which events go to the bus."""

    NONE = "none"
    RARE = "rare"
    ALL = "all"


class Publisher:
    """Publishes events of the streams of all tables."""

    def __init__(
        self,
        *,
        incidents: Incidents,
        bus: EventBus | None = None,
        selection: Selection = Selection.RARE,
        outbox: WebhookOutbox | None = None,
        endpoints: Callable[[], Mapping[str, Endpoint]] = dict,
    ) -> None:
        """Take where events go, and what gives the incidents that stand."""
        self._incidents = incidents
        self._bus, self._selection = bus, selection
        self._outbox, self._endpoints = outbox, endpoints

    def publish(self, changes: Sequence[Change]) -> int:
        """Publish what follows from `changes`, in their order, and return how many events went out.

        Raises ServiceError where not all could be published, and ConfigurationError where the document of the webhook
        endpoints is wrong: the batch comes again, and with it what has gone out already, under the same ids.
        """
        return self.publish_events(find_events(changes, self._incidents))

    def publish_events(self, events: Sequence[Event]) -> int:
        """Publish events, in their order, and return how many went out to the bus and to endpoints."""
        sent = 0
        if events and self._bus is not None and self._selection is not Selection.NONE:
            chosen = [each for each in events if self._selection is Selection.ALL or is_rare(each)]
            self._bus.put(chosen)
            sent += len(chosen)
        if events and self._outbox is not None:
            sent += self._outbox.put(events, self._endpoints().items())
        return sent


def find_events(changes: Iterable[Change], incidents: Incidents) -> list[Event]:
    """Find the events of changes of outcomes and suppressions, in their order."""
    found: list[Event] = []
    for change in changes:
        old, new = change.old, change.new
        if isinstance(new, Outcome):
            found += find_outcome_events(old if isinstance(old, Outcome) else None, new)
        elif isinstance(new, Suppression):
            found += find_suppression_events(old if isinstance(old, Suppression) else None, new, change.at, incidents)
    return found

"""The stream of the tables in memory: every write of a store, with the row before and after it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from aftersend.core import events
from aftersend.core.events import Event
from aftersend.core.model import Outcome, Suppression
from aftersend.core.writes import Refused
from tests.support.ports import MemoryStore

BEFORE: Final = datetime(1971, 1, 1, tzinfo=UTC)  # when nothing that is written has ended yet
Change = tuple[Outcome | Suppression | None, Outcome | Suppression]


class RecordingStore(MemoryStore):
    """A store that keeps what its tables' streams would say."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[Change] = []

    def _put(self, item: Outcome | Suppression) -> Refused | None:
        before: Outcome | Suppression | None
        if isinstance(item, Outcome):
            before = self.get_outcomes([item.key]).get(item.key)
        else:
            before = self.get_suppressions([item.key]).get(item.key)
        refused = super()._put(item)
        if refused is None:
            self.changes.append((before, item))
        return refused

    def find_events(self, at: datetime = BEFORE) -> list[Event]:
        """Return the events of all changes, in the order of the writes."""
        return [event for old, new in self.changes for event in find_events(old, new, at)]


def find_events(old: Outcome | Suppression | None, new: Outcome | Suppression, at: datetime = BEFORE) -> list[Event]:
    """Return the events of one change, where no incident stands."""
    if isinstance(new, Outcome):
        return events.find_outcome_events(old if isinstance(old, Outcome) else None, new)
    return events.find_suppression_events(old if isinstance(old, Suppression) else None, new, at, list)

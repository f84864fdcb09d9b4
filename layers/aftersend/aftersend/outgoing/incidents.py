"""The stream of the spike guard's table: incidents that open and close become events.

Only windows that have an incident, or had one, come here: the mapping's filter leaves out all others. A batch may come
again, and its events then have the same ids; nothing is counted, so there is no checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from aftersend.core.errors import ServiceError
from aftersend.core.events import Event, find_incident_events
from aftersend.core.policy import Guard
from aftersend.outgoing.publish import Publisher
from aftersend.storage.spike_windows import decode_traffic


class IncidentsResult(Struct, frozen=True):
    """What became of a batch. From `failed` on it must come again."""

    published: int
    failed: str | None = None  # number of the record
    why: str = ""


class IncidentStream:
    """Works batches of that stream."""

    def __init__(self, publisher: Publisher, rules: Guard) -> None:
        self._publisher, self._rules = publisher, rules

    def run(self, event: Mapping[str, Any]) -> IncidentsResult:
        """Publish the events of a batch, record by record, up to the first that cannot be."""
        sent = 0
        for record in event["Records"]:
            try:
                sent += self._publisher.publish_events(self._find_events(record))
            except ServiceError as error:
                return IncidentsResult(sent, str(record["dynamodb"]["SequenceNumber"]), str(error))
        return IncidentsResult(sent)

    def _find_events(self, record: Mapping[str, Any]) -> list[Event]:
        images = record["dynamodb"]
        old, new = images.get("OldImage"), images.get("NewImage")
        at = datetime.fromtimestamp(int(images["ApproximateCreationDateTime"]), UTC)
        # What makes it an incident comes first, and its state with the next write: that is when it begins.
        before = decode_traffic(old) if old and "state" in old else None
        return find_incident_events(before, decode_traffic(new) if new else None, self._rules, at)

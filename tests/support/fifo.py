"""A FIFO queue of SQS in memory, and a Lambda that is fed from it, on a clock that only moves when nothing can be done.

Source: SQS developer guide, "FIFO queues" and "Visibility timeout": nothing of a group is given out while something of
it is under way; what is not deleted shows again in its old place; what has the same id within five minutes is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.support.clients import FakeSQS

_DEDUPLICATED_FOR: Final = 300.0
_HIDDEN_FOR: Final = 720.0


class SimulatedClock:
    """Seconds since 1970 that only waiting moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class _Entry:
    def __init__(self, number: int, request: dict[str, Any], now: float) -> None:
        self.id, self.body, self.group = f"m{number}", request["MessageBody"], request["MessageGroupId"]
        self.attributes = request.get("MessageAttributes", {})
        self.sent, self.visible_at, self.receives = now, now, 0


class MemoryFifo(FakeSQS):
    """One queue; the address is not looked at."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.entries = clock, list[_Entry]()
        self._seen: dict[tuple[str, str], float] = {}
        self._number = 0
        self.hidden = 0  # more that are under way, as somebody else's

    def send_message(self, **request: Any) -> Any:
        self._number += 1
        key = request["MessageGroupId"], request["MessageDeduplicationId"]
        if self.clock() - self._seen.get(key, -_DEDUPLICATED_FOR) < _DEDUPLICATED_FOR:
            return {}
        self._seen[key] = self.clock()
        self.entries.append(_Entry(self._number, request, self.clock()))
        return {}

    def send_message_batch(self, **request: Any) -> Any:
        for entry in request["Entries"]:
            self.send_message(**entry)
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]]}

    def change_message_visibility(self, **request: Any) -> Any:
        (entry,) = [each for each in self.entries if each.id == request["ReceiptHandle"]]
        assert 0 <= request["VisibilityTimeout"] <= 43_200
        entry.visible_at = self.clock() + request["VisibilityTimeout"]
        return {}

    def get_queue_attributes(self, **_: Any) -> Any:
        hidden = sum(each.visible_at > self.clock() for each in self.entries)
        return {"Attributes": {"ApproximateNumberOfMessagesNotVisible": str(hidden + self.hidden)}}

    def receive(self, most: int = 10) -> dict[str, Any] | None:
        """Return the event of the next batch, or None where nothing shows."""
        blocked = {each.group for each in self.entries if each.visible_at > self.clock()}
        batch = [each for each in self.entries if each.group not in blocked][:most]
        for entry in batch:
            entry.receives += 1
            entry.visible_at = self.clock() + _HIDDEN_FOR
        return {"Records": [_make_record(each) for each in batch]} if batch else None

    def finish(self, event: dict[str, Any], failed: set[str]) -> None:
        """Delete what did not fail, as Lambda does."""
        done = {record["messageId"] for record in event["Records"]} - failed
        self.entries = [each for each in self.entries if each.id not in done]

    def find_next(self) -> float:
        """Return when something shows again: the first group of which nothing is hidden any more."""
        groups: dict[str, float] = {}
        for each in self.entries:
            groups[each.group] = max(groups.get(each.group, 0.0), each.visible_at)
        return min(groups.values())


def _make_record(entry: _Entry) -> dict[str, Any]:
    return {
        "messageId": entry.id,
        "receiptHandle": entry.id,
        "body": entry.body,
        "attributes": {
            "MessageGroupId": entry.group,
            "SentTimestamp": str(int(entry.sent * 1000)),
            "ApproximateReceiveCount": str(entry.receives),
        },
    }

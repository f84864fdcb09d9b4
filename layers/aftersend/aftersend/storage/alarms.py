"""Which alarms of a stack ring, as CloudWatch says it. Source: CloudWatch API reference, DescribeAlarms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, Literal

from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import CloudWatchClient

MAX_PAGES: Final = 5  # of a hundred alarms, for one answer
_AT_ONCE: Final = 100

AlarmState = Literal["ok", "alarm", "no data"]
_STATES: Final[dict[str, AlarmState]] = {"OK": "ok", "ALARM": "alarm", "INSUFFICIENT_DATA": "no data"}


class Alarm(Struct, frozen=True, kw_only=True):
    """One alarm of the stack."""

    name: str  # its logical id in the template
    state: AlarmState
    since: datetime  # the state was set
    meaning: str  # what it says of itself


class Alarms:
    """Reads the alarms of one stack. CloudFormation names each after its stack, its logical id and a random text."""

    def __init__(self, connect: Callable[[], CloudWatchClient], stack: str) -> None:
        self._connect, self._stack = connect, stack
        self._client: CloudWatchClient | None = None
        # Logical ids have no hyphens, so alarms of a stack whose name begins with this one's are others.
        self._is_own = re.compile(rf"{re.escape(stack)}-([A-Za-z0-9]+)-[A-Za-z0-9]+").fullmatch

    def list_alarms(self) -> list[Alarm]:
        """Return all of them by name; raises StoreUnavailable where CloudWatch does not answer or refuses us."""
        found = (self._read(each) for page in self._list_pages() for each in page)
        return sorted(filter(None, found), key=lambda each: each.name)

    def _list_pages(self) -> Iterator[list[dict[str, Any]]]:
        self._client = self._client or self._connect()
        request = {"AlarmNamePrefix": f"{self._stack}-", "AlarmTypes": ["MetricAlarm"], "MaxRecords": _AT_ONCE}
        for _ in range(MAX_PAGES):
            with translate_errors("CloudWatch: DescribeAlarms"):
                page = self._client.describe_alarms(**request)
            yield page.get("MetricAlarms", [])
            if not page.get("NextToken"):
                return
            request["NextToken"] = page["NextToken"]

    def _read(self, given: dict[str, Any]) -> Alarm | None:
        own = self._is_own(given["AlarmName"])
        if own is None:
            return None
        return Alarm(
            name=own[1],
            state=_STATES[given["StateValue"]],
            since=given.get("StateTransitionedTimestamp") or given["StateUpdatedTimestamp"],
            meaning=given.get("AlarmDescription", ""),
        )

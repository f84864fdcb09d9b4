"""The table of the spike guard: conditional writes of what is known of a window, and the incidents that stand.

An item names its incident in `state`, and is in the index only while it has one: reading all incidents is one query of
an index that is nearly always empty.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import DynamoDBClient
from aftersend.aws.tasks import run_calls
from aftersend.core import spike_guard
from aftersend.core.errors import ContentionExhausted, Unreadable
from aftersend.core.model import Reason
from aftersend.core.policy import Guard
from aftersend.core.spike_guard import Incident, ReasonDecision, Sketch, Traffic, Window
from aftersend.core.steps import Pause, Steps
from aftersend.core.times import format_time, parse_time
from aftersend.core.ttl_cache import TtlCache
from aftersend.core.writes import MAX_TRIES
from aftersend.storage import versioned
from aftersend.storage.items import Item
from aftersend.storage.schema import decoder, encode_schema

SCHEMA: Final = 1  # what this version writes, and the highest that it reads: see `aftersend.storage.schema`
RETENTION: Final = timedelta(days=30)  # after a window has ended; one with an incident stays, it goes on to act
STATES: Final = ("open", "reverted")  # those of incidents that stand
CONFIRMED: Final = "confirmed"  # of a window in which none stands any more: for a list of what people have decided
REMEMBERED: Final = 256  # windows that a process remembers

_encode: Final = msgspec.json.Encoder().encode
_judgements: Final = msgspec.json.Decoder(tuple[ReasonDecision, ...]).decode


def build_window_key(window: Window) -> Item:
    """Return the primary key: the domain, and the window with its length, which the policy may change."""
    hours = (window.until - window.since) // timedelta(hours=1)
    return {"domain": {"S": window.domain}, "window": {"S": f"{format_time(window.since)}/{hours}h"}}


def encode_traffic(traffic: Traffic, rules: Guard) -> Item:
    """Return the item of a window."""
    item = build_window_key(traffic.window) | encode_schema(SCHEMA) | {"version": {"N": str(traffic.version)}}
    item["refused"] = {"M": {reason: {"S": _pack_sketch(sketch)} for reason, sketch in traffic.refused.items()}}
    if traffic.reached:
        item["reached"] = {"S": _pack_sketch(traffic.reached)}
    if traffic.judged:
        item["judged"] = {"S": _encode(traffic.judged).decode()}
    found = spike_guard.find_incidents(traffic, rules)
    if found:
        item["state"] = {"S": "open" if any(each.decision is None for each in found) else "reverted"}
    else:
        if spike_guard.find_confirmed(traffic):
            item["state"] = {"S": CONFIRMED}
        item["expires_at"] = {"N": str(int((traffic.window.until + RETENTION).timestamp()))}
    return item


@decoder(SCHEMA)
def decode_traffic(item: Item) -> Traffic:
    """Return the window that `encode_traffic` wrote; raises Unreadable for any other item."""
    since, _, hours = item["window"]["S"].partition("/")
    begin = parse_time(since)
    return Traffic(
        window=Window(item["domain"]["S"], begin, begin + timedelta(hours=int(hours.removesuffix("h")))),
        reached=_unpack_sketch(item["reached"]["S"]) if "reached" in item else (),
        refused={Reason(reason): _unpack_sketch(packed["S"]) for reason, packed in item["refused"]["M"].items()},
        judged=_judgements(item["judged"]["S"]) if "judged" in item else (),
        version=int(item["version"]["N"]),
    )


class SpikeWindows:
    """Reads and writes what is known of windows.

    Every method raises StoreUnavailable where DynamoDB does not answer or refuses us.
    """

    def __init__(
        self, client: DynamoDBClient, table: str, rules: Guard, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Take how to pause for some seconds after a lost write."""
        self._client, self._table, self._rules, self._pause = client, table, rules, pause
        self._seen: dict[Window, Traffic] = {}
        self._waiting: dict[Window, Traffic] = {}  # what threads of this process want to add
        self._locks: dict[Window, Lock] = {}
        self._mutex = Lock()

    def record(self, traffic: Traffic) -> Traffic:
        """Add `traffic` to what is known of its window, and return what is known then.

        What changes nothing in a state that this process has seen is not asked about: a window only grows. So a full
        sketch costs nothing but for the few recipients that change it. Threads of a process that have something to add
        at the same time take turns, and whoever has the turn adds what all of them want to.

        Raises ContentionExhausted after MAX_TRIES refusals, and Unreadable where another version wrote the window.
        """
        if (seen := self._find_seen(traffic)) is not None:
            return seen
        window = traffic.window
        with self._mutex:
            self._waiting[window] = spike_guard.merge_traffic(self._waiting.get(window, traffic), traffic)
            lock = self._locks.setdefault(window, Lock())
        with lock:
            if (seen := self._find_seen(traffic)) is not None:
                return seen  # another thread has added it along with its own
            with self._mutex:
                together = spike_guard.merge_traffic(self._waiting.pop(window, traffic), traffic)
            steps = self._record(together)
            return self._remember(run_calls(steps, {"dynamodb": self._client}, self._pause))

    def record_in_steps(self, traffic: Traffic) -> Steps[Traffic]:
        """Add `traffic` to what is known of its window as `record` does, for whoever has one report for each window."""
        if (seen := self._find_seen(traffic)) is not None:
            return seen
        return self._remember((yield from self._record(traffic)))

    def _find_seen(self, traffic: Traffic) -> Traffic | None:
        seen = self._seen.get(traffic.window)
        return seen if seen is not None and spike_guard.merge_traffic(seen, traffic) is seen else None

    def _remember(self, known: Traffic) -> Traffic:
        with self._mutex:
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
                self._locks.clear()
            seen = self._seen.get(known.window)
            if seen is None or known.version > seen.version:
                self._seen[known.window] = known
        return known

    def _record(self, traffic: Traffic) -> Steps[Traffic]:
        key = build_window_key(traffic.window)
        item = yield from versioned.get_in_steps(self._table, key)
        for refusals in range(MAX_TRIES):
            stored = decode_traffic(item) if item else None
            known = spike_guard.merge_traffic(stored or Traffic(window=traffic.window), traffic)
            if stored is not None and known is stored:
                return stored
            known = replace(known, version=known.version + 1)
            conflict = yield from versioned.put_in_steps(self._table, key, encode_traffic(known, self._rules))
            if conflict is None:
                return known
            item = conflict.current
            yield Pause(versioned.choose_pause(refusals + 1))
        raise ContentionExhausted(f"a window changed {MAX_TRIES} times while it was being written")

    def find_incidents(self) -> list[Incident]:
        """Return every incident that stands, as an index knows it a moment ago.

        A window that this version cannot read is passed over: without its incident, what was refused in it counts, so
        addresses stay suppressed that a person may have meant to free, and no other window is held up by it.
        """
        traffic = (each for state in STATES for each in self._find_windows(state))
        return [found for each in traffic for found in spike_guard.find_incidents(each, self._rules)]

    def find_confirmed(self) -> list[Incident]:
        """Return the incidents that people have confirmed, as long as their windows are kept (RETENTION)."""
        traffic = (each for state in (*STATES, CONFIRMED) for each in self._find_windows(state))
        return [found for each in traffic for found in spike_guard.find_confirmed(each)]

    def _find_windows(self, state: str) -> Iterator[Traffic]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": "by_state",
            "KeyConditionExpression": "#state = :state",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {":state": {"S": state}},
        }
        while request:
            with translate_errors("DynamoDB: Query"):
                page = self._client.query(**request)
            for item in page["Items"]:
                with suppress(Unreadable):
                    yield decode_traffic(item)
            last = page.get("LastEvaluatedKey")
            request = request | {"ExclusiveStartKey": last} if last else {}


class IncidentCache:
    """The incidents that stand, read anew when they are `lasts` old: for whoever asks often."""

    def __init__(
        self, windows: SpikeWindows, clock: Callable[[], datetime], lasts: timedelta = timedelta(seconds=30)
    ) -> None:
        self._windows, self._clock = windows, clock
        self._cache: TtlCache[str, list[Incident]] = TtlCache(lasts, max_size=1)

    def find_incidents(self) -> list[Incident]:
        """Return every incident that stands; raises StoreUnavailable where DynamoDB does not answer."""
        return self._cache.get("", self._clock(), lambda _: self._windows.find_incidents())


def _pack_sketch(sketch: Sketch) -> str:
    return base64.b64encode(b"".join(number.to_bytes(6) for number in sketch)).decode()


def _unpack_sketch(text: str) -> Sketch:
    raw = base64.b64decode(text)
    return tuple(int.from_bytes(raw[start : start + 6]) for start in range(0, len(raw), 6))

"""The table of the spike guard: conditional writes of what is known of a window, and the incidents that stand.

An item names its incident in `state`, and is in the index only while it has one: reading all incidents is one query of
an index that is nearly always empty.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import replace

from aftersend.aws.errors import CallFailed, Refusal
from aftersend.core import spike_guard
from aftersend.core.errors import ContentionExhausted, StoreUnavailable
from aftersend.core.model import Reason
from aftersend.core.policy import Guard
from aftersend.core.spike_guard import Incident, ReasonDecision, Sketch, Traffic, Window
from aftersend.core.times import format_time, parse_time
from aftersend.core.writes import MAX_TRIES
from aftersend.storage.items import Item

KEPT: Final = timedelta(days=30)  # after a window has ended; one with an incident stays, it goes on to act
STATES: Final = ("open", "reverted")

_encode: Final = msgspec.json.Encoder().encode
_judgements: Final = msgspec.json.Decoder(tuple[ReasonDecision, ...]).decode


class DynamoDB(Protocol):
    """What is needed of a client: boto3's methods, and the errors of `aftersend.aws`."""

    def put_item(self, **request: Any) -> Any: ...  # noqa: D102
    def get_item(self, **request: Any) -> Any: ...  # noqa: D102
    def query(self, **request: Any) -> Any: ...  # noqa: D102


def window_key(window: Window) -> Item:
    """The primary key: the domain, and the window with its length, which the policy may change."""
    hours = (window.until - window.since) // timedelta(hours=1)
    return {"domain": {"S": window.domain}, "window": {"S": f"{format_time(window.since)}/{hours}h"}}


def encode_traffic(traffic: Traffic, rules: Guard) -> Item:
    """The item of a window."""
    item = window_key(traffic.window) | {"version": {"N": str(traffic.version)}}
    item["refused"] = {"M": {reason: {"S": _packed(sketch)} for reason, sketch in traffic.refused.items()}}
    if traffic.reached:
        item["reached"] = {"S": _packed(traffic.reached)}
    if traffic.judged:
        item["judged"] = {"S": _encode(traffic.judged).decode()}
    found = spike_guard.find_incidents(traffic, rules)
    if found:
        item["state"] = {"S": "open" if any(each.decision is None for each in found) else "reverted"}
    else:
        item["expires_at"] = {"N": str(int((traffic.window.until + KEPT).timestamp()))}
    return item


def decode_traffic(item: Item) -> Traffic:
    """The window that `item_of` wrote."""
    since, _, hours = item["window"]["S"].partition("/")
    begin = parse_time(since)
    return Traffic(
        window=Window(item["domain"]["S"], begin, begin + timedelta(hours=int(hours.removesuffix("h")))),
        reached=_unpacked(item["reached"]["S"]) if "reached" in item else (),
        refused={Reason(reason): _unpacked(packed["S"]) for reason, packed in item["refused"]["M"].items()},
        judged=_judgements(item["judged"]["S"]) if "judged" in item else (),
        version=int(item["version"]["N"]),
    )


class SpikeWindows:
    """Keeps what is known of windows.

    Every method raises StoreUnavailable where DynamoDB does not answer or refuses us.
    """

    def __init__(self, client: DynamoDB, table: str, rules: Guard) -> None:
        self._client, self._table, self._rules = client, table, rules

    def tell(self, told: Traffic) -> Traffic:
        """Add `told` to what is known of its window; what is known then.

        Raises ContentionExhausted after MAX_TRIES refusals.
        """
        stored = self._read(told.window)
        for _ in range(MAX_TRIES):
            known = spike_guard.merge_traffic(stored or Traffic(window=told.window), told)
            if stored is not None and known is stored:
                return stored
            known = replace(known, version=known.version + 1)
            if not self._put(known):
                return known
            stored = self._read(told.window)
        raise ContentionExhausted(f"a window changed {MAX_TRIES} times while it was being written")

    def incidents(self) -> list[Incident]:
        """Every incident that stands, as an index knows it a moment ago."""
        found: list[Incident] = []
        for state in STATES:
            request = {
                "TableName": self._table,
                "IndexName": "by_state",
                "KeyConditionExpression": "#state = :state",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": {":state": {"S": state}},
            }
            while request:
                page = self._send(self._client.query, request)
                for item in page["Items"]:
                    found += spike_guard.find_incidents(decode_traffic(item), self._rules)
                last = page.get("LastEvaluatedKey")
                request = request | {"ExclusiveStartKey": last} if last else {}
        return found

    def _read(self, window: Window) -> Traffic | None:
        request = {"TableName": self._table, "Key": window_key(window), "ConsistentRead": True}
        item = self._send(self._client.get_item, request).get("Item")
        return decode_traffic(item) if item else None

    def _put(self, traffic: Traffic) -> bool:
        """Store it where the stored version is the one before it; whether that was refused."""
        request: dict[str, Any] = {"TableName": self._table, "Item": encode_traffic(traffic, self._rules)}
        if traffic.version == 1:
            request["ConditionExpression"] = "attribute_not_exists(#key)"
            request["ExpressionAttributeNames"] = {"#key": "domain"}
        else:
            request["ConditionExpression"] = "version = :read"
            request["ExpressionAttributeValues"] = {":read": {"N": str(traffic.version - 1)}}
        try:
            self._client.put_item(**request)
        except Refusal as refusal:
            if refusal.code != "ConditionalCheckFailedException":
                raise StoreUnavailable(f"DynamoDB: PutItem failed: {refusal}") from refusal
            return True
        except CallFailed as failure:
            raise StoreUnavailable(f"DynamoDB: PutItem failed: {failure}") from failure
        return False

    def _send(self, call: Callable[..., Any], request: dict[str, Any]) -> Any:
        try:
            return call(**request)
        except CallFailed as failure:
            raise StoreUnavailable(f"DynamoDB: a read failed: {failure}") from failure


class IncidentCache:
    """The incidents that stand, read anew when they are `lasts` old: for whoever asks often."""

    def __init__(
        self, watch: SpikeWindows, clock: Callable[[], datetime], lasts: timedelta = timedelta(seconds=30)
    ) -> None:
        self._watch, self._clock, self._lasts = watch, clock, lasts
        self._found: tuple[datetime, list[Incident]] | None = None

    def incidents(self) -> list[Incident]:
        """Every incident that stands; raises StoreUnavailable where DynamoDB does not answer."""
        now = self._clock()
        if self._found is None or now - self._found[0] > self._lasts:
            self._found = now, self._watch.incidents()
        return self._found[1]


def _packed(sketch: Sketch) -> str:
    return base64.b64encode(b"".join(number.to_bytes(6) for number in sketch)).decode()


def _unpacked(text: str) -> Sketch:
    raw = base64.b64decode(text)
    return tuple(int.from_bytes(raw[start : start + 6]) for start in range(0, len(raw), 6))

"""The table of the spike guard: what is known of a window, as sets that grow, and the incidents that stand.

Whoever has something to report adds it to the sets of one item (`ADD`), which needs no look at what is there and cannot
lose against another writer; the answer has all that is known then. What follows from it stands beside: an item names
its incident in `state`, and is in the index only while it has one, so reading all incidents is one query of an index
that is nearly always empty. Whoever sees in an answer that this does not fit corrects it, if nobody has added since:
who did has the later answer. Source: DynamoDB API reference, UpdateItem, "ADD" and "ReturnValues".
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final

import msgspec

from aftersend.aws.calls import translate_errors
from aftersend.aws.errors import Refusal
from aftersend.aws.protocols import DynamoDBClient
from aftersend.aws.tasks import run_calls
from aftersend.core import spike_guard
from aftersend.core.errors import Unreadable
from aftersend.core.model import Reason
from aftersend.core.policy import Guard
from aftersend.core.spike_guard import SIZE, Incident, ReasonDecision, Sketch, Traffic, Window
from aftersend.core.steps import Call, Steps
from aftersend.core.times import format_time, parse_time
from aftersend.core.ttl_cache import TtlCache
from aftersend.storage import versioned
from aftersend.storage.items import Item
from aftersend.storage.schema import ATTRIBUTE, check_schema, decoder, encode_schema

SCHEMA: Final = 1  # what this version writes, and the highest that it reads: see `aftersend.storage.schema`
RETENTION: Final = timedelta(days=30)  # after a window has ended; one with an incident stays, it goes on to act
STATES: Final = ("open", "reverted")  # those of incidents that stand
CONFIRMED: Final = "confirmed"  # of a window in which none stands any more: for a list of what people have decided
REMEMBERED: Final = 256  # windows that a process remembers
SURPLUS: Final = 32  # digests more than a sketch needs that a set may hold, before they are taken out again
_REFUSED: Final = "refused:"  # begins the name of the set of those who were refused; a reason ends it
_REACHED: Final = "reached"
_JUDGED: Final = "judged"
_SETS: Final = ("BS", "SS")
_DIGEST: Final = 6  # bytes

_encode: Final = msgspec.json.Encoder().encode
_judgement: Final = msgspec.json.Decoder(ReasonDecision).decode
_UPDATE: Final = translate_errors("DynamoDB: UpdateItem", expected=(versioned.CONDITION_FAILED,))


def build_window_key(window: Window) -> Item:
    """Return the primary key: the domain, and the window with its length, which the policy may change."""
    hours = (window.until - window.since) // timedelta(hours=1)
    return {"domain": {"S": window.domain}, "window": {"S": f"{format_time(window.since)}/{hours}h"}}


def encode_sets(traffic: Traffic) -> Item:
    """Return what is known of a window as attributes that are sets: joining two of them is joining their sets."""
    found: Item = {
        f"{_REFUSED}{reason}": {"BS": [number.to_bytes(_DIGEST) for number in sketch]}
        for reason, sketch in traffic.refused.items()
    }
    found[_REACHED] = {"BS": [number.to_bytes(_DIGEST) for number in traffic.reached]}
    found[_JUDGED] = {"SS": [_encode(each).decode() for each in traffic.judged]}
    return {name: held for name, held in found.items() if any(held.values())}


def encode_state(traffic: Traffic, rules: Guard) -> Item:
    """Return the attributes that follow from what is known of a window: its incident, or when it expires."""
    found = spike_guard.find_incidents(traffic, rules)
    if found:
        return {"state": {"S": "open" if any(each.decision is None for each in found) else "reverted"}}
    expires = {"expires_at": {"N": str(int((traffic.window.until + RETENTION).timestamp()))}}
    return expires | ({"state": {"S": CONFIRMED}} if spike_guard.find_confirmed(traffic) else {})


@decoder(SCHEMA)
def decode_traffic(item: Item) -> Traffic:
    """Return the window that an item holds; raises Unreadable for one that this version cannot have written."""
    since, _, hours = item["window"]["S"].partition("/")
    begin = parse_time(since)
    judged = [_judgement(each) for each in item.get(_JUDGED, {"SS": ()})["SS"]]
    return Traffic(
        window=Window(item["domain"]["S"], begin, begin + timedelta(hours=int(hours.removesuffix("h")))),
        reached=_decode_sketch(item[_REACHED]) if _REACHED in item else (),
        refused={
            Reason(name.removeprefix(_REFUSED)): _decode_sketch(held)
            for name, held in sorted(item.items())
            if name.startswith(_REFUSED)
        },
        judged=spike_guard.select_latest(judged),
        version=int(item["version"]["N"]),
    )


def build_addition(table: str, known: Traffic, more: Traffic) -> dict[str, Any]:
    """Build the request that adds `more`, which is not among what was `known`, and answers with all there is then.

    Only an item that a newer version wrote refuses it. One that expires says so from its beginning.
    """
    sets = encode_sets(more) | {"version": {"N": "1"}}
    names, values = _number(sets)
    request: dict[str, Any] = {
        "TableName": table,
        "Key": build_window_key(more.window),
        "UpdateExpression": f"ADD {', '.join(f'{name} {value}' for name, value in zip(names, values, strict=True))}"
        " SET #schema = :schema",
        "ConditionExpression": "attribute_not_exists(#domain) OR #schema <= :schema",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ExpressionAttributeNames": names | {"#schema": ATTRIBUTE, "#domain": "domain"},
        "ExpressionAttributeValues": values | {":schema": encode_schema(SCHEMA)[ATTRIBUTE]},
        "ReturnValues": "ALL_NEW",
    }
    if known.version == 0:
        expires = {"N": str(int((more.window.until + RETENTION).timestamp()))}
        request["UpdateExpression"] += ", expires_at = if_not_exists(expires_at, :expires)"
        request["ExpressionAttributeValues"][":expires"] = expires
    return request


def build_correction(table: str, item: Item, rules: Guard) -> dict[str, Any] | None:
    """Build the request that gives `item` what follows from its sets, and takes out what no longer counts there.

    None where all is as it should be. It is refused once anybody has added something since.
    """
    traffic = decode_traffic(item)
    state = encode_state(traffic, rules)
    wrong = [name for name in ("state", "expires_at") if item.get(name) != state.get(name)]
    surplus = _find_surplus(item, traffic)
    if not wrong and not surplus:
        return None
    set_, gone = {name: state[name] for name in wrong if name in state}, [name for name in wrong if name not in state]
    names, values = _number(surplus)
    parts = [f"{name} {value}" for name, value in zip(names, values, strict=True)]
    clauses = [
        ("SET", [f"#{name} = :{name}" for name in set_]),
        ("REMOVE", [f"#{name}" for name in gone]),
        ("DELETE", parts),
    ]
    return {
        "TableName": table,
        "Key": build_window_key(traffic.window),
        "UpdateExpression": " ".join(f"{verb} {', '.join(each)}" for verb, each in clauses if each),
        "ConditionExpression": "version = :read",
        "ExpressionAttributeValues": values | {f":{name}": state[name] for name in set_} | {":read": item["version"]},
    } | ({"ExpressionAttributeNames": named} if (named := names | {f"#{name}": name for name in wrong}) else {})


def _number(attributes: Item) -> tuple[dict[str, str], Item]:
    """The attributes under names and values as expressions have them: "#s0", ":s0" and so on."""
    names = {f"#s{place}": name for place, name in enumerate(attributes)}
    return names, {f":s{place}": held for place, held in enumerate(attributes.values())}


def _find_surplus(item: Item, traffic: Traffic) -> Item:
    """What sets hold beyond what counts: of a sketch only where it is much, of decisions any that a later one replaced.

    What is not among the smallest of some never is among the smallest of more. So it may go, also where somebody adds
    it again who has not heard of those that are smaller.
    """
    counts, found = encode_sets(traffic), {}
    for name, held in item.items():
        if (kind := next(iter(held))) not in _SETS:
            continue
        members = _read_set(held)
        extra = members - _read_set(counts.get(name, {kind: ()}))
        if len(extra) > (SURPLUS if kind == "BS" else 0):
            found[name] = {kind: sorted(extra)}
    return found


def _read_set(held: Item) -> set[Any]:
    """The members of a set. Ours has binary ones as base64, boto3 as bytes."""
    [(kind, members)] = held.items()
    return {base64.b64decode(each) if kind == "BS" and isinstance(each, str) else each for each in members}


def _decode_sketch(held: Item) -> Sketch:
    return tuple(sorted(int.from_bytes(each) for each in _read_set(held))[:SIZE])


def _add(request: dict[str, Any]) -> Steps[Item]:
    """Carry out an addition, and return all that is known then."""
    try:
        with _UPDATE:
            found: Item = (yield Call("dynamodb", "update_item", request))["Attributes"]
    except Refusal as refusal:
        check_schema(refusal.answer.get("Item", {}), SCHEMA)
        raise
    return found


class SpikeWindows:
    """Reads what is known of windows, and adds to it. Safe to share between threads, as its client is.

    Every method raises StoreUnavailable where DynamoDB does not answer or refuses us.
    """

    def __init__(self, client: DynamoDBClient, table: str, rules: Guard) -> None:
        self._client, self._table, self._rules = client, table, rules
        self._seen: dict[Window, Traffic] = {}
        self._waiting: dict[Window, Traffic] = {}  # what threads of this process want to add
        self._locks: dict[Window, Lock] = {}
        self._mutex = Lock()

    def record(self, traffic: Traffic) -> Traffic:
        """Add `traffic` to what is known of its window, and return what is known then.

        What changes nothing in a state that this process has seen is not asked about: a window only grows. So a full
        sketch costs nothing but for the few recipients that change it. Threads of a process that have something to add
        at the same time take turns, and whoever has the turn adds what all of them want to.

        Raises Unreadable where another version wrote the window.
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
            return self._remember(run_calls(steps, {"dynamodb": self._client}))

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
        """Add what is not known yet. A window that this process has not seen is read first: reading costs less."""
        known = self._seen.get(traffic.window)
        item: Item | None = None
        if known is None:
            item = yield from versioned.get_in_steps(self._table, build_window_key(traffic.window))
            known = decode_traffic(item) if item else Traffic(window=traffic.window)
        more = spike_guard.find_news(known, traffic)
        if more is not None:
            item = yield from _add(build_addition(self._table, known, more))
        if item:
            yield from self._correct(item)
            known = decode_traffic(item)
        return known

    def _correct(self, item: Item) -> Steps[None]:
        request = build_correction(self._table, item, self._rules)
        if request is not None:
            with suppress(Refusal), _UPDATE:  # whoever has added something since looks after it
                yield Call("dynamodb", "update_item", request)

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

"""Outcomes and suppressions as DynamoDB items and back. Pure: the shapes of the tables, and nothing of the client.

Derived fields are native attributes, readable in the console and filterable in streams. The set of facts is one
attribute, `feedback`, without what the item's keys say already: JSON, or bytes where it is packed (`packing`). Times
are ISO-8601 strings in UTC with milliseconds; `expires_at` is in seconds since 1970, as DynamoDB's TTL wants it.
"""

# Annotations are code here: as texts, msgspec would compile each of them at a start (decision 69).

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zlib import crc32

import msgspec
from msgspec import Struct

from aftersend.core.model import (
    Cause,
    CauseKind,
    Class,
    Context,
    Decision,
    Engagement,
    Evidence,
    EvidenceRef,
    Feedback,
    Key,
    Kind,
    Life,
    Outcome,
    Reason,
    Reverted,
    Status,
    Suppression,
    Verdict,
)
from aftersend.core.streaks import Bounce, Order, find_bounce
from aftersend.core.suppression import compute_lapse, find_contradiction_to_review
from aftersend.core.times import UNKNOWN_TIME, format_time, parse_time
from aftersend.core.validity import WAITING
from aftersend.storage import lean
from aftersend.storage.days import decode_review, encode_day, encode_outcome_review, encode_review
from aftersend.storage.listing import encode_listing
from aftersend.storage.packing import measure_item, pack_facts, unpack_facts
from aftersend.storage.schema import decoder, encode_schema

Item = dict[str, Any]  # attribute name -> {"S": …}, {"N": …}, {"B": …}, {"BOOL": …}, {"L": …}, {"M": …}

# What this version writes, and the highest that it reads: see `aftersend.storage.schema`.
OUTCOME_SCHEMA: Final = lean.SCHEMA
SUPPRESSION_SCHEMA: Final = 1
_OUTCOME_SCHEMA: Final = encode_schema(1)  # of the plain form
_SUPPRESSION_SCHEMA: Final = encode_schema(SUPPRESSION_SCHEMA)

WAITING_SHARDS: Final = "0123456789abcdef"

# A suppression with nothing in it keeps its version this long, so that no slow writer takes it for a new one.
TOMBSTONE: Final = timedelta(days=2)

_TIMES: Final = (
    "first_at",
    "last_at",
    "delivered_at",
    "bounced_at",
    "complained_at",
    "opened_at",
    "clicked_at",
    "engaged_at",
    "due_at",
)
_COUNTS: Final = ("opens", "clicks", "attempts")


class _Fact(Struct, frozen=True, omit_defaults=True, rename={"occurred_at": "at"}):
    """A fact as it is stored: without message and recipient, which are the item's key."""

    source: str
    kind: Kind
    occurred_at: datetime
    id: str
    received_as: str | None = None
    scope: str | None = None
    evidence: Evidence | None = None
    engagement: Engagement | None = None


class _BounceRef(Struct, frozen=True, omit_defaults=True):
    """What the index of bounces holds besides native attributes."""

    source: str
    provider_code: str | None = None
    forgeable: bool = False


_encode: Final = msgspec.json.Encoder().encode
_decode_facts: Final = msgspec.json.Decoder(list[_Fact]).decode
_decode_causes: Final = msgspec.json.Decoder(dict[CauseKind, Cause]).decode
_decode_decision: Final = msgspec.json.Decoder(Decision).decode
_decode_life: Final = msgspec.json.Decoder(Life).decode
_decode_bounce_ref: Final = msgspec.json.Decoder(_BounceRef).decode
_decode_history: Final = msgspec.json.Decoder(tuple[Decision, ...]).decode
_decode_reverted: Final = msgspec.json.Decoder(tuple[Reverted, ...]).decode


def build_outcome_key(key: Key) -> Item:
    """Return the primary key of an outcome."""
    return {"recipient": {"S": key[0]}, "message": {"S": key[1]}}


def build_suppression_key(key: Key) -> Item:
    """Return the primary key of a suppression."""
    return {"recipient": {"S": key[0]}, "scope": {"S": key[1]}}


def encode_outcome(
    outcome: Outcome, retention: timedelta, find_by: Sequence[str] = (), *, as_lean: bool = False
) -> Item:
    """Return the item of an outcome, which expires `retention` after its last feedback; in its lean form if wanted.

    By the first of the sender's identifiers named in `find_by` that it has, it stands in an index: but for what nothing
    is known of that not anybody could have sent.
    """
    item = _encode_derived(outcome, retention) | _encode_context(outcome.context)
    item |= _encode_bounce(find_bounce(outcome)) | _encode_waiting(outcome) | encode_listing(outcome)
    identifier = find_identifier(outcome.context.correlation, find_by)
    if identifier is not None and outcome.proven:
        item["identifier"] = {"S": identifier}
    facts = _encode([_encode_fact(fact) for fact in outcome.feedback])
    if as_lean and (row := lean.pack_row(item, facts)) is not None:
        return row
    item["feedback"] = pack_facts(facts, measure_item(item) + len("feedback"))
    return item


def _encode_derived(outcome: Outcome, retention: timedelta) -> Item:
    """The keys, and what follows from the facts."""
    item = build_outcome_key(outcome.key) | _OUTCOME_SCHEMA
    item["status"] = {"S": outcome.status}
    item["decided_by"] = {"S": outcome.decided_by}
    item["version"] = {"N": str(outcome.version)}
    for name in _TIMES:
        if (moment := getattr(outcome, name)) is not None:
            item[name] = {"S": format_time(moment)}
    for name in _COUNTS:
        if count := getattr(outcome, name):
            item[name] = {"N": str(count)}
    if outcome.verdict is not None:
        item |= {"class": {"S": outcome.verdict.klass}, "reason": {"S": outcome.verdict.reason}}
        item["rule"] = {"S": outcome.verdict.rule}
    if outcome.auto_replied:
        item["auto_replied"] = {"BOOL": True}
    if not outcome.proven:  # derived from its facts, for who reads no facts
        item["unproven"] = {"BOOL": True}
    if outcome.review:
        item |= encode_outcome_review(outcome.key, outcome.review, outcome.last_at)
    if outcome.resolved is not None:
        item["resolved"] = {"S": _encode(outcome.resolved).decode()}
    if outcome.saturated:
        item["saturated"] = {"L": [{"S": kind} for kind in outcome.saturated]}
    if outcome.last_at > UNKNOWN_TIME:
        item["expires_at"] = _encode_epoch(outcome.last_at + retention)
    return item


def _encode_waiting(outcome: Outcome) -> Item:
    """The key of an outcome in the index of what may expire; `due_at` is the other part of it."""
    waits = outcome.due_at is not None and outcome.status in WAITING
    return {"waiting": {"S": find_shard(outcome.recipient)}} if waits else {}


def find_shard(recipient: str) -> str:
    """Return which part of the index of waiting outcomes those of a recipient stand in: one of WAITING_SHARDS.

    Messages that are sent at one time are due at one time. In one part, they would have to pass one partition.
    """
    return WAITING_SHARDS[crc32(recipient.encode()) % len(WAITING_SHARDS)]


def make_identifier(name: str, value: str) -> str:
    """Return what an identifier of the sender's own is found by; names of headers are the same in any case."""
    return f"{name.casefold()}:{value}"


def find_identifier(correlation: Mapping[str, str], find_by: Sequence[str]) -> str | None:
    """Return what a message with these identifiers is found by, or None where it has none that is named."""
    for name in find_by:
        values = [value for given, value in correlation.items() if given.casefold() == name.casefold() and value]
        if values:
            return make_identifier(name, max(values))  # a name in two spellings counts once
    return None


@decoder(OUTCOME_SCHEMA)
def decode_outcome(item: Item) -> Outcome:
    """Return the outcome that `encode_outcome` wrote, in either form; raises Unreadable for any other item."""
    item = lean.unpack_row(item)
    message, recipient = item["message"]["S"], item["recipient"]["S"]
    derived: dict[str, Any] = {name: parse_time(item[name]["S"]) for name in _TIMES if name in item}
    derived |= {name: int(item[name]["N"]) for name in _COUNTS if name in item}
    return Outcome(
        message=message,
        recipient=recipient,
        feedback=tuple(
            _decode_fact(fact, message, recipient) for fact in _decode_facts(unpack_facts(item["feedback"]))
        ),
        context=_decode_context(item),
        status=Status(item["status"]["S"]),
        verdict=_decode_verdict(item) if "rule" in item else None,
        decided_by=item["decided_by"]["S"],
        auto_replied="auto_replied" in item,
        review=decode_review(item),
        saturated=tuple(kind["S"] for kind in item["saturated"]["L"]) if "saturated" in item else (),
        resolved=_decode_decision(item["resolved"]["S"]) if "resolved" in item else None,
        version=int(item["version"]["N"]),
        **derived,
    )


def build_bounce_range(group: str, oldest: Order, newest: Order) -> tuple[str, str]:
    """Return the least and the greatest key that bounces of a group have in the index, both ends included."""
    return _build_bounce_key(group, oldest), _build_bounce_key(group, newest)


def _build_bounce_key(group: str, order: Order) -> str:
    return f"{group}/{format_time(order[0])}/{order[1]}"


def _encode_bounce(bounce: Bounce | None) -> Item:
    """The key of an outcome in the index of bounces, and what it holds that is no attribute of its own."""
    if bounce is None:
        return {}
    ref = bounce.ref
    stored = _BounceRef(ref.source, ref.provider_code, ref.forgeable)
    return {
        "bounce": {"S": _build_bounce_key(bounce.group, ref.order)},
        "bounce_ref": {"S": _encode(stored).decode()},
    }


@decoder(OUTCOME_SCHEMA)
def decode_bounce(item: Item) -> Bounce:
    """Return the bounce in an item of the index; raises Unreadable for any other item."""
    group, at, feedback = item["bounce"]["S"].split("/", 2)
    stored = _decode_bounce_ref(item["bounce_ref"]["S"])
    verdict = _decode_verdict(item)
    ref = EvidenceRef(
        at=parse_time(at),
        feedback=feedback,
        message=item["message"]["S"],
        source=stored.source,
        reason=verdict.reason,
        rule=verdict.rule,
        provider_code=stored.provider_code,
        forgeable=stored.forgeable,
    )
    return Bounce(ref, verdict, proven=not group.endswith("?"))


def encode_suppression(suppression: Suppression, retention: timedelta, now: datetime) -> Item:
    """Return the item of a suppression; it expires `retention` after nothing in it can hold any more.

    `day` and `at` place it in the index by the day of its newest cause, `domain` in that of the domains of addresses;
    without a cause it is in neither.
    """
    item = build_suppression_key(suppression.key) | _SUPPRESSION_SCHEMA
    item["causes"] = {"S": _encode(suppression.causes).decode()}
    item["version"] = {"N": str(suppression.version)}
    latest = [cause.latest.at for cause in suppression.causes.values() if cause.latest]
    if latest:
        item |= encode_day(suppression.key, max(latest))
        domain = suppression.recipient.rpartition("@")[2]
        if suppression.recipient.startswith("email:") and domain:
            item["domain"] = {"S": domain}
    if find_contradiction_to_review(suppression) is not None:
        item |= encode_review(suppression.key, "contradicted")
    for name in ("released_at", "forced_at"):
        if (moment := getattr(suppression, name)) is not None:
            item[name] = {"S": format_time(moment)}
    for name in ("released_by", "note"):
        if text := getattr(suppression, name):
            item[name] = {"S": text}
    if suppression.life is not None:
        item["life"] = {"S": _encode(suppression.life).decode()}
    for name in ("reverted", "history"):
        if several := getattr(suppression, name):
            item[name] = {"S": _encode(several).decode()}
    if not suppression.causes and not suppression.reverted and _is_undecided(suppression):
        last = suppression.life.last if suppression.life else None
        item["expires_at"] = _encode_epoch(max(now + TOMBSTONE, last.at + retention) if last else now + TOMBSTONE)
    elif (lapse := compute_lapse(suppression)) is not None:
        item["expires_at"] = _encode_epoch(lapse + retention)
    return item


def _is_undecided(suppression: Suppression) -> bool:
    return not suppression.history and suppression.released_at is None


@decoder(SUPPRESSION_SCHEMA)
def decode_suppression(item: Item) -> Suppression:
    """Return the suppression that `encode_suppression` wrote; raises Unreadable for any other item."""
    return Suppression(
        recipient=item["recipient"]["S"],
        scope=item["scope"]["S"],
        causes=_decode_causes(item["causes"]["S"]),
        released_at=parse_time(item["released_at"]["S"]) if "released_at" in item else None,
        released_by=item["released_by"]["S"] if "released_by" in item else None,
        note=item["note"]["S"] if "note" in item else None,
        forced_at=parse_time(item["forced_at"]["S"]) if "forced_at" in item else None,
        reverted=_decode_reverted(item["reverted"]["S"]) if "reverted" in item else (),
        life=_decode_life(item["life"]["S"]) if "life" in item else None,
        history=_decode_history(item["history"]["S"]) if "history" in item else (),
        version=int(item["version"]["N"]),
    )


def _encode_fact(fact: Feedback) -> _Fact:
    return _Fact(
        fact.source,
        fact.kind,
        fact.occurred_at,
        fact.id,
        fact.received_as,
        fact.scope,
        fact.evidence,
        fact.engagement,
    )


def _decode_fact(fact: _Fact, message: str, recipient: str) -> Feedback:
    return Feedback(
        source=fact.source,
        kind=fact.kind,
        message=message,
        recipient=recipient,
        occurred_at=fact.occurred_at,
        received_as=fact.received_as,
        scope=fact.scope,
        evidence=fact.evidence,
        engagement=fact.engagement,
        id=fact.id,
    )


def _encode_context(context: Context) -> Item:
    item: Item = {name: {"S": text} for name in ("sender", "subject") if (text := getattr(context, name))}
    if context.correlation:
        item["correlation"] = {"M": {name: {"S": value} for name, value in context.correlation.items()}}
    return item


def _decode_context(item: Item) -> Context:
    correlation = item["correlation"]["M"] if "correlation" in item else {}
    return Context(
        sender=item["sender"]["S"] if "sender" in item else None,
        subject=item["subject"]["S"] if "subject" in item else None,
        correlation={name: value["S"] for name, value in correlation.items()},
    )


def _decode_verdict(item: Item) -> Verdict:
    return Verdict(klass=Class(item["class"]["S"]), reason=Reason(item["reason"]["S"]), rule=item["rule"]["S"])


def _encode_epoch(moment: datetime) -> dict[str, str]:
    return {"N": str(int(moment.timestamp()))}

"""What went wrong, as a sparse index holds it: refusals, complaints, deferrals that wait, and what has expired. Pure.

An outcome with such a status has two attributes more, and no other outcome has them:

    listed     2026-03-27/bounced/5                             the day (UTC), the status, and one of SHARDS
    listed_at  2026-03-27T09:00:00.000Z/ses/gmail/0f3a9c2b71    when, the source, the receiving system, a digest

So it enters and leaves the index with the very put that changes its status. The time is that of the first feedback that
says so, not of the last: another open, click or bounce moves nothing, and costs nothing there. The digest makes a place
unique, so a list can go on behind any of them.

All that happens at one time is of one day, and a day of one status would pass one partition, which takes 1,000 writes a
second. In SHARDS parts it takes so many times more. Source: DynamoDB developer guide, "Using write sharding to
distribute workloads evenly"; what each choice costs is in docs/decisions/0056.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from hashlib import blake2b
from typing import Any, Final

from msgspec import Struct

from aftersend.core.model import Class, Feedback, Key, Outcome, Reason, Status
from aftersend.core.outcome import RANKS
from aftersend.core.receiving_system import find_system
from aftersend.core.times import format_time, parse_time
from aftersend.storage import lean
from aftersend.storage.schema import decoder

SHARDS: Final = 8
LISTED: Final = (Status.BOUNCED, Status.COMPLAINED, Status.REJECTED, Status.DEFERRED, Status.EXPIRED)
UNPROVEN: Final = "?"  # behind the status of what anybody could have sent: in a part of its own, which is seldom asked
_OF_STATUS: Final = {
    status: frozenset(kind for kind, (_, given) in RANKS.items() if given is status) for status in LISTED
}

Item = dict[str, Any]


class ListedOutcome(Struct, frozen=True, kw_only=True):
    """A row of the index: enough to choose by, and the key of the outcome."""

    key: Key
    place: str  # `listed_at`: where a list can go on
    status: Status
    source: str
    system: str  # of the recipient, or of the host that answered: see `receiving_system`
    klass: Class | None
    reason: Reason | None
    sender: str | None

    @property
    def at(self) -> datetime:
        """When (UTC) it went wrong first."""
        return parse_time(self.place.partition("/")[0])


def build_partition(day: date, status: Status, shard: int, *, proven: bool = True) -> str:
    """Return the partition key of what went wrong on this day (UTC), with this status, in one of the shards."""
    return f"{day.isoformat()}/{status.value}{'' if proven else UNPROVEN}/{shard}"


def list_partitions(day: date, statuses: tuple[Status, ...], *, unproven: bool) -> Iterator[str]:
    """Yield the partition keys of all that went wrong on this day with one of these statuses."""
    for status in statuses:
        for proven in (True, False) if unproven else (True,):
            yield from (build_partition(day, status, shard, proven=proven) for shard in range(SHARDS))


def encode_listing(outcome: Outcome) -> Item:
    """Return the attributes that place an outcome in the index; none where nothing went wrong."""
    if outcome.status not in _OF_STATUS:
        return {}
    decider = next(fact for fact in outcome.feedback if fact.id == outcome.decided_by)
    at = _find_beginning(outcome, decider)
    digest = blake2b("\0".join(outcome.key).encode(), digest_size=5).hexdigest()
    host = decider.evidence.remote_mta if decider.evidence else None
    system = find_system(outcome.recipient, host)
    shard = int(digest[:2], 16) % SHARDS
    return {
        "listed": {"S": build_partition(at.date(), outcome.status, shard, proven=outcome.proven)},
        "listed_at": {"S": f"{format_time(at)}/{decider.source}/{system}/{digest}"},
    }


def _find_beginning(outcome: Outcome, decider: Feedback) -> datetime:
    """When it went wrong first; a complaint that was taken back is none, so that is the time of the one that stands."""
    if outcome.complained_at is not None and outcome.status is Status.COMPLAINED:
        return outcome.complained_at
    kinds = _OF_STATUS[outcome.status]
    saying = (fact for fact in outcome.feedback if fact.kind in kinds and fact.forgeable <= decider.forgeable)
    return next(saying).occurred_at


@decoder(lean.SCHEMA)
def decode_listed(item: Item) -> ListedOutcome:
    """Return the row that `encode_listing` made; raises Unreadable for any other item."""
    place = item["listed_at"]["S"]
    source, system, _ = place.partition("/")[2].rsplit("/", 2)
    return ListedOutcome(
        key=(item["recipient"]["S"], item["message"]["S"]),
        place=place,
        status=Status(item["listed"]["S"].split("/")[1].removesuffix(UNPROVEN)),
        source=source,
        system=system,
        klass=Class(item["class"]["S"]) if "class" in item else None,
        reason=Reason(item["reason"]["S"]) if "reason" in item else None,
        sender=item["sender"]["S"] if "sender" in item else None,
    )

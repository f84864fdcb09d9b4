"""Keeps the account-level suppression list of Amazon SES like ours, from the stream of our table.

SES knows no end of a suppression, so only what has none is put on its list: a hard bounce and what a person wrote down
as BOUNCE, a complaint as COMPLAINT. It is taken off when nothing of that is left, and so is what SES itself had put
there, once a person has released it or our table has forgotten it. That SES has an address on its list is never a
reason to put it there, so nothing echoes.

A decision depends on the two images of a row alone, not on the time: done again, or late, it is the same. Sources: SES
API v2 reference, PutSuppressedDestination and DeleteSuppressedDestination; developer guide, "Service quotas" (all
operations but those that send are throttled at one request a second); DynamoDB developer guide, "Streams and TTL".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct, field

from aftersend.aws.calls import translate_errors
from aftersend.aws.errors import Refusal
from aftersend.aws.protocols import SESClient
from aftersend.core.errors import StoreUnavailable, Unreadable
from aftersend.core.model import CauseKind, Suppression
from aftersend.core.suppression import find_active_causes
from aftersend.storage import items

PACE: Final = 1.0  # seconds between two calls
_CHANNEL: Final = "email:"
_NEVER: Final = datetime.max.replace(tzinfo=UTC)  # what still holds then has no end
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)  # what does not hold even then was released or withdrawn


class ListReason(StrEnum):
    """Why an address is on the list, in the words of SES."""

    BOUNCE = "BOUNCE"
    COMPLAINT = "COMPLAINT"


class ListChange(Struct, frozen=True):
    """What to do with an address: put it on the list of SES for this reason, or without one take it off."""

    address: str
    reason: ListReason | None


_REASONS: Final = {
    CauseKind.COMPLAINT: ListReason.COMPLAINT,  # the stronger reason first
    CauseKind.HARD: ListReason.BOUNCE,
    CauseKind.MANUAL: ListReason.BOUNCE,
}


def plan_change(old: Suppression | None, new: Suppression | None) -> ListChange | None:
    """Return what the change of a row from `old` to `new`, of which one may be missing, asks for; None for nothing."""
    row = new or old
    if row is None or row.scope != "*" or not row.recipient.startswith(_CHANNEL) or "@" not in row.recipient:
        return None
    address = row.recipient.removeprefix(_CHANNEL)
    was, becomes = _reason(old), _reason(new)
    if becomes is not None:
        return ListChange(address, becomes) if becomes is not was else None
    if _is_listed_there(new):
        return None
    return ListChange(address, None) if was is not None or _is_listed_there(old) else None


def _reason(suppression: Suppression | None) -> ListReason | None:
    """Return why we want an address on the list, if we do."""
    held = find_active_causes(suppression, _NEVER) if suppression else ()
    return next((reason for cause, reason in _REASONS.items() if cause in held), None)


def _is_listed_there(suppression: Suppression | None) -> bool:
    """Whether the provider has it on a list of its own, as far as it has reported, and nobody has released that."""
    return suppression is not None and CauseKind.PROVIDER in find_active_causes(suppression, _ALWAYS)


class SyncResult(Struct):
    """What became of a batch of the stream. From `failed` on it must come again."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: str | None = None  # sequence number of the record
    why: str | None = None


class SesSync:
    """Carries changes out at SES, no faster than it allows one caller."""

    def __init__(self, client: SESClient, pause: Callable[[float], None]) -> None:
        self._client, self._pause = client, pause

    def run(self, event: Mapping[str, Any]) -> SyncResult:
        """Work the records of a stream in their order, up to the first that SES does not take now."""
        result = SyncResult()
        for record in event["Records"]:
            try:
                change = plan_change(*_decode_images(record))
                result.counts[self.apply(change) if change else "Unchanged"] += 1
            except (StoreUnavailable, Unreadable) as error:
                result.failed, result.why = str(record["dynamodb"]["SequenceNumber"]), str(error)
                break
        return result

    def apply(self, change: ListChange) -> str:
        """Carry out one change; returns what became of it: Put, Deleted, Absent or Refused. Raises StoreUnavailable."""
        try:
            if change.reason is None:
                with translate_errors("SES: DeleteSuppressedDestination", expected=_FINAL):
                    self._client.delete_suppressed_destination(EmailAddress=change.address)
                return "Deleted"
            with translate_errors("SES: PutSuppressedDestination", expected=_FINAL):
                self._client.put_suppressed_destination(EmailAddress=change.address, Reason=change.reason.value)
        except Refusal as refusal:
            return _FINAL[refusal.code]
        finally:
            self._pause(PACE)
        return "Put"


# Refusals that would be the same another time: it was not on the list; SES can make no address of it.
_FINAL: Final = {"NotFoundException": "Absent", "BadRequestException": "Refused"}


def _decode_images(record: Mapping[str, Any]) -> tuple[Suppression | None, Suppression | None]:
    """Return a row before and after; a row that is gone, by whomever, TTL included, has no image after."""
    images = record["dynamodb"]
    old, new = images.get("OldImage"), images.get("NewImage")
    return items.decode_suppression(old) if old else None, items.decode_suppression(new) if new else None

"""From a queue of MNS into one of SQS: what SQS has is deleted in MNS, and nothing else is.

A message that is left comes again when its receipt has run out; one that comes twice is two times the same fact. So
two that drain one queue at once do no harm, and neither does one that is stopped anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec import Struct, field

from aftersend.core.errors import StoreUnavailable
from aftersend.jobs.mns_queue import ReceivedMessage
from aftersend.storage.queue import OutgoingMessage, SendResults

WAIT: Final = 10  # seconds to wait for the first message; an empty queue costs one request and this time
ROUND: Final = 25.0  # seconds that one round may take: to wait, to send, to delete


class Source(Protocol):
    """Where messages come from: `aftersend.jobs.mns_queue.Queue` is one."""

    def receive(self, wait: int) -> list[ReceivedMessage]: ...  # noqa: D102
    def delete(self, receipts: Sequence[str]) -> dict[str, str]: ...  # noqa: D102


class Target(Protocol):
    """Where they go: `aftersend.storage.queue.QueueSender` is one."""

    def send(self, parcels: Sequence[OutgoingMessage]) -> SendResults: ...  # noqa: D102


class Drained(Struct):
    """What was done. With `trouble`, messages were left that should have been taken."""

    received: int = 0
    forwarded: int = 0
    refused: int = 0  # by SQS, for what they are: they stay in MNS, and hold up no others
    undeleted: int = 0  # forwarded, but still in MNS: they come again, and change nothing then
    trouble: list[str] = field(default_factory=list)


def drain(source: Source, target: Target, seconds_left: Callable[[], float]) -> Drained:
    """Work until no message comes for WAIT seconds, something fails, or there is no time left for another round.

    A store that does not answer is not raised, but told in `trouble`.
    """
    done = Drained()
    try:
        while seconds_left() > ROUND and not done.trouble and (held := source.receive(WAIT)):
            _move(held, source, target, done)
    except StoreUnavailable as error:
        done.trouble.append(str(error))
    if done.refused:
        done.trouble.append(f"SQS: {done.refused} messages refused")
    return done


def _move(held: Sequence[ReceivedMessage], source: Source, target: Target, done: Drained) -> None:
    done.received += len(held)
    fates = target.send([OutgoingMessage("directmail", each.body) for each in held])
    done.trouble += sorted({f"SQS: {why}" for why in fates.failed.values()})
    done.forwarded += len(fates.accepted)
    done.refused += len(fates.refused)
    receipts = [held[place].receipt for place in sorted(fates.accepted)]
    if receipts:
        done.undeleted += len(receipts)  # until we are told otherwise
        left = source.delete(receipts)
        done.undeleted -= sum(receipt not in left for receipt in receipts)

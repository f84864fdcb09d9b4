"""Polls queues of MNS into one of SQS: what SQS has accepted is deleted in MNS, and nothing else is.

A message that is left comes again when its receipt has run out; one that comes twice is the same fact twice. So two
that poll one queue at once do no harm, and neither does one that is stopped anywhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from msgspec import Struct, field

from aftersend.core.errors import StoreUnavailable
from aftersend.jobs.mns_queue import ReceivedMessage
from aftersend.sources import find_polled
from aftersend.storage.queue import OutgoingMessage, SendResults

WAIT: Final = 10  # seconds to wait for first messages, in all; an empty queue costs one request and its share of them
ROUND: Final = 25.0  # seconds that one round may take: to wait, to send, to delete


class MnsQueuePort(Protocol):
    """Where messages come from: `aftersend.jobs.mns_queue.MnsQueue` is one."""

    def receive(self, wait: int) -> list[ReceivedMessage]: ...  # noqa: D102
    def delete(self, receipts: Sequence[str]) -> dict[str, str]: ...  # noqa: D102


class QueueSenderPort(Protocol):
    """Where they go: `aftersend.storage.queue.QueueSender` is one."""

    def send(self, parcels: Sequence[OutgoingMessage]) -> SendResults: ...  # noqa: D102


class PollResult(Struct):
    """What was done. With `problems`, messages were left that should have been taken."""

    source: str = field(default_factory=find_polled)
    received: int = 0
    forwarded: int = 0
    refused: int = 0  # by SQS, for what they are: they stay in MNS, and hold up no others
    undeleted: int = 0  # forwarded, but still in MNS: they come again, and change nothing then
    problems: list[str] = field(default_factory=list)


def poll(sources: Sequence[MnsQueuePort], target: QueueSenderPort, seconds_left: Callable[[], float]) -> PollResult:
    """Forward messages of each queue in turn, until none comes, something fails, or no time is left for another round.

    A queue that shows no message, or of which something fails, is left for this time, and holds up no other. A store
    that does not answer is not raised, but reported in `problems`.
    """
    result, rest = PollResult(), deque(sources)
    wait = max(1, WAIT // len(sources))
    while rest and seconds_left() > ROUND:
        source, problems = rest.popleft(), len(result.problems)
        try:
            received = source.receive(wait)
            if received:
                _forward(received, source, target, result)
        except StoreUnavailable as error:
            result.problems.append(str(error))
            continue
        if received and len(result.problems) == problems:
            rest.append(source)
    if result.refused:
        result.problems.append(f"SQS: {result.refused} messages refused")
    return result


def _forward(
    received: Sequence[ReceivedMessage], source: MnsQueuePort, target: QueueSenderPort, result: PollResult
) -> None:
    result.received += len(received)
    sent = target.send([OutgoingMessage(result.source, each.body) for each in received])
    result.problems += sorted({f"SQS: {why}" for why in sent.failed.values()})
    result.forwarded += len(sent.accepted)
    result.refused += len(sent.refused)
    receipts = [received[place].receipt for place in sorted(sent.accepted)]
    if receipts:
        result.undeleted += len(receipts)  # until MNS says otherwise
        left = source.delete(receipts)
        result.undeleted -= sum(receipt not in left for receipt in receipts)

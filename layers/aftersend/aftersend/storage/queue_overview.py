"""What waits in the queues of a stack, what lies in those that nobody works, and the way back from there.

Whoever looks at messages takes them for a moment: each counts one more receive, and is hidden until it is handed
back, which happens at once. Source: SQS developer guide, "Dead-letter queues"; API reference, ReceiveMessage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import FullSQSClient

DEAD_LETTERS: Final = "DeadLetters"  # at the end of the logical ids of dead-letter queues
UNREADABLE: Final = "UnreadableBodies"
FEEDBACK: Final = "FeedbackQueue"
JOBS: Final = frozenset({"ListJobs", "Reevaluate", "Replay", "TryRules"})  # whose dead letters are no feedback
MAX_EXCERPT: Final = 500  # characters of a body
MAX_RECEIVES: Final = 20  # calls for one answer, of ten messages each
MAX_MOVED: Final = 1_000  # messages for one answer
_SOURCE: Final = "source"  # the attribute of a message, as `sources.message.SOURCE` has it
_AT_ONCE: Final = 10
_HIDDEN: Final = 30  # seconds for which messages are hidden, should nobody hand them back
_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)

Received = dict[str, Any]


class QueueCounts(Struct, frozen=True, kw_only=True):
    """About how many messages a queue has, as SQS counts them."""

    name: str  # the logical id in the template
    waiting: int
    hidden: int  # in work, or somebody is looking at them
    delayed: int


class LyingCounts(Struct, frozen=True, kw_only=True):
    """About how much lies in queues that nobody works."""

    queues: dict[str, int]  # those in which anything lies
    dead_letters: int  # feedback, and what brings it
    dead_jobs: int


class LyingMessage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message that nobody works: whose it is, and why it lies there."""

    id: str  # in its queue
    source: str | None = None
    reason: str | None = None  # missing where it has failed too often
    file: str | None = None  # the file that it was dropped in, and the line
    sent_at: datetime
    receives: int  # how often it was taken out, looks counted
    bytes: int
    excerpt: str  # the beginning of the body


class QueueOverview:
    """Counts, shows and puts back. Every method raises StoreUnavailable where SQS does not answer or refuses us.

    The queues are named by their logical ids.
    """

    def __init__(self, connect: Callable[[], FullSQSClient], urls: Mapping[str, str]) -> None:
        self._connect = connect
        self._client: FullSQSClient | None = None
        self.urls = dict(urls)

    def count(self, names: Sequence[str]) -> list[QueueCounts]:
        """Return about how much is in each of these queues."""
        return [self._count(name) for name in names]

    def list_idle(self) -> list[str]:
        """Return the queues that nobody works."""
        return sorted(name for name in self.urls if name.endswith(DEAD_LETTERS) or name == UNREADABLE)

    def count_lying(self) -> LyingCounts:
        """Return about how much lies in queues that nobody works, bodies that nobody could read in `queues` alone."""
        counts = {each.name: each.waiting + each.hidden for each in self.count(self.list_idle())}
        dead = {name.removesuffix(DEAD_LETTERS): counts[name] for name in counts if name != UNREADABLE}
        jobs = sum(number for name, number in dead.items() if name in JOBS)
        lying = {name: number for name, number in counts.items() if number}
        return LyingCounts(queues=lying, dead_letters=sum(dead.values()) - jobs, dead_jobs=jobs)

    def list_worked(self) -> list[str]:
        """Return the queues that functions work."""
        return sorted(self.urls.keys() - {*self.list_idle()})

    def find_destination(self, name: str) -> str | None:
        """Return the queue that messages of an idle one go back to; None where no queue feeds it."""
        wanted = FEEDBACK if name == UNREADABLE else name.removesuffix(DEAD_LETTERS) + "Queue"
        return wanted if wanted in self.urls else None

    def look(self, name: str, limit: int) -> list[LyingMessage]:
        """Return up to `limit` messages, and leave them there. Which ones these are is up to SQS."""
        with self._taken(name, limit) as found:
            return [_read(each) for each in found[:limit]]

    def redrive(self, name: str, pool: Executor) -> int:
        """Put messages of an idle queue back to work, at most MAX_MOVED; return how many.

        Each is sent before it is deleted: a stop in between leaves it in both places, which changes nothing.
        """
        moved = 0
        while moved < MAX_MOVED and (page := self._receive(name)):
            moved += len(list(pool.map(lambda each: self._move(name, each), page)))
        return moved

    def redrive_some(self, name: str, ids: Sequence[str]) -> int:
        """Put these messages back to work, as far as they are found, in the same way; return how many."""
        with self._taken(name, MAX_RECEIVES * _AT_ONCE, set(ids)) as found:
            moved = [each for each in found if each["MessageId"] in ids]
            for each in moved:
                self._move(name, each)
                found.remove(each)
            return len(moved)

    @property
    def _sqs(self) -> FullSQSClient:
        self._client = self._client or self._connect()
        return self._client

    def _ask_attributes(self, name: str, wanted: Sequence[str]) -> Mapping[str, str]:
        with translate_errors("SQS: GetQueueAttributes"):
            found = self._sqs.get_queue_attributes(QueueUrl=self.urls[name], AttributeNames=list(wanted))
        return dict(found["Attributes"])

    def _count(self, name: str) -> QueueCounts:
        found = self._ask_attributes(name, _COUNTS)
        waiting, hidden, delayed = (int(found.get(each, 0)) for each in _COUNTS)
        return QueueCounts(name=name, waiting=waiting, hidden=hidden, delayed=delayed)

    @contextmanager
    def _taken(self, name: str, limit: int, wanted: set[str] | None = None) -> Iterator[list[Received]]:
        """Messages out of a queue, until `limit` of them or all that are wanted; what is left of them goes back."""
        found: list[Received] = []
        try:
            for _ in range(MAX_RECEIVES):
                page = self._receive(name)
                found += page
                missing = wanted - {each["MessageId"] for each in found} if wanted else None
                if not page or len(found) >= limit or missing == set():
                    break
            yield found
        finally:
            self._hand_back(name, found)

    def _hand_back(self, name: str, found: Sequence[Received]) -> None:
        for start in range(0, len(found), _AT_ONCE):
            entries = [
                {"Id": str(at), "ReceiptHandle": each["ReceiptHandle"], "VisibilityTimeout": 0}
                for at, each in enumerate(found[start : start + _AT_ONCE])
            ]
            with translate_errors("SQS: ChangeMessageVisibilityBatch"):
                self._sqs.change_message_visibility_batch(QueueUrl=self.urls[name], Entries=entries)

    def _receive(self, name: str) -> list[Received]:
        with translate_errors("SQS: ReceiveMessage"):
            page = self._sqs.receive_message(
                QueueUrl=self.urls[name],
                MaxNumberOfMessages=_AT_ONCE,
                VisibilityTimeout=_HIDDEN,
                WaitTimeSeconds=1,  # so that SQS asks all of its servers
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        return list(page.get("Messages", ()))

    def _move(self, name: str, each: Received) -> None:
        destination = self.find_destination(name)
        assert destination is not None
        sent: dict[str, Any] = {"QueueUrl": self.urls[destination], "MessageBody": each["Body"]}
        attributes = {
            name: {"DataType": value["DataType"], "StringValue": value["StringValue"]}
            for name, value in each.get("MessageAttributes", {}).items()
            if "StringValue" in value
        }
        if attributes:
            sent["MessageAttributes"] = attributes
        if _SOURCE in attributes:
            sent["MessageGroupId"] = attributes[_SOURCE]["StringValue"]
        with translate_errors("SQS: SendMessage"):
            self._sqs.send_message(**sent)
        with translate_errors("SQS: DeleteMessage"):
            self._sqs.delete_message(QueueUrl=self.urls[name], ReceiptHandle=each["ReceiptHandle"])


def _read(each: Received) -> LyingMessage:
    from aftersend.sources.message import unpack  # noqa: PLC0415  # most questions look into no queue

    attributes = {name: value.get("StringValue", "") for name, value in each.get("MessageAttributes", {}).items()}
    body, headers = unpack(each["Body"], attributes)
    of_queue = each.get("Attributes", {})
    return LyingMessage(
        id=each["MessageId"],
        source=attributes.get(_SOURCE),
        reason=attributes.get("reason"),
        file=headers.get("x-file"),
        sent_at=datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(of_queue.get("SentTimestamp", 0))),
        receives=int(of_queue.get("ApproximateReceiveCount", 0)),
        bytes=len(body),
        excerpt=body.decode(errors="replace")[:MAX_EXCERPT],
    )

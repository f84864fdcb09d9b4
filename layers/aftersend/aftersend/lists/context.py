"""What a list job works with, and how it writes a suppression that somebody else may be writing, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from msgspec import Struct

from aftersend.core.errors import ContentionExhausted, VersionMoved
from aftersend.core.model import Key, Outcome, Reverted, Suppression
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.core.steps import run_steps
from aftersend.core.writes import MAX_TRIES, SuppressionUpdate, update_suppression
from aftersend.lists.job import ListJob
from aftersend.ports import DeadLettersPort, StorePort
from aftersend.storage.items import Item
from aftersend.storage.queries import OutcomeLine, Page
from aftersend.storage.queue import OutgoingMessage, SendResults

BATCH: Final = 100  # keys that are read at once

_T = TypeVar("_T")


class QueriesPort(Protocol):
    """What is asked of the tables beside their keys: `aftersend.storage.queries.Queries` is one."""

    def scan_suppressions(self, after: Key | None, limit: int = ...) -> tuple[list[Suppression], Key | None]: ...  # noqa: D102
    def scan_outcomes(self, after: Key | None, limit: int = ...) -> tuple[list[Outcome], Key | None]: ...  # noqa: D102
    def find_suppressed_on(  # noqa: D102
        self, day: str, limit: int, after: Item | None, *, oldest_first: bool
    ) -> Page[Suppression]: ...
    def find_suppressions_of(self, recipient: str) -> list[Suppression]: ...  # noqa: D102
    def find_lines_of(self, recipient: str) -> list[OutcomeLine]: ...  # noqa: D102


class DeletionsPort(Protocol):
    """What deletes: `aftersend.storage.deletions.Deletions` does."""

    def delete_outcome(self, key: Key) -> None: ...  # noqa: D102
    def delete_suppression(self, suppression: Suppression) -> bool: ...  # noqa: D102


class ListJobsPort(Protocol):
    """Where jobs are kept: `aftersend.lists.job_table.ListJobs` is one."""

    def get(self, id_: str) -> ListJob | None: ...  # noqa: D102
    def put(self, job: ListJob) -> ListJob: ...  # noqa: D102
    def acquire(self, id_: str, now: datetime) -> ListJob | None: ...  # noqa: D102
    def find_ids(self, month: str, limit: int, after: Item | None = None) -> tuple[list[str], Item | None]: ...  # noqa: D102


class RunContext(Protocol):
    """What every job is run with."""

    @property
    def jobs(self) -> ListJobsPort: ...  # noqa: D102
    @property
    def clock(self) -> Callable[[], datetime]: ...  # noqa: D102
    @property
    def timer(self) -> Callable[[], float]: ...  # noqa: D102


class ListFilesPort(Protocol):
    """Where lists and exports lie: `aftersend.lists.files.ListFiles` is one."""

    def put(self, key: str, body: bytes) -> None: ...  # noqa: D102
    def read(self, key: str, start: int = 0, etag: str | None = None) -> Iterator[tuple[bytes, str]]: ...  # noqa: D102
    def begin_upload(self, key: str, content_type: str) -> str: ...  # noqa: D102
    def upload_part(self, key: str, upload_id: str, number: int, body: bytes) -> str: ...  # noqa: D102
    def complete_upload(self, key: str, upload_id: str, etags: tuple[str, ...]) -> None: ...  # noqa: D102
    def presign_put(self, key: str, size: int) -> str: ...  # noqa: D102
    def presign_get(self, key: str, name: str) -> str: ...  # noqa: D102


class FeedbackQueuePort(Protocol):
    """Where bodies go that are to be worked: `aftersend.storage.queue.QueueSender` is one."""

    def send(self, parcels: Sequence[OutgoingMessage]) -> SendResults: ...  # noqa: D102


class JobContext(Struct, frozen=True, kw_only=True):
    """Everything that a job is worked with."""

    store: StorePort
    queries: QueriesPort
    deletions: DeletionsPort
    jobs: ListJobsPort
    files: ListFilesPort
    policy: Policy
    classify: Classify
    pool: Executor
    clock: Callable[[], datetime]
    timer: Callable[[], float]  # seconds that pass
    feedback_queue: FeedbackQueuePort
    dead_letters: DeadLettersPort
    find_reverts: Callable[[str], Sequence[Reverted]]  # windows of a provider's accident that nobody has judged yet


def read_suppressions(keys: Sequence[Key], store: StorePort, pool: Executor) -> dict[Key, Suppression]:
    """Return the suppressions that exist of any number of keys; raises StoreUnavailable."""
    found: dict[Key, Suppression] = {}
    for some in pool.map(store.get_suppressions, [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]):
        found |= some
    return found


Decide = Callable[[Suppression], tuple[_T, SuppressionUpdate | None]]


class Written(Struct, Generic[_T], frozen=True):
    """What was decided of a suppression, and what it was and is now."""

    result: _T
    before: Suppression | None
    after: Suppression | None


def write_suppression(key: Key, known: Suppression | None, decide: Decide[_T], context: JobContext) -> Written[_T]:
    """Write what `decide` wants of a suppression, on the very version it was shown, and return both.

    `known` is what was read. Raises StoreUnavailable, or ContentionExhausted after MAX_TRIES refusals.
    """
    for _ in range(MAX_TRIES):
        result, update = decide(known or Suppression(recipient=key[0], scope=key[1]))
        if update is None:
            return Written(result, known, known)
        try:
            after = run_steps(update_suppression(update, known, context.policy), context.store.answer)
        except VersionMoved:
            known = context.store.get_suppressions([key]).get(key)
        else:
            return Written(result, known, after)
    raise ContentionExhausted(f"a suppression changed {MAX_TRIES} times while it was being written")

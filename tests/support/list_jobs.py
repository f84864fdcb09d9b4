"""What list jobs work with, in memory: a store, queries of its tables, a table of jobs and a bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import md5
from itertools import count
from typing import Any, Final, TypeVar

from aftersend.aws.errors import Refusal
from aftersend.core import policy
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback, Key, Outcome, Suppression
from aftersend.ingest import ingest
from aftersend.lists.context import JobContext
from aftersend.lists.job import ExportRequest, ImportRequest, JobRequest, JobState, ListJob, create_job
from aftersend.lists.job_table import ListJobs
from aftersend.lists.runner import run_job
from aftersend.lists.service import ListJobService
from aftersend.storage import items
from aftersend.storage.items import Item
from aftersend.storage.queries import OutcomeLine, Page, Queries
from aftersend.storage.queue import OutgoingMessage, SendResults
from tests.support.api import TABLES, Api, MemoryQueries, api_context
from tests.support.clients import FakeDynamoDB
from tests.support.facts import fake_source, message
from tests.support.list_samples import load_classifier
from tests.support.ports import NOW, Inline, MemoryDeadLetters, MemoryStore, ports

ANN: Final = "arn:aws:iam::111122223333:user/ann"


class MemoryListQueries:
    """Queries the tables of a MemoryStore, a few items at a time."""

    def __init__(self, store: MemoryStore, size: int = 7) -> None:
        self.store, self.size = store, size
        self.largest_page = 0

    def scan_suppressions(self, after: Key | None, limit: int = 0) -> tuple[list[Suppression], Key | None]:
        table, size = self.store.suppressions_table, limit or self.size
        keys = sorted(key for key in table if after is None or key > after)
        found = [items.decode_suppression(table[key]) for key in keys[:size]]
        self.largest_page = max(self.largest_page, len(found))
        return found, keys[size - 1] if len(keys) > size else None

    def scan_outcomes(self, after: Key | None, limit: int = 0) -> tuple[list[Outcome], Key | None]:
        table, size = self.store.outcomes_table, limit or self.size
        keys = sorted(key for key in table if after is None or key > after)
        return [items.decode_outcome(table[key]) for key in keys[:size]], keys[size - 1] if len(keys) > size else None

    def find_suppressed_on(self, day: str, limit: int, after: Item | None, *, oldest_first: bool) -> Page[Suppression]:
        assert oldest_first
        rows = [row for row in self.store.suppressions_table.values() if row.get("day", {}).get("S", "")[:10] == day]
        rows.sort(key=lambda row: row["at"]["S"])
        rows = [row for row in rows if after is None or row["at"]["S"] > after["at"]["S"]]
        size = min(self.size, limit)
        last = {"at": rows[size - 1]["at"]} if len(rows) > size else None
        return Page(list(map(items.decode_suppression, rows[:size])), last)

    def find_suppressions_of(self, recipient: str) -> list[Suppression]:
        table = self.store.suppressions_table
        return [items.decode_suppression(row) for key, row in sorted(table.items()) if key[0] == recipient]

    def find_lines_of(self, recipient: str) -> list[OutcomeLine]:
        return Queries(MemoryQueries(self.store), TABLES).find_lines_of(recipient)


class MemoryDeletions:
    """Deletes from the tables of a MemoryStore."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    def delete_outcome(self, key: Key) -> None:
        self.store.outcomes_table.pop(key, None)

    def delete_suppression(self, suppression: Suppression) -> bool:
        row = self.store.suppressions_table.get(suppression.key)
        if row is None or row["version"] != {"N": str(suppression.version)}:
            return False
        del self.store.suppressions_table[suppression.key]
        return True


class MemoryJobTable(FakeDynamoDB):
    """A client of DynamoDB that knows one table, with a key of `id`."""

    def __init__(self) -> None:
        self.table: dict[str, Item] = {}

    def get_item(self, **request: Any) -> Any:
        found = self.table.get(request["Key"]["id"]["S"])
        return {"Item": found} if found else {}

    def put_item(self, **request: Any) -> Any:
        item = request["Item"]
        stored = self.table.get(item["id"]["S"], {}).get("version")
        wanted = request.get("ExpressionAttributeValues", {}).get(":read")
        if stored != wanted:
            raise Refusal("ConditionalCheckFailedException", {})
        self.table[item["id"]["S"]] = item
        return {}

    def query(self, **request: Any) -> dict[str, Any]:
        month = request["ExpressionAttributeValues"][":month"]
        found = sorted(
            (item for item in self.table.values() if item["month"] == month),
            key=lambda item: (item["created_at"]["S"], item["id"]["S"]),
            reverse=True,
        )
        keys = [{name: item[name] for name in ("id", "month", "created_at")} for item in found]
        start = keys.index(request["ExclusiveStartKey"]) + 1 if "ExclusiveStartKey" in request else 0
        page = keys[start : start + request["Limit"]]
        more = {"LastEvaluatedKey": page[-1]} if page and start + len(page) < len(keys) else {}
        return {"Items": page, **more}


def memory_jobs() -> ListJobs:
    """Return an empty table of jobs."""
    return ListJobs(MemoryJobTable(), "Jobs")


class MemoryFiles:
    """A bucket with uploads in parts, of which all but the last must have `least` bytes."""

    def __init__(self, piece: int = 1 << 20) -> None:
        self.bodies: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.piece = piece
        self.bytes_read = 0  # bytes

    def put(self, key: str, body: bytes) -> None:
        self.bodies[key] = body

    def read(self, key: str, start: int = 0, etag: str | None = None) -> Iterator[tuple[bytes, str]]:
        if key not in self.bodies:
            raise MalformedFeedback("import", "no file has been uploaded, or its 7 days are over")
        while piece := self.bodies[key][start : start + self.piece]:
            if etag not in (None, found := _etag(self.bodies[key])):
                raise MalformedFeedback("import", "the file was changed while it was read")
            self.bytes_read += len(piece)
            yield piece, found
            start += len(piece)

    def begin_upload(self, key: str, content_type: str) -> str:
        self.uploads[upload := f"{key}#{len(self.uploads)}"] = {}
        return upload

    def upload_part(self, key: str, upload_id: str, number: int, body: bytes) -> str:
        self.uploads[upload_id][number] = body
        return _etag(body)

    def complete_upload(self, key: str, upload_id: str, etags: tuple[str, ...]) -> None:
        if upload_id not in self.uploads:
            return
        bodies = [self.uploads[upload_id][number] for number in range(1, len(etags) + 1)]
        assert tuple(map(_etag, bodies)) == etags
        self.bodies[key] = b"".join(bodies)
        del self.uploads[upload_id]

    def presign_put(self, key: str, size: int) -> str:
        return f"https://bucket.example/{key}?put={size}"

    def presign_get(self, key: str, name: str) -> str:
        return f"https://bucket.example/{key}?get={name}"


class MemoryFeedbackQueue:
    """Takes everything, in its order."""

    def __init__(self) -> None:
        self.sent: list[OutgoingMessage] = []

    def send(self, parcels: Sequence[OutgoingMessage]) -> SendResults:
        self.sent += parcels
        return SendResults(accepted=set(range(len(parcels))))


def _etag(body: bytes) -> str:
    return md5(body).hexdigest()


def job_context(store: Any = None, **others: Any) -> JobContext:
    """Everything in memory but for what is given; no time passes unless a clock says so."""
    store = store or MemoryStore()
    given: dict[str, Any] = {
        "store": store,
        "queries": others.get("queries") or MemoryListQueries(store),
        "deletions": others.get("deletions") or MemoryDeletions(store),
        "jobs": memory_jobs(),
        "files": MemoryFiles(),
        "policy": policy.load(),
        "classify": load_classifier(),
        "pool": Inline(),
        "clock": lambda: NOW,
        "timer": lambda: 0.0,
        "feedback_queue": MemoryFeedbackQueue(),
        "dead_letters": MemoryDeadLetters(),
        "find_reverts": lambda _: (),
    }
    return JobContext(**(given | others))


def run_request(
    context: JobContext, request: JobRequest, body: bytes | None = None, id_: str = "job", now: datetime = NOW
) -> ListJob:
    """Run one job from its beginning to its end."""
    job = context.jobs.put(create_job(id_, request, ANN, now))
    if body is not None:
        context.files.put(job.file, body)
    return finish_job(context, id_)


def finish_job(context: JobContext, id_: str = "job") -> ListJob:
    """Run a job until it is done."""
    while (job := run_job(id_, context, 10.0)) is not None and job.state is JobState.QUEUED:
        pass
    assert job is not None
    return job


def run_import(context: JobContext, body: bytes, format_: str = "aftersend", id_: str = "job", **terms: Any) -> ListJob:
    """Run an import from its beginning to its end."""
    dry_run = terms.pop("dry_run", False)
    return run_request(context, ImportRequest(dry_run=dry_run, format=format_, **terms), body, id_)


def run_export(context: JobContext, **wanted: Any) -> tuple[ListJob, bytes]:
    """Run an export from its beginning to its end; the job, and the file."""
    job = run_request(context, ExportRequest(**wanted))
    return job, context.files.bodies[job.file]  # type: ignore[attr-defined]


_S = TypeVar("_S")


def ingest_facts(facts: Iterable[Feedback], store: _S, **others: Any) -> _S:
    """Bring each of these facts into the store, by these ports, and return it."""
    with fake_source():
        for number, each in enumerate(facts):
            assert not ingest([message([each], str(number))], ports(store, **others)).failed
    return store


class ListJobApi:
    """The HTTP API with list jobs behind it, and the messages that it sends, as a queue would bring them back."""

    def __init__(self, store: MemoryStore | None = None, **others: Any) -> None:
        self.store = store or MemoryStore()
        self.sent: list[tuple[str, int]] = []
        self.context = job_context(self.store, **others)
        ids = count(1)
        self.service = ListJobService(
            context=self.context,
            send=lambda id_, seconds: self.sent.append((id_, seconds)),
            new_id=lambda: f"{next(ids):032x}",
        )
        self.api = Api(api_context(self.store, clock=self.context.clock, list_jobs=self.service))

    def drain(self) -> None:
        """Let every message do its work."""
        while self.sent:
            self.service.resume(self.sent.pop(0)[0], 10.0)


Timer = Callable[[], float]


def make_ticking_timer() -> Timer:
    """Return a timer that says after each look that much time has passed: every chunk is the last one."""
    now = [0.0]

    def timer() -> float:
        now[0] += 1000
        return now[0]

    return timer

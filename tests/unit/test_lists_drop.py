"""Dropped files: every body into the feedback queue, from wherever a function was stopped, and what is none parked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch
from urllib.parse import quote_plus

import msgspec
import pytest
from msgspec.structs import replace

from aftersend.api.list_job_schemas import summarize_job
from aftersend.core.errors import MalformedFeedback, StoreUnavailable
from aftersend.core.model import Feedback, Kind
from aftersend.ingest import ingest
from aftersend.lists import drop
from aftersend.lists.context import JobContext
from aftersend.lists.drop import MAX_LINE, detect_slices, make_drop_id, read_head, read_notice
from aftersend.lists.job import LEASE, DropProgress, DropRequest, JobState
from aftersend.lists.runner import run_job
from aftersend.lists.service import ListJobService
from aftersend.sources import SOURCES, Slices, Source, read
from aftersend.sources.message import Message
from aftersend.storage.queue import OutgoingMessage, SendResults
from local.samples import EVENTS
from tests.support.facts import fact, fake_source
from tests.support.list_jobs import MemoryFeedbackQueue, MemoryFiles, finish_job, job_context, make_ticking_timer
from tests.support.ports import NOW, MemoryDeadLetters, MemoryStore, ports

KEY: Final = "drop/test/2026/march.jsonl"


@pytest.fixture(autouse=True)
def _source() -> Iterator[None]:
    rows = {"rows": Source(parser="tests.support.fake_source", slices=Slices.CSV)}
    with fake_source(), patch.dict(SOURCES, rows):
        yield


def notice(*keys: str, upload: str = "1", size: int = 7) -> str:
    """A message of S3: moto leaves the sequencer out, and S3 encodes keys as in a form."""
    objects = ({"key": quote_plus(key), "size": size, "eTag": "e", "sequencer": upload} for key in keys)
    return json.dumps({"Records": [{"eventSource": "aws:s3", "s3": {"object": each}} for each in objects]})


class Dropping:
    """A service with everything in memory, and the messages that it sends itself."""

    def __init__(self, **others: Any) -> None:
        self.waiting: list[str] = []
        self.context: JobContext = job_context(**others)
        self.service = ListJobService(
            context=self.context, send=lambda id_, _: self.waiting.append(id_), new_id=lambda: "f" * 32
        )

    def drop(self, key: str, body: bytes, upload: str = "1") -> DropProgress:
        """Put a file there, and work until nothing is left; its progress."""
        self.context.files.put(key, body)
        assert self.service.work(notice(key, upload=upload, size=len(body)), 9.0) is None
        while self.waiting:
            self.service.work(self.waiting.pop(0), 9.0)
        job = self.context.jobs.get(make_drop_id(key))
        assert job is not None and isinstance(job.progress, DropProgress)
        return job.progress

    @property
    def sent(self) -> list[OutgoingMessage]:
        return self.context.feedback_queue.sent  # type: ignore[attr-defined, no-any-return]

    @property
    def parked(self) -> list[tuple[str, Message, str]]:
        return self.context.dead_letters.parked  # type: ignore[attr-defined, no-any-return]


def lines(count: int) -> tuple[list[Feedback], bytes]:
    """So many facts, and a file that has one on each line."""
    facts = [fact(Kind.DELIVERED, number / 1000, message=f"test:{number}") for number in range(count)]
    return facts, b"".join(msgspec.json.encode([each]) + b"\n" for each in facts)


def test_every_line_is_a_body_that_says_where_it_was() -> None:
    _, body = lines(3)
    dropping = Dropping()
    progress = dropping.drop(KEY, b"\xef\xbb\xbf" + body.replace(b"\n", b"\n\n", 1))
    assert [each.body for each in dropping.sent] == body.splitlines()
    assert {each.source for each in dropping.sent} == {"test"}
    assert [each.headers["x-file"] for each in dropping.sent] == [f"test/2026/march.jsonl:{line}" for line in (1, 3, 4)]
    assert (progress.sent, progress.parked, progress.position.offset) == (3, 0, len(body) + 4)


class Killed(BaseException):
    """The function was stopped where it stood."""


class MortalQueue(MemoryFeedbackQueue):
    """Takes so many groups of bodies, and then stops whoever sends."""

    left = 10**9

    def send(self, parcels: Sequence[OutgoingMessage]) -> SendResults:
        if not self.left:
            raise Killed
        self.left -= 1
        return super().send(parcels)


def test_a_file_that_is_killed_ten_times_loses_nothing_and_counts_nothing_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Figure: "A drop file of a million lines in bounded memory, killed ten times: nothing lost, nothing twice."

    Here of 2,000; `tests.bench.drop` has the million.
    """
    monkeypatch.setattr(drop, "CHUNK", 100)
    monkeypatch.setattr(drop, "AT_ONCE", 10)
    facts, body = lines(2_000)
    queue, now = MortalQueue(), [NOW]
    context = job_context(feedback_queue=queue, clock=lambda: now[0], files=MemoryFiles(piece=10_000))
    waiting: list[str] = []
    service = ListJobService(context=context, send=lambda id_, _: waiting.append(id_), new_id=lambda: "")
    context.files.put(KEY, body)
    service.work(notice(KEY, size=len(body)), 9.0)
    kills = 0
    while waiting:
        queue.left = 17 if kills < 10 else 10**9
        try:
            service.work(waiting[0], 9.0)
        except Killed:  # the message comes again, once nobody can have the job any more
            kills, now[0] = kills + 1, now[0] + LEASE
        else:
            del waiting[0]
    assert kills == 10
    job = context.jobs.get(make_drop_id(KEY))
    assert job is not None and job.state is JobState.DONE
    assert isinstance(job.progress, DropProgress)
    assert (job.progress.sent, job.progress.parked) == (len(facts), 0)
    repeats = Counter(each.body for each in queue.sent)
    assert len(repeats) == len(facts)
    assert sum(repeats.values()) - len(facts) <= kills * 100, "at most a chunk comes again for each time"
    store = MemoryStore()
    for start in range(0, len(queue.sent), 500):
        bodies = [Message(str(at), each.body, NOW, "test") for at, each in enumerate(queue.sent[start : start + 500])]
        assert not ingest(bodies, ports(store)).unreadable
    assert {key[1] for key in store.outcomes_table} == {each.message for each in facts}
    assert {row["version"]["N"] for row in store.outcomes_table.values()} == {"1"}, "written once"


def test_rows_travel_with_the_names_of_their_columns() -> None:
    head = b'# schema: nms:broadLogRcp\nid;"a; long\nname"\n'
    dropping = Dropping()
    progress = dropping.drop("drop/rows/x.csv", head + b'1;a\n\n2;"b\nb"\n3;"never closed\n4;d\n')
    assert [each.body.removeprefix(head) for each in dropping.sent] == [b"1;a\n", b'2;"b\nb"\n', b"4;d\n"]
    assert [each.headers["x-file"] for each in dropping.sent] == [f"rows/x.csv:{line}" for line in (4, 6, 9)]
    ((source, parked, why),) = dropping.parked
    assert (source, parked.body, parked.headers) == ("rows", b'3;"never closed\n', {"x-file": "rows/x.csv:8"})
    assert "never closed" in why
    assert (progress.sent, progress.parked) == (3, 1)


def test_a_line_that_no_queue_takes_is_parked_with_its_number_and_the_others_go_on() -> None:
    _, body = lines(2)
    first, second = body.splitlines()
    dropping = Dropping()
    progress = dropping.drop(KEY, first + b"\r\n" + b"x" * (3 * MAX_LINE) + b"\n" + second)
    assert [each.body for each in dropping.sent] == [first, second]
    ((_, parked, why),) = dropping.parked
    assert (parked.body, parked.headers["x-file"]) == (b"x" * drop.BEGINNING, "test/2026/march.jsonl:2")
    assert str(MAX_LINE) in why
    assert (progress.sent, progress.parked) == (2, 1)


@pytest.mark.parametrize(
    ("begin", "named", "found"),
    [
        (b'{"a": 1}\n{"a": 2}\n', Slices.LINES, Slices.LINES),
        (b'{"a": 1}', Slices.CSV, Slices.LINES),
        (b'[{"a": 1},\n {"a": 2}]', Slices.LINES, Slices.WHOLE),
        (b'\n {\n"a": 1}', Slices.CSV, Slices.WHOLE),
        (b"\xef\xbb\xbf<rows>\n</rows>", Slices.CSV, Slices.WHOLE),
        (b"id,status\n1,2\n", Slices.CSV, Slices.CSV),
        (b"PK;name\n1;2\n", Slices.CSV, Slices.CSV),
        (b"id:1 sub:001 dlvrd:001", Slices.LINES, Slices.LINES),
        (b'{"a": 1}\n{"a": 2}\n', Slices.WHOLE, Slices.WHOLE),
        (b"", Slices.LINES, Slices.LINES),
    ],
)
def test_what_a_file_consists_of(begin: bytes, named: Slices, found: Slices) -> None:
    assert detect_slices(begin, named) is found


WRONG: Final[dict[str, tuple[str, bytes, str]]] = {
    "no source of this name": ("drop/nobody/x.jsonl", b"1\n", "names no source"),
    "no folder": ("drop/test", b"1\n", "names no source"),
    "packed": (KEY, b"\x1f\x8b\x08", "packed"),
    "UTF-16": (KEY, b"\xff\xfea\0", "UTF-16"),
    "one body that no queue takes": (KEY, b"<" + b"x" * 2_000_000, "one body"),
    "no names of columns": ("drop/rows/x.csv", b"#" + b"x" * 20_000 + b"\na;b\n", "no names of columns"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_cannot_be_read_is_parked_with_the_reason(name: str) -> None:
    key, body, why = WRONG[name]
    dropping = Dropping()
    dropping.drop(key, body)
    ((_, parked, reason),) = dropping.parked
    assert why in reason
    assert json.loads(parked.body) == {"file": key}
    job = dropping.context.jobs.get(make_drop_id(key))
    assert job is not None
    assert (job.state, job.why, dropping.sent) == (JobState.FAILED, reason, [])


def test_whole_files_are_one_body() -> None:
    dropping = Dropping()
    dropping.drop(KEY, b'[\n"a",\n"b"]')
    assert [each.body for each in dropping.sent] == [b'[\n"a",\n"b"]']
    assert dropping.drop("drop/test/empty", b"").sent == 0


def test_the_same_notice_twice_is_one_job_and_another_upload_is_another() -> None:
    _, body = lines(5)
    dropping = Dropping()
    assert [dropping.drop(KEY, body).sent for _ in range(2)] == [5, 5]
    assert len(dropping.sent) == 5
    dropping.drop(KEY, body, upload="2")
    assert len(dropping.sent) == 10


def test_what_is_no_notice_of_a_dropped_file_is_left_alone() -> None:
    test = '{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}'
    for text in (test, "{", "{}", '{"Records":[{}]}', '{"Records":7}', notice("jobs/1/list", "drop/test/")):
        assert read_notice(text) == []
    (found,) = read_notice(notice("drop/test/å b+c.csv"))
    assert found == DropRequest(key="drop/test/å b+c.csv", upload="1", size=7)


class FullQueue(MemoryFeedbackQueue):
    """Refuses one body for ever, or fails for now."""

    def __init__(self, results: SendResults) -> None:
        super().__init__()
        self.results = results

    def send(self, parcels: Sequence[OutgoingMessage]) -> SendResults:
        return self.results


def test_what_a_queue_does_not_take_now_comes_again_and_what_it_never_takes_is_parked() -> None:
    _, body = lines(2)
    full = FullQueue(SendResults(accepted={0}, failed={1: "busy"}))
    dropping = Dropping(feedback_queue=full)
    with pytest.raises(StoreUnavailable, match="busy"):
        dropping.drop(KEY, body)
    job = dropping.context.jobs.get(make_drop_id(KEY))
    assert job is not None and job.progress == DropProgress()
    full.results = SendResults(accepted={0}, refused={1: "too large"})
    done = finish_job(replace(dropping.context, clock=lambda: NOW + LEASE + timedelta(seconds=1)), job.id)
    assert isinstance(done.progress, DropProgress)
    assert (done.state, done.progress.sent, done.progress.parked) == (JobState.DONE, 1, 1)
    assert [why for _, _, why in dropping.parked] == ["too large"]


def test_the_progress_can_be_read_on_the_way() -> None:
    _, body = lines(30)
    dropping = Dropping(files=MemoryFiles(piece=500), timer=make_ticking_timer())
    with patch.object(drop, "CHUNK", 10):
        dropping.context.files.put(KEY, body)
        dropping.service.work(notice(KEY, size=len(body)), 9.0)
        dropping.service.work(dropping.waiting.pop(0), 9.0)
    job = dropping.context.jobs.get(make_drop_id(KEY))
    assert job is not None
    shown = msgspec.to_builtins(summarize_job(job))
    assert (shown["job"], shown["state"]) == ("drop", "queued")
    assert shown["dropped"] == {
        "file": "test/2026/march.jsonl",
        "size": len(body),
        "read": len(b"".join(body.splitlines(keepends=True)[:10])),
        "sent": 10,
        "parked": 0,
    }


def test_a_file_that_changes_on_the_way_is_not_mixed_with_another() -> None:
    _, body = lines(30)
    dropping = Dropping(timer=make_ticking_timer())
    with patch.object(drop, "CHUNK", 10):
        dropping.context.files.put(KEY, body)
        dropping.service.work(notice(KEY), 9.0)
        dropping.service.work(dropping.waiting[0], 9.0)
    dropping.context.files.put(KEY, body + b"[]\n")
    job = run_job(dropping.waiting[0], dropping.context, 9.0)
    assert job is not None and job.state is JobState.FAILED
    assert dropping.drop(KEY, body + b"[]\n", upload="2").sent == 31


def test_the_head_is_bounded() -> None:
    with pytest.raises(MalformedFeedback):
        read_head(b"x" * 100_000)
    assert read_head(b"\xef\xbb\xbf# a\n# b\nid\n1\n") == b"\xef\xbb\xbf# a\n# b\nid\n"


def test_parked_notes_name_their_source() -> None:
    dropping = Dropping(dead_letters=(letters := MemoryDeadLetters()))
    dropping.drop("drop/nobody/x", b"1\n")
    dropping.drop("drop/rows/y", b"\x1f\x8b")
    assert [source for source, _, _ in letters.parked] == ["unknown", "rows"]


TABLES: Final = sorted(
    path for name, row in SOURCES.items() if row.slices is Slices.CSV for path in (EVENTS / name).glob("*.csv")
)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_the_rows_of_a_table_say_what_the_whole_table_says(path: Path) -> None:
    """Every sample that is a table: cut into bodies, and read by its parser as one."""
    source, body = path.parent.name, path.read_bytes()
    try:
        whole = read(source, body)
    except MalformedFeedback:
        return  # of such a table, some rows may be good
    dropping = Dropping()
    dropping.drop(f"drop/{source}/{path.name}", body)
    assert [each for sent in dropping.sent for each in read(source, sent.body)] == whole
    assert not dropping.parked

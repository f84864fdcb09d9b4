"""Bodies come out of the archive as they went in, and go to the queue of their source, a folder at a time."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.errors import MalformedFeedback, StoreUnavailable
from aftersend.jobs import replay
from aftersend.jobs.replay import MARGIN, Replay, ReplayJob, parcels
from aftersend.sources import SOURCES
from aftersend.sources.message import FORWARDED_HEADERS, Message, select_headers
from aftersend.storage.archive import build_put
from aftersend.storage.queue import OutgoingMessage, SendResults
from tests.support.clients import FakeS3, service_error
from tests.support.gathering import pack_lines

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
PLENTY = MARGIN + 1
headers = st.dictionaries(st.sampled_from(FORWARDED_HEADERS), st.text(max_size=20), max_size=3)


class Bucket(FakeS3):
    """Objects by their keys; two are listed at once, so that there is a next page."""

    def __init__(self, **objects: bytes) -> None:
        self.objects = dict(sorted(objects.items()))
        self.archived_at: dict[str, datetime] = {}  # where that is not AT
        self.fault: Exception | None = None

    def list_objects_v2(self, **request: Any) -> Any:
        if self.fault:
            raise self.fault
        after = request.get("StartAfter", "")
        found = sorted(key for key in self.objects if key.startswith(request["Prefix"]) and key > after)
        listed = [{"Key": key, "LastModified": self.archived_at.get(key, AT)} for key in found[:2]]
        return {"Contents": listed} if found else {}

    def get_object(self, **request: Any) -> Any:
        class Body:
            read = staticmethod(lambda: self.objects[request["Key"]])

        return {"Body": Body}


class Queue:
    """Takes parcels; `fates` says of each body otherwise."""

    def __init__(self, *, refused: Sequence[bytes] = (), failed: Sequence[bytes] = ()) -> None:
        self.bodies: list[bytes] = []
        self.sent = 0
        self._refused, self._failed = refused, failed

    def send(self, parcels: list[OutgoingMessage]) -> SendResults:
        fates = SendResults()
        self.sent += 1
        for place, parcel in enumerate(parcels):
            if parcel.body in self._failed:
                fates.failed[place] = "InternalError"
            elif parcel.body in self._refused:
                fates.refused[place] = "too large"
            else:
                self.bodies.append(parcel.body)
                fates.accepted.add(place)
        return fates


def packed(*bodies: bytes) -> bytes:
    request = build_put("archive", [Message(f"m{place}", body, AT, "ses") for place, body in enumerate(bodies)])
    content = request["Body"]
    assert isinstance(content, bytes)
    return content


def archive(**objects: bytes) -> Bucket:
    """Objects of one hour of Amazon SES by their names, and what must stay where it is."""
    bucket = Bucket()
    ours = {f"source=ses/date=2026-03-02/hour=10/{name}.jsonl.gz": content for name, content in objects.items()}
    others = dict.fromkeys(
        ["source=ses/date=2026-03-03/hour=00/x", "source=report/date=2026-03-02/hour=10/x", "jobs/x"], packed(b"other")
    )
    bucket.objects = dict(sorted((ours | others).items()))
    return bucket


NEW = ReplayJob(source="ses", folder="date=2026-03-02/")
JOB = msgspec.structs.replace(NEW, began=AT)


@given(
    st.lists(st.tuples(st.binary(max_size=40) | st.text(max_size=20).map(str.encode), headers), min_size=1, max_size=9)
)
def test_what_the_archive_took_comes_out_again(bodies: list[tuple[bytes, dict[str, str]]]) -> None:
    """Whatever bytes, and what their carrier said beside them."""
    messages = [Message(str(place), body, AT, "ses", select_headers(said)) for place, (body, said) in enumerate(bodies)]
    found = list(parcels(build_put("archive", messages)["Body"], "ses"))
    assert found == [OutgoingMessage("ses", each.body, each.headers) for each in messages]


def test_a_folder_is_sent_from_its_beginning_to_its_end_and_nothing_else_is() -> None:
    bucket, queue = archive(a=packed(b"1", b"2"), b=packed(b"3"), c=packed(b"4", b"5")), Queue()
    job, ended = Replay(bucket, "archive", queue).run_slice(JOB, lambda: PLENTY)
    assert ended
    assert queue.bodies == [b"1", b"2", b"3", b"4", b"5"]
    assert job.counts == {"bodies": 5, "objects": 3, "too large": 0}


def test_a_slice_stops_between_two_objects_when_time_is_short_and_the_next_goes_on() -> None:
    """Issue: "in bounded steps with checkpoint"."""
    bucket, queue = archive(a=packed(b"1"), b=packed(b"2"), c=packed(b"3")), Queue()
    work = Replay(bucket, "archive", queue)
    job, ended, slices = JOB, False, 0
    while not ended:
        carried = msgspec.json.decode(msgspec.json.encode(job), type=ReplayJob)
        job, ended = work.run_slice(carried, lambda: MARGIN - 1)
        slices += 1
    assert slices == 4, "one for each object, and one that finds no more"
    assert queue.bodies == [b"1", b"2", b"3"]
    assert job.counts["objects"] == 3


def test_a_replay_of_today_does_not_feed_itself() -> None:
    """Functions archive once more what they are sent, under today; that comes after all that is still to be sent."""
    bucket = archive(a=packed(b"1"), b=packed(b"2"))

    class Function(Queue):
        def send(self, parcels: list[OutgoingMessage]) -> SendResults:
            assert self.sent < 9, "it never ends"
            key = f"source=ses/date=2026-03-02/hour=11/{self.sent}.jsonl.gz"
            bucket.objects[key] = packed(*[each.body for each in parcels])
            bucket.archived_at[key] = AT + timedelta(seconds=self.sent + 1)
            return super().send(parcels)

    queue = Function()
    work = Replay(bucket, "archive", queue, clock=lambda: AT)
    job, ended = work.run_slice(NEW, lambda: MARGIN - 1)
    later = Replay(bucket, "archive", queue, clock=lambda: AT + timedelta(hours=1))
    while not ended:  # another function goes on, with the beginning of the first
        job, ended = later.run_slice(msgspec.json.decode(msgspec.json.encode(job), type=ReplayJob), lambda: MARGIN - 1)
    assert (queue.bodies, job.counts["objects"]) == ([b"1", b"2"], 2)


def test_a_slice_that_fails_and_comes_again_has_not_begun_later() -> None:
    """What it had sent before it failed lies in the archive by then, and is not sent once more."""
    bucket, queue = archive(a=packed(b"1"), b=packed(b"2")), Queue(failed=[b"2"])
    noted, ended = Replay(bucket, "archive", queue, clock=lambda: AT).run_slice(NEW, lambda: PLENTY)
    assert (noted.began, ended, queue.sent) == (AT, False, 0)
    with pytest.raises(StoreUnavailable):
        Replay(bucket, "archive", queue).run_slice(noted, lambda: PLENTY)
    again = "source=ses/date=2026-03-02/hour=11/1.jsonl.gz"
    bucket.objects[again], bucket.archived_at[again] = packed(*queue.bodies), AT + timedelta(seconds=1)
    later = Replay(bucket, "archive", mended := Queue(), clock=lambda: AT + timedelta(hours=1))
    job, ended = later.run_slice(noted, lambda: PLENTY)
    assert (ended, mended.bodies, job.counts["objects"]) == (True, [b"1", b"2"], 2)


def test_a_large_object_is_sent_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_AT_ONCE", 4)
    bodies = [str(number).encode() for number in range(10)]
    bucket, queue = archive(a=packed(*bodies)), Queue()
    Replay(bucket, "archive", queue).run_slice(JOB, lambda: PLENTY)
    assert (queue.bodies, queue.sent) == (bodies, 3)


FILE = "source=ses/firehose/date=2026-03-02/hour=10/mass-1"
MASS = [b'{"number":%d}' % number for number in range(10)]


def test_a_file_of_firehose_is_replayed_in_slices_or_handed_to_who_gathers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_AT_ONCE", 4)
    bucket = archive(a=packed(b"1"), b=packed(b"2"))
    bucket.objects[FILE] = pack_lines([*MASS[:5], b"broken", *MASS[5:]])
    spread = {f"source=ses/part={part}/date=2026-03-02/hour=10/x.jsonl.gz": packed(part.encode()) for part in "07f"}
    bucket.objects |= spread
    job, ended, queue, slices = JOB, False, Queue(), 0
    while not ended:
        job, ended = Replay(bucket, "archive", queue).run_slice(job, lambda: MARGIN - 1)
        slices += 1
    assert queue.bodies == [b"1", b"2", *MASS, b"0", b"7", b"f"]
    assert (job.counts["objects"], slices) == (6, 2 + 3 + 1 + 3 + 1)
    keys: list[str] = []
    job, ended = Replay(bucket, "archive", queue := Queue(), send_object=keys.append).run_slice(JOB, lambda: PLENTY)
    assert (queue.bodies, keys, ended) == ([b"1", b"2", b"0", b"7", b"f"], [FILE], True)
    assert job.counts["gathered objects"] == 1


def test_a_body_that_no_queue_takes_is_counted_and_the_others_go() -> None:
    bucket, queue = archive(a=packed(b"1", b"huge", b"3")), Queue(refused=[b"huge"])
    job, _ = Replay(bucket, "archive", queue).run_slice(JOB, lambda: PLENTY)
    assert queue.bodies == [b"1", b"3"]
    assert job.counts == {"bodies": 2, "objects": 1, "too large": 1}


@pytest.mark.parametrize(
    "broken",
    [
        b"no gzip",
        b"",
        packed(b"1", b"2")[:-9],
        gzip.compress(b"no json\n"),
        gzip.compress(b'{"body": 1}\n'),
        gzip.compress(b'{"body_base64": "?"}\n'),
        gzip.compress(b"\xff\n"),
        gzip.compress(b"[" * 9999),
    ],
    ids=["no gzip", "nothing", "cut off", "no JSON", "a number", "no base64", "no UTF-8", "deep"],
)
def test_an_object_that_is_broken_holds_up_no_other(broken: bytes) -> None:
    bucket, queue = archive(a=broken, b=packed(b"2")), Queue()
    job, ended = Replay(bucket, "archive", queue).run_slice(JOB, lambda: PLENTY)
    assert ended
    assert b"2" in queue.bodies
    assert job.counts["broken objects" if broken else "objects"] == (1 if broken else 2)


def test_what_a_queue_does_not_take_now_comes_again() -> None:
    bucket, queue = archive(a=packed(b"1", b"2")), Queue(failed=[b"2"])
    with pytest.raises(StoreUnavailable, match="SQS: InternalError"):
        Replay(bucket, "archive", queue).run_slice(JOB, lambda: PLENTY)


def test_a_bucket_that_does_not_answer_is_ours() -> None:
    bucket = archive(a=packed(b"1"))
    bucket.fault = service_error("SlowDown")
    with pytest.raises(StoreUnavailable, match="S3: a read failed: SlowDown"):
        Replay(bucket, "archive", Queue()).run_slice(JOB, lambda: PLENTY)


def test_a_source_that_nobody_can_read_is_refused_at_once() -> None:
    work = Replay(archive(), "archive", Queue())
    with pytest.raises(MalformedFeedback, match=f"there are {', '.join(sorted(SOURCES))}"):
        work.run_slice(ReplayJob(source="nobody", folder="date=2026"), lambda: PLENTY)


@pytest.mark.parametrize(
    "folder", ["date=2026", "date=2026-03", "date=2026-03-02", "date=2026-03-02/", "date=2026-03-02/hour=09/"]
)
def test_a_folder_names_a_time(folder: str) -> None:
    assert msgspec.convert({"source": "ses", "folder": folder}, ReplayJob).folder == folder


@pytest.mark.parametrize(
    "folder", ["", "date=", "hour=1", "../x", "date=2026-03-02/hour=9", "date=2026-3-2", "date=2026/x"]
)
def test_anything_else_does_not(folder: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"source": "ses", "folder": folder}, ReplayJob)


def test_a_beginning_without_a_time_zone_is_no_job() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"source":"ses","folder":"date=2026","began":"2026-03-02T10:00:00"}', type=ReplayJob)

"""Files are cut into the same records however they stream, and whoever goes on anywhere misses none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.errors import MalformedFeedback
from aftersend.lists.job import ImportProgress, ImportRequest, JobState, create_job
from aftersend.lists.records import (
    MAX_LINES,
    MAX_RECORD,
    STRETCH,
    FilePosition,
    Framing,
    Record,
    _DocumentScanner,
    split_records,
)
from aftersend.lists.rows import FileLayout, read_rows
from aftersend.lists.runner import run_job
from tests.support.list_jobs import ANN, job_context, make_ticking_timer
from tests.support.list_samples import list_samples
from tests.support.ports import NOW

# Bytes that mean something, so that Hypothesis makes many of them meet.
_BYTES = st.lists(
    st.sampled_from([b'"', b"\n", b"\r\n", b"{", b"}", b"[", b"]", b"\\", b",", b"a", b" ", "ü".encode()]), max_size=40
).map(b"".join)
_FRAMINGS = st.sampled_from(Framing)


def cut(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def read(body: bytes, framing: Framing, start: FilePosition = FilePosition()) -> list[Record]:  # noqa: B008  # it is frozen
    return list(split_records([body[start.offset :]], framing, start))


@given(body=_BYTES, framing=_FRAMINGS, size=st.integers(1, 7))
def test_any_pieces_give_the_same_records(body: bytes, framing: Framing, size: int) -> None:
    assert list(split_records(cut(body, size), framing, FilePosition())) == read(body, framing)


@given(body=_BYTES, framing=_FRAMINGS)
def test_going_on_after_any_record_gives_the_rest(body: bytes, framing: Framing) -> None:
    whole = read(body, framing)
    for number, record in enumerate(whole):
        assert read(body, framing, record.after) == whole[number + 1 :]


@pytest.mark.parametrize("sample", list_samples(), ids=lambda path: path.name)
def test_samples_can_be_read_on_from_anywhere(sample: Path) -> None:
    body = sample.read_bytes()
    framing = {".csv": Framing.CSV, ".jsonl": Framing.LINES, ".json": Framing.DOCUMENT}[sample.suffix]
    whole = read(body, framing)
    assert whole
    for number, record in enumerate(whole):
        assert read(body, framing, record.after) == whole[number + 1 :]


@given(body=_BYTES)
def test_lines_lose_none_but_blank_ones(body: bytes) -> None:
    wanted = [line for line in body.split(b"\n") if line.strip()]
    assert [each.data.removesuffix(b"\n") for each in read(body, Framing.LINES)] == wanted


def test_a_quoted_field_may_hold_line_breaks() -> None:
    found = read(b'a,"one\ntwo",b\nc,d,e\n', Framing.CSV)
    assert [(each.line, each.data) for each in found] == [(1, b'a,"one\ntwo",b\n'), (3, b"c,d,e\n")]


@pytest.mark.parametrize("lines", [3, MAX_LINES + 5])
def test_a_quotation_mark_that_is_never_closed_breaks_its_line_alone(lines: int) -> None:
    found = read(b'one\n"two\n' + b"more\n" * lines, Framing.CSV)
    assert [each.line for each in found if each.error] == [2]
    assert [each.line for each in found if not each.error] == [1, *range(3, lines + 3)]


@pytest.mark.parametrize("framing", [Framing.CSV, Framing.LINES])
def test_a_line_that_is_too_long_breaks_itself_alone(framing: Framing) -> None:
    body = b"one\n" + b"x" * (3 * MAX_RECORD) + b"\nthree\n"
    found = list(split_records(cut(body, 1000), framing, FilePosition()))
    assert [(each.line, bool(each.error)) for each in found] == [(1, False), (2, True), (3, False)]
    assert max(len(each.data) for each in found) <= MAX_RECORD + 1
    assert found[-1].after == FilePosition(len(body), 4)


def test_objects_are_found_in_whatever_arrays_there_are() -> None:
    body = b'{"more": false, "data": {"list": [{"a": "}"}, {"b": ["]", {"c": 1}]}]}}\n[{"d": "\\"{"}] [[{"e": 2}]]'
    assert [each.data for each in read(body, Framing.DOCUMENT)] == [
        b'{"a": "}"}',
        b'{"b": ["]", {"c": 1}]}',
        b'{"d": "\\"{"}',
        b'{"e": 2}',
    ]


def test_objects_know_their_lines() -> None:
    body = b'{"list":\n [\n  {"a":\n 1},\n\n  {"b": 2}]}'
    assert [each.line for each in read(body, Framing.DOCUMENT)] == [3, 6]


def test_a_string_that_is_never_closed_ends_with_its_line() -> None:
    body = b'[{"a": "one},\n {"b": 2}, {"c": 3}]'
    found = read(body, Framing.DOCUMENT)
    assert [each.line for each in found] == [1]
    assert found[0].error or b'"a"' in found[0].data


def test_a_document_that_ends_too_early_says_so() -> None:
    *_, last = read(b'[{"a": 1}, {"b": ', Framing.DOCUMENT)
    assert (last.line, last.error) == (1, "the file ends within it")


def test_an_object_that_is_too_long_breaks_itself_alone_and_is_not_held() -> None:
    body = b'[{"a": "' + b"x" * (4 * MAX_RECORD) + b'"}, {"b": 2}]'
    scan, held, found = _DocumentScanner(FilePosition()), 0, []
    for piece in cut(body, 5000):
        found += list(scan.feed(piece))
        held = max(held, len(scan.data))
    assert [bool(each.error) for each in found] == [True, False]
    assert held <= MAX_RECORD + 2 * 5000


def test_what_lies_around_objects_is_not_held() -> None:
    scan = _DocumentScanner(FilePosition())
    for piece in cut(b'{"next": "' + b"x" * 1_000_000 + b'", "list": [' + b" " * 1_000_000, 5000):
        assert not list(scan.feed(piece))
        assert len(scan.data) <= 2 * 5000


def test_brackets_without_end_are_refused() -> None:
    with pytest.raises(MalformedFeedback, match="nested"):
        read(b"[" * 1000, Framing.DOCUMENT)


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("filler", [b"\n", b" \r\n", b"          \n"])
def test_a_long_stretch_of_nothing_has_places_to_stop(framing: Framing, filler: bytes) -> None:
    """A job stops where a chunk ends: without a record in sight it would be worked for as long as the file lasts."""
    first, last = (b'{"a":1}\n', b'{"a":2}\n') if framing is not Framing.CSV else (b"a,1\n", b"a,2\n")
    begin = b"[" + first if framing is Framing.DOCUMENT else first
    body = begin + filler * (5 * STRETCH // len(filler)) + last
    found = list(split_records(cut(body, 4096), framing, FilePosition()))
    whole = [each for each in found if not each.is_empty]
    assert [each.data.strip() for each in whole] == [first.strip(), last.strip()]
    assert 3 <= len(found) - len(whole) <= 5
    for stop in found[1:-1]:
        rest = list(split_records(cut(body[stop.after.offset :], 4096), framing, stop.after))
        assert rest[-1] == found[-1], "whoever goes on from there reads the same, with the same lines"
        assert list(read_rows(stop, FileLayout(framing=framing, columns=("a", "b")))) == []


def test_a_list_of_blank_lines_is_worked_in_slices() -> None:
    """However little is in a file, its job stops when its time is over, and goes on from there."""
    used = job_context(timer=make_ticking_timer())
    body = b"recipient,kind,at\n" + b"\n" * (5 * STRETCH) + b"ann@example.com,hard,2026-03-01T00:00:00Z\n"
    job = used.jobs.put(create_job("job", ImportRequest(dry_run=False, format="aftersend"), ANN, NOW))
    used.files.put(job.file, body)
    slices = 0
    while job.state is not JobState.DONE:
        after = run_job("job", used, 1.0)
        assert after is not None and after.why is None
        job, slices = after, slices + 1
    assert slices > 4
    assert isinstance(job.progress, ImportProgress)
    assert (job.progress.summary.rows, job.progress.summary.new) == (1, 1)

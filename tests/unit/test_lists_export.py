"""Exports: what stands in a row, which rows there are, that an import takes them back, and what is held at once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Act, Cause, CauseKind, Decision, EvidenceRef, Reason, Reverted, Suppression
from aftersend.core.suppression import apply_decisions, find_active_causes
from aftersend.core.writes import Put
from aftersend.lists import export_list
from aftersend.lists.export_rows import ADDRESS_COLUMNS, COLUMNS, TOKEN_COLUMNS
from aftersend.lists.job import ExportProgress, ExportRequest, JobState, create_job
from aftersend.lists.runner import run_job
from tests.support.list_jobs import (
    ListJobApi,
    MemoryFiles,
    MemoryListQueries,
    finish_job,
    job_context,
    make_ticking_timer,
    run_export,
    run_import,
)
from tests.support.oracle import stored
from tests.support.ports import NOW, MemoryStore


def cause(days: float, reason: Reason | None = None, until: datetime | None = None) -> Cause:
    ref = EvidenceRef(at=NOW - timedelta(days=days), feedback="f", message="ses:m", source="ses", reason=reason)
    return Cause(first=ref, latest=ref, until=until)


def suppression(recipient: str, scope: str = "*", **causes: Cause) -> Suppression:
    return Suppression(
        recipient=recipient, scope=scope, causes={CauseKind(name): each for name, each in sorted(causes.items())}
    )


HARD = cause(1, Reason.USER_UNKNOWN)
TABLE = [
    suppression("email:ann@example.com", hard=HARD, pause=cause(2, None, NOW + timedelta(days=1))),
    suppression("email:ann@example.com", "news", unsubscribed=cause(3)),
    suppression('email:"b, \\"c"@example.com', complaint=cause(4, Reason.COMPLAINT)),
    suppression("sms:+14255550156", manual=cause(5, None, NOW + timedelta(days=9))),
    suppression("email:over@example.com", pause=cause(2, None, NOW - timedelta(days=1))),
    apply_decisions(suppression("email:back@example.com", hard=HARD), [Decision(at=NOW, by="bob", act=Act.RELEASED)]),
    suppression("erased:0123456789abcdef0123456789abcdef01234567", hard=HARD),
    suppression("email:empty@example.com"),
]


def filled(rows: list[Suppression] = TABLE) -> MemoryStore:
    store = MemoryStore()
    for row in rows:
        assert store.answer(Put(msgspec.structs.replace(row, version=1))) is None
    return store


def read(file: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.decode(), newline="")))


def exports(rows: list[Suppression] = TABLE, **wanted: Any) -> list[dict[str, str]]:
    return read(run_export(job_context(filled(rows)), **wanted)[1])


def test_a_row_for_each_cause_that_holds() -> None:
    found = exports()
    assert list(found[0]) == list(COLUMNS)
    assert [(each["recipient"], each["scope"], each["kind"]) for each in found] == [
        ('email:"b, \\"c"@example.com', "*", "complaint"),
        ("email:ann@example.com", "*", "hard"),
        ("email:ann@example.com", "*", "pause"),
        ("email:ann@example.com", "news", "unsubscribed"),
        ("sms:+14255550156", "*", "manual"),
    ]
    assert found[1] == {
        "recipient": "email:ann@example.com",
        "scope": "*",
        "kind": "hard",
        "since": "2026-03-30T12:00:00.000Z",
        "at": "2026-03-30T12:00:00.000Z",
        "reason": "user_unknown",
        "until": "",
        "source": "ses",
        "active": "yes",
    }


def test_all_causes_say_whether_they_hold() -> None:
    assert {each["recipient"] for each in exports(active=False) if each["active"] == "no"} == {
        "email:back@example.com",
        "email:over@example.com",
    }


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"channel": "sms"}, ["sms:+14255550156"]),
        ({"channel": "push"}, []),
        ({"channel": "email", "scope": "*"}, ['email:"b, \\"c"@example.com', *["email:ann@example.com"] * 2]),
        ({"channel": "email", "scope": "news"}, ['email:"b, \\"c"@example.com', *["email:ann@example.com"] * 3]),
    ],
)
def test_channels_and_streams_can_be_chosen(wanted: dict[str, Any], found: list[str]) -> None:
    assert [each["recipient"] for each in exports(**wanted)] == found


def test_a_providers_accident_does_not_hold_in_an_export_either() -> None:
    window = Reverted(NOW - timedelta(days=2), NOW, "user_unknown")
    _, file = run_export(
        job_context(filled(), find_reverts=lambda who: [window] if "ann" in who else []), channel="email"
    )
    assert [each["kind"] for each in read(file) if "ann" in each["recipient"]] == ["pause", "unsubscribed"]


def test_addresses_stand_bare_and_once_with_what_lasts_longest() -> None:
    found = exports(layout="addresses", channel="email")
    assert list(found[0]) == list(ADDRESS_COLUMNS)
    assert [(each["address"], each["kind"], each["until"]) for each in found] == [
        ('"b, \\"c"@example.com', "complaint", ""),
        ("ann@example.com", "hard", ""),
    ]
    (phone,) = exports(layout="addresses", channel="sms")
    assert (phone["address"], phone["until"]) == ("+14255550156", "2026-04-09T12:00:00.000Z")


def test_addresses_of_a_stream_are_those_of_all_streams_too() -> None:
    table = [
        suppression("email:a@b.example", "news", unsubscribed=cause(1)),
        suppression("email:c@b.example", hard=HARD),
    ]
    assert [each["address"] for each in exports(table, layout="addresses", channel="email")] == ["c@b.example"]
    assert len(exports(table, layout="addresses", channel="email", scope="news")) == 2


def test_lines_of_json_say_the_same() -> None:
    _, file = run_export(job_context(filled()), layout="jsonl")
    lines = [msgspec.json.decode(line) for line in file.splitlines()]
    assert lines == [{name: text for name, text in each.items() if text} for each in exports()]


@pytest.mark.parametrize("layout", ["csv", "jsonl"])
def test_an_import_takes_an_export_back(layout: str) -> None:
    """Who is suppressed there is suppressed here, as long and since then."""
    _, file = run_export(job_context(filled()), layout=layout)
    copy = MemoryStore()
    job = run_import(job_context(copy), file)
    assert job.state is JobState.DONE, job.why
    assert job.progress.summary.new == len(exports())  # type: ignore[union-attr]
    before, after = (
        {
            (row.key, row.causes[kind].latest.at, row.causes[kind].until)  # type: ignore[union-attr]
            for row in stored(store).suppressions.values()
            for kind in find_active_causes(row, NOW)
            if not row.recipient.startswith("erased:")
        }
        for store in (filled(), copy)
    )
    assert before == after


def test_rows_that_say_that_they_do_not_hold_are_not_taken_back() -> None:
    _, file = run_export(job_context(filled()), active=False)
    copy = MemoryStore()
    run_import(job_context(copy), file)
    assert {row.recipient for row in stored(copy).suppressions.values()} == {each["recipient"] for each in exports()}


MANY = [suppression(f"email:{number:05}@example.com", hard=HARD) for number in range(700)]


def small(patch: pytest.MonkeyPatch, part: int = 4000, pages: int = 3) -> None:
    patch.setattr(export_list, "PART_SIZE", part)
    patch.setattr(export_list, "CHUNK", pages)


def test_an_export_that_is_interrupted_after_every_chunk_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    _, whole = run_export(job_context(filled(MANY)))
    small(monkeypatch)
    job, pieces = run_export(job_context(filled(MANY), timer=make_ticking_timer()))
    assert pieces == whole
    assert isinstance(job.progress, ExportProgress)
    assert (job.progress.rows, job.progress.after, len(job.progress.etags) > 5) == (700, None, True)


class Stopped(BaseException):
    """The function was stopped."""


class Fused(MemoryFiles):
    """A bucket whose call that is due stops the function, before or after it was done."""

    def __init__(self, due: int, late: bool) -> None:
        super().__init__()
        self.calls, self._due, self._late = 0, due, late

    def _at(self, call: Callable[[], Any]) -> Any:
        self.calls += 1
        if self.calls == self._due and not self._late:
            raise Stopped
        done = call()
        if self.calls == self._due:
            raise Stopped
        return done

    def put(self, key: str, body: bytes) -> None:
        self._at(lambda: MemoryFiles.put(self, key, body))

    def upload_part(self, key: str, upload_id: str, number: int, body: bytes) -> str:
        return str(self._at(lambda: MemoryFiles.upload_part(self, key, upload_id, number, body)))

    def complete_upload(self, key: str, upload_id: str, etags: tuple[str, ...]) -> None:
        self._at(lambda: MemoryFiles.complete_upload(self, key, upload_id, etags))


@pytest.mark.parametrize("late", [False, True])
def test_an_export_may_be_stopped_at_any_call(monkeypatch: pytest.MonkeyPatch, late: bool) -> None:
    _, whole = run_export(job_context(filled(MANY)))
    small(monkeypatch)
    free = Fused(0, late)
    run_export(job_context(filled(MANY), files=free, timer=make_ticking_timer()))
    assert free.calls > 30
    for due in range(1, free.calls + 1):
        now = [NOW]
        used = job_context(
            filled(MANY), files=Fused(due, late), timer=make_ticking_timer(), clock=lambda now=now: now[0]
        )
        with pytest.raises(Stopped):
            run_export(used)
        now[0] += timedelta(hours=1)  # whoever held it holds it no more
        job = finish_job(used)
        assert used.files.bodies[job.file] == whole, f"stopped at call {due}"  # type: ignore[attr-defined]


def test_memory_does_not_grow_with_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held are a page of suppressions and less than a part and a page of rows."""
    small(monkeypatch)
    used = job_context(filled(MANY))
    queries, files = used.queries, used.files
    assert isinstance(queries, MemoryListQueries) and isinstance(files, MemoryFiles)
    sizes: list[int] = []

    def part(_key: str, _upload: str, number: int, body: bytes) -> str:
        sizes.append(len(body))
        return str(number)

    monkeypatch.setattr(files, "upload_part", part)
    monkeypatch.setattr(files, "complete_upload", lambda key, *_: files.put(key, b""))
    run_export(used)
    row = len(
        b"email:00000@example.com,*,hard,2026-03-30T12:00:00.000Z,2026-03-30T12:00:00.000Z,user_unknown,,ses,yes\r\n"
    )
    assert sum(sizes) > 60_000
    assert max(sizes) < 4000 + queries.size * row
    assert queries.largest_page <= queries.size


@pytest.mark.parametrize("layout", ["csv", "jsonl", "addresses"])
def test_nothing_to_export_is_an_empty_file(layout: str) -> None:
    _, file = run_export(job_context(), layout=layout, channel="email")
    assert file.count(b"\n") == (layout != "jsonl")


def test_a_table_that_does_not_answer_is_asked_again() -> None:
    class Silent(MemoryListQueries):
        def scan_suppressions(self, after: Any, limit: int = 0) -> Any:
            raise StoreUnavailable("not now")

    store, now = filled(), [NOW]
    silent = job_context(store, queries=Silent(store), clock=lambda: now[0])
    with pytest.raises(StoreUnavailable):
        run_export(silent)
    now[0] += timedelta(hours=1)
    assert (
        finish_job(job_context(store, jobs=silent.jobs, files=silent.files, clock=lambda: now[0])).state
        is JobState.DONE
    )


TOKENS = [
    suppression("push:apns:0f744707", hard=cause(2, Reason.USER_UNKNOWN)),
    suppression("push:fcm:dGVz:APA91b", provider=cause(4), hard=cause(3, Reason.USER_UNKNOWN)),
    suppression("push:fcm:left", unsubscribed=cause(1)),
    suppression("push:fcm:back", hard=cause(9, until=NOW - timedelta(days=1))),
    suppression("push:fcm:quiet", "news", unsubscribed=cause(1)),
    suppression("email:dee@example.com", hard=HARD),
]


def test_a_file_of_tokens_has_the_dead_ones_alone() -> None:
    _, body = run_export(job_context(filled(TOKENS)), layout="tokens", channel="push")
    found = list(csv.DictReader(io.StringIO(body.decode())))
    assert [(row["token"], row["service"], row["kind"], row["reason"]) for row in found] == [
        ("0f744707", "apns", "hard", "user_unknown"),
        ("dGVz:APA91b", "fcm", "hard", "user_unknown"),
    ]
    assert tuple(found[0]) == TOKEN_COLUMNS


def test_exports_on_a_schedule_replace_the_files_of_the_last_time() -> None:
    world = ListJobApi(filled([*TABLE, *TOKENS]))
    files = world.context.files.bodies  # type: ignore[attr-defined]
    assert {job.state for job in world.service.export_all("schedule")} == {JobState.DONE}
    names = {"exports/suppressed-email.csv", "exports/suppressed-sms.csv", "exports/suppressed-push.csv"}
    assert {name for name in files if ".buffer" not in name} == names | {"exports/tokens-to-disable.csv"}
    assert b"ann@example.com" in files["exports/suppressed-email.csv"]
    assert b"fcm:left" in files["exports/suppressed-push.csv"]
    before = dict(files)
    world.service.export_all("schedule")
    assert {name: files[name] for name in names} == {name: before[name] for name in names}


def test_two_that_write_one_file_at_once_mix_nothing() -> None:
    """Each has its own upload and its own buffer: whoever ends last has written the whole file."""
    store, files = filled([suppression(f"push:fcm:t{number:03}", hard=HARD) for number in range(300)]), MemoryFiles()
    _, alone = run_export(job_context(store), layout="tokens", channel="push")
    contexts = [job_context(store, files=files, timer=make_ticking_timer()) for _ in range(2)]
    wanted = ExportRequest(layout="tokens", channel="push", file="exports/tokens-to-disable.csv")
    for number, context in enumerate(contexts):
        context.jobs.put(create_job(f"job{number}", wanted, "schedule", NOW))
    pending = [(f"job{number}", context) for number, context in enumerate(contexts)]
    while pending:
        pending = [each for each in pending if (job := run_job(*each, 0.0)) and job.state is JobState.QUEUED]
    assert files.bodies["exports/tokens-to-disable.csv"] == alone


def test_a_file_of_tokens_is_of_push() -> None:
    world = ListJobApi(filled(TOKENS))
    assert world.api("GET", "/suppressions/export?format=tokens&channel=sms").status == 422
    assert world.api("GET", "/suppressions/export?format=tokens").text.count("\r\n") == 3

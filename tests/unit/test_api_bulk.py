"""List jobs in the API: they are begun, worked while somebody waits, continued from a queue, and shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from aftersend.api import list_jobs
from aftersend.core import policy
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Act, Decision, Feedback, Kind, Reason
from aftersend.core.spike_guard import Incident, Window
from aftersend.core.suppression import find_active_causes
from aftersend.ingest import ingest
from aftersend.lists import import_list
from aftersend.lists.formats import FORMATS, FormatName
from aftersend.lists.job import (
    LEASE,
    ExportRequest,
    ImportRequest,
    JobState,
    RevertRequest,
    create_import,
    create_job,
)
from tests.support.api import ARN, Api, api_context
from tests.support.facts import fact, fake_source, message
from tests.support.list_jobs import ListJobApi, MemoryFiles, ingest_facts, job_context, make_ticking_timer
from tests.support.list_jobs import run_import as taken
from tests.support.oracle import stored
from tests.support.ports import NOW, MemoryStore, ports

CSV = b"recipient,kind,at\r\nann@example.com,hard,2026-03-01T00:00:00Z\r\nnobody,hard,2026-03-01T00:00:00Z\r\n"
AS_CSV = {"content-type": "text/csv; charset=utf-8"}
ACCIDENT = {
    "dry_run": False,
    "domain": "Example.com",
    "reason": "user_unknown",
    "since": "2026-03-01T00:00:00Z",
    "until": "2026-03-02T00:00:00Z",
    "note": "their fault",
}


def suppressed(store: MemoryStore) -> set[str]:
    return {row.recipient for row in stored(store).suppressions.values() if find_active_causes(row, NOW)}


def test_jobs_are_listed_the_newest_first_over_the_month_s_end() -> None:
    world = ListJobApi()
    begun = []
    for day in range(5):
        now = NOW - timedelta(days=day * 7 + 1)
        job = create_job(
            f"{day + 10:032x}", RevertRequest(dry_run=True, domain="d", reason="r", since=now, until=now), ARN, now
        )
        begun.append(world.context.jobs.put(replace(job, state=JobState.FAILED if day == 3 else JobState.DONE)).id)
    world.service.begin(ExportRequest(), "somebody", None)
    pages = list(world.api.pages("/jobs?limit=2"))
    assert [each["job"] for page in pages for each in page["jobs"]] == ["export", *["revert"] * 5]
    assert [each["id"] for page in pages for each in page["jobs"]][1:] == begun
    (failed,) = [each for page in world.api.pages("/jobs?state=failed&limit=2") for each in page["jobs"]]
    assert failed["id"] == begun[3]
    (export,) = [each for page in world.api.pages("/jobs?job=export&limit=2") for each in page["jobs"]]
    assert (export["by"], "download" in export) == ("somebody", False)


def test_a_small_list_is_taken_in_at_once() -> None:
    world = ListJobApi()
    answer = world.api("POST", "/suppressions/import?dry_run=false", CSV.decode(), AS_CSV)
    assert answer.status == 200
    shown = answer.json
    assert answer.headers["location"] == f"/jobs/{shown['id']}"
    assert shown == {
        "id": shown["id"],
        "job": "import",
        "state": "done",
        "by": ARN,
        "created_at": "2026-03-31T12:00:00Z",
        "format": "aftersend",
        "imported": {
            "rows": 2,
            "new": 1,
            "updated": 0,
            "unchanged": 0,
            "skipped": 0,
            "invalid": 1,
            "errors": [{"line": 3, "why": "not one recipient: an e-mail address has a name, an @ and a domain"}],
            "lifted": 0,
        },
        "read": len(CSV),
    }
    assert suppressed(world.store) == {"email:ann@example.com"}
    assert world.api("GET", answer.headers["location"]).json == shown


def test_a_dry_run_reports_the_same_and_changes_nothing() -> None:
    world = ListJobApi()
    dry = world.api("POST", "/suppressions/import?dry_run=true", CSV.decode(), AS_CSV).json
    real = world.api("POST", "/suppressions/import?dry_run=false", CSV.decode(), AS_CSV).json
    assert dry["dry_run"] is True
    assert dry["imported"] == real["imported"]


def test_whether_it_is_a_dry_run_is_always_said() -> None:
    answer = ListJobApi().api("POST", "/suppressions/import", CSV.decode(), AS_CSV)
    assert (answer.status, "dry_run" in answer.json["detail"]) == (422, True)


def test_what_takes_longer_goes_on_from_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_list, "CHUNK", 1)
    world = ListJobApi(timer=make_ticking_timer())
    answer = world.api("POST", "/suppressions/import?dry_run=false", CSV.decode(), AS_CSV)
    assert (answer.status, answer.json["state"], answer.json["imported"]["rows"]) == (202, "queued", 1)
    world.drain()
    shown = world.api("GET", answer.headers["location"]).json
    assert (shown["state"], shown["imported"]["rows"]) == ("done", 2)


def test_a_function_that_stops_leaves_a_message_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens after the job was written down, somebody goes on with it, once nobody can have it any more."""
    now = [NOW]
    world = ListJobApi(clock=lambda: now[0])

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(import_list, "split_records", stopped)
        with pytest.raises(KeyboardInterrupt):
            world.api("POST", "/suppressions/import?dry_run=false", CSV.decode(), AS_CSV)
    ((id_, seconds),) = world.sent
    assert timedelta(seconds=seconds) > LEASE
    world.service.resume(id_, 10.0)  # too early: it asks for the job again later
    assert world.sent == [(id_, seconds)] * 2
    assert not suppressed(world.store)
    now[0] += timedelta(seconds=seconds)
    world.drain()
    assert suppressed(world.store) == {"email:ann@example.com"}


def test_a_store_that_does_not_answer_leaves_the_job_to_the_queue() -> None:
    class Silent(MemoryStore):
        silent = True

        def get_suppressions(self, keys: Any) -> Any:
            if self.silent:
                raise StoreUnavailable("not now")
            return super().get_suppressions(keys)

    store, now = Silent(), [NOW]
    world = ListJobApi(store, clock=lambda: now[0])
    answer = world.api("POST", "/suppressions/import?dry_run=false", CSV.decode(), AS_CSV)
    assert answer.status == 202
    store.silent = False
    now[0] += timedelta(minutes=10)
    world.drain()
    assert world.api("GET", answer.headers["location"]).json["state"] == "done"


@pytest.mark.parametrize(
    ("query", "body", "headers", "status"),
    [
        ("dry_run=false&format=nonsense", "a", AS_CSV, 422),
        ("dry_run=false&at=2026-03-01T00:00:00", "a", AS_CSV, 422),
        ("dry_run=false&at=2300-03-01T00:00:00Z", "a", AS_CSV, 422),
        ("dry_run=maybe", "a", AS_CSV, 422),
        ("dry_run=false", "a", {"content-type": "application/pdf"}, 415),
        ("dry_run=false", "a" * (list_jobs.MAX_LIST + 1), AS_CSV, 413),
    ],
)
def test_what_makes_no_sense_begins_no_job(query: str, body: str, headers: dict[str, str], status: int) -> None:
    world = ListJobApi()
    assert world.api("POST", f"/suppressions/import?{query}", body, headers).status == status
    assert not world.sent


def test_a_list_that_nobody_knows_fails_with_a_reason() -> None:
    answer = ListJobApi().api("POST", "/suppressions/import?dry_run=false", "one,two\r\n1,2\r\n", AS_CSV)
    assert (answer.status, answer.json["state"]) == (200, "failed")
    assert "recipient" in answer.json["why"]


@pytest.mark.parametrize("kind", list_jobs.LIST_TYPES)
def test_lists_come_as_any_of_their_types(kind: str) -> None:
    lines = '{"recipient":"ann@example.com","at":"2026-03-01T00:00:00Z"}\n'
    body = CSV.decode() if kind == "text/csv" else lines
    answer = ListJobApi().api("POST", "/suppressions/import?dry_run=false", body, {"content-type": kind})
    assert answer.json["imported"]["new"] == 1


def test_a_large_list_is_uploaded_first_and_then_started() -> None:
    world = ListJobApi()
    answer = world.api("POST", "/suppressions/import/uploads?dry_run=false&format=ses&scope=news&bytes=45")
    shown = answer.json
    assert (answer.status, shown["state"], shown["format"]) == (201, "waiting", "ses")
    assert shown["upload"] == {
        "method": "PUT",
        "url": f"https://bucket.example/jobs/{shown['id']}/list?put=45",
        "until": "2026-03-31T13:00:00Z",
    }
    world.context.files.put(f"jobs/{shown['id']}/list", b"ann@example.com,BOUNCE,2026-03-01T00:00:00Z\n")
    started = world.api("POST", f"/jobs/{shown['id']}/start")
    assert (started.status, started.json["state"], "upload" in started.json) == (202, "queued", False)
    world.drain()
    done = world.api("GET", f"/jobs/{shown['id']}").json
    assert (done["state"], done["imported"]["new"]) == ("done", 1)
    assert suppressed(world.store) == {"email:ann@example.com"}


@pytest.mark.parametrize("size", ["", "&bytes=0", "&bytes=-1", "&bytes=1073741825", "&bytes=many"])
def test_an_upload_has_a_size_and_a_bound(size: str) -> None:
    """Whoever has the address of an upload could fill the bucket else."""
    answer = ListJobApi().api("POST", f"/suppressions/import/uploads?dry_run=false{size}")
    assert (answer.status, "upload" in answer.json) == (422, False)
    assert ListJobApi().api("POST", "/suppressions/import?dry_run=false&bytes=9", CSV.decode(), AS_CSV).status == 422


def test_a_job_that_is_started_before_its_list_is_there_fails_with_a_reason() -> None:
    world = ListJobApi()
    shown = world.api("POST", "/suppressions/import/uploads?dry_run=false&bytes=9").json
    world.api("POST", f"/jobs/{shown['id']}/start")
    world.drain()
    assert world.api("GET", f"/jobs/{shown['id']}").json["why"] == "no file has been uploaded, or its 7 days are over"


def test_started_twice_it_is_done_once() -> None:
    world = ListJobApi()
    shown = world.api("POST", "/suppressions/import/uploads?dry_run=false&bytes=9").json
    world.context.files.put(f"jobs/{shown['id']}/list", CSV)
    for _ in range(2):
        assert world.api("POST", f"/jobs/{shown['id']}/start").status == 202
    world.drain()
    assert world.api("POST", f"/jobs/{shown['id']}/start").status == 200
    assert not world.sent
    assert world.store.puts == 1


# ---- What a dry run has tried --------------------------------------------------------------------------------------


def try_list(world: ListJobApi, body: bytes = CSV, query: str = "") -> Any:
    """A list that was uploaded and tried: its job, which is done."""
    shown = world.api("POST", f"/suppressions/import/uploads?dry_run=true&bytes={len(body)}{query}").json
    world.context.files.put(f"jobs/{shown['id']}/list", body)
    world.api("POST", f"/jobs/{shown['id']}/start")
    world.drain()
    return world.api("GET", f"/jobs/{shown['id']}").json


@pytest.mark.parametrize("is_uploaded", [True, False])
def test_what_was_tried_is_imported_from_the_same_file_by_whoever_asks(is_uploaded: bool) -> None:
    world = ListJobApi()
    path = "/suppressions/import?dry_run=true&scope=news"
    tried = try_list(world, query="&scope=news") if is_uploaded else world.api("POST", path, CSV.decode(), AS_CSV).json
    assert not suppressed(world.store)
    bob = Api(world.api.context, by={"iam": {"userArn": "arn:aws:iam::111122223333:user/bob"}})
    answer = bob("POST", f"/jobs/{tried['id']}/apply")
    job = answer.json
    assert (answer.status, answer.headers["location"]) == (200, f"/jobs/{job['id']}")
    assert (job["state"], job.get("dry_run"), job["imported"]) == ("done", None, tried["imported"])
    assert job["id"] != tried["id"]
    (row,) = stored(world.store).suppressions.values()
    (decision,) = row.history
    assert (decision.by, decision.note) == ("arn:aws:iam::111122223333:user/bob", f"import aftersend {job['id']}")
    request = world.context.jobs.get(job["id"]).request  # type: ignore[union-attr]
    assert request == ImportRequest(
        dry_run=False, scope="news", bytes=len(CSV) if is_uploaded else None, tried=tried["id"]
    )


def test_applied_twice_it_is_one_job_that_writes_once() -> None:
    world = ListJobApi()
    tried = try_list(world)
    first, second = (world.api("POST", f"/jobs/{tried['id']}/apply").json for _ in range(2))
    assert first == second
    world.drain()
    assert world.store.puts == 1
    assert len(world.api("GET", "/jobs").json["jobs"]) == 2


def test_two_who_apply_it_at_once_have_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one writes the job down between the look for it and the write."""
    world = ListJobApi()
    tried, get = try_list(world), world.context.jobs.get
    unseen = [True]

    def look(id_: str) -> Any:
        if id_ != tried["id"] and unseen:
            unseen.clear()
            world.service.apply(get(tried["id"]), "bob")  # type: ignore[arg-type]
            return None
        return get(id_)

    monkeypatch.setattr(world.context.jobs, "get", look)
    answer = world.api("POST", f"/jobs/{tried['id']}/apply")
    assert (answer.status, answer.json["state"], answer.json["by"]) == (200, "done", "bob")
    assert world.store.puts == 1


def test_an_import_that_was_stopped_before_anybody_went_on_with_it_goes_on_when_it_is_asked_for_again() -> None:
    world = ListJobApi()
    tried = world.context.jobs.get(try_list(world)["id"])
    assert tried is not None
    job = world.context.jobs.put(create_import(tried, ARN, NOW))  # and then nothing, not even a message
    assert world.api("POST", f"/jobs/{tried.id}/apply").json["state"] == "queued"
    world.drain()
    assert world.api("GET", f"/jobs/{job.id}").json["state"] == "done"


@pytest.mark.parametrize("body", [CSV, b"recipient,kind,at\r\n"])
def test_a_list_that_was_replaced_since_it_was_tried_is_not_imported(body: bytes) -> None:
    """The address of an upload works for an hour, for whoever has it."""
    world = ListJobApi()
    tried = try_list(world, body, "&format=aftersend")
    assert (tried["state"], tried.get("why")) == ("done", None)
    world.context.files.put(f"jobs/{tried['id']}/list", CSV.replace(b"ann", b"bob"))
    job = world.api("POST", f"/jobs/{tried['id']}/apply").json
    assert (job["state"], job["why"]) == ("failed", "the file was changed while it was read")
    assert not suppressed(world.store)


def test_only_a_dry_run_that_is_done_is_applied() -> None:
    world = ListJobApi()
    waiting = world.api("POST", "/suppressions/import/uploads?dry_run=true&bytes=9").json
    failed = try_list(world, b"a,b\r\n1,2\r\n")
    real = world.api("POST", "/suppressions/import?dry_run=false", CSV.decode(), AS_CSV).json
    reverted = world.api("POST", "/suppressions/revert", ACCIDENT | {"dry_run": True}).json
    assert failed["state"] == "failed" and reverted["state"] == "done"
    sent = list(world.sent)
    for job in (waiting, failed, real, reverted):
        answer = world.api("POST", f"/jobs/{job['id']}/apply")
        assert (answer.status, answer.json["type"]) == (409, "urn:aftersend:problem:not-tried")
    assert world.sent == sent


@pytest.mark.parametrize("id_", ["0" * 32, "nonsense", "../../etc"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/jobs/{}"), ("POST", "/jobs/{}/start"), ("POST", "/jobs/{}/apply")]
)
def test_jobs_that_do_not_exist(method: str, path: str, id_: str) -> None:
    assert ListJobApi().api(method, path.format(id_)).status == 404


def filled(count: int = 5) -> MemoryStore:
    store = MemoryStore()
    rows = "".join(f"{number}@example.com,2026-03-01T00:00:00Z\n" for number in range(count))
    taken(job_context(store), f"recipient,at\n{rows}".encode())
    return store


def test_pages_of_an_export_are_one_file() -> None:
    world = ListJobApi(filled())
    whole = world.api("GET", "/suppressions/export")
    assert (whole.status, whole.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert whole.text.count("\r\n") == 6
    text, query = "", "limit=2"
    while query:
        page = world.api("GET", f"/suppressions/export?{query}")
        text += page.text
        cursor = page.headers.get("next-cursor")
        query = f"limit=2&cursor={cursor}" if cursor else ""
    assert text == whole.text


def test_a_cursor_of_another_export_leads_nowhere() -> None:
    world = ListJobApi(filled())
    cursor = world.api("GET", "/suppressions/export?limit=2").headers["next-cursor"]
    assert world.api("GET", f"/suppressions/export?format=jsonl&cursor={cursor}").status == 400


def test_pages_without_rows_are_passed_over_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ListJobApi(filled())
    assert world.api("GET", "/suppressions/export?channel=sms&limit=1").text.count("\r\n") == 1
    monkeypatch.setattr(list_jobs, "MAX_QUERIES", 2)
    page = world.api("GET", "/suppressions/export?channel=sms&limit=1")
    assert (page.text.count("\r\n"), "next-cursor" in page.headers) == (1, True)


def test_a_file_of_addresses_is_of_one_channel() -> None:
    world = ListJobApi(filled())
    assert world.api("GET", "/suppressions/export?format=addresses").status == 422
    assert world.api("POST", "/suppressions/export", {"format": "addresses"}).status == 422
    assert "0@example.com,manual" in world.api("GET", "/suppressions/export?format=addresses&channel=email").text


def test_a_whole_export_is_a_file_to_be_got() -> None:
    world = ListJobApi(filled())
    shown = world.api("POST", "/suppressions/export", {"format": "csv", "channel": "email"}).json
    assert (shown["state"], shown["exported"]) == ("done", {"rows": 5})
    assert shown["download"]["url"].endswith(f"jobs/{shown['id']}/export?get=suppressions-{shown['id'][:8]}.csv")
    files = world.context.files
    assert isinstance(files, MemoryFiles)
    assert files.bodies[f"jobs/{shown['id']}/export"] == world.api("GET", "/suppressions/export").text.encode()


def bounced() -> MemoryStore:
    return ingest_facts([fact(Kind.BOUNCED, 0.5, "hard")], MemoryStore())


def test_evidence_of_a_time_that_has_not_come_can_be_reverted() -> None:
    """A source whose clock is wrong: later evidence than a release counts, where it comes after it."""
    early = fact(Kind.BOUNCED, 30_000, "hard")
    store = ingest_facts([fact(Kind.DELIVERED, 0)], MemoryStore())
    world = ListJobApi(store)
    assert world.api("DELETE", "/suppressions/ann@example.com?note=x").status == 200
    ingest_facts([early], store)
    assert world.api("HEAD", "/suppressions/ann@example.com").status == 200
    since, until = ((early.occurred_at + timedelta(hours=hours)).isoformat() for hours in (-1, 1))
    shown = world.api("POST", "/suppressions/revert", ACCIDENT | {"since": since, "until": until}).json
    assert shown["reverted"] == {"found": 1, "changed": 1, "freed": 1}
    assert world.api("HEAD", "/suppressions/ann@example.com").status == 404


def test_a_revert_is_tried_first_and_then_done() -> None:
    world = ListJobApi(bounced())
    assert suppressed(world.store)
    dry = world.api("POST", "/suppressions/revert", ACCIDENT | {"dry_run": True}).json
    assert (dry["dry_run"], dry["reverted"]) == (True, {"found": 1, "changed": 1, "freed": 1})
    assert suppressed(world.store)
    shown = world.api("POST", "/suppressions/revert", ACCIDENT).json
    assert shown["reverted"] == dry["reverted"]
    assert not suppressed(world.store)


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (fact(Kind.COMPLAINED, 0.5), Reason.COMPLAINT),
        (fact(Kind.BOUNCED, 0.5, "listed", scope="news"), Reason.SUPPRESSED),
    ],
)
def test_people_s_own_wishes_are_reverted_by_force_alone(wish: Feedback, reason: Reason) -> None:
    """As they are released by force alone: a revert is the same for many."""
    world = ListJobApi()
    with fake_source():
        rules = policy.load('unsubscribed.provider_codes = ["listed"]')
        assert not ingest([message([wish])], ports(world.store, policy=rules)).failed
    ((_, scope),) = world.store.suppressions_table
    target = f"/suppressions/ann@example.com?scope={quote(scope)}"
    wanted = ACCIDENT | {"reason": reason}
    dry = world.api("POST", "/suppressions/revert", wanted | {"dry_run": True}).json
    assert dry["reverted"] == {"found": 1, "changed": 1, "freed": 1}
    refused = world.api("POST", "/suppressions/revert", wanted)
    assert (refused.status, refused.json["type"]) == (409, "urn:aftersend:problem:release-requires-force")
    assert world.api("HEAD", target).status == 200
    done = world.api("POST", "/suppressions/revert", wanted | {"force": True}).json
    assert done["reverted"] == dry["reverted"]
    assert world.api("HEAD", target).status == 404


@pytest.mark.parametrize("reason", [each for each in Reason if each not in (Reason.COMPLAINT, Reason.SUPPRESSED)])
def test_what_a_provider_did_is_reverted_without(reason: Reason) -> None:
    assert ListJobApi().api("POST", "/suppressions/revert", ACCIDENT | {"reason": reason}).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"until": "2026-02-28T00:00:00Z"},
        {"until": "2026-05-01T00:00:00Z"},
        {"since": "1999-01-01T00:00:00Z", "until": "1999-01-02T00:00:00Z"},
        {"reason": "because"},
        {"note": ""},
        {"domain": ""},
        {"since": "2026-03-01T00:00:00"},
        {"more": 1},
    ],
)
def test_a_revert_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    assert ListJobApi().api("POST", "/suppressions/revert", ACCIDENT | wrong).status == 422


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("Example.COM", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("push:apns", "push:apns"),
        ("sms", "sms"),
    ],
)
def test_domains_are_called_as_the_spike_guard_calls_them(given: str, meant: str) -> None:
    world = ListJobApi()
    shown = world.api("POST", "/suppressions/revert", ACCIDENT | {"domain": given, "dry_run": True}).json
    job = world.service.context.jobs.get(shown["id"])
    assert job is not None
    assert (job.request.domain, job.state) == (meant, JobState.DONE)  # type: ignore[union-attr]


def test_whoever_is_erased_is_forgotten_and_stays_suppressed() -> None:
    world = ListJobApi(bounced())
    answer = world.api("DELETE", "/recipients/Ann@Example.com")
    assert (answer.status, answer.json) == (200, {"outcomes": 1, "suppressions": 1, "suppressed": True})
    assert "ann" not in repr(world.store.outcomes_table) + repr(world.store.suppressions_table)
    (checked,) = world.api("POST", "/suppressions/check", {"recipients": ["ann@example.com"]}).json["results"]
    assert checked["suppressed"] is True
    assert world.api("DELETE", "/recipients/ann@example.com").json == {
        "outcomes": 0,
        "suppressions": 0,
        "suppressed": True,
    }


@pytest.mark.parametrize(("act", "suppressed_then"), [(Act.REVERTED, False), (None, True)])
def test_an_accident_that_was_taken_back_holds_nobody_who_is_erased(act: Act | None, suppressed_then: bool) -> None:
    """Who may be written to may be so under their alias, too; what nobody has judged yet is kept to be safe."""
    world = ListJobApi(bounced())
    window = Window("example.com", NOW - timedelta(days=60), NOW)
    decision = Decision(at=NOW, by=ARN, act=act) if act else None
    incidents = [Incident(window, Reason.USER_UNKNOWN, 100, 120, decision)]
    api = Api(replace(world.api.context, incidents=lambda: incidents))
    assert api("HEAD", "/suppressions/ann@example.com").status == 404
    assert api("DELETE", "/recipients/ann@example.com").json["suppressed"] is suppressed_then
    assert (api("HEAD", "/suppressions/ann@example.com").status == 200) is suppressed_then


def test_an_alias_is_not_erased_a_second_time() -> None:
    world = ListJobApi(bounced())
    world.api("DELETE", "/recipients/ann@example.com")
    assert world.api("DELETE", f"/recipients/{world.api.context.make_alias('email:ann@example.com')}").status == 422
    assert world.api("DELETE", "/recipients/erased:").status == 422
    assert len(world.store.suppressions_table) == 1


def test_a_function_without_list_jobs_has_no_routes_for_them() -> None:
    assert Api(api_context())("DELETE", "/recipients/ann@example.com").status == 404


def test_every_format_can_be_named() -> None:
    assert list(get_args(FormatName)) == list(FORMATS)

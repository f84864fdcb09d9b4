"""What a newer version wrote is never rewritten by this one, whatever it does; what fails for it is not lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from aftersend.aws.tasks import run_calls
from aftersend.core import policy, spike_guard
from aftersend.core.erasure import make_alias
from aftersend.core.errors import ServiceError, Unreadable, VersionMoved
from aftersend.core.model import Act, Decision, Feedback, Reason, Suppression
from aftersend.core.outcome import merge
from aftersend.core.spike_guard import Traffic, find_window
from aftersend.core.steps import run_steps
from aftersend.core.writes import Put, SuppressionUpdate, update_outcome, update_suppression
from aftersend.ingest import ingest
from aftersend.jobs.reevaluate import ReevaluationJob
from aftersend.lists.erase import erase as erase_recipient
from aftersend.lists.job import SCHEMA as JOB_SCHEMA
from aftersend.lists.job import ImportRequest, JobState, create_job, encode_job
from aftersend.lists.job_table import ListJobs
from aftersend.lists.runner import run_job
from aftersend.storage import items, unmatched
from aftersend.storage.deletions import Deletions
from aftersend.storage.items import Item
from aftersend.storage.queries import Queries
from aftersend.storage.schema import decoder
from aftersend.storage.spike_windows import SCHEMA, IncidentCache, SpikeWindows
from aftersend.storage.store import Store, TableNames, make_row
from aftersend.storage.unmatched import UnmatchedTexts
from aftersend_cli import restore
from aftersend_cli.output import Output
from tests import engines
from tests.engines import Engine
from tests.support.facts import ANN, START, bounce, classify, fake_source, message
from tests.support.list_jobs import job_context, run_import
from tests.support.oracle import differences, expected, scanned
from tests.support.ports import NOW, RETENTION, MemoryArchive, ports
from tests.support.reevaluation import RULES, reevaluation
from tests.support.reevaluation import run as run_reevaluation
from tests.support.strategies import SHORT, feedback, streaks
from tests.support.windows import encode_window


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


@pytest.fixture(scope="module")
def moto() -> Iterator[Engine]:
    with engines.running("moto") as engine:
        yield engine


class Stack(Struct, frozen=True):
    """Two tables, and this version's hands on them."""

    client: Any  # as functions have it
    boto3: Any  # which knows nothing of what is written
    names: TableNames

    @property
    def store(self) -> Store:
        return Store(self.client, self.names, clock=lambda: NOW)

    def items(self) -> list[tuple[str, Item]]:
        tables = (self.names.outcomes, self.names.suppressions)
        return [(table, item) for table in tables for item in self.boto3.scan(TableName=table)["Items"]]

    def raw(self, table: str, item: Item) -> Item | None:
        key = {name: item[name] for name in ("recipient", "scope" if "scope" in item else "message")}
        found: Item | None = self.boto3.get_item(TableName=table, Key=key).get("Item")
        return found

    def put(self, table: str, item: Item) -> None:
        self.boto3.put_item(TableName=table, Item=item)


def newer(item: Item) -> Item:
    """The item as a newer version has written it over: of a higher schema, and with something in it that we drop."""
    version = {"N": str(int(item["version"]["N"]) + 1)}
    return item | {"schema": {"N": "3"}, "version": version, "of_tomorrow": {"M": {"a": {"S": "b"}}}}


def stack_of(engine: Engine) -> Stack:
    return Stack(engine.connect(), engine.client(), engine.tables())


def ingest_one_by_one(facts: list[Feedback], stack: Stack) -> tuple[list[Feedback], MemoryArchive]:
    """Ingest each fact as a message of its own, in one batch; which ones must come back, and what is archived."""
    archive = MemoryArchive()
    batch = [message([each], str(place)) for place, each in enumerate(facts)]
    report = ingest(batch, ports(stack.store, policy=SHORT, archive=archive))
    assert not report.unreadable
    return [facts[int(id_)] for id_ in report.failed], archive


# ---- What this version does with its tables --------------------------------------------------------------------------


def release(stack: Stack, item: Item) -> None:
    recipient, scope = item["recipient"]["S"], item.get("scope", {"S": "*"})["S"]
    decision = Decision(at=NOW, by="ops", act=Act.RELEASED, note="asked")
    stored = stack.store.get_suppressions([(recipient, scope)]).get((recipient, scope))
    wanted = SuppressionUpdate((recipient, scope), decisions=(decision,), recount=True)
    run_steps(update_suppression(wanted, stored, SHORT), stack.store.answer)


def look(stack: Stack, item: Item) -> None:
    key = item["recipient"]["S"], item.get("message", {"S": "test:1"})["S"]
    stored = stack.store.get_outcomes([key]).get(key)
    decision = Decision(at=NOW, by="ops", act=Act.RESOLVED)
    run_steps(update_outcome(stored, [], classify, look=decision), stack.store.answer)


def reevaluate(stack: Stack, item: Item) -> None:
    queries = Queries(stack.client, stack.names)
    done = run_reevaluation(ReevaluationJob(segments=1), reevaluation(stack.store, SHORT, RULES[1], queries))
    assert sum(each.changes.counts.get("unreadable", 0) for each in done) == 1, "it is counted"


def import_list(stack: Stack, item: Item) -> None:
    used = job_context(stack.store, queries=Queries(stack.client, stack.names))
    address, scope = item["recipient"]["S"].removeprefix("email:"), item.get("scope", {"S": "*"})["S"]
    run_import(used, f"recipient,scope,kind,at\n{address},{scope},manual,2026-03-05".encode())


def export_list(stack: Stack, item: Item) -> None:
    Queries(stack.client, stack.names).scan_suppressions(None)


def erase(stack: Stack, item: Item) -> None:
    queries, deletions = Queries(stack.client, stack.names), Deletions(stack.client, stack.names)
    recipient = item["recipient"]["S"]
    erase_recipient(
        recipient, make_alias(recipient, b"key"), job_context(stack.store, queries=queries, deletions=deletions)
    )


def restore_into(stack: Stack, item: Item) -> None:
    """What is in a backup of the day before, into the tables in use."""
    old: Any = {name: value for name, value in item.items() if name != "of_tomorrow"} | {"schema": {"N": "1"}}
    if "scope" in item:
        restore.join_suppression(stack.store, SHORT, items.decode_suppression(old))
    else:
        restore.join_outcome(stack.store, classify, SHORT, items.decode_outcome(old))


ACTIONS: Final[list[Callable[[Stack, Item], None]]] = [
    *(release, look, reevaluate, import_list, export_list, erase, restore_into)
]


@settings(max_examples=15)
@given(feedback() | streaks(), st.data())
def test_what_a_newer_version_wrote_stays_byte_for_byte_and_nothing_is_lost(
    moto: Engine, facts: list[Feedback], data: Any
) -> None:
    """Law 4, for an item that cannot be read: what concerns it comes back, the rest of the batch is done."""
    stack = stack_of(moto)
    before = data.draw(st.lists(st.sampled_from(facts), min_size=1))
    assert not ingest_one_by_one(before, stack)[0]
    table, mine = data.draw(st.sampled_from(stack.items()))
    stack.put(table, newer(mine))
    for action in data.draw(st.permutations([action for action in ACTIONS if action is not erase])):
        with suppress(Unreadable, VersionMoved):
            action(stack, newer(mine))
        assert stack.raw(table, mine) == newer(mine), action.__name__
    failed, archive = ingest_one_by_one(facts, stack)
    assert stack.raw(table, mine) == newer(mine)
    assert len(archive.bodies) == len(facts), "every body is safe before anything is read"
    assert {each.recipient for each in failed} <= {mine["recipient"]["S"]}


@settings(max_examples=15)
@given(feedback() | streaks(), st.data())
def test_what_came_back_is_brought_in_once_the_item_can_be_read(moto: Engine, facts: list[Feedback], data: Any) -> None:
    stack = stack_of(moto)
    before = data.draw(st.lists(st.sampled_from(facts), min_size=1))
    assert not ingest_one_by_one(before, stack)[0]
    table, mine = data.draw(st.sampled_from(stack.items()))
    stack.put(table, newer(mine))
    failed, _ = ingest_one_by_one(facts, stack)
    stack.put(table, mine)
    assert not ingest_one_by_one(failed, stack)[0]
    assert not differences(scanned(moto.client(), stack.names), expected([*before, *facts], classify, SHORT))


# ---- Whoever meets it says so ----------------------------------------------------------------------------------------


def _hard(stack: Stack, which: str) -> tuple[str, Item]:
    ingest_one_by_one([bounce(1, "hard")], stack)
    [(table, item)] = [(table, item) for table, item in stack.items() if ("scope" in item) == (which == "suppression")]
    stack.put(table, newer(item))
    return table, newer(item)


@pytest.mark.parametrize(
    ("action", "which"),
    [
        (release, "suppression"),
        (look, "outcome"),
        (import_list, "suppression"),
        (export_list, "suppression"),
        (erase, "suppression"),
        (erase, "outcome"),
        (restore_into, "suppression"),
        (restore_into, "outcome"),
    ],
)
def test_whoever_meets_it_says_so(moto: Engine, action: Callable[[Stack, Item], None], which: str) -> None:
    """An erasure too: it deletes nothing of which it does not know what it is, and has not erased anybody then."""
    stack = stack_of(moto)
    table, item = _hard(stack, which)
    with pytest.raises(Unreadable, match="schema 3"):
        action(stack, item)
    assert stack.raw(table, item) == item


@pytest.mark.parametrize("which", ["outcome", "suppression"])
def test_reevaluation_counts_it_and_goes_on(moto: Engine, which: str) -> None:
    stack = stack_of(moto)
    table, item = _hard(stack, which)
    reevaluate(stack, item)
    assert stack.raw(table, item) == item


@pytest.mark.parametrize("which", ["outcome", "suppression"])
@pytest.mark.parametrize("where", ["backup", "in use"])
def test_the_command_restore_leaves_it_alone_and_joins_all_others(
    moto: Engine, which: str, where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backup, in_use = stack_of(moto), stack_of(moto)
    others = [bounce(1, "hard", recipient=f"email:{number}@example.com") for number in range(3)]
    table, item = _hard(backup if where == "backup" else in_use, which)
    ingest_one_by_one(others, backup)
    if where == "in use":
        ingest_one_by_one([bounce(1, "hard")], backup)
    monkeypatch.setattr(restore, "connect", lambda _: backup.client)
    tables = (backup.names.outcomes, backup.names.suppressions, in_use.names)
    judging = policy.load(), classify
    assert restore.restore(*tables, judging, Output()) == 1, "it is not all done, and can be run again"
    assert "schema 3" in capsys.readouterr().err
    assert backup.raw(table, item) == item
    found = {row["recipient"]["S"] for _, row in in_use.items() if "scope" in row}
    assert {each.recipient for each in others} <= found


@pytest.mark.parametrize("which", ["outcome", "suppression"])
def test_a_message_about_it_comes_back_and_the_others_are_done(moto: Engine, which: str) -> None:
    stack = stack_of(moto)
    _hard(stack, which)
    others = [bounce(1, "hard", recipient=f"email:{number}@example.com") for number in range(30)]
    again = bounce(2, "hard")
    assert ingest_one_by_one([*others[:15], again, *others[15:]], stack)[0] == [again]
    assert {each.recipient for each in others} <= {item["recipient"]["S"] for _, item in stack.items()}


@pytest.mark.parametrize("which", ["outcome", "suppression"])
def test_a_writer_that_read_the_item_before_does_not_write_over_it(moto: Engine, which: str) -> None:
    """A refusal hands back what is stored: a newer version may have got in between reading and writing."""
    stack = stack_of(moto)
    ingest_one_by_one([bounce(1, "hard")], stack)
    store = stack.store
    stale: Any = (
        store.find_outcomes_of(ANN)[0] if which == "outcome" else store.get_suppressions([(ANN, "*")])[ANN, "*"]
    )
    table, item = _hard(stack, which)
    with pytest.raises(Unreadable):
        store.answer(Put(replace(stale, version=stale.version + 1)))
    assert stack.raw(table, item) == item


# ---- The other tables ------------------------------------------------------------------------------------------------

RULES_OF_GUARD: Final = SHORT.guard
WINDOW: Final = find_window(ANN, START, RULES_OF_GUARD)


def _spike(domain_of: str) -> Traffic:
    """An accident: enough refusals for one reason, and hardly anything else."""
    known = Traffic(window=find_window(domain_of, START, RULES_OF_GUARD))
    for number in range(60):
        key = f"email:u{number}@{domain_of.rpartition('@')[2]}"
        known = spike_guard.merge_traffic(known, spike_guard.report_refusal(known.window, key, Reason.USER_UNKNOWN))
    return known


def test_a_window_of_a_newer_version_stays_as_it_is_and_holds_up_no_other(moto: Engine) -> None:
    table = moto.table("SpikeWindows")
    windows = SpikeWindows(moto.connect(), table, RULES_OF_GUARD)
    mine, other = _spike(ANN), _spike("email:x@other.example")
    windows.record(mine)
    windows.record(other)
    assert len(windows.find_incidents()) == 2
    [item] = [
        each for each in moto.client().scan(TableName=table)["Items"] if each["domain"]["S"] == mine.window.domain
    ]
    moto.client().put_item(TableName=table, Item=newer(item))
    with pytest.raises(Unreadable, match="schema 3"):
        windows.record(spike_guard.report_refusal(mine.window, "email:new@example.com", Reason.USER_UNKNOWN))
    assert [each.window for each in windows.find_incidents()] == [other.window]
    assert [each.window for each in IncidentCache(windows, lambda: NOW).find_incidents()] == [other.window]
    assert newer(item) in moto.client().scan(TableName=table)["Items"]


def test_feedback_of_a_window_that_cannot_be_read_comes_back(moto: Engine) -> None:
    """The guard hears of it before anything suppresses, so nothing is suppressed that it has not heard of."""
    stack, table = stack_of(moto), moto.table("SpikeWindows")
    windows = SpikeWindows(moto.connect(), table, RULES_OF_GUARD)
    windows.record(_spike(ANN))
    [item] = moto.client().scan(TableName=table)["Items"]
    moto.client().put_item(TableName=table, Item=newer(item))
    batch = [message([bounce(0, "hard")], "mine"), message([bounce(0, "hard", recipient="email:b@other.example")], "b")]
    report = ingest(batch, ports(stack.store, policy=SHORT, spike_windows=windows))
    assert list(report.failed) == ["mine"]
    assert newer(item) in moto.client().scan(TableName=table)["Items"]


def test_a_job_of_a_newer_version_is_not_worked(moto: Engine) -> None:
    table = moto.table("ListJobs")
    jobs = ListJobs(moto.connect(), table)
    job = jobs.put(create_job("job", ImportRequest(dry_run=False), "ops", NOW))
    [item] = moto.client().scan(TableName=table)["Items"]
    moto.client().put_item(TableName=table, Item=newer(item))
    stack = stack_of(moto)
    with pytest.raises(Unreadable, match="schema 3"):
        jobs.get("job")
    with pytest.raises(Unreadable, match="schema 3"):
        run_job("job", job_context(stack.store, jobs=jobs, queries=Queries(stack.client, stack.names)), 10.0)
    with pytest.raises(ServiceError, match="somebody else"):
        jobs.put(replace(job, state=JobState.DONE))
    assert moto.client().scan(TableName=table)["Items"] == [newer(item)]


def test_a_text_of_a_newer_version_is_not_counted_and_no_feedback_fails_for_it(moto: Engine) -> None:
    table = moto.table("UnmatchedTexts")
    texts, client = UnmatchedTexts(table, RETENTION), {"dynamodb": moto.connect()}
    run_calls(texts.count(bounce(1, "unclear"), NOW), client)
    [item] = moto.client().scan(TableName=table)["Items"]
    assert item["schema"] == {"N": str(unmatched.SCHEMA)}
    run_calls(texts.count(bounce(2, "unclear"), NOW), client)
    [item] = moto.client().scan(TableName=table)["Items"]
    assert len(item["seen"]["SS"]) == 2
    tomorrow = item | {"schema": {"N": "2"}, "of_tomorrow": {"S": "x"}}
    moto.client().put_item(TableName=table, Item=tomorrow)
    run_calls(texts.count(bounce(3, "unclear"), NOW), client)
    assert moto.client().scan(TableName=table)["Items"] == [tomorrow]


# ---- The number itself -----------------------------------------------------------------------------------------------


def test_every_item_that_is_written_has_its_number() -> None:
    outcome = merge(None, [bounce(1, "hard")], classify)
    rows = [
        (items.OUTCOME_SCHEMA - 1, make_row(outcome, RETENTION, NOW)),
        (items.OUTCOME_SCHEMA, make_row(outcome, RETENTION, NOW, as_lean=True)),
        (items.SUPPRESSION_SCHEMA, make_row(Suppression(recipient=ANN, version=1), RETENTION, NOW)),
        (SCHEMA, encode_window(Traffic(window=WINDOW), RULES_OF_GUARD)),
        (JOB_SCHEMA, encode_job(create_job("job", ImportRequest(dry_run=False), "ops", NOW))),
    ]
    for number, row in rows:
        assert row["schema"] == {"N": str(number)}


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_lower_number_is_read_and_a_higher_one_is_not(schema: int, known: int) -> None:
    item = {"schema": {"N": str(schema)}, "a": {"S": "b"}}
    read = decoder(known)(lambda found: found["a"]["S"])
    if schema <= known:
        assert read(item) == "b"
    else:
        with pytest.raises(Unreadable, match=f"schema {schema}, and this version knows {known}"):
            read(item)


@pytest.mark.parametrize(
    "number", [None, {}, {"N": ""}, {"N": "-1"}, {"N": "1.5"}, {"N": "1e3"}, {"S": "1"}, {"NULL": True}]
)
def test_an_item_without_a_number_is_none_of_ours(number: Any) -> None:
    """Nothing was ever released that writes one; whatever it is, it is not rewritten as if it were ours."""
    item = {"a": {"S": "b"}} | ({} if number is None else {"schema": number})
    with pytest.raises(Unreadable, match="no schema number"):
        decoder(1)(lambda found: found)(item)

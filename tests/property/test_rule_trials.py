"""A trial of rules writes nothing, and what it says is what a re-evaluation by the same rules then does."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend import classify
from aftersend.classify.rules import read_rules
from aftersend.core import policy
from aftersend.core.model import CauseKind, Class, Evidence, Feedback, Kind, Outcome, Suppression
from aftersend.core.suppression import find_active_causes
from aftersend.ingest import ingest
from aftersend.jobs.reevaluate import ReevaluationJob
from aftersend.lists.job import JobState, ListJob, TrialProgress
from aftersend.lists.trial_summary import TrialSummary
from aftersend.lists.try_rules import make_trial
from tests.support.facts import ANN, BOB, fact, fake_source, message
from tests.support.list_jobs import make_ticking_timer
from tests.support.ports import NOW, MemoryStore, ports
from tests.support.reevaluation import reevaluation, run
from tests.support.trials import RememberingDocuments, trial_context, trial_service

TEXTS: Final = (
    "550 5.1.1 user unknown",
    "552 5.2.2 mailbox full",
    "550 quuxd frobnication mismatch",
    "554 5.7.1 blocked by spamhaus",
    "450 zorp",
)
RULES: Final = tuple(
    f'[[rule]]\nid = "{name}"\nwhen.text = ["{pattern}"]\nthen.reason = "{reason}"\n{more}'
    for name, pattern, reason, more in (
        ("riddle", "quuxd", "user_unknown", ""),
        ("riddle-soft", "quuxd * mismatch", "mailbox_full", ""),
        ("kind-of-unknown", "user unknown", "mailbox_disabled", 'then.class = "soft"\n'),
        ("full-for-good", "mailbox full", "user_unknown", ""),
        ("zorp", "zorp", "policy_rejected", ""),
        ("not-ours", "spamhaus", "user_unknown", "then.final = true\n"),
    )
)
POLICY: Final = policy.load("[streak]\nbounces = 2\napart_hours = 24\ngap_days = 3\nlapse_days = 30\n")

documents = st.lists(st.sampled_from(RULES), max_size=3, unique=True).map("\n".join)
_kinds = st.sampled_from((Kind.BOUNCED, Kind.BOUNCED, Kind.BOUNCED, Kind.DEFERRED, Kind.DELIVERED, Kind.COMPLAINED))


@st.composite
def _facts(draw: Any) -> Feedback:
    kind = draw(_kinds)
    evidence = Evidence(text=draw(st.sampled_from(TEXTS))) if kind in (Kind.BOUNCED, Kind.DEFERRED) else None
    who, number = draw(st.sampled_from((ANN, BOB))), draw(st.integers(1, 4))
    day = draw(st.integers(0, 6))
    return fact(kind, day, message=f"test:{number}", recipient=who, evidence=evidence)


@cache
def judge(document: str) -> classify.Classifier:
    return classify.load(document)


def fill(facts: list[Feedback], own: str) -> MemoryStore:
    store = MemoryStore()
    with fake_source():
        report = ingest([message(facts)], ports(store, policy=POLICY, classify=judge(own)))
    assert not report.failed
    return store


def try_out(store: MemoryStore, own: str, tried: str, *, instead: bool, sliced: bool) -> ListJob:
    """Begin a trial as the API does, and let every message do its work."""
    timer = make_ticking_timer() if sliced else lambda: 0.0
    sent: list[str] = []
    context = trial_context(store, RememberingDocuments(own), POLICY, timer=timer)
    service = trial_service(context, send=lambda id_, _: sent.append(id_))
    job = service.begin(make_trial(read_rules(tried), instead=instead), "a person")
    while sent:
        job = service.resume(sent.pop(0), 10.0) or job
    assert job.state is JobState.DONE
    return job


def summarize(job: ListJob) -> TrialSummary:
    assert isinstance(job.progress, TrialProgress)
    return job.progress.summary


def _describe(outcome: Outcome) -> tuple[Any, ...]:
    verdict = outcome.verdict
    return (outcome.status, *((verdict.klass, verdict.reason, verdict.rule) if verdict else (None, None, None)))


def _held(row: Suppression | None) -> set[CauseKind]:
    return set(find_active_causes(row, NOW)) if row else set()


@pytest.mark.parametrize("sliced", [False, True])
@given(facts=st.lists(_facts(), min_size=1, max_size=12), own=documents, tried=documents, instead=st.booleans())
def test_what_a_trial_says_is_what_a_re_evaluation_does(
    facts: list[Feedback], own: str, tried: str, instead: bool, sliced: bool
) -> None:
    """Laws 3 and 5 of a dry run: cut into slices anywhere it says the same, and it writes nothing."""
    store = fill(facts, own)
    tables, puts = deepcopy((store.outcomes_table, store.suppressions_table)), store.puts
    said = summarize(try_out(store, own, tried, instead=instead, sliced=sliced))
    assert (store.outcomes_table, store.suppressions_table) == tables
    assert store.puts == puts

    ids = {line for line in tried.splitlines() if line.startswith("id = ")}
    rest = [rule for rule in own.split("[[rule]]\n")[1:] if rule.splitlines()[0] not in ids]
    whole = tried if instead else "\n".join((tried, *(f"[[rule]]\n{rule}" for rule in rest)))
    before = _read(store)
    run(ReevaluationJob(segments=1), reevaluation(store, POLICY, judge(whole)))
    outcomes, rows = _read(store)

    assert (said.recipients, said.outcomes) == (len({key[0] for key in outcomes}), len(outcomes))
    pairs = [(before[0][key], outcome) for key, outcome in outcomes.items()]
    changed = Counter((_describe(a), _describe(b)) for a, b in pairs if _describe(a) != _describe(b))
    told = {((*_tuple(each.before),), (*_tuple(each.after),)): each.outcomes for each in said.changes}
    assert told == changed
    assert said.changed == sum(number for (a, b), number in changed.items() if a[:3] != b[:3])
    held = [(_held(before[1].get(key)), _held(row)) for key, row in rows.items()]
    assert said.suppressed == sum(not a and bool(b) for a, b in held)
    assert said.freed == sum(bool(a) and not b for a, b in held)
    assert said.begins == Counter(cause for a, b in held for cause in b - a)
    assert said.ends == Counter(cause for a, b in held for cause in a - b)
    written = sum(a.version != b.version for a, b in pairs)
    written += sum(key not in before[1] or before[1][key].version != row.version for key, row in rows.items())
    assert said.written == written


def _tuple(judged: Any) -> tuple[Any, ...]:
    return judged.status, judged.klass, judged.reason, judged.rule


def _read(store: MemoryStore) -> tuple[dict[Any, Outcome], dict[Any, Suppression]]:
    return store.get_outcomes(list(store.outcomes_table)), store.get_suppressions(list(store.suppressions_table))


@given(facts=st.lists(_facts(), min_size=1, max_size=12), own=documents, tried=documents)
def test_slices_say_what_one_run_says(facts: list[Feedback], own: str, tried: str) -> None:
    """Law 3: "any split … gives the same", the first examples included; and what is kept names nobody."""
    store = fill(facts, own)
    one, many = (try_out(store, own, tried, instead=False, sliced=sliced) for sliced in (False, True))
    assert summarize(one) == summarize(many)
    shown = [each.text for each in summarize(one).examples]
    assert not [text for text in shown if "@" in text]
    assert all(each.before != each.after for each in summarize(one).examples)


@given(facts=st.lists(_facts(), min_size=1, max_size=12), own=documents)
def test_rules_that_hold_already_change_nothing(facts: list[Feedback], own: str) -> None:
    said = summarize(try_out(fill(facts, own), own, own, instead=True, sliced=False))
    assert (said.changed, said.written, said.suppressed, said.freed, said.changes, said.examples) == (
        0,
        0,
        0,
        0,
        (),
        (),
    )


@given(facts=st.lists(_facts(), min_size=1, max_size=12))
def test_no_trial_holds_against_an_address_what_the_sender_did(facts: list[Feedback]) -> None:
    """Law 5: a rule that says it is the sender's fault suppresses nobody, and frees whom nothing else holds."""
    tried = "".join(
        f'[[rule]]\nid = "r{at}"\nwhen.text = ["{text[4:]}"]\nthen.reason = "auth_failed"\n'
        for at, text in enumerate(TEXTS)
    )
    said = summarize(try_out(fill(facts, ""), "", tried, instead=True, sliced=False))
    assert said.suppressed == 0
    assert not {each.after.klass for each in said.changes} & {Class.HARD}

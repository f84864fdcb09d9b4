"""Rules of one's own, checked and tried: what is wrong with them, what they change, and what is kept of it."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend.aws.tasks import run_calls
from aftersend.classify.rules import read_rules
from aftersend.core.model import Class, Evidence, Feedback, Kind, Reason, Status
from aftersend.lists import try_rules
from aftersend.lists.job import JobState
from aftersend.lists.trial_summary import (
    EXAMPLES_OF_A_KIND,
    MAX_CHANGES,
    MAX_EXAMPLES,
    ChangeExample,
    Judged,
    Tally,
    TrialSummary,
    is_another_meaning,
)
from aftersend.storage.unmatched import UnmatchedTextQueries, UnmatchedTexts
from aftersend.storage.user_mappings import UserDocuments
from tests.support.api import Answer, Api, api_context
from tests.support.facts import ANN, BOB, fact
from tests.support.list_jobs import ListJobApi, ingest_facts, make_ticking_timer
from tests.support.list_samples import load_classifier
from tests.support.ports import NOW, MemoryStore
from tests.support.trials import RIDDLE, rule_trials, trial_context
from tests.unit.test_api_operations import Texts

OWN = '[[rule]]\nid = "own"\nwhen.text = ["quuxd"]\nthen.reason = "policy_rejected"\n'
PHONE = "sms:+15550100"


def _bounce(number: int, text: str, who: str = ANN, code: int | None = 550) -> Feedback:
    return fact(
        Kind.BOUNCED, number / 10, message=f"test:{number}", recipient=who, evidence=Evidence(text=text, code=code)
    )


class World:
    """The API where rules are tried, over what these facts come to; no rule of a stack knew these texts."""

    def __init__(self, *facts: Feedback, texts: tuple[str, ...] = (), own: str | None = None, **others: Any) -> None:
        self.store = ingest_facts(facts, MemoryStore(), classify=load_classifier())
        self.sent: list[str] = []
        self.listed = ListJobApi(self.store)
        context = trial_context(self.store, UserDocuments(own), jobs=self.listed.context.jobs, **others)
        self.trials = rule_trials(context, _table(texts), lambda id_, _: self.sent.append(id_))
        self.api = Api(replace(self.listed.api.context, rule_trials=self.trials))

    def check(self, rules: Any, **more: Any) -> Answer:
        return self.api("POST", "/rules/check", {"rules": rules, **more})

    def try_out(self, rules: Any, **more: Any) -> Any:
        """What is found at the end."""
        answer = self.api("POST", "/rules/trials", {"rules": rules, **more})
        while self.sent:
            self.trials.service.resume(self.sent.pop(0), 10.0)
        return self.api("GET", answer.headers["location"]).json


def _table(texts: tuple[str, ...]) -> UnmatchedTextQueries:
    table, counted = Texts(), UnmatchedTexts("Unmatched", timedelta(days=180))
    for number, text in enumerate(texts):
        run_calls(counted.count(fact(Kind.BOUNCED, number, evidence=Evidence(text=text)), NOW), {"dynamodb": table})
    return UnmatchedTextQueries(table, "Unmatched")


TEXTS = ("550 quuxd frobnication mismatch", "550 quuxd frobnication mismatch", "550 quuxd total mismatch", "550 zorp")


# ---- At once ---------------------------------------------------------------------------------------------------------


def test_a_rule_says_at_once_what_it_makes_of_a_refusal_and_of_the_texts_that_no_rule_knew() -> None:
    found = World(texts=TEXTS).check(RIDDLE, refusal={"text": TEXTS[0]}).json
    assert (found["rules"], found["texts"], found["changed"], found["complete"]) == (1, 3, 2, True)
    assert [(each["seen"], each["text"]) for each in found["changes"]] == [(2, TEXTS[0]), (1, TEXTS[2])]
    before, after = found["refusal"]["before"], found["refusal"]["after"]
    assert (before["class"], after) == (
        "undetermined",
        {"class": "hard", "reason": "mailbox_disabled", "rule": "user:riddle"},
    )
    assert found["mistakes"] == []


def test_rules_may_be_given_as_tables_and_as_few_texts_be_shown_as_one_likes() -> None:
    table = {"id": "riddle", "when": {"text": "quuxd"}, "then": {"reason": "blocked"}}
    found = World(texts=TEXTS).check([table], limit=1).json
    assert (found["changed"], len(found["changes"])) == (2, 1)


def test_they_stand_before_those_of_the_stack_or_in_their_place() -> None:
    world = World(texts=TEXTS, own=OWN)
    assert world.check(RIDDLE).json["changes"][0]["before"]["rule"] == "user:own"
    table = {"id": "zorp", "when": {"text": "zorp"}, "then": {"reason": "blocked"}}
    assert [each["after"]["rule"] for each in world.check([table]).json["changes"]] == ["user:zorp"]
    left = {each["text"]: each["after"]["class"] for each in world.check([table], instead=True).json["changes"]}
    assert left == {TEXTS[0]: "undetermined", TEXTS[2]: "undetermined", TEXTS[3]: "block"}


def test_a_rule_with_the_id_of_one_that_is_there_stands_for_that() -> None:
    world = World(texts=TEXTS, own=OWN)
    table = {"id": "own", "when": {"text": "frobnication"}, "then": {"reason": "blocked"}}
    found = {each["text"]: each["after"]["rule"] for each in world.check([table]).json["changes"]}
    assert found[TEXTS[0]] == "user:own"
    assert not found[TEXTS[2]].startswith("user:")


def test_an_example_that_is_not_decided_is_said_and_stops_nothing() -> None:
    found = World().check(RIDDLE.replace("550 quuxd frobnication mismatch", "550 mailbox full")).json
    ((mistake),) = found["mistakes"]
    assert (mistake["rule"], mistake["field"], mistake["line"]) == ("riddle", "example", 5)
    assert found["rules"] == 1


# ---- What cannot be loaded -------------------------------------------------------------------------------------------

_LONG = "a" * 301


@pytest.mark.parametrize(
    ("rules", "mistake"),
    [
        ("[[rule]\n", {"line": 1}),
        (RIDDLE.replace("mailbox_disabled", "no_such"), {"rule": "riddle", "field": "then.reason", "line": 4}),
        (RIDDLE.replace("quuxd * mismatch", "*"), {"rule": "riddle", "field": "when.text", "line": 3}),
        (RIDDLE.replace("quuxd * mismatch", _LONG), {"rule": "riddle", "field": "when.text", "line": 3}),
        (RIDDLE.replace("when.text", "when.colour"), {"rule": "riddle", "field": "when.colour", "line": 3}),
        (RIDDLE + RIDDLE, {"rule": "riddle", "field": "id", "line": 7}),
        ([{"id": "a", "when": {"code": ["5xx"]}, "then": {"reason": "blocked"}}], {"rule": "a", "field": "when.code"}),
        ([{"when": {"text": "a"}}], {"rule": "number 1"}),
        (
            [{"id": "a", "when": {"text": ["x"] * 501}, "then": {"reason": "blocked"}}],
            {"rule": "a", "field": "when.text"},
        ),
        ([{"id": f"a{at}", "when": {"text": "x"}, "then": {"reason": "blocked"}} for at in range(501)], {}),
        ("a = " + "[" * 5_000, {}),
        ('[smsc.x]\nerrors = "no table"\n', {}),
        ("# " + "a" * 300_000, {}),
        ("a = " + "9" * 5_000, {}),
        ("[[rule]]\n" + "a." * 65 + "a = 1", {}),
    ],
)
@pytest.mark.parametrize("path", ["/rules/check", "/rules/trials"])
def test_what_cannot_be_loaded_is_named_by_rule_field_and_line(rules: Any, mistake: dict[str, Any], path: str) -> None:
    world = World()
    answer = world.api("POST", path, {"rules": rules})
    assert (answer.status, answer.json["type"]) == (422, "urn:aftersend:problem:invalid-rules")
    (found,) = answer.json["mistakes"]
    assert {name: found.get(name) for name in mistake} == mistake
    assert found["message"] == answer.json["detail"]
    assert not world.listed.context.jobs.find_ids("2026-04", 9)[0]


@pytest.mark.parametrize(
    "rules",
    [
        "a." * 120_000 + "a = 1",
        "x = " + "{a=" * 60_000,
        '[[rule]]\nid = "a"\nwhen.text = [' + '"' + "(a|b) * " * 37 + '"]\nthen.reason = "blocked"\n',
        [{"id": "a", "when": {"text": ["* ".join("abcdefghij" * 10)] * 500}, "then": {"reason": "blocked"}}],
    ],
)
def test_no_rules_take_long(rules: Any) -> None:
    """A pattern is no regular expression, and a document has an end: whatever is sent, the function answers in time."""
    world = World(texts=tuple(f"{'a b ' * 100} {number}" for number in range(20)))
    began = time.process_time()
    assert world.check(rules).status in (200, 422)
    assert time.process_time() - began < 20  # seconds that API Gateway waits for, less what a table takes


# ---- Everything stored -----------------------------------------------------------------------------------------------


def test_a_trial_says_what_would_change_and_of_what_it_takes_precedence() -> None:
    world = World(
        *(_bounce(number, TEXTS[0], who) for number, who in enumerate([ANN, ANN, BOB])), _bounce(3, "550 zorp")
    )
    job = world.try_out(RIDDLE)
    found = job["tried"]
    assert (job["job"], job["state"], job["dry_run"]) == ("trial", "done", True)
    assert (found["outcomes"], found["decided"], found["changed"]) == (4, 3, 3)
    assert (found["suppressed"], found["freed"], found["begins"], found["ends"]) == (2, 0, {"hard": 2}, {})
    ((change),) = found["changes"]
    assert (change["outcomes"], change["after"]["rule"]) == (3, "user:riddle")
    assert found["precedence"] == [], "no rule knew them"
    assert len(found["examples"]) == EXAMPLES_OF_A_KIND
    assert found["examples"][0]["text"] == TEXTS[0]


def test_it_is_said_over_which_rules_of_the_stack_or_of_ours_it_takes_precedence() -> None:
    world = World(*(_bounce(number, "550 5.1.1 user unknown") for number in range(2)), _bounce(2, TEXTS[0]), own=OWN)
    rules = RIDDLE + '[[rule]]\nid = "unknown"\nwhen.text = ["user unknown"]\nthen.reason = "blocked"\n'
    found = world.try_out(rules)["tried"]
    (shipped,) = found["precedence"]
    assert (shipped["rule"], shipped["outcomes"]) == ("user:unknown", 2)
    assert shipped["over"].startswith("address.")
    assert (found["freed"], found["ends"], found["suppressed"]) == (0, {}, 0), "Ann is bounced for good all the same"


def test_a_long_trial_is_worked_in_slices_that_send_themselves_on() -> None:
    world = World(
        *(_bounce(number, TEXTS[0], f"email:u{number}@example.com") for number in range(7)), timer=make_ticking_timer()
    )
    answer = world.api("POST", "/rules/trials", {"rules": RIDDLE})
    assert (answer.status, answer.json["state"], answer.json["tried"]["outcomes"]) == (202, "queued", 2)
    seen = [2]
    while world.sent:
        if job := world.trials.service.resume(world.sent.pop(0), 10.0):
            seen.append(job.progress.summary.outcomes)  # type: ignore[union-attr]
    assert seen == sorted(seen) and seen[-1] == 7


def test_what_is_kept_names_nobody() -> None:
    """Whoever is erased must not stay in the table of jobs: neither in a text, nor in an example of a rule."""
    facts = (
        _bounce(1, "550 quuxd ann.lee@example.com: Ann mismatch, see bob@example.org", "email:ann@example.com"),
        _bounce(2, "quuxd 15550100 mismatch", PHONE, None),
    )
    world = World(*facts)
    found = world.try_out(RIDDLE + 'not = ["550 ann@example.com no"]\n')["tried"]
    assert {each["text"] for each in found["examples"]} == {"550 quuxd …: … mismatch, see …", "quuxd … mismatch"}
    kept = str(world.listed.context.jobs._client.table)  # type: ignore[attr-defined]
    assert "ann@" not in kept and "15550100" not in kept and "bob@" not in kept


def test_a_trial_over_rules_that_changed_meanwhile_ends_as_failed() -> None:
    world = World(
        *(_bounce(number, TEXTS[0], f"email:u{number}@example.com") for number in range(7)), timer=make_ticking_timer()
    )
    location = world.api("POST", "/rules/trials", {"rules": RIDDLE}).headers["location"]
    changed = replace(world.trials.service.context, documents=UserDocuments(OWN))
    assert replace(world.trials.service, context=changed).resume(world.sent[0], 10.0).state is JobState.FAILED  # type: ignore[union-attr]
    assert "have changed meanwhile" in world.api("GET", location).json["why"]


def test_who_has_an_item_that_cannot_be_read_is_counted_and_left_alone() -> None:
    world = World(_bounce(1, TEXTS[0]), _bounce(2, TEXTS[0], BOB))
    world.store.outcomes_table[BOB, "test:2"]["schema"] = {"N": "99"}
    found = world.try_out(RIDDLE)["tried"]
    assert (found["recipients"], found["unreadable"], found["outcomes"]) == (2, 1, 1)


def test_only_whoever_may_work_on_whole_lists_tries_rules_on_everything() -> None:
    def by(*scopes: str) -> Api:
        token = {
            "jwt": {
                "claims": {"iss": "https://i.example", "sub": "s"},
                "scopes": [f"aftersend/{each}" for each in scopes],
            }
        }
        return Api(world.api.context, token)

    world = World()
    assert by("ask")("POST", "/rules/check", {"rules": RIDDLE}).status == 200
    assert by("ask", "decide")("POST", "/rules/trials", {"rules": RIDDLE}).status == 403
    assert by("bulk")("POST", "/rules/trials", {"rules": RIDDLE}).status == 200


def test_more_rules_than_a_job_keeps_are_refused() -> None:
    tables = [
        {
            "id": f"a{at}",
            "when": {"text": [f"{at} {word} " + "a b " * 60 for word in range(5)]},
            "then": {"reason": "blocked"},
        }
        for at in range(100)
    ]
    answer = World().api("POST", "/rules/trials", {"rules": tables})
    assert (answer.status, answer.json["title"]) == (422, "Unprocessable Content")


def test_whoever_works_lists_sends_no_trial_into_the_wrong_queue() -> None:
    world = World(
        *(_bounce(number, TEXTS[0], f"email:u{number}@example.com") for number in range(7)), timer=make_ticking_timer()
    )
    job = world.api("POST", "/rules/trials", {"rules": RIDDLE}).json
    assert world.api("POST", f"/jobs/{job['id']}/start").status == 202
    assert world.listed.sent == []


@pytest.mark.parametrize("path", ["/rules/check", "/rules/trials"])
def test_another_function_has_no_routes_for_them(path: str) -> None:
    assert Api(api_context())("POST", path, {"rules": ""}).status == 404


# ---- Bounds of a summary ---------------------------------------------------------------------------------------------


def test_a_summary_stays_small_and_counts_all() -> None:
    tally, rules = Tally(TrialSummary()), count()
    before = Judged(Status.BOUNCED, Class.UNDETERMINED, Reason.UNDETERMINED, "nothing")
    for _ in range(MAX_CHANGES + 50):
        after = Judged(Status.BOUNCED, Class.HARD, Reason.USER_UNKNOWN, f"user:{next(rules)}")
        for _ in range(EXAMPLES_OF_A_KIND + 1):
            tally.count_change(before, after)
            if tally.wants_example(before, after):
                tally.add_example(ChangeExample(source="ses", before=before, after=after))
    found = tally.summarize()
    assert (len(found.changes), len(found.examples)) == (MAX_CHANGES, MAX_EXAMPLES)
    assert sum(each.outcomes for each in found.changes) + found.others == (MAX_CHANGES + 50) * (EXAMPLES_OF_A_KIND + 1)
    assert is_another_meaning(before, after)
    assert Tally(found).summarize() == found


def test_a_request_keeps_what_decides_and_no_more() -> None:
    request = try_rules.make_trial(
        read_rules(RIDDLE + 'then.note = "ann"\n'.replace("then.note", "# then.note")), instead=True
    )
    assert request.tried == ("user:riddle",)
    assert "frobnication" not in request.rules

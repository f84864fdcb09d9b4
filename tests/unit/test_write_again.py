"""When a recipient may be written to again: data of the policy, for every reason that passes by itself."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend import classify
from aftersend.core import policy
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Class, Evidence, Feedback, Kind, Reason, Status
from aftersend.core.outcome import merge
from aftersend.core.vocabulary import MEANINGS
from aftersend.core.write_again import compute_write_again, find_write_again
from aftersend.ingest import ingest
from aftersend.sources import read
from local.samples import EVENTS
from tests.support.api import Api, Clock, api_context
from tests.support.facts import ANN, START, bounce, fact, fake_source, message
from tests.support.ports import MemoryStore, ports
from tests.support.template import ROOT

RULES: Final = policy.load()
FOR_A_WHILE: Final = {Class.SOFT, Class.IGNORE}
PAGE: Final = (
    (ROOT / "docs" / "policy.md").read_text("utf-8").partition("## When may I write again?")[2].partition("\n## ")[0]
)
PERSON: Final = "/recipients/ann@example.com"
JUDGE: Final = classify.load()


def refused(day: float, code: int, text: str, number: int = 1, **others: Any) -> Feedback:
    evidence = Evidence(code=code, text=text, provider_code=others.pop("provider_code", None))
    return fact(Kind.BOUNCED, day, message=f"test:{number}", evidence=evidence, **others)


def api(*facts: Feedback, rules: policy.Policy = RULES, days: float = 0.1) -> Api:
    store = MemoryStore()
    with fake_source():
        assert not ingest([message(facts)], ports(store, classify=JUDGE, policy=rules)).failed
    clock = Clock(START + timedelta(days=days))
    return Api(api_context(store, classify=JUDGE, advise=JUDGE.advise_on, policy=rules, clock=clock))


# ---- The rule --------------------------------------------------------------------------------------------------------


@given(st.sampled_from(Status), st.sampled_from(Class), st.sampled_from(Reason), st.integers(0, 10_000))
def test_waiting_is_for_what_passes_by_itself(status: Status, klass: Class, reason: Reason, minutes: int) -> None:
    """Nobody waits for what is for good, for what the sender must mend, or for what arrived or is on its way."""
    at = START + timedelta(minutes=minutes)
    found = compute_write_again(status, klass, reason, at, RULES)
    given_up = status in (Status.BOUNCED, Status.REJECTED, Status.EXPIRED)
    assert (found is None) == (not given_up or klass not in FOR_A_WHILE or reason not in RULES.write_again)
    assert found is None or found == at + timedelta(hours=RULES.write_again[reason])


def test_the_policy_names_a_time_for_every_refusal_that_counts_when_it_is_temporary() -> None:
    """`recipient_refused` is the one whose end is the recipient's to say: their own filter refuses."""
    soft = {reason for reason, meaning in MEANINGS.items() if meaning.temporary is Class.SOFT}
    assert soft - RULES.write_again.keys() == {Reason.RECIPIENT_REFUSED}


@pytest.mark.parametrize("reason", [each for each in Reason if MEANINGS[each].temporary not in FOR_A_WHILE])
def test_no_time_is_taken_for_what_no_waiting_helps_against(reason: Reason) -> None:
    with pytest.raises(ConfigurationError, match=rf"no time of waiting helps against {reason}.*\$.write_again"):
        policy.load(f"[write_again]\n{reason} = 24")


def test_a_channel_may_have_times_of_its_own() -> None:
    rules = policy.load("[channel.sms.write_again]\nmailbox_full = 6")
    for recipient, hours in (("sms:+15550100", 6), (ANN, RULES.write_again[Reason.MAILBOX_FULL])):
        outcome = merge(None, [refused(0, 452, "452 mailbox full", recipient=recipient)], JUDGE)
        assert find_write_again(outcome, rules) == START + timedelta(hours=hours)


def test_whoever_asked_for_a_pause_is_left_alone_as_long_as_the_pause_holds() -> None:
    for hours in (1, 100):
        rules = policy.load(f"[pause]\nhours = {hours}")
        outcome = merge(None, [refused(0, 450, "450 4f2a", source="directmail", provider_code="SmtpRcptFreq")], JUDGE)
        longest = max(hours, RULES.write_again[Reason.RATE_LIMITED])
        assert find_write_again(outcome, rules) == START + timedelta(hours=longest)


# ---- Amazon SES: each transient type ---------------------------------------------------------------------------------


def transient() -> list[Feedback]:
    """The bounces of the samples that Amazon SES calls transient."""
    paths = sorted((EVENTS / "ses").glob("bounce-transient*.json"))
    bodies = [path.read_bytes() for path in paths if not path.name.endswith(".expected.json")]
    found = {each.evidence.provider_code or "": each for body in bodies for each in read("ses", body) if each.evidence}
    return [each for code, each in found.items() if code.startswith("Transient/") and each.kind is Kind.BOUNCED]


@pytest.mark.parametrize("bounced", transient(), ids=lambda each: each.id)
def test_each_transient_type_has_a_time_or_something_to_mend(bounced: Feedback) -> None:
    outcome = merge(None, [bounced], JUDGE)
    assert outcome.verdict is not None
    at = find_write_again(outcome, RULES)
    if outcome.verdict.klass is Class.SOFT and outcome.verdict.reason is not Reason.RECIPIENT_REFUSED:
        assert at is not None and at > bounced.occurred_at
    else:
        assert at is None or outcome.verdict.klass is Class.IGNORE


def test_the_table_of_the_page_is_true() -> None:
    """docs/policy.md: each row names sub-types of a transient bounce, what they become, and how long to wait."""
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| `(\w+)` \| (.+?) \|$", PAGE, re.MULTILINE)
    assert {kind for kinds, _, _ in rows for kind in re.findall(r"\w+", kinds)} >= set(_list_subtypes()) - {"General"}
    for kinds, reason, waiting in rows:
        hours = re.match(r"after (\d+) hours", waiting)
        assert RULES.write_again.get(Reason(reason)) == (int(hours[1]) if hours else None)
        for kind in re.findall(r"\w+", kinds):
            verdict = JUDGE.judge(source="ses", evidence=Evidence(provider_code=f"Transient/{kind}"))
            assert verdict.reason == reason


def _list_subtypes() -> list[str]:
    codes = [each.evidence.provider_code or "" for each in transient() if each.evidence]
    return [code.partition("/")[2] for code in codes]


# ---- What the API says -----------------------------------------------------------------------------------------------


def _after(hours: int, day: float = 0) -> str:
    return f"{START + timedelta(days=day, hours=hours):%Y-%m-%dT%H:%M:%SZ}"


def test_the_api_says_when_to_write_again() -> None:
    asked = api(refused(0, 452, "452 4.2.2 mailbox full"))
    wanted = _after(RULES.write_again[Reason.MAILBOX_FULL])
    person = asked("GET", PERSON).json
    assert (person["write_again_at"], person["outcomes"][0]["write_again_at"]) == (wanted, wanted)
    assert asked("GET", "/messages/test:1").json["outcomes"][0]["write_again_at"] == wanted
    assert asked("GET", "/recipients/ann@example.com/messages/test:1").json["write_again_at"] == wanted


@pytest.mark.parametrize(
    ("facts", "days", "hours"),
    [
        ([refused(0, 452, "452 mailbox full")], 0.1, 72),
        ([refused(0, 452, "452 mailbox full")], 30, None),  # long over
        ([refused(0, 452, "452 mailbox full"), refused(0, 450, "450 greylisted", 2)], 0.01, 72),  # the last of all
        ([refused(0, 452, "452 mailbox full"), fact(Kind.DELIVERED, 0.05, message="test:2")], 0.1, None),
        ([refused(0, 452, "452 mailbox full"), fact(Kind.OPENED, 0.05, message="test:2")], 0.1, None),
        ([refused(0, 550, "550 user unknown")], 0.1, None),  # for good: the suppression says so
        ([refused(0, 550, "550 blocked by spamhaus")], 0.1, None),  # the sender's to mend
        ([fact(Kind.DEFERRED, evidence=Evidence(code=452, text="452 mailbox full"))], 0.1, None),  # on its way
    ],
)
def test_the_last_refusal_for_a_while_counts_that_no_sign_of_life_followed(
    facts: list[Feedback], days: float, hours: int | None
) -> None:
    found = api(*facts, days=days)("GET", PERSON).json.get("write_again_at")
    assert found == (_after(hours) if hours else None)


def test_nobody_waits_for_what_anybody_could_have_sent() -> None:
    forged = fact(Kind.BOUNCED, 0, evidence=Evidence(code=452, text="452 mailbox full", forgeable=True))
    assert "write_again_at" not in api(forged)("GET", PERSON).text
    assert find_write_again(merge(None, [forged], JUDGE), RULES) is None
    both = api(forged, refused(0, 450, "450 greylisted", 2), days=0.01)("GET", PERSON).json
    assert both["write_again_at"] == _after(RULES.write_again[Reason.GREYLISTED])


def test_a_check_says_until_when_a_pause_holds() -> None:
    paused = refused(0, 450, "450 4f2a", source="directmail", provider_code="SmtpRcptFreq")
    (found,) = api(paused)("POST", "/suppressions/check", {"recipients": ["ann@example.com"]}).json["results"]
    assert [(each["cause"], each["until"]) for each in found["why"]] == [("pause", _after(RULES.pause.hours))]
    assert found["until"] == _after(RULES.pause.hours)
    assert (found["why"][0]["rule"], found["why"][0]["provider_code"]) == ("directmail.pause", "SmtpRcptFreq")


def test_it_says_nothing_of_somebody_who_only_bounced_for_good() -> None:
    asked = api(bounce(0, "hard", evidence=Evidence(code=550, text="550 user unknown")))
    assert "write_again_at" not in asked("GET", PERSON).text


def test_times_are_times() -> None:
    found = api(refused(0, 452, "452 mailbox full"))("GET", PERSON).json["write_again_at"]
    assert datetime.fromisoformat(found) > START

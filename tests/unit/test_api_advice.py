"""What to do, wherever the API shows a verdict: the provider's own suggestion, or what a user's own rule advises.

Alibaba Cloud's documents have a suggestion for every type of failure. They stand in the rules, and nowhere here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import pytest

from aftersend import classify
from aftersend.classify import Classifier
from aftersend.classify.rules import parse, split_lines
from aftersend.classify.shipped import FOLDER, ORDER
from aftersend.core.model import CauseKind, Evidence, Feedback, Kind, Reason
from aftersend.core.vocabulary import MEANINGS, Channel, Judgement, advise, advise_without_refusal
from aftersend.ingest import ingest
from aftersend.sources import directmail as parser
from tests.support import directmail
from tests.support.api import Api, Clock, api_context
from tests.support.directmail import Event
from tests.support.facts import START, fact, fake_source, message
from tests.support.ports import MemoryStore, ports

TYPES: Final = sorted(parser.TRIED | parser.NOT_TRIED)
ANN: Final = "ann@example.net"


def _read_suggestions() -> dict[tuple[str, str], set[str]]:
    """By type of failure and reason: what a rule for that type says, where it says something of its own."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name in ORDER:
        for rule in parse((FOLDER / f"{name}.toml").read_text("utf-8")):
            if rule.id.startswith("directmail.") and rule.then.advice and rule.when.provider_code:
                for code in split_lines(rule.when.provider_code):
                    found[code.partition("/")[0], rule.then.reason].add(rule.then.advice)
    return found


SUGGESTIONS: Final = _read_suggestions()
SUGGESTED: Final = frozenset(failed for failed, _ in SUGGESTIONS)


def over(store: MemoryStore, rules: Classifier) -> Api:
    """The API an hour after the first of the facts."""
    clock = Clock(START + timedelta(hours=1))
    return Api(api_context(store, classify=rules, advise=rules.advise_on, clock=clock))


def with_directmail(*events: Event) -> Api:
    rules, store = classify.load(), MemoryStore()
    report = ingest(
        [directmail.message(directmail.as_text(each), str(at)) for at, each in enumerate(events)],
        ports(store, classify=rules),
    )
    assert not report.failed and not report.unreadable
    return over(store, rules)


def with_facts(*facts: Feedback, rules: Classifier) -> Api:
    store = MemoryStore()
    with fake_source():
        assert not ingest([message(facts)], ports(store, classify=rules)).failed
    return over(store, rules)


def find_advice(shown: Any) -> Iterator[str]:
    """Every `advice` in an answer, however deep."""
    for name, value in shown.items() if isinstance(shown, dict) else ():
        if name == "advice":
            yield value
        yield from find_advice(value)
    for each in shown if isinstance(shown, list) else ():
        yield from find_advice(each)


@pytest.mark.parametrize("failed", TYPES)
@pytest.mark.parametrize("code", ["550", "450", "524"])
def test_the_suggestion_of_directmail_s_document_stands_wherever_a_person_reads_a_verdict(
    failed: str, code: str
) -> None:
    """Its words say no more than its type, so it is the type that is judged, or the code where the type is vague."""
    api = with_directmail(Event(failed=failed, status="4", code=code, said=f"{code} 4f2a", rcpt=ANN))
    (line,) = api("GET", f"/recipients/{ANN}").json["outcomes"]
    answers = [line, *api("GET", f"/messages/{line['message']}").json["outcomes"]]
    answers.append(api("GET", f"/recipients/{ANN}/messages/{line['message']}").json)
    answers += api("GET", f"/recipients/{ANN}").json["suppressions"]
    suppression = api("GET", f"/suppressions/{ANN}")
    answers += [suppression.json] if suppression.status == 200 else []
    answers += api("GET", "/review").json.get("outcomes", [])
    advice = [list(find_advice(each)) for each in answers]
    assert all(advice)
    wanted = SUGGESTIONS[failed, line["reason"]] or {MEANINGS[Reason(line["reason"])].advice}
    assert {each for found in advice for each in found} <= wanted
    assert code != "550" or bool(SUGGESTIONS[failed, line["reason"]]) == (failed in SUGGESTED)


def test_the_types_that_suppress_and_those_to_review_were_among_them() -> None:
    events = [Event(failed=each, status="4", code="524", said="524 4f2a", number=at) for at, each in enumerate(TYPES)]
    api = with_directmail(*events)
    assert len(api("GET", f"/suppressions/{ANN}").json["causes"]) > 2
    assert api("GET", "/review").json["outcomes"]


def test_most_suggestions_say_something_else_than_the_reason() -> None:
    """So a test that only saw the reason's advice would notice."""
    assert len({*TYPES} - SUGGESTED) < len(TYPES) / 10
    assert not {each for found in SUGGESTIONS.values() for each in found} & {each.advice for each in MEANINGS.values()}


MINE: Final = """
[[rule]]
id = "gone-fishing"
when.text = ["gone fishing"]
then.reason = "user_unknown"
then.class = "soft"
then.advice = "Write again in autumn."
"""


def test_the_advice_of_a_user_s_own_rule_stands_there_too() -> None:
    evidence = Evidence(code=550, text="550 gone fishing", provider_code="SmtpNxBox")
    facts = [fact(Kind.BOUNCED, day, message=f"test:{day}", evidence=evidence) for day in range(5)]
    api = with_facts(*facts, rules=classify.load(MINE))
    asked = ("/messages/test:1", "/recipients/ann@example.com", "/suppressions/ann@example.com")
    for target in (*asked, "/recipients/ann@example.com/messages/test:1"):
        found = {*find_advice(api("GET", target).json)}
        assert found == {"Write again in autumn."}, target


def test_the_api_s_own_rules_are_those_of_the_parameter() -> None:
    """As the function makes its context: the document is read when a verdict is first explained."""
    from aftersend.api.context import build
    from aftersend.settings import load_api

    names = ("OUTCOMES_TABLE", "SUPPRESSIONS_TABLE", "SPIKE_WINDOWS_TABLE", "DIGEST_KEY")
    asked: list[str] = []

    class Everything:
        def get_parameter(self, **request: str) -> Any:
            asked.append(request["Name"])
            return {"Parameter": {"Value": MINE}}

        def get_parameters_by_path(self, **_request: str) -> Any:
            return {"Parameters": []}

    made = build(load_api(dict.fromkeys(names, "x") | {"RULES_PARAMETER": "/mine"}), lambda _: Everything(), str)
    assert not asked
    bounced = fact(Kind.BOUNCED, evidence=Evidence(code=550, text="550 gone fishing"))
    verdict = made.classify(bounced)
    assert verdict is not None
    judged = Judgement(reason=verdict.reason, rule=verdict.rule)
    assert (made.advise(judged, Channel.EMAIL), asked) == ("Write again in autumn.", ["/mine"])


@pytest.mark.parametrize("recipient", ["sms:+15550100", "push:apns:0123456789abcdef"])
def test_advice_speaks_of_the_recipient_s_channel(recipient: str) -> None:
    rules = classify.load()
    evidence = Evidence(code=550, status="5.1.1", text="550 5.1.1 user unknown")
    api = with_facts(fact(Kind.BOUNCED, recipient=recipient, evidence=evidence), rules=rules)
    channel = Channel(recipient.partition(":")[0])
    verdict = rules(fact(Kind.BOUNCED, evidence=evidence))
    assert verdict is not None
    wanted = {advise(verdict.reason, channel)}
    for target in ("/messages/test:1", f"/recipients/{quote(recipient)}", f"/suppressions/{quote(recipient)}"):
        assert {*find_advice(api("GET", target).json)} == wanted != {advise(verdict.reason)}


def test_a_rule_for_the_same_code_of_another_source_advises_nothing() -> None:
    document = "".join(
        f'[[rule]]\nid = "{source}"\nwhen.source = "{source}"\nwhen.provider_code = "gone"\n'
        f'then.reason = "user_unknown"\nthen.advice = "As {source} says."\n'
        for source in ("acme", "test")
    )
    rules = classify.load(document)
    for source in ("acme", "test"):
        judged = Judgement(reason=Reason.USER_UNKNOWN, rule="address.unknown", source=source, provider_code="gone")
        assert rules.advise_on(judged, Channel.EMAIL) == f"As {source} says."


# ---- Causes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CauseKind)
def test_every_cause_says_what_to_do_whether_a_refusal_speaks_for_it_or_not(kind: CauseKind) -> None:
    alone = advise_without_refusal(kind, refused=False)
    assert alone is not None and alone.endswith(".") and alone[0].isupper()
    assert advise_without_refusal(kind, refused=True) in (None, alone)


def test_a_cause_that_no_longer_holds_needs_no_advice() -> None:
    rules = classify.load()
    api = with_facts(fact(Kind.BOUNCED, evidence=Evidence(code=550, text="550 user unknown")), rules=rules)
    target = "/suppressions/ann@example.com"
    assert len(list(find_advice(api("GET", target).json))) == 1
    assert list(find_advice(api("DELETE", f"{target}?note=x").json)) == []


def test_what_a_person_decided_is_not_explained_by_a_refusal() -> None:
    rules = classify.load()
    api = with_facts(fact(Kind.UNSUBSCRIBED, scope="news"), rules=rules)
    api("PUT", "/suppressions/ann@example.com", {"note": "Asked us by telephone."})
    (manual,) = find_advice(api("GET", "/suppressions/ann@example.com").json)
    (left,) = find_advice(api("GET", "/suppressions/ann@example.com?scope=news").json)
    assert manual == advise_without_refusal(CauseKind.MANUAL, refused=False)
    assert left == advise_without_refusal(CauseKind.UNSUBSCRIBED, refused=False)

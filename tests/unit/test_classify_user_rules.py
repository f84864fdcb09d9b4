"""A user's rules come before the shipped ones, and a mistake in them is named."""

from __future__ import annotations

import pytest

from aftersend.classify import evidence_from, load
from aftersend.classify.rules import MAX_BYTES, MAX_ENTRIES, MAX_LENGTH, MAX_RULES
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Class, Evidence, Kind, Phase, Reason, Verdict


def one(when: str, then: str = 'then.reason = "recipient_refused"') -> str:
    """A document with one rule."""
    return f'[[rule]]\nid = "mine"\n{when}\n{then}\n'


def decided(document: str, *, source: str = "report", kind: Kind = Kind.BOUNCED, **fields: object) -> Verdict:
    """The verdict under a user's rules."""
    evidence = evidence_from(**fields)  # type: ignore[arg-type]
    return load(document).judge(source=source, evidence=evidence, kind=kind)


def test_a_user_s_rule_comes_first_and_is_named() -> None:
    verdict = decided(one('when.text = ["user unknown"]'), text="550 5.1.1 user unknown")
    assert verdict == Verdict(klass=Class.SOFT, reason=Reason.RECIPIENT_REFUSED, rule="user:mine")
    assert decided(one('when.text = ["moonlight"]'), text="550 5.1.1 user unknown").rule == "address.unknown"


@pytest.mark.parametrize(
    ("when", "yes", "no"),
    [
        ('when.text = ["no * mail*"]', {"text": "no more mailbox"}, {"text": "no more post"}),
        ('when.text = """\nred moon\nblue moon"""', {"text": "a blue moon"}, {"text": "a green moon"}),
        ('when.all = ["red", "moon"]', {"text": "moon is red"}, {"text": "moon is blue"}),
        ('when.text = ["moon"]\nwhen.none = ["blue"]', {"text": "red moon"}, {"text": "blue moon"}),
        ('when.source = ["ses"]', {"source": "ses"}, {"source": "mailerq"}),
        ('when.kind = ["deferred"]', {"kind": Kind.DEFERRED}, {"kind": Kind.BOUNCED}),
        ('when.phase = ["data"]', {"command": "DATA"}, {"command": "RCPT"}),
        ('when.code = ["550"]', {"code": 550}, {"code": 551}),
        ('when.code = ["4"]', {"code": 451}, {"code": 551}),
        ('when.status = ["5.1.1"]', {"status": "5.1.1"}, {"status": "4.1.1"}),
        ('when.status = ["x.1.1"]', {"status": "4.1.1"}, {"status": "4.1.2"}),
        ('when.status = ["5.7.*"]', {"status": "5.7.99"}, {"status": "5.1.99"}),
        (
            'when.provider_code = ["Permanent/*"]',
            {"provider_code": "Permanent/New"},
            {"provider_code": "Transient/New"},
        ),
        ('when.domain = ["corp.example"]', {"remote_mta": "mx.corp.example"}, {"remote_mta": "mx.notcorp.example"}),
        ('when.absent = ["text"]\nwhen.code = ["550"]', {"code": 550}, {"code": 550, "text": "x"}),
    ],
)
def test_every_condition(when: str, yes: dict[str, object], no: dict[str, object]) -> None:
    assert decided(one(when), **yes).rule == "user:mine"  # type: ignore[arg-type]
    assert decided(one(when), **no).rule != "user:mine"  # type: ignore[arg-type]


def test_all_conditions_must_hold() -> None:
    document = one('when.text = ["moon"]\nwhen.code = ["550"]\nwhen.source = ["ses"]')
    assert decided(document, source="ses", code=550, text="moon").rule == "user:mine"
    assert decided(document, source="ses", code=551, text="moon").rule != "user:mine"
    assert decided(document, source="x", code=550, text="moon").rule != "user:mine"


def test_a_machine_is_known_from_the_text_too() -> None:
    document = one('when.domain = ["corp.example"]')
    assert decided(document, text="host mx1.corp.example[192.0.2.1] said: 550 moon").rule == "user:mine"


def test_final_says_whether_the_fact_is_permanent() -> None:
    yes = 'then = { reason = "user_unknown", final = true }'
    no = 'then = { reason = "user_unknown", final = false }'
    assert decided(one('when.text = ["moon"]', yes), code=450, text="moon").klass is Class.HARD
    assert decided(one('when.text = ["moon"]', no), code=550, text="moon").klass is Class.SOFT
    assert decided(one('when.text = ["moon"]', yes), code=450, text="moon", kind=Kind.DEFERRED).klass is Class.SOFT


def test_a_user_may_say_the_class() -> None:
    document = one('when.text = ["moon"]', 'then = { reason = "policy_rejected", class = "hard", note = "agreed" }')
    assert decided(document, text="moon", command="MAIL FROM").klass is Class.HARD


def test_a_reason_alone_never_makes_an_early_refusal_hard() -> None:
    document = one('when.text = ["moon"]', 'then.reason = "user_unknown"')
    assert decided(document, text="moon", command="MAIL FROM").klass is not Class.HARD
    assert decided(document, text="moon", command="RCPT TO").klass is Class.HARD


def test_a_user_may_give_an_unknown_type_a_meaning() -> None:
    document = one('when.kind = ["unknown"]\nwhen.text = ["moon"]')
    evidence = Evidence(text="moon", phase=Phase.DATA)
    assert load(document).judge(source="x", evidence=evidence, kind=Kind.UNKNOWN).rule == "user:mine"


def test_a_user_s_rules_do_not_change_the_plain_classifier() -> None:
    decided(one('when.text = ["moonlight"]'), text="moonlight")
    assert load().judge(source="report", evidence=Evidence(text="moonlight")).rule == "nothing"


LONG = "x" * (MAX_LENGTH + 1)


@pytest.mark.parametrize(
    ("document", "mistake"),
    [
        ("rule = [", "not TOML"),
        ("rules = []", "unknown key 'rules'"),
        ("[rule]\nid = 'a'", r"write \[\[rule\]\]"),
        ('[[rule]]\nwhen.text = ["a b"]\nthen.reason = "expired"', "rule number 1: .*id"),
        (one('when.colour = "red"'), "rule mine: .*colour"),
        (one('when.text = ["moon"]', 'then.reason = "moonlight"'), "rule mine: .*moonlight.*then.reason"),
        (one('when.text = ["moon"]', 'then = { reason = "expired", class = "harsh" }'), "rule mine: .*harsh.*class"),
        (one('when.text = ["moon"]', 'then = { reason = "expired", final = "yes" }'), "rule mine: .*final"),
        (one('when.text = ["moon"]', 'then = { class = "hard" }'), "rule mine: .*reason"),
        (one('when.kind = ["moon"]'), "rule mine: .*kind"),
        (one('when.phase = ["moon"]'), "rule mine: .*phase"),
        (one('when.absent = ["moon"]'), "rule mine: .*absent"),
        (one("when = {}"), "rule mine: when: no condition"),
        (one('when.none = ["moon"]'), "rule mine: when: no condition"),
        (one("when.text = []"), r"rule mine: when\.text: empty"),
        (one("when.code = []"), r"rule mine: when\.code: empty"),
        (one("when.kind = []"), r"rule mine: when\.kind: empty"),
        (one('when.text = " "'), r"rule mine: when\.text: empty"),
        (one('when.text = ["..."]'), r"rule mine: when\.text: nothing to look for in '\.\.\.'"),
        (one('when.text = ["* ADDR *"]'), r"rule mine: when\.text: nothing to look for"),
        (one('when.none = ["550"]\nwhen.code = ["5"]'), r"rule mine: when\.none: nothing to look for"),
        (one('when.text = ["a*"]'), r"rule mine: when\.text: nothing to look for"),
        (one('when.code = "5xx"'), r"rule mine: when\.code: '5xx' is not an SMTP reply code"),
        (one('when.status = ["5.1.1", "5.1"]'), r"rule mine: when\.status: '5\.1' is not three numbers"),
        (one('when.domain = ["*.corp.example"]'), r"rule mine: when\.domain: '\*\.corp\.example' is not a domain"),
        (one(f'when.text = ["{LONG}"]'), r"rule mine: when\.text: an entry is longer"),
        (one(f"when.text = {['moon'] * (MAX_ENTRIES + 1)}"), r"rule mine: when\.text: more than"),
        (one('when.text = ["moon"]') * 2, "rule mine: id: used twice"),
        (one('when.text = ["moon"]').replace('"mine"', '"my rule"'), "rule 'my rule': id"),
        (one('when.text = ["moon"]').replace('"mine"', '""'), "rule '': id"),
        ("#" + "x" * MAX_BYTES, "more than .* bytes"),
        ("".join(one('when.text = ["moon"]').replace("mine", f"r{n}") for n in range(MAX_RULES + 1)), "more than 500"),
    ],
)
def test_mistakes_are_named(document: str, mistake: str) -> None:
    with pytest.raises(ConfigurationError, match=mistake):
        load(document)


def test_the_bounds_themselves_are_allowed() -> None:
    text = "x" * MAX_LENGTH
    document = one(f"when.text = {[text] * MAX_ENTRIES}")
    assert decided(document, text=text).rule == "user:mine"

"""The shipped rules keep their own examples, and a mistake in a user's rules is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import json

from aftersend.classify import Classifier, evidence_from, load
from aftersend.classify.pattern import Matcher, Pattern, compile_pattern
from aftersend.classify.rules import MAX_BYTES, MAX_ENTRIES, MAX_LENGTH, MAX_RULES, RuleDefinition, parse, split_lines
from aftersend.classify.shipped import COMPILED, FOLDER, ORDER, Compiled, load_shipped, store_compiled
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Class, Evidence, Kind, Phase, Reason, Verdict

RULES = [rule for name in ORDER for rule in parse((FOLDER / f"{name}.toml").read_text("utf-8"))]
TEXT_RULES = [rule for rule in RULES if rule.when.text or rule.when.all]


def given(rule: RuleDefinition, text: str) -> Verdict:
    """The verdict on a text of a rule, from the machine, and with the source and its word, that the rule is about."""
    domain, word = split_lines(rule.when.domain), split_lines(rule.when.provider_code)
    evidence = evidence_from(
        text=text, remote_mta=f"mx.{domain[0]}" if domain else None, provider_code=word[0] if word else None
    )
    return load().judge(source=(split_lines(rule.when.source) or ["report"])[0], evidence=evidence)


# -- The shipped rules -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.id)
def test_a_rule_decides_its_examples_and_leaves_the_others_alone(rule: RuleDefinition) -> None:
    assert split_lines(rule.example)
    for text in split_lines(rule.example):
        assert given(rule, text).rule == rule.id, text
    for text in split_lines(rule.counter):
        assert given(rule, text).rule != rule.id, text


def test_examples_are_made_up() -> None:
    for rule in RULES:
        for text in split_lines(rule.example) + split_lines(rule.counter):
            for token in text.replace("<", " ").replace(">", " ").split():
                domain = token.rpartition("@")[2].strip(".,:;()'\"")
                if "@" in token and "." in domain:
                    assert domain.partition(":")[0].endswith((".example", "b..example")), (rule.id, token)


def test_every_id_is_used_once() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))


def test_every_reason_of_a_refusal_has_a_rule() -> None:
    assert {rule.then.reason for rule in RULES} == set(Reason)


def test_every_file_is_in_the_order() -> None:
    assert {file.stem for file in FOLDER.glob("*.toml")} == set(ORDER)


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.id)
def test_no_pattern_of_a_rule_is_implied_by_another(rule: RuleDefinition) -> None:
    for value in (rule.when.text, rule.when.none):
        matcher, patterns = Matcher(), []
        for entry in split_lines(value):
            pattern = compile_pattern(entry)
            assert pattern is not None
            patterns.append((entry, pattern, matcher.add(pattern)))
        for entry, pattern, number in patterns:
            others = [matcher.find(instance(pattern, size)) - {number} for size in (0, 1, 8)]
            assert not all(others), (rule.id, entry)


def instance(pattern: Pattern, size: int) -> list[str]:
    """A text that the pattern matches, with so many words for each star."""
    if pattern.anywhere:
        return [pattern.anywhere]
    words: list[str] = []
    for number, phrase in enumerate(pattern.phrases):
        words += ["zzq"] * (size if number else 0)
        words += [word[:-1] + ("zq" if size else "") if word.endswith("*") else word for word in phrase]
    return words


# -- Compiled rules ----------------------------------------------------------------------------------------------------


def test_rules_read_back_compiled_give_the_same_verdicts() -> None:
    compiled = json.decode(json.encode(load_shipped()), type=Compiled)
    again = Classifier(compiled.rules, compiled.matcher)
    for rule in TEXT_RULES:
        for text in split_lines(rule.example):
            evidence = evidence_from(text=text)
            assert again.judge(source="report", evidence=evidence) == load().judge(source="report", evidence=evidence)


def folder_of_one_rule(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Puts a folder with one rule, "only", in the place of the shipped rules."""
    rules = folder / "rules"
    rules.mkdir()
    for name in ORDER:
        (rules / f"{name}.toml").write_text("")
    (rules / "late.toml").write_text('[[rule]]\nid = "only"\nwhen.text = "moonlight"\nthen.reason = "blocked"\n')
    monkeypatch.setattr("aftersend.classify.shipped.FOLDER", rules)
    return rules


def test_compiled_rules_are_taken_only_while_their_sources_are_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rules = folder_of_one_rule(monkeypatch, tmp_path)
    assert store_compiled() == rules / COMPILED
    stored = (rules / COMPILED).read_bytes()
    (rules / COMPILED).write_bytes(stored.replace(b'"only"', b'"taken"'))
    assert [rule.id for rule in load_shipped().rules] == ["taken"]
    (rules / "late.toml").write_text('[[rule]]\nid = "newer"\nwhen.text = "moonlight"\nthen.reason = "blocked"\n')
    assert [rule.id for rule in load_shipped().rules] == ["newer"]
    (rules / COMPILED).write_bytes(b"{")
    assert [rule.id for rule in load_shipped().rules] == ["newer"]


# -- A user's rules ----------------------------------------------------------------------------------------------------


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
    ("document", "told"),
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
        (one('when.code = "5xx"'), r"rule mine: when\.code: '5xx' is not a reply code"),
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
def test_mistakes_are_named(document: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        load(document)


def test_the_bounds_themselves_are_allowed() -> None:
    text = "x" * MAX_LENGTH
    document = one(f"when.text = {[text] * MAX_ENTRIES}")
    assert decided(document, text=text).rule == "user:mine"

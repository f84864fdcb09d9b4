"""What must not change a verdict: whom, from where and in which form the same refusal came.

The examples of the shipped rules are the texts; hypothesis changes them. The law that is kept here: "Never the
recipient's fault when it is the sender's."
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from itertools import product
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.classify import Classifier, evidence_from, load, normalise
from aftersend.classify.boilerplate import STOCK
from aftersend.classify.engine import EARLY
from aftersend.classify.rules import RuleDefinition, parse, split_lines
from aftersend.classify.shipped import FOLDER, ORDER
from aftersend.core.model import Class, Evidence, Kind, Phase, Reason, Verdict
from aftersend.core.vocabulary import MEANINGS
from aftersend.sources import SOURCES

RULES = {name: parse((FOLDER / f"{name}.toml").read_text("utf-8")) for name in ORDER}
EXAMPLES = [(rule, text) for rules in RULES.values() for rule in rules for text in split_lines(rule.example)]
BY_TEXT_ALONE = [  # steps that come before any status or code
    (rule, text)
    for name in ("verdicts", "providers", "sender", "languages-sender", "address", "languages-address", "transport")
    for rule in RULES[name]
    for text in split_lines(rule.example)
    if not (rule.when.code or rule.when.status or rule.when.phase or rule.when.domain or rule.when.source)
]
BLAMELESS = {reason for reason, meaning in MEANINGS.items() if meaning.permanent in {Class.BLOCK, Class.IGNORE}}

example = st.sampled_from(EXAMPLES)
# Names that would decide, if they were read.
HOSTILE = ["spam", "user.unknown", "mailbox-full", "blocked", "virus", "relay.denied", "no.such.user", "quota", "dmarc"]
names = st.sampled_from(HOSTILE)
domains = st.builds("{}.{}".format, names, st.sampled_from(["example", "com", "example.org", "co.jp", "ninja"]))
addresses = st.one_of(
    st.builds("{}@{}".format, names, domains),
    st.builds("{}+{}@{}".format, names, names, domains),
    st.builds('"{} {}"@{}'.format, names, names, domains),
)
ips = st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6, network="2001:db8::/32").map(str))

# What mail systems write around a reply, in notices for people.
NOTICES = [
    "This is the mail system at host mx.shop.example. I'm sorry to have to inform you that your message could not be "
    "delivered to one or more recipients. <a@b.example>: host mx.b.example[192.0.2.1] said: {}",
    "A message that you sent could not be delivered to one or more of its recipients. This is a permanent error. The "
    "following address(es) failed: a@b.example SMTP error from remote mail server after RCPT TO:<a@b.example>: {}",
    "This is a permanent error; I've given up. Sorry it didn't work out. <a@b.example>: Remote host said: {}",
    "Delivery to the following recipient failed permanently: a@b.example Technical details of permanent failure: {}",
    "** Message not delivered ** There was a problem delivering your message to a@b.example. See the technical details "
    "below. The response from the remote server was: {}",
    "----- The following addresses had permanent fatal errors ----- <a@b.example> (reason: {})",
    "Sorry, we were unable to deliver your message to the following address. <a@b.example>: Remote host said: {}",
    "Delivery has failed to these recipients or groups: a@b.example Your message couldn't be delivered to the "
    "recipient. Diagnostic information for administrators: Generating server: mx.b.example Remote Server returned '{}'",
    "The following message to <a@b.example> was undeliverable. The reason for the problem: 5.x.0 - Other: '{}'",
    "This is a delivery failure notification message indicating that an email you addressed to email address : -- "
    "a@b.example could not be delivered. The problem appears to be : -- Recipient email server rejected the message "
    "Additional information follows : -- {}",
    "This Message was undeliverable due to the following reason: Each of the following recipients was rejected by a "
    "remote mail server. The reasons given by the server are included to help you determine why each recipient was "
    "rejected. Recipient: <a@b.example> Reason: {}",
    "Failed to deliver to 'a@b.example' SMTP module(domain b.example) reports: host mx.b.example says: {}",
    "UNDELIVERABLE MAIL Your message to the following recipients cannot be delivered: <a@b.example>: {}",
    "The following message could not be delivered for the following reason: {}",
]

# Rules whose text is a stock sentence, which counts for nothing beside any other.
STOCK_RULES = {
    rule.id
    for rules in RULES.values()
    for rule in rules
    for phrase in (phrase for phrases in STOCK.values() for phrase in phrases)
    if f" {' '.join(split_lines(rule.when.text))} " == phrase
}

ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+\w")
IP = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
HOST = re.compile(r"(?<![@\w.-])(?:[a-z0-9-]+\.)+example(?![\w.-])")


def judge(rule: RuleDefinition, text: str, **fields: Any) -> Verdict:
    """The verdict on a text from the machine that the rule is about."""
    domain = split_lines(rule.when.domain)
    fields.setdefault("remote_mta", f"mx.{domain[0]}" if domain else "mx.elsewhere.example")
    source = next(iter(split_lines(rule.when.source)), "report")
    return load().judge(source=source, evidence=evidence_from(text=text, **fields))


def same(rule: RuleDefinition, text: str, changed: str) -> None:
    """The changed text has the same reason and class."""
    before, after = judge(rule, text), judge(rule, changed)
    assert (after.reason, after.klass) == (before.reason, before.klass), (before.rule, after.rule, changed)


@given(example, addresses)
def test_another_recipient(chosen: tuple[RuleDefinition, str], address: str) -> None:
    rule, text = chosen
    same(rule, text, ADDRESS.sub(lambda _: address, text))


@given(example, ips)
def test_another_ip_address(chosen: tuple[RuleDefinition, str], ip: str) -> None:
    rule, text = chosen
    same(rule, text, IP.sub(ip, text))


@given(example, domains)
def test_another_host_name(chosen: tuple[RuleDefinition, str], domain: str) -> None:
    rule, text = chosen
    same(rule, text, HOST.sub(domain, text))


@given(example, st.sampled_from([str.upper, str.lower, str.title, str.swapcase]))
def test_another_case(chosen: tuple[RuleDefinition, str], change: Callable[[str], str]) -> None:
    rule, text = chosen
    if change is str.title and "'" in text:
        change = str.upper  # "Isn'T" is not a case of "isn't"
    same(rule, text, change(text))


@given(st.text(st.characters(max_codepoint=127, exclude_characters="$"), max_size=500))  # "$B" begins ISO-2022-JP
def test_a_text_of_ascii_reads_as_it_does_beside_other_letters(text: str) -> None:
    assert normalise(f"{text} \u0416").split() == [*normalise(text).split(), "\u0436"]


def break_lines(text: str) -> Iterator[str]:
    """A reply as it comes where a line ends at any one of its blanks, or at all of them."""
    code, _, rest = text.partition(" ")
    words = rest.split(" ")
    for status in ("", *re.findall(r"^[45]\.\d+\.\d+ ", rest)):
        for end in ("\r\n", " "):  # most programs put all lines into one
            for at in range(1, len(words)):
                yield f"{code}-{' '.join(words[:at])}{end}{code} {status}{' '.join(words[at:])}"
            *lines, last = words
            yield end.join([*(f"{code}-{line}" for line in lines), f"{code} {last}"])


REPLIES = [(rule, text if re.match(r"[45]\d\d ", text) else f"550 {text}") for rule, text in EXAMPLES]


def test_a_reply_of_several_lines() -> None:
    for rule, text in REPLIES:
        for broken in break_lines(text):
            same(rule, text, broken)


def test_a_reply_of_several_lines_that_another_system_quotes() -> None:
    quoted = "host mx.elsewhere.example[192.0.2.1] said: {}".format
    for rule, text in REPLIES[::5]:
        for broken in break_lines(text):
            same(rule, quoted(text), quoted(broken))


@given(example, domains, ips)
def test_wrappers_around_the_reply(chosen: tuple[RuleDefinition, str], domain: str, ip: str) -> None:
    rule, text = chosen
    same(rule, text, f"host {domain}[{ip}] said: {text}")
    same(rule, text, f"smtp; {text}")
    same(rule, text, f"Remote host said: {text}")


@pytest.mark.parametrize("notice", NOTICES, ids=range(len(NOTICES)))
def test_a_notice_for_people_around_the_reply(notice: str) -> None:
    for rule, text in BY_TEXT_ALONE:
        if len(text) < 300:
            same(rule, text, notice.format(text))


@given(example)
def test_cut_at_255_characters(chosen: tuple[RuleDefinition, str]) -> None:
    rule, text = chosen
    longer = f"{text} {'Lorem ipsum dolor sit amet. ' * 10}"[:255]
    if rule.id in STOCK_RULES:  # these sentences decide only where nothing else is said
        assert judge(rule, longer).klass is not Class.HARD
    elif len(text) <= 255:
        same(rule, text, longer)


@given(example, st.sampled_from(["MAIL FROM", "EHLO", "CONN", "AUTH"]))
def test_before_rcpt_to_nothing_is_hard(chosen: tuple[RuleDefinition, str], command: str) -> None:
    rule, text = chosen
    assert judge(rule, text, command=command).klass is not Class.HARD


codes = st.none() | st.integers(400, 599)
statuses = st.none() | st.builds("{}.{}.{}".format, st.sampled_from([4, 5]), st.integers(0, 7), st.integers(0, 30))
phases = st.none() | st.sampled_from(Phase)
kinds = st.sampled_from([Kind.BOUNCED, Kind.DEFERRED, Kind.REJECTED])


RULE_STATUSES = sorted(
    {
        f"{first}{each[1:].replace('*', last)}"
        for rules in RULES.values()
        for rule in rules
        for each in split_lines(rule.when.status)
        for first in ("45" if each[0] == "x" else each[0])
        for last in ("0", "1", "99")
    }
)
RULE_CODES = sorted(
    {
        int(each.ljust(3, "0"))
        for rules in RULES.values()
        for rule in rules
        for each in split_lines(rule.when.code)
        if each.isdigit()
    }
)


@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.DEFERRED, Kind.REJECTED])
def test_no_code_turns_the_sender_s_fault_against_the_address(kind: Kind) -> None:
    """With every status and every code that any rule asks for: a draw would seldom meet the one that matters."""
    judged = load().judge
    fields = [*product(RULE_STATUSES, (None, 550)), *product((None, "5.1.1"), RULE_CODES)]
    for rule, text in BY_TEXT_ALONE:
        if rule.then.reason in BLAMELESS:
            for status, code in fields:
                verdict = judged(source="report", evidence=Evidence(code=code, status=status, text=text), kind=kind)
                assert verdict.klass in {Class.BLOCK, Class.IGNORE}, (rule.id, verdict.rule, status, code, text)


@given(st.sampled_from(BY_TEXT_ALONE), codes, statuses, phases, kinds)
def test_nor_does_any_other_code_at_any_moment(
    chosen: tuple[RuleDefinition, str], code: int | None, status: str | None, phase: Phase | None, kind: Kind
) -> None:
    rule, text = chosen
    if rule.then.reason in BLAMELESS:
        evidence = Evidence(code=code, status=status, phase=phase, text=text)
        assert load().judge(source="report", evidence=evidence, kind=kind).klass in {Class.BLOCK, Class.IGNORE}


WORDS = [entry for rules in RULES.values() for rule in rules for entry in split_lines(rule.when.provider_code)]
PIECES = [
    entry.replace("*", " ") for rules in RULES.values() for rule in rules for entry in split_lines(rule.when.text)
]


@given(
    st.lists(st.sampled_from(PIECES), max_size=4),
    st.none() | st.sampled_from(WORDS),
    codes,
    statuses,
    phases,
    kinds,
    st.sampled_from(sorted(SOURCES)),
)
def test_class_and_reason_agree_whatever_the_evidence(
    pieces: list[str],
    word: str | None,
    code: int | None,
    status: str | None,
    phase: Phase | None,
    kind: Kind,
    source: str,
) -> None:
    evidence = Evidence(code=code, status=status, phase=phase, text=" ".join(pieces) or None, provider_code=word)
    verdict = load().judge(source=source, evidence=evidence, kind=kind)
    if verdict.reason in BLAMELESS:
        assert verdict.klass is MEANINGS[verdict.reason].permanent
    if phase in EARLY or kind is Kind.DEFERRED:
        assert verdict.klass is not Class.HARD
    if verdict.klass is Class.HARD:
        assert MEANINGS[verdict.reason].permanent is Class.HARD or verdict.reason is Reason.UNDETERMINED


def test_stock_sentences_have_a_rule() -> None:
    assert STOCK_RULES


@given(st.text(max_size=300))
def test_any_text_is_read_and_folding_twice_changes_nothing(text: str) -> None:
    load().judge(source="report", evidence=evidence_from(text=text))
    folded = normalise(text)
    assert folded.split() == folded.strip().split(" ") or not folded.strip()
    assert not any(character in folded for character in "@<>\r\n\t")


# -- Hostile texts take linear time ------------------------------------------------------------------------------------

HOSTILE_TEXTS = [
    "user ",
    "a.",
    "5.",
    "5.1.",
    "@",
    '"@',
    '"',
    "http://",
    "550-",
    "no such user ",
    "exceeded mailbox quota ",
    "host ",
    "x",
    ">>> mail from ",
    "is ",
    "not ",
    "\u7528\u6237",
    "$B(B",
    " \x1b$B",
]


def steps(text: str, classifier: Classifier | None = None) -> int:
    """How many lines of the classifier run for a text: a measure of time that no machine can blur."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace if "aftersend" in frame.f_code.co_filename else None

    classifier = classifier or load()
    classifier.forget()
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        classifier.judge(source="report", evidence=Evidence(text=text))
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("piece", HOSTILE_TEXTS)
def test_hostile_texts_take_linear_time(piece: str) -> None:
    half, whole = (piece * 2000)[:1000], (piece * 2000)[:2000]
    steps(whole)  # what is remembered of single words is remembered
    assert steps(whole) <= 2.2 * steps(half) + 50
    assert steps(whole) < 60_000


def test_stars_do_not_multiply() -> None:
    counted = []
    for stars in (1, 5, 20):
        document = f'[[rule]]\nid = "stars"\nwhen.text = ["{"moon * " * stars} sun"]\nthen.reason = "expired"\n'
        counted.append(steps("moon " * 400, load(document)))
    assert counted[2] < 20 * counted[0]

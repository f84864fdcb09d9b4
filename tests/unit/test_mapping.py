"""Mapping files: what is refused with the field's name, and what each field makes of a body."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Final
from unittest.mock import patch

import pytest

from aftersend import classify
from aftersend.classify.mistakes import find_broken_examples
from aftersend.classify.source_words import make_rules
from aftersend.core.errors import ConfigurationError, MalformedFeedback
from aftersend.core.model import UNNAMED, Class, Feedback, Kind, Reason
from aftersend.core.times import UNKNOWN_TIME
from aftersend.core.vocabulary import Channel
from aftersend.sources import SOURCES, load_parser, make_mapped_row, name_source
from aftersend.sources.mapping import SHIPPED
from aftersend.sources.mapping.compiled import load
from aftersend.sources.mapping.facts import MAX_EVENTS, MAX_FACTS, read_body
from aftersend.sources.mapping.paths import MAX_VALUES, compile_path, find_all, find_events
from aftersend.sources.mapping.values import matches, to_number, to_text, to_time

HEAD: Final = """
source = "acme"
word = "type"
recipient = "to"
"""
REST: Final = """
[message]
own = "id"
[time]
at = "at"
[words]
bounce = "bounced"
open = "opened"
hello = "ignore"
"""
EVENT: Final = {"type": "bounce", "to": "Ann <ANN@example.com>", "id": "m7", "at": "2026-03-02T10:11:12Z"}


def read(more: str = "", event: Any = EVENT, head: str = "", rest: str = REST, **fields: Any) -> list[Feedback]:
    """What a mapping with these lines before and behind its tables makes of a body."""
    body = event if isinstance(event, bytes) else json.dumps(event | fields if fields else event).encode()
    return read_body(load(HEAD + head + rest + more), body)


def one(more: str = "", head: str = "", rest: str = REST, **fields: Any) -> Feedback:
    (fact,) = read(more, head=head, rest=rest, **fields)
    return fact


# ---- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "more", "problem"),
    [
        ("colour = 1", "", r"^colour: Object contains unknown field"),
        ("", "[push]\ncolour = 1", r"^push\.colour: Object contains unknown field"),
        ("", "[engagement]\nlink = 7", r"^engagement\.link: Expected `str \| array`"),
        ('channel = "smoke"', "", r"^channel: Invalid enum value 'smoke'"),
        ('channel = "push"', "", r"^service: "),
        ('service = "fcm"', "", r"^service: "),
        ('text = "a..b"', "", r"^text: 'a\.\.b' is no path"),
        ('text = "a b[]x"', "", r"^text: 'a b\[\]x' is no path"),
        ('text = "a[].b[]"', "", r"^text: 'a\[\]\.b\[\]': no more than 1 of \[\]"),
        (f'text = "{".".join("a" * 17)}"', "", r"^text: .* more than 16 steps"),
        (f'text = "{"a" * 301}"', "", r"^text: longer than 300 characters"),
        (f"text = {['a'] * 301}", "", r"^text: more than 300 entries"),
        ("", "[body]\nform = 'yaml'", r"^body\.form: Invalid enum value 'yaml'"),
        ("", "[body]\nfield = 'events'", r"^body\.field: only a form has fields"),
        ("", "[push]\nsuccess = 404", r"^push\.success: Expected `int` <= 299"),
        ("text_inside = 'bounced ()'", "", r"^text_inside: 'bounced \(\)' has no \*"),
        ("", "[push]\nmethods = ['PUT']", r"^push\.methods\[0\]: Invalid enum value 'PUT'"),
        ("", "[[push.proof]]\nscheme = 'magic'", r"^push\.proof\[0\]\.scheme: one of "),
        ("", "[[push.proof]]\nscheme = 'rsa'\nheader = 'A b'", r"^push\.proof\[0\]\.header: "),
        ("", "[push]\nlargest_kb = 5000", r"^push\.largest_kb: Expected `int` <= 1000"),
        ("", "[[case]]\nkind = 'bounced'", r"^case\[0\]: neither `word` nor `when`"),
        ("", "[[case]]\nword = 'a'\nkind = 'broken'", r"^case\[0\]\.kind: 'broken' is none of .*bounced.* and ignore"),
        ("", "[[case]]\nword = 'a'\nkind = 'ignore'\nwhen = {'a.' = 'x'}", r"^case\[0\]\.when\.a\.: .* is no path"),
        ("", "[[case]]\nword = 'a'\nkind = 'ignore'\nwhen = {a = []}", r"^case\[0\]\.when\.a: "),
        ("", "[reasons]\nfull = 'mailbox_fool'", r"^reasons\.full: Invalid enum value 'mailbox_fool'"),
        ("", "[reasons]\nfull = 'mailbox_full/harsh'", r"^reasons\.full: Invalid enum value 'harsh'"),
        ("", "[reasons]\nlisted = 'blocked/hard'", r"^reasons\.listed: blocked is never the recipient's fault"),
        ("", "[verdicts]\nfull = 'mailbox_full/complaint'", r"^verdicts\.full: the class complaint"),
        ("", "[[rule]]\nid = 'a'\nwhen.text = 'b'\nthen.reason = 'c'", r"^rule a: Invalid enum value 'c'"),
        ("", "[[rule]]\nid = 'a'\nwhen.text = '*'\nthen.reason = 'expired'", r"^rule acme\.a: when\.text"),
        ("", "[[rule]]\nid = 'a'\nwhen.source = 'b'\nthen.reason = 'expired'", r"^rule a: when\.source"),
        (
            "",
            "[[rule]]\nid = 'a'\nwhen.text = 'b'\nthen = {reason = 'blocked', class = 'hard'}",
            r"^rule a: blocked is",
        ),
        ("", "[reasons]\n'' = 'mailbox_full'", r"^reasons\.: a word has 1 to 64 characters"),
        ("", "[reasons]\nfull = {reason = 'mailbox_full', colour = 1}", r"^reasons\.full: .*unknown field `colour`"),
        ("", "bad = 7", r"^words\.bad: 7 is none of"),
        ("", "[correlation]\ntags = 7", r"^correlation\.tags: a text"),
        ("", "[reasons]\nfull = 7", r"^reasons\.full: Expected `object`"),
        ("", "[[case]]\nword = 'a'\nkind = 'ignore'\nwhen = {a = 1.5}", r"^case\[0\]\.when\.a: a text"),
        ("", "[words", r"^not TOML: "),
    ],
)
def test_a_mistake_is_refused_with_the_name_of_the_field(head: str, more: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(HEAD + head + REST + more)
    assert re.search(problem, str(raised.value)), raised.value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (REST, r"^source: Object missing required field `source`"),
        (HEAD.replace("acme", "Acme!") + REST, r"^source: Expected `str` matching regex"),
        (HEAD + REST.replace('"bounced"', '"expired"'), r"^words\.bounce: 'expired' is none of"),
        (HEAD + REST + 'Bounce = "bounced"', r"^words\.Bounce: stands there twice"),
        (HEAD + REST.replace('own = "id"', ""), r"^message: neither"),
        (HEAD + REST.replace('at = "at"', 'at = "at"\nunit = "h"'), r"^time\.unit: Invalid enum value 'h'"),
        (HEAD + REST.replace('at = "at"', 'at = "at"\nzone = "Mars"'), r"^time\.zone: "),
        (HEAD + REST.replace('at = "at"', 'at = "at"\nformats = ["%Y %"]'), r"^time\.formats: '%Y %' is no format"),
        (HEAD.replace("recipient", "subject") + REST, r"^recipient: "),
        (HEAD + REST[: REST.index("[words]")], r"^words: none"),
        ("a = 1\n" * 20_000, r"^more than 65536 bytes"),
        ("a = " + "[" * 5_000, r"^nested too deeply|^not TOML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(text)
    assert re.search(problem, str(raised.value)), raised.value


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_file_is_called_as_its_source(path: Any) -> None:
    assert load(path.read_text("utf-8")).source == path.stem


# ---- What the fields say ---------------------------------------------------------------------------------------------


def test_the_least_that_a_mapping_says() -> None:
    fact = one()
    assert (fact.source, fact.kind, fact.message) == ("acme", Kind.BOUNCED, "acme:m7")
    assert (fact.recipient, fact.received_as) == ("email:ann@example.com", "Ann <ANN@example.com>")
    assert fact.occurred_at == datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)
    assert fact.evidence is not None and fact.evidence.provider_code == "bounce"
    assert (fact.engagement, fact.scope) == (None, None)


def test_evidence() -> None:
    head = (
        'text="t"\ncode="c"\nstatus="s"\ncommand="cmd"\nremote_mta="r"\nreporting_mta="o"\nattempt="n"\nevent_id="e"\n'
    )
    given = {"t": "550 5.1.1 no", "c": "551", "s": "5.1.2", "cmd": "RCPT TO:<a>", "r": "mx.b.example", "o": "out"}
    found = one(head=head + 'detail="d"\n', n=3, e=77, d="full", **given).evidence
    assert found is not None
    assert (found.code, found.status, found.text, found.phase) == (551, "5.1.2", "550 5.1.1 no", "rcpt_to")
    assert (found.remote_mta, found.reporting_mta, found.attempt) == ("mx.b.example", "out", 3)
    assert (found.event_id, found.provider_code) == ("77", "bounce/full")
    found = one(head=head, t="550 5.1.1 no", c=0, s="nonsense").evidence
    assert found is not None
    assert (found.code, found.status) == (550, "5.1.1")


def test_engagement_and_machines() -> None:
    more = '[engagement]\nlink="u"\nip="i"\nuser_agent="a"\nmachine="bot"\n'
    seen = one(more, type="open", u="https://b.example", i="192.0.2.1", a="curl", bot="True").engagement
    assert seen is not None
    assert (seen.link, seen.ip, seen.user_agent, seen.machine) == ("https://b.example", "192.0.2.1", "curl", True)
    by_name = one(more, type="open", a="Mozilla/5.0 (via ggpht.com GoogleImageProxy)").engagement
    assert by_name is not None and by_name.machine
    seen = one(more, type="open", bot="", u="x").engagement
    assert seen is not None and not seen.machine
    assert one(more, u="x").engagement is None  # a bounce


def test_what_the_sender_said() -> None:
    head = 'sender="f.address"\nsubject="s"\nscope="list"\n'
    more = '[correlation]\norder="o"\ntags="tags"\nown="vars"\n'
    fields: dict[str, Any] = {"f": {"address": "Shop <SHOP@example.com>"}, "s": "Hi", "list": "news", "o": 7}
    fact = one(more, head=head, tags=["a", "b"], vars={"x": True, "y": "z", "n": None}, **fields)
    assert fact.context is not None
    assert (fact.context.sender, fact.context.subject, fact.scope) == ("shop@example.com", "Hi", "news")
    assert fact.context.correlation == {"order": "7", "tags": "a, b", "x": "true", "y": "z"}


@pytest.mark.parametrize(
    ("message", "fields", "key"),
    [
        ('own = "id"', {"id": 2**63 + 1}, "acme:9223372036854775809"),
        ('own = "id"\nbefore = "."', {"id": "abc.def.ghi"}, "acme:abc"),
        ('own = "id"\nprefix = "ses"', {}, "ses:m7"),
        ('message_id = "mid"\nown = "id"', {"mid": "<a@b.example>"}, "rfc5322:a@b.example"),
        ('message_id = "mid"\nown = "id"', {"mid": "<1@eu-west-1.amazonses.com>"}, "ses:1"),
        ('message_id = "mid"\nown = "id"', {}, "acme:m7"),
        ('own = ["x.y", "id"]', {"x": {"y": "<1>"}}, "acme:1"),
    ],
)
def test_how_a_message_is_known(message: str, fields: Any, key: str) -> None:
    assert one(rest=REST.replace('own = "id"', message), **fields).message == key


@pytest.mark.parametrize(
    ("time", "at", "expected"),
    [
        ("", 1772446272, "2026-03-02T10:11:12+00:00"),
        ("", "1772446272.5", "2026-03-02T10:11:12.500000+00:00"),
        ("", 1772446272123, "2026-03-02T10:11:12.123000+00:00"),
        ("", 1772446272123456, "2026-03-02T10:11:12.123000+00:00"),
        ('unit = "ms"', 86_400_000, "1970-01-02T00:00:00+00:00"),
        ('unit = "s"', 1772446272.1239, "2026-03-02T10:11:12.123000+00:00"),
        ('zone = "+05:30"', "2026-03-02 15:41:12", "2026-03-02T10:11:12+00:00"),
        ('zone = "Europe/Berlin"', "2026-07-02 12:11:12.5", "2026-07-02T10:11:12.500000+00:00"),
        ('zone = "+05:30"', "2026-03-02T10:11:12Z", "2026-03-02T10:11:12+00:00"),
        ('zone = "+05:30"', "Mon, 2 Mar 2026 10:11:12 +0000", "2026-03-02T10:11:12+00:00"),
        ('formats = ["%d/%m/%Y %H:%M"]\nzone = "+01:00"', "02/03/2026 11:11", "2026-03-02T10:11:00+00:00"),
        ('formats = ["%d/%m/%Y %H:%M"]', "2026-03-02T10:11:12.123456789Z", "2026-03-02T10:11:12.123000+00:00"),
        ("", None, UNKNOWN_TIME.isoformat()),
    ],
)
def test_times(time: str, at: Any, expected: str) -> None:
    assert one(rest=REST.replace('at = "at"', f'at = "at"\n{time}'), at=at).occurred_at.isoformat() == expected


@pytest.mark.parametrize("at", ["soon", 10**30, -(10**19), 1e300, "1" * 64, "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_malformed_and_not_quoted(at: Any) -> None:
    with pytest.raises(MalformedFeedback) as raised:
        one(at=at)
    assert raised.value.why == "a time is in no format that is known"


def test_channels() -> None:
    assert one(head='channel = "sms"\n', to="+1 (425) 555-0156").recipient == "sms:+14255550156"
    assert one(head='channel = "push"\nservice = "FCM"\n', to="tOkEn:1").recipient == "push:fcm:tOkEn:1"


# ---- Whom, and what ----------------------------------------------------------------------------------------------


def test_each_recipient_is_a_fact_once() -> None:
    rest = REST
    found = read(head="", rest=rest, to=["a@b.example", "c@b.example", "a@b.example", "", None])
    assert [fact.recipient for fact in found] == ["email:a@b.example", "email:c@b.example"]


@pytest.mark.parametrize(
    ("others", "expected"),
    [(["a@b.example"], "email:a@b.example"), (["a@b.example", "c@b.example"], UNNAMED), ([], UNNAMED)],
)
def test_a_recipient_who_is_not_named_is_taken_from_a_list_of_one(others: list[str], expected: str) -> None:
    assert one(head='sole_recipient = "all[]"\n', to=None, all=others).recipient == expected


@pytest.mark.parametrize(
    ("case", "fields", "kind"),
    [
        ("when = {why = '*LIST*'}", {"why": "is on the list of"}, Kind.REJECTED),
        ("when = {why = '*LIST*'}", {"why": "is not"}, Kind.BOUNCED),
        ("when = {why = '*LIST*'}", {}, Kind.BOUNCED),
        ("when = {why = '*'}", {"why": {"any": 1}}, Kind.REJECTED),
        ("when = {why = ''}", {"why": None}, Kind.REJECTED),
        ("when = {why = ''}", {"why": 0}, Kind.BOUNCED),
        ("when = {why = '!a'}", {"why": "b"}, Kind.REJECTED),
        ("when = {why = '!a'}", {"why": "A"}, Kind.BOUNCED),
        ("when = {why = '!a'}", {}, Kind.BOUNCED),
        ("when = {why = ['a', 'b']}", {"why": "b"}, Kind.REJECTED),
        ("when = {why = true}", {"why": True}, Kind.REJECTED),
        ("when = {why = 5}", {"why": "5"}, Kind.REJECTED),
        ("when = {why = 'a', or = 'b'}", {"why": "a"}, Kind.BOUNCED),
        ("when = {'list[]' = 'b'}", {"list": ["a", "b"]}, Kind.REJECTED),
        ("word = ['Bounce', 'x']", {}, Kind.REJECTED),
        ("word = 'x'\nwhen = {why = 'a'}", {"why": "a"}, Kind.BOUNCED),
    ],
)
def test_cases_come_before_words(case: str, fields: Any, kind: Kind) -> None:
    assert one(f"[[case]]\n{case}\nkind = 'rejected'\n", **fields).kind is kind


def test_a_case_may_say_what_the_code_is_and_that_nobody_did_it() -> None:
    case = "[[case]]\nword = 'open'\nwhen = {proxy = true}\nkind = 'opened'\ncode = 'proxy-open'\nmachine = true\n"
    fact = one(case, type="open", proxy=True)
    assert fact.evidence is None
    assert fact.engagement is not None and fact.engagement.machine
    case = "[[case]]\nword = 'bou*'\nwhen = {late = true}\nkind = 'bounced'\ncode = 'bounce-later'\n"
    late = one(case, late=True)
    assert late.evidence is not None and late.evidence.provider_code == "bounce-later"


def test_what_is_not_known_and_what_is_nothing() -> None:
    assert one(type="novel").kind is Kind.UNKNOWN
    assert read(type="HELLO", to=None, id=None) == []
    assert read(type="novel", to=None, id=None) == []  # of another sort: about no message
    with pytest.raises(MalformedFeedback, match="does not say what it is"):
        read(type=None)


def test_a_message_that_is_not_named_is_called_by_its_event() -> None:
    fact = one(id=None)
    assert fact.message.startswith("acme:") and fact == one(id=None) != one(id=None, at="2026-03-02T10:11:13Z")


def test_what_a_provider_says_is_not_for_good_never_is() -> None:
    rest = REST.replace('bounce = "bounced"', 'bounce = "bounced/soft"')
    fact = one(head='text = "t"\n', rest=rest, t="550 5.1.1 no such user")
    assert fact.evidence is not None and fact.evidence.provider_code == "bounce fatal=0"
    verdict = classify.load(None, [load(HEAD + rest).vocabulary])(fact)
    assert verdict is not None and (verdict.reason, verdict.klass) == (Reason.USER_UNKNOWN, Class.SOFT)


def test_words_may_have_a_prefix() -> None:
    fact = one(head='word_prefix = "message."\n', type="message.bounce")
    assert fact.evidence is not None and (fact.kind, fact.evidence.provider_code) == (Kind.BOUNCED, "bounce")


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("bounced (550 5.1.1 no (such) user)", "550 5.1.1 no (such) user"),
        ("REJECTED[other] (550 no)", "550 no"),
        ("REJECTED (550 no)", "REJECTED (550 no)"),
        ("bounced (", "bounced ("),
        ("bounced ()", None),
        ("550 no (bounced)", "550 no (bounced)"),
    ],
)
def test_a_reply_inside_of_words(text: str, inside: str | None) -> None:
    found = one(head="text = 't'\ntext_inside = ['bounced (*)', 'REJECTED[*] (*)']\n", t=text).evidence
    assert found is not None and found.text == inside


# ---- Bodies ----------------------------------------------------------------------------------------------------------


def test_events_lie_alone_in_a_list_or_within_others() -> None:
    more = '[body]\nevents = ["users[].events[].data", "events[]"]\n'
    other = EVENT | {"id": "m8"}
    nested = {"users": [{"events": [{"data": EVENT}, {"name": "x"}]}, {"events": [{"data": other}]}], "type": "bounce"}
    assert read(more, nested | {"type": "novel"})[1:2] != []
    del nested["users"][0]["events"][1]  # type: ignore[index]
    for body in (nested, {"events": [EVENT, other]}, [EVENT, other]):
        assert [fact.message for fact in read(more, body)] == ["acme:m7", "acme:m8"]
    assert [fact.message for fact in read(more, EVENT)] == ["acme:m7"]
    assert read(more, {"users": []}) == read(more, {"events": []}) == read(more, []) == []


def test_what_is_said_around_events_is_found_for_each() -> None:
    more = '[body]\nevents = "events[]"\n'
    body = {"type": "bounce", "at": EVENT["at"], "events": [{"to": "a@b.example", "id": 1}, {"type": "open"} | EVENT]}
    assert [fact.kind for fact in read(more, body)] == [Kind.BOUNCED, Kind.BOUNCED]
    assert read(more, body)[0].occurred_at == read(more, body)[1].occurred_at


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"type=bounce&to=a%40b.example&id=m7&at=1772446272&type=open", Kind.BOUNCED),
        (b"type=open&to=a@b.example&id=m7&at=1772446272\r\n", Kind.OPENED),
        (json.dumps(EVENT).encode(), Kind.BOUNCED),
    ],
)
def test_forms(body: bytes, kind: Kind) -> None:
    (fact,) = read('[body]\nform = "form"\n', body)
    assert fact.kind is kind


def test_a_form_with_json_in_a_field() -> None:
    more = '[body]\nform = "form"\nfield = "events"\n'
    (fact,) = read(more, b"events=%5B%7B%22type%22%3A%22open%22%2C%22id%22%3A1%2C%22to%22%3A%22a%40b.example%22%7D%5D")
    assert (fact.kind, fact.message) == (Kind.OPENED, "acme:1")
    for body in (b"", b"other=1", b"events=%7B", b"a=1&" * 2_000):
        with pytest.raises(MalformedFeedback):
            read(more, body)


def test_bounds_of_a_body() -> None:
    more = '[body]\nevents = "events[]"\n'
    with pytest.raises(MalformedFeedback, match=f"more than {MAX_EVENTS} events"):
        read(more, {"events": [{}] * (MAX_EVENTS + 1)} | EVENT)
    with pytest.raises(MalformedFeedback, match=f"more than {MAX_FACTS} facts"):
        read(more, EVENT | {"events": [{}] * 100, "to": [f"{n}@b.example" for n in range(250)]})
    with pytest.raises(MalformedFeedback, match=f"more than {MAX_VALUES} recipients"):
        read(to=[f"{n}@b.example" for n in range(MAX_VALUES + 1)])


# ---- Words -----------------------------------------------------------------------------------------------------------

WORDS: Final = """
[verdicts]
listed = "suppressed"
[reasons]
full = "mailbox_full"
"bounce/odd" = { reason = "user_unknown", class = "soft", advice = "Ask Acme." }
bounce = "undetermined/hard"
"""


@pytest.mark.parametrize(
    ("detail", "text", "reason", "klass"),
    [
        ("full", None, Reason.MAILBOX_FULL, Class.SOFT),
        ("full", "550 5.1.1 no such user", Reason.USER_UNKNOWN, Class.HARD),  # the text before the word
        ("listed", "550 5.1.1 no such user", Reason.SUPPRESSED, Class.IGNORE),  # but nothing was tried
        ("ODD", None, Reason.USER_UNKNOWN, Class.SOFT),
        ("other", None, Reason.UNDETERMINED, Class.HARD),
        (None, None, Reason.UNDETERMINED, Class.HARD),
        (None, "the moon stands wrong", Reason.UNDETERMINED, Class.UNDETERMINED),  # a text may say anything
    ],
)
def test_words_are_judged_as_the_file_says(detail: str | None, text: str | None, reason: Reason, klass: Class) -> None:
    head = 'detail = "d"\ntext = "t"\n'
    words = load(HEAD + head + REST + WORDS).vocabulary
    classifier = classify.load(None, [words])
    verdict = classifier(one(WORDS, head=head, d=detail, t=text))
    assert verdict is not None
    assert (verdict.reason, verdict.klass) == (reason, klass)
    own = one(head=head, d="full")  # nobody else's word
    other = classify.load()(own)
    assert other is not None and other.reason is Reason.UNDETERMINED


def test_words_leave_all_other_rules_where_they_are() -> None:
    words = load(HEAD + REST + WORDS).vocabulary
    with_words = [rule.id for rule in classify.load("", [words]).rules]
    assert [name for name in with_words if not name.startswith("acme.")] == [rule.id for rule in classify.load().rules]
    own = [name for name in with_words if name.startswith("acme.")]
    assert own and len(own) == len({*own})


def test_sentences_of_a_provider_have_rules() -> None:
    rule = "[[rule]]\nid = 'moon'\nwhen.text = 'moon stands wrong'\nthen.reason = 'network_error'\n"
    classifier = classify.load(None, [load(HEAD + REST + rule).vocabulary])
    fact = one(head="text = 't'\n", t="The moon stands wrong")
    verdict, other = classifier(fact), classify.load()(fact)
    assert verdict is not None and (verdict.reason, verdict.rule) == (Reason.NETWORK_ERROR, "acme.moon")
    assert other is not None and other.reason is Reason.UNDETERMINED


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_rules_of_a_shipped_file_decide_their_examples(path: Any) -> None:
    for rules in make_rules(load(path.read_text("utf-8")).vocabulary).values():
        for rule in rules:
            assert bool(rule.example) is bool(rule.when.text)
            assert not list(find_broken_examples(rule, classify.load()))


def test_advice_of_a_word() -> None:
    head = 'detail = "d"\n'
    classifier = classify.load(None, [load(HEAD + head + REST + WORDS).vocabulary])
    verdict = classifier(one(head=head, d="odd"))
    assert verdict is not None and classifier.advise(verdict, "bounce/odd") == "Ask Acme."


# ---- The source ------------------------------------------------------------------------------------------------------


def test_a_row_is_made_of_a_mapping_and_reads_its_bodies() -> None:
    push = "[push]\nsuccess = 201\nlargest_kb = 64\nmethods = ['GET']\nprobes = ['HEAD']\nanswer = 'ok'\n"
    row = make_mapped_row(f'{HEAD}title = "Acme Mail"\n{REST}{push}[[push.proof]]\nscheme = "rsa"\nheader = "x-s"\n')
    assert (*row.methods, *row.probes, row.answer) == ("GET", "HEAD", "ok")
    assert [proof.scheme for proof in row.proofs] == ["public_key"]
    assert (row.success, row.largest, row.channels, row.title) == (
        201,
        64 * 1024,
        frozenset({Channel.EMAIL}),
        "Acme Mail",
    )
    with patch.dict(SOURCES, {"acme": row}):
        assert load_parser("acme")(json.dumps(EVENT).encode(), {}) == read()
        assert name_source("acme") == "Acme Mail"
    load_parser.cache_clear()


@pytest.mark.parametrize("text", ["source = ", "source = 7", "[push]\nsuccess = 'yes'"])
def test_a_row_of_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="not a mapping"):
        make_mapped_row(text)


# ---- Paths and values ------------------------------------------------------------------------------------------------


def test_paths() -> None:
    body = {"a": [{"b": [1, 2]}, {"b": 3}, 4], "c": {"d-e": None, "f": ""}}
    assert find_all([body], [compile_path("a[].b")]) == [[1, 2], 3]
    assert find_all([body], [compile_path("a[0].b[1]"), compile_path("c")]) == [2]
    assert find_all([body], [compile_path("c.d-e"), compile_path("c.f"), compile_path("a[2]")]) == [4]
    assert find_all([{"x": None}, body], [compile_path("a[9]")]) == []
    assert [*find_events(body, [compile_path("a[]")])][1] == [{"b": 3}, body]


def test_values() -> None:
    values: list[Any] = [" a ", 7, 7.0, 7.5, True, None, [], float("nan")]
    assert [to_text(value) for value in values] == [
        *("a", "7", "7", "7.5", "true", "", "", ""),
    ]
    assert [to_number(value) for value in ("7", 7, True, "seven", "7" * 12, None, "٣")] == [7, 7, *[None] * 5]
    assert to_time("") == UNKNOWN_TIME


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        *(("a", "A", True), ("a", "ab", False), ("a*", "ab", True), ("*b", "ab", True), ("a*a", "a", False)),
        *(("*x*y*", "1x2y3", True), ("*x*y*", "1y2x3", False), ("*", "", True), ("a*b*c", "abbc", True)),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected

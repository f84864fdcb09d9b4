"""DirectMail: what each event becomes, by either route; what each type of failure means; what to do about it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from aftersend import classify
from aftersend.classify.rules import RuleDefinition, parse, split_lines
from aftersend.classify.shipped import FOLDER, ORDER
from aftersend.core import policy
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import CauseKind, Evidence, Feedback, Kind, Reason, Verdict
from aftersend.core.times import format_time
from aftersend.core.vocabulary import advise
from aftersend.ingest import ingest
from aftersend.sources import directmail as parser
from aftersend.sources import read
from aftersend.sources.directmail.facts import parse_local_time
from aftersend.sources.directmail.text import parse_fields
from local.__main__ import main
from local.samples import EVENTS
from tests.support import directmail
from tests.support.directmail import Event
from tests.support.ports import MemoryStore, ports
from tests.support.template import ROOT

FOLDER_OF_SAMPLES = EVENTS / "directmail"
# Samples of one event by both routes; those of unknown types cannot agree, because nobody knows what they mean.
BOTH = sorted(
    name
    for name in (path.name.removesuffix("-text.txt") for path in FOLDER_OF_SAMPLES.glob("*-text.txt"))
    if (FOLDER_OF_SAMPLES / f"{name}-event.json").exists() and not name.startswith("unknown-type")
)


def sample(name: str) -> list[Feedback]:
    return read("directmail", (FOLDER_OF_SAMPLES / name).read_bytes())


def one(event: Event) -> Feedback:
    (fact,) = read("directmail", directmail.as_text(event))
    return fact


def deliver(**values: str) -> Feedback:
    """The fact of a notification of a delivery with these values, and no others but those that name it."""
    given = {"event": "deliver", "env_id": "1", "rcpt": "ann@example.net", "end_time": "2026-03-02 18:11:14"} | values
    (fact,) = read("directmail", "&".join(f"{name}={value}" for name, value in given.items()).encode())
    return fact


# -- Two routes, one fact ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOTH)
def test_the_same_event_by_both_routes_is_one_fact(name: str) -> None:
    """Model: "The same fact by whichever path" has one id, for every type of event and of failure."""
    (by_text,), (by_event,) = sample(f"{name}-text.txt"), sample(f"{name}-event.json")
    assert by_text.id == by_event.id
    assert by_text.recipient == by_event.recipient
    assert by_text.context is not None and by_event.context is not None
    assert by_text.context.sender == by_event.context.sender


def test_every_type_of_failure_and_every_kind_is_shown_by_both_routes() -> None:
    types = {name.removeprefix("failed-type-") for name in BOTH if name.startswith("failed-type-")}
    assert types == parser.TRIED | parser.NOT_TRIED | {"SendOk"}
    kinds = {fact.kind for name in BOTH for fact in sample(f"{name}-text.txt")}
    assert kinds >= set(parser.OTHERS.values()) | {Kind.DELIVERED, Kind.BOUNCED, Kind.REJECTED}


def test_one_failure_in_every_envelope_is_one_fact() -> None:
    carriers = sorted(path.name for path in FOLDER_OF_SAMPLES.glob("same-failure-*") if ".expected." not in path.name)
    facts = [fact for name in carriers for fact in sample(name)]
    assert len(facts) == len(carriers) == 15
    assert len({fact.id for fact in facts}) == 1


# -- What a delivery came to -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind", "provider_code"),
    [
        # err_code decides: 250 is success, anything else is failure, whatever the status and the type say
        ({"err_code": "250", "status": "0", "failed_type": "SendOk"}, Kind.DELIVERED, "SendOk"),
        ({"err_code": "250", "status": "4", "failed_type": "SmtpNxBox"}, Kind.DELIVERED, "SmtpNxBox"),
        ({"err_code": "250"}, Kind.DELIVERED, None),
        ({"err_code": "550", "status": "2", "failed_type": "SmtpNxBox"}, Kind.BOUNCED, "SmtpNxBox"),
        ({"err_code": "550", "status": "0", "failed_type": "SendOk"}, Kind.BOUNCED, "SendOk/0"),
        ({"err_code": "251", "status": "0", "failed_type": "SendOk"}, Kind.BOUNCED, "SendOk/0"),
        ({"err_code": "550"}, Kind.BOUNCED, "unnamed/none"),
        # without it the status, then the type
        ({"err_code": "", "status": "0"}, Kind.DELIVERED, None),
        ({"err_code": "x", "status": "2", "failed_type": "SmtpNxBox"}, Kind.BOUNCED, "SmtpNxBox"),
        ({"status": "3"}, Kind.BOUNCED, "unnamed/3"),
        ({"status": "1"}, Kind.BOUNCED, "unnamed/1"),
        ({"failed_type": "SendOk"}, Kind.DELIVERED, "SendOk"),
        ({"failed_type": "SmtpFullBox"}, Kind.BOUNCED, "SmtpFullBox"),
        ({}, Kind.UNKNOWN, "deliver"),
        # what was no attempt
        ({"err_code": "559", "status": "2", "failed_type": "SysOutInvRcpt"}, Kind.REJECTED, "SysOutInvRcpt"),
        ({"status": "3", "failed_type": "SysOutRecipientReportedSpam"}, Kind.REJECTED, "SysOutRecipientReportedSpam"),
        # the status is kept where the type says less, or where it says something else of the address
        ({"status": "4", "failed_type": "SmtpZPermErr"}, Kind.BOUNCED, "SmtpZPermErr/4"),
        ({"status": "2", "failed_type": "SmtpNew"}, Kind.BOUNCED, "SmtpNew/2"),
        ({"status": "3", "failed_type": "SmtpNxBox"}, Kind.BOUNCED, "SmtpNxBox/3"),
        ({"status": "3", "failed_type": "SmtpMiscSpam"}, Kind.BOUNCED, "SmtpMiscSpam"),
    ],
)
def test_what_became_of_a_message(values: dict[str, str], kind: Kind, provider_code: str | None) -> None:
    fact = deliver(**values)
    assert fact.evidence is not None
    assert (fact.kind, fact.evidence.provider_code) == (kind, provider_code)


def test_the_type_of_a_cloud_event_decides_only_where_it_is_all_there_is() -> None:
    data = {"env_id": "1", "rcpt": "ann@example.net", "deliver_time": "2026-03-02T18:11:14"}
    for kind, type_, more in (
        (Kind.DELIVERED, "Succeed", {}),
        (Kind.BOUNCED, "Fail", {}),
        (Kind.BOUNCED, "Succeed", {"err_code": "550"}),
        (Kind.DELIVERED, "Fail", {"err_code": "250"}),
    ):
        body = {"type": f"dm:Deliver:{type_}", "data": data | more}
        assert [fact.kind for fact in read("directmail", json.dumps(body).encode())] == [kind]


@pytest.mark.parametrize(("code", "expected"), [("524", 524), ("199", 421), ("600", 421), ("", 421), ("55x", 421)])
def test_a_code_is_kept_where_it_can_be_one(code: str, expected: int) -> None:
    fact = deliver(err_code=code, err_msg="421 later", failed_type="SmtpTempErr")
    assert fact.evidence is not None
    assert fact.evidence.code == expected


# -- The older text ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("no keys & none = at all", {}),
        ("event=Open&status=", {"event": "Open", "status": ""}),
        ("event=Open&\r\n\r\nrcpt= a@b.example \r\n", {"event": "Open", "rcpt": "a@b.example"}),
        (" event=Open\n&\nrcpt =a@b.example", {"event": "Open", "rcpt": "a@b.example"}),
        ("status=4&status=0", {"status": "4"}),
        ("rcpt=a&b=c@d.example&region=x", {"rcpt": "a&b=c@d.example", "region": "x"}),
        ("rcpt=a@d.example&new=1&region=x&newer=2", {"rcpt": "a@d.example", "region": "x"}),
        ("X-Notify-Message-ID=a&b&status=0", {"X-Notify-Message-ID": "a&b", "status": "0"}),
        (
            "url=https://x.example/?event=Open&rcpt=a&err_msg=b",
            {"url": "https://x.example/?event=Open&rcpt=a&err_msg=b"},
        ),
        ("err_msg=a&b&failed_type=x&failed_type=y", {"err_msg": "a&b&failed_type=x", "failed_type": "y"}),
        ("err_msg=a&url=b&failed_type=y&tag=t", {"err_msg": "a&url=b", "failed_type": "y", "tag": "t"}),
        ("failed_type=y&err_msg=a&failed_type=x", {"failed_type": "y", "err_msg": "a&failed_type=x"}),
        ("err_msg=a&status=0", {"err_msg": "a&status=0"}),
        ("err_msg=&failed_type=", {"err_msg": "", "failed_type": ""}),
        ("rcpt=a%40b+c@d.example", {"rcpt": "a%40b+c@d.example"}),
    ],
)
def test_the_text_is_taken_apart(text: str, found: dict[str, str]) -> None:
    assert parse_fields(text) == found


# -- Times -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "zone", "utc"),
    [
        ("2017-03-29 14:22:43", "+08:00", "2017-03-29T06:22:43.000Z"),
        ("2026-03-02T18:11:14", "+08:00", "2026-03-02T10:11:14.000Z"),
        ("2026-03-02T18:11:14", "+01:00", "2026-03-02T17:11:14.000Z"),
        ("2026-03-02T18:11:14", "Z", "2026-03-02T18:11:14.000Z"),
        ("2026-03-02T18:11:14+0800", "Z", "2026-03-02T10:11:14.000Z"),
        ("2026-03-02T18:11:14Z", "+08:00", "2026-03-02T18:11:14.000Z"),
        ("2026-03-02T18:11:14.179PRC", "Z", "2026-03-02T10:11:14.179Z"),
        ("1772446274", "+08:00", "2026-03-02T10:11:14.000Z"),
        ("1772446274179", "+08:00", "2026-03-02T10:11:14.179Z"),
        ("", "+08:00", "1970-01-01T00:00:00.000Z"),
    ],
)
def test_times(text: str, zone: str, utc: str) -> None:
    assert format_time(parse_local_time(text, zone)) == utc


@pytest.mark.parametrize(
    "text", ["yesterday", "17724462", "99999999999999", "2026-13-01 00:00:00", "9999999999", "PRC"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(MalformedFeedback, match="a time is in no format"):
        deliver(end_time=text)


# -- Types of failure and what to do about them ------------------------------------------------------------------------

# What the document suggests for each type: class/reason, and a word that the advice for it must hold.
SUGGESTED = """
SysOutDnsResolveFail 524 hard/invalid_domain remove
SysOutDnsResolveFail 526 hard/invalid_domain remove
SysOutDnsResolveFail 423 soft/dns_failure remove
SmtpMfFreq 550 ignore/rate_limited less often
SmtpContSpam 554 block/spam_content content
SmtpAuthFail 550 block/auth_failed spf dkim
SmtpNxBox 550 hard/user_unknown remove
SysOutInvRcpt 559 hard/user_unknown remove
SmtpRcptFreq 451 ignore/rate_limited stop while
SmtpSslTlsErr 454 ignore/protocol_error try again network
SmtpTempErr 451 soft/system_error try again
SmtpZPermErr 554 undetermined/undetermined not try again read
SysOutSocksConnError 421 soft/network_error refuses mx
SmtpFullBox 552 soft/mailbox_full stop
SmtpIPFreq 421 ignore/rate_limited slowly later
SysOutSocksError 421 soft/network_error refuses mx
SysOutConnError 421 soft/network_error refuses mx
SysOutConnTooMuch 421 ignore/rate_limited refuses mx
UnkSmtpError 550 undetermined/undetermined does not know
SmtpMfdFreq 550 ignore/rate_limited domain less often
SmtpMiscSpam 550 block/spam_content content
SmtpMfBad 550 block/sender_rejected list
SmtpSpfFail 550 block/auth_failed spf
SmtpMfLimit 550 ignore/rate_limited tomorrow
SmtpDmaFail 550 block/auth_failed spf dkim
SmtpProtErr 503 ignore/protocol_error protocol
SysOutRecipientReportedSpam 559 complaint/complaint stop
SysIncomingInvRcpt 559 ignore/suppressed remove
SysOutRcptOnAccountLevelBounceList 563 ignore/suppressed remove
SysOutRecipientUnsubscribed 559 ignore/suppressed unsubscribed
SysOutHoneypot 559 ignore/suppressed remove
SmtpDbl 554 block/blocked lists
"""
ROWS = [tuple(row.split(" ", 3)) for row in SUGGESTED.strip().splitlines()]


def judged(failed: str, code: str, text: str = "") -> tuple[str, str]:
    """Class and reason, and the advice."""
    rules = classify.load()
    verdict = rules.judge(
        source="directmail", evidence=Evidence(code=int(code), text=text or None, provider_code=failed)
    )
    return f"{verdict.klass}/{verdict.reason}", rules.advise(verdict, failed)


@pytest.mark.parametrize(("failed", "code", "means", "suggested"), ROWS)
def test_every_type_means_what_the_document_says(failed: str, code: str, means: str, suggested: str) -> None:
    verdict, advice = judged(failed, code)
    assert verdict == means
    assert all(part in advice.lower() for part in suggested.split())


@pytest.mark.parametrize(("failed", "code", "means", "suggested"), ROWS)
def test_a_text_that_says_the_same_does_not_change_the_advice(
    failed: str, code: str, means: str, suggested: str
) -> None:
    """Another rule decides by the text then; the advice is still the one for DirectMail's type."""
    (fact,) = sample(f"failed-type-{failed}-text.txt")
    assert fact.evidence is not None
    if fact.evidence.code == int(code):
        assert judged(failed, code, fact.evidence.text or "") == judged(failed, code)


def test_the_table_knows_every_type() -> None:
    assert {row[0] for row in ROWS} == parser.TRIED | parser.NOT_TRIED


@pytest.mark.parametrize(
    ("values", "means"),
    [
        # a type that says little, or is new: the text, then the status, then the code
        ({"failed_type": "SmtpZPermErr", "status": "4", "err_msg": "550 5.1.1 user unknown"}, "hard/user_unknown"),
        ({"failed_type": "UnkSmtpError", "status": "4", "err_msg": "550 spam detected"}, "block/spam_content"),
        ({"failed_type": "UnkSmtpError", "status": "2", "err_msg": "550 4f2a"}, "hard/user_unknown"),
        ({"failed_type": "UnkSmtpError", "status": "2", "err_msg": "550 spam detected"}, "block/spam_content"),
        ({"failed_type": "UnkSmtpError", "status": "3", "err_msg": "550 user unknown"}, "block/spam_content"),
        ({"failed_type": "UnkSmtpError", "status": "4", "err_code": "451"}, "soft/system_error"),
        ({"failed_type": "UnkSmtpError", "status": "4", "err_code": "552"}, "soft/mailbox_full"),
        ({"failed_type": "SmtpNew", "status": "2", "err_code": "450"}, "soft/user_unknown"),
        ({"failed_type": "SmtpNew", "status": "4", "err_code": "550"}, "undetermined/undetermined"),
        ({"failed_type": "SmtpNew", "err_code": "550"}, "undetermined/undetermined"),
        # a type that says much: only what is the sender's fault goes before it
        ({"failed_type": "SmtpNxBox", "status": "2", "err_msg": "550 4f2a"}, "hard/user_unknown"),
        ({"failed_type": "SmtpNxBox", "status": "2", "err_msg": "550 message rejected as spam"}, "block/spam_content"),
        # its own lists, and what says two things at once: no text can say otherwise
        ({"failed_type": "SysOutInvRcpt", "err_msg": "559 spam"}, "hard/user_unknown"),
        ({"failed_type": "SmtpNxBox", "status": "0", "err_msg": "550 user unknown"}, "undetermined/undetermined"),
        ({"failed_type": "SendOk", "status": "4", "err_msg": "550 user unknown"}, "undetermined/undetermined"),
        ({"failed_type": "SysOutConnError", "err_msg": "421 connection refused: blocked"}, "soft/network_error"),
    ],
)
def test_type_text_status_and_code(values: dict[str, str], means: str) -> None:
    verdict = classify.load()(deliver(**({"err_code": "550"} | values)))
    assert verdict is not None
    assert f"{verdict.klass}/{verdict.reason}" == means


# -- Whom not to write to ----------------------------------------------------------------------------------------------


def causes(event: Event) -> set[CauseKind]:
    """What an event alone makes of the list of suppressions."""
    store = MemoryStore()
    used = ports(store, classify=classify.load())
    assert not ingest([directmail.message(directmail.as_event(event))], used).unreadable
    rows = store.get_suppressions(list(store.suppressions_table)).values()
    return {kind for row in rows for kind in row.causes}


SUPPRESSES = {
    "SmtpNxBox": {CauseKind.HARD},
    "SysOutInvRcpt": {CauseKind.HARD},
    "SysOutDnsResolveFail": {CauseKind.HARD},
    "SmtpRcptFreq": {CauseKind.PAUSE},
    "SysOutRecipientReportedSpam": {CauseKind.COMPLAINT},
    "SysIncomingInvRcpt": {CauseKind.PROVIDER},
    "SysOutRcptOnAccountLevelBounceList": {CauseKind.PROVIDER},
    "SysOutRecipientUnsubscribed": {CauseKind.PROVIDER},
    "SysOutHoneypot": {CauseKind.PROVIDER},
}


@pytest.mark.parametrize("failed", sorted(parser.TRIED | parser.NOT_TRIED))
def test_what_a_failure_suppresses(failed: str) -> None:
    assert causes(Event(failed=failed, status="4", code="524", said="524 4f2a")) == SUPPRESSES.get(failed, set())


@pytest.mark.parametrize(
    ("what", "suppresses"),
    [
        ("complaint", {CauseKind.COMPLAINT}),
        ("unsubscribe", {CauseKind.UNSUBSCRIBED}),
        ("open", set()),
        ("click", set()),
    ],
)
def test_what_a_recipient_does_suppresses(what: str, suppresses: set[CauseKind]) -> None:
    assert causes(Event(what=what, url="https://shop.example.com/")) == suppresses


# -- Advice in general -------------------------------------------------------------------------------------------------

MINE = """
[[rule]]
id = "mine"
when.text = ["moonlight"]
then.reason = "user_unknown"
then.advice = "Ask at the reception."
"""


def test_advice_is_the_rule_s_then_the_provider_code_s_then_the_reason_s() -> None:
    rules = classify.load(MINE)
    by_rule = rules.judge(source="directmail", evidence=Evidence(text="moonlight", provider_code="SmtpNxBox"))
    assert rules.advise(by_rule, "SmtpNxBox") == "Ask at the reception."
    by_text = rules.judge(source="directmail", evidence=Evidence(text="550 user unknown", provider_code="SmtpNxBox"))
    assert not by_text.rule.startswith("directmail.")
    assert rules.advise(by_text, "SmtpNxBox").startswith("Remove this address from your list")
    assert rules.advise(by_text, "SmtpTempErr") == advise(Reason.USER_UNKNOWN)
    assert rules.advise(by_text) == advise(Reason.USER_UNKNOWN)


def test_advice_on_a_verdict_of_a_rule_that_is_gone_is_the_reason_s() -> None:
    old = Verdict(
        klass=classify.load().judge(source="x", evidence=Evidence()).klass, reason=Reason.EXPIRED, rule="gone"
    )
    assert classify.load().advise(old) == advise(Reason.EXPIRED)


def test_rules_for_codes_of_directmail_know_no_code_that_the_parser_does_not() -> None:
    sources = [rule for name in ORDER for rule in parse((FOLDER / f"{name}.toml").read_text("utf-8"))]
    named = {
        word.partition("/")[0] for rule in sources if _is_ours(rule) for word in split_lines(rule.when.provider_code)
    }
    assert named - {"*", "SendOk"} == parser.TRIED | parser.NOT_TRIED


def _is_ours(rule: RuleDefinition) -> bool:
    return rule.id.startswith("directmail.")


def test_the_command_line_takes_the_provider_code_and_gives_its_advice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {
        "id": 1,
        "source": "directmail",
        "replycode": 451,
        "provider_code": "SmtpRcptFreq",
        "text": "451 too much mail",
    }
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(row).encode())))
    assert main(["classify"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert (output["rule"], output["advice"].partition(":")[0]) == (
        "directmail.pause",
        "Stop writing to this recipient for a while",
    )


# -- The rest ----------------------------------------------------------------------------------------------------------


def test_what_the_sender_said_is_kept() -> None:
    (fact,) = sample("failed-type-SmtpNxBox-event.json")
    assert fact.context is not None
    assert fact.context.sender == "edm@send.example.com"
    assert set(fact.context.correlation) == {"X-Notify-Message-ID", "tag", "env_id"}


def test_nothing_that_only_one_route_knows_is_part_of_a_fact() -> None:
    """The id of a CloudEvent, the machine that sent, the tag: another way to the same fact has none of them."""
    event = json.loads((FOLDER_OF_SAMPLES / "same-failure-event.json").read_bytes())
    (plain,) = read("directmail", json.dumps(event).encode())
    event |= {"id": "another", "aliyunpublishtime": "2026-03-02T19:00:00.000PRC"}
    event["data"] |= {"tag": "t", "outbound_ip": "192.0.2.9", "esp": "e", "channel_name": "c", "client_ip": "192.0.2.1"}
    (other,) = read("directmail", json.dumps(event).encode())
    assert plain.id == other.id


def test_a_complaint_is_about_the_same_message_whichever_ids_it_names() -> None:
    (bare,), (named,) = sample("complaint-event.json"), sample("complaint-with-env-id.json")
    assert bare.message == named.message == "rfc5322:02785cb2-0000-4000-8000-000000000003@example.com"
    assert named.context and named.context.correlation["env_id"] == "600030003"
    assert bare.occurred_at == named.occurred_at == datetime.fromtimestamp(1_772_503_200, UTC)


def test_a_header_of_any_form_is_tolerated() -> None:
    headers: list[object] = [None, [], "x", 7, {"X-Other": "a"}, {"x-notify-message-id": 7}]
    for header in [*headers, {"x-notify-message-id": "n"}]:
        body = {"type": "dm:Trace:Open", "data": {"env_id": "1", "rcpt": "a@b.example", "header": header}}
        (fact,) = read("directmail", json.dumps(body).encode())
        assert fact.context is not None
        assert fact.context.correlation == ({} if header in headers else {"X-Notify-Message-ID": "n"})


DOCUMENTED = (ROOT / "docs" / "directmail.md").read_text().partition("```toml\n")[2].partition("```")[0]


@pytest.mark.parametrize("route", [directmail.as_text, directmail.as_event])
def test_a_sender_address_has_its_own_stream_and_goes_before_its_domain(route: Callable[[Event], bytes]) -> None:
    """As docs/directmail.md says, whichever way an event came."""
    store = MemoryStore()
    used = ports(store, classify=classify.load(), policy=policy.load(DOCUMENTED))
    for number, sender in enumerate((b"news@send.example.com", b"other@send.example.com")):
        event = Event(what="unsubscribe", rcpt=f"r{number}@example.net")
        body = route(event).replace(directmail.SENDER.encode(), sender)
        assert not ingest([directmail.message(body)], used).unreadable
    assert sorted(store.suppressions_table) == [("email:r0@example.net", "news"), ("email:r1@example.net", "account")]

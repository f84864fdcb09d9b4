"""Remote servers and visitors write parts of these bodies: whatever they write, they change nothing but their part."""

from __future__ import annotations

import base64
import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend import classify
from aftersend.classify.rules import parse, split_lines
from aftersend.classify.shipped import FOLDER, ORDER
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Class, Evidence, Feedback, Kind
from aftersend.core.recipient import MAX_RECIPIENT_BYTES as MAX_ADDRESS
from aftersend.core.text import truncate
from aftersend.sources import directmail as parser
from aftersend.sources import read
from aftersend.sources.directmail.body import NAMES
from aftersend.sources.directmail.text import parse_fields
from local.samples import EVENTS
from tests.support import directmail
from tests.support.directmail import Event

OWN = sorted(path for path in (EVENTS / "directmail").iterdir() if not path.name.endswith(".expected.json"))
SOON = 1.0  # seconds of CPU for a megabyte
MEGABYTE = 1_000_000


def read_or_refuse(raw: bytes) -> list[Feedback] | str:
    """What the parser says; everything it says is bounded."""
    try:
        facts = read("directmail", raw)
    except MalformedFeedback as error:
        return error.why
    for fact in facts:
        assert fact.recipient.startswith("email:")
        assert len(fact.recipient.encode()) <= MAX_ADDRESS + len("email:")
        assert len(fact.message.encode()) <= 250
        evidence = fact.evidence or Evidence()
        assert len((evidence.text or "").encode()) <= 1_024
        assert len(evidence.provider_code or "") <= 64
        assert evidence.code is None or 200 <= evidence.code <= 599
        assert fact.engagement is None or len(fact.engagement.link or "") <= 512
        assert fact.context is not None and all(len(value) <= 200 for value in fact.context.correlation.values())
    return facts


# -- Any bytes ---------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=400))
def test_any_bytes_return(raw: bytes) -> None:
    read_or_refuse(raw)
    read_or_refuse(base64.b64encode(raw))
    read_or_refuse(b"event=deliver&" + raw)
    read_or_refuse(b'{"type":"dm:Deliver:Fail","source":"acs.dm","data":{"err_msg":"' + raw + b'"}}')


_PIECES = st.sampled_from(
    [
        *(name.encode() + b"=" for name in NAMES),
        *(b"&", b"&", b"&", b"&\r\n", b"=", b"\x00", b"\xff", b"@", b"ann@example.net", b"2026-03-02 18:11:14"),
        *(b"deliver", b"Open", b"Click", b"complaint", b"250", b"550", b"SmtpNxBox", b"0", b"1772503200", b"PRC"),
        *(b"<Notification><Message>", b"</Message>", b"<!DOCTYPE x>", b"{", b'"data":', b"}", b"[", b"]", b"&amp;"),
    ]
)


@given(st.lists(_PIECES, max_size=60))
def test_any_mixture_of_what_bodies_are_made_of_returns(pieces: list[bytes]) -> None:
    read_or_refuse(b"".join(pieces))
    read_or_refuse(b"event=deliver&env_id=1&rcpt=a@b.example&" + b"".join(pieces))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "data", "type"]), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*NAMES, "type", "source", "time", "data"]), _json))
def test_any_types_in_a_cloud_event_return(event: dict[str, object]) -> None:
    read_or_refuse(json.dumps({"type": "dm:Deliver:Fail"} | event).encode())
    read_or_refuse(json.dumps([{"type": "dm:Trace:Click", "data": event}]).encode())


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_truncations_and_flipped_bytes_of_a_sample_return(path: Path) -> None:
    whole, dice = path.read_bytes(), random.Random(path.name)
    for end in range(0, len(whole), max(1, len(whole) // 100)):
        read_or_refuse(whole[:end])
    for _ in range(30 if whole else 0):
        broken = bytearray(whole)
        for _ in range(dice.randrange(1, 20)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        read_or_refuse(bytes(broken))


HOSTILE = {
    "ampersands": b"event=deliver" + b"&" * MEGABYTE,
    "keys": b"event=deliver" + b"&rcpt=a@b.example" * 60_000,
    "blanks behind ampersands": b"event=deliver" + (b"&" + b" " * 1_000) * 1_000,
    "ends of texts": b"event=deliver&err_msg=" + b"&failed_type=" * 70_000,
    "almost keys": b"event=deliver&err_msg=" + b"&failed_typ" * 90_000,
    "a long value": b"event=deliver&rcpt=" + b"a" * MEGABYTE,
    "a long time": b"event=deliver&env_id=1&rcpt=a@b.example&end_time=" + b"(" * MEGABYTE,
    "a long number": b"event=deliver&env_id=1&rcpt=a@b.example&err_code=" + b"5" * MEGABYTE,
    "many events": b"[" + b",".join([b'{"type":"dm:Trace:Open","data":{"rcpt":"a@b.c","env_id":1}}'] * 15_000) + b"]",
    "nested arrays": b"[" * MEGABYTE,
    "a nested header": b'{"type":"dm:Trace:Open","data":{"header":' + b"[" * MEGABYTE,
    "a long integer": b'{"type":"dm:Trace:Open","data":{"env_id":' + b"9" * MEGABYTE + b"}}",
    "base64 of nothing": b"A" * MEGABYTE,
    "base64 of base64": base64.b64encode(base64.b64encode(base64.b64encode(b"{" + b" " * 400_000))),
    "nested XML": b"<Notification>" + b"<a>" * 160_000,
    "much XML": b"<Notification><Message>" + b"a&amp;" * 80_000,
    "attributes": b"<Notification " + b"".join(b'a%d="" ' % each for each in range(45_000)) + b"/>",
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bodies_are_read_soon(raw: bytes) -> None:
    begun = time.process_time()
    read_or_refuse(raw)
    assert time.process_time() - begun < SOON


# -- Forgery -----------------------------------------------------------------------------------------------------------

_forged = st.lists(
    st.sampled_from(
        [f"{glue}{name}={value}" for glue in ("&", "&\r\n", "") for name in NAMES for value in ("0", "x@y.z")]
    )
    | st.sampled_from(["&", "=", "\n", "&failed_type", "&failed_type=SendOk&status=0&err_code=250&rcpt=victim@y.z"])
    | st.text(max_size=8),
    max_size=8,
).map("".join)


@given(st.dictionaries(st.sampled_from(sorted(set(NAMES) - {"err_msg", "url", "header"})), st.just("1")), _forged)
def test_a_text_changes_no_other_value(given_fields: dict[str, str], text: str) -> None:
    """Whatever stands before it, and with the type behind it, as DirectMail writes it: `err_msg` is only itself."""
    head = "&".join(f"{name}={value}" for name, value in given_fields.items() if name != "failed_type")
    body = f"{head}&err_msg={text}&failed_type=SmtpNxBox"
    expected = given_fields | {"err_msg": text.strip(), "failed_type": "SmtpNxBox"}
    assert parse_fields(body) == expected


@given(_forged)
def test_a_text_changes_nothing_but_the_evidence_of_it(text: str) -> None:
    event = Event(said="opaque", failed="SmtpFullBox", status="4", code="452")
    (plain,) = read("directmail", directmail.as_text(event))
    (forged,) = read("directmail", directmail.as_text(replace(event, said=text)))
    assert plain.evidence is not None and forged.evidence is not None
    without = replace(forged.evidence, text=plain.evidence.text, status=plain.evidence.status)
    assert replace(forged, evidence=without, id="") == plain
    assert forged.evidence.text == (truncate(text.strip(), 1_024).strip() or None)


@given(_forged)
def test_a_link_changes_nothing_but_itself(link: str) -> None:
    event = Event(what="click", url="https://shop.example.com/")
    (plain,) = read("directmail", directmail.as_text(event))
    (forged,) = read("directmail", directmail.as_text(replace(event, url=link)))
    assert plain.engagement is not None and forged.engagement is not None
    assert replace(forged, engagement=plain.engagement, id="") == plain
    assert forged.engagement.link == (truncate(link.strip(), 512) or None)


# -- Law 5 -------------------------------------------------------------------------------------------------------------

SENDERS_FAULT = (
    *("SmtpMfFreq", "SmtpMfdFreq", "SmtpIPFreq", "SmtpRcptFreq", "SmtpMfLimit", "SmtpContSpam", "SmtpMiscSpam"),
    *("SmtpMfBad", "SmtpDbl", "SmtpAuthFail", "SmtpSpfFail", "SmtpDmaFail", "SmtpNxBox/3", "SysOutInvRcpt/3", "New/3"),
    *("SendOk/4", "SmtpNxBox/0", "New/0"),
)
RULES = [rule for name in ORDER for rule in parse((FOLDER / f"{name}.toml").read_text("utf-8"))]
TEXTS = [text for rule in RULES for text in split_lines(rule.example)]


@pytest.mark.parametrize("failed", SENDERS_FAULT)
def test_what_is_the_sender_s_fault_is_never_held_against_the_address(failed: str) -> None:
    """Law 5: "Spam, policy, authentication, reputation and rate refusals … never suppress an address": DirectMail's own
    type says so, and no text that any rule knows can turn it, whoever wrote that text.
    """
    rules = classify.load()
    against = [text for text in TEXTS if rules.judge(source="x", evidence=Evidence(text=text)).klass is Class.HARD]
    assert len(against) > 50, "else this proves nothing"
    for text in TEXTS:
        for code in (None, 450, 550):
            verdict = rules.judge(source="directmail", evidence=Evidence(code=code, text=text, provider_code=failed))
            assert verdict.klass not in (Class.HARD, Class.SOFT), (text, verdict)


@pytest.mark.parametrize("status", ["0", "3"])
@pytest.mark.parametrize("failed", sorted({*parser.TRIED, *parser.NOT_TRIED, "New", ""}))
def test_a_delivery_and_a_refusal_as_spam_are_never_held_against_the_address(failed: str, status: str) -> None:
    """Law 5, with every type of failure: status 0 says that it was delivered, status 3 that it was taken for spam."""
    rules = classify.load()
    for said in ("550 5.1.1 User unknown", "550 Domain does not exist", "452 4.2.2 mailbox full", "421 try again"):
        (fact,) = read("directmail", directmail.as_text(Event(failed=failed, status=status, code=said[:3], said=said)))
        verdict = rules(fact)
        assert verdict is not None
        assert verdict.klass not in (Class.HARD, Class.SOFT), (said, verdict)


def test_every_known_type_is_the_sender_s_the_address_s_or_not_known() -> None:
    """So that a new type is put where it belongs."""
    address = {"SmtpNxBox", "SysOutInvRcpt", "SysOutDnsResolveFail", "SmtpFullBox", "SmtpTempErr"}
    nobody = {"SysOutConnError", "SysOutConnTooMuch", "SysOutSocksConnError", "SysOutSocksError", "SmtpSslTlsErr"}
    unclear = {"SmtpProtErr", "SmtpZPermErr", "UnkSmtpError"}
    assert {*SENDERS_FAULT, *address, *nobody, *unclear} >= parser.TRIED
    assert {fact.kind for fact in map(_kind_of, parser.NOT_TRIED)} == {Kind.REJECTED}


def _kind_of(failed: str) -> Feedback:
    (fact,) = read("directmail", directmail.as_text(Event(failed=failed, code="559")))
    return fact

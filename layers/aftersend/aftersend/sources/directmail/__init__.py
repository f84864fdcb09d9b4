"""Alibaba Cloud DirectMail: notifications by the Message Service (MNS), and CloudEvents of EventBridge.

Sources: DirectMail documentation, "Set up asynchronous notifications" and "Set up event publishing". Not obvious there:
- both routes report the same event, under other names, and that is one fact: nothing that only one of them knows (its
  own id, the machine it was sent from) is part of it;
- `err_code` says what happened, 250 is success and all else is failure; where it is missing `status` does;
- status 3 is a refusal by the receiving system, which took the mail for spam: nobody complained;
- some types of failure were no attempt at all: DirectMail knew the address and did not send.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.model import Engagement, Evidence, Feedback, Kind
from aftersend.core.text import truncate, truncate_host, truncate_or_none
from aftersend.sources.directmail import body
from aftersend.sources.directmail.body import Data, find_first
from aftersend.sources.directmail.facts import SOURCE, FeedbackFactory
from aftersend.sources.directmail.text import parse_fields
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.smtp_reply import parse_reply

# The types of event in either form, folded. Of the deliveries: the kind where the event says no more than its type.
DELIVERIES: Final = {"deliver": Kind.UNKNOWN, "dm:deliver:succeed": Kind.DELIVERED, "dm:deliver:fail": Kind.BOUNCED}
OTHERS: Final = {
    "open": Kind.OPENED,
    "dm:trace:open": Kind.OPENED,
    "click": Kind.CLICKED,
    "dm:trace:click": Kind.CLICKED,
    "complaint": Kind.COMPLAINED,
    "dm:feedback:fblreport": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED,
    "dm:feedback:unsubscribe": Kind.UNSUBSCRIBED,
    "subscribe": Kind.SUBSCRIBED,
    "dm:feedback:subscribe": Kind.SUBSCRIBED,
}
IGNORED: Final = frozenset({"dm:validator:graylistresult"})  # the answer to a check of an address: no message

DELIVERED: Final = 250
# The types of failure that are known: attempts that failed, and what DirectMail knew beforehand and did not try.
TRIED: Final = frozenset(
    (
        *("SysOutDnsResolveFail", "SysOutConnError", "SysOutConnTooMuch", "SysOutSocksConnError", "SysOutSocksError"),
        *("SmtpNxBox", "SmtpFullBox", "SmtpContSpam", "SmtpMiscSpam", "SmtpMfBad", "SmtpDbl", "SmtpAuthFail"),
        *("SmtpSpfFail", "SmtpDmaFail", "SmtpMfFreq", "SmtpMfdFreq", "SmtpIPFreq", "SmtpRcptFreq", "SmtpMfLimit"),
        *("SmtpTempErr", "SmtpSslTlsErr", "SmtpProtErr", "SmtpZPermErr", "UnkSmtpError"),
    )
)
NOT_TRIED: Final = frozenset(
    (
        *("SysOutInvRcpt", "SysIncomingInvRcpt", "SysOutRcptOnAccountLevelBounceList", "SysOutHoneypot"),
        *("SysOutRecipientReportedSpam", "SysOutRecipientUnsubscribed"),
    )
)
_CATCH_ALL: Final = frozenset({"SmtpZPermErr", "UnkSmtpError"})  # the status may say more than these do
_SPECIFIC: Final = (TRIED | NOT_TRIED) - _CATCH_ALL
# What is held against the address, or may be for what its text says, and the statuses by which it must not be: no
# failure, and refused as spam.
_ADDRESS: Final = frozenset(
    (
        *("SmtpNxBox", "SysOutInvRcpt", "SysOutDnsResolveFail", "SmtpFullBox"),
        *("SmtpTempErr", "SmtpSslTlsErr", "SmtpProtErr", "SysOutConnError", "SysOutSocksConnError", "SysOutSocksError"),
    )
)
_CONTRADICTS: Final = frozenset({"0", "3"})


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Parse one body: one fact for a notification, one for each event of an array.

    Raises MalformedFeedback. Results of address checks, and events of unknown types that name nobody, give none.
    """
    try:
        return [fact for event in _read_events(raw.strip()) for fact in _read_event(*event)]
    except DECODE_ERRORS as error:
        raise MalformedFeedback(SOURCE, f"not a body of DirectMail: {error}") from error
    except ValueError as error:  # its text quotes the body
        raise MalformedFeedback(SOURCE, "a time is in no format that is known") from error


def _read_events(raw: bytes) -> Iterator[tuple[str, Data, str | None]]:
    """Each event of a body: its type as written, its data, and the time of the CloudEvent around it."""
    if not raw.startswith((b"{", b"[")):
        data = body.convert_fields(parse_fields("" if raw.startswith(b"<") else raw.decode("utf-8", "replace")))
        if not data.event:
            raise MalformedFeedback(SOURCE, "neither a CloudEvent nor a notification of DirectMail")
        yield data.event, data, None
        return
    decoded = body.decode(raw)
    for event in decoded if isinstance(decoded, list) else [decoded]:
        inner = event.data or event
        type_ = find_first(event.type, inner.event)
        if not type_:
            raise MalformedFeedback(SOURCE, "an object that names no type of event")
        if find_first(event.source, "acs.dm").lower().replace(":", ".") != "acs.dm":
            raise MalformedFeedback(SOURCE, "an event of another source than DirectMail")
        yield type_, inner, event.time


def _read_event(type_: str, data: Data, event_time: str | None) -> Iterator[Feedback]:
    folded, factory = type_[:40].strip().lower(), FeedbackFactory(data, event_time)
    if folded in DELIVERIES:
        kind, provider_code = find_outcome(data, DELIVERIES[folded])
        yield factory.build(kind, _make_evidence(data, provider_code))
    elif folded in OTHERS:
        yield _build_other(OTHERS[folded], factory, data)
    elif folded not in IGNORED and factory.complete:
        yield factory.build(Kind.UNKNOWN, Evidence(provider_code=truncate(type_, 64)))


def _build_other(kind: Kind, factory: FeedbackFactory, data: Data) -> Feedback:
    match kind:
        case Kind.CLICKED:
            return factory.build(kind, engagement=Engagement(link=truncate_or_none(find_first(data.url), 512)))
        case Kind.COMPLAINED:
            return factory.build(kind, Evidence(provider_code="FblReport"))
    return factory.build(kind)


def find_outcome(data: Data, otherwise: Kind) -> tuple[Kind, str | None]:
    """Find what became of the message, and DirectMail's code for it; `otherwise` where the event says nothing of it."""
    code, status, failed = _parse_number(data.err_code), find_first(data.status), find_first(data.failed_type)
    if code is not None:
        arrived = code == DELIVERED
    elif status:
        arrived = status == "0"
    elif failed:
        arrived = failed == "SendOk"
    else:
        return otherwise, truncate_or_none(data.event, 64)
    if arrived:
        return Kind.DELIVERED, truncate_or_none(failed, 64)
    return Kind.REJECTED if failed in NOT_TRIED else Kind.BOUNCED, _make_provider_code(failed, status)


def _make_provider_code(failed: str, status: str) -> str:
    """The type of failure; with the status, where that is all there is to go by or says something else."""
    contradicted = failed in _ADDRESS and status in _CONTRADICTS
    if failed in _SPECIFIC and not contradicted:
        return failed
    return truncate(f"{failed or 'unnamed'}/{status or 'none'}", 64)


def _make_evidence(data: Data, provider_code: str | None) -> Evidence:
    code, status, text = parse_reply(find_first(data.err_msg))
    own = _parse_number(data.err_code)
    return Evidence(
        code=own if own is not None and 200 <= own <= 599 else code,
        status=status,
        text=text,
        provider_code=provider_code,
        reporting_mta=truncate_host(find_first(data.outbound_ip)),
    )


def _parse_number(value: body.Value) -> int | None:
    text = find_first(value)
    return int(text) if text.isdecimal() and len(text) < 10 else None

"""Infobip: delivery reports on mail, SMS and apps, and events of tracked mail.

Sources: Infobip documentation, "Receive outbound SMS message report", "Email API delivery reports", "Receive email
tracking notifications", "Error code reference". What is not obvious there:
- `DELIVERED_TO_OPERATOR` belongs to the group DELIVERED, and is a step on the way: only the handset's report is a
  delivery;
- `EXPIRED_DLR_UNKNOWN` says that no report came, and so nothing of the message;
- `permanent` says that the same message would fail again, which is no word about the number: spam and opt-outs have it,
  too;
- an error's id means one thing in all reports, its group another one in each product.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Context, Engagement, Evidence, Feedback, Kind
from aftersend.core.vocabulary import Channel, Protocol
from aftersend.sources.events import (
    Event,
    decode_events,
    find_number,
    find_object,
    find_text,
    find_time,
    make_engagement,
    make_provider_code,
)
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.text_messages import TextFact, canonicalize_address, make_evidence, make_text_context

SOURCE: Final = "infobip"

GROUPS: Final = {
    "1": Kind.SENT,  # PENDING
    "2": Kind.BOUNCED,  # UNDELIVERABLE
    "3": Kind.DELIVERED,
    "4": Kind.BOUNCED,  # EXPIRED
    "5": Kind.REJECTED,
}
NAMES: Final = {
    "PENDING": Kind.SENT,
    "UNDELIVERABLE": Kind.BOUNCED,
    "DELIVERED": Kind.DELIVERED,
    "EXPIRED": Kind.BOUNCED,
    "REJECTED": Kind.REJECTED,
}
# Statuses that are something else than their group.
STATUSES: Final = {
    "DELIVERED_TO_OPERATOR": Kind.SENT,
    "EXPIRED_DLR_UNKNOWN": Kind.UNKNOWN,
    "SIGNALS_BLOCKED": Kind.REJECTED,
    "UNDELIVERABLE_NOT_SENT": Kind.REJECTED,
}
NOTIFICATIONS: Final = {  # of tracked mail
    "OPENED": Kind.OPENED,
    "CLICKED": Kind.CLICKED,
    "UNSUBSCRIBED": Kind.UNSUBSCRIBED,
    "COMPLAINED": Kind.COMPLAINED,
    "COMPLAINT": Kind.COMPLAINED,
}
FAILED: Final = frozenset({Kind.BOUNCED, Kind.REJECTED})
# Errors of mail that Infobip dropped, and did not try to deliver.
DROPPED: Final = frozenset(
    (
        *(6002, 6003, 6016, 6018, *range(6020, 6028), *range(6029, 6032), *range(6033, 6037), *range(6038, 6042)),
        *(6050, 6051, 6052, *range(6054, 6058)),
    )
)
OWN_ERRORS: Final = range(6000, 9000)  # of mail, apps and push; the others are those of networks
MAIL_ERRORS: Final = range(6000, 7000)
NETWORKS: Final = frozenset({"", "SMS", "MMS"})  # channels by which a number is reached; the others are apps
_SILENT: Final = "NO_ERROR"


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts of one body, one for each report. Raises MalformedFeedback."""
    return [fact for body in decode_events(SOURCE, raw) for report in _list_reports(body) for fact in _read(report)]


def _list_reports(body: Event) -> list[Event]:
    reports = body.get("results", [body])
    if not isinstance(reports, list) or not all(isinstance(each, dict) for each in reports):
        raise MalformedFeedback(SOURCE, "results that are no list of reports")
    return reports


def _read(report: Event) -> list[Feedback]:
    if find_text(report, "notificationType"):
        return _read_notification(report)
    if find_object(report, "status"):
        return _read_delivery(report)
    if find_text(report, "seenAt"):
        return _build(report, Kind.OPENED, find_time(SOURCE, report, "seenAt"), make_evidence("SEEN"))
    if "messageId" not in report:
        raise MalformedFeedback(SOURCE, "neither a report nor an event of tracked mail")
    return []


def _read_delivery(report: Event) -> list[Feedback]:
    status, error = find_object(report, "status"), find_object(report, "error")
    name, code = find_text(status, "name").strip().upper(), find_number(error, "id")
    kind = STATUSES.get(name) or GROUPS.get(find_text(status, "groupId").strip())
    kind = kind or NAMES.get(find_text(status, "groupName").strip().upper(), Kind.UNKNOWN)
    if kind is Kind.BOUNCED and code in DROPPED:
        kind = Kind.REJECTED
    return _build(report, kind, find_time(SOURCE, report, "doneAt", "sentAt"), _make_evidence(kind, name, error, code))


def _make_evidence(kind: Kind, name: str, error: Event, code: int | None) -> Evidence:
    """The status, the name of the error, and its id: 0 is none."""
    if kind not in FAILED or not code:
        return make_evidence(make_provider_code(name))
    own = find_text(error, "name").strip().upper()
    protocol = Protocol.HTTP if code in OWN_ERRORS else Protocol.SMPP
    text = find_text(error, "description") if code in MAIL_ERRORS else ""  # elsewhere it says what the name says
    return make_evidence(make_provider_code(name, "" if own == _SILENT else own), code, protocol, text)


def _read_notification(report: Event) -> list[Feedback]:
    word = find_text(report, "notificationType").strip()
    kind = NOTIFICATIONS.get(word.upper(), Kind.UNKNOWN)
    at = find_time(SOURCE, report, "sendDateTime", "timestamp")
    if kind is not Kind.OPENED and kind is not Kind.CLICKED:
        return _build(report, kind, at, make_evidence(make_provider_code(word)))
    agent = find_object(report, "recipientInfo")
    seen = make_engagement(
        ip=find_text(agent, "ipAddress"), user_agent=find_text(agent, "userAgent"), link=find_text(report, "url")
    )
    return _build(report, kind, at, None, seen)


def _build(
    report: Event, kind: Kind, at: datetime, evidence: Evidence | None, engagement: Engagement | None = None
) -> list[Feedback]:
    address = find_text(report, "to", "recipient", "destination").strip()
    channel = find_text(report, "channel").strip().upper()
    is_mail = channel == "EMAIL" or "@" in address
    app = "" if channel in NETWORKS else channel.lower()
    fact = TextFact(
        source=SOURCE,
        message=find_text(report, "messageId").strip(),
        recipient=canonicalize_address(address, Channel.EMAIL if is_mail else Channel.SMS, app),
        spelled=address,
        at=at,
        context=_make_context(report),
    )
    return fact.build(kind, evidence, engagement)


def _make_context(report: Event) -> Context:
    known = {name: find_text(report, name) for name in ("bulkId", "callbackData", "mccMnc")}
    return make_text_context(find_text(report, "from", "sender"), known)

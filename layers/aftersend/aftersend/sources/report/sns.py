"""Notifications of Amazon SES that a topic sent as mail: the JSON body of the SES parser, inside the text.

What a mail says is never taken for what Amazon SES says: the facts are this source's, however genuine they look.
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.core.times import UNKNOWN_TIME, format_time
from aftersend.sources import ses
from aftersend.sources.envelope import peel
from aftersend.sources.report.mime import Headers
from aftersend.sources.report.parsed import MailType, ParsedReport, RecipientReport
from aftersend.sources.report.status import strip_diagnostic_type

_TYPE_FIELDS: Final = ("notificationType", "eventType")
_MAIL_TYPES: Final = {
    Kind.BOUNCED: MailType.BOUNCE,
    Kind.DEFERRED: MailType.BOUNCE,
    Kind.DELIVERED: MailType.BOUNCE,
    Kind.REJECTED: MailType.BOUNCE,
    Kind.COMPLAINED: MailType.COMPLAINT,
    Kind.COMPLAINT_WITHDRAWN: MailType.COMPLAINT,
    Kind.UNSUBSCRIBED: MailType.COMPLAINT,
    Kind.AUTO_REPLIED: MailType.AUTO_REPLY,
}


def read(headers: Headers, text: str) -> ParsedReport | None:
    """Return the report that the notification in a text makes; None where there is none."""
    if not any(mark in text for mark in _TYPE_FIELDS):
        return None
    start, end = text.find("{"), text.rfind("}")
    body = text[start : end + 1].replace("\n ", "").replace("\n", "")  # long lines were folded on the way
    try:
        facts = [fact for fact in ses.parse(peel(body.encode("utf-8", "replace"))) if fact.kind in _MAIL_TYPES]
    except MalformedFeedback:
        return None
    if not facts:
        return None
    at = facts[0].occurred_at
    report = ParsedReport(
        mail_type=_MAIL_TYPES[facts[0].kind], headers=headers, recipients=[_read_recipient(fact) for fact in facts]
    )
    report.provider_code = (facts[0].evidence and facts[0].evidence.provider_code) or str(facts[0].kind)
    report.message_key, report.arrival_date = facts[0].message, None if at == UNKNOWN_TIME else format_time(at)
    return report


def _read_recipient(fact: Feedback) -> RecipientReport:
    evidence = fact.evidence or Evidence()
    return RecipientReport(
        recipient=fact.received_as or fact.recipient.removeprefix("email:"),
        kind=fact.kind,
        action=evidence.action,
        status=evidence.status,
        text=strip_diagnostic_type(evidence.text or ""),
        remote_mta=evidence.remote_mta,
        derived=evidence.derived,
    )

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
from aftersend.sources.report.statements import Form, Report, Said
from aftersend.sources.report.status import diagnostic

_MARKS: Final = ("notificationType", "eventType")
_FORMS: Final = {
    Kind.BOUNCED: Form.BOUNCE,
    Kind.DEFERRED: Form.BOUNCE,
    Kind.DELIVERED: Form.BOUNCE,
    Kind.REJECTED: Form.BOUNCE,
    Kind.COMPLAINED: Form.COMPLAINT,
    Kind.COMPLAINT_WITHDRAWN: Form.COMPLAINT,
    Kind.UNSUBSCRIBED: Form.COMPLAINT,
    Kind.AUTO_REPLIED: Form.AUTO_REPLY,
}


def read(headers: Headers, text: str) -> Report | None:
    """The report that the notification in a text makes; None where there is none."""
    if not any(mark in text for mark in _MARKS):
        return None
    start, end = text.find("{"), text.rfind("}")
    body = text[start : end + 1].replace("\n ", "").replace("\n", "")  # long lines were folded on the way
    try:
        told = [fact for fact in ses.parse(peel(body.encode("utf-8", "replace"))) if fact.kind in _FORMS]
    except MalformedFeedback:
        return None
    if not told:
        return None
    at = told[0].occurred_at
    report = Report(form=_FORMS[told[0].kind], headers=headers, said=[_said(fact) for fact in told])
    report.provider_code = (told[0].evidence and told[0].evidence.provider_code) or str(told[0].kind)
    report.message, report.arrival = told[0].message, None if at == UNKNOWN_TIME else format_time(at)
    return report


def _said(fact: Feedback) -> Said:
    evidence = fact.evidence or Evidence()
    return Said(
        recipient=fact.received_as or fact.recipient.removeprefix("email:"),
        kind=fact.kind,
        action=evidence.action,
        status=evidence.status,
        text=diagnostic(evidence.text or ""),
        remote_mta=evidence.remote_mta,
        derived=evidence.derived,
    )

"""What `python -m local parse report` prints: one line for each mail, with everybody it is about."""

from __future__ import annotations

from typing import Any

from aftersend.classify import Classifier
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Evidence, Feedback
from aftersend.sources import report
from aftersend.sources.report import ParsedMail
from aftersend.sources.report.parsed import MailType


def summary(name: str, body: bytes, classifier: Classifier) -> dict[str, Any]:
    """What the mail in the file `name` is, and what it means for each recipient. What is no mail is none."""
    try:
        mails = report.parse_mails(body)
    except MalformedFeedback:
        mails = []
    kind = next((mail.report.mail_type for mail in mails if mail.report.mail_type is not MailType.NONE), MailType.NONE)
    recipients = {fact.key: _recipient(mail, fact, classifier) for mail in mails for fact in mail.feedback}
    return {"file": name, "kind": kind.value, "recipients": list(recipients.values())}


def _recipient(mail: ParsedMail, fact: Feedback, classifier: Classifier) -> dict[str, Any]:
    evidence, verdict = fact.evidence or Evidence(), classifier(fact)
    return {
        "recipient": fact.recipient.removeprefix("email:"),
        "class": verdict.klass.value if verdict else None,
        "reason": verdict.reason.value if verdict else None,
        "rule": verdict.rule if verdict else None,
        "status": evidence.status,
        "replycode": evidence.code,
        "action": evidence.action,
        "feedback_type": mail.report.feedback_type,
    }

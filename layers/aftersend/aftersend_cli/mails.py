"""What `aftersend parse report` prints: one line for each mail, with everybody it is about.

A mail may be a file of its own, or lie in a mailbox: mbox (RFC 4155) or a folder, such as Maildir has.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from aftersend.classify import Classifier
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Evidence, Feedback
from aftersend.sources import report
from aftersend.sources.report import ParsedMail
from aftersend.sources.report.parsed import MailType

_SEPARATOR: Final = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\r\n]*\r?\n")
_QUOTED: Final = re.compile(rb"^>(?=>*From )", re.MULTILINE)


def read_mails(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield every mail in a file, a mailbox or a folder, and where it lies; `-` is standard input."""
    if name != "-" and Path(name).is_dir():
        for path in sorted(Path(name).rglob("*")):
            if path.is_file():
                yield from _split_mailbox(str(path), path.read_bytes())
    else:
        yield from _split_mailbox(name, sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes())


def _split_mailbox(name: str, whole: bytes) -> Iterator[tuple[str, bytes]]:
    if not whole.startswith(b"From "):
        yield name, whole
        return
    _, *mails = _SEPARATOR.split(whole)
    for number, mail in enumerate(mails, 1):
        yield f"{name}:{number}", _QUOTED.sub(b"", mail)


def summarize_mail(name: str, body: bytes, classifier: Classifier) -> dict[str, Any]:
    """Say what the mail in the file `name` is, and what it means for each recipient. What is no mail is none."""
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

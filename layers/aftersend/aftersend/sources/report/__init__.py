"""Reports by mail: bounces, feedback-loop complaints and automatic answers, out of any mail a stranger may send.

Raw mail is the feedback of everybody whose provider has no webhook, and it is hostile input. What this promises:
- any bytes return; only what is no mail at all is refused;
- a mail that is no report gives nothing, and only a delivery report or notice ever gives a bounce;
- line ends do not matter, and size, parts, nesting and header lengths are bounded before they are read.

Sources: RFC 3464 and 6533 (delivery status), 5965, 6430 and 6591 (feedback loops), 3834 (automatic answers), and the
words of the mail systems that follow none of them.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import Final, NamedTuple

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback, Key
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.report import arf, autoreply, bounce, facts, inbound, mime, notice, sns
from aftersend.sources.report.decode import unfolded
from aftersend.sources.report.facts import SOURCE
from aftersend.sources.report.statements import Form, Report

MAX_BYTES: Final = 1_048_576  # of a mail that are read; reports stand in front of what they return
MAX_FORWARDED: Final = 2  # a report inside a mail inside a mail
MAX_MAILS: Final = 16  # of one mailbox

_POSTMARK: Final = re.compile(
    r"(?:\A|\n)From \S{0,200} +[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [^\n]{0,20}\n"
)


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Every fact that one mail tells, one per recipient; nothing where it is no report.

    `raw` is the mail, or the notification of Amazon SES that carries it. Raises MalformedFeedback for what is neither.
    """
    return _distinct(examine(raw))


def received(mail: bytes, recipients: list[str]) -> list[Feedback]:
    """Like `parse`, of a mail that came with its envelope: `recipients` are whom it was sent to."""
    return _distinct(_mails(inbound.Mail(mail, recipients)))


def _distinct(mails: list[Read]) -> list[Feedback]:
    found: dict[Key, Feedback] = {}
    for each in mails:
        for fact in each.feedback:
            found.setdefault(fact.key, fact)
    return list(found.values())


class Read(NamedTuple):
    """One mail: what it is, and the facts that it tells."""

    report: Report
    feedback: list[Feedback]


def examine(raw: bytes) -> list[Read]:
    """Each mail in `raw` (one, but for a mailbox, and none in a set-up message). Raises MalformedFeedback."""
    mail = inbound.opened(raw) if raw[:64].lstrip()[:1] == b"{" else inbound.Mail(raw, [])
    return [] if mail is None else _mails(mail)


def _mails(mail: inbound.Mail) -> list[Read]:
    text = unfolded(mail.content[:MAX_BYTES].removeprefix(BOM_UTF8)).lstrip("\n\t ")
    mails = _mailbox(text) if text.startswith("From ") else [text]
    reports = [(each, _report(each, mail.recipients)) for each in mails]
    return [Read(report, facts.feedback(report, each)) for each, report in reports]


def _mailbox(text: str) -> list[str]:
    starts = [match.start() for match in _POSTMARK.finditer(text)][:MAX_MAILS] or [0]
    return [text[start:end].lstrip("\n") for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _report(text: str, recipients: list[str]) -> Report:
    root = mime.read(text)
    if not root.headers:
        raise MalformedFeedback(SOURCE, "not a mail: it begins with no header field")
    report = _read(root, 0)
    report.sent_to = facts.sent_to(report, root.headers, recipients) if report.said else None
    return report


def _read(root: mime.Part, depth: int) -> Report:
    roles = notice.read(root)
    returned = mime.fields(roles.returned)[0] if roles.returned else {}
    report = arf.read(root.headers, root.parameters.get("report-type", ""), roles, returned)
    if report is None:
        report = _bounce_or_answer(root, roles, returned)
    if report is not None and (report.form is not Form.BOUNCE or any(not said.derived for said in report.said)):
        return report
    if returned and depth < MAX_FORWARDED:  # somebody forwards a report
        inner = _read(mime.read(roles.returned), depth + 1)
        if inner.form is Form.BOUNCE and inner.provider_code == "DSN":
            return inner
    return report or Report(form=Form.NONE)


def _bounce_or_answer(root: mime.Part, roles: notice.Notice, returned: mime.Headers) -> Report | None:
    if roles.disposition and not roles.status:
        if not bounce.refused(roles):  # somebody read the message, or deleted it unread
            return None
        roles.status.append(roles.disposition)
    told = sns.read(root.headers, roles.text)
    if told:
        return told
    if not roles.status and autoreply.titled(root.headers):
        return autoreply.read(root.headers)
    return bounce.read(root.headers, roles, returned) or autoreply.read(root.headers)

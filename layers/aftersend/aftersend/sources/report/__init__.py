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
from aftersend.sources.envelope import SET_UP_TEXTS
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.report import arf, autoreply, bounce, feedback, inbound, mime, notice, sns, status
from aftersend.sources.report.decode import to_text
from aftersend.sources.report.feedback import SOURCE
from aftersend.sources.report.parsed import MailType, ParsedReport

MAX_BYTES: Final = 1_048_576  # of a mail that are read; reports stand in front of what they return
MAX_FORWARDED: Final = 2  # a report inside a mail inside a mail
MAX_MAILS: Final = 16  # of one mailbox
MAX_RECIPIENTS: Final = status.MAX_RECIPIENTS  # of all that was read, whatever the parts or mails

_POSTMARK: Final = re.compile(
    r"(?:\A|\n)From \S{0,200} +[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [^\n]{0,20}\n"
)


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return every fact in one mail, one per recipient; nothing where it is no report.

    `raw` is the mail, or the notification of Amazon SES that carries it. Raise MalformedFeedback for what is neither.
    """
    return _deduplicate(parse_mails(raw))


def parse_received(mail: bytes, recipients: list[str]) -> list[Feedback]:
    """Return the same as `parse` of a mail that came with its envelope: `recipients` are whom it was sent to."""
    return _deduplicate(_parse_mails(inbound.ReceivedMail(mail, recipients)))


def _deduplicate(mails: list[ParsedMail]) -> list[Feedback]:
    found: dict[Key, Feedback] = {}
    for each in mails:
        for fact in each.feedback:
            found.setdefault(fact.key, fact)
    return list(found.values())


class ParsedMail(NamedTuple):
    """One mail: what it is, and the facts in it."""

    report: ParsedReport
    feedback: list[Feedback]


def parse_mails(raw: bytes) -> list[ParsedMail]:
    """Return each mail in `raw`: one, or several of a mailbox, or none of a set-up message. Raise MalformedFeedback."""
    if raw.lstrip()[:40].startswith(SET_UP_TEXTS):
        return []
    mail = inbound.read_notification(raw) if raw[:64].lstrip()[:1] == b"{" else inbound.ReceivedMail(raw)
    return [] if mail is None else _parse_mails(mail)


def _parse_mails(mail: inbound.ReceivedMail) -> list[ParsedMail]:
    text = to_text(mail.content[:MAX_BYTES].removeprefix(BOM_UTF8)).lstrip("\n\t ")
    mails = _split_mailbox(text) if text.startswith("From ") else [text]
    parsed, room = [], MAX_RECIPIENTS
    for each in mails:
        report = _parse_report(each, mail)
        report.recipients = report.recipients[:room]
        room -= len(report.recipients)
        parsed.append(ParsedMail(report, feedback.build_feedback(report, each)))
    return parsed


def _split_mailbox(text: str) -> list[str]:
    starts = [match.start() for match in _POSTMARK.finditer(text)][:MAX_MAILS] or [0]
    return [text[start:end].lstrip("\n") for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _parse_report(text: str, mail: inbound.ReceivedMail) -> ParsedReport:
    root = mime.read_part(text)
    if not root.headers:
        raise MalformedFeedback(SOURCE, "not a mail: it begins with no header field")
    report = _read(root, 0)
    if report.recipients:
        report.checks = mail.checks
        report.bounce_address = feedback.find_bounce_address(root.headers, mail)
        report.returned_address = feedback.find_returned_address(report, mail)
    return report


def _read(root: mime.Part, depth: int) -> ParsedReport:
    roles = notice.read(root)
    returned = mime.read_fields(roles.returned)[0] if roles.returned else {}
    report = arf.read(root.headers, root.parameters.get("report-type", ""), roles, returned)
    if report is None:
        report = _read_bounce_or_answer(root, roles, returned)
    if report is not None and (
        report.mail_type is not MailType.BOUNCE or any(not each.derived for each in report.recipients)
    ):
        return report
    if returned and depth < MAX_FORWARDED:  # somebody forwards a report
        inner = _read(mime.read_part(roles.returned), depth + 1)
        if inner.mail_type is MailType.BOUNCE and inner.provider_code == "DSN":
            return inner
    return report or ParsedReport(mail_type=MailType.NONE)


def _read_bounce_or_answer(root: mime.Part, roles: notice.Notice, returned: mime.Headers) -> ParsedReport | None:
    if roles.disposition and not roles.status:
        if not bounce.is_refusal(roles):  # somebody read the message, or deleted it unread
            return None
        roles.status.append(roles.disposition)
    by_topic = sns.read(root.headers, roles.text)
    if by_topic:
        return by_topic
    if not roles.status and autoreply.has_subject(root.headers):
        return autoreply.read(root.headers, roles.text)
    return bounce.read(root.headers, roles, returned) or autoreply.read(root.headers, roles.text)

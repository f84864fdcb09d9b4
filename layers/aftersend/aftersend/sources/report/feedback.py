"""Builds feedback of a report that was read: join key, time, context and bounds are the same for all kinds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from aftersend import verp
from aftersend.classify.evidence import find_code, find_phase, find_status, join_lines
from aftersend.core.message_key import MAX_ID, make_message_key
from aftersend.core.model import Context, Evidence, Feedback, Kind
from aftersend.core.recipient import MAX_RECIPIENT_BYTES, canonicalize_email
from aftersend.core.text import truncate, truncate_host, truncate_or_none
from aftersend.core.times import UNKNOWN_TIME, parse_time
from aftersend.sources.report import addresses, mime
from aftersend.sources.report.decode import decode_header
from aftersend.sources.report.inbound import ReceivedMail
from aftersend.sources.report.parsed import MailType, ParsedReport, RecipientReport
from aftersend.sources.smtp_reply import parse_reply

SOURCE: Final = "report"
MAX_TEXT: Final = 1_024
MAX_CUSTOM: Final = 12
MIN_TOKEN: Final = 20  # characters of a local part that may be another system's
_TOKEN: Final = re.compile(r"[A-Za-z2-7]{16}")  # the shortest that `aftersend.verp` makes
CHECKS: Final = "report-checks"  # what Amazon SES found when it received the report: "spf=pass dkim=fail …"

# Headers that systems on the way add: they identify nothing of the sender's.
NOT_CUSTOM: Final = (
    "x-ses-", "x-mailer", "x-priority", "x-msmail", "x-mime", "x-originat", "x-received", "x-spam", "x-virus", "x-ms-",
    "x-google", "x-gm-", "x-yahoo", "x-ymail", "x-apparently", "x-authentication", "x-forefront", "x-exchange", "x-hm",
    "x-proofpoint", "x-ironport", "x-barracuda", "x-scanned", "x-amavis", "x-senderid", "x-sender", "x-auth", "x-env",
    "x-antivirus", "x-mras", "x-mailru", "x-7fa", "x-original-to", "x-rcpt", "x-loop", "x-uidl", "x-failed", "x-sid",
    "x-provags", "x-ui-", "x-greylist", "x-brightmail", "x-tm-", "x-asg", "x-cm-", "x-eop", "x-zoho", "x-qq",
    "x-mimecast", "x-mc-", "x-bess", "x-nai", "x-aol", "x-me-", "x-sg-", "x-smtp", "x-accept", "x-reporter",
)  # fmt: skip


def build_feedback(report: ParsedReport, mail: str) -> list[Feedback]:
    """Return the facts of one report, one per recipient; `mail` is the whole of it."""
    if not report.recipients:
        return []
    message = find_message_key(report, mail)
    context = _build_context(report)
    return [_build_fact(report, recipient, message, context) for recipient in report.recipients]


def find_message_key(report: ParsedReport, mail: str) -> str:
    """Return the key of the message that the report is about: its id, else its envelope's, else the report's digest."""
    if report.message_key:
        return report.message_key
    headers = report.headers if report.mail_type is MailType.AUTO_REPLY else report.returned
    for value in _find_message_ids(headers, report):
        if key := make_message_key(value):
            return key
    known = make_message_key(envelope_id=report.envelope_id)
    return known or "report:" + blake2b(mail.encode("latin-1", "replace"), digest_size=10).hexdigest()


def _find_message_ids(headers: mime.Headers, report: ParsedReport) -> list[str]:
    """Where the original Message-ID may stand, best first; a report answers the message that it is about."""
    own = [] if report.mail_type is MailType.AUTO_REPLY else [_take_last(mime.get_first(headers, "message-id"))]
    answered = [_take_last(mime.get_first(report.headers, name)) for name in ("in-reply-to", "references")]
    return [value for value in (*own, *answered) if value]


def _take_last(value: str) -> str:
    """The last message id in a header: References lists them oldest first."""
    values = value.split()
    return values[-1] if values else ""


def _build_fact(report: ParsedReport, recipient: RecipientReport, message: str, context: Context | None) -> Feedback:
    canonical = canonicalize_email(recipient.recipient)
    return Feedback(
        source=SOURCE,
        kind=recipient.kind,
        message=message,
        recipient=canonical,
        occurred_at=_find_time(report, recipient),
        received_as=None
        if canonical == f"email:{recipient.recipient}"
        else truncate(recipient.recipient, MAX_RECIPIENT_BYTES),
        evidence=_build_evidence(report, recipient),
        context=_add_original_recipient(context, recipient),
    )


def _build_evidence(report: ParsedReport, recipient: RecipientReport) -> Evidence:
    text = truncate_or_none(recipient.text, MAX_TEXT) or ""
    delivery = recipient.kind is Kind.DELIVERED
    return Evidence(
        code=parse_reply(text)[0] if delivery else find_code(text) or _find_labelled_code(text),
        status=recipient.status or (None if delivery else find_status(text)),
        text=text or None,
        provider_code=truncate(report.provider_code, 64),
        action=recipient.action,
        phase=find_phase(join_lines(text)) or find_phase(join_lines(recipient.surrounding_text or "")),
        remote_mta=truncate_host(recipient.remote_mta),
        reporting_mta=truncate_host(report.reporting_mta),
        derived=recipient.derived,
        forgeable=True,  # until a token proves otherwise
    )


def _find_labelled_code(text: str) -> int | None:
    """The reply code of "User unknown [SMTP Error Code 550]"."""
    found = _LABELLED_CODE.search(text) if " code" in text.lower() else None
    return int(found[1]) if found else None


_LABELLED_CODE: Final = re.compile(r"\b(?:error|reply|response|status) code:?[ (\[]{0,3}([45][0-5]\d)\b", re.IGNORECASE)


def _find_time(report: ParsedReport, recipient: RecipientReport) -> datetime:
    """When it happened, as the report says; but no report is received before what it is about."""
    reported = _parse_first_time(recipient.last_attempt, report.arrival_date, mime.get_first(report.headers, "date"))
    received = _parse_first_time(
        mime.get_first(report.headers, "received").rpartition(";")[2].partition("(")[0].strip()
    )
    return received if received != UNKNOWN_TIME and reported - received > _SKEW else reported


_SKEW: Final = timedelta(days=1)  # clocks are wrong by minutes, time zones by hours; what is later still is a lie


def _parse_first_time(*candidates: str | None) -> datetime:
    """The first of these that is a time."""
    for text in candidates:
        if text:
            try:
                return parse_time(text[:80])
            except (ValueError, OverflowError):
                continue
    return UNKNOWN_TIME


def find_bounce_address(report: ParsedReport, headers: mime.Headers, mail: ReceivedMail) -> str | None:
    """Return the address that the report came to, where it can hold a token of ours.

    It is what the envelope says; where no envelope is known, what the last system wrote down of it. Anybody can write
    the rest. Only a feedback loop reports to one mailbox for all: the envelope sender that it names counts, if whoever
    sent the report is who they say. The first that can hold a token is taken: that mailbox may have a long name, too.
    """
    places: list[Iterable[str]] = [mail.recipients or [each for name in _SENT_TO for each in headers.get(name, ())]]
    if report.mail_type is MailType.COMPLAINT and mail.is_authenticated:
        places += [report.original_senders, report.returned.get("return-path", ())]
    found = [
        each for place in places for value in place if "@" in value for each in addresses.find_addresses(value[:400])
    ]
    long = (each for each in found if each.find("@") >= MIN_TOKEN)
    return next((each for each in found if _TOKEN.search(each.rpartition("@")[0])), next(long, None))


_SENT_TO: Final = ("x-original-to", "delivered-to", "envelope-to", "x-envelope-to")


def _build_context(report: ParsedReport) -> Context | None:
    """Return the names that the sender of the returned message gave it."""
    headers = report.returned
    found = {verp.CORRELATION: truncate(report.bounce_address, MAX_ID)} if report.bounce_address else {}
    if report.checks:
        found[CHECKS] = " ".join(f"{name}={status}" for name, status in report.checks.items())
    for name, values in headers.items():
        if name.startswith("x-") and not name.startswith(NOT_CUSTOM) and len(found) < MAX_CUSTOM and values[0]:
            found[truncate(name, 64)] = truncate(decode_header(values[0]), 128)
    sender = next(iter(addresses.read_addresses(headers.get("from", ()))), None)
    subject = truncate_or_none(decode_header(mime.get_first(headers, "subject")), 256)
    if not (sender or subject or found):
        return None
    bare = canonicalize_email(sender).removeprefix("email:") if sender else None
    return Context(sender=bare, subject=subject, correlation=found)


def _add_original_recipient(context: Context | None, recipient: RecipientReport) -> Context | None:
    """With the address that the sender wrote to, where the report knows it to be another one."""
    if recipient.original_recipient is None:
        return context
    known = context or Context()
    original = canonicalize_email(recipient.original_recipient).removeprefix("email:")
    return replace(known, correlation={**known.correlation, "original-recipient": truncate(original, 128)})

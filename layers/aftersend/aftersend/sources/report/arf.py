"""Feedback-loop reports: ARF (RFC 5965, 6430, 6591), and the loops that send the bare message instead.

Many loops hide who complained. The sender still knows: the message that came back names the recipient in its To, in a
header of the sender's, in the unsubscribe link or in the bounce address. Who is found there is marked as derived.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from aftersend.core.model import Kind
from aftersend.sources.report import addresses, mime
from aftersend.sources.report.decode import decode_header
from aftersend.sources.report.notice import Notice
from aftersend.sources.report.parsed import MailType, ParsedReport, RecipientReport
from aftersend.sources.report.status import read_host

# Feedback types that are no complaints; every other one is.
KINDS: Final = {
    "not-spam": Kind.COMPLAINT_WITHDRAWN,
    "auth-failure": Kind.UNKNOWN,  # a DMARC failure report: nobody complained
    "dmarc": Kind.UNKNOWN,
    "opt-out": Kind.UNSUBSCRIBED,
    "opt-out-list": Kind.UNSUBSCRIBED,
    "unsubscribe": Kind.UNSUBSCRIBED,
}

# Fields of the report, then headers of the returned message, in the order in which they are believed.
NAMING: Final = ("original-rcpt-to", "removal-recipient", "original-recipient", "final-recipient", "x-original-rcpt-to")
RETURNED: Final = (
    "x-hmxmroriginalrecipient",
    "x-original-to",
    "x-envelope-to",
    "envelope-to",
    "x-rcpt-to",
    "x-recipient",
    "x-receiver",
    "x-original-recipient",
    "delivered-to",
    "to",
)
_LOOPS: Final = ("staff@hotmail.com", "@email-abuse.amazonses.com", "abuse-report@", "feedbackloop@", "fbl@", "scomp@")
_TEXTS: Final = ("email abuse report", "spam complaint", "authentication failure report", "abuse complaint")
_TYPED: Final = re.compile(r"(?:^|\n)Feedback-Type[ \t]{0,4}:[ \t]{0,4}[A-Za-z]", re.IGNORECASE)
_TITLES: Final = ("complaint about message from", "email feedback report", "abuse report")
_VERP: Final = re.compile(r"[+=-]([A-Za-z0-9._%+-]{1,64})=([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6})@")
_MAX_ENCODED: Final = 2_048


def read(headers: mime.Headers, root_type: str, notice: Notice, returned: mime.Headers) -> ParsedReport | None:
    """Return the feedback-loop report in a mail; None where it is none."""
    if notice.feedback is not None:
        found = mime.read_fields(notice.feedback.lstrip("\n"))[0]
        kind = mime.get_first(found, "feedback-type").lower().partition(";")[0].strip()
    elif headers.get("x-apple-unsubscribe"):
        found, kind = {}, "opt-out"
    elif "feedback-report" in root_type or _is_loop(headers, notice):
        found = mime.read_fields(_find_labelled_fields(notice.text))[0]
        kind = mime.get_first(found, "feedback-type").lower()
    else:
        return None
    kind = re.sub(r"[^a-z0-9-]", "", kind)[:32] or "abuse"
    report = ParsedReport(
        mail_type=MailType.COMPLAINT,
        provider_code=f"ARF/{kind}",
        feedback_type=kind,
        headers=headers,
        returned=returned,
    )
    report.envelope_id = mime.get_first(found, "original-envelope-id") or None
    report.arrival_date = mime.get_first(found, "arrival-date") or mime.get_first(found, "received-date") or None
    report.reporting_mta = read_host(mime.get_first(found, "reporting-mta"))
    report.original_senders = found.get("original-mail-from", [])
    report.recipients = _read_recipients(found, headers, returned, KINDS.get(kind, Kind.COMPLAINED))
    return report


def _is_loop(headers: mime.Headers, notice: Notice) -> bool:
    """A loop that writes its report into the text, or sends the bare message: known by who writes what."""
    if _TYPED.search(notice.text):
        return True
    if not notice.attached:
        return False
    if any(text in notice.text[:400].lower() for text in _TEXTS):
        return True
    sender = mime.get_first(headers, "from").lower()
    title = decode_header(mime.get_first(headers, "subject")).lower()
    return any(loop in sender for loop in _LOOPS) and any(each in title for each in _TITLES)


def _find_labelled_fields(text: str) -> str:
    """The fields of a report that was written into the text."""
    typed = _TYPED.search(text)
    return text[text.rfind("\n\n", 0, typed.start() + 2) + 1 :].lstrip("\n") if typed else ""


def _read_recipients(
    found: mime.Headers, headers: mime.Headers, returned: mime.Headers, kind: Kind
) -> list[RecipientReport]:
    named = [
        name
        for field in NAMING
        for name in addresses.read_addresses(found.get(field, ()))
        if addresses.names_somebody(name)
    ]
    if named:
        several = len(set(named)) > 1  # all whom the message went to: candidates
        return [RecipientReport(recipient=name, kind=kind, derived=several) for name in dict.fromkeys(named)]
    if headers.get("x-apple-unsubscribe"):
        return [
            RecipientReport(recipient=name, kind=kind) for name in addresses.read_addresses(headers.get("from", ()))
        ]
    return [RecipientReport(recipient=name, kind=kind, derived=True) for name in _recover_recipients(found, returned)]


def _recover_recipients(found: mime.Headers, returned: mime.Headers) -> list[str]:
    """Who complained, from the message that came back: the first place that names one, and nobody else."""
    for name in RETURNED:
        named = [each for each in addresses.read_addresses(returned.get(name, ())) if addresses.names_somebody(each)]
        if len(named) == 1:
            return named
    senders = [*found.get("original-mail-from", ()), *returned.get("return-path", ())]
    for value in (*senders, *returned.get("list-unsubscribe", ())):
        found_name = _find_encoded(
            value, {each.lower() for each in addresses.read_addresses((*senders, *returned.get("from", ())))}
        )
        if found_name:
            return [found_name]
    return []


def _find_encoded(value: str, senders: set[str]) -> str | None:
    """The recipient inside a bounce address (user=example.com) or an unsubscribe link (?e=user%40example.com)."""
    text = unquote(value[:_MAX_ENCODED])
    verp = _VERP.search(text)
    if verp:
        return f"{verp[1]}@{verp[2]}"
    link = text.partition("?")[2]
    for piece in re.split(r"[?&=/<>,\s]", link):
        for name in addresses.find_addresses(piece):
            if name.lower() not in senders and addresses.names_somebody(name):
                return name
    return None

"""Bounces: delivery status notifications, and notices of mail systems that never heard of them."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

from aftersend.core.model import Kind
from aftersend.sources.report import addresses, extract, mime, phrases, status
from aftersend.sources.report.decode import decode_header
from aftersend.sources.report.footers import get_words
from aftersend.sources.report.notice import Notice, split_lines
from aftersend.sources.report.parsed import MailType, ParsedReport, RecipientReport

_STATUS_FIELDS: Final = re.compile(r"(?:^|\n)[> \t]{0,8}(?:Final|Original)-Recipient[ \t]{0,8}:", re.IGNORECASE)
# "… could not be delivered to:", and the address on a line of its own: people write it into their sentence.
_DELIVERED: Final = (
    r"deliver[a-z]{1,5}|d[ée]livr\w{0,3}|remis\w?|zugestellt|zustell\w{1,4}|entreg\w{1,4}|recapitat\w|consegnat\w|bezorgd"
    r"|levere\w{1,3}|dostarcz\w{1,5}|doruč\w{1,5}|doręcz\w{1,5}|доставл\w{1,4}|livrat\w?|kézbesít\w{1,6}|配信|投递|投遞|送达|送達"
)
_LISTED: Final = re.compile(
    rf"(?:{_DELIVERED})\b[^\n@]{{0,70}}\n\s{{0,40}}[<\"']{{0,2}}{addresses.ADDRESS}", re.IGNORECASE
)
_MAX_OPENING: Final = 400  # characters of an answer in which a system says what it has to say
_OF_LISTS: Final = frozenset(("list-id", "list-unsubscribe"))
_MAX_AROUND: Final = 8_000  # characters
_REPLY: Final = re.compile(r"(?:^|[\s>:])[45][0-5]\d[ -](?:#?[45]\.\d{1,3}\.\d{1,3}\b|[^\n]{0,200}@)")


def read(headers: mime.Headers, notice: Notice, returned: mime.Headers) -> ParsedReport | None:
    """Return the bounce in a mail; None where it is none."""
    deliveries = _read_statuses(notice.status)
    talk = _is_talk(headers, notice.text)
    if not talk and not any(each.recipients for each in deliveries) and _STATUS_FIELDS.search(notice.text):
        deliveries.append(status.read(notice.text))
    blocks = [block for each in deliveries for block in each.recipients]
    if not blocks and not notice.status and (talk or not is_notice(headers, notice)):
        return None
    shared: status.Block = {}
    for each in deliveries:
        shared = each.message | shared
    report = ParsedReport(
        mail_type=MailType.BOUNCE, provider_code="DSN" if blocks else "BOUNCE", headers=headers, returned=returned
    )
    report.reporting_mta = status.read_host(shared.get("reporting-mta", ""))
    report.envelope_id = shared.get("original-envelope-id")
    report.arrival_date = shared.get("arrival-date")
    report.recipients = _Reader(headers, notice, returned).read(blocks)
    return report


def _read_statuses(parts: list[str]) -> list[status.DeliveryStatus]:
    """The delivery status parts, until they name as many recipients as one mail may."""
    deliveries: list[status.DeliveryStatus] = []
    room = status.MAX_RECIPIENTS
    for text in parts:
        deliveries.append(status.read(text, room))
        room -= len(deliveries[-1].recipients)
        if room <= 0:
            break
    return deliveries


class _Reader:
    """Reads one bounce: the fields first, then the words."""

    def __init__(self, headers: mime.Headers, notice: Notice, returned: mime.Headers) -> None:
        self._headers = headers
        self._notice = notice
        self._returned = returned

    def read(self, blocks: list[status.Block]) -> list[RecipientReport]:
        """Return what the bounce says, one entry per recipient."""
        read = [(block, status.read_recipients(block)) for block in blocks]
        named = [each for _, recipients in read for each in recipients]
        nameless = [block for block, recipients in read if not recipients]
        if nameless or not read:
            named += self._find_recipients(nameless, {each.recipient.lower() for each in named})
        once: dict[str, RecipientReport] = {}
        for each in named:
            once.setdefault(each.recipient.lower(), each)
        for each in once.values():
            self._enrich(each, alone=len(once) == 1)
        return list(once.values())

    def _enrich(self, entry: RecipientReport, alone: bool) -> None:
        """Add what only the words say: the reason, where no field gives it, and the command that was refused."""
        if entry.kind is Kind.DELIVERED:
            return
        if not status.has_words(entry.text):
            entry.text = self._find_telling_reason(entry) or entry.text
            entry.status = status.choose_status(entry.status, entry.text)
        elif alone and (said := _find_rejection(self._notice.text)):
            entry.text = said
        entry.surrounding_text = self._notice.text[:_MAX_AROUND] if alone else self._find_reason(entry.recipient)[0]

    def _find_recipients(self, blocks: list[status.Block], known: set[str]) -> list[RecipientReport]:
        """Recipients that no field names: from a header, the words, or the message that came back."""
        derived = False
        names = addresses.read_addresses(self._headers.get("x-failed-recipients", ()))
        if not names:
            names = [found.address for found in self._found]
            derived = not self._found or self._found[0].tier >= extract.Tier.NEAR
        names = names or self._find_addressee() or self._find_local_names()
        names = [name for name in dict.fromkeys(names) if name.lower() not in known]
        entries = []
        for number, name in enumerate(names):
            each = status.read_outcome(blocks[min(number, len(blocks) - 1)]) if blocks else self._make_recipient()
            each.recipient, each.derived = name, derived
            entries.append(each)
        return entries

    def _make_recipient(self) -> RecipientReport:
        if is_delay(self._text):
            return RecipientReport(recipient="", kind=Kind.DEFERRED, action="delayed")
        return RecipientReport(recipient="", action="failed")

    def _find_addressee(self) -> list[str]:
        """Whom the returned message was for, where it was for one."""
        lists = [*self._returned.get("x-beenthere", ()), *self._returned.get("list-post", ())]
        lowered = " ".join(lists).lower()
        for name in ("x-failed-recipients", "x-envelope-to", "to"):
            found = [
                each
                for each in addresses.read_addresses(self._returned.get(name, ()))
                if addresses.names_somebody(each)
            ]
            found = [each for each in found if each.lower() not in lowered]
            if len(found) == 1:
                return found
        return []

    def _find_local_names(self) -> list[str]:
        """Names without a domain that a provider writes of its own mailboxes, one to a line below a colon (AOL)."""
        domain = _find_reporter(self._headers)
        listed = _LOCAL_NAMES.search(self._text) if domain else None
        return [f"{name}@{domain}" for name in listed[1].split()][: extract.MAX_LINES] if listed else []

    @cached_property
    def _text(self) -> str:
        return get_words(self._notice)

    @cached_property
    def _lines(self) -> list[str]:
        return split_lines(self._text)

    @cached_property
    def _found(self) -> list[extract.Found]:
        """The recipients that the words name."""
        others = addresses.read_addresses([*self._headers.get("to", ()), *self._headers.get("from", ())])
        return extract.find_failed(self._lines, frozenset(other.lower() for other in others))

    def _find_telling_reason(self, entry: RecipientReport) -> str | None:
        """What the notice says; not words that name neither code nor recipient, where a specific status says more."""
        text, sure = self._find_reason(entry.recipient)
        if sure or not text or not status.is_specific(entry.status):
            return text
        found = self._by_address.get(entry.recipient.lower())
        beside = found is not None and bool(found.rest) and found.rest in text
        return text if beside or extract.has_reply(text) or entry.recipient.lower() in text.lower() else None

    def _find_reason(self, recipient: str) -> tuple[str | None, bool]:
        """What the notice says of one recipient, and whether it surely means this one.

        It stands beside the address, else it is said of everybody, else it stands below the addresses.
        """
        found = self._by_address.get(recipient.lower())
        own, sure = extract.find_reason(self._lines, found, self._found, self._starts) if found else ("", False)
        return (own, True) if sure else (self._general or own or self._below or None, False)

    @cached_property
    def _by_address(self) -> dict[str, extract.Found]:
        return {each.address.lower(): each for each in self._found}

    @cached_property
    def _starts(self) -> frozenset[int]:
        return frozenset(each.line for each in self._found)

    @cached_property
    def _general(self) -> str:
        return extract.find_general_reason(self._lines)

    @cached_property
    def _below(self) -> str:
        return extract.find_text_below(self._lines, max(self._starts, default=-1))


def _find_reporter(headers: mime.Headers) -> str | None:
    """The domain of the mail system that wrote a notice."""
    found = [
        each for each in addresses.find_addresses(mime.get_first(headers, "from")) if addresses.names_somebody(each)
    ]
    daemon = [each for each in found if each.lower().startswith(phrases.DAEMONS)]
    return daemon[0].rpartition("@")[2].lower() if daemon else None


# "… to the following recipients could not be delivered because …:", then lines of one word.
_LOCAL_NAMES: Final = re.compile(
    r"following (?:recipient|user|address|account|mailbox|screen ?name)[^:]{0,240}:[ \t]{0,9}\n{1,2}"
    r"((?:[ \t]{0,40}[A-Za-z0-9][A-Za-z0-9._+-]{1,63}[ \t]{0,40}(?:\n|\Z)){1,40})",
    re.IGNORECASE,
)


def is_notice(headers: mime.Headers, notice: Notice) -> bool:
    """Return whether a mail without delivery status fields is a bounce."""
    if "x-failed-recipients" in headers:
        return True
    words_of_notice = get_words(notice)
    text = " ".join(words_of_notice[:8_000].lower().split())
    if any(phrase in text for phrase in phrases.CERTAIN):
        return True
    subject = decode_header(mime.get_first(headers, "subject")).lower()
    titled = any(phrase in subject for phrase in phrases.SUBJECTS)
    hinted = titled or any(phrase in subject for phrase in phrases.PARCELS_TOO)
    worded = any(phrase in text for phrase in phrases.NOTICES)
    replied = bool(_REPLY.search(words_of_notice))
    if _is_from_daemon(headers):
        return hinted or worded or replied or notice.attached
    back = bool(notice.returned)
    if _has_null_path(headers):
        return (worded or hinted) and (back or replied or titled)
    if subject.startswith(phrases.SUBJECTS) and worded and "in-reply-to" not in headers:
        return True
    return hinted and (bool(_LISTED.search(words_of_notice)) or (back and (replied or worded)))


def _is_talk(headers: mime.Headers, text: str) -> bool:
    """Whether a mail is of a list or a newsletter, or somebody's answer: it may quote a bounce, and is none."""
    subject = decode_header(mime.get_first(headers, "subject")).lower()
    if _is_from_daemon(headers):
        return False
    if _OF_LISTS & headers.keys() and "x-list-administrivia" not in headers:  # but what a list says for itself
        return True
    return subject.startswith(phrases.REPLIES) and not _is_system_answer(headers, subject, text)


def _is_system_answer(headers: mime.Headers, subject: str, text: str) -> bool:
    """Whether a system wrote "Re: … (delivery failed)": it answers no message id, and names the address at once."""
    if "in-reply-to" in headers or "references" in headers:
        return False
    hinted = any(phrase in subject for phrase in (*phrases.SUBJECTS, *phrases.PARCELS_TOO))
    return hinted and not subject.startswith(_RE_NOTICE) and bool(_LISTED.search(text[:_MAX_OPENING]))


def is_refusal(notice: Notice) -> bool:
    """Return whether a read receipt is a refusal: mail filters of recipients answer that way."""
    return "was automatically rejected" in " ".join(notice.text[:2_000].lower().split())


def _find_rejection(text: str) -> str:
    """What Dovecot's delivery agent says in the first line of a notice, which it writes without a Diagnostic-Code.

    Beside somebody else's code it is believed: a message that was refused at the mailbox has come as far as that.
    """
    found = _REJECTION.match(text[:2_000])
    return " ".join(found[0].split()) if found else ""


_REJECTION: Final = re.compile(
    r"\s*your message to [^\n]{1,330} was automatically rejected:[ \t\r]{0,8}\n?[^\n]{4,}", re.IGNORECASE
)


def _is_from_daemon(headers: mime.Headers) -> bool:
    sender = decode_header(mime.get_first(headers, "from")).lower()
    found = addresses.find_addresses(sender)
    if any(each.startswith(phrases.DAEMONS) for each in found):
        return True
    if not found and sender in {"", "<>", "mailer-daemon", "<mailer-daemon>"}:
        return "from" in headers
    return any(name in sender for name in phrases.DAEMON_NAMES)


def _has_null_path(headers: mime.Headers) -> bool:
    path = mime.get_first(headers, "return-path").lower()
    return path == "<>" or "mailer-daemon" in path


# "Re: Undelivered Mail …" is a person's answer to a notice; a system writes "Re: <our subject> (delivery failed)".
_RE_NOTICE: Final = tuple(
    f"{reply}{blank}{phrase}"
    for reply in phrases.REPLIES
    for blank in ("", " ")
    for phrase in (*phrases.SUBJECTS, *phrases.PARCELS_TOO)
)


def is_delay(text: str) -> bool:
    """Return whether a notice in words says that delivery goes on."""
    lowered = " ".join(text[:8_000].lower().split())
    if any(phrase in lowered for phrase in phrases.SURELY_DELAYED):
        return True
    if any(phrase in lowered for phrase in phrases.GIVEN_UP):
        return False
    return any(phrase in lowered for phrase in phrases.DELAYED)

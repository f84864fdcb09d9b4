"""Resend: one object for each event, whose `data` is about the message.

Source: Resend documentation, "Webhooks: event types". What is not obvious there:
- `created_at` outside is the time of the event, `data.created_at` that of the message;
- the recipient of an event is not named: `data.to` lists all that the message was addressed to, and every one of them,
  and every copy, has events of its own. So an event belongs to somebody only where the message had one recipient;
- Resend sends by Amazon SES, and its bounces have SES's types and subtypes, and sentences of Resend's own.
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.core.model import Context, Evidence, Feedback, Kind
from aftersend.core.recipient import canonicalize_email
from aftersend.core.text import truncate
from aftersend.sources.events import (
    Event,
    EventFacts,
    decode_events,
    find_object,
    find_text,
    find_time,
    list_texts,
    make_context,
    make_engagement,
    make_provider_code,
    read_reply,
)
from aftersend.sources.message import NO_HEADERS, Headers

SOURCE: Final = "resend"

KINDS: Final = {
    "email.sent": Kind.SENT,
    "email.scheduled": Kind.SENT,
    "email.delivered": Kind.DELIVERED,
    "email.delivery_delayed": Kind.DEFERRED,
    "email.bounced": Kind.BOUNCED,
    "email.suppressed": Kind.REJECTED,
    "email.failed": Kind.REJECTED,
    "email.complained": Kind.COMPLAINED,
    "email.opened": Kind.OPENED,
    "email.clicked": Kind.CLICKED,
}
_ABOUT_MAIL: Final = "email."
_RECEIVED: Final = "email.received"
_COPIES: Final = ("cc", "bcc")
_ENGAGED: Final = {Kind.OPENED: "open", Kind.CLICKED: "click"}
_JUDGED: Final = {"email.bounced": "bounce", "email.suppressed": "suppressed", "email.failed": "failed"}
_SUPPRESSED: Final = frozenset({"Suppressed", "OnAccountSuppressionList", "OnTenantSuppressionList"})
# Headers that mailing software adds by itself: they identify nothing.
_NOT_CUSTOM: Final = ("x-mailer", "x-priority", "x-msmail", "x-mimeole", "x-originating", "x-received")


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts of one body; none for received mail, contacts and domains. Raises MalformedFeedback.

    Of a message to several, `sent` is true of each, an opening or a click is nobody's, and all else is of the kind
    `unknown` for each: one of them is meant, and that must not count against all.
    """
    return [fact for event in decode_events(SOURCE, raw) for fact in _read_event(event)]


def _read_event(event: Event) -> list[Feedback]:
    word = find_text(event, "type")
    if not word:
        raise MalformedFeedback(SOURCE, "an object that names no type of event")
    if not word.startswith(_ABOUT_MAIL) or word == _RECEIVED:
        return []
    data, kind = find_object(event, "data"), KINDS.get(word, Kind.UNKNOWN)
    named = _list_recipients(data)
    alone = len(named) + _count_copies(data) <= 1
    if kind in _ENGAGED:
        return _read_engagement(event, data, kind, named) if alone else []
    if not alone and kind is not Kind.SENT:
        kind = Kind.UNKNOWN
    evidence = _make_evidence(data, word, kind, derived=not alone)
    return [
        fact
        for recipient in named or [""]
        for fact in _find_facts(event, data, recipient).build(_find_kind(kind, evidence), evidence)
    ]


def _read_engagement(event: Event, data: Event, kind: Kind, named: list[str]) -> list[Feedback]:
    seen = find_object(data, _ENGAGED[kind])
    engagement = make_engagement(
        ip=find_text(seen, "ipAddress"), user_agent=find_text(seen, "userAgent"), link=find_text(seen, "link")
    )
    return _find_facts(event, data, named[0] if named else "").build(kind, None, engagement)


def _find_facts(event: Event, data: Event, recipient: str) -> EventFacts:
    message = find_text(data, "email_id").strip()
    return EventFacts(
        source=SOURCE,
        message=f"{SOURCE}:{truncate(message, MAX_ID)}" if message else "",
        recipient=recipient,
        at=find_time(SOURCE, event, "created_at"),
        context=_make_context(data),
    )


def _list_recipients(data: Event) -> list[str]:
    """Each recipient once, in its first spelling."""
    found = list_texts(data.get("to"))
    if len(found) < 2:
        return found
    spellings: dict[str, str] = {}
    for each in found:
        spellings.setdefault(canonicalize_email(each), each)
    return list(spellings.values())


def _count_copies(data: Event) -> int:
    """To how many others the message went besides, as far as that is told: by fields, or by the headers."""
    named = sum(len(list_texts(data.get(name))) for name in _COPIES)
    return named + sum(1 for name, value in _list_headers(data) if name.lower() in _COPIES and value.strip())


def _list_headers(data: Event) -> list[tuple[str, str]]:
    headers = data.get("headers")
    if not isinstance(headers, list):
        return []
    return [(find_text(each, "name"), find_text(each, "value")) for each in headers if isinstance(each, dict)]


def _find_kind(kind: Kind, evidence: Evidence | None) -> Kind:
    """A bounce that SES did not even try is a rejection."""
    code = (evidence.provider_code if evidence is not None else None) or ""
    return Kind.REJECTED if kind is Kind.BOUNCED and code.rpartition("/")[2] in _SUPPRESSED else kind


def _make_evidence(data: Event, word: str, kind: Kind, *, derived: bool) -> Evidence | None:
    detail = find_object(data, _JUDGED.get(word, ""))
    if word == "email.bounced":
        provider_code = _name_bounce(detail)
    elif word in _JUDGED or kind in (Kind.UNKNOWN, Kind.DEFERRED):
        provider_code = make_provider_code(word.removeprefix(_ABOUT_MAIL), find_text(detail, "type", "reason"))
    else:
        return Evidence(derived=True) if derived else None
    said = list_texts(detail.get("diagnosticCode"))  # of the recipient's system, where there is any
    sentence = find_text(detail, "message", "reason")
    code, status, text = read_reply(said[0] if said else "" if sentence.startswith(_STOCK) else sentence)
    return Evidence(code=code, status=status, text=text, provider_code=provider_code, derived=derived)


def _name_bounce(bounce: Event) -> str | None:
    """SES's type and subtype; where there is none, what Resend's own sentence says instead."""
    type_, sub_type = find_text(bounce, "type"), find_text(bounce, "subType")
    if type_ or sub_type:
        return make_provider_code(_SPELLED.get(type_, type_) or "Undetermined", sub_type or "Undetermined")
    sentence = find_text(bounce, "message")
    known = next((code for words, code in _SENTENCES if words in sentence), "Undetermined/Undetermined")
    return make_provider_code(known)


# How a sentence of Resend's begins that says no more than the type does, and would be taken for a reply.
_STOCK: Final = "The recipient's email provider sent a"
_SPELLED: Final = {"Temporary": "Transient"}  # SES's own word
_SENTENCES: Final = (
    ("suppressed sending to this address", "Permanent/OnAccountSuppressionList"),
    ("hard bounce message", "Permanent/General"),
    ("inbox was full", "Transient/MailboxFull"),
    ("too large", "Transient/MessageTooLarge"),
    ("attachment", "Transient/AttachmentRejected"),
    ("general bounce message", "Transient/General"),
)


def _make_context(data: Event) -> Context:
    own: dict[str, object] = {
        name: value
        for name, value in _list_headers(data)
        if name.lower().startswith("x-") and not name.lower().startswith(_NOT_CUSTOM)
    }
    tags = data.get("tags")
    if isinstance(tags, list):  # as they are given when a message is sent
        tags = {find_text(tag, "name"): find_text(tag, "value") for tag in tags if isinstance(tag, dict)}
    return make_context(
        sender=find_text(data, "from"),
        subject=find_text(data, "subject"),
        identifiers=own | (tags if isinstance(tags, dict) else {}) | {"broadcast_id": data.get("broadcast_id")},
    )

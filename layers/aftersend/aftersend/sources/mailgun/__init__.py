"""Mailgun: one event for each body, in JSON, or as the form that accounts from before 2018 may still have.

Source: Mailgun documentation, "Webhooks" and "Events". What is not obvious there:
- `signature.timestamp` is the notice's, `event-data.timestamp` the event's. In a form there is only one;
- the id of an event is unique within a day, and the token of a notice may change: message, recipient, kind and time are
  all that an event is known by;
- `failed` with the severity `temporary` is tried again; codes from 600 on are Mailgun's own, and nothing was tried;
- `rejected` names no recipient but those of the header To.
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import make_message_key
from aftersend.core.model import Context, Engagement, Evidence, Feedback, Kind
from aftersend.core.text import truncate_host
from aftersend.sources.events import (
    Event,
    EventFacts,
    decode_events,
    find_number,
    find_object,
    find_text,
    find_time,
    make_context,
    make_engagement,
    make_provider_code,
    read_reply,
)
from aftersend.sources.mailgun.form import SOURCE, read_event
from aftersend.sources.message import NO_HEADERS, Headers

KINDS: Final = {
    "accepted": Kind.SENT,
    "delivered": Kind.DELIVERED,
    "failed": Kind.BOUNCED,
    "rejected": Kind.REJECTED,
    "opened": Kind.OPENED,
    "clicked": Kind.CLICKED,
    "unsubscribed": Kind.UNSUBSCRIBED,
    "complained": Kind.COMPLAINED,
    # names that only forms have
    "bounced": Kind.BOUNCED,
    "dropped": Kind.BOUNCED,
}
IGNORED: Final = frozenset({"stored", "list_member_uploaded", "list_member_upload_error", "list_uploaded"})
_ENGAGED: Final = frozenset({Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBED})
_OWN_CODES: Final = frozenset({498, 499})  # and all from 600 on: what Mailgun says itself, and no system that it asked
_FIRST_OWN: Final = 600
_NOT_TRIED: Final = frozenset({605, 606, 607, 625})
_SUPPRESSED: Final = "suppress-"  # begins the reasons of what Mailgun did not try
_NO_BOT: Final = frozenset({"", "none", "unknown"})


def parse(raw: bytes, headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the fact of one body, JSON or form; none for received mail. Raises MalformedFeedback."""
    if raw.lstrip()[:1] not in (b"{", b"["):
        return _read_event(read_event(raw, headers.get("content-type", "")))
    return [fact for body in decode_events(SOURCE, raw) for fact in _read_event(_find_event(body))]


def _find_event(body: Event) -> Event:
    event = find_object(body, "event-data")
    if not event:
        raise MalformedFeedback(SOURCE, "an object without event-data")
    return event


def _read_event(event: Event) -> list[Feedback]:
    word = find_text(event, "event")
    if not word:
        raise MalformedFeedback(SOURCE, "it names no event: received mail is posted so")
    if word in IGNORED:
        return []
    headers = find_object(event, "message", "headers")
    kind = _find_kind(event, word)
    facts = EventFacts(
        source=SOURCE,
        message=make_message_key(find_text(headers, "message-id")),
        recipient=find_text(event, "recipient") or _find_addressee(headers),
        at=find_time(SOURCE, event, "timestamp"),
        context=_make_context(event, headers),
    )
    if kind in _ENGAGED:
        return facts.build(kind, None, _make_engagement(event))
    return facts.build(kind, _make_evidence(event, word, kind))


def _find_kind(event: Event, word: str) -> Kind:
    kind = KINDS.get(word, Kind.UNKNOWN)
    if kind is not Kind.BOUNCED:
        return kind
    if find_text(event, "severity") == "temporary":
        return Kind.DEFERRED
    code = find_number(find_object(event, "delivery-status"), "code")
    if code in _NOT_TRIED or find_text(event, "reason").startswith(_SUPPRESSED):
        return Kind.REJECTED
    return kind


def _find_addressee(headers: Event) -> str:
    """The recipient by the header To, where it holds one address."""
    to = find_text(headers, "to")
    return to if to.count("@") == 1 else ""


def _make_evidence(event: Event, word: str, kind: Kind) -> Evidence:
    reply, reject = find_object(event, "delivery-status"), find_object(event, "reject")
    said = find_text(reply, "message", "description") or find_text(reject, "description", "reason")
    number = find_number(reply, "code")
    own = number is not None and (number in _OWN_CODES or number >= _FIRST_OWN)
    code, status, text = read_reply(said, None if own else number, find_text(reply, "enhanced-code"))
    return Evidence(
        code=code,
        status=status,
        text=text,
        provider_code=_name(event, word, kind, number if own else None),
        remote_mta=truncate_host(find_text(reply, "mx-host")),
        attempt=find_number(reply, "attempt-no"),
    )


def _name(event: Event, word: str, kind: Kind, own: int | None) -> str | None:
    """Mailgun's own code, else the word of the event; and the reason."""
    if kind in (Kind.SENT, Kind.DELIVERED, Kind.COMPLAINED):
        return None
    return make_provider_code(word if own is None else str(own), find_text(event, "reason"))


def _make_engagement(event: Event) -> Engagement:
    client = find_object(event, "client-info")
    return make_engagement(
        ip=find_text(event, "ip"),
        user_agent=find_text(client, "user-agent"),
        link=find_text(event, "url"),
        machine=find_text(client, "bot").strip().lower() not in _NO_BOT,
    )


def _make_context(event: Event, headers: Event) -> Context:
    return make_context(
        sender=find_text(find_object(event, "envelope"), "sender") or find_text(headers, "from"),
        subject=find_text(headers, "subject"),
        identifiers=find_object(event, "user-variables") | {"tags": event.get("tags")},
    )

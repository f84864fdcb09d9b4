"""Mailtrap: an object with a list of events, up to 500 of them, of several kinds and recipients.

Source: Mailtrap documentation, "Webhooks". What is not obvious there:
- a "soft bounce" is an attempt that failed, and Mailtrap goes on trying;
- a "suspension" says that the account has sent what it may for now: the message goes out later;
- the remote server's reply stands in brackets inside `response`.
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.core.text import truncate, truncate_or_none
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
from aftersend.sources.message import NO_HEADERS, Headers

SOURCE: Final = "mailtrap"

KINDS: Final = {
    "delivery": Kind.DELIVERED,
    "soft bounce": Kind.DEFERRED,
    "suspension": Kind.DEFERRED,
    "bounce": Kind.BOUNCED,
    "reject": Kind.REJECTED,
    "open": Kind.OPENED,
    "click": Kind.CLICKED,
    "spam": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED,
}
RECEIVED: Final = "inbound."  # about mail that came in


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts of one body, one for each event. Raises MalformedFeedback."""
    return [fact for event in _list_events(decode_events(SOURCE, raw)) for fact in _read_event(event)]


def _list_events(bodies: list[Event]) -> list[Event]:
    """The events of a body; a body may be one event, too."""
    found: list[Event] = []
    for body in bodies:
        events = body.get("events", [body] if "event" in body else None)
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            raise MalformedFeedback(SOURCE, "an object without events")
        found += events
    return found


def _read_event(event: Event) -> list[Feedback]:
    word = find_text(event, "event").strip().replace("_", " ")
    if not word or word.startswith(RECEIVED):
        return []
    kind = KINDS.get(word, Kind.UNKNOWN)
    facts = _find_facts(event)
    event_id = truncate_or_none(find_text(event, "event_id"), MAX_ID)
    if kind is Kind.OPENED or kind is Kind.CLICKED:
        seen = make_engagement(
            ip=find_text(event, "ip"), user_agent=find_text(event, "user_agent"), link=find_text(event, "url")
        )
        return facts.build(kind, Evidence(event_id=event_id) if event_id else None, seen)
    return facts.build(kind, _make_evidence(event, word, event_id))


def _find_facts(event: Event) -> EventFacts:
    message = find_text(event, "message_id").strip()
    known = {"category": find_text(event, "category"), "sending_stream": find_text(event, "sending_stream")}
    return EventFacts(
        source=SOURCE,
        message=f"{SOURCE}:{truncate(message, MAX_ID)}" if message else "",
        recipient=find_text(event, "email"),
        at=find_time(SOURCE, event, "timestamp"),
        context=make_context(identifiers=find_object(event, "custom_variables") | known),
    )


def _make_evidence(event: Event, word: str, event_id: str | None) -> Evidence:
    reply = _peel(find_text(event, "response", "reason").strip(), word)
    code, status, text = read_reply(reply, find_number(event, "response_code"))
    return Evidence(
        code=code,
        status=status,
        text=text,
        provider_code=make_provider_code(word, find_text(event, "bounce_category").strip()),
        event_id=event_id,
    )


def _peel(text: str, word: str) -> str:
    """The remote server's reply, out of the words that Mailtrap puts around it: "bounced (550 5.1.1 …)"."""
    before, bracket, rest = text.partition("(")
    own = before.strip().lower() in (word, f"{word}d")
    return rest.removesuffix(")") if bracket and own and rest.endswith(")") else text

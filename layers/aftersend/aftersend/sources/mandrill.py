"""Mandrill (Mailchimp Transactional): a form, of which one field holds an array of events as JSON.

Source: Mailchimp Transactional documentation, "Webhooks". What is not obvious there:
- `ts` beside the event is when it happened; the one inside `msg` is when the message was sent;
- a message keeps one id, `_id`, for one recipient; the answer to the sending call names it;
- a synchronisation event tells of Mandrill's own lists and of no message: it becomes nothing. What is on such a list is
  told by the `reject` of the next message to that address;
- the body with which Mandrill tries a new webhook out is an empty array.
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.core.text import truncate
from aftersend.sources.events import (
    Event,
    EventFacts,
    decode_events,
    find_object,
    find_text,
    find_time,
    make_context,
    make_engagement,
    make_provider_code,
    read_reply,
)
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.text_messages import decode_form, is_json

SOURCE: Final = "mandrill"
FIELD: Final = "mandrill_events"

KINDS: Final = {
    "send": Kind.SENT,
    "deferral": Kind.DEFERRED,
    "delivered": Kind.DELIVERED,
    "hard_bounce": Kind.BOUNCED,
    "soft_bounce": Kind.BOUNCED,
    "reject": Kind.REJECTED,
    "open": Kind.OPENED,
    "click": Kind.CLICKED,
    "spam": Kind.COMPLAINED,
    "unsub": Kind.UNSUBSCRIBED,
}
# What Mandrill says is not for good, whatever the text says.
FLAGS: Final = {"soft_bounce": ("fatal=0",)}
RECEIVED: Final = "inbound"  # about a mail that came in, and none that was sent


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts of one body, one for each event; none for lists and received mail. Raises MalformedFeedback."""
    return [fact for event in _list_events(raw) for fact in _read_event(event)]


def _list_events(raw: bytes) -> list[Event]:
    """The events of a form; also of the array itself, and of an object around it, as frameworks hand them on."""
    if not is_json(raw):
        text = find_text(decode_form(SOURCE, raw), FIELD)
        if not text:
            raise MalformedFeedback(SOURCE, f"a form without {FIELD}")
        return decode_events(SOURCE, text.encode("utf-8", "replace"))
    events = decode_events(SOURCE, raw)
    if len(events) == 1 and isinstance(inner := events[0].get(FIELD), list):
        return [event for event in inner if isinstance(event, dict)]
    return events


def _read_event(event: Event) -> list[Feedback]:
    word, message = find_text(event, "event").strip(), find_object(event, "msg")
    if not word and not find_text(event, "type"):
        raise MalformedFeedback(SOURCE, "an object that names no event")
    if not word or word == RECEIVED:
        return []
    kind = KINDS.get(word, Kind.UNKNOWN)
    facts = _find_facts(event, message)
    if kind is Kind.OPENED or kind is Kind.CLICKED:
        seen = make_engagement(
            ip=find_text(event, "ip"), user_agent=find_text(event, "user_agent"), link=find_text(event, "url")
        )
        return facts.build(kind, None, seen)
    return facts.build(kind, _make_evidence(word, message))


def _find_facts(event: Event, message: Event) -> EventFacts:
    id_ = (find_text(event, "_id") or find_text(message, "_id")).strip()
    known = {"subaccount": find_text(message, "subaccount"), "tags": message.get("tags")}
    return EventFacts(
        source=SOURCE,
        message=f"{SOURCE}:{truncate(id_, MAX_ID)}" if id_ else "",
        recipient=find_text(message, "email"),
        at=find_time(SOURCE, event, "ts") if find_text(event, "ts") else find_time(SOURCE, message, "ts"),
        context=make_context(
            sender=find_text(message, "sender"),
            subject=find_text(message, "subject"),
            identifiers=find_object(message, "metadata") | known,
        ),
    )


def _make_evidence(word: str, message: Event) -> Evidence:
    """What the remote server said, and why Mandrill says that it was refused."""
    code, status, text = read_reply(find_text(message, "diag") or _find_last_answer(message))
    why = find_text(message, "bounce_description") or find_text(find_object(message, "reject"), "reason")
    if not why and isinstance(message.get("reject"), str):
        why = find_text(message, "reject")
    own = make_provider_code(word, "" if why == word else why, flags=FLAGS.get(word, ()))
    return Evidence(code=code, status=status, text=text, provider_code=own)


def _find_last_answer(message: Event) -> str:
    answers = message.get("smtp_events")
    last = answers[-1] if isinstance(answers, list) and answers else None
    return find_text(last, "diag") if isinstance(last, dict) else ""

"""MailerSend: one object for each activity, in one of two forms.

Source: MailerSend documentation, "Webhooks: payload examples". What is not obvious there:
- the first form nests message and recipient inside `data.email` and says why in `data.morph`; the second is flat and
  says why in `data.meta`. The status beside the mail is "rejected" for bounces, too: the type of the activity counts;
- an activity that happens for the first time is told twice, as `opened` and as `opened_unique`: one fact, as it
  happened at one time;
- nothing but activities is about a message; the others are about domains, lists, text messages, tests.
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

SOURCE: Final = "mailersend"
ACTIVITY: Final = "activity."

KINDS: Final = {
    "sent": Kind.SENT,
    "delivered": Kind.DELIVERED,
    "deferred": Kind.DEFERRED,
    "soft_bounced": Kind.BOUNCED,
    "hard_bounced": Kind.BOUNCED,
    "opened": Kind.OPENED,
    "opened_unique": Kind.OPENED,
    "clicked": Kind.CLICKED,
    "clicked_unique": Kind.CLICKED,
    "unsubscribed": Kind.UNSUBSCRIBED,
    "spam_complaint": Kind.COMPLAINED,
    "spam_complaints": Kind.COMPLAINED,
}
# What MailerSend says is not for good, whatever the text says.
FLAGS: Final = {"soft_bounced": ("fatal=0",)}
SURVEYS: Final = "survey_"  # answers to a survey inside of a mail: what was answered is no feedback


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the fact of one body; none for what is no activity of a message. Raises MalformedFeedback."""
    return [fact for event in decode_events(SOURCE, raw) for fact in _read_event(event)]


def _read_event(event: Event) -> list[Feedback]:
    data, type_ = find_object(event, "data"), find_text(event, "type").strip()
    if not type_:
        raise MalformedFeedback(SOURCE, "an object that names no type")
    word = type_.removeprefix(ACTIVITY)
    if word == type_ or word.startswith(SURVEYS):
        return []
    kind = KINDS.get(word, Kind.UNKNOWN)
    why = find_object(data, "morph") or find_object(event, "morph") or find_object(data, "meta")
    facts = _find_facts(event, data)
    if kind is Kind.OPENED or kind is Kind.CLICKED:
        agent = find_text(why, "user_agent") or find_text(find_object(why, "user_agent"), "raw")
        seen = make_engagement(ip=find_text(why, "ip"), user_agent=agent, link=find_text(why, "url"))
        return facts.build(kind, None, seen)
    return facts.build(kind, _make_evidence(word, data, why))


def _find_facts(event: Event, data: Event) -> EventFacts:
    email = find_object(data, "email")
    message = (find_text(find_object(email, "message"), "id") or find_text(data, "message_id")).strip()
    recipient = find_object(email, "recipient") or find_object(data, "recipient")
    known = {"email_id": find_text(email, "id") or find_text(data, "email_id")}
    return EventFacts(
        source=SOURCE,
        message=f"{SOURCE}:{truncate(message, MAX_ID)}" if message else "",
        recipient=find_text(recipient, "email") or find_text(data, "recipient", "email"),
        at=find_time(SOURCE, data, "created_at") if data.get("created_at") else find_time(SOURCE, event, "created_at"),
        context=make_context(
            sender=find_text(email, "from"),
            subject=find_text(email, "subject") or find_text(data, "subject"),
            identifiers=known | {"tags": email.get("tags") or data.get("tags")},
        ),
    )


def _make_evidence(word: str, data: Event, why: Event) -> Evidence:
    given = find_number(why, "bounce_code")
    code, status, text = read_reply(find_text(why, "bounce_reason", "readable_reason", "reason"), given)
    return Evidence(
        code=code,
        status=status,
        text=text,
        provider_code=make_provider_code(word, flags=FLAGS.get(word, ())),
        event_id=truncate_or_none(find_text(data, "id"), MAX_ID),
    )

"""Mailjet: one object for each event, or an array of those of one second, of different kinds.

Source: Mailjet documentation, "Event API (webhooks)". What is not obvious there:
- `sent` says that the recipient's system took the message: it is what others call delivered;
- `MessageID` may be larger than floating point holds exactly;
- a `bounce` with the error "greylisted" is tried again, and one without `hard_bounce` is not for good;
- `comment` has the words of the recipient's system, `error` Mailjet's own reading of them.
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.core.model import Context, Evidence, Feedback, Kind
from aftersend.core.text import truncate
from aftersend.sources.events import (
    Event,
    EventFacts,
    decode_events,
    find_text,
    find_time,
    make_context,
    make_engagement,
    make_provider_code,
    read_reply,
)
from aftersend.sources.message import NO_HEADERS, Headers

SOURCE: Final = "mailjet"

KINDS: Final = {
    "sent": Kind.DELIVERED,
    "open": Kind.OPENED,
    "click": Kind.CLICKED,
    "bounce": Kind.BOUNCED,
    "blocked": Kind.REJECTED,
    "spam": Kind.COMPLAINED,
    "unsub": Kind.UNSUBSCRIBED,
}
GREYLISTED: Final = "greylisted"
# What Mailjet calls a bounce although it did not try, or could not: its own lists, and the sender's own template.
NOT_TRIED: Final = frozenset(
    {"blacklisted", "spam reporter", "preblocked", "duplicate in campaign", "bad or empty template"}
)
_TEMPLATE: Final = "error in template language"
_NOT_FINAL: Final = "fatal=0"
_SENDER_GAVE: Final = ("CustomID", "Payload", "customcampaign", "Message_GUID", "mj_campaign_id")
_ENGAGED: Final = frozenset({Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBED})


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts of one body, one for each event. Raises MalformedFeedback."""
    return [fact for event in decode_events(SOURCE, raw) for fact in _read_event(event)]


def _read_event(event: Event) -> list[Feedback]:
    word = find_text(event, "event")
    if not word:
        raise MalformedFeedback(SOURCE, "an object that names no event")
    message = find_text(event, "MessageID", "mj_message_id").strip()
    facts = EventFacts(
        source=SOURCE,
        message=f"{SOURCE}:{truncate(message, MAX_ID)}" if message not in ("", "0") else "",
        recipient=find_text(event, "email"),
        at=find_time(SOURCE, event, "time"),
        context=_make_context(event),
    )
    kind = _find_kind(event, word)
    if kind in _ENGAGED:
        engagement = make_engagement(
            ip=find_text(event, "ip"), user_agent=find_text(event, "agent"), link=find_text(event, "url")
        )
        list_id = find_text(event, "mj_list_id") if kind is Kind.UNSUBSCRIBED else ""
        return facts.build(kind, None, engagement, scope="" if list_id == "0" else list_id)
    return facts.build(kind, _make_evidence(event, word, kind))


def _find_kind(event: Event, word: str) -> Kind:
    kind, error = KINDS.get(word, Kind.UNKNOWN), find_text(event, "error").lower()
    if kind is not Kind.BOUNCED:
        return kind
    if error == GREYLISTED and event.get("hard_bounce") is not True:
        return Kind.DEFERRED
    return Kind.REJECTED if error in NOT_TRIED or error.startswith(_TEMPLATE) else kind


def _make_evidence(event: Event, word: str, kind: Kind) -> Evidence:
    code, status, text = read_reply(find_text(event, "comment", "smtp_reply"))
    match kind:
        case Kind.DELIVERED:
            provider_code = None
        case Kind.BOUNCED | Kind.DEFERRED | Kind.REJECTED:
            lenient = word == "bounce" and event.get("hard_bounce") is not True
            provider_code = make_provider_code(
                find_text(event, "error_related_to") or "unnamed",
                find_text(event, "error"),
                flags=(_NOT_FINAL,) if lenient else (),
            )
        case _:
            provider_code = make_provider_code(word, find_text(event, "source"))
    return Evidence(code=code, status=status, text=text, provider_code=provider_code)


def _make_context(event: Event) -> Context:
    own = {name: event.get(name) for name in _SENDER_GAVE}
    return make_context(identifiers={name: value for name, value in own.items() if value != 0})

"""Brevo, once Sendinblue: one object for each event about a transactional mail, or an array of them.

Source: Brevo documentation, "Transactional webhooks". What is not obvious there:
- of five times only `ts_epoch` is in UTC for sure; it is in milliseconds, and in seconds in some examples;
- events have no id, so message, recipient, kind and time are all that they are known by;
- a first opening is reported as `unique_opened`, and was as `opened` besides: both make one fact. With `proxy` in its
  name it was a mail privacy proxy and not a person;
- `deferred` is not the end, whatever the reply in it says, and a `soft_bounce` is not for good.
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import make_message_key
from aftersend.core.model import Context, Evidence, Feedback, Kind
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

SOURCE: Final = "brevo"

KINDS: Final = {
    "request": Kind.SENT,
    "sent": Kind.SENT,
    "delivered": Kind.DELIVERED,
    "deferred": Kind.DEFERRED,
    "soft_bounce": Kind.BOUNCED,
    "hard_bounce": Kind.BOUNCED,
    "blocked": Kind.REJECTED,
    "invalid_email": Kind.REJECTED,
    "invalid": Kind.REJECTED,
    "error": Kind.REJECTED,
    "spam": Kind.COMPLAINED,
    "complaint": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED,
    "unsubscribed": Kind.UNSUBSCRIBED,
    "opened": Kind.OPENED,
    "unique_opened": Kind.OPENED,
    "proxy_open": Kind.OPENED,
    "unique_proxy_open": Kind.OPENED,
    "click": Kind.CLICKED,
}
IGNORED: Final = frozenset({"list_addition", "contact_updated", "contact_deleted"})  # about contacts, not messages
_PROXIES: Final = frozenset({"proxy_open", "unique_proxy_open"})
_FLAGS: Final = {"soft_bounce": ("fatal=0",)}  # never held against the address for good
_JUDGED: Final = frozenset({Kind.BOUNCED, Kind.DEFERRED, Kind.REJECTED, Kind.UNKNOWN})
# In the order of what is known of their zones; `s_epoch` is a slip of the pen in Brevo's own examples.
_TIMES: Final = ("ts_epoch", "ts_event", "ts", "s_epoch", "date")


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts of one body, one for each event; none for events about contacts. Raises MalformedFeedback."""
    return [fact for event in decode_events(SOURCE, raw) for fact in _read_event(event)]


def _read_event(event: Event) -> list[Feedback]:
    word = find_text(event, "event")
    if not word:
        raise MalformedFeedback(SOURCE, "an object that names no event")
    if word in IGNORED:
        return []
    kind = KINDS.get(word, Kind.UNKNOWN)
    facts = EventFacts(
        source=SOURCE,
        message=make_message_key(find_text(event, "message-id")),
        recipient=find_text(event, "email"),
        at=find_time(SOURCE, event, *_TIMES),
        context=_make_context(event),
    )
    if kind in (Kind.OPENED, Kind.CLICKED):
        engagement = make_engagement(
            user_agent=find_text(event, "user_agent"),
            link=find_text(event, "link") if kind is Kind.CLICKED else "",
            machine=word in _PROXIES,
        )
        return facts.build(kind, None, engagement)
    return facts.build(kind, _make_evidence(event, word, kind))


def _make_evidence(event: Event, word: str, kind: Kind) -> Evidence | None:
    if kind not in _JUDGED:
        return None
    code, status, text = read_reply(find_text(event, "reason").strip())
    provider_code = make_provider_code(word, flags=_FLAGS.get(word, ()))
    return Evidence(code=code, status=status, text=text, provider_code=provider_code)


def _make_context(event: Event) -> Context:
    """Tags come as a list and, besides, as that list in JSON inside a text, or as one tag in either field."""
    tags = event.get("tags") or event.get("tag")
    own = {name: event.get(name) for name in ("X-Mailin-custom", "template_id", "campaign_id")}
    return make_context(subject=find_text(event, "subject"), identifiers={"tags": tags} | own)

"""SparkPost (Bird Email): an array of events, each in an envelope "msys" that names the family it is of.

Source: SparkPost documentation, "Webhooks" and "Bounce classification codes". What is not obvious there:
- times are seconds since 1970 as text, in newer events ISO-8601;
- a bounce may be an answer by a machine, or a change of subscription: its class says so;
- what was refused before it was sent (`generation_rejection`, `policy_rejection`) is no bounce;
- one opening comes as `initial_open` (the picture at the top) and as `open` (the one at the end), and in messages of
  AMP as two more: they are one fact, where they happened in the same second.
"""

from __future__ import annotations

from collections.abc import Iterator
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

SOURCE: Final = "sparkpost"

# Families of events about a message that was sent; the others are about received mail, tests and imports.
FAMILIES: Final = ("message_event", "track_event", "gen_event", "unsubscribe_event")
KINDS: Final = {
    "injection": Kind.SENT,
    "delivery": Kind.DELIVERED,
    "delay": Kind.DEFERRED,
    "bounce": Kind.BOUNCED,
    "out_of_band": Kind.BOUNCED,
    "policy_rejection": Kind.REJECTED,
    "generation_failure": Kind.REJECTED,
    "generation_rejection": Kind.REJECTED,
    "spam_complaint": Kind.COMPLAINED,
    "open": Kind.OPENED,
    "initial_open": Kind.OPENED,
    "amp_open": Kind.OPENED,
    "amp_initial_open": Kind.OPENED,
    "click": Kind.CLICKED,
    "amp_click": Kind.CLICKED,
    "list_unsubscribe": Kind.UNSUBSCRIBED,
    "link_unsubscribe": Kind.UNSUBSCRIBED,
}
# Classes of a bounce that is none: answers by machines, and what the recipient wrote to leave or to join.
ANSWERS: Final = {
    "60": Kind.AUTO_REPLIED,
    "80": Kind.SUBSCRIBED,
    "90": Kind.UNSUBSCRIBED,
    "100": Kind.AUTO_REPLIED,
}
_PREFETCHED: Final = ("is_prefetched", "is_proxy_prefetched")


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts of one body, one for each event; none for the ping. Raises MalformedFeedback."""
    return [fact for event in _list_events(decode_events(SOURCE, raw)) for fact in _read_event(event)]


def _list_events(envelopes: list[Event]) -> Iterator[Event]:
    for envelope in envelopes:
        if "msys" not in envelope:
            raise MalformedFeedback(SOURCE, "an object without msys")
        families = find_object(envelope, "msys")
        for family in FAMILIES:
            if event := find_object(families, family):
                yield event


def _read_event(event: Event) -> list[Feedback]:
    type_, class_ = find_text(event, "type"), find_text(event, "bounce_class").strip()
    kind = KINDS.get(type_, Kind.UNKNOWN)
    if kind is Kind.BOUNCED:
        kind = ANSWERS.get(class_, kind)
    facts = _find_facts(event)
    if kind is Kind.OPENED or kind is Kind.CLICKED:
        agent = find_object(event, "user_agent_parsed")
        seen = make_engagement(
            ip=find_text(event, "ip_address"),
            user_agent=find_text(event, "user_agent"),
            link=find_text(event, "target_link_url"),
            machine=any(agent.get(name) is True for name in _PREFETCHED),
        )
        return facts.build(kind, _make_click_evidence(event) if kind is Kind.CLICKED else None, seen)
    return facts.build(kind, _make_evidence(event, make_provider_code(type_, class_)))


def _find_facts(event: Event) -> EventFacts:
    message = find_text(event, "transmission_id", "message_id").strip()
    metadata = find_object(event, "rcpt_meta")
    known = {name: find_text(event, name) for name in ("campaign_id", "message_id", "subaccount_id", "template_id")}
    return EventFacts(
        source=SOURCE,
        message=f"{SOURCE}:{truncate(message, MAX_ID)}" if message else "",
        recipient=find_text(event, "raw_rcpt_to", "rcpt_to"),
        at=find_time(SOURCE, event, "timestamp"),
        context=make_context(
            sender=find_text(event, "friendly_from", "msg_from"),
            subject=find_text(event, "subject"),
            identifiers=metadata | known | {"tags": event.get("rcpt_tags")},
        ),
    )


def _make_click_evidence(event: Event) -> Evidence | None:
    event_id = truncate_or_none(find_text(event, "event_id"), MAX_ID)
    return Evidence(event_id=event_id) if event_id else None


def _make_evidence(event: Event, provider_code: str | None) -> Evidence:
    code, status, text = read_reply(find_text(event, "raw_reason", "reason"), find_number(event, "error_code"))
    retries = find_number(event, "num_retries")
    return Evidence(
        code=code,
        status=status,
        text=text,
        provider_code=provider_code,
        attempt=None if retries is None else retries + 1,
        event_id=truncate_or_none(find_text(event, "event_id"), MAX_ID),
    )

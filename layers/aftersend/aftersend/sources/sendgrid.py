"""Twilio SendGrid: an array of flat objects, each an event about one message and one recipient.

Source: SendGrid documentation, "Event Webhook Reference". What is not obvious there:
- `sg_message_id` begins with the X-Message-Id that the sender was answered; what follows its first "." is the way
  inside of SendGrid. Of what never got that far it is the way alone, and of a late bounce there is none: then the
  Message-ID tells, which SendGrid makes of the same id;
- a bounce of type `blocked` is temporary by SendGrid's own definition, whatever its code says;
- what was dropped was never tried;
- the sender's own arguments stand among the fields, and categories are one text or several.
"""

from __future__ import annotations

import re
from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID, clean_message_id, make_message_key
from aftersend.core.model import Context, Evidence, Feedback, Kind
from aftersend.core.text import truncate, truncate_host, truncate_or_none
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

SOURCE: Final = "sendgrid"

KINDS: Final = {
    "processed": Kind.SENT,
    "deferred": Kind.DEFERRED,
    "delivered": Kind.DELIVERED,
    "bounce": Kind.BOUNCED,
    "blocked": Kind.BOUNCED,
    "dropped": Kind.REJECTED,
    "open": Kind.OPENED,
    "click": Kind.CLICKED,
    "spamreport": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED,
    "group_unsubscribe": Kind.UNSUBSCRIBED,
    "group_resubscribe": Kind.SUBSCRIBED,
}
_GROUPS: Final = frozenset({"group_unsubscribe", "group_resubscribe"})  # the others leave everything
_TYPES: Final = frozenset({"blocked", "expired"})  # of a bounce that is none for good
# SendGrid's own fields: every other one is an argument of the sender's.
_OWN: Final = frozenset(
    (
        *("email", "timestamp", "event", "sg_event_id", "sg_message_id", "sg_machine_open", "sg_content_type", "tls"),
        *("reason", "response", "status", "type", "attempt", "bounce_classification", "ip", "useragent", "url"),
        *("url_offset", "cert_err", "pool", "asm_group_id", "newsletter", "unique_args", "send_at", "sg_template_id"),
        *("sg_user_id", "sg_template_name", "cert_error", "post_type", "phase_id"),
    )
)
# Machines of SendGrid that a message passes: no id begins with such a name.
_MACHINE: Final = re.compile(r"(?:filter|recvd)[\w-]*").fullmatch
_OWN_DOMAIN: Final = re.compile(r"(?:geopod-)?ismtpd[\w.-]*|[\w.-]+\.sendgrid\.net", re.IGNORECASE).fullmatch


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts of one body, one for each event of its array. Raises MalformedFeedback.

    Events about the account, which name neither a message nor a recipient, give none.
    """
    return [fact for event in decode_events(SOURCE, raw) for fact in _read_event(event)]


def _read_event(event: Event) -> list[Feedback]:
    word = find_text(event, "event")
    if not word:
        raise MalformedFeedback(SOURCE, "an object that names no event")
    kind = KINDS.get(word, Kind.UNKNOWN)
    facts = EventFacts(
        source=SOURCE,
        message=_find_message(event),
        recipient=find_text(event, "email"),
        at=find_time(SOURCE, event, "timestamp"),
        context=_make_context(event),
    )
    scope = find_text(event, "asm_group_id") if word in _GROUPS else ""
    if kind in (Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBED, Kind.SUBSCRIBED):
        engagement = make_engagement(
            ip=find_text(event, "ip"),
            user_agent=find_text(event, "useragent"),
            link=find_text(event, "url"),
            machine=event.get("sg_machine_open") is True,
        )
        return facts.build(kind, Evidence(event_id=_find_event_id(event)), engagement, scope=scope)
    return facts.build(kind, _make_evidence(event, word, kind))


def _find_message(event: Event) -> str:
    """The key of the message: X-Message-Id, as the sender was answered it."""
    whole, message_id = find_text(event, "sg_message_id"), clean_message_id(find_text(event, "smtp-id"))
    first = whole.strip().partition(".")[0]
    if first and not _MACHINE(first[:MAX_ID]):
        return f"{SOURCE}:{truncate(first, MAX_ID)}"
    local, _, domain = message_id.rpartition("@")
    if local and _OWN_DOMAIN(domain):
        return f"{SOURCE}:{local.partition('.')[0]}"
    return make_message_key(message_id, own=f"{SOURCE}:{truncate(whole, MAX_ID)}" if first else "")


def _make_evidence(event: Event, word: str, kind: Kind) -> Evidence:
    code, status, text = read_reply(find_text(event, "reason", "response"), status=find_text(event, "status"))
    return Evidence(
        code=code,
        status=status,
        text=text,
        provider_code=None if kind in (Kind.SENT, Kind.DELIVERED) else _name(event, word),
        reporting_mta=truncate_host(find_text(event, "ip")),
        attempt=find_number(event, "attempt"),
        event_id=_find_event_id(event),
    )


def _name(event: Event, word: str) -> str | None:
    """The word of the event, with what SendGrid says more of it."""
    match word:
        case "bounce" | "blocked":
            type_ = find_text(event, "type").lower()
            return make_provider_code(type_ if type_ in _TYPES else word, find_text(event, "bounce_classification"))
        case "dropped":
            return make_provider_code(word, find_text(event, "reason").partition("(")[0])  # "(if … is enabled)"
    return make_provider_code(word)


def _find_event_id(event: Event) -> str | None:
    return truncate_or_none(find_text(event, "sg_event_id"), 80)


def _make_context(event: Event) -> Context:
    own = {name: value for name, value in event.items() if name not in _OWN}
    return make_context(identifiers=find_object(event, "unique_args") | own)

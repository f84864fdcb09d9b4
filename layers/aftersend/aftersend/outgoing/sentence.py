"""One line about an event, for people: what a chat shows. Pure."""

from __future__ import annotations

import msgspec

from aftersend.core.events import (
    AddressReleased,
    AddressSuppressed,
    Event,
    IncidentClosed,
    IncidentOpened,
    OutcomeChanged,
)
from aftersend.core.recipient import split_channel


def describe_event(event: Event) -> str:
    """Describe an event in one line."""
    match event:
        case IncidentOpened(data=data):
            return (
                f"{data.domain} seems to refuse living addresses by accident: {data.refused} of about {data.sent} "
                f"recipients ({data.reason}) from {data.since} to {data.until}. They are not suppressed until somebody "
                f"decides: incident {data.incident}"
            )
        case IncidentClosed(data=data):
            return f"The incident of {data.domain} ({data.reason}, {data.since}) is {data.end}: {data.incident}"
        case AddressSuppressed(data=data):
            why = f"{data.cause}, {data.reason}" if data.reason else str(data.cause)
            end = f" until {data.until}" if data.until else ""
            return f"Do not write to {_show(data.recipient)} any more{end} ({why}; scope {data.scope})"
        case AddressReleased(data=data):
            return f"{_show(data.recipient)} may be written to again (scope {data.scope})"
        case OutcomeChanged(data=data):
            why = f" ({data.klass}, {data.reason})" if data.reason else ""
            return f"{event.type.removeprefix('outcome.').capitalize()}: {_show(data.recipient)}{why}, {data.message}"
    return f"A person should look at {_show(event.data.recipient)}: {event.data.review}"


def build_chat_body(event: Event) -> bytes:
    """Build what incoming webhooks of Slack take; `&`, `<` and `>` are its own signs there."""
    text = describe_event(event).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return msgspec.json.encode({"text": text})


def _show(recipient: str) -> str:
    return split_channel(recipient)[1]

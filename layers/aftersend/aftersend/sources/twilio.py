"""Twilio: status callbacks (a form for each change of a message's state), and the same as events of Event Streams.

Sources: Twilio documentation, "Track the message status of outbound messages", "Outbound message" of Event Streams,
"Error and warning dictionary". What is not obvious there:
- a callback has no time at all, and callbacks come in any order: of several, the state decides that says most. Only the
  report of a network may say when it was made. The events of Event Streams do have their time (decision 40);
- `failed` says that Twilio did not send it, `undelivered` that a network did not deliver it; which of both goes with a
  code is not always so, and the code decides;
- the recipient may be one of an app: "whatsapp:+14255550156".
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback, Kind
from aftersend.core.vocabulary import Protocol
from aftersend.sources.events import (
    Event,
    decode_events,
    find_number,
    find_object,
    find_text,
    find_time,
    make_provider_code,
)
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.text_messages import (
    TextFact,
    canonicalize_number,
    decode_form,
    is_json,
    make_evidence,
    make_text_context,
    parse_minute,
)

SOURCE: Final = "twilio"
EVENTS: Final = "com.twilio.messaging.message."  # the types of Event Streams that are about a message that was sent

KINDS: Final = {
    "accepted": Kind.SENT,
    "scheduled": Kind.SENT,
    "queued": Kind.SENT,
    "sending": Kind.SENT,
    "sent": Kind.SENT,
    "delivered": Kind.DELIVERED,
    "read": Kind.OPENED,
    "undelivered": Kind.BOUNCED,
    "failed": Kind.REJECTED,
    "canceled": Kind.REJECTED,
}
RECEIVED: Final = frozenset({"receiving", "received"})  # what a telephone sent to us
FAILED: Final = frozenset({Kind.BOUNCED, Kind.REJECTED})
# Codes by which it is known whether a network was tried, whatever the state says.
TRIED: Final = frozenset({30003, 30004, 30005, 30006, 30007, 30008})
NOT_TRIED: Final = frozenset(
    (
        *(21211, 21408, 21606, 21610, 21612, 21614, 21617),
        *(30001, 30002, 30010, 30022, 30023, 30024, 30027, 30032, 30034, 30035, 30036, 30038),
    )
)


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the fact of a callback, or of each event of Event Streams; none for received messages.

    Raises MalformedFeedback.
    """
    if not is_json(raw):
        return _read_callback(decode_form(SOURCE, raw))
    return [fact for event in decode_events(SOURCE, raw) for fact in _read_json(event)]


def _read_json(event: Event) -> list[Feedback]:
    """An event of Event Streams; or the fields of a callback, as JSON."""
    type_ = find_text(event, "type")
    if not type_:
        return _read_callback(event)
    data = find_object(event, "data")
    if not type_.startswith(EVENTS):
        return []
    state = find_text(data, "messageStatus") or type_.removeprefix(EVENTS)
    known = {name: find_text(data, name) for name in ("accountSid", "messagingServiceSid")}
    return _build(
        state,
        {
            "sid": find_text(data, "messageSid"),
            "to": find_text(data, "to"),
            "from": find_text(data, "from"),
            "code": find_number(data, "errorCode"),
            "time": data.get("timestamp") or event.get("time"),
        },
        find_object(data, "tags") | known,
    )


def _read_callback(form: Event) -> list[Feedback]:
    state = find_text(form, "MessageStatus", "SmsStatus")
    if not state:
        raise MalformedFeedback(SOURCE, "neither a status callback nor an event of Event Streams")
    return _build(
        state,
        {
            "sid": find_text(form, "MessageSid", "SmsSid"),
            "to": find_text(form, "To"),
            "from": find_text(form, "From"),
            "code": find_number(form, "ErrorCode"),
            "text": find_text(form, "ErrorMessage"),
            "time": parse_minute(find_text(form, "RawDlrDoneDate")),
        },
        {name: find_text(form, name) for name in ("AccountSid", "MessagingServiceSid")},
    )


def _build(state: str, fields: Event, known: Event) -> list[Feedback]:
    word, spelled = state.strip().lower(), find_text(fields, "to").strip()
    if word in RECEIVED:
        return []
    app, recipient = _find_recipient(spelled)
    code = find_number(fields, "code")
    kind = _find_kind(word, code)
    evidence = make_evidence(
        make_provider_code(app, word), code if kind in FAILED else None, Protocol.HTTP, find_text(fields, "text")
    )
    fact = TextFact(
        source=SOURCE,
        message=find_text(fields, "sid").strip(),
        recipient=recipient,
        spelled=spelled,
        at=find_time(SOURCE, fields, "time"),
        context=make_text_context(find_text(fields, "from"), known),
    )
    return fact.build(kind, evidence)


def _find_kind(word: str, code: int | None) -> Kind:
    kind = KINDS.get(word, Kind.UNKNOWN)
    if kind not in FAILED or code is None:
        return kind
    if code in TRIED:
        return Kind.BOUNCED
    return Kind.REJECTED if code in NOT_TRIED else kind


def _find_recipient(address: str) -> tuple[str, str]:
    """The app of an address, and its canonical recipient: the app is empty for SMS and MMS."""
    app, colon, account = address.strip().partition(":")
    if not colon:
        return "", canonicalize_number(address)
    return app.lower(), canonicalize_number(account, app)

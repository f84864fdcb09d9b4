"""What a provider wants answered before it pushes, beside a mere sign of life: each once, whichever providers ask so.

A handshake is answered only where the proof of its source holds, like any push: it says that this address wants events.
Sources: CNCF CloudEvents, "HTTP 1.1 Web Hooks for Event Delivery", section 4; Azure Event Grid, "Endpoint validation
with CloudEvents schema" and "Webhook event delivery".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend.core.errors import DECODE_ERRORS, VerificationError
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest


class HandshakeAnswer(Struct, frozen=True, kw_only=True):
    """What is answered to a handshake, with status 200."""

    body: str = ""
    headers: Mapping[str, str] = {}


_ORIGIN: Final = "webhook-request-origin"
_RATE: Final = "webhook-request-rate"
_HOST: Final = re.compile(r"[A-Za-z0-9*][A-Za-z0-9.:-]{0,252}").fullmatch
_NUMBER: Final = re.compile(r"[0-9]{1,9}|\*").fullmatch


def _allow_origin(request: PushRequest) -> HandshakeAnswer | None:
    """Answer who asks by OPTIONS whether it may push here, and how often in a minute; nobody else is let in by it."""
    if request.method != "OPTIONS":
        return None
    origin, rate = request.header(_ORIGIN), request.headers.get(_RATE, "")
    if not _HOST(origin):
        raise VerificationError(FailureCode.MALFORMED, f"the header {_ORIGIN} names no host")
    allowed = {"webhook-allowed-origin": origin, "allow": "OPTIONS, POST"}
    return HandshakeAnswer(headers=allowed | ({"webhook-allowed-rate": rate} if _NUMBER(rate) else {}))


_EVENT_TYPE: Final = "Microsoft.EventGrid.SubscriptionValidationEvent"
_CODE: Final = re.compile(r"[!-~]{1,512}").fullmatch


class _ValidationEvent(Struct, rename="camel"):
    event_type: str
    data: dict[str, Any]


_decode_events: Final = msgspec.json.Decoder(list[_ValidationEvent]).decode


def _return_code(request: PushRequest) -> HandshakeAnswer | None:
    """Answer the event of a new subscription with the code that it holds."""
    if request.method != "POST" or _EVENT_TYPE.encode() not in request.body:
        return None
    try:
        events = _decode_events(request.body)
    except DECODE_ERRORS:  # it is for the parser to say what this is
        return None
    if len(events) != 1 or events[0].event_type != _EVENT_TYPE:
        return None
    code = events[0].data.get("validationCode")
    if not isinstance(code, str) or not _CODE(code):
        raise VerificationError(FailureCode.MALFORMED, "no code to be returned")
    body = msgspec.json.encode({"validationResponse": code}).decode()
    return HandshakeAnswer(body=body, headers={"content-type": "application/json"})


HANDSHAKES: Final[dict[str, Callable[[PushRequest], HandshakeAnswer | None]]] = {
    "cloudevents": _allow_origin,
    "event_grid": _return_code,
}


def answer_handshake(request: PushRequest, names: Iterable[str]) -> HandshakeAnswer | None:
    """Return the answer to a request that is a handshake of one of these kinds, None where it is none.

    Raises VerificationError for one that cannot be answered.
    """
    return next(filter(None, (HANDSHAKES[name](request) for name in names)), None)

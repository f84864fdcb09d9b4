"""The one place where envelopes are peeled: SNS in SQS, raw delivery, EventBridge, CloudWatch Logs, MNS, base64, gzip.

A parser sees only the body. Sources: SNS developer guide, message and JSON formats; EventBridge event structure
reference; AWS Lambda developer guide, "Using Lambda with CloudWatch Logs"; MNS documentation, "NotifyContentFormat";
RFC 1952.
"""

# Annotations are code here: as texts, msgspec would compile each of them at a start (decision 69).

import base64
import zlib
from typing import Final

import msgspec
from msgspec import Raw, Struct, field

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.sources.envelope_mns import unpack

# What SES and SNS publish to try a topic out, as plain text, whatever the topic is for.
SET_UP_TEXTS: Final = (b"Successfully validated SNS topic", b"You have chosen to subscribe")
MAX_BYTES: Final = 1_048_576  # SQS and SNS carry no larger message
MOST_BYTES: Final = 6_291_456  # Lambda hands over no larger event, and nothing unpacks to more
MAX_MEMBERS: Final = 64  # of a body that is packed: each is a copy of all behind it
MAX_DEPTH: Final = 3  # EventBridge to SNS to SQS is the deepest that a user can build by subscribing


class _Envelope(Struct):
    """Every key that distinguishes one envelope from another; all absent in a body that has none."""

    type: str | None = field(name="Type", default=None)
    message: str | dict[str, Raw] | None = field(name="Message", default=None)
    detail_type: str | None = field(name="detail-type", default=None)
    detail: Raw = Raw()
    topic_owner: Raw = field(name="TopicOwner", default=Raw())  # MNS
    awslogs: dict[str, str] | None = None  # CloudWatch Logs


_envelope: Final = msgspec.json.Decoder(_Envelope).decode

_GZIP: Final = b"\x1f\x8b"
# How the bodies of Amazon SES begin: they hold nothing more to peel, and need not be read to know it.
_BARE: Final = (b'{"eventType"', b'{"notificationType"')
_SNS_TYPES: Final = frozenset({"Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"})


def peel(body: bytes) -> bytes:
    """Return the source's own body, out of whatever it came in; a body without an envelope is returned as it is.

    Raises MalformedFeedback where the body is larger than any transport allows, packed or not, or is broken gzip. What
    cannot be read as an envelope is left to the parser, which knows its source and can say what is wrong.
    """
    if body.startswith(_GZIP):
        body = _unzip(body)
    if len(body) > MOST_BYTES:
        raise MalformedFeedback("envelope", f"{len(body)} bytes are more than the {MOST_BYTES} that a transport takes")
    for _ in range(MAX_DEPTH):
        inner = None if body.startswith(_BARE) else _open(body)
        if inner is None:
            break
        body = inner
        if len(body) > MOST_BYTES:
            raise MalformedFeedback("envelope", f"what is packed is more than the {MOST_BYTES} that are taken")
    return body


def _unzip(body: bytes) -> bytes:
    """What is packed in `body`, and not a byte more than is allowed: a little gzip can hold a lot of nothing.

    A file of gzip may have several members, one behind the other, and holds what all of them hold (RFC 1952, 2.2).
    """
    found = b""
    for _ in range(MAX_MEMBERS):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            found += unpacker.decompress(body, MOST_BYTES + 1 - len(found))
        except zlib.error as error:
            raise MalformedFeedback("envelope", "gzip that cannot be unpacked") from error
        if len(found) > MOST_BYTES:
            return found
        if not unpacker.eof:
            raise MalformedFeedback("envelope", "gzip that ends too early")
        body = unpacker.unused_data.lstrip(b"\0")  # zeros are padding
        if not body:
            return found
    raise MalformedFeedback("envelope", f"gzip of more than {MAX_MEMBERS} members")


def _open(body: bytes) -> bytes | None:
    """What the outermost envelope holds, or None where there is none."""
    try:
        envelope = _envelope(body)
        if (message := envelope.message) and (envelope.type in _SNS_TYPES or envelope.topic_owner):
            # SNS always sends a string that holds the body; samples on the web also show the object itself.
            return message.encode() if isinstance(message, str) else msgspec.json.encode(message)
    except DECODE_ERRORS:  # not JSON, or not an object with these types
        return unpack(body)
    if envelope.detail_type is not None and envelope.detail:
        return bytes(envelope.detail)
    return _open_logs(envelope.awslogs["data"]) if envelope.awslogs and "data" in envelope.awslogs else None


def _open_logs(data: str) -> bytes:
    """What a subscription of CloudWatch Logs hands to a function: gzip in base64."""
    try:
        return _unzip(base64.b64decode(data, validate=True))
    except ValueError as error:  # not base64, or not even ASCII
        raise MalformedFeedback("envelope", "what CloudWatch Logs handed on is no base64") from error

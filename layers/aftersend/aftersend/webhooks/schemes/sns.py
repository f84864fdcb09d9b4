"""Amazon SNS over HTTPS: signed messages, and raw ones that only a secret proves.

A signature proves no more than that some topic sent it: anybody may subscribe our address to a topic of theirs. So the
topic must be on the operator's list. Not signed are MessageAttributes and UnsubscribeURL; nothing here uses them.
Sources: SNS developer guide, "Verifying the signatures of Amazon SNS messages", "HTTP/HTTPS headers", "Raw message
delivery", "Message delivery retries".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from aftersend.core.errors import DECODE_ERRORS, VerificationError
from aftersend.sources.proofs import Proof
from aftersend.webhooks.schemes.contract import (
    FailureCode,
    PushAction,
    PushRequest,
    Signature,
    Trust,
    VerifiedPush,
    quote_name,
)
from aftersend.webhooks.schemes.signature import decode_signature, require_fresh
from aftersend.webhooks.schemes.sns_host import find_host

HEADER: Final = "x-amz-sns-message-type"
RAW_HEADER: Final = "x-amz-sns-rawdelivery"

# A delivery policy may repeat for an hour; as much again for attempts that each wait for their time-out.
MAX_AGE: Final = timedelta(hours=2)
MAX_AHEAD: Final = timedelta(minutes=5)

# What follows the host, which belongs to the topic: it is compared whole.
_CERTIFICATE: Final = re.compile(r"/[A-Za-z0-9_-]{1,128}\.pem").fullmatch
_CONFIRMATION: Final = re.compile(r"/\?([!-~]{1,4096})").fullmatch

_DIGESTS: Final[Mapping[str, Literal["sha1", "sha256"]]] = {"1": "sha1", "2": "sha256"}
_ACTIONS: Final = {
    "Notification": PushAction.QUEUE,
    "SubscriptionConfirmation": PushAction.CONFIRM,
    "UnsubscribeConfirmation": PushAction.IGNORE,  # never subscribed again: somebody wanted it so
}
# What is signed, by its keys in this order; a key that has no value is left out.
_SIGNED: Final = {
    PushAction.QUEUE: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    PushAction.CONFIRM: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    PushAction.IGNORE: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


class _Message(Struct, frozen=True, rename="pascal"):
    type: str
    message_id: str
    topic_arn: str
    message: str
    timestamp: str
    signature_version: str
    signature: str
    signing_cert_url: str = msgspec.field(name="SigningCertURL")
    subject: str | None = None
    token: str | None = None
    subscribe_url: str | None = msgspec.field(name="SubscribeURL", default=None)


_decode: Final = msgspec.json.Decoder(_Message).decode


def check(request: PushRequest, proof: Proof, trust: Trust, now: datetime) -> VerifiedPush:
    """Check everything about a signed message but its signature; raises VerificationError."""
    message = _read_message(request)
    action = _ACTIONS[message.type]
    _require_topic(message.topic_arn, trust.list_senders(proof.senders))
    origin = f"https://{find_host(message.topic_arn)}"
    require_fresh(message.timestamp, now, MAX_AGE, MAX_AHEAD)
    if not _CERTIFICATE(_strip_origin(message.signing_cert_url, origin)):
        raise VerificationError(
            FailureCode.CERTIFICATE, f"not a certificate of SNS: {quote_name(message.signing_cert_url)}"
        )
    return VerifiedPush(
        scheme="sns",
        action=action,
        confirm_url=_read_confirm_url(message, origin) if action is PushAction.CONFIRM else "",
        signature=Signature(
            certificate_url=message.signing_cert_url,
            signature=decode_signature(message.signature),
            texts=(_build_text(message, action),),
            digest=_DIGESTS[message.signature_version],
        ),
    )


def _read_message(request: PushRequest) -> _Message:
    try:
        message = _decode(request.body)
    except DECODE_ERRORS as error:
        raise VerificationError(FailureCode.MALFORMED, "not a message of SNS") from error
    if message.type not in _ACTIONS or message.signature_version not in _DIGESTS or not message.message:
        raise VerificationError(FailureCode.MALFORMED, "a type, a version or a message that SNS does not have")
    if request.header(HEADER) != message.type:
        raise VerificationError(FailureCode.MALFORMED, f"the header {HEADER} says another type")
    return message


def _require_topic(arn: str, topics: frozenset[str]) -> None:
    if arn not in topics:
        raise VerificationError(FailureCode.SENDER, f"the topic is not on the list: {quote_name(arn)}")


def _strip_origin(url: str, origin: str) -> str:
    """What follows scheme and host, where they are these; else nothing."""
    return url[len(origin) :] if url.startswith(origin) else ""


def _read_confirm_url(message: _Message, origin: str) -> str:
    """Return where to confirm: an address of SNS, that confirms this topic and does nothing else."""
    match = _CONFIRMATION(_strip_origin(message.subscribe_url or "", origin))
    asked = parse_qs(match[1]) if match else {}
    if match is None or (asked.get("Action"), asked.get("TopicArn")) != (["ConfirmSubscription"], [message.topic_arn]):
        raise VerificationError(FailureCode.MALFORMED, "SubscribeURL does not confirm a subscription to this topic")
    return origin + match[0]


def _build_text(message: _Message, action: PushAction) -> bytes:
    names = dict(zip(message.__struct_encode_fields__, message.__struct_fields__, strict=True))
    values = ((key, getattr(message, names[key])) for key in _SIGNED[action])
    lines = (f"{key}\n{value}\n" for key, value in values if value is not None)
    return "".join(lines).encode("utf-8", "surrogatepass")


def check_raw(request: PushRequest, proof: Proof, trust: Trust, _now: datetime) -> VerifiedPush:
    """Check a message that is delivered raw, unsigned: a secret must have proven it. Raises VerificationError."""
    if request.header(RAW_HEADER) != "true" or request.header(HEADER) != "Notification":
        raise VerificationError(FailureCode.MALFORMED, "not a notification that is delivered raw")
    _require_topic(request.header("x-amz-sns-topic-arn"), trust.list_senders(proof.senders))
    return VerifiedPush(scheme="sns_raw")

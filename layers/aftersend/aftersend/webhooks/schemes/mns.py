"""Alibaba Cloud Message Service (MNS, also Simple Message Queue): pushes of a topic, in any of its three formats.

The vendor signs with a key of 512 bits, which is no obstacle today; so a secret in the path is asked for as well, and
the account, and where the operator names them topic and subscription. All headers that begin with x-mns- are signed,
and the body by its digest, which was seen written in three ways. Sources: MNS documentation, "HTTP endpoints",
"Signature of topic messages pushed over HTTP", "NotifyContentFormat".
"""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta
from hashlib import md5
from typing import Final

import msgspec
from msgspec import Struct

from aftersend.core.errors import DECODE_ERRORS, VerificationError
from aftersend.sources.proofs import Proof
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest, Signature, Trust, VerifiedPush, quote_name
from aftersend.webhooks.schemes.signature import decode_base64, decode_signature, require_fresh

HEADER: Final = "x-mns-signing-cert-url"
WINDOW: Final = timedelta(minutes=15)  # the vendor's own

# Old pages and newer ones; some write http, but nothing is fetched that way.
_CERTIFICATE: Final = re.compile(
    r"https?(://(?:mnstest\.oss-cn-hangzhou|mns-cert\.oss-cn-[a-z0-9-]{1,32})\.aliyuncs\.com/[A-Za-z0-9_/-]{1,128}\.pem)"
).fullmatch


class _Sender(Struct, frozen=True, rename="pascal"):
    """Who sent it, as the vendor itself says in every format."""

    topic_owner: str
    topic_name: str
    subscription_name: str


_decode: Final = msgspec.json.Decoder(_Sender).decode
_IN_HEADERS: Final = ("x-mns-topic-owner", "x-mns-topic-name", "x-mns-subscription-name")


def check(request: PushRequest, proof: Proof, trust: Trust, now: datetime) -> VerifiedPush:
    """Check everything about a push but its signature; raises VerificationError."""
    require_fresh(request.header("date"), now, WINDOW, WINDOW)
    signature = Signature(
        certificate_url=_read_certificate_url(request),
        signature=decode_signature(request.header("authorization")),
        texts=_build_texts(request),
        digest="sha1",
    )
    if request.header("content-md5") not in _spell_digests(request.body):
        raise VerificationError(FailureCode.DIGEST, "the body is not the one that Content-MD5 is about")
    _require_listed(_read_sender(request), trust.list_senders(proof.senders), trust.list_senders(proof.narrowed))
    return VerifiedPush(scheme="mns", signature=signature)


def _read_certificate_url(request: PushRequest) -> str:
    url = decode_base64(request.header(HEADER), f"the header {HEADER}").decode("utf-8", "replace")
    match = _CERTIFICATE(url)
    if match is None:
        raise VerificationError(FailureCode.CERTIFICATE, f"not a certificate of MNS: {quote_name(url)}")
    return "https" + match[1]


def _build_texts(request: PushRequest) -> tuple[bytes, ...]:
    """Return the text that is signed, with Content-Type as it came and in lower case: the vendor's pages disagree."""
    named = sorted(name for name in request.headers if name.startswith("x-mns-"))
    signed = "".join(f"{name}:{request.headers[name]}\n" for name in named)
    digest, date, kind = (request.headers.get(name, "") for name in ("content-md5", "date", "content-type"))
    texts = (f"{request.method}\n{digest}\n{each}\n{date}\n{signed}{request.path}" for each in (kind, kind.lower()))
    return tuple(dict.fromkeys(text.encode("utf-8", "surrogatepass") for text in texts))


def _spell_digests(body: bytes) -> set[str]:
    """Return every way in which Content-MD5 was seen to be written."""
    digest = md5(body, usedforsecurity=False)
    spellings = {digest.hexdigest(), digest.hexdigest().upper()}
    return spellings | {base64.b64encode(each).decode() for each in (digest.digest(), *(s.encode() for s in spellings))}


def _require_listed(sender: _Sender, accounts: frozenset[str], subscriptions: frozenset[str]) -> None:
    subscription = f"{sender.topic_name}/{sender.subscription_name}"
    if sender.topic_owner not in accounts:
        raise VerificationError(FailureCode.SENDER, f"the account is not on the list: {quote_name(sender.topic_owner)}")
    if subscriptions and subscription not in subscriptions:
        raise VerificationError(FailureCode.SENDER, f"the subscription is not on the list: {quote_name(subscription)}")


def _read_sender(request: PushRequest) -> _Sender:
    """Return who sent it: in the headers where the body is the bare message (SIMPLIFIED), else in the body."""
    if "x-mns-topic-owner" in request.headers:
        return _Sender(*(request.header(name) for name in _IN_HEADERS))
    if request.body.lstrip()[:1] == b"<":
        from aftersend.webhooks.schemes import mns_xml  # noqa: PLC0415  # only one of three formats needs it

        return _Sender(*mns_xml.read_texts(request.body, _Sender.__struct_encode_fields__))
    try:
        return _decode(request.body)
    except DECODE_ERRORS as error:
        raise VerificationError(FailureCode.MALFORMED, "nothing says whose topic it comes from") from error

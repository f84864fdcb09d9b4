"""Alibaba Cloud EventBridge: pushes to an HTTP target, signed in the second way (RSA-SHA256).

The first way (HMAC-SHA1, under a key that is itself sent along) is not accepted: it carries no header of this one. A
signature proves that EventBridge sent it to this address, for anybody who has an account there; so a secret in the path
or the token of the target is asked for as well. Source: EventBridge documentation, "Signature algorithm". Its text and
its code disagree about a line feed after the body, so both are tried.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from aftersend.core.errors import VerificationError
from aftersend.sources.proofs import Proof
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest, Signature, Trust, VerifiedPush, quote_name
from aftersend.webhooks.schemes.secret import matches_any
from aftersend.webhooks.schemes.signature import decode_signature, require_fresh_at

_PREFIX: Final = "x-eventbridge-"
HEADER: Final = _PREFIX + "signature-v2"
WINDOW: Final = timedelta(seconds=60)  # the vendor's own

_TIMESTAMP: Final = _PREFIX + "signature-timestamp"
_URL: Final = _PREFIX + "signature-url"
_TOKEN: Final = _PREFIX + "signature-token"
_FIXED: Final = {_PREFIX + "hash-method": "SHA256", _PREFIX + "signature-version": "1.0"}
# In the order in which they are signed; the token only where there is one.
_SIGNED: Final = (_TIMESTAMP, *_FIXED, _URL, _TOKEN)

# The regions in which DirectMail publishes events, and no pattern of names: the first part of the host is the name of a
# bucket, and anybody may make one whose name nobody has yet.
_REGIONS: Final = ("cn-hangzhou", "ap-southeast-1", "eu-central-1", "us-east-1")
_CERTIFICATE: Final = re.compile(
    rf"https://(?:{'|'.join(_REGIONS)})-eventbridge\.oss-accelerate\.aliyuncs\.com/[A-Za-z0-9._/-]{{1,256}}"
).fullmatch
_MILLISECONDS: Final = re.compile(r"[0-9]{12,14}").fullmatch


def check(request: PushRequest, _proof: Proof, trust: Trust, now: datetime) -> VerifiedPush:
    """Check everything about a push but its signature; raises VerificationError."""
    _require_token(request, trust)
    for name, value in _FIXED.items():
        if request.header(name) != value:
            raise VerificationError(FailureCode.SCHEME, f"the header {name} is not {value}")
    require_fresh_at(_read_time(request), now, WINDOW, WINDOW)
    url = request.header(_URL)
    if not _CERTIFICATE(url):
        raise VerificationError(FailureCode.CERTIFICATE, f"not a certificate of EventBridge: {quote_name(url)}")
    text = _build_text(request)
    return VerifiedPush(
        scheme="eventbridge",
        signature=Signature(
            certificate_url=url,
            signature=decode_signature(request.header(HEADER)),
            texts=(text, text + b"\n"),
            digest="sha256",
        ),
    )


def _require_token(request: PushRequest, trust: Trust) -> None:
    tokens = trust.credentials.token
    if tokens and not matches_any(request.headers.get(_TOKEN, ""), tokens):
        raise VerificationError(FailureCode.CREDENTIALS, "the signature token is wrong or missing")


def _read_time(request: PushRequest) -> datetime:
    milliseconds = request.header(_TIMESTAMP)
    if not _MILLISECONDS(milliseconds):
        raise VerificationError(FailureCode.MALFORMED, "a time that cannot be read")
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def _build_text(request: PushRequest) -> bytes:
    lines = [f"{name}: {request.headers[name]}" for name in _SIGNED if name in request.headers]
    return "\n".join([request.url, *lines, ""]).encode("utf-8", "surrogatepass") + request.body

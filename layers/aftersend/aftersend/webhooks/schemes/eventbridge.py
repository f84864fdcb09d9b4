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
from aftersend.webhooks.schemes.contract import FailureCode, PushRequest, Signature, Trust, VerifiedPush, shown
from aftersend.webhooks.schemes.secret import known
from aftersend.webhooks.schemes.signature import fresh_at, signature

_PREFIX: Final = "x-eventbridge-"
MARK: Final = _PREFIX + "signature-v2"
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


def claim(request: PushRequest, trust: Trust, now: datetime) -> VerifiedPush:
    """What a push claims; raises NotVerified."""
    _check_token(request, trust)
    for name, value in _FIXED.items():
        if request.header(name) != value:
            raise VerificationError(FailureCode.SCHEME, f"the header {name} is not {value}")
    fresh_at(_said_at(request), now, WINDOW, WINDOW)
    url = request.header(_URL)
    if not _CERTIFICATE(url):
        raise VerificationError(FailureCode.CERTIFICATE, f"not a certificate of EventBridge: {shown(url)}")
    text = _text(request)
    return VerifiedPush(
        scheme="eventbridge",
        seal=Signature(
            certificate_url=url,
            signature=signature(request.header(MARK)),
            texts=(text, text + b"\n"),
            digest="sha256",
        ),
    )


def _check_token(request: PushRequest, trust: Trust) -> None:
    words = trust.credentials.token
    if words and not known(request.headers.get(_TOKEN, ""), words):
        raise VerificationError(FailureCode.CREDENTIALS, "the signature token is wrong or missing")


def _said_at(request: PushRequest) -> datetime:
    said = request.header(_TIMESTAMP)
    if not _MILLISECONDS(said):
        raise VerificationError(FailureCode.MALFORMED, "a time that cannot be read")
    return datetime.fromtimestamp(int(said) / 1000, UTC)


def _text(request: PushRequest) -> bytes:
    lines = [f"{name}: {request.headers[name]}" for name in _SIGNED if name in request.headers]
    return "\n".join([request.url, *lines, ""]).encode("utf-8", "surrogatepass") + request.body

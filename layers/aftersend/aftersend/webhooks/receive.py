"""Take what is pushed: verify it, queue it as it came, and only then answer.

Nothing is parsed here. What a provider asks beside, such as whether anybody is there, its source's row says. The status
says whose turn it is: 2xx, it is safe with us; 4xx, it will not be taken, however often it comes; 5xx, it is our own
trouble, and the provider shall try again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Final

from msgspec import Struct, field

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import SQSClient
from aftersend.core.errors import ConfigurationError, HostUnavailable, ServiceError, VerificationError
from aftersend.core.ttl_cache import TtlCache
from aftersend.http.http1 import HttpResponse
from aftersend.settings import WebhookSettings
from aftersend.sources import SOURCES, Source
from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.forms import URLENCODED
from aftersend.sources.message import build_sqs_message, measure_size, pack
from aftersend.webhooks import fetch
from aftersend.webhooks.handshakes import answer_handshake
from aftersend.webhooks.request import read_request
from aftersend.webhooks.schemes import (
    FailureCode,
    PushAction,
    PushRequest,
    Token,
    Trust,
    VerifiedPush,
    check,
    load_public_key,
    require_secret,
    verify_signature,
)
from aftersend.webhooks.secrets import WebhookSecrets

# A body that nobody can read is parked with a reason beside it, and must still fit.
ROOM: Final = 1024
CERTIFICATES: Final = 16  # kept at once; providers have one each, and another for each region
CERTIFICATE_AGE: Final = timedelta(hours=1)  # MNS may put another one in the same place
TOKENS: Final = 20_000  # kept at once, by each environment of the function: some 7 MB
TOKEN_AGE: Final = timedelta(hours=12)  # until then a provider repeats, and a scheme takes, what has one
_LATER: Final = frozenset({408, 425, 429})  # these say nothing of what was asked for, but that it should be asked again


class WebhookPorts(Struct):
    """Everything outside that receiving needs."""

    config: WebhookSettings
    secrets: WebhookSecrets
    sqs: SQSClient
    fetch: Callable[[str], HttpResponse] = fetch.get
    clock: Callable[[], datetime] = partial(datetime.now, UTC)
    certificates: TtlCache[str, bytes] = field(default_factory=lambda: TtlCache(CERTIFICATE_AGE, CERTIFICATES))
    tokens: TtlCache[tuple[str, str], bytes] = field(default_factory=lambda: TtlCache(TOKEN_AGE, TOKENS))


class PushResult(StrEnum):
    """What became of a push: the name of a metric."""

    ACCEPTED = "Accepted"  # queued
    CONFIRMED = "Confirmed"  # a subscription
    IGNORED = "Ignored"  # the end of a subscription, or the test of an address
    PROBED = "Probed"  # asked whether anybody is there
    CHALLENGED = "Challenged"  # asked for user and password
    VERIFICATION_FAILED = "VerificationFailed"
    TOO_LARGE = "TooLarge"
    WRONG_METHOD = "WrongMethod"
    UNKNOWN_SOURCE = "UnknownSource"  # or one that is off
    NOT_READY = "NotReady"  # our own trouble


class PushResponse(Struct, frozen=True, kw_only=True):
    """What the provider is answered, and what the operator can read."""

    status: int
    result: PushResult
    source: str = ""
    scheme: str = ""
    code: str = ""
    reason: str = ""
    headers: Mapping[str, str] = {}
    body: str = ""

    def to_http(self) -> dict[str, Any]:
        """Return the answer in the form of an HTTP API. A stranger learns nothing but the status."""
        kind = {"content-type": "text/plain; charset=utf-8"} if self.body else {}
        return {"statusCode": self.status, "headers": kind | dict(self.headers), "body": self.body}


def receive(event: Mapping[str, Any], ports: WebhookPorts) -> PushResponse:
    """Take what is pushed in a request of an HTTP API, or say why not."""
    request = read_request(event, ports.config.public_url)
    source = SOURCES.get(request.source)
    if source is None or not source.proofs:  # its name is a stranger's, and may be somebody's secret
        return PushResponse(status=404, result=PushResult.UNKNOWN_SOURCE)
    try:
        return _take(request, source, ports)
    except VerificationError as error:
        return _refuse(request.source, error)
    except (ServiceError, ConfigurationError) as trouble:
        return PushResponse(status=503, result=PushResult.NOT_READY, source=request.source, reason=str(trouble))


def _refuse(name: str, error: VerificationError) -> PushResponse:
    """Amazon SNS sends user and password only where it is asked for them."""
    if error.code == FailureCode.CHALLENGED:
        asking = {"www-authenticate": 'Basic realm="aftersend"'}
        return PushResponse(status=401, result=PushResult.CHALLENGED, source=name, headers=asking)
    return PushResponse(
        status=403, result=PushResult.VERIFICATION_FAILED, source=name, code=error.code, reason=error.reason
    )


def _take(request: PushRequest, source: Source, ports: WebhookPorts) -> PushResponse:
    name, now = request.source, ports.clock()
    trust = ports.secrets.get_trust(name, source, now)
    if trust is None:  # the same answer as for a source that nobody knows, whatever the method
        return PushResponse(status=404, result=PushResult.UNKNOWN_SOURCE, source=name, reason="this source is off")
    allowed = source.methods | source.probes | ({"OPTIONS"} if source.handshakes else set())
    if request.method not in allowed:
        allow = {"allow": ", ".join(sorted(allowed))}
        return PushResponse(status=405, result=PushResult.WRONG_METHOD, source=name, headers=allow)
    if _is_probe(request, source):
        require_secret(request, trust.credentials)
        return PushResponse(status=200, result=PushResult.PROBED, source=name)
    packed = _pack(request, source)
    if packed is None:
        too_large = f"{len(request.body)} bytes"
        return PushResponse(status=413, result=PushResult.TOO_LARGE, source=name, reason=too_large)
    push = _verify(request, source, trust, now, ports)
    answer = answer_handshake(request, source.handshakes)
    if answer is not None:
        return PushResponse(
            status=200, result=PushResult.CONFIRMED, source=name, headers=answer.headers, body=answer.body
        )
    _require_unused(push.token, name, now, ports)
    if push.action is PushAction.QUEUE:
        _queue(ports.config.feedback_queue, *packed, ports.sqs)
    if push.action is PushAction.CONFIRM:
        _confirm(push.confirm_url, ports)
    return PushResponse(
        status=source.success, result=_RESULTS[push.action], source=name, scheme=push.scheme, body=source.answer
    )


_RESULTS: Final = {
    PushAction.QUEUE: PushResult.ACCEPTED,
    PushAction.CONFIRM: PushResult.CONFIRMED,
    PushAction.IGNORE: PushResult.IGNORED,
}


def _is_probe(request: PushRequest, source: Source) -> bool:
    """A provider that pushes by GET says something in the query; one that says nothing only asks."""
    if request.method == "GET" and "GET" in source.methods:
        return not request.query
    return request.method in source.probes


def _pack(request: PushRequest, source: Source) -> tuple[str, dict[str, str]] | None:
    """Return text and attributes of the message; None for a body that is too large, as it came or for a queue."""
    body, headers = request.body, request.headers
    if not body and "GET" in source.methods:  # its pushes are forms, and a form by GET is the query
        body, headers = request.query.encode("utf-8", "surrogatepass"), {**headers, "content-type": URLENCODED}
    if len(body) > source.largest:
        return None
    text, attributes = pack(body, request.source, headers)
    return (text, attributes) if measure_size(text, attributes) <= MAX_BYTES - ROOM else None


def _require_unused(token: Token | None, source: str, now: datetime, ports: WebhookPorts) -> None:
    """Raise VerificationError for a token that this environment has seen with something else; keep it."""
    if token is not None and ports.tokens.get((source, token.text), now, lambda _: token.used_for) != token.used_for:
        raise VerificationError(FailureCode.REPLAYED, "its token was used for something else")


def _verify(request: PushRequest, source: Source, trust: Trust, now: datetime, ports: WebhookPorts) -> VerifiedPush:
    """Return the push; its certificate is fetched only if all else about it is right. Raises VerificationError."""
    push = check(request, source.proofs, trust, now)
    if push.signature is not None:
        fetch_certificate = partial(_fetch_certificate, ports.fetch)
        certificate = ports.certificates.get(push.signature.certificate_url, now, fetch_certificate)
        verify_signature(push.signature, certificate)
    return push


def _fetch_certificate(get: Callable[[str], HttpResponse], url: str) -> bytes:
    """Return what lies there, if it is a certificate: only then it is kept."""
    reply = get(url)
    if 400 <= reply.status < 500 and reply.status not in _LATER:
        raise VerificationError(FailureCode.CERTIFICATE, "the provider has no such certificate")
    if reply.status != 200:
        raise HostUnavailable(f"the certificate is answered with {reply.status}")
    load_public_key(reply.content)
    return reply.content


def _confirm(url: str, ports: WebhookPorts) -> None:
    reply = ports.fetch(url)
    if not 200 <= reply.status < 300:
        raise HostUnavailable(f"the confirmation is answered with {reply.status}")


def _queue(url: str, text: str, attributes: Mapping[str, str], client: SQSClient) -> None:
    with translate_errors("SQS: SendMessage"):
        client.send_message(QueueUrl=url, **build_sqs_message(text, attributes))

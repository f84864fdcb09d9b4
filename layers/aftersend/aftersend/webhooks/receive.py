"""The HTTP door: what is proven to be a provider's is queued as it came, and only then is it acknowledged.

Nothing is parsed here. The status says whose turn it is: 2xx, it is safe with us; 4xx, it will not be taken, however
often it comes; 5xx, it is our own trouble, and the provider shall try again.
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
from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.message import measure_size, pack, to_sqs_attributes
from aftersend.webhooks import fetch
from aftersend.webhooks.request import request as request_of
from aftersend.webhooks.schemes import SOURCES, FailureCode, PushAction, PushRequest, VerifiedPush, claim, key_of, prove
from aftersend.webhooks.secrets import WebhookSecrets

# A body that nobody can read is parked with a reason beside it, and must still fit.
ROOM: Final = 1024
CERTIFICATES: Final = 16  # kept at once; providers have one each, and another for each region
CERTIFICATE_AGE: Final = timedelta(hours=1)  # MNS may put another one in the same place
_LATER: Final = frozenset({408, 425, 429})  # these say nothing of what was asked for, but that it should be asked again


class WebhookPorts(Struct):
    """Everything outside that the door needs."""

    config: WebhookSettings
    trusted: WebhookSecrets
    sqs: SQSClient
    fetch: Callable[[str], HttpResponse] = fetch.get
    clock: Callable[[], datetime] = partial(datetime.now, UTC)
    certificates: TtlCache[str, bytes] = field(default_factory=lambda: TtlCache(CERTIFICATE_AGE, CERTIFICATES))


class PushResult(StrEnum):
    """What became of a push: the name of a metric."""

    ACCEPTED = "Accepted"  # queued
    CONFIRMED = "Confirmed"  # a subscription
    NOTED = "Noted"  # the end of a subscription
    CHALLENGED = "Challenged"  # asked for user and password
    NOT_VERIFIED = "NotVerified"
    TOO_LARGE = "TooLarge"
    WRONG_METHOD = "WrongMethod"
    UNKNOWN_SOURCE = "UnknownSource"
    NOT_READY = "NotReady"  # our own trouble


class PushResponse(Struct, frozen=True, kw_only=True):
    """What the provider is told, and what the operator is."""

    status: int
    what: PushResult
    source: str = ""
    scheme: str = ""
    flaw: str = ""
    why: str = ""
    headers: Mapping[str, str] = {}

    def response(self) -> dict[str, Any]:
        """The answer in the form of an HTTP API. It tells a stranger nothing but the status."""
        return {"statusCode": self.status, "headers": dict(self.headers), "body": ""}


def receive(event: Mapping[str, Any], ports: WebhookPorts) -> PushResponse:
    """Take what is pushed, or say why not."""
    request = request_of(event, ports.config.public_url)
    source = request.source
    if source not in ports.config.queues:
        return PushResponse(
            status=404, what=PushResult.UNKNOWN_SOURCE
        )  # its name is a stranger's, and may be somebody's secret
    if request.method != "POST":
        return PushResponse(status=405, what=PushResult.WRONG_METHOD, source=source, headers={"allow": "POST"})
    try:
        return _take(request, ports)
    except VerificationError as error:
        return _refusal(source, error)
    except (ServiceError, ConfigurationError) as trouble:
        return PushResponse(status=503, what=PushResult.NOT_READY, source=source, why=str(trouble))


def _refusal(source: str, error: VerificationError) -> PushResponse:
    """Amazon SNS sends user and password only where it is asked for them."""
    if error.flaw == FailureCode.CHALLENGED:
        asking = {"www-authenticate": 'Basic realm="aftersend"'}
        return PushResponse(status=401, what=PushResult.CHALLENGED, source=source, headers=asking)
    return PushResponse(status=403, what=PushResult.NOT_VERIFIED, source=source, flaw=error.flaw, why=error.why)


def _take(request: PushRequest, ports: WebhookPorts) -> PushResponse:
    source = SOURCES[request.source]
    packed = _packed(request, source.largest)
    if packed is None:
        return PushResponse(
            status=413, what=PushResult.TOO_LARGE, source=request.source, why=f"{len(request.body)} bytes"
        )
    made = _proven(request, ports)
    if made.act is PushAction.QUEUE:
        _queue(ports.config.queues[request.source], *packed, ports.sqs)
    if made.act is PushAction.CONFIRM:
        _confirm(made.visit, ports)
    return PushResponse(status=source.done, what=_DONE[made.act], source=request.source, scheme=made.scheme)


_DONE: Final = {
    PushAction.QUEUE: PushResult.ACCEPTED,
    PushAction.CONFIRM: PushResult.CONFIRMED,
    PushAction.NOTE: PushResult.NOTED,
}


def _packed(request: PushRequest, largest: int) -> tuple[str, dict[str, str]] | None:
    """Text and attributes of the message; None for a body that is too large, as it came or as a queue takes it."""
    if len(request.body) > largest:
        return None
    text, attributes = pack(request.body, request.headers)
    return (text, attributes) if measure_size(text, attributes) <= MAX_BYTES - ROOM else None


def _proven(request: PushRequest, ports: WebhookPorts) -> VerifiedPush:
    """What is pushed; the certificate is fetched only for what holds in every other way. Raises NotVerified."""
    now = ports.clock()
    made = claim(request, ports.trusted.of(request.source, now), now)
    if made.seal is not None:
        prove(made.seal, ports.certificates.get(made.seal.certificate_url, now, partial(_certificate, ports.fetch)))
    return made


def _certificate(get: Callable[[str], HttpResponse], url: str) -> bytes:
    """What lies there, if it is a certificate: only then it is kept."""
    reply = get(url)
    if 400 <= reply.status < 500 and reply.status not in _LATER:
        raise VerificationError(FailureCode.CERTIFICATE, "the provider has no such certificate")
    if reply.status != 200:
        raise HostUnavailable(f"the certificate is answered with {reply.status}")
    key_of(reply.content)
    return reply.content


def _confirm(url: str, ports: WebhookPorts) -> None:
    reply = ports.fetch(url)
    if not 200 <= reply.status < 300:
        raise HostUnavailable(f"the confirmation is answered with {reply.status}")


def _queue(url: str, text: str, attributes: Mapping[str, str], client: SQSClient) -> None:
    with translate_errors("SQS: SendMessage"):
        client.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=to_sqs_attributes(attributes))

"""Sends samples as their sources push them, signed or with a secret, to the real webhooks over HTTP.

How a body is pushed depends on the proof that its source's row names, and on nothing else of the source: a new source
that proves itself in a known way is pushed here without a word more.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple
from zlib import crc32

from aftersend.core.errors import VerificationError
from aftersend.sources import SOURCES
from aftersend.sources.forms import MULTIPART, URLENCODED
from aftersend.sources.proofs import (
    NAMES,
    DigestInBody,
    Hmac,
    Jwt,
    Proof,
    PublicKey,
    StandardWebhooks,
    TokenInBody,
    UrlForm,
)
from aftersend.webhooks.schemes.mns_xml import read_texts
from local import signing
from local.lambdas import Lambdas
from local.samples import Sample
from local.server import Server, Site, believe, send
from local.signing import Authority, Push
from local.stack import Stack

Sign = Callable[[Authority, Any, str, Sample, datetime], Push | None]  # Any: a Proof, of the scheme's own class

_MNS_FORMATS: Final = (signing.mns_json, signing.mns_xml, signing.mns_simplified)
_TYPES: Final = {".json": "application/json; charset=utf-8", ".xml": "text/xml; charset=utf-8"}


def _sign_sns(authority: Authority, _proof: Proof, url: str, sample: Sample, now: datetime) -> Push:
    return signing.sns(authority, url, _text(sample), now)


def _push_raw(_authority: Authority, _proof: Proof, url: str, sample: Sample, _now: datetime) -> Push:
    return signing.sns_raw(url, _text(sample))


def _sign_mns(authority: Authority, _proof: Proof, url: str, sample: Sample, now: datetime) -> Push | None:
    """What is wrapped by MNS already is signed as it is; a text comes in one format or another."""
    text, body = _text(sample), sample.body()
    if text.startswith("<"):
        return signing.mns(authority, url, body, "text/xml;charset=utf-8", now) if _names_owner(body) else None
    if '"TopicOwner"' in text:
        return signing.mns(authority, url, body, "text/json;charset=utf-8", now)
    if text.startswith(("{", "[")):  # an event of EventBridge
        return None
    if not text.isprintable():  # XML has no place for every character
        return signing.mns_json(authority, url, text, now)
    return _MNS_FORMATS[crc32(body) % len(_MNS_FORMATS)](authority, url, text, now)


def _names_owner(body: bytes) -> bool:
    """Return whether MNS could have written this XML: webhooks let in nothing that does not say whose it is."""
    try:
        return bool(read_texts(body, ["TopicOwner"]))
    except VerificationError:
        return False


def _sign_eventbridge(authority: Authority, _proof: Proof, url: str, sample: Sample, now: datetime) -> Push | None:
    text = _text(sample)
    return signing.eventbridge(authority, url, text, now) if text.startswith(("{", "[")) else None


def _push_with_secret(_authority: Authority, _proof: Proof, url: str, sample: Sample, _now: datetime) -> Push:
    """The secret is in the address."""
    return _post(url, sample)


def _post(url: str, sample: Sample) -> Push:
    content_type = _TYPES.get(sample.path.suffix, "text/plain; charset=utf-8")
    return Push(url, {"content-type": content_type, **sample.headers}, sample.body())


def _sign_body(authority: Authority, proof: Hmac, url: str, sample: Sample, now: datetime) -> Push:
    return signing.hmac_body(authority, proof, _post(url, sample), now, **_name_headers(proof.signed, now))


def _sign_standard(authority: Authority, proof: StandardWebhooks, url: str, sample: Sample, now: datetime) -> Push:
    return signing.standard_webhooks(authority, proof, _post(url, sample), now)


def _sign_with_private_key(authority: Authority, proof: PublicKey, url: str, sample: Sample, now: datetime) -> Push:
    return signing.public_key(authority, proof, _post(url, sample), _name_headers(proof.signed, now))


def _name_headers(signed: str, now: datetime) -> dict[str, str]:
    """Headers that are signed beside the body: what they say is a time, or as good as one."""
    return {name: f"{now.timestamp():.0f}" for name in NAMES.findall(signed) if "-" in name}


def _sign_token(authority: Authority, proof: TokenInBody, url: str, sample: Sample, now: datetime) -> Push | None:
    """Of a form the time that is signed is the event's own: signed anew it would be another event."""
    push = _post_form(url, sample)
    token = sha256(push.body).hexdigest()[:50]  # the same where a sample is pushed twice
    return signing.token_in_body(authority, proof, push, now, token=token) if _is_object(push.body) else None


def _sign_digest(authority: Authority, proof: DigestInBody, url: str, sample: Sample, _now: datetime) -> Push | None:
    push = _post(url, sample)
    return signing.digest_in_body(authority, proof, push) if _is_object(push.body) else None


def _sign_url(authority: Authority, proof: UrlForm, url: str, sample: Sample, _now: datetime) -> Push | None:
    push = _post_form(url, sample)
    is_signed = push.headers["content-type"] == URLENCODED or (proof.body_hash and not _is_form(push))
    return signing.url_form(authority, proof, push) if is_signed else None


def _sign_jwt(authority: Authority, proof: Jwt, url: str, sample: Sample, now: datetime) -> Push:
    return signing.jwt(authority, proof, _post(url, sample), now)


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _post_form(url: str, sample: Sample) -> Push:
    """A body that is no JSON is a form to those who sign forms."""
    push = _post(url, sample)
    if sample.path.suffix == ".json":
        return push
    boundary = push.body.partition(b"\r\n")[0].removeprefix(b"--").decode("latin-1")
    kind = f"{MULTIPART}; boundary={boundary}" if push.body.startswith(b"--") else URLENCODED
    return Push(push.url, push.headers | {"content-type": kind}, push.body)


def _is_form(push: Push) -> bool:
    return push.headers["content-type"].startswith((MULTIPART, URLENCODED))


def _text(sample: Sample) -> str:
    return sample.body().decode("utf-8", "replace")


# By scheme of proof; None where no provider pushes such a body in that way.
SIGNERS: Final[dict[str, Sign]] = {
    "digest_in_body": _sign_digest,
    "eventbridge": _sign_eventbridge,
    "hmac_body": _sign_body,
    "jwt": _sign_jwt,
    "mns": _sign_mns,
    "public_key": _sign_with_private_key,
    "secret": _push_with_secret,
    "sns": _sign_sns,
    "sns_raw": _push_raw,
    "standard_webhooks": _sign_standard,
    "token_in_body": _sign_token,
    "url_form": _sign_url,
}


class Pushed(NamedTuple):
    """How a sample was pushed, and what the webhook answered."""

    scheme: str  # of the proof
    status: int


class Pusher:
    """Pushes to webhooks that are served. Their address is signed as https, which this server does not speak.

    `host` is where the webhooks and the API listen.
    """

    def __init__(self, server: Server, authority: Authority) -> None:
        self.host, self._authority = server.host, authority
        self.webhooks = server.site.webhooks  # what receives events that go out
        self._url = f"https://{server.host}/feedback/{{}}/{server.site.secret}"

    def push(self, sample: Sample) -> Pushed | None:
        """Push one sample; return what was answered, or None where its source pushes no such body."""
        url, now = self._url.format(sample.source), datetime.now(UTC)
        for proof in SOURCES[sample.source].proofs:
            push = SIGNERS[proof.scheme](self._authority, proof, url, sample, now)
            if push is not None:
                return Pushed(proof.scheme, send(push, self.host))
        return None


@contextmanager
def serve_webhooks(stack: Stack, lambdas: Lambdas) -> Iterator[Pusher]:
    """Serve the webhooks and the API of a stack on a free port, as long as the context lasts.

    What is queued is worked when the demo says so.
    """
    authority = Authority()
    believe(lambdas, authority)
    variables = lambdas.functions["ProcessSes"].variables
    site = Site(stack, lambdas.functions, variables, authority, say=lambda _: None)
    with serving(Server(site, 0, lambda _: None)) as server:
        yield Pusher(server, authority)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Have a server answer, as long as the context lasts."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

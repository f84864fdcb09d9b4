"""A header with the HMAC of the address that was called, and of the fields of the form that came.

The fields stand in the order of their names, each as name and value with nothing between; of a name that comes several
times, its values in their order, each once. A body that is no form is about its digest, which stands in the address.
Of the address both spellings are tried, with the port 443 and without, and with the user and password that the operator
has configured: what a provider was given is what it signs. Sources: the documentation of Twilio, "Webhooks security",
and of Mandrill, "Authenticating webhook requests".
"""

from __future__ import annotations

import hmac
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from aftersend.core.errors import VerificationError
from aftersend.sources.forms import MULTIPART, URLENCODED, Fields, read_form
from aftersend.sources.proofs import UrlForm
from aftersend.webhooks.schemes.contract import FailureCode, PushAction, PushRequest, Trust, VerifiedPush
from aftersend.webhooks.schemes.shared_key import decode_mac, is_mac, list_keys
from aftersend.webhooks.schemes.signed_text import encode

_PORT: Final = ":443"
_NOTHING: Final = (b"", b"[]")  # what a test of an address says


def check(request: PushRequest, proof: UrlForm, trust: Trust, _now: datetime) -> VerifiedPush:
    """Check everything about a push; raises VerificationError."""
    given = [decode_mac(request.header(proof.header), "base64")]
    fields = _read_fields(request, proof.body_hash)
    tail = _join(fields)
    texts = [encode(url) + tail for url in spell_urls(request.url, trust.credentials.basic)]
    if proof.test_key and all(value in _NOTHING for _, value in fields):
        test_key = [proof.test_key.encode()]  # everybody knows it: it is good for an answer, and nothing is queued
        if any([is_mac(given, test_key, text, proof.digest) for text in texts]):  # noqa: C419  # all of them
            return VerifiedPush(scheme=proof.scheme, action=PushAction.IGNORE)
    keys = list_keys(trust)
    if not any([is_mac(given, keys, text, proof.digest) for text in texts]):  # noqa: C419  # all of them
        raise VerificationError(FailureCode.SIGNATURE, "the signature does not hold")
    return VerifiedPush(scheme=proof.scheme)


def _read_fields(request: PushRequest, body_hash: str) -> Fields:
    """Return the fields that are signed; none for a body that is proven by its digest. Raises VerificationError."""
    named = parse_qs(request.query).get(body_hash, []) if body_hash else []
    digest = sha256(request.body).hexdigest()
    if any(not hmac.compare_digest(encode(each), digest.encode()) for each in named):
        raise VerificationError(FailureCode.DIGEST, "the body is not the one that the address is about")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not request.body or (named and kind not in (URLENCODED, MULTIPART)):
        return []
    if kind not in (URLENCODED, MULTIPART):
        raise VerificationError(FailureCode.DIGEST, "a body that is no form, and nothing that it is signed by")
    try:
        return read_form(request.body, request.headers.get("content-type", ""))
    except ValueError as error:
        raise VerificationError(FailureCode.MALFORMED, "a form that cannot be read") from error


def _join(fields: Fields) -> bytes:
    return b"".join(name + value for name, value in sorted(set(fields)))


def spell_urls(url: str, pairs: tuple[str, ...]) -> list[str]:
    """Return every way in which the same address may have been given to a provider; `pairs` are user:password."""
    parts = urlsplit(url)
    host = parts.netloc.removesuffix(_PORT)
    hosts = [host, host + _PORT] if ":" not in host else [host]
    users = ["", *(f"{each}@" for pair in pairs for each in dict.fromkeys((pair, _quote(pair))))]
    return [url.replace(parts.netloc, user + each, 1) for user in users for each in hosts]


def _quote(pair: str) -> str:
    user, _, password = pair.partition(":")
    return f"{quote(user, safe='')}:{quote(password, safe='')}"

"""Signs pushes as providers sign theirs, with a key pair of this machine: for the demo, `serve` and tests.

An `Authority` also stands for the places where providers publish their certificates. Webhooks believe it only where it
was handed in as the way to fetch; nothing in the layer knows of it. The forms are those that
`aftersend.webhooks.schemes` names.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit
from uuid import uuid4
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from msgspec import Struct

from aftersend.core.times import format_time
from aftersend.http.http1 import HttpResponse
from aftersend.sources.forms import MULTIPART, URLENCODED
from aftersend.sources.proofs import DigestInBody, Hmac, Jwt, Proof, PublicKey, StandardWebhooks, TokenInBody, UrlForm

ACCOUNT: Final = "1234567890123456"  # of Alibaba Cloud
TOPIC: Final = "arn:aws:sns:eu-west-1:111122223333:feedback"
MNS_TOPIC: Final = "dm-events"
MNS_SUBSCRIPTION: Final = "to-aws"

SNS_CERTIFICATE: Final = (
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-00000000000000000000000000000000.pem"
)
MNS_CERTIFICATE: Final = "https://mnstest.oss-cn-hangzhou.aliyuncs.com/x509_public_certificate.pem"
EVENTBRIDGE_CERTIFICATE: Final = (
    "https://cn-hangzhou-eventbridge.oss-accelerate.aliyuncs.com/x509_public_certificate.pem"
)
_PUBLISHED: Final = (SNS_CERTIFICATE, MNS_CERTIFICATE, EVENTBRIDGE_CERTIFICATE)
_CONFIRMATION: Final = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"

Json = dict[str, Any]
Digest = Literal["sha1", "sha256"]


class Push(Struct, frozen=True):
    """A POST, ready to be sent to `url`."""

    url: str
    headers: dict[str, str]
    body: bytes


class Published:
    """A certificate, at the places where providers publish theirs."""

    def __init__(self, certificate: bytes) -> None:
        self.certificate = certificate

    def fetch(self, url: str) -> HttpResponse:
        """The certificate where one is published, and a yes to every confirmation; nothing else is there."""
        if url in _PUBLISHED:
            return HttpResponse(200, self.certificate)
        return HttpResponse(200 if url.startswith(_CONFIRMATION) else 404, b"")


class Authority(Published):
    """A key, its certificate, and where providers would publish that."""

    def __init__(self, key: rsa.RSAPrivateKey | None = None, issued: datetime | None = None) -> None:
        self._key = key or rsa.generate_private_key(65537, 2048)
        self._curve_key = ec.generate_private_key(ec.SECP256R1())
        # Good as it stands, and as base64 with a prefix: so one key serves every scheme that shares one.
        self.signing_key = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        super().__init__(_certified(self._key, issued or datetime.now(UTC)))

    def sign(self, text: bytes, digest: Digest) -> str:
        """The signature in base64."""
        signed = self._key.sign(text, PKCS1v15(), SHA1() if digest == "sha1" else SHA256())  # noqa: S303
        return base64.b64encode(signed).decode()

    def sign_by(self, algorithm: str, text: bytes) -> str:
        """The signature in base64, by one of the algorithms of a PublicKey proof."""
        if algorithm == "ecdsa-sha256":
            return base64.b64encode(self._curve_key.sign(text, ec.ECDSA(SHA256()))).decode()
        return self.sign(text, "sha1" if algorithm == "rsa-sha1" else "sha256")

    def show_public_key(self, algorithm: str) -> str:
        """What goes into the secrets for such an algorithm."""
        key = self._curve_key if algorithm == "ecdsa-sha256" else self._key
        return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()

    def list_keys(self, proofs: Sequence[Proof]) -> dict[str, str]:
        """The keys that a source with these proofs has in its entry of the secrets."""
        return {
            proof.key: self.show_public_key(proof.algorithm) if isinstance(proof, PublicKey) else self.signing_key
            for proof in proofs
            if proof.key
        }


def _certified(key: rsa.RSAPrivateKey, issued: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "aftersend.invalid")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = builder.not_valid_before(issued).not_valid_after(issued + timedelta(days=365)).sign(key, SHA256())
    return made.public_bytes(Encoding.PEM)


# ---- Amazon SNS ------------------------------------------------------------------------------------------------------

_SNS_SIGNED: Final = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")


def sns(authority: Authority, url: str, message: str, now: datetime, **changes: str | None) -> Push:
    """A notification, or with other values in `changes` another message of SNS; None leaves a key out."""
    values: Json = {
        "Type": "Notification",
        "MessageId": str(uuid4()),
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": format_time(now),
        "SignatureVersion": "2",
        "SigningCertURL": SNS_CERTIFICATE,
        "UnsubscribeURL": f"https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={TOPIC}:1",
        **changes,
    }
    values = {key: value for key, value in values.items() if value is not None}
    text = "".join(f"{key}\n{values[key]}\n" for key in _SNS_SIGNED if key in values)
    values["Signature"] = authority.sign(text.encode(), "sha1" if values["SignatureVersion"] == "1" else "sha256")
    headers = {
        "content-type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-id": values["MessageId"],
        "x-amz-sns-message-type": values["Type"],
        "x-amz-sns-topic-arn": values["TopicArn"],
    }
    return Push(url, headers, json.dumps(values, indent=2, ensure_ascii=False).encode())


def sns_confirmation(authority: Authority, url: str, now: datetime, **changes: str | None) -> Push:
    """What SNS sends to a new endpoint."""
    topic = changes.get("TopicArn") or TOPIC
    token = "0123456789abcdef" * 8
    asked = urlencode({"Action": "ConfirmSubscription", "TopicArn": topic, "Token": token})
    confirmation = {
        "Type": "SubscriptionConfirmation",
        "Token": token,
        "SubscribeURL": f"https://sns.eu-west-1.amazonaws.com/?{asked}",
        "UnsubscribeURL": None,
    }
    return sns(authority, url, "You have chosen to subscribe.", now, **(confirmation | changes))


def sns_raw(url: str, message: str, topic: str = TOPIC) -> Push:
    """A notification that is delivered raw: nobody signs it."""
    headers = {
        "content-type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-topic-arn": topic,
        "x-amz-sns-rawdelivery": "true",
    }
    return Push(url, headers, message.encode())


# ---- Alibaba Cloud MNS -----------------------------------------------------------------------------------------------


def mns(authority: Authority, url: str, body: bytes, content_type: str, now: datetime, **more: str) -> Push:
    """`body` as MNS pushes it; `more` are headers beside the usual ones, with _ for each -."""
    named = {
        "x-mns-request-id": uuid4().hex[:24].upper(),
        "x-mns-signing-cert-url": base64.b64encode(MNS_CERTIFICATE.encode()).decode(),
        "x-mns-version": "2015-06-06",
    }
    headers = {
        "content-md5": hashlib.md5(body, usedforsecurity=False).hexdigest().upper(),
        "content-type": content_type,
        "date": format_datetime(now, usegmt=True),
        **named,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    headers["authorization"] = authority.sign(mns_text(url, headers), "sha1")
    return Push(url, headers, body)


def mns_text(url: str, headers: Mapping[str, str]) -> bytes:
    """What MNS signs."""
    signed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-mns-"))
    target = urlsplit(url)._replace(scheme="", netloc="").geturl()
    first = "\n".join(["POST", *(headers[name] for name in ("content-md5", "content-type", "date"))])
    return f"{first}\n{signed}{target}".encode()


def _mns_fields(message: str, now: datetime, owner: str) -> dict[str, str]:
    return {
        "TopicOwner": owner,
        "TopicName": MNS_TOPIC,
        "Subscriber": owner,
        "SubscriptionName": MNS_SUBSCRIPTION,
        "MessageId": uuid4().hex.upper(),
        "Message": message,
        "MessageMD5": hashlib.md5(message.encode(), usedforsecurity=False).hexdigest().upper(),
        "PublishTime": str(int(now.timestamp() * 1000)),
    }


def mns_json(authority: Authority, url: str, message: str, now: datetime, owner: str = ACCOUNT) -> Push:
    """The format JSON."""
    body = json.dumps(_mns_fields(message, now, owner), ensure_ascii=False).encode()
    return mns(authority, url, body, "text/json;charset=utf-8", now)


def mns_xml(authority: Authority, url: str, message: str, now: datetime, owner: str = ACCOUNT) -> Push:
    """The format XML, with the vendor's own spelling of xmlns."""
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in _mns_fields(message, now, owner).items())
    root = f'<Notification xlmns="http://mns.aliyuncs.com/doc/v1/">{inner}</Notification>'
    body = f'<?xml version="1.0" encoding="utf-8"?>{root}'.encode()
    return mns(authority, url, body, "text/xml;charset=utf-8", now)


def mns_simplified(authority: Authority, url: str, message: str, now: datetime, owner: str = ACCOUNT) -> Push:
    """The format SIMPLIFIED: the message itself, and all else in headers."""
    about = {
        "x_mns_topic_owner": owner,
        "x_mns_topic_name": MNS_TOPIC,
        "x_mns_subscriber": owner,
        "x_mns_subscription_name": MNS_SUBSCRIPTION,
        "x_mns_message_id": uuid4().hex.upper(),
        "x_mns_publish_time": str(int(now.timestamp() * 1000)),
    }
    return mns(authority, url, message.encode(), "text/plain;charset=utf-8", now, **about)


# ---- Alibaba Cloud EventBridge ---------------------------------------------------------------------------------------


def eventbridge(authority: Authority, url: str, event: str, now: datetime, token: str = "", end: str = "") -> Push:
    """A CloudEvent as an HTTP target gets it; `end` is what is signed after the body, "" or a line feed."""
    headers = {
        "x-eventbridge-signature-timestamp": str(int(now.timestamp() * 1000)),
        "x-eventbridge-hash-method": "SHA256",
        "x-eventbridge-signature-version": "1.0",
        "x-eventbridge-signature-url": EVENTBRIDGE_CERTIFICATE,
        **({"x-eventbridge-signature-token": token} if token else {}),
    }
    text = "\n".join([url, *(f"{name}: {value}" for name, value in headers.items()), event]) + end
    headers["x-eventbridge-signature-v2"] = authority.sign(text.encode(), "sha256")
    return Push(url, {"content-type": "application/json; charset=utf-8", **headers}, event.encode())


# ---- Keys that both sides know, and public keys ----------------------------------------------------------------------


def decode_key(text: str, encoding: str) -> bytes:
    """The bytes of a signing key."""
    return base64.b64decode(text.removeprefix("whsec_")) if encoding == "base64" else text.encode()


def hmac_body(authority: Authority, proof: Hmac, push: Push, now: datetime, **more: str) -> Push:
    """`push` with its signature; `more` are headers that are signed beside the body, with _ for each -."""
    named = {name.replace("_", "-"): value for name, value in more.items()}
    headers = push.headers | named | ({proof.time: f"{now.timestamp():.0f}"} if proof.time else {})
    digest = hmac.digest(
        decode_key(authority.signing_key, proof.key_encoding), fill(proof.signed, push, headers), proof.digest
    )
    written = digest.hex() if proof.encoding == "hex" else base64.b64encode(digest).decode()
    return Push(push.url, headers | {proof.header: proof.prefix + written}, push.body)


def fill(signed: str, push: Push, headers: Mapping[str, str]) -> bytes:
    """The text that is signed; a header that it names and that is missing is made up."""
    query = urlencode(sorted(parse_qsl(urlsplit(push.url).query, keep_blank_values=True)))
    parts: dict[str, bytes] = {name: value.encode() for name, value in headers.items()}
    parts |= {"body": push.body, "query": query.encode(), "sha256": hashlib.sha256(push.body).digest()}
    text = signed.encode()
    for name, value in sorted(parts.items(), key=lambda part: part[0] == "body"):  # the body last: it may hold braces
        text = text.replace(f"{{{name}}}".encode(), value)
    return text


def standard_webhooks(authority: Authority, proof: StandardWebhooks, push: Push, now: datetime) -> Push:
    """`push` with id, time and a list of one signature."""
    prefix, name, time = proof.prefixes[0], f"msg_{uuid4().hex}", f"{now.timestamp():.0f}"
    key = decode_key(authority.signing_key, proof.key_encoding)
    written = base64.b64encode(hmac.digest(key, f"{name}.{time}.".encode() + push.body, "sha256")).decode()
    named = {f"{prefix}id": name, f"{prefix}timestamp": time, f"{prefix}signature": f"v1,{written}"}
    return Push(push.url, push.headers | named, push.body)


def public_key(authority: Authority, proof: PublicKey, push: Push, headers: Mapping[str, str]) -> Push:
    """`push` with its signature; `headers` are signed beside the body."""
    named = push.headers | dict(headers)
    text = fill(proof.signed, push, named)
    return Push(push.url, named | {proof.header: authority.sign_by(proof.algorithm, text)}, push.body)


def token_in_body(
    authority: Authority, proof: TokenInBody, push: Push, now: datetime, token: str = "", member: str = ""
) -> Push:
    """`push`, an object in JSON or a form, with a token and its signature."""
    token, time = token or uuid4().hex + uuid4().hex[:18], f"{now.timestamp():.0f}"
    written = hmac.digest(authority.signing_key.encode(), f"{time}{token}".encode(), "sha256").hex()
    signed = {"timestamp": time, "token": token, "signature": written}
    if push.headers.get("content-type", "").startswith("application/json"):
        body = json.loads(push.body) | {member or proof.members[0]: signed}
        return Push(push.url, push.headers, json.dumps(body, ensure_ascii=False).encode())
    if push.headers["content-type"].startswith(MULTIPART):
        boundary = push.body.partition(b"\r\n")[0]
        parts = (f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in signed.items())
        added = b"".join(boundary + b"\r\n" + part.encode() + b"\r\n" for part in parts)
        rest = push.body.removesuffix(b"\r\n").removesuffix(boundary + b"--")
        return Push(push.url, push.headers, rest + added + boundary + b"--\r\n")
    body = push.body + (b"&" if push.body else b"") + urlencode(signed).encode()
    return Push(push.url, push.headers | {"content-type": URLENCODED}, body)


def digest_in_body(authority: Authority, proof: DigestInBody, push: Push) -> Push:
    """`push`, an object in JSON, with its digest as its first member."""
    rest = push.body.lstrip()[1:].lstrip()
    members = {name: value for name, value in json.loads(push.body).items() if name != proof.member}
    if proof.member in json.loads(push.body):
        rest = json.dumps(members, ensure_ascii=False).encode()[1:]
    head = f'{{"{proof.member}":"'.encode()
    tail = b'"' + (b"" if rest.startswith(b"}") else b",") + rest
    digest = hashlib.md5(head + authority.signing_key.encode() + tail, usedforsecurity=False).hexdigest()
    return Push(push.url, push.headers, head + digest.encode() + tail)


def url_form(authority: Authority, proof: UrlForm, push: Push, key_text: str = "", url: str = "") -> Push:
    """`push` with the signature of its address and its fields; `url` is what the provider takes for its address."""
    to, called = push.url, url or push.url
    fields: list[tuple[str, str]] = []
    if push.headers.get("content-type", "").startswith(URLENCODED):
        fields = parse_qsl(push.body.decode(), keep_blank_values=True)
    elif proof.body_hash and push.body:
        mark = f"{'&' if '?' in to else '?'}{proof.body_hash}={hashlib.sha256(push.body).hexdigest()}"
        to, called = to + mark, called + mark
    text = called + "".join(name + value for name, value in sorted(set(fields)))
    written = base64.b64encode(hmac.digest((key_text or authority.signing_key).encode(), text.encode(), proof.digest))
    return Push(to, push.headers | {proof.header: written.decode()}, push.body)


def form_of(name: str, value: bytes) -> bytes:
    """A form of one field."""
    return f"{name}=".encode() + quote_plus(value).encode()


def jwt(authority: Authority, proof: Jwt, push: Push, now: datetime, alg: str = "", **changes: Any) -> Push:
    """`push` with its token; `changes` are other claims, None leaves one out. `alg` is the algorithm of the token."""
    at = int(now.timestamp())
    claims: Json = {
        "iss": proof.issuer,
        "jti": str(uuid4()),
        "iat": at,
        "nbf": at,
        "exp": at + 60,
        **({"payload_hash": hashlib.sha256(push.body).hexdigest()} if push.body else {}),
        **({proof.url_hash: hashlib.sha256(push.url.encode()).hexdigest()} if proof.url_hash else {}),
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    token = encode_token({"typ": "JWT", "alg": alg or proof.algorithms[0]}, claims, authority.signing_key.encode())
    written = f"Bearer {token}" if proof.header == "authorization" else token
    return Push(push.url, push.headers | {proof.header: written}, push.body)


def encode_token(header: Json, claims: Json, key: bytes) -> str:
    """A JSON Web Token; one of an algorithm that is no HMAC is signed with nothing."""
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}.get(header["alg"])
    signed = ".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{signed}.{_base64url(hmac.digest(key, signed.encode(), digest)) if digest else ''}"


def _base64url(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")

"""What is signed, letter by letter, as each provider documents it: written out here, and not made by our own signer."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from aftersend.core.errors import VerificationError
from aftersend.settings import WebhookSettings
from aftersend.sources import SOURCES
from aftersend.webhooks.schemes import (
    SCHEMES,
    FailureCode,
    PushAction,
    PushRequest,
    Trust,
    VerifiedPush,
    WebhookCredentials,
    check,
)
from aftersend.webhooks.schemes.contract import quote_name

NOW: Final = datetime(2026, 3, 2, 10, 11, 15, tzinfo=UTC)
TOPIC: Final = "arn:aws:sns:eu-west-1:111122223333:feedback"
SNS_CERTIFICATE: Final = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
SIGNATURE: Final = base64.b64encode(b"a signature").decode()
TRUST: Final = Trust(
    credentials=WebhookCredentials(path=("a-secret",)),
    senders={"topics": frozenset({TOPIC}), "accounts": frozenset({"1234567890123456"})},
)


def asked(source: str, headers: dict[str, str], body: bytes, tail: str = "") -> PushRequest:
    path = f"/feedback/{source}/a-secret{tail}"
    return PushRequest(
        source=source, secret="a-secret", url=f"https://api.example{path}", path=path, headers=headers, body=body
    )


def verify(request: PushRequest, trust: Trust, now: datetime) -> VerifiedPush:
    return check(request, SOURCES[request.source].proofs, trust, now)


def message(**changes: Any) -> PushRequest:
    values = {
        "Type": "Notification",
        "MessageId": "165545c9",
        "TopicArn": TOPIC,
        "Message": 'line one\nline "two"',
        "Timestamp": "2026-03-02T10:11:15.123Z",
        "SignatureVersion": "1",
        "Signature": SIGNATURE,
        "SigningCertURL": SNS_CERTIFICATE,
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
        "MessageAttributes": {"a": {"Type": "String", "Value": "b"}},
        **changes,
    }
    return asked("ses", {"x-amz-sns-message-type": values["Type"]}, json.dumps(values).encode())


def test_sns_notification() -> None:
    made = verify(message(), TRUST, NOW)
    assert made.action is PushAction.QUEUE
    assert made.signature is not None
    assert (made.signature.certificate_url, made.signature.signature, made.signature.digest) == (
        SNS_CERTIFICATE,
        b"a signature",
        "sha1",
    )
    assert made.signature.texts == (
        b'Message\nline one\nline "two"\n'
        b"MessageId\n165545c9\n"
        b"Timestamp\n2026-03-02T10:11:15.123Z\n"
        b"TopicArn\narn:aws:sns:eu-west-1:111122223333:feedback\n"
        b"Type\nNotification\n",
    )


def test_sns_notification_with_a_subject_in_the_second_version() -> None:
    made = verify(message(Subject="Grüße", SignatureVersion="2"), TRUST, NOW)
    assert made.signature is not None
    assert made.signature.digest == "sha256"
    assert "MessageId\n165545c9\nSubject\nGrüße\nTimestamp\n".encode() in made.signature.texts[0]


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_sns_confirmation(kind: str) -> None:
    visit = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t0ken"
    made = verify(message(Type=kind, Token="t0ken", SubscribeURL=visit), TRUST, NOW)
    assert made.action is (PushAction.CONFIRM if kind.startswith("Sub") else PushAction.IGNORE)
    assert made.confirm_url == (visit if kind.startswith("Sub") else "")
    assert made.signature is not None
    assert made.signature.texts == (
        b'Message\nline one\nline "two"\n'
        b"MessageId\n165545c9\n"
        b"SubscribeURL\n" + visit.encode() + b"\n"
        b"Timestamp\n2026-03-02T10:11:15.123Z\n"
        b"Token\nt0ken\n"
        b"TopicArn\narn:aws:sns:eu-west-1:111122223333:feedback\n"
        b"Type\n" + kind.encode() + b"\n",
    )


MNS_BODY: Final = b"env_id=60001&event=deliver"
MNS_URL: Final = "https://mnstest.oss-cn-hangzhou.aliyuncs.com/x509_public_certificate.pem"
MNS_HEADERS: Final = {
    "authorization": SIGNATURE,
    "content-md5": hashlib.md5(MNS_BODY).hexdigest().upper(),
    "content-type": "Text/Plain;charset=utf-8",
    "date": "Mon, 02 Mar 2026 10:11:15 GMT",
    "host": "api.example",
    "x-forwarded-for": "192.0.2.1",
    "x-mns-version": "2015-06-06",
    "x-mns-topic-owner": "1234567890123456",
    "x-mns-signing-cert-url": base64.b64encode(MNS_URL.encode()).decode(),
    "x-mns-topic-name": "dm-events",
    "x-mns-subscription-name": "to-aws",
    "x-mns-request-id": "56A8",
}


def test_mns() -> None:
    made = verify(asked("directmail", MNS_HEADERS, MNS_BODY, "?a=b"), TRUST, NOW)
    assert made.signature is not None
    assert (made.signature.certificate_url, made.signature.digest) == (MNS_URL, "sha1")
    as_it_came = (
        "POST\n"
        f"{MNS_HEADERS['content-md5']}\n"
        "Text/Plain;charset=utf-8\n"
        "Mon, 02 Mar 2026 10:11:15 GMT\n"
        "x-mns-request-id:56A8\n"
        f"x-mns-signing-cert-url:{MNS_HEADERS['x-mns-signing-cert-url']}\n"
        "x-mns-subscription-name:to-aws\n"
        "x-mns-topic-name:dm-events\n"
        "x-mns-topic-owner:1234567890123456\n"
        "x-mns-version:2015-06-06\n"
        "/feedback/directmail/a-secret?a=b"
    )
    assert made.signature.texts == (as_it_came.encode(), as_it_came.replace("Text/Plain", "text/plain").encode())


def test_mns_without_a_content_type() -> None:
    headers = {name: value for name, value in MNS_HEADERS.items() if name != "content-type"}
    made = verify(asked("directmail", headers, MNS_BODY), TRUST, NOW)
    assert made.signature is not None
    (text,) = made.signature.texts
    assert text.startswith(f"POST\n{MNS_HEADERS['content-md5']}\n\nMon, 02".encode())


def test_mns_of_a_subscription_that_is_named() -> None:
    for named, is_believed in (("dm-events/to-aws", True), ("dm-events/to-them", False)):
        senders = {**TRUST.senders, "subscriptions": frozenset({named})}
        trust = Trust(credentials=TRUST.credentials, senders=senders)
        if is_believed:
            assert verify(asked("directmail", MNS_HEADERS, MNS_BODY), trust, NOW).scheme == "mns"
        else:
            with pytest.raises(
                VerificationError, match=r"sender: the subscription is not on the list: dm-events/to-aws"
            ):
                verify(asked("directmail", MNS_HEADERS, MNS_BODY), trust, NOW)


@pytest.mark.parametrize("host", ["mns-cert.oss-cn-hangzhou", "mns-cert.oss-cn-shanghai-internal"])
def test_mns_newer_places_of_certificates(host: str) -> None:
    url = f"https://{host}.aliyuncs.com/x509_public_certificate.pem"
    headers = MNS_HEADERS | {"x-mns-signing-cert-url": base64.b64encode(url.encode()).decode()}
    made = verify(asked("directmail", headers, MNS_BODY), TRUST, NOW)
    assert made.signature is not None
    assert made.signature.certificate_url == url


@pytest.mark.parametrize("region", ["cn-hangzhou", "ap-southeast-1", "eu-central-1", "us-east-1"])
def test_eventbridge(region: str) -> None:
    url = f"https://{region}-eventbridge.oss-accelerate.aliyuncs.com/keys/x509.pem"
    headers = {
        "x-eventbridge-signature-token": "t0ken",
        "x-eventbridge-signature-url": url,
        "x-eventbridge-hash-method": "SHA256",
        "x-eventbridge-signature-version": "1.0",
        "x-eventbridge-signature-timestamp": "1772446275000",
        "x-eventbridge-signature-v2": SIGNATURE,
        "x-eventbridge-other": "not signed",
    }
    made = verify(asked("directmail", headers, b'{"id":\xff}', "?a=b"), TRUST, NOW)
    assert made.signature is not None
    text = (
        b"https://api.example/feedback/directmail/a-secret?a=b\n"
        b"x-eventbridge-signature-timestamp: 1772446275000\n"
        b"x-eventbridge-hash-method: SHA256\n"
        b"x-eventbridge-signature-version: 1.0\n"
        b"x-eventbridge-signature-url: " + url.encode() + b"\n"
        b"x-eventbridge-signature-token: t0ken\n"
        b'{"id":\xff}'
    )
    assert made.signature.texts == (text, text + b"\n")
    assert (made.signature.certificate_url, made.signature.digest) == (url, "sha256")


@pytest.mark.parametrize(
    ("age", "is_fresh"),
    [
        (timedelta(hours=2), True),
        (timedelta(hours=2, milliseconds=1), False),
        (-timedelta(minutes=5), True),
        (-timedelta(minutes=5, milliseconds=1), False),
    ],
)
def test_the_window_of_sns(age: timedelta, is_fresh: bool) -> None:
    request = message(Timestamp=(NOW - age).isoformat())
    if is_fresh:
        verify(request, TRUST, NOW)
    else:
        with pytest.raises(VerificationError, match=FailureCode.STALE):
            verify(request, TRUST, NOW)


def test_every_scheme_is_used_and_every_proof_that_needs_a_secret_can_carry_it() -> None:
    proofs = [proof for source in SOURCES.values() for proof in source.proofs]
    assert {proof.scheme for proof in proofs} == SCHEMES.keys()
    for proof in proofs:
        assert not {proof.key} - {"", *WebhookCredentials.__struct_fields__}
        assert proof.needs <= proof.secrets
        assert not proof.secrets - set(WebhookCredentials.__struct_fields__)
        assert not proof.senders or proof.senders in WebhookSettings.__struct_fields__
    for source in SOURCES.values():
        assert 200 <= source.success < 300


def test_names_of_strangers_in_logs() -> None:
    assert quote_name(TOPIC) == TOPIC
    for odd in ("ann@example.net", "", "x" * 257, "a b", "a\nb", "ü"):
        assert quote_name(odd) == "(not a name)"

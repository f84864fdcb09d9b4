"""Forged, replayed, truncated, oversized and mangled pushes against the real handler: none gets in, none is an error.

Each names the code that it is refused with. What is wrong in a way that can be seen is refused before anything is
fetched, however well it is signed: most of these are signed with the provider's own key.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from aftersend.http.http1 import HttpResponse
from aftersend.webhooks.schemes import FailureCode
from local import signing
from local.environment import environment
from local.signing import EVENTBRIDGE_CERTIFICATE, MNS_CERTIFICATE, SNS_CERTIFICATE, TOPIC, Push
from tests.support.webhooks import BEARER, NOW, PATH, PROVIDER, STRANGER, WebhookBench, altered, url, webhook_bench

MESSAGE: Final = '{"eventType":"Send","mail":{"messageId":"m1"},"send":{}}'
EVENT: Final = '{"id":"e1","source":"acs.dm","type":"dm:Deliver:Succeed","data":{}}'
LEGACY: Final = "env_id=60001&event=deliver&status=0"

Make = Callable[[], Push]


@pytest.fixture(scope="module")
def opened() -> Iterator[WebhookBench]:
    with webhook_bench() as bench:
        yield bench


@pytest.fixture
def bench(opened: WebhookBench) -> WebhookBench:
    opened.reset()
    return opened


# ---- Amazon SNS ------------------------------------------------------------------------------------------------------


def sns(authority: signing.Authority = PROVIDER, secret: str = PATH, now: datetime = NOW, **changes: Any) -> Push:
    return signing.sns(authority, url("ses", secret), MESSAGE, now, **changes)


def confirm(**changes: Any) -> Push:
    return signing.sns_confirmation(PROVIDER, url("ses"), NOW, **changes)


def with_values(push: Push, **changes: Any) -> Push:
    """The same message with other values, under the signature that it had; None takes one away."""
    message = {**json.loads(push.body), **changes}
    return altered(push, body=json.dumps({key: value for key, value in message.items() if value is not None}).encode())


def bare(body: bytes, kind: str = "Notification") -> Push:
    return Push(url("ses"), {"x-amz-sns-message-type": kind, "content-type": "text/plain"}, body)


SNS_BODY: Final = sns().body
SNS: Final[dict[str, tuple[FailureCode, Make]]] = {
    "no secret in the path": (FailureCode.CREDENTIALS, lambda: sns(secret="")),
    "another secret in the path": (FailureCode.CREDENTIALS, lambda: sns(secret="a-secret-in-the-path-of-us")),
    "half a secret in the path": (FailureCode.CREDENTIALS, lambda: sns(secret=PATH[:-1])),
    "more than a secret in the path": (FailureCode.CREDENTIALS, lambda: sns(secret=PATH + "x")),
    "a secret in capitals": (FailureCode.CREDENTIALS, lambda: sns(secret=PATH.upper())),
    "signed by somebody": (FailureCode.SIGNATURE, lambda: sns(STRANGER)),
    "another message": (FailureCode.SIGNATURE, lambda: with_values(sns(), Message=MESSAGE.replace("m1", "m2"))),
    "a message with a blank more": (FailureCode.SIGNATURE, lambda: with_values(sns(), Message=MESSAGE + " ")),
    "a second message": (
        FailureCode.SIGNATURE,
        lambda: altered(sns(), body=SNS_BODY[:-1].rstrip() + b', "Message": "{}"}'),
    ),
    "another id": (FailureCode.SIGNATURE, lambda: with_values(sns(), MessageId="m")),
    "a subject put in": (FailureCode.SIGNATURE, lambda: with_values(sns(), Subject="Hello")),
    "a subject taken out": (FailureCode.SIGNATURE, lambda: with_values(sns(Subject="Hello"), Subject=None)),
    "a younger time": (
        FailureCode.SIGNATURE,
        lambda: with_values(sns(now=NOW - timedelta(days=1)), Timestamp="2026-03-02T10:11:15Z"),
    ),
    "a topic of the list put in": (
        FailureCode.SIGNATURE,
        lambda: with_values(sns(TopicArn="arn:of-somebody"), TopicArn=TOPIC),
    ),
    "version 2 that says version 1": (FailureCode.SIGNATURE, lambda: with_values(sns(), SignatureVersion="1")),
    "version 1 that says version 2": (
        FailureCode.SIGNATURE,
        lambda: with_values(sns(SignatureVersion="1"), SignatureVersion="2"),
    ),
    "version 3": (FailureCode.MALFORMED, lambda: with_values(sns(), SignatureVersion="3")),
    "a signature cut off": (
        FailureCode.SIGNATURE,
        lambda: with_values(sns(), Signature=base64.b64encode(b"x" * 255).decode()),
    ),
    "a signature of nothing": (FailureCode.MALFORMED, lambda: with_values(sns(), Signature="")),
    "a signature that is no base64": (FailureCode.MALFORMED, lambda: with_values(sns(), Signature="ä" * 20)),
    "a signature of half a character": (FailureCode.MALFORMED, lambda: with_values(sns(), Signature="abc")),
    "a very long signature": (FailureCode.MALFORMED, lambda: with_values(sns(), Signature="AAAA" * 9000)),
    "replayed after two hours": (FailureCode.STALE, lambda: sns(now=NOW - timedelta(hours=2, seconds=1))),
    "replayed after a year": (FailureCode.STALE, lambda: sns(now=NOW - timedelta(days=365))),
    "from the future": (FailureCode.STALE, lambda: sns(now=NOW + timedelta(minutes=6))),
    "of no time": (FailureCode.MALFORMED, lambda: sns(Timestamp="yesterday")),
    "of the edge of time": (FailureCode.MALFORMED, lambda: sns(Timestamp="9999-12-31T23:59:59-23:59")),
    "of the year one": (FailureCode.MALFORMED, lambda: sns(Timestamp="0001-01-01T00:00:00+23:59")),
    "of a very long time": (FailureCode.MALFORMED, lambda: sns(Timestamp="2026-" * 20_000)),
    "another topic": (FailureCode.SENDER, lambda: sns(TopicArn=TOPIC.replace("111122223333", "999999999999"))),
    "the beginning of a topic": (FailureCode.SENDER, lambda: sns(TopicArn=TOPIC[:-1])),
    "a topic and more": (FailureCode.SENDER, lambda: sns(TopicArn=TOPIC + "\n")),
    "no topic": (FailureCode.SENDER, lambda: sns(TopicArn="")),
    "no mark": (FailureCode.SCHEME, lambda: altered(sns(), {"x-amz-sns-message-type": None})),
    "the mark of another provider": (FailureCode.SCHEME, lambda: signing.mns_json(PROVIDER, url("ses"), LEGACY, NOW)),
    "another type in the header": (
        FailureCode.MALFORMED,
        lambda: altered(sns(), {"x-amz-sns-message-type": "SubscriptionConfirmation"}),
    ),
    "an empty type in the header": (FailureCode.MALFORMED, lambda: altered(sns(), {"x-amz-sns-message-type": ""})),
    "a type that SNS does not have": (FailureCode.MALFORMED, lambda: sns(Type="Order")),
    "an order to unsubscribe made of a notification": (
        FailureCode.SIGNATURE,
        lambda: altered(
            with_values(sns(), Type="UnsubscribeConfirmation"), {"x-amz-sns-message-type": "UnsubscribeConfirmation"}
        ),
    ),
    "an empty message": (
        FailureCode.MALFORMED,
        lambda: with_values(sns(), Message="", **{"detail-type": "x", "detail": {}}),
    ),
    "no body": (FailureCode.MALFORMED, lambda: bare(b"")),
    "half a body": (FailureCode.MALFORMED, lambda: bare(SNS_BODY[: len(SNS_BODY) // 2])),
    "a body without its end": (FailureCode.MALFORMED, lambda: bare(SNS_BODY[:-1])),
    "two bodies": (FailureCode.MALFORMED, lambda: bare(SNS_BODY * 2)),
    "a list": (FailureCode.MALFORMED, lambda: bare(b"[" + SNS_BODY + b"]")),
    "nothing in JSON": (FailureCode.MALFORMED, lambda: bare(b"null")),
    "a number in JSON": (FailureCode.MALFORMED, lambda: bare(b"1e999999")),
    "a very deep body": (FailureCode.MALFORMED, lambda: bare(b'{"Type":' * 100_000)),
    "a very deep list": (FailureCode.MALFORMED, lambda: bare(b"[" * 200_000)),
    "bytes that are no text": (FailureCode.MALFORMED, lambda: bare(SNS_BODY.replace(b"eventType", b"\xff\xfe"))),
    "a mark of order in front": (FailureCode.MALFORMED, lambda: bare(b"\xef\xbb\xbf" + SNS_BODY)),
    "a message that is an object": (FailureCode.MALFORMED, lambda: with_values(sns(), Message={"eventType": "Send"})),
    "a type that is a number": (FailureCode.MALFORMED, lambda: with_values(sns(), Type=1)),
    "half a character of two": (FailureCode.MALFORMED, lambda: bare(SNS_BODY.replace(b"eventType", b"\\ud800"))),
    "a confirmation for another topic": (
        FailureCode.SENDER,
        lambda: confirm(TopicArn="arn:aws:sns:eu-west-1:999999999999:x"),
    ),
    "a confirmation with another token": (FailureCode.SIGNATURE, lambda: with_values(confirm(), Token="x")),
    "a confirmation without a token": (FailureCode.SIGNATURE, lambda: with_values(confirm(), Token=None)),
    "a notification that is confirmed": (
        FailureCode.MALFORMED,
        lambda: altered(
            with_values(sns(), Type="SubscriptionConfirmation"), {"x-amz-sns-message-type": "SubscriptionConfirmation"}
        ),
    ),
    "raw, of another topic": (FailureCode.SENDER, lambda: signing.sns_raw(url("ses"), MESSAGE, TOPIC + "x")),
    "raw, of no topic": (
        FailureCode.MALFORMED,
        lambda: altered(signing.sns_raw(url("ses"), MESSAGE), {"x-amz-sns-topic-arn": ""}),
    ),
    "raw, without the secret": (FailureCode.CREDENTIALS, lambda: signing.sns_raw(url("ses", ""), MESSAGE)),
    "raw, but not so": (
        FailureCode.MALFORMED,
        lambda: altered(signing.sns_raw(url("ses"), MESSAGE), {"x-amz-sns-rawdelivery": "false"}),
    ),
    "raw, to be confirmed": (
        FailureCode.MALFORMED,
        lambda: altered(signing.sns_raw(url("ses"), MESSAGE), {"x-amz-sns-message-type": "SubscriptionConfirmation"}),
    ),
}

SUBSCRIBE: Final = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + TOPIC + "&Token=x"
VISITS: Final = (
    "https://evil.example/?Action=ConfirmSubscription&TopicArn=" + TOPIC,
    SUBSCRIBE.replace("https:", "http:"),
    SUBSCRIBE.replace(".com/", ".com.evil.example/"),
    SUBSCRIBE.replace(".com/", ".com:8443/"),
    SUBSCRIBE.replace(".com/", ".com@evil.example/"),
    SUBSCRIBE.replace("//sns", "//user@sns"),
    SUBSCRIBE.replace("ConfirmSubscription", "DeleteTopic"),
    SUBSCRIBE.replace(TOPIC, TOPIC + "-of-somebody"),
    SUBSCRIBE + "&Action=DeleteTopic",
    SUBSCRIBE.replace("/?", "/x?"),
    SUBSCRIBE.replace("eu-west-1", "eu-west-1.evil.example/"),
    SUBSCRIBE.replace("sns.eu-west-1", "sns.s3-us-west-2"),
    SUBSCRIBE.replace("sns.eu-west-1", "sns.us-east-1"),
    SUBSCRIBE + "\r\nX: y",
    SUBSCRIBE + " x",
    SUBSCRIBE + "x" * 5000,
    "https://sns.eu-west-1.amazonaws.com/",
    "",
    None,
)


@pytest.mark.parametrize("visit", VISITS)
def test_a_subscription_is_confirmed_nowhere_else(bench: WebhookBench, visit: str | None) -> None:
    refused(bench, confirm(SubscribeURL=visit), FailureCode.MALFORMED)
    assert bench.fetched == []


def places(real: str) -> list[str]:
    """Where a certificate may seem to lie: all of them beside the host, or beside its files."""
    host, _, file = real.removeprefix("https://").partition("/")
    return [
        f"https://{host}.evil.example/{file}",
        f"https://evil.example/{host}/{file}",
        f"https://evil.example/?{real}",
        f"https://evil.example/#{real}",
        f"https://{host}@evil.example/{file}",
        f"https://user:password@{host}/{file}",
        f"https://{host}:8443/{file}",
        f"https://evil{host}/{file}",
        f"https://evil.example\\@{host}/{file}",
        f"https://{host}/{file}?x=y",
        f"https://{host}/{file}#x",
        f"https://{host}/{file}\n",
        f" {real}",
        f"https://{host}/{file}\x00",
        f"https://{host}/ü.pem",
        f"https://{host}",
        f"https://{host}/",
        f"ftp://{host}/{file}",
        f"file:///etc/{file}",
        f"//{host}/{file}",
        "https://127.0.0.1/x.pem",
        "https://169.254.169.254/latest/meta-data/x.pem",
        "https://[::1]/x.pem",
        "x" * 600,
    ]


# What a pattern of regions takes for one: most are the endpoints of storage, before which a bucket may be called "sns".
OTHER_LABELS: Final = (
    *("s3-us-west-2", "s3-eu-west-1", "s3-accelerate", "s3-external-1", "s3-fips-us-gov-west-1", "s3"),
    *("s3-website-us-east-1", "s3.us-west-2", "us-east-1", "us-gov-west-1", "eu-west-2", "anything-at-all"),
)

SNS_PLACES: Final = [
    *places(SNS_CERTIFICATE),
    SNS_CERTIFICATE.replace("https:", "http:"),
    SNS_CERTIFICATE.replace(".pem", ".txt"),
    SNS_CERTIFICATE.replace(".com/", ".com/../"),
    SNS_CERTIFICATE.replace("sns.", "sqs."),
    SNS_CERTIFICATE.replace(".eu-west-1", ""),
    SNS_CERTIFICATE.replace("amazonaws.com", "amazonaws.com.tw"),
    SNS_CERTIFICATE.replace("eu-west-1", "eu.west-1"),
    *(SNS_CERTIFICATE.replace("eu-west-1", other) for other in OTHER_LABELS),
    SNS_CERTIFICATE.replace("amazonaws.com", "amazonaws.com.cn"),
    "",
]


@pytest.mark.parametrize("place", SNS_PLACES)
def test_a_certificate_of_sns_is_fetched_from_nowhere_else(bench: WebhookBench, place: str) -> None:
    refused(bench, sns(SigningCertURL=place), FailureCode.CERTIFICATE)
    assert bench.fetched == []


@pytest.mark.parametrize(
    "place",
    [*places(MNS_CERTIFICATE), MNS_CERTIFICATE.replace("mnstest", "evil"), MNS_CERTIFICATE.replace("-cn-", "-")],
)
def test_a_certificate_of_mns_is_fetched_from_nowhere_else(bench: WebhookBench, place: str) -> None:
    named = base64.b64encode(place.encode()).decode()
    push = signing.mns(PROVIDER, url("directmail"), b"{}", "text/json", NOW, x_mns_signing_cert_url=named)
    refused(bench, push, FailureCode.CERTIFICATE)
    assert bench.fetched == []


@pytest.mark.parametrize(
    "place",
    [
        *places(EVENTBRIDGE_CERTIFICATE),
        EVENTBRIDGE_CERTIFICATE.replace("-eventbridge", ""),
        EVENTBRIDGE_CERTIFICATE.replace("cn-hangzhou", "cn-evil"),  # a bucket that anybody may make
        EVENTBRIDGE_CERTIFICATE.replace("cn-hangzhou", "evil"),
        EVENTBRIDGE_CERTIFICATE.replace("cn-hangzhou-", ""),
    ],
)
def test_a_certificate_of_eventbridge_is_fetched_from_nowhere_else(bench: WebhookBench, place: str) -> None:
    refused(bench, altered(bridge(), {"x-eventbridge-signature-url": place}), FailureCode.CERTIFICATE)
    assert bench.fetched == []


# ---- Alibaba Cloud MNS -----------------------------------------------------------------------------------------------


def mns(authority: signing.Authority = PROVIDER, now: datetime = NOW, secret: str = PATH, owner: str = "") -> Push:
    return signing.mns_json(authority, url("directmail", secret), LEGACY, now, owner or signing.ACCOUNT)


def simplified(owner: str = signing.ACCOUNT) -> Push:
    return signing.mns_simplified(PROVIDER, url("directmail"), LEGACY, NOW, owner)


def xml(text: str) -> Push:
    return signing.mns(PROVIDER, url("directmail"), text.encode(), "text/xml;charset=utf-8", NOW)


def notification(inner: str, before: str = "") -> Push:
    return xml(f"{before}<Notification>{inner}</Notification>")


OWNER: Final = f"<TopicOwner>{signing.ACCOUNT}</TopicOwner>"
REST: Final = "<TopicName>t</TopicName><SubscriptionName>s</SubscriptionName><Message>m</Message>"
LAUGHS: Final = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
OTHER: Final = "9999999999999999"

MNS: Final[dict[str, tuple[FailureCode, Make]]] = {
    "no secret in the path": (FailureCode.CREDENTIALS, lambda: mns(secret="")),
    "another secret in the path": (FailureCode.CREDENTIALS, lambda: mns(secret="a-secret-in-the-path-of-us")),
    "signed by somebody": (FailureCode.SIGNATURE, lambda: mns(STRANGER)),
    "another body": (FailureCode.DIGEST, lambda: altered(mns(), body=mns().body.replace(b"deliver", b"Deliver"))),
    "another body and its digest": (FailureCode.SIGNATURE, lambda: of_another(mns())),
    "a body cut off": (FailureCode.DIGEST, lambda: altered(mns(), body=mns().body[:-1])),
    "no body": (FailureCode.DIGEST, lambda: altered(mns(), body=b"")),
    "no digest": (FailureCode.MALFORMED, lambda: altered(mns(), {"content-md5": None})),
    "an empty digest": (FailureCode.MALFORMED, lambda: altered(mns(), {"content-md5": ""})),
    "a digest of another body": (FailureCode.DIGEST, lambda: altered(mns(), {"content-md5": "0" * 32})),
    "replayed after 15 minutes": (FailureCode.STALE, lambda: mns(now=NOW - timedelta(minutes=15, seconds=1))),
    "from the future": (FailureCode.STALE, lambda: mns(now=NOW + timedelta(minutes=16))),
    "a younger date": (
        FailureCode.SIGNATURE,
        lambda: altered(mns(now=NOW - timedelta(hours=1)), {"date": mns().headers["date"]}),
    ),
    "no date": (FailureCode.MALFORMED, lambda: altered(mns(), {"date": None})),
    "a date that is none": (FailureCode.MALFORMED, lambda: altered(mns(), {"date": "Mon, 99 Foo 2026"})),
    "a very long date": (FailureCode.MALFORMED, lambda: altered(mns(), {"date": "(" * 9000})),
    "no signature": (FailureCode.MALFORMED, lambda: altered(mns(), {"authorization": None})),
    "a bearer in its place": (FailureCode.MALFORMED, lambda: altered(mns(), {"authorization": f"Bearer {BEARER}"})),
    "no mark": (FailureCode.SCHEME, lambda: altered(mns(), {"x-mns-signing-cert-url": None})),
    "a mark of nothing": (FailureCode.MALFORMED, lambda: altered(mns(), {"x-mns-signing-cert-url": ""})),
    "a mark that is no base64": (
        FailureCode.MALFORMED,
        lambda: altered(mns(), {"x-mns-signing-cert-url": MNS_CERTIFICATE}),
    ),
    "a mark that is no text": (FailureCode.CERTIFICATE, lambda: altered(mns(), {"x-mns-signing-cert-url": "/////w=="})),
    "another request id": (FailureCode.SIGNATURE, lambda: altered(mns(), {"x-mns-request-id": "1"})),
    "a header more": (FailureCode.SIGNATURE, lambda: altered(mns(), {"x-mns-zone": "1"})),
    "a header less": (FailureCode.SIGNATURE, lambda: altered(mns(), {"x-mns-version": None})),
    "another type": (FailureCode.SIGNATURE, lambda: altered(mns(), {"content-type": "text/xml"})),
    "another query": (FailureCode.SIGNATURE, lambda: altered(mns(), url=url("directmail") + "?a=b")),
    "JSON of another account": (FailureCode.SENDER, lambda: mns(owner=OTHER)),
    "SIMPLIFIED of another account": (FailureCode.SENDER, lambda: simplified(OTHER)),
    "XML of another account": (
        FailureCode.SENDER,
        lambda: signing.mns_xml(PROVIDER, url("directmail"), LEGACY, NOW, OTHER),
    ),
    "an account put in": (
        FailureCode.SIGNATURE,
        lambda: altered(simplified(OTHER), {"x-mns-topic-owner": signing.ACCOUNT}),
    ),
    "an account taken out": (FailureCode.MALFORMED, lambda: altered(simplified(OTHER), {"x-mns-topic-owner": None})),
    "an empty account": (FailureCode.MALFORMED, lambda: simplified("")),
    "half an account": (FailureCode.SENDER, lambda: mns(owner=signing.ACCOUNT[:-1])),
    "a message that names an account": (
        FailureCode.SENDER,
        lambda: signing.mns_xml(PROVIDER, url("directmail"), OWNER, NOW, OTHER),
    ),
    "JSON of nobody": (
        FailureCode.MALFORMED,
        lambda: signing.mns(PROVIDER, url("directmail"), b"{}", "text/json", NOW),
    ),
    "a list of nobody": (
        FailureCode.MALFORMED,
        lambda: signing.mns(PROVIDER, url("directmail"), b"[]", "text/json", NOW),
    ),
    "very deep JSON": (
        FailureCode.MALFORMED,
        lambda: signing.mns(PROVIDER, url("directmail"), b'{"a":' * 60_000, "text/json", NOW),
    ),
    "bytes that are no text": (
        FailureCode.MALFORMED,
        lambda: signing.mns(PROVIDER, url("directmail"), b"\xff\xfe\x00", "text/json", NOW),
    ),
    "XML of nobody": (FailureCode.MALFORMED, lambda: notification(REST)),
    "XML of two accounts": (
        FailureCode.MALFORMED,
        lambda: notification(OWNER.replace(signing.ACCOUNT, OTHER) + OWNER + REST),
    ),
    "XML with an account inside the message": (
        FailureCode.MALFORMED,
        lambda: notification(f"<Message>{OWNER}{REST}</Message>"),
    ),
    "XML with an account around it": (FailureCode.MALFORMED, lambda: xml(f"<a>{OWNER}{REST}</a>")),
    "XML that ends too early": (FailureCode.MALFORMED, lambda: xml(f"<Notification>{OWNER}<TopicName>t")),
    "XML with a document type": (FailureCode.MALFORMED, lambda: notification(OWNER + REST, "<!DOCTYPE Notification>")),
    "XML that laughs a billion times": (
        FailureCode.MALFORMED,
        lambda: notification(f"<TopicOwner>&l9;</TopicOwner>{REST}", f'<!DOCTYPE n [<!ENTITY l0 "ha">{LAUGHS}]>'),
    ),
    "XML that reads a file": (
        FailureCode.MALFORMED,
        lambda: notification(
            f"<TopicOwner>&f;</TopicOwner>{REST}", '<!DOCTYPE n [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
        ),
    ),
    "XML in another encoding": (
        FailureCode.MALFORMED,
        lambda: signing.mns(
            PROVIDER,
            url("directmail"),
            b"<" + f"<Notification>{OWNER}{REST}</Notification>".encode("utf-16"),
            "text/xml",
            NOW,
        ),
    ),
    "very deep XML": (FailureCode.MALFORMED, lambda: xml("<a>" * 60_000)),
}


def of_another(push: Push) -> Push:
    """A body of a stranger, its right digest, and the signature of another push."""
    theirs = signing.mns_json(STRANGER, url("directmail"), "event=other", NOW)
    return altered(theirs, {"authorization": push.headers["authorization"]})


@pytest.mark.parametrize("listed", ["dm-events/to-them", "to-aws/dm-events", "dm-events", "dm-events/to-aws-2"])
def test_a_subscription_that_is_not_on_the_list(bench: WebhookBench, listed: str) -> None:
    with environment({"MNS_SUBSCRIPTIONS": listed}):
        bench.restart()
    for push in (mns(), simplified(), signing.mns_xml(PROVIDER, url("directmail"), LEGACY, NOW)):
        refused(bench, push, FailureCode.SENDER)
    assert bench.fetched == []


# ---- Alibaba Cloud EventBridge ---------------------------------------------------------------------------------------


def bridge(now: datetime = NOW, authority: signing.Authority = PROVIDER, secret: str = PATH, **more: str) -> Push:
    return signing.eventbridge(authority, url("directmail", secret), EVENT, now, **more)


def said_at(text: str) -> Push:
    return altered(bridge(), {"x-eventbridge-signature-timestamp": text})


OLD_SCHEME: Final = {
    "x-eventbridge-signature-v2": None,
    "x-eventbridge-hash-method": None,
    "x-eventbridge-signature-method": "HMAC-SHA1",
    "x-eventbridge-signature-secret": "c2VjcmV0",
    "x-eventbridge-signature": "c2lnbmF0dXJl",
}
EVENTBRIDGE: Final[dict[str, tuple[FailureCode, Make]]] = {
    "no secret in the path": (FailureCode.CREDENTIALS, lambda: bridge(secret="")),
    "signed by somebody": (FailureCode.SIGNATURE, lambda: bridge(authority=STRANGER)),
    "another body": (FailureCode.SIGNATURE, lambda: altered(bridge(), body=EVENT.replace("e1", "e2").encode())),
    "no body": (FailureCode.SIGNATURE, lambda: altered(bridge(), body=b"")),
    "a body with a blank more": (FailureCode.SIGNATURE, lambda: altered(bridge(), body=EVENT.encode() + b" ")),
    "for another address": (FailureCode.SIGNATURE, lambda: altered(bridge(), url=url("directmail") + "?a=b")),
    "replayed after a minute": (FailureCode.STALE, lambda: bridge(NOW - timedelta(seconds=61))),
    "from the future": (FailureCode.STALE, lambda: bridge(NOW + timedelta(seconds=61))),
    "a younger time": (
        FailureCode.SIGNATURE,
        lambda: altered(
            bridge(NOW - timedelta(hours=1)),
            {"x-eventbridge-signature-timestamp": bridge().headers["x-eventbridge-signature-timestamp"]},
        ),
    ),
    "seconds for milliseconds": (FailureCode.MALFORMED, lambda: said_at(str(int(NOW.timestamp())))),
    "a negative time": (FailureCode.MALFORMED, lambda: said_at("-1772446275000")),
    "a time with a point": (FailureCode.MALFORMED, lambda: said_at("1772446275000.0")),
    "a time in other digits": (FailureCode.MALFORMED, lambda: said_at("١٧٧٢٤٤٦٢٧٥٠٠٠")),
    "a very long time": (FailureCode.MALFORMED, lambda: said_at("1" * 5000)),
    "the last time that fits": (FailureCode.STALE, lambda: said_at("9" * 14)),
    "no time": (FailureCode.MALFORMED, lambda: altered(bridge(), {"x-eventbridge-signature-timestamp": None})),
    "another version": (FailureCode.SCHEME, lambda: altered(bridge(), {"x-eventbridge-signature-version": "2.0"})),
    "another method": (FailureCode.SCHEME, lambda: altered(bridge(), {"x-eventbridge-hash-method": "SHA1"})),
    "no method": (FailureCode.MALFORMED, lambda: altered(bridge(), {"x-eventbridge-hash-method": None})),
    "no certificate": (FailureCode.MALFORMED, lambda: altered(bridge(), {"x-eventbridge-signature-url": None})),
    "a signature that is no base64": (
        FailureCode.MALFORMED,
        lambda: altered(bridge(), {"x-eventbridge-signature-v2": "%"}),
    ),
    "a token put in": (FailureCode.SIGNATURE, lambda: altered(bridge(), {"x-eventbridge-signature-token": "a-token"})),
    "a token taken out": (
        FailureCode.SIGNATURE,
        lambda: altered(bridge(token="a-token"), {"x-eventbridge-signature-token": None}),
    ),
    "the first way of signing": (FailureCode.SCHEME, lambda: altered(bridge(), OLD_SCHEME)),
    "nothing": (FailureCode.SCHEME, lambda: Push(url("directmail"), {}, EVENT.encode())),
}

# ---- MailerQ ---------------------------------------------------------------------------------------------------------


def result(authorization: str | None, secret: str = PATH) -> Push:
    headers = {"authorization": authorization} if authorization is not None else {}
    return Push(url("mailerq", secret), headers, b'{"recipient":"a@b.c"}')


MAILERQ: Final[dict[str, tuple[FailureCode, Make]]] = {
    "no secret at all": (FailureCode.CREDENTIALS, lambda: result(None)),
    "an empty secret": (FailureCode.CREDENTIALS, lambda: result("")),
    "half a secret": (FailureCode.CREDENTIALS, lambda: result(f"Bearer {BEARER[:-1]}")),
    "more than a secret": (FailureCode.CREDENTIALS, lambda: result(f"Bearer {BEARER}x")),
    "the secret twice": (FailureCode.CREDENTIALS, lambda: result(f"Bearer {BEARER},Bearer {BEARER}")),
    "the secret alone": (FailureCode.CREDENTIALS, lambda: result(BEARER)),
    "letters that nobody has": (FailureCode.CREDENTIALS, lambda: result("Bearer \ud800ü\x00")),
    "no secret in the path": (FailureCode.CREDENTIALS, lambda: result(f"Bearer {BEARER}", "")),
    "the secrets swapped": (FailureCode.CREDENTIALS, lambda: result(f"Bearer {PATH}", BEARER)),
    "a signature of SNS": (FailureCode.CREDENTIALS, lambda: altered(sns(), url=url("mailerq"))),
}

ALL: Final = {
    f"{scheme}: {name}": case
    for scheme, cases in (("sns", SNS), ("mns", MNS), ("eventbridge", EVENTBRIDGE), ("mailerq", MAILERQ))
    for name, case in cases.items()
}


def refused(bench: WebhookBench, push: Push, code: FailureCode) -> None:
    """It is refused with that code, which is counted, and nothing of it is queued."""
    answer = bench.answer(push)
    assert answer == {"statusCode": 403, "headers": {}, "body": ""}, bench.lines()
    counted, said = bench.lines()[-2:]
    assert counted["VerificationFailed"] == [1.0]
    assert (said["message"], said["code"]) == ("VerificationFailed", code)
    assert bench.queued() == []


def test_there_are_many() -> None:
    assert len(ALL) > 130


@pytest.mark.parametrize("name", ALL)
def test_it_does_not_get_in(bench: WebhookBench, name: str) -> None:
    code, make = ALL[name]
    refused(bench, make(), code)
    assert bool(bench.fetched) == (code is FailureCode.SIGNATURE)


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 200), (b"<html>", 200), (PROVIDER.certificate[:-200], 200), (b"", 403), (b"", 404), (b"", 410)],
)
def test_a_certificate_that_is_none(bench: WebhookBench, content: bytes, status: int) -> None:
    bench.world = lambda _: HttpResponse(status, content)
    for push in (sns(), mns(), bridge()):
        refused(bench, push, FailureCode.CERTIFICATE)


def test_a_certificate_of_another_kind_of_key(bench: WebhookBench) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, datetime.now(UTC), datetime.now(UTC))
    bench.world = lambda _: HttpResponse(200, made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    refused(bench, sns(), FailureCode.CERTIFICATE)


LARGE: Final[dict[str, Make]] = {
    "sns": lambda: altered(sns(), body=b"x" * 1_024_001),
    "sns, of bytes": lambda: altered(signing.sns_raw(url("ses"), ""), body=b"\xff" * 800_000),
    "mns": lambda: altered(mns(), body=b"x" * 400_000),
    "eventbridge": lambda: altered(bridge(), body=b"x" * 400_000),
    "mailerq": lambda: altered(result(f"Bearer {BEARER}"), body=b"x" * 1_024_001),
    "mailerq, of bytes": lambda: altered(result(f"Bearer {BEARER}"), body=b"\xff" * 800_000),
    "mailerq, of all that Lambda takes": lambda: altered(result(f"Bearer {BEARER}"), body=b"\xff" * 4_500_000),
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_not_looked_at(bench: WebhookBench, name: str) -> None:
    assert bench.post(LARGE[name]()) == 413
    assert (bench.fetched, bench.queued()) == ([], [])
    assert [line["message"] for line in bench.lines()] == ["TooLarge"]

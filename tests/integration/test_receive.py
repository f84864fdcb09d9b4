"""Webhooks with everything real but the world: what is proven is queued as it came, and nothing else is lost."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from msgspec.structs import replace

from aftersend.http.http1 import HttpResponse
from aftersend.sources import SOURCES
from local import signing
from local.environment import environment
from local.signing import MNS_CERTIFICATE, SNS_CERTIFICATE, TOPIC, Push
from tests.support.webhooks import (
    BEARER,
    NOW,
    PATH,
    PROVIDER,
    STRANGER,
    WEAK,
    Queued,
    WebhookBench,
    altered,
    http_event,
    nowhere,
    url,
    webhook_bench,
)

MESSAGE: Final = '{"eventType":"Send","mail":{"messageId":"m1","destination":["jürgen@example.net"]},"send":{}}'
EVENT: Final = '{"id":"e1","source":"acs.dm","type":"dm:Deliver:Succeed","data":{"rcpt":"a@example.cn"}}'
LEGACY: Final = "env_id=60001&event=deliver&status=0&err_msg=250 <ok> & more&failed_type=SendOk"
RESULT: Final = b'{"envelope":"b@example.com","recipient":"a@example.net","results":[]}'
BASIC: Final = "sns:a-long-password"


@pytest.fixture(scope="module")
def opened() -> Iterator[WebhookBench]:
    with webhook_bench() as bench:
        yield bench


@pytest.fixture
def bench(opened: WebhookBench) -> WebhookBench:
    opened.reset()
    return opened


def basic(pair: str = BASIC) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def mns_md5(spell: Any, content_type: str = "text/json;charset=utf-8", signed_as: str = "") -> Push:
    """A push whose Content-MD5 is written in another way, or whose Content-Type was signed in another case."""
    body = json.dumps({"TopicOwner": signing.ACCOUNT, "TopicName": "t", "SubscriptionName": "s"}).encode()
    headers = signing.mns(PROVIDER, url("directmail"), body, signed_as or content_type, NOW).headers
    headers["content-md5"] = spell(hashlib.md5(body))
    text = signing.mns_text(url("directmail"), headers)
    return Push(
        url("directmail"),
        headers | {"authorization": PROVIDER.sign(text, "sha1"), "content-type": content_type},
        body,
    )


def wrong_end_tag() -> Push:
    """The vendor's own sample closes PublishTime with another tag."""
    body = signing.mns_xml(PROVIDER, url("directmail"), LEGACY, NOW).body.replace(b"</PublishTime>", b"</MessageMD5>")
    return signing.mns(PROVIDER, url("directmail"), body, "text/xml;charset=utf-8", NOW)


def of_http_certificate() -> Push:
    """Some write the address of the certificate with http; it is fetched by https all the same."""
    written = base64.b64encode(MNS_CERTIFICATE.replace("https", "http").encode()).decode()
    more = {"x_mns_signing_cert_url": written, "x_mns_topic_owner": signing.ACCOUNT, "x_mns_topic_name": "t"}
    return signing.mns(
        PROVIDER, url("directmail"), LEGACY.encode(), "text/plain", NOW, x_mns_subscription_name="s", **more
    )


def subject_of_null() -> Push:
    """A key without a value is not signed."""
    push = signing.sns(PROVIDER, url("ses"), MESSAGE, NOW)
    return altered(push, body=push.body.replace(b'{\n  "Type"', b'{\n  "Subject": null,\n  "Type"'))


GOOD: Final[dict[str, Callable[[], Push]]] = {
    "sns, version 2": lambda: signing.sns(PROVIDER, url("ses"), MESSAGE, NOW),
    "sns, version 1": lambda: signing.sns(PROVIDER, url("ses"), MESSAGE, NOW, SignatureVersion="1"),
    "sns, with a subject": lambda: signing.sns(PROVIDER, url("ses"), MESSAGE, NOW, Subject="Bücher 📚"),
    "sns, with an empty subject": lambda: signing.sns(PROVIDER, url("ses"), MESSAGE, NOW, Subject=""),
    "sns, with a subject of null": subject_of_null,
    "sns, an hour old": lambda: signing.sns(PROVIDER, url("ses"), MESSAGE, NOW - timedelta(minutes=70)),
    "sns, of a clock that is ahead": lambda: signing.sns(PROVIDER, url("ses"), MESSAGE, NOW + timedelta(minutes=4)),
    "sns, as large as a message may be": lambda: signing.sns(PROVIDER, url("ses"), '"' * 262_144, NOW),
    "sns, raw": lambda: signing.sns_raw(url("ses"), MESSAGE),
    "mns, JSON": lambda: signing.mns_json(PROVIDER, url("directmail"), LEGACY, NOW),
    "mns, XML": lambda: signing.mns_xml(PROVIDER, url("directmail"), LEGACY, NOW),
    "mns, SIMPLIFIED": lambda: signing.mns_simplified(PROVIDER, url("directmail"), LEGACY, NOW),
    "mns, XML with a wrong end tag": wrong_end_tag,
    "mns, with a query": lambda: signing.mns_json(PROVIDER, url("directmail") + "?a=b&c=%20", LEGACY, NOW),
    "mns, a slow clock": lambda: signing.mns_json(PROVIDER, url("directmail"), LEGACY, NOW - timedelta(minutes=14)),
    "mns, digest in small letters": lambda: mns_md5(lambda digest: digest.hexdigest()),
    "mns, digest in capitals": lambda: mns_md5(lambda digest: digest.hexdigest().upper()),
    "mns, digest as RFC 1864": lambda: mns_md5(lambda digest: base64.b64encode(digest.digest()).decode()),
    "mns, digest in base64 of hex": lambda: mns_md5(
        lambda digest: base64.b64encode(digest.hexdigest().encode()).decode()
    ),
    "mns, type signed as it came": lambda: mns_md5(lambda digest: digest.hexdigest(), "Text/JSON;Charset=UTF-8"),
    "mns, type signed in small letters": lambda: mns_md5(
        lambda digest: digest.hexdigest(), "Text/JSON;Charset=UTF-8", "text/json;charset=utf-8"
    ),
    "mns, certificate named with http": of_http_certificate,
    "eventbridge": lambda: signing.eventbridge(PROVIDER, url("directmail"), EVENT, NOW),
    "eventbridge, with a line feed": lambda: signing.eventbridge(PROVIDER, url("directmail"), EVENT, NOW, end="\n"),
    "eventbridge, with a query": lambda: signing.eventbridge(PROVIDER, url("directmail") + "?x=1", EVENT, NOW),
    "eventbridge, with a token nobody asks for": lambda: signing.eventbridge(
        PROVIDER, url("directmail"), EVENT, NOW, token="a-token"
    ),
    "mailerq": lambda: Push(url("mailerq"), {"authorization": f"Bearer {BEARER}"}, RESULT),
    "mailerq, in gzip": lambda: Push(
        url("mailerq"),
        {"authorization": f"bearer  {BEARER} ", "content-encoding": "gzip", "content-type": "application/json"},
        gzip.compress(RESULT * 2000),
    ),
    "mailerq, bytes that are no text": lambda: Push(
        url("mailerq"), {"authorization": f"Bearer {BEARER}", "content-type": "application/json"}, bytes(range(256))
    ),
    "mailerq, nothing": lambda: Push(url("mailerq"), {"authorization": f"Bearer {BEARER}"}, b""),
    "mailerq, as large as a queue takes": lambda: Push(
        url("mailerq"), {"authorization": f"Bearer {BEARER}", "content-type": "application/json"}, b"x" * 1_020_000
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_proven_is_queued_as_it_came(bench: WebhookBench, name: str) -> None:
    push = GOOD[name]()
    bench.world = lambda url: HttpResponse(200, PROVIDER.certificate)
    answer = bench.answer(push)
    source = push.url.split("/")[4]
    headers = {name: text for name, text in push.headers.items() if name in ("content-type", "content-encoding")}
    assert answer == {"statusCode": 200 if source == "ses" else 204, "headers": {}, "body": ""}
    assert bench.queued() == [Queued(source, push.body, headers)]
    assert [url for url in bench.fetched if not url.startswith("https://")] == []


def test_mns_with_its_old_key_and_its_expired_certificate(bench: WebhookBench) -> None:
    bench.world = WEAK.fetch
    for make in (signing.mns_json, signing.mns_xml, signing.mns_simplified):
        assert bench.post(make(WEAK, url("directmail"), LEGACY, NOW)) == 204
    assert len(bench.queued()) == 3
    assert bench.post(signing.mns_json(PROVIDER, url("directmail"), LEGACY, NOW)) == 403


def test_an_address_of_its_own(bench: WebhookBench) -> None:
    """Signatures are about the address that the provider called, not about the one that AWS gave."""
    called = f"https://hooks.example.com/in/feedback/directmail/{PATH}?a=1"
    arriving = url("directmail") + "?a=1"
    pushes = [make(PROVIDER, called, EVENT, NOW) for make in (signing.eventbridge, signing.mns_simplified)]
    assert [bench.post(altered(push, url=arriving)) for push in pushes] == [403, 403]
    with environment({"PUBLIC_URL": "https://hooks.example.com/in"}):
        bench.restart()
        assert [bench.post(altered(push, url=arriving)) for push in pushes] == [204, 204]
    assert len(bench.queued()) == 2


class TestSubscriptions:
    def test_one_of_the_list_is_confirmed_and_not_queued(self, bench: WebhookBench) -> None:
        push = signing.sns_confirmation(PROVIDER, url("ses"), NOW)
        assert bench.post(push) == 200
        assert bench.fetched == [SNS_CERTIFICATE, json.loads(push.body)["SubscribeURL"]]
        assert bench.queued() == []
        assert {"Confirmed", "sns"} <= set(bench.lines()[-1].values())

    def test_one_that_is_ended_is_ignored_and_stays_ended(self, bench: WebhookBench) -> None:
        push = signing.sns_confirmation(PROVIDER, url("ses"), NOW, Type="UnsubscribeConfirmation")
        assert bench.post(push) == 200
        assert bench.fetched == [SNS_CERTIFICATE]
        assert bench.queued() == []
        assert bench.lines()[-1]["message"] == "Ignored"

    @pytest.mark.parametrize("status", [301, 302, 400, 403, 500, 503])
    def test_one_that_cannot_be_confirmed_comes_again(self, bench: WebhookBench, status: int) -> None:
        bench.world = lambda url: PROVIDER.fetch(url) if url == SNS_CERTIFICATE else HttpResponse(status, b"")
        assert bench.post(signing.sns_confirmation(PROVIDER, url("ses"), NOW)) == 503

    def test_user_and_password_are_asked_for_first(self, bench: WebhookBench) -> None:
        """Amazon SNS sends them only after a 401 that asks."""
        bench.put_secrets({"sources": {"ses": {"basic": BASIC}}})
        push = signing.sns(PROVIDER, url("ses", ""), MESSAGE, NOW)
        answer = bench.answer(push)
        assert (answer["statusCode"], answer["headers"]) == (401, {"www-authenticate": 'Basic realm="aftersend"'})
        assert bench.post(altered(push, basic("sns:another-password"))) == 403
        assert bench.post(altered(push, basic())) == 200
        assert len(bench.queued()) == 1
        assert "Challenged" in [line.get("message") for line in bench.lines()]


class TestSecrets:
    def test_without_any_a_signed_topic_of_the_list_is_enough(self, bench: WebhookBench) -> None:
        bench.put_secrets({"sources": {"mailerq": {}}})
        assert bench.post(signing.sns(PROVIDER, url("ses", ""), MESSAGE, NOW)) == 200
        assert bench.post(signing.sns_raw(url("ses", ""), MESSAGE)) == 403
        assert bench.post(signing.mns_json(PROVIDER, url("directmail", ""), LEGACY, NOW)) == 403
        assert bench.post(signing.eventbridge(PROVIDER, url("directmail", ""), EVENT, NOW)) == 403
        assert bench.post(Push(url("mailerq", ""), {}, RESULT)) == 403
        codes = [line["code"] for line in bench.lines() if "level" in line and "code" in line]
        assert codes == ["unprovable"] * 4
        assert bench.fetched == [SNS_CERTIFICATE]

    def test_a_token_is_enough_for_eventbridge(self, bench: WebhookBench) -> None:
        bench.put_secrets({"sources": {"directmail": {"token": ["a-new-token", "an-old-token"]}}})
        for token, status in (("an-old-token", 204), ("a-new-token", 204), ("no-token-at-all", 403), ("", 403)):
            push = signing.eventbridge(PROVIDER, url("directmail", ""), EVENT, NOW, token=token)
            assert bench.post(push) == status

    def test_while_a_secret_is_changed_both_are_right(self, bench: WebhookBench) -> None:
        new = "another-secret-in-the-path"
        push = {secret: signing.sns(PROVIDER, url("ses", secret), MESSAGE, NOW) for secret in (PATH, new)}
        assert [bench.post(push[secret]) for secret in (PATH, new)] == [200, 403]
        bench.put_secrets({"path": [new, PATH]})
        assert [bench.post(push[secret]) for secret in (PATH, new)] == [200, 403]  # not read again yet
        bench.now = NOW + timedelta(minutes=5)
        assert [bench.post(push[secret]) for secret in (PATH, new)] == [200, 200]
        bench.put_secrets({"path": new})
        bench.now = NOW + timedelta(minutes=10)
        assert [bench.post(push[secret]) for secret in (PATH, new)] == [403, 200]

    def test_a_source_may_have_its_own(self, bench: WebhookBench) -> None:
        own = "a-secret-of-mailerq-alone"
        bench.put_secrets({"path": PATH, "sources": {"mailerq": {"path": own}, "ses": {"path": []}}})
        assert bench.post(Push(url("mailerq", own), {}, RESULT)) == 204
        assert bench.post(Push(url("mailerq"), {}, RESULT)) == 403
        assert bench.post(signing.sns(PROVIDER, url("ses", ""), MESSAGE, NOW)) == 200
        assert bench.post(signing.mns_json(PROVIDER, url("directmail"), LEGACY, NOW)) == 204

    def test_of_bearer_and_basic_one_is_enough(self, bench: WebhookBench) -> None:
        bench.put_secrets({"sources": {"mailerq": {"bearer": BEARER, "basic": BASIC}}})
        for headers in ({"authorization": f"Bearer {BEARER}"}, basic()):
            assert bench.post(Push(url("mailerq", ""), headers, RESULT)) == 204
        crossed = base64.b64encode(BASIC.encode()).decode()
        for authorization in (f"Basic {BEARER}", f"Bearer {crossed}", f"Digest {BEARER}", BEARER, "Bearer", "Basic "):
            assert bench.post(Push(url("mailerq", ""), {"authorization": authorization}, RESULT)) == 403


class TestOwnTrouble:
    """Never a 4xx for what is our own fault: the provider shall try again."""

    def test_a_queue_that_is_away(self, bench: WebhookBench) -> None:
        there = bench.ports.config
        bench.ports.config = replace(there, feedback_queue=there.feedback_queue + "-gone")
        assert bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW)) == 503
        bench.ports.config = there
        assert bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW)) == 200
        assert "SQS: SendMessage failed" in bench.logs.getvalue()

    @pytest.mark.parametrize("status", [301, 302, 307, 408, 429, 500, 502, 503, 204])
    def test_a_certificate_that_is_not_handed_out(self, bench: WebhookBench, status: int) -> None:
        bench.world = lambda _: HttpResponse(status, PROVIDER.certificate)
        assert bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW)) == 503
        bench.world = PROVIDER.fetch
        assert bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW)) == 200  # the trouble was not kept

    def test_a_host_that_is_away(self, bench: WebhookBench) -> None:
        bench.world = nowhere
        for push in (
            signing.sns(PROVIDER, url("ses"), MESSAGE, NOW),
            signing.mns_json(PROVIDER, url("directmail"), LEGACY, NOW),
            signing.eventbridge(PROVIDER, url("directmail"), EVENT, NOW),
        ):
            assert bench.post(push) == 503
        assert bench.queued() == []

    @pytest.mark.parametrize(
        ("document", "named"),
        [
            (" ", "the secrets"),
            ("path", "the secrets"),
            ({"path": "too short"}, r"$.path"),
            ({"pfad": PATH}, "pfad"),
            ({"sources": {"sess": {}}}, "no source 'sess'"),
            ({"sources": {"ses": {"bearer": 7}}}, r"$.sources.ses.bearer"),
            ({"sources": {"ses": {"basic": "no-colon-in-it"}}}, r"$.sources.ses.basic"),
            ({"sources": {"ses": {"token": "a-token-of-nobody"}}}, r"$.sources.ses.token"),
            ({"sources": {"directmail": {"bearer": BEARER}}}, r"$.sources.directmail.bearer"),
            ({"sources": {"mailerq": {"user": "x"}}}, "user"),
        ],
    )
    def test_secrets_that_make_no_sense(self, bench: WebhookBench, document: Any, named: str) -> None:
        """The field is named, and no secret is quoted."""
        bench.put_secrets(document)
        assert bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW)) == 503
        written = bench.logs.getvalue()
        assert named in written
        assert BEARER not in written
        assert "no-colon" not in written

    def test_secrets_that_cannot_be_read(self, bench: WebhookBench) -> None:
        with environment({"WEBHOOK_SECRETS": bench.secret + "-gone"}):
            bench.restart()
        assert bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW)) == 503
        assert "GetSecretValue failed" in bench.logs.getvalue()
        assert bench.queued() == []


class TestRoutes:
    @pytest.mark.parametrize("source", ["sess", "SES", "report", "", "%73es ", "..", "ses%2Fx"])
    def test_a_source_that_nobody_knows(self, bench: WebhookBench, source: str) -> None:
        push = signing.sns_raw(url("ses"), MESSAGE)
        event = http_event(push) | {"pathParameters": {"source": source, "secret": PATH}}
        assert bench.app.handler(event, None)["statusCode"] == 404
        assert bench.queued() == []

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "TRACE"])
    def test_another_method(self, bench: WebhookBench, method: str) -> None:
        answer = bench.answer(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW), method)
        assert (answer["statusCode"], answer["headers"]) == (405, {"allow": "POST"})
        assert bench.queued() == []

    def test_a_request_without_a_body(self, bench: WebhookBench) -> None:
        event = http_event(Push(url("ses"), {}, b""))
        assert "body" not in event
        assert bench.app.handler(event, None)["statusCode"] == 403


def everything_off(bench: WebhookBench) -> None:
    with environment({"SNS_TOPICS": "", "ALIBABA_ACCOUNTS": ""}):
        bench.restart()
    bench.put_secrets({"path": PATH})


class TestSwitches:
    """A source is on if it has an entry among the secrets or a list of whom to believe; nothing else turns it on."""

    @pytest.mark.parametrize("source", sorted(name for name, source in SOURCES.items() if source.proofs))
    def test_one_that_is_off_looks_like_one_that_nobody_knows(self, bench: WebhookBench, source: str) -> None:
        """Though the deployment has a secret for the path, and whatever is right about the push."""
        everything_off(bench)
        pushes = [push for push in (make() for make in GOOD.values()) if f"/{source}/" in push.url]
        for secret in (PATH, "", "another-secret-in-the-path"):
            for method in ("POST", "GET", "HEAD", "OPTIONS", "PUT"):
                unknown = bench.answer(Push(url("nobody", secret), {}, RESULT), method)
                assert unknown == {"statusCode": 404, "headers": {}, "body": ""}
                for push in (*pushes, Push(url(source), {}, RESULT)):
                    assert bench.answer(altered(push, url=url(source, secret)), method) == unknown
        assert bench.answer(Push(url(source), {}, b"x" * (SOURCES[source].largest + 1))) == unknown
        assert (bench.queued(), bench.fetched) == ([], [])

    @pytest.mark.parametrize("name", ["sns, raw", "mns, JSON", "eventbridge", "mailerq"])
    def test_an_empty_entry_turns_one_on_and_no_other(self, bench: WebhookBench, name: str) -> None:
        push = GOOD[name]()
        source = push.url.split("/")[4]
        everything_off(bench)
        bench.put_secrets({"path": PATH, "sources": {source: {}}})
        assert bench.post(push) in ({204} if name in ("mailerq", "eventbridge") else {403})  # no list: nobody is on it
        others = {each.url.split("/")[4]: each for each in (make() for make in GOOD.values())}
        assert {bench.post(each) for other, each in others.items() if other != source} == {404}

    def test_a_list_of_senders_turns_its_source_on(self, bench: WebhookBench) -> None:
        everything_off(bench)
        pushes = [
            signing.sns(PROVIDER, url("ses"), MESSAGE, NOW),
            signing.mns_json(PROVIDER, url("directmail"), LEGACY, NOW),
        ]
        for lists, statuses in (
            ({"SNS_TOPICS": TOPIC, "ALIBABA_ACCOUNTS": ""}, [200, 404]),
            ({"SNS_TOPICS": "", "ALIBABA_ACCOUNTS": signing.ACCOUNT}, [404, 204]),
        ):
            with environment(lists):
                bench.restart()
            assert [bench.post(push) for push in pushes] == statuses

    def test_one_that_is_taken_out_is_off_within_minutes(self, bench: WebhookBench) -> None:
        push = Push(url("mailerq"), {"authorization": f"Bearer {BEARER}"}, RESULT)
        assert bench.post(push) == 204
        bench.put_secrets({"path": PATH})
        bench.now = NOW + timedelta(minutes=5)
        assert bench.post(push) == 404

    def test_while_the_secrets_cannot_be_read_nobody_is_sent_away(self, bench: WebhookBench) -> None:
        everything_off(bench)
        bench.put_secrets("no JSON")
        assert bench.post(Push(url("mailerq"), {}, RESULT)) == 503
        assert bench.post(Push(url("nobody"), {}, RESULT)) == 404


class TestReported:
    """What the operator sees: numbers, and reasons, and no secret and no address."""

    def test_an_accepted_push_is_no_line_and_no_metric(self, bench: WebhookBench) -> None:
        bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW))
        assert bench.lines() == []

    def test_a_refusal_is_counted_and_its_line_says_of_which_source_and_why(self, bench: WebhookBench) -> None:
        bench.post(signing.sns(STRANGER, url("ses"), MESSAGE, NOW))
        metric, line = bench.lines()
        (definition,) = metric["_aws"]["CloudWatchMetrics"]
        assert (definition["Dimensions"], metric["VerificationFailed"]) == ([["service"]], [1.0])
        assert (line["level"], line["message"]) == ("WARNING", "VerificationFailed")
        assert (line["source"], line["code"]) == ("ses", "signature")

    def test_neither_secrets_nor_addresses_are_written(self, bench: WebhookBench) -> None:
        own = f"arn:aws:sns:eu-west-1:999999999999:{PATH}"
        for push in (
            *(make() for make in GOOD.values()),
            signing.sns(STRANGER, url("ses"), MESSAGE, NOW),
            signing.sns(PROVIDER, url("ses"), MESSAGE, NOW, TopicArn="ann@example.net"),
            signing.sns(PROVIDER, url("ses"), MESSAGE, NOW, SigningCertURL="https://x.example/?ann@example.net"),
            signing.sns_raw(url("ses"), MESSAGE, "ann@example.net"),
            signing.mns_json(PROVIDER, url("directmail"), LEGACY, NOW, owner="ann@example.net"),
            Push(url("mailerq"), basic(), RESULT),
            signing.sns_raw(url(PATH), MESSAGE),
        ):
            bench.post(push)
        bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW, TopicArn=own.replace(PATH, "other")))
        written = bench.logs.getvalue()
        assert "999999999999:other" in written
        assert [
            text for text in ("@", PATH, BEARER, BASIC, base64.b64encode(BASIC.encode()).decode()) if text in written
        ] == []


class TestCertificates:
    def test_one_is_fetched_once_an_hour(self, bench: WebhookBench) -> None:
        for minutes in (0, 1, 59):
            bench.now = NOW + timedelta(minutes=minutes)
            assert bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, bench.now)) == 200
        assert bench.fetched == [SNS_CERTIFICATE]
        bench.now = NOW + timedelta(minutes=60)
        bench.world = STRANGER.fetch  # the provider has put another one in its place
        assert bench.post(signing.sns(STRANGER, url("ses"), MESSAGE, bench.now)) == 200
        assert bench.fetched == [SNS_CERTIFICATE] * 2

    @pytest.mark.parametrize("content", [b"<html>We are back soon</html>", PROVIDER.certificate[:-200]])
    def test_what_is_none_is_not_kept(self, bench: WebhookBench, content: bytes) -> None:
        bench.world = lambda _: HttpResponse(200, content)
        assert bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW)) == 403
        bench.world = PROVIDER.fetch
        assert bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW)) == 200

    def test_not_many_are_kept(self, bench: WebhookBench) -> None:
        bench.world = lambda _: HttpResponse(200, PROVIDER.certificate)
        names = [
            f"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-{number:032}.pem" for number in range(40)
        ]
        for name in [*names, names[-1], names[0]]:
            assert bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW, SigningCertURL=name)) == 200
        assert bench.fetched == [*names, names[0]]

    def test_a_topic_is_asked_for_before_a_certificate_is(self, bench: WebhookBench) -> None:
        bench.post(signing.sns(PROVIDER, url("ses"), MESSAGE, NOW, TopicArn=TOPIC + "-of-somebody"))
        assert bench.fetched == []

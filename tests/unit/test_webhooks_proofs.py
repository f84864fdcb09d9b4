"""Pushes of providers, genuine and forged, through the webhooks, by the proofs that docs/adding-a-source.md lists."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

import pytest

from aftersend.core.errors import ConfigurationError
from aftersend.sources import SOURCES, Source
from aftersend.sources.forms import MAX_FIELDS, URLENCODED, read_form
from aftersend.sources.proofs import MAKERS, build_proof
from aftersend.webhooks.receive import PushResult
from aftersend.webhooks.schemes import FailureCode, PushRequest, Trust, WebhookCredentials, check
from aftersend.webhooks.schemes.url_form import spell_urls
from aftersend.webhooks.secrets import read_document
from local import signing
from local.pushes import SIGNERS
from local.samples import Sample
from local.signing import Push
from tests.support.providers import NOW, PROVIDERS, Webhooks, document
from tests.support.template import ROOT
from tests.support.webhooks import PATH, PROVIDER, STRANGER, altered, url

JSON: Final = {"content-type": "application/json"}
FORM: Final = {"content-type": URLENCODED}
BODY: Final = b'{"event":"bounce","to":"ann@example.com","text":"550 5.1.1 \\u00fc \\/ no such user"}\r\n'
FIELDS: Final = b"To=%2B4915550000&MessageStatus=delivered&Tag=b&Tag=a&Tag=b&Empty=&x=%C3%BC+y"
EVENTS: Final = "mandrill_events=" + quote_plus('[{"event":"send","_id":"1"}]')
PARTS: Final = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--X--\r\n'
QUERY: Final = "id=7&recipient=4915550000&status=delivered&statusDatetime=2026-03-02T10%3A11%3A12%2B00%3A00"


@pytest.fixture(autouse=True)
def _providers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, row in PROVIDERS.items():
        monkeypatch.setitem(SOURCES, name, row)


@pytest.fixture
def webhooks() -> Webhooks:
    return Webhooks(document(PROVIDER), NOW)


# ---- What is genuine -------------------------------------------------------------------------------------------------


def proof_of(name: str, place: int = 0) -> Any:
    return PROVIDERS[name].proofs[place]


def mailersend(key: signing.Authority = PROVIDER, body: bytes = BODY) -> Push:
    return signing.hmac_body(key, proof_of("mailersend"), Push(url("mailersend"), JSON, body), NOW)


def emailit(key: signing.Authority = PROVIDER, late: float = 0) -> Push:
    return signing.hmac_body(key, proof_of("emailit"), Push(url("emailit"), JSON, BODY), NOW - timedelta(seconds=late))


def mailomat(key: signing.Authority = PROVIDER, secret: str = PATH) -> Push:
    named = {"x_mom_webhook_id": "7", "x_mom_webhook_event": "failure_perm", "x_mom_webhook_timestamp": "1772446275"}
    return signing.hmac_body(key, proof_of("mailomat"), Push(url("mailomat", secret), JSON, BODY), NOW, **named)


def sweego(key: signing.Authority = PROVIDER) -> Push:
    return signing.hmac_body(key, proof_of("sweego"), Push(url("sweego"), JSON, BODY), NOW, webhook_id="7")


def resend(key: signing.Authority = PROVIDER, late: float = 0, name: str = "resend") -> Push:
    return signing.standard_webhooks(key, proof_of(name), Push(url(name), JSON, BODY), NOW - timedelta(seconds=late))


def renamed(push: Push) -> Push:
    """The same under the names that the specification has."""
    return altered(
        push,
        {f"webhook-{each}": push.headers[f"svix-{each}"] for each in ("id", "timestamp", "signature")}
        | {f"svix-{each}": None for each in ("id", "timestamp", "signature")},
    )


def listed(push: Push, before: str = "", after: str = "") -> Push:
    """The same with more signatures in its list."""
    return altered(push, {"svix-signature": f"{before}{push.headers['svix-signature']}{after}"})


TIME: Final = "x-twilio-email-event-webhook-timestamp"
SENDGRID: Final = "x-twilio-email-event-webhook-signature"


def sendgrid(key: signing.Authority = PROVIDER) -> Push:
    return signing.public_key(key, proof_of("sendgrid"), Push(url("sendgrid"), JSON, BODY), {TIME: "1600112502"})


def postal(key: signing.Authority = PROVIDER, place: int = 0) -> Push:
    return signing.public_key(key, proof_of("postal", place), Push(url("postal"), JSON, BODY), {})


def both(push: Push, other: Push) -> Push:
    return altered(push, {**other.headers, **push.headers})


def mailgun(
    key: signing.Authority = PROVIDER,
    body: bytes = b'{"event-data":{"event":"failed","id":"x"}}',
    late: float = 0,
    secret: str = PATH,
    headers: dict[str, str] = JSON,
    **more: str,
) -> Push:
    at = NOW - timedelta(seconds=late)
    return signing.token_in_body(key, proof_of("mailgun"), Push(url("mailgun", secret), headers, body), at, **more)


def parted(push: Push) -> Push:
    """The same form in several parts."""
    parts = "".join(
        f'--X\r\nContent-Disposition: form-data; name="{name.decode()}"\r\n\r\n{value.decode()}\r\n'
        for name, value in read_form(push.body)
    )
    return altered(push, {"content-type": 'multipart/form-data; boundary="X"'}, f"{parts}--X--\r\n".encode())


def legacy() -> Push:
    """User variables are merged in, and may be called as what is signed: that comes last."""
    return mailgun(body=b"event=dropped&token=mine&timestamp=1&recipient=ann%40example.com", headers=FORM)


def unisender(key: signing.Authority = PROVIDER, body: bytes = BODY) -> Push:
    return signing.digest_in_body(key, proof_of("unisender"), Push(url("unisender"), JSON, body))


def twilio(
    key: signing.Authority = PROVIDER,
    body: bytes = FIELDS,
    headers: dict[str, str] = FORM,
    called: str = "",
    query: str = "",
) -> Push:
    return signing.url_form(key, proof_of("twilio"), Push(url("twilio") + query, headers, body), url=called)


def mandrill(key: signing.Authority = PROVIDER, body: str = EVENTS, **more: str) -> Push:
    return signing.url_form(key, proof_of("mandrill"), Push(url("mandrill"), FORM, body.encode()), **more)


def vonage(key: signing.Authority = PROVIDER, late: float = 0, body: bytes = BODY, **claims: Any) -> Push:
    at = NOW - timedelta(seconds=late)
    return signing.jwt(key, proof_of("vonage"), Push(url("vonage"), JSON, body), at, **({"exp": None} | claims))


def bird(
    key: signing.Authority = PROVIDER, late: float = 0, body: bytes = b"", query: str = QUERY, **more: Any
) -> Push:
    push = Push(f"{url('messagebird')}?{query}", {}, body)
    return signing.jwt(key, proof_of("messagebird"), push, NOW - timedelta(seconds=late), **more)


def old_bird(key: signing.Authority = PROVIDER, late: float = 0, body: bytes = b"", query: str = QUERY) -> Push:
    push = Push(f"{url('messagebird')}?{query}", {}, body)
    return signing.hmac_body(key, proof_of("messagebird", 1), push, NOW - timedelta(seconds=late))


PORT: Final = url("twilio").replace(".com/", ".com:443/")
GENUINE: Final[dict[str, Callable[[], Push]]] = {
    "mailersend": mailersend,
    "mailersend, nothing in it": lambda: mailersend(body=b""),
    "mailersend, no text": lambda: mailersend(body=bytes(range(256))),
    "mailersend, digits in capitals": lambda: altered(
        mailersend(), {"signature": mailersend().headers["signature"].upper()}
    ),
    "emailit": emailit,
    "emailit, as late as may be": lambda: emailit(late=300),
    "mailomat": mailomat,
    "sweego": sweego,
    "resend": resend,
    "resend, by the other names": lambda: renamed(resend()),
    "resend, as late as may be": lambda: resend(late=300),
    "resend, as early as may be": lambda: resend(late=-300),
    "resend, of several signatures": lambda: listed(resend(), f"v1a,AAAA v2,x v1,{'A' * 43}= ", " v1,AAAA"),
    "ahasend": lambda: resend(name="ahasend"),
    "sendgrid": sendgrid,
    "postal": postal,
    "postal, SHA-1 alone": lambda: postal(place=1),
    "postal, both": lambda: both(postal(), postal(place=1)),
    "mailgun": mailgun,
    "mailgun, of a parent": lambda: mailgun(member="parent-signature"),
    "mailgun, repeated for hours": lambda: mailgun(late=11 * 3600),
    "mailgun, a form": legacy,
    "mailgun, a form in parts": lambda: parted(legacy()),
    "unisender": unisender,
    "unisender, and nothing else": lambda: unisender(body=b"{}"),
    "twilio": twilio,
    "twilio, with the port": lambda: twilio(called=PORT),
    "twilio, with a query": lambda: twilio(query="?b=%20c&a=1"),
    "twilio, JSON": lambda: twilio(body=BODY, headers=JSON),
    "twilio, JSON, with the port and a query": lambda: twilio(
        body=BODY, headers=JSON, called=PORT + "?a=1", query="?a=1"
    ),
    "mandrill": mandrill,
    "vonage": vonage,
    "vonage, five minutes old": lambda: vonage(late=300),
    "messagebird": bird,
    "messagebird, HS384": lambda: bird(alg="HS384"),
    "messagebird, HS512": lambda: bird(alg="HS512"),
    "messagebird, with a body": lambda: bird(body=BODY),
    "messagebird, at its end": lambda: bird(late=61),
    "messagebird, of a clock that is ahead": lambda: bird(late=-1),
    "messagebird, the old way": old_bird,
    "messagebird, the old way, with a body": lambda: old_bird(body=BODY),
    "messagebird, the old way, in another order": lambda: old_bird(query="status=x&id=7&empty="),
}


def _name(push: Push) -> str:
    return push.url.split("/")[4]


@pytest.mark.parametrize("name", GENUINE)
def test_what_is_genuine_is_queued_as_it_came(webhooks: Webhooks, name: str) -> None:
    push = GENUINE[name]()
    answer = webhooks.push(push)
    row = PROVIDERS[_name(push)]
    assert (answer.status, answer.result, answer.reason) == (row.success, PushResult.ACCEPTED, "")
    ((body, headers),) = webhooks.queued()
    assert body == (push.body or urlsplit(push.url).query.encode())
    assert headers.get("content-type") == (push.headers.get("content-type") if push.body else URLENCODED) or not body


@pytest.mark.parametrize("name", GENUINE)
def test_while_a_key_is_changed_both_are_right(name: str) -> None:
    push, source = GENUINE[name](), _name(GENUINE[name]())
    keys = {authority: authority.list_keys(PROVIDERS[source].proofs) for authority in (PROVIDER, STRANGER)}
    for known, status in (((PROVIDER, STRANGER), 200), ((STRANGER, PROVIDER), 200), ((STRANGER,), 403)):
        entry = {kind: [keys[each][kind] for each in known] for kind in keys[PROVIDER]}
        webhooks = Webhooks({"path": PATH, "sources": {source: entry}}, NOW)
        assert webhooks.push(push).status == status
        assert bool(webhooks.sent) is (status == 200)


@pytest.mark.parametrize("name", PROVIDERS)
def test_this_machine_signs_as_each_provider_does(webhooks: Webhooks, name: str) -> None:
    webhooks.now = NOW
    for proof in PROVIDERS[name].proofs:
        for suffix, body in ((".json", b'{"a":1}'), (".json", b'{"a":'), (".txt", b"a=1&b=%20"), (".txt", PARTS)):
            push = SIGNERS[proof.scheme](PROVIDER, proof, url(name), Sample(name, ROOT / f"x{suffix}", body), NOW)
            if push is not None and (proof.key or not any(each.key for each in PROVIDERS[name].proofs)):
                assert webhooks.push(push).status == PROVIDERS[name].success


# ---- What is forged --------------------------------------------------------------------------------------------------


def other_body(push: Push) -> Push:
    return altered(push, body=push.body[:-3] + b"x" + push.body[-2:])


def with_token(claims: dict[str, Any], header: dict[str, Any], key: bytes | None = None) -> Push:
    usual = {"iss": "Vonage", "iat": NOW.timestamp(), "payload_hash": hashlib.sha256(BODY).hexdigest()}
    token = signing.encode_token(header, usual | claims, PROVIDER.signing_key.encode() if key is None else key)
    return Push(url("vonage"), JSON | {"authorization": f"Bearer {token}"}, BODY)


def resigned(push: Push, header: str, value: str | None) -> Push:
    return altered(push, {header: value})


def cut(push: Push, header: str, end: int = -2) -> Push:
    return altered(push, {header: push.headers[header][:end]})


MALFORMED, SIGNATURE, DIGEST = FailureCode.MALFORMED, FailureCode.SIGNATURE, FailureCode.DIGEST
STALE, SCHEME, CREDENTIALS, SENDER = (
    FailureCode.STALE,
    FailureCode.SCHEME,
    FailureCode.CREDENTIALS,
    FailureCode.SENDER,
)
EMPTY: Final = base64.b64encode(b"").decode()

FORGED: Final[dict[str, tuple[FailureCode, Callable[[], Push]]]] = {
    "mailersend, by somebody": (SIGNATURE, lambda: mailersend(STRANGER)),
    "mailersend, another body": (SIGNATURE, lambda: other_body(mailersend())),
    "mailersend, a body without its end": (SIGNATURE, lambda: altered(mailersend(), body=BODY.rstrip())),
    "mailersend, no signature": (SCHEME, lambda: resigned(mailersend(), "signature", None)),
    "mailersend, an empty signature": (MALFORMED, lambda: resigned(mailersend(), "signature", "")),
    "mailersend, a signature cut off": (SIGNATURE, lambda: cut(mailersend(), "signature")),
    "mailersend, half a digit": (MALFORMED, lambda: cut(mailersend(), "signature", -1)),
    "mailersend, a signature with blanks": (
        MALFORMED,
        lambda: resigned(mailersend(), "signature", mailersend().headers["signature"] + " "),
    ),
    "mailersend, in base64": (
        MALFORMED,
        lambda: resigned(mailersend(), "signature", base64.b64encode(b"x" * 32).decode()),
    ),
    "mailersend, a plain digest": (
        SIGNATURE,
        lambda: resigned(mailersend(), "signature", hashlib.sha256(BODY).hexdigest()),
    ),
    "mailersend, another secret in the path": (
        CREDENTIALS,
        lambda: altered(mailersend(), url=url("mailersend", "a-secret-in-the-path-of-us")),
    ),
    "emailit, by somebody": (SIGNATURE, lambda: emailit(STRANGER)),
    "emailit, another body": (SIGNATURE, lambda: other_body(emailit())),
    "emailit, a younger time": (
        SIGNATURE,
        lambda: resigned(emailit(late=900), "x-emailit-timestamp", f"{NOW.timestamp():.0f}"),
    ),
    "emailit, replayed": (STALE, lambda: emailit(late=301)),
    "emailit, from the future": (STALE, lambda: emailit(late=-301)),
    "emailit, no time": (MALFORMED, lambda: resigned(emailit(), "x-emailit-timestamp", None)),
    "emailit, a time of letters": (MALFORMED, lambda: resigned(emailit(), "x-emailit-timestamp", "now")),
    "emailit, a time with a sign": (MALFORMED, lambda: resigned(emailit(), "x-emailit-timestamp", "-1772446275")),
    "emailit, a very long time": (MALFORMED, lambda: resigned(emailit(), "x-emailit-timestamp", "1" * 5000)),
    "mailomat, by somebody": (SIGNATURE, lambda: mailomat(STRANGER)),
    "mailomat, another event": (SIGNATURE, lambda: resigned(mailomat(), "x-mom-webhook-event", "failure_tmp")),
    "mailomat, another algorithm": (
        SCHEME,
        lambda: resigned(mailomat(), "x-mom-webhook-signature", "md5=" + "0" * 32),
    ),
    "mailomat, no algorithm": (SCHEME, lambda: resigned(mailomat(), "x-mom-webhook-signature", "0" * 64)),
    "mailomat, no id": (MALFORMED, lambda: resigned(mailomat(), "x-mom-webhook-id", None)),
    "mailomat, no secret in the path": (CREDENTIALS, lambda: mailomat(secret="")),
    "sweego, by somebody": (SIGNATURE, lambda: sweego(STRANGER)),
    "sweego, another id": (SIGNATURE, lambda: resigned(sweego(), "webhook-id", "8")),
    "resend, by somebody": (SIGNATURE, lambda: resend(STRANGER)),
    "resend, another body": (SIGNATURE, lambda: other_body(resend())),
    "resend, another id": (SIGNATURE, lambda: resigned(resend(), "svix-id", "msg_x")),
    "resend, a younger time": (
        SIGNATURE,
        lambda: resigned(resend(late=900), "svix-timestamp", f"{NOW.timestamp():.0f}"),
    ),
    "resend, replayed": (STALE, lambda: resend(late=301)),
    "resend, from the future": (STALE, lambda: resend(late=-301)),
    "resend, no id": (MALFORMED, lambda: resigned(resend(), "svix-id", None)),
    "resend, no time": (MALFORMED, lambda: resigned(resend(), "svix-timestamp", None)),
    "resend, no signature": (SCHEME, lambda: resigned(resend(), "svix-signature", None)),
    "resend, names of both kinds": (
        MALFORMED,
        lambda: altered(resend(), {"svix-id": None, "webhook-id": resend().headers["svix-id"]}),
    ),
    "resend, another version": (
        SCHEME,
        lambda: resigned(resend(), "svix-signature", resend().headers["svix-signature"].replace("v1,", "v2,")),
    ),
    "resend, no version": (
        SCHEME,
        lambda: resigned(resend(), "svix-signature", resend().headers["svix-signature"].removeprefix("v1,")),
    ),
    "resend, a signature cut off": (
        SIGNATURE,
        lambda: resigned(resend(), "svix-signature", "v1," + base64.b64encode(b"x" * 31).decode()),
    ),
    "resend, a signature of nothing": (MALFORMED, lambda: resigned(resend(), "svix-signature", "v1,")),
    "resend, a very long list": (SCHEME, lambda: listed(resend(), "v1,AAAA " * 20)),
    "resend, the key as it stands": (SIGNATURE, lambda: altered(resend(name="ahasend"), url=url("resend"))),
    "ahasend, what the key stands for": (SIGNATURE, lambda: altered(resend(), url=url("ahasend"))),
    "sendgrid, by somebody": (SIGNATURE, lambda: sendgrid(STRANGER)),
    "sendgrid, another body": (SIGNATURE, lambda: other_body(sendgrid())),
    "sendgrid, a body without its end": (SIGNATURE, lambda: altered(sendgrid(), body=BODY.rstrip())),
    "sendgrid, another time": (SIGNATURE, lambda: resigned(sendgrid(), TIME, "1600112503")),
    "sendgrid, no time": (MALFORMED, lambda: resigned(sendgrid(), TIME, None)),
    "sendgrid, no signature": (SCHEME, lambda: resigned(sendgrid(), SENDGRID, None)),
    "sendgrid, a signature cut off": (SIGNATURE, lambda: cut(sendgrid(), SENDGRID, -4)),
    "sendgrid, no base64": (MALFORMED, lambda: resigned(sendgrid(), SENDGRID, "ä")),
    "sendgrid, signed with RSA": (
        SIGNATURE,
        lambda: resigned(sendgrid(), SENDGRID, PROVIDER.sign(b"1600112502" + BODY, "sha256")),
    ),
    "postal, by somebody": (SIGNATURE, lambda: postal(STRANGER)),
    "postal, another body": (SIGNATURE, lambda: other_body(postal())),
    "postal, SHA-1 in the place of SHA-256": (
        SIGNATURE,
        lambda: altered(postal(), {"x-postal-signature-256": PROVIDER.sign(BODY, "sha1")}),
    ),
    "postal, another body, SHA-1": (SIGNATURE, lambda: other_body(postal(place=1))),
    "postal, a wrong one before a right one": (
        SIGNATURE,
        lambda: altered(postal(place=1), {"x-postal-signature-256": PROVIDER.sign(b"x", "sha256")}),
    ),
    "postal, no signature": (SCHEME, lambda: resigned(postal(), "x-postal-signature-256", None)),
    "mailgun, by somebody": (SIGNATURE, lambda: mailgun(STRANGER)),
    "mailgun, another token": (
        SIGNATURE,
        lambda: altered(mailgun(token="a" * 50), body=mailgun(token="a" * 50).body.replace(b"a" * 50, b"b" * 50)),
    ),
    "mailgun, no secret in the path": (CREDENTIALS, lambda: mailgun(secret="")),
    "mailgun, replayed": (STALE, lambda: mailgun(late=12 * 3600 + 1)),
    "mailgun, from the future": (STALE, lambda: mailgun(late=-301)),
    "mailgun, a digit of the token at the end of the time": (
        MALFORMED,
        lambda: moved(mailgun(token="5" + "a" * 49), 1),
    ),
    "mailgun, a digit of the time at the front of the token": (
        MALFORMED,
        lambda: moved(mailgun(token="5" + "a" * 49), -1),
    ),
    "mailgun, no signature": (MALFORMED, lambda: altered(mailgun(), body=b'{"event-data":{}}')),
    "mailgun, a signature that is null": (MALFORMED, lambda: altered(mailgun(), body=b'{"signature":null}')),
    "mailgun, a signature that is a list": (MALFORMED, lambda: altered(mailgun(), body=b'{"signature":[1]}')),
    "mailgun, half a body": (MALFORMED, lambda: altered(mailgun(), body=mailgun().body[:-20])),
    "mailgun, a very deep body": (MALFORMED, lambda: altered(mailgun(), body=b'{"a":' * 100_000)),
    "mailgun, no body": (MALFORMED, lambda: altered(mailgun(), body=b"")),
    "mailgun, a form without a token": (MALFORMED, lambda: altered(legacy(), body=b"timestamp=1&signature=x")),
    "mailgun, a form of parts without any": (
        MALFORMED,
        lambda: altered(legacy(), {"content-type": "multipart/form-data; boundary=X"}),
    ),
    "mailgun, a form of parts without a boundary": (
        MALFORMED,
        lambda: altered(legacy(), {"content-type": "multipart/form-data"}),
    ),
    "mailgun, the first token of two": (
        MALFORMED,
        lambda: altered(legacy(), body=legacy().body + b"&token=a"),
    ),
    "unisender, by somebody": (SIGNATURE, lambda: unisender(STRANGER)),
    "unisender, another body": (SIGNATURE, lambda: altered(unisender(), body=unisender().body.replace(b"ann", b"bob"))),
    "unisender, written anew": (
        SIGNATURE,
        lambda: altered(unisender(), body=json.dumps(json.loads(unisender().body)).encode()),
    ),
    "unisender, no digest": (MALFORMED, lambda: altered(unisender(), body=b"{}")),
    "unisender, a digest cut off": (MALFORMED, lambda: altered(unisender(), body=b'{"auth":"0123456789abcdef"}')),
    "unisender, a digest that is a number": (MALFORMED, lambda: altered(unisender(), body=b'{"auth":1}')),
    "unisender, without a key": (
        SIGNATURE,
        lambda: altered(
            unisender(),
            body=b'{"auth":"%s"}' % hashlib.md5(b'{"auth":""}', usedforsecurity=False).hexdigest().encode(),
        ),
    ),
    "unisender, more after its end": (MALFORMED, lambda: altered(unisender(), body=unisender().body + b"\x80\0\0{}")),
    "unisender, a list": (MALFORMED, lambda: altered(unisender(), body=b"[]")),
    "twilio, by somebody": (SIGNATURE, lambda: twilio(STRANGER)),
    "twilio, another value": (SIGNATURE, lambda: altered(twilio(), body=FIELDS.replace(b"delivered", b"failed"))),
    "twilio, another address": (SIGNATURE, lambda: altered(twilio(), url=url("twilio") + "?a=1")),
    "twilio, another order of the query": (
        SIGNATURE,
        lambda: altered(twilio(query="?b=2&a=1"), url=url("twilio") + "?a=1&b=2"),
    ),
    "twilio, another port": (SIGNATURE, lambda: twilio(called=PORT.replace("443", "8443"))),
    "twilio, http": (SIGNATURE, lambda: twilio(called=url("twilio").replace("https", "http"))),
    "twilio, no signature": (SCHEME, lambda: resigned(twilio(), "x-twilio-signature", None)),
    "twilio, a signature cut off": (
        SIGNATURE,
        lambda: resigned(twilio(), "x-twilio-signature", base64.b64encode(b"x" * 19).decode()),
    ),
    "twilio, JSON, another body": (DIGEST, lambda: other_body(twilio(body=BODY, headers=JSON))),
    "twilio, JSON, another body and its digest": (
        SIGNATURE,
        lambda: altered(
            twilio(body=BODY, headers=JSON),
            body=b"{}",
            url=f"{url('twilio')}?bodySHA256={hashlib.sha256(b'{}').hexdigest()}",
        ),
    ),
    "twilio, two digests in the address": (
        DIGEST,
        lambda: altered(
            twilio(body=BODY, headers=JSON),
            body=b"{}",
            url=twilio(body=BODY, headers=JSON).url + "&bodySHA256=" + hashlib.sha256(b"{}").hexdigest(),
        ),
    ),
    "twilio, a body beside what is signed": (DIGEST, lambda: altered(twilio(body=b"", headers={}), JSON, b"{}")),
    "twilio, a form that is said to be a text": (DIGEST, lambda: altered(twilio(), {"content-type": "text/plain"})),
    "twilio, fields without end": (
        MALFORMED,
        lambda: altered(twilio(), body=b"a=1&" * (MAX_FIELDS + 1)),
    ),
    "mandrill, by somebody": (SIGNATURE, lambda: mandrill(STRANGER)),
    "mandrill, another body": (SIGNATURE, lambda: altered(mandrill(), body=EVENTS.replace("send", "spam").encode())),
    "mandrill, with the key of a test": (SIGNATURE, lambda: mandrill(key_text="test-webhook")),
    "mandrill, JSON": (DIGEST, lambda: altered(mandrill(), JSON, BODY)),
    "vonage, by somebody": (SIGNATURE, lambda: vonage(STRANGER)),
    "vonage, another body": (DIGEST, lambda: other_body(vonage())),
    "vonage, no digest": (DIGEST, lambda: vonage(payload_hash=None)),
    "vonage, a digest that is a number": (DIGEST, lambda: vonage(payload_hash=1)),
    "vonage, replayed": (STALE, lambda: vonage(late=301)),
    "vonage, from the future": (STALE, lambda: vonage(late=-301, nbf=None)),
    "vonage, over": (STALE, lambda: vonage(exp=NOW.timestamp() - 2)),
    "vonage, no time": (MALFORMED, lambda: vonage(iat=None)),
    "vonage, a time that is a text": (MALFORMED, lambda: vonage(iat="1772446275")),
    "vonage, a time without end": (STALE, lambda: vonage(iat=10**30)),
    "vonage, another issuer": (SENDER, lambda: vonage(iss="Acme")),
    "vonage, no token": (SCHEME, lambda: resigned(vonage(), "authorization", None)),
    "vonage, a password": (SCHEME, lambda: resigned(vonage(), "authorization", "Basic dXNlcjpwYXNzd29yZA==")),
    "vonage, no signature": (MALFORMED, lambda: with_token({}, {"alg": "none"})),
    "vonage, an algorithm that is none": (SCHEME, lambda: with_signature({"alg": "none"}, "AAAA")),
    "vonage, None": (SCHEME, lambda: with_signature({"alg": "None"}, "AAAA")),
    "vonage, no algorithm": (SCHEME, lambda: with_signature({}, "AAAA")),
    "vonage, an algorithm that is a list": (SCHEME, lambda: with_signature({"alg": ["HS256"]}, "AAAA")),
    "vonage, HS512": (SCHEME, lambda: with_token({}, {"alg": "HS512"})),
    "vonage, RS256": (SCHEME, lambda: with_signature({"alg": "RS256"}, "AAAA")),
    "vonage, something critical": (SCHEME, lambda: with_token({}, {"alg": "HS256", "crit": ["b64"], "b64": False})),
    "vonage, an empty key": (SIGNATURE, lambda: with_token({}, {"alg": "HS256"}, b"")),
    "vonage, a signature cut off": (SIGNATURE, lambda: cut(vonage(), "authorization", -3)),
    "vonage, two parts": (MALFORMED, lambda: resigned(vonage(), "authorization", "Bearer e30.e30")),
    "vonage, no base64": (MALFORMED, lambda: resigned(vonage(), "authorization", "Bearer e.e.e")),
    "vonage, a list": (MALFORMED, lambda: resigned(vonage(), "authorization", "Bearer W10.W10.AAAA")),
    "vonage, very long": (MALFORMED, lambda: resigned(vonage(), "authorization", "Bearer " + "e" * 99_999)),
    "messagebird, by somebody": (SIGNATURE, lambda: bird(STRANGER)),
    "messagebird, another query": (DIGEST, lambda: altered(bird(), url=bird().url.replace("delivered", "expired"))),
    "messagebird, another order": (
        DIGEST,
        lambda: altered(bird(), url=f"{url('messagebird')}?{'&'.join(reversed(QUERY.split('&')))}"),
    ),
    "messagebird, a body put in": (DIGEST, lambda: altered(bird(), body=BODY)),
    "messagebird, another body": (DIGEST, lambda: other_body(bird(body=BODY))),
    "messagebird, a body taken out": (DIGEST, lambda: altered(bird(body=BODY), body=b"")),
    "messagebird, no digest of the address": (DIGEST, lambda: bird(url_hash=None)),
    "messagebird, over": (STALE, lambda: bird(late=62)),
    "messagebird, too early": (STALE, lambda: bird(late=-2)),
    "messagebird, no end": (MALFORMED, lambda: bird(exp=None)),
    "messagebird, no beginning": (MALFORMED, lambda: bird(nbf=None)),
    "messagebird, another issuer": (SENDER, lambda: bird(iss="messagebird")),
    "messagebird, nothing": (SCHEME, lambda: Push(f"{url('messagebird')}?{QUERY}", {}, b"")),
    "messagebird, the old way, by somebody": (SIGNATURE, lambda: old_bird(STRANGER)),
    "messagebird, the old way, another query": (
        SIGNATURE,
        lambda: altered(old_bird(), url=old_bird().url.replace("delivered", "expired")),
    ),
    "messagebird, the old way, another body": (SIGNATURE, lambda: other_body(old_bird(body=BODY))),
    "messagebird, the old way, replayed": (STALE, lambda: old_bird(late=11)),
    "messagebird, the old way, a younger time": (
        SIGNATURE,
        lambda: resigned(old_bird(late=60), "messagebird-request-timestamp", f"{NOW.timestamp():.0f}"),
    ),
}


def moved(push: Push, digits: int) -> Push:
    """Time and token are signed without anything between them: digits may pass from one to the other."""
    body = json.loads(push.body)
    signed = body["signature"]
    text, middle = signed["timestamp"] + signed["token"], len(signed["timestamp"]) + digits
    signed |= {"timestamp": text[:middle], "token": text[middle:]}
    return altered(push, body=json.dumps(body).encode())


def with_signature(header: dict[str, Any], signature: str) -> Push:
    push = with_token({}, {"alg": "HS256"})
    first = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    token = push.headers["authorization"].removeprefix("Bearer ").split(".")
    return altered(push, {"authorization": f"Bearer {first}.{token[1]}.{signature}"})


@pytest.mark.parametrize("name", FORGED)
def test_what_is_forged_is_refused(webhooks: Webhooks, name: str) -> None:
    code, make = FORGED[name]
    answer = webhooks.push(make())
    assert (answer.status, answer.result, answer.code) == (403, PushResult.VERIFICATION_FAILED, code)
    assert (webhooks.sent, answer.body) == ([], "")
    assert not {"@", PATH, PROVIDER.signing_key} & set(answer.reason.split())


SIGNS_EVERY_BIT: Final = ("mailersend", "emailit", "sweego", "resend", "ahasend", "sendgrid", "postal", "vonage")


@pytest.mark.parametrize("name", SIGNS_EVERY_BIT)
def test_no_bit_of_the_body_can_be_changed(webhooks: Webhooks, name: str) -> None:
    push = GENUINE[name]()
    for place in range(len(push.body)):
        changed = bytearray(push.body)
        changed[place] ^= 1 << place % 8
        answer = webhooks.push(altered(push, body=bytes(changed)))
        assert (answer.status, answer.code) == (403, DIGEST if name == "vonage" else SIGNATURE)


@pytest.mark.parametrize("name", GENUINE)
def test_whatever_is_broken_is_refused_and_never_an_error(webhooks: Webhooks, name: str) -> None:
    """Bytes that are changed, cut off or doubled, anywhere in body, headers and query."""
    push, chance = GENUINE[name](), random.Random(name)
    for _ in range(40):
        body, query = bytearray(push.body), bytearray(urlsplit(push.url).query.encode())
        headers = {key: bytearray(value.encode()) for key, value in push.headers.items()}
        text = chance.choice([each for each in (body, query, *headers.values()) if each])
        place = chance.randrange(len(text))
        text[place : place + chance.choice((0, 1, 9))] = chance.choice((b"", b"\xff", b"0", b'"', b"{", b"=&%"))
        broken = Push(
            push.url.partition("?")[0] + ("?" + query.decode("latin-1") if query else ""),
            {key: value.decode("latin-1") for key, value in headers.items()},
            bytes(body),
        )
        answer = webhooks.push(broken)
        assert answer.status in (200, 403)
        assert bool(webhooks.queued()) is (answer.status == 200)


@pytest.mark.parametrize("name", sorted({_name(make()) for make in GENUINE.values()}))
def test_without_a_key_nothing_is_proven(name: str) -> None:
    """A secret in the path is right, and is no signature."""
    webhooks = Webhooks({"path": PATH, "sources": {name: {}}}, NOW)
    for each in (make() for genuine, make in GENUINE.items() if genuine.partition(",")[0] == name):
        answer = webhooks.push(each)
        assert answer.status == (403 if all(proof.key for proof in PROVIDERS[name].proofs) else 200)


@pytest.mark.parametrize("name", ["mailgun", "mailomat"])
def test_where_the_body_is_not_signed_a_secret_is_needed(name: str) -> None:
    webhooks = Webhooks(document(PROVIDER, path=""), NOW)
    push = mailgun(secret="") if name == "mailgun" else mailomat(secret="")
    assert webhooks.push(push).code == FailureCode.UNPROVABLE
    by_password = Webhooks(document(PROVIDER, path="", basic="user:a-password"), NOW)
    asked = altered(push, {"authorization": "Basic " + base64.b64encode(b"user:a-password").decode()})
    assert by_password.push(asked).status == 200


def test_where_the_body_is_signed_none_is(webhooks: Webhooks) -> None:
    webhooks.document = document(PROVIDER, path="")
    for make in (mailersend, sendgrid, postal, resend):
        push = make()
        assert webhooks.push(altered(push, url=url(_name(push), ""))).status == 200


def test_a_token_says_nothing_of_a_query_that_it_does_not_name() -> None:
    push = Push(f"{url('vonage', '')}?msisdn=1&status=delivered", {}, b"")
    signed = signing.jwt(PROVIDER, proof_of("vonage"), push, NOW)
    assert Webhooks(document(PROVIDER, path=""), NOW).push(signed, "GET").code == FailureCode.UNPROVABLE
    with_path = altered(signed, url=signed.url.replace("vonage?", f"vonage/{PATH}?"))
    assert Webhooks(document(PROVIDER), NOW).push(with_path, "GET").status == 200


def test_who_has_no_key_is_proven_by_the_secret_and_who_has_one_by_nothing_less() -> None:
    plain = Push(url("vonage"), JSON, BODY)
    assert Webhooks({"path": PATH, "sources": {"vonage": {}}}, NOW).push(plain).status == 200
    assert Webhooks(document(PROVIDER), NOW).push(plain).code == FailureCode.SCHEME


def test_user_and_password_are_part_of_an_address_that_is_signed() -> None:
    authorization = {"authorization": "Basic " + base64.b64encode(b"user:p@ss word").decode()}
    for written in ("user:p@ss word@", "user:p%40ss%20word@", ""):
        for make, name in ((mandrill, "mandrill"), (twilio, "twilio")):
            webhooks = Webhooks(document(PROVIDER, basic="user:p@ss word"), NOW)
            called = url(name).replace("https://", f"https://{written}")
            pushed = make(url=called) if make is mandrill else twilio(called=called)
            assert webhooks.push(altered(pushed, authorization)).status == 200
    assert spell_urls("https://h.example:8443/a", ()) == ["https://h.example:8443/a"]


def test_an_address_of_its_own() -> None:
    """What the provider called is signed, and not what AWS calls it."""
    called = f"https://hooks.example.com/in/feedback/twilio/{PATH}"
    push = altered(signing.url_form(PROVIDER, proof_of("twilio"), Push(called, FORM, FIELDS)), url=url("twilio"))
    assert Webhooks(document(PROVIDER), NOW).push(push).code == SIGNATURE
    assert Webhooks(document(PROVIDER), NOW, PUBLIC_URL="https://hooks.example.com/in").push(push).status == 200


def test_of_an_account_and_its_parent_one_has_to_be_known() -> None:
    push = mailgun(body=mailgun(STRANGER).body, member="parent-signature")
    for known in (PROVIDER, STRANGER):
        assert Webhooks(document(known), NOW).push(push).status == 200
    assert Webhooks(document(signing.Authority()), NOW).push(push).code == SIGNATURE


class TestUsedTokens:
    """A token is good for what it first came with, as often as that comes."""

    def test_the_same_again_is_taken(self, webhooks: Webhooks) -> None:
        push = mailgun()
        assert [webhooks.push(push).status for _ in range(3)] == [200] * 3

    def test_what_we_could_not_take_is_taken_when_it_comes_again(self, webhooks: Webhooks) -> None:
        push = mailgun()
        webhooks.broken = True
        assert webhooks.push(push).status == 503
        webhooks.broken = False
        webhooks.now += timedelta(hours=4)
        assert webhooks.push(push).status == 200
        assert len(webhooks.sent) == 1

    def test_written_in_another_way_it_is_the_same(self, webhooks: Webhooks) -> None:
        for push in (mailgun(token="t" * 50), parted(legacy())):
            assert webhooks.push(push).status == 200
        push = mailgun(token="t" * 50)
        body = json.dumps(dict(reversed(json.loads(push.body).items())), indent=1).encode()
        assert webhooks.push(altered(push, body=body)).status == 200

    @pytest.mark.parametrize("kind", ["JSON", "form", "parts"])
    def test_another_body_under_it_is_refused(self, webhooks: Webhooks, kind: str) -> None:
        push = {"JSON": mailgun(), "form": legacy(), "parts": parted(legacy())}[kind]
        other = altered(push, body=push.body.replace(b'"id": "x"', b'"id": "y"').replace(b"dropped", b"bounced"))
        assert other.body != push.body
        assert webhooks.push(push).status == 200
        refused = webhooks.push(other)
        assert (refused.status, refused.code) == (403, FailureCode.REPLAYED)
        assert webhooks.push(push).status == 200
        assert len(webhooks.sent) == 2

    def test_what_is_refused_uses_no_token(self, webhooks: Webhooks) -> None:
        push = mailgun(token="t" * 50)
        assert webhooks.push(altered(push, url=url("mailgun", "a-secret-in-the-path-of-us"))).status == 403
        assert webhooks.push(mailgun(STRANGER, body=b'{"event-data":{}}', token="t" * 50)).status == 403
        assert webhooks.push(push).status == 200


# ---- What providers ask to see ---------------------------------------------------------------------------------------


class TestAnswers:
    def test_the_test_of_an_address_is_answered_before_there_is_a_key(self) -> None:
        """The key is shown once the address has answered."""
        webhooks = Webhooks({"path": PATH, "sources": {"mandrill": {}}}, NOW)
        test = mandrill(body="mandrill_events=%5B%5D", key_text="test-webhook")
        answer = webhooks.push(test)
        assert (answer.status, answer.result, webhooks.sent) == (200, PushResult.IGNORED, [])
        assert webhooks.push(mandrill(key_text="test-webhook")).status == 403
        assert webhooks.push(altered(test, url=url("mandrill", ""))).status == 403

    @pytest.mark.parametrize(("name", "method"), [("mandrill", "HEAD"), ("unisender", "GET"), ("messagebird", "GET")])
    def test_who_asks_whether_anybody_is_there(self, webhooks: Webhooks, name: str, method: str) -> None:
        answer = webhooks.push(Push(url(name), {}, b""), method)
        assert (answer.status, answer.result, answer.body) == (200, PushResult.PROBED, "")
        assert webhooks.push(Push(url(name, "a-secret-in-the-path-of-us"), {}, b""), method).status == 403
        webhooks = Webhooks({"path": PATH}, NOW)
        assert webhooks.push(Push(url(name), {}, b""), method).status == 404
        assert webhooks.sent == []

    @pytest.mark.parametrize(
        ("name", "method", "allow"),
        [
            ("mandrill", "GET", "HEAD, POST"),
            ("sendgrid", "GET", "POST"),
            ("azure", "GET", "OPTIONS, POST"),
            ("jasmin", "PUT", "GET, POST"),
        ],
    )
    def test_another_method(self, webhooks: Webhooks, name: str, method: str, allow: str) -> None:
        answer = webhooks.push(Push(url(name), {}, b""), method)
        assert (answer.status, answer.headers) == (405, {"allow": allow})

    @pytest.mark.parametrize("name", ["jasmin", "elastic", "vonage", "messagebird"])
    def test_a_status_in_the_query_is_queued_as_a_form(self, webhooks: Webhooks, name: str) -> None:
        keys = bird() if name == "messagebird" else Push(f"{url(name)}?{QUERY}", {"content-type": "text/html"}, b"")
        if name == "vonage":
            keys = signing.jwt(PROVIDER, proof_of(name), keys, NOW)
        answer = webhooks.push(keys, "GET")
        assert (answer.status, answer.result) == (200, PushResult.ACCEPTED)
        assert webhooks.queued() == [(QUERY.encode(), {"content-type": URLENCODED})]

    def test_an_answer_that_is_read(self, webhooks: Webhooks) -> None:
        answer = webhooks.push(Push(url("jasmin"), FORM, b"id=1&message_status=DELIVRD"))
        assert answer.to_http() == {
            "statusCode": 200,
            "headers": {"content-type": "text/plain; charset=utf-8"},
            "body": "ACK/Jasmin",
        }
        assert webhooks.queued()[0][0] == b"id=1&message_status=DELIVRD"

    def test_pings_are_safe_as_anything_else(self, webhooks: Webhooks) -> None:
        assert webhooks.push(Push(url("sparkpost"), JSON, b'[{"msys":{}}]')).status == 200
        assert webhooks.push(mailersend(body=b'{"type":"webhook.test"}')).status == 200
        assert len(webhooks.sent) == 2


def validation(code: object = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6", **more: Any) -> bytes:
    kind = "Microsoft.EventGrid.SubscriptionValidationEvent"
    data = {"validationCode": code, "validationUrl": "https://example.com/validate"}
    return json.dumps([{"id": "1", "eventType": kind, "data": data} | more]).encode()


class TestHandshakes:
    def test_the_code_of_a_new_subscription_is_returned(self, webhooks: Webhooks) -> None:
        answer = webhooks.push(Push(url("azure"), JSON, validation()))
        assert answer.result == PushResult.CONFIRMED
        assert answer.to_http() == {
            "statusCode": 200,
            "headers": {"content-type": "application/json"},
            "body": '{"validationResponse":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}',
        }
        assert webhooks.sent == []

    def test_only_who_knows_the_secret_gets_it(self, webhooks: Webhooks) -> None:
        for secret in ("", "a-secret-in-the-path-of-us"):
            answer = webhooks.push(Push(url("azure", secret), JSON, validation()))
            assert (answer.status, answer.body) == (403, "")
        assert Webhooks(document(PROVIDER, path=""), NOW).push(Push(url("azure", ""), JSON, validation())).status == 403

    @pytest.mark.parametrize("code", ["", None, 7, "a b", "x" * 513, 'a"b\n'])
    def test_what_is_no_code_is_not_returned(self, webhooks: Webhooks, code: object) -> None:
        answer = webhooks.push(Push(url("azure"), JSON, validation(code)))
        assert (answer.status, answer.code, answer.body) == (403, MALFORMED, "")

    @pytest.mark.parametrize(
        "body",
        [
            b'[{"eventType":"other","data":{"text":"Microsoft.EventGrid.SubscriptionValidationEvent"}}]',
            validation()[:-1] + b', {"eventType":"Delivered","data":{}}]',
            b"Microsoft.EventGrid.SubscriptionValidationEvent",
        ],
    )
    def test_what_only_mentions_it_is_queued(self, webhooks: Webhooks, body: bytes) -> None:
        assert webhooks.push(Push(url("azure"), JSON, body)).result == PushResult.ACCEPTED
        assert webhooks.queued()[0][0] == body

    def test_who_asks_where_it_may_push_is_allowed(self, webhooks: Webhooks) -> None:
        asking = {"webhook-request-origin": "eventgrid.azure.net", "webhook-request-rate": "120"}
        answer = webhooks.push(Push(url("azure"), asking, b""), "OPTIONS")
        assert answer.to_http() == {
            "statusCode": 200,
            "headers": {
                "webhook-allowed-origin": "eventgrid.azure.net",
                "webhook-allowed-rate": "120",
                "allow": "OPTIONS, POST",
            },
            "body": "",
        }
        assert webhooks.sent == []

    @pytest.mark.parametrize(
        "headers",
        [{}, {"webhook-request-origin": "a b"}, {"webhook-request-origin": "https://x/"}, {"origin": "a.example"}],
    )
    def test_who_names_no_host_is_not(self, webhooks: Webhooks, headers: dict[str, str]) -> None:
        answer = webhooks.push(Push(url("azure"), headers, b""), "OPTIONS")
        assert (answer.status, answer.code, answer.headers) == (403, MALFORMED, {})

    def test_nobody_is_allowed_without_the_secret(self, webhooks: Webhooks) -> None:
        asking = {"webhook-request-origin": "eventgrid.azure.net"}
        assert webhooks.push(Push(url("azure", ""), asking, b""), "OPTIONS").status == 403


# ---- Keys ------------------------------------------------------------------------------------------------------------

CURVE: Final = PROVIDER.show_public_key("ecdsa-sha256")
RSA: Final = PROVIDER.show_public_key("rsa-sha256")
LINES: Final = "\n".join(RSA[place : place + 64] for place in range(0, len(RSA), 64))


class TestKeys:
    @pytest.mark.parametrize(
        "text",
        [RSA, LINES, LINES + "\n", f"-----BEGIN PUBLIC KEY-----\r\n{LINES}\r\n-----END PUBLIC KEY-----\r\n"],
        ids=["base64", "lines", "a line more", "PEM"],
    )
    def test_a_public_key_may_have_line_breaks(self, text: str) -> None:
        assert Webhooks({"path": PATH, "sources": {"postal": {"public_key": text}}}, NOW).push(postal()).status == 200

    @pytest.mark.parametrize(
        ("source", "entry"),
        [
            ("sendgrid", {"public_key": RSA}),
            ("postal", {"public_key": CURVE}),
            ("postal", {"public_key": "A" * 80}),
            ("postal", {"public_key": "short"}),
            ("postal", {"signing_key": "a key of another kind"}),
            ("resend", {"signing_key": "whsec_not base64"}),
            ("resend", {"signing_key": "whsec_"}),
            ("resend", {"signing_key": ""}),
            ("resend", {"signing_key": "a\nb"}),
        ],
    )
    def test_one_that_cannot_be_right_is_our_own_trouble(self, source: str, entry: dict[str, str]) -> None:
        """It is named, and no key is quoted."""
        answer = Webhooks({"path": PATH, "sources": {source: entry}}, NOW).push(
            {"sendgrid": sendgrid, "postal": postal, "resend": resend}[source]()
        )
        assert (answer.status, answer.result) == (503, PushResult.NOT_READY)
        ((kind, key),) = entry.items()
        assert kind in answer.reason
        assert not key or key not in answer.reason

    def test_a_key_that_no_proof_of_a_source_needs_is_a_mistake(self) -> None:
        with pytest.raises(ConfigurationError, match=r"\$\.sources\.postmark\.signing_key: postmark has no way"):
            read_document('{"sources": {"postmark": {"signing_key": "x"}}}', PROVIDERS)

    def test_several_at_once(self) -> None:
        found = read_document(json.dumps({"sources": {"resend": {"signing_key": ["new", "old"]}}}), PROVIDERS)
        assert found.sources["resend"] == WebhookCredentials(signing_key=("new", "old"))


# ---- Vectors that vendors publish ------------------------------------------------------------------------------------


def verify(row: Source, request: PushRequest, seconds: int, key: str) -> None:
    trust = Trust(credentials=WebhookCredentials(path=(PATH,), signing_key=(key,)))
    at = NOW + (timedelta(seconds=seconds) - timedelta(seconds=NOW.timestamp()))
    check(request, row.proofs, trust, at)


def test_the_vector_of_svix() -> None:
    headers = {
        "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "svix-timestamp": "1614265330",
        "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    request = PushRequest(source="resend", secret=PATH, url="", path="", headers=headers, body=b'{"test": 2432232314}')
    verify(PROVIDERS["resend"], request, 1_614_265_330, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


def test_the_vector_of_twilio() -> None:
    query = "foo=1&bar=2&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    request = PushRequest(
        source="twilio",
        secret=PATH,
        url=f"https://mycompany.com/myapp.php?{query}",
        path="",
        query=query,
        headers=JSON | {"x-twilio-signature": "a9nBmqA0ju/hNViExpshrM61xv4="},
        body=b'{"property": "value", "boolean": true}',
    )
    verify(PROVIDERS["twilio"], request, 0, "12345")


def test_fields_are_signed_in_the_order_of_their_names_and_each_value_once() -> None:
    """Written out here, and not made by our own signer."""
    text = url("twilio") + "EmptyMessageStatusdeliveredTagaTagbTo+4915550000x\u00fc y"
    key = PROVIDER.signing_key.encode()
    signature = base64.b64encode(hmac.digest(key, text.encode(), "sha1")).decode()
    push = Push(url("twilio"), FORM | {"x-twilio-signature": signature}, FIELDS)
    assert Webhooks(document(PROVIDER), NOW).push(push).status == 200


# ---- Proofs out of a file --------------------------------------------------------------------------------------------


class TestBuild:
    @pytest.mark.parametrize(
        ("values", "made"),
        [
            ({"scheme": "secret"}, "postmark"),
            ({"scheme": "secret", "kinds": ["path"]}, "jasmin"),
            ({"scheme": "hmac_body", "header": "signature"}, "mailersend"),
            ({"scheme": "standard_webhooks", "key_encoding": "text"}, "ahasend"),
            ({"scheme": "rsa", "header": "x-postal-signature-256"}, "postal"),
            ({"scheme": "digest_in_body", "member": "auth"}, "unisender"),
            (
                {
                    "scheme": "hmac_body",
                    "header": "x-mom-webhook-signature",
                    "signed": "{x-mom-webhook-id}.{x-mom-webhook-event}.{x-mom-webhook-timestamp}",
                    "prefix": "sha256=",
                },
                "mailomat",
            ),
        ],
    )
    def test_it_is_the_one_that_a_row_would_have(self, values: dict[str, Any], made: str) -> None:
        assert build_proof(values) == PROVIDERS[made].proofs[0]

    @pytest.mark.parametrize(
        ("values", "named"),
        [
            ({"scheme": "sns"}, "scheme: one of"),
            ({"scheme": ["hmac_body"]}, "scheme: one of"),
            ({"scheme": "hmac_body"}, "header"),
            ({"scheme": "hmac_body", "header": 7}, "header: Expected `str`"),
            ({"scheme": "hmac_body", "header": "Signature"}, "header: not of a form"),
            ({"scheme": "hmac_body", "header": "a", "digest": "md4"}, "digest: Invalid enum value"),
            ({"scheme": "hmac_body", "header": "a", "signed": "{Body}"}, "signed: not of a form"),
            ({"scheme": "hmac_body", "header": "a", "signed": "body"}, "signed: not of a form"),
            ({"scheme": "hmac_body", "header": "a", "needs": []}, "needs: unknown here; known are header"),
            ({"scheme": "secret", "kinds": ["token"]}, "kinds: Invalid enum value"),
            ({"scheme": "secret", "header": "a"}, "header: unknown here"),
            ({"scheme": "jwt", "header": "a"}, "issuer"),
        ],
    )
    def test_a_mistake_is_named(self, values: dict[str, Any], named: str) -> None:
        with pytest.raises(ConfigurationError, match=named):
            build_proof(values)

    def test_what_a_file_may_name_is_what_needs_no_list_of_the_operators(self) -> None:
        least = {"header": "x-a", "member": "a", "issuer": "a"}
        for name in MAKERS:
            given = {key: value for key, value in least.items() if key in MAKERS[name].__annotations__}
            proof = build_proof({"scheme": name, **given})
            assert (proof.senders, proof.narrowed) == ("", "")
            assert proof.needs <= proof.secrets
            assert proof.key in WebhookCredentials.__struct_fields__


# ---- Forms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind", "fields"),
    [
        (b"", URLENCODED, []),
        (b"a=1&b=&c&=d&&a=2", URLENCODED, [(b"a", b"1"), (b"b", b""), (b"c", b""), (b"", b"d"), (b"a", b"2")]),
        (b"a%3D+b=%FF%2", f"{URLENCODED}; charset=utf-8", [(b"a= b", b"\xff%2")]),
        (
            b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n2\r\n--X\r\nother: x\r\n\r\ny\r\n--X--\r\n',
            "Multipart/Form-Data; boundary=X",
            [(b"a", b"1\r\n2")],
        ),
    ],
)
def test_a_form_is_read_to_its_bytes(body: bytes, kind: str, fields: list[tuple[bytes, bytes]]) -> None:
    assert read_form(body, kind) == fields


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"a&" * (MAX_FIELDS + 1), URLENCODED),
        (b"\r\n--X" * (MAX_FIELDS + 3), "multipart/form-data; boundary=X"),
        (b"x", "multipart/form-data; boundary=X"),
        (b"x", "multipart/form-data"),
    ],
)
def test_what_is_no_form_is_none(body: bytes, kind: str) -> None:
    with pytest.raises(ValueError, match="a form of"):
        read_form(body, kind)


def test_a_form_that_urllib_writes_is_read_as_it_was() -> None:
    pairs = [("a b", "ü=&%\r\n"), ("a b", ""), ("", "+")]
    assert [(name.decode(), value.decode()) for name, value in read_form(urlencode(pairs).encode())] == pairs

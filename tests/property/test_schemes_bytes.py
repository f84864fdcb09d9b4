"""Whatever single byte of a push is changed that its proof is about: it is refused. No other error ever comes of it."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.errors import VerificationError
from aftersend.sources import SOURCES
from aftersend.webhooks.schemes import PushRequest, Trust, WebhookCredentials, check, verify_signature
from local import signing
from local.signing import ACCOUNT, TOPIC, Push
from tests.support.webhooks import HOST, NOW, PATH, PROVIDER, WEAK, url

MESSAGE: Final = '{"eventType":"Send","mail":{"messageId":"m1","destination":["jürgen@example.net"]}}'
LEGACY: Final = "env_id=60001&event=deliver&err_msg=a <b> & c"
TRUST: Final = Trust(
    credentials=WebhookCredentials(path=(PATH,)),
    senders={"topics": frozenset({TOPIC}), "accounts": frozenset({ACCOUNT})},
)

PUSHES: Final[dict[str, Push]] = {
    "sns 1": signing.sns(PROVIDER, url("ses"), MESSAGE, NOW, SignatureVersion="1"),
    "sns 2": signing.sns(PROVIDER, url("ses"), MESSAGE, NOW, Subject="Hello"),
    "sns confirmation": signing.sns_confirmation(PROVIDER, url("ses"), NOW),
    "mns JSON": signing.mns_json(PROVIDER, url("directmail"), LEGACY, NOW),
    "mns XML": signing.mns_xml(PROVIDER, url("directmail"), LEGACY, NOW),
    "mns SIMPLIFIED": signing.mns_simplified(PROVIDER, url("directmail"), LEGACY, NOW),
    "eventbridge": signing.eventbridge(PROVIDER, url("directmail"), MESSAGE, NOW, token="a-token"),
    "eventbridge, line feed": signing.eventbridge(PROVIDER, url("directmail"), MESSAGE, NOW, end="\n"),
}
OLD: Final = signing.mns_json(WEAK, url("directmail"), LEGACY, NOW)


def request(source: str, headers: dict[str, str], body: bytes, where: str) -> PushRequest:
    return PushRequest(source=source, secret=PATH, url=where, path=where.partition(HOST)[2], headers=headers, body=body)


def is_believed(push: Push, authority: signing.Authority = PROVIDER, trust: Trust = TRUST) -> bool:
    """As `receive` does it: the certificate is the one that lies where the push says."""
    asked = request(push.url.split("/")[4], push.headers, push.body, push.url)
    try:
        made = check(asked, SOURCES[asked.source].proofs, trust, NOW)
        if made.signature is not None:
            found = authority.fetch(made.signature.certificate_url)
            if found.status != 200:
                return False
            verify_signature(made.signature, found.content)
    except VerificationError:
        return False
    return True


@pytest.mark.parametrize("name", PUSHES)
def test_it_is_believed_as_it_is(name: str) -> None:
    assert is_believed(PUSHES[name])
    assert is_believed(OLD, WEAK)


def is_same_signature(one: str, other: str) -> bool:
    """The last character of base64 may have bits that mean nothing."""
    try:
        return base64.b64decode(one, validate=True) == base64.b64decode(other, validate=True)
    except (binascii.Error, ValueError):
        return False


def signed_by_sns(body: bytes) -> Any:
    """All that a signature of SNS is about, and the signature itself. The rest of a body may be anything."""
    try:
        message = json.loads(body.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    keys = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
    values = tuple(message.get(key) for key in (*keys, "SignatureVersion", "SigningCertURL"))
    try:
        return values, base64.b64decode(str(message.get("Signature")), validate=True)
    except (binascii.Error, ValueError):
        return None


@given(st.sampled_from(sorted(PUSHES)), st.data())
def test_another_byte_in_the_body(name: str, data: st.DataObject) -> None:
    push = PUSHES[name]
    place = data.draw(st.integers(0, len(push.body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda each: each != push.body[place]))
    changed = Push(push.url, push.headers, push.body[:place] + bytes([byte]) + push.body[place + 1 :])
    if name.startswith("sns"):
        same = signed_by_sns(changed.body) == signed_by_sns(push.body)
        assert same or not is_believed(changed)
    else:
        assert not is_believed(changed)


@given(st.sampled_from(sorted(PUSHES)), st.data())
def test_a_byte_less_in_the_body(name: str, data: st.DataObject) -> None:
    push = PUSHES[name]
    start = data.draw(st.integers(0, len(push.body) - 1))
    end = data.draw(st.integers(start + 1, len(push.body)))
    changed = Push(push.url, push.headers, push.body[:start] + push.body[end:])
    if name.startswith("sns"):
        assert signed_by_sns(changed.body) == signed_by_sns(push.body) or not is_believed(changed)
    else:
        assert not is_believed(changed)


SIGNED: Final = [
    (name, header)
    for name, push in PUSHES.items()
    for header in push.headers
    if header.startswith(("x-mns-", "x-eventbridge-"))
    or header in ("content-md5", "date", "authorization", "x-amz-sns-message-type")
    or (header == "content-type" and name.startswith("mns"))
]
SIGNATURES: Final = ("authorization", "x-eventbridge-signature-v2")


@given(st.sampled_from(SIGNED), st.data())
def test_another_character_in_a_header_that_is_signed(which: tuple[str, str], data: st.DataObject) -> None:
    """But for the case of a Content-Type: MNS signs it in small letters, or so some say."""
    name, header = which
    push = PUSHES[name]
    was = push.headers[header]
    place = data.draw(st.integers(0, len(was) - 1))
    character = data.draw(st.characters(min_codepoint=32, max_codepoint=255).filter(lambda each: each != was[place]))
    now = was[:place] + character + was[place + 1 :]
    changed = Push(push.url, push.headers | {header: now}, push.body)
    same = (header == "content-type" and now.lower() == was) or (header in SIGNATURES and is_same_signature(now, was))
    assert same or not is_believed(changed)


@given(st.sampled_from(SIGNED))
def test_a_signed_header_less(which: tuple[str, str]) -> None:
    name, header = which
    push = PUSHES[name]
    left = {each: value for each, value in push.headers.items() if each != header}
    assert not is_believed(Push(push.url, left, push.body))


@given(st.text("abcdefgh-", min_size=1, max_size=12), st.text(max_size=20))
def test_a_header_of_mns_more(name: str, value: str) -> None:
    for each in ("mns JSON", "mns XML", "mns SIMPLIFIED"):
        push = PUSHES[each]
        assert not is_believed(Push(push.url, push.headers | {f"x-mns-new-{name}": value}, push.body))


@given(st.integers(0, len(OLD.body) - 1), st.integers(1, 255))
def test_another_byte_under_the_old_key(place: int, difference: int) -> None:
    body = bytearray(OLD.body)
    body[place] ^= difference
    assert not is_believed(Push(OLD.url, OLD.headers, bytes(body)), WEAK)


HEADERS: Final = st.dictionaries(
    st.sampled_from(
        [
            *sorted({name for push in PUSHES.values() for name in push.headers}),
            "x-amz-sns-rawdelivery",
            "x-mns-x",
            "x-eventbridge-signature",
        ]
    ),
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(sorted({text for push in PUSHES.values() for text in push.headers.values()})),
        st.text("0123456789", max_size=30),
        st.binary(max_size=40).map(lambda some: base64.b64encode(some).decode()),
        st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    ),
)
VALUES: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.sampled_from([TOPIC, "Notification", "1", "2"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=6,
)
BODIES: Final = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([push.body for push in PUSHES.values()]),
    st.dictionaries(
        st.sampled_from(sorted({*json.loads(PUSHES["sns 2"].body), *json.loads(PUSHES["mns JSON"].body)})), VALUES
    ).map(lambda each: json.dumps(each).encode()),
    st.text("<>/&;![]Notification TopicOwner'\"=", max_size=80).map(lambda each: b"<Notification>" + each.encode()),
)


PUSHED: Final = {name: {each.scheme for each in source.proofs} for name, source in SOURCES.items() if source.proofs}


@given(st.sampled_from(sorted(PUSHED)), HEADERS, BODIES, st.booleans())
def test_whatever_comes_is_believed_or_refused(
    source: str, headers: dict[str, str], body: bytes, has_path: bool
) -> None:
    """No other error, and nothing is believed that was not signed so."""
    secrets = (
        WebhookCredentials(path=(PATH,))
        if has_path
        else WebhookCredentials(bearer=("a-secret-for-it",), basic=("a:password",))
    )
    push = Push(url(source), headers, body)
    believed = is_believed(push, trust=Trust(credentials=secrets, senders=TRUST.senders))
    if believed and "secret" not in PUSHED[source] and headers.get("x-amz-sns-rawdelivery") != "true":
        assert body in [each.body for each in PUSHES.values()]

"""Signature Version 4: ours is botocore's, for whatever request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote, unquote

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.aws.sigv4 import Signer, UnsignedRequest, build_authorization, encode_path

NOW = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
REGION = "cn-north-1"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
segments = st.one_of(texts, st.sampled_from(["", ".", "..", "a b", "é", "%2F", "~", "+", "=&?#"]))
paths = st.lists(segments, max_size=6).map(lambda parts: "/" + "/".join(parts))
queries = st.lists(st.tuples(texts, texts), max_size=4)
names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map("x-".__add__)
values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f\x85"), max_size=20)
headers = st.dictionaries(names, values, max_size=5)
secrets = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@pytest.fixture(autouse=True, scope="module")
def _now() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: NOW)
        yield


def _theirs(
    service: str, method: str, url: str, headers: dict[str, str], body: bytes, secret: str, token: str | None
) -> AWSRequest:
    request = AWSRequest(method, url, headers, body)
    kind = botocore.auth.S3SigV4Auth if service == "s3" else botocore.auth.SigV4Auth
    kind(Credentials("AKID", secret, token), service, REGION).add_auth(request)
    return request


@given(
    st.sampled_from(["dynamodb", "s3", "sqs", "ssm", "execute-api"]),
    st.sampled_from(["GET", "PUT", "POST", "DELETE"]),
    paths,
    queries,
    headers,
    st.binary(max_size=50),
    secrets,
    st.none() | secrets,
)
@example("dynamodb", "POST", "/", [], {}, b"{}", "s", None)
@example("s3", "PUT", "/source=ses/date=2026-03-02/hour=10/é /../x.gz", [], {}, b"", "s", "t")
@example("execute-api", "GET", "/a//./b/../c/", [("b", "2"), ("a", "x y"), ("a", "")], {}, b"", "s", None)
def test_every_request_is_signed_as_botocore_signs_it(
    service: str,
    method: str,
    path: str,
    query: list[tuple[str, str]],
    given_headers: dict[str, str],
    body: bytes,
    secret: str,
    token: str | None,
) -> None:
    sent = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    url = f"https://host.example.com:8443{encode_path(path)}{sent and '?'}{sent}"
    theirs = _theirs(service, method, url, given_headers, body, secret, token)
    expected = theirs.headers["Authorization"]
    signed = {name.lower(): value for name, value in theirs.headers.items() if name != "Authorization"}
    signed |= {"host": "host.example.com:8443"}
    request = UnsignedRequest(method, encode_path(path), sent, signed, sha256(body).hexdigest())
    keys = {"key_id": "AKID", "secret": secret, "region": REGION, "service": service}
    assert build_authorization(request, **keys) == expected
    signer = Signer(request, **keys)
    assert signer.sign(sha256(b"another, before").hexdigest()) != signer.sign(request.digest)
    assert signer.prefix + signer.sign(request.digest) == expected


@given(paths)
def test_a_path_goes_over_the_wire_as_letters_and_comes_back_as_it_was(path: str) -> None:
    sent = encode_path(path)
    assert sent.isascii()
    assert not set(sent) & set(" ?#\r\n")
    assert unquote(sent) == path


def test_a_signature_depends_on_everything() -> None:
    base = UnsignedRequest("POST", "/", "", {"host": "h", "x-amz-date": "20260301T000000Z"})
    keys = {"key_id": "A", "secret": "s", "region": "r", "service": "v"}
    others = [
        UnsignedRequest("PUT", base.path, base.query, base.headers),
        UnsignedRequest(base.method, "/x", base.query, base.headers),
        UnsignedRequest(base.method, base.path, "a=", base.headers),
        UnsignedRequest(base.method, base.path, base.query, {**base.headers, "host": "i"}),
        UnsignedRequest(base.method, base.path, base.query, {**base.headers, "x-amz-date": "20260302T000000Z"}),
    ]
    digest = sha256(b"").hexdigest()
    signatures = {Signer(each, **keys).sign(digest) for each in [base, *others]}
    signatures |= {Signer(base, **keys | {name: "other"}).sign(digest) for name in keys}
    signatures.add(Signer(base, **keys).sign(sha256(b"x").hexdigest()))
    assert len(signatures) == 2 + len(others) + len(keys) - 1, "the key's id is sent, and not signed"

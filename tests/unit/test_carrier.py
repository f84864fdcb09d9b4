"""Bodies on their way through a queue: no byte changes, and the headers stay with them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.carrier import KEPT, kept, pack, unpack

# SQS API reference, SendMessage: the characters of a message.
_FIT = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")


@given(
    st.binary() | st.text().map(str.encode),
    st.dictionaries(st.sampled_from(KEPT), st.from_regex(r"[a-z/;]{1,256}", fullmatch=True)),
)
def test_what_was_packed_comes_out(body: bytes, headers: dict[str, str]) -> None:
    text, attributes = pack(body, headers)
    assert unpack(text, attributes) == (body, headers)
    assert not text or _FIT.fullmatch(text)


def test_a_readable_body_stays_readable() -> None:
    assert pack("é=1".encode()) == ("é=1", {})


@pytest.mark.parametrize("attributes", [{}, {"source": "ses"}, {"coding": "base64"}, {"coding": "gzip"}])
def test_a_body_that_we_did_not_pack_is_as_it_is(attributes: dict[str, str]) -> None:
    assert unpack("{not base64}", attributes) == (b"{not base64}", {})


def test_only_some_headers_travel_and_each_is_bounded() -> None:
    headers = {"Content-Type": "x" * 1000, "Authorization": "secret", "x-queue": "results", "content-encoding": ""}
    assert kept(headers) == {"content-type": "x" * 256, "x-queue": "results"}
    assert unpack("b", {"header.authorization": "secret", "header.x-queue": "results"})[1] == {"x-queue": "results"}

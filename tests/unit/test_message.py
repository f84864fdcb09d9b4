"""Bodies on their way through a queue: no byte changes, and the headers stay with them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.sources.message import (
    FORWARDED_HEADERS,
    build_sqs_attributes,
    clean_attribute,
    measure_size,
    pack,
    select_headers,
    unpack,
)

# SQS API reference, SendMessage: the characters of a message.
_FIT = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")


@given(
    st.binary() | st.text().map(str.encode),
    st.dictionaries(st.sampled_from(FORWARDED_HEADERS), st.from_regex(r"[a-z/;]{1,256}", fullmatch=True)),
)
def test_what_was_packed_comes_out(body: bytes, headers: dict[str, str]) -> None:
    text, attributes = pack(body, "ses", headers)
    assert unpack(text, attributes) == (body, headers)
    assert _FIT.fullmatch(text), "and no queue takes an empty text"
    assert measure_size(text, attributes) >= len(text) + len("".join(attributes))


def test_a_readable_body_stays_readable() -> None:
    assert pack("é=1".encode(), "ses") == ("é=1", {"source": "ses"})


@pytest.mark.parametrize(
    "attributes", [{}, {"source": "ses"}, {"coding": "base64"}, {"coding": "gzip"}, {"coding": "empty"}]
)
def test_a_body_that_we_did_not_pack_is_as_it_is(attributes: dict[str, str]) -> None:
    for text in ("{not base64}", "{four}"):  # the letters of the second would be base64, if the others were left out
        assert unpack(text, attributes) == (text.encode(), {})


def test_only_some_headers_travel_and_each_is_bounded() -> None:
    headers = {"Content-Type": "x" * 1000, "Authorization": "secret", "x-queue": "results", "content-encoding": ""}
    assert select_headers(headers) == {"content-type": "x" * 256, "x-queue": "results"}
    assert unpack("b", {"header.authorization": "secret", "header.x-queue": "results"})[1] == {"x-queue": "results"}


def test_nothing_stays_nothing_and_a_dash_a_dash() -> None:
    assert unpack(*pack(b"", "ses")) == (b"", {})
    assert unpack(*pack(b"-", "ses")) == (b"-", {})


@pytest.mark.parametrize("value", ["", "\x00\ufffe\n", "\ud800", "é" * 300, "a\uffffb", '"' * 300])
def test_an_attribute_is_what_sqs_takes(value: str) -> None:
    """Its characters are those of a body, and it must not be empty."""
    (attribute,) = build_sqs_attributes({"name": clean_attribute(value)}).values()
    assert _FIT.fullmatch(attribute["StringValue"])
    assert "\n" not in attribute["StringValue"]
    assert 0 < len(attribute["StringValue"].encode()) <= 256


def test_the_weight_is_what_sqs_counts() -> None:
    """SQS developer guide, message quotas: body, and name, type and value of each attribute."""
    assert measure_size("é", {"name": "value"}) == 2 + len("name") + len("String") + len("value")

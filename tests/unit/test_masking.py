"""What is stored of a recipient holds nobody else's address, and means what it meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend import verp
from aftersend.core.model import Context, Engagement, Evidence, Kind
from aftersend.sources.masking import mask_others, mask_text
from tests.support.facts import ANN, fact
from tests.support.strategies import facts, hostile

MASKED = [
    ("550 <ann@example.com>, <bob@example.com>: unknown", "550 <ann@example.com>, <x@example.com>: unknown"),
    ("Ann@Example.COM and Bob@Example.COM", "Ann@Example.COM and x@Example.COM"),
    ("rfc822;bob@example.com.", "rfc822;x@example.com."),
    ("ann@a/bob@example.com", "x@a/x@example.com"),
    ("a/bob@example.com|bob@example.org", "x@example.com|x@example.org"),
    ('"Bob Lee"@example.com', "x@example.com"),
    ("bob@[192.0.2.1] bob@b\u00fccher.example", "x@[192.0.2.1] x@b\u00fccher.example"),
    ("ann@xn--bcher-kva.example", "x@xn--bcher-kva.example"),
    ("not allowed...bob@example.com", "not allowed...x@example.com"),
    ("https://mx.example/?rcpt=bob%40example.com&by=ann%40example.com", "https://mx.example/?rcpt=x%40example.com&by=ann%40example.com"),
    ("SRS0=ab=cd=example.com=bob@relay.example", "x@relay.example"),
    ("<b+bob=example.com@relay.example>", "<x@relay.example>"),
    ("<b+ann=example.com@relay.example>", "<b+ann=example.com@relay.example>"),
    ("annann@example.com", "x@example.com"),
    ("ann@example.com.evil.example", "x@example.com.evil.example"),
    ("ask postmaster@example.com or abuse@example.net", "ask postmaster@example.com or abuse@example.net"),
    ("550 5.1.1 user unknown", "550 5.1.1 user unknown"),
    ("ann@example.com: unknown", "ann@example.com: unknown"),
    ("@ or a @ b", "@ or a @ b"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "masked"), MASKED)
def test_names_of_others_are_masked(text: str, masked: str) -> None:
    assert mask_text(text, ANN) == masked
    assert mask_text(masked, ANN) == masked


def test_a_number_and_a_token_are_nobody_else() -> None:
    assert mask_text("sent to +4915550100, told bob@example.com", "sms:+4915550100") == (
        "sent to +4915550100, told x@example.com"
    )


def test_every_text_of_a_fact_is_looked_at_and_it_is_one_fact_by_every_path() -> None:
    said = fact(
        Kind.BOUNCED,
        received_as="<ann@example.com> bob@example.com",
        evidence=Evidence(text="bob@example.com", provider_code="to bob@example.com", code=550, status="5.1.1"),
        engagement=Engagement(link="https://shop.example/?of=bob%40example.com"),
        context=Context(
            sender="news@example.com",
            subject="bob@example.com wrote",
            correlation={"original-recipient": "bob@example.com", "customer": "17", "mine": "ann@example.com"},
        ),
    )
    masked = mask_others(said)
    assert "bob" not in repr(masked)
    assert masked.context is not None
    assert masked.context.sender == "news@example.com"  # the sender is who runs this
    assert masked.context.correlation == {
        "original-recipient": "x@example.com",
        "customer": "17",
        "mine": "ann@example.com",
    }
    assert masked.id not in ("", said.id)
    assert mask_others(masked) is masked
    assert mask_others(fact(Kind.DELIVERED)) == fact(Kind.DELIVERED)


def test_the_senders_own_reference_stays_in_a_bounce_address() -> None:
    for address, stored in (
        ("bounce+ann=example.com-mfzwc@b.example.com", "bounce+ann=example.com-mfzwc@b.example.com"),
        ("bounce+bob=example.com-mfzwc@b.example.com", "bounce+x=example.com-mfzwc@b.example.com"),
        ("bounce-mfzwc@b.example.com", "bounce-mfzwc@b.example.com"),
    ):
        masked = mask_others(fact(Kind.BOUNCED, context=Context(correlation={verp.CORRELATION: address})))
        assert masked.context is not None
        assert masked.context.correlation[verp.CORRELATION] == stored


@given(
    st.lists(hostile | st.text(max_size=9) | st.sampled_from(["<", ">", " ", "...", "=", "/", '"', "@"]), max_size=4),
    st.sampled_from(["bob@example.com", "bob@b\u00fccher.example", "b.o-b+tag@mail.example.org"]),
    st.booleans(),
)
def test_whatever_stands_around_it_somebody_elses_address_does_not_stay(
    around: list[str], address: str, inside: bool
) -> None:
    pieces = [*around, f"<{address}>" if inside else f" {address} ", *around]
    masked = mask_text("".join(pieces), ANN)
    plain = [piece.lower() for piece in around]
    assert address not in masked.lower() or any(address.partition("@")[0] in piece for piece in plain)


@given(facts())
def test_masking_once_is_enough(said: object) -> None:
    masked = mask_others(said)  # type: ignore[arg-type]
    assert mask_others(masked) == masked
    assert masked.key == said.key  # type: ignore[attr-defined]

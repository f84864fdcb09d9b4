"""One spelling for each recipient, and only one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.recipient import MAX_RECIPIENT_BYTES, canonicalize_email, canonicalize_recipient
from tests.support.strategies import hostile

SPELLINGS = [
    ("ann@example.com", "ann@example.com"),
    ("Ann@Example.COM", "ann@example.com"),
    ("<ann@example.com>", "ann@example.com"),
    ("< ann@example.com >", "ann@example.com"),
    ("Ann Example <ANN@example.com>", "ann@example.com"),
    ('"Example, Ann" <ann@example.com>', "ann@example.com"),
    ('"<bob@example.com>" <ann@example.com>', "ann@example.com"),
    ("ann@example.com (Ann)", "ann@example.com"),
    (" ann@example.com\r\n", "ann@example.com"),
    ("ann\u00a0@ example.com", "ann@example.com"),
    ("rfc822; ann@example.com", "ann@example.com"),
    ("RFC822;ann@example.com", "ann@example.com"),
    (" rfc822;ann@example.com", "ann@example.com"),
    ("utf-8; änn@example.com", "änn@example.com"),
    ("ann@example.com.", "ann@example.com"),
    ("ann+news@example.com", "ann+news@example.com"),
    ("a.n.n@example.com", "a.n.n@example.com"),
    ("ann@bücher.example", "ann@xn--bcher-kva.example"),
    ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
    ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
    ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
    ("ann@\uff42ücher。example", "ann@xn--bcher-kva.example"),
    ("ann@faß.example", "ann@xn--fa-hia.example"),
    ("ann@例え.example", "ann@xn--r8jz45g.example"),
    ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
    ("o'hara@example.com", "o'hara@example.com"),
]


@pytest.mark.parametrize(("spelled", "canonical"), SPELLINGS)
def test_every_spelling_of_an_address_is_one_recipient(spelled: str, canonical: str) -> None:
    """Design §4: "local part lower-cased, domain lower-cased IDNA A-label, display name and angle brackets gone, `+tag`
    and dots kept".
    """
    assert canonicalize_email(spelled) == "email:" + canonical


@pytest.mark.parametrize(
    ("spelled", "canonical"),
    [
        ("Ann@Example.com", "email:ann@example.com"),
        ("email:Ann@Example.com", "email:ann@example.com"),
        ("EMAIL:Ann <ann@example.com>", "email:ann@example.com"),
        ("SMS:+15550100", "sms:+15550100"),
        ("push:apns:Token:1", "push:apns:Token:1"),
        ("fax:+15550100", "email:fax:+15550100"),
        ("sms", "email:sms"),
    ],
)
def test_a_recipient_may_name_its_channel(spelled: str, canonical: str) -> None:
    assert canonicalize_recipient(spelled, {"sms", "push"}) == canonical


@pytest.mark.parametrize("spelled", ["nobody", "@", "a@b@c", "", "ann@-.example", "ann@" + "é" * 70 + ".example"])
def test_what_is_no_address_is_kept(spelled: str) -> None:
    """A report about it must not be lost."""
    assert canonicalize_email(spelled) == canonicalize_email(f" {spelled}\n") == "email:" + spelled


_domains = st.sampled_from(["example.com", "Bücher.example", "xn--bcher-kva.example", "[192.0.2.1]", "a.b-c.example"])
_locals = st.text(st.characters(categories=["Ll", "Lu", "Nd"]) | st.sampled_from("+._'-"), min_size=1, max_size=70)


@given(st.builds(lambda local, domain: f"{local}@{domain}", _locals, _domains) | hostile)
def test_the_canonical_spelling_is_canonical(spelled: str) -> None:
    """What was made one recipient once stays that recipient: in the tables, in a query, in a report about it."""
    canonical = canonicalize_email(spelled)
    assert canonicalize_email(canonical.removeprefix("email:")) == canonical


@given(hostile | st.text(max_size=2000))
def test_whatever_a_stranger_writes_is_bounded_and_can_be_stored(spelled: str) -> None:
    canonical = canonicalize_email(spelled)
    assert canonical.startswith("email:")
    assert len(canonical.encode()) <= MAX_RECIPIENT_BYTES + len("email:")


def test_the_longest_spelling_is_read_in_no_time() -> None:
    for nasty in ("<" * 100_000, "(" * 100_000, '"' * 100_000, "a@" + "é." * 50_000, "a." * 100_000 + "@b"):
        assert len(canonicalize_email(nasty).encode()) <= MAX_RECIPIENT_BYTES + len("email:")

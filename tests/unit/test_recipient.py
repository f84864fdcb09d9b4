"""One spelling for each recipient, and only one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.recipient import (
    MAX_RECIPIENT_BYTES,
    MAX_TOKEN_BYTES,
    canonicalize_email,
    canonicalize_push,
    canonicalize_sms,
    parse_recipient,
    parse_stored_recipient,
    split_channel,
)
from aftersend.core.vocabulary import Channel
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


@pytest.mark.parametrize("spelled", ["nobody", "@", "a@b@c", "", "ann@-.example", "ann@" + "é" * 70 + ".example"])
def test_what_is_no_address_is_kept(spelled: str) -> None:
    """A report about it must not be lost."""
    assert canonicalize_email(spelled) == canonicalize_email(f" {spelled}\n") == "email:" + spelled


_domains = st.sampled_from(["example.com", "Bücher.example", "xn--bcher-kva.example", "[192.0.2.1]", "a.b-c.example"])
_locals = st.text(st.characters(categories=["Ll", "Lu", "Nd"]) | st.sampled_from("+._'-"), min_size=1, max_size=70)


_odd = st.text(st.sampled_from('aA@<>" .,;:()[]\\/-+0\u0130\xdf\u0345\u0300\u0307\n\x00\xa0\u200b'), max_size=40)
_long = st.builds(lambda count, rest: "a" * count + rest, st.integers(290, 330), _odd)


@given(st.builds(lambda local, domain: f"{local}@{domain}", _locals, _domains) | hostile | _odd | _long | st.text())
def test_the_canonical_spelling_is_canonical(spelled: str) -> None:
    """What was made one recipient once stays that recipient: in the tables, in a query, in a report about it."""
    for canonical in (canonicalize_email(spelled), canonicalize_sms(spelled), canonicalize_push("apns", spelled)):
        name = canonical.partition(":")[2]
        if name and name != "apns:":
            assert parse_stored_recipient(canonical) == canonical
    assert canonicalize_email(canonicalize_email(spelled).removeprefix("email:")) == canonicalize_email(spelled)


@given(hostile | _odd | st.builds("{}:{}".format, st.sampled_from(["email", "sms", "push", "fax", "erased"]), _odd))
def test_a_stored_recipient_is_nobody_else(text: str) -> None:
    """Law 7: what is taken from our own files and answers is what a person would be read as, or the very text."""
    try:
        found = parse_stored_recipient(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"\w"):
            parse_recipient(text)
        return
    try:
        assert found == parse_recipient(text)
    except ValueError:
        assert found == text


@given(hostile | st.text(max_size=2000))
def test_whatever_a_stranger_writes_is_bounded_and_can_be_stored(spelled: str) -> None:
    canonical = canonicalize_email(spelled)
    assert canonical.startswith("email:")
    assert len(canonical.encode()) <= MAX_RECIPIENT_BYTES + len("email:")


def test_the_longest_spelling_is_read_in_no_time() -> None:
    for nasty in ("<" * 100_000, "(" * 100_000, '"' * 100_000, "a@" + "é." * 50_000, "a." * 100_000 + "@b"):
        assert len(canonicalize_email(nasty).encode()) <= MAX_RECIPIENT_BYTES + len("email:")


SMS = [
    ("+14255550156", "+14255550156"),
    ("+1 (425) 555-0156", "+14255550156"),
    ("0049 170 1234567", "+491701234567"),
    ("+49\u00a0170\u20111234567", "+491701234567"),
    ("+\uff14\uff19170\uff11\uff12\uff134567", "+491701234567"),
    ("+\u0664\u0669\u0661\u0667\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667", "+491701234567"),
    ("+49.170.123/4567", "+491701234567"),
]


@pytest.mark.parametrize(("spelled", "canonical"), SMS)
def test_every_spelling_of_a_number_is_one_recipient(spelled: str, canonical: str) -> None:
    """Design §5: "E.164 (`+` and 7-15 digits; separators and `00` gone)"."""
    assert canonicalize_sms(spelled) == parse_recipient(f"SMS: {spelled}") == f"sms:{canonical}"


@pytest.mark.parametrize(("spelled", "canonical"), [("491701234567", "491701234567"), ("MyShop", "myshop"), ("", "")])
def test_a_number_without_its_country_is_kept_but_nobody_can_name_it(spelled: str, canonical: str) -> None:
    assert canonicalize_sms(spelled) == "sms:" + canonical
    with pytest.raises(ValueError, match="country code"):
        parse_recipient("sms:" + spelled)


def test_a_push_token_stays_as_it_is() -> None:
    assert canonicalize_push("APNs", " Ab:9/+= ") == parse_recipient("Push:APNS:Ab:9/+=") == "push:apns:Ab:9/+="


def test_long_push_tokens_stay_apart_and_bounded() -> None:
    one, other = (canonicalize_push("webpush", "https://push.example/" + "x" * 5000 + end) for end in "ab")
    assert one != other
    assert canonicalize_push("webpush", one.removeprefix("push:webpush:")) == one
    assert len(one.encode()) <= MAX_TOKEN_BYTES + len("push:webpush:")


@pytest.mark.parametrize(
    "given",
    ["push:apns", "push::x", "push:apns:", "push:apns:a b", "push:a b:x", "push:apns:é", "push:" + "s" * 33 + ":x"],
)
def test_what_names_no_push_token_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="push:SERVICE:TOKEN"):
        parse_recipient(given)


# What people and clients write, and the one recipient that is meant.
MEANT = [
    *[
        pair
        for pair in SPELLINGS
        if ";" not in pair[0] and "(" not in pair[0] and "\u00a0" not in pair[0] and "<bob" not in pair[0]
    ],
    ("mailto:ann@example.com", "ann@example.com"),
    ("Ann <mailto:ann@example.com>", "ann@example.com"),
    ("ann.@example.com", "ann.@example.com"),
    ('"ann"@example.com', "ann@example.com"),
    ('"Ann Example"@example.com', '"ann example"@example.com'),
    ("ann\u200b@exam\ufeffple.com", "ann@example.com"),
    ("ann\uff20example.com", "ann@example.com"),
    ("\uff41\uff4e\uff4e@\uff45\uff58ample\uff0ecom", "ann@example.com"),
    ("a\u0308nn@bu\u0308cher.example", "änn@xn--bcher-kva.example"),
    ("root@localhost", "root@localhost"),
    ("ann@[IPv6:2001:db8::1]", "ann@[ipv6:2001:db8::1]"),
    ("Ann Example <ann@example.com>", "ann@example.com"),
]
# Guesses that would name somebody else, or nobody.
REFUSED = [
    *("", " ", "ann", "@example.com", "ann@", "@", "jo tag@example.com", "ann @example.com", "ann@ example.com"),
    *("ann@example.com bob@example.com", "ann@example.com,bob@example.com", "ann@example.com; bob@example.com"),
    *("ann@example.com <bob@example.com>", "<ann@example.com", "ann@example.com>", "<<ann@example.com>>"),
    *("<ann@example.com> <bob@example.com>", "<@relay.example:ann@example.com>", "ann@@example.com", "a@b@example.com"),
    *(
        "ann@example..com",
        "ann@-.example",
        "ann@.example.com",
        "ann@exa mple.com",
    ),
    *("ann@example.com (Ann)", "ann\n@example.com", "ann\x00@example.com", "mailto:", "mailto:ann", "ann@[nowhere]"),
    *('"ann@example.com', 'ann"x"@example.com', "a" * 320 + "@example.com", "a" * 5000, "erased:0123", "fax:+15550100"),
    *("ann list@example.com", "rfc822; ann@example.com", "ann@example.com/bob", "ann@exam_ple!.com"),
]


@pytest.mark.parametrize(("given", "meant"), MEANT)
def test_all_spellings_of_one_mailbox_name_one_recipient(given: str, meant: str) -> None:
    """Law 7: "an address is read strictly wherever a person or a client names one"."""
    assert parse_recipient(given) == parse_recipient(f"\ufeff{given} ") == canonicalize_email(given) == f"email:{meant}"


@pytest.mark.parametrize("given", ["MAILTO:ann%2Bnews@example.com?subject=Hi", "EMAIL: Ann <ann+news@example.com>"])
def test_a_link_and_a_named_channel_are_read_too(given: str) -> None:
    assert parse_recipient(given) == "email:ann+news@example.com"


@pytest.mark.parametrize("given", REFUSED)
def test_what_does_not_name_exactly_one_recipient_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"recipient|address|mailbox|domain") as raised:
        parse_recipient(given)
    assert "ann" not in str(raised.value)


@given(hostile | st.text(max_size=2000) | st.builds(lambda local, domain: f"{local}@{domain}", _locals, _domains))
def test_whoever_is_named_is_canonical_and_is_named_again_by_it(text: str) -> None:
    try:
        named = parse_recipient(text)
    except ValueError:
        return
    assert parse_recipient(named) == named
    channel, rest = split_channel(named)
    assert channel is not None
    if channel is Channel.EMAIL:
        assert canonicalize_email(rest) == named
        assert rest.count("@") == 1 or rest.startswith('"')


def test_an_alias_of_somebody_erased_has_no_channel() -> None:
    assert split_channel("erased:0123") == (None, "0123")

"""Bounce addresses that cannot be forged: what we made is known again, whatever a mail system did to it."""

from __future__ import annotations

import pytest

from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Context, Feedback, Kind
from aftersend.core.times import UNKNOWN_TIME
from aftersend.verp import MAX_LOCAL, Token, Verp

KEY, OLD = b"k" * 32, b"o" * 32
OPAQUE = Verp(keys=(KEY,), template="b-{token}@bounce.example.com")
READABLE = Verp(keys=(KEY,), template="b+{token}={local}={domain}@bounce.example.com")
WHO = "anna@example.org"


@pytest.mark.parametrize("verp", [OPAQUE, READABLE])
@pytest.mark.parametrize("reference", ["4711", "A-b.c", "", "ü7"])
def test_what_was_made_is_known_again(verp: Verp, reference: str) -> None:
    made = verp.make(reference, WHO)
    assert made == made.lower()
    assert verp.check(made, WHO) == Token(reference.lower())


@pytest.mark.parametrize(
    "spell",
    [
        str.upper,
        str.title,
        lambda made: f"prvs=2345abcdef={made}",
        lambda made: f"PRVS=2345ABCDEF={made.upper()}",
    ],
)
def test_mail_systems_may_change_the_case_and_sign_around_it(spell: object) -> None:
    assert callable(spell)
    assert OPAQUE.check(spell(OPAQUE.make("4711", WHO)), WHO.upper()) == Token("4711")


def test_a_token_vouches_for_nobody_else() -> None:
    assert OPAQUE.check(OPAQUE.make("4711", WHO), "bert@example.org") is None


@pytest.mark.parametrize("verp", [OPAQUE, READABLE])
@pytest.mark.parametrize("reference", ["", "4", "47", "471", "4711"])  # of some, the last character has bits to spare
def test_a_changed_character_anywhere_is_noticed(verp: Verp, reference: str) -> None:
    made = verp.make(reference, WHO, "<a1@example.com>")
    for at, old in enumerate(made):
        for new in "abcdefghijklmnopqrstuvwxyz234567=+-.@ ":
            if new != old:
                assert verp.check(made[:at] + new + made[at + 1 :], WHO) is None


@pytest.mark.parametrize(
    "spell",
    [
        lambda made: f"<{made}>",
        lambda made: f" {made}",
        lambda made: f"{made}\n",
        lambda made: f"{made}.",
        lambda made: f"x{made}",
        lambda made: f'"{made.partition("@")[0]}"@bounce.example.com',
        lambda made: f"Anna <{made}>",
        lambda made: f"mailto:{made}",
        lambda made: f"x+prvs=2345abcdef={made}",
        lambda made: f"prvs=2345abcdef=prvs=2345abcdef={made}",
        lambda made: made.replace("k", "\u212a", 1) if "k" in made else "\uff42" + made[1:],
        lambda made: made.replace("b-", "\uff42-", 1),
        lambda made: made.replace("@", "=@", 1),
        lambda made: made.replace("@", "aa@", 1),
        lambda made: made.replace("@bounce", "@x.bounce"),
        lambda made: made + ".evil.example",
    ],
)
def test_no_other_spelling_is_read(spell: object) -> None:
    """Strictly: one exact form, whatever a mail may write around it."""
    assert callable(spell)
    for number in range(40):
        assert OPAQUE.check(spell(OPAQUE.make(f"r{number}", WHO)), WHO) is None


def test_a_readable_address_names_the_recipient_that_it_was_made_for() -> None:
    made = READABLE.make("4711", WHO)
    assert READABLE.check(made.replace("=anna=", "=bert="), WHO) is None
    assert READABLE.check(made.replace("=example.org@", "=example.com@"), WHO) is None


@pytest.mark.parametrize(
    ("message", "proven"),
    [
        ("rfc5322:4711@example.com", "rfc5322:4711@example.com"),
        ("rfc5322:4711@EXAMPLE.com", "rfc5322:4711@EXAMPLE.com"),
        ("rfc5322:4712@example.com", None),
        ("ses:4711", None),
        ("report:0123456789abcdef0123", "verp:order-1"),  # the report names no message: the token does
        ("envid:anything", "verp:order-1"),
    ],
)
def test_a_token_proves_reports_about_its_own_message_alone(message: str, proven: str | None) -> None:
    made = OPAQUE.make("order-1", WHO, "<4711@example.com>")
    assert OPAQUE.prove(report(WHO, made, message)) == proven


def test_a_token_without_a_message_id_names_the_message_itself() -> None:
    """Whatever Message-IDs somebody invents: all that comes with one token is about one message."""
    made = OPAQUE.make("order-1", WHO)
    found = {OPAQUE.prove(report(WHO, made, f"rfc5322:{number}@invented.example")) for number in range(50)}
    assert found == {"verp:order-1"}
    assert OPAQUE.prove(report(WHO, OPAQUE.make("", WHO, "<4711@example.com>"), "report:1")) is not None


def test_a_token_for_a_message_of_amazon_ses() -> None:
    made = OPAQUE.make("order-1", WHO, "<0102-a-000000@eu-west-1.amazonses.com>")
    assert OPAQUE.prove(report(WHO, made, "ses:0102-a-000000")) == "ses:0102-a-000000"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "b-@bounce.example.com",
        "b-aaaaaaaaaaaaaaaa@bounce.example.com",
        "b-1111111111111111@bounce.example.com",
        f"b-{'a' * 17}@bounce.example.com",
        f"b-{'a' * 26}@bounce.example.com",
        "x" * 100_000,
        "prvs=" * 20_000,
        "b-äöü@bounce.example.com",
    ],
)
def test_what_is_no_token_vouches_for_nothing(address: str) -> None:
    assert OPAQUE.check(address, WHO) is None


def test_another_key_and_another_domain_make_other_tokens() -> None:
    made = Verp(keys=(OLD,), template="b-{token}@bounce.example.com").make("4711", WHO)
    assert OPAQUE.check(made, WHO) is None
    assert OPAQUE.check(OPAQUE.make("4711", WHO).replace("example.com", "example.net"), WHO) is None


def test_a_key_can_be_changed_without_losing_what_is_on_its_way() -> None:
    before, after = Verp((OLD,), "b-{token}@b.example"), Verp((KEY, OLD), "b-{token}@b.example")
    assert after.check(before.make("4711", WHO), WHO) == Token("4711")
    assert before.check(after.make("4711", WHO), WHO) is None


def test_a_local_part_never_passes_its_64_octets() -> None:
    longest = OPAQUE.make("r" * 18, WHO)
    assert len(longest.partition("@")[0]) <= MAX_LOCAL
    for verp, reference, who in [(OPAQUE, "r" * 30, WHO), (READABLE, "4711", "a" * 40 + "@example.org")]:
        with pytest.raises(ValueError, match="bounce address"):
            verp.make(reference, who)


@pytest.mark.parametrize(
    "template",
    [
        "bounce@example.com",
        "{token}",
        "{token}{token}@example.com",
        "b-{token}={local}={local}@example.com",
        "b-{token}@{domain}",
        "b-{token}-{name}@example.com",
        "b-{token}@",
    ],
)
def test_a_template_that_could_not_be_read_back_is_refused(template: str) -> None:
    with pytest.raises(ConfigurationError, match="template"):
        Verp((KEY,), template)


@pytest.mark.parametrize("keys", [(), (b"short",), (KEY, b"short")])
def test_keys_that_could_be_guessed_are_refused(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ConfigurationError, match="key"):
        Verp(keys, "b-{token}@b.example")


def test_a_report_is_vouched_for_by_the_address_that_it_came_to() -> None:
    made = OPAQUE.make("4711", WHO)
    assert OPAQUE.prove(report(WHO, made)) == "verp:4711"
    assert not OPAQUE.prove(report("bert@example.org", made))
    assert not OPAQUE.prove(report(WHO, None))


def report(who: str, came_to: str | None, message: str = "rfc5322:m@example.com") -> Feedback:
    context = Context(correlation={"verp": came_to}) if came_to else None
    return Feedback(
        source="report",
        kind=Kind.BOUNCED,
        message=message,
        recipient=f"email:{who}",
        occurred_at=UNKNOWN_TIME,
        context=context,
    )


@pytest.mark.parametrize(
    "spelled", ["anna@b\u00fccher.example", "Anna@B\u00dcCHER.example", "anna@xn--bcher-kva.example."]
)
@pytest.mark.parametrize("verp", [OPAQUE, READABLE])
def test_a_token_is_bound_to_whom_the_feedback_names_however_the_sender_spelled_him(verp: Verp, spelled: str) -> None:
    assert verp.prove(report("anna@xn--bcher-kva.example", verp.make("4711", spelled)))

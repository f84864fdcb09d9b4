"""What is left of an erased address: that it must not be written to, and nothing that leads to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.causes import Claim
from aftersend.core.digest import digest
from aftersend.core.erasure import is_alias, make_alias, strip_suppressions
from aftersend.core.model import Act, Cause, CauseKind, Decision, Evidence, EvidenceRef, Reason, Suppression
from aftersend.core.suppression import apply_decisions, find_active_causes, merge_claims
from aftersend.storage.unmatched import build_count
from tests.support.facts import ANN, BOB, bounce
from tests.support.ports import NOW

KEY = b"a key of this deployment"


def ref(days: float, reason: Reason | None = Reason.USER_UNKNOWN) -> EvidenceRef:
    return EvidenceRef(
        at=NOW - timedelta(days=days),
        feedback=f"feedback{days}",
        message="ses:secret-message",
        source="ses",
        reason=reason,
        rule="address.unknown",
        provider_code="secret word",
    )


def suppression(scope: str = "*", **causes: Cause) -> Suppression:
    return Suppression(
        recipient=ANN,
        scope=scope,
        causes={CauseKind(name): cause for name, cause in causes.items()},
        note="secret note",
        history=(Decision(at=NOW, by="secret person", act=Act.RESOLVED, note="secret note"),),
        version=4,
    )


def test_an_alias_is_the_same_for_the_same_address_and_key_alone() -> None:
    assert make_alias(ANN, KEY) == make_alias(ANN, KEY)
    assert len({make_alias(ANN, KEY), make_alias(BOB, KEY), make_alias(ANN, KEY + b"!")}) == 3


def test_an_alias_is_no_address_of_any_channel() -> None:
    name, _, digits = make_alias(ANN, KEY).partition(":")
    assert (name, len(digits), int(digits, 16) > 0) == ("erased", 40, True)
    assert is_alias(make_alias(ANN, KEY))
    assert not is_alias(ANN)


@given(st.text())
def test_an_alias_shares_nothing_with_the_digest_in_logs(recipient: str) -> None:
    assert digest(recipient, KEY) not in make_alias(recipient, KEY)


def test_what_holds_is_kept_with_its_kind_days_reason_and_end_and_nothing_else() -> None:
    until = NOW + timedelta(days=20)
    stored = suppression(
        hard=Cause(first=ref(9), latest=ref(2), contradicted=ref(1)),
        pause=Cause(first=ref(0.5, None), latest=ref(0.5, None), until=until),
    )
    (stripped,) = strip_suppressions([stored], "erased:1", NOW)
    assert find_active_causes(stripped, NOW) == find_active_causes(stored, NOW) == ("hard", "pause")
    assert stripped.key == ("erased:1", "*")
    assert stripped.causes[CauseKind.HARD] == Cause(
        first=EvidenceRef(at=day(9), feedback="", message="", source="", reason=Reason.USER_UNKNOWN),
        latest=EvidenceRef(at=day(2), feedback="", message="", source="", reason=Reason.USER_UNKNOWN),
    )
    assert stripped.causes[CauseKind.PAUSE].until == until
    written = msgspec.json.encode(stripped)
    assert b"secret" not in written
    assert b"example" not in written


def day(days: float) -> datetime:
    return (NOW - timedelta(days=days)).replace(hour=0)


def test_what_does_not_hold_is_not_kept() -> None:
    lapsed = suppression("news", unsubscribed=Cause(first=ref(9), latest=ref(9), until=NOW))
    released = apply_decisions(
        suppression("offers", hard=Cause(first=ref(9), latest=ref(9))), [Decision(at=NOW, by="bob", act=Act.RELEASED)]
    )
    both = suppression(hard=Cause(first=ref(9), latest=ref(9)), pause=Cause(latest=ref(9), until=NOW))
    assert [(each.scope, *each.causes) for each in strip_suppressions([lapsed, released, both], "erased:1", NOW)] == [
        ("*", "hard")
    ]


def test_whoever_is_erased_twice_keeps_what_held_the_first_time() -> None:
    (first,) = strip_suppressions([suppression(hard=Cause(first=ref(9), latest=ref(9)))], "erased:1", NOW)
    (again,) = strip_suppressions([suppression(complaint=Cause(first=ref(1), latest=ref(1)))], "erased:1", NOW)
    claims = [Claim(*again.key, kind, cause) for kind, cause in again.causes.items()]
    assert find_active_causes(merge_claims(first, claims), NOW) == ("complaint", "hard")


def test_a_release_after_an_erasure_lifts_the_alias() -> None:
    """Days are cut down and not up: what was there when a person decided counts as before it."""
    (stripped,) = strip_suppressions([suppression(hard=Cause(first=ref(0), latest=ref(0)))], "erased:1", NOW)
    assert not find_active_causes(apply_decisions(stripped, [Decision(at=NOW, by="bob", act=Act.RELEASED)]), NOW)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("the frobnicator of <Ann@Example.com> left", "the frobnicator of <ADDR> left"),
        ("ann has left, not anna; ask bob@example.org", "ADDR has left, not anna; ask ADDR"),
        ("x" * 1000, "x" * 1000),
        ("@" * 1000, "@" * 1000),
        ("ann", "ADDR"),
    ],
)
def test_texts_that_no_rule_knows_are_counted_without_anybodys_address(text: str, left: str) -> None:
    """They lie in a table of their own, by text and not by recipient: an erasure does not look there."""
    counted = build_count("Unqualified", bounce(1, evidence=Evidence(text=text)), NOW, timedelta(days=1))
    assert counted["ExpressionAttributeValues"][":example"] == {"S": left}
    assert "ann@example.com" not in repr(counted).lower()


def test_a_name_without_its_domain_does_not_stay_either_and_splits_no_text() -> None:
    """ "No mailbox janedoe here" of a hundred people is one text, and names none of them."""

    def counted(name: str) -> dict[str, Any]:
        fact = bounce(1, recipient=f"email:{name}@example.com", evidence=Evidence(text=f"554 frobnicator {name} left"))
        return build_count("Unqualified", fact, NOW, timedelta(days=1))

    for name in ("janedoe", "jane.doe", "bobby23", "jane-"):
        assert name not in repr(counted(name)).lower()
        assert counted(name)["Key"] == counted("anna")["Key"]

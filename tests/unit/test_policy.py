"""When an address is suppressed: each row of the policy, the streak at its exact edges, and the document's errors."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from aftersend.core import policy as policies
from aftersend.core.causes import find_contradiction, find_life, find_sign_of_life, is_vouched, make_claim
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Cause, CauseKind, Class, Evidence, Feedback, Kind, Outcome, Reason, Verdict
from aftersend.core.outcome import merge
from aftersend.core.policy import Policy, load
from aftersend.core.streaks import counts_for_streak
from tests.support.facts import ANN, START, VERDICTS, bounce, classify, fact
from tests.support.streaks import find_streak

POLICY = load()
DAY, HOUR, MOMENT = timedelta(days=1), timedelta(hours=1), timedelta(milliseconds=1)


def _alive_at(outcome: Outcome) -> datetime | None:
    sign = find_sign_of_life(outcome, POLICY)
    return sign.occurred_at if sign else None


def _outcome(*facts: Feedback) -> Outcome:
    return merge(None, facts, classify)


def _row(*after: timedelta) -> list[Outcome]:
    """One soft bounce at the start, and one of another message each of these times after the one before it."""
    at, outcomes = START, [_outcome(bounce(0, message="test:first"))]
    for number, pause in enumerate(after):
        at += pause
        outcomes.append(_outcome(bounce(0, message=f"test:{number}", occurred_at=at)))
    return outcomes


# What one fact alone does: (kind, word, scope) -> (cause, scope) or nothing.
CLAIMS = [
    (Kind.BOUNCED, "hard", None, CauseKind.HARD, "*"),
    (Kind.BOUNCED, "hard", "news", CauseKind.HARD, "*"),
    (Kind.REJECTED, "hard", None, CauseKind.HARD, "*"),
    (Kind.DEFERRED, "hard", None, None, None),
    (Kind.BOUNCED, "soft", None, None, None),
    (Kind.BOUNCED, "full", None, None, None),
    (Kind.BOUNCED, "block", None, None, None),
    (Kind.BOUNCED, "ignore", None, None, None),
    (Kind.BOUNCED, "unclear", None, None, None),
    (Kind.COMPLAINED, None, None, CauseKind.COMPLAINT, "*"),
    (Kind.COMPLAINED, None, "news", CauseKind.COMPLAINT, "*"),
    (Kind.BOUNCED, "listed", None, CauseKind.PROVIDER, "*"),
    (Kind.REJECTED, "listed", None, CauseKind.PROVIDER, "*"),
    (Kind.UNSUBSCRIBED, None, "news", CauseKind.UNSUBSCRIBED, "news"),
    (Kind.UNSUBSCRIBED, None, None, CauseKind.UNSUBSCRIBED, "*"),
    (Kind.SENT, None, None, None, None),
    (Kind.DELIVERED, None, None, None, None),
    (Kind.AUTO_REPLIED, None, None, None, None),
    (Kind.OPENED, None, None, None, None),
    (Kind.CLICKED, None, None, None, None),
    (Kind.EXPIRED, None, None, None, None),
    (Kind.UNKNOWN, "hard", None, None, None),
]


@pytest.mark.parametrize(("kind", "code", "stream", "cause", "scope"), CLAIMS)
def test_what_one_fact_does(
    kind: Kind, code: str | None, stream: str | None, cause: CauseKind | None, scope: str | None
) -> None:
    """Design §6: hard and complaint at once and without end, unsubscribed for the scope that was left, others never."""
    one = fact(kind, 1, code, scope=stream)
    claim = make_claim(one, classify(one), POLICY)
    if cause is None:
        assert claim is None
        return
    assert claim is not None
    assert (claim.recipient, claim.scope, claim.kind) == (ANN, scope, cause)
    ref = claim.cause.first
    assert ref is not None
    assert claim.cause == Cause(first=ref, latest=ref)
    assert (ref.feedback, ref.at, ref.message, ref.source) == (one.id, one.occurred_at, one.message, one.source)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [(Kind.COMPLAINT_WITHDRAWN, CauseKind.COMPLAINT), (Kind.SUBSCRIBED, CauseKind.UNSUBSCRIBED)],
)
def test_what_takes_a_cause_back(kind: Kind, cause: CauseKind) -> None:
    claim = make_claim(fact(kind, 1, scope="news"), None, load("[complaint]\neverywhere = false"))
    assert claim is not None
    assert (claim.scope, claim.kind, claim.cause.first, claim.cause.latest) == ("news", cause, None, None)
    assert claim.cause.withdrawn is not None


@pytest.mark.parametrize("name", ["hard", "complaint", "unsubscribed"])
def test_each_rule_can_be_switched_off(name: str) -> None:
    kinds = {
        "hard": bounce(1, "hard"),
        "complaint": fact(Kind.COMPLAINED, 1),
        "unsubscribed": fact(Kind.UNSUBSCRIBED, 1),
    }
    off = load(f"[{name}]\nsuppress = false")
    claims = {each: make_claim(one, classify(one), off) for each, one in kinds.items()}
    assert [each for each in claims if claims[each] is None] == [name]
    assert load("[streak]\nsuppress = false").streak.suppress is False
    assert find_streak(_row(DAY, DAY, DAY, DAY), load("[streak]\nsuppress = false")) is None


@pytest.mark.parametrize(
    ("after", "count"),
    [
        ([DAY] * 4, 5),
        ([DAY] * 3, None),
        ([DAY, DAY, DAY, DAY - MOMENT], None),
        ([DAY - MOMENT, DAY, DAY, DAY, DAY], 5),
        ([10 * DAY] * 4, 5),
        ([10 * DAY, 10 * DAY, 10 * DAY, 10 * DAY + MOMENT], None),
        ([10 * DAY + MOMENT, DAY, DAY, DAY, DAY], 5),
        ([12 * HOUR] * 8, 5),
        ([12 * HOUR] * 7, None),
        ([12 * HOUR, 10 * DAY, 12 * HOUR, 12 * HOUR, DAY, DAY], 5),  # the first of two is as near as the second
        ([12 * HOUR, 10 * DAY + MOMENT, 12 * HOUR, 12 * HOUR, DAY, DAY], None),
        ([DAY] * 6, 5),
        ([DAY] * 4 + [10 * DAY + MOMENT], 5),
        ([DAY] * 4 + [10 * DAY + MOMENT] + [DAY] * 5, 5),
        ([timedelta(0)] * 9, None),
    ],
)
def test_the_streak_at_its_edges(after: list[timedelta], count: int | None) -> None:
    """Design §6: "5 in a row …, at least 1 day apart, none older than 10 days before the next → 30 days"."""
    cause = find_streak(_row(*after), POLICY)
    assert (cause.count if cause else None) == count


def test_a_streak_names_its_first_and_latest_bounce_and_lapses_30_days_after_the_latest() -> None:
    outcomes = _row(DAY, 2 * DAY, 3 * DAY, 4 * DAY)
    cause = find_streak(reversed(outcomes), POLICY)
    assert cause is not None
    assert cause.first is not None
    assert cause.latest is not None
    assert (cause.first.feedback, cause.latest.feedback) == (outcomes[0].decided_by, outcomes[-1].decided_by)
    assert (cause.latest.at, cause.until) == (START + 10 * DAY, START + 40 * DAY)
    assert (cause.latest.reason, cause.latest.rule, cause.latest.provider_code) == ("system_error", "test.soft", "soft")


@pytest.mark.parametrize(
    ("released", "stands"), [(START - MOMENT, True), (START, False), (START + DAY, False), (START + 9 * DAY, False)]
)
def test_bounces_up_to_a_release_no_longer_count(released: datetime, stands: bool) -> None:
    assert (find_streak(_row(DAY, DAY, DAY, DAY), POLICY, released) is not None) == stands


def test_a_new_row_after_the_release_counts_again() -> None:
    cause = find_streak(_row(*[DAY] * 9), POLICY, START + 4 * DAY)
    assert cause is not None
    assert (cause.count, cause.first and cause.first.at) == (5, START + 5 * DAY)


@pytest.mark.parametrize(
    "kind", [Kind.DELIVERED, Kind.AUTO_REPLIED, Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBED, Kind.SUBSCRIBED]
)
@pytest.mark.parametrize(("day", "stands"), [(-1, True), (0, False), (2, False), (4, False), (9, False)])
def test_a_proof_of_life_ends_what_came_before_it(kind: Kind, day: int, stands: bool) -> None:
    alive = _outcome(fact(kind, day, message="test:alive"))
    assert (find_streak([*_row(DAY, DAY, DAY, DAY), alive], POLICY) is not None) == stands


def test_what_was_refused_in_the_end_proves_no_life_but_what_was_opened_does() -> None:
    delivered, opened = fact(Kind.DELIVERED, 1), fact(Kind.OPENED, 2)
    assert _alive_at(_outcome(delivered)) == delivered.occurred_at
    assert _alive_at(_outcome(delivered, bounce(2, "block"))) is None
    assert _alive_at(_outcome(delivered, opened, bounce(2, "block"))) == opened.occurred_at
    assert _alive_at(_outcome(fact(Kind.SENT, 1))) is None
    assert _alive_at(_outcome(fact(Kind.DEFERRED, 1, "full"))) is None


def test_the_last_proof_of_life_counts_and_no_fact_moves_it_back() -> None:
    """Law 1: an earlier delivery that comes late must not bring back bounces that a later sign of life has ended."""
    late = fact(Kind.AUTO_REPLIED, 5)
    assert _alive_at(_outcome(late, fact(Kind.DELIVERED, 1))) == late.occurred_at
    assert _alive_at(_outcome(fact(Kind.DELIVERED, 5), fact(Kind.DELIVERED, 1))) == late.occurred_at


def test_a_complaint_does_not_move_the_last_sign_of_life_back() -> None:
    """Law 1: what was delivered shows as much whether or not somebody complained of it before."""
    delivered = fact(Kind.DELIVERED, 2)
    assert _alive_at(_outcome(fact(Kind.COMPLAINED, 1), delivered)) == delivered.occurred_at


def test_who_complains_has_a_mailbox_that_works() -> None:
    delivered, complained = fact(Kind.DELIVERED, 1), fact(Kind.COMPLAINED, 2)
    assert _alive_at(_outcome(delivered, complained)) == complained.occurred_at


@pytest.mark.parametrize(("after", "contradicts"), [(-MOMENT, False), (timedelta(0), False), (MOMENT, True)])
def test_what_comes_after_a_hard_bounce_contradicts_it(after: timedelta, contradicts: bool) -> None:
    claim = make_claim(one := bounce(1, "hard"), classify(one), POLICY)
    assert claim is not None
    alive = _outcome(fact(Kind.DELIVERED, message="test:2", occurred_at=one.occurred_at + after))
    sign = find_contradiction(find_life([alive], POLICY).last, claim.cause)
    assert (sign and sign.feedback) == (alive.decided_by if contradicts else None)


def test_a_streak_names_the_bounces_and_not_what_came_before_them() -> None:
    outcomes = [
        _outcome(fact(Kind.SENT, 2 * day - 1, message=f"test:{day}"), bounce(2 * day, message=f"test:{day}"))
        for day in range(5)
    ]
    cause = find_streak(outcomes, POLICY)
    assert cause is not None
    assert (cause.first and cause.first.feedback, cause.latest and cause.latest.feedback) == (
        outcomes[0].decided_by,
        outcomes[-1].decided_by,
    )
    assert cause.until == START + 38 * DAY


def _forged(kind: Kind, day: float, code: str | None = None, message: str = "test:1") -> Feedback:
    """What a mail says that anybody could have sent."""
    return fact(kind, day, message=message, evidence=Evidence(provider_code=code, forgeable=True))


def test_what_anybody_could_have_sent_makes_and_ends_nothing_unless_the_policy_trusts_it() -> None:
    """No stranger may choose who is suppressed, nor who is not."""
    trusting = load("[report]\nrequire_proof = false")
    real = _row(DAY, DAY, DAY, DAY)
    for policy, stands in ((POLICY, False), (trusting, True)):
        forged = [_forged(Kind.BOUNCED, day, "soft", f"test:{day}") for day in range(5)]
        outcomes = [merge(None, [each], classify, reports=policy.report) for each in forged]
        assert (find_streak(outcomes, policy) is not None) == stands
        alive = merge(None, [_forged(Kind.DELIVERED, 9)], classify, reports=policy.report)
        assert (find_streak([*real, alive], policy) is None) == stands
    claim = make_claim(hard := bounce(1, "hard"), classify(hard), POLICY)
    assert claim is not None
    assert find_contradiction(find_life([alive], POLICY).last, claim.cause) is None
    assert find_contradiction(find_life([alive], trusting).last, claim.cause) is not None


def test_one_fact_that_cannot_be_forged_vouches_for_the_message() -> None:
    forged = fact(Kind.BOUNCED, 1, evidence=Evidence(provider_code="hard", forgeable=True))
    assert not is_vouched(_outcome(forged), POLICY)
    assert is_vouched(_outcome(forged, fact(Kind.SENT, 0)), POLICY)
    assert is_vouched(_outcome(forged, bounce(2, "soft")), POLICY)
    assert not is_vouched(
        _outcome(forged, fact(Kind.BOUNCED, 2, evidence=Evidence(provider_code="soft", forgeable=True))), POLICY
    )


def test_only_what_decides_an_outcome_counts_once() -> None:
    """One message that bounces five times is one bounce of the streak."""
    assert find_streak([_outcome(*[bounce(day) for day in range(5)])], POLICY) is None


@pytest.mark.parametrize(
    ("code", "counted"), [("soft", True), ("full", True), ("hard", False), ("block", False), ("unclear", False)]
)
def test_what_a_streak_counts(code: str, counted: bool) -> None:
    assert counts_for_streak(_outcome(bounce(1, code)), POLICY) is counted


# Every mistake in a document, and what the error must name.
MISTAKES = [
    ("[streak]\nbounces = 'many'", "$.streak.bounces"),
    ("[streak]\nbounces = 1", "$.streak.bounces"),
    ("[streak]\nbounces = 101", "$.streak.bounces"),
    ("[streak]\napart_hours = -1", "$.streak.apart_hours"),
    ("[streak]\ngap_days = 0", "$.streak.gap_days"),
    ("[streak]\nlapse_days = 4000", "$.streak.lapse_days"),
    ("[streak]\napart_hours = 241", "$.streak.apart_hours"),
    ("[streak]\nsuppress = 1", "$.streak.suppress"),
    ("[streak]\nbounce = 5", "`bounce` - at `$.streak`"),
    ("[hard]\nsuppress = 'yes'", "$.hard.suppress"),
    ("[hrad]\nsuppress = true", "`hrad`"),
    ("hard = true", "$.hard"),
    ("[classes]\nmailbox_disabled = 'gone'", "$.classes"),
    ("[classes]\nmailbox_dead = 'soft'", "mailbox_dead"),
    ("[classes]\nmailbox_disabled = 'complaint'", "$.classes.mailbox_disabled"),
    ("[classes]\nspam_content = 'hard'", "$.classes.spam_content"),
    ("[classes]\nblocked = 'soft'", "$.classes.blocked"),
    ("[classes]\nundetermined = 'soft'", "$.classes.undetermined"),
    ("[streak", "policy:"),
]


@pytest.mark.parametrize(("document", "named"), MISTAKES)
def test_a_mistake_in_the_document_is_named(document: str, named: str) -> None:
    """Issue: "Configuration document validated at load with errors that name the field"."""
    with pytest.raises(ConfigurationError) as error:
        load(document)
    assert named in str(error.value)
    assert str(error.value).startswith("policy:")


def test_a_document_overrides_single_fields_and_leaves_the_rest() -> None:
    changed = load("[streak]\nbounces = 3\n[classes]\nmailbox_disabled = 'soft'")
    assert changed.streak.bounces == 3
    assert changed.streak.gap_days == POLICY.streak.gap_days
    assert (changed.hard, changed.complaint) == (POLICY.hard, POLICY.complaint)
    assert load("") == load("# nothing\n") == POLICY


def test_another_class_for_a_reason() -> None:
    hard = VERDICTS["hard"]
    assert load("[classes]\nuser_unknown = 'soft'").find_class(hard) is Class.SOFT
    assert load("[classes]\nuser_unknown = 'ignore'").find_class(hard) is Class.IGNORE
    temporary = Verdict(klass=Class.SOFT, reason=Reason.USER_UNKNOWN, rule="test")
    assert load("[classes]\nuser_unknown = 'hard'").find_class(temporary) is Class.SOFT


def test_a_compiled_policy_is_the_shipped_one_and_taken_only_while_its_source_is_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source, compiled = tmp_path / "policy.toml", tmp_path / "policy.json"
    source.write_bytes(policies.DOCUMENT.read_bytes())
    monkeypatch.setattr(policies, "DOCUMENT", source)
    monkeypatch.setattr(policies, "COMPILED", compiled)

    def read() -> Policy:
        policies._load_shipped.cache_clear()
        return load()

    plain = read()
    compiled.write_bytes(policies.compile_shipped())
    assert read() == plain
    compiled.write_bytes(compiled.read_bytes().replace(b'"lapse_days":', b'"lapse_days":1'))
    assert read() != plain
    source.write_bytes(source.read_bytes() + b"# another source\n")
    assert read() == plain
    compiled.write_bytes(b"{")
    assert read() == plain
    policies._load_shipped.cache_clear()

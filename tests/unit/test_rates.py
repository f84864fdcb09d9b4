"""Rates of counts: what they are made of, how sure they are, and where they pass the limits of Amazon SES."""

from __future__ import annotations

import pytest

from aftersend.core.rates import FLOOR, LIMITS, RateKind, RateLevel, compute_interval, compute_rates, make_rate
from aftersend.core.statistics import Measure
from tests.support.template import RESOURCES


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [(1, 20, 0.9, 23.6), (5, 100, 2.2, 11.2), (25, 500, 3.4, 7.3), (50, 1000, 3.8, 6.5), (500, 10_000, 4.6, 5.4)],
)
def test_the_interval_is_wilsons(numerator: int, denominator: int, low: float, high: float) -> None:
    """In per cent, to a tenth, as statistics books have them for 95 %."""
    assert [round(100 * end, 1) for end in compute_interval(numerator, denominator)] == [low, high]


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 1), (0, 1000), (1000, 1000)])
def test_an_interval_holds_its_share_and_stays_within_nothing_and_all(numerator: int, denominator: int) -> None:
    low, high = compute_interval(numerator, denominator)
    assert 0 <= low <= numerator / denominator <= high <= 1
    assert low < high


BOUNCE, COMPLAINT = LIMITS[RateKind.BOUNCE], LIMITS[RateKind.COMPLAINT]


@pytest.mark.parametrize(
    ("numerator", "denominator", "level"),
    [
        (10, 100, RateLevel.TOO_FEW),
        (10, 200, RateLevel.FINE),
        (63, 1000, RateLevel.FINE),
        (65, 1000, RateLevel.REVIEW),
        (100, 1000, RateLevel.REVIEW),
        (130, 1000, RateLevel.PAUSE),
    ],
)
def test_a_limit_is_passed_where_the_lower_bound_is_beyond_it(
    numerator: int, denominator: int, level: RateLevel
) -> None:
    assert make_rate(numerator, denominator, BOUNCE).level is level


def test_one_complaint_alone_passes_no_limit() -> None:
    assert make_rate(1, 1000, COMPLAINT).level is RateLevel.FINE
    assert make_rate(4, 1000, COMPLAINT).level is RateLevel.REVIEW


def test_of_few_there_is_an_interval_and_no_rate() -> None:
    few = make_rate(3, FLOOR - 1)
    assert (few.rate, few.level) == (None, None)
    assert few.low < 3 / few.denominator < few.high
    assert make_rate(3, FLOOR).rate == 3 / FLOOR


def test_rates_are_made_of_what_has_ended() -> None:
    rates = compute_rates(
        {
            Measure.SENT: 1000,  # still under way
            Measure.DEFERRED: 100,
            Measure.DELIVERED: 180,
            Measure.COMPLAINED: 20,
            Measure.BOUNCED_HARD: 30,
            Measure.BOUNCED_BLOCK: 15,
            Measure.BOUNCED_SOFT: 5,
            Measure.OPENS: 999,
        }
    )
    assert {kind: (rate.numerator, rate.denominator) for kind, rate in rates.items()} == {
        RateKind.BOUNCE: (30, 250),
        RateKind.COMPLAINT: (20, 200),
        RateKind.BLOCK: (15, 250),
    }


def test_without_a_denominator_there_is_no_rate() -> None:
    assert compute_rates({Measure.SENT: 5}) == {}
    assert compute_rates({Measure.BOUNCED_HARD: 1}).keys() == {RateKind.BOUNCE, RateKind.BLOCK}


def test_the_limits_are_those_of_the_alarms() -> None:
    """The template's alarms about SES's own rates ring where it begins to review an account."""
    assert RESOURCES["SesBounceRateAlarm"]["Properties"]["Threshold"] == BOUNCE.review
    assert RESOURCES["SesComplaintRateAlarm"]["Properties"]["Threshold"] == COMPLAINT.review

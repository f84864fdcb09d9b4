"""Rates of counts, with how sure they are and the limits that Amazon SES judges by. Pure.

SES counts hard bounces among what was sent, and complaints among what was delivered, "over a representative volume" of
its own choosing and not by day (SES developer guide, "Sender review process", "Reputation metrics"): it reviews an
account from 5 % bounces and 0.1 % complaints on, and pauses it from 10 % and 0.5 % on. Ours are counted alike: hard
bounces among what has ended, so what is still under way is in no rate. Refusals that are the sender's fault (class
block) are a rate of their own.

A rate of few is no rate: 1 complaint of 20 messages is none of 5 %. Below a floor there is an interval and no rate, and
a limit counts as passed where the lower bound of the interval is beyond it, by two messages at least. The interval is
Wilson's for 95 % (E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from math import sqrt
from typing import Final

from msgspec import Struct

from aftersend.core.statistics import BOUNCED, Dimension, Measure
from aftersend.core.vocabulary import Class

_Z: Final = 1.959963984540054  # of the normal distribution, for 95 % in the middle
_LEAST: Final = 2  # messages: one alone passes no limit


class RateKind(StrEnum):
    """Which rate."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    BLOCK = "block"


class RateLevel(StrEnum):
    """Where a rate stands."""

    TOO_FEW = "too_few"  # to say
    FINE = "fine"
    REVIEW = "review"  # SES reviews an account from here on
    PAUSE = "pause"  # and pauses it from here on


class RateLimits(Struct, frozen=True, kw_only=True):
    """From where on SES acts, and how many messages there must be to speak of a rate."""

    review: float
    pause: float
    floor: int


class Rate(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A share of messages, never without how many they are; shares are from 0 to 1."""

    numerator: int
    denominator: int
    rate: float | None = None  # None of fewer than the floor
    low: float  # the share of all such messages lies between these, in 95 of 100 cases
    high: float
    level: RateLevel | None = None  # None where there is no limit


LIMITS: Final = {
    RateKind.BOUNCE: RateLimits(review=0.05, pause=0.10, floor=200),
    RateKind.COMPLAINT: RateLimits(review=0.001, pause=0.005, floor=1000),
}
# Of what is counted by these, no row holds the whole that a rate is a share of: what was delivered has no reason.
WITHOUT_RATES: Final = frozenset({Dimension.REASON, Dimension.CAUSE})
FLOOR: Final = 200  # of rates without a limit
_REACHED: Final = (Measure.DELIVERED, Measure.COMPLAINED)
_ENDED: Final = (*_REACHED, *BOUNCED.values())
_PARTS: Final[dict[RateKind, tuple[Measure, tuple[Measure, ...]]]] = {
    RateKind.BOUNCE: (BOUNCED[Class.HARD], _ENDED),
    RateKind.COMPLAINT: (Measure.COMPLAINED, _REACHED),
    RateKind.BLOCK: (BOUNCED[Class.BLOCK], _ENDED),
}


def compute_rates(counts: Mapping[Measure, int]) -> dict[RateKind, Rate]:
    """Compute every rate that these counts have a denominator for."""
    found = {}
    for kind, (part, whole) in _PARTS.items():
        if denominator := _sum(counts, whole):
            found[kind] = make_rate(counts.get(part, 0), denominator, LIMITS.get(kind))
    return found


def make_rate(numerator: int, denominator: int, limits: RateLimits | None = None) -> Rate:
    """Make a rate of these; the denominator is at least 1."""
    low, high = compute_interval(numerator, denominator)
    enough = denominator >= (limits.floor if limits else FLOOR)
    level = None
    if limits is not None:
        passed = numerator >= _LEAST and low > limits.review
        level = RateLevel.TOO_FEW if not enough else RateLevel.FINE
        if enough and passed:
            level = RateLevel.PAUSE if low > limits.pause else RateLevel.REVIEW
    rate = numerator / denominator if enough else None
    return Rate(numerator=numerator, denominator=denominator, rate=rate, low=low, high=high, level=level)


def compute_interval(numerator: int, denominator: int) -> tuple[float, float]:
    """Compute between which shares the true one lies, by Wilson's interval for 95 %."""
    share, square = numerator / denominator, _Z * _Z
    middle = share + square / (2 * denominator)
    around = _Z * sqrt(share * (1 - share) / denominator + square / (4 * denominator**2))
    scale = 1 + square / denominator
    low, high = (middle - around) / scale, (middle + around) / scale
    return max(0.0, min(low, share)), min(1.0, max(high, share))  # whatever floating point does at the ends


def _sum(counts: Mapping[Measure, int], measures: Iterable[Measure]) -> int:
    return sum(counts.get(measure, 0) for measure in measures)

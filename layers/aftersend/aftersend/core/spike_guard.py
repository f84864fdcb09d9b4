"""The spike guard: notices when a provider refuses a domain's good addresses by accident. Pure.

What is known of one domain in one window of time is a pair of sketches: of the recipients who were refused for good, by
reason, and of a sample of those who were reached. A sketch holds the smallest digests of recipients and no others, so
it is a set like all else here: any order, any repetition and any split give the same. Up to its size it counts exactly,
beyond it estimates (k minimum values; Bar-Yossef et al., "Counting distinct elements in a stream").

Where refusals are many and a large share of what was sent, there is an *incident* until a person has decided. It acts
on the effect and not on the evidence: causes are stored as ever, and those inside it do not hold for the time being.
Seen in real mail: six hours of "550 5.1.1 user lookup success but no user record found" for living addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.model import Act, Decision, Reason, Reverted
from aftersend.core.policy import Guard
from aftersend.core.recipient import split_channel
from aftersend.core.vocabulary import Channel

SIZE: Final = 64  # digests a sketch holds: it estimates within an eighth, which is as much as a threshold needs
SAMPLE: Final = 16  # of so many recipients who are reached one is reported
_BITS: Final = 48

Sketch = tuple[int, ...]  # the smallest digests, in their order


class Window(Struct, frozen=True):
    """One domain in one window of time, of which `until` is the first moment after it (UTC)."""

    domain: str
    since: datetime
    until: datetime


class ReasonDecision(Struct, frozen=True):
    """What a person decided of one reason in a window."""

    reason: Reason
    decision: Decision


class Traffic(Struct, frozen=True, kw_only=True):
    """What is known of a window."""

    window: Window
    reached: Sketch = ()  # of the sample
    refused: dict[Reason, Sketch] = {}
    judged: tuple[ReasonDecision, ...] = ()
    version: int = 0


class Incident(Struct, frozen=True):
    """Refusals for one reason that nobody has judged yet, or that a person has taken back."""

    window: Window
    reason: Reason
    refused: int  # about so many recipients
    sent: int  # of about so many
    decision: Decision | None = None


def find_group(recipient: str) -> str:
    """Find what can have an accident as a whole, of which a recipient is part.

    That is the domain of a mail address, the country of a telephone number ("sms:+49": it does not say which
    operator, and numbers move from one to another), and the service of a push token ("push:apns").
    """
    match split_channel(recipient):
        case (Channel.EMAIL, address):
            return address.rpartition("@")[2]
        case (Channel.SMS, number):
            country = _COUNTRY(number)
            return f"sms:{country[0]}" if country else "sms"
        case (Channel.PUSH, rest):
            return f"push:{rest.partition(':')[0]}"
    return recipient.partition(":")[0]


# The country codes, of which most have three digits (ITU-T E.164, list of assigned country codes).
_COUNTRY: Final = re.compile(r"\+(?:[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[0-9]{3})").match


def find_window(recipient: str, at: datetime, rules: Guard) -> Window:
    """Find the window that something belongs to which happened to `recipient` at `at` (UTC)."""
    length = rules.window_hours * 3600
    since = datetime.fromtimestamp(int(at.timestamp()) // length * length, UTC)
    return Window(find_group(recipient), since, since + timedelta(seconds=length))


def report_delivery(window: Window, recipient: str) -> Traffic | None:
    """Report that one recipient was reached; None where they are not in the sample."""
    number = _digest(recipient)
    return None if number % SAMPLE else Traffic(window=window, reached=(number,))


def report_refusal(window: Window, recipient: str, reason: Reason) -> Traffic:
    """Report that one recipient was refused for good, for `reason`."""
    return Traffic(window=window, refused={reason: (_digest(recipient),)})


def report_decision(window: Window, reason: Reason, decision: Decision) -> Traffic:
    """Report what a person has decided of one reason in a window."""
    return Traffic(window=window, judged=(ReasonDecision(reason, decision),))


def merge_traffic(one: Traffic, other: Traffic) -> Traffic:
    """Merge all that both know of a window; returns `one` itself, with its version, where the other adds nothing."""
    reasons = sorted({*one.refused, *other.refused})
    both = replace(
        one,
        reached=_merge_sketches(one.reached, other.reached),
        refused={
            reason: _merge_sketches(one.refused.get(reason, ()), other.refused.get(reason, ())) for reason in reasons
        },
        judged=select_latest((*one.judged, *other.judged)),
    )
    return one if both == one else both


def find_news(known: Traffic, traffic: Traffic) -> Traffic | None:
    """Find what `traffic` adds to what is `known` of a window; None where that is nothing.

    A recipient whose digest is above all of a full sketch adds nothing: not now, and not to what is known later.
    """
    both = merge_traffic(known, traffic)
    if both is known:
        return None
    refused = {reason: _subtract(sketch, known.refused.get(reason, ())) for reason, sketch in both.refused.items()}
    return Traffic(
        window=known.window,
        reached=_subtract(both.reached, known.reached),
        refused={reason: sketch for reason, sketch in refused.items() if sketch},
        judged=tuple(each for each in both.judged if each not in known.judged),
    )


def select_latest(judgements: Iterable[ReasonDecision]) -> tuple[ReasonDecision, ...]:
    """Select the last decision for each reason."""
    in_order = sorted(judgements, key=lambda each: each.decision.order)
    return tuple(sorted({each.reason: each for each in in_order}.values(), key=lambda each: each.reason))


def find_incidents(traffic: Traffic, rules: Guard) -> list[Incident]:
    """Find the incidents of a window that no person has confirmed."""
    if not rules.watch:
        return []
    counts = {reason: _estimate(sketch) for reason, sketch in traffic.refused.items()}
    sent = sum(counts.values()) + SAMPLE * _estimate(traffic.reached)
    decisions = {each.reason: each.decision for each in traffic.judged}
    found = []
    for reason, count in counts.items():
        decision = decisions.get(reason)
        reverted = decision is not None and decision.act is Act.REVERTED
        spiked = count >= rules.floor and 100 * count >= rules.share_percent * sent
        if reverted or (spiked and decision is None):
            found.append(Incident(traffic.window, reason, count, sent, decision))
    return found


def find_confirmed(traffic: Traffic) -> list[Incident]:
    """Find the incidents of a window that a person has confirmed: what was refused in them counts."""
    counts = {reason: _estimate(sketch) for reason, sketch in traffic.refused.items()}
    sent = sum(counts.values()) + SAMPLE * _estimate(traffic.reached)
    return [
        Incident(traffic.window, each.reason, counts.get(each.reason, 0), sent, each.decision)
        for each in traffic.judged
        if each.decision.act is Act.CONFIRMED
    ]


def find_reverted_windows(found: Iterable[Incident], recipient: str) -> list[Reverted]:
    """Find the windows in which evidence against `recipient` does not hold: for `suppression.find_active_causes`."""
    domain = find_group(recipient)
    moment = timedelta(milliseconds=1)
    return [
        Reverted(each.window.since, each.window.until - moment, each.reason)
        for each in found
        if each.window.domain == domain
    ]


def _digest(recipient: str) -> int:
    return int.from_bytes(blake2b(recipient.encode(), digest_size=_BITS // 8).digest())


def _merge_sketches(one: Sketch, other: Sketch) -> Sketch:
    return tuple(sorted({*one, *other})[:SIZE])


def _subtract(one: Sketch, other: Sketch) -> Sketch:
    held = frozenset(other)
    return tuple(number for number in one if number not in held)


def _estimate(sketch: Sketch) -> int:
    """How many recipients a sketch stands for."""
    return len(sketch) if len(sketch) < SIZE else round((SIZE - 1) * 2**_BITS / max(sketch[-1], 1))

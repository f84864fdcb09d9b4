"""Microseconds of CPU for one SES notification: ours beside bare decoding and beside django-anymail.

Contenders take turns on the same bodies, round after round, and every round has bodies that no cache has seen. A ratio
is the median of the ratios of single rounds, so that what slows a round slows both sides of it.
"""

from __future__ import annotations

import gc
import time
from importlib.metadata import version
from statistics import median
from typing import Final

from aftersend import classify
from aftersend.core.outcome import merge
from aftersend.sources import read
from tests.bench import baseline, table
from tests.bench.baseline import Call
from tests.bench.notifications import mix

ROUNDS: Final = 21
BODIES: Final = 400  # a round
KINDS: Final = ("Send", "Delivery", "Open", "Click", "DeliveryDelay", "Bounce", "Complaint")

Rounds = list[dict[str, float]]  # microseconds a notification, by contender


def contenders() -> dict[str, Call]:
    """Everything that takes the bytes of one notification."""
    judge = classify.load()

    def parse(raw: bytes) -> object:
        return read("ses", raw)

    def whole(raw: bytes) -> object:
        return merge(None, read("ses", raw), judge)

    return {
        "json twice": baseline.json_twice,
        "typed": baseline.bare_typed,
        "anymail": baseline.anymail(),
        "read": parse,
        "whole": whole,
    }


def measure(calls: dict[str, Call], kind: str = "") -> Rounds:
    """All contenders on the same fresh bodies, in an order that turns with each round."""
    rounds, names = [], list(calls)
    for number in range(ROUNDS):
        bodies = mix(BODIES, seed=number, kind=kind)
        turn = number % len(names)
        took = {name: microseconds(calls[name], bodies) for name in names[turn:] + names[:turn]}
        rounds.append(took)
    return rounds[1:]  # the first one warms up


def microseconds(call: Call, bodies: list[bytes]) -> float:
    """Of CPU, for each of the bodies."""
    gc.collect()
    start = time.process_time_ns()
    for body in bodies:
        call(body)
    return (time.process_time_ns() - start) / 1000 / len(bodies)


def ratio(rounds: Rounds, one: str, other: str) -> float:
    """How many times `one` costs what `other` does."""
    return median(took[one] / took[other] for took in rounds)


def main() -> None:
    """Prints one table."""
    calls = contenders()
    gc.freeze()
    rows = []
    everything = measure(calls)
    for kind, rounds in [("mix", everything), *((kind, measure(calls, kind)) for kind in KINDS)]:
        figures = [f"{median(took[name] for took in rounds):.1f}" for name in calls]
        ratios = [f"{ratio(rounds, 'read', 'typed'):.2f}", f"{ratio(rounds, 'whole', 'anymail'):.2f}"]
        rows.append([kind, *figures, *ratios])
    table.show(
        f"CPU µs per SES notification in its SNS envelope (median of {ROUNDS - 1} rounds of {BODIES} fresh bodies)",
        ["notification", *calls, "read/typed", "whole/anymail"],
        rows,
        [
            "json twice: json.loads of envelope and body. typed: msgspec decodes both into typed structures, no more.",
            f"anymail: django-anymail {version('django-anymail')}, parsing alone. whole: read → classify → fold.",
            table.goal("read / bare typed decode, mix", ratio(everything, "read", "typed"), 2),
            table.goal("read → classify → fold / anymail's parsing, mix", ratio(everything, "whole", "anymail"), 1),
        ],
    )


if __name__ == "__main__":
    main()

"""Batches as SQS brings them: the feedback of many messages, some of it twice, in one of two orders."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Final, NamedTuple

from aftersend.sources.message import Message as Record
from tests.bench.notifications import Message

BATCH: Final = 100  # the template's BatchSize
WINDOW: Final = 500  # what five functions, the template's MaximumConcurrency, take out of the queue at once
REPEATS: Final = 0.3  # of all feedback comes a second time

_NOW: Final = datetime(2026, 3, 3, 12, tzinfo=UTC)


class Load(NamedTuple):
    """What is brought in, and how much of it is not a repeat."""

    batches: list[list[Record]]
    distinct: int

    @property
    def records(self) -> int:
        """All of it, repeats included."""
        return sum(map(len, self.batches))


def load(
    messages: int,
    each: int,
    order: str,
    *,
    seed: int = 0,
    batch: int = BATCH,
    fate: float | None = None,
    repeats: float = REPEATS,
) -> Load:
    """`each` feedback about every message, and repeats of it.

    `order`: "shuffled" is by chance over everything; "as sent" is by time, and by chance only within a window.
    """
    rng = random.Random(seed)
    lines = [
        (number / 50 + passed, body)
        for number in range(messages)
        for passed, body in Message(number, rng, fate).events(each)
    ]
    again = [(at + rng.expovariate(1 / 60), body) for at, body in rng.sample(lines, int(repeats * len(lines)))]
    arrived = [body for _, body in sorted(lines + again)]
    window = len(arrived) if order == "shuffled" else WINDOW
    mixed: list[bytes] = []
    for start in range(0, len(arrived), window):
        mixed += rng.sample(part := arrived[start : start + window], len(part))
    records = [Record(f"{seed}-{number}", body, _NOW, "ses") for number, body in enumerate(mixed)]
    return Load([records[start : start + batch] for start in range(0, len(records), batch)], len(lines))

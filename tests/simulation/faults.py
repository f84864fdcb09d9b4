"""What may go wrong at a call: drawn from the seed by the name of the call, so that each can be left out by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from hashlib import blake2b
from random import Random
from typing import Final

# Each with the operations that it may befall; none means all.
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "crash before": (),
    "crash after": (),
    "throttled": (),
    "unanswered": (),
    "answer lost": (),
    "answer lost, tried again": (),
    "partial batch": ("batch_get_item",),
    "short page": ("query", "scan"),
    "stale index": ("query",),
    "refused entry": ("send_message_batch",),
    "not deleted": ("delete",),
    "slow": (),
}
_COMMON: Final = frozenset({"partial batch", "short page", "stale index", "slow"})


class Faults:
    """Which calls go wrong, and how. `without` are the names of those that do not."""

    def __init__(self, seed: str, without: Collection[str] = ()) -> None:
        random = Random(f"faults {seed}")  # a seed must give the same again
        chosen = [kind for kind in KINDS if random.random() < 0.7]
        self.rates = {kind: random.choice((0.1, 0.3) if kind in _COMMON else (0.004, 0.01, 0.03)) for kind in chosen}
        self.fired: list[str] = []
        self.counts: Counter[str] = Counter()
        self.healed = True
        self._seed, self._without = seed, frozenset(without)

    def draw(self, call: str, operation: str) -> str:
        """Return what befalls a call, "" for nothing."""
        if self.healed:
            return ""
        number = int.from_bytes(blake2b(f"{self._seed} {call}".encode(), digest_size=8).digest()) / 2**64
        for kind, rate in self.rates.items():
            if KINDS[kind] and operation not in KINDS[kind]:
                continue
            if number < rate:
                name = f"{call}: {kind}"
                if name in self._without:
                    return ""
                self.fired.append(name)
                self.counts[kind] += 1
                return kind
            number -= rate
        return ""

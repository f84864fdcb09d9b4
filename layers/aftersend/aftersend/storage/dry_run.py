"""A store for dry runs: they take the same steps as real ones, and read what they would have written."""

from __future__ import annotations

from collections.abc import Sequence

from aftersend.core.model import Key, Outcome, Suppression
from aftersend.core.streaks import ReadBounces, select_bounces
from aftersend.core.writes import Answer, Put, ReadOutcomes, Request
from aftersend.ports import StorePort


class DryRunStore:
    """Reads what is stored, and only remembers what is written. Not to be written to by several threads.

    Of more than `memory` suppressions it forgets the first ones: what is stored is read again then. Every method
    raises what the store behind it raises.
    """

    def __init__(self, store: StorePort, memory: int | None = None) -> None:
        self._store = store
        self._memory = memory
        self._outcomes: dict[Key, Outcome] = {}
        self._suppressions: dict[Key, Suppression] = {}

    def get_outcomes(self, keys: Sequence[Key]) -> dict[Key, Outcome]:
        """Return the outcomes that exist of at most 100 keys (recipient, message)."""
        return self._store.get_outcomes(keys) | {key: self._outcomes[key] for key in keys if key in self._outcomes}

    def get_suppressions(self, keys: Sequence[Key]) -> dict[Key, Suppression]:
        """Return the suppressions that exist of at most 100 keys (recipient, scope)."""
        remembered = {key: self._suppressions[key] for key in keys if key in self._suppressions}
        unknown = [key for key in keys if key not in remembered]
        return remembered | self._store.get_suppressions(unknown) if unknown else remembered

    def answer(self, request: Request) -> Answer:
        """Carry out one step of `aftersend.core.writes`; a write always succeeds."""
        match request:
            case Put(Outcome() as outcome):
                self._outcomes[outcome.key] = outcome
            case Put(Suppression() as suppression):
                self._remember(suppression)
            case ReadOutcomes():
                return self._read_outcomes(request)
            case ReadBounces(recipient) if any(key[0] == recipient for key in self._outcomes):
                return select_bounces(self._read_outcomes(ReadOutcomes(recipient)), request)
            case ReadBounces():
                return self._store.answer(request)
        return None

    def _read_outcomes(self, request: ReadOutcomes) -> list[Outcome]:
        stored = self._store.answer(request)
        assert isinstance(stored, list)
        outcomes = (each for each in stored if isinstance(each, Outcome))
        return [self._outcomes.get(each.key, each) for each in outcomes]

    def _remember(self, suppression: Suppression) -> None:
        self._suppressions.pop(suppression.key, None)
        self._suppressions[suppression.key] = suppression
        if self._memory is not None and len(self._suppressions) > self._memory:
            del self._suppressions[next(iter(self._suppressions))]

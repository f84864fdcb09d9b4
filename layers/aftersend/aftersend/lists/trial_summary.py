"""What other rules would make of everything stored: counted, with a few examples that name nobody. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from aftersend.core.model import CauseKind, Class, Outcome, Reason, Status

MAX_CHANGES: Final = 100  # kinds of changes that are told apart; what comes after them is counted as others
UNDECIDED: Final = "nothing"  # in the place of a rule, where none decided
MAX_EXAMPLES: Final = 20
EXAMPLES_OF_A_KIND: Final = 3  # of one kind of change, so that others have room


class Judged(Struct, frozen=True, omit_defaults=True):
    """What became of a message: its status, and class, reason and rule where something was judged."""

    status: Status
    klass: Class | None = field(name="class", default=None)
    reason: Reason | None = None
    rule: str | None = None


class ChangeCount(Struct, frozen=True):
    """How many outcomes would become one thing that were another."""

    before: Judged
    after: Judged
    outcomes: int


class ChangeExample(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One outcome that would change: what was said, without a name, and what it means before and after."""

    source: str
    text: str = ""
    code: int | None = None
    status_code: str | None = None  # the enhanced one
    before: Judged
    after: Judged


class TrialSummary(Struct, frozen=True, kw_only=True):
    """What would change, as far as everything was looked at."""

    recipients: int = 0
    unreadable: int = 0  # of these an item cannot be read, which a newer version wrote: they are left alone
    outcomes: int = 0
    decided: int = 0  # of these, by the rules that were tried
    changed: int = 0  # another status, class or reason
    written: int = 0  # outcomes and suppressions that a re-evaluation would write
    suppressed: int = 0  # suppressions that would begin to hold
    freed: int = 0  # that would hold no more
    begins: dict[CauseKind, int] = {}  # causes that would begin to hold
    ends: dict[CauseKind, int] = {}  # that would hold no more
    changes: tuple[ChangeCount, ...] = ()  # the first kinds that were met; of another rule alone, too
    others: int = 0  # outcomes that change in still another way
    examples: tuple[ChangeExample, ...] = ()


class Tally:
    """Adds to a summary."""

    def __init__(self, summary: TrialSummary) -> None:
        self._counts = {name: getattr(summary, name) for name in _COUNTS}
        self._begins, self._ends = dict(summary.begins), dict(summary.ends)
        self._changes = {(each.before, each.after): each.outcomes for each in summary.changes}
        self._examples = list(summary.examples)

    def count(self, name: str, by: int = 1) -> None:
        """Count one of the numbers of a summary."""
        self._counts[name] += by

    def count_causes(self, held: set[CauseKind], holds: set[CauseKind]) -> None:
        """Count what of one suppression would begin to hold, and what no more."""
        for causes, counted in ((holds - held, self._begins), (held - holds, self._ends)):
            for cause in causes:
                counted[cause] = counted.get(cause, 0) + 1
        if bool(held) != bool(holds):
            self.count("suppressed" if holds else "freed")

    def count_change(self, before: Judged, after: Judged) -> None:
        """Count one outcome that would become `after`."""
        kind = before, after
        if kind in self._changes or len(self._changes) < MAX_CHANGES:
            self._changes[kind] = self._changes.get(kind, 0) + 1
        else:
            self.count("others")

    def wants_example(self, before: Judged, after: Judged) -> bool:
        """Whether there is room for one more example of this change."""
        alike = sum(each.before == before and each.after == after for each in self._examples)
        return len(self._examples) < MAX_EXAMPLES and alike < EXAMPLES_OF_A_KIND

    def add_example(self, example: ChangeExample) -> None:
        """Add an example."""
        self._examples.append(example)

    def summarize(self) -> TrialSummary:
        """Return the summary with all that was added."""
        return TrialSummary(
            **self._counts,
            begins=_sort(self._begins),
            ends=_sort(self._ends),
            changes=tuple(ChangeCount(*kind, outcomes) for kind, outcomes in self._changes.items()),
            examples=tuple(self._examples),
        )


_COUNTS: Final = (
    "recipients",
    "unreadable",
    "outcomes",
    "decided",
    "changed",
    "written",
    "suppressed",
    "freed",
    "others",
)


def _sort(counted: dict[CauseKind, int]) -> dict[CauseKind, int]:
    return {cause: counted[cause] for cause in sorted(counted)}


def describe(outcome: Outcome) -> Judged:
    """Return what became of a message, as it is stored."""
    verdict = outcome.verdict
    if verdict is None:
        return Judged(outcome.status)
    return Judged(outcome.status, verdict.klass, verdict.reason, verdict.rule)


def is_another_meaning(before: Judged, after: Judged) -> bool:
    """Whether more than the name of a rule is another."""
    return (before.status, before.klass, before.reason) != (after.status, after.klass, after.reason)


class Precedence(Struct, frozen=True):
    """A rule that was tried, and one over which it would take precedence."""

    rule: str
    over: str
    outcomes: int  # that it would decide in the other's place


def find_precedences(changes: Iterable[ChangeCount], tried: frozenset[str]) -> list[Precedence]:
    """Return over which rules those that were tried would take precedence, the most frequent first."""
    counted: dict[tuple[str, str], int] = {}
    for each in changes:
        rule, over = each.after.rule, each.before.rule
        if rule is not None and rule in tried and over is not None and over not in (rule, UNDECIDED):
            counted[rule, over] = counted.get((rule, over), 0) + each.outcomes
    return [Precedence(*pair, number) for pair, number in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))]

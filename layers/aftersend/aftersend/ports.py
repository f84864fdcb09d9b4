"""What the use case is given to work with, and what it reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, Self, TypeVar

from msgspec import Struct, field

from aftersend.core.errors import OutOfTime, ServiceError
from aftersend.core.model import Feedback, Key, Outcome, Suppression
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.core.spike_guard import Traffic
from aftersend.core.steps import Steps
from aftersend.core.writes import Answer, Request
from aftersend.sources import Parse
from aftersend.sources.message import Message

_T = TypeVar("_T")


class StorePort(Protocol):
    """Where outcomes and suppressions are stored: `aftersend.storage.store.Store` is one."""

    def get_outcomes(self, keys: Sequence[Key]) -> dict[Key, Outcome]: ...  # noqa: D102
    def get_suppressions(self, keys: Sequence[Key]) -> dict[Key, Suppression]: ...  # noqa: D102
    def answer(self, request: Request) -> Answer: ...  # noqa: D102


class StoreStepsPort(Protocol):
    """The same in steps, for who carries out many at once: `aftersend.storage.store.StoreSteps` is one."""

    def get_outcomes(self, keys: Sequence[Key]) -> Steps[dict[Key, Outcome]]: ...  # noqa: D102
    def get_suppressions(self, keys: Sequence[Key]) -> Steps[dict[Key, Suppression]]: ...  # noqa: D102
    def find_recipients_of(self, message: str) -> Steps[list[str]]: ...  # noqa: D102
    def answer(self, request: Request) -> Steps[Answer]: ...  # noqa: D102


Letter = tuple[Message, str]  # a body, and why nobody can read it


class ArchivePort(Protocol):
    """Where raw bodies are archived: `aftersend.storage.archive.Archive` is one."""

    def put(self, messages: Sequence[Message]) -> Steps[None]: ...  # noqa: D102


class DeadLettersPort(Protocol):
    """Where unreadable bodies are parked: `aftersend.storage.dead_letters.DeadLetters` is one."""

    def put(self, message: Message, why: str) -> None: ...  # noqa: D102

    def put_all(self, letters: Sequence[Letter]) -> dict[str, str]: ...  # noqa: D102


class UnmatchedTextsPort(Protocol):
    """Where texts are counted that no rule knows: `aftersend.storage.unmatched.UnmatchedTexts` is one."""

    def count(self, fact: Feedback, now: datetime) -> Steps[None]: ...  # noqa: D102


class SpikeWindowsPort(Protocol):
    """Where the spike guard's windows are stored: `aftersend.storage.spike_windows.SpikeWindows` is one."""

    def record_in_steps(self, traffic: Traffic) -> Steps[object]: ...  # noqa: D102


class Tasks(Protocol):
    """What carries out steps, many at once: `aftersend.aws.tasks` has two. A context, which ends what is under way."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def begin(self, all_steps: Iterable[Steps[_T]]) -> Callable[[], list[_T | ServiceError]]:
        """Begin with some, and return what waits for their results, in their order.

        A ServiceError that one of them raises is its result, and holds up no other. Steps begin one by one, as there
        is room for them, so the first of them may have ended when the last ones begin.
        """

    def advance(self) -> None:
        """Go on with everything that is under way and can go on, for who does something else meanwhile."""


class Ports(Struct, frozen=True, kw_only=True):
    """Everything that `ingest` needs for a batch."""

    store: StoreStepsPort
    archive: ArchivePort
    dead_letters: DeadLettersPort
    policy: Policy
    classify: Classify
    open_tasks: Callable[[], Tasks]
    clock: Callable[[], datetime]
    unmatched_texts: UnmatchedTextsPort | None = None
    spike_windows: SpikeWindowsPort | None = None
    parsers: Mapping[str, Parse] = {}  # by source: those that the user has configured
    unpack: Mapping[str, Callable[[bytes], bytes]] = {}  # by source: a body that only says where the feedback lies
    prove: Callable[[Feedback], str | None] | None = None  # the message that a token proves it to be about
    can_wait: bool = True  # whether a single message can come again by itself, without those that came with it


class BatchReport(Struct, kw_only=True):
    """What became of a batch. `failed`, `waiting` and `handed_back` must come back; everything else is done."""

    sources: dict[str, str] = field(default_factory=dict)  # message id -> its source
    failed: dict[str, str] = field(default_factory=dict)  # message id -> why: ours
    waiting: set[str] = field(default_factory=set)  # ids of messages that name no recipient and came before who does
    handed_back: set[str] = field(default_factory=set)  # ids of messages for which no time was left
    unreadable: dict[str, str] = field(default_factory=dict)  # message id -> why: theirs, parked
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (source, what, which) -> how often
    ages: dict[str, float] = field(default_factory=dict)  # source -> seconds from its oldest event to its arrival here
    suppressed: list[tuple[str, str]] = field(default_factory=list)  # (recipient, cause) new in this batch

    @property
    def unfinished(self) -> list[str]:
        """The ids of the messages that must come again."""
        return [*self.failed, *sorted((self.waiting | self.handed_back) - self.failed.keys())]

    def add_failure(self, ids: Iterable[str], error: ServiceError) -> None:
        """Note that these messages must come again, because of `error`."""
        if isinstance(error, OutOfTime):
            self.handed_back.update(ids)
        else:
            self.failed.update(dict.fromkeys(ids, str(error)))

    def sum_by_source(self) -> dict[str, dict[str, int]]:
        """Sum up every count that is not zero, by source and by the name of its metric: FeedbackBounced, VerdictHard …

        Every source of the batch is in it, also one of which there is nothing to count.
        """
        found: dict[str, Counter[str]] = {source: Counter() for source in self.sources.values()}
        for (source, what, which), count in self.counts.items():
            found.setdefault(source, Counter())[what + which.title().replace("_", "")] += count
        for name, ids in (
            ("Unreadable", self.unreadable),
            ("Failed", self.failed),
            ("Waiting", self.waiting - self.failed.keys()),
            ("HandedBack", self.handed_back - self.failed.keys() - self.waiting),
        ):
            for id_ in ids:
                found[self.sources[id_]][name] += 1
        return {source: dict(+counts) for source, counts in found.items()}

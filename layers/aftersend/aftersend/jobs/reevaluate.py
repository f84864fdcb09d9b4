"""Re-evaluates stored outcomes and suppressions: makes them what the present rules and policy would have made of them.

Facts stay as they are; what follows from them is computed anew. Outcomes are written before suppressions and under
the same conditions as anywhere else, so functions that process feedback may run beside it, provided that they have the
same rules and policy. Stopped anywhere and begun again it gives the same. What rests on outcomes that are no longer
kept is left alone, and so is what people decided. What is due by now is expired, whether the sweep has noticed or not.

A dry run works through the very same steps with a store that only remembers what it should have written.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor
from datetime import datetime
from functools import partial
from typing import Annotated, Final, Protocol, TypeVar

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from aftersend.core.causes import Claim, make_claim
from aftersend.core.digest import digest
from aftersend.core.errors import ContentionExhausted, Unreadable
from aftersend.core.model import CauseKind, Key, Outcome, Suppression
from aftersend.core.outcome import Classify, merge, select_counting
from aftersend.core.policy import Policy
from aftersend.core.steps import run_steps
from aftersend.core.suppression import find_active_causes
from aftersend.core.validity import LAG
from aftersend.core.writes import (
    MAX_TRIES,
    Answer,
    Put,
    ReadOutcomes,
    Refused,
    Request,
    SuppressionUpdate,
    update_suppression,
)
from aftersend.ports import StorePort
from aftersend.storage.dry_run import DryRunStore
from aftersend.storage.items import Item
from aftersend.storage.queries import Page, RecipientPage

MARGIN: Final = 60.0  # seconds that must be left for another page
EXAMPLES: Final = 50  # of each kind that a report lists

_T = TypeVar("_T")


class RecipientQueriesPort(Protocol):
    """Who has outcomes, and every suppression of a recipient: `aftersend.storage.queries.Queries` knows."""

    def scan_recipients(self, segment: int, segments: int, after: Key | None) -> RecipientPage: ...  # noqa: D102
    def find_suppressions_of(self, recipient: str) -> list[Suppression]: ...  # noqa: D102
    def find_due_outcomes(self, shard: str, by: datetime, limit: int, after: Item | None) -> Page[Key]: ...  # noqa: D102


class ReevaluationPorts(Struct, frozen=True, kw_only=True):
    """Everything that a re-evaluation works with."""

    store: StorePort
    queries: RecipientQueriesPort
    policy: Policy
    classify: Classify
    pool: Executor
    clock: Callable[[], datetime]
    digest_key: bytes


class Changes(Struct, kw_only=True, omit_defaults=True):
    """What became, or would become, of the tables. Addresses appear as keyed digests only."""

    counts: dict[str, int] = field(default_factory=dict)
    outcomes: list[str] = field(default_factory=list)  # the first ones that change: digest, before > after
    suppressions: list[str] = field(default_factory=list)  # the same: digest, scope, causes that come and go

    def count(self, *names: str) -> None:
        """Count each of `names` once more."""
        for name in names:
            self.counts[name] = self.counts.get(name, 0) + 1

    def merge(self, other: Changes) -> Changes:
        """Return these changes and then those."""
        names = sorted({*self.counts, *other.counts})
        return Changes(
            counts={name: self.counts.get(name, 0) + other.counts.get(name, 0) for name in names},
            outcomes=[*self.outcomes, *other.outcomes][:EXAMPLES],
            suppressions=[*self.suppressions, *other.suppressions][:EXAMPLES],
        )


class ReevaluationJob(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is to be done: all of it, or where `segment` is given what is left of that one."""

    run: str = ""  # the same for all segments
    segments: Annotated[int, Meta(ge=1, le=64)] = 4
    segment: Annotated[int, Meta(ge=0, le=63)] | None = None
    after: Key | None = None  # the last outcome that was read
    dry_run: bool = False
    due: tuple[Key, ...] = ()  # only these outcomes, and only to expire them: see `aftersend.jobs.expire`
    changes: Changes = field(default_factory=Changes)  # so far


def split(job: ReevaluationJob, run: str) -> list[ReevaluationJob]:
    """Return a job for each segment."""
    return [replace(job, run=run, segment=number, after=None, changes=Changes()) for number in range(job.segments)]


def run_slice(job: ReevaluationJob, ports: ReevaluationPorts, seconds_left: Callable[[], float]) -> ReevaluationJob:
    """Work one slice: on one segment until it ends or time gets short; returns the job as it stands then.

    At the end of its segment it has no `after`. Raises StoreUnavailable or ContentionExhausted; done again from the
    same job, a slice gives the same.
    """
    assert job.segment is not None
    work = partial(_reevaluate_or_count, ports=ports, dry_run=job.dry_run)
    while True:
        page = ports.queries.scan_recipients(job.segment, job.segments, job.after)
        unfinished = job.after[0] if job.after else None  # whose outcomes went over the end of the page before
        changes = job.changes
        for each in ports.pool.map(work, [recipient for recipient in page.recipients if recipient != unfinished]):
            changes = changes.merge(each)
        job = replace(job, after=page.after, changes=changes)
        if page.after is None or seconds_left() < MARGIN:
            return job


def _reevaluate_or_count(recipient: str, ports: ReevaluationPorts, *, dry_run: bool) -> Changes:
    """Return what became of one recipient; an item that cannot be read, which would hold up its segment, is counted."""
    try:
        return reevaluate_recipient(recipient, ports, dry_run=dry_run)
    except Unreadable:
        return Changes(counts={"recipients": 1, "unreadable": 1})


def reevaluate_recipient(recipient: str, ports: ReevaluationPorts, *, dry_run: bool = False) -> Changes:
    """Bring all outcomes of one recipient, and then every suppression, to the present rules and policy.

    Returns what changed, or for `dry_run` what would change. Raises StoreUnavailable or ContentionExhausted.
    """
    derived = derive_anew(recipient, ports, dry_run=dry_run)
    changes = Changes()
    changes.count("recipients")
    for outcome, after in derived.outcomes:
        _note_outcome(outcome, after, ports.digest_key, changes)
    for row, updated in derived.suppressions:
        _note_suppression(row, updated, ports, changes)
    return changes


class Derived(Struct, frozen=True):
    """What is stored of one recipient, and each time what it becomes; None for what is not there."""

    outcomes: list[tuple[Outcome, Outcome | None]]
    suppressions: list[tuple[Suppression | None, Suppression | None]]


def derive_anew(recipient: str, ports: ReevaluationPorts, *, dry_run: bool) -> Derived:
    """Derive all outcomes of one recipient anew, and then every suppression; write them, unless it is a `dry_run`.

    Raises StoreUnavailable or ContentionExhausted.
    """
    store: StorePort = DryRunStore(ports.store) if dry_run else ports.store
    stored = _as_outcomes(store.answer(ReadOutcomes(recipient)))
    due = ports.clock() - LAG
    outcomes = [
        (outcome, run_steps(refold(outcome, ports.classify, ports.policy, due), store.answer)) for outcome in stored
    ]
    before = {each.key: each for each in ports.queries.find_suppressions_of(recipient)}
    claimed = {(each.recipient, each.scope) for each in _claims([after for _, after in outcomes if after], ports)}
    suppressions = []
    for key in sorted({(recipient, "*"), *before, *claimed}):
        update = SuppressionUpdate(key, recount=True, rebuild=partial(_claims, ports=ports, key=key))
        updated = run_steps(update_suppression(update, before.get(key), ports.policy), store.answer)
        suppressions.append((before.get(key), updated))
    return Derived(outcomes, suppressions)


def refold(
    stored: Outcome, classify: Classify, policy: Policy, now: datetime
) -> Generator[Request, Answer, Outcome | None]:
    """Derive a stored outcome anew, with what was due by `now` (UTC) expired; returns what is stored then.

    None where it is gone meanwhile: its time was over, or it was erased, and it stays gone. Raises ContentionExhausted
    after MAX_TRIES refusals.
    """
    rules, validity = policy.report, policy.validity
    for _ in range(MAX_TRIES):
        outcome = merge(stored, (), classify, afresh=True, reports=rules, validity=validity, now=now)
        if outcome is stored:
            return outcome
        outcome = replace(outcome, version=outcome.version + 1)
        answer = yield Put(outcome)
        if not isinstance(answer, Refused):
            return outcome
        if answer.current is None:
            return None
        assert isinstance(answer.current, Outcome)
        stored = answer.current
    raise ContentionExhausted(f"an outcome changed {MAX_TRIES} times while it was being derived anew")


def _claims(outcomes: Iterable[Outcome], ports: ReevaluationPorts, key: Key | None = None) -> list[Claim]:
    """Return all claims that the facts of these outcomes make, on one suppression or on any."""
    counting = (fact for outcome in outcomes for fact in select_counting(outcome.feedback, ports.policy.report))
    made = (make_claim(fact, ports.classify(fact), ports.policy) for fact in counting)
    return [each for each in made if each is not None and key in (None, (each.recipient, each.scope))]


def _as_outcomes(answer: Answer) -> list[Outcome]:
    assert isinstance(answer, list)
    return [each for each in answer if isinstance(each, Outcome)]


def _note_outcome(before: Outcome, after: Outcome | None, key: bytes, changes: Changes) -> None:
    changes.count("outcomes")
    if after is None or after.version == before.version:
        return
    changes.count("outcomes changed")
    was, becomes = _describe(before), _describe(after)
    if was != becomes:
        changes.count(f"{was} > {becomes}")
        changes.outcomes.append(f"{digest(before.recipient, key)} {was} > {becomes}")


def _describe(outcome: Outcome) -> str:
    """Status and verdict, as a report has them."""
    verdict = outcome.verdict
    return f"{outcome.status} {verdict.klass}/{verdict.reason}" if verdict else outcome.status.value


def _note_suppression(
    before: Suppression | None, after: Suppression | None, ports: ReevaluationPorts, changes: Changes
) -> None:
    if after is None or (before is not None and after.version == before.version):
        return
    changes.count("suppressions changed")
    held, holds = find_held(before, after, ports.clock())
    signs = [f"+{cause}" for cause in sorted(holds - held)] + [f"-{cause}" for cause in sorted(held - holds)]
    changes.count(*signs)
    if bool(held) != bool(holds):
        changes.count("suppressed" if holds else "freed")
    if signs:
        changes.suppressions.append(f"{digest(after.recipient, ports.digest_key)} {after.scope} {' '.join(signs)}")


def find_held(
    before: Suppression | None, after: Suppression | None, now: datetime
) -> tuple[set[CauseKind], set[CauseKind]]:
    """Return which causes held of a suppression at `now` (UTC), and which hold of what it becomes."""
    held, holds = (set(find_active_causes(each, now)) if each else set() for each in (before, after))
    return held, holds

"""The use case of a trial: what other rules would make of everything stored, and nothing is written.

It takes the steps of a re-evaluation (`aftersend.jobs.reevaluate`) with a store that only remembers what it should have
written, so what it says is what a re-evaluation would do. What is kept of it names nobody: texts are masked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Final

import msgspec
from msgspec import Struct

from aftersend.classify.engine import USER
from aftersend.classify.rules import RuleDefinition, RuleDocument, define_errors
from aftersend.core import smsc
from aftersend.core.errors import MalformedFeedback, Unreadable
from aftersend.core.model import Outcome, Suppression
from aftersend.core.outcome import Classify
from aftersend.core.text import truncate
from aftersend.jobs.reevaluate import Derived, ReevaluationPorts, derive_anew, find_held
from aftersend.lists.context import ListJobsPort
from aftersend.lists.job import ListJob, TrialProgress, TrialRequest
from aftersend.lists.runner import run_chunks
from aftersend.lists.trial_summary import ChangeExample, Tally, describe, is_another_meaning
from aftersend.storage.unmatched import mask_person
from aftersend.storage.user_mappings import UserDocuments

MAX_TEXT: Final = 300  # bytes of the text of an example

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(RuleDocument).decode


class TrialContext(Struct, frozen=True, kw_only=True):
    """Everything that a trial works with. None of it writes, but for the table of jobs."""

    jobs: ListJobsPort
    clock: Callable[[], datetime]
    timer: Callable[[], float]  # seconds that pass
    documents: UserDocuments  # those of the stack
    make_ports: Callable[[Classify], ReevaluationPorts]


def run_trial(id_: str, context: TrialContext, seconds: float) -> ListJob | None:
    """Work a trial, as `run_chunks` does."""
    return run_chunks(id_, context, {TrialRequest: try_rules}, seconds)


def make_trial(document: RuleDocument, *, instead: bool) -> TrialRequest:
    """Return the request to try these rules, without their examples, which may name somebody.

    `instead` has them stand in the place of the stack's own, not before them.
    """
    bare = tuple(RuleDefinition(id=rule.id, when=rule.when, then=rule.then) for rule in document.rules)
    named = (*bare, *define_errors(smsc.read_settings({smsc.TABLE: document.smsc})))
    return TrialRequest(
        rules=_encode(RuleDocument(bare, document.smsc)).decode(),
        tried=tuple(f"{USER}{rule.id}" for rule in named),
        instead=instead,
    )


def try_rules(job: ListJob, context: TrialContext) -> Iterator[TrialProgress]:
    """Try the rules of a job on everything stored, and yield the progress after each page. Raises StoreUnavailable.

    A job that began over other documents of the stack ends as failed: half of its answer would be about those.
    """
    request, progress = job.request, job.progress
    assert isinstance(request, TrialRequest) and isinstance(progress, TrialProgress)
    began_over = context.documents.digest
    if progress.began_over not in (None, began_over):
        raise MalformedFeedback("rules", "the rules of the stack itself have changed meanwhile: try these again")
    ports = context.make_ports(context.documents.load_with(_decode(request.rules), instead=request.instead))
    tried = frozenset(request.tried)
    while not progress.complete:
        progress = _try_page(progress, began_over, tried, ports)
        yield progress


def _try_page(
    progress: TrialProgress, began_over: str, tried: frozenset[str], ports: ReevaluationPorts
) -> TrialProgress:
    """Try rules on the recipients of one more page."""
    page = ports.queries.scan_recipients(0, 1, progress.after)
    unfinished = progress.after[0] if progress.after else None  # whose outcomes went over the end of the page before
    tally = Tally(progress.summary)
    recipients = [recipient for recipient in page.recipients if recipient != unfinished]
    for derived in ports.pool.map(partial(_derive, ports=ports), recipients):
        _count(derived, tried, ports.clock(), tally)
    return TrialProgress(
        after=page.after, complete=page.after is None, began_over=began_over, summary=tally.summarize()
    )


def _derive(recipient: str, ports: ReevaluationPorts) -> Derived | None:
    """What would become of a recipient; None where an item cannot be read."""
    try:
        return derive_anew(recipient, ports, dry_run=True)
    except Unreadable:
        return None


def _count(derived: Derived | None, tried: frozenset[str], now: datetime, tally: Tally) -> None:
    tally.count("recipients")
    if derived is None:
        tally.count("unreadable")
        return
    for outcome, after in derived.outcomes:
        _count_outcome(outcome, after or outcome, tried, tally)
    for row, updated in derived.suppressions:
        _count_suppression(row, updated, now, tally)


def _count_outcome(outcome: Outcome, after: Outcome, tried: frozenset[str], tally: Tally) -> None:
    was, becomes = describe(outcome), describe(after)
    tally.count("outcomes")
    tally.count("decided", becomes.rule in tried)
    tally.count("written", after.version != outcome.version)
    if was == becomes:
        return
    tally.count_change(was, becomes)
    if is_another_meaning(was, becomes):
        tally.count("changed")
        if tally.wants_example(was, becomes):
            speaks = next(fact for fact in after.feedback if fact.id == after.decided_by)
            evidence = speaks.evidence
            tally.add_example(
                ChangeExample(
                    source=speaks.source,
                    text=truncate(mask_person((evidence and evidence.text) or "", outcome.recipient, "…"), MAX_TEXT),
                    code=evidence.code if evidence else None,
                    status_code=evidence.status if evidence else None,
                    before=was,
                    after=becomes,
                )
            )


def _count_suppression(row: Suppression | None, updated: Suppression | None, now: datetime, tally: Tally) -> None:
    if updated is None or (row is not None and updated.version == row.version):
        return
    tally.count("written")
    tally.count_causes(*find_held(row, updated, now))

"""What an outcome or a suppression counts, and how a change of it moves counters. Pure.

A row *contributes* to counters, each a cell (day, dimension, value, measure), and a change moves them by what the row
contributes afterwards minus what it did before. So counters are a function of the tables: any order and any batches of
the changes give the same, re-evaluation and late facts included, and a recount from scratch gives the same again.

What leaves the tables stays counted: it moves nothing, and is added to counters of what is gone. So

    counted = contributions of the rows that are there + gone by time + gone by erasure

holds for every cell, and proves itself. No cell names a person: of a recipient there is the mailbox provider alone, of
a sender the domain, and of the sender's own names for a campaign none that looks like an address or a number.

What anybody could have sent, and nothing proves, is counted by itself: a stranger moves no rate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from msgspec import Struct

from aftersend.core.active_causes import EndedBy, find_ending
from aftersend.core.changes import Change
from aftersend.core.erasure import is_alias
from aftersend.core.errors import Unreadable
from aftersend.core.model import Cause, CauseKind, Class, Feedback, Outcome, Status, Suppression
from aftersend.core.receiving_system import NONE, OTHER, find_system
from aftersend.core.recipient import canonicalize_email
from aftersend.core.suppression import find_release, list_evidence
from aftersend.core.text import truncate

FindStream = Callable[[str], str | None]  # the sender's address to its stream: `Policy.find_stream`

MAX_VALUE: Final = 48  # bytes of a value
MAX_VALUES: Final = 100  # of one day and dimension, where senders choose them: all others are counted as OTHER
MAX_ROWS: Final = 99  # counted in one transaction of DynamoDB, which has 100 actions: one is the checkpoint
MAX_CELLS: Final = 250  # of one row in one transaction: an update expression has 4,096 bytes at most
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)  # what does not hold even then has been ended by somebody


class Dimension(StrEnum):
    """By what is counted."""

    ALL = "all"  # one value, which is ALL
    SOURCE = "source"  # who said what counts
    STREAM = "stream"  # as the policy names it for the sender
    SENDER = "sender"  # the sender's domain
    CAMPAIGN = "campaign"  # as the sender's identifiers name it
    SYSTEM = "system"  # of the recipient: see `receiving_system`
    REASON = "reason"  # class and reason: "hard/user_unknown"
    HOUR = "hour"  # of the day, UTC: "00" to "23"
    UNPROVEN = "unproven"  # by source: what anybody could have sent, which stands in no other dimension
    CAUSE = "cause"  # of suppressions


# Of these strangers or senders choose the values, so their number is bounded; all others have few.
OPEN: Final = frozenset({Dimension.SENDER, Dimension.CAMPAIGN})
ALL: Final = "all"


class Measure(StrEnum):
    """What is counted: of a message the one status that it has, and who opened or clicked; of a suppression its causes.

    Messages that were bounced are counted by the class of the refusal, so all statuses together are all messages.
    """

    SENT = "sent"
    DEFERRED = "deferred"
    EXPIRED = "expired"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    COMPLAINED = "complained"
    BOUNCED_HARD = "bounced_hard"
    BOUNCED_SOFT = "bounced_soft"
    BOUNCED_BLOCK = "bounced_block"
    BOUNCED_IGNORE = "bounced_ignore"
    BOUNCED_COMPLAINT = "bounced_complaint"
    BOUNCED_UNDETERMINED = "bounced_undetermined"
    OPENED = "opened"  # messages that were opened, once or more
    OPENS = "opens"
    CLICKED = "clicked"  # messages of which a link was followed, once or more
    CLICKS = "clicks"
    ADDED = "added"  # causes that began
    RELEASED = "released"  # causes that a person has released
    WITHDRAWN = "withdrawn"  # causes that were taken back by who had said them
    REVIVED = "revived"  # hard bounces of a number or token that took a message later
    REVERTED = "reverted"  # hard bounces in a provider's accident, as a person has decided; by the day they began


BOUNCED: Final = {klass: Measure(f"bounced_{klass}") for klass in Class}
STATUSES: Final[tuple[Measure, ...]] = (
    *(Measure(status) for status in Status if status is not Status.BOUNCED),
    *BOUNCED.values(),
)

# Where senders and providers put the name of a campaign, the likeliest first; headers have their names in any case.
CAMPAIGN_NAMES: Final = (
    *("campaign", "campaign_id", "campaign-id", "campaign-name", "x-campaign", "x-campaign-id"),
    *("customcampaign", "mj_campaign_id", "delivery"),
)
# What may lead to a person has no place in a counter: an address, a telephone number.
_PERSONAL: Final = re.compile(r"@|%40|(?:\+|\b00)[1-9][\d ()./-]{4,}\d").search


class Cell(NamedTuple):
    """Where something is counted."""

    day: str  # UTC, "2026-03-20": of an outcome that of its first feedback, of a cause that of its evidence or end
    dimension: Dimension
    value: str
    measure: Measure


Counts = Mapping[Cell, int]


class Gone(StrEnum):
    """Why what is counted is no longer in the tables."""

    EXPIRED = "expired"
    ERASED = "erased"


class Difference(Struct, frozen=True, kw_only=True):
    """How one change moves counters: those of all, and those of what is gone."""

    sequence: int  # of the change
    counted: Counts = {}
    gone: Counts = {}
    why: Gone = Gone.EXPIRED

    @property
    def moves(self) -> bool:
        """Whether there is anything to count."""
        return bool(self.counted or self.gone)


def count_row(row: Outcome | Suppression | None, find_stream: FindStream) -> Counts:
    """Count what one row contributes; nothing where there is none."""
    if isinstance(row, Outcome):
        return _count_outcome(row, find_stream)
    return _count_suppression(row) if row is not None else {}


def find_difference(change: Change, find_stream: FindStream) -> Difference:
    """Find how a change moves counters."""
    old = count_row(change.old, find_stream)
    if change.new is None:
        return Difference(sequence=change.sequence, gone=old, why=Gone.EXPIRED if change.expired else Gone.ERASED)
    new = count_row(change.new, find_stream)
    if old == new:
        return Difference(sequence=change.sequence)
    return Difference(sequence=change.sequence, counted=add_counts([(1, new), (-1, old)]))


def add_counts(signed: Iterable[tuple[int, Counts]]) -> dict[Cell, int]:
    """Add up counts, each times its sign; cells of nothing are left out."""
    total: dict[Cell, int] = {}
    for sign, counts in signed:
        for cell, number in counts.items():
            total[cell] = total.get(cell, 0) + sign * number
    return {cell: number for cell, number in total.items() if number}


# ---- Outcomes --------------------------------------------------------------------------------------------------------


def _count_outcome(outcome: Outcome, find_stream: FindStream) -> Counts:
    day = _name_day(outcome.first_at)
    values, measures = find_values(outcome, find_stream), _measure(outcome)
    return {Cell(day, *value, measure): number for value in values for measure, number in measures}


def find_values(outcome: Outcome, find_stream: FindStream) -> list[tuple[Dimension, str]]:
    """Find under which value of each dimension an outcome is counted; in some it has none."""
    decider = find_decider(outcome)
    if not outcome.proven:
        return [(Dimension.UNPROVEN, decider.source)]
    values = [(Dimension.ALL, ALL), (Dimension.SOURCE, decider.source), (Dimension.HOUR, f"{outcome.first_at:%H}")]
    sender = outcome.context.sender
    if sender and "@" in sender:
        values.append((Dimension.SENDER, find_domain(sender)))
        if stream := find_stream(sender):
            values.append((Dimension.STREAM, clean_value(stream)))
    if campaign := find_campaign(outcome.context.correlation):
        values.append((Dimension.CAMPAIGN, clean_value(campaign)))
    if (system := find_system(outcome.recipient, find_host(outcome))) != NONE:
        values.append((Dimension.SYSTEM, system))
    if outcome.verdict is not None:
        values.append((Dimension.REASON, f"{outcome.verdict.klass}/{outcome.verdict.reason}"))
    return values


def find_decider(outcome: Outcome) -> Feedback:
    """Return the feedback that says what became of the message; raises Unreadable for an outcome without any."""
    if not outcome.feedback:
        raise Unreadable("an outcome that is stored has no feedback")
    return next((fact for fact in outcome.feedback if fact.id == outcome.decided_by), outcome.feedback[-1])


def find_host(outcome: Outcome) -> str | None:
    """Return the host that answered for the recipient, by what decides or else by the last feedback that names one."""
    facts = (find_decider(outcome), *reversed(outcome.feedback))
    return next((fact.evidence.remote_mta for fact in facts if fact.evidence and fact.evidence.remote_mta), None)


def find_campaign(correlation: Mapping[str, str]) -> str | None:
    """Return what the sender calls the campaign of a message with these identifiers, if they name one."""
    if not correlation:
        return None
    given: dict[str, str] = {}
    for name, value in sorted(correlation.items()):
        given.setdefault(name.casefold(), value.strip())
    return next((given[name] for name in CAMPAIGN_NAMES if given.get(name)), None)


def find_domain(sender: str) -> str:
    """Return the domain of a sender's address, in any spelling, as a value."""
    return clean_value(canonicalize_email(sender).rpartition("@")[2])


def clean_value(given: str) -> str:
    """Return what a sender has named as a value: bounded, and OTHER where it may lead to a person."""
    return OTHER if _PERSONAL(given) else truncate(given.strip(), MAX_VALUE).strip() or OTHER


def _measure(outcome: Outcome) -> list[tuple[Measure, int]]:
    """What is counted of an outcome: its status, and opens and clicks."""
    status: Measure
    if outcome.status is Status.BOUNCED:
        status = BOUNCED[outcome.verdict.klass if outcome.verdict else Class.UNDETERMINED]
    else:
        status = Measure(outcome.status)
    measures = [(status, 1)]
    if outcome.opens:
        measures += [(Measure.OPENED, 1), (Measure.OPENS, outcome.opens)]
    if outcome.clicks:
        measures += [(Measure.CLICKED, 1), (Measure.CLICKS, outcome.clicks)]
    return measures


# ---- Suppressions ----------------------------------------------------------------------------------------------------


def _count_suppression(suppression: Suppression) -> Counts:
    """Each cause on the day that it began, and on that which ended it; an alias has been counted when it had a name.

    What ends by time ends without a write, and is not counted.
    """
    if is_alias(suppression.recipient):
        return {}
    found: dict[Cell, int] = {}
    for kind, cause in suppression.causes.items():
        evidence = list_evidence(cause)
        if not evidence:  # something was taken back that nobody has said yet
            continue
        found[Cell(_name_day(evidence[0].at), Dimension.CAUSE, kind, Measure.ADDED)] = 1
        ended_by = find_ending(suppression, kind, _ALWAYS)
        if ended_by is not None and (end := _find_end(suppression, kind, cause, ended_by)) is not None:
            found[Cell(_name_day(end), Dimension.CAUSE, kind, Measure(ended_by))] = 1
    return found


def _find_end(suppression: Suppression, kind: CauseKind, cause: Cause, ended_by: EndedBy) -> datetime | None:
    """When a cause was ended by somebody; None where it is not known, or was ended by time."""
    first, *_, last = (*list_evidence(cause)[:1], *list_evidence(cause))
    match ended_by:
        case EndedBy.RELEASED:
            return find_release(suppression, kind, last)
        case EndedBy.WITHDRAWN:
            return cause.withdrawn.at if cause.withdrawn else None
        case EndedBy.REVIVED:
            return suppression.life.last.at if suppression.life and suppression.life.last else None
        case EndedBy.REVERTED:
            return first.at
    return None


def _name_day(moment: datetime) -> str:
    return moment.date().isoformat()


# ---- What is committed together --------------------------------------------------------------------------------------


class CounterRow(NamedTuple):
    """The cells that are stored together: those of one day and dimension, of all or of what is gone."""

    day: str
    dimension: Dimension
    gone: Gone | None = None


CounterRows = dict[CounterRow, dict[Cell, int]]


def group_rows(difference: Difference) -> CounterRows:
    """Group by rows what a change moves."""
    rows: CounterRows = {}
    for gone, counts in ((None, difference.counted), (difference.why, difference.gone)):
        for cell, number in counts.items():
            rows.setdefault(CounterRow(cell.day, cell.dimension, gone), {})[cell] = number
    return rows


def fill_commit(differences: Sequence[Difference]) -> tuple[int, CounterRows]:
    """Take from the front as many changes as fit one transaction, at least one: how many they are, and their sum."""
    total: CounterRows = {}
    for taken, difference in enumerate(differences):
        rows = group_rows(difference)
        new = sum(row not in total for row in rows)
        full = any(len(total.get(row, {}).keys() | cells.keys()) > MAX_CELLS for row, cells in rows.items())
        if taken and (full or len(total) + new > MAX_ROWS):
            return taken, _drop_nothing(total)
        for row, cells in rows.items():
            sums = total.setdefault(row, {})
            for cell, number in cells.items():
                sums[cell] = sums.get(cell, 0) + number
    return len(differences), _drop_nothing(total)


def _drop_nothing(rows: CounterRows) -> CounterRows:
    kept = {row: {cell: number for cell, number in cells.items() if number} for row, cells in rows.items()}
    return {row: cells for row, cells in kept.items() if cells}


# ---- Recount ---------------------------------------------------------------------------------------------------------


def sum_rows(rows: Iterable[Outcome | Suppression], find_stream: FindStream) -> CounterRows:
    """Count from scratch what is in the tables."""
    total: CounterRows = {}
    for row in rows:
        for cell, number in count_row(row, find_stream).items():
            cells = total.setdefault(CounterRow(cell.day, cell.dimension), {})
            cells[cell] = cells.get(cell, 0) + number
    return total


def recount(stored: Mapping[CounterRow, Counts], live: Mapping[CounterRow, Counts]) -> CounterRows:
    """Return each row as it must be: what is in the tables (`live`), and what has left them as it is stored.

    Values that stand alone go on to do so, also where nothing is left of them; others do as far as there is room.
    """
    places = {(row.day, row.dimension) for row in (*stored, *live)}
    rows: CounterRows = {}
    for day, dimension in places:
        place = CounterRow(day, dimension)
        known, gone = stored.get(place, {}), [stored.get(CounterRow(day, dimension, why), {}) for why in Gone]
        total = add_counts((1, counts) for counts in (live.get(place, {}), *gone))
        admitted = list_own_values(known)
        cells = fold_values(total, admit_values(admitted, list_own_values(total)), dimension)
        rows[place] = dict.fromkeys(known, 0) | cells
    return rows


def list_own_values(cells: Iterable[Cell]) -> frozenset[str]:
    """List the values that stand alone in a row with these cells."""
    return frozenset(cell.value for cell in cells) - {OTHER}


def admit_values(known: frozenset[str], wanted: frozenset[str]) -> frozenset[str]:
    """Return the values that stand alone from now on: those that do, and of the wanted ones as many as have room."""
    return known | {*sorted(wanted - known)[: max(0, MAX_VALUES - len(known))]}


class Disagreement(NamedTuple):
    """A counter that is not what a recount gives."""

    cell: Cell
    counted: int
    recounted: int


def compare_rows(stored: Mapping[CounterRow, Counts], recounted: Mapping[CounterRow, Counts]) -> list[Disagreement]:
    """List the counters that are not what a recount gives."""
    return [
        Disagreement(cell, counted, number)
        for row, cells in sorted(recounted.items(), key=lambda each: each[0][:2])
        for cell, number in sorted(cells.items())
        if (counted := stored.get(row, {}).get(cell, 0)) != number
    ]


def fold_values(cells: Counts, admitted: frozenset[str], dimension: Dimension) -> dict[Cell, int]:
    """Count under OTHER what is not among the values that stand alone; in most dimensions all of them do."""
    if dimension not in OPEN:
        return dict(cells)
    return add_counts(
        (1, {cell if cell.value in admitted else cell._replace(value=OTHER): number}) for cell, number in cells.items()
    )

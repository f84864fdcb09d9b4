"""What the demo shows, as tables that a person likes to read: in colour on a terminal, plain anywhere else."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import IO, Final, TextIO, TypeVar, cast

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aftersend.classify import Classifier, load
from aftersend.core.model import CauseKind, Class, Feedback, Kind, Outcome, Status, Suppression, Verdict
from aftersend.core.outcome import select_counting
from aftersend.core.policy import SHIPPED
from aftersend.core.recipient import split_channel
from aftersend.core.suppression import find_active_causes, is_revived, list_evidence
from aftersend.core.times import format_time
from aftersend.core.validity import show_at
from local.tables import DeadLetter

PLAIN_WIDTH: Final = 100  # where there is no terminal to ask

_STATUS: Final = {
    Status.SENT: "cyan",
    Status.DEFERRED: "yellow",
    Status.EXPIRED: "yellow",
    Status.DELIVERED: "green",
    Status.REJECTED: "blue",
    Status.BOUNCED: "red",
    Status.COMPLAINED: "magenta",
}
_CLASS: Final = {
    Class.HARD: "red",
    Class.SOFT: "yellow",
    Class.BLOCK: "blue",
    Class.IGNORE: "bright_black",
    Class.COMPLAINT: "magenta",
    Class.UNDETERMINED: "cyan",
}
# What a feedback means where no rule has to decide it.
_MEANS: Final = {
    Kind.SENT: "The sending system took the message.",
    Kind.DELIVERED: "The recipient's system took the message.",
    Kind.OPENED: "Somebody opened it: it has arrived.",
    Kind.CLICKED: "Somebody followed a link: it has arrived.",
    Kind.UNSUBSCRIBED: "The recipient left a stream.",
    Kind.SUBSCRIBED: "The recipient joined a stream.",
    Kind.COMPLAINT_WITHDRAWN: "The recipient took a complaint back.",
    Kind.UNKNOWN: "A new type: kept, and decides nothing.",
}

_T = TypeVar("_T")


def console() -> Console:
    """Where to write: as wide as the terminal, or 100 columns where there is none."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # an ASCII terminal shows "?", and the demo goes on
    if sys.stdout.isatty():
        return Console(highlight=False)
    columns = os.environ.get("COLUMNS", "")
    width = (int(columns) if columns.isdecimal() else 0) or PLAIN_WIDTH
    return Console(highlight=False, width=width, file=cast(IO[str], _Trimmed(sys.stdout)))


class _Trimmed:
    """A stream that leaves out the blanks at the ends of lines, with which tables are filled up."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        """Write `text`, which consists of whole lines."""
        return self._stream.write(re.sub(r" +$", "", text, flags=re.MULTILINE))

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Return False: it is made where there is no terminal."""
        return False


def outcomes(rows: Sequence[Outcome], *, everything: bool) -> Table:
    """What became of the messages by now: every one, or one of each kind."""
    rows = [show_at(row, datetime.now(UTC)) for row in rows]
    shown = rows if everything else _one_of_each(rows, _kind_of_outcome)
    table = _table("What became of the messages", len(shown), len(rows))
    table.add_column("recipient\nmessage", ratio=3, overflow="fold")
    table.add_column("status\nlast heard of", width=16)
    table.add_column("class, reason\nadvice", ratio=4)
    for outcome in sorted(shown, key=_kind_of_outcome):
        table.add_row(_who(outcome), _status(outcome), _verdict(outcome))
    return table


def suppressions(rows: Sequence[Suppression], as_of: datetime, *, everything: bool) -> Table:
    """Whom not to write to: every cause that holds at `as_of`, or one of each kind."""
    holding = in_force(rows, as_of)
    shown = holding if everything else _one_of_each(holding, _kind_of_cause)
    table = _table(f"Whom not to write to, as of {_day(as_of)}", len(shown), len(holding))
    table.add_column("recipient\nscope", ratio=1, overflow="fold")
    table.add_column("cause\nreason", width=16)
    table.add_column("since\nuntil", width=10)
    table.add_column("decided by", ratio=1, overflow="fold")
    for row, kind in sorted(shown, key=_kind_of_cause):
        cause = row.causes[kind]
        assert cause.first is not None
        assert cause.latest is not None
        times = f", {cause.count} in a row" if cause.count else ""
        table.add_row(
            _two(_bare(row.recipient), "everything" if row.scope == "*" else row.scope),
            _two(Text(kind, "bold"), f"{cause.latest.reason or '-'}"),
            _two(_day(cause.first.at), _day(cause.until) if cause.until else "no end"),
            _two(
                f"{cause.latest.provider_code or '-'}{times}",
                f"{cause.latest.rule or '-'} {_short(cause.latest.message)}",
            ),
        )
    return table


def revivals(rows: Sequence[Suppression], *, everything: bool) -> Table:
    """Phone numbers and tokens that were refused for good, and have shown a sign of life since: one of each channel."""
    living = list_revived(rows)
    shown = living if everything else list({split_channel(row.recipient)[0]: row for row in living}.values())
    table = _table("Alive again: they took a message, or were registered, after they had been refused for good", 1, 1)
    table.add_column("recipient", ratio=2, overflow="fold")
    table.add_column("refused\nalive", width=16)
    table.add_column("by", ratio=2, overflow="fold")
    for row in shown:
        hard = row.causes[CauseKind.HARD]
        assert hard.latest is not None and row.life is not None and row.life.last is not None
        table.add_row(
            _bare(row.recipient),
            _two(_day(hard.latest.at), _day(row.life.last.at)),
            _two(f"{hard.latest.provider_code or hard.latest.reason}", _short(row.life.last.message)),
        )
    return table


def list_revived(rows: Iterable[Suppression]) -> list[Suppression]:
    """List the rows of those who are alive again, by themselves."""
    kind = CauseKind.HARD
    hard = (row for row in rows if kind in row.causes)
    return [row for row in hard if all(is_revived(row, kind, each) for each in list_evidence(row.causes[kind]))]


def in_force(rows: Iterable[Suppression], as_of: datetime) -> list[tuple[Suppression, CauseKind]]:
    """Every cause that holds at `as_of`, with its row."""
    return [(row, kind) for row in rows for kind in find_active_causes(row, as_of)]


def history(outcome: Outcome, arrivals: dict[str, int], classifier: Classifier) -> Table:
    """Each feedback of one message in the order of time: what it said, which rule read it, and what it meant."""
    table = _table(f"One message: {_short(outcome.message)} to {_bare(outcome.recipient)}", 1, 1)
    table.add_column("arrived", justify="right")
    table.add_column("happened", width=12)
    table.add_column("what it said", ratio=1, overflow="fold")
    table.add_column("rule\nwhat it meant", ratio=1, overflow="fold")
    counting = select_counting(outcome.feedback, SHIPPED.report)
    for fact in outcome.feedback:
        decides = fact.id == outcome.decided_by
        table.add_row(
            f"{arrivals[fact.id]}.",
            _two(_day(fact.occurred_at), format_time(fact.occurred_at)[11:-1]),
            _two(Text(fact.kind, "bold reverse" if decides else "bold"), _describe(fact)),
            _meaning(fact, classifier, decides=decides, unproven=fact not in counting),
        )
    return table


def dead_letters(letters: Iterable[DeadLetter]) -> Table:
    """Bodies that nobody can read, with the reason, each once."""
    once = {letter.body: letter for letter in letters}
    table = _table("Bodies that nobody can read: in a queue of their own, with the reason", 1, 1)
    table.add_column("reason", ratio=1)
    table.add_column("body", width=32, no_wrap=True)
    for letter in sorted(once.values(), key=lambda each: (str(each.reason), each.body)):
        table.add_row(letter.reason or "none", Text(" ".join(letter.body.split()), "bright_black"))
    return table


def _table(title: str, shown: int, of: int) -> Table:
    more = f"one of each kind: {shown} of {of}; --all shows all" if shown < of else None
    return Table(
        title=title,
        title_style="bold",
        title_justify="left",
        caption=more,
        caption_justify="left",
        box=box.HORIZONTALS,
        expand=True,
        pad_edge=False,
        header_style="bright_black",
    )


def _two(first: str | Text, second: str | Text) -> Text:
    """Two lines in one cell; the second is less loud."""
    lower = Text(second, "bright_black") if isinstance(second, str) else second
    return Text("\n").join([Text(first) if isinstance(first, str) else first, lower])


def _who(outcome: Outcome) -> Text:
    return _two(_bare(outcome.recipient), f"{_short(outcome.message)} {outcome.context.subject or ''}")


def _status(outcome: Outcome) -> Text:
    return _two(Text(outcome.status, f"bold {_STATUS[outcome.status]}"), _minute(outcome.last_at))


def _verdict(outcome: Outcome) -> Text:
    notes = [name for name, count in (("opened", outcome.opens), ("clicked", outcome.clicks)) if count]
    notes += ["auto-replied"] if outcome.auto_replied else []
    notes += ["to be reviewed"] if outcome.review else []
    notes += [] if outcome.proven else ["unproven"]
    note = f" ({', '.join(notes)})" if notes else ""
    verdict = outcome.verdict
    decider = next(fact for fact in outcome.feedback if fact.id == outcome.decided_by)
    if verdict is None:
        return _two(f"-{note}", _MEANS[decider.kind])
    text = Text(f"{verdict.klass}, {verdict.reason}{note}", _CLASS[verdict.klass])
    return _two(text, _advice(load(), verdict, decider).partition(":")[0].removesuffix(".") + ".")


def _advice(classifier: Classifier, verdict: Verdict, fact: Feedback) -> str:
    return classifier.advise(
        verdict, fact.evidence.provider_code if fact.evidence else None, split_channel(fact.recipient)[0]
    )


def _describe(fact: Feedback) -> str:
    evidence, seen = fact.evidence, fact.engagement
    if seen is not None:
        return seen.link or ("fetched by a machine" if seen.machine else "fetched by a person")
    if evidence is None:
        return ""
    return " ".join(part for part in (evidence.provider_code, evidence.text) if part)


def _meaning(fact: Feedback, classifier: Classifier, *, decides: bool, unproven: bool) -> Text:
    verdict = classifier(fact)
    notes = [note for note, holds in (("this decides", decides), ("unproven", unproven)) if holds]
    suffix = f" ({', '.join(notes)})" if notes else ""
    if verdict is None:
        return _two(f"-{suffix}", _MEANS[fact.kind])
    meant = f"{verdict.klass}, {verdict.reason}: {_advice(classifier, verdict, fact)}"
    return _two(Text(f"{verdict.rule}{suffix}", _CLASS[verdict.klass]), meant)


def _one_of_each(rows: Iterable[_T], kind_of: Callable[[_T], object]) -> list[_T]:
    first: dict[object, _T] = {}
    for row in rows:
        first.setdefault(kind_of(row), row)
    return list(first.values())


def _kind_of_outcome(outcome: Outcome) -> tuple[int, str, str, bool, bool]:
    verdict = outcome.verdict
    parts = (verdict.klass, verdict.reason) if verdict else ("", "")
    return list(Status).index(outcome.status), *parts, outcome.opens > 0, outcome.clicks > 0


def _kind_of_cause(cause: tuple[Suppression, CauseKind]) -> tuple[str, str, bool]:
    row, kind = cause
    latest = row.causes[kind].latest
    return kind, (latest and latest.reason) or "", row.scope == "*"


def _bare(recipient: str) -> str:
    return recipient.partition(":")[2]


def _short(message: str) -> str:
    """Source and the part of an SES message id that differs most: "ses:..8a4e77"."""
    source, _, id_ = message.partition(":")
    return f"{source}:..{id_.removesuffix('-000000')[-6:]}"


def _day(moment: datetime) -> str:
    return format_time(moment)[:10]


def _minute(moment: datetime) -> str:
    return format_time(moment)[:16].replace("T", " ")

"""`python -m local demo`: the whole bundle in this process, fed with every sample, and what it found out.

It ends by proving a law: the same feedback again, in another order, writes nothing.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from aftersend import classify
from aftersend.core.errors import MalformedFeedback
from aftersend.core.feedback_set import union
from aftersend.core.model import UNNAMED, Feedback, Outcome
from aftersend.core.recipient import split_channel
from aftersend.core.suppression import REVIVES
from aftersend.sources import read
from aftersend.sources.masking import mask_others
from aftersend.unnamed import name_recipient
from local import asking, hooks, show
from local.lambdas import Lambdas
from local.mails import mails
from local.publish import Publisher, shuffled
from local.pushes import Pusher, serve_webhooks
from local.samples import Sample, samples
from local.stack import COUNTED, Stack, running
from local.tables import Contents, DeadLetter, Tables

_AT_ONCE: Final = 50  # bodies that are published before the functions get their turn
_NEXT: Final = """\
[bold]Next:[/] bring it into your own account,
  make build && .venv/bin/sam deploy --guided
and send with the configuration set that it makes. README.md says how; docs/ses.md says the rest."""


class Pass(Struct):
    """One time through: what was sent, what the functions did with it, what is stored then."""

    sent: list[Sample]
    counts: Counter[str]
    writes: int
    contents: Contents
    letters: list[DeadLetter]


class Rig:
    """A stack with its functions, and something to send samples into it."""

    def __init__(self, stack: Stack, lambdas: Lambdas, pusher: Pusher) -> None:
        self.stack = stack
        self.lambdas = lambdas
        self.host, self.webhooks = pusher.host, pusher.webhooks
        self.tables = Tables(stack, lambdas.functions["ProcessSes"].variables)
        self.passes: list[Pass] = []
        self._publisher = Publisher(stack, pusher)
        self.samples = [sample for sample in samples() if self._publisher.reaches(sample.source)]

    def run(self, arrivals: list[Sample], progress: Callable[[int], None] = lambda _: None) -> Pass:
        """Publish `arrivals` in their order, and let the functions work on them, some at a time."""
        before = self.stack.writes.total()
        counts: Counter[str] = Counter()
        for start in range(0, len(arrivals), _AT_ONCE):
            chunk = arrivals[start : start + _AT_ONCE]
            self._publisher.send(chunk)
            counts += self.lambdas.drain()
            progress(len(chunk))
        del counts["again"]  # it came before what says whose it is: now all of that is there
        counts += self.lambdas.drain_again()
        writes = self.stack.writes.total() - before
        self.passes.append(Pass(arrivals, counts, writes, self.tables.contents(), self.tables.dead_letters()))
        return self.passes[-1]


@contextmanager
def rigged(stack: Stack) -> Iterator[Rig]:
    """A rig whose webhooks are served."""
    lambdas = Lambdas(stack)
    with serve_webhooks(stack, lambdas) as pusher:
        yield Rig(stack, lambdas, pusher)


def demo(*, seed: int, everything: bool) -> int:
    """Run it and show it; 1 where something is not as it must be."""
    out = show.console()
    started = time.monotonic()
    out.print("[bold]Aftersend on this machine.[/] Nothing leaves it: AWS is played by moto.\n")
    with running(parameters=COUNTED | hooks.HERE) as stack, rigged(stack) as rig:
        rig.webhooks.register(stack, rig.host, events=["outcome.complained"], per_second=1000)
        faults = present(rig, seed, out, everything=everything)
    out.print(f"\nTook {time.monotonic() - started:.1f} seconds.\n")
    for fault in faults:
        out.print(f"[bold red]Wrong:[/] {fault}")
    if not faults:
        out.print(_NEXT)
    return 1 if faults else 0


def present(rig: Rig, seed: int, out: Console, *, everything: bool) -> list[str]:
    """Send all samples twice through `rig`, in different orders, and show what came of it; what is wrong about it."""
    out.print(f"{'template.yaml':14}{_census(rig.stack)}")
    first = _run(rig, shuffled(rig.samples, seed), "first time", out)
    archived = rig.tables.archived()
    _show(first, out, everything=everything)
    out.print(mails(rig.samples, classify.load()), "")
    second = _run(rig, shuffled(rig.samples, seed + 1), "second time", out)
    _sum_up(first, second, archived, out)
    return [
        *faults(first, second),
        *([] if archived else ["the archive is empty"]),
        *asking.story(rig.host, rig.stack, rig.lambdas, first.contents, out),
        *asking.list_bounces(rig.host, first.contents, out),
        *asking.count_week(rig.host, rig.lambdas, first.contents, out),
        *asking.show_webhooks(rig.lambdas, rig.webhooks, first.contents, out),
    ]


def _run(rig: Rig, arrivals: list[Sample], name: str, out: Console) -> Pass:
    with _bar(f"{name:14}", len(arrivals), out) as progress:
        return rig.run(arrivals, progress)


@contextmanager
def _bar(name: str, total: int, out: Console) -> Iterator[Callable[[int], None]]:
    """A progress bar where there is a terminal that can draw one; a line anywhere else."""
    if not out.is_terminal or out.is_dumb_terminal:
        out.print(f"{name}{total} bodies published and processed")
        yield lambda _: None
        return
    with Progress(TextColumn(name), BarColumn(), MofNCompleteColumn(), TextColumn("bodies"), console=out) as bar:
        task = bar.add_task(name, total=total)
        yield lambda steps: bar.advance(task, steps)


def _census(stack: Stack) -> str:
    """What the template made, in words."""
    kinds = {
        "functions": "AWS::Lambda::Function",
        "topics": "AWS::SNS::Topic",
        "queues": "AWS::SQS::Queue",
        "rules": "AWS::Events::Rule",
        "tables": "AWS::DynamoDB::Table",
        "buckets": "AWS::S3::Bucket",
    }
    numbers = {name: len(stack.resources(kind)) for name, kind in kinds.items()}
    return ", ".join(f"{number} {name if number != 1 else name[:-1]}" for name, number in numbers.items())


def _show(seen: Pass, out: Console, *, everything: bool) -> None:
    contents = seen.contents
    as_of = max(outcome.last_at for outcome in contents.outcomes)
    longest = max(contents.outcomes, key=lambda outcome: len(outcome.feedback))
    arrived = _arrivals(longest, seen.sent)
    order = ", ".join(str(arrived[fact.id]) for fact in longest.feedback)
    out.print()
    out.print(show.outcomes(contents.outcomes, everything=everything), "")
    out.print(show.suppressions(contents.suppressions, as_of, everything=everything), "")
    out.print(show.revivals(contents.suppressions, everything=everything), "")
    out.print(show.history(longest, arrived, classify.load()))
    out.print(f"They happened in this order and arrived in another, {order}: any order gives the same.\n")
    out.print(show.dead_letters(seen.letters), "")


def _arrivals(outcome: Outcome, sent: Sequence[Sample]) -> dict[str, int]:
    """As which of the facts of `outcome` each fact arrived first."""
    known = {fact.id for fact in outcome.feedback}
    arrived = [fact.id for sample in sent for fact in facts(sample) if fact.id in known]
    return {id_: place for place, id_ in enumerate(dict.fromkeys(arrived), 1)}


def facts(sample: Sample) -> list[Feedback]:
    """What a sample says, of whom other samples say that the message was theirs; an unreadable body says nothing."""
    owners = _find_owners()
    named = (
        fact if fact.recipient != UNNAMED else name_recipient(fact, owners[fact.message]) for fact in _read(sample)
    )
    return [mask_others(fact) for fact in named]


def _read(sample: Sample) -> list[Feedback]:
    try:
        return read(sample.source, sample.body(), sample.headers)
    except MalformedFeedback:
        return []


@cache
def _find_owners() -> dict[str, str]:
    """The recipient of each message, as far as the samples name one."""
    known = (fact for sample in samples() for fact in _read(sample))
    return {fact.message: fact.recipient for fact in known if fact.recipient != UNNAMED}


def _bounded(sent: Sequence[Sample]) -> Iterator[Feedback]:
    """Every fact in the samples, but for those that the bounds of an outcome leave to the archive."""
    by_key: defaultdict[tuple[str, str], list[Feedback]] = defaultdict(list)
    for fact in (fact for sample in sent for fact in facts(sample)):
        by_key[fact.key].append(fact)
    rules = classify.load()
    for facts_of_one in by_key.values():
        yield from union((), facts_of_one, rules)


def faults(first: Pass, second: Pass) -> Iterator[str]:
    """Everything that is not as it must be."""
    for name, each in (("first", first), ("second", second)):
        if each.counts["again"]:
            yield f"the {name} time, {each.counts['again']} messages could not be stored"
    sent = {fact.id for fact in _bounded(first.sent)}
    stored = {fact.id for outcome in first.contents.outcomes for fact in outcome.feedback}
    if sent != stored:
        yield f"{len(sent - stored)} facts were lost, {len(stored - sent)} came from nowhere"
    revived = {split_channel(row.recipient)[0] for row in show.list_revived(first.contents.suppressions)}
    if revived != REVIVES:
        yield "there is no phone number, or no token, that came back to life"
    if not first.writes:
        yield "the first time wrote nothing: writes are not counted"
    if second.writes:
        yield f"the second time wrote {second.writes} items"
    if first.contents != second.contents:
        yield "the second time changed the tables"
    unexplained = sum(letter.reason is None for letter in second.letters)
    if unexplained:
        yield f"{unexplained} messages lie in dead-letter queues without a reason"


def _sum_up(first: Pass, second: Pass, archived: int, out: Console) -> None:
    distinct = len(set(first.sent))
    stored = sum(len(outcome.feedback) for outcome in first.contents.outcomes)
    as_of = max(outcome.last_at for outcome in first.contents.outcomes)
    suppressed = len(show.in_force(first.contents.suppressions, as_of))
    equal = "equal" if first.contents == second.contents else "different"
    out.print(
        f"\n{len(first.sent)} bodies published, {len(first.sent) - distinct} of them repeats: {stored} distinct facts, "
        f"{len(first.contents.outcomes)} outcomes, {suppressed} suppressions in {first.writes} writes; "
        f"{len({letter.body for letter in first.letters})} bodies unreadable; {archived} objects in the archive."
    )
    out.print(f"All of it again, in another order: [bold]{second.writes} writes[/], and the tables are {equal}.")

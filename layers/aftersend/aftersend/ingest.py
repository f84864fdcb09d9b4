"""The use case: gather, decide, apply. One batch of raw bodies in, tables brought up to date, and a report of it.

The order makes it safe to stop anywhere and start again with the same batch: bodies are archived before anything is
written, outcomes are written before suppressions, and whatever was already done changes nothing when it is done again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence, Set
from functools import partial
from math import inf
from typing import Final, Generic, TypeVar, cast

from msgspec import Struct, field
from msgspec.structs import replace

from aftersend.core.causes import STREAM_KINDS
from aftersend.core.errors import MalformedFeedback, OutOfTime, ServiceError, Unreadable
from aftersend.core.model import UNNAMED, Feedback, Key, Outcome, Suppression, is_proven
from aftersend.core.outcome import trusts_reports
from aftersend.core.plan import Plan, deduplicate, plan_updates
from aftersend.core.policy import Policy
from aftersend.core.steps import Steps
from aftersend.core.writes import Answer, Refused, Request, update_outcome, update_suppression
from aftersend.ports import BatchReport, Letter, Ports, StoreStepsPort, Tasks
from aftersend.sources import read
from aftersend.sources.masking import mask_others
from aftersend.sources.message import Message
from aftersend.storage.unmatched import needs_rule
from aftersend.unnamed import NOBODY, SEVERAL, find_recipients, name_recipient

__all__ = ["BatchReport", "Ports", "ingest"]

SecondsLeft = Callable[[], float]  # until whoever called is stopped

MARGIN: Final = 10.0  # seconds that what has begun is given to end: with less left, nothing is begun

CHUNK = 100  # keys read at once
MAX_UNPROVEN = 20  # recipients of one body that anybody could have sent; a report about more comes with a token
TURN = 16  # bodies that are read before what is under way goes on

_T = TypeVar("_T")
_W = TypeVar("_W", Outcome, Suppression)
_Stored = dict[Key, _T | ServiceError | None]  # what is stored of each key, or why it could not be read
_ReadMany = Callable[[Sequence[Key]], Steps[dict[Key, _T]]]


def _forever() -> float:
    return inf


def ingest(messages: Sequence[Message], ports: Ports, seconds_left: SecondsLeft = _forever) -> BatchReport:
    """Bring one batch into the tables. Raises nothing: what our side could not do is in `BatchReport.failed`.

    What `seconds_left` leaves no time for is in `BatchReport.handed_back`. It is as if it had never come, or as if the
    function had stopped before it: nothing of it is lost, and what was done of it is not done twice. The first message
    is always worked, so that every batch makes progress.
    """
    report = BatchReport(sources={message.id: message.source for message in messages})
    with ports.open_tasks() as tasks:
        finish_archive = _begin_archive(messages, tasks, ports, report)
        bodies = _read_bodies(messages, tasks, ports, report, seconds_left)
        finish_reading = _begin_reading(_list_keys(bodies), ports.store.get_outcomes, tasks)
        batch = _gather(bodies, finish_archive(), tasks, ports, report)
        stored = finish_reading()
        late = _read_all([key for key in batch if key not in stored], ports.store.get_outcomes, tasks)
        budget = _Budget(seconds_left, MARGIN, next(iter(batch.values())).messages.copy() if batch else set())
        outcomes = _update_outcomes(batch, stored | late, tasks, ports, report, budget)
        news = {key: new.facts for key, new in batch.items()}
        plan = plan_updates(outcomes, news, ports.classify, ports.policy, ports.clock())
        _report_traffic(plan, batch, tasks, ports, report)
        _update_suppressions(plan, batch, tasks, ports, report, budget)
    return report


class _Budget(Struct):
    """The time that is left, and the messages that are worked whatever is left."""

    seconds_left: SecondsLeft
    margin: float
    first: set[str]

    def require_time(self, messages: Set[str]) -> None:
        """Raise OutOfTime where nothing of these messages may be begun any more."""
        if self.seconds_left() < self.margin and not messages & self.first:
            raise OutOfTime("no time was left")


def _begin_archive(
    messages: Sequence[Message], tasks: Tasks, ports: Ports, report: BatchReport
) -> Callable[[], set[str]]:
    """Begin to archive every body, one object for each source. Reading goes on meanwhile, and writing must not.

    Returns what waits for it, and returns the ids of those that are safe then. The others have failed.
    """
    by_source: defaultdict[str, list[Message]] = defaultdict(list)
    for message in messages:
        by_source[message.source].append(message)
    finish_puts = tasks.begin(ports.archive.put(group) for group in by_source.values())

    def finish() -> set[str]:
        archived: set[str] = set()
        for group, result in zip(by_source.values(), finish_puts(), strict=True):
            if isinstance(result, ServiceError):
                report.failed |= {message.id: str(result) for message in group}
            else:
                archived |= {message.id for message in group}
        return archived

    return finish


class _NewFeedback(Struct):
    """What the batch says of one outcome, and which messages said it."""

    facts: list[Feedback] = field(default_factory=list)
    messages: set[str] = field(default_factory=set)  # their ids
    sources: dict[str, str] = field(default_factory=dict)  # fact id -> the source of the message that it came in

    @property
    def source(self) -> str:
        """The source that is counted; of several, that of the first fact."""
        return self.sources[self.facts[0].id]

    def add(self, fact: Feedback, message: Message) -> None:
        """Add what `message` says."""
        self.facts.append(fact)
        self.messages.add(message.id)
        self.sources.setdefault(fact.id, message.source)

    def fail(self, report: BatchReport, error: ServiceError) -> None:
        report.add_failure(self.messages, error)


class _Body(Struct, frozen=True):
    """A message, and what it says, or why nobody can read it."""

    message: Message
    facts: list[Feedback] = []
    dropped: int = 0  # of what anybody could have sent
    why: str | None = None


def _read_bodies(
    messages: Sequence[Message], tasks: Tasks, ports: Ports, report: BatchReport, seconds_left: SecondsLeft
) -> list[_Body]:
    """Read every body, but for those that our side cannot.

    This takes half of the time at most: what is read must be written as well.
    """
    bodies: list[_Body] = []
    enough, works = seconds_left() / 2, False
    for number, message in enumerate(messages):
        if works and seconds_left() < enough:
            report.handed_back.update(each.id for each in messages[number:])
            break
        if number % TURN == 0:
            tasks.advance()
        try:
            bodies.append(_read(message, ports))
        except ServiceError as error:
            report.add_failure([message.id], error)
        else:
            works = works or bool(bodies[-1].facts)
    return bodies


def _list_keys(bodies: Sequence[_Body]) -> list[Key]:
    """List the outcomes that these bodies are about, as far as they name them."""
    return list(dict.fromkeys(fact.key for body in bodies for fact in body.facts if fact.recipient != UNNAMED))


def _gather(
    bodies: Sequence[_Body], archived: Set[str], tasks: Tasks, ports: Ports, report: BatchReport
) -> dict[Key, _NewFeedback]:
    """Gather every fact of those that are archived by the outcome it belongs to; unreadable bodies are parked."""
    batch: defaultdict[Key, _NewFeedback] = defaultdict(_NewFeedback)
    unnamed: list[tuple[Message, Feedback]] = []
    letters: list[Letter] = []
    now = ports.clock()
    for body in bodies:
        message = body.message
        if message.id not in archived:
            continue
        if body.why is not None:
            letters.append((message, body.why))
            continue
        if body.dropped:  # nothing is lost: the archive has the body
            report.counts[message.source, "UnprovenDropped", ""] += body.dropped
        if not body.facts:
            report.counts[message.source, "NoFeedback", ""] += 1
        for fact in body.facts:
            if fact.recipient == UNNAMED:
                unnamed.append((message, fact))
                continue
            batch[fact.key].add(fact, message)
            age = (now - fact.occurred_at).total_seconds()
            report.ages[message.source] = max(age, report.ages.get(message.source, age))
    if unnamed:
        letters += _join_unnamed(unnamed, batch, tasks, ports, report)
    if letters:
        _park(letters, ports, report)
    return batch


def _join_unnamed(
    unnamed: Sequence[tuple[Message, Feedback]],
    batch: defaultdict[Key, _NewFeedback],
    tasks: Tasks,
    ports: Ports,
    report: BatchReport,
) -> list[Letter]:
    """Gather the facts that name no recipient by those of their messages. What comes too early waits, and comes again.

    Returns what is to be parked. A message that has something to wait for is not before that has come: it is parked
    once.
    """
    named: dict[str, set[str]] = {fact.message: set() for _, fact in unnamed}
    for key, new in batch.items():
        if key[1] in named and is_proven(new.facts):
            named[key[1]].add(key[0])
    read_many = partial(_read_all, read_many=ports.store.get_outcomes, tasks=tasks)
    known = find_recipients(named, ports.store, read_many, tasks)
    undecided: dict[str, Message] = {}
    early: dict[str, Message] = {}
    for message, fact in unnamed:
        recipients = known[fact.message]
        if isinstance(recipients, ServiceError):
            report.add_failure([message.id], recipients)
        elif len(recipients) == 1:
            joined = mask_others(name_recipient(fact, *recipients))
            batch[joined.key].add(joined, message)
        else:
            (undecided if recipients else early)[message.id] = message
    if ports.can_wait:
        report.waiting.update(early)
    return [
        (body, SEVERAL if id_ in undecided else NOBODY)
        for id_, body in (undecided if ports.can_wait else early | undecided).items()
        if id_ not in report.waiting and id_ not in report.failed
    ]


def _read(message: Message, ports: Ports) -> _Body:
    unpack = ports.unpack.get(message.source)
    body = unpack(message.body) if unpack else message.body
    try:
        facts = read(message.source, body, message.headers, ports.parsers)
    except MalformedFeedback as error:
        return _Body(message, why=error.why)
    if ports.policy.streams:
        facts = [_route(fact, ports.policy) for fact in facts]
    if ports.prove:
        facts = [_apply_proof(fact, ports.prove) for fact in facts]
    bounded = _bound_unproven(facts)
    dropped = len(facts) - len(bounded)
    return _Body(message, [fact if fact.recipient == UNNAMED else mask_others(fact) for fact in bounded], dropped)


def _bound_unproven(facts: list[Feedback]) -> list[Feedback]:
    """All that can be trusted, and a few of what anybody could have written: each costs writes, whoever sent it.

    The first few, in the order of the body, so that the same body is always the same feedback. What names no recipient
    is none of them: nobody's message is looked up for a stranger, and no body waits for what they made up.
    """
    room = MAX_UNPROVEN
    bounded = []
    for fact in facts:
        if not fact.forgeable or (room > 0 and fact.recipient != UNNAMED):
            bounded.append(fact)
        room -= fact.forgeable
    return bounded


def _route(fact: Feedback, policy: Policy) -> Feedback:
    """The fact in the stream that its sender's mail belongs to, where it names none itself."""
    if fact.kind not in STREAM_KINDS or fact.scope or fact.context is None or not fact.context.sender:
        return fact
    stream = policy.find_stream(fact.context.sender)
    return replace(fact, scope=stream, id="") if stream else fact


def _apply_proof(fact: Feedback, prove: Callable[[Feedback], str | None]) -> Feedback:
    """The fact as one that can be trusted, which is another one, where a token proves it: about the token's message."""
    message = prove(fact) if fact.forgeable else None
    if message is None or fact.evidence is None:
        return fact
    return replace(fact, message=message, evidence=replace(fact.evidence, forgeable=False), id="")


def _park(letters: Sequence[Letter], ports: Ports, report: BatchReport) -> None:
    refused = ports.dead_letters.put_all(letters)
    report.failed |= refused
    report.unreadable |= {message.id: why for message, why in letters if message.id not in refused}


def _update_outcomes(
    batch: dict[Key, _NewFeedback],
    stored: _Stored[Outcome],
    tasks: Tasks,
    ports: Ports,
    report: BatchReport,
    budget: _Budget,
) -> dict[Key, Outcome]:
    """Union the facts into their outcomes. What could not be stored is missing from the answer."""

    def update(key: Key, before: Outcome | None) -> Steps[_Written[Outcome]]:
        budget.require_time(batch[key].messages)
        if unmatched := _find_unmatched(batch[key].facts, before, ports):
            yield from _count_unmatched(unmatched, ports)
        rules = ports.policy
        steps = update_outcome(before, batch[key].facts, ports.classify, reports=rules.report, validity=rules.validity)
        return (yield from _write(steps, ports.store, before))

    outcomes: dict[Key, Outcome] = {}
    for key, result in _apply(update, {key: stored[key] for key in batch}, tasks):
        if isinstance(result, ServiceError):
            batch[key].fail(report, result)
            continue
        report.counts[batch[key].source, "Conflicts", ""] += result.refusals
        if result.after is not None:
            outcomes[key] = result.after
            _count_new(batch[key], result.before, result.after, ports, report)
    return outcomes


def _find_unmatched(facts: list[Feedback], stored: Outcome | None, ports: Ports) -> list[Feedback]:
    """Find the facts that are new and have a text that no rule knows.

    What strangers write of messages that nobody knows deserves no rule.
    """
    found = [
        fact
        for fact in facts
        if fact.evidence is not None and fact.evidence.text is not None and needs_rule(fact, ports.classify(fact))
    ]
    if not found:
        return found
    known = {fact.id: fact for fact in stored.feedback} if stored else {}
    return [
        fact
        for fact in found
        if fact.id not in known
        and (not fact.forgeable or trusts_reports((*facts, *known.values()), ports.policy.report))
    ]


def _count_unmatched(facts: list[Feedback], ports: Ports) -> Steps[None]:
    """Before the outcome is stored: a crash in between heals, because the same fact counts once."""
    if ports.unmatched_texts is not None:
        for fact in facts:
            yield from ports.unmatched_texts.count(fact, ports.clock())


def _count_new(new: _NewFeedback, before: Outcome | None, after: Outcome, ports: Ports, report: BatchReport) -> None:
    """Count each fact once, when it is first stored, so that repeats do not turn any rate.

    `before` is what stood there last, so of two workers that store one at once only the first counts it; whoever finds
    its own write there, because the answer got lost, counts nothing. Of a fact that the bounds of the set leave out
    nobody would know later that it was counted. What nothing proves is
    counted apart, under a name of its own: no stranger raises an alarm.
    """
    trusted = trusts_reports(after.feedback, ports.policy.report)
    known = {fact.id for fact in before.feedback} if before else set()
    added = {fact.id for fact in after.feedback} - known
    for fact in deduplicate(fact for fact in new.facts if fact.id in added):
        source = new.sources[fact.id]
        if fact.forgeable and not trusted:
            report.counts[source, "Unproven", fact.kind] += 1
            continue
        report.counts[source, "Feedback", fact.kind] += 1
        if fact.id == after.decided_by and after.verdict is not None:
            report.counts[source, "Verdict", after.verdict.klass] += 1
            report.counts[source, "Reason", after.verdict.reason] += 1


def _report_traffic(
    plan: Plan, batch: dict[Key, _NewFeedback], tasks: Tasks, ports: Ports, report: BatchReport
) -> None:
    """Report to the spike guard before anything suppresses: an accident should be known when its effect begins."""
    windows = ports.spike_windows
    if windows is None:
        return
    reports = list(plan.traffic_reports.values())
    if not reports:
        return
    results = tasks.begin(windows.record_in_steps(each.traffic) for each in reports)()
    for traffic_report, result in zip(reports, results, strict=True):
        if isinstance(result, ServiceError):
            for owner in traffic_report.owners:
                batch[owner].fail(report, result)


def _update_suppressions(
    plan: Plan, batch: dict[Key, _NewFeedback], tasks: Tasks, ports: Ports, report: BatchReport, budget: _Budget
) -> None:
    """Bring what the stored facts mean into the suppressions."""
    updates = plan.updates

    def update(key: Key, before: Suppression | None) -> Steps[_Written[Suppression]]:
        budget.require_time({id_ for owner in plan.owners[key] for id_ in batch[owner].messages})
        return (yield from _write(update_suppression(updates[key], before, ports.policy), ports.store, before))

    for key, result in _apply(update, _read_all(list(updates), ports.store.get_suppressions, tasks), tasks):
        if isinstance(result, ServiceError):
            for owner in plan.owners[key]:
                batch[owner].fail(report, result)
            continue
        source = batch[min(plan.owners[key])].source
        report.counts[source, "Conflicts", ""] += result.refusals
        for cause in result.after.causes if result.after else ():
            if result.before is None or cause not in result.before.causes:
                report.counts[source, "Suppressed", cause] += 1
                report.suppressed.append((key[0], cause))


def _begin_reading(keys: Sequence[Key], read_many: _ReadMany[_T], tasks: Tasks) -> Callable[[], _Stored[_T]]:
    """Begin to read all keys in chunks; returns what waits for them. A failure stays with the keys that it hit."""
    if not keys:
        return dict
    chunks = [keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK)]
    finish_chunks = tasks.begin(_read_chunk(read_many, chunk) for chunk in chunks)

    def finish() -> _Stored[_T]:
        stored: _Stored[_T] = {}
        for chunk, found in zip(chunks, finish_chunks(), strict=True):
            stored |= dict.fromkeys(chunk, found) if isinstance(found, ServiceError) else found
        return stored

    return finish


def _read_all(keys: Sequence[Key], read_many: _ReadMany[_T], tasks: Tasks) -> _Stored[_T]:
    return _begin_reading(keys, read_many, tasks)()


def _read_chunk(read_many: _ReadMany[_T], keys: Sequence[Key]) -> Steps[_Stored[_T]]:
    """Read what is stored of each key. Of an item that nobody can read, the others are read without it."""
    try:
        found = yield from read_many(keys)
    except Unreadable as error:
        if len(keys) == 1:
            return {keys[0]: error}
        middle = len(keys) // 2
        first = yield from _read_chunk(read_many, keys[:middle])
        return first | (yield from _read_chunk(read_many, keys[middle:]))
    return {key: found.get(key) for key in keys}


def _apply(
    update: Callable[[Key, _W | None], Steps[_Written[_W]]], stored: _Stored[_W], tasks: Tasks
) -> Iterator[tuple[Key, _Written[_W] | ServiceError]]:
    """Update each key from what is stored, all at once. A failure stays with the key that it hit."""
    whole: dict[Key, _W | None] = {}
    for key, item in stored.items():
        if isinstance(item, ServiceError):
            yield key, item
        else:
            whole[key] = item
    yield from zip(whole, tasks.begin(update(key, item) for key, item in whole.items())(), strict=True)


class _Written(Struct, Generic[_W]):
    """What is stored after some steps, what it was written over, and how many writes were refused on the way."""

    after: _W | None
    before: _W | None
    refusals: int = 0


def _write(steps: Generator[Request, Answer, _W | None], store: StoreStepsPort, read: _W | None) -> Steps[_Written[_W]]:
    """Carry out every step, of which the first one begins with what was `read`."""
    written = _Written(None, read)
    answer: Answer = None
    try:
        request = next(steps)
        while True:
            answer = yield from store.answer(request)
            if isinstance(answer, Refused):
                written.refusals += 1
                written.before = cast("_W | None", answer.current)
            request = steps.send(answer)
    except StopIteration as end:
        written.after = end.value
    return written

"""What must hold at the end of a history, by the documentation: laws.md, policy.md, report.md, ses.md, lists.md.

Nothing of `aftersend.core` decides here: statuses, causes and streaks are worked out anew from what was said and
decided, all of it at once and by the plainest way. Of the package only names are used: the id of a fact, the alias of a
person, and the decoders of stored items.
"""

from __future__ import annotations

import gzip
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from aftersend.core.erasure import make_alias
from aftersend.core.model import Kind
from aftersend.storage import items
from tests.simulation.history import ERASURES, REFUSALS, START, Asked, Decided, Erased, Event, Said
from tests.simulation.world import GARBAGE, World

Refusal = tuple[Kind, str]
Order = tuple[datetime, str]

# The status that each kind stands for, and its rank: glossary.md, "Status of an outcome", and decision 6.
_RANKS: Final = {
    Kind.SENT: (0, "sent"),
    Kind.DEFERRED: (1, "deferred"),
    Kind.DELIVERED: (3, "delivered"),
    Kind.OPENED: (3, "delivered"),
    Kind.CLICKED: (3, "delivered"),
    Kind.UNSUBSCRIBED: (3, "delivered"),
    Kind.SUBSCRIBED: (3, "delivered"),
    Kind.COMPLAINT_WITHDRAWN: (3, "delivered"),
    Kind.REJECTED: (4, "rejected"),
    Kind.BOUNCED: (5, "bounced"),
    Kind.COMPLAINED: (7, "complained"),
}
_ALIVE: Final = frozenset(
    {Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBED, Kind.SUBSCRIBED, Kind.COMPLAINED, Kind.COMPLAINT_WITHDRAWN}
)
_TAKES_BACK: Final = {Kind.COMPLAINT_WITHDRAWN: "complaint", Kind.SUBSCRIBED: "unsubscribed"}
_WISHES: Final = {Kind.COMPLAINED: "complaint", Kind.UNSUBSCRIBED: "unsubscribed"}
_BY_WORD: Final = {"hard": "hard", "listed": "provider", "pause": "pause"}
_ON_LIST_OF_SES: Final = (("complaint", "COMPLAINT"), ("hard", "BOUNCE"), ("manual", "BOUNCE"))

FEW: Final = 2  # facts of one kind and one message, of which every bound keeps all


@dataclass
class Rules:
    """The fields of policy.md that histories touch, with its defaults."""

    bounces: int = 5
    apart: timedelta = timedelta(hours=24)
    gap: timedelta = timedelta(days=10)
    lapse: timedelta = timedelta(days=30)
    ends: dict[str, timedelta] = field(default_factory=dict)  # of a cause, after its latest evidence
    everywhere: bool = False  # who leaves one stream leaves all


def read_rules(document: str) -> Rules:
    """Return the rules of a policy."""
    given = tomllib.loads(document)
    streak = given.get("streak", {})
    days = {kind: given.get(kind, {}).get("lapse_days", 0) for kind in ("hard", "complaint", "unsubscribed")}
    return Rules(
        bounces=streak.get("bounces", 5),
        gap=timedelta(days=streak.get("gap_days", 10)),
        ends={kind: timedelta(days=each) for kind, each in days.items() if each} | {"pause": timedelta(hours=24)},
        everywhere=given.get("unsubscribed", {}).get("everywhere", False),
    )


@dataclass
class Cause:
    """One cause as it must be stored."""

    first: Order | None = None
    latest: Order | None = None
    withdrawn: Order | None = None
    until: datetime | None = None
    count: int | None = None
    contradicted: datetime | None = None

    def add(self, order: Order) -> None:
        """Widen it by one piece of evidence."""
        self.first = min(self.first or order, order)
        self.latest = max(self.latest or order, order)


def at(minute: int) -> datetime:
    """Return the moment of a minute of the history."""
    return START + timedelta(minutes=minute)


class Person:
    """All that was said of one recipient, and what follows."""

    def __init__(self, recipient: str, events: Sequence[Event], rules: Rules) -> None:
        self.recipient, self.rules = recipient, rules
        said = [event for event in events if isinstance(event, Said) and event.recipient == recipient]
        self.messages: dict[str, list[tuple[Said, Order]]] = {}
        for each in said:
            fact = each.fact()
            self.messages.setdefault(fact.message, []).append((each, (fact.occurred_at, fact.id)))
        for facts in self.messages.values():
            facts.sort(key=lambda pair: pair[1])
        decided = [event for event in events if isinstance(event, Decided) and event.recipient == recipient]
        self.released = max((at(each.at) for each in decided if each.act == "release"), default=None)
        self.added = sorted(at(each.at) for each in decided if each.act == "suppress")

    def status(self, message: str) -> tuple[str, str | None, Order]:
        """Return the status of a message, the class of its refusal, and the fact that decides."""
        facts = self.counting(message) or self.messages[message]
        complaints = [order for said, order in facts if said.kind is Kind.COMPLAINED]
        takebacks = [order for said, order in facts if said.kind is Kind.COMPLAINT_WITHDRAWN]
        stands = bool(complaints) and not (takebacks and takebacks[-1] > complaints[-1])

        def rank(pair: tuple[Said, Order]) -> tuple[float, Order]:
            said, order = pair
            number: float = _RANKS[said.kind][0]
            if said.kind is Kind.COMPLAINED and not stands:
                number = 3
            return number + (0.5 if (said.kind, said.word) == (Kind.BOUNCED, "hard") else 0), order

        said, order = max(facts, key=rank)
        refused = said.kind in (Kind.BOUNCED, Kind.REJECTED, Kind.DEFERRED) and said.word
        return _RANKS[said.kind][1], REFUSALS[said.word][1] if refused else None, order

    def counting(self, message: str) -> list[tuple[Said, Order]]:
        """Return what decides something: of reports by mail those about a message that somebody else knows.

        Amazon SES gets the bounces of its own messages, so that is no proof there: policy.md, `report.token_only`.
        """
        facts = self.messages[message]
        firm = [(said, order) for said, order in facts if not said.forgeable]
        return facts if firm and not message.startswith("ses:") else firm

    def vouched(self) -> list[str]:
        """Return the messages of which anything decides something."""
        return [name for name in self.messages if self.counting(name)]

    def signs(self) -> list[Order]:
        """Return every sign of life: decision 6."""
        found = []
        for name in self.vouched():
            arrived = self.status(name)[0] in ("delivered", "complained")
            kinds = _ALIVE | {Kind.DELIVERED} if arrived else _ALIVE
            found += [order for said, order in self.counting(name) if said.kind in kinds]
        return found

    def rows(self) -> dict[str, dict[str, Cause]]:
        """Return the causes that must be stored, by scope."""
        rows: dict[str, dict[str, Cause]] = {"*": {}}
        for name in self.vouched():
            for said, order in self.counting(name):
                self._support(rows, said, order)
        everywhere = rows["*"]
        for kind, cause in [pair for row in rows.values() for pair in row.items()]:
            if cause.latest and kind in self.rules.ends:
                cause.until = cause.latest[0] + self.rules.ends[kind]
        if "hard" in everywhere:
            last = max(self.signs(), default=None)
            latest = everywhere["hard"].latest
            assert latest is not None
            everywhere["hard"].contradicted = last[0] if last and last[0] > latest[0] else None
        if (streak := self.streak()) is not None:
            everywhere["streak"] = streak
        for moment in self.added:
            same = moment == self.released  # it is meant to hold: after a release of the very same moment
            order = (moment + timedelta(milliseconds=1) if same else moment), ""
            everywhere.setdefault("manual", Cause()).add(order)
        return {scope: causes for scope, causes in rows.items() if causes}

    def _support(self, rows: dict[str, dict[str, Cause]], said: Said, order: Order) -> None:
        taken = _TAKES_BACK.get(said.kind)
        kind = taken or _WISHES.get(said.kind)
        if kind is None and said.kind in (Kind.BOUNCED, Kind.REJECTED):
            kind = _BY_WORD.get(said.word)
        if kind is None:
            return
        one_stream = kind == "unsubscribed" and not self.rules.everywhere
        cause = rows.setdefault((said.scope or "*") if one_stream else "*", {}).setdefault(kind, Cause())
        if taken:
            cause.withdrawn = max(cause.withdrawn or order, order)
        else:
            cause.add(order)

    def streak(self) -> Cause | None:
        """Return the streak: policy.md, `streak`, and decisions 5 and 30."""
        decided = {name: self.status(name) for name in self.vouched()}
        since = max([order[0] for order in self.signs()] + ([self.released] if self.released else []), default=None)
        bounces = sorted(order for status, klass, order in decided.values() if (status, klass) == ("bounced", "soft"))
        bounces = [each for each in bounces if since is None or each[0] > since]
        rows: list[list[Order]] = []
        for each in bounces:
            if rows and each[0] - rows[-1][-1][0] <= self.rules.gap:
                rows[-1].append(each)
            else:
                rows.append([each])
        for row in reversed(rows):
            taken: list[Order] = []
            for each in reversed(row):
                if not taken or taken[-1][0] - each[0] >= self.rules.apart:
                    taken.append(each)
            if len(taken) >= self.rules.bounces:
                until = row[-1][0] + self.rules.lapse
                stands = until > bounces[-1][0]
                return Cause(latest=row[-1], count=self.rules.bounces, until=until) if stands else None
        return None

    def holds(self, now: datetime, reverted: bool = False) -> dict[str, set[str]]:
        """Return which causes hold at `now`, by scope; `reverted` says that hard bounces were an accident."""
        found: dict[str, set[str]] = {}
        for scope, causes in self.rows().items():
            for kind, cause in causes.items():
                if cause.latest is None or (cause.until is not None and now >= cause.until):
                    continue
                released = scope == "*" and self.released is not None and cause.latest[0] <= self.released
                taken_back = cause.withdrawn is not None and cause.withdrawn >= cause.latest
                if not released and not taken_back and not (reverted and kind == "hard"):
                    found.setdefault(scope, set()).add(kind)
        return found


def find_late(events: Sequence[Event]) -> set[str]:
    """Return who is erased while more is said of them: what is left then depends on the order."""
    return {event.recipient for event in events if isinstance(event, Said) and event.at >= ERASURES}


class Oracle:
    """Compares what a world has come to with what it must have."""

    def __init__(self, world: World, events: Sequence[Event]) -> None:
        self.world, self.events, self.wrong = world, events, list[str]()
        rules = read_rules(world.after)
        names = dict.fromkeys(event.recipient for event in events if isinstance(event, Said))
        self.erased = {event.recipient: event for event in events if isinstance(event, Erased)}
        self.late = find_late(events)
        self.people = {name: Person(name, events, rules) for name in names}
        self.reverted = {event.recipient for event in events if isinstance(event, Decided) and event.act == "revert"}
        tables = world.dynamodb.tables
        self.outcomes = {each.key: each for each in map(items.decode_outcome, tables["Outcomes"].items.values())}
        stored = map(items.decode_suppression, tables["Suppressions"].items.values())
        self.suppressions = {each.key: each for each in stored}

    def check(self) -> list[str]:
        """Return everything that is not as it must be."""
        for name, person in self.people.items():
            if name not in self.erased:
                self._check_outcomes(person)
                self._check_suppressions(person)
        known = {f"email:{name}" for name in self.people if name not in self.erased or name in self.late}
        strangers = {key[0] for key in (*self.outcomes, *self.suppressions)} - known
        aliases = {make_alias(f"email:{name}", b"a test's key"): name for name in self.erased}
        self._expect("somebody in the tables of whom nothing was said", strangers - set(aliases), set())
        for alias, name in aliases.items():
            self._check_erased(name, alias)
        self._check_bodies()
        self._check_list_of_ses()
        self._check_counters()
        return self.wrong

    def _expect(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            self.wrong.append(f"{what}: {found!r}, and should be {wanted!r}")

    def _check_outcomes(self, person: Person) -> None:
        for message, facts in person.messages.items():
            stored = self.outcomes.get((f"email:{person.recipient}", message))
            if stored is None:
                self.wrong.append(f"{person.recipient} {message}: nothing is stored, so feedback is lost")
                continue
            ids = {fact.id for fact in stored.feedback}
            whole = _kept(facts)
            self._expect(f"{person.recipient} {message}: lost facts", whole - ids, set())
            self._expect(f"{person.recipient} {message}: made-up facts", ids - {order[1] for _, order in facts}, set())
            status, klass, order = person.status(message)
            verdict = stored.verdict.klass.value if stored.verdict and klass else None
            found = (stored.status.value, verdict, stored.decided_by)
            self._expect(f"{person.recipient} {message}: status", found, (status, klass, order[1]))

    def _check_suppressions(self, person: Person) -> None:
        rows = person.rows()
        for scope in sorted({*rows, *(key[1] for key in self.suppressions if key[0] == f"email:{person.recipient}")}):
            stored = self.suppressions.get((f"email:{person.recipient}", scope))
            found = {kind.value: _shown(kind.value, cause) for kind, cause in (stored.causes if stored else {}).items()}
            wanted = {kind: _shown(kind, cause) for kind, cause in rows.get(scope, {}).items()}
            for kind in sorted({*found, *wanted}):
                self._expect(f"{person.recipient} {scope}: {kind}", found.get(kind), wanted.get(kind))
            if scope == "*":
                self._expect(f"{person.recipient}: released", stored and stored.released_at, person.released)

    def _check_erased(self, name: str, alias: str) -> None:
        if name in self.late:
            self._check_late(name, alias)
            return
        for table in self.world.dynamodb.tables.values():
            left = [key for key, item in table.items.items() if name in json.dumps(item)]
            self._expect(f"{name} was erased and is still in {table.name}", left, [])
        holding = self.people[name].holds(at(self.erased[name].at))
        for scope in sorted({*holding, "*"}):
            stored = self.suppressions.get((alias, scope))
            found = {kind.value for kind in stored.causes} if stored else set()
            self._expect(f"{name} was erased: causes of the alias in {scope}", found, holding.get(scope, set()))

    def _check_late(self, name: str, alias: str) -> None:
        """What comes in while somebody is erased is not lost (lists.md): they are suppressed, erased or not."""
        for scope, kinds in self.people[name].holds(at(self.erased[name].at)).items():
            rows = [self.suppressions.get((each, scope)) for each in (alias, f"email:{name}")]
            found = {
                kind.value for row in rows if row is not None for kind, cause in row.causes.items() if cause.latest
            }
            self._expect(f"{name} was erased meanwhile: causes lost in {scope}", kinds - found, set())

    def _check_bodies(self) -> None:
        """Nothing is lost: every body is archived, and what nobody can read is parked with the reason."""
        archived: list[str] = []
        for (bucket, _), (packed, _) in self.world.s3.objects.items():
            if bucket == "archive":
                archived += [json.loads(line)["body"] for line in gzip.decompress(packed).splitlines()]
        self._expect("bodies that are not archived", sorted(set(self.world.sent) - set(archived)), [])
        garbage = [event for event in self.events if event == Asked(event.at, "garbage")]
        parked = [letter for letter in self.world.queues["unreadable"].letters if letter.body == GARBAGE]
        self._expect("unreadable bodies are parked", bool(parked), bool(garbage))
        self._expect("parked without a reason", [each.id for each in parked if "reason" not in each.attributes], [])
        for queue in self.world.queues.values():
            left = queue.dead if queue.name in ("unreadable", "jobs-dead") else [*queue.letters, *queue.dead]
            self._expect(f"left in {queue.name}", [letter.id for letter in left], [])
        self._expect("parked jobs", [each.body for each in self.world.queues["jobs-dead"].letters], [])

    def _check_list_of_ses(self) -> None:
        """ses.md: what has no end is on the list of SES, and nothing else, but for what SES itself has there."""
        never = datetime.max.replace(tzinfo=START.tzinfo)
        wanted = {}
        own = set()
        for name, person in self.people.items():
            held = person.holds(never).get("*", set()) if name not in self.erased else set()
            reason = next((reason for kind, reason in _ON_LIST_OF_SES if kind in held), None)
            if reason is not None:
                wanted[name] = reason
            elif "provider" in held:
                own.add(name)
        found = self.world.ses.listed
        for name in sorted({*found, *wanted} - own - self.late):
            self._expect(f"{name} on the list of SES", found.get(name), wanted.get(name))

    def _check_counters(self) -> None:
        """Law 2: what comes again counts nothing, and two who store the same fact at the same moment count it once."""
        excess = []
        for kind in Kind:
            if self.late and kind is Kind.BOUNCED:
                continue  # that is what they say while they are erased, and what was erased is new when it comes again
            facts = {fact for person in self.people.values() for fact in _facts(person, kind)}
            excess.append(max(0, self.world.counts[f"Feedback {kind}"] - len(facts)))
        if any(excess):
            self.wrong.append(f"{sum(excess)} facts were counted once more than they were said")


def _kept(facts: list[tuple[Said, Order]]) -> set[str]:
    """The facts that must be there: of each kind all, or of many the first and the last (decision 2)."""
    kept: set[str] = set()
    for kind in {said.kind for said, _ in facts}:
        ids = [order[1] for said, order in facts if said.kind is kind and not said.forgeable]
        kept |= set(ids if len(ids) <= FEW else (ids[0], ids[-1]))
    return kept


def _facts(person: Person, kind: Kind) -> set[str]:
    return {order[1] for facts in person.messages.values() for said, order in facts if said.kind is kind}


def _shown(kind: str, cause: Any) -> tuple[Any, ...]:
    """A cause as it is compared, whether stored or expected."""
    marks = [getattr(cause, name) for name in ("first", "latest", "withdrawn")]
    orders = [mark if mark is None or isinstance(mark, tuple) else (mark.at, mark.feedback) for mark in marks]
    if kind == "streak":  # several rows may be as long, so its first bounce is not looked at
        return orders[1], cause.count, cause.until
    if kind == "manual":
        orders = [order and (order[0], "") for order in orders]
    contradicted = getattr(cause.contradicted, "at", cause.contradicted)
    return (*orders, cause.until, contradicted)

"""Laws 3 and 4 where many calls are under way in one thread: whatever takes how long, and whatever fails.

Functions of our own clients run here on services in memory, whose answers take arbitrary times of a clock that nobody
waits for; any call may fail before it is done, or after, unheard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from aftersend.aws.errors import NoAnswer
from aftersend.aws.tasks import MultiplexedTasks, PooledTasks
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.core.steps import Pause
from aftersend.http.multiplexer import Multiplexer, Waits
from aftersend.ingest import CHUNK, ingest
from aftersend.ports import Tasks
from aftersend.sources import SOURCES
from aftersend.sources.message import Message
from aftersend.storage import items
from aftersend.storage.archive import Archive
from aftersend.storage.store import StoreSteps, TableNames
from aftersend.storage.unmatched import UnmatchedTexts
from tests.simulation.dynamodb import DynamoDB
from tests.simulation.services import S3
from tests.support.facts import ANN, BOB, bounce, classify, fact, fake_source, message
from tests.support.oracle import Tables, differences, expected, tables
from tests.support.ports import NOW, RETENTION, Inline, MemoryDeadLetters, ports
from tests.support.strategies import SHORT

NAMES = TableNames(outcomes="Outcomes", suppressions="Suppressions")
WRITES = frozenset({"put_item", "update_item", "delete_item"})


class World:
    """Services in memory, and a clock. `log` has when each call began and ended."""

    def __init__(self, seed: int, fails: Callable[[str, Mapping[str, Any]], bool] = lambda *_: False) -> None:
        self.random, self.fails, self.now = Random(seed), fails, 0.0
        self.dynamodb = DynamoDB({name: name for name in ("Outcomes", "Suppressions", "UnmatchedTexts")})
        self.s3 = S3(lambda: self.now)
        self.log: list[tuple[str, str, Mapping[str, Any]]] = []
        self.killed_at = -1
        self.letters = MemoryDeadLetters()

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def act(self, service: str, operation: str, request: Mapping[str, Any]) -> Any:
        """Carry out a call, now; it may go unheard."""
        self.log.append(("ends", operation, request))
        if len(self.log) == self.killed_at:
            raise Killed
        if self.fails(operation, request):
            raise NoAnswer("TimeoutError")
        return getattr(getattr(self, service), operation)(**request)

    def clients(self) -> dict[str, Client]:
        return {name: Client(self, name) for name in ("dynamodb", "s3")}

    def multiplexed(self, limit: int = 4) -> Tasks:
        timed = partial(Multiplexer, clock=lambda: self.now, sleep=self.sleep)
        return MultiplexedTasks(self.clients(), limit, timed)

    def work(self, batch: Sequence[Message], open_tasks: Callable[[], Tasks] | None = None) -> Any:
        """One invocation."""
        own: dict[str, Any] = {"store": StoreSteps(NAMES, lambda: NOW), "archive": Archive("archive")}
        own["unmatched_texts"] = UnmatchedTexts("UnmatchedTexts", RETENTION)
        given = ports(policy=SHORT, open_tasks=open_tasks or self.multiplexed, dead_letters=self.letters)
        return ingest(batch, replace(given, **own))

    def tables(self) -> Tables:
        outcomes, suppressions = (self.dynamodb.tables[name].items.values() for name in ("Outcomes", "Suppressions"))
        return tables(map(items.decode_outcome, outcomes), map(items.decode_suppression, suppressions))


class Killed(BaseException):
    """The function was stopped: nothing of it runs any more."""


class Client:
    """A client of ours, whose calls take a while; and one that blocks."""

    def __init__(self, world: World, service: str) -> None:
        self._world, self._service = world, service

    def call(self, operation: str, request: Mapping[str, Any]) -> Waits[Any]:
        self._world.log.append(("begins", operation, request))
        yield Pause(self._world.random.uniform(0.001, 1))
        return self._world.act(self._service, operation, request)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self._world.log.append(("begins", operation, request))
            return self._world.act(self._service, operation, request)

        return call


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source(), patch.dict(SOURCES, {"other": SOURCES["test"]} if "test" in SOURCES else {}):
        yield


FACTS: list[Feedback] = [
    *(bounce(number, message=f"test:{number}") for number in range(4)),
    bounce(5, "hard", "test:9", recipient=BOB),
    fact(Kind.DELIVERED, 3.5, message="test:7"),
    bounce(9, message="test:10"),
    bounce(12, message="test:11"),
    fact(Kind.COMPLAINED, 6, message="test:9", recipient=BOB),
    bounce(7, "unclear", "test:5", evidence=Evidence(provider_code="unclear", text="the hamster is asleep")),
    *(fact(Kind.OPENED, 8, message="test:20", recipient=f"email:{number}@example.com") for number in range(30)),
]


def batch(seed: int, facts: Sequence[Feedback] = FACTS) -> list[Message]:
    """Every fact in a message of its own, of one of two sources, in any order."""
    random = Random(seed)
    shuffled = random.sample(facts, len(facts))
    return [message([each], str(at), source=random.choice(("test", "other"))) for at, each in enumerate(shuffled)]


@pytest.mark.parametrize("seed", range(10))
def test_what_is_under_way_at_once_gives_what_one_after_another_gives(seed: int) -> None:
    """Law 3, in one thread, however long each answer takes; with clients that block, in a pool, too."""
    one, other, third = World(seed), World(seed), World(seed)
    brought = batch(seed)
    assert not one.work(brought).unfinished
    assert not other.work(brought, partial(other.multiplexed, 1)).unfinished
    assert not third.work(brought, partial(PooledTasks, third.clients(), Inline())).unfinished
    right = expected(FACTS, classify, SHORT)
    assert one.tables() == other.tables() == third.tables() == right
    assert one.now < other.now / 2, "several were under way at once"


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_written_of_what_is_not_archived(seed: int) -> None:
    """Issue: the archive's PUT goes on "while bodies are parsed and keys read", and is done before the first write."""
    world = World(seed)
    assert not world.work(batch(seed)).unfinished
    calls = [(what, operation) for what, operation, _ in world.log]
    archived = max(at for at, call in enumerate(calls) if call == ("ends", "put_object"))
    first_write = min(at for at, (what, operation) in enumerate(calls) if what == "begins" and operation in WRITES)
    first_read = calls.index(("begins", "batch_get_item"))
    assert first_read < archived < first_write, "reading does not wait for the archive, and writing does"


@pytest.mark.parametrize("source", ["test", "other"])
def test_what_the_archive_does_not_take_fails_alone(source: str) -> None:
    """Its messages come again, nothing of them is written, and nothing of the others is held up."""
    world = World(1, lambda operation, request: operation == "put_object" and f"source={source}/" in request["Key"])
    brought = [*batch(1), Message("bad", b"?", NOW, source), message([], "none", source=source)]
    report = world.work(brought)
    assert {*report.failed} == {each.id for each in brought if each.source == source}
    assert report.unreadable == {}, "what is not in the archive is not parked"
    assert report.sum_by_source()[source] == {"Failed": len(report.failed)}
    kept = [each for each in brought if each.source != source]
    facts = [each for each in FACTS if any(each.id in body.body.decode() for body in kept)]
    assert not differences(world.tables(), expected(facts, classify, SHORT))
    world.fails = lambda *_: False
    assert not world.work([each for each in brought if each.id in report.failed]).unfinished
    assert world.tables() == expected(FACTS, classify, SHORT)


@pytest.mark.parametrize("seed", range(5))
def test_a_function_may_be_stopped_at_any_answer(seed: int) -> None:
    """Law 4: "A crash between any two writes, followed by redelivery, gives the same tables", several under way."""
    right, calls = expected(FACTS, classify, SHORT), len(_worked(seed).log)
    stopped = 0
    for at in range(seed + 1, calls, 7):
        world = World(seed)
        world.killed_at = at
        try:
            world.work(batch(seed))
        except Killed:
            stopped += 1
        world.killed_at = -1
        assert not world.work(batch(seed)).unfinished
        assert world.tables() == right, f"stopped at {at}"
        assert len(world.s3.objects) == 2
    assert stopped > calls // 20


def _worked(seed: int) -> World:
    world = World(seed)
    world.work(batch(seed))
    return world


@pytest.mark.parametrize("seed", range(10))
def test_any_call_may_fail_and_fails_what_it_is_about(seed: int) -> None:
    """Failure per key: whatever fails comes again, and then everything is as it should be."""
    random, world = Random(seed), World(seed)
    world.fails = lambda *_: random.random() < 0.08
    waiting = batch(seed)
    for _ in range(60):
        failed = world.work(waiting).unfinished
        waiting = [each for each in waiting if each.id in failed]
        if not waiting:
            break
    world.fails = lambda *_: False
    assert not world.work(waiting).unfinished
    assert world.tables() == expected(FACTS, classify, SHORT)


def test_more_keys_than_one_read_takes() -> None:
    facts = [bounce(1, "hard", f"test:{at}", recipient=f"email:{at}@example.com") for at in range(2 * CHUNK + 5)]
    world = World(1)
    assert not world.work([message(facts)], partial(world.multiplexed, 16)).unfinished
    assert world.tables() == expected(facts, classify, SHORT)
    reads = [request for what, name, request in world.log if (what, name) == ("begins", "batch_get_item")]
    assert len(reads[0]["RequestItems"]["Outcomes"]["Keys"]) == CHUNK


@pytest.mark.parametrize("pool", [Inline, partial(ThreadPoolExecutor, 3)], ids=["inline", "threads"])
def test_tasks_in_a_pool_keep_their_order_and_their_failures(pool: Callable[[], Executor]) -> None:
    def steps(number: int) -> Any:
        yield Pause(0)
        if number % 3 == 0:
            raise StoreUnavailable(str(number))
        return number

    with pool() as executor, PooledTasks({}, executor) as tasks:
        found = tasks.begin(map(steps, range(10)))()
    assert [str(each) for each in found] == [str(number) for number in range(10)]
    assert [isinstance(each, StoreUnavailable) for each in found] == [number % 3 == 0 for number in range(10)]


def test_ann_is_suppressed_in_the_end() -> None:
    """What all of this compares is not empty."""
    found = _worked(0).tables().suppressions
    assert [{*found[each, "*"].causes} for each in (ANN, BOB)] == [{"streak"}, {"hard", "complaint"}]

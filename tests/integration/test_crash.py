"""Law 4: "A crash between any two writes, followed by redelivery, gives the same tables. No body disappears."

Every call that a batch makes to the outside fails once, in two ways: the service does not answer, and the function is
stopped dead. Then the queue brings back what was not acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import UNNAMED, Feedback, Kind
from aftersend.ingest import ingest
from aftersend.ports import Letter
from aftersend.sources import read
from aftersend.sources.message import Message
from aftersend.storage.store import Store
from aftersend.unnamed import name_recipient
from tests.engines import Engine
from tests.support.facts import ANN, BOB, bounce, classify, fact, fake_source, message
from tests.support.oracle import Tables, expected, scanned, stored
from tests.support.ports import NOW, MemoryArchive, MemoryDeadLetters, MemoryStore, ports


class Killed(BaseException):
    """The function was stopped: nothing of it runs any more, not even its handling of errors."""


class Fuse:
    """Counts the calls to every port and fails the one that is due."""

    def __init__(self, due: int, error: type[BaseException]) -> None:
        self.calls = 0
        self._due = due
        self._error = error

    def guard(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any) -> Any:
            self.calls += 1
            if self.calls == self._due:
                raise self._error("at this very moment")
            return call(*arguments)

        return guarded


class Guarded:
    """A port whose every method is behind a fuse."""

    def __init__(self, port: Any, fuse: Fuse) -> None:
        self._port, self._fuse = port, fuse

    def __getattr__(self, name: str) -> Any:
        return self._fuse.guard(getattr(self._port, name))


class GuardedLetters(Guarded):
    """Raises nothing where the queue does not answer, but says whom it did not take."""

    def put_all(self, letters: Sequence[Letter]) -> dict[str, str]:
        try:
            parked: dict[str, str] = self._fuse.guard(self._port.put_all)(letters)
        except StoreUnavailable as trouble:
            return dict.fromkeys((each.id for each, _ in letters), str(trouble))
        return parked


BEFORE = [bounce(2 * number, message=f"test:{number}") for number in range(4)]
FIRST = [
    message([bounce(8, message="test:4"), fact(Kind.OPENED, -1, message="test:0")], "soft"),
    message([bounce(1, "hard", recipient=BOB), fact(Kind.UNSUBSCRIBED, 1, scope="news", recipient=BOB)], "bob"),
    Message("bad", b"?", NOW, "test"),
    message([bounce(8, message="test:4"), fact(Kind.COMPLAINED, 2, recipient=BOB)], "again"),
    message([bounce(9, "hard", "test:4", recipient=UNNAMED)], "whose"),
]
SECOND = [
    message([fact(Kind.DELIVERED, 9, message="test:7"), bounce(10, message="test:5")], "later"),
    message([fact(Kind.COMPLAINT_WITHDRAWN, 3, recipient=BOB)], "sorry"),
    message([fact(Kind.OPENED, 9.5, message="test:3", recipient=UNNAMED)], "whose too"),
]


def _facts(*batches: Sequence[Message]) -> list[Feedback]:
    """What the tables know in the end: all that names nobody is Ann's, whose messages these are."""
    facts = [each for batch in batches for body in batch if body.id != "bad" for each in read("test", body.body)]
    return [each if each.recipient else name_recipient(each, ANN) for each in facts]


@pytest.fixture(autouse=True, scope="module")
def _source() -> Iterator[None]:
    with fake_source():
        yield


class FullStore(Store):
    """All that `ingest` asks of a store, one call after the other."""

    def find_recipients_of(self, message: str) -> list[str]:
        return self._run(self._steps.find_recipients_of(message))


class Shop:
    """A store, an archive and a dead-letter queue that outlive every function."""

    def __init__(self, store: Any) -> None:
        self.store, self.archive, self.letters = store, MemoryArchive(), MemoryDeadLetters()
        self.work([message([each]) for each in BEFORE])

    def work(
        self, batch: Sequence[Message], due: int = 0, error: type[BaseException] = Killed
    ) -> tuple[int, list[Message]]:
        """One invocation: how many calls it made, and which messages the queue will bring again."""
        fuse = Fuse(due, error)
        store, archive = (Guarded(port, fuse) for port in (self.store, self.archive))
        letters = GuardedLetters(self.letters, fuse)
        try:
            report = ingest(batch, ports(store, archive=archive, dead_letters=letters))
        except Killed:
            return fuse.calls, list(batch)
        return fuse.calls, [each for each in batch if each.id in report.unfinished]


def _memory() -> Shop:
    return Shop(MemoryStore())


def _right(*batches: Sequence[Message]) -> Tables:
    return expected([*BEFORE, *_facts(*batches)], classify, ports().policy)


@pytest.mark.parametrize("error", [StoreUnavailable, Killed])
def test_any_call_may_fail(error: type[BaseException]) -> None:
    calls, left = _memory().work(FIRST)
    assert calls > 12
    assert not left
    for due in range(1, calls + 1):
        shop = _memory()
        _, left = shop.work(FIRST, due, error)
        assert left, f"call {due} failed, and nothing comes again"
        _, left = shop.work(left)
        assert not left
        assert stored(shop.store) == _right(FIRST), f"after call {due} had failed"
        assert {body.id for _, body in shop.archive.bodies} >= {each.id for each in FIRST}
        assert {parked.id for _, parked, _ in shop.letters.parked} == {"bad"}


def test_two_batches_may_both_be_stopped_anywhere() -> None:
    """One is stopped at any call, then the other at any of its own, and both come again."""
    calls, _ = _memory().work(FIRST)
    others, _ = _memory().work(SECOND)
    right = _right(FIRST, SECOND)
    for due in range(1, calls + 1):
        for other in range(1, others + 1):
            shop = _memory()
            shop.work(FIRST, due)
            shop.work(SECOND, other)
            shop.work(FIRST)
            shop.work(SECOND)
            assert stored(shop.store) == right, f"stopped at call {due} and at call {other}"


def test_what_comes_again_may_be_stopped_again() -> None:
    shop, calls = _memory(), 0
    while (worked := shop.work(FIRST, calls + 1))[1]:
        calls = worked[0]
    assert calls > 5
    assert stored(shop.store) == _right(FIRST)


@pytest.mark.parametrize("error", [StoreUnavailable, Killed])
def test_any_call_may_fail_on_a_real_engine(engine: Engine, error: type[BaseException]) -> None:
    client, right = engine.connect(), _right(FIRST, SECOND)
    calls, _ = Shop(FullStore(client, engine.tables(), clock=lambda: NOW)).work(FIRST)
    for due in range(1, calls + 1, 3):
        names = engine.tables()
        shop = Shop(FullStore(client, names, clock=lambda: NOW))
        _, left = shop.work(FIRST, due, error)
        shop.work(SECOND)
        shop.work(left)
        assert scanned(engine.client(), names) == right, f"after call {due} had failed"

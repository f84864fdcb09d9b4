"""People and sources who write at the same time, on a real engine: nobody's word is lost, and conditions hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any, Final

import pytest

from aftersend.api import decisions
from aftersend.api.context import ApiContext, now
from aftersend.core.errors import VersionMoved
from aftersend.core.model import Act, Decision, Suppression
from aftersend.core.writes import update_outcome
from aftersend.ingest import ingest
from aftersend.storage.queries import Queries
from aftersend.storage.store import Store
from tests.engines import Engine
from tests.support.api import api_context
from tests.support.facts import ANN, bounce, classify, fake_source, message
from tests.support.ports import ports

KEY: Final = (ANN, "*")
THREADS: Final = 8


def context_on(engine: Engine) -> ApiContext:
    client, tables = engine.connect(), engine.tables()
    store = Store(client, tables)
    return api_context(store, tables=tables, queries=Queries(client, tables), clock=now)


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    """What comes of each, started together; errors of conditions are answers."""
    start = Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        start.wait()
        try:
            return task()
        except VersionMoved as error:
            return error

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def anything(_stored: int) -> None:
    return None


def stored(used: ApiContext) -> Suppression:
    return used.store.get_suppressions([KEY])[KEY]


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():  # here and not in threads, which would put back what others had put there
        yield


def evidence(used: ApiContext, *days: float) -> None:
    report = ingest([message([bounce(day, "hard", f"test:{day}")], str(day)) for day in days], ports(used.store))
    assert not report.failed


def test_of_many_who_have_read_the_same_one_writes(concurrent_engine: Engine) -> None:
    used = context_on(concurrent_engine)
    evidence(used, 1)
    version = stored(used).version
    tasks = [
        lambda number=number: (
            decisions.release(used, KEY, f"person {number}", "x", expected=lambda _: version)
            if number % 2
            else decisions.suppress(used, KEY, f"person {number}", "x", expected=lambda _: version)
        )
        for number in range(THREADS)
    ]
    answers = at_once(*tasks)
    assert sum(not isinstance(each, VersionMoved) for each in answers) == 1
    assert (len(stored(used).history), stored(used).version) == (1, version + 1)


def test_of_many_who_found_nothing_one_is_first(concurrent_engine: Engine) -> None:
    used = context_on(concurrent_engine)
    tasks = [
        partial(decisions.suppress, used, KEY, f"person {number}", "x", expected=lambda _: 0)
        for number in range(THREADS)
    ]
    answers = at_once(*tasks)
    assert [each for each in answers if not isinstance(each, VersionMoved)] == [True]


def test_without_a_condition_everybody_is_heard(concurrent_engine: Engine) -> None:
    used = context_on(concurrent_engine)
    tasks = [
        partial(decisions.suppress, used, KEY, f"person {number}", "x", expected=anything) for number in range(THREADS)
    ]
    at_once(*tasks)
    assert {each.by for each in stored(used).history} == {f"person {number}" for number in range(THREADS)}


def test_people_and_sources_do_not_overwrite_each_other(concurrent_engine: Engine) -> None:
    used = context_on(concurrent_engine)
    people = {"release": decisions.release, "resolve": decisions.resolve}
    tasks: list[Callable[[], Any]] = [partial(evidence, used, day) for day in (1.0, 2.0, 3.0, 4.0)]
    for number in range(2):
        tasks += [partial(each, used, KEY, f"{name} {number}", "x", expected=anything) for name, each in people.items()]
    at_once(*tasks)
    after = stored(used)
    assert len(after.history) == 4
    (hard,) = after.causes.values()
    assert hard.first is not None and hard.latest is not None
    assert hard.latest.at - hard.first.at == timedelta(days=3)
    assert after.released_at == max(each.at for each in after.history if each.act is Act.RELEASED)


def test_a_look_and_new_feedback_are_both_kept(concurrent_engine: Engine) -> None:
    used = context_on(concurrent_engine)
    key = (ANN, "test:1")
    ingest([message([bounce(1, "unclear")])], ports(used.store))
    read = used.store.get_outcomes([key])[key]
    look = Decision(at=now(), by="agnes", act=Act.RESOLVED)

    def more(day: float) -> None:
        ingest([message([bounce(day, "unclear")])], ports(used.store))

    at_once(
        lambda: decisions.run(update_outcome(read, [], classify, look=look), used),
        *[lambda day=day: more(day) for day in (2, 3, 4)],
    )
    after = used.store.get_outcomes([key])[key]
    assert (len(after.feedback), after.resolved) == (4, look)

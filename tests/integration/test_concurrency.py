"""Law 3 where it is hardest: many functions at once, on engines whose conditional writes are sound."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from os import environ
from pathlib import Path
from random import Random

import msgspec
import pytest

from aftersend.core.feedback_set import BOUNDS
from aftersend.core.model import Engagement, Evidence, Feedback, Kind
from aftersend.storage.store import TableNames
from tests.engines import ROOT, Engine
from tests.support.facts import START, VERDICTS, classify, fact, fake_source
from tests.support.oracle import differences, expected, scanned
from tests.support.ports import ports
from tests.support.worker import Batches, work

WORKERS = 8
KINDS = [*Kind, *[Kind.BOUNCED] * 3, *[Kind.DELIVERED] * 2]
QUIET = [Kind.SENT, Kind.DEFERRED, Kind.BOUNCED, Kind.BOUNCED, Kind.DELIVERED]


@pytest.fixture(autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _feedback(random: Random, count: int, recipients: int, messages: int) -> list[Feedback]:
    """Different facts about few recipients and messages. Of every other recipient only what makes and ends streaks."""
    found = []
    for number in range(count):
        recipient, message = random.randrange(recipients), random.randrange(messages)
        kind, code, day = random.choice(KINDS), random.choice([*VERDICTS]), random.random() * 20
        if recipient % 2:
            day, code = message * 2 + random.random(), "soft"
            kind = random.choice(QUIET)
        found.append(
            fact(
                kind,
                occurred_at=START + timedelta(seconds=int(day * 86_400)),
                evidence=Evidence(provider_code=code, event_id=str(number)),
                recipient=f"email:{recipient}@example.com",
                message=f"test:{message}",
            )
        )
    return found


def _deliveries(random: Random, facts: list[Feedback], size: int) -> Batches:
    """All of `facts`, three in ten of them twice, shuffled and split into batches of about `size`."""
    rest = [*facts, *random.sample(facts, len(facts) * 3 // 10)]
    random.shuffle(rest)
    batches = []
    while rest:
        cut = random.randrange(1, 2 * size)
        batches.append(rest[:cut])
        rest = rest[cut:]
    return batches


def _at_once(engine: Engine, names: TableNames, batches: Batches) -> None:
    """The batches, each by the next of several functions that are free."""
    client = engine.connect()
    with ThreadPoolExecutor(WORKERS) as functions:
        for done in [functions.submit(work, client, names, [batch]) for batch in batches]:
            done.result()


def test_many_functions_at_once_leave_what_one_leaves(concurrent_engine: Engine) -> None:
    """Law 3: "Any split of the feedback into batches, processed one after another or at once by concurrent functions,
    gives the same tables." 2,000 feedback about 50 outcomes of 10 recipients.
    """
    engine, random = concurrent_engine, Random(20260301)
    facts = _feedback(random, 2000, 10, 5)
    alone, together = engine.tables(), engine.tables()
    work(engine.connect(), alone, [facts])
    _at_once(engine, together, _deliveries(random, facts, 90))
    found = scanned(engine.client(), together)
    assert not differences(found, scanned(engine.client(), alone))
    assert not differences(found, expected(facts, classify, ports().policy))
    assert len(found.outcomes) == 50
    assert {"streak", "hard", "complaint"} <= {cause for row in found.suppressions.values() for cause in row.causes}


def test_no_update_of_one_outcome_is_lost(concurrent_engine: Engine) -> None:
    """Issue: "conditional writes, no lost update": every fact of 120 about one outcome, one by one, is in there."""
    kinds = [Kind.DEFERRED, Kind.BOUNCED, Kind.DELIVERED, Kind.OPENED, Kind.CLICKED]
    facts = [
        fact(kind, hour / 24, evidence=Evidence(provider_code="full"), engagement=Engagement())
        for kind in kinds
        for hour in range(BOUNDS[kind])
    ]
    Random(1).shuffle(facts)
    names = concurrent_engine.tables()
    _at_once(concurrent_engine, names, [[each] for each in facts])
    found = scanned(concurrent_engine.client(), names)
    [outcome] = found.outcomes.values()
    assert {each.id for each in outcome.feedback} == {each.id for each in facts}
    assert not differences(found, expected(facts, classify, ports().policy))


def test_no_cause_of_one_suppression_is_lost(concurrent_engine: Engine) -> None:
    """The same for one suppression, to which the outcomes of many messages bring what they have."""
    facts = [fact(Kind.BOUNCED, day, "soft" if day % 3 else "hard", message=f"test:{day}") for day in range(40)]
    facts += [fact(Kind.COMPLAINED, day, message=f"test:{day}") for day in range(10)]
    facts += [fact(Kind.DELIVERED, day / 2, message=f"test:{day + 50}") for day in range(10)]
    Random(2).shuffle(facts)
    names = concurrent_engine.tables()
    _at_once(concurrent_engine, names, [[each] for each in facts])
    assert not differences(scanned(concurrent_engine.client(), names), expected(facts, classify, ports().policy))


def test_a_process_that_is_killed_loses_nothing(concurrent_engine: Engine, tmp_path: Path) -> None:
    """Law 4: "A crash between any two writes, followed by redelivery, gives the same tables". Three processes work the
    same feedback in different batches; one is killed on the way, and its batches come again.
    """
    engine, random, names = concurrent_engine, Random(3), concurrent_engine.tables()
    facts = _feedback(random, 240, 3, 4)
    orders = [_deliveries(random, facts[number * 40 : 160 + number * 40], 8) for number in range(3)]
    given = [[*orders[0]] * 50, *orders[1:]]  # so often that the first is not done when somebody gets round to kill it
    started = [_start(engine, names, tmp_path / f"{number}.json", batches) for number, batches in enumerate(given)]
    _lines(started[0], 3)
    started[0].kill()
    for process in started:
        process.communicate()
    assert [process.returncode for process in started] == [-9, 0, 0]
    work(engine.connect(), names, orders[0])
    assert not differences(scanned(engine.client(), names), expected(facts, classify, ports().policy))


def _start(engine: Engine, names: TableNames, path: Path, batches: Batches) -> subprocess.Popen[str]:
    path.write_bytes(msgspec.json.encode(batches))
    command = [sys.executable, "-m", "tests.support.worker", str(engine.endpoint)]
    return subprocess.Popen(
        [*command, names.outcomes, names.suppressions, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environ | {"PYTHONPATH": ":".join(each for each in sys.path if each)},
    )


def _lines(process: subprocess.Popen[str], count: int) -> None:
    assert process.stdout is not None
    assert all(process.stdout.readline() for _ in range(count))

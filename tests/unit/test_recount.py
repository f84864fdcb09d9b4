"""`aftersend recount`: it proves counters, mends those that are wrong, and writes nothing while anything moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from moto import mock_aws

from aftersend.core import policy, statistics
from aftersend.core.errors import Unreadable
from aftersend.core.model import Context, Kind
from aftersend.core.statistics import Cell, CounterRow, Dimension, Gone, Measure
from aftersend.ingest import ingest
from aftersend_cli import recount, stack
from aftersend_cli.__main__ import main
from aftersend_cli.output import Output
from local.environment import false_account
from tests.engines import table_definitions
from tests.support.facts import fact, fake_source, message
from tests.support.ports import NOW, ports
from tests.support.streams import StreamWorld

STREAMS = policy.load().find_stream


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[StreamWorld]:
    """A few messages of three campaigns, of which two have room; one is gone by time, one by erasure."""
    monkeypatch.setattr(statistics, "MAX_VALUES", 2)
    made = StreamWorld(Random(1), 0, STREAMS)
    with fake_source():
        for number in range(6):
            context = Context(correlation={"campaign": f"c{number % 3}"})
            one = fact(Kind.DELIVERED, message=f"test:{number}", recipient=f"email:u{number}@gmx.de", context=context)
            ingest([message([one])], ports(made.store))
        made.deliver()
    outcomes = made.store.list_rows()
    made.store.remove(outcomes[0], by_ttl=True)
    made.store.remove(outcomes[1], by_ttl=False)
    made.deliver()
    yield made


def _recount(world: StreamWorld, *, apply: bool = False) -> int:
    return recount.recount_table(world.table(), iter(world.store.list_rows()), STREAMS, [], Output(), apply=apply)


def test_right_counters_are_proven_and_left_alone(world: StreamWorld, capsys: pytest.CaptureFixture[str]) -> None:
    before = world.read()
    assert _recount(world) == _recount(world, apply=True) == 0
    assert "        0  differ from a recount\n" in capsys.readouterr().out
    assert world.read() == before


def _spoil(world: StreamWorld, place: CounterRow) -> None:
    cells = world.read()[place]
    world.table().put_row(place, {cell: number + 5 for cell, number in cells.items()})


@pytest.mark.parametrize("dimension", [Dimension.ALL, Dimension.CAMPAIGN, Dimension.SYSTEM])
def test_wrong_counters_are_shown_and_mended(
    dimension: Dimension, world: StreamWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    before = world.read()
    _spoil(world, CounterRow("2026-03-01", dimension))
    assert _recount(world) == 1
    assert f"\n2026-03-01  {dimension} " in capsys.readouterr().out
    assert world.read() != before, "nothing was written"
    assert world.table().read_recount() is None
    assert _recount(world, apply=True) == 0
    assert world.read() == before, "history included: what has left the tables is counted on"
    assert world.table().read_recount() == NOW


def test_counting_goes_on_after_a_recount(world: StreamWorld) -> None:
    _spoil(world, CounterRow("2026-03-01", Dimension.CAMPAIGN))
    _recount(world, apply=True)
    context = Context(correlation={"campaign": "c9"})
    with fake_source():
        ingest([message([fact(Kind.SENT, message="test:9", context=context)])], ports(world.store))
    world.deliver()
    assert not world.find_disagreements()


def test_a_table_that_was_there_before_is_filled_for_the_first_time(world: StreamWorld) -> None:
    """Statistics are switched on when there are rows already."""
    before = {row: cells for row, cells in world.read().items() if row.gone is None}
    late = StreamWorld(Random(1), 0, STREAMS)
    late.store.outcomes_table = world.store.outcomes_table
    assert _recount(late, apply=True) == 0
    filled = late.read()
    assert sum(filled[CounterRow("2026-03-01", Dimension.ALL)].values()) == 4
    assert sum(before[CounterRow("2026-03-01", Dimension.ALL)].values()) == 6  # two are gone, and nobody counted them
    assert not late.find_disagreements()


def test_what_is_gone_stays_counted_where_nothing_else_is_left(world: StreamWorld) -> None:
    for row in world.store.list_rows():
        world.store.remove(row, by_ttl=True)
    world.deliver()
    assert _recount(world) == 0
    stored, place = world.read(), CounterRow("2026-03-01", Dimension.ALL)
    cell = Cell("2026-03-01", Dimension.ALL, "all", Measure.DELIVERED)
    assert stored[place] == {cell: 6}
    assert stored[place._replace(gone=Gone.EXPIRED)] == {cell: 5}
    assert stored[place._replace(gone=Gone.ERASED)] == {cell: 1}


def test_a_row_that_cannot_be_read_forbids_to_write(world: StreamWorld, capsys: pytest.CaptureFixture[str]) -> None:
    _spoil(world, CounterRow("2026-03-01", Dimension.ALL))
    before = world.read()
    bad = [Unreadable("it is newer")]
    assert recount.recount_table(world.table(), iter(world.store.list_rows()), STREAMS, bad, Output(), apply=True) == 1
    assert world.read() == before
    assert "it is newer" in capsys.readouterr().err


# ---- The command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stack with three tables and nothing in them."""
    for name, value in false_account("http://127.0.0.1:1").items():
        if "ENDPOINT" not in name:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CLIENT", "boto3")
    tables = {
        name: {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {part: table_definitions()[name][part] for part in ("AttributeDefinitions", "KeySchema")}
            | {"BillingMode": "PAY_PER_REQUEST"},
        }
        for name in ("Outcomes", "Suppressions", "StatisticsTable")
    }
    for table in tables.values():
        used = {each["AttributeName"] for each in table["Properties"]["KeySchema"]}  # type: ignore[index]
        given = table["Properties"]["AttributeDefinitions"]  # type: ignore[index]
        table["Properties"]["AttributeDefinitions"] = [  # type: ignore[index]
            each for each in given if each["AttributeName"] in used
        ]
    with mock_aws():
        formation = stack.make_client("cloudformation")
        formation.create_stack(StackName="ours", TemplateBody=json.dumps({"Resources": tables}))
        tables.pop("StatisticsTable")
        formation.create_stack(StackName="uncounted", TemplateBody=json.dumps({"Resources": tables}))
        yield


@pytest.mark.usefixtures("ours")
def test_it_proves_a_stack_and_asks_before_it_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recount", "--stack", "ours"]) == 0
    assert main(["recount", "--stack", "ours", "--apply", "--yes"]) == 0
    output = capsys.readouterr().err
    assert "stack ours, account 123456789012, eu-west-1\n  count all of " in output


@pytest.mark.usefixtures("ours")
def test_a_stack_that_counts_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recount", "--stack", "uncounted"]) == 2
    assert "deploy it with Statistics=true" in capsys.readouterr().err


@pytest.mark.usefixtures("ours")
@pytest.mark.parametrize(("state", "code"), [("Enabled", 1), ("Disabling", 1), ("Disabled", 0)])
def test_nothing_is_written_while_a_queue_feeds_a_function(
    state: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Pages:
        def paginate(self, FunctionName: str) -> list[dict[str, Any]]:  # noqa: N803
            return [{"EventSourceMappings": [{"State": state}]}] if FunctionName == "process" else []

    functions = {"ProcessSes": "process", "Streams": "streams"}
    monkeypatch.setattr(stack.DeployedStack, "find_all", lambda *_: functions)
    monkeypatch.setattr(recount, "make_client", lambda _: type("Lambda", (), {"get_paginator": lambda *_: Pages()})())
    assert main(["recount", "--stack", "ours", "--apply", "--yes"]) == code
    assert ("ProcessSes may write" in capsys.readouterr().err) == (code == 1)

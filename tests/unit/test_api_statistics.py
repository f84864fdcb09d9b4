"""`GET /statistics`: counts by day and value, totals with rates, files, and a stack that does not count."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from aftersend.core.statistics import Cell, CounterRow, Dimension, Measure
from aftersend.storage.statistics import StatisticsTable
from tests.simulation.dynamodb import DynamoDB
from tests.support.api import Api, api_context
from tests.support.ports import NOW


def _table() -> StatisticsTable:
    table = StatisticsTable(DynamoDB({"counters": "StatisticsTable"}), "counters", lambda: NOW)
    for day, value, measure, number in (
        ("2026-03-29", "gmail", Measure.DELIVERED, 900),
        ("2026-03-30", "gmail", Measure.DELIVERED, 900),
        ("2026-03-30", "gmail", Measure.BOUNCED_HARD, 200),
        ("2026-03-30", "gmail", Measure.SENT, 0),
        ("2026-03-30", "=cmd", Measure.DELIVERED, 1),
        ("2026-03-01", "gmail", Measure.DELIVERED, 7),
    ):
        row = CounterRow(day, Dimension.SYSTEM)
        cells = table.read_rows([row]).get(row, {}) | {Cell(day, Dimension.SYSTEM, value, measure): number}
        table.put_row(row, cells)
    return table


@pytest.fixture
def api() -> Api:
    return Api(api_context(open_statistics=_table))


def test_counts_are_of_days_and_totals_have_rates(api: Api) -> None:
    found = api("GET", "/statistics?by=system&from=2026-03-28").json
    assert (found["from"], found["to"], found["by"]) == ("2026-03-28", "2026-03-31", "system")
    gmail, strange = found["totals"]
    assert gmail["name"] == "Gmail"
    assert gmail["messages"] == 2000
    assert gmail["counts"] == {"delivered": 1800, "bounced_hard": 200}
    assert gmail["rates"]["bounce"] | {"low": 0, "high": 0} == {
        "numerator": 200,
        "denominator": 2000,
        "rate": 0.1,
        "low": 0,
        "high": 0,
        "level": "review",
    }
    assert strange["rates"]["bounce"].keys() == {"numerator", "denominator", "low", "high", "level"}
    assert found["limits"]["bounce"] == {"review": 0.05, "pause": 0.1, "floor": 200}
    assert [(day["day"], day["value"]) for day in found["days"]] == [
        ("2026-03-29", "gmail"),
        ("2026-03-30", "=cmd"),
        ("2026-03-30", "gmail"),
    ]


def test_without_days_it_is_the_last_week(api: Api) -> None:
    found = api("GET", "/statistics").json
    assert (found["from"], found["to"], found["totals"], found["days"]) == ("2026-03-25", "2026-03-31", [], [])


def test_one_value_alone(api: Api) -> None:
    found = api("GET", "/statistics?by=system&value=gmail&from=2026-03-01").json
    assert {line["value"] for line in found["days"]} == {"gmail"}
    assert found["totals"][0]["counts"]["delivered"] == 1807


def test_a_file_has_a_row_for_each_day_and_value(api: Api) -> None:
    answer = api("GET", "/statistics?by=system&from=2026-03-28&format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["value"] for row in rows] == ["gmail", "'=cmd", "gmail"]
    assert (rows[2]["day"], rows[2]["bounced_hard"], rows[2]["opens"]) == ("2026-03-30", "200", "0")
    assert set(rows[0]) == {"day", "value", *(measure.value for measure in Measure)}


def test_it_says_when_all_was_counted_anew() -> None:
    table = _table()
    api = Api(api_context(open_statistics=lambda: table))
    assert "recounted_at" not in api("GET", "/statistics").json
    table.note_recount()
    assert api("GET", "/statistics").json["recounted_at"] == "2026-03-31T12:00:00Z"


@pytest.mark.parametrize(
    "query",
    ["from=2026-03-31&to=2026-03-30", "from=2025-12-01&to=2026-03-31", "by=recipient", "from=0001-01-01", "limit=5"],
)
def test_what_makes_no_sense_is_refused(query: str, api: Api) -> None:
    assert api("GET", f"/statistics?{query}").status == 422


def test_a_stack_that_does_not_count_says_so() -> None:
    answer: Any = Api(api_context())("GET", "/statistics")
    assert answer.status == 404
    assert "Statistics" in answer.json["detail"]

"""All outcomes as files: what stands in them, that each is there once, and ten questions to them.

DuckDB stands for Athena: it reads the same files by the columns of the same tables.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import duckdb
import msgspec
import pytest

from aftersend import classify
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Feedback, Outcome
from aftersend.lists import export_outcomes
from aftersend.lists.export_outcomes import make_folder
from aftersend.lists.job import OutcomesProgress, OutcomesRequest
from aftersend.lists.outcome_rows import OutcomeRow, make_row, render_outcomes
from aftersend.lists.runner import run_job
from aftersend.sources.message import Message
from aftersend.storage import archive
from local import demo
from local.samples import samples
from tests.support import grafana
from tests.support.list_jobs import MemoryFiles, ingest_facts, job_context, run_request
from tests.support.ports import NOW, MemoryStore
from tests.support.template import RESOURCES

CLASSIFIER: Final = classify.load()
DAY: Final = f"{NOW:%Y-%m-%d}"
SOURCES: Final = ("ses", "report", "mailgun", "smpp", "apns")
QUERIES: Final = sorted(path.stem for path in grafana.QUERIES.glob("*.sql"))
# Athena's functions, of Trino, under the names that DuckDB has for them.
TRINO: Final = """
CREATE MACRO from_iso8601_timestamp(text) AS CAST(text AS TIMESTAMPTZ);
CREATE MACRO approx_percentile(x, part) AS approx_quantile(x, part);
CREATE MACRO element_at(map, key) AS map[key];
"""


def fill(facts: Iterable[Feedback]) -> MemoryStore:
    return ingest_facts(facts, MemoryStore(), classify=CLASSIFIER)


@pytest.fixture(scope="module")
def store() -> MemoryStore:
    chosen = [sample for sample in samples() if sample.source in SOURCES]
    return fill(fact for sample in chosen for fact in demo.facts(sample))


@pytest.fixture(scope="module")
def files(store: MemoryStore) -> MemoryFiles:
    context = job_context(store)
    run_request(context, OutcomesRequest(day=DAY))
    assert isinstance(context.files, MemoryFiles)
    return context.files


def read_rows(files: MemoryFiles) -> list[OutcomeRow]:
    decode = msgspec.json.Decoder(OutcomeRow).decode_lines
    return [row for name, body in files.bodies.items() if "/part-" in name for row in decode(gzip.decompress(body))]


def find_outcomes(store: MemoryStore) -> list[Outcome]:
    return [outcome for key in store.outcomes_table for outcome in store.get_outcomes([key]).values()]


# ---- Files -----------------------------------------------------------------------------------------------------------


def test_each_outcome_is_there_once(store: MemoryStore, files: MemoryFiles) -> None:
    rows = read_rows(files)
    assert sorted((row.recipient, row.message) for row in rows) == sorted(store.outcomes_table)
    assert sorted(rows, key=str) == sorted(map(make_row, find_outcomes(store)), key=str)
    parts = [name for name in files.bodies if "/part-" in name]
    complete = json.loads(files.bodies[f"{make_folder(DAY)}_complete.json"])
    assert complete == {"files": len(parts), "rows": len(rows)}


def test_a_row_says_what_the_outcome_does() -> None:
    refused = [make_row(each) for each in find_outcomes(fill(_facts("ses/bounce-display-names")))]
    assert {(row.channel, row.source, row.status) for row in refused} == {("email", "ses", "bounced")}
    for row in refused:
        assert row.recipient.endswith(f"@{row.recipient_domain}") and row.sender_domain
        assert row.bounced_at is not None and row.klass and row.reason and row.rule


def _facts(name: str) -> list[Feedback]:
    (sample,) = [each for each in samples() if each.name == name]
    return demo.facts(sample)


def test_the_erased_have_no_row(store: MemoryStore) -> None:
    mine = next(each for each in find_outcomes(store))
    erased = msgspec.structs.replace(mine, recipient="erased:" + "0" * 40)
    assert not render_outcomes([erased])
    assert render_outcomes([mine]).count(b"\n") == 1


@pytest.mark.parametrize("fails", range(1, 12))
def test_it_goes_on_where_it_was_stopped(
    store: MemoryStore, files: MemoryFiles, fails: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever write to the bucket fails: once the job is worked again, the same files are there, and no others."""
    monkeypatch.setattr(export_outcomes, "CHUNK", 9)
    whole = job_context(store)
    run_request(whole, OutcomesRequest(day=DAY))
    broken = _BreaksOnce(fails)
    context = job_context(store, files=broken)
    try:
        run_request(context, OutcomesRequest(day=DAY))
    except StoreUnavailable:
        later = {"clock": lambda: NOW.replace(year=NOW.year + 1)}
        job = run_job("job", msgspec.structs.replace(context, **later), 60.0)
        assert job is not None and isinstance(job.progress, OutcomesProgress) and job.progress.complete
    assert whole.files.bodies == broken.bodies  # type: ignore[attr-defined]
    assert broken.asked > 5
    assert read_rows(broken) and sorted(map(str, read_rows(broken))) == sorted(map(str, read_rows(files)))


class _BreaksOnce(MemoryFiles):
    def __init__(self, fails: int) -> None:
        super().__init__()
        self.fails, self.asked = fails, 0

    def put(self, key: str, body: bytes) -> None:
        self.asked += 1
        if self.asked == self.fails:
            raise StoreUnavailable("S3: PutObject: down")
        super().put(key, body)


# ---- Tables and questions --------------------------------------------------------------------------------------------


def columns_of(table: str) -> dict[str, str]:
    given = RESOURCES[table]["Properties"]["TableInput"]["StorageDescriptor"]["Columns"]
    return {column["Name"]: column["Type"] for column in given}


def test_the_table_has_a_column_for_each_field() -> None:
    assert list(columns_of("OutcomesFiles")) == [field.encode_name for field in msgspec.structs.fields(OutcomeRow)]


def test_the_table_of_bodies_has_what_the_archive_writes() -> None:
    body = Message(id="1", source="ses", body=b"\xff", received_at=NOW, headers={"a": "b"})
    put = archive.build_put("bucket", [body, msgspec.structs.replace(body, body=b"{}")])
    lines = [json.loads(line) for line in gzip.decompress(put["Body"]).splitlines()]
    table = RESOURCES["ArchivedBodies"]["Properties"]["TableInput"]
    partitions = [key["Name"] for key in table["PartitionKeys"]]
    assert {name for line in lines for name in line} - set(partitions) == set(columns_of("ArchivedBodies"))
    assert re.findall(r"(\w+)=", put["Key"]) == partitions


@pytest.fixture(scope="module")
def athena(store: MemoryStore, files: MemoryFiles, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("s3")
    bodies = [
        Message(id=sample.name, source="ses", body=sample.body(), received_at=NOW)
        for sample in samples()
        if sample.source == "ses"
    ]
    put = archive.build_put("bucket", bodies)
    for name, body in (files.bodies | {put["Key"]: put["Body"]}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    engine.execute(TRINO)
    for view, table, glob in (
        ("outcomes", "OutcomesFiles", "outcomes/*/part-*.jsonl.gz"),
        ("bodies", "ArchivedBodies", "source=*/*/*/*.jsonl.gz"),
    ):
        engine.execute(_view(view, columns_of(table), folder / glob))
    return engine


def _view(view: str, columns: dict[str, str], glob: Path) -> str:
    kinds = {"string": "VARCHAR", "int": "INTEGER", "boolean": "BOOLEAN", "map<string,string>": "MAP(VARCHAR, VARCHAR)"}
    given = ", ".join(f"'{name}': '{kinds[kind]}'" for name, kind in columns.items())
    return (
        f"CREATE VIEW {view} AS SELECT * FROM read_json('{glob}', format = 'newline_delimited', "
        f"columns = {{{given}}}, hive_partitioning = true, hive_types_autocast = false)"
    )


ASKED: Final = {
    "day": DAY,
    "from": "1970-01-01",
    "to": "2200-01-01",
    "tag": "campaign",
    "value": "spring",
    "source": "ses",
    "date": DAY,
    "hour": f"{NOW:%H}",
}


def ask(athena: Any, name: str, **others: str) -> list[dict[str, Any]]:
    text = re.sub(r"\{(\w+)\}", lambda match: (ASKED | others)[match[1]], grafana.read_query(name))
    found = athena.execute(text)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.mark.parametrize("name", QUERIES)
def test_each_question_has_an_answer(athena: Any, name: str) -> None:
    assert ask(athena, name) or name == "silent-since"  # nobody here got five


def test_the_answers_are_those_of_the_outcomes(athena: Any, store: MemoryStore) -> None:
    outcomes = find_outcomes(store)
    refused = [each for each in outcomes if each.bounced_at is not None]
    assert len(ask(athena, "bounces-of-a-day")) == len(refused)
    hard = [each for each in refused if each.recipient.startswith("email:") and each.status == "bounced"]
    expected = sum(each.verdict is not None and each.verdict.klass == "hard" for each in hard)
    assert sum(row["refused"] for row in ask(athena, "bounce-rate-by-day")) == expected > 5
    complaints = sum(each.complained_at is not None for each in outcomes)
    assert sum(row["complaints"] for row in ask(athena, "complaint-rate-by-sender")) == complaints > 1
    assert sum(row["outcomes"] for row in ask(athena, "rules-at-work")) == sum(
        each.verdict is not None for each in outcomes
    )
    (tag, value), *_ = (pair for each in outcomes for pair in each.context.correlation.items() if "'" not in pair[1])
    (campaign,) = ask(athena, "campaign", tag=tag, value=value)
    assert campaign["messages"] == sum(each.context.correlation.get(tag) == value for each in outcomes)
    assert len(ask(athena, "raw-bodies")) == len([sample for sample in samples() if sample.source == "ses"])


def test_the_dashboard_is_fresh() -> None:
    """`python -m tests.support.grafana` writes it."""
    assert json.loads(grafana.FILE.read_text()) == grafana.make_dashboard()


def test_every_query_is_explained() -> None:
    text = (grafana.QUERIES.parent / "analytics.md").read_text()
    assert [name for name in QUERIES if f"(queries/{name}.sql)" not in text] == []

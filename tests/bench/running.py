"""One function as it runs: raw bodies come in, are archived and worked, and a line of log and its metrics go out.

Everything is made by `aftersend.bootstrap`, as in a function; DynamoDB is an engine's, and S3 a count of bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import redirect_stdout
from datetime import timedelta
from io import StringIO
from typing import Any, Final

import msgspec
from aws_lambda_powertools import Metrics
from msgspec import Struct
from msgspec.structs import replace

from aftersend import bootstrap, observability
from aftersend.core import policy
from aftersend.ingest import ingest
from aftersend.settings import IngestSettings
from aftersend.sources.message import Message
from tests.engines import Engine

RETENTION: Final = timedelta(days=180)  # the template's RetentionDays
WORKERS: Final = 8  # the template's Workers
TABLES: Final = ("Outcomes", "Suppressions", "SpikeWindows", "UnmatchedTexts")
_READS: Final = frozenset({"get_item", "batch_get_item", "query", "scan"})


class Tables(Struct, frozen=True):
    """The names of a stack's tables."""

    outcomes: str
    suppressions: str
    spike_windows: str
    unmatched_texts: str


def create_tables(engine: Engine) -> Tables:
    """Fresh, empty tables of the template."""
    return Tables(*map(engine.table, TABLES))


_ASK: Final = {"ReturnConsumedCapacity": "TOTAL"}


class Meter:
    """A client of DynamoDB that keeps account of calls and units, as the engine charges them."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._charged: list[tuple[str, dict[str, float]]] = []  # units by table; appending is safe between threads

    @property
    def calls(self) -> Counter[str]:
        """How often each operation was called."""
        return Counter(name for name, _ in self._charged)

    def units(self, *, reads: bool, table: str | None = None) -> float:
        """Units of all reads, or of all writes; of one table, where it is named."""
        charged = [units for name, units in self._charged if (name in _READS) == reads]
        return sum(sum(units.values()) if table is None else units.get(table, 0.0) for units in charged)

    def _charge(self, name: str, answer: Any) -> Any:
        consumed = answer.get("ConsumedCapacity", ())
        several = consumed if isinstance(consumed, list) else [consumed] if consumed else []
        units: Counter[str] = Counter()
        for each in several:
            units[each["TableName"]] += each["CapacityUnits"]
        self._charged.append((name, dict(units)))
        return answer

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return lambda **request: self._charge(name, method(**request, **_ASK))


class MeterInWaits(Meter):
    """The same of a client of ours, whose calls may be many at once in one thread."""

    def call(self, operation: str, request: Mapping[str, Any]) -> Generator[Any, Any, Any]:
        """Call one of the operations."""
        return self._charge(operation, (yield from self._client.call(operation, {**request, **_ASK})))


class CountingS3:
    """A client of S3 that keeps nothing but how much came."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def put_object(self, **request: Any) -> Any:
        self.sizes.append(len(request["Body"]))
        return {}

    def call(self, _operation: str, request: Mapping[str, Any]) -> Generator[Any, Any, Any]:
        """Put an object, at once."""
        yield from ()
        return self.put_object(**request)


class _Nothing:
    """A client of a service that nobody is to call here."""


class Running:
    """A function with clients of its own."""

    def __init__(
        self,
        dynamodb: Any,
        tables: Tables,
        s3: Any = None,
        workers: int = WORKERS,
        *,
        lean: bool = False,
        graphs: bool = False,
    ) -> None:
        """Take a client of S3, where it shall not only be counted what comes; `graphs` as with a dashboard."""
        self.s3 = s3 or CountingS3()
        clients: Mapping[str, Any] = {"dynamodb": dynamodb, "s3": self.s3}
        settings = IngestSettings(
            outcomes_table=tables.outcomes,
            suppressions_table=tables.suppressions,
            spike_windows_table=tables.spike_windows,
            unmatched_texts_table=tables.unmatched_texts,
            archive_bucket="archive",
            unreadable_queue="unreadable",
            policy=policy.load(),
            digest_key=b"a key of benches",
            retention=RETENTION,
            workers=workers,
            lean=lean,
        )
        self.ports = bootstrap.make_ports(settings, lambda service: clients.get(service, _Nothing()))
        self.log = StringIO()
        self._logger = observability.make_logger("bench", self.log)
        self._metrics = Metrics(namespace="Bench", service="bench")
        self._graphs = graphs
        self.failed = 0

    def work(self, batch: Sequence[Message]) -> list[str]:
        """Bring in a batch, and report it as a function does; the ids of what has to come again."""
        report = ingest(batch, self.ports)
        with redirect_stdout(self.log):  # where metrics go
            observability.report_batch(report, b"a key of benches", self._logger, self._metrics, graphs=self._graphs)
        if report.unreadable:
            raise RuntimeError(f"not readable: {report.unreadable}")
        self.failed += len(report.unfinished)
        return report.unfinished

    def find_metrics(self) -> set[tuple[str, ...]]:
        """What CloudWatch would charge as metrics: each name with each set of dimensions and their values."""
        found = set()
        for line in self.log.getvalue().splitlines():
            entry = json.loads(line)
            for group in entry.get("_aws", {}).get("CloudWatchMetrics", ()):
                for names in group["Dimensions"]:
                    values = tuple(f"{name}={entry[name]}" for name in sorted(names))
                    found |= {(metric["Name"], *values) for metric in group["Metrics"]}
        return found


def make_raw(records: Sequence[Message]) -> list[Message]:
    """The same records as queues bring them: raw message delivery has no envelope of SNS around a body."""
    return [replace(each, body=msgspec.json.decode(each.body)["Message"].encode()) for each in records]


def measure_item(item: Mapping[str, Any]) -> int:
    """How many bytes an item has. Source: DynamoDB developer guide, "Item sizes and formats"."""
    return sum(len(name.encode()) + _measure(value) for name, value in item.items())


def _measure(value: Mapping[str, Any]) -> int:
    [(kind, held)] = value.items()
    sizes: dict[str, Callable[[], int]] = {
        "S": lambda: len(held.encode()),
        "N": lambda: len(held.strip("-").replace(".", "")) // 2 + 2,
        "B": lambda: len(held) if isinstance(held, bytes) else len(held) * 3 // 4,
        "BOOL": lambda: 1,
        "NULL": lambda: 1,
        "SS": lambda: sum(len(each.encode()) for each in held),
        "BS": lambda: sum(map(len, held)),
        "L": lambda: 3 + sum(1 + _measure(each) for each in held),
        "M": lambda: 3 + sum(1 + len(name.encode()) + _measure(each) for name, each in held.items()),
    }
    return sizes[kind]()

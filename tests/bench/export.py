"""What an export holds in memory while the table grows: 50,000, 75,000 and 100,000 suppressions, on dynoxide.

It holds one part of the file, once as rows and once as it is sent, and a page of suppressions. The parts are counted
and thrown away, as S3 would take them. `tracemalloc` sees all that Python holds at the worst moment of an export; a run
without it says how fast one is.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final

from aftersend.core.model import Cause, CauseKind, EvidenceRef, Reason, Suppression
from aftersend.lists.export_list import export_list
from aftersend.lists.job import ExportProgress, ExportRequest, create_job
from aftersend.storage import items
from aftersend.storage.queries import Queries
from aftersend.storage.store import TableNames
from tests import engines
from tests.bench.table import goal, show
from tests.support.list_jobs import MemoryFiles, job_context
from tests.support.ports import NOW

SIZES: Final = (50_000, 75_000, 100_000)  # the smallest fills a part of the file
_BATCH: Final = 25  # BatchWriteItem takes no more
_MEGA: Final = 1_000_000


class Sink(MemoryFiles):
    """Counts what it is given and keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def put(self, key: str, body: bytes) -> None:
        """Rows that are not enough for a part, which nobody reads here."""

    def upload_part(self, key: str, upload_id: str, number: int, body: bytes) -> str:
        self.bytes += len(body)
        return str(number)

    def complete_upload(self, key: str, upload_id: str, etags: tuple[str, ...]) -> None:
        """Nothing is left to put together."""


def suppression(number: int) -> Suppression:
    """One of many, each a little different."""
    ref = EvidenceRef(
        at=NOW - timedelta(minutes=number),
        feedback=f"{number:020x}",
        message=f"ses:0102018e{number:08x}-0000",
        source="ses",
        reason=Reason.USER_UNKNOWN,
        rule="address.unknown",
        provider_code="Permanent/NoEmail",
    )
    return Suppression(
        recipient=f"email:somebody.{number}@example.com",
        causes={CauseKind.HARD: Cause(first=ref, latest=ref)},
        version=1,
    )


def fill(client: Any, table: str, begin: int, end: int) -> None:
    """Write suppressions as fast as an engine takes them."""

    def write(start: int) -> None:
        rows = (
            items.encode_suppression(suppression(each), timedelta(180), NOW) for each in range(start, start + _BATCH)
        )
        client.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": row}} for row in rows]})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(begin, end, _BATCH)))


def export(client: Any, names: TableNames) -> tuple[ExportProgress, int]:
    """One whole export; how far it is, and the bytes of its file."""
    sink = Sink()
    used = job_context(None, queries=Queries(client, names), files=sink)
    last = deque(export_list(create_job("export", ExportRequest(), "bench", NOW), used), maxlen=1)
    return last[0], sink.bytes


def measured(client: Any, names: TableNames) -> tuple[ExportProgress, int, float, float]:
    """An export, its bytes, its seconds, and the megabytes that it held at most."""
    begun_at = time.perf_counter()
    progress, size = export(client, names)
    seconds = time.perf_counter() - begun_at
    tracemalloc.start()
    export(client, names)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return progress, size, seconds, peak / _MEGA


def main() -> None:
    """Export tables of growing size, and show what each took."""
    if lack := engines.lack("dynoxide"):
        sys.stdout.write(f"export: not run: {lack}\n")
        return
    with engines.running("dynoxide") as engine:
        client, names, rows, peaks, before = engine.connect(), engine.tables(), [], [], 0
        export(client, names)  # whatever is loaded or made once is no part of it
        for size in SIZES:
            fill(engine.client(max_pool_connections=8), names.suppressions, before, size)
            before = size
            progress, written, seconds, peak = measured(client, names)
            assert progress.rows == size
            peaks.append(peak)
            rows.append(
                (f"{size:,}", f"{written / _MEGA:.1f}", f"{seconds:.1f}", f"{size / seconds:,.0f}", f"{peak:.1f}")
            )
    show(
        "Export of suppressions as CSV",
        ("suppressions", "file, MB", "seconds", "per second", "held at most, MB"),
        rows,
        [goal("held of twice the suppressions, in times", peaks[-1] / peaks[0], 1.05)],
    )


if __name__ == "__main__":
    main()

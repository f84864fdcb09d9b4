"""A dropped file of a million lines, whose function is killed ten times: what it holds, how fast it is, what is lost.

The file lies on disk and is read in ranges, as S3 gives them; the queue notes which line each body was, in a bit map. A
function that is killed ends in the middle of a chunk, and another goes on once nobody can have the job any more. What
`tracemalloc` sees is measured in the same run, which is several times slower for it; a run without says how fast it is.
"""

from __future__ import annotations

import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final

from aftersend.lists.drop import AT_ONCE, CHUNK, make_drop_id
from aftersend.lists.files import PIECE_SIZE
from aftersend.lists.job import LEASE, DropProgress, DropRequest, create_job
from aftersend.lists.runner import run_job
from aftersend.storage.queue import OutgoingMessage, SendResults
from tests.bench.table import goal, show
from tests.support.list_jobs import MemoryFiles, job_context
from tests.support.ports import NOW

LINES: Final = (100_000, 1_000_000)
KILLS: Final = 10
KEY: Final = "drop/ses/deliveries.jsonl"
_LINE: Final = (
    b'{"eventType":"Delivery","mail":{"timestamp":"2026-03-02T12:00:00.000Z","messageId":"%08d","destination":'
    b'["somebody.%08d@example.com"]},"delivery":{"timestamp":"2026-03-02T12:00:01.000Z","recipients":'
    b'["somebody.%08d@example.com"],"smtpResponse":"250 2.0.0 OK"}}\n'
)
_AT: Final = _LINE.index(b"%08d")  # where each line has its number
_MEGA: Final = 1_000_000


class Killed(BaseException):
    """The function was stopped where it stood."""


class DiskFiles(MemoryFiles):
    """One file on disk, in ranges."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def read(self, key: str, start: int = 0, etag: str | None = None) -> Iterator[tuple[bytes, str]]:
        with self._path.open("rb") as file:
            file.seek(start)
            while piece := file.read(PIECE_SIZE):
                yield piece, "etag"


class CountingQueue:
    """Notes which lines have come, and how often one came again; stops whoever sends after so many groups."""

    def __init__(self, lines: int) -> None:
        self.seen, self.repeats, self.left = bytearray(lines), 0, 0

    def send(self, parcels: Sequence[OutgoingMessage]) -> SendResults:
        if not self.left:
            raise Killed
        self.left -= 1
        for parcel in parcels:
            number = int(parcel.body[_AT : _AT + 8])
            self.repeats += self.seen[number]
            self.seen[number] = 1
        return SendResults(accepted=set(range(len(parcels))))


def write(file: BinaryIO, lines: int) -> None:
    """Write so many lines, each about another message."""
    for number in range(lines):
        file.write(_LINE % (number, number, number))


def drop(path: Path, lines: int) -> tuple[DropProgress, CountingQueue, int]:
    """Work a file to its end, and kill the function ten times on the way; how often that was."""
    queue, now, kills = CountingQueue(lines), [NOW], 0
    with ThreadPoolExecutor(1) as pool:  # so that the queue needs no lock
        context = job_context(files=DiskFiles(path), feedback_queue=queue, pool=pool, clock=lambda: now[0])
        request = DropRequest(key=KEY, upload="1", size=path.stat().st_size)
        context.jobs.put(create_job(make_drop_id(KEY), request, "bench", NOW))
        while True:
            groups = lines // AT_ONCE // (KILLS + 1)
            queue.left = groups + 3 if kills < KILLS else lines
            try:
                job = run_job(make_drop_id(KEY), context, float("inf"))
            except Killed:
                kills, now[0] = kills + 1, now[0] + LEASE
            else:
                break
    assert job is not None and isinstance(job.progress, DropProgress)
    return job.progress, queue, kills


def main() -> None:
    """Drop files of growing size, and show what each took."""
    rows, peaks, lost, repeats, found = [], [], 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for lines in LINES:
            path = Path(folder) / f"{lines}.jsonl"
            with path.open("wb") as file:
                write(file, lines)
            begun_at = time.perf_counter()
            progress, queue, kills = drop(path, lines)
            seconds = time.perf_counter() - begun_at
            tracemalloc.start()
            drop(path, lines)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            peaks.append((peak - lines) / _MEGA)  # without the bit map of this bench
            lost, repeats, found = queue.seen.count(0), queue.repeats, progress.sent
            sent = f"{progress.sent:,}"
            rows.append((
                *(f"{lines:,}", f"{path.stat().st_size / _MEGA:,.0f}", str(kills), f"{seconds:.1f}"),
                *(f"{lines / seconds:,.0f}", f"{peaks[-1]:.1f}", sent, str(lost), f"{repeats:,}"),
            ))  # fmt: skip
    show(
        f"Dropped files, each function killed {KILLS} times, without the time that SQS takes",
        ("lines", "MB", "killed", "seconds", "per second", "held at most, MB", "counted", "lost", "sent again"),
        rows,
        [
            goal("lines lost of a million", lost, 0),
            goal("counted of each line", found / LINES[-1], 1),
            goal("lines sent again for each kill (facts that are known already)", repeats / KILLS, CHUNK),
            goal("held of ten times the lines, in times", peaks[-1] / peaks[0], 1.05),
        ],
    )


if __name__ == "__main__":
    main()

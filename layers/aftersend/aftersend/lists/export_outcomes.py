"""The use case of an export of all outcomes: the whole table, page by page, into files of JSON Lines for Athena.

    outcomes/day=2026-03-02/part-000001.jsonl.gz

Each chunk is a file of its own, whose name follows from how far the export is: one that is worked twice replaces its
own file. A file that begins with `_` is none to Athena; `_complete.json` says that all others of that day are there.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from aftersend.lists.context import JobContext
from aftersend.lists.job import ListJob, OutcomesProgress, OutcomesRequest
from aftersend.lists.outcome_rows import render_outcomes

CHUNK: Final = 20  # pages of outcomes, of 1 MB at most each: what one file is made of
FOLDER: Final = "outcomes/"


def make_folder(day: str) -> str:
    """Return where the files of an export lie that was asked for on this day (2026-03-02)."""
    return f"{FOLDER}day={day}/"


def export_outcomes(job: ListJob, context: JobContext) -> Iterator[OutcomesProgress]:
    """Write the files of an export, and yield the progress after each. Raises StoreUnavailable."""
    progress = job.progress
    assert isinstance(job.request, OutcomesRequest) and isinstance(progress, OutcomesProgress)
    folder = make_folder(job.request.day)
    while not progress.complete:
        progress = _export_chunk(folder, progress, context)
        yield progress
    done = {"files": progress.files, "rows": progress.rows}
    context.files.put(f"{folder}_complete.json", msgspec.json.encode(done))


def _export_chunk(folder: str, progress: OutcomesProgress, context: JobContext) -> OutcomesProgress:
    rendered, after = [], progress.after
    for _ in range(CHUNK):
        found, after = context.queries.scan_outcomes(after)
        rendered.append(render_outcomes(found))
        if after is None:
            break
    body, files = b"".join(rendered), progress.files
    if body:
        files += 1
        context.files.put(f"{folder}part-{files:06}.jsonl.gz", gzip.compress(body, compresslevel=6, mtime=0))
    rows = progress.rows + body.count(b"\n")
    return replace(progress, after=after, complete=after is None, files=files, rows=rows)

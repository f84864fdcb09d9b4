"""The use case of an export: the whole table, page by page, into one file in parts. Memory does not grow with it.

S3 wants parts of 5 MB at least. Rows that are not enough for a part when a chunk ends are stored beside the parts,
under one of two names in turn: that of the last chunk is not touched before the progress of the next one is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from aftersend.lists.context import JobContext, ListFilesPort
from aftersend.lists.export_rows import CONTENT_TYPES, render_header, render_rows
from aftersend.lists.files import PART_SIZE
from aftersend.lists.job import ExportProgress, ExportRequest, ListJob

CHUNK: Final = 20  # pages of suppressions


def export_list(job: ListJob, context: JobContext) -> Iterator[ExportProgress]:
    """Write the file of an export, and yield the progress after each chunk. Raises StoreUnavailable."""
    request, progress = job.request, job.progress
    assert isinstance(request, ExportRequest) and isinstance(progress, ExportProgress)
    if progress.upload_id is None:
        upload_id = context.files.begin_upload(job.file, CONTENT_TYPES[request.layout])
        progress = replace(progress, upload_id=upload_id)
    file = _FileInParts(job, progress, context.files)
    if not progress.chunks:
        file.add([render_header(request.layout)])
    while not progress.complete:
        progress = _export_chunk(job, request, progress, file, context)
        yield progress
    file.complete()


def _export_chunk(
    job: ListJob, request: ExportRequest, progress: ExportProgress, file: _FileInParts, context: JobContext
) -> ExportProgress:
    rows, after = progress.rows, progress.after
    for _ in range(CHUNK):
        found, after = context.queries.scan_suppressions(after)
        rendered = list(render_rows(found, request, job.created_at, context.find_reverts))
        rows += len(rendered)
        file.add(rendered)
        if after is None:
            break
    chunks = progress.chunks + 1
    buffered = file.pause(chunks) if after else file.end()
    return ExportProgress(
        upload_id=progress.upload_id,
        etags=tuple(file.etags),
        after=after,
        complete=after is None,
        chunks=chunks,
        buffered=buffered,
        rows=rows,
    )


class _FileInParts:
    """The file that is being written: the entity tags of its parts, and rows that are not enough for one yet."""

    def __init__(self, job: ListJob, progress: ExportProgress, files: ListFilesPort) -> None:
        assert progress.upload_id is not None
        self._key, self._own_key = job.file, job.own_file
        self._upload_id, self._files = progress.upload_id, files
        self.etags = list(progress.etags)
        self._buffer: list[bytes] = []
        self._size = progress.buffered
        if progress.buffered:
            self._buffer = [piece for piece, _ in files.read(self._buffer_key(progress.chunks))]

    def add(self, rows: Iterable[bytes]) -> None:
        """Write rows."""
        for row in filter(None, rows):
            self._buffer.append(row)
            self._size += len(row)
        if self._size >= PART_SIZE:
            self._write_part()

    def pause(self, chunks: int) -> int:
        """Store the buffer where the next chunk finds it again, and return its size in bytes."""
        if self._buffer:
            self._buffer = [b"".join(self._buffer)]
            self._files.put(self._buffer_key(chunks), self._buffer[0])
        return self._size

    def end(self) -> int:
        """Write the buffer as the last part, and return what is left: nothing."""
        if self._buffer:
            self._write_part()
        return self._size

    def complete(self) -> None:
        """Put the parts together."""
        if self.etags:
            self._files.complete_upload(self._key, self._upload_id, tuple(self.etags))
        else:  # nothing to put together
            self._files.put(self._key, b"")

    def _write_part(self) -> None:
        body = b"".join(self._buffer)
        self.etags.append(self._files.upload_part(self._key, self._upload_id, len(self.etags) + 1, body))
        self._buffer, self._size = [], 0

    def _buffer_key(self, chunks: int) -> str:
        return f"{self._own_key}.buffer{chunks % 2}"

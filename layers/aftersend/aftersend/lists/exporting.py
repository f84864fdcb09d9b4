"""The use case of an export: the whole table, page by page, into one object in parts. Memory does not grow with it.

S3 wants parts of 5 MB at least. What is not enough for a part when a bite ends is laid beside the parts, under one of
two names in turn: that of the last bite is not touched before the next one has been written down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from aftersend.lists import export
from aftersend.lists.job import Export, Exported, Job
from aftersend.lists.objects import PART
from aftersend.lists.shop import Objects, Shop

PAGES: Final = 20  # of suppressions, in a bite


def exported(job: Job, shop: Shop) -> Iterator[Exported]:
    """How far it is, after each bite."""
    wanted, progress = job.request, job.progress
    assert isinstance(wanted, Export) and isinstance(progress, Exported)
    if progress.upload is None:
        progress = replace(progress, upload=shop.objects.begin(job.file, export.TYPES[wanted.layout]))
    file = _File(job.file, progress, shop.objects)
    if not progress.bites:
        file.add([export.header(wanted.layout)])
    while not progress.read:
        progress = _bite(job, wanted, progress, file, shop)
        yield progress
    file.finish()


def _bite(job: Job, wanted: Export, progress: Exported, file: _File, shop: Shop) -> Exported:
    """Some pages more."""
    rows, after = progress.rows, progress.after
    for _ in range(PAGES):
        found, after = shop.reader.page(after)
        written = list(export.rows(found, wanted, job.created_at, shop.pending))
        rows += len(written)
        file.add(written)
        if after is None:
            break
    bites = progress.bites + 1
    rest = file.pause(bites) if after else file.end()
    return Exported(
        upload=progress.upload,
        parts=tuple(file.parts),
        after=after,
        read=after is None,
        bites=bites,
        rest=rest,
        rows=rows,
    )


class _File:
    """The object that is being written: its parts, and what is not enough for one yet."""

    def __init__(self, key: str, progress: Exported, objects: Objects) -> None:
        assert progress.upload is not None
        self._key, self._upload, self._objects = key, progress.upload, objects
        self.parts = list(progress.parts)
        self._rest: list[bytes] = []
        self._size = progress.rest
        if progress.rest:
            self._rest = [piece for piece, _ in objects.pieces(self._beside(progress.bites))]

    def add(self, rows: Iterable[bytes]) -> None:
        """Write rows."""
        for row in filter(None, rows):
            self._rest.append(row)
            self._size += len(row)
        if self._size >= PART:
            self._part()

    def pause(self, bites: int) -> int:
        """Lay what is left where it can be found again; its size."""
        if self._rest:
            self._rest = [b"".join(self._rest)]
            self._objects.put(self._beside(bites), self._rest[0])
        return self._size

    def end(self) -> int:
        """Write what is left as the last part; nothing is left then."""
        if self._rest:
            self._part()
        return self._size

    def finish(self) -> None:
        """Put the parts together."""
        if self.parts:
            self._objects.finish(self._key, self._upload, tuple(self.parts))
        else:  # nothing to put together
            self._objects.put(self._key, b"")

    def _part(self) -> None:
        body = b"".join(self._rest)
        self.parts.append(self._objects.part(self._key, self._upload, len(self.parts) + 1, body))
        self._rest, self._size = [], 0

    def _beside(self, bites: int) -> str:
        return f"{self._key}.rest{bites % 2}"

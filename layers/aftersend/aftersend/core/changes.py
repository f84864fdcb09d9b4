"""What a record of a table's stream says: a row as it was and as it is. Pure."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from aftersend.core.model import Outcome, Suppression


class Change(Struct, frozen=True, kw_only=True):
    """One write to an outcome or a suppression, as the stream of its table tells it; both rows are of one key.

    The same record has the same `id` and `sequence` whenever it comes again.
    """

    id: str  # of the record, for ever: what follows from it is the same, however often it comes
    sequence: int  # its place in its shard; a later write of the same row has a greater one
    at: datetime  # when the row was written (UTC), cut to seconds: about, and never to count by
    old: Outcome | Suppression | None  # None where there was no such row
    new: Outcome | Suppression | None  # None where there is none any more
    expired: bool = False  # the row is gone because its time was over, not because somebody was erased

    @property
    def row(self) -> Outcome | Suppression:
        """The row as it is, or as it was where it is gone."""
        row = self.new or self.old
        if row is None:
            raise ValueError("a change has a row before or after it")
        return row

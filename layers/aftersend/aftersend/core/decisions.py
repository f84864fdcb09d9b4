"""What people decide: facts too, so they come in any order. Times are aware UTC `datetime`s."""

# Annotations are code here: as texts, msgspec would compile each of them at a start (decision 69).

from datetime import datetime
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from aftersend.core.vocabulary import Act

_encode: Final = msgspec.json.Encoder().encode


class Decision(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a person decided of a suppression or an outcome: a fact too, so decisions come in any order."""

    at: datetime
    by: str  # who: the caller's identity, as the API knows it
    act: Act
    note: str | None = None  # why
    force: bool = False  # of a release: a person's own wishes too
    until: datetime | None = None  # of an addition: its end
    id: str = ""

    def __post_init__(self) -> None:
        for name in ("at", "until"):  # tables keep milliseconds, and what is read must be what was written
            if (moment := getattr(self, name)) is not None and moment.microsecond % 1000:
                force_setattr(self, name, moment.replace(microsecond=moment.microsecond // 1000 * 1000))
        if not self.id:
            decisive = (self.at, self.by, self.act, self.note, self.force, self.until)
            force_setattr(self, "id", blake2b(_encode(decisive), digest_size=10).hexdigest())

    @property
    def order(self) -> tuple[datetime, str]:
        """The one total order of decisions."""
        return self.at, self.id


class Reverted(Struct, frozen=True, order=True, gc=False):
    """Evidence that does not count: of one reason, from `since` up to `until`, both included."""

    since: datetime
    until: datetime
    reason: str

"""Shapes that several questions share, with the bounds of what strangers may send."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from aftersend.api.cursors import MAX_CHARACTERS

EVERYWHERE: Final = "*"

PLAIN: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"  # no control characters
SEEN: Final = r"[^\s\x00-\x1f\x7f-\x9f]"  # one character at least that can be seen
Spelling = Annotated[
    str, Meta(min_length=1, max_length=1000, pattern=PLAIN, description="A recipient in any spelling.")
]
Scope = Annotated[str, Meta(min_length=1, max_length=256, pattern=PLAIN, description="A stream; * means all of them.")]
Note = Annotated[
    str, Meta(min_length=1, max_length=500, pattern=SEEN, description="Why; it is kept with who and when.")
]
Limit = Annotated[int, Meta(ge=1, le=100, description="How many at most.")]
Cursor = Annotated[
    str, Meta(min_length=1, max_length=MAX_CHARACTERS, description="The `next` of the page before, unchanged.")
]


Moment = Annotated[datetime, Meta(tz=True)]


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Scoped(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of what is of one scope."""

    scope: Scope = EVERYWHERE


class Paged(Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of a list that has nothing else to choose."""

    limit: Limit = 50
    cursor: Cursor | None = None

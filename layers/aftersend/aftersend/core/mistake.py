"""A mistake in a document of the user's, and where it is. Pure."""

from __future__ import annotations

from msgspec import Struct


class Mistake(Struct, frozen=True, omit_defaults=True):
    """What is wrong with a document of rules, and where, as far as is known."""

    message: str
    rule: str | None = None  # its id, or "number 3" where it has none
    field: str | None = None  # such as when.text
    line: int | None = None  # from 1, of a document of TOML

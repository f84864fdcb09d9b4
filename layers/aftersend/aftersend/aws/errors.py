"""How a call to AWS fails: the service says no, or nothing comes back.

    CallFailed
    ├── Refusal     the service answered, and refused; `code` says why in its words
    └── NoAnswer    no answer that could be read, after every try

Neither message quotes what the service wrote: it may name an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CallFailed(Exception):
    """A call that brought nothing."""


class Refusal(CallFailed):
    """The service refused: `code` is its word for why, `answer` the rest of what it said, such as the stored item."""

    def __init__(self, code: str, answer: Mapping[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.answer = answer


class NoAnswer(CallFailed):
    """Nothing that could be read came back."""

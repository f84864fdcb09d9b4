"""Failures of calls as the rest of the package knows them: what a service does not do for us is StoreUnavailable.

with translate_errors("DynamoDB: PutItem"):
    client.put_item(**request)
"""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType

from aftersend.aws.errors import CallFailed, Refusal
from aftersend.core.errors import StoreUnavailable


class translate_errors:  # noqa: N801  # is read as a verb, like `contextlib.suppress`
    """Raise StoreUnavailable where a call in the block fails; it names `call`, the service and its operation.

    A Refusal with one of the codes that are `expected` passes, for the caller to make sense of; so does every error
    that is not of a call. The message has the code of the failure, and nothing that the service wrote beside it.
    Without a state of its own, it may be used again and shared between threads.
    """

    __slots__ = ("_call", "_expected")

    def __init__(self, call: str, *, expected: Collection[str] = ()) -> None:
        self._call = call
        self._expected = expected

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Translate what the block has raised."""
        if not isinstance(error, CallFailed) or (isinstance(error, Refusal) and error.code in self._expected):
            return
        raise StoreUnavailable(f"{self._call} failed: {error}") from error

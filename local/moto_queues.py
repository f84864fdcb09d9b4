"""Quicker queues of moto: for a message that comes to a FIFO queue, it counts all that are there, eight times over.

It asks for every attribute of the queue to know one of them, which says whether messages are told apart by what they
hold. How many messages there are is among the others, and is counted only for whoever asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import local
from typing import Any, Final
from unittest.mock import patch

from moto.sqs.models import Queue, SQSBackend

_COUNTS: Final = (
    "approximate_number_of_messages",
    "approximate_number_of_messages_delayed",
    "approximate_number_of_messages_not_visible",
)
_sending: Final = local()  # a message, in this thread


@contextmanager
def quick_sends() -> Iterator[None]:
    """Have messages come to every queue of moto in this process uncounted, as long as the context lasts."""
    with ExitStack() as opened:
        for name in _COUNTS:
            opened.enter_context(patch.object(Queue, name, _count_if_asked(getattr(Queue, name))))
        for name in ("send_message", "send_message_batch"):
            opened.enter_context(patch.object(SQSBackend, name, _send_uncounted(getattr(SQSBackend, name))))
        yield


def _count_if_asked(counted: property) -> property:
    count = counted.fget
    assert count is not None
    return property(lambda queue: 0 if getattr(_sending, "now", False) else count(queue))


def _send_uncounted(send: Callable[..., Any]) -> Callable[..., Any]:
    def send_uncounted(*given: Any, **named: Any) -> Any:
        before, _sending.now = getattr(_sending, "now", False), True
        try:
            return send(*given, **named)
        finally:
            _sending.now = before

    return send_uncounted

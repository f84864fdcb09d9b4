"""Errors by culprit: whose fault decides what happens to a message.

AftersendError
├── FeedbackError            theirs: never retried, stays in the dead-letter queue with the reason
│   ├── MalformedFeedback    a body that the source's parser cannot read
│   └── VerificationError    a signature, certificate or secret that does not hold: refused, and never queued
├── ServiceError             ours: the message goes back to its queue and is tried again
│   ├── StoreUnavailable     a table, bucket or queue did not answer
│   ├── Unreadable           an item that is stored is none that this version writes
│   ├── HostUnavailable      a provider's host that is needed to believe it did not answer
│   ├── OutOfTime            there was no time left to begin with it
│   └── ContentionExhausted  every conditional write lost against another writer
├── VersionMoved             a person's: somebody else wrote what they had looked at
└── ConfigurationError       the operator's: says which field, raised at start
"""

from __future__ import annotations

from typing import Final

from msgspec import DecodeError

# All that decoding JSON raises for what a stranger may send: no JSON, the wrong types, no UTF-8, too deeply nested.
DECODE_ERRORS: Final = (DecodeError, UnicodeDecodeError, RecursionError)


class AftersendError(Exception):
    """Root of all errors that Aftersend raises on purpose."""


class FeedbackError(AftersendError):
    """The sender of the feedback is at fault: trying again cannot help."""


class MalformedFeedback(FeedbackError):
    """A body that the parser of `source` cannot read; `why` is safe to log (it quotes no address)."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(f"{source}: {why}")
        self.source = source
        self.why = why


class VerificationError(FeedbackError):
    """A signature, certificate or secret that does not hold: a fixed `code` and a `reason` safe to log (no address)."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class ServiceError(AftersendError):
    """Our own side is at fault: the message must come back."""


class StoreUnavailable(ServiceError):
    """A table, bucket or queue did not answer, or refused us."""


class Unreadable(ServiceError):
    """An item that is stored is none that this version writes: a newer one did, and was rolled back, or a hand."""


class HostUnavailable(ServiceError):
    """A provider's host that is needed to believe what it pushed did not answer."""


class OutOfTime(ServiceError):
    """There was no time left to begin with it: nothing has failed, and it is handed back as it came."""


class VersionMoved(AftersendError):
    """Somebody else has written since: what is stored is another version than the one that was expected."""

    def __init__(self, version: int) -> None:
        super().__init__(f"version {version} is stored")
        self.version = version


class ContentionExhausted(ServiceError):
    """Every conditional write of one item lost against another writer."""


class ConfigurationError(AftersendError):
    """The operator's configuration is wrong; the message names the field."""

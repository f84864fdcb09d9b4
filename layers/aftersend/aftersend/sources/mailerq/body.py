"""The JSON bodies of MailerQ: a message with its attempts, a list of such messages, or the list under `results`.

Sources: MailerQ documentation, "Result message queues", "JSON specification" and "JSON for incoming messages".
What is not obvious there:
- the sender may add any property of any type to a message, and a response pattern to an attempt: so only what every
  fact needs has to have its type;
- the samples hold trailing commas, which JSON does not allow;
- what remote servers say is copied as it came, in whatever charset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, field

from aftersend.core.errors import MalformedFeedback
from aftersend.core.text import truncate

SOURCE: Final = "mailerq"

MAX_MESSAGES: Final = 1_000  # of one body
MAX_REPAIRED: Final = 1_048_576  # bytes of a body whose trailing commas are taken out

# MailerQ's own properties of a message; all others are the sender's.
OWN: Final = frozenset(
    (
        *("envelope", "recipient", "mime", "key", "keepmime", "data", "headers", "results", "extracted", "tags"),
        *("ips", "pool", "delayed", "nextattempt", "maxdelivertime", "maxattempts", "retries", "force", "priority"),
        *("inlinecss", "dkim", "arc", "dsn", "queues", "smarthost", "security", "local", "reports"),
        *("message-id", "received", "hostname", "connection", "http", "spool", "cli", "checks"),
    )
)

_decode: Final = msgspec.json.Decoder().decode
_properties: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_list: Final = msgspec.json.Decoder(list[Raw]).decode


class Attempt(Struct, gc=False):
    """One delivery attempt, or why there was none."""

    state: str
    result: str
    time: str | None = None
    mta: Any = None
    sent_from: Any = field(name="from", default=None)
    sent_to: Any = field(name="to", default=None)
    code: Any = None
    status: Any = None
    description: Any = None
    dsn: Any = None
    cipher: Any = None
    certificate: Any = None
    fatal: Any = None
    individual: Any = None
    strange: Any = None
    greylisted: Any = None
    fallback: Any = None


_attempts: Final = msgspec.json.Decoder(list[Attempt] | None).decode


class _Object(Struct):
    """Any object."""


class _Addressed(Struct):
    """An object that names a recipient: a message, and no attempt."""

    recipient: Raw


_objects: Final = msgspec.json.Decoder(list[_Object]).decode
_addressed: Final = msgspec.json.Decoder(list[_Addressed]).decode


class MailerqMessage:
    """One message: its properties, of which each is read when it is asked for."""

    def __init__(self, properties: dict[str, Raw]) -> None:
        self._properties = properties

    @property
    def names(self) -> list[str]:
        """The names of all properties that are the message's, in their order: not the mail, and not its attempts."""
        return sorted(name for name in self._properties if name not in ("mime", "results"))

    def get(self, name: str) -> Any:
        """Return the value of a property, None where it is missing."""
        raw = self._properties.get(name)
        return None if raw is None else _decode(raw)

    def get_text(self, name: str, limit: int) -> str | None:
        """Return the value of a property, as `get_custom` writes it; None where it is missing or empty."""
        raw = self._properties.get(name)
        return None if raw is None else _write_value(raw, limit)

    def get_attempts(self) -> list[Attempt] | None:
        """Return every attempt, the oldest first; None where this is no result."""
        raw = self._properties.get("results")
        return None if raw is None else _attempts(raw)

    def get_custom(self, count: int, limit: int) -> dict[str, str]:
        """Return the first `count` of the sender's own properties by name: texts as they are, all else as JSON.

        What is empty counts for nothing, and takes no other's place.
        """
        names = sorted(name for name in self._properties if name not in OWN)
        given = ((name, text) for name in names if (text := _write_value(self._properties[name], limit)))
        return dict(islice(given, count))


def _write_value(raw: Raw, limit: int) -> str | None:
    text = bytes(raw)
    if text == b"null":
        return None
    value = _decode(raw) if text.startswith(b'"') else msgspec.json.format(text, indent=-1).decode()
    return truncate(value, limit).strip() or None


def decode(raw: bytes) -> Iterator[MailerqMessage]:
    """Decode every message of a body. Raises MalformedFeedback, and what msgspec raises for what it cannot read."""
    text = raw if raw.isascii() else raw.decode(errors="replace").encode()
    try:
        messages = _split_messages(text)
    except msgspec.DecodeError:
        repaired = _remove_trailing_commas(text)
        if repaired == text:
            raise
        messages = _split_messages(repaired)
    return map(MailerqMessage, map(_properties, messages))


def _split_messages(text: bytes) -> list[Raw]:
    if text.lstrip()[:1] == b"[":
        return _split_list(text)
    properties = _properties(text)
    results = properties.get("results")
    if results is None or "recipient" in properties or not _are_messages(results):
        return [Raw(text)]
    return _split_list(results)


def _are_messages(results: Raw) -> bool:
    """Whether `results` is the list of messages that a webhook wraps, and not the attempts of one."""
    try:
        return bool(_addressed(results))
    except msgspec.ValidationError:
        return False


def _split_list(listed: bytes | Raw) -> list[Raw]:
    """The messages of a list; counted before they are taken apart, because that needs far more room."""
    if (count := len(_objects(listed))) > MAX_MESSAGES:
        raise MalformedFeedback(SOURCE, f"{count} messages in one body are more than {MAX_MESSAGES}")
    return _list(listed)


# A text, whole or cut off, or anything but a comma that ends a list. No branch can begin where another does, and none
# is tried again with less, so every character is looked at once.
_NO_TRAILING_COMMA: Final = re.compile(rb'[^",]++|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|,(?!\s*+[\]}])', re.DOTALL)


def _remove_trailing_commas(text: bytes) -> bytes:
    return b"".join(_NO_TRAILING_COMMA.findall(text)) if len(text) <= MAX_REPAIRED else text

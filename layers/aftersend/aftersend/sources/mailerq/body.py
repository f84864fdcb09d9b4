"""The JSON bodies of MailerQ: a message with its attempts, a list of such messages, or the list under `results`.

Sources: MailerQ documentation, "Result message queues", "JSON specification" and "JSON for incoming messages".
What is not obvious there:
- the sender may add any property of any type to a message, and a response pattern to an attempt: so only what nothing
  can be told without has to have its type;
- the samples hold trailing commas, which JSON does not allow;
- what remote servers say is copied as it came, in whatever charset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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


class Message:
    """One message: its properties, of which each is read when it is asked for."""

    def __init__(self, properties: dict[str, Raw]) -> None:
        self._properties = properties

    def get(self, name: str) -> Any:
        """The value of a property, None where it is missing."""
        raw = self._properties.get(name)
        return None if raw is None else _decode(raw)

    def text(self, name: str, limit: int) -> str | None:
        """The value of a property, as `custom` writes it; None where it is missing or says nothing."""
        raw = self._properties.get(name)
        return None if raw is None else _written(raw, limit)

    def attempts(self) -> list[Attempt] | None:
        """Every attempt, the oldest first; None where this is no result."""
        raw = self._properties.get("results")
        return None if raw is None else _attempts(raw)

    def custom(self, count: int, limit: int) -> dict[str, str]:
        """The first `count` of the sender's own properties, by their names: texts as they are, all else as JSON."""
        names = sorted(name for name in self._properties if name not in OWN)[:count]
        return {name: text for name in names if (text := _written(self._properties[name], limit))}


def _written(raw: Raw, limit: int) -> str | None:
    text = bytes(raw)
    if text == b"null":
        return None
    value = _decode(raw) if text.startswith(b'"') else msgspec.json.format(text, indent=-1).decode()
    return truncate(value, limit).strip() or None


def decode(raw: bytes) -> Iterator[Message]:
    """Every message of a body. Raises MalformedFeedback, and what msgspec raises for what it cannot read."""
    text = raw if raw.isascii() else raw.decode(errors="replace").encode()
    try:
        messages = _messages(text)
    except msgspec.DecodeError:
        repaired = _without_trailing_commas(text)
        if repaired == text:
            raise
        messages = _messages(repaired)
    return map(Message, map(_properties, messages))


def _messages(text: bytes) -> list[Raw]:
    if text.lstrip()[:1] == b"[":
        return _several(text)
    properties = _properties(text)
    results = properties.get("results")
    if results is None or "recipient" in properties or not _are_messages(results):
        return [Raw(text)]
    return _several(results)


def _are_messages(results: Raw) -> bool:
    """Whether `results` is the list of messages that a webhook wraps, and not the attempts of one."""
    try:
        return bool(_addressed(results))
    except msgspec.ValidationError:
        return False


def _several(listed: bytes | Raw) -> list[Raw]:
    """The messages of a list; counted before they are taken apart, because that needs far more room."""
    if (count := len(_objects(listed))) > MAX_MESSAGES:
        raise MalformedFeedback(SOURCE, f"{count} messages in one body are more than {MAX_MESSAGES}")
    return _list(listed)


# A text, whole or cut off, or anything but a comma that ends a list. No branch can begin where another does, and none
# is tried again with less, so every character is looked at once.
_KEPT: Final = re.compile(rb'[^",]++|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|,(?!\s*+[\]}])', re.DOTALL)


def _without_trailing_commas(text: bytes) -> bytes:
    return b"".join(_KEPT.findall(text)) if len(text) <= MAX_REPAIRED else text

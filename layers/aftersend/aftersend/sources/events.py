"""Reads what most providers push: JSON objects, each an event about one message and one recipient.

No two providers agree on types, and what senders put into their messages comes back among the fields: a number may be a
text, a list an object, and anything null. So fields are asked for by name, and what is of another type than was asked
for is not there. Only two things make a body unreadable: that it is no object or list of objects, and a time that is
there and is none (decision 8).

An event is known by the id that its sender knew when the message was sent, so that all events of one message meet.
Where an event names no message at all, the message is called by a digest of the event: a refusal is about its address
too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend.classify.evidence import find_code, find_status
from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.model import UNNAMED, Context, Engagement, Evidence, Feedback, Kind
from aftersend.core.recipient import MAX_RECIPIENT_BYTES, canonicalize_email
from aftersend.core.text import truncate, truncate_or_none
from aftersend.core.times import UNKNOWN_TIME, parse_time
from aftersend.sources.smtp_reply import parse_reply
from aftersend.sources.user_agents import MAX_AGENT, read_user_agent

Event = dict[str, Any]

MAX_PROVIDER_CODE: Final = 64
MAX_LINK: Final = 512
MAX_SUBJECT: Final = 256
MAX_SCOPE: Final = 64
MAX_IDENTIFIERS: Final = 16
MAX_NAME: Final = 64
MAX_VALUE: Final = 128

_SECONDS: Final = 100_000_000_000  # below it a number is seconds since 1970, up to the year 5138; from it, milliseconds
_END: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()  # no mail is of a later time, as in `parse_time`
_LONGEST_TIME: Final = 64  # characters
_LONGEST_WORD: Final = 256  # of what is remembered, characters

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode


def decode_events(source: str, raw: bytes) -> list[Event]:
    """Return the objects of a body: one, or those of an array. Raises MalformedFeedback for everything else."""
    try:
        found = _decode(raw)
    except DECODE_ERRORS as error:
        raise MalformedFeedback(source, f"not JSON: {error}") from error
    events = found if isinstance(found, list) else [found]
    if not all(isinstance(event, dict) for event in events):
        raise MalformedFeedback(source, "neither an object nor an array of objects")
    return events


def find_text(event: Event, *names: str) -> str:
    """Return the first of these fields that says something, as text; an empty text where none does.

    A whole number is a text too, exact however large it is: ids of 64 bits are none to a reader of floating point.
    """
    for name in names:
        value = event.get(name)
        if isinstance(value, str):
            if value and not value.isspace():
                return value
        elif isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""


def find_object(event: Event, *names: str) -> Event:
    """Return the object that lies along these names, one inside the other; an empty one where there is none."""
    for name in names:
        inner = event.get(name)
        if not isinstance(inner, dict):
            return {}
        event = inner
    return event


def list_texts(value: object) -> list[str]:
    """Return the texts of a field that may hold one or several, without those that are empty."""
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str) and each.strip()]


def find_number(event: Event, name: str) -> int | None:
    """Return a whole number that is not negative, written as a number or as a text; None for anything else."""
    text = find_text(event, name).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def find_time(source: str, event: Event, *names: str) -> datetime:
    """Return the UTC time in the first of these fields that holds something, UNKNOWN_TIME where none does.

    Takes seconds and milliseconds since 1970, told apart by their size, whole or not, as number or text; and all that
    `parse_time` takes, where a time without a zone is UTC. Raises MalformedFeedback for what is there and is no time.
    """
    value = next((value for name in names if (value := event.get(name)) not in (None, "")), None)
    if value is None:
        return UNKNOWN_TIME
    try:
        return _read_time(value)
    except ValueError as error:  # its text quotes the body
        raise MalformedFeedback(source, "a time is in no format that is known") from error


def _read_time(value: object) -> datetime:
    if isinstance(value, str):
        text = value[:_LONGEST_TIME].strip()
        if not (text.isascii() and text.replace(".", "", 1).isdigit()):
            return parse_time(text)
        value = float(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _END * 1000:
        raise ValueError("no time")
    seconds = value if value < _SECONDS else value / 1000
    if seconds >= _END:
        raise ValueError("not a time of any mail")
    found = datetime.fromtimestamp(seconds, UTC)
    finer = found.microsecond % 1000
    return found.replace(microsecond=found.microsecond - finer) if finer else found


def read_reply(text: str, code: int | None = None, status: str = "") -> tuple[int | None, str | None, str | None]:
    """Read SMTP code, enhanced status and bounded text of a refusal; what the fields do not say is read from the text.

    Providers put words of their own around the reply ("RecipientError: 550 5.5.0 …"), so it is looked for everywhere.
    """
    first, own_status, bounded = parse_reply(text)
    if code is None or not 200 <= code <= 599:
        code = first or (find_code(bounded) if bounded else None)
    given = find_status(status[:MAX_PROVIDER_CODE]) if status else None
    return code, given or own_status or (find_status(bounded) if bounded else None), bounded


def make_provider_code(*parts: str, flags: Iterable[str] = ()) -> str | None:
    """Make the code of rules out of the provider's own words: "first/second", and flags behind it; None of nothing."""
    code = "/".join(filter(None, (_clean_word(part[:_LONGEST_WORD]) for part in parts)))
    room = MAX_PROVIDER_CODE - sum(len(flag) + 1 for flag in flags)
    return " ".join((truncate(code, room), *flags)) or None


@lru_cache(maxsize=1024)
def _clean_word(word: str) -> str:
    """On one line, and without what would make it a flag."""
    return " ".join(truncate(word, MAX_PROVIDER_CODE).replace("=", " ").split())


def make_engagement(
    *, ip: str = "", user_agent: str = "", link: str = "", machine: bool = False, limit: int = MAX_LINK
) -> Engagement:
    """Make what is known of an open or a click; `machine` says that the provider takes it for no person's."""
    agent, known = read_user_agent(user_agent[: 2 * MAX_AGENT] or None)
    return Engagement(
        ip=truncate_or_none(ip, 45),
        user_agent=agent,
        link=truncate_or_none(link, limit),
        machine=machine or known,
    )


def make_context(*, sender: str = "", subject: str = "", identifiers: Mapping[str, object]) -> Context:
    """Make what the sender said of the message; of more than MAX_IDENTIFIERS of their own, the first by name stay."""
    found: dict[str, str] = {}
    for name, value in identifiers.items():
        text = _write_identifier(value)
        if text and (key := truncate(name, MAX_NAME)):
            found[key] = text
    if len(found) > MAX_IDENTIFIERS:
        found = dict(sorted(found.items())[:MAX_IDENTIFIERS])
    return Context(
        sender=(_canonicalize_sender(sender[:_LONGEST_WORD]) or None) if sender else None,
        subject=truncate_or_none(subject, MAX_SUBJECT),
        correlation=found,
    )


def _write_identifier(value: object) -> str:
    """A text or a number as it is, several texts behind one another, a yes or no; nothing for what has a structure."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return truncate(value, MAX_VALUE).strip()
        case int() | float():
            return truncate(str(value), MAX_VALUE)
        case list():
            return truncate(", ".join(list_texts(value)), MAX_VALUE)
    return ""


def decode_object(text: str) -> Event:
    """Return the object that a field holds as JSON inside a text; an empty one where it holds none."""
    try:
        found = _decode(text)
    except DECODE_ERRORS:
        return {}
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=256)
def _canonicalize_sender(spelled: str) -> str:
    """Remembered, because the same few addresses come with every event."""
    return canonicalize_email(spelled).removeprefix("email:")


class EventFacts(Struct, frozen=True, kw_only=True, gc=False):
    """What all facts of one event have in common, each part as the provider spells it."""

    source: str
    message: str  # the join key; empty where the event names no message
    recipient: str  # empty where the event names nobody
    at: datetime
    context: Context
    canonicalize: Callable[[str], str] = canonicalize_email

    def build(
        self,
        kind: Kind,
        evidence: Evidence | None = None,
        engagement: Engagement | None = None,
        *,
        scope: str = "",
    ) -> list[Feedback]:
        """Return the fact; none where the event is about no message and nobody. `scope` is the stream it is about."""
        if not self.message and not self.recipient.strip():
            return []
        canonical = self.canonicalize(self.recipient) if self.recipient.strip() else UNNAMED
        same = canonical == UNNAMED or canonical.endswith(":" + self.recipient)
        return [
            Feedback(
                source=self.source,
                kind=kind,
                message=self.message or f"{self.source}:{self._digest(kind, canonical, evidence)}",
                recipient=canonical,
                occurred_at=self.at,
                received_as=None if same else truncate(self.recipient, MAX_RECIPIENT_BYTES),
                scope=truncate_or_none(scope, MAX_SCOPE),
                evidence=evidence,
                engagement=engagement,
                context=self.context,
            )
        ]

    def _digest(self, kind: Kind, recipient: str, evidence: Evidence | None) -> str:
        """Of what is the same whenever the event is repeated."""
        code = evidence.provider_code if evidence is not None else None
        return blake2b(_encode((kind, recipient, self.at, code)), digest_size=10).hexdigest()

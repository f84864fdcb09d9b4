"""Answers that a sender gets itself, in an envelope of ours: push services and SMSCs answer who asked, and nobody else.

So the sender hands the answers on: one JSON object for each, and in one body a single object, an array of them, or JSON
Lines. `docs/answers.md` has the contract, `docs/answers.schema.json` the same for machines. The senders are our own
users, who can correct what is wrong: so an error names the entry and the field, and quotes nothing of it. Fields that
are not known are left alone, because a sender may be newer than the stack it reports to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct, field

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.core.text import truncate
from aftersend.core.times import parse_time

MAX_ANSWERS: Final = 10_000  # of one body
MAX_RECIPIENTS: Final = 1_000  # of one answer: FCM's multicast had no more
MAX_HEADERS: Final = 64  # of an answer that are kept, and as many of the sender's identifiers
MAX_VALUE: Final = 512  # bytes of a header's value
MAX_CORRELATION: Final = 128  # bytes of one of the sender's own identifiers, name or value
MAX_WORD: Final = 64
MAX_TLVS: Final = 64
REGISTERED: Final = "registered"  # the event of a token that is registered, for the first time or again

_Token = Annotated[str, Meta(max_length=8192)]
_Scalar = str | int | float | bool | None
_MILLISECONDS: Final = 100_000_000_000  # a number of seconds is not as great before the year 5138
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE).fullmatch


def _field(description: str) -> Meta:
    return Meta(description=description)


class GivenAnswer(Struct, kw_only=True):
    """One answer that a sender got itself, as it is handed on to Aftersend."""

    service: Annotated[str | None, _field("The name of the source, if it is to be checked.")] = None
    event: Annotated[
        Annotated[str, Meta(max_length=MAX_WORD)] | None,
        _field(
            '"registered" where no message was sent: an app has registered this token, for the first time or again.'
        ),
    ] = None
    recipient: Annotated[
        _Token | Annotated[list[_Token], Meta(max_length=MAX_RECIPIENTS)] | None,
        _field("The token, endpoint or number that was sent to; several, in their order, where one answer is for all."),
    ] = None
    recipients: Annotated[
        Annotated[list[_Token], Meta(max_length=MAX_RECIPIENTS)] | None, _field("Another name for several.")
    ] = None
    message: Annotated[
        Annotated[str, Meta(max_length=8192)] | int | None,
        _field("The sender's own id of the message; without it, the id in the answer is taken."),
    ] = None
    at: Annotated[
        str | int | float | None,
        _field("When the answer came: ISO-8601 (UTC where it names no zone), or seconds or milliseconds since 1970."),
    ] = None
    status: Annotated[
        Annotated[int, Meta(ge=0, le=999)] | None, _field("The status of HTTP; 0 or nothing where nobody answered.")
    ] = None
    headers: Annotated[
        dict[str, str | int | float | list[str] | None] | None,
        _field("Headers of the answer; apns-id, location and retry-after are used."),
    ] = None
    body: Annotated[Any, _field("The body of the answer, as an object or as its text.")] = None
    error: Annotated[str | None, _field('What came in the place of an answer: "timeout", or the error of an SDK.')] = (
        None
    )
    retry: Annotated[bool | None, _field("Whether the sender tries again.")] = None
    correlation: Annotated[dict[str, _Scalar] | None, _field("The sender's own identifiers of the message.")] = None
    smsc: Annotated[
        Annotated[str, Meta(max_length=MAX_WORD)] | None,
        _field("Of SMPP: the name of the SMSC, which has its own codes."),
    ] = None
    zone: Annotated[
        Annotated[str, Meta(max_length=MAX_WORD)] | None, _field("Of SMPP: the IANA zone of times that name none.")
    ] = None
    pdu: Annotated[str | None, _field("Of SMPP: a whole PDU, in hexadecimal.")] = None
    text: Annotated[str | None, _field("Of SMPP: the text of a receipt.")] = None
    tlv: Annotated[
        Annotated[dict[str, str | int], Meta(max_length=MAX_TLVS)] | None,
        _field("Of SMPP: optional parameters beside the text, by their tag in hexadecimal."),
    ] = None


_decode_one: Final = msgspec.json.Decoder(GivenAnswer).decode
_decode_many: Final = msgspec.json.Decoder(list[Raw]).decode
_decode_raw: Final = msgspec.json.Decoder(Raw).decode
_decode_any: Final = msgspec.json.Decoder().decode


class SenderAnswer(Struct, frozen=True, kw_only=True):
    """One answer, checked and bounded; what is missing is None or empty."""

    source: str
    place: str  # of the entry in its body: "line 3", "entry 3"; empty where it is alone
    event: str  # empty: somebody was asked to take a message, and this is the answer
    recipients: tuple[str, ...]  # as the sender spells them
    message: str | None  # the sender's own id, or that of whoever answered
    at: datetime | None  # when the answer came (UTC)
    status: int | None  # of HTTP; None where there was no answer
    headers: dict[str, str]  # names in lower case
    body: Any  # what was answered: an object or array where it is JSON, else its text
    error: str | None  # in place of an answer: "timeout"
    retry: bool | None  # whether the sender tries again; None is not said
    correlation: dict[str, str]
    smsc: str | None = None
    zone: str | None = None  # of IANA, of times that name none
    pdu: str | None = None  # in hexadecimal
    text: str | None = None  # of a receipt
    tlv: dict[str, str | int] = field(default_factory=dict)  # by tag, as the sender writes it

    @property
    def recipient(self) -> str | None:
        """The one recipient, where there is exactly one."""
        return self.recipients[0] if len(self.recipients) == 1 else None

    def refuse(self, name: str, why: str) -> MalformedFeedback:
        """Return the error that says what is wrong with one field: "line 3: at: is missing". `why` quotes nothing."""
        return MalformedFeedback(self.source, ": ".join(filter(None, (self.place, name, why))))

    def require_time(self) -> datetime:
        """Return when the answer came; raises MalformedFeedback where the sender does not say."""
        if self.at is None:
            raise self.refuse("at", "is missing: when the answer came, in ISO-8601")
        return self.at


def read_answers(source: str, raw: bytes) -> Iterator[SenderAnswer]:
    """Read every answer in a body: a JSON object, an array of them, or JSON Lines.

    Raises MalformedFeedback, which names the entry and the field, and of a body that is none of these says so.
    """
    entries = split_entries(source, raw)
    for count, (place, entry) in enumerate(entries):
        if count == MAX_ANSWERS:
            raise MalformedFeedback(source, f"more than {MAX_ANSWERS} answers in one body")
        yield _read_answer(source, place, entry)


def split_entries(source: str, raw: bytes) -> Iterator[tuple[str, bytes | Raw]]:
    """Split a body into its entries, each with the name of its place: an object, an array, or JSON Lines.

    Raises MalformedFeedback for an array that is none; an entry is not read yet.
    """
    raw = raw.removeprefix(b"\xef\xbb\xbf").strip()
    if raw.startswith(b"["):
        try:
            entries = _decode_many(raw)
        except DECODE_ERRORS as error:
            raise MalformedFeedback(source, f"not an array of answers: {error}") from error
        yield from ((f"entry {number}", entry) for number, entry in enumerate(entries, 1))
    elif _is_lines(raw):
        lines = enumerate(raw.splitlines(), 1)
        yield from ((f"line {number}", line) for number, line in lines if line.strip())
    else:
        yield "", raw


def _is_lines(raw: bytes) -> bool:
    """Whether a body is JSON Lines: it is no JSON as a whole, and has several lines that begin an object."""
    if b"\n" not in raw and b"\r" not in raw:
        return False
    try:
        _decode_raw(raw)
    except DECODE_ERRORS:
        return sum(line.lstrip().startswith(b"{") for line in raw.splitlines()[:2]) == 2 or _is_json_line(raw)
    return False


def _is_json_line(raw: bytes) -> bool:
    try:
        _decode_raw(raw.splitlines()[0])
    except DECODE_ERRORS:
        return False
    return True


def _read_answer(source: str, place: str, entry: bytes | Raw) -> SenderAnswer:
    prefix = f"{place}: " if place else ""
    try:
        given = _decode_one(entry)
        body = _decode_body(given.body)
    except msgspec.ValidationError as error:
        raise MalformedFeedback(source, f"{prefix}{_name_field(str(error))}") from error
    except DECODE_ERRORS as error:
        raise MalformedFeedback(source, f"{prefix}not a JSON object: {error}") from error
    if given.service is not None and given.service.strip().lower() != source:
        raise MalformedFeedback(source, f"{prefix}service: is not {source}: it was handed in under another name")
    try:
        at = _read_time(given.at)
    except (ValueError, OverflowError, OSError) as error:  # its text quotes the field
        raise MalformedFeedback(source, f"{prefix}at: is no time of ISO-8601") from error
    return SenderAnswer(
        source=source,
        place=place,
        event=(given.event or "").strip().lower(),
        recipients=tuple(_list_recipients(given)),
        message=make_id(str(given.message)) if given.message not in (None, "") else None,
        at=at,
        status=given.status or None,
        headers=dict(_list_headers(given)),
        body=body,
        error=truncate(given.error, MAX_VALUE).strip() or None if given.error else None,
        retry=given.retry,
        correlation=dict(_list_correlation(given)),
        smsc=given.smsc,
        zone=given.zone,
        pdu=given.pdu,
        text=given.text,
        tlv=given.tlv or {},
    )


_PATH: Final = re.compile(r"(.*?)(?: - at `\$\.?([^`]{0,80})`)?", re.DOTALL)


def _name_field(problem: str) -> str:
    """What is wrong, with the field in front: "status: Expected `int`, got `str`"."""
    found = _PATH.fullmatch(problem)
    assert found is not None  # both parts are optional
    what, name = found.groups()
    return truncate(f"{name}: {what}" if name else what, 200)


def _decode_body(body: Any) -> Any:
    """The answer's body; the text of a JSON object or array as what it stands for."""
    if not isinstance(body, str):
        return body
    text = body.strip()
    if text[:1] not in ("{", "["):
        return text
    try:
        return _decode_any(text)
    except DECODE_ERRORS:  # cut off, or no JSON: it stays a text
        return text


def _read_time(given: str | float | None) -> datetime | None:
    if given is None or given == "":
        return None
    if isinstance(given, str):
        return parse_time(given.strip())
    return read_epoch(given)


def read_epoch(number: float) -> datetime:
    """Read the UTC instant of seconds since 1970, or of milliseconds where there are too many of them for seconds.

    Raises ValueError, OverflowError or OSError where it is no time of any message.
    """
    milliseconds = number if abs(number) >= _MILLISECONDS else number * 1000
    seconds, rest = divmod(round(milliseconds), 1000)
    return parse_time(datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000).isoformat())


def make_id(text: str) -> str:
    """Return the id of a message, bounded and the same for all who name it: a UUID in lower case.

    A longer one keeps its beginning and ends in a digest of the whole, so that two stay two.
    """
    found = truncate(text.strip(), 2 * MAX_ID).strip()
    if _UUID(found):
        return found.lower()
    if len(text) <= MAX_ID and len(found.encode()) <= MAX_ID:
        return found
    mark = blake2b(text.strip().encode("utf-8", "replace"), digest_size=12).hexdigest()
    return f"{truncate(found, MAX_ID - 25)}~{mark}"


def _list_recipients(given: GivenAnswer) -> Iterator[str]:
    one = given.recipient
    for each in (*([one] if isinstance(one, str) else one or ()), *(given.recipients or ())):
        yield each.strip()


def _list_headers(given: GivenAnswer) -> Iterator[tuple[str, str]]:
    for name, value in list((given.headers or {}).items())[:MAX_HEADERS]:
        if value is not None:
            text = ", ".join(value) if isinstance(value, list) else str(value)
            yield truncate(name.strip().lower(), MAX_WORD), truncate(text.strip(), MAX_VALUE)


def _list_correlation(given: GivenAnswer) -> Iterator[tuple[str, str]]:
    for name, value in list((given.correlation or {}).items())[:MAX_HEADERS]:
        if value is not None and (key := truncate(name.strip(), MAX_CORRELATION)):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield key, truncate(text.strip(), MAX_CORRELATION)

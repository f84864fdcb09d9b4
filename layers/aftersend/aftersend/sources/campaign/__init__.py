"""Adobe Campaign (Classic v7, v8): exports of delivery logs, a row for each message.

Sources: see `table`, `receipt` and `aftersend.sources.adobe`. What is not obvious there:
- an id is unique in its table alone, so the schema is part of the key: `campaign:nms:broadLogRcp:<id>`;
- a row is the state of a message now, and not a history: exported again later, the same row may say something else, and
  both are facts;
- a failure because of Campaign's own lists, or of the sender's own rules, was no attempt, and no bounce;
- "Refused" is the word for every receipt that nobody has qualified yet;
- an automatic answer is logged as unreachable.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import Final

from aftersend.classify.evidence import evidence_from
from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.core.model import UNNAMED, Context, Evidence, Feedback, Kind, Protocol
from aftersend.core.recipient import MAX_RECIPIENT_BYTES, canonicalize_email, canonicalize_push, canonicalize_sms
from aftersend.core.smsc import find_zone, make_qualification, quote_qualification
from aftersend.core.text import truncate
from aftersend.core.times import UNKNOWN_TIME, parse_time
from aftersend.core.vocabulary import Channel
from aftersend.sources.adobe import (
    CHANNELS,
    CLASSES,
    EXCLUSIONS,
    KINDS,
    OF_ADDRESSES,
    OWN_LISTS,
    STATUSES,
    fold,
    name_failure,
)
from aftersend.sources.campaign.receipt import ReceiptLine, parse_receipt
from aftersend.sources.campaign.table import DEFAULT_SCHEMA, SOURCE, LogRow, LogSettings, read_table
from aftersend.sources.message import NO_HEADERS, Headers

MAX_TEXT: Final = 1_024
_AUTOMATIC: Final = "auto_replies"  # the rule of inbound mail that matched
_MOMENTUM: Final = re.compile(r"\bMomen_Code(\d{1,3})_")  # how Adobe's own MTA tags what it has classified
_SCHEMA: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,15}:[A-Za-z][A-Za-z0-9_]{0,60}").fullmatch
_TOKENS: Final = "appsub"  # in the schema of messages to tokens
_NUMBER: Final = re.compile(r"\+?[\d ()./-]{6,24}").fullmatch
_INTERNATIONAL: Final = re.compile(
    r"[1-9]\d{7,14}"
).fullmatch  # digits alone: Campaign's connector puts a "+" before them
_LOCAL: Final = re.compile(r"(\d{4})[/-](\d\d)[/-](\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)").fullmatch
_NO_QUALIFICATION: Final = frozenset({"", "undefined", "unqualified"})


def parse(raw: bytes, headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Parse one export: a fact for each row of which something is known yet.

    `headers["content-type"]` may have the parameters schema, zone and channel. Raises MalformedFeedback: a row that
    cannot be read makes the whole body malformed, and the reason names its line.
    """
    table = read_table(raw, headers.get("content-type", ""))
    reader = _RowReader(table.settings)
    facts = []
    for number, row in table.rows:
        try:
            fact = reader.read(row)
        except _Wrong as error:
            raise MalformedFeedback(SOURCE, f"{table.counted} {number}: {error}") from error
        if fact is not None:
            facts.append(fact)
    return facts


class _Wrong(Exception):
    """What a row says cannot be read; the text quotes nothing of it."""


class _RowReader:
    """Reads the rows of one table."""

    def __init__(self, settings: LogSettings) -> None:
        self._settings = settings
        self._schema = settings.schema or DEFAULT_SCHEMA
        if not _SCHEMA(self._schema):
            raise MalformedFeedback(SOURCE, "the schema has not the form of one: nms:broadLogRcp")
        self._zone = _find_zone(settings.zone)

    def read(self, row: LogRow) -> Feedback | None:
        """Read the fact of a row; None where nothing has happened yet. Raises _Wrong."""
        if "id" not in row or "status" not in row:
            raise _Wrong("it has no id, or no status")
        if fold(row["status"]) in OF_ADDRESSES:
            raise _Wrong("a status of an address (nms:address), and not of a message")
        text = truncate(row.get("text", ""), MAX_TEXT)
        receipt = parse_receipt(text)
        recipient, channel = self._read_recipient(row)
        status = self._settings.statuses.get(fold(row["status"])) or STATUSES.get(fold(row["status"]), "")
        failure = name_failure(row.get("type", ""), row.get("reason", ""), channel)
        kind = _find_kind(status, failure, receipt, text)
        if kind is None:
            return None
        return Feedback(
            source=SOURCE,
            kind=kind,
            message=f"campaign:{self._schema}:{truncate(row['id'], MAX_ID)}",
            recipient=recipient,
            occurred_at=self._read_time(row.get("date", "")),
            received_as=_spell_as_received(row, recipient),
            evidence=_make_evidence(kind, row["status"], failure, receipt, text, channel),
            context=_make_context(row, receipt),
        )

    def _read_recipient(self, row: LogRow) -> tuple[str, Channel]:
        """Whom a row is about, by the channel that it names, its file, its schema or the form of the address."""
        address = row.get("address", "")
        channel, service = self._find_channel(row, address)
        if not address:
            return UNNAMED, channel
        if channel is Channel.SMS:
            return canonicalize_sms(f"+{address}" if _INTERNATIONAL(address) else address), channel
        if channel is Channel.PUSH:
            if not service:
                raise _Wrong("a token without its service: name the channel, 41 is iOS and 42 Android")
            return canonicalize_push(service, address), channel
        return canonicalize_email(address), channel

    def _find_channel(self, row: LogRow, address: str) -> tuple[Channel, str]:
        for named in (row.get("channel", ""), self._settings.channel):
            if found := CHANNELS.get(fold(named)):
                return found
        if _TOKENS in self._schema.lower():
            return Channel.PUSH, ""
        return (Channel.SMS if _NUMBER(address) else Channel.EMAIL), ""

    def _read_time(self, text: str) -> datetime:
        """The UTC instant of a time, which is in the zone of the file where it names none."""
        if not text:
            return UNKNOWN_TIME
        try:
            local = _LOCAL(text[:64])
            if local is None:
                return parse_time(text[:64])
            year, month, day, clock = local.groups()
            return parse_time(
                datetime.fromisoformat(f"{year}-{month}-{day}T{clock}").replace(tzinfo=self._zone).isoformat()
            )
        except ValueError:
            raise _Wrong("a time is in no format that is known: export it as YYYY-MM-DD hh:mm:ss") from None


def _find_zone(name: str) -> tzinfo:
    try:
        return find_zone(name or "UTC")
    except ValueError as error:
        raise MalformedFeedback(SOURCE, f"the time zone: {error}") from error


def _spell_as_received(row: LogRow, recipient: str) -> str | None:
    address = row.get("address", "")
    return None if recipient.endswith(f":{address}") or not address else truncate(address, MAX_RECIPIENT_BYTES)


def _find_kind(status: str, failure: str | None, receipt: ReceiptLine | None, text: str) -> Kind | None:
    """What a row says has happened; None where nothing has yet."""
    kind = KINDS.get(status, Kind.UNKNOWN)
    reason = (failure or "").partition("/")[2]
    if receipt is not None and receipt.succeeded:
        return Kind.DELIVERED
    if kind is Kind.BOUNCED and _AUTOMATIC in text.lower():
        return Kind.AUTO_REPLIED
    if kind is Kind.BOUNCED and reason in OWN_LISTS | EXCLUSIONS:
        return Kind.REJECTED
    if kind is None:
        return Kind.DEFERRED if text or reason not in {"", "undefined"} else None
    return kind


def _make_evidence(
    kind: Kind, status: str, failure: str | None, receipt: ReceiptLine | None, text: str, channel: Channel
) -> Evidence | None:
    if kind in {Kind.SENT, Kind.DELIVERED} and receipt is None:
        return None
    if kind is Kind.UNKNOWN:
        return Evidence(text=text or None, provider_code=truncate(status, 64))
    if receipt is not None:
        return _make_receipt_evidence(failure, receipt)
    if kind is Kind.REJECTED and failure in {None, "undefined/undefined"}:
        failure = "undefined/excluded"
    if tagged := _MOMENTUM.search(text):
        failure = f"{(failure or 'undefined').partition('/')[0]}/{CLASSES.get(tagged[1], tagged[1])}"
    if channel is not Channel.EMAIL:  # the numbers in such a text are no replies of SMTP
        return Evidence(text=text or None, provider_code=failure, protocol=_PROTOCOLS[channel])
    return evidence_from(text=text, provider_code=failure)


_PROTOCOLS: Final = {Channel.SMS: Protocol.SMPP, Channel.PUSH: Protocol.HTTP}


def _make_receipt_evidence(failure: str | None, receipt: ReceiptLine) -> Evidence:
    """What Campaign's users have qualified says more than the SMSC's own words."""
    qualified = (failure or "").partition("/")[2] not in _NO_QUALIFICATION
    key = make_qualification(receipt.smsc, receipt.status, receipt.error)
    return Evidence(
        code=int(receipt.error) if receipt.error.isascii() and receipt.error.isdecimal() else None,
        protocol=Protocol.SMPP,
        text=quote_qualification(key),
        provider_code=failure if qualified else key,
    )


def _make_context(row: LogRow, receipt: ReceiptLine | None) -> Context | None:
    found = {
        "delivery": truncate(row.get("delivery", ""), 128),
        "provider_message": truncate(row.get("provider") or (receipt.id if receipt else ""), 128),
    }
    correlation = {name: value for name, value in found.items() if value}
    return Context(correlation=correlation) if correlation else None

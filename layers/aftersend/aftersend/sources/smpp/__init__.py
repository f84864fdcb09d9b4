r"""SMPP: receipts and acknowledgements of text messages, which the sender of the messages hands on. Pure.

SMPP is a connection that the sender holds, so no SMSC calls us: the sender, or its gateway, hands on what came, in the
envelope of answers (`sources.answers`) or as it is:

    {"smsc": "Acme", "zone": "Europe/Berlin", "pdu": "000000ba00000005…"}
    {"smsc": "Acme", "text": "id:… stat:UNDELIV err:034 …", "recipient": "+4915550100", "tlv": {"001E": "18d0e03a"}}
    {"smsc": "Acme", "recipient": "+4915550100", "message": "18d0e03a", "at": "2026-03-02T10:11:12Z"}     was sent
    id:1234567890 sub:001 dlvrd:001 submit date:… done date:… stat:DELIVRD err:000 text:…
    SR Acme UNDELIV 034|MESSAGE=id:… stat:UNDELIV err:034
    smsc=Acme&text=id%3A…&recipient=%2B4915550100

A message is known by the SMSC and the id that it gave, in one spelling (`receipt.spell_id`). A receipt without text has
its parameters, and where both speak the parameters count. The text of the message itself is never read, and never kept:
whoever wrote it could forge a receipt there. What errors mean each SMSC says otherwise (`core.smsc`), so they decide
nothing by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import parse_qsl

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import UNNAMED, Context, Evidence, Feedback, Kind, Protocol
from aftersend.core.recipient import canonicalize_sms
from aftersend.core.smsc import (
    NO_SMSCS,
    Smsc,
    Smscs,
    find_zone,
    fold_name,
    make_qualification,
    quote_qualification,
    read_smscs,
)
from aftersend.core.text import truncate
from aftersend.core.times import UNKNOWN_TIME
from aftersend.sources.answers import SenderAnswer, make_id, read_answers
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.smpp import pdu as pdus
from aftersend.sources.smpp.receipt import Receipt, read_date, read_receipt, spell_id
from aftersend.sources.smpp.states import OK, STATES, find_kind, name_command

SOURCE: Final = "smpp"

_MAX_TEXT: Final = 4_000  # characters of a receipt, and of what came in its place
_FIELDS: Final = ("smsc", "zone", "pdu", "text", "recipient", "message", "at", "error", "kannel")
_FORM: Final = re.compile(rb"[A-Za-z_][\w.-]{0,40}=")
_LINE: Final = re.compile(
    r"SR (?P<smsc>.{0,80}?) ?(?:stat=)?(?P<status>[^\s|=]{1,40}) (?:err=)?(?P<error>[^\s|=]{1,24})\|"
)
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}[\s:]?){16,}")
_CORRELATION: Final = "smpp."
_FROM_TAG: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,4})")
_NOTHING: Final = SenderAnswer(  # what came without an envelope
    source=SOURCE,
    place="",
    event="",
    recipients=(),
    message=None,
    at=None,
    status=None,
    headers={},
    body=None,
    error=None,
    retry=None,
    correlation={},
)
_NOTHING_REFUSED: Final = frozenset({Kind.SENT, Kind.DELIVERED})
NO_ANSWER: Final = frozenset({"TIMEOUT", "CLOSED", "NO_ANSWER", "DISCONNECTED"})  # in place of an answer
# The values of Kannel's %d in the URL of its reports, in the words of receipts.
_KANNEL: Final = {"1": "DELIVRD", "2": "UNDELIV", "4": "BUFFRED", "8": "ACCEPTD", "16": "REJECTD"}


class SmppReport(Struct, frozen=True, kw_only=True):
    """What was handed on about one message."""

    smsc: Smsc
    status: str = ""  # a word of receipts or of commands; empty where there is none
    error: str = ""
    id: str = ""  # in the one spelling
    ids: dict[str, str] = {}  # as they were written, where that differs
    at: datetime = UNKNOWN_TIME
    number: str = ""
    guessed: bool = False
    intermediate: bool = False
    retried: bool = False  # whether the sender tries again
    correlation: dict[str, str] = {}


def configure(document: Mapping[str, Any]) -> partial[list[Feedback]]:
    """Return a parser that knows what the user's document says of SMSCs; raises ConfigurationError."""
    return partial(_parse, smscs=read_smscs(document))


def parse(raw: bytes, headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts that one body holds; raises MalformedFeedback."""
    return _parse(raw, headers)


def _parse(raw: bytes, _headers: Headers = NO_HEADERS, smscs: Smscs = NO_SMSCS) -> list[Feedback]:
    body = raw.removeprefix(b"\xef\xbb\xbf").strip()
    if body[:1] in (b"{", b"["):
        reports = [each for answer in read_answers(SOURCE, body) if (each := _read_answer(answer, smscs)) is not None]
    else:
        found = _read_bare(body, smscs)
        reports = [found] if found is not None else []
    return [_make_fact(report) for report in reports]


# ---- What was handed on ---------------------------------------------------------------------------------------------


def _read_bare(body: bytes, smscs: Smscs) -> SmppReport | None:
    """What came without an envelope: a form, a PDU in hexadecimal, the line of a log, or the text of a receipt."""
    if len(body) > 4 * _MAX_TEXT and not _HEX.match(body[:64].decode("ascii", "replace")):
        raise MalformedFeedback(SOURCE, "neither an envelope nor a receipt: it is too long")
    if _FORM.match(body):
        return _read_form(body, smscs)
    text = body.decode("utf-8", "replace")
    return _read_answer(replace(_NOTHING, pdu=text) if _HEX.match(text) else replace(_NOTHING, text=text), smscs)


def _read_form(body: bytes, smscs: Smscs) -> SmppReport | None:
    """A form with the fields of the envelope: what a gateway makes of a template. Its others are the sender's own."""
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=64)
    except ValueError as error:
        raise MalformedFeedback(SOURCE, "a form of too many fields") from error
    given = {name: value.strip() for name, value in reversed(pairs) if name in _FIELDS and value.strip()}
    others = {truncate(name, 64): truncate(value, 128) for name, value in pairs if name and name not in _FIELDS}
    state = given.get("kannel")
    return _read_answer(
        replace(
            _NOTHING,
            recipients=(given["recipient"],) if "recipient" in given else (),
            message=make_id(given["message"]) if "message" in given else None,
            error=truncate(given["error"], 64) if "error" in given else None,
            at=_require_date(given["at"]) if "at" in given else None,
            smsc=given.get("smsc"),
            zone=given.get("zone"),
            pdu=given.get("pdu"),
            text=given.get("text"),
            correlation=others,
        ),
        smscs,
        _KANNEL.get(state, truncate(state, 20)) if state else "",
    )


def _require_date(given: str) -> datetime:
    found = read_date(given.removesuffix("Z") + ("+00:00" if given.endswith("Z") else ""), None, None)
    if found is None:
        raise MalformedFeedback(SOURCE, "at: is no time of ISO-8601")
    return found


def _read_answer(answer: SenderAnswer, smscs: Smscs, status: str = "") -> SmppReport | None:
    """One answer, of which the sender may know the `status` already; None where it is about no message of theirs."""
    text = (answer.text or (answer.body if isinstance(answer.body, str) else "") or "")[:_MAX_TEXT]
    line = _LINE.match(text)
    smsc = _find_smsc(answer, smscs, line["smsc"] if line else "")
    report = SmppReport(smsc=smsc, at=answer.at or UNKNOWN_TIME, correlation=answer.correlation)
    if answer.pdu:
        found = _read_pdu(report, answer)
    elif text or answer.tlv:
        rest = text[line.end() :].removeprefix("MESSAGE=") if line else text
        found = _read_text(report, answer, rest, _list_parameters(answer))
        if line is not None and found is not None:
            found = replace(found, status=line["status"], error=found.error or line["error"])
    else:
        found = replace(report, status=_name_error(answer.error or OK), retried=answer.retry is True)
    if found is not None and status:
        found = replace(found, status=status)
    return found and _complete(found, answer)


def _name_error(given: str) -> str:
    """What came in place of a receipt: the word or the number of a command_status, or why there was no answer."""
    text = truncate(given.strip(), 40).replace(" ", "_")
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,9}", text):
        return name_command(int(text, 0 if text[:2].lower() == "0x" else 10))
    return text


def _complete(report: SmppReport, answer: SenderAnswer) -> SmppReport:
    """`report` with what the sender says itself: its id of the message, and who was written to."""
    if answer.message:
        report = replace(report, id=spell_id(answer.message, report.smsc.sent_ids))
    if answer.recipient:
        report = replace(report, number=answer.recipient, guessed=False)
    if not report.status:
        raise answer.refuse("", "no receipt: it has no status")
    if not report.id and not (report.number and report.status.upper().startswith("ESME_")):
        raise answer.refuse("", "it names no message: the id is missing")
    return report


def _find_smsc(answer: SenderAnswer, smscs: Smscs, named: str) -> Smsc:
    name = " ".join((answer.smsc or named).split())[:64]
    smsc = smscs.get(fold_name(name or Smsc().name)) or (Smsc(name=name) if name else Smsc())
    if not answer.zone:
        return smsc
    try:
        return replace(smsc, zone=find_zone(answer.zone))
    except ValueError as error:
        raise answer.refuse("zone", str(error)) from error


def _list_parameters(answer: SenderAnswer) -> dict[int, bytes | str | int]:
    """The optional parameters that the sender hands on by their tags: "001E", "0x001E"."""
    found: dict[int, bytes | str | int] = {}
    for name, value in answer.tlv.items():
        tag = _FROM_TAG.fullmatch(name.strip())
        if tag is not None:
            found.setdefault(int(tag[1], 16), value)
    return found


def _read_pdu(report: SmppReport, answer: SenderAnswer) -> SmppReport | None:
    try:
        data = bytes.fromhex(re.sub(r"[\s:]", "", (answer.pdu or "")[: 3 * pdus.MAX_BYTES]))
    except ValueError as error:
        raise answer.refuse("pdu", "is not hexadecimal") from error
    try:
        found = pdus.read_pdu(data)
    except pdus.MalformedPdu as error:
        raise answer.refuse("pdu", str(error)) from error
    if found.command in pdus.SUBMIT_RESPONSES:
        spelled = spell_id(found.message, report.smsc.sent_ids)
        return replace(report, status=name_command(found.status), id=spelled, ids={"id": found.message})
    if found.command == pdus.GENERIC_NACK:
        return replace(report, status=name_command(found.status))
    if found.kind not in (pdus.RECEIPT, pdus.INTERMEDIATE):
        return None  # a message from a telephone, or no message at all
    report = replace(report, number=found.number, guessed=found.guessed, intermediate=found.kind == pdus.INTERMEDIATE)
    return _read_text(report, answer, found.text, dict(found.parameters))


def _read_text(
    report: SmppReport, answer: SenderAnswer, text: str, parameters: Mapping[int, bytes | str | int]
) -> SmppReport:
    """What a receipt says in its text and in its parameters: where both speak these count."""
    smsc, receipt = report.smsc, read_receipt(text, report.smsc)
    state, given = _read_number(parameters.get(pdus.MESSAGE_STATE)), _read_string(parameters.get(pdus.MESSAGE_ID))
    spelled = spell_id(given, smsc.sent_ids) or spell_id(receipt.id, smsc.ids)
    written = {"receipted_message_id": given, "id": receipt.id}
    error = receipt.error if receipt.error.strip("0") else ""
    return replace(
        report,
        status=STATES.get(state, f"STATE_{state}") if state is not None else receipt.status,
        error=error or _read_network_error(parameters.get(pdus.NETWORK_ERROR)) or receipt.error,
        id=spelled,
        ids={name: value for name, value in written.items() if value and value != spelled},
        at=_find_time(receipt, smsc, answer.at),
    )


def _find_time(receipt: Receipt, smsc: Smsc, came: datetime | None) -> datetime:
    """When it happened: by the receipt where the zone of its dates is known, else when it came, as far as that is said.

    The clocks of SMSCs are wrong at times: what would have happened a day after it came did when it came.
    """
    done = read_date(receipt.done, smsc.zone, came)
    if came is None:
        return done or UNKNOWN_TIME
    if smsc.zone is None or done is None or (done - came).total_seconds() > 86_400:
        return came
    return done


def _read_number(value: bytes | str | int | None) -> int | None:
    if isinstance(value, bytes):
        return int.from_bytes(value[:8]) if value else None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 8 else None
    return value


def _read_string(value: bytes | str | int | None) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return truncate(text.strip(" \0"), 65)


def _read_network_error(value: bytes | str | int | None) -> str:
    """The code of network_error_code: one octet says what kind of network, two its code (section 5.3.2.31)."""
    if isinstance(value, str):
        try:
            value = bytes.fromhex(value)
        except ValueError:
            return ""
    number = int.from_bytes(value[1:3]) if isinstance(value, bytes) and len(value) == 3 else value
    return str(number) if isinstance(number, int) and 0 < number < 65_536 else ""


# ---- What it says ---------------------------------------------------------------------------------------------------


def _make_fact(report: SmppReport) -> Feedback:
    kind = find_report_kind(report.status, report.smsc, intermediate=report.intermediate)
    number, guessed = _find_number(report)
    return Feedback(
        source=SOURCE,
        kind=Kind.DEFERRED if kind is Kind.REJECTED and report.retried else kind,
        message=make_key(report.smsc.name, report.id or _invent_id(report)),
        recipient=canonicalize_sms(number) if number else UNNAMED,
        occurred_at=report.at,
        evidence=make_evidence(kind, report.smsc.name, report.status, report.error, derived=guessed),
        context=_make_context(report),
    )


def make_key(smsc: str, message: str) -> str:
    """Return the key of a message: an id counts within its SMSC."""
    return f"{SOURCE}:{fold_name(smsc)}:{make_id(message)}"


def _invent_id(report: SmppReport) -> str:
    """An SMSC that takes no message gives it no id: the same for every copy of that answer."""
    identity = f"{report.number}\n{report.at.isoformat()}\n{report.status}"
    return f"~{blake2b(identity.encode('utf-8', 'replace'), digest_size=12).hexdigest()}"


def find_report_kind(status: str, smsc: Smsc, *, intermediate: bool = False) -> Kind:
    """Return what a status says: of a receipt, of an answer to a submission, or why there was no answer."""
    word = status.upper()
    if word.startswith("ESME_"):
        return Kind.SENT if word == OK else Kind.REJECTED
    return Kind.DEFERRED if word in NO_ANSWER else find_kind(status, smsc, intermediate=intermediate)


def make_evidence(kind: Kind, smsc: str, status: str, error: str, *, derived: bool = False) -> Evidence:
    """Return the proof that a status is: its qualification, and the error as a number where it is one.

    Of what was refused the qualification is the text as well: the table of texts without a rule collects it.
    """
    word, code = truncate(status, 40).replace(" ", "_"), truncate(error, 24).replace(" ", "_")
    qualification = make_qualification(truncate(smsc, 64), word, code)
    return Evidence(
        code=int(code) if code.isascii() and code.isdigit() and len(code) < 10 else None,
        protocol=Protocol.SMPP,
        text=None if kind in _NOTHING_REFUSED else quote_qualification(qualification),
        provider_code=qualification,
        derived=derived,
    )


def _find_number(report: SmppReport) -> tuple[str, bool]:
    number = report.number.strip()
    digits = number.removeprefix("+")
    if report.smsc.international and digits == number and number.isascii() and 7 <= len(number) <= 15:
        return (f"+{number}", False) if number.isdigit() and number[0] != "0" else (number, report.guessed)
    return number, report.guessed


def _make_context(report: SmppReport) -> Context | None:
    known = {f"{_CORRELATION}{name}": truncate(value, 128) for name, value in report.ids.items() if value}
    correlation = report.correlation | {name: value for name, value in known.items() if value != report.id}
    return Context(correlation=correlation) if correlation else None

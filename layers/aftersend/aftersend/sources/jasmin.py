"""Jasmin, the SMS gateway: receipts that it posts, or asks for by GET, at the `dlr-url` of a message. Pure.

    id=07033084-…&message_status=UNDELIV&level=2&connector=acme&id_smsc=9&donedate=2603021015&err=034&…

Level 1 says what the SMSC answered to the submission, level 2 what became of the message, 3 is both. No field names the
recipient: who it was the sender knows, who got the message's id in the answer of `/send` and hands that on in the
envelope of answers: `{"recipient": "+4915550100", "message": "07033084-…", "at": …}`. Source: Jasmin's documentation,
"HTTP API", "Receiving DLR".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

from msgspec.structs import replace

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import UNNAMED, Context, Evidence, Feedback, Kind
from aftersend.core.recipient import canonicalize_sms
from aftersend.core.smsc import NO_SMSCS, Smsc, Smscs, fold_name, read_smscs
from aftersend.core.text import truncate
from aftersend.core.times import UNKNOWN_TIME
from aftersend.sources.answers import SenderAnswer, make_id, read_answers
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.smpp import find_report_kind, make_evidence
from aftersend.sources.smpp.receipt import read_date
from aftersend.sources.smpp.states import OK

SOURCE: Final = "jasmin"

_MAX_FORM: Final = 16_384  # bytes
_SUCCESS: Final = re.compile(r'success\s*"?([^"\s]{1,80})"?', re.IGNORECASE)
_KEPT: Final = ("id_smsc", "level", "sub", "dlvrd")  # of a receipt, beside what has a place of its own


def configure(document: Mapping[str, Any]) -> partial[list[Feedback]]:
    """Return a parser that knows what the user's document says of SMSCs; raises ConfigurationError."""
    return partial(_parse, smscs=read_smscs(document))


def parse(raw: bytes, headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts that one body holds; raises MalformedFeedback."""
    return _parse(raw, headers)


def _parse(raw: bytes, _headers: Headers = NO_HEADERS, smscs: Smscs = NO_SMSCS) -> list[Feedback]:
    body = raw.removeprefix(b"\xef\xbb\xbf").strip()
    if body[:1] in (b"{", b"["):
        return [_read_sent(answer) for answer in read_answers(SOURCE, body)]
    return [_read_form(body, smscs)]


def _read_form(body: bytes, smscs: Smscs) -> Feedback:
    if len(body) > _MAX_FORM:
        raise MalformedFeedback(SOURCE, "no receipt: it is too long")
    try:
        pairs = parse_qsl(body.removeprefix(b"?").decode("utf-8", "replace"), max_num_fields=64)
    except ValueError as error:
        raise MalformedFeedback(SOURCE, "a form of too many fields") from error
    given = {name: value.strip() for name, value in reversed(pairs)}
    message, status = make_id(given.get("id", "")), truncate(given.get("message_status", ""), 40).replace(" ", "_")
    if not message or not status:
        raise MalformedFeedback(SOURCE, "no receipt of Jasmin: id or message_status is missing")
    name = " ".join(given.get("connector", "").split())[:64]
    smsc = smscs.get(fold_name(name)) or (Smsc(name=name) if name else Smsc())
    kind = find_report_kind(status, smsc)
    kept = {f"{SOURCE}.{field}": truncate(given[field], 128) for field in _KEPT if given.get(field)}
    return Feedback(
        source=SOURCE,
        kind=kind,
        message=f"{SOURCE}:{message}",
        recipient=UNNAMED,
        occurred_at=read_date(given.get("donedate", ""), smsc.zone, None) or UNKNOWN_TIME,
        evidence=make_evidence(kind, smsc.name, status, given.get("err", "").strip("\0 ")),
        context=Context(correlation=kept) if kept else None,
    )


def _read_sent(answer: SenderAnswer) -> Feedback:
    """What `/send` answered, as the sender hands it on: `Success "<id>"`, or an error, of which there is no id."""
    body = answer.body if isinstance(answer.body, str) else ""
    found = _SUCCESS.search(body[:400])
    message = answer.message or (make_id(found[1]) if found else "")
    if not answer.recipient:
        raise answer.refuse("recipient", "is missing: who the message went to")
    if not message:
        raise answer.refuse("message", "is missing: the id that Jasmin answered")
    fact = Feedback(
        source=SOURCE,
        kind=Kind.SENT,
        message=f"{SOURCE}:{message}",
        recipient=canonicalize_sms(answer.recipient),
        occurred_at=answer.at or UNKNOWN_TIME,
        evidence=Evidence(provider_code=OK),
        context=Context(correlation=answer.correlation) if answer.correlation else None,
    )
    return fact if not answer.error else _refuse(fact, answer.error)


def _refuse(fact: Feedback, error: str) -> Feedback:
    kind = find_report_kind(error, Smsc())
    evidence = make_evidence(kind, SOURCE, truncate(error, 40).replace(" ", "_"), "")
    return replace(fact, kind=kind, evidence=evidence, id="")

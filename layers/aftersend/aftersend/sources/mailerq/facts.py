"""What a message of MailerQ and its attempts tell: the key, the context, and the evidence of each attempt.

An attempt is told the same whichever queue it is read from, and however many attempts followed it: nothing of its
evidence comes from the message around it, and a message is known by what no later attempt can change.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import msgspec

from aftersend.classify.evidence import parse_phase
from aftersend.core.model import Context, Evidence
from aftersend.core.recipient import canonicalize_email
from aftersend.core.text import truncate, truncate_or_none
from aftersend.sources.mailerq.body import Attempt, Message
from aftersend.sources.smtp_reply import reply

MAX_KEY: Final = 200
MAX_NAME: Final = 64
MAX_VALUE: Final = 128
MAX_CUSTOM: Final = 16
MAX_WORD: Final = 64
MAX_TLS: Final = 96

_encode: Final = msgspec.json.Encoder().encode

# Headers that mailing software adds by itself: they identify nothing.
_NOT_CUSTOM: Final = ("x-mailer", "x-priority", "x-msmail", "x-mimeole", "x-originating", "x-received")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}").fullmatch
_WORD: Final = re.compile(r"[^a-z0-9-]")

# What a response pattern can say of an attempt, and which of its values mean something for the verdict. Where a word
# grows too long the last are left out, so what spares the address stands before what does not.
_OVERRIDES: Final = {"individual": (False,), "strange": (True,), "fallback": (True,), "fatal": (False, True)}
_FLAGS: Final[dict[object, bool]] = {1: True, 0: False, "1": True, "0": False, "true": True, "false": False}


def flag(value: object) -> bool | None:
    """A yes or no in any of the types that a response pattern may write, None for anything else."""
    if isinstance(value, str):
        return _FLAGS.get(value.strip().casefold())
    return _FLAGS.get(value) if isinstance(value, int | float) else None


def key(message: Message, attempts: list[Attempt]) -> str:
    """The message, by the first of these that it has: MailerQ's own id, the envelope id, its Message-ID, a digest.

    The first two come with it from the beginning to the end. The headers may be missing where MailerQ did not load the
    mail for an attempt, which is why they come later. A sender who sets `message-id` to the Message-ID has both.
    """
    own = message.text("message-id", MAX_KEY)
    if own:
        return _by_header(own) if "@" in own else f"mailerq:{own}"
    envelope_id = _bare(_inside(message.get("dsn"), "envid"))
    if envelope_id:
        return f"envid:{envelope_id}"
    header = _bare(_headers(message).get("message-id"))
    return _by_header(header) if header else "mailerq:" + _digest(message, attempts[0])


def _by_header(value: str) -> str:
    """As the report parser calls a message that is known by its Message-ID."""
    return "rfc5322:" + value.strip("<> \t")


def _bare(value: object) -> str | None:
    return truncate(value.strip("<> \t"), MAX_KEY) or None if isinstance(value, str) else None


def _digest(message: Message, first: Attempt) -> str:
    """Of what no later attempt changes: the envelope, the sender's own properties, the whole of the first attempt."""
    told = [message.text(name, MAX_KEY) for name in ("envelope", "recipient")]
    return blake2b(_encode((told, message.custom(MAX_CUSTOM, MAX_VALUE), first)), digest_size=10).hexdigest()


def context(message: Message) -> Context:
    """What the sender said of the message: properties of their own, and what MailerQ extracted from the mail."""
    extracted, headers = message.get("extracted"), _headers(message)
    found = {name: value for name, value in headers.items() if _identifies(name)}
    found |= message.custom(MAX_CUSTOM, MAX_VALUE)
    found |= {"envelope": message.text("envelope", MAX_VALUE), "tags": _tags(message.get("tags"))}
    if envelope_id := _inside(message.get("dsn"), "envid"):
        found["envid"] = envelope_id
    texts = {
        truncate(name, MAX_NAME): truncate(text, MAX_VALUE).strip()
        for name, text in found.items()
        if isinstance(text, str)
    }
    kept = [(name, text) for name, text in sorted(texts.items()) if text]
    sender, subject = _inside(extracted, "from"), _inside(extracted, "subject")
    return Context(
        sender=canonicalize_email(sender).removeprefix("email:") if isinstance(sender, str) and sender else None,
        subject=truncate_or_none(subject, 256) if isinstance(subject, str) else None,
        correlation=dict(kept[:MAX_CUSTOM]),
    )


def _identifies(header: str) -> bool:
    """Whether a header is the sender's own: its Message-ID, or a custom one."""
    return header == "message-id" or (header.startswith("x-") and not header.startswith(_NOT_CUSTOM))


def _headers(message: Message) -> dict[str, Any]:
    """The headers of the mail, of which MailerQ writes the names in lower case."""
    headers = _inside(message.get("extracted"), "headers")
    return {name.lower(): value for name, value in headers.items()} if isinstance(headers, dict) else {}


def _inside(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _tags(value: object) -> str | None:
    return ", ".join(tag for tag in value if isinstance(tag, str)) if isinstance(value, list) else None


def evidence(attempt: Attempt, number: int, before: Attempt | None) -> Evidence:
    """The proof in an attempt. Where MailerQ gave up, `before` is the attempt that tells why."""
    told = before or attempt
    description = told.description if isinstance(told.description, str) else None
    code, status, text = reply(description)
    phase = parse_phase(told.state)
    return Evidence(
        code=_code(told.code) or code,
        status=_status(told.status) or status,
        text=text,
        provider_code=_word(attempt, before),
        phase=phase,
        remote_mta=_host(told.mta) or _host(told.sent_to),
        reporting_mta=_host(told.sent_from),
        attempt=number or None,
        tls=_tls(told) if phase and told.cipher is not None else None,
    )


def _code(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:4])
    return value if isinstance(value, int) and 200 <= value <= 599 else None


def _status(value: object) -> str | None:
    return value if isinstance(value, str) and _STATUS(value) else None


def _host(value: object) -> str | None:
    return truncate_or_none(value, 64) if isinstance(value, str) else None


def _word(attempt: Attempt, before: Attempt | None) -> str:
    """State and result, and behind them all that changes what they mean."""
    told = before or attempt
    marks = ["greylisted=1"] if flag(told.greylisted) else []
    if before:
        marks.append(f"after={pair(before)}")
    for name, telling in _OVERRIDES.items():
        if (value := flag(getattr(told, name))) in telling:
            marks.append(f"{name}={'1' if value else '0'}")
    if flag(attempt.dsn):  # the remote server speaks DSN: where a success notice was asked for, one may follow
        marks.append("dsn=1")
    word = pair(attempt)
    for mark in marks:
        if len(word) + len(mark) < MAX_WORD:
            word += " " + mark
    return word


def pair(attempt: Attempt) -> str:
    """State and result as rules name them."""
    return _pair(attempt.state[:40], attempt.result[:40])


@lru_cache(maxsize=512)
def _pair(state: str, result: str) -> str:
    names = _WORD.sub("", state.casefold())[:16], _WORD.sub("", result.casefold())[:12]
    return "/".join(name or "-" for name in names)


def _tls(attempt: Attempt) -> str | None:
    """Version and cipher, until when the certificate holds, and whether it could be verified."""
    cipher = [_inside(attempt.cipher, name) for name in ("version", "name")]
    said = [" ".join(text for text in cipher if isinstance(text, str))]
    until, why = (_inside(attempt.certificate, name) for name in ("notafter", "result"))
    if isinstance(until, str):
        said.append("until " + until[:10])
    if (verified := flag(_inside(attempt.certificate, "verified"))) is not None:
        said.append("verified" if verified else "not verified" + (f": {why}" if isinstance(why, str) else ""))
    return truncate_or_none(", ".join(text for text in said if text), MAX_TLS)

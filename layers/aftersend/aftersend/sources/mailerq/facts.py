"""What a message of MailerQ and its attempts say: the key, the context, and the evidence of each attempt.

An attempt gives the same fact whichever queue it is read from, and however many attempts followed it: nothing of its
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
from aftersend.core.text import truncate, truncate_host, truncate_or_none
from aftersend.sources.mailerq.body import Attempt, MailerqMessage
from aftersend.sources.smtp_reply import parse_reply

MAX_KEY: Final = 200
MAX_NAME: Final = 64
MAX_VALUE: Final = 128
MAX_CUSTOM: Final = 16
MAX_CODE: Final = 64
MAX_TLS: Final = 96

_encode: Final = msgspec.json.Encoder().encode

# Headers that mailing software adds by itself: they identify nothing.
_NOT_CUSTOM: Final = ("x-mailer", "x-priority", "x-msmail", "x-mimeole", "x-originating", "x-received")
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}").fullmatch
_NOT_NAME: Final = re.compile(r"[^a-z0-9-]")

# What a response pattern can say of an attempt, and which of its values mean something for the verdict. Where the
# code grows too long the last are left out, so what spares the address stands before what does not.
_OVERRIDES: Final = {"individual": (False,), "strange": (True,), "fallback": (True,), "fatal": (False, True)}
_FLAGS: Final[dict[object, bool]] = {1: True, 0: False, "1": True, "0": False, "true": True, "false": False}


def parse_flag(value: object) -> bool | None:
    """Parse a yes or no in any of the types that a response pattern may write, None for anything else."""
    if isinstance(value, str):
        return _FLAGS.get(value.strip().casefold())
    return _FLAGS.get(value) if isinstance(value, int | float) else None


def make_key(message: MailerqMessage, attempts: list[Attempt]) -> str:
    """Make the key of the message, of the first of these that it has.

    MailerQ's own id, the envelope id, its Message-ID, a digest.
    The first two come with it from the beginning to the end. The headers may be missing where MailerQ did not load the
    mail for an attempt, which is why they come later. A sender who sets `message-id` to the Message-ID has both.
    """
    own = message.get_text("message-id", MAX_KEY)
    if own:
        return _make_header_key(own) if "@" in own else f"mailerq:{own}"
    envelope_id = _strip_id(_get_inside(message.get("dsn"), "envid"))
    if envelope_id:
        return f"envid:{envelope_id}"
    header = _strip_id(_find_headers(message).get("message-id"))
    return _make_header_key(header) if header else "mailerq:" + _compute_digest(message, attempts[0])


def _make_header_key(value: str) -> str:
    """As the report parser calls a message that is known by its Message-ID."""
    return "rfc5322:" + value.strip("<> \t")


def _strip_id(value: object) -> str | None:
    return truncate(value.strip("<> \t"), MAX_KEY) or None if isinstance(value, str) else None


def _compute_digest(message: MailerqMessage, first: Attempt) -> str:
    """Of what no later attempt changes: the envelope, the sender's own properties, the whole of the first attempt."""
    envelope = [message.get_text(name, MAX_KEY) for name in ("envelope", "recipient")]
    return blake2b(_encode((envelope, message.get_custom(MAX_CUSTOM, MAX_VALUE), first)), digest_size=10).hexdigest()


def make_context(message: MailerqMessage) -> Context:
    """Make the context of the message: the sender's own properties, and what MailerQ extracted from the mail."""
    extracted, headers = message.get("extracted"), _find_headers(message)
    found = {name: value for name, value in headers.items() if _identifies(name)}
    found |= message.get_custom(MAX_CUSTOM, MAX_VALUE)
    found |= {"envelope": message.get_text("envelope", MAX_VALUE), "tags": _join_tags(message.get("tags"))}
    if envelope_id := _get_inside(message.get("dsn"), "envid"):
        found["envid"] = envelope_id
    texts = {
        truncate(name, MAX_NAME): truncate(text, MAX_VALUE).strip()
        for name, text in found.items()
        if isinstance(text, str)
    }
    filled = [(name, text) for name, text in sorted(texts.items()) if text]
    sender, subject = _get_inside(extracted, "from"), _get_inside(extracted, "subject")
    return Context(
        sender=canonicalize_email(sender).removeprefix("email:") if isinstance(sender, str) and sender else None,
        subject=truncate_or_none(subject, 256) if isinstance(subject, str) else None,
        correlation=dict(filled[:MAX_CUSTOM]),
    )


def _identifies(header: str) -> bool:
    """Whether a header is the sender's own: its Message-ID, or a custom one."""
    return header == "message-id" or (header.startswith("x-") and not header.startswith(_NOT_CUSTOM))


def _find_headers(message: MailerqMessage) -> dict[str, Any]:
    """The headers of the mail, of which MailerQ writes the names in lower case."""
    headers = _get_inside(message.get("extracted"), "headers")
    return {name.lower(): value for name, value in headers.items()} if isinstance(headers, dict) else {}


def _get_inside(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _join_tags(value: object) -> str | None:
    return ", ".join(tag for tag in value if isinstance(tag, str)) if isinstance(value, list) else None


def make_evidence(attempt: Attempt, number: int, before: Attempt | None) -> Evidence:
    """Make the evidence of an attempt. Where MailerQ gave up, `before` is the attempt that says why."""
    cause = before or attempt
    description = cause.description if isinstance(cause.description, str) else None
    code, status, text = parse_reply(description)
    phase = parse_phase(cause.state)
    return Evidence(
        code=_parse_code(cause.code) or code,
        status=_check_status(cause.status) or status,
        text=text,
        provider_code=_make_provider_code(attempt, before),
        phase=phase,
        remote_mta=_cut_host(cause.mta) or _cut_host(cause.sent_to),
        reporting_mta=_cut_host(cause.sent_from),
        attempt=number or None,
        tls=_describe_tls(cause) if phase and cause.cipher is not None else None,
    )


def _parse_code(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:4])
    return value if isinstance(value, int) and 200 <= value <= 599 else None


def _check_status(value: object) -> str | None:
    return value if isinstance(value, str) and _STATUS(value) else None


def _cut_host(value: object) -> str | None:
    return truncate_host(value) if isinstance(value, str) else None


def _make_provider_code(attempt: Attempt, before: Attempt | None) -> str:
    """State and result, and behind them all that changes what they mean."""
    cause = before or attempt
    details = ["greylisted=1"] if parse_flag(cause.greylisted) else []
    if before:
        details.append(f"after={name_result(before)}")
    for name, meaningful in _OVERRIDES.items():
        if (value := parse_flag(getattr(cause, name))) in meaningful:
            details.append(f"{name}={'1' if value else '0'}")
    if parse_flag(attempt.dsn):  # the remote server speaks DSN: where a success notice was asked for, one may follow
        details.append("dsn=1")
    code = name_result(attempt)
    for detail in details:
        if len(code) + len(detail) < MAX_CODE:
            code += " " + detail
    return code


def name_result(attempt: Attempt) -> str:
    """Name state and result as rules do: "message/accepted"."""
    return _join_names(attempt.state[:40], attempt.result[:40])


@lru_cache(maxsize=512)
def _join_names(state: str, result: str) -> str:
    names = _NOT_NAME.sub("", state.casefold())[:16], _NOT_NAME.sub("", result.casefold())[:12]
    return "/".join(name or "-" for name in names)


def _describe_tls(attempt: Attempt) -> str | None:
    """Version and cipher, until when the certificate holds, and whether it could be verified."""
    cipher = [_get_inside(attempt.cipher, name) for name in ("version", "name")]
    texts = [" ".join(text for text in cipher if isinstance(text, str))]
    until, why = (_get_inside(attempt.certificate, name) for name in ("notafter", "result"))
    if isinstance(until, str):
        texts.append("until " + until[:10])
    if (verified := parse_flag(_get_inside(attempt.certificate, "verified"))) is not None:
        texts.append("verified" if verified else "not verified" + (f": {why}" if isinstance(why, str) else ""))
    return truncate_or_none(", ".join(text for text in texts if text), MAX_TLS)

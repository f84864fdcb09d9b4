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
from aftersend.core.message_key import MAX_ID, clean_message_id, make_message_key
from aftersend.core.model import Context, Evidence
from aftersend.core.recipient import canonicalize_email
from aftersend.core.text import truncate, truncate_host, truncate_or_none
from aftersend.sources.mailerq.body import Attempt, MailerqMessage
from aftersend.sources.smtp_reply import parse_reply

MAX_NAME: Final = 64
MAX_VALUE: Final = 128
MAX_CUSTOM: Final = 16
MAX_CODE: Final = 64
MAX_TLS: Final = 96
MAX_DIGESTED: Final = 4_096

GAVE_UP: Final = "process/timeout"
# States in which MailerQ has not loaded the mail itself, where that lies in another storage.
_BEFORE_LOADING: Final = frozenset({"process", "suppression", "storage"})
# What tells messages apart, and what MailerQ leaves as it is: all else it may add to, or take away.
_UNCHANGED: Final = ("envelope", "recipient", "received", "maxdelivertime")

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
    """Make the key of the message: of its Message-ID, its envelope id, MailerQ's own id, or else a digest.

    A sender may set `message-id` to the Message-ID, with its "@".
    """
    own = message.get_text("message-id", MAX_ID) or ""
    header = _find_headers(message).get("message-id")
    named = header if clean_message_id(header) else own if "@" in own else None
    key = make_message_key(named, _get_inside(message.get("dsn"), "envid"), f"mailerq:{own}" if own else "")
    return key or "mailerq:" + _compute_digest(message, attempts[0])


def knows_mail(message: MailerqMessage, attempts: list[Attempt]) -> bool:
    """Return whether MailerQ had loaded the mail itself by the last attempt, so that its Message-ID could be known."""
    return message.get("extracted") is not None or any(_get_state(each) not in _BEFORE_LOADING for each in attempts)


def _get_state(attempt: Attempt) -> str:
    return name_result(attempt).partition("/")[0]


def _compute_digest(message: MailerqMessage, first: Attempt) -> str:
    """Of what no later attempt changes: the envelope, the sender's own properties, the whole of the first attempt.

    Where the message was given up without an attempt, no copy of it lay in the retry queue: then of all it has.
    """
    names = message.names if name_result(first) == GAVE_UP else _UNCHANGED
    known = [(name, message.get_text(name, MAX_DIGESTED)) for name in names]
    custom = message.get_custom(MAX_CUSTOM, MAX_VALUE)
    return blake2b(_encode((known, custom, first)), digest_size=10).hexdigest()


def make_context(message: MailerqMessage, key: str) -> Context:
    """Make the context of the message: its other ids, the sender's own properties, what MailerQ took from the mail.

    Of more than MAX_CUSTOM the ids stay, and of the others the first by name.
    """
    extracted, headers = message.get("extracted"), _find_headers(message)
    found = {name: value for name, value in headers.items() if _identifies(name)}
    found |= message.get_custom(MAX_CUSTOM, MAX_VALUE)
    own = message.get_text("message-id", MAX_ID)
    ids = {
        "envelope": message.get_text("envelope", MAX_VALUE),
        "envid": _get_inside(message.get("dsn"), "envid"),
        "mailerq-id": own if own and "@" not in own and key != f"mailerq:{own}" else None,
        "message-id": headers.get("message-id"),
        "tags": _join_tags(message.get("tags")),
    }
    texts = _clean_texts(ids)
    others = sorted((name, text) for name, text in _clean_texts(found).items() if name not in texts)
    texts |= dict(others[: MAX_CUSTOM - len(texts)])
    sender, subject = _get_inside(extracted, "from"), _get_inside(extracted, "subject")
    return Context(
        sender=canonicalize_email(sender).removeprefix("email:") if isinstance(sender, str) and sender else None,
        subject=truncate_or_none(subject, 256) if isinstance(subject, str) else None,
        correlation=dict(sorted(texts.items())),
    )


def _clean_texts(found: dict[str, Any]) -> dict[str, str]:
    """The texts among these values, bounded, without those that are empty."""
    texts = {
        truncate(name, MAX_NAME): truncate(text, MAX_VALUE).strip()
        for name, text in found.items()
        if isinstance(text, str)
    }
    return {name: text for name, text in texts.items() if text}


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

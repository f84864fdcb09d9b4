"""Reads SMTP facts out of loose fields, and out of the text where the fields are silent."""

from __future__ import annotations

import re
from typing import Final

from aftersend.core.model import Evidence, Phase

MAX_TEXT: Final = 1_024  # bytes of UTF-8 that evidence keeps of a text
TAIL: Final = 320  # of them, from the end of a text that is longer

# Both expressions begin with a digit, which few characters are, and look at a bounded number of characters around it.
_CODE: Final = re.compile(
    r"([45](?:(?<=^.)|(?<=^#.)|(?<=[\s;>'\"(,].)|(?<=\s#.)"
    r"|(?<=[g-zG-Z>)\]]:.)(?=..[ \-#]))"  # "RCPT TO:550 …", but not a piece of an IPv6 address
    r"[0-5]\d)(?=[ \-:;#,<]|$)"
)
_STATUS: Final = re.compile(r"([45])(?<![\d.].)\.(\d{1,3})\.(\d{1,3})(?!\d|\.\d)")

COMMANDS: Final = {
    "conn": Phase.CONNECT,
    "connect": Phase.CONNECT,
    "handshake": Phase.CONNECT,
    "intro": Phase.CONNECT,
    "idle": Phase.CONNECT,
    "ehlo": Phase.EHLO,
    "helo": Phase.EHLO,
    "lhlo": Phase.EHLO,
    "starttls": Phase.EHLO,
    "auth": Phase.AUTH,
    "authplain": Phase.AUTH,
    "authlogin": Phase.AUTH,
    "authusername": Phase.AUTH,
    "authpassword": Phase.AUTH,
    "authcram": Phase.AUTH,
    "authresponse": Phase.AUTH,
    "mail": Phase.MAIL_FROM,
    "mail from": Phase.MAIL_FROM,
    "mailfrom": Phase.MAIL_FROM,
    "rcpt": Phase.RCPT_TO,
    "rcpt to": Phase.RCPT_TO,
    "rcptto": Phase.RCPT_TO,
    "data": Phase.DATA,
    "bdat": Phase.DATA,
    "message": Phase.DATA,
    "end of data": Phase.DATA,
    "end-of-data": Phase.DATA,
}

# What mail systems write around a reply to say which command it answers: a cue, and what may follow it.
_TOLD: Final[dict[str, dict[str, Phase]]] = {
    "in reply to ": {
        "mail from": Phase.MAIL_FROM,
        "rcpt to": Phase.RCPT_TO,
        "end of data": Phase.DATA,
        "data": Phase.DATA,
        "helo": Phase.EHLO,
        "ehlo": Phase.EHLO,
        "auth": Phase.AUTH,
        "starttls": Phase.EHLO,
    },
    " after ": {
        "mail from": Phase.MAIL_FROM,
        "pipelined mail from": Phase.MAIL_FROM,
        "rcpt to": Phase.RCPT_TO,
        "pipelined rcpt to": Phase.RCPT_TO,
        "end of data": Phase.DATA,
        "pipelined end of data": Phase.DATA,
        "data": Phase.DATA,
        "pipelined data": Phase.DATA,
        "initial connection": Phase.CONNECT,
        "ehlo": Phase.EHLO,
        "helo": Phase.EHLO,
        "i sent the message": Phase.DATA,
    },
    "did not like our ": {
        "mail from": Phase.MAIL_FROM,
        "rcpt to": Phase.RCPT_TO,
        "data": Phase.DATA,
        "final data": Phase.DATA,
    },
    " refused to talk to me": {"": Phase.CONNECT},
    " does not like recipient": {"": Phase.RCPT_TO},
    " but ": {"sender was rejected": Phase.MAIL_FROM, "greeting failed": Phase.CONNECT},
    " failed on ": {"data command": Phase.DATA},
    "[mail_from]": {"": Phase.MAIL_FROM},
    "[rcpt_to]": {"": Phase.RCPT_TO},
    "smtp:": {"rcpt host": Phase.RCPT_TO, "mail host": Phase.MAIL_FROM},
}
_TRANSCRIPT: Final = ((">>> mail from", Phase.MAIL_FROM), (">>> rcpt to", Phase.RCPT_TO), (">>> data", Phase.DATA))


def evidence_from(
    *,
    code: str | int | None = None,
    status: str | None = None,
    text: str | None = None,
    command: str | None = None,
    action: str | None = None,
    remote_mta: str | None = None,
    provider_code: str | None = None,
) -> Evidence:
    """Evidence from the fields of a report, whatever their spelling; what they do not say is read from the text."""
    kept = bounded(text)
    return Evidence(
        code=_code(code) or code_in(kept),
        status=_status(status) or status_in(kept),
        text=kept or None,
        provider_code=provider_code or None,
        action=(action or "").strip().partition(" ")[0].casefold() or None,
        phase=phase_of(command) or phase_in(kept),
        remote_mta=(remote_mta or "").strip() or None,
    )


def bounded(text: str | None) -> str:
    """The text without its "smtp;" type, cut to what evidence keeps, never inside a character.

    A text that is too long keeps its end too: in a notice for people, the reply often comes last.
    """
    kept = (text or "").strip()
    if kept[:5].casefold() == "smtp;":
        kept = kept[5:].lstrip()
    raw = kept.encode("utf-8", "replace") if len(kept) * 4 > MAX_TEXT else b""
    if len(raw) <= MAX_TEXT:
        return kept
    head = raw[: MAX_TEXT - TAIL - 1].decode("utf-8", "ignore")
    return f"{head} {raw[-TAIL:].decode('utf-8', 'ignore')}"


def code_in(text: str) -> int | None:
    """The first SMTP reply code in `text`."""
    found = _CODE.search(text)
    return int(found[1]) if found else None


def status_in(text: str) -> str | None:
    """The first enhanced status of a refusal in `text`."""
    found = _STATUS.search(text)
    return found[0] if found else None


def phase_of(command: str | None) -> Phase | None:
    """The phase of an SMTP command: "RCPT TO:<a@b.example>", "mailfrom", "CONN"."""
    words = (command or "").partition(":")[0].strip().casefold().replace("_", " ")
    return COMMANDS.get(words) or COMMANDS.get(words.partition(" ")[0])


def phase_in(text: str) -> Phase | None:
    """The phase that a mail system tells in the text around a reply."""
    lowered = text.casefold()
    if ">>> " in lowered:
        at, phase = max((lowered.rfind(command), phase) for command, phase in _TRANSCRIPT)
        if at >= 0:
            return phase
    for cue, told_by in _TOLD.items():
        at = lowered.find(cue)
        if at >= 0:
            said = lowered[at + len(cue) : at + len(cue) + 24]
            for words, phase in told_by.items():
                if said.startswith(words):
                    return phase
    return None


def _code(value: str | int | None) -> int | None:
    try:
        number = int(str(value or "").strip()[:3])
    except ValueError:
        return None
    return number if 200 <= number <= 599 else None


def _status(value: str | None) -> str | None:
    found = _STATUS.search((value or "")[:64])
    return found[0] if found else None

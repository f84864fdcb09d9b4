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
# The beginning of a line of a reply: "550-5.1.1 ", and "550 " before the last one.
_LINE: Final = re.compile(r"(?<![^\s'\"(:;>])([2-5]\d\d)([ -])(?:#?([245]\.\d{1,3}\.\d{1,3})(?: |$))?")
_CONTINUED: Final = re.compile(r"-(?<=[2-5]\d\d-)")  # of all characters few are dashes
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
_CUES: Final[dict[str, dict[str, Phase]]] = {
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
    """Return evidence from the fields of a report, in whatever spelling; what they do not say is read from the text."""
    bounded = truncate(text)
    return Evidence(
        code=_parse_code(code) or find_code(bounded),
        status=_parse_status(status) or find_status(bounded),
        text=bounded or None,
        provider_code=provider_code or None,
        action=(action or "").strip().partition(" ")[0].casefold() or None,
        phase=parse_phase(command) or find_phase(join_lines(bounded)),
        remote_mta=(remote_mta or "").strip() or None,
    )


def truncate(text: str | None) -> str:
    """Return the text without its "smtp;" type, cut to what evidence keeps, never inside a character.

    A text that is too long keeps its end too: in a notice for people, the reply often comes last.
    """
    text = (text or "").strip()
    if text[:5].casefold() == "smtp;":
        text = text[5:].lstrip()
    raw = text.encode("utf-8", "replace") if len(text) * 4 > MAX_TEXT else b""
    if len(raw) <= MAX_TEXT:
        return text
    head = raw[: MAX_TEXT - TAIL - 1].decode("utf-8", "ignore")
    return f"{head} {raw[-TAIL:].decode('utf-8', 'ignore')}"


def join_lines(text: str) -> str:
    """Return `text` in one line, where what begins the further lines of a reply is left out.

    "550-no such" and "550 user" are one sentence, and so is "550-no such 550 user", as most programs hand it on.
    Nothing is to be read before: a line may end within any phrase. A further status stays where it is another.
    """
    if "\n" in text or "\r" in text or "\t" in text:
        text = " ".join(text.split())
    if not _CONTINUED.search(text):
        return text
    pieces: list[str] = []
    taken, code, status = 0, "", None
    for line in _LINE.finditer(text):
        if code == line[1]:
            pieces.append(text[taken : line.start()])
            taken = line.end() if line[3] in {None, status} else line.start(3)
            if line[2] == " ":
                code = ""
        elif line[2] == "-":
            code, status = line[1], line[3]
    return "".join((*pieces, text[taken:]))


def find_code(text: str) -> int | None:
    """Return the first SMTP reply code in `text`."""
    found = _CODE.search(text)
    return int(found[1]) if found else None


def find_status(text: str) -> str | None:
    """Return the first enhanced status of a refusal in `text`."""
    found = _STATUS.search(text)
    return found[0] if found else None


def parse_phase(command: str | None) -> Phase | None:
    """Return the phase of an SMTP command: "RCPT TO:<a@b.example>", "mailfrom", "CONN"."""
    words = (command or "").partition(":")[0].strip().casefold().replace("_", " ")
    return COMMANDS.get(words) or COMMANDS.get(words.partition(" ")[0])


def find_phase(text: str) -> Phase | None:
    """Return the phase that a mail system names in the text around a reply, in one line (`join_lines`)."""
    lowered = text.casefold()
    if ">>> " in lowered:
        at, phase = max((lowered.rfind(command), phase) for command, phase in _TRANSCRIPT)
        if at >= 0:
            return phase
    for cue, continuations in _CUES.items():
        at = lowered.find(cue)
        if at >= 0:
            rest = lowered[at + len(cue) : at + len(cue) + 24]
            for words, phase in continuations.items():
                if rest.startswith(words):
                    return phase
    return None


def _parse_code(value: str | int | None) -> int | None:
    try:
        number = int(str(value or "").strip()[:3])
    except ValueError:
        return None
    return number if 200 <= number <= 599 else None


def _parse_status(value: str | None) -> str | None:
    found = _STATUS.search((value or "")[:64])
    return found[0] if found else None

"""Parts a mail into what the reporting system wrote and the message that it returned."""

from __future__ import annotations

import html
import re
from itertools import islice
from string import ascii_lowercase, ascii_uppercase
from typing import Final

from msgspec import Struct

from aftersend.sources.report import mime, phrases

MAX_NOTICE: Final = 32_768  # characters
MAX_LINE: Final = 1_500

# A header field after a blank line or a rule. The fields around it decide whether it begins a message.
_HEADER_BLOCK: Final = re.compile(
    r"(?:\A|\n[ \t>=_*-]{0,80}\n)((?:Return-Path|Received|Message-ID|Date|From|To|Subject|Delivered-To|X-[\w-]{1,40}|"
    r"MIME-Version|Content-Type|DKIM-Signature|Sender|Reply-To|Envelope-To):[^\n]{1,998}\n)",
    re.IGNORECASE,
)
_MESSAGE_HEADERS: Final = frozenset(("received", "message-id", "mime-version", "return-path"))
_MAX_BLOCKS: Final = 20
_TAG: Final = re.compile(r"<(/?[A-Za-z!][A-Za-z0-9]{0,10})[^<>]{0,2000}>")
_BLANKS: Final = re.compile(r"[ \t\xa0]+")
_INLINE: Final = frozenset(("a", "b", "i", "u", "em", "span", "font", "strong", "tt", "code", "small", "wbr", "!"))


class Notice(Struct, kw_only=True):
    """A mail by its roles."""

    text: str  # what the reporting system wrote to people
    status: list[str]  # delivery status parts
    feedback: str | None = None  # the feedback-report part
    disposition: str = ""  # a read receipt (RFC 8098)
    returned: str = ""  # the message that came back, from its headers on
    attached: bool = False  # it came back as a part of its own
    words: str | None = None  # `text` without its footer, once somebody has asked for it


_STATUS_TYPES: Final = ("delivery-status", "deliverystatus")
_RETURNED_TYPES: Final = (
    "message/rfc822",
    "message/global",
    "text/rfc822",
    "message/x-rfc822",
    "message/partial",
    "message/news",
)


def read(root: mime.Part) -> Notice:
    """Return a mail by the roles of its parts."""
    notice = Notice(text="", status=[])
    plain: list[str] = []
    marked: list[str] = []
    for part in mime.walk_leaves(root):
        _place(part, notice, plain, marked)
    notice.text = "\n".join(plain) if any(text.strip() for text in plain) else _strip_markup("\n".join(marked))
    if not notice.returned:
        notice.text, notice.returned = split_returned(notice.text)
    notice.text = notice.text[:MAX_NOTICE]
    return notice


def _place(part: mime.Part, notice: Notice, plain: list[str], marked: list[str]) -> None:
    kind = part.type
    if kind.endswith(_STATUS_TYPES):
        notice.status.append(part.text)
    elif kind == "message/feedback-report":
        notice.feedback = notice.feedback or part.text
    elif kind == "message/disposition-notification":
        notice.disposition = part.text
    elif kind.startswith(_RETURNED_TYPES) or kind.endswith("-headers"):
        if not notice.attached:
            notice.returned, notice.attached = _get_raw(part).lstrip("\n"), True
    elif notice.attached:
        return
    elif kind == "text/html":
        marked.append(part.text)
    elif kind.startswith(("text", "multipart", "message")) or "/" not in kind:
        plain.append(part.text)


def _get_raw(part: mime.Part) -> str:
    """An attached message as it is; some systems encode it, against the standard."""
    transfer = mime.get_first(part.headers, "content-transfer-encoding").lower()
    return part.text if transfer in {"base64", "quoted-printable"} else part.body


def split_returned(text: str) -> tuple[str, str]:
    """Return the notice, and the message that is returned below it."""
    lowered = lower(text[: 2 * MAX_NOTICE])
    cut = min((lowered.rfind("\n", 0, at) + 1 for at in map(lowered.find, phrases.RETURNED) if at >= 0), default=-1)
    block = _find_headers(text, 0, cut if cut >= 0 else 2 * MAX_NOTICE)
    if block >= 0:
        return text[:block], text[block:]
    if cut < 0:
        return text, ""
    block = _find_headers(text, cut, cut + 3_000)
    rest = text[cut:].partition("\n")[2].lstrip("-=\n ") if block < 0 else text[block:]
    return text[:cut], rest


def _find_headers(text: str, since: int, until: int) -> int:
    """Where a block of message headers begins, or -1."""
    for match in islice(_HEADER_BLOCK.finditer(text, since, until), _MAX_BLOCKS):
        headers, _ = mime.read_fields(text[match.start(1) : match.start(1) + 8_000])
        if len(headers) > 2 and headers.keys() & _MESSAGE_HEADERS:
            return match.start(1)
    return -1


def lower(text: str) -> str:
    """Return the text in lower case, at the same positions."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text.translate(_ASCII)


_ASCII: Final = str.maketrans(ascii_uppercase, ascii_lowercase)


def _strip_markup(markup: str) -> str:
    """The text of HTML, line by line as it is shown."""
    if not markup:
        return ""
    for name in ("style", "script", "head"):
        markup = _cut_elements(markup, f"<{name}", f"</{name}")
    return html.unescape(_TAG.sub(_break, markup))


def _cut_elements(markup: str, opening: str, closing: str) -> str:
    pieces: list[str] = []
    at, lowered = 0, lower(markup)
    while True:
        start = lowered.find(opening, at)
        end = lowered.find(closing, start) if start >= 0 else -1
        if end < 0:
            return "".join(pieces) + markup[at:]
        pieces.append(markup[at:start])
        at = end


def _break(match: re.Match[str]) -> str:
    return "" if match[1].lstrip("/").lower() in _INLINE else "\n"


def split_lines(text: str) -> list[str]:
    """Return the lines of a notice without the blanks around them."""
    return [_BLANKS.sub(" ", line[:MAX_LINE]).strip() for line in text.split("\n")]

"""Finds who failed, and why, in a notice that follows no standard.

Mail systems place the failed address in few ways: at the beginning of a line, behind a label, behind a few set words,
or beside the reply of the remote server. The ways are tried from the surest to the weakest, and the first that finds
somebody decides; so a new system is understood if it writes like the others, which it does.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

from msgspec import Struct

from aftersend.sources.report import phrases
from aftersend.sources.report.addresses import ADDRESS

MAX_LINES: Final = 400
MAX_REASON: Final = 1_500  # characters
MAX_REASON_LINES: Final = 12
MAX_LEAD: Final = 200  # of what stands before a reply
MAX_WORD: Final = 8

_LEADING: Final = re.compile(
    rf"[\"'<(]{{0,2}}({ADDRESS})[>\"')]{{0,2}}(?: ?[<(](?:mailto:|smtp:)?{ADDRESS}[>)])?(?P<rest>$|[\s:,.;(\[-].*$)",
    re.IGNORECASE,
)
_LABELLED: Final = re.compile(
    rf"([^\W\d][^@:=<>]{{1,60}}?) ?[:=] ?[\"'<\[]{{0,2}}(?:smtp:)?({ADDRESS})[>\"'\]]{{0,2}}", re.IGNORECASE
)
_X400: Final = re.compile(rf"(?:^|[;:/ ])(?:dda:)?smtp=({ADDRESS})(.{{0,200}})", re.IGNORECASE)
_DISPLAYED: Final = re.compile(rf"[^<>@:]{{1,80}} ?[<(]({ADDRESS})[>)][ :.,]{{0,3}}$")
_AFTER: Final = re.compile(rf"({ADDRESS})")
_REPLY: Final = re.compile(
    r"(?:^|[\s:;>(\[\"'<#])([45][0-5]\d)(?:[ -]#?[45]\.\d{1,3}\.\d{1,3}\b|[- ]{1,3}[<A-Za-z#\"'\[(]|: |[ ]?$|\.{3}|\])"
)
_ENHANCED: Final = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_VMS: Final = re.compile(r"[%-][A-Z0-9_$]{2,20}-[EFW]-[A-Z0-9_]{2,30}, ")
_VMS_MARKS: Final = ("%", "-")
_HEADING: Final = re.compile(r"[-=*]{4,}")
_ON_DATE: Final = re.compile(
    r"\A\W{0,3}on [A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4}[ ,]*(?:\d\d:\d\d:\d\d ?[+-]?\d{0,4})? ?"
)
# Lines with which a notice describes the message, not the failure.
_OF_MESSAGE: Final = ("From:", "To:", "Subject:", "Size (in bytes)", "Number of lines", "Sent:", "Sent date:", "Date:")
_BULLETS: Final = "> *-\u2022\u00b7|+\t"
_LABELS: Final = ("recipient", "address", "rcpt", "fail", "user", "mailbox", "deliver", "reach", "unknown", "destin")
_TO: Final = ("to", "cc", "bcc", "an", "para", "a", "\u00e0", "\u5b9b\u5148")


class Tier(IntEnum):
    """How sure a place is, surest first."""

    SET = 1  # a phrase that only ever stands before the failed address
    PLACED = 2  # begins its line, or stands behind a label that says recipient
    WORDED = 3  # stands behind set words, or beside a reply
    LABELLED = 4  # stands behind any label
    NEAR = 5  # stands behind a word that often precedes it
    QUOTED = 6  # the To of the message, as the notice quotes it


class Found(Struct):
    """An address, where it stands, and what follows it on its line."""

    address: str
    tier: Tier
    line: int
    rest: str
    label: bool = False


def find_failed(lines: list[str], others: frozenset[str]) -> list[Found]:
    """Return who failed. `others` are the sender and the reporter, who did not, unless nobody else is named."""
    found: list[Found] = []
    for number, line in enumerate(lines[:MAX_LINES]):
        if "@" in line:
            before = lines[number - 1] if number else ""
            found += _find_in_line(line, number, not before or before.endswith((":", "-", "@")))
    strangers = [each for each in found if not _is_bystander(each.address, others)]
    if not strangers:
        strangers = [each for each in found if each.tier <= Tier.WORDED]
    best = min((each.tier for each in strangers), default=Tier.SET)
    starts = frozenset(each.line for each in strangers if each.tier == best)
    chosen: dict[str, Found] = {}
    for each in strangers:
        if each.tier != best:
            continue
        known = chosen.setdefault(each.address.lower(), each)
        if known is not each and not _is_substantial(_find_own_reason(lines, known, starts)):  # a list stands first
            chosen[each.address.lower()] = each
    return list(chosen.values()) if best < Tier.NEAR or len(chosen) == 1 else []


def _is_bystander(address: str, others: frozenset[str]) -> bool:
    lowered = address.lower()
    return lowered in others or lowered.startswith(phrases.DAEMONS)


def _find_in_line(line: str, number: int, first: bool) -> list[Found]:
    bare = line.lstrip(_BULLETS)
    typed = _X400.search(bare)
    if typed:
        return [Found(typed[1], Tier.PLACED, number, typed[2].strip(" ;:"))]
    leading = _LEADING.match(bare)
    prose = leading and not first and leading["rest"][1:2].islower() and not leading["rest"].startswith(" on ")
    if leading and not prose:
        return [Found(leading[1], Tier.PLACED, number, leading["rest"].strip(" :,.-"))]
    labelled = _LABELLED.match(bare.lstrip("[( "))
    if labelled:
        return _find_behind_label(labelled, number)
    fallback = Tier.WORDED if _REPLY.search(line) else Tier.NEAR if prose or _DISPLAYED.match(bare) else None
    return _find_within(bare, number, fallback)


def _find_within(line: str, number: int, fallback: Tier | None) -> list[Found]:
    """The addresses inside a sentence: the words before one say what it is, else the line does."""
    found = []
    for match in _AFTER.finditer(line):
        before = " " + line[max(0, match.start() - 80) : match.start()].lower().rstrip(" <\"'(:=[")
        tier = _find_tier(before) or fallback
        if tier is not None:
            found.append(Found(match[1], tier, number, line[match.end() :].strip(" >:,.\"')")))
    return found


def _find_behind_label(match: re.Match[str], number: int) -> list[Found]:
    label = match[1].lower()
    words = label.split()
    rest = match.string[match.end() :].strip(" :,.>")
    if words == words[-1:] and words[0] in _TO:
        return [Found(match[2], Tier.QUOTED, number, "")]
    if any(f" {word}" in f" {label} " for word in phrases.OTHERS):
        return []
    sure = any(word in label for word in _LABELS)
    return [Found(match[2], Tier.PLACED if sure else Tier.LABELLED, number, rest, label=True)]


def _find_tier(before: str) -> Tier | None:
    for tier, table in ((Tier.WORDED, phrases.BEFORE), (Tier.NEAR, phrases.LOOSE)):
        for phrase in table:
            if before.endswith(phrase) and not before[-len(phrase) - 1].isalpha():
                return Tier.SET if phrase in phrases.CERTAIN else tier
    return None


def find_reason(lines: list[str], found: Found, all_found: list[Found], starts: frozenset[int]) -> tuple[str, bool]:
    """Return what stands beside one address, and whether it is surely about it: a reply, or one of several."""
    if found.tier is Tier.SET or (found.tier is Tier.WORDED and _REPLY.search(lines[found.line])):
        return _take_paragraph_around(lines, found.line), True
    own = _find_own_reason(lines, found, starts)
    reply = _REPLY.search(own)
    if reply:
        return own[reply.start(1) :] if reply.start(1) > MAX_LEAD else own, True
    if not _is_substantial(own):
        return "", False
    lowered = own.lower()
    return own, len(all_found) > 1 or any(label in lowered for label in phrases.REASONS[0])


def find_general_reason(lines: list[str]) -> str:
    """Return what the notice says of everybody: the first reply that it quotes, else what it calls a reason itself."""
    return _find_quoted_reply(lines) or _find_system_messages(lines) or _find_called_reason(lines)


def has_reply(text: str) -> bool:
    """Return whether a text holds a reply code or an enhanced status."""
    return bool(_REPLY.search(text) or _ENHANCED.search(text))


def _find_system_messages(lines: list[str]) -> str:
    """The messages of VMS ("%MAIL-E-NOSUCHUSR, no such user ANNA at node MARS"), with those that explain them."""
    return " ".join(line for line in lines[:MAX_LINES] if line[:1] in _VMS_MARKS and _VMS.match(line))[:MAX_REASON]


def _find_own_reason(lines: list[str], found: Found, starts: frozenset[int]) -> str:
    """What follows an address that begins its line, or the sentence around one with the paragraph below."""
    if found.tier is Tier.PLACED and not found.label:
        return _ON_DATE.sub("", _take_paragraph(lines, found.line + 1, starts, found.rest))
    return f"{lines[found.line]} {_take_paragraph(lines, found.line + 1, starts, '')}".strip()


def _take_paragraph(lines: list[str], at: int, starts: frozenset[int], begun: str) -> str:
    """`begun`, and what follows it up to a blank line; one may stand first, and where a colon announces something."""
    taken = [begun] if begun else []
    for number in range(at, min(at + MAX_REASON_LINES, len(lines))):
        line, announced = lines[number], not taken or taken[-1].endswith((":", "\uff1a"))
        if number in starts or (not line and not (announced and lines[number - 1])) or _describes_message(line):
            break
        if not taken and number > at and _HEADING.match(line):
            break
        if any(map(str.isalnum, line)):
            taken.append(line if line.startswith(">>>") else line.lstrip("> "))
    return " ".join(taken)[:MAX_REASON]


def _describes_message(line: str) -> bool:
    """Whether a line describes the message; some systems write the whole conversation behind "From:"."""
    return line.startswith(_OF_MESSAGE) and "RCPT" not in line


def _is_substantial(text: str) -> bool:
    """More than an address, a date or a number of attempts."""
    return bool(_REPLY.search(text)) or (len(text) > 11 and sum(map(str.isalpha, text)) > MAX_WORD)


def _find_quoted_reply(lines: list[str]) -> str:
    """The first reply of a remote server in the notice, with the lines that say what was answered."""
    for number, line in enumerate(lines[:MAX_LINES]):
        match = _REPLY.search(line)
        if match:
            far = match.start(1) > 100
            return (
                _take_paragraph(lines, number + 1, frozenset(), line[match.start(1) :])
                if far
                else _take_paragraph_around(lines, number)
            )
    return ""


def _take_paragraph_around(lines: list[str], number: int) -> str:
    """The paragraph of a line, from a little before it."""
    first = number
    while first > 0 and lines[first - 1] and number - first < 3:
        first -= 1
    return _take_paragraph(lines, first, frozenset(), "")


def _find_called_reason(lines: list[str]) -> str:
    """The line that the notice itself calls a reason, with those that continue it; labels before loose words."""
    lowered = [line.lower() for line in lines[:MAX_LINES]]
    for words in phrases.REASONS:
        for number, line in enumerate(lowered):
            if any(word in line for word in words):
                begun = "" if line.endswith(":") else lines[number]  # what a colon announces may stand below a blank
                reason = _take_paragraph(lines, number + 1, frozenset(), begun)
                reason = reason if begun else f"{lines[number]} {reason}"
                if len(reason) > 2 * MAX_WORD:
                    return reason
    return ""


def find_text_below(lines: list[str], after: int) -> str:
    """Return the text below the last address, or above the first where nothing is below."""
    rest = " ".join(line for line in lines[after + 1 :] if line and not _describes_message(line))
    if not _is_substantial(rest):
        rest = " ".join(line for line in lines[: after + 1] if line)
    return rest[:MAX_REASON]

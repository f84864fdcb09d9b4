"""Peels off what stands around a reply, and hands on the innermost one: it alone says why a message was refused.

A refusal passes through many hands, and each may put it into a sentence of its own: the relay that met it ("host …
said:"), a gateway that writes the same status and sentence around whatever it was told, the library of a client ("all
recipients were rejected:"), a report that lists earlier attempts, a scanner that adds its footer. What they say of
their own is no evidence where they quote what the other side said. Where the quotation is empty, they are all there is.

Only their forms stand here; single phrases that are dropped wherever they stand are in `boilerplate`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from aftersend.classify.boilerplate import EMPTY_WORDS
from aftersend.classify.text import MAX_EMPTY, fold, says_why

LIMIT: Final = 2_000  # characters of a text that are read

_LOWER: Final = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
)  # keeps the length, unlike lower()

# A gateway's sentence around whatever the other side said: "5.1.0 - Unknown address error 550-'5.7.1 …'" (Cisco), and
# "<mx.corp.example #5.0.0 smtp; 550 …>" (Exchange 2003 and later, X-Supplementary-Info). Its general status is its own.
_GATEWAY: Final = re.compile(r"[45]\.[0-9x]\.\d{1,3} - [a-z][a-z ()/,-]{2,60}$|#[45]\.\d\.\d{1,3} (?:smtp ?; ?)?$")
# Words that announce a quotation, whatever it begins with, …
_SAID: Final = (
    *(" said: ", "server response was: ", "remote server was: ", "other server returned was: "),
    *("remote server returned '", 'remote server returned "', 'responded with: "', 'with message "'),
)
# … and those that do where punctuation and a reply code, or a status, follow at once: they mean something else, too.
_CODE: Final = re.compile(r"[45](?<![\d.].)(?:\d\d(?=[ \-,:] ?[^ ])(?:[ -][45]\.\d\.\d{1,3})?|\.\d\.\d{1,3}(?= ))")
_MARKS: Final = "<>()[]{}\"',;.:!?-*#"  # around words
_OPENING: Final = " <'\"({[:=>"
_QUOTED: Final = (
    *("said", "says", "reports", "replied", "responded", "response", "responses", "returned", "reply", "rejected"),
    *("failed", "exception", "error", "errors", "reason", "login", "message", "detail", "details", "code", "led"),
    *("attempt", "talk to me", "<<<", "permanent error", "transient error", "email 1", "server response"),
)
_BARE: Final = ("<<<", "permanent error", "transient error", "said", "talk to me")  # of them, those that need no colon
# A report of earlier attempts: what was temporary then is over.
_EARLIER: Final = ("earlier attempt", "previous attempt", "first attempt", "prior attempt")
# What the outer words decide, whatever they quote: time ran out; the sender's address, or its own login, was tried.
_OUTER: Final = (
    *("expired", "too old", "too long", "retry timeout", "giving up after", "gave up", "no longer be made", " hours"),
    *(" days", "verif", "callout", "callback", "sasl "),
)
# What scanners, lawyers and companies put below every mail. Nothing from there on is about this one.
_FOOTERS: Final = re.compile(
    r"(?:this|the|that|your) (?:e-?mail|message|mail)[a-z ]{0,60} (?:scanned|checked|certified) (?:for|by|with|as|and) "
    r"|(?:^|[.;:!>*_-] ?)(?:scanned|checked|certified|protected) (?:by|with|for viruses)\b"
    r"|(?:for (?:the )?[a-z]{4,12} (?:of|against) [a-z ]{3,30})?\b(?:all|every) (?:incoming |inbound |our )?"
    r"(?:e-?mails?|messages?|mails?)[a-z ]{0,30} (?:is|are) (?:checked|scanned|filtered|examined)"
    r"|(?:e-?mail|message) is (?:certified )?virus[ -]free|virus[ -]free\. |no virus(?:es)? found in this"
    r"|this (?:e-?mail|message|communication)[a-z ,]{0,60}(?:confidential|privileged)"
    r"|this (?:e-?mail|message|communication)[a-z ,]{0,40} intended (?:only|solely|for)"
    r"|information contained in this (?:e-?mail|message|communication)"
    r"|if you are not the (?:intended|named) (?:recipient|addressee)"
    r"|confidentiality (?:notice|note)|legal (?:notice|disclaimer)|(?:^|[.>*_-] ?)disclaimer\b"
    r"|our (?:e-?mail|mail) policy:"
    r"|diese? (?:e-?mail|nachricht) [a-zäöüß -]{0,60}(?:vertraulich|geprüft|geprueft|viren)"
    r"|ce (?:message|courriel|mail) [a-zéèêà, ]{0,60}(?:confidentiel|virus)"
    r"|est[ea] (?:mensaje|correo|e-?mail|mensagem) [a-záéíóúãõñç, ]{0,60}(?:confiden|v[ií]rus)"
    r"|quest[oa] (?:messaggio|e-?mail) [a-zàèéìòù, ]{0,60}(?:riservat|confidenzial|virus)"
    r"|dit (?:bericht|e-?mail) [a-z, -]{0,60}(?:vertrouwelijk|virus)"
)


class Reply(Struct, frozen=True):
    """The innermost reply of a text."""

    text: str
    inner: bool = False  # something was peeled off that may have a code of its own
    gateway: bool = False  # … and whose general status says nothing


def peel(text: str) -> Reply:
    """Return the innermost reply that `text`, in one line (`join_lines`), quotes, without footers; else the text."""
    flat = text[:LIMIT]
    lowered = flat.lower() if flat.isascii() else flat.translate(_LOWER)
    codes = [found.start() for found in _CODE.finditer(lowered)]
    # One of these is in each of _SAID. Written out, because a loop takes three times as long, and every text comes by.
    is_said = " said" in lowered or "erver " in lowered or "responded with" in lowered or "with message" in lowered
    if codes and codes[0] == 0:
        if len(codes) == 1 and not is_said:
            return Reply(flat)  # a reply, and no more, as most texts are
        if lowered[0] == "5" and (end := max(lowered.find(words) for words in _EARLIER)) > 0:
            return Reply(flat[:end])  # what stands behind it was before
    elif _may_have_footer(lowered) and (footer := _FOOTERS.search(lowered)):
        end = footer.start()
        flat, lowered, codes = flat[:end], lowered[:end], [at for at in codes if at < end]
    if codes or is_said:
        begin, is_gateway = _find_quotation(lowered, codes, is_said=is_said)
        if begin and (is_gateway or not _has_any(lowered[:begin], _OUTER)):
            return Reply(flat[begin:], inner=True, gateway=is_gateway)
    return Reply(flat)


def _may_have_footer(lowered: str) -> bool:
    """Say whether one of the words is there that each of `_FOOTERS` holds; written out, as above."""
    return (
        "scanned" in lowered
        or "checked" in lowered
        or "confid" in lowered
        or "virus" in lowered
        or "intended" in lowered
        or "claimer" in lowered
        or "legal n" in lowered
        or "policy:" in lowered
        or "certified" in lowered
        or "protected" in lowered
        or "privileged" in lowered
        or "filtered" in lowered
        or "examined" in lowered
        or "viren" in lowered
        or "vertr" in lowered
        or "gepr" in lowered
        or "riservat" in lowered
        or "vírus" in lowered
        or "contained in this" in lowered
        or "not the named" in lowered
    )


def _find_quotation(lowered: str, codes: Sequence[int], *, is_said: bool) -> tuple[int, bool]:
    """Return where the last quotation begins, 0 where there is none; and whether it is a gateway's.

    There are codes at `codes`. Where the one at the beginning comes again it is a line of the same reply.
    """
    first = lowered[:3] if codes and codes[0] == 0 else ""
    gateway, places = 0, []
    for at in codes:
        if at and not (first and lowered.startswith(first, at)):
            before = lowered[at - 80 if at > 80 else 0 : at]
            if _is_gateway(before):
                gateway = at
            elif _is_announced(before):
                places.append(at)
    if is_said:
        places += [lowered.rfind(words) + len(words) for words in _SAID if words in lowered]
    if len(codes) > 1 and _has_any(lowered, _EARLIER):
        places += [at for at in codes if lowered[at] == "5"]
    for place in sorted(places, reverse=True):
        if place > gateway and _says_more(lowered[place:]):
            return place, gateway > 0
    return gateway, gateway > 0


def _has_any(text: str, signs: Sequence[str]) -> bool:
    """Say whether any of `signs` is in `text`; a loop, because `any` of a generator takes twice the time."""
    for sign in signs:  # noqa: SIM110
        if sign in text:
            return True
    return False


def _is_gateway(before: str) -> bool:
    """Say whether the text before a code is a gateway's own."""
    return (" - " in before or "#" in before) and _GATEWAY.search(before) is not None


def _says_more(rest: str) -> bool:
    """Say whether a quotation holds a word that could be a reason (as `says_why` does of a folded text)."""
    for token in rest.split():
        word = token.strip(_MARKS)
        if word not in EMPTY_WORDS and ((word.isalpha() and len(word) > MAX_EMPTY) or not word.isascii()):
            return True
        if not word.isalpha() and "@" not in word and "." not in word and says_why(fold(word)):
            return True
    return False


def _is_announced(before: str) -> bool:
    """Say whether the text before a code announces a quotation."""
    words = before.rstrip(_OPENING)
    return words.endswith(_QUOTED) and (words.endswith(_BARE) or not before[len(words) :].isspace())

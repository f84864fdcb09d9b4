"""Cuts off what stands below a notice and is no part of it: disclaimers, lines of virus scanners, footers of lists.

They speak of viruses, spam, confidential content and intended recipients, so they read like reasons. A notice ends at
the first of them below which no reply and no failed address stands any more; what stands above is never cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from aftersend.sources.report.addresses import ADDRESS
from aftersend.sources.report.notice import Notice, lower

# Wordings of systems and of lawyers, lower-case; each is looked for in the text on one line.
# fmt: off
PHRASES: Final = (
    # English
    "has been scanned", "have been scanned", "was scanned by", "were scanned", "scanned for virus", "scanned for all",
    "scanned by mailscanner", "checked for virus", "checked for known virus", "checked for all known", "swept for",
    "believed to be clean", "virus-free", "virus free", "no virus found", "no viruses found", "no viruses were found",
    "checked by avg", "any files transmitted with it", "and any attachment", "and its attachment", "is confidential",
    "are confidential", "be confidential", "confidentiality not", "confidential and", "confidential information",
    "legal notice", "legal disclaimer", "disclaimer", "legally privileged", "not the intended recipient",
    "not an intended recipient", "not the named addressee", "intended only for", "intended solely for",
    "solely for the use", "for the sole use", "have received this in error", "have received this message in error",
    "have received this email in error", "have received this e-mail in error", "received this communication in error",
    "unauthorised use", "unauthorized use", "consider the environment", "accept liability", "accepts no liability",
    "no responsibility for", "registered office", "registered in england", "to unsubscribe", "unsubscribe from this",
    "because you are subscribed", "sent from my ", "email security system", "for more information please visit",
    # German
    "vertraulich", "rechtlicher hinweis", "haftungsausschluss", "nicht der richtige adressat", "auf viren gepr",
    "auf viren gescannt", "auf viren untersucht", "virenfrei", "nicht der beabsichtigte empf", "pflichtangaben",
    # French
    "confidentiel", "avertissement juridique", "pas le destinataire", "pièces jointes", "aucun virus",
    "absence de virus", "analysé par", "contrôle antivirus", "mention légale",
    # Spanish, Portuguese, Catalan
    "aviso legal", "confidencial", "ha sido analizad", "ha sido escanead", "libre de virus", "no es el destinatario",
    "livre de vírus", "foi verificad", "verificada por", "não for o destinatário", "foi analisad",
    # Italian
    "riservatezza", "riservate", "confidenziali", "non siete il destinatario", "non è il destinatario",
    "esente da virus", "privo di virus", "controllato da", "controllata da",
    # Dutch
    "vertrouwelijk", "uitsluitend bestemd", "op virussen", "virusvrij",
    # Swedish, Norwegian, Danish, Finnish, Icelandic
    "konfidentiel", "konfidensiel", "fortrolig", "sekretess", "virusfri", "virussökt", "för virus", "for virus",
    "luottamuksellinen", "viruksia", "virustarkist", "trúnaðar",
    # Polish, Czech, Slovak, Slovene, Croatian
    "poufn", "wolna od wirus", "na obecność wirus", "sprawdzona pod kątem", "zastrzeżen", "důvěrn", "neobsahuje vir",
    "dôvern", "neobsahuje vír", "prosta virus", "zaupn", "povjerljiv", "bez virusa",
    # Hungarian, Romanian, Greek, Turkish
    "bizalmas", "vírusmentes", "confidențial", "confidenţial", "fără viruși", "εμπιστευτικ", "απόρρητ", "gizlidir",
    "gizli bilgi", "yasal uyar", "virüs tarama", "virüs içermez",
    # Russian, Ukrainian, Bulgarian
    "конфиденциальн", "на вирусы", "на наличие вирусов", "не содержит вирус", "конфіденційн", "на віруси",
    "не містить вірус", "поверителн", "за вируси",
    # Hebrew, Arabic, Thai, Vietnamese, Indonesian
    "חסוי", "סודיות", "נסרק", "سرية", "خالية من الفيروسات", "ความลับ", "ปลอดไวรัส", "bảo mật", "rahasia",
    "bebas virus",
    # Chinese, Japanese, Korean
    "保密", "机密", "機密", "免责声明", "免責聲明", "病毒扫描", "病毒掃描", "病毒检查", "ウイルスチェック",
    "ウイルススキャン", "ウイルス検査", "ウィルスチェック", "秘密情報", "기밀", "바이러스 검사",
)
# fmt: on
_ASCII_PHRASES: Final = tuple(phrase for phrase in PHRASES if phrase.isascii())
_RULE: Final = re.compile(r"\n[ \t]{0,8}(?:_{8,}|-{2} ?$)", re.MULTILINE)  # "________", and "-- " of a signature
_ANY_RULE: Final = re.compile(r"\n[ \t]{0,8}[_=*~#-]{4,200}[ \t]{0,8}\n?\Z")
# What no footer has: a reply, or an address on a line of its own.
_EVIDENCE: Final = re.compile(
    rf"(?:^|[\s:;>(])[45][0-5]\d[ -](?:#?[45]\.\d|[A-Za-z<])|#[45]\.\d\.\d|"
    rf"(?:^|\n)[ \t]{{0,40}}<?{ADDRESS}>?[ \t]{{0,9}}(?::|\n|$)",
)
# What makes a finding of it: it is the reason then.
_FINDING: Final = re.compile(
    r"\b(?:infected|quarantin\w+|blocked|rejected|refused|contain(?:s|ed) (?:a |the )?(?:virus|malware)|"
    r"(?<!no )(?<!0 )virus(?:es)? (?:was|were|has been|have been)? ?(?:found|detected)|"
    r"not (?:been )?(?:delivered|accepted))\b"
)
_MAX_TRIES: Final = 3  # of one phrase
_MIN_NOTICE: Final = 16  # letters that stand above a footer, else it is the notice


def get_words(notice: Notice) -> str:
    """Return the text of a notice without its footer, which is looked for once."""
    if notice.words is None:
        notice.words = cut_footer(notice.text)
    return notice.words


def cut_footer(text: str) -> str:
    """Return the notice in `text` without the footer below it."""
    flat = lower(text).replace("\n", " ")
    phrases = [phrase for phrase in (_ASCII_PHRASES if flat.isascii() else PHRASES) if phrase in flat]
    if not phrases and "________" not in text and "\n-- " not in text and "\n--\n" not in text:
        return text
    least = max([_find_opening(text), *(match.start() + 1 for match in _EVIDENCE.finditer(text))])
    rule = _RULE.search(text, least - 1)
    starts = [*_find_lines(text, flat, phrases, least), *([rule.start()] if rule else [])]
    return _ANY_RULE.sub("", text[: min(starts)]) if starts else text


def _find_opening(text: str) -> int:
    """Where enough has been said for a notice."""
    letters = 0
    for at, character in enumerate(text):
        letters += character.isalpha()
        if letters >= _MIN_NOTICE:
            return at + 1
    return len(text)


def _find_lines(text: str, flat: str, phrases: list[str], least: int) -> Iterator[int]:
    """Yield where lines with one of these phrases begin, none before `least`; `flat` is the text on one line."""
    since = text.find("\n", least - 1) + 1 or len(text)
    for phrase in phrases:
        at = since - 1
        for _ in range(_MAX_TRIES):
            at = flat.find(phrase, at + 1)
            if at < 0:
                break
            start = text.rfind("\n", 0, at) + 1
            if not _FINDING.search(flat, start, at + len(phrase) + 120):
                yield start
                break

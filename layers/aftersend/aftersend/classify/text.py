"""Makes one canonical line of words out of any SMTP reply, in one pass and in linear time.

Whatever names a person, a machine or a single message becomes a mask (`ADDR HOST IP URL NUM`), so that no rule can
match a recipient called `spam@` or a host called `blocked.example`, and so that two replies which say the same are
equal. Reply codes and the prefixes of continuation lines vanish, which folds multi-line replies by itself. So do the
marks on letters: a system that has no "ã" writes "nao" for "não", and both are one word.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from aftersend.classify.boilerplate import BOILERPLATE, EMPTY_WORDS, KNOWN_HOSTS, SENTENCE, STOCK, TAGS

LIMIT: Final = 2_000  # characters of a text that are read at all
MEMORY: Final = 2_048  # odd tokens whose reading is remembered: codes, hosts, words with a full stop

RECENT: Final = 16  # texts whose words are remembered: one is looked at more than once before the next

ADDR, HOST, IP, URL, NUM = "ADDR", "HOST", "IP", "URL", "NUM"
MASKS: Final = frozenset((ADDR, HOST, IP, URL, NUM))
MAX_EMPTY: Final = 2  # letters of a word that cannot be a reason

_DROPPED: Final = "'\u2019`\u00b4\u200b\u200c\u200d\u200e\u200f\u00ad\u0640\ufeff"
_SPACED: Final = '<>()[]{}",;\\\u201c\u201d\u201e\u00ab\u00bb\u2018\u3000\u3001\u3002\uff0c\uff01\uff1a\u2026'
_TABLE: Final = str.maketrans({**dict.fromkeys(_DROPPED), **dict.fromkeys(_SPACED, " ")})
_ASCII: Final = bytes(ord(" ") if chr(code) in _SPACED else code for code in range(256))
_ASCII_DROPPED: Final = "".join(filter(str.isascii, _DROPPED)).encode()
_WRAPPING: Final = frozenset(BOILERPLATE)
_LEADING: Final = frozenset(STOCK)
_KNOWN: Final = _WRAPPING | _LEADING
_WRAPPING_ORDER: Final = {word: at for at, word in enumerate(BOILERPLATE)}
_EDGES: Final = ".:-/_#@!?=|*+^~$%&"
_INNER: Final = str.maketrans(dict.fromkeys(_EDGES, " "))
# Letters that no decomposition makes plain, and the marks that it leaves: of Latin, Greek and Cyrillic, of Hebrew and
# Arabic vowels. Those of Japanese, Thai and other scripts make other letters, and stay.
_PLAIN: Final = str.maketrans(
    {
        **{"ł": "l", "ø": "o", "đ": "d", "ð": "d", "\u0131": "i", "æ": "ae", "œ": "oe", "þ": "th", "\u0491": "\u0433"},
        **dict.fromkeys(map(chr, (*range(0x300, 0x370), *range(0x591, 0x5C8), *range(0x64B, 0x660), 0x670))),
    }
)
_IPV6: Final = frozenset("0123456789abcdef:.%")


def fold(text: str) -> str:
    """Return the words of `text` between single spaces, with one at both ends: what patterns are matched against."""
    return f" {' '.join(split_words(text))} "


@lru_cache(RECENT)
def split_words(text: str) -> Sequence[str]:
    """Return the folded words of `text`."""
    lowered = _mask_quoted(_decode_iso_2022_jp(text[:LIMIT])).casefold()
    if not lowered.isascii():
        lowered = _simplify(lowered)
    lowered = lowered.replace("e-mail", "email").replace("...", " ")
    words: list[str] = []  # nobody changes what is remembered
    for token in _replace_punctuation(lowered).split():
        if token.isalpha():
            words.append(token)
        else:
            for word in _read_token(token):
                if word not in MASKS or not words or words[-1] != word:  # lists of addresses have no length
                    words.append(word)
    return words


def _simplify(text: str) -> str:
    """Take the marks off letters, and put usual forms for wide, narrow and joined ones."""
    bare = unicodedata.normalize("NFKD", text).translate(_PLAIN)
    return unicodedata.normalize("NFC", bare)[:LIMIT].casefold()


def _replace_punctuation(text: str) -> str:
    """Drop quotation marks, and put blanks for brackets and the like; most texts are ASCII, which goes faster."""
    if text.isascii():
        return text.encode().translate(_ASCII, _ASCII_DROPPED).decode()
    return text.translate(_TABLE)


def _decode_iso_2022_jp(text: str) -> str:
    """Decode ISO-2022-JP, which Japanese mail systems quote as it came; leave anything else alone."""
    if "$B" not in text or "(B" not in text:
        return text
    for escape in ("$B", "(B"):  # the escape character itself may have been lost, or made a blank
        text = text.replace(f"\x1b{escape}", escape).replace(f" {escape}", escape).replace(escape, f"\x1b{escape}")
    return codecs.decode(text.encode("ascii", "replace"), "iso2022_jp", "replace")


def _mask_quoted(text: str) -> str:
    """Mask quoted local parts, which may hold spaces and any words, before words are cut apart."""
    at = text.find('"@')
    while at > 0:
        start = text.rfind('"', 0, at)
        if start < 0:
            break
        text = f"{text[:start]}x{text[at + 1 :]}"
        at = text.find('"@', start)
    return text


@lru_cache(MEMORY)
def _read_token(token: str) -> tuple[str, ...]:
    """Return what a token of more than letters stands for: a mask, nothing (a code), or several words."""
    token = token.strip(_EDGES)
    if token.isalpha():
        return (token,)
    if "@" in token:
        rest = "" if "://" in token else token.rpartition("@")[2].partition(":")[2]  # "user@corp.example:blocked"
        return (ADDR, *_read_token(rest)) if rest else (ADDR,)
    if "://" in token:
        return _read_url(token.split("://", 1)[1])
    if "." in token and not token.startswith(TAGS):
        return _read_dotted(token)
    if token.count(":") > 1 and _IPV6.issuperset(token.removeprefix("ipv6:")):
        return (IP,)
    return _split_token(token)


def _read_url(rest: str) -> tuple[str, ...]:
    host, _, path = rest.partition("/")
    known = _look_up_host(host.partition(":")[0])
    return (known, *_split_token(path)) if known else (URL,)


def _look_up_host(host: str) -> str | None:
    """Return the word for a machine whose name is evidence, by its last labels."""
    labels = host.split(".")
    for start in range(max(len(labels) - 4, 0), len(labels) - 1):
        word = KNOWN_HOSTS.get(".".join(labels[start:]))
        if word:
            return word
    return None


def _read_dotted(token: str) -> tuple[str, ...]:
    """Read a host name, an IP address, an enhanced status (nothing), or two sentences without a space between."""
    head, _, path = token.partition("/")
    name = head.partition(":")[0]
    labels = name.split(".")
    known = _look_up_host(name)
    if known:
        words: tuple[str, ...] = (known,)
    elif all(map(str.isdigit, labels)):
        words = () if len(labels) == 3 else (IP,) if len(labels) == 4 else (NUM,)
    elif labels[-1].isdigit() and "-" in name:  # 550-5.1.1: the prefix of a continuation line
        words = _read_token(name.partition("-")[2])
    elif "" in labels or (len(labels) == 2 and labels[1] in SENTENCE):
        words = _split_token(name)
    else:
        words = (HOST,)
    return words + _split_token(path)


def _split_token(token: str) -> tuple[str, ...]:
    letters, _, digits = token.partition("_")
    if digits and _is_tag(letters + digits) and letters.isalpha():  # "ofr_506"
        return (letters + digits,)
    words = []
    for part in token.translate(_INNER).split():
        if part.isalpha() or _is_tag(part) or not (part.isascii() or any(map(str.isdigit, part))):
            words.append(part)
        elif not _is_code(part):
            words.append(NUM)
    return tuple(words)


def _is_code(part: str) -> bool:
    """Say whether `part` is a reply code, which is judged apart from the text."""
    return len(part) == 3 and part.isdigit() and part[0] in "245"


def _is_tag(part: str) -> bool:
    """Say whether `part` is a provider's own error tag, "ofr005" or "tss04": letters, then few digits; no queue id."""
    letters = part.rstrip("0123456789")
    return 0 < len(letters) <= 7 and letters.isalpha() and len(part) - len(letters) <= 6


def normalise(text: str) -> str:
    """Return the stable key of a text: equal for replies that say the same of different messages and machines.

    What is wrapped around a reply falls away; the stock sentences of a reply code do where anything else is said.
    """
    words = split_words(text)
    line = f" {' '.join(words)} "
    known = _KNOWN.intersection(words)
    if not known:
        return line
    for word in sorted(_WRAPPING.intersection(known), key=_WRAPPING_ORDER.__getitem__):
        for phrase in BOILERPLATE[word]:
            line = line.replace(phrase, " ")
    for word in _LEADING.intersection(known):
        stock = next((phrase for phrase in STOCK[word] if phrase in line), None)
        rest = line.replace(stock, " ") if stock else ""
        if says_why(rest):
            line = rest
    return line


def says_why(line: str) -> bool:
    """Say whether anything in a folded text could be a reason: more than codes, names and what every refusal has."""
    return any(
        not word.isascii() or (len(word) > MAX_EMPTY and word.isalpha() and word not in EMPTY_WORDS)
        for word in line.split()
    )

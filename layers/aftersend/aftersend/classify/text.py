"""Makes one canonical line of words out of any SMTP reply, in one pass and in linear time.

Whatever names a person, a machine or a single message becomes a mask (`ADDR HOST IP URL NUM`), so that no rule can
match a recipient called `spam@` or a host called `blocked.example`, and so that two replies which say the same are
equal. Reply codes and the prefixes of continuation lines vanish, which folds multi-line replies by itself.
"""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import Final

LIMIT: Final = 2_000  # characters of a text that are read at all
MEMORY: Final = 2_048  # odd tokens whose reading is remembered: codes, hosts, words with a full stop

ADDR, HOST, IP, URL, NUM = "ADDR", "HOST", "IP", "URL", "NUM"
MASKS: Final = frozenset((ADDR, HOST, IP, URL, NUM))

# Machines whose name is evidence: block lists and the help pages of providers. Their name becomes one word; the words
# of the path are kept, because "?p=DisabledUser" says more than the sentence before it.
KNOWN_HOSTS: Final = {
    "spamhaus.org": "spamhaus",
    "spamhaus.net": "spamhaus",
    "abuseat.org": "spamhaus",
    "spamcop.net": "spamcop",
    "barracudacentral.org": "barracudacentral",
    "barracudanetworks.com": "barracudacentral",
    "sorbs.net": "sorbs",
    "uceprotect.net": "uceprotect",
    "spamrats.com": "spamrats",
    "uribl.com": "uribl",
    "surbl.org": "surbl",
    "dnswl.org": "dnswl",
    "senderbase.org": "senderbase",
    "senderscore.org": "senderscore",
    "senderscore.net": "senderscore",
    "mailspike.net": "mailspike",
    "mailspike.org": "mailspike",
    "njabl.org": "njabl",
    "ordb.org": "ordb",
    "dsbl.org": "dsbl",
    "cloudmark.com": "cloudmark",
    "cloudfilter.net": "cloudfilter",
    "openspf.org": "openspf",
    "openspf.net": "openspf",
    "spf.pobox.com": "openspf",
    "ipcheck.proofpoint.com": "proofpointipcheck",
    "groups.google.com": "googlegroups",
    "support.google.com": "googlesupport",
    "mail.google.com": "googlesupport",
    "go.microsoft.com": "microsoftsupport",
    "sender.office.com": "microsoftdelist",
    "mail.live.com": "microsoftsupport",
    "postmaster.live.com": "microsoftsupport",
    "postmaster.gmx.com": "gmxpostmaster",
    "postmaster.gmx.net": "gmxpostmaster",
    "postmaster.web.de": "gmxpostmaster",
    "postmaster.1und1.de": "gmxpostmaster",
    "postmaster.aol.com": "aolpostmaster",
    "help.yahoo.com": "yahoohelp",
    "postmaster.yahoo.com": "yahoohelp",
    "postmaster.comcast.net": "comcastpostmaster",
    "service.mail.qq.com": "qqhelp",
    "help.mail.163.com": "neteasehelp",
    "mail.163.com": "neteasehelp",
    "mail.ru": "mailruhelp",
}
# The first words of sentences that some systems glue to the full stop before: "user unknown.Please check".
SENTENCE: Final = frozenset(
    ["a", "address", "an", "and", "authentication", "because", "by", "check", "client", "contact", "delivery", "domain", "email", "error", "fix", "for", "from", "giving", "help", "host", "http", "https", "if", "in", "invalid", "ip", "it", "its", "learn", "mail", "mailbox", "message", "no", "not", "please", "recipient", "refer", "reason", "rejected", "see", "send", "sender", "server", "sorry", "spam", "the", "this", "to", "try", "user", "users", "visit", "we", "you", "your"]
)
# Dotted words of Exchange that are tags, not machines.
TAGS: Final = ("resolver.", "storedrv.", "smtpsend.", "queue.expired", "routing.", "dsn.", "transport.", "agent.")

# What mail systems and their notices wrap around a reply, as folded: it says nothing, and some of it misleads.
BOILERPLATE: Final = (
    " in reply to rcpt to command ",
    " in reply to mail from command ",
    " in reply to end of data command ",
    " in reply to data command ",
    " host HOST IP said ",
    " HOST IP said ",
    " remote host said ",
    " remote server returned ",
    " recipient address rejected ",
    " was rejected by the recipient domain ",
    " was rejected by the server for the recipient domain ",
    " has rejected address ",
    " each of the following recipients was rejected by a remote mail server ",
    " does not like recipient ",
    " address not found your message wasnt delivered to ADDR because ",
    " the address couldnt be found or is unable to receive mail ",
    " the address couldnt be found check for typos or unnecessary spaces and try again ",
    " check for typos or unnecessary spaces and try again ",
    " message blocked your message to ADDR has been blocked see technical details below ",
    " delivery temporarily suspended ",
    " portions of this message may be unreadable without a mime capable mail program ",
    " understand mime message format ",
    " message not delivered there was a problem delivering your message to ADDR ",
    " recipient inbox full your message couldnt be delivered to ADDR ",
    " delivery to the following recipient failed permanently ",
    " technical details of permanent failure ",
    " smtp error from remote mail server after rcpt to ADDR ",
    " smtp error from remote mail server after end of data ",
    " diagnostic information for administrators ",
    " see URL ",
    " need rcpt recipient ",
    " need rcpt command ",
    " error no valid recipients ",
    " valid rcpt command must precede data ",
    " all rcpt commands were rejected with this error ",
)

_DROPPED: Final = "'\u2019`\u00b4\u200b\u200e\u200f\u00ad"
_SPACED: Final = '<>()[]{}",;\\\u201c\u201d\u201e\u00ab\u00bb\u2018\u3000\u3001\u3002\uff0c\uff01\uff1a\u2026'
_TABLE: Final = str.maketrans({**dict.fromkeys(_DROPPED), **dict.fromkeys(_SPACED, " ")})
_EDGES: Final = ".:-/_#@!?=|*+^~$%&"
_INNER: Final = str.maketrans(dict.fromkeys(_EDGES, " "))
_IPV6: Final = frozenset("0123456789abcdef:.%")


def fold(text: str) -> str:
    """The words of `text` between single spaces, with a space at both ends: what patterns are matched against."""
    lowered = _unquoted(_decoded(text[:LIMIT])).casefold().replace("e-mail", "email").translate(_TABLE)
    words: list[str] = []
    for token in lowered.split():
        if token.isalpha():
            words.append(token)
        else:
            for word in _odd(token):
                if word not in MASKS or not words or words[-1] != word:  # lists of addresses have no length
                    words.append(word)
    return f" {' '.join(words)} "


def _decoded(text: str) -> str:
    """Japanese mail systems quote ISO-2022-JP as it came; anything else is left alone."""
    if "$B" not in text or "(B" not in text:
        return text
    for escape in ("$B", "(B"):  # the escape character itself may have been lost, or made a blank
        text = text.replace(f"\x1b{escape}", escape).replace(f" {escape}", escape).replace(escape, f"\x1b{escape}")
    return codecs.decode(text.encode("ascii", "replace"), "iso2022_jp", "replace")


def _unquoted(text: str) -> str:
    """A quoted local part may hold spaces and any words: mask it before they are cut apart."""
    at = text.find('"@')
    while at > 0:
        start = text.rfind('"', 0, at)
        if start < 0:
            break
        text = f"{text[:start]}x{text[at + 1 :]}"
        at = text.find('"@', start)
    return text


@lru_cache(MEMORY)
def _odd(token: str) -> tuple[str, ...]:
    """A token that is more than letters: a mask, a code (nothing), or several words."""
    token = token.strip(_EDGES)
    if token.isalpha():
        return (token,)
    if not token:
        return ()
    if "://" in token:
        return _url(token.split("://", 1)[1])
    if "@" in token:
        said = token.rpartition("@")[2].partition(":")[2]  # "user@corp.example:blocked"
        return (ADDR, *_odd(said)) if said else (ADDR,)
    if token.isdigit():
        return () if _is_code(token) else (NUM,)
    if "." in token and not token.startswith(TAGS):
        return _dotted(token)
    if token.count(":") > 1 and _IPV6.issuperset(token):
        return (IP,)
    return _split(token)


def _url(rest: str) -> tuple[str, ...]:
    host, _, path = rest.partition("/")
    known = _known(host.partition(":")[0])
    return (known, *_split(path)) if known else (URL,)


def _known(host: str) -> str | None:
    """The word for a machine whose name is evidence: looked up by its last labels."""
    labels = host.split(".")
    for start in range(max(len(labels) - 4, 0), len(labels) - 1):
        word = KNOWN_HOSTS.get(".".join(labels[start:]))
        if word:
            return word
    return None


def _dotted(token: str) -> tuple[str, ...]:
    """A host name, an IP address, an enhanced status (nothing), or two sentences without a space between."""
    head, _, path = token.partition("/")
    name = head.partition(":")[0]
    labels = name.split(".")
    known = _known(name)
    if known:
        words: tuple[str, ...] = (known,)
    elif all(map(str.isdigit, labels)):
        words = () if len(labels) == 3 else (IP,) if len(labels) == 4 else (NUM,)
    elif labels[-1].isdigit() and "-" in name:  # 550-5.1.1: the prefix of a continuation line
        words = _odd(name.partition("-")[2])
    elif "" in labels or (len(labels) == 2 and labels[1] in SENTENCE):
        words = _split(name)
    else:
        words = (HOST,)
    return words + _split(path)


def _split(token: str) -> tuple[str, ...]:
    words = []
    for part in token.translate(_INNER).split():
        if part.isalpha() or _is_tag(part) or not (part.isascii() or any(map(str.isdigit, part))):
            words.append(part)
        elif not _is_code(part):
            words.append(NUM)
    return tuple(words)


def _is_code(part: str) -> bool:
    """A reply code: it is judged apart from the text."""
    return len(part) == 3 and part.isdigit() and part[0] in "245"


def _is_tag(part: str) -> bool:
    """A provider's own error tag, "ofr005" or "tss04": letters, then few digits. A queue id is not like that."""
    letters = part.rstrip("0123456789")
    return 0 < len(letters) <= 7 and letters.isalpha() and len(part) - len(letters) <= 6


def normalise(text: str) -> str:
    """The stable key of a text: equal for replies that say the same of different messages and machines."""
    line = fold(text)
    for phrase in BOILERPLATE:
        if phrase in line:
            line = line.replace(phrase, " ")
    return line

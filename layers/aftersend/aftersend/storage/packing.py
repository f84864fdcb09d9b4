"""The facts of an outcome as one attribute: JSON that anybody can read, packed only where that saves a write unit.

DynamoDB charges a write for every KB of the whole item that is begun, and an outcome is written as often as something
new is said of it. An outcome that passes 1 KB is packed: with deflate in the format of zlib (RFC 1951, RFC 1950), given
beforehand what facts commonly say, so that a dozen of them still fit the first KB. Source: DynamoDB developer guide,
"Item sizes and formats".
"""

from __future__ import annotations

import zlib
from base64 import b64decode
from typing import Any, Final

UNIT: Final = 1024  # bytes of an item that one write unit pays for

_SMALL_WINDOW: Final = 12  # bits, of 4 KB
_SMALL_TEXT: Final = 4096 - 262  # bytes behind which deflate looks for what was there before (zlib's MAX_DIST)
_SMALL_MEMORY: Final = 5  # of zlib's levels: as little as takes no more time

Attribute = dict[str, Any]

# Never change it: what is stored could not be read any more. zlib keeps its checksum in whatever is packed with it, so
# another dictionary can be added beside it, and would be found by that. What is likeliest stands last.
COMMON: Final = b"".join(
    (
        b'"scope":"","reason":"message processing timeout","SmtpNxBox","SmtpFullBox","SysOutInvRcpt","failed_type',
        b'"phase":"connect""phase":"mail_from""phase":"data""tls":"TLSv1.3 TLS_AES_256_GCM_SHA384","attempt":2',
        b"552 5.2.2 mailbox is full over quota 421 4.7.0 Try again later, closing connection. Temporarily deferred",
        b"554 5.7.1 Service unavailable; client host blocked using sender rejected due to policy, spam message content",
        b"550 5.4.1 Recipient address rejected: Access denied 550 5.1.1 The email account that you tried to reach does",
        b" not exist. 550 5.1.1 User unknown, mailbox unavailable, no such user here",
        b'"source":"report","source":"mailerq","source":"directmail","event_id":"0100,"derived":true}}',
        b'"forgeable":true}},"received_as":"","provider_code":"Complaint/abuse","provider_code":"Transient/MailboxFull","phase":"rcpt_to"',
        b'"provider_code":"Delay/TransientCommunicationFailure","provider_code":"Permanent/General","action":"failed"',
        b'"kind":"complained","at":","kind":"unsubscribed","kind":"auto_replied","kind":"rejected","kind":"deferred",',
        b'"kind":"bounced","evidence":{"code":550,"status":"5.1.1","text":"smtp; 550 5.1.1 ","remote_mta":"mx.',
        b'"engagement":{"ip":"","user_agent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Gecko/20100101 Firefox/',
        b"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) ",
        b"Mobile/15E148 Safari/604.1 Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com ",
        b"GoogleImageProxy)YahooMailProxy; https://help.yahoo.com/ Version/ Edg/ Mozilla/5.0 (Linux; Android 10; K) ",
        b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 ",
        b'Safari/537.36","link":"https://www.","machine":true}},{"source":"ses","kind":"clicked","at":"20"id":"',
        b'"engagement":{"machine":true}},{"source":"ses","kind":"opened","at":"20',
        b'","evidence":{"code":250,"status":"2.0.0","text":"250 2.0.0 OK ","remote_mta":"192.","reporting_mta":"a',
        b'.smtp-out.eu-west-1.amazonses.com"}},{"source":"ses","kind":"delivered","at":"2026-',
        b'[{"source":"ses","kind":"sent","at":"2026-00Z","id":"',
    )
)


def measure_item(item: dict[str, Attribute]) -> int:
    """Return the bytes of an item as DynamoDB counts them."""
    texts, size = [*item], 0
    for attribute in item.values():
        if "S" in attribute:
            texts.append(attribute["S"])
        else:
            size += _measure_attribute(attribute)
    return size + _measure_text("".join(texts))


def _measure_text(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _measure_attribute(attribute: Attribute) -> int:
    [(kind, value)] = attribute.items()
    match kind:
        case "S":
            return _measure_text(value)
        case "B":
            return len(value)
        case "N":
            return len(value) // 2 + 2
        case "L":
            return 3 + sum(1 + _measure_attribute(each) for each in value)
        case "M":
            return 3 + len(value) + measure_item(value)
    return 1  # BOOL


def pack_facts(text: bytes, beside: int) -> Attribute:
    """Return the attribute that holds `text` (UTF-8).

    The item takes `beside` bytes without it, its name included.
    """
    if beside + len(text) > UNIT:
        small = deflate(text, COMMON, level=9)
        if _count_units(beside + len(small)) < _count_units(beside + len(text)):
            return {"B": small}
    return {"S": text.decode()}


def deflate(text: bytes, common: bytes, level: int) -> bytes:
    """Return `text` in the format of zlib, which was given beforehand what it may have in `common`.

    Most texts fit the smallest window that has all of both. Making a larger one takes as long as packing itself.
    """
    window = _SMALL_WINDOW if len(common) + len(text) <= _SMALL_TEXT else zlib.MAX_WBITS
    memory = _SMALL_MEMORY if window == _SMALL_WINDOW else zlib.DEF_MEM_LEVEL
    packer = zlib.compressobj(level=level, wbits=window, memLevel=memory, zdict=common)
    return packer.compress(text) + packer.flush()


def unpack_facts(attribute: Attribute) -> bytes | str:
    """Return the text (JSON) in an attribute that `pack_facts` made.

    It is str where it was left readable, else bytes in UTF-8. Binary comes as bytes or, as on the wire, as base64.
    Raises zlib.error or ValueError for what `pack_facts` did not make.
    """
    if "S" in attribute:
        return str(attribute["S"])
    small = attribute["B"]
    return zlib.decompressobj(zdict=COMMON).decompress(b64decode(small) if isinstance(small, str) else small)


def _count_units(length: int) -> int:
    return -(-length // UNIT)

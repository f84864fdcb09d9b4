"""The lean form of an outcome's item: what no key, index or filter needs is one packed attribute. Pure.

Native stay the keys, status, class, reason, version, when it expires, what a person should look at, and whatever an
index holds. All other attributes of the plain form go into `rest` as they are: whoever unpacks a row has the plain
form, and nothing else needs to know of it. An item names its form by its schema number. Which form is smaller follows
from the content alone, so equal outcomes are equal items.
"""

from __future__ import annotations

import zlib
from base64 import b64decode
from typing import Any, Final

import msgspec

from aftersend.storage.packing import COMMON, deflate, measure_item
from aftersend.storage.schema import ATTRIBUTE, encode_schema

SCHEMA: Final = 2  # of a lean row; the plain form is 1
REST: Final = "rest"

# What is packed, unless the row stands in an index that holds it: by the attribute that places it there.
_PACKED: Final = (
    *("decided_by", "first_at", "delivered_at", "bounced_at", "complained_at", "opened_at", "clicked_at", "engaged_at"),
    *("opens", "clicks", "attempts", "rule", "auto_replied", "unproven", "resolved", "saturated"),
    *("sender", "subject", "correlation"),
)
_HELD: Final = {"bounce": frozenset({"rule"}), "listed": frozenset({"sender"})}

# Never change it: what is stored could not be read any more (see `packing.COMMON`). What is likeliest stands last.
_COMMON: Final = COMMON + (
    b'"resolved":{"S":"{"by":"","at":"20","auto_replied":{"BOOL":true},"unproven":{"BOOL":true},"saturated":{"L":[{"S":'
    b'"complained_at":{"S":"2026-"bounced_at":{"S":"2026-"rule":{"S":"codes-5.1.1"},"attempts":{"N":"1"},"clicked_at":{"S":"2026-'
    b'"ses:caller-identity":{"S":""ses:from-domain":{"S":""ses:operation":{"S":"SendEmail"},"ses:outgoing-ip":{"S":""'
    b'ses:source-ip":{"S":""ses:configuration-set":{"S":"main"},"X-Campaign":{"S":"campaign":{"S":"","Message-ID":{"S":"<'
    b'"engaged_at":{"S":"2026-","opened_at":{"S":"2026-","opens":{"N":"1"},"clicks":{"N":"1"},"sender":{"S":"news@example.com"}'
    b',"subject":{"S":"","correlation":{"M":{"{"decided_by":{"S":"","first_at":{"S":"2026-01-01T10:00:00.000Z"},"delivered_at":'
    b'{"S":"2026-01-01T10:00:00.000Z"},"attempts":{"N":"1"},"sender":{"S":"","subject":{"S":"","correlation":{"M":{}}}\n'
    b'[{"source":"ses","kind":"sent","at":"2026-01-01T10:00:00Z","id":"'
)

Item = dict[str, Any]

_LEAN: Final = encode_schema(SCHEMA)
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


def pack_row(item: Item, facts: bytes) -> Item | None:
    """Return the lean row of a plain one that lacks its `facts` (JSON); None where it would not be smaller."""
    held: frozenset[str] = frozenset().union(*(names for key, names in _HELD.items() if key in item))
    packed: Item = {name: item[name] for name in _PACKED if name in item and name not in held}
    rest = deflate(_encode(packed) + b"\n" + facts, _COMMON, level=6)
    if len(rest) + len(REST) >= measure_item(packed) + len("feedback") + len(facts):
        return None
    lean = {name: value for name, value in item.items() if name not in packed}
    return lean | _LEAN | {REST: {"B": rest}}


def unpack_row(item: Item) -> Item:
    """Return the plain form of a row, whichever it has.

    Raises KeyError, zlib.error or ValueError for what `pack_row` did not make.
    """
    if item[ATTRIBUTE] != _LEAN[ATTRIBUTE]:
        return item
    rest = item[REST]["B"]
    text = zlib.decompressobj(zdict=_COMMON).decompress(b64decode(rest) if isinstance(rest, str) else rest)
    packed, _, facts = text.partition(b"\n")
    plain = {name: value for name, value in item.items() if name != REST}
    return plain | _decode(packed) | {"feedback": {"S": facts.decode()}}

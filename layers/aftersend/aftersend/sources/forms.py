"""The fields of an HTML form, as providers post them: every one, in their order, and the very bytes.

Sources: URL Standard (WHATWG), "application/x-www-form-urlencoded parsing"; RFC 7578 for multipart/form-data.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
MAX_FIELDS: Final = 1000

_BOUNDARY: Final = re.compile(r'boundary="?([^\s";,]{1,70})', re.I)
_NAME: Final = re.compile(rb'[;\s]name="([^"\r\n]{0,256})"', re.I)

Fields = list[tuple[bytes, bytes]]


def read_form(body: bytes, content_type: str = URLENCODED) -> Fields:
    """Return name and value of each field in `body`; raises ValueError for a form that is none, or has too many."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == MULTIPART:
        return _read_multipart(body, content_type)
    pairs = [pair for pair in body.split(b"&", MAX_FIELDS + 1) if pair]
    if len(pairs) > MAX_FIELDS:
        raise ValueError(f"a form of more than {MAX_FIELDS} fields")
    return [(_decode(name), _decode(value)) for name, _, value in (pair.partition(b"=") for pair in pairs)]


def _decode(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _read_multipart(body: bytes, content_type: str) -> Fields:
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        raise ValueError("a form of several parts that does not say what is between them")
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode("utf-8", "surrogatepass"), MAX_FIELDS + 2)
    if len(parts) > MAX_FIELDS + 2:
        raise ValueError(f"a form of more than {MAX_FIELDS} fields")
    if len(parts) < 2:
        raise ValueError("a form of several parts that has none")
    found: Fields = []
    for part in parts[1:]:
        head, blank, value = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if blank and name:
            found.append((name[1], value))
    return found

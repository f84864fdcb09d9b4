"""Turns the bytes of a mail into text, whatever they claim to be; nothing here raises, and nothing grows.

A mail is held as a string with one character per byte (Latin-1), so that cutting it apart costs no copying of
encodings. Only the texts that are read are decoded, by a fixed list of character sets: the name is the sender's, and
Python's registry of codecs would import modules and keep every name it was ever asked for.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

_UTF8, _LATIN, _JIS = "utf-8", "cp1252", "iso2022_jp"

_LONGEST: Final = 4  # bytes of one character

CHARSETS: Final = {
    "utf8": _UTF8,
    "usascii": _UTF8,
    "ascii": _UTF8,
    "unicode11utf7": "utf-7",
    "utf7": "utf-7",
    "utf16": "utf-16",
    "iso88591": _LATIN,
    "latin1": _LATIN,
    "windows1252": _LATIN,
    "cp1252": _LATIN,
    "iso88592": "iso8859-2",
    "iso88595": "iso8859-5",
    "iso88597": "iso8859-7",
    "iso88599": "iso8859-9",
    "iso885915": "iso8859-15",
    "windows1250": "cp1250",
    "windows1251": "cp1251",
    "windows1253": "cp1253",
    "windows1254": "cp1254",
    "windows1255": "cp1255",
    "windows1256": "cp1256",
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    "iso2022jp": _JIS,
    "csiso2022jp": _JIS,
    "iso2022jpms": _JIS,
    "shiftjis": "cp932",
    "sjis": "cp932",
    "windows31j": "cp932",
    "cp932": "cp932",
    "eucjp": "euc_jp",
    "iso2022kr": "iso2022_kr",
    "euckr": "cp949",
    "ksc56011987": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "hzgb2312": "hz",
    "big5": "big5",
}

_WORD: Final = re.compile(r"=\?([A-Za-z0-9_-]{2,30})(?:\*[A-Za-z-]{1,20})?\?([bBqQ])\?([^?\s]{0,512})\?=")
_BETWEEN_WORDS: Final = re.compile(r"\?=\s{1,8}=\?")
_BLANKS: Final = re.compile(r"[ \t\n]+")  # str.split() would take bytes of UTF-8 for blanks
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]")


def to_text(raw: bytes) -> str:
    """Return the mail with one character per byte and one line end for all three that are in use."""
    text = raw.decode("latin-1")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def decode_body(raw: str, charset: str, transfer: str, limit: int) -> str:
    """Return a part's body as text, transfer encoding and character set undone; at most `limit` bytes are read."""
    data = raw[: 4 * limit].encode("latin-1", "replace")
    if transfer == "quoted-printable":
        data = binascii.a2b_qp(data)
    elif transfer == "base64":
        data = decode_base64(data)
    text = decode_bytes(data[:limit], charset)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def decode_base64(data: bytes) -> bytes:
    """Return what base64 holds; strangers among the digits and a missing end are passed over."""
    digits = _NOT_BASE64.sub(b"", data)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def decode_bytes(data: bytes, charset: str) -> str:
    """Return the text of `data`: ISO-2022-JP where its escapes are seen, else as declared, UTF-8 or Windows-1252."""
    if b"\x1b$" in data:
        return data.decode(_JIS, "replace")
    codec = CHARSETS.get(charset.lower().replace("-", "").replace("_", "")[:20], _UTF8)
    if data.isascii() and codec in {_UTF8, _LATIN}:
        return data.decode("ascii")
    for tried in dict.fromkeys((codec, _UTF8)):
        try:
            return data.decode(tried)
        except UnicodeDecodeError as error:
            if error.start > len(data) - _LONGEST:  # cut inside its last character
                return data[: error.start].decode(tried, "replace")
    return data.decode(_LATIN, "replace")


def decode_field(raw: str) -> str:
    """Return the text of a field that names no character set; what is decoded already comes back as it is."""
    if raw.isascii() and "\x1b" not in raw:
        return raw
    try:
        data = raw.encode("latin-1")
        return data.decode(_JIS, "replace") if b"\x1b$" in data else data.decode(_UTF8)
    except UnicodeError:
        return raw


def decode_header(value: str) -> str:
    """Return a header with its encoded words (RFC 2047) decoded, on one line."""
    value = decode_field(_BLANKS.sub(" ", value))
    if "=?" not in value:
        return value
    return _WORD.sub(_decode_word, _BETWEEN_WORDS.sub("?==?", value))


def _decode_word(match: re.Match[str]) -> str:
    charset, encoding, encoded = match.groups()
    data = encoded.encode("ascii", "replace")
    plain = decode_base64(data) if encoding in "bB" else binascii.a2b_qp(data, header=True)
    return decode_bytes(plain, charset)

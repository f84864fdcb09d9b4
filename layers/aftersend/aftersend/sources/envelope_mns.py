"""What is not JSON and holds a body all the same: the XML of Alibaba Cloud's Message Service (MNS), and base64.

Sources: MNS documentation, "NotifyContentFormat" and "Encode messages". The XML is hostile input: entities and document
types are refused, and nothing of it is used but one text. It is read as far as that text, because the vendor's own
sample has a wrong closing tag after it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

MAX_XML: Final = 524_288  # MNS takes messages of 64 KB, and in XML one character may be six

_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]{16}[A-Za-z0-9+/\r\n]*={0,2}").fullmatch
_JSON_OR_XML: Final = (b"{", b"[", b"<")
_EVENT: Final = b"event="  # in every notification of DirectMail, and no base64


def unpack(body: bytes) -> bytes | None:
    """Return what the XML notification or the base64 in `body` holds, or None where it is neither."""
    body = body.strip()
    return _read_xml(body) if body.startswith(b"<") else _decode_base64(body)


def _decode_base64(body: bytes) -> bytes | None:
    """The bytes that base64 stands for, where they are a body: almost any text is base64 for something."""
    if _BASE64(body) is None:
        return None
    try:
        found = base64.b64decode(body.translate(None, b"\r\n"), validate=True).strip()
    except binascii.Error:
        return None
    return found if found.startswith(_JSON_OR_XML) or _EVENT in found else None


def _read_xml(body: bytes) -> bytes | None:
    """The text of `Message` in an MNS notification; None where there is none, or an attempt at mischief."""
    if len(body) > MAX_XML:
        return None
    # Only MNS sends XML, and nobody else should wait 9 ms for this.
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import ParseError, XMLParser  # noqa: PLC0415

    notification = _Notification()
    parser = XMLParser(target=notification, forbid_dtd=True)
    try:
        parser.feed(body.decode())  # as text, so that no declaration can name an encoding
    except (UnicodeDecodeError, DefusedXmlException):
        return None
    except ParseError:
        pass
    return notification.message or None


class _Notification:
    """Listens to a parser for the text of /Notification/Message, and builds nothing."""

    def __init__(self) -> None:
        self.message: bytes | None = None
        self._path: list[str] = []
        self._text: list[str] | None = None  # of the message that is being read

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        """An element opens; its name may carry a name space."""
        self._path.append(tag.rpartition("}")[2])
        if self._path == ["Notification", "Message"] and self.message is None:
            self._text = []

    def data(self, text: str) -> None:
        """A piece of text."""
        if self._text is not None:
            self._text.append(text)

    def end(self, _tag: str) -> None:
        """An element closes."""
        self._path.pop()
        if self._text is not None and len(self._path) == 1:
            self.message, self._text = "".join(self._text).encode(), None

"""Who sent a notification that MNS wrote as XML: hostile input, of which nothing is kept but three short texts.

Document types and entities are refused. What follows the texts need not be well-formed: the vendor's own sample has a
wrong closing tag near its end. A text that stands there twice says nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, XMLParser

from aftersend.core.errors import VerificationError
from aftersend.webhooks.schemes.contract import FailureCode

_MOST: Final = 1024  # characters of one text


def read_texts(body: bytes, names: Sequence[str]) -> list[str]:
    """Return the text of each element /Notification/<name>; raises VerificationError where one is not there once."""
    listener = _Listener(names)
    parser = XMLParser(target=listener, forbid_dtd=True)
    try:
        parser.feed(body.decode())  # as text, so that no declaration can name an encoding
    except (UnicodeDecodeError, DefusedXmlException) as error:
        raise VerificationError(FailureCode.MALFORMED, "not XML that anybody should read") from error
    except ParseError:
        pass
    found = [listener.found[name] for name in names]
    if any(len(each) != 1 for each in found):
        raise VerificationError(FailureCode.MALFORMED, "XML that does not say whose topic it comes from")
    return [each[0] for each in found]


class _Listener:
    """Listens to a parser for the wanted texts, and builds nothing."""

    def __init__(self, names: Sequence[str]) -> None:
        self.found: defaultdict[str, list[str]] = defaultdict(list)
        self._wanted = names
        self._path: list[str] = []
        self._text: str | None = None  # of the element that is being read

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        """Open an element; its name may carry a name space."""
        self._path.append(tag.rpartition("}")[2])
        self._text = "" if self._wanted_here() else None

    def data(self, text: str) -> None:
        """Take a piece of text."""
        if self._text is not None and len(self._text) < _MOST:
            self._text += text

    def end(self, _tag: str) -> None:
        """Close an element."""
        if self._text is not None:
            self.found[self._path[-1]].append(self._text[:_MOST])
        self._path.pop()
        self._text = None

    def _wanted_here(self) -> bool:
        return len(self._path) == 2 and self._path[0] == "Notification" and self._path[1] in self._wanted

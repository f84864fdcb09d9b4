"""What was asked, and by whom, out of an event of API Gateway's HTTP API (payload format 2.0), and hostile.

API Gateway hands the path on with its percent-encoding undone, and ends it at a "?" that was encoded. So an address or
an id that holds a question mark is sent with it encoded twice ("%253F"), and arrives with "%3F". The query string comes
as it was sent. Source: HTTP API developer guide, "Create AWS Lambda proxy integrations for HTTP APIs"; what it leaves
out about paths is in github.com/middleapi/standard-server, pull request 93.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from aftersend.api import cursors
from aftersend.api.desk import Desk, desk_of
from aftersend.api.problems import Problem
from aftersend.api.routing import Router
from aftersend.core.errors import DECODE_ERRORS, VersionMoved
from aftersend.core.recipient import canonicalize_recipient
from aftersend.core.text import truncate

MAX_BODY: Final = 512 * 1024  # bytes; a thousand addresses of the greatest length
MAX_KEY: Final = 1000  # bytes; DynamoDB takes 1,024 in the key of an index
MAX_BY: Final = 256  # bytes of an identity that are kept
_PARAMETERS: Final = 16
_PAGING: Final = frozenset({"cursor", "limit"})
_TAG: Final = re.compile(r'"\d{1,15}"|\d{1,15}').fullmatch  # an entity tag is quoted, which people forget
_PLAIN: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,1000}").fullmatch
_CHANNELS: Final = frozenset({"sms", "push", "erased"})
_T = TypeVar("_T")
_S = TypeVar("_S", bound=Struct)


class Asked(Struct, frozen=True):
    """One request."""

    event: dict[str, Any]
    desk: Desk
    by: str  # the caller's identity, as API Gateway knows it
    query: dict[str, str]

    def parameters(self, shape: type[_S]) -> _S:
        """The query string as a Struct."""
        try:
            found = msgspec.convert(self.query, shape, strict=False)
        except msgspec.ValidationError as error:
            raise Problem("invalid", f"parameters: {error}") from error
        for name, encoded in zip(shape.__struct_fields__, shape.__struct_encode_fields__, strict=True):
            if encoded in self.query and getattr(found, name) is None:  # msgspec takes the word "null" for nothing
                raise Problem("invalid", f"parameters: leave `{encoded}` out where nothing is meant")
        return found

    def body(self, shape: type[_T]) -> _T:
        """The body, which is JSON, as a Struct."""
        raw = self.content(("application/json",), MAX_BODY)
        try:
            return msgspec.json.decode(raw, type=shape)
        except msgspec.ValidationError as error:
            raise Problem("invalid", f"body: {error}") from error
        except DECODE_ERRORS as error:
            raise Problem("unreadable", "the body is no JSON in UTF-8") from error

    def content(self, kinds: Sequence[str], most: int) -> bytes:
        """The body as it came: of one of these types, and of so many bytes at most."""
        kind = str(self.header("content-type") or "").partition(";")[0].strip().lower()
        if kind not in kinds:
            named = ", ".join(kinds)
            raise Problem("media-type", f"the body must be {named.replace(', ', ' or ')}", {"Accept-Post": named})
        raw = _raw_body(self.event)
        if len(raw) > most:
            raise Problem("too-large", f"a body has at most {most} bytes")
        return raw

    def header(self, name: str) -> str | None:
        """A header by its name in lower case, as API Gateway writes them."""
        value = self.event.get("headers", {}).get(name)
        return None if value is None else str(value)

    def expected(self, stored: int) -> int | None:
        """The version that must be stored for a write, or None where any will do; `stored` is the one that is.

        RFC 9110, 13.1: If-Match with a version or "*", If-None-Match with "*". Raises Problem for a condition that is
        no entity tag, and VersionMoved for one that cannot hold.
        """
        match, none_match = self.header("if-match"), self.header("if-none-match")
        if match is not None and match.strip() != "*" and _TAG(match.strip()) is None:
            raise Problem("unreadable", 'If-Match is one entity tag as it was given, such as "3", or *')
        if none_match is not None and none_match.strip() != "*":
            raise Problem("unreadable", "If-None-Match may only be * here")
        if match is None:
            return None if none_match is None else 0
        if none_match is not None or (match.strip() == "*" and stored == 0):
            raise VersionMoved(stored)
        return stored if match.strip() == "*" else int(match.strip().strip('"'))

    def place(self, cursor: str | None, kind: type[_T]) -> _T | None:
        """Where to go on, or None at the beginning."""
        if cursor is None:
            return None
        try:
            return cursors.opened(cursor, self._question(), self.desk.digest_key, self.desk.clock(), kind)
        except cursors.BrokenCursor as error:
            raise Problem("cursor", str(error)) from error

    def cursor(self, place: object) -> str | None:
        """The cursor that leads to `place`; None has none."""
        if place is None:
            return None
        return cursors.sealed(place, self._question(), self.desk.digest_key, self.desk.clock())

    def _question(self) -> str:
        """What is asked, whatever part of the answer it is."""
        asked = sorted(pair for pair in self.query.items() if pair[0] not in _PAGING)
        return msgspec.json.encode([self.event["rawPath"], asked]).decode()


def read(router: Router) -> Asked:
    """The request that is being answered."""
    event = router.event
    return Asked(event, desk_of(router), caller(event), _query(event.get("rawQueryString", "")))


def caller(event: dict[str, Any]) -> str:
    """The ARN of IAM, or the subject of a JWT, that API Gateway has verified."""
    match event.get("requestContext", {}).get("authorizer"):
        case {"iam": {"userArn": str(name)}} | {"jwt": {"claims": {"sub": str(name)}}} if name:
            return truncate(name, MAX_BY)
    raise Problem("unidentified", "API Gateway named no identity; the route has no authoriser")


def recipient(given: str) -> str:
    """The canonical form of a recipient that stands in a path."""
    return spelled(_meant(given))


def spelled(given: str) -> str:
    """The canonical form of a recipient in any spelling: an e-mail address, or "sms:…" and "push:…" as they are."""
    if _PLAIN(given) is None:
        raise Problem("invalid", "a recipient is a text of 1 to 1000 characters, none of which is a control character")
    return truncate(canonicalize_recipient(given.strip(), _CHANNELS), MAX_KEY)


def message(given: str) -> str:
    """The id of a message that stands in a path, no longer than one can be."""
    return truncate(_meant(given), MAX_KEY)


def _meant(part: str) -> str:
    """A part of a path, with the question marks that were encoded twice."""
    return part.replace("%3F", "?")


def _query(raw: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=_PARAMETERS)
    except ValueError as error:
        raise Problem("unreadable", "the query string is no list of parameters in UTF-8") from error
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Problem("unreadable", "a parameter is given twice")
    return found


def _raw_body(event: dict[str, Any]) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode(errors="surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem("unreadable", "the body is no base64, as the event says it is") from error

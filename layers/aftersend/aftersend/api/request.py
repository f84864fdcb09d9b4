"""What is asked, and by whom: an event of API Gateway's HTTP API (payload format 2.0), which may be hostile.

API Gateway hands the path on with its percent-encoding undone, and ends it at a "?" that was encoded. So an address or
an id that holds a question mark is sent with it encoded twice ("%253F"), and arrives with "%3F". The query string comes
as it was sent. Source: HTTP API developer guide, "Create AWS Lambda proxy integrations for HTTP APIs"; what it leaves
out about paths is in github.com/middleapi/standard-server, pull request 93.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from aftersend.api import cursors
from aftersend.api.context import ApiContext
from aftersend.api.problems import Problem
from aftersend.api.schemas import NoParameters
from aftersend.core.errors import DECODE_ERRORS, VersionMoved
from aftersend.core.recipient import parse_recipient, parse_stored_recipient
from aftersend.core.text import truncate

MAX_BODY: Final = 512 * 1024  # bytes; a thousand addresses of the greatest length
MAX_KEY: Final = 1000  # bytes; DynamoDB takes 1,024 in the key of an index
SCOPES: Final = "aftersend/"  # before the right, in the scopes of tokens: Amazon Cognito wants a resource server there
MAX_BY: Final = 256  # bytes of an identity that are kept
_SCOPE: Final = re.compile(r'[^\s\[\],"]+')
_PARAMETERS: Final = 16
_PAGING: Final = frozenset({"cursor", "limit"})
_TAG: Final = re.compile(r'"\d{1,15}"|\d{1,15}').fullmatch  # an entity tag is quoted, which people forget

_T = TypeVar("_T")
_StructT = TypeVar("_StructT", bound=Struct)
QueryT_co = TypeVar("QueryT_co", bound=Struct, covariant=True)
BodyT_co = TypeVar("BodyT_co", covariant=True)


class ApiRequest(Struct, Generic[QueryT_co, BodyT_co], frozen=True, kw_only=True):
    """One request, of which everything is decoded as its route declares it."""

    event: Mapping[str, Any]
    context: ApiContext
    caller: str  # the caller's identity, as API Gateway knows it
    path: Mapping[str, str]  # what stands for the names in the route's path
    parameters: Mapping[str, str]  # the query string
    query: QueryT_co  # the same as a Struct
    body: BodyT_co

    def recipient(self) -> str:
        """Return the canonical recipient that the path names; raises Problem."""
        return parse_named(_undo_second_encoding(self.path["recipient"]))

    def stored_recipient(self) -> str:
        """Return the canonical recipient that the path names, or one that nobody can have exactly as it is stored.

        What sources have reported is shown, released and erased, too. Raises Problem.
        """
        return parse_known(_undo_second_encoding(self.path["recipient"]), self.context)

    def message(self) -> str:
        """Return the id of the message that the path names, no longer than a stored one can be."""
        return truncate(_undo_second_encoding(self.path["message"]), MAX_KEY)

    def expected_version(self, stored: int) -> int | None:
        """Return the version that must be stored for a write, or None if any will do; `stored` is the current one.

        RFC 9110, 13.1: If-Match with a version or "*", If-None-Match with "*". Raises Problem for a condition that is
        not an entity tag, and VersionMoved for one that cannot hold.
        """
        match, none_match = header(self.event, "if-match"), header(self.event, "if-none-match")
        if match is not None and match.strip() != "*" and _TAG(match.strip()) is None:
            raise Problem("bad-request", 'If-Match must be one entity tag as it was returned, such as "3", or *')
        if none_match is not None and none_match.strip() != "*":
            raise Problem("bad-request", "If-None-Match must be *")
        if match is None:
            return None if none_match is None else 0
        if none_match is not None or (match.strip() == "*" and stored == 0):
            raise VersionMoved(stored)
        return stored if match.strip() == "*" else int(match.strip().strip('"'))

    def decode_cursor(self, cursor: str | None, kind: type[_T]) -> _T | None:
        """Return where a list goes on, or None at its beginning; raises Problem."""
        if cursor is None:
            return None
        try:
            return cursors.decode(cursor, self._question(), self.context.digest_key, self.context.clock(), kind)
        except cursors.InvalidCursor as error:
            raise Problem("invalid-cursor", str(error)) from error

    def encode_cursor(self, place: object) -> str | None:
        """Return the cursor that leads to `place`; None has none."""
        if place is None:
            return None
        return cursors.encode(place, self._question(), self.context.digest_key, self.context.clock())

    def _question(self) -> str:
        """What is asked, whatever page of the answer it is."""
        asked = sorted(pair for pair in self.parameters.items() if pair[0] not in _PAGING)
        return msgspec.json.encode([self.event["rawPath"], asked]).decode()


PlainRequest = ApiRequest[NoParameters, None]


def header(event: Mapping[str, Any], name: str) -> str | None:
    """Return a header by its name in lower case, as API Gateway writes them."""
    value = event.get("headers", {}).get(name)
    return None if value is None else str(value)


def find_caller(event: Mapping[str, Any]) -> str:
    """Return the ARN of IAM, or the subject of a JWT, that API Gateway has verified; raises Problem without one."""
    match event.get("requestContext", {}).get("authorizer"):
        case {"iam": {"userArn": str(name)}} | {"jwt": {"claims": {"sub": str(name)}}} if name:
            return truncate(name, MAX_BY)
    raise Problem("unauthorized", "API Gateway passed on no identity: the route has no authorizer")


def check_scope(event: Mapping[str, Any], needed: str, rights_claim: str = "") -> None:
    """Raise Problem where the caller shows a token without the scope that is needed, such as "ask".

    With `rights_claim`, that claim must list it, too. Whoever signs with credentials of AWS has been asked by API
    Gateway already: a policy names routes.
    """
    token = event.get("requestContext", {}).get("authorizer", {}).get("jwt")
    if token is None:
        return
    scope = SCOPES + needed
    if scope not in list_scopes(token):
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'  # RFC 6750, 3.1
        raise Problem("forbidden", f"the token lacks the scope {scope}", {"WWW-Authenticate": challenge})
    if needed not in list_rights(token, rights_claim):
        raise Problem("forbidden", f"you are in no group {needed}")


def list_scopes(token: Mapping[str, Any]) -> set[str]:
    """Return the scopes of a token that API Gateway has verified."""
    claims = token.get("claims") or {}
    # One text with blanks (RFC 8693 section 4.2, `scope`), or a list, which API Gateway writes as "[a b]" (`scp`).
    claimed = " ".join(str(claims.get(name) or "") for name in ("scope", "scp"))
    return {*_SCOPE.findall(claimed), *(token.get("scopes") or ())}


def list_rights(token: Mapping[str, Any], claim: str) -> set[str]:
    """Return the rights that both the scopes and the `claim` of a token list; of an empty claim, the scopes alone."""
    rights = {scope.removeprefix(SCOPES) for scope in list_scopes(token) if scope.startswith(SCOPES)}
    if not claim:
        return rights
    listed = (token.get("claims") or {}).get(claim)
    return rights & set(_SCOPE.findall(str(listed or "")))


def parse_named(given: str) -> str:
    """Return the one recipient that `given` names, in any spelling; raises Problem where it names nobody or several."""
    try:
        return parse_recipient(given)
    except ValueError as error:
        raise Problem("not-one-recipient", str(error)) from error


def parse_known(given: str, context: ApiContext) -> str:
    """Return the one recipient that `given` names, or a name that nobody can have, exactly as it is stored.

    Raises Problem.
    """
    try:
        return parse_recipient(given)
    except ValueError as error:
        with suppress(ValueError):
            if context.is_stored(name := parse_stored_recipient(given)):
                return name
        raise Problem("not-one-recipient", str(error)) from error


def parse_query(raw: str) -> dict[str, str]:
    """Return the parameters of a query string; raises Problem if one is repeated or not UTF-8."""
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=_PARAMETERS)
    except ValueError as error:
        raise Problem("bad-request", "the query string is not a list of parameters in UTF-8") from error
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Problem("bad-request", "a parameter is repeated")
    return found


def decode_query(parameters: Mapping[str, str], kind: type[_StructT]) -> _StructT:
    """Return the parameters as a Struct; raises Problem if one is unknown, missing or out of bounds."""
    try:
        found = msgspec.convert(parameters, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Problem("unprocessable-content", f"parameters: {error}") from error
    for name, encoded in zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True):
        value = getattr(found, name)
        if encoded in parameters and value is None:  # msgspec takes the word "null" for nothing
            raise Problem("unprocessable-content", f"parameters: leave `{encoded}` out instead of sending null")
        if encoded in parameters and isinstance(value, datetime) and "-" not in parameters[encoded][1:]:
            raise Problem("unprocessable-content", f"parameters: `{encoded}` is a time (RFC 3339), not a number")
    return found


def decode_body(event: Mapping[str, Any], kind: type[_T], media_types: Sequence[str], largest: int) -> _T:
    """Return the body of an event as `kind`: `bytes` as it came, else JSON as a Struct.

    Raises Problem for a body of another type or of more than `largest` bytes, and for one that is not a `kind`.
    """
    given = str(header(event, "content-type") or "").partition(";")[0].strip().lower()
    if given not in media_types:
        accepted = ", ".join(media_types)
        raise Problem(
            "unsupported-media-type", f"the body must be {' or '.join(media_types)}", {"Accept-Post": accepted}
        )
    raw = _read_body(event)
    if len(raw) > largest:
        raise Problem("content-too-large", f"a body has at most {largest} bytes")
    if isinstance(raw, kind):
        return raw
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise Problem("unprocessable-content", f"body: {error}") from error
    except DECODE_ERRORS as error:
        raise Problem("bad-request", "the body is not JSON in UTF-8") from error


def _read_body(event: Mapping[str, Any]) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode(errors="surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem("bad-request", "the body is not base64, as the event says it is") from error


def _undo_second_encoding(part: str) -> str:
    """A part of a path, with the question marks that were encoded twice."""
    return part.replace("%3F", "?")

"""What can go wrong, by name, and how it is told: problem details (RFC 9457).

A problem that is no more than its status has the type "about:blank"; all others have one of their own, so that a
program can tell them apart without reading the sentence.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from aws_lambda_powertools.event_handler import Response
from msgspec import Struct

CONTENT_TYPE: Final = "application/problem+json"
_OWN: Final = "urn:aftersend:problem:"


class Type(Struct, frozen=True):
    """What all problems of one name have in common."""

    status: int
    title: str
    own: bool = False  # it says more than its status


TYPES: Final = {
    "unreadable": Type(400, "The request cannot be read"),
    "cursor": Type(400, "This cursor leads nowhere", own=True),
    "unidentified": Type(401, "Nobody is known to have asked this"),
    "not-found": Type(404, "Nothing is known of it"),
    "method": Type(405, "This can be asked in another way only"),
    "standing-complaint": Type(409, "A complaint is lifted by force alone", own=True),
    "version-moved": Type(412, "Somebody else has written since", own=True),
    "too-large": Type(413, "The body is too large"),
    "media-type": Type(415, "The body is of a type that is not read here"),
    "invalid": Type(422, "The request can be read, but not be carried out"),
    "fault": Type(500, "The fault is ours"),
    "unavailable": Type(503, "Our store did not answer"),
}


class Problem(Exception):
    """Raised by handlers: the name of a problem, and a sentence on this one that quotes nothing secret."""

    def __init__(self, name: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail
        self.headers = headers or {}
        self.more = more  # members of this problem beside those of RFC 9457

    @property
    def status(self) -> int:
        """The status of HTTP."""
        return TYPES[self.name].status


def response(problem: Problem) -> Response[str]:
    """The answer that tells `problem`."""
    kind = TYPES[problem.name]
    body = {
        "type": _OWN + problem.name if kind.own else "about:blank",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
    }
    headers = {"Cache-Control": "no-store"} | problem.headers
    return Response(kind.status, CONTENT_TYPE, msgspec.json.encode(body | problem.more).decode(), headers)

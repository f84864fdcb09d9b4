"""What can go wrong, by name, and what callers get: problem details (RFC 9457).

A problem that says no more than its status has the type "about:blank" and that status's own title (RFC 9457, 4.2.1);
all others have a type of their own, so that a program can distinguish them without reading the sentence.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend.api.responses import ApiResponse
from aftersend.core.mistake import Mistake
from aftersend.core.model import CauseKind

CONTENT_TYPE: Final = "application/problem+json"
_OWN: Final = "urn:aftersend:problem:"


class ProblemType(Struct, frozen=True):
    """What all problems of one name have in common."""

    status: int
    title: str
    meaning: str  # for the OpenAPI document
    own: bool = False  # it has a type of its own


TYPES: Final = {
    "bad-request": ProblemType(
        400, "Bad Request", "the body is not JSON, a parameter is repeated, or a condition is not an entity tag"
    ),
    "invalid-cursor": ProblemType(
        400, "Invalid cursor", "the cursor has expired, or was made for another request", own=True
    ),
    "unauthorized": ProblemType(401, "Unauthorized", "API Gateway passed on no identity"),
    "forbidden": ProblemType(403, "Forbidden", "the token lacks the scope that the header `WWW-Authenticate` names"),
    "not-found": ProblemType(404, "Not Found", "there is no such path, or nothing is stored under this name"),
    "method-not-allowed": ProblemType(405, "Method Not Allowed", "the header `Allow` lists the methods of this path"),
    "release-requires-force": ProblemType(
        409,
        "Release requires force",
        "a complaint and leaving are a person's own wish, which is only released with `force`",
        own=True,
    ),
    "not-redrivable": ProblemType(409, "Not redrivable", "these messages came from no queue that is worked", own=True),
    "not-tried": ProblemType(
        409, "Not tried", "a list is imported so once its dry run is done, and none is done here", own=True
    ),
    "version-mismatch": ProblemType(
        412, "Version mismatch", "the stored version is not the one that the request expects", own=True
    ),
    "content-too-large": ProblemType(413, "Content Too Large", "the body exceeds the limit"),
    "unsupported-media-type": ProblemType(
        415, "Unsupported Media Type", "the content type of the body is not accepted here"
    ),
    "unprocessable-content": ProblemType(
        422, "Unprocessable Content", "a parameter or a field is unknown, missing or out of bounds"
    ),
    "not-one-recipient": ProblemType(
        422, "Not one recipient", "a recipient must be named by one address, one number or one token", own=True
    ),
    "identifier-not-indexed": ProblemType(
        422, "Identifier not indexed", "the policy does not name this identifier as one to find messages by", own=True
    ),
    "invalid-rules": ProblemType(
        422, "Invalid rules", "the rules cannot be loaded; `mistakes` name the rule, the field and the line", own=True
    ),
    "internal-server-error": ProblemType(500, "Internal Server Error", "an unexpected error; the log says where"),
    "service-unavailable": ProblemType(503, "Service Unavailable", "a table did not answer; try again"),
}


class Problem(Exception):
    """Raised by handlers: the name of a problem, and a sentence about this one that quotes nothing secret."""

    def __init__(self, name: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail
        self.headers = headers or {}
        self.more = more  # members of this problem beside those of RFC 9457

    @property
    def type(self) -> str:
        """The URI of its type."""
        return _OWN + self.name if TYPES[self.name].own else "about:blank"


class ProblemDetails(Struct, frozen=True, kw_only=True):
    """A problem detail (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    version: int = 0  # of a version mismatch: the stored version
    causes: list[CauseKind] = []  # of a release that requires force: the person's own wishes
    mistakes: list[Mistake] = []  # of rules that cannot be loaded
    near: list[str] = []  # of somebody unknown: suppressed recipients who are spelled almost so


def problem_response(problem: Problem) -> ApiResponse:
    """Return the response that names `problem`."""
    kind = TYPES[problem.name]
    body = {
        "type": problem.type,
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
    }
    return ApiResponse(
        status=kind.status,
        content_type=CONTENT_TYPE,
        body=msgspec.json.encode(body | problem.more).decode(),
        headers=problem.headers,
    )

"""Routes, each of which says everything about itself once, where its handler is:

    route = Router(tag="Why is this person blocked?")

    @route("GET", "/suppressions/{recipient}", needs="ask", query=ScopeQuery, answer=SuppressionView, versioned=True)
    def get_suppression(request: ApiRequest[ScopeQuery, None]) -> ApiResponse:
        \"\"\"Get one suppression.

        Whatever else callers should know.
        \"\"\"

Requests are decoded by what a route says, and the OpenAPI document is made from it (`openapi`): the first line of the
docstring is the summary of the operation, the rest its description, and the name of the function its id.

`{name}` in a path takes all that is left of the path, slashes too: API Gateway hands paths on decoded. Of two names the
first takes as little as it can: ids of messages may hold what stands between them, recipients hardly ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

from msgspec import Struct, field

from aftersend.api.request import MAX_BODY, ApiRequest, BodyT_co, QueryT_co
from aftersend.api.responses import CONTENT_TYPE, ApiResponse
from aftersend.api.schemas import NoParameters

Right = Literal["ask", "decide", "bulk"]
Method = Literal["DELETE", "GET", "HEAD", "POST", "PUT"]
Handler = Callable[[ApiRequest[QueryT_co, BodyT_co]], ApiResponse]

_NAME: Final = re.compile(r"\{(\w+)\}")


class Example(Struct, frozen=True, kw_only=True):
    """A request to a route. The OpenAPI document shows it with the real answer, which is never written by hand."""

    name: str
    path: Mapping[str, str] = {}  # what stands for the names in the path, percent-encoded
    query: str = ""
    headers: Mapping[str, str] = {}
    body: Any = None


class Route(Struct, frozen=True, kw_only=True):
    """One method of one path."""

    method: Method
    path: str
    needs: Right  # of callers with a token: to read, to decide about one recipient, or to work on the whole list
    handler: Callable[[ApiRequest[Any, Any]], ApiResponse]
    tag: str
    query: type[Struct] = NoParameters
    body: type[Any] | None = None  # of a body of JSON, or `bytes`
    media_types: tuple[str, ...] = (CONTENT_TYPE,)  # of the body
    max_body: int = MAX_BODY  # bytes
    answer: type[Struct] | None = None
    files: tuple[str, ...] = ()  # media types of an answer that is a file
    statuses: Mapping[int, str] = field(default_factory=lambda: {200: "OK."})  # of success
    headers: Mapping[str, str] = {}  # of success, beside those that all answers have
    versioned: bool = False  # the answer carries an entity tag
    conditional: bool = False  # If-Match and If-None-Match are heard
    problems: tuple[str, ...] = ()  # beside those that its form implies
    examples: tuple[Example, ...] = ()


class Router:
    """The routes of one module, which are about one question."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.routes: list[Route] = []

    def __call__(
        self,
        method: Method,
        path: str,
        *,
        needs: Right,
        query: type[QueryT_co] = NoParameters,  # type: ignore[assignment]  # a parameter with a default
        body: type[BodyT_co] | None = None,
        **others: Any,
    ) -> Callable[[Handler[QueryT_co, BodyT_co]], Handler[QueryT_co, BodyT_co]]:
        """Return a decorator that registers a handler; `others` are fields of `Route`."""

        def register(handler: Handler[QueryT_co, BodyT_co]) -> Handler[QueryT_co, BodyT_co]:
            self.routes.append(
                Route(
                    method=method,
                    path=path,
                    needs=needs,
                    handler=handler,
                    tag=self.tag,
                    query=query,
                    body=body,
                    **others,
                )
            )
            return handler

        return register


class RouteTable:
    """All routes, to find the one of a request."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._paths: dict[str, dict[str, Route]] = {}
        for each in self.routes:
            methods = self._paths.setdefault(each.path, {})
            assert each.method not in methods, f"two routes are {each.method} {each.path}"
            methods[each.method] = each
        # The longest pattern fits closest: nobody is called as a path of ours is.
        dynamic = sorted((path for path in self._paths if "{" in path), key=len, reverse=True)
        self._patterns = [(_compile(path), path) for path in dynamic]

    def find(self, path: str, method: str = "GET") -> tuple[Mapping[str, Route], Mapping[str, str]]:
        """Return the routes of a path by their methods, and what stands for its names; nothing if there are none.

        Where a path of two names has not the method and a looser one has, that is meant: a name may look like the rest
        of a path.
        """
        if path in self._paths:
            return self._paths[path], {}
        found = [
            (self._paths[own], match.groupdict())
            for pattern, own in self._patterns
            if (match := pattern.fullmatch(path))
        ]
        if found and len(found[0][1]) > 1:
            return next((each for each in found if method in each[0]), found[0])
        return found[0] if found else ({}, {})


def _compile(path: str) -> re.Pattern[str]:
    """The pattern of a path; every other part of it is a name, and the last of them takes all that is left."""
    parts, last = _NAME.split(path), 2 * len(_NAME.findall(path)) - 1
    return re.compile(
        "".join(
            f"(?P<{part}>.+{'' if at == last else '?'})" if at % 2 else re.escape(part) for at, part in enumerate(parts)
        )
    )

"""The front of the API: which routers there are, and what becomes of everything that goes wrong in them.

Every answer that is not what was asked for is a problem detail (RFC 9457), those of paths and methods that do not
exist too. An error that nobody expected is told without its words, which may hold an address; the log has its place.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import Route
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from msgspec import Struct, field

from aftersend.api import bulk, checks, document, incidents, messages, recipients, reviews, suppressions
from aftersend.api.desk import Desk
from aftersend.api.problems import Problem, response
from aftersend.api.request import caller
from aftersend.api.routing import Router
from aftersend.core.errors import ServiceError, Unreadable, VersionMoved

# All that the API can: one router for each module.
ROUTERS: Final[tuple[Router, ...]] = (
    checks.router,
    suppressions.router,
    recipients.router,
    messages.router,
    reviews.router,
    incidents.router,
    bulk.router,
    document.router,
)

_NAME: Final = re.compile(r"<(\w+)>")
_RETRY: Final = {"Retry-After": "1"}


class Told(Struct):
    """What the log is told of one request: no path, because addresses stand in it."""

    method: str = ""
    route: str = ""  # the rule, such as /suppressions/<recipient>
    status: int = 0
    fault: list[str] = field(default_factory=list)  # where an unexpected error came from

    def write(self, logger: Logger) -> None:
        """The line of the log."""
        said = {"method": self.method, "route": self.route, "status": self.status}
        if self.fault:
            logger.error("fault", extra=said | {"fault": self.fault})
        else:
            logger.info("answered", extra=said)


class Front(APIGatewayHttpResolver):
    """Powertools' resolver, whose names in rules take slashes, and which knows what else a path allows."""

    @staticmethod
    def _compile_regex(rule: str, base_regex: str = "") -> re.Pattern[str]:  # noqa: ARG004  # theirs knows no slashes
        words = _NAME.split(rule)  # every other one is a name
        parts = [f"(?P<{word}>.+)" if at % 2 else re.escape(word) for at, word in enumerate(words)]
        return re.compile("".join(parts) + r"\Z")

    def methods(self, path: str) -> list[str]:
        """The methods that a path allows, by the closest of its rules: nobody is called as a path of ours is."""
        for routes in (self._static_routes, self._dynamic_routes):
            fitting = [route for route in routes if route.rule.match(path)]
            if fitting:
                closest = max(len(route.path) for route in fitting)
                return sorted({route.method for route in fitting if len(route.path) == closest})
        return []

    def rules(self) -> list[tuple[str, str]]:
        """Every route: method and rule."""
        return sorted((route.method, route.path) for route in self.registered)

    @property
    def registered(self) -> list[Route]:
        """The routes themselves."""
        return [*self._static_routes, *self._dynamic_routes]


@lru_cache(maxsize=1)
def front() -> Front:
    """The one front of a process: routers of Powertools know one resolver only."""
    made = Front(debug=False)  # it would print whole events, and no variable shall make it do so
    for router in ROUTERS:
        made.include_router(router)
    made.use([_identified])
    for kind, tell in _TELLING.items():
        made.exception_handler(kind)(tell)
    return made


def answer(event: dict[str, Any], context: object, desk: Desk) -> tuple[dict[str, Any], Told]:
    """The answer to one event of API Gateway, and what to log of it."""
    app, told = front(), Told(method=event["requestContext"]["http"]["method"])
    app.context.update(desk=desk, told=told)
    result = app.resolve(event, context)  # type: ignore[arg-type]  # a context of Lambda, which is not looked at
    told.status = result["statusCode"]
    if told.method == "HEAD":  # RFC 9110, 9.3.2
        result["body"] = ""
    return result, told


def _identified(app: Front, next_middleware: Callable[[Front], Response[str]]) -> Response[str]:
    """Nobody whom API Gateway does not name is answered, whatever its routes say."""
    route = app.context["_route"]
    if route in app.registered:  # the path of one that is not may hold anything
        app.context["told"].route = route.path
    caller(app.current_event.raw_event)
    if route.method not in app.methods(app.context["_path"]):
        raise NotFoundError
    return next_middleware(app)


def _no_route(_error: NotFoundError) -> Response[str]:
    allowed = ", ".join(front().methods(front().context["_path"]))
    if not allowed:
        return response(Problem("not-found", "no such path; /openapi.json has all of them"))
    return response(Problem("method", f"allowed here: {allowed}", {"Allow": allowed}))


def _moved(error: VersionMoved) -> Response[str]:
    return response(Problem("version-moved", "read it again, and decide again", version=error.version))


def _unavailable(_error: ServiceError) -> Response[str]:
    return response(Problem("unavailable", "nothing is wrong with the request: send it again", _RETRY))


def _fault(error: Exception) -> Response[str]:
    steps = traceback.extract_tb(error.__traceback__)
    front().context["told"].fault = [type(error).__name__, *[f"{each.filename}:{each.lineno}" for each in steps]]
    return response(Problem("fault", "the log of the function says where it happened"))


_TELLING: Final[dict[type[Exception], Callable[[Any], Response[str]]]] = {
    Problem: response,
    NotFoundError: _no_route,
    VersionMoved: _moved,
    ServiceError: _unavailable,
    Unreadable: _fault,  # another time would be the same
    Exception: _fault,
}

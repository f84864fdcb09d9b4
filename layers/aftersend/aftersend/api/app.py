"""The API: one request to its route, and what becomes of everything that goes wrong on the way.

Every answer that is not what was asked for is a problem detail (RFC 9457), for paths and methods that do not exist too.
A mistake in this code is reported without its message, which may hold an address; the log has the place it came from.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final

from aws_lambda_powertools import Logger
from msgspec import Struct, field

from aftersend.api import routes
from aftersend.api.context import ApiContext
from aftersend.api.problems import Problem, problem_response
from aftersend.api.request import ApiRequest, check_scope, decode_body, decode_query, find_caller, parse_query
from aftersend.api.responses import ApiResponse
from aftersend.api.routing import Route
from aftersend.core.errors import AftersendError, ServiceError, Unreadable, VersionMoved

_RETRY: Final = {"Retry-After": "1"}


class RequestLog(Struct):
    """What is logged of one request: no path, because addresses stand in it."""

    method: str = ""
    route: str = ""  # the path of the route, such as /suppressions/{recipient}
    status: int = 0
    fault: list[str] = field(default_factory=list)  # where an unexpected error came from

    def write(self, logger: Logger) -> None:
        """Write the line of the log."""
        extra = {"method": self.method, "route": self.route, "status": self.status}
        if self.fault:
            logger.error("fault", extra=extra | {"fault": self.fault})
        else:
            logger.info("answered", extra=extra)


def answer(event: Mapping[str, Any], context: ApiContext) -> tuple[dict[str, Any], RequestLog]:
    """Return the answer to one event of API Gateway, and what to log of it."""
    log = RequestLog(method=event["requestContext"]["http"]["method"])
    try:
        response = _handle(event, context, log)
    except _ERRORS as error:
        response = _translate(error, log)
    log.status = response.status
    if log.method == "HEAD":  # RFC 9110, 9.3.2
        response.body = ""
    return response.to_event(), log


def _handle(event: Mapping[str, Any], context: ApiContext, log: RequestLog) -> ApiResponse:
    methods, names = routes.find(event["rawPath"], log.method)
    route = methods.get(log.method)
    if route is not None:  # the path of what is none may hold anything
        log.route = route.path
    caller = find_caller(event)  # nobody else is answered, whatever the routes of API Gateway say
    if route is None:
        raise _no_route(methods)
    check_scope(event, route.needs, context.deployment.rights_claim)
    return route.handler(_decode(event, context, route, caller, names))


def _decode(
    event: Mapping[str, Any], context: ApiContext, route: Route, caller: str, names: Mapping[str, str]
) -> ApiRequest[Any, Any]:
    parameters = parse_query(event.get("rawQueryString", ""))
    return ApiRequest(
        event=event,
        context=context,
        caller=caller,
        path=names,
        parameters=parameters,
        query=decode_query(parameters, route.query),
        body=None if route.body is None else decode_body(event, route.body, route.media_types, route.max_body),
    )


def _no_route(methods: Mapping[str, Route]) -> Problem:
    if not methods:
        return Problem("not-found", "there is no such path; /openapi.json lists all of them")
    allowed = ", ".join(sorted(methods))
    return Problem("method-not-allowed", f"allowed methods: {allowed}", {"Allow": allowed})


def _translate(error: Exception, log: RequestLog) -> ApiResponse:
    """The response to an error, by the closest of its classes."""
    kind = next(kind for kind in type(error).__mro__ if kind in _PROBLEMS)
    problem = _PROBLEMS[kind](error)
    if problem.name == "internal-server-error":
        steps = traceback.extract_tb(error.__traceback__)
        log.fault = [type(error).__name__, *[f"{each.filename}:{each.lineno}" for each in steps]]
    return problem_response(problem)


def _mismatch(error: VersionMoved) -> Problem:
    return Problem(
        "version-mismatch", "it was changed by somebody else; read it again and decide again", version=error.version
    )


def _unavailable(_error: ServiceError) -> Problem:
    return Problem("service-unavailable", "the request is fine: send it again", _RETRY)


def _fault(_error: Exception) -> Problem:
    return Problem("internal-server-error", "the function's log says where it happened")


# What a mistake in this code raises. Left to Lambda, its message would stand in the log. What is none of these, such as
# a lack of memory, is left to it: the environment is worth nothing then, and Lambda makes a new one.
MISTAKES: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

_PROBLEMS: Final[Mapping[type[Exception], Callable[[Any], Problem]]] = {
    Problem: lambda problem: problem,
    VersionMoved: _mismatch,
    ServiceError: _unavailable,
    Unreadable: _fault,  # another try would end in the same way
    AftersendError: _fault,  # the operator's rules are wrong, say
    **dict.fromkeys(MISTAKES, _fault),
}
_ERRORS: Final[tuple[type[Exception], ...]] = tuple(_PROBLEMS)

"""Who am I, what may I do, and how is this stack set up?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct

from aftersend.api.request import PlainRequest, list_rights
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Right, Router
from aftersend.core.receiving_system import OTHER, load_systems
from aftersend.version import VERSION

route: Final = Router(tag="Who am I, and how is this stack set up?")

_NAMES: Final = ("name", "preferred_username", "cognito:username", "username", "email")  # OpenID Connect Core, 5.1
_MAX_NAME: Final = 100  # characters


class CallerView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who asks."""

    identity: str  # as it is written down with what they decide
    name: str  # to show; anybody may have chosen it
    signed_with: Literal["iam", "jwt"]
    allowed: list[Right]  # of IAM all of them, because only its policies know


class ConfigurationView(Struct, frozen=True, kw_only=True):
    """How a stack is set up."""

    version: str
    stack: str
    region: str
    retention_days: int  # that an outcome is kept after the last that was heard of it
    syncs_ses_list: bool  # suppressions go to the list of Amazon SES, too
    rules_parameter: str  # of SSM, in which rules of your own are kept; empty where there are none
    streams: list[str]  # of mail, that the policy names
    policy: dict[str, Any]  # every value that holds, as in policy.toml
    systems: dict[str, str]  # what people call each receiving system that is told apart, by its id


@route("GET", "/me", needs="ask", answer=CallerView, examples=(Example(name="an-iam-user"),))
def get_caller(request: PlainRequest) -> ApiResponse:
    """Get who asks: the identity as it is written down, a name to show, and what is allowed."""
    authorizer: Mapping[str, Any] = request.event["requestContext"]["authorizer"]
    token = authorizer.get("jwt")
    if token is None:
        shown = CallerView(
            identity=request.caller,
            name=request.caller.partition("/")[2] or request.caller,
            signed_with="iam",
            allowed=list(get_args(Right)),
        )
        return json_response(shown)
    claims = token.get("claims") or {}
    rights = list_rights(token, request.context.deployment.rights_claim)
    given = next((str(claims[each]) for each in _NAMES if claims.get(each)), request.caller)
    allowed = [each for each in get_args(Right) if each in rights]
    return json_response(
        CallerView(identity=request.caller, name=given[:_MAX_NAME], signed_with="jwt", allowed=allowed)
    )


@route("GET", "/configuration", needs="ask", answer=ConfigurationView, examples=(Example(name="as-it-comes"),))
def get_configuration(request: PlainRequest) -> ApiResponse:
    """Get how the stack is set up: version, streams, every value of the policy, and names of receiving systems."""
    context = request.context
    deployment, rules = context.deployment, context.policy
    values = msgspec.to_builtins(rules)
    del values["variants"]
    streams = {*rules.streams.values(), *(stream for _, stream in rules.variants if stream)}
    return json_response(
        ConfigurationView(
            version=VERSION,
            stack=deployment.stack,
            region=deployment.region,
            retention_days=context.tables.retention.days,
            syncs_ses_list=deployment.syncs_ses_list,
            rules_parameter=deployment.rules_parameter,
            streams=sorted(streams),
            policy=values,
            systems={each.id: each.name for each in load_systems().values()} | {OTHER: "others"},
        )
    )

"""They ask to be forgotten: the erasure of one recipient."""

from __future__ import annotations

from typing import Final

from aftersend.api.list_jobs import find_service
from aftersend.api.request import PlainRequest
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.core.spike_guard import find_reverted_windows
from aftersend.lists.summary import ErasureResult

route: Final = Router(tag="They ask to be forgotten")


@route(
    "DELETE",
    "/recipients/{recipient}",
    needs="bulk",
    answer=ErasureResult,
    examples=(Example(name="erased", path={"recipient": "old.account@example.net"}),),
)
def erase_recipient(request: PlainRequest) -> ApiResponse:
    """Erase a recipient, who stays suppressed if they are."""
    from aftersend.lists.erase import erase  # noqa: PLC0415  # one function does, and others start without

    name = request.stored_recipient()
    context, service = request.context, find_service(request.context)
    reverts = find_reverted_windows([each for each in context.incidents() if each.decision], name)
    return json_response(erase(name, context.make_alias(name), service.context, reverts))

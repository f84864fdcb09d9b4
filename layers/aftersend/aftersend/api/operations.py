"""Is anything stuck? What waits in queues, what lies in those that nobody works, why, and the way back to work.

A function of its own answers, because its role may take messages out of queues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta, Struct

from aftersend.api.context import ApiContext
from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest, PlainRequest
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import NoParameters
from aftersend.core.errors import StoreUnavailable
from aftersend.core.times import Moment
from aftersend.storage.last_heard import HeardSource
from aftersend.storage.queue_overview import UNREADABLE, LyingMessage, QueueCounts
from aftersend.storage.unmatched import UnmatchedText

if TYPE_CHECKING:
    from aftersend.storage.alarms import Alarms
    from aftersend.storage.queue_overview import QueueOverview

route: Final = Router(tag="Is anything stuck?")

MAX_LOOK: Final = 50


class RingingAlarm(Struct, frozen=True, kw_only=True):
    """An alarm that rings now."""

    name: str  # in the template, and in docs/operations.md
    since: Moment
    meaning: str


class AlarmCounts(Struct, frozen=True, kw_only=True):
    """What the alarms of the stack say."""

    watched: int  # alarms that there are
    without_data: int  # that have had nothing to judge by
    ringing: list[RingingAlarm]  # the latest first


class StatusView(Struct, frozen=True, kw_only=True):
    """What is in the queues of a stack, about, which of its alarms ring, and which of its sources are quiet."""

    asked_at: Moment
    queues: list[QueueCounts]  # that functions work
    dead_letters: list[QueueCounts]  # what our side could not store, by the queue that it came from
    unreadable: int  # bodies that nobody could read
    alarms: AlarmCounts | None  # missing where CloudWatch does not say
    sources: list[HeardSource] | None  # the latest first; missing where the archive does not say


class IdleQueue(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A queue that nobody works."""

    name: str
    messages: int
    goes_back_to: str | None = None  # the queue that a redrive sends them to


class DeadLetterList(Struct, frozen=True):
    """The queues that nobody works: dead letters, and bodies that nobody could read."""

    queues: list[IdleQueue]


class LookQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """How much is looked at."""

    limit: Annotated[int, Meta(ge=1, le=MAX_LOOK, description="The maximum number of messages to look at.")] = 10


class DeadLetterView(Struct, frozen=True, kw_only=True):
    """Some of the messages of a queue that nobody works. Which ones these are is up to SQS."""

    queue: str
    messages: int  # in all, about
    shown: list[LyingMessage]


class RedriveRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What goes back to work: all messages, or those with these ids."""

    messages: Literal["all"] | Annotated[list[Annotated[str, Meta(max_length=100)]], Meta(min_length=1, max_length=10)]


class RedriveResponse(Struct, frozen=True, kw_only=True):
    """What was done, and by whom."""

    by: str
    at: Moment
    queue: str
    goes_back_to: str
    moved: int
    left: int  # about; ask again as long as there are any


class UnmatchedQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which texts."""

    source: Annotated[str, Meta(max_length=64)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500, description="The maximum number of texts to return.")] = 100


class UnmatchedList(Struct, frozen=True, kw_only=True):
    """Texts that no rule knows, the most frequent first."""

    texts: list[UnmatchedText]
    complete: bool  # all were looked at; otherwise a part of them that is as good as any


@route("GET", "/status", needs="ask", answer=StatusView, examples=(Example(name="all-is-well"),))
def get_status(request: PlainRequest) -> ApiResponse:
    """Get what waits, what was given up, what nobody could read, which alarms ring, and since when sources are quiet.

    The numbers are those of SQS, which are about right after a minute of quiet. Looking takes nothing out of a queue.
    How old the oldest message is, SQS does not say; alarms watch it. `alarms` is null where CloudWatch says nothing.

    `sources` has the time at which the latest body of each source was archived, the latest first, whether anybody could
    read that body or not. A source that was never heard of, or not for as long as bodies are kept, is not in it; where
    the archive says nothing, `sources` is null.
    """
    queues = _find_queues(request.context)
    idle = queues.count(queues.list_idle())
    return json_response(
        StatusView(
            asked_at=request.context.clock(),
            queues=queues.count(queues.list_worked()),
            dead_letters=[each for each in idle if each.name != UNREADABLE],
            unreadable=sum(each.waiting + each.hidden for each in idle if each.name == UNREADABLE),
            alarms=_count_alarms(request.context.alarms),
            sources=_list_sources(request.context),
        )
    )


def _list_sources(context: ApiContext) -> list[HeardSource] | None:
    try:
        return context.last_heard.list_sources(context.pool, context.clock()) if context.last_heard else None
    except StoreUnavailable:
        return None


def _count_alarms(alarms: Alarms | None) -> AlarmCounts | None:
    try:
        found = alarms.list_alarms() if alarms else None
    except StoreUnavailable:
        return None  # what SQS says is worth showing all the same
    if found is None:
        return None
    ringing = sorted((each for each in found if each.state == "alarm"), key=lambda each: each.since, reverse=True)
    return AlarmCounts(
        watched=len(found),
        without_data=sum(each.state == "no data" for each in found),
        ringing=[RingingAlarm(name=each.name, since=each.since, meaning=each.meaning) for each in ringing],
    )


@route("GET", "/dead-letters", needs="ask", answer=DeadLetterList, examples=(Example(name="all-queues"),))
def list_dead_letters(request: PlainRequest) -> ApiResponse:
    """List the queues that nobody works, and about how many messages lie in each."""
    queues = _find_queues(request.context)
    shown = [
        IdleQueue(name=each.name, messages=each.waiting + each.hidden, goes_back_to=queues.find_destination(each.name))
        for each in queues.count(queues.list_idle())
    ]
    return json_response(DeadLetterList(shown))


@route(
    "GET",
    "/dead-letters/{queue}",
    needs="ask",
    query=LookQuery,
    answer=DeadLetterView,
    examples=(Example(name="unreadable-bodies", path={"queue": UNREADABLE}),),
)
def look_at_dead_letters(request: ApiRequest[LookQuery, None]) -> ApiResponse:
    """Look at messages that nobody works: whose they are, why they lie there, and how they begin.

    Each look counts as a receive, and hides what it sees from others for a moment. What was looked at a thousand times
    in `FeedbackDeadLetters` is moved to `UnreadableBodies` by SQS: do not poll.
    """
    queues, name = _find_queues(request.context), _find_queue(request)
    (counts,) = queues.count([name])
    shown = queues.look(name, request.query.limit)
    return json_response(
        DeadLetterView(queue=name, messages=max(counts.waiting + counts.hidden, len(shown)), shown=shown)
    )


@route(
    "POST",
    "/dead-letters/{queue}/redrive",
    needs="bulk",
    body=RedriveRequest,
    answer=RedriveResponse,
    problems=("method-not-allowed", "not-redrivable"),
    examples=(
        Example(
            name="back-to-work",
            path={"queue": "FeedbackDeadLetters"},
            body={"messages": "all"},
        ),
    ),
)
def redrive_dead_letters(request: ApiRequest[NoParameters, RedriveRequest]) -> ApiResponse:
    """Put messages back to work: all of a queue, or some of them by their ids.

    A thousand are put back by one request: ask again as long as some are left. What is known already changes nothing,
    so nothing can be put back too often; what still cannot be read or stored comes back here.
    """
    queues, name, context = _find_queues(request.context), _find_queue(request), request.context
    destination = queues.find_destination(name)
    if destination is None:
        raise Problem("not-redrivable", "what lies there came from no queue that is worked")
    chosen = request.body.messages
    moved = queues.redrive(name, context.pool) if chosen == "all" else queues.redrive_some(name, chosen)
    (counts,) = queues.count([name])
    return json_response(
        RedriveResponse(
            by=request.caller,
            at=context.clock(),
            queue=name,
            goes_back_to=destination,
            moved=moved,
            left=counts.waiting + counts.hidden,
        )
    )


@route("GET", "/unmatched", needs="ask", query=UnmatchedQuery, answer=UnmatchedList, examples=(Example(name="all"),))
def list_unmatched(request: ApiRequest[UnmatchedQuery, None]) -> ApiResponse:
    """List the texts of refusals that no rule knows, the most frequent first, with one example of each.

    What names a person or a single message is masked. A text counts up to a hundred times.
    """
    texts, wanted = request.context.unmatched_texts, request.query
    if texts is None:
        raise _elsewhere()
    found, complete = texts.list_texts()
    fitting = [each for each in found if wanted.source in (None, each.source)]
    fitting.sort(key=lambda each: (-each.seen, each.source, each.text))
    return json_response(UnmatchedList(texts=fitting[: wanted.limit], complete=complete))


def _find_queues(context: ApiContext) -> QueueOverview:
    if context.queues is None:
        raise _elsewhere()
    return context.queues


def _find_queue(request: ApiRequest[LookQuery, None] | ApiRequest[NoParameters, RedriveRequest]) -> str:
    queues, name = _find_queues(request.context), request.path["queue"]
    if name not in queues.list_idle():
        raise Problem("not-found", "there is no such queue; GET /dead-letters lists all that nobody works")
    return name


def _elsewhere() -> Problem:
    return Problem("not-found", "another function answers this; the routes of API Gateway are wrong")

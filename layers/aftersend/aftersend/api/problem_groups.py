"""Which problems are there? What went wrong in a span of time, in groups: the same reason, system and words.

A group is what one would look at as one thing, such as two thousand refusals of one provider. Words are compared as the
rules compare them: without what names a person, a machine or a single message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from aftersend.api.context import ApiContext
from aftersend.api.messages import advise_on_fact
from aftersend.api.outcome_search import Search, find_moment, read_outcomes
from aftersend.api.outcomes import Listing, OutcomeFilter, OutcomeRow, find_listing, show_row
from aftersend.api.request import ApiRequest
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.core.model import Class, Key, Outcome, Reason
from aftersend.core.times import Moment
from aftersend.core.validity import show_at
from aftersend.storage.listing import ListedOutcome

route: Final = Router(tag="Which problems are there?")

MAX_COUNTED: Final = 20_000  # rows of the index that one answer counts
MAX_READ: Final = 1_000  # of them, whose words are read: the first of each reason and system that are met
MAX_PATTERN: Final = 200  # characters
_AT_ONCE: Final = 250  # rows of a query

Culprit = Literal["address", "sender", "nobody", "recipient", "unknown"]
_CULPRITS: Final[dict[Class, Culprit]] = {
    Class.HARD: "address",
    Class.SOFT: "address",
    Class.BLOCK: "sender",
    Class.IGNORE: "nobody",
    Class.COMPLAINT: "recipient",
    Class.UNDETERMINED: "unknown",
}

_Group = tuple[str, Class | None, Reason | None, str]  # status, class, reason, system


class ProblemsQuery(OutcomeFilter, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A span of time, and what must be true of an outcome to be counted."""

    limit: Annotated[int, Meta(ge=1, le=200, description="The maximum number of groups to return.")] = 50


class ProblemGroup(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Outcomes that went wrong in the same way."""

    count: int  # estimated where `sampled`
    sampled: bool = False  # the words of a part were read, and the counts of a reason shared out by them
    status: str
    klass: Class | None = field(name="class", default=None)
    reason: Reason | None = None
    system: str  # that the recipients read at; other where it is not known
    whose: Culprit  # whose it is to mend
    pattern: str | None = None  # what the refusals have in common
    advice: str | None = None
    first_at: Moment
    last_at: Moment
    example: OutcomeRow


class ProblemGroups(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Groups, the largest first."""

    groups: list[ProblemGroup]
    counted: int  # outcomes in all groups, those that are not shown too
    complete: bool  # all of the span was counted
    looked_back_to: Moment  # what is older was not counted


class _Sample(Struct):
    """What was read of one status, class, reason and system."""

    rows: list[ListedOutcome] = field(default_factory=list)
    first: ListedOutcome | None = None
    last: ListedOutcome | None = None


@route(
    "GET",
    "/problems",
    needs="ask",
    query=ProblemsQuery,
    answer=ProblemGroups,
    examples=(Example(name="of-a-week", query="from=2026-03-25T00:00:00Z&limit=2"),),
)
def list_problems(request: ApiRequest[ProblemsQuery, None]) -> ApiResponse:
    """List what went wrong in groups of one reason, receiving system and wording, the largest first.

    The filters are those of `GET /outcomes`, and `from` is seven days before `to` unless you say otherwise. One answer
    counts 20,000 outcomes at most, the newest, and reads the words of 1,000: of what is more, groups are estimated.
    """
    context, wanted = request.context, request.query
    chosen = find_listing(wanted, context)
    counts, samples, search, looked = _count(chosen, context)
    stored = read_outcomes(context, [row.key for sample in samples.values() for row in sample.rows])
    groups = [group for key, sample in samples.items() for group in _split(key, counts[key], sample, stored, chosen)]
    groups.sort(key=lambda each: (-each.count, each.status, each.reason or "", each.system, each.pattern or ""))
    complete = search.finished and looked < MAX_COUNTED
    return json_response(
        ProblemGroups(
            groups=groups[: wanted.limit],
            counted=sum(each.count for each in groups),
            complete=complete,
            looked_back_to=find_moment(search.reached),
        )
    )


def _count(chosen: Listing, context: ApiContext) -> tuple[Counter[_Group], dict[_Group, _Sample], Search, int]:
    """Count what fits, and take the first of each kind to be read, as many of one as of another."""
    counts: Counter[_Group] = Counter()
    samples: dict[_Group, _Sample] = {}
    search, looked = Search(context, chosen.span, _AT_ONCE, whole=True), 0
    for row in search:
        looked += 1
        if chosen.fits(row):
            key = (row.status.value, row.klass, row.reason, row.system)
            counts[key] += 1
            sample = samples.setdefault(key, _Sample())
            sample.last = sample.last or row  # the newest comes first
            sample.first = row
            if len(sample.rows) < MAX_READ:
                sample.rows.append(row)
        if looked == MAX_COUNTED:
            break
    _share_reads(samples)
    return counts, samples, search, looked


def _share_reads(samples: dict[_Group, _Sample]) -> None:
    """Leave as many rows to be read as may be: small kinds whole, large ones an equal share of the rest."""
    left, kinds = MAX_READ, sorted(samples.values(), key=lambda each: len(each.rows))
    for at, each in enumerate(kinds):
        share = max(left // (len(kinds) - at), 1)
        del each.rows[share:]
        left -= len(each.rows)


def _split(
    key: _Group, count: int, sample: _Sample, stored: Mapping[Key, Outcome], chosen: Listing
) -> list[ProblemGroup]:
    """The groups of one reason and system, by the words of those that were read."""
    from aftersend.classify import normalise  # noqa: PLC0415  # as the rules are: when something is judged

    context, (status, klass, reason, system) = chosen.context, key
    assert sample.first is not None and sample.last is not None
    known = [(row, stored[row.key]) for row in sample.rows if row.key in stored]
    read = [(row, outcome) for row, outcome in known if chosen.still_fits(row, outcome)]
    by_words: dict[str, list[tuple[ListedOutcome, Outcome]]] = {}
    for row, outcome in read:
        by_words.setdefault(normalise(_find_text(outcome, context)).strip()[:MAX_PATTERN], []).append((row, outcome))
    sampled = count > len(sample.rows)
    groups = []
    for words, members in by_words.items():
        row, outcome = members[0]
        shown = show_at(outcome, context.clock())
        fact = next(each for each in shown.feedback if each.id == shown.decided_by)
        groups.append(
            ProblemGroup(
                count=round(count * len(members) / len(known)) if sampled else len(members),
                sampled=sampled,
                status=status,
                klass=klass,
                reason=reason,
                system=system,
                whose=_CULPRITS[klass] if klass else "unknown",
                pattern=words or None,
                advice=advise_on_fact(shown.verdict, fact, context) if shown.verdict else None,
                first_at=sample.first.at if sampled else members[-1][0].at,
                last_at=sample.last.at if sampled else row.at,
                example=show_row(row, outcome, context),
            )
        )
    return groups


def _find_text(outcome: Outcome, context: ApiContext) -> str:
    shown = show_at(outcome, context.clock())
    fact = next(each for each in shown.feedback if each.id == shown.decided_by)
    return (fact.evidence.text if fact.evidence else None) or ""

"""What went wrong, and when: refusals, complaints, deferrals that wait and messages that expired, the newest first.

They are a small part of what is sent, and stand in an index of their own. What was delivered is found by its recipient
or its message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from aftersend.api.context import ApiContext
from aftersend.api.messages import Identifier, advise_on_fact
from aftersend.api.outcome_files import CONTENT_TYPES, choose_format, render_rows
from aftersend.api.outcome_search import (
    MAX_ROWS,
    Search,
    Span,
    find_moment,
    make_span,
    read_outcomes,
)
from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest, header, parse_named
from aftersend.api.responses import ApiResponse, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import PLAIN, Cursor, Domain
from aftersend.core.model import Class, Outcome, Reason, Status
from aftersend.core.times import Moment, format_time
from aftersend.core.validity import show_at
from aftersend.core.vocabulary import Channel
from aftersend.storage.listing import LISTED, SHARDS, ListedOutcome, encode_listing
from aftersend.storage.store import BATCH

route: Final = Router(tag="What went wrong?")

MAX_TEXT: Final = 200  # characters of a refusal that a row shows; the outcome itself has the whole
_FILTERS: Final = ("klass", "reason", "source", "stream", "sender", "domain", "system", "identifier")

Sender = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=320,
        pattern=r"^[^\s]*@[^\s]+$",
        description="An address, or @ with a domain behind it.",
    ),
]
Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=PLAIN)]
ListedStatus = Literal["bounced", "complained", "rejected", "deferred", "expired"]


class OutcomeFilter(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A span of time, and what must be true of an outcome."""

    since: Moment | None = field(name="from", default=None)  # included; by default seven days before `to`
    to: Moment | None = None  # not included; by default now
    status: ListedStatus | None = None
    klass: Class | None = field(name="class", default=None)
    reason: Reason | None = None
    source: Name | None = None  # that said so
    stream: Name | None = None  # of mail, by the sender, as the policy has it
    sender: Sender | None = None
    domain: Domain | None = None  # of the recipient
    system: Name | None = None  # that the recipient reads at, such as gmail; other is any that is not known
    identifier: Identifier | None = None  # one of the sender's own, such as a campaign or a tag


class OutcomesQuery(OutcomeFilter, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is listed, how, and which page."""

    format: Literal["json", "csv", "jsonl"] | None = None  # otherwise what the header Accept asks for, or JSON
    limit: Annotated[int, Meta(ge=1, le=200, description="The maximum number of items to return.")] = 50
    cursor: Cursor | None = None


class OutcomeRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One outcome in short: when it went wrong, whose it is, and in whose words."""

    at: Moment  # the first time that it went wrong; it does not move
    recipient: str
    message: str
    status: Status
    unproven: bool = False  # anybody could have sent all of it, so it decides nothing
    klass: Class | None = field(name="class", default=None)
    reason: Reason | None = None
    rule: str | None = None
    advice: str | None = None  # what to do
    source: str
    system: str = ""  # that the recipient reads at; other where it is not known
    stream: str | None = None
    sender: str | None = None
    subject: str | None = None
    code: int | None = None  # of the answer
    enhanced_status: str | None = None  # RFC 3463
    text: str | None = None  # the beginning of what the refusal said
    remote_mta: str | None = None  # who said it
    review: str | None = None  # why a person should look
    last_at: Moment  # of the last feedback
    delivered_at: Moment | None = None
    correlation: dict[str, str] = field(default_factory=dict)  # the sender's own identifiers, 16 at most


class OutcomePage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page, the newest first. It may be short, with filters even empty, and still have a `next`."""

    outcomes: list[OutcomeRow]
    looked_back_to: Moment  # nothing that fits is missing from here on
    next: str | None = None


class _Place(Struct, frozen=True, array_like=True):
    low: str
    high: str


@route(
    "GET",
    "/outcomes",
    needs="ask",
    query=OutcomesQuery,
    answer=OutcomePage,
    files=tuple(sorted({each.partition(";")[0] for each in CONTENT_TYPES.values()})),
    headers={
        "Next-Cursor": "Of a file: the cursor of the next page, if there is one.",
        "Looked-Back-To": "Of a file: nothing that fits is missing from here on.",
    },
    examples=(
        Example(name="bounces-of-a-day", query="from=2026-03-27T00:00:00Z&to=2026-03-28T00:00:00Z&status=bounced"),
        Example(name="as-csv", query="reason=mailbox_full&format=csv"),
    ),
)
def list_outcomes(request: ApiRequest[OutcomesQuery, None]) -> ApiResponse:
    """List what went wrong, the newest first: refusals, complaints, deferrals that wait, and what has expired.

    Without `from` and `to`, the list covers the last seven days. All filters must fit. What was delivered, or only
    sent, is not in the list: ask by its recipient or its message. What has expired since the last sweep, which is
    hourly, still stands where it stood before. The list is read from an index, which lags behind the table by a moment.

    All pages of a file one after another are one file: only the first has the header. In CSV, a text that a spreadsheet
    would take for a formula has an apostrophe before it.
    """
    context, wanted = request.context, request.query
    kind = choose_format(wanted.format, header(request.event, "accept"))
    chosen = find_listing(wanted, context)
    place = request.decode_cursor(wanted.cursor, _Place)
    span = chosen.span
    if place is not None:
        span = Span(low=place.low, high=place.high, statuses=span.statuses, unproven=span.unproven)
    rows, reached, more = chosen.read(span, wanted.limit)
    after = request.encode_cursor(_Place(span.low, reached)) if more else None
    if kind == "json":
        return json_response(OutcomePage(outcomes=rows, looked_back_to=find_moment(reached), next=after))
    headers = {"Looked-Back-To": format_time(find_moment(reached))} | ({"Next-Cursor": after} if after else {})
    body = render_rows(rows, kind, OutcomeRow.__struct_encode_fields__, with_header=place is None)
    return ApiResponse(status=200, content_type=CONTENT_TYPES[kind], body=body, headers=headers)


class Listing(Struct, frozen=True, kw_only=True):
    """What is looked for: a span of time, and what must be true of each outcome in it."""

    context: ApiContext
    wanted: OutcomeFilter
    span: Span
    sender: str | None
    domain: str | None

    def read(self, span: Span, limit: int) -> tuple[list[OutcomeRow], str, bool]:
        """Return up to `limit` outcomes that fit, the place down to which all were looked at, and if there is more."""
        search = Search(self.context, span, 2 * limit // SHARDS + 2 if self._takes_all() else BATCH)
        found: list[OutcomeRow] = []
        waiting: list[ListedOutcome] = []  # to be read together
        position, looked, enough = span.high, 0, self._choose_batch(limit)
        for row in search:
            position, looked = row.place, looked + 1
            if self.fits(row):
                waiting.append(row)
            if len(waiting) == enough:
                last = self._take(waiting, found, limit)
                if len(found) == limit:
                    return found, last or position, True
                waiting, enough = [], self._choose_batch(limit - len(found))
            if looked == MAX_ROWS:
                break
        else:
            position = search.reached
        last = self._take(waiting, found, limit)
        return found, last or position, last is not None or not search.finished

    def _takes_all(self) -> bool:
        return all(getattr(self.wanted, name) is None for name in _FILTERS)

    def _choose_batch(self, limit: int) -> int:
        """How many rows are read together: more than are wanted where only the outcome knows whether it fits."""
        return BATCH if self.wanted.identifier else limit

    def _take(self, rows: list[ListedOutcome], found: list[OutcomeRow], limit: int) -> str | None:
        """Add what fits of these rows as it is now; the place of the last that there was room for, if not for all."""
        stored = read_outcomes(self.context, [row.key for row in rows]) if rows else {}
        for number, row in enumerate(rows, start=1):
            outcome = stored.get(row.key)
            if outcome is not None and self.still_fits(row, outcome):
                found.append(show_row(row, outcome, self.context))
            if len(found) == limit and number < len(rows):
                return row.place
        return None

    def fits(self, row: ListedOutcome) -> bool:
        """Whether all fits that the index knows."""
        wanted, domain = self.wanted, row.key[0].rpartition("@")[2]
        return (
            wanted.klass in (None, row.klass)
            and wanted.reason in (None, row.reason)
            and wanted.source in (None, row.source)
            and wanted.system in (None, row.system)
            and self.domain in (None, domain)
            and (self.sender is None or _is_from(row.sender, self.sender))
            and wanted.stream in (None, _find_stream(row.sender, self.context))
        )

    def still_fits(self, row: ListedOutcome, outcome: Outcome) -> bool:
        """Whether it stands where the index, which is a moment behind, says, and has the identifier that is wanted."""
        if encode_listing(outcome).get("listed_at", {}).get("S") != row.place:
            return False
        if self.wanted.status not in (None, show_at(outcome, self.context.clock()).status):
            return False
        return self.wanted.identifier is None or _has_identifier(outcome.context.correlation, self.wanted.identifier)


def find_listing(wanted: OutcomeFilter, context: ApiContext) -> Listing:
    """Return what is to be listed; raises Problem where the span or a sender is none."""
    statuses = LISTED if wanted.status is None else (Status(wanted.status),)
    span = make_span(
        wanted.since, wanted.to, context.clock(), statuses, unproven=not context.policy.report.require_proof
    )
    return Listing(
        context=context,
        wanted=wanted,
        span=span,
        sender=_canonicalize_sender(wanted.sender) if wanted.sender else None,
        domain=_canonicalize_domain(wanted.domain) if wanted.domain else None,
    )


def _canonicalize_domain(given: str) -> str:
    return parse_named(f"email:anybody@{given}").rpartition("@")[2]


def _canonicalize_sender(given: str) -> str:
    if given.startswith("@"):
        return "@" + _canonicalize_domain(given[1:])
    found = parse_named(given)
    if not found.startswith(f"{Channel.EMAIL}:"):
        raise Problem("not-one-recipient", "a sender is an address, or @ with a domain behind it")
    return found.partition(":")[2]


def _is_from(sender: str | None, wanted: str) -> bool:
    given = (sender or "").casefold()
    return given.endswith(wanted) if wanted.startswith("@") else given == wanted


def _find_stream(sender: str | None, context: ApiContext) -> str | None:
    return context.policy.find_stream(sender) if sender else None


def _has_identifier(correlation: Mapping[str, str], wanted: str) -> bool:
    """Whether one of these is the identifier; a name is the same in any case, a value is not."""
    name, _, value = wanted.partition(":")
    return any(given.casefold() == name.casefold() and own == value for given, own in correlation.items())


def show_row(row: ListedOutcome, outcome: Outcome, context: ApiContext) -> OutcomeRow:
    """Return an outcome in short, as it is to be seen now."""
    shown = show_at(outcome, context.clock())
    fact = next(each for each in shown.feedback if each.id == shown.decided_by)
    proof, verdict = fact.evidence, shown.verdict
    return OutcomeRow(
        at=row.at,
        recipient=shown.recipient,
        message=shown.message,
        status=shown.status,
        unproven=not shown.proven,
        klass=verdict.klass if verdict else None,
        reason=verdict.reason if verdict else None,
        rule=verdict.rule if verdict else None,
        advice=advise_on_fact(verdict, fact, context) if verdict else None,
        source=row.source,
        system=row.system,
        stream=_find_stream(shown.context.sender, context),
        sender=shown.context.sender,
        subject=shown.context.subject,
        code=proof.code if proof else None,
        enhanced_status=proof.status if proof else None,
        text=proof.text[:MAX_TEXT] if proof and proof.text else None,
        remote_mta=proof.remote_mta if proof else None,
        review=shown.review,
        last_at=shown.last_at,
        delivered_at=shown.delivered_at,
        correlation=shown.context.correlation,
    )

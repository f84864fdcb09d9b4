"""What looks like a provider's accident, and what a person says of it.

    GET  /incidents          those that stand: open, or reverted
    POST /incidents/judge    one of them holds after all, or never will

An incident is named by its domain, its window and its reason, as the list shows them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from aws_lambda_powertools.event_handler import Response
from msgspec import Meta, Struct

from aftersend.api import answers, request
from aftersend.api.problems import Problem
from aftersend.api.routing import Router
from aftersend.api.shapes import Nothing
from aftersend.core import spike_guard
from aftersend.core.model import Act, Decision, Reason
from aftersend.core.spike_guard import Incident
from aftersend.core.times import format_time

router: Final = Router()

_ACTS: Final = {"confirm": Act.CONFIRMED, "revert": Act.REVERTED}


class Judgement(Struct, forbid_unknown_fields=True):
    """What a person says of one incident."""

    domain: Annotated[str, Meta(min_length=1, max_length=320)]
    since: Annotated[datetime, Meta(tz=True)]
    until: Annotated[datetime, Meta(tz=True)]  # the first moment after it
    reason: Reason
    decision: Literal["confirm", "revert"]
    note: Annotated[str, Meta(max_length=512)] | None = None


class Shown(Struct, omit_defaults=True):
    """One incident."""

    domain: str
    since: str
    until: str
    reason: Reason
    state: Literal["open", "reverted"]
    refused: int  # about so many outcomes
    sent: int  # of about so many
    decided_at: str | None = None
    decided_by: str | None = None
    note: str | None = None


class Standing(Struct):
    """All that stand, the latest window first."""

    incidents: list[Shown]


@router.get("/incidents")
def standing() -> Response[str]:
    """Every incident that stands."""
    asked = request.read(router)
    asked.parameters(Nothing)
    found = sorted(asked.desk.watch.incidents(), key=lambda each: each.window.since, reverse=True)
    return answers.json(Standing([_shown(each) for each in found]))


@router.post("/incidents/judge")
def judge() -> Response[str]:
    """Confirm or revert one incident; what is said last holds."""
    asked = request.read(router)
    asked.parameters(Nothing)
    said = asked.body(Judgement)
    incident = next((each for each in asked.desk.watch.incidents() if _is(each, said)), None)
    if incident is None:
        raise Problem("not-found", "no such incident stands; GET /incidents has all that do")
    decision = Decision(at=asked.desk.clock(), by=asked.by, act=_ACTS[said.decision], note=said.note)
    asked.desk.watch.tell(spike_guard.report_decision(incident.window, said.reason, decision))
    return answers.nothing(204)


def _is(incident: Incident, said: Judgement) -> bool:
    window = incident.window
    return (window.domain, window.since, window.until, incident.reason) == (
        said.domain,
        said.since,
        said.until,
        said.reason,
    )


def _shown(incident: Incident) -> Shown:
    decision = incident.decision
    return Shown(
        domain=incident.window.domain,
        since=format_time(incident.window.since),
        until=format_time(incident.window.until),
        reason=incident.reason,
        state="reverted" if decision else "open",
        refused=incident.refused,
        sent=incident.sent,
        decided_at=format_time(decision.at) if decision else None,
        decided_by=decision.by if decision else None,
        note=decision.note if decision else None,
    )

"""Which incidents need a decision: what looks like a provider's mistake, and what a person decides about it.

An incident is one domain refusing many addresses for one reason in one window of time; its id is a digest of these.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from aftersend.api.problems import Problem
from aftersend.api.request import ApiRequest
from aftersend.api.responses import ApiResponse, empty_response, json_response
from aftersend.api.routing import Example, Router
from aftersend.api.schemas import NoParameters
from aftersend.core import spike_guard
from aftersend.core.incident_id import make_incident_id
from aftersend.core.model import Act, Decision, Reason
from aftersend.core.spike_guard import Incident
from aftersend.core.times import format_time

route: Final = Router(tag="Which incidents need a decision?")

IncidentState = Literal["open", "reverted", "confirmed"]
_ACTS: Final = {"confirm": Act.CONFIRMED, "revert": Act.REVERTED}
_STATES: Final[dict[Act, IncidentState]] = {Act.CONFIRMED: "confirmed", Act.REVERTED: "reverted"}


class IncidentQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which incidents."""

    state: IncidentState | None = None  # by default those that are open or reverted


class IncidentDecision(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person decides: the evidence of the incident counts (confirm), or never does (revert)."""

    decision: Literal["confirm", "revert"]
    note: Annotated[str, Meta(max_length=512)] | None = None


class IncidentView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One incident."""

    id: str
    domain: str
    since: str
    until: str  # the first moment after it
    reason: Reason
    state: IncidentState
    refused: int  # outcomes, approximately
    sent: int  # outcomes in all, approximately
    decided_at: str | None = None
    decided_by: str | None = None
    note: str | None = None


class IncidentList(Struct, frozen=True):
    """Incidents, the latest window first."""

    incidents: list[IncidentView]


@route(
    "GET",
    "/incidents",
    needs="ask",
    query=IncidentQuery,
    answer=IncidentList,
    examples=(Example(name="one-that-is-open"),),
)
def list_incidents(request: ApiRequest[IncidentQuery, None]) -> ApiResponse:
    """List the incidents that are open or reverted, or those that were confirmed, the latest first.

    A confirmed incident is listed for thirty days, with who has confirmed it and when.
    """
    windows, state = request.context.spike_windows, request.query.state
    found = windows.find_confirmed() if state == "confirmed" else windows.find_incidents()
    shown = [_show(each) for each in sorted(found, key=lambda each: each.window.since, reverse=True)]
    return json_response(IncidentList([each for each in shown if state in (None, each.state)]))


@route(
    "PUT",
    "/incidents/{incident}/decision",
    needs="decide",
    body=IncidentDecision,
    statuses={204: "The decision is stored."},
    examples=(
        Example(
            name="provider-at-fault",
            path={"incident": "63744764214fc1b8fa8a"},
            body={"decision": "revert", "note": "They have told us that their directory was down."},
        ),
    ),
)
def decide_incident(request: ApiRequest[NoParameters, IncidentDecision]) -> ApiResponse:
    """Confirm an incident, or revert it.

    A later decision replaces an earlier one. A confirmed incident can no longer be decided.
    """
    wanted = request.path["incident"]
    windows = request.context.spike_windows
    incident = next((each for each in windows.find_incidents() if make_incident_id(each) == wanted), None)
    if incident is None:
        raise Problem("not-found", "there is no such incident; GET /incidents lists those that are open or reverted")
    body = request.body
    decision = Decision(at=request.context.clock(), by=request.caller, act=_ACTS[body.decision], note=body.note)
    windows.record(spike_guard.report_decision(incident.window, incident.reason, decision))
    return empty_response(204)


def _show(incident: Incident) -> IncidentView:
    decision = incident.decision
    return IncidentView(
        id=make_incident_id(incident),
        domain=incident.window.domain,
        since=format_time(incident.window.since),
        until=format_time(incident.window.until),
        reason=incident.reason,
        state=_STATES[decision.act] if decision else "open",
        refused=incident.refused,
        sent=incident.sent,
        decided_at=format_time(decision.at) if decision else None,
        decided_by=decision.by if decision else None,
        note=decision.note if decision else None,
    )

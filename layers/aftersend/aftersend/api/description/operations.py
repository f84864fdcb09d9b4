"""Every operation of the API, by the question that it answers. Pure.

What an operation takes and gives stands in the Structs of its module; what may go wrong, in `aftersend.api.problems`.
"""

from __future__ import annotations

from typing import Final

from aftersend.api import checks, incidents, messages, recipients, reviews, suppressions, views
from aftersend.api.description import Operation, bulk
from aftersend.api.shapes import Paged, Scoped

_FOUND: Final = ("not-found",)

OWN: Final = (
    Operation(
        method="post",
        path="/suppressions/check",
        id="check",
        tag="May I write to these addresses?",
        summary="Which of up to 1,000 recipients are suppressed, why, and until when",
        text=(
            "A recipient is suppressed in a stream where they are suppressed in all streams or in that one. Answers "
            "come in the order of the question, one for each recipient that was given."
        ),
        body=checks.Question,
        answer=checks.Checks,
    ),
    Operation(
        method="head",
        path="/suppressions/{recipient}",
        id="probe",
        tag="May I write to these addresses?",
        summary="Whether one recipient is suppressed",
        text="The status is the answer. It is not that of GET, which tells of released suppressions too.",
        query=Scoped,
        success={200: "Suppressed: do not write there.", 404: "Not suppressed."},
    ),
    Operation(
        method="get",
        path="/suppressions",
        id="listSuppressions",
        tag="Why is this person blocked, and may I unblock them?",
        summary="Suppressions by the day of their newest cause, the newest first",
        text=(
            "Without `from` and `to`: of the last seven days. Of several filters one cause must fulfil all. The list "
            "is read from an index, which is a moment behind the table."
        ),
        query=suppressions.Filter,
        answer=suppressions.Suppressions,
    ),
    Operation(
        method="get",
        path="/suppressions/{recipient}",
        id="getSuppression",
        tag="Why is this person blocked, and may I unblock them?",
        summary="One suppression: its causes, and who decided what",
        query=Scoped,
        answer=views.SuppressionView,
        versioned=True,
        problems=_FOUND,
    ),
    Operation(
        method="put",
        path="/suppressions/{recipient}",
        id="suppress",
        tag="Why is this person blocked, and may I unblock them?",
        summary="Suppress by hand, with a note and perhaps an end",
        text="Said twice by the same caller with the same words, it is written once.",
        query=Scoped,
        body=suppressions.Addition,
        answer=views.SuppressionView,
        success={200: "Suppressed.", 201: "Suppressed; nothing was known of them before."},
        versioned=True,
        conditional=True,
        problems=_FOUND,
    ),
    Operation(
        method="delete",
        path="/suppressions/{recipient}",
        id="release",
        tag="Why is this person blocked, and may I unblock them?",
        summary="Release: evidence up to now no longer counts, later evidence does",
        text=(
            "Nothing is deleted: the history says who released them and why. It is written down also where nothing "
            "holds, because older evidence may still be on its way. A complaint that stands is lifted by force alone."
        ),
        query=suppressions.Release,
        answer=views.SuppressionView,
        versioned=True,
        conditional=True,
        problems=(*_FOUND, "standing-complaint"),
    ),
    Operation(
        method="get",
        path="/recipients/{recipient}",
        id="getRecipient",
        tag="Why is this person blocked, and may I unblock them?",
        summary="Health, suppressions in all scopes, and outcomes, the newest first",
        query=Paged,
        answer=recipients.Recipient,
        problems=_FOUND,
    ),
    Operation(
        method="get",
        path="/messages/{message}",
        id="getMessage",
        tag="What happened to this message?",
        summary="Every recipient's outcome, with all feedback, its verdicts and what to do",
        text=(
            "Verdicts of the feedback are those of today's rules; the status is the one that is stored. Colons and "
            "slashes of the id may stand in the path as they are."
        ),
        query=messages.Wanted,
        answer=messages.Message,
        problems=_FOUND,
    ),
    Operation(
        method="get",
        path="/review",
        id="review",
        tag="What should a person look at?",
        summary="Outcomes that nobody can judge, and hard bounces that a sign of life contradicts",
        query=reviews.Wanted,
        answer=reviews.Reviews,
    ),
    Operation(
        method="post",
        path="/review/outcomes",
        id="resolveOutcome",
        tag="What should a person look at?",
        summary="Settle one outcome: keep it, suppress its recipient, or release them",
        text="What was known by now needs no further look; later feedback may need one again.",
        body=reviews.OfOutcome,
        answer=messages.OutcomeView,
        versioned=True,
        conditional=True,
        problems=(*_FOUND, "standing-complaint"),
    ),
    Operation(
        method="post",
        path="/review/suppressions",
        id="resolveSuppression",
        tag="What should a person look at?",
        summary="Settle one suppression: keep it, keep it by hand, or release it",
        body=reviews.OfSuppression,
        answer=views.SuppressionView,
        versioned=True,
        conditional=True,
        problems=(*_FOUND, "standing-complaint"),
    ),
    Operation(
        method="get",
        path="/openapi.json",
        id="openapi",
        tag="About this API",
        summary="This document",
        success={200: "An OpenAPI document."},
    ),
)
INCIDENTS: Final = (
    Operation(
        method="get",
        path="/incidents",
        id="listIncidents",
        tag="What looks like a provider's accident?",
        summary="Every incident that stands, open or reverted, the latest first",
        answer=incidents.Standing,
    ),
    Operation(
        method="post",
        path="/incidents/judge",
        id="judgeIncident",
        tag="What looks like a provider's accident?",
        summary="Confirm an incident, or revert it; what is said last holds",
        body=incidents.Judgement,
        success={204: "Written down."},
        problems=_FOUND,
    ),
)
ALL: Final = (*OWN, *INCIDENTS, *bulk.ALL)

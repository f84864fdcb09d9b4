"""The operations of bulk work. Pure."""

from __future__ import annotations

from typing import Any, Final

from aftersend.api import bulk
from aftersend.api.bulk_views import JobView
from aftersend.api.description import Operation
from aftersend.lists import export_rows
from aftersend.lists.erase import ErasureResult

_FOUND: Final = ("not-found",)
_MANY: Final = "Many at once"
_JOB: Final[dict[str, Any]] = {
    "answer": JobView,
    "success": {200: "The job is over.", 202: "It goes on; ask again at its place."},
    "headers": {"Location": "Where to ask how far it is."},
}

ALL: Final = (
    Operation(
        method="post",
        path="/suppressions/import",
        id="import",
        tag=_MANY,
        summary="Take in the list that is the body, of up to 5 MB",
        query=bulk.Wanted,
        lists=bulk.LISTS,
        **_JOB,
    ),
    Operation(
        method="post",
        path="/suppressions/import/uploads",
        id="announceImport",
        tag=_MANY,
        summary="Say where to put a list of any size; it is taken in once its job is started",
        query=bulk.Wanted,
        **(_JOB | {"success": {201: "The job waits for its list."}}),
    ),
    Operation(
        method="get",
        path="/suppressions/export",
        id="exportPage",
        tag=_MANY,
        summary="Suppressions as a file, page by page",
        text="All pages behind one another are one file. There are more where there is a `Next-Cursor`.",
        query=bulk.Chosen,
        files=tuple(sorted({each.partition(";")[0] for each in export_rows.CONTENT_TYPES.values()})),
        headers={"Next-Cursor": "The cursor of the next page, if there is one."},
    ),
    Operation(
        method="post",
        path="/suppressions/export",
        id="export",
        tag=_MANY,
        summary="Write all suppressions into a file",
        body=bulk.Selection,
        **_JOB,
    ),
    Operation(
        method="post",
        path="/suppressions/revert",
        id="revert",
        tag=_MANY,
        summary="Take back what one domain said for one reason in a window of time",
        body=bulk.Accident,
        **_JOB,
    ),
    Operation(
        method="get",
        path="/jobs/{job}",
        id="getJob",
        tag=_MANY,
        summary="How far a job is",
        problems=_FOUND,
        **(_JOB | {"success": {200: "The job."}}),
    ),
    Operation(
        method="post",
        path="/jobs/{job}/start",
        id="startJob",
        tag=_MANY,
        summary="Let a job be worked, once its list is in its place",
        problems=(*_FOUND, "method"),  # a question mark in an id that is none ends the path there
        **_JOB,
    ),
    Operation(
        method="delete",
        path="/recipients/{recipient}",
        id="erase",
        tag=_MANY,
        summary="Forget a recipient, who stays suppressed if they are",
        answer=ErasureResult,
    ),
)

"""The block of the template that keeps the list of Amazon SES: what feeds it, and what becomes of failures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aftersend.core.model import Cause, CauseKind, EvidenceRef, Suppression
from aftersend.jobs import ses_sync
from tests.support.facts import START
from tests.support.template import ALARMS, FUNCTIONS, RESOURCES, STREAMS, TEMPLATE, mentioned, one

FUNCTION, MAPPING = STREAMS["SyncSesList.Stream"]


def _passes(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether Lambda hands a record to the function (Lambda developer guide, "Filter rule syntax")."""
    for name, wanted in pattern.items():
        given = event[name]
        if isinstance(wanted, dict):
            if not _passes(wanted, given):
                return False
        elif not any(given.startswith(each["prefix"]) if isinstance(each, dict) else given == each for each in wanted):
            return False
    return True


@pytest.mark.parametrize(
    ("recipient", "scope", "passes"),
    [
        ("email:ann@example.com", "*", True),
        ("email:ann@example.com", "news", False),
        ("sms:+14255550156", "*", False),
        ("push:apns:aa", "*", False),
        ("erased:0a1b", "*", False),
    ],
)
def test_the_filter_lets_through_what_may_be_decided(recipient: str, scope: str, passes: bool) -> None:
    (filter_,) = MAPPING["FilterCriteria"]["Filters"]
    keys = {"recipient": {"S": recipient}, "scope": {"S": scope}}
    assert _passes(json.loads(filter_["Pattern"]), {"dynamodb": {"Keys": keys}}) is passes
    ref = EvidenceRef(at=START, feedback="f", message="ses:1", source="ses")
    row = Suppression(recipient=recipient, scope=scope, causes={CauseKind.HARD: Cause(first=ref, latest=ref)})
    assert (ses_sync.plan_change(None, row) is not None) is passes


def test_it_follows_the_suppressions_and_gives_single_records_back() -> None:
    assert mentioned(MAPPING["Stream"]) == {"Suppressions"}
    assert MAPPING["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert MAPPING["StartingPosition"] == "TRIM_HORIZON"
    timeout = FUNCTIONS[FUNCTION].get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"])
    assert MAPPING["BatchSize"] * (ses_sync.PACE + 0.5) < timeout, "a batch has time to be worked at the pace of SES"


def test_what_is_given_up_is_given_up_before_the_stream_forgets_it_and_somebody_is_notified() -> None:
    assert MAPPING["MaximumRecordAgeInSeconds"] < 24 * 3600
    lost = one(MAPPING["DestinationConfig"]["OnFailure"]["Destination"])
    assert lost in mentioned(ALARMS["SyncSesListAlarm"])
    assert lost in mentioned(RESOURCES[one(FUNCTIONS[FUNCTION]["Role"])])
    assert FUNCTION in mentioned(ALARMS["SyncSesListAlarm"])

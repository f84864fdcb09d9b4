"""The block of the template that reads the tables' streams: what makes counting exact, and what becomes of failures."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from aftersend.storage.parked_records import FOLDER
from tests.support.template import (
    ALARMS,
    FUNCTIONS,
    GIVEN_UP,
    RESOURCES,
    STREAMS,
    TABLES,
    TEMPLATE,
    mentioned,
    one,
    statements,
)

MAPPINGS = {name: mapping for name, (function, mapping) in STREAMS.items() if function == "Streams"}
PARAMETERS = TEMPLATE["Parameters"]


def test_it_follows_both_tables() -> None:
    assert {one(mapping["Stream"]) for mapping in MAPPINGS.values()} == {"Outcomes", "Suppressions"}


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
def test_one_call_at_a_time_works_a_shard_and_knows_which(mapping: dict[str, Any]) -> None:
    """Lambda developer guide: several lanes of one shard have the same `shardId`, so that a checkpoint of the shard
    would lose counts; without a window there is no `shardId`; `LATEST` may miss records while a mapping is made.
    """
    assert mapping["ParallelizationFactor"] == 1
    assert 0 < mapping["TumblingWindowInSeconds"] <= 900
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert "FilterCriteria" not in mapping, "what is filtered away would be in no counter"


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
def test_a_bad_record_stops_its_shard_for_no_longer_than_a_stream_remembers(mapping: dict[str, Any]) -> None:
    assert mapping["MaximumRecordAgeInSeconds"] < 24 * 3600
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_what_is_given_up_lies_whole_in_a_bucket() -> None:
    """Lambda developer guide: a queue or a topic gets the numbers of records alone, a bucket the records."""
    for name in MAPPINGS:
        assert RESOURCES[GIVEN_UP[name]]["Type"] == "AWS::S3::Bucket"
        assert STREAMS[name][1]["DestinationConfig"]["OnFailure"]["Type"] == "S3"
    allowed = {
        resource["Fn::Sub"]
        for statement in statements("Streams")
        if "s3:PutObject" in statement.actions
        for resource in statement.resources
    }
    assert allowed == {f"${{Archive.Arn}}/{FOLDER}*", "${Archive.Arn}/aws/lambda/*"}


def test_a_shard_has_no_more_than_two_readers() -> None:
    """DynamoDB developer guide: "more than two readers per shard can result in throttling"."""
    readers = Counter(one(mapping["Stream"]) for _, mapping in STREAMS.values())
    assert max(readers.values()) <= 2


def test_it_is_off_unless_somebody_says_so_and_its_alarm_goes_with_it() -> None:
    assert PARAMETERS["Statistics"]["Default"] == "false"
    made = {name for name, each in RESOURCES.items() if each.get("Condition") == "HasStreams"}
    assert {"StatisticsTable", "Streams", "StreamsAlarm"} <= made
    assert mentioned(ALARMS["StreamsAlarm"]) & FUNCTIONS.keys() == {"Streams"}


def test_images_of_both_tables_are_whole() -> None:
    for name in ("Outcomes", "Suppressions"):
        assert TABLES[name]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_a_window_of_gathering_fits_the_window_that_tells_the_shard() -> None:
    (parameter,) = {one(mapping["MaximumBatchingWindowInSeconds"]) for mapping in MAPPINGS.values()}
    assert PARAMETERS[parameter]["MaxValue"] <= min(each["TumblingWindowInSeconds"] for each in MAPPINGS.values())

"""Streams of the embedded stack: what a mapping's filters leave out reaches no function and holds up nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from local.lambdas import StreamMapping
from local.stack import Stack
from tests.support.template import TEMPLATE

MAPPING = TEMPLATE["Resources"]["PublishIncidents"]["Properties"]["Events"]["Incidents"]["Properties"]


class FakeStreams:
    """One shard, whose records are numbered from 1; it stands for the stack that gives its client, too."""

    def __init__(self, *images: dict[str, str]) -> None:
        self.images = images

    def client(self, _service: str) -> FakeStreams:
        return self

    def describe_stream(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescription": {"Shards": [{"ShardId": "shard-1"}]}}

    def get_shard_iterator(self, **place: str) -> dict[str, Any]:
        return {"ShardIterator": place.get("SequenceNumber", "0")}

    def get_records(self, **asked: Any) -> dict[str, Any]:
        start = int(asked["ShardIterator"])
        moment = datetime(2026, 3, 1, tzinfo=UTC)
        return {
            "Records": [
                {
                    "dynamodb": {
                        "SequenceNumber": str(at),
                        "ApproximateCreationDateTime": moment,
                        "NewImage": {name: {"S": value} for name, value in image.items()},
                    }
                }
                for at, image in enumerate(self.images, 1)
                if start < at <= start + asked["Limit"]
            ]
        }


def follow(streams: FakeStreams, failing: str | None = None, size: int = 2) -> tuple[StreamMapping, list[str]]:
    """A mapping with the filters of the template, and the numbers of the records that reach its function."""
    reached: list[str] = []

    def work(event: dict[str, Any]) -> dict[str, Any]:
        numbers = [each["dynamodb"]["SequenceNumber"] for each in event["Records"]]
        reached.extend(numbers)
        return {"batchItemFailures": [{"itemIdentifier": failing}] if failing in numbers else []}

    properties = MAPPING | {"EventSourceArn": "arn:of-the-stream", "BatchSize": size}
    return StreamMapping(cast(Stack, streams), properties, work, "PublishIncidents"), reached


def test_only_windows_with_an_incident_reach_the_function() -> None:
    plain, incident = {"domain": "example.com"}, {"domain": "example.com", "state": "open"}
    mapping, reached = follow(FakeStreams(plain, plain, plain, incident, plain, incident))
    assert list(mapping.drain()) == [(1, 0), (1, 0)]
    assert reached == ["4", "6"]
    assert list(mapping.drain()) == []


def test_what_fails_comes_again_and_what_is_left_out_does_not() -> None:
    plain, incident = {"domain": "example.com"}, {"domain": "example.com", "state": "open"}
    mapping, reached = follow(FakeStreams(incident, plain, incident, incident), failing="3", size=4)
    assert list(mapping.drain()) == [(1, 2)]
    assert list(mapping.drain()) == [(0, 2)]
    assert reached == ["1", "3", "4", "3", "4"]

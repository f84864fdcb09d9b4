"""Is anything stuck: counts of queues, a look at what nobody works, the way back, and texts that no rule knows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from moto import mock_aws

from aftersend.aws.boto import adapt_client
from aftersend.aws.errors import NoAnswer, Refusal
from aftersend.aws.tasks import run_calls
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Evidence, Kind
from aftersend.sources.message import Message
from aftersend.storage.alarms import Alarms
from aftersend.storage.archive import folder
from aftersend.storage.dead_letters import DeadLetters
from aftersend.storage.last_heard import LastHeard
from aftersend.storage.queue_overview import JOBS, LyingCounts, QueueOverview
from aftersend.storage.unmatched import UnmatchedTextQueries, UnmatchedTexts
from tests.support.api import ARN, Api, api_context
from tests.support.clients import FakeDynamoDB
from tests.support.facts import START, fact
from tests.support.listing import Listing
from tests.support.ports import NOW
from tests.support.template import ALARMS, QUEUES, mentioned

ALL = {"messages": "all"}
NAMES = (
    *("FeedbackQueue", "FeedbackDeadLetters", "UnreadableBodies", "OddDeadLetters", "SesBouncesQueue"),
    *("ReplayQueue", "ReplayDeadLetters"),
)


class Queues:
    """Queues of moto, and the API over them."""

    def __init__(self, sqs: Any) -> None:
        self.sqs = sqs
        self.urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in NAMES}
        unreadable = self._find_arn("UnreadableBodies")
        policy = f'{{"deadLetterTargetArn": "{unreadable}", "maxReceiveCount": 1000}}'
        sqs.set_queue_attributes(QueueUrl=self.urls["FeedbackDeadLetters"], Attributes={"RedrivePolicy": policy})
        self.overview = QueueOverview(lambda: adapt_client(sqs, "sqs"), self.urls)
        self.api = Api(api_context(queues=self.overview))

    def _find_arn(self, name: str) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=self.urls[name], AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def park(self, count: int, why: str = "no JSON") -> None:
        for number in range(count):
            body = Message(f"id-{number}", b"{no json \xff", START, "ses", {"x-file": "a.jsonl line 3"})
            DeadLetters(lambda: adapt_client(self.sqs, "sqs"), self.urls["UnreadableBodies"]).put(body, why)

    def waiting(self, name: str) -> int:
        return next(each.waiting + each.hidden for each in self.overview.count([name]))


@pytest.fixture
def queues() -> Iterator[Queues]:
    with mock_aws():
        yield Queues(boto3.client("sqs", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"))


def test_the_status_counts_and_takes_nothing_out(queues: Queues) -> None:
    queues.park(3)
    queues.sqs.send_message(QueueUrl=queues.urls["FeedbackQueue"], MessageBody="a")
    found = queues.api("GET", "/status").json
    assert found["unreadable"] == 3
    assert found["queues"] == [
        {"name": "FeedbackQueue", "waiting": 1, "hidden": 0, "delayed": 0},
        {"name": "ReplayQueue", "waiting": 0, "hidden": 0, "delayed": 0},
        {"name": "SesBouncesQueue", "waiting": 0, "hidden": 0, "delayed": 0},
    ]
    assert [each["name"] for each in found["dead_letters"]] == [
        "FeedbackDeadLetters",
        "OddDeadLetters",
        "ReplayDeadLetters",
    ]
    assert queues.api("GET", "/dead-letters").json["queues"] == [
        {"name": "FeedbackDeadLetters", "messages": 0, "goes_back_to": "FeedbackQueue"},
        {"name": "OddDeadLetters", "messages": 0},
        {"name": "ReplayDeadLetters", "messages": 0, "goes_back_to": "ReplayQueue"},
        {"name": "UnreadableBodies", "messages": 3, "goes_back_to": "FeedbackQueue"},
    ]


def test_what_lies_is_counted_for_two_alarms_and_named_for_who_looks(queues: Queues) -> None:
    assert queues.overview.count_lying() == LyingCounts(queues={}, dead_letters=0, dead_jobs=0)
    queues.park(3)
    for name, number in (("FeedbackDeadLetters", 2), ("OddDeadLetters", 1), ("ReplayDeadLetters", 4)):
        for _ in range(number):
            queues.sqs.send_message(QueueUrl=queues.urls[name], MessageBody="a")
    queues.sqs.receive_message(QueueUrl=queues.urls["OddDeadLetters"])  # somebody looks at it
    lying = {"FeedbackDeadLetters": 2, "OddDeadLetters": 1, "ReplayDeadLetters": 4, "UnreadableBodies": 3}
    assert queues.overview.count_lying() == LyingCounts(queues=lying, dead_letters=3, dead_jobs=4)


def test_jobs_are_what_the_alarm_for_jobs_watches() -> None:
    worked = {name.removesuffix("Queue") for name in mentioned(ALARMS["JobsAlarm"]) & QUEUES.keys()}
    assert worked == JOBS


def test_a_look_says_why_and_leaves_everything_there(queues: Queues) -> None:
    queues.park(12)
    found = queues.api("GET", "/dead-letters/UnreadableBodies?limit=12").json
    assert (found["queue"], found["messages"], len(found["shown"])) == ("UnreadableBodies", 12, 12)
    first = found["shown"][0]
    assert first | {"id": "", "sent_at": ""} == {
        "id": "",
        "source": "ses",
        "reason": "no JSON",
        "file": "a.jsonl line 3",
        "sent_at": "",
        "receives": 1,
        "bytes": 10,
        "excerpt": "{no json \ufffd",
    }
    (counts,) = queues.overview.count(["UnreadableBodies"])
    assert (counts.waiting, counts.hidden) == (12, 0)
    assert len(queues.api("GET", "/dead-letters/UnreadableBodies?limit=5").json["shown"]) == 5


def test_some_go_back_to_work_as_they_came_and_all_others_stay(queues: Queues) -> None:
    queues.park(12)
    shown = queues.api("GET", "/dead-letters/UnreadableBodies?limit=12").json["shown"]
    body = {"messages": [shown[3]["id"], shown[11]["id"], "unknown"]}
    found = queues.api("POST", "/dead-letters/UnreadableBodies/redrive", body).json
    assert (found["by"], found["moved"], found["left"], found["goes_back_to"]) == (ARN, 2, 10, "FeedbackQueue")
    (counts,) = queues.overview.count(["UnreadableBodies"])
    assert (counts.waiting, counts.hidden) == (10, 0)
    url = queues.urls["FeedbackQueue"]
    (one, _) = queues.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])[
        "Messages"
    ]
    names = {name: each["StringValue"] for name, each in one["MessageAttributes"].items()}
    assert (names["source"], names["coding"], names["header.x-file"]) == ("ses", "base64", "a.jsonl line 3")


def test_all_go_back_to_work_a_thousand_at_a_time(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    def redrive() -> tuple[int, int]:
        found = queues.api("POST", "/dead-letters/UnreadableBodies/redrive", ALL).json
        return found["moved"], found["left"]

    assert redrive() == (0, 0)
    queues.park(12)
    monkeypatch.setattr("aftersend.storage.queue_overview.MAX_MOVED", 10)
    assert [redrive(), redrive()] == [(10, 2), (2, 0)]
    assert queues.waiting("FeedbackQueue") == 12


def test_what_came_from_nowhere_goes_nowhere(queues: Queues) -> None:
    answer = queues.api("POST", "/dead-letters/OddDeadLetters/redrive", ALL)
    assert (answer.status, answer.json["type"]) == (409, "urn:aftersend:problem:not-redrivable")
    for path in ("/dead-letters/FeedbackQueue", "/dead-letters/Other", "/dead-letters/a%0Ab"):
        assert queues.api("GET", path).status == 404
        assert queues.api("POST", f"{path}/redrive", ALL).status == 404


@pytest.mark.parametrize("path", ["/status", "/dead-letters", "/dead-letters/UnreadableBodies", "/unmatched"])
def test_another_function_has_no_routes_for_them(path: str) -> None:
    assert Api(api_context())("GET", path).status == 404


class Texts(FakeDynamoDB):
    """A table of texts that takes what is counted, and is read a few at a time."""

    def __init__(self, page: int = 2) -> None:
        self.items: dict[str, Any] = {}
        self.page = page

    def update_item(self, **request: Any) -> Any:
        values = request["ExpressionAttributeValues"]
        key = request["Key"]["digest"]["S"]
        names = ("source", "text", "example", "first_at", "code", "status", "schema")
        item = self.items.setdefault(key, {name: values[f":{name}"] for name in names} | {"seen": {"SS": []}})
        item["seen"]["SS"] += values[":ids"]["SS"]

    def scan(self, **request: Any) -> Any:
        keys = sorted(self.items)
        start = keys.index(request["ExclusiveStartKey"]["digest"]["S"]) + 1 if "ExclusiveStartKey" in request else 0
        page = keys[start : start + self.page]
        more = {"LastEvaluatedKey": {"digest": {"S": page[-1]}}} if start + self.page < len(keys) else {}
        return {"Items": [self.items[key] for key in page], **more}


def test_texts_that_no_rule_knows_come_by_their_number() -> None:
    table = Texts()
    texts = UnmatchedTextQueries(table, "Unmatched")
    counted = UnmatchedTexts("Unmatched", timedelta(days=180))
    for number, (text, code) in enumerate([("no way", 554), ("go away", None), ("go away", None), ("hm ann", 550)]):
        proof = Evidence(text=text, code=code, provider_code="unclear")
        run_calls(
            counted.count(fact(Kind.BOUNCED, number, message=f"test:{number}", evidence=proof), NOW),
            {"dynamodb": table},
        )
    table.items["newer"] = {"schema": {"N": "99"}}
    api = Api(api_context(unmatched_texts=texts))
    found = api("GET", "/unmatched").json
    assert [each["seen"] for each in found["texts"]] == [2, 1, 1]
    assert (found["texts"][0]["text"], "code" in found["texts"][0]) == ("go away", True)
    assert (len(found["texts"]), found["complete"]) == (3, True)
    assert "ann" not in str(found)
    assert api("GET", "/unmatched?source=ses").json == {"texts": [], "complete": True}
    assert len(api("GET", "/unmatched?limit=1").json["texts"]) == 1


def test_more_texts_than_one_answer_looks_at_are_said_to_be_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aftersend.storage.unmatched.MAX_READ", 1_000)
    table = Texts(page=1)
    texts = UnmatchedTextQueries(table, "Unmatched")
    counted = UnmatchedTexts("Unmatched", timedelta(days=180))
    for number in range(5):
        run_calls(
            counted.count(fact(Kind.BOUNCED, number, evidence=Evidence(text="abcde"[number] * 9)), NOW),
            {"dynamodb": table},
        )
    found = Api(api_context(unmatched_texts=texts))("GET", "/unmatched").json
    assert (len(found["texts"]), found["complete"]) == (2, False)


def test_a_queue_that_does_not_answer_is_ours(queues: Queues) -> None:
    broken = QueueOverview(
        lambda: adapt_client(queues.sqs, "sqs"), {"UnreadableBodies": queues.urls["FeedbackQueue"] + "x"}
    )
    with pytest.raises(StoreUnavailable):
        broken.look("UnreadableBodies", 1)


# ---- Sources ---------------------------------------------------------------------------------------------------------


def test_the_status_says_when_each_source_was_last_heard_of(queues: Queues) -> None:
    at = START - timedelta(days=2)
    archive = Listing({f"{folder('ses', START)}a": START, f"{folder('mailgun', at)}a": at})
    heard = LastHeard(lambda: archive, "archive")
    found = Api(api_context(queues=queues.overview, last_heard=heard))("GET", "/status").json
    assert found["sources"] == [
        {"source": "ses", "last_at": "2026-03-01T00:00:00Z"},
        {"source": "mailgun", "last_at": "2026-02-27T00:00:00Z"},
    ]


def test_of_sources_nothing_is_said_where_the_archive_says_nothing(queues: Queues) -> None:
    def fail(**_request: Any) -> Any:
        raise Refusal("AccessDenied", {})

    heard = LastHeard(lambda: cast("Any", SimpleNamespace(list_objects_v2=fail)), "archive")
    found = Api(api_context(queues=queues.overview, last_heard=heard))("GET", "/status").json
    assert (found["sources"], found["unreadable"]) == (None, 0)
    assert queues.api("GET", "/status").json["sources"] is None, "a function that has no archive"


# ---- Alarms ---------------------------------------------------------------------------------------------------------


def test_the_alarms_of_this_stack_that_ring_are_in_the_status(queues: Queues) -> None:
    watch = boto3.client("cloudwatch", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    names = ("mail-FailedFeedbackAlarm-1A2B", "mail-QueueAlarm-3C4D", "mail-test-QueueAlarm-5E6F", "other-Alarm-7A8B")
    for name in names:
        watch.put_metric_alarm(
            AlarmName=name, AlarmDescription=f"{name} says this.", Namespace="Aftersend", MetricName="Failed",
            Statistic="Sum", Period=300, EvaluationPeriods=1, Threshold=0, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
    for name in (names[0], *names[2:]):
        watch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    watch.set_alarm_state(AlarmName=names[1], StateValue="INSUFFICIENT_DATA", StateReason="test")
    alarms = Alarms(lambda: adapt_client(watch, "cloudwatch"), "mail")
    found = Api(api_context(queues=queues.overview, alarms=alarms))("GET", "/status").json["alarms"]
    (ringing,) = found["ringing"]
    assert (found["watched"], found["without_data"]) == (2, 1)
    assert (ringing["name"], ringing["meaning"]) == ("FailedFeedbackAlarm", f"{names[0]} says this.")
    assert ringing["since"].endswith("Z")


@pytest.mark.parametrize("error", [Refusal("AccessDenied", {}), NoAnswer("ReadTimeout")])
def test_of_alarms_nothing_is_said_where_cloudwatch_says_nothing(queues: Queues, error: Exception) -> None:
    def fail(**_request: Any) -> Any:
        raise error

    alarms = Alarms(lambda: SimpleNamespace(describe_alarms=fail), "mail")
    found = Api(api_context(queues=queues.overview, alarms=alarms))("GET", "/status").json
    assert found["alarms"] is None
    assert found["unreadable"] == 0


def test_alarms_are_read_page_by_page_up_to_a_bound() -> None:
    asked: list[Any] = []

    def describe(**request: Any) -> Any:
        asked.append(request.get("NextToken"))
        return {"MetricAlarms": [], "NextToken": f"{len(asked)}"}

    assert Alarms(lambda: SimpleNamespace(describe_alarms=describe), "mail").list_alarms() == []
    assert asked == [None, "1", "2", "3", "4"]

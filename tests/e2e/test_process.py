"""`process` as it is deployed: what SAM builds, with the template's settings, behind Lambda's Runtime API."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from local import envelopes
from local.samples import EVENTS, samples
from tests.support.cloud import Cloud
from tests.support.emulator import Emulator

pytestmark = pytest.mark.emulator

LIFE: Final = ("story-life.1-send", "story-life.3-delivery", "story-life.7-complaint")
DONE: Final[dict[str, Any]] = {"batchItemFailures": []}


def body(case: str) -> str:
    (path,) = (EVENTS / "ses").glob(f"{case}.[jt]*")
    return path.read_text()


def ids(event: dict[str, Any]) -> list[dict[str, str]]:
    return [{"itemIdentifier": record["messageId"]} for record in event["Records"]]


def statuses(cloud: Cloud) -> list[str]:
    return [row["status"] for row in cloud.rows("Outcomes")]


def causes(cloud: Cloud) -> list[list[str]]:
    return [sorted(json.loads(row["causes"])) for row in cloud.rows("Suppressions")]


@pytest.mark.parametrize("wrap", [envelopes.sqs, envelopes.sqs_of_sns, envelopes.sqs_of_eventbridge])
def test_a_batch_makes_one_outcome_and_one_suppression(process: Emulator, cloud: Cloud, wrap: Any) -> None:
    event = wrap([body(case) for case in LIFE])
    assert process.invoke(event) == DONE
    (outcome,) = cloud.rows("Outcomes")
    mail = json.loads(body(LIFE[0]))["mail"]
    assert outcome["recipient"] == f"email:{mail['destination'][0]}"
    assert outcome["message"] == f"ses:{mail['messageId']}"
    assert outcome["status"] == "complained"
    assert {"delivered_at", "complained_at", "expires_at"} <= outcome.keys()
    (suppression,) = cloud.rows("Suppressions")
    assert suppression["recipient"] == outcome["recipient"]
    assert causes(cloud) == [["complaint"]]
    assert cloud.archived() == [record["body"] for record in event["Records"]]
    assert cloud.parked() == []


def test_the_same_batch_again_changes_nothing(process: Emulator, cloud: Cloud) -> None:
    event = envelopes.sqs([body(case) for case in LIFE])
    process.invoke(event)
    before = (cloud.rows("Outcomes"), cloud.rows("Suppressions"), cloud.objects())
    assert process.invoke(event) == DONE
    assert (cloud.rows("Outcomes"), cloud.rows("Suppressions"), cloud.objects()) == before


def test_a_body_that_nobody_can_read_is_parked_and_holds_up_nothing(process: Emulator, cloud: Cloud) -> None:
    unreadable = body("malformed-truncated")
    event = envelopes.sqs([body("delivery"), unreadable, body("bounce-permanent-noemail")])
    assert process.invoke(event) == DONE
    ((parked, attributes),) = cloud.parked()
    assert parked == unreadable
    assert attributes.keys() == {"source", "reason", "message_id"}
    assert (attributes["source"], attributes["message_id"]) == ("ses", event["Records"][1]["messageId"])
    assert len(attributes["reason"]) > 5
    assert sorted(statuses(cloud)) == ["bounced", "delivered"]
    assert len(cloud.archived()) == 3


def test_a_table_that_is_away_hands_every_message_back(process: Emulator, cloud: Cloud) -> None:
    event = envelopes.sqs([body("delivery"), body("bounce-permanent-noemail")])
    cloud.drop_table("Outcomes")
    assert sorted(process.invoke(event)["batchItemFailures"], key=str) == sorted(ids(event), key=str)
    cloud.create_table("Outcomes")
    assert process.invoke(event) == DONE
    assert sorted(statuses(cloud)) == ["bounced", "delivered"]


def test_only_messages_that_touch_what_failed_come_back(process: Emulator, cloud: Cloud) -> None:
    """A message that was only sent asks nothing of the suppressions; a bounce does, and heals when it comes again."""
    event = envelopes.sqs([body("send"), body("bounce-permanent-noemail")])
    cloud.drop_table("Suppressions")
    assert process.invoke(event)["batchItemFailures"] == ids(event)[1:]
    assert sorted(statuses(cloud)) == ["bounced", "sent"]
    cloud.create_table("Suppressions")
    assert process.invoke({"Records": event["Records"][1:]}) == DONE
    assert causes(cloud) == [["hard"]]


def test_without_the_archive_nothing_is_acknowledged_and_nothing_is_written(process: Emulator, cloud: Cloud) -> None:
    event = envelopes.sqs([body("delivery")])
    cloud.client("s3").delete_bucket(Bucket="archive")
    assert process.invoke(event)["batchItemFailures"] == ids(event)
    assert cloud.rows("Outcomes") == []
    region = {"LocationConstraint": "eu-west-1"}
    cloud.client("s3").create_bucket(Bucket="archive", CreateBucketConfiguration=region)
    assert process.invoke(event) == DONE
    assert statuses(cloud) == ["delivered"]


@pytest.mark.parametrize("wrap", [envelopes.sns, envelopes.eventbridge])
def test_topics_and_rules_may_also_call_directly(process: Emulator, cloud: Cloud, wrap: Any) -> None:
    assert process.invoke(wrap(body("bounce-permanent-noemail"))) == DONE
    assert (statuses(cloud), causes(cloud)) == (["bounced"], [["hard"]])


def test_who_calls_directly_gets_an_error(process: Emulator, cloud: Cloud) -> None:
    """Only SQS takes single messages back; SNS and EventBridge call again after an error."""
    cloud.drop_table("Outcomes")
    answer = process.invoke(envelopes.sns(body("delivery")))
    assert answer["errorType"] == "StoreUnavailable"
    cloud.create_table("Outcomes")
    assert process.invoke(envelopes.sns(body("delivery"))) == DONE


def test_logs_and_metrics_hold_no_address(process: Emulator, cloud: Cloud) -> None:
    """With every sample there is, malformed ones too, and with a table away."""
    bodies = [each.path.read_text() for each in samples() if each.source == "ses"]
    process.invoke(envelopes.sqs(bodies))
    cloud.drop_table("Outcomes")
    process.invoke(envelopes.sqs(bodies))
    cloud.create_table("Outcomes")
    text = process.log.read_text()
    addresses = set(re.findall(r"[\w.+-]+@[\w.-]+\w", "\n".join(bodies)))
    assert len(addresses) > 20
    assert not [address for address in addresses if address.lower() in text.lower()]
    assert "@" not in text


def metrics(process: Emulator) -> list[dict[str, Any]]:
    return [line for line in process.lines() if "_aws" in line]


def test_metrics_say_what_the_alarms_watch(process: Emulator, cloud: Cloud) -> None:
    event = envelopes.sqs([body("delivery"), body("bounce-permanent-noemail"), body("malformed-truncated")])
    process.invoke(event)
    (line,) = metrics(process)
    (told,) = [each for each in process.lines() if each.get("message") == "batch"]
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Aftersend"
    assert [set(each) for each in directive["Dimensions"]] == [{"service", "source"}]
    assert (line["service"], line["source"]) == ("aftersend", "ses")
    counted = {name: line[name] for name in ("FeedbackDelivered", "FeedbackBounced", "Suppressed")}
    assert counted == {name: [1.0] for name in counted}
    assert told["counts"].items() >= {"Feedback": 2, "VerdictHard": 1, "Unreadable": 1}.items()


def test_repeats_turn_no_rate(process: Emulator, cloud: Cloud) -> None:
    event = envelopes.sqs([body("bounce-permanent-noemail")])
    process.invoke(event)
    process.log.write_text("")
    process.invoke(event)
    assert not [name for line in metrics(process) for name in line if name.startswith(("Feedback", "Verdict"))]

"""What failed alone and for the first time is called back; everything else shows when its queue says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from aftersend.storage.early_retry import FEW, SOON, EarlyRetry
from tests.bench.throttle import FAILING, IN_FLIGHT, VISIBILITY, count_in_flight
from tests.support.clients import service_error
from tests.support.template import QUEUES, TEMPLATE

QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/aftersend-UnreadableBodies"


class Queues:
    """A client of SQS that notes what is called back."""

    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[tuple[str, list[tuple[str, int]]]] = []
        self._error = error

    def change_message_visibility_batch(self, **request: Any) -> Any:
        if self._error:
            raise self._error
        entries = [(each["ReceiptHandle"], each["VisibilityTimeout"]) for each in request["Entries"]]
        assert len({each["Id"] for each in request["Entries"]}) == len(entries)
        self.seen.append((request["QueueUrl"], entries))
        return {}


def event(receives: Sequence[int]) -> dict[str, Any]:
    """A batch of messages that were received so often."""
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": f"handle-{number}",
                "attributes": {"ApproximateReceiveCount": str(count)},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:aftersend-SesEventsQueue",
            }
            for number, count in enumerate(receives)
        ]
    }


def call_back(batch: dict[str, Any], failed: set[str], error: Exception | None = None) -> tuple[Queues, str]:
    queues = Queues(error)
    return queues, EarlyRetry(lambda: queues, QUEUE).call_back(batch, failed)  # type: ignore[arg-type, return-value]


def test_those_that_failed_for_the_first_time_show_again_soon() -> None:
    queues, why = call_back(event([1, 1, 2, 1]), {"m0", "m2", "m3"})
    url = "https://sqs.eu-west-1.amazonaws.com/111122223333/aftersend-SesEventsQueue"
    assert queues.seen == [(url, [("handle-0", SOON), ("handle-3", SOON)])]
    assert why == ""


@pytest.mark.parametrize(
    ("batch", "failed"),
    [
        (event([1, 1]), set[str]()),
        (event([2, 3]), {"m0", "m1"}),
        (event([1] * (FEW + 1)), {f"m{number}" for number in range(FEW + 1)}),
        ({"detail-type": "Email Bounced"}, {"m0"}),
        ({"Records": [{"EventSource": "aws:sns", "Sns": {}}]}, {"m0"}),
    ],
    ids=["none failed", "failed before", "the store fails", "of EventBridge", "of SNS"],
)
def test_nothing_else_is_called_back(batch: dict[str, Any], failed: set[str]) -> None:
    assert call_back(batch, failed)[0].seen == []


def test_where_sqs_refuses_it_says_why_and_the_message_shows_when_its_queue_says() -> None:
    _, why = call_back(event([1]), {"m0"}, service_error("AccessDenied"))
    assert "ChangeMessageVisibilityBatch" in why


def test_what_fails_alone_does_not_fill_a_queue_that_it_filled() -> None:
    """120,000 in flight, 0.3 % failing once: SQS developer guide, "In-flight messages and quotas"."""
    hidden = max(each.get("VisibilityTimeout", 0) for name, each in QUEUES.items() if name.startswith("Ses"))
    assert hidden >= VISIBILITY
    before, now = (IN_FLIGHT / (count_in_flight(1, FAILING, wait) - 1) for wait in (VISIBILITY, SOON))
    assert before < 100_000
    assert now > 1_000_000


def test_a_message_is_still_tried_for_most_of_an_hour() -> None:
    tries = TEMPLATE["Parameters"]["MaximumReceives"]["Default"]
    assert SOON + (tries - 1) * VISIBILITY >= 55 * 60

"""The block of the template that sends events out: off by default, and which windows of the guard come through."""

from __future__ import annotations

import json

import pytest
from moto.events.models import EventPattern

from aftersend.core.policy import load
from aftersend.outgoing.schedule import LONGEST_WAIT
from aftersend.outgoing.sender import ENDS
from tests.support.events_out import make_spike
from tests.support.template import FUNCTIONS, QUEUES, RESOURCES, STREAMS, TABLES, TEMPLATE
from tests.support.windows import encode_window

_, MAPPING = STREAMS["PublishIncidents.Incidents"]
QUIET, SPIKE = (encode_window(make_spike(count), load().guard) for count in (2, 60))


@pytest.mark.parametrize(
    ("images", "passes"),
    [
        ({"NewImage": QUIET}, False),
        ({"OldImage": QUIET, "NewImage": QUIET}, False),
        ({"OldImage": QUIET}, False),
        ({"NewImage": SPIKE}, True),
        ({"OldImage": QUIET, "NewImage": SPIKE}, True),
        ({"OldImage": SPIKE, "NewImage": QUIET}, True),
    ],
)
def test_only_windows_with_an_incident_come_through(images: dict[str, object], passes: bool) -> None:
    """A window that leaves the table by its time has none. Lambda's patterns are those of EventBridge."""
    patterns = [each["Pattern"] for each in MAPPING["FilterCriteria"]["Filters"]]
    record = json.loads(json.dumps({"dynamodb": images}, default=str))
    assert any(EventPattern.load(pattern).matches_event(record) for pattern in patterns) is passes
    assert TABLES["SpikeWindows"]["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_it_is_off_unless_somebody_says_so() -> None:
    assert TEMPLATE["Parameters"]["PublishEvents"]["Default"] == "none"
    assert TEMPLATE["Parameters"]["SendWebhooks"]["Default"] == "false"
    conditions = {RESOURCES[name].get("Condition") for name in ("EventBus", "DeliverWebhooks", "PublishIncidents")}
    assert conditions == {"HasEventBus", "HasOutgoingWebhooks", "HasEvents"}


def test_there_is_time_for_an_attempt_and_the_queue_hides_for_as_long_as_a_gap() -> None:
    """SQS developer guide, "Visibility timeout": twelve hours at most."""
    assert FUNCTIONS["DeliverWebhooks"]["Timeout"] >= 4 * ENDS
    assert LONGEST_WAIT + FUNCTIONS["DeliverWebhooks"]["Timeout"] <= 12 * 3600
    for name in ("WebhookQueue", "WebhookDeadLetters"):
        assert QUEUES[name]["FifoQueue"] is True
        assert QUEUES[name]["DeduplicationScope"] == "messageGroup"

"""The envelopes are what Lambda hands over: the function finds the same body in each, and the files are fresh."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aftersend.sources.envelope import peel
from aftersend.sources.lambda_event import read_messages, takes_item_failures
from local import envelopes
from local.samples import EVENTS

BODY = (EVENTS / "ses" / "delivery.json").read_text()
AT = datetime(2026, 3, 2, 12, 30, 15, tzinfo=UTC)

ENVELOPES = {
    "sqs": envelopes.sqs([BODY], AT),
    "sqs of sns": envelopes.sqs_of_sns([BODY], AT),
    "sqs of eventbridge": envelopes.sqs_of_eventbridge([BODY], AT),
    "sns": envelopes.sns(BODY, AT),
    "eventbridge": envelopes.eventbridge(BODY, AT),
}


@pytest.mark.parametrize("name", envelopes.INVOCATIONS)
def test_files_are_fresh(name: str) -> None:
    assert (EVENTS / "invoke" / name).read_text() == envelopes.rendered(name), "stale: python -m local.envelopes"


def test_no_file_is_left_over() -> None:
    assert {path.name for path in (EVENTS / "invoke").iterdir()} == set(envelopes.INVOCATIONS)


@pytest.mark.parametrize("name", ENVELOPES)
def test_the_function_finds_the_body_in_it(name: str) -> None:
    (message,) = read_messages(ENVELOPES[name])
    assert json.loads(peel(message.body)) == json.loads(BODY)
    assert message.received_at == AT


@pytest.mark.parametrize(("name", "by_item"), [(name, name.startswith("sqs")) for name in ENVELOPES])
def test_only_sqs_takes_single_messages_back(name: str, by_item: bool) -> None:
    assert takes_item_failures(ENVELOPES[name]) is by_item


def test_the_same_body_twice_is_two_messages() -> None:
    ids = [message.id for message in read_messages(envelopes.sqs([BODY, BODY]))]
    assert len(set(ids)) == 2


def test_lambda_spells_two_fields_of_sns_in_its_own_way() -> None:
    direct: dict[str, Any] = envelopes.sns(BODY)["Records"][0]["Sns"]
    in_queue = envelopes.notification(BODY)
    assert direct.keys() ^ in_queue.keys() == {
        "SigningCertUrl",
        "UnsubscribeUrl",
        "SigningCertURL",
        "UnsubscribeURL",
        "MessageAttributes",
    }

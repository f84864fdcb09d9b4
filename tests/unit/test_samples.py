"""The samples of events/ specify the parsers and the rules: every one says what its expectation says."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest

from aftersend import classify
from aftersend.core.model import Class, Feedback, Kind, Outcome, Reason, Status
from aftersend.core.outcome import merge
from aftersend.sources import SOURCES, read
from local.samples import EVENTS, Sample, reading, samples

CLASSIFIER = classify.load()
SAMPLES = samples()
WORDS_OF_SES = {
    "Bounce",
    "Complaint",
    "Delivery",
    "DeliveryDelay",
    "Send",
    "Reject",
    "Open",
    "Click",
    "Rendering Failure",
    "Subscription",
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_says_what_is_expected_of_it(sample: Sample) -> None:
    expected = msgspec.json.decode(sample.expectation.read_bytes())
    assert reading(sample, CLASSIFIER) == expected


def test_every_file_is_a_sample_or_the_expectation_of_one() -> None:
    files = {path for source in SOURCES for path in (EVENTS / source).iterdir()}
    assert files == {path for sample in SAMPLES for path in (sample.path, sample.expectation)}


def test_every_folder_is_read_by_a_parser() -> None:
    folders = {path.name for path in EVENTS.iterdir() if path.is_dir()}
    assert folders - {"invoke"} == set(SOURCES)


def test_every_kind_is_shown_by_some_sample() -> None:
    """But for the one that no source reports: that a message has expired is inferred (docs/decisions/0046)."""
    shown = {fact.kind for sample in SAMPLES for fact in facts(sample)}
    assert shown == set(Kind) - {Kind.EXPIRED}


def test_every_event_type_of_ses_is_shown() -> None:
    shown = {_decoded(sample).get("eventType") for sample in SAMPLES if sample.source == "ses"}
    assert shown >= WORDS_OF_SES


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_one_feedback_for_each_recipient_and_attempt(sample: Sample) -> None:
    found = [(fact.key, fact.scope, fact.occurred_at) for fact in facts(sample)]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_why_a_body_cannot_be_read_quotes_no_address(sample: Sample) -> None:
    why = reading(sample, CLASSIFIER).get("malformed", "")
    assert "@" not in why
    assert "example" not in why


def test_the_same_bounce_by_three_carriers_is_one_fact() -> None:
    carriers = [fact for sample in SAMPLES if sample.path.name.startswith("same-bounce.") for fact in facts(sample)]
    assert len(carriers) == 3
    assert len({fact.id for fact in carriers}) == 1


# Several bodies about one message: what they come to, in whatever order they arrive.
STORIES: dict[str, tuple[Status, Class | None, Reason | None]] = {
    "story-ooto": (Status.DELIVERED, None, None),
    "story-late-bounce": (Status.BOUNCED, Class.HARD, Reason.USER_UNKNOWN),
    "story-complaint": (Status.COMPLAINED, Class.COMPLAINT, Reason.COMPLAINT),
    "story-withdrawn": (Status.DELIVERED, None, None),
    "story-soft-then-hard": (Status.BOUNCED, Class.HARD, Reason.USER_UNKNOWN),
    "story-delay": (Status.DELIVERED, None, None),
    "story-carrier": (Status.DELIVERED, None, None),
    "story-life": (Status.COMPLAINED, Class.COMPLAINT, Reason.COMPLAINT),
    "story-retry-accepted": (Status.DELIVERED, None, None),
    "story-retry-expired": (Status.BOUNCED, Class.SOFT, Reason.MAILBOX_FULL),
    "story-retry-given-up": (Status.BOUNCED, Class.SOFT, Reason.SYSTEM_ERROR),
    "story-retry-refused": (Status.BOUNCED, Class.HARD, Reason.USER_UNKNOWN),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_the_same_in_any_order(name: str) -> None:
    story = [fact for sample in SAMPLES if sample.path.name.startswith(name + ".") for fact in facts(sample)]
    orders = list(permutations(story))
    ends = [_fold(order) for order in (orders if len(orders) <= 24 else orders[::41])]
    assert len(ends) > 1
    assert all(end == ends[0] for end in ends)
    verdict = ends[0].verdict
    expected = (verdict.klass, verdict.reason) if verdict else (None, None)
    assert (ends[0].status, *expected) == STORIES[name]


def test_an_automatic_reply_after_a_delivery_is_no_bounce() -> None:
    story = [fact for sample in SAMPLES if sample.path.name.startswith("story-ooto.") for fact in facts(sample)]
    reply, delivery = sorted(story, key=lambda fact: fact.occurred_at)
    assert (reply.kind, delivery.kind) == (Kind.AUTO_REPLIED, Kind.DELIVERED)  # its time is before the delivery's
    end = _fold((delivery, reply))
    assert end.auto_replied
    assert end.bounced_at is None
    assert end.delivered_at == delivery.occurred_at


def facts(sample: Sample) -> list[Feedback]:
    """What a sample says; nothing, where it is expected that it cannot be read."""
    if "malformed" in msgspec.json.decode(sample.expectation.read_bytes()):
        return []
    return read(sample.source, sample.body(), sample.headers)


def _fold(found: tuple[Feedback, ...]) -> Outcome:
    """Each fact by itself, as if each came in a batch of its own; equal but for the version."""
    outcome: Outcome | None = None
    for fact in found:
        outcome = merge(outcome, [fact], CLASSIFIER)
    assert outcome is not None
    return outcome


def _decoded(sample: Sample) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(sample.body())
    except msgspec.DecodeError:
        return {}
    return body if isinstance(body, dict) else {}

"""The requests to DynamoDB, and what the store makes of every way in which an answer can fail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from aftersend.aws.errors import NoAnswer, Refusal
from aftersend.core.errors import ServiceError, StoreUnavailable, Unreadable
from aftersend.core.model import Cause, CauseKind, EvidenceRef, Kind, Suppression
from aftersend.core.outcome import merge
from aftersend.core.streaks import ReadBounces
from aftersend.core.writes import Put, ReadOutcomes, Refused
from aftersend.storage import items
from aftersend.storage.store import BATCH, Store, TableNames, build_batch_get, build_query, make_row
from aftersend.storage.versioned import FIRST_PAUSE, LONGEST_PAUSE, build_get, build_put
from tests.support.clients import FakeDynamoDB, Watched, service_error
from tests.support.facts import ANN, bounce, classify, fact
from tests.support.ports import NOW, RETENTION

TABLES = TableNames(outcomes="Outcomes", suppressions="Suppressions")
OUTCOME = merge(None, [bounce(1)], classify)
ITEM = items.encode_outcome(OUTCOME, RETENTION)


class _Broken(FakeDynamoDB):
    """A client of which every call fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def _fail(self, **_request: Any) -> Any:
        raise self._error

    put_item = get_item = query = batch_get_item = _fail


def test_the_first_version_is_put_where_there_is_nothing() -> None:
    request = build_put("T", items.build_outcome_key(OUTCOME.key), ITEM | {"version": {"N": "1"}})
    assert request["ConditionExpression"] == "attribute_not_exists(#key)"
    assert request["ExpressionAttributeNames"] == {"#key": "recipient"}
    assert "ExpressionAttributeValues" not in request
    assert request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_a_next_version_is_put_over_the_one_before_it() -> None:
    request = build_put("T", items.build_outcome_key(OUTCOME.key), ITEM | {"version": {"N": "8"}})
    assert request["ConditionExpression"] == "version = :read"
    assert request["ExpressionAttributeValues"] == {":read": {"N": "7"}}


def test_every_read_is_strongly_consistent() -> None:
    """Design §5: "All reads here are strongly consistent." """
    key = items.build_outcome_key((ANN, "test:1"))
    assert build_get("T", key)["ConsistentRead"] is True
    assert build_batch_get("T", [key])["RequestItems"]["T"] == {"Keys": [key], "ConsistentRead": True}
    assert build_query("T", ANN)["ConsistentRead"] is True
    assert BATCH == 100


ERRORS = [
    service_error("ProvisionedThroughputExceededException"),
    service_error("ThrottlingException"),
    service_error("InternalServerError"),
    service_error("AccessDeniedException"),
    service_error("ResourceNotFoundException"),
    NoAnswer("TimeoutError"),
]
REQUESTS = [
    Put(OUTCOME),
    Put(Suppression(recipient=ANN, version=1)),
    ReadOutcomes(ANN),
    ReadOutcomes(ANN, ("test:1",)),
    ReadBounces(ANN, ("soft",), limit=2),
]


@pytest.mark.parametrize("error", ERRORS, ids=str)
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_database_that_does_not_answer_is_ours_and_says_no_address(error: Exception, request_: Any) -> None:
    """Errors by culprit: `StoreUnavailable` is retried; no personal data in what is logged."""
    store = Store(_Broken(error), TABLES)
    with pytest.raises(StoreUnavailable) as raised:
        store.answer(request_)
    assert isinstance(raised.value, ServiceError)
    assert "ann" not in str(raised.value)
    assert raised.value.__cause__ is error


def test_reads_in_bulk_fail_as_a_whole() -> None:
    store = Store(_Broken(ERRORS[0]), TABLES)
    with pytest.raises(StoreUnavailable):
        store.get_outcomes([(ANN, "test:1")])
    with pytest.raises(StoreUnavailable):
        store.get_suppressions([(ANN, "*")])


class _Refusing(Watched):
    """A client whose puts are refused; the refusal hands `item` back, or a second look does."""

    def __init__(self, item: items.Item | None, *, hands_back: bool) -> None:
        super().__init__(None)
        self._item, self._hands_back = item, hands_back

    def put_item(self, **_request: Any) -> Any:
        self.calls["put_item"] += 1
        stored = {"Item": self._item} if self._hands_back and self._item is not None else {}
        raise Refusal("ConditionalCheckFailedException", stored)

    def get_item(self, **_request: Any) -> Any:
        self.calls["get_item"] += 1
        return {} if self._item is None else {"Item": self._item}


@pytest.mark.parametrize(("hands_back", "reads"), [(True, 0), (False, 1)])
def test_a_refusal_gives_what_is_stored(hands_back: bool, reads: int) -> None:
    """Design §3: "On refusal, DynamoDB returns the stored item (…; where an engine does not, read it again)"."""
    client = _Refusing(ITEM, hands_back=hands_back)
    assert Store(client, TABLES).put(OUTCOME) == Refused(OUTCOME)
    assert client.calls["get_item"] == reads


def test_a_refusal_by_what_is_gone_meanwhile_gives_nothing() -> None:
    assert Store(_Refusing(None, hands_back=True), TABLES).put(OUTCOME) == Refused(None)
    assert Store(_Refusing(None, hands_back=False), TABLES).put(Suppression(recipient=ANN, version=2)) == Refused(None)


def test_keys_that_stay_unread_are_ours() -> None:
    pauses: list[float] = []

    class Deaf(Watched):
        def batch_get_item(self, **request: Any) -> Any:
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

    with pytest.raises(StoreUnavailable):
        Store(Deaf(None), TABLES, pause=pauses.append).get_outcomes([(ANN, "test:1")])
    assert pauses and pauses == sorted(pauses)
    assert sum(pauses) < 30


def test_an_unknown_error_of_our_own_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        Store(_Broken(ZeroDivisionError()), TABLES).put(OUTCOME)


STRANGE = [
    ("a word of a newer version", {"status": {"S": "vanished"}}),
    ("a kind of a newer version", {"feedback": {"S": '[{"source":"test","kind":"vanished"}]'}}),
    ("no JSON", {"feedback": {"S": "["}}),
    ("packed in another way", {"feedback": {"B": "AAAA"}}),
    ("no base64", {"feedback": {"B": "?"}}),
    ("another type", {"version": {"S": "1"}}),
    ("the schema of a newer version", {"schema": {"N": str(items.OUTCOME_SCHEMA + 1)}}),
    ("the schema of a lean row, which it is not", {"schema": {"N": "2"}}),
    ("no schema", {"schema": {"NULL": True}}),
    ("a schema that is none", {"schema": {"N": "-1"}}),
    ("a schema of another type", {"schema": {"S": "1"}}),
    ("no time", {"last_at": {"S": "yesterday"}}),
]


@pytest.mark.parametrize("strange", [each for _, each in STRANGE], ids=[name for name, _ in STRANGE])
def test_an_item_that_nobody_here_has_written_is_ours_and_says_no_address(strange: items.Item) -> None:
    class Stored(Watched):
        def batch_get_item(self, **_: Any) -> Any:
            return {"Responses": {"Outcomes": [ITEM | strange]}}

        def query(self, **_: Any) -> Any:
            return {"Items": [ITEM | strange]}

    for ask in (lambda: Store(Stored(None), TABLES).get_outcomes([OUTCOME.key]), lambda: _outcomes(Stored(None))):
        with pytest.raises(Unreadable) as raised:
            ask()
        assert "ann@" not in str(raised.value)
    with pytest.raises(Unreadable):
        Store(_Refusing(ITEM | strange, hands_back=True), TABLES).put(OUTCOME)


def _outcomes(client: Any) -> Any:
    return Store(client, TABLES).answer(ReadOutcomes(ANN))


def test_what_is_of_years_ago_expires_all_the_same() -> None:
    """DynamoDB developer guide, TTL: "an expiration of no more than five years in the past", or it is passed over."""
    years_ago = NOW - timedelta(days=3000)
    outcome = merge(None, [fact(Kind.DELIVERED, occurred_at=years_ago)], classify)
    pause = Cause(first=None, latest=EvidenceRef(at=years_ago, feedback="f", message="m", source="s"), until=years_ago)
    suppression = Suppression(recipient=ANN, causes={CauseKind.PAUSE: pause})
    for item in (outcome, suppression):
        assert make_row(item, RETENTION, NOW)["expires_at"] == {"N": str(int(NOW.timestamp()))}
    recent = merge(None, [fact(Kind.DELIVERED)], classify)
    assert make_row(recent, RETENTION, NOW) == items.encode_outcome(recent, RETENTION)


@pytest.mark.parametrize("stored", [OUTCOME, None])
def test_who_lost_a_write_waits_a_little_and_looks_again(stored: Any) -> None:
    """AWS Architecture Blog, "Exponential Backoff And Jitter": by chance, and at most twice as long each time.

    What is stored is read after that: what the refusal has handed back is not there any more where many write.
    """
    row = items.encode_outcome(stored, RETENTION) if stored else None
    client, pauses = _Refusing(row, hands_back=True), list[float]()
    reads: list[int] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        reads.append(client.calls["get_item"])

    store = Store(client, TABLES, pause=pause)
    for refusals in range(12):
        before = client.calls["get_item"]
        assert store.answer(Put(OUTCOME, refusals)) == Refused(stored)
        assert client.calls["get_item"] == reads[-1] + 1 > before
    bounds = [min(LONGEST_PAUSE, FIRST_PAUSE * 2**number) for number in range(12)]
    assert len(pauses) == 12
    assert all(0 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
    assert len(set(pauses)) > 1

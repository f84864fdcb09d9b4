"""What `python -m tests.bench throttle` rests on: a time that leaps, and partitions that are charged their units."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from aftersend.aws.client import THROTTLED_TRIES
from aftersend.aws.errors import Refusal
from aftersend.sources.message import Message
from aftersend.storage.early_retry import SOON
from tests.bench.partitions import LATENCY, WRITES, Bucket, Throttled, Time
from tests.bench.throttle import BATCH, RECEIVES, VISIBILITY, Pool, Queue, count_in_flight
from tests.simulation.scheduler import Process
from tests.support.facts import START


def play(work: Callable[[Time], object]) -> float:
    """Do this work on a time of its own, and say how long it took."""
    time = Time(Random(1), 0.0)
    time.spawn("work", Process("work"), lambda: work(time))
    time.run()
    return time.now


def suppression(recipient: str, day: str = "") -> dict[str, Any]:
    item = {"recipient": {"S": recipient}, "scope": {"S": "*"}, "version": {"N": "1"}}
    return item | ({"day": {"S": day}, "at": {"S": recipient}} if day else {})


def put(client: Throttled, item: dict[str, Any]) -> None:
    client.put_item(TableName="Suppressions", Item=item)


def test_workers_share_the_time_and_results_keep_their_order() -> None:
    done: list[Any] = []

    def work(time: Time) -> None:
        def wait(number: int) -> int:
            time.sleep(number)
            return number

        done.extend(Pool(time, 2).map(wait, [3, 1, 1, 1]))

    assert play(work) == 3.0
    assert done == [3, 1, 1, 1]


def test_what_a_worker_raises_is_raised_by_who_asked() -> None:
    def fail(_number: int) -> None:
        raise ValueError("this one")

    with pytest.raises(ValueError, match="this one"):
        play(lambda time: list(Pool(time, 2).map(fail, [1, 2])))


def test_a_bucket_saves_one_second() -> None:
    bucket = Bucket(10.0)
    assert bucket.has_some(100.0)
    bucket.take(25.0)
    assert [bucket.has_some(at) for at in (100.0, 101.5, 101.6)] == [False, False, True]


@pytest.mark.parametrize(
    ("name", "item", "throttles"),
    [
        ("many keys of a table", lambda number: suppression(f"email:p{number}@example.com"), False),
        ("one key of a table", lambda _: suppression("email:p@example.com"), True),
        ("one key of an index", lambda number: suppression(f"email:p{number}@example.com", "2026-03-01"), True),
    ],
)
def test_each_partition_is_charged_by_itself(name: str, item: Callable[[int], Any], throttles: bool) -> None:
    clients: list[Throttled] = []

    def work(time: Time) -> None:
        clients.append(client := Throttled(time))
        list(Pool(time, 100).map(lambda number: put(client, item(number)), range(int(2.5 * WRITES))))

    seconds = play(work)
    counts = clients[0].counts
    assert (counts.throttled > 0) == throttles, name
    assert (seconds > 1.0) == throttles
    partitions = [partition.split()[0] for partition in counts.partitions]
    assert partitions == ({"one key of a table": ["Suppressions"], "one key of an index": ["Suppressions.by_day"]}).get(
        name, []
    )


def test_what_changes_nothing_in_an_index_is_not_charged_there() -> None:
    def work(time: Time) -> None:
        client = Throttled(time)
        for at in range(3):
            put(client, suppression("email:p@example.com", "2026-03-01") | {"seen": {"N": str(at)}})
            assert client.counts.throttled == 0
        left = client._writes["Suppressions.by_day 2026-03-01"]
        before = left._left
        client.update_item(
            TableName="Outcomes",
            Key={"recipient": {"S": "r"}, "message": {"S": "m"}},
            UpdateExpression="SET a = :a",
            ExpressionAttributeValues={":a": {"N": "1"}},
        )
        assert left._left == before

    play(work)


def test_a_new_table_is_bounded_as_a_whole() -> None:
    def work(time: Time) -> None:
        client = Throttled(time, new_tables=True)
        list(Pool(time, 400).map(lambda number: put(client, suppression(f"email:p{number}@x.example")), range(9000)))
        assert client.counts.throttled > 0

    assert play(work) > 1.0


def test_a_call_is_given_up_after_as_many_tries_as_the_client_has() -> None:
    def work(time: Time) -> None:
        client = Throttled(time)
        client._writes["Suppressions email:p@example.com"].take(10**9)
        with pytest.raises(Refusal, match="Throttling"):
            put(client, suppression("email:p@example.com"))
        assert (client.counts.calls, client.counts.throttled) == (THROTTLED_TRIES, THROTTLED_TRIES)
        assert client.counts.given_up == 1

    assert play(work) > THROTTLED_TRIES * LATENCY[0]


def test_keys_that_nothing_is_left_for_stay_unread() -> None:
    keys = [{"recipient": {"S": name}, "scope": {"S": "*"}} for name in ("a", "b")]

    def work(time: Time) -> None:
        client = Throttled(time)
        put(client, suppression("a"))
        client._reads["Suppressions b"].take(10**9)
        answer = client.batch_get_item(RequestItems={"Suppressions": {"Keys": keys, "ConsistentRead": True}})
        assert [item["recipient"]["S"] for item in answer["Responses"]["Suppressions"]] == ["a"]
        assert answer["UnprocessedKeys"]["Suppressions"]["Keys"] == keys[1:]

    play(work)


def test_a_record_that_fails_comes_back_until_it_is_dead() -> None:
    queue, now = Queue([(0.5, Message(str(number), b"", START, "test")) for number in range(BATCH + 1)]), 1.0
    assert queue.take(0.0) == []
    assert len(queue.take(now)) == BATCH
    (record,) = queue.take(now)
    for again in range(1, RECEIVES):
        queue.give_back([record], now)
        hidden = SOON if again == 1 else VISIBILITY  # it failed alone
        assert queue.find_next() == now + hidden
        now += hidden
        assert queue.take(now) == [record]
        assert (queue.came_back, queue.dead) == (again, 0)
    queue.give_back([record], now)
    assert (queue.find_next(), queue.dead) == (None, 1)


def test_messages_in_flight_are_counted_by_how_long_each_is_hidden() -> None:
    assert count_in_flight(1000, 0.0, 420) == 1000
    few = count_in_flight(1000, 0.01, 30)
    assert few == pytest.approx(1000 * 1.01 + 10 * 30 + 0.1 * (420 + 1), rel=0.01)
    assert count_in_flight(1000, 1.0, 420) == RECEIVES * (1000 + 1000 * 420)

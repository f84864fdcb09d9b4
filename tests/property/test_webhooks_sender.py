"""Webhooks on their way to receivers of every kind: nothing is lost, nothing out of order, nothing beyond its rate."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any, Final

import pytest

from aftersend.core.errors import StoreUnavailable
from aftersend.outgoing.deliver import Attempt
from aftersend.outgoing.schedule import CROWDED, GIVEN_UP
from aftersend.outgoing.sender import send_batch
from tests.support.webhook_world import TAKEN, World, make_events


def assert_in_order(taken: list[tuple[str, str]]) -> None:
    """Of each endpoint and recipient, the first time that each event was taken."""
    last: dict[tuple[str, str], int] = {}
    for name, id_ in dict.fromkeys(taken):
        _, recipient, version = id_.split("_")
        assert int(version) > last.get((name, recipient), -1)
        last[name, recipient] = int(version)


_FAULTS: Final = (
    Attempt(status=500),
    Attempt(status=302),
    Attempt(status=429, retry_after=7.0),
    Attempt(status=503),
    Attempt(error="TimeoutError"),
    Attempt(error="no answer"),
)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_or_out_of_order_whatever_receivers_and_functions_do(seed: int) -> None:
    """Receivers fail, hang and lie now and then; the function is stopped, or cannot reach its table; batches repeat."""
    random = Random(seed)
    share = random.choice((0.1, 0.5, 0.8))

    def flaky(_: str) -> Attempt:
        return random.choice(_FAULTS) if random.random() < share else TAKEN

    world = World({"a": flaky, "b": flaky, "c": lambda _: TAKEN})
    events = make_events(6, 4)
    for start in range(0, len(events), 5):
        world.publish(events[start : start + 5])
        if random.random() < 0.3:
            world.publish(events[start : start + 5])  # the stream comes again
        event = world.queue.receive()
        if event is not None and random.random() < 0.3:  # the function delivers, and is stopped before it answers
            send_batch(event, world.processes[0], lambda: 120.0)
            world.states.down = not world.states.down
        elif event is not None:
            world.queue.finish(event, {*send_batch(event, world.processes[1], lambda: 120.0).failed})
        world.clock.sleep(random.choice((0.0, 3.0, 40.0)))
    world.states.down = False
    world.run()
    assert not world.queue.entries
    ends = {*world.taken, *world.list_parked()}
    assert ends == {(name, event.id) for name in world.endpoints for event in events}
    assert {("c", event.id) for event in events} <= {*world.taken}
    assert_in_order(world.taken)


def test_a_dead_endpoint_stops_nobody_and_costs_few_calls() -> None:
    world = World({"dead": lambda _: Attempt(error="TimeoutError"), "alive": lambda _: TAKEN}, per_second=1000.0)
    world.seconds = 10.0
    events = make_events(40, 2)
    world.publish(events)
    world.run(3600.0)
    assert {id_ for name, id_ in world.taken if name == "alive"} == {event.id for event in events}
    world.run()
    assert not world.queue.entries
    assert Counter(name for name, _ in world.list_parked()) == {"dead": len(events)}
    calls = [at for name, _, at in world.calls if name == "dead"]
    assert len(calls) < 150, "a call every quarter of an hour, and not eight for each event"
    assert max(calls) - min(calls) > 0.9 * GIVEN_UP
    for each in world.parked.entries:
        assert "it was not taken for a day" in each.attributes["reason"]["StringValue"]


def test_an_endpoint_that_comes_back_gets_all_of_it_in_order() -> None:
    back = 4 * 3600.0
    world = World({"a": lambda _: TAKEN if world.clock() - begun > back else Attempt(status=500)})
    begun = world.clock()
    events = make_events(8, 3)
    world.publish(events)
    world.run()
    assert not world.parked.entries
    assert [id_ for _, id_ in world.taken] == list(dict.fromkeys(id_ for _, id_ in world.taken)), "each once"
    assert {id_ for _, id_ in world.taken} == {event.id for event in events}
    assert_in_order(world.taken)


@pytest.mark.parametrize(("per_second", "processes"), [(10.0, 2), (3.0, 2), (40.0, 5)])
def test_nothing_goes_beyond_its_rate(per_second: float, processes: int) -> None:
    """Processes that work at the same time, each on a clock of its own; attempts that fail are among the calls."""
    random = Random(1)
    at: list[float] = []
    for _ in range(processes):
        world = World(
            {"a": lambda _: random.choice((TAKEN, TAKEN, Attempt(status=500)))},
            per_second=per_second,
            processes=processes,
        )
        world.seconds = 0.0
        world.publish(make_events(40, 2))
        while world.queue.entries:
            if world.step() is None:
                world.clock.now = max(world.queue.find_next(), world.clock.now)
        at += [when for _, _, when in world.calls]
    assert len(at) >= 80 * processes
    for when in at:  # in any second, and one call of each process that ends it
        assert sum(when <= other < when + 1.0 for other in at) <= per_second + processes


def test_who_wants_nothing_any_more_is_asked_once() -> None:
    world = World({"gone": lambda _: Attempt(status=410), "alive": lambda _: TAKEN})
    world.publish(make_events(5, 2))
    world.run()
    assert Counter(name for name, _, _ in world.calls) == {"gone": 1, "alive": 10}
    assert Counter(name for name, _ in world.list_parked()) == {"gone": 10}


def test_an_endpoint_that_is_no_longer_in_the_document_and_what_is_no_webhook_are_parked() -> None:
    world = World({"a": lambda _: TAKEN})
    world.publish(make_events(2, 1))
    world.endpoints.clear()
    world.queue.send_message(MessageBody="rubbish", MessageGroupId="g", MessageDeduplicationId="d")
    world.run()
    reasons = [each.attributes["reason"]["StringValue"] for each in world.parked.entries]
    assert reasons == ["there is no such endpoint any more"] * 2 + ["it is no webhook"]


def test_where_the_queue_is_crowded_a_dead_endpoint_s_events_make_room() -> None:
    world = World({"dead": lambda _: Attempt(status=500)})
    world.queue.hidden = CROWDED
    world.publish(make_events(20, 1))
    world.run(600.0)
    assert len(world.list_parked()) == 20
    assert len(world.calls) < 10
    assert all("too many wait" in each.attributes["reason"]["StringValue"] for each in world.parked.entries)


def test_a_receiver_is_left_alone_for_as_long_as_it_asks() -> None:
    world = World({"a": lambda _: Attempt(status=429, retry_after=3000.0) if len(world.calls) == 1 else TAKEN})
    world.publish(make_events(1, 1))
    world.run()
    first, second = (at for _, _, at in world.calls)
    assert second - first >= 3000.0


def test_what_there_is_no_time_for_is_handed_back_untried() -> None:
    world = World({"a": lambda _: TAKEN})
    world.publish(make_events(10, 1))
    report = world.step(budget=14.0)
    assert report is not None and len(report.failed) == 10
    assert world.calls == []
    world.run()
    assert len(world.taken) == 10


def test_what_cannot_be_parked_comes_again() -> None:
    world = World({"gone": lambda _: Attempt(status=410)})
    world.publish(make_events(1, 1))

    def refuse(**_: Any) -> Any:
        raise StoreUnavailable("SQS: SendMessage failed")

    working, world.parked.send_message = world.parked.send_message, refuse  # type: ignore[method-assign]
    report = world.step()
    assert report is not None and len(report.failed) == 1
    world.parked.send_message = working  # type: ignore[method-assign]
    world.run()
    assert len(world.list_parked()) == 1

"""The way of the mass gives the tables that single messages give, and loses nothing wherever it is stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aftersend import classify
from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Outcome
from aftersend.core.writes import Answer, Put, Request
from aftersend.ingest import ingest
from aftersend.jobs import gather
from aftersend.sources import read
from tests.support import ses
from tests.support.clients import service_error
from tests.support.gathering import FOLDER, GatherWorld, make_notice, pack_lines
from tests.support.oracle import differences, expected, stored
from tests.support.ports import MemoryStore, ports
from tests.support.strategies import SHORT, deliveries

TIMES = [f"2026-03-02T10:{minute:02d}:00.000Z" for minute in range(60)]


@lru_cache(maxsize=1)
def _rules() -> classify.Classifier:
    return classify.load()


def _world(store: MemoryStore, **others: Any) -> GatherWorld:
    return GatherWorld(ports(store, policy=SHORT, classify=_rules(), **others))


def _expected(bodies: Sequence[bytes]) -> Any:
    return expected([fact for body in bodies for fact in read("ses", body)], _rules(), SHORT)


def _say(number: int, kinds: Sequence[str] = ("Send", "Delivery")) -> list[bytes]:
    about: dict[str, Any] = {"recipient": f"r{number}@example.com", "number": number}
    made = {
        "Send": ses.event("Send", {}, **about),
        "Delivery": ses.delivery(TIMES[1], **about),
        "Open": ses.seen("Open", TIMES[2], **about),
    }
    return [ses.raw(made[kind]) for kind in kinds]


@settings(max_examples=40)
@given(st.lists(ses.bodies(), min_size=1, max_size=8), st.data())
def test_by_file_by_message_or_by_both_gives_the_same_tables(bodies: list[bytes], data: st.DataObject) -> None:
    """Law 2: "by whichever path"; laws 1 and 3 for what lies in files: any order, any files, any batches of them."""
    store = MemoryStore()
    world = _world(store)
    for number, batch in enumerate(data.draw(deliveries(bodies))):
        if data.draw(st.booleans()):
            messages = [ses.message(body, str(at)) for at, body in enumerate(batch)]
            assert not ingest(messages, ports(store, policy=SHORT, classify=_rules())).unfinished
            continue
        cut = data.draw(st.integers(0, len(batch)))
        between = data.draw(st.sampled_from([b"\n", b"", b"\r\n"]))
        keys = [
            world.put(f"{number}-{name}", pack_lines(part, between))
            for name, part in (("a", batch[:cut]), ("b", batch[cut:]))
        ]
        notices = [make_notice(*keys)] if data.draw(st.booleans()) else list(map(make_notice, keys))
        world.drain(*notices)
    assert not differences(stored(store), _expected(bodies))
    assert not world.unreadable.bodies and not world.single.bodies


def test_objects_of_one_event_are_worked_together_and_one_message_is_written_once() -> None:
    store = MemoryStore()
    world = _world(store)
    said = [_say(number, ("Send", "Delivery", "Open")) for number in range(50)]
    keys = [world.put(str(at), pack_lines([each[at] for each in said])) for at in range(3)]
    assert world.drain(*map(make_notice, keys)) == 1
    assert len(world.reports) == 1
    assert len(store.outcomes_table) == store.puts == 50
    assert not differences(stored(store), _expected([body for each in said for body in each]))
    world.drain(*map(make_notice, keys))
    assert store.puts == 50, "what comes again writes nothing"


class Watch:
    """A clock of which a batch takes so much that only one is worked in each call."""

    def __init__(self) -> None:
        self.batches = 0

    def __call__(self) -> float:
        return gather.MARGIN - 1


def test_what_there_is_no_time_for_goes_on_from_where_it_stood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "MOST_RECORDS", 20)
    store = MemoryStore()
    world = _world(store)
    bodies = [body for number in range(50) for body in _say(number)]
    keys = [world.put("a", pack_lines(bodies[:70])), world.put("b", pack_lines(bodies[70:], b""))]
    events = world.drain(*map(make_notice, keys), seconds_left=Watch())
    assert events > 3
    assert not differences(stored(store), _expected(bodies))
    assert sum(len(report.sources) for report in world.reports) == len(bodies), "nothing was worked twice"


class Failing(MemoryStore):
    """A store that does not take outcomes of some recipients."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()

    def answer(self, request: Request) -> Answer:
        if isinstance(request, Put) and isinstance(request.item, Outcome) and request.item.recipient in self.refused:
            raise StoreUnavailable("DynamoDB: PutItem failed: InternalServerError")
        return super().answer(request)


def test_a_few_records_that_cannot_be_stored_go_on_alone() -> None:
    """Failure per key: the object is done, and nothing of it is lost."""
    store = Failing()
    store.refused = {"email:r3@example.com"}
    world = _world(store)
    bodies = [body for number in range(10) for body in _say(number)]
    world.drain(make_notice(world.put("a", pack_lines(bodies))))
    assert [body.encode() for body in world.single.bodies] == _say(3)
    assert all(each["source"]["StringValue"] == "ses" for each in world.single.attributes)
    assert all(each["header.x-file"]["StringValue"].startswith(FOLDER) for each in world.single.attributes)
    assert {key[0] for key in store.outcomes_table} == {f"email:r{number}@example.com" for number in {*range(10)} - {3}}
    assert not world.reports[0].failed
    assert world.reports[0].counts["ses", "SentAlone", ""] == 2
    store.refused = set()
    ingest([ses.message(body.encode()) for body in world.single.bodies], ports(store, policy=SHORT, classify=_rules()))
    assert not differences(stored(store), _expected(bodies))


def test_where_the_store_fails_the_object_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "MOST_FORWARDED", 3)
    store = Failing()
    store.refused = {f"email:r{number}@example.com" for number in range(4)}
    world = _world(store)
    bodies = [body for number in range(10) for body in _say(number)]
    notice = make_notice(world.put("a", pack_lines(bodies)))
    assert world.run(notice).failed.keys() == {"n0"}
    assert not world.single.bodies
    store.refused = set()
    world.drain(notice)
    assert not differences(stored(store), _expected(bodies))


@pytest.mark.parametrize("broken", ["bucket", "queue of single records", "queue of unreadable bodies", "own queue"])
def test_whatever_else_fails_the_notice_comes_again(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "MOST_RECORDS", 6)
    store = Failing()
    world = _world(store)
    bodies = [body for number in range(10) for body in _say(number)]
    lines = [b'{"a":', *bodies] if broken == "queue of unreadable bodies" else bodies
    notice = make_notice(world.put("a", pack_lines(lines)))
    error = service_error("ServiceUnavailable")
    if broken == "queue of single records":
        store.refused = {"email:r3@example.com"}
    queues = {
        "queue of single records": world.single,
        "queue of unreadable bodies": world.unreadable,
        "own queue": world.parts,
    }
    if broken in queues:
        queues[broken].fault = error
    else:
        world.bucket.fault = lambda _: error
    assert world.run(notice, seconds_left=Watch() if broken == "own queue" else lambda: 999).failed.keys() == {"n0"}
    world.bucket.fault = lambda _: None
    for queue in queues.values():
        queue.fault = None
    store.refused = set()
    world.drain(notice)
    assert not differences(stored(store), _expected(bodies))


def test_no_time_at_all_is_no_progress_and_nothing_is_lost() -> None:
    """A batch that was handed back is as if it had never been taken."""
    store = MemoryStore()
    world = _world(store)
    bodies = [body for number in range(10) for body in _say(number)]
    notice = make_notice(world.put("a", pack_lines(bodies)))
    assert world.run(notice, seconds_left=lambda: 0).failed.keys() == {"n0"}
    assert not world.parts.bodies
    world.drain(notice)
    assert not differences(stored(store), _expected(bodies))


def test_a_broken_record_is_parked_with_the_reason_and_the_rest_goes_on() -> None:
    store = MemoryStore()
    world = _world(store)
    bodies = [body for number in range(4) for body in _say(number)]
    wrong = [b'{"eventType":"Send","mail":{"a":"cut', b"no JSON", b'{"eventType":"Send"}', b'{"eventType":5}']
    world.drain(make_notice(world.put("a", pack_lines([*wrong, *bodies]))))
    assert not differences(stored(store), _expected(bodies))
    assert sorted(body.encode() for body in world.unreadable.bodies) == sorted(wrong)
    assert all(each["reason"]["StringValue"] for each in world.unreadable.attributes)
    assert all(each["header.x-file"]["StringValue"].startswith(FOLDER) for each in world.unreadable.attributes)


def test_an_object_of_nothing_that_can_be_read_is_parked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "MOST_BROKEN", 5)
    monkeypatch.setattr(gather, "MOST_RECORDS", 3)
    world = _world(MemoryStore())
    key = world.put("a", pack_lines([b'{"number":%d}' % number for number in range(100)]))
    result = world.run(make_notice(key))
    assert "cannot be read" in result.parked["n0"]
    assert len(world.unreadable.bodies) == 6
    assert json.loads(world.dead.bodies[0]) == json.loads(make_notice(key))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("no job", "no job"),
        ("{}", "names no object"),
        (make_notice("source=ses/date=2026-03-02/hour=10/a.jsonl.gz"), "names no source"),
        (make_notice("source=nobody/firehose/a"), "names no source"),
        (make_notice(FOLDER + "missing"), "gone"),
    ],
)
def test_a_message_that_names_nothing_to_read_is_parked(body: str, why: str) -> None:
    world = _world(MemoryStore())
    result = world.run(body)
    assert why in result.parked["n0"]
    assert not result.failed
    assert world.dead.bodies == [body]


def test_what_s3_sends_to_try_the_queue_out_is_nothing() -> None:
    result = _world(MemoryStore()).run('{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"archive"}')
    assert not result.failed and not result.parked


def test_of_an_object_that_breaks_off_all_before_that_is_stored() -> None:
    store = MemoryStore()
    world = _world(store)
    bodies = [body for number in range(2_000) for body in _say(number)]
    packed = pack_lines(bodies)
    result = world.run(make_notice(world.put("a", packed[: len(packed) // 2])))
    assert "too early" in result.parked["n0"]
    assert 500 < len(store.outcomes_table) < 2_000

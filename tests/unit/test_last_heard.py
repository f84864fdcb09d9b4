"""When each source was last heard of: the latest object of the archive, wherever the archive puts it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from aftersend.aws.errors import NoAnswer, Refusal
from aftersend.core.errors import StoreUnavailable
from aftersend.storage.archive import FIREHOSE, PARTS, folder
from aftersend.storage.last_heard import HORIZON, MAX_SOURCES, LastHeard
from tests.support.listing import Listing

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def put(source: str, *times: datetime, part: str = "") -> dict[str, datetime]:
    """Objects of a source as the archive names them, each written a few seconds after its message came."""
    return {
        f"{folder(source, at, part)}{number}.jsonl.gz": at + timedelta(seconds=3) for number, at in enumerate(times)
    }


def ask(written: Mapping[str, datetime], pool: Executor) -> tuple[dict[str, datetime], int]:
    """What is said of these objects, in its order, and how many calls that took."""
    listing = Listing(written)
    found = LastHeard(lambda: listing, "archive").list_sources(pool, NOW)
    return {each.source: each.last_at for each in found}, listing.asked


def test_the_latest_object_of_each_source_says_when_the_latest_first(pool: Executor) -> None:
    quiet, lively = NOW - timedelta(days=9, hours=2), NOW - timedelta(minutes=4)
    written = {
        **put("mailgun", quiet - timedelta(days=30), quiet - timedelta(minutes=7), quiet),
        **put("ses", NOW - timedelta(days=1), lively - timedelta(hours=2), lively, lively - timedelta(seconds=9)),
    }
    found, asked = ask(written, pool)
    seconds = timedelta(seconds=3)
    assert list(found.items()) == [("ses", lively + seconds), ("mailgun", quiet + seconds)]
    assert asked == 1 + 3 * 2


def test_every_place_of_a_source_is_looked_into(pool: Executor) -> None:
    """Keys may have been spread lately, and Firehose writes into a folder of its own."""
    latest = {}
    for place in ("", "part=0/", "part=f/", FIREHOSE):
        written = put("ses", NOW - timedelta(days=3))
        latest[place] = NOW - timedelta(hours=5)
        (key,) = put("ses", latest[place])
        written[key.replace("source=ses/", f"source=ses/{place}")] = latest[place]
        written |= put("ses", NOW - timedelta(days=2), part="7")
        assert ask(written, pool)[0] == {"ses": latest[place]}


def test_how_much_is_asked_does_not_depend_on_how_much_lies_there(pool: Executor) -> None:
    hours = [NOW - timedelta(hours=number) for number in range(3 * 24)]
    written = {key: at for part in ("", *PARTS) for key, at in put("ses", *hours, part=part).items()}
    found, asked = ask(written, pool)
    assert (found["ses"], asked) == (NOW + timedelta(seconds=3), 1 + 1 + 16 + 17 + 17)
    many = {key: at for number in range(MAX_SOURCES + 9) for key, at in put(f"own{number:03}", NOW).items()}
    found, asked = ask(many, pool)
    assert (len(found), asked) == (MAX_SOURCES, 1 + 3 * MAX_SOURCES)


def test_of_a_busy_hour_one_page_says_when(pool: Executor) -> None:
    start = NOW.replace(minute=0)
    written = put("ses", *(start + timedelta(milliseconds=number) for number in range(1_200)))
    found, asked = ask(written, pool)
    assert timedelta(seconds=3) <= found["ses"] - start <= timedelta(seconds=5)
    assert asked == 4


def test_what_is_older_than_a_page_of_days_is_forgotten(pool: Executor) -> None:
    old, edge = NOW - HORIZON - timedelta(days=2), NOW - HORIZON + timedelta(days=1)
    assert ask(put("ses", old) | put("report", edge), pool)[0] == {"report": edge + timedelta(seconds=3)}
    days = [NOW - timedelta(days=number) for number in range(HORIZON.days)]
    whole = {key: at for part in ("", *PARTS) for key, at in put("ses", *days, part=part).items()}
    assert ask(whole, pool)[0] == {"ses": NOW + timedelta(seconds=3)}
    assert ask({}, pool) == ({}, 1)


@pytest.mark.parametrize("error", [Refusal("AccessDenied", {}), NoAnswer("ReadTimeout")])
def test_an_archive_that_does_not_answer_is_ours(error: Exception, pool: Executor) -> None:
    class Broken(Listing):
        def list_objects_v2(self, **request: object) -> object:
            if request["Prefix"] == "source=":
                return super().list_objects_v2(**request)
            raise error

    broken = Broken(put("ses", NOW))
    with pytest.raises(StoreUnavailable):
        LastHeard(lambda: broken, "archive").list_sources(pool, NOW)

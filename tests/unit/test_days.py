"""A day in parts is listed as if it were one, page by page, in either direction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.model import Cause, CauseKind, EvidenceRef, Reason, Suppression
from aftersend.core.times import format_time
from aftersend.storage.days import PARTS, encode_day, list_parts
from aftersend.storage.items import encode_suppression
from aftersend.storage.queries import Queries
from tests.support.api import TABLES, MemoryQueries
from tests.support.ports import NOW, RETENTION, MemoryStore

DAY = datetime(2026, 3, 2, tzinfo=UTC)


def _suppress(recipient: str, at: datetime) -> Suppression:
    ref = EvidenceRef(at=at, feedback="f", message="m", source="ses", reason=Reason.USER_UNKNOWN, rule="r")
    return Suppression(recipient=recipient, causes={CauseKind.HARD: Cause(first=ref, latest=ref)}, version=1)


def test_keys_are_spread_over_all_parts_and_each_stands_in_one() -> None:
    found = [encode_day((f"email:{number}@example.com", "*"), DAY) for number in range(200)]
    assert {each["day"]["S"] for each in found} == set(list_parts("2026-03-02")[:PARTS])
    assert len({each["at"]["S"] for each in found}) == 200, "all at one time, and every place is another"
    assert found == [encode_day((f"email:{number}@example.com", "*"), DAY) for number in range(200)]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60), st.sampled_from([1, 2, 3, 7, 50]), st.booleans()
)
def test_every_row_comes_once_and_in_order(rows: list[tuple[int, bool]], limit: int, oldest_first: bool) -> None:
    """Many at one time, and some from when a day was one partition."""
    store = MemoryStore()
    for number, (hour, old) in enumerate(rows):
        suppression = _suppress(f"email:{number}@example.com", DAY + timedelta(hours=hour))
        row = encode_suppression(suppression, RETENTION, NOW)
        if old:
            moment = DAY + timedelta(hours=hour, minutes=1, milliseconds=number)
            row |= {"day": {"S": "2026-03-02"}, "at": {"S": format_time(moment)}}
        store.suppressions_table[suppression.key] = row
    queries = Queries(MemoryQueries(store), TABLES)
    found: list[Any] = []
    page = queries.find_suppressed_on("2026-03-02", limit, oldest_first=oldest_first)
    pages = 1
    while True:
        assert len(page.found) <= limit
        assert page.found or not rows
        found += page.found
        if page.last is None:
            break
        page = queries.find_suppressed_on("2026-03-02", limit, page.last, oldest_first=oldest_first)
        pages += 1
    places = [store.suppressions_table[each.key]["at"]["S"] for each in found]
    assert places == sorted((row["at"]["S"] for row in store.suppressions_table.values()), reverse=not oldest_first)
    assert pages <= 2 + 3 * len(rows) // limit

"""Records of a stream of JSON objects: whole ones come as they are, broken ones alone are lost, whatever the pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.sources.json_stream import split_objects

GOOD = b'{"eventType":"Send","mail":{"messageId":"m"}}'
ODD = b'{"a":"}{","b":"\\"}\\n{\\"","c":[{"d":{}},{"e":"{"}]}'

# The stream, and of each record its bytes, or None where it is broken.
CASES: dict[str, tuple[bytes, list[bytes | None]]] = {
    "nothing": (b"", []),
    "nothing but blanks": (b"\n \r\n\t", []),
    "lines, as SES writes them": (GOOD + b"\n" + ODD + b"\n" + GOOD + b"\n", [GOOD, ODD, GOOD]),
    "lines of Windows": (GOOD + b"\r\n" + ODD + b"\r\n", [GOOD, ODD]),
    "the last line without its end": (GOOD + b"\n" + ODD, [GOOD, ODD]),
    "without anything between": (GOOD + ODD + GOOD, [GOOD, ODD, GOOD]),
    "with blanks between": (GOOD + b" " + ODD + b"  \n" + GOOD, [GOOD, ODD, GOOD]),
    "both mixed": (GOOD + GOOD + b"\n" + ODD + GOOD, [GOOD, GOOD, ODD, GOOD]),
    "over several lines": (b'{\n "a": [\n {\n "b": 1 }\n ]\n}\n' + GOOD, [b'{\n "a": [\n {\n "b": 1 }\n ]\n}', GOOD]),
    "cut off in a string": (b'{"a":"so far\n' + GOOD + b"\n" + GOOD, [None, GOOD, GOOD]),
    "cut off behind a value": (b'{"a":1\n' + GOOD + b"\n", [None, GOOD]),
    "cut off before a value": (b'{"a":\n' + GOOD + b"\n", [None, GOOD]),
    "cut off, and nothing between": (b'{"a":1' + GOOD + GOOD, [None, GOOD, GOOD]),
    "the end is missing": (GOOD + b'\n{"a":{', [GOOD, None]),
    "a line of text": (b"no JSON at all\n" + GOOD + b"\n", [None, GOOD]),
    "text before an object": (b"\x00\xff: " + GOOD + GOOD, [None, GOOD, GOOD]),
    "text at the end": (GOOD + b"no more", [GOOD, None]),
    "too long a line": (b'{"a":"' + b"x" * 400 + b'"}\n' + GOOD, [None, GOOD]),
    "too long, and nothing between": (b'{"a":"' + b"x" * 400 + b'"}' + GOOD + b"\n" + GOOD, [None, GOOD, GOOD]),
    "too long, and never closed": (GOOD + b'{"a":"' + b"x" * 400, [GOOD, None]),
    "brackets without an end": (b'{"a":' * 100 + b"\n" + GOOD, [None, GOOD]),
}
MOST = 300


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_a_stream_gives_its_records_in_pieces_of_any_size(name: str, size: int) -> None:
    stream, wanted = CASES[name]
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    records = list(split_objects(pieces, most=MOST))
    assert [None if each.error else each.data for each in records] == wanted
    assert all(len(each.data) <= MOST for each in records)


@pytest.mark.parametrize("name", CASES)
def test_it_goes_on_from_behind_any_record_as_if_it_had_never_stopped(name: str) -> None:
    stream, _ = CASES[name]
    records = list(split_objects([stream], most=MOST))
    for number, record in enumerate(records):
        assert list(split_objects([stream[record.after :]], record.after, MOST)) == records[number + 1 :]
        assert stream[record.start :].startswith(record.data)


texts = st.text(max_size=8) | st.sampled_from(['}{"', "\\", '"', "}\n{", "}{"])
values = st.recursive(texts | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=2), max_leaves=4)
objects = st.dictionaries(texts, values | st.dictionaries(texts, values, max_size=2), max_size=3)


@given(st.lists(st.tuples(objects, st.sampled_from(["", "\n", "\r\n", "  "]), st.sampled_from([None, 1]))), st.data())
def test_whatever_the_objects_hold_they_come_out_as_they_went_in(
    written: list[tuple[dict[str, object], str, int | None]], data: st.DataObject
) -> None:
    stream = "".join(json.dumps(each, indent=indent) + behind for each, behind, indent in written).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    records = list(split_objects(pieces))
    assert [each.error for each in records] == [None] * len(written)
    assert [json.loads(each.data) for each in records] == [each for each, _, _ in written]


PARTS = [GOOD, ODD, b"\n", b"}{", b'{"', b'"', b"\\", b"x", b"}", b'{"a":1', b"{}"]


@given(st.lists(st.sampled_from(PARTS)), st.binary())
def test_no_stream_stops_it_and_every_byte_of_it_is_looked_at_once(parts: list[bytes], noise: bytes) -> None:
    stream = b"".join(parts) + noise
    at = 0
    for record in split_objects([stream], most=MOST):
        assert at <= record.start < record.after <= len(stream)
        assert not stream[at : record.start].strip(b" \t\r\n")
        at = record.after
    assert not stream[at:].strip(b" \t\r\n")

"""Expressions of users: a part of Python's, that is never slow."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aftersend.core.expression import MAX_LENGTH, MAX_TEXT, compile_expression, take


@pytest.mark.parametrize(
    ("source", "text", "taken"),
    [
        (r"id:\s*(\w{1,10})", "sub:1 ID: 12345678901", "1234567890"),
        (r"(?:status|stat)\s?:\s?(\S+)", "status : DELIVRD err:1", "DELIVRD"),
        (r"(?:stat|status):(\S+)", "status:DELIVRD", None),  # the first choice that fits stands
        (r"\bid:([0-9a-f-]+)", "xid:1 id:ab-c", "ab-c"),
        (r"err:([^ ;]*)", "err:;", ""),
        (r"^(.{3})", "abcdef", "abc"),
        (r"#(a|b)#", "#b#", "b"),
        (r"[]x]+=(\d?)", "]x]=7", "7"),
        (r"\x41(\d{2,})", "a123", "123"),
        (r"id:(\w+)", "nothing", None),
        (r"x|id:(\w+)", "x", None),
        ("(é+)", "ééa", "éé"),
    ],
)
def test_what_an_expression_takes(source: str, text: str, taken: str | None) -> None:
    assert take(compile_expression(source), text) == taken


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("(a+)+", "groups are not repeated"),
        ("(?:a|b)*(c)", "groups are not repeated"),
        ("(a+?)", "gives nothing back"),
        ("(a*+)", "gives nothing back"),
        ("a{999}(b)", "at most 200 times"),
        ("a**(b)", "repeats no single character"),
        ("*(b)", "repeats no single character"),
        (r"\b+(b)", "repeats no single character"),
        ("(?=a)(b)", "begins nothing"),
        ("(?<!a)(b)", "begins nothing"),
        ("(?P<n>a)", "begins nothing"),
        ("(?i)(a)", "begins nothing"),
        (r"(a)\1", "begins nothing"),
        (r"(\Z)", "begins nothing"),
        ("[a(b)", "begins nothing"),
        ("(a", "not closed"),
        ("a)", "closes no group"),
        ("a", "takes 0 values"),
        ("(a)(b)", "takes 2 values"),
        ("[z-a](b)", "bad character range"),
        ("(b{3,2})", "min repeat greater than max repeat"),
        ("(a)" + "x" * MAX_LENGTH, "at most 200 characters"),
    ],
)
def test_what_could_be_slow_or_is_wrong_is_refused(source: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        compile_expression(source)


@pytest.mark.parametrize(
    "source",
    [
        r"\w*\w*\w*\w*\w*\w*\w*\w*\w*\w*!(x)",
        r".*.*.*.*.*.*.*.*.*=(x)",
        "(?:a|a|a|a|a|a|a|a|a|a)" * 8 + "(x)",
        r"(\s{0,200})\s{0,200}\s{0,200}\s{0,200}!",
        "".join(["(?:" * 20, "a", ")" * 20]) + "(x)",
    ],
)
def test_none_takes_long_on_any_text(source: str) -> None:
    """Each of these takes minutes or years where a repetition gives back what it took."""
    expression = compile_expression(source)
    for text in ("a" * 10_000, " " * 10_000, "ab " * 4_000):
        started = time.process_time()
        take(expression, text)
        assert time.process_time() - started < 0.5


def test_a_text_is_looked_at_as_far_as_it_may_be_long() -> None:
    assert take(compile_expression("id:(x)"), " " * MAX_TEXT + "id:x") is None


_PIECES = st.sampled_from(
    [
        "a",
        ".",
        r"\d",
        r"\w",
        "[a-c]",
        "[^b]",
        "(",
        "(?:",
        ")",
        "|",
        "*",
        "+",
        "?",
        "{2}",
        "{1,3}",
        "{,2}",
        "^",
        "$",
        r"\b",
        "\\",
        "[",
        "]",
        "é",
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join), st.text("ab1 é", max_size=12))
@example("(a|)(?:)", "a")
def test_any_text_is_an_expression_or_refused_for_a_reason(source: str, text: str) -> None:
    """And what is found stands in the text."""
    try:
        expression = compile_expression(source)
    except ValueError as error:
        assert str(error)
        return
    found = take(expression, text)
    assert found is None or found in text
    assert isinstance(expression, re.Pattern)

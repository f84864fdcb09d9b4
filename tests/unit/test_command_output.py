"""What commands write on a terminal: tables that fit it, and of which nothing is cut."""

from __future__ import annotations

import os
import sys
from typing import Final

import pytest

from aftersend_cli.output import Output, measure

HEAD: Final = ("recipient", "message", "what was said")
ROWS: Final = (
    ("ann.with-a-long-name@example.com", "ses:0102-b2", "550 5.1.1 Address rejected: User unknown in table"),
    ("bob@example.org", "ses:0102-c3", ""),
)
WIDE: Final = (("用户@例子.广告", "a", "b"), ("x@example.com", "a", "b"))


def write_on(columns: int, monkeypatch: pytest.MonkeyPatch) -> Output:
    """Return what writes on a terminal of that width."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    return Output()


@pytest.mark.parametrize("columns", [60, 72, 80, 100, 120, 200])
def test_a_table_fits_the_terminal_and_nothing_is_cut(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_on(columns, monkeypatch).table(HEAD, ROWS)
    shown = capsys.readouterr().out
    assert max(map(measure, shown.splitlines())) <= columns
    for row in ROWS:
        for word in " ".join(row).split():
            assert word in shown, "an address or an id is in one piece"


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (
            120,
            [
                "recipient                         message      what was said",
                "ann.with-a-long-name@example.com  ses:0102-b2  550 5.1.1 Address rejected: User unknown in table",
                "bob@example.org                   ses:0102-c3",
            ],
        ),
        (
            80,
            [
                "recipient                         message      what was said",
                "ann.with-a-long-name@example.com  ses:0102-b2  550 5.1.1 Address rejected: User",
                "                                               unknown in table",
                "bob@example.org                   ses:0102-c3",
            ],
        ),
        (
            46,
            [
                "recipient                         message",
                "  what was said",
                "ann.with-a-long-name@example.com  ses:0102-b2",
                "  550 5.1.1 Address rejected: User unknown in",
                "  table",
                "bob@example.org                   ses:0102-c3",
            ],
        ),
    ],
)
def test_a_table_gives_way_step_by_step(
    columns: int, shown: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_on(columns, monkeypatch).table(HEAD, ROWS)
    assert capsys.readouterr().out.splitlines() == shown


def test_a_row_is_a_block_where_nothing_else_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipient = f"{'ann.' * 12}@example.com"
    write_on(40, monkeypatch).table(HEAD, [(recipient, "", "550 5.1.1 Address rejected: User unknown"), *ROWS[1:]])
    assert capsys.readouterr().out.splitlines() == [
        f"recipient: {recipient}",
        "what was said: 550 5.1.1 Address",
        "rejected: User unknown",
        "",
        "recipient: bob@example.org",
        "message: ses:0102-c3",
        "",
    ]


def test_elsewhere_a_line_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(HEAD, [(*ROWS[0][:2], "word " * 200)])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_columns_that_are_empty_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(HEAD, [("ann@example.com", "", "x"), ("bob@example.com", "", "y")])
    assert capsys.readouterr().out.splitlines()[0].split() == ["recipient", "what", "was", "said"]
    Output().table(HEAD, [("", "", "")])
    assert capsys.readouterr().out == ""


def test_wide_letters_take_two_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    write_on(80, monkeypatch).table(("who", "b", "c"), WIDE)
    _, *lines = capsys.readouterr().out.splitlines()
    assert len({measure(line) for line in lines}) == 1


def test_what_is_about_an_answer_is_no_part_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    Output().remark("All\x1b[2J of it.")
    assert capsys.readouterr() == ("", f"All [2J of it.{os.linesep}")


def test_progress_is_for_a_terminal_alone_and_taken_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Output()
    output.progress("looked back to March")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    output.progress("looked back to March " * 9)
    output.progress()
    first, second = capsys.readouterr().err.split("\r\x1b[K")[1:]
    assert (len(first), second) == (59, "")

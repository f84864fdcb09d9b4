"""Says what a command will do, and asks before it does it. That is no part of the answer: it goes to standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from aftersend_cli.errors import CommandError, UsageError

_YES = frozenset({"y", "yes"})


def confirm(place: str, plan: Sequence[str], *, yes: bool) -> None:
    """Show where what will be done, and return if whoever gave the command wants it, as `confirm_change` does."""
    confirm_change(place, "\n".join(f"  {line}" for line in plan), yes=yes)


def confirm_change(sentence: str, plan: str, *, yes: bool, typed: str | None = None) -> None:
    """Show what holds and what will be done, and return if whoever gave the command wants it.

    `yes` stands for the answer; `typed` is what has to be written for a change that is hard to take back. Raises
    UsageError where nobody is there to be asked, CommandError for a no.
    """
    sys.stderr.write(f"{sentence}\n{plan}\n")
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was done: nobody is there to be asked; give --yes if that is what you want")
    sys.stderr.write(f"Write {typed} to go on: " if typed else "Go on? [y/N] ")
    sys.stderr.flush()
    given = sys.stdin.readline().strip()
    if given != typed if typed else given.lower() not in _YES:
        raise CommandError("nothing was done")

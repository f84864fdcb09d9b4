"""Says what a command will do, and asks before it does it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from aftersend_cli.errors import CommandError, UsageError

_YES = frozenset({"y", "yes"})


def confirm(place: str, plan: Sequence[str], *, yes: bool) -> None:
    """Show `plan`, and return if whoever gave the command wants it.

    `yes` stands for the answer. Raises UsageError where nobody is there to be asked, CommandError for a no.
    """
    sys.stdout.write(f"{place}\n" + "".join(f"  {line}\n" for line in plan))
    sys.stdout.flush()
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was done: nobody is there to be asked; give --yes if that is what you want")
    sys.stdout.write("Go on? [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in _YES:
        raise CommandError("nothing was done")

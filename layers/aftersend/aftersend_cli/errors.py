"""What a command cannot do, in one line for whoever gave it, and the exit code that says so to a program."""

from __future__ import annotations

from typing import Final

FAILED: Final = 1  # it was tried
REFUSED: Final = 2  # it was asked for wrongly, and nothing was done


class CommandError(Exception):
    """A command ends here; the text is for a person."""

    code = FAILED


class UsageError(CommandError):
    """It was asked for wrongly: nothing was done."""

    code = REFUSED

"""What a command cannot do, in one line for whoever gave it, and the exit code that says so to a program."""

from __future__ import annotations

from typing import Final

FAILED: Final = 1  # it was tried
REFUSED: Final = 2  # it was asked for wrongly, and nothing was done
NOT_KNOWN: Final = 3  # nobody answered: neither yes nor no
NOT_ALLOWED: Final = 4  # not signed in, or without the right


class CommandError(Exception):
    """A command ends here; the text is for a person."""

    code = FAILED


class UsageError(CommandError):
    """It was asked for wrongly: nothing was done."""

    code = REFUSED


class NotKnownError(CommandError):
    """Nobody answered: whatever was asked is not known, which is neither yes nor no."""

    code = NOT_KNOWN


class NotAllowedError(CommandError):
    """Whoever gave the command is not signed in, or may not do that."""

    code = NOT_ALLOWED

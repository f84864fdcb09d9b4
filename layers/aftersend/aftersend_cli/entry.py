"""Where the command begins: it says what to install where the small package alone is there."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

_NEEDED: Final = frozenset({"boto3", "botocore", "yaml"})
_REFUSED: Final = 2


def main() -> int:
    """Run the command; its exit code."""
    try:
        program = import_module("aftersend_cli.__main__")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        sys.stderr.write("aftersend: the command needs more than the small package: pip install 'aftersend[cli]'\n")
        return _REFUSED
    return int(program.main())

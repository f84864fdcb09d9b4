"""What must be made anew where a function begins as the copy of a snapshot (SnapStart).

All copies of a snapshot would go on with the same random numbers, the same credentials and the same connections, which
stand no more. Nothing else that is made at start is unique or has an age: ids are drawn from the system's entropy when
they are needed, and what is remembered for a while is remembered by the clock of the world.

Sources: Lambda developer guide, "Handling uniqueness with Lambda SnapStart" and "Lambda SnapStart runtime hooks for
Python".
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from aftersend.aws import credentials
from aftersend.http import transport


def register(environ: Mapping[str, str]) -> None:
    """Have `renew` be called wherever a snapshot is restored; does nothing where the function is of none."""
    if environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        from snapshot_restore_py import (  # type: ignore[import-untyped]  # noqa: PLC0415  # Lambda's runtime has it
            register_after_restore,
        )

        register_after_restore(renew)


def renew() -> None:
    """Draw other random numbers, ask for credentials, and connect anew."""
    random.seed()
    credentials.forget()
    transport.close_all()

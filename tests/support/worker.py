"""One concurrent function as a process of its own: works batches from a file and says which are done.

python -m tests.support.worker ENDPOINT OUTCOMES SUPPRESSIONS BATCHES
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from aftersend.core.model import Feedback
from aftersend.ingest import ingest
from aftersend.storage.store import TableNames
from tests.engines import Engine
from tests.support.facts import fake_source, message
from tests.support.ports import connected_ports

Batches = Sequence[Sequence[Feedback]]


def work(client: Any, names: TableNames, batches: Batches) -> None:
    """Works every batch, as a function would, until nothing of it comes again."""
    used = connected_ports(client, names)
    for batch in batches:
        messages = [message([each], str(number)) for number, each in enumerate(batch)]
        while messages:
            report = ingest(messages, used)
            assert not report.unreadable
            messages = [each for each in messages if each.id in report.unfinished]


def main(endpoint: str, outcomes: str, suppressions: str, batches: str) -> None:
    client = Engine("of the parent", endpoint).connect()
    parts = msgspec.json.decode(Path(batches).read_bytes(), type=list[list[Feedback]])
    with fake_source():
        for number, batch in enumerate(parts):
            work(client, TableNames(outcomes=outcomes, suppressions=suppressions), [batch])
            print(number, flush=True)  # what the parent waits for


if __name__ == "__main__":
    main(*sys.argv[1:])

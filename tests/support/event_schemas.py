"""Schemas of the events that go out, made of the structures themselves: `python -m tests.support.event_schemas`.

Each is a file as the schema registry of EventBridge takes it (JSONSchemaDraft4): an event of the bus, whose `detail` is
the body of a webhook. Sources: EventBridge user guide, "Schemas"; JSON Schema, draft 4.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend.core.events import EVENTS
from aftersend.outgoing.bus import SOURCE

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "events"
_TEXT: Final = {"type": "string"}


def build_schema(event: type[Struct]) -> dict[str, Any]:
    """Build the schema of one event as it is on the bus."""
    (reference,), found = msgspec.json.schema_components((event,), ref_template="#/definitions/{name}")
    envelope = {
        "version": _TEXT,
        "id": _TEXT,
        "detail-type": {"type": "string", "enum": [event.__name__]},
        "source": {"type": "string", "enum": [SOURCE]},
        "account": _TEXT,
        "time": {"type": "string", "format": "date-time"},
        "region": _TEXT,
        "resources": {"type": "array", "items": _TEXT},
        "detail": reference,
    }
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": event.__name__,
        "x-amazon-events-detail-type": event.__name__,
        "x-amazon-events-source": SOURCE,
        "type": "object",
        "required": sorted(envelope),
        "properties": envelope,
        "definitions": dict(sorted(found.items())),
    }


def encode_schema(event: type[Struct]) -> bytes:
    """Encode a schema as its file holds it."""
    return msgspec.json.format(msgspec.json.encode(build_schema(event)), indent=2) + b"\n"


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for event in EVENTS:
        (FOLDER / f"{event.__name__}.json").write_bytes(encode_schema(event))


if __name__ == "__main__":
    main()

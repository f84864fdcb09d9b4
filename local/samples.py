"""The samples in `events/`: bodies as a source sends them, each beside what is expected of it.

    events/<source>/<case>.json, .txt or .xml  the body
    events/<source>/<case>.queue-<word>.json   the same, out of that queue of a source that has several
    events/<source>/<case>.expected.json       {"feedback": […]}, each with its verdict, or {"malformed": "why"}

`python -m local expect` writes an expectation; a person reads it before it is kept: it is the specification.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from aftersend.classify import Classifier
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Verdict
from aftersend.sources import SOURCES, read
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend_cli.explaining import make_plain

ROOT: Final = Path(__file__).resolve().parent.parent
EVENTS: Final = ROOT / "events"
_EXPECTED: Final = ".expected.json"


class Sample(NamedTuple):
    """One body as `source` sends it."""

    source: str
    path: Path
    content: bytes | None = None  # where it is not what the file holds

    @property
    def name(self) -> str:
        """Source and case: "ses/send"."""
        return f"{self.source}/{self.path.stem}"

    @property
    def expectation(self) -> Path:
        """Where its expectation is kept."""
        return self.path.with_name(self.path.stem + _EXPECTED)

    @property
    def headers(self) -> Headers:
        """What its carrier says beside it."""
        queue = self.path.name.partition(".queue-")[2].partition(".")[0]
        return {"x-queue": queue} if queue else NO_HEADERS

    def body(self) -> bytes:
        """The body, unchanged but for what stands in `content`."""
        return self.path.read_bytes() if self.content is None else self.content


def samples() -> list[Sample]:
    """Every sample of every source that has a parser, in the order of their names."""
    return [Sample(source, path) for source in sorted(SOURCES) for path in _bodies(EVENTS / source)]


def _bodies(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_file() and not path.name.endswith(_EXPECTED))


def reading(sample: Sample, classifier: Classifier) -> dict[str, Any]:
    """What `sample` says, in the form of an expectation."""
    try:
        facts = read(sample.source, sample.body(), sample.headers)
    except MalformedFeedback as error:
        return {"malformed": error.why}
    return {"feedback": [make_plain(fact) | {"verdict": _class_and_reason(classifier(fact))} for fact in facts]}


def expect(sample: Sample, classifier: Classifier) -> None:
    """Write what `sample` says now as its expectation."""
    found = msgspec.json.encode(reading(sample, classifier))
    sample.expectation.write_bytes(msgspec.json.format(found, indent=2) + b"\n")


def _class_and_reason(verdict: Verdict | None) -> dict[str, str] | None:
    """Which rule decided is not expected: rules may be cut in another way and still be right."""
    return {"class": verdict.klass.value, "reason": verdict.reason.value} if verdict else None

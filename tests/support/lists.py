"""Lists to import: the samples, what they say in plain words, and a judge that knows the shipped rules.

python -m tests.support.lists writes what the samples say now as their expectations: read them before you keep them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

from aftersend import classify
from aftersend.classify import Classifier
from aftersend.core import policy
from aftersend.core.causes import Claim
from aftersend.core.times import format_time
from aftersend.lists import columns, formats
from aftersend.lists.entries import Flawed
from aftersend.lists.formats import FORMATS
from aftersend.lists.plan import Terms, claims
from aftersend.lists.records import records
from tests.support.ports import NOW

SAMPLES: Final = Path(__file__).resolve().parents[1] / "samples" / "import"
AT: Final = datetime(2026, 1, 1, tzinfo=UTC)  # of rows without a time
_TIMELESS: Final = ("ses-bulk",)


@lru_cache(maxsize=1)
def classifier() -> Classifier:
    return classify.load()


def samples() -> list[Path]:
    return sorted(path for path in SAMPLES.iterdir() if not path.name.endswith(".expected.json"))


def expectation(sample: Path) -> Path:
    return sample.with_name(f"{sample.name}.expected.json")


def format_of(sample: Path) -> str:
    """The format that the name of a sample begins with."""
    return max((name for name in FORMATS if sample.name.startswith(name)), key=len)


def terms(name: str, at: datetime | None = None, scope: str = "*", document: str = "") -> Terms:
    return Terms(
        format=FORMATS[name],
        policy=policy.load(document),
        classify=classifier(),
        began=NOW,
        scope=scope,
        at=at,
    )


def understood(body: bytes, given: Terms) -> dict[str, Any]:
    """What a list says, with these terms."""
    layout = columns.layout(body)
    said: dict[str, Any] = {"claims": [], "skipped": 0, "flaws": []}
    for record in records([body[layout.begin.offset :]], layout.framing, layout.begin):
        for row in columns.rows(record, layout):
            try:
                found = claims(row, given)
            except Flawed as flaw:
                said["flaws"].append(f"line {row.line}: {flaw}")
                continue
            said["skipped"] += not found
            said["claims"] += [_plain(each) for each in found]
    return said


def _plain(claim: Claim) -> dict[str, str]:
    first, latest, until = claim.cause.first, claim.cause.latest, claim.cause.until
    assert first is not None and latest is not None
    told = {
        "recipient": claim.recipient,
        "scope": claim.scope,
        "kind": claim.kind,
        "since": format_time(first.at) if first.at != latest.at else "",
        "at": format_time(latest.at),
        "until": format_time(until) if until else "",
        "reason": latest.reason or "",
        "rule": latest.rule or "",
        "provider_code": latest.provider_code or "",
    }
    return {name: text for name, text in told.items() if text}


def said(sample: Path) -> dict[str, Any]:
    """What a sample says."""
    at = AT if sample.name.startswith(_TIMELESS) else None
    return understood(sample.read_bytes(), terms(format_of(sample), at))


def recognised(sample: Path) -> str:
    """The format of a sample by its columns alone."""
    head = sample.read_bytes()
    return formats.recognised(columns.names(columns.layout(head), head), None).name


if __name__ == "__main__":
    for each in samples():
        expectation(each).write_bytes(msgspec.json.format(msgspec.json.encode(said(each)), indent=2) + b"\n")

"""Lists to import: the samples, what they say in plain words, and a classifier that knows the shipped rules.

python -m tests.support.list_samples writes what the samples say now as their expectations: read before you keep them.
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
from aftersend.lists import formats, rows
from aftersend.lists.claims import ImportTerms, make_claims
from aftersend.lists.entries import InvalidRow
from aftersend.lists.formats import FORMATS
from aftersend.lists.records import split_records
from tests.support.ports import NOW

SAMPLES: Final = Path(__file__).resolve().parents[1] / "samples" / "import"
AT: Final = datetime(2026, 1, 1, tzinfo=UTC)  # of rows without a time
_TIMELESS: Final = ("ses-bulk",)


@lru_cache(maxsize=1)
def load_classifier() -> Classifier:
    return classify.load()


def list_samples() -> list[Path]:
    return sorted(path for path in SAMPLES.iterdir() if not path.name.endswith(".expected.json"))


def find_expectation(sample: Path) -> Path:
    return sample.with_name(f"{sample.name}.expected.json")


def find_format(sample: Path) -> str:
    """The format that the name of a sample begins with."""
    return max((name for name in FORMATS if sample.name.startswith(name)), key=len)


def make_terms(name: str, at: datetime | None = None, scope: str = "*", document: str = "") -> ImportTerms:
    return ImportTerms(
        format=FORMATS[name],
        policy=policy.load(document),
        classify=load_classifier(),
        began_at=NOW,
        scope=scope,
        at=at,
    )


def read_list(body: bytes, given: ImportTerms) -> dict[str, Any]:
    """Return what a list says, with these terms."""
    layout = rows.detect_layout(body)
    content: dict[str, Any] = {"claims": [], "skipped": 0, "errors": []}
    for record in split_records([body[layout.start.offset :]], layout.framing, layout.start):
        for row in rows.read_rows(record, layout):
            try:
                found = make_claims(row, given)
            except InvalidRow as error:
                content["errors"].append(f"line {row.line}: {error}")
                continue
            content["skipped"] += not found
            content["claims"] += [_plain(each) for each in found]
    return content


def _plain(claim: Claim) -> dict[str, str]:
    first, latest, until = claim.cause.first, claim.cause.latest, claim.cause.until
    assert first is not None and latest is not None
    plain = {
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
    return {name: text for name, text in plain.items() if text}


def read_sample(sample: Path) -> dict[str, Any]:
    """What a sample says."""
    at = AT if sample.name.startswith(_TIMELESS) else None
    return read_list(sample.read_bytes(), make_terms(find_format(sample), at))


def detect_sample_format(sample: Path) -> str:
    """The format of a sample by its columns alone."""
    head = sample.read_bytes()
    return formats.detect_format(rows.read_column_names(rows.detect_layout(head), head), None).name


if __name__ == "__main__":
    for each in list_samples():
        find_expectation(each).write_bytes(
            msgspec.json.format(msgspec.json.encode(read_sample(each)), indent=2) + b"\n"
        )

"""Which rows of a list are refused, and which are skipped: all of them, each with the reason, in a file to mend.

The API names the first hundred that it refuses. This reads the file as the stack does, with the same code and the rules
that are shipped, so it can name them all; where a stack's own rules or policy judge rows otherwise, its counts differ,
and the command says so.

Of a list of CSV the file has the same columns behind three new ones, of JSON it has lines with three new members. Once
it is mended it can be imported: columns that nobody knows are ignored.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from aftersend import classify
from aftersend.core import policy
from aftersend.lists.claims import ImportTerms, make_claims
from aftersend.lists.entries import InvalidRow
from aftersend.lists.formats import detect_format
from aftersend.lists.records import Framing, split_records
from aftersend.lists.rows import HEAD_SIZE, FileLayout, Row, detect_layout, read_column_names, read_rows

_COLUMNS: Final = ("import_line", "import_result", "import_why")
_INVALID, _SKIPPED = "invalid", "skipped"
_NOTHING: Final = "it says nothing against the address"
_PIECE: Final = 1 << 20  # bytes


class Reject(NamedTuple):
    """A row that is not imported."""

    line: int
    result: str
    why: str
    data: bytes


class Counts(NamedTuple):
    """How many rows are not imported."""

    invalid: int = 0
    skipped: int = 0


def write_rejects(path: Path, target: Path, format_: str | None, at: datetime | None) -> Counts:
    """Write the rows of a list that are not imported into a file; raises MalformedFeedback where it is no list."""
    with path.open("rb") as file:
        head = file.read(HEAD_SIZE)
    layout = detect_layout(head)
    terms = ImportTerms(
        format=detect_format(read_column_names(layout, head), format_),
        policy=policy.load(),
        classify=classify.load(),
        began_at=datetime.now(UTC),
        at=at,
    )
    counts = {_INVALID: 0, _SKIPPED: 0}
    with target.open("w", encoding="utf-8", newline="") as file:
        if layout.framing is Framing.CSV:
            file.write(f"{layout.separator.join((*_COLUMNS, _read_header(head, layout)))}\n")
        for each in _find_rejects(path, layout, terms):
            counts[each.result] += 1
            file.write(_render(each, layout))
    return Counts(**counts)


def _find_rejects(path: Path, layout: FileLayout, terms: ImportTerms) -> Iterator[Reject]:
    for record in split_records(_read_pieces(path, layout.start.offset), layout.framing, layout.start):
        for row in read_rows(record, layout):
            found = _judge(row, terms)
            if found is not None:
                yield Reject(row.line, *found, record.data)


def _judge(row: Row, terms: ImportTerms) -> tuple[str, str] | None:
    try:
        return None if make_claims(row, terms) else (_SKIPPED, _NOTHING)
    except InvalidRow as error:
        return _INVALID, str(error)


def _read_pieces(path: Path, offset: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(_PIECE):
            yield piece


def _read_header(head: bytes, layout: FileLayout) -> str:
    """Return the header as it stands there; of a list that has none, the names that its columns are known by."""
    if not layout.start.offset:
        return layout.separator.join(layout.columns)
    return head[: layout.start.offset].decode("utf-8-sig").strip()


def _render(reject: Reject, layout: FileLayout) -> str:
    text = reject.data.decode("utf-8-sig", "replace").strip()
    said = reject.line, reject.result, reject.why
    if layout.framing is Framing.CSV:
        made = io.StringIO()
        csv.writer(made, delimiter=layout.separator, lineterminator="").writerow(said)
        return f"{made.getvalue()}{layout.separator}{text}\n"
    try:
        row = json.loads(text)
    except ValueError:
        row = {"row": text}
    fields = row if isinstance(row, dict) else {"row": row}
    return json.dumps(dict(zip(_COLUMNS, said, strict=True)) | fields, ensure_ascii=False) + "\n"

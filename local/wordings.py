"""Reads the wordings that stand beside the rules: replies, and providers' own codes, with what they must be judged as.

A file of `classify/wordings/` holds one wording a line, in columns between tabs. The first line that is no comment
names them: `reason` and `class`, which are expected, then any of `source` and `kind` (else it is a bounce that a mail
reports) and the fields of `evidence_from`: `text`, `code`, `status`, `command` … Cells may be empty. A line that begins
with `#` is a comment. A code of another protocol than SMTP stands behind its name, as in rules: "http:410", "smpp:11".
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from aftersend.classify import Classifier, evidence_from
from aftersend.classify.mistakes import DEFAULT_SOURCE
from aftersend.classify.shipped import FOLDER as RULES
from aftersend.core.model import Class, Evidence, Kind, Protocol, Reason, Verdict

FOLDER: Final = RULES.with_name("wordings")  # development data: a layer that was built has none
_EVIDENCE: Final = tuple(inspect.signature(evidence_from).parameters)
_EXPECTED: Final = ("reason", "class")
_COLUMNS: Final = (*_EXPECTED, "source", "kind", *_EVIDENCE)


class WordingError(ValueError):
    """A line that is no wording; the message begins with its file and number."""


class Wording(NamedTuple):
    """What came, and what it must be judged as."""

    path: Path
    line: int
    reason: Reason
    klass: Class
    source: str
    kind: Kind
    evidence: Evidence

    @property
    def place(self) -> str:
        """Where it stands: "postfix.tsv:12"."""
        return f"{self.path.name}:{self.line}"

    @property
    def shown(self) -> str:
        """What of it a person wants to see: its text, else the provider's own code."""
        return self.evidence.text or self.evidence.provider_code or ""

    def judge(self, classifier: Classifier) -> Verdict:
        """Return the verdict of `classifier` on it."""
        return classifier.judge(source=self.source, evidence=self.evidence, kind=self.kind)


def list_files(folder: Path = FOLDER) -> list[Path]:
    """Return the files of wordings, in the order of their names; none where there is no such folder."""
    return sorted(folder.glob("*.tsv"))


def read_file(path: Path) -> Iterator[Wording]:
    """Yield the wordings of a file; raise `WordingError` for a line that is none."""
    columns: Sequence[str] = ()
    for line, row in enumerate(path.read_text("utf-8").splitlines(), 1):
        if not row.strip() or row.startswith("#"):
            continue
        cells = row.split("\t")
        try:
            if columns:
                yield _convert(path, line, columns, cells)
            else:
                columns = _check_header(cells)
        except ValueError as error:
            raise WordingError(f"{path}:{line}: {error}") from error


def _check_header(columns: Sequence[str]) -> Sequence[str]:
    unknown = [name for name in columns if name not in _COLUMNS]
    missing = [name for name in _EXPECTED if name not in columns]
    if unknown or missing or len({*columns}) < len(columns):
        raise ValueError(f"the columns must be reason, class and any of {', '.join(_COLUMNS[2:])}, each once")
    return columns


def _convert(path: Path, line: int, columns: Sequence[str], cells: Sequence[str]) -> Wording:
    if len(cells) != len(columns):
        raise ValueError(f"{len(cells)} cells under {len(columns)} columns: they are parted by tabs")
    given = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
    return Wording(
        path=path,
        line=line,
        reason=Reason(given.get("reason", "")),
        klass=Class(given.get("class", "")),
        source=given.get("source", DEFAULT_SOURCE),
        kind=Kind(given.get("kind", Kind.BOUNCED)),
        evidence=_read_evidence({name: cell for name, cell in given.items() if name in _EVIDENCE}),
    )


def _read_evidence(given: dict[str, str]) -> Evidence:
    protocol, colon, code = given.get("code", "").partition(":")
    if not colon:
        return evidence_from(**given)
    plain = evidence_from(**{name: cell for name, cell in given.items() if name != "code"})
    return replace(plain, code=int(code), protocol=Protocol(protocol))

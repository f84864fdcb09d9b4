"""docs/policy.md says what is true: every field with its default, examples that load, and tables that are run."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from aftersend.core import policy
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Act, Context, Decision, Evidence, Feedback, Kind, Suppression
from aftersend.core.policy import Policy
from aftersend.core.steps import run_steps
from aftersend.core.suppression import find_active_causes, find_contradiction_to_review
from aftersend.core.vocabulary import CauseKind
from aftersend.core.writes import SuppressionUpdate, update_suppression
from aftersend.ingest import ingest
from tests.engines import ROOT
from tests.support.facts import ANN, START, classify, fact, fake_source, message
from tests.support.ports import MemoryStore, ports

TEXT = (ROOT / "docs" / "policy.md").read_text()
FENCES = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
WRONG = [each for each in FENCES if "spam_content" in each]


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def _rows(header: str, text: str) -> Iterator[list[list[str]]]:
    """Every table with this header, as its rows of cells."""
    for body in re.findall(rf"^\| {re.escape(header)} \|\n\|[-|]+\|\n((?:\|.*\|\n)+)", text, re.MULTILINE):
        yield [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body.splitlines()]


def _fields(table: dict[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _fields(value, f"{within}{name}.")
        else:
            yield within + name, value


def test_every_field_is_explained_with_its_default() -> None:
    (rows,) = _rows("field | default | meaning", TEXT)
    explained = {name.strip("`"): default.strip("`") for name, default, _ in rows}
    shipped = dict(_fields(tomllib.loads((ROOT / "layers/aftersend/aftersend/core/policy.toml").read_text())))
    assert explained.keys() == shipped.keys()
    for name, default in explained.items():
        assert (tomllib.loads(f"x = {default}")["x"] if default != "empty" else {}) == shipped[name], name


def test_every_cause_is_explained() -> None:
    (rows,) = _rows("cause | what makes it | where | ends", TEXT)
    assert [row[0].strip("`") for row in rows] == [*CauseKind]


@pytest.mark.parametrize("document", [each for each in FENCES if each not in WRONG])
def test_an_example_loads(document: str) -> None:
    assert policy.load(document) != policy.load()


def test_the_example_that_is_wrong_is_refused_with_these_words() -> None:
    (document,) = WRONG
    with pytest.raises(ConfigurationError, match="spam_content is never the recipient's fault"):
        policy.load(document)


class Example(NamedTuple):
    """A worked example: the policy above it, and its rows."""

    rules: Policy
    rows: list[list[str]]


def _examples() -> Iterator[Example]:
    for section in re.split(
        r"^### ", TEXT.partition("## Worked examples")[2].partition("\n## ")[0], flags=re.MULTILINE
    ):
        fences = re.findall(r"^```toml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        for rows in _rows("day | what comes | what holds", section):
            yield Example(policy.load(*fences), rows)


EXAMPLES = list(_examples())

# What may come, by its words in the table.
_KINDS = {
    "bounce": Kind.BOUNCED,
    "delivered": Kind.DELIVERED,
    "complained": Kind.COMPLAINED,
    "not spam": Kind.COMPLAINT_WITHDRAWN,
    "left": Kind.UNSUBSCRIBED,
    "joined": Kind.SUBSCRIBED,
    "refused": Kind.BOUNCED,
}


def _make_fact(day: int, cell: str) -> Feedback:
    """The feedback that a cell names, each about a message of its own."""
    cell, _, late = cell.partition(", of day ")
    cell, _, sender = cell.partition(", to ")
    what, _, code = cell.partition(": ")
    what, _, stream = (what, "", "") if what in _KINDS else what.partition(" ")
    return fact(
        _KINDS[what],
        int(late or day),
        message=f"test:{day}",
        scope=stream or None,
        evidence=Evidence(provider_code=code or None),
        context=Context(sender=sender) if sender else None,
    )


def _decide(day: int, cell: str, store: MemoryStore, rules: Policy) -> None:
    key = ANN, "*"
    release = Decision(at=START + timedelta(days=day), by="a", act=Act.RELEASED, force="force" in cell)
    run_steps(
        update_suppression(
            SuppressionUpdate(key, decisions=(release,), recount=True), store.get_suppressions([key]).get(key), rules
        ),
        store.answer,
    )


def _held(row: Suppression, day: int) -> Iterator[str]:
    """What holds on a day, as a cell has it."""
    for kind in find_active_causes(row, START + timedelta(days=day)):
        until = row.causes[kind].until
        end = f" until day {(until - START).days}" if until else ""
        yield f"{kind}{'' if row.scope == '*' else f' ({row.scope})'}{end}"
        if kind is CauseKind.HARD and find_contradiction_to_review(row):
            yield "contradicted"


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{number}" for number in range(len(EXAMPLES))])
def test_a_worked_example_works(example: Example) -> None:
    store = MemoryStore()
    for day, cell, holds in ((int(row[0]), row[1], row[2]) for row in example.rows):
        if cell.startswith("release"):
            _decide(day, cell, store, example.rules)
        elif cell != "-":
            report = ingest(
                [message([_make_fact(day, cell)], cell)], ports(store, policy=example.rules, classify=classify)
            )
            assert not report.failed and not report.unreadable
        rows = sorted(store.get_suppressions(list(store.suppressions_table)).values(), key=lambda row: row.key)
        assert (", ".join(each for row in rows for each in _held(row, day)) or "nothing") == holds, (day, cell)


def test_there_are_examples_of_every_cause_but_those_of_others() -> None:
    """`manual` is a person's, `provider` a provider's; both have tables of their own."""
    outcomes = " ".join(row[2] for example in EXAMPLES for row in example.rows)
    assert {kind for kind in CauseKind if kind in outcomes} >= {*CauseKind} - {CauseKind.MANUAL, CauseKind.PROVIDER}
    assert len(EXAMPLES) >= 8

"""Two providers that have a parser, described by a file as well: the same facts, and the same verdicts."""

from __future__ import annotations

from typing import Final

import pytest
from msgspec.structs import replace

from aftersend import classify
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback
from aftersend.sources import SOURCES, load_parser
from aftersend.sources.mapping.compiled import load
from aftersend.sources.mapping.facts import read_body
from local.samples import Sample, samples
from tests.support.template import ROOT

FILES: Final = sorted((ROOT / "tests" / "support" / "mappings").glob("*.toml"))
MAPPINGS: Final = {path.stem: load(path.read_text()) for path in FILES}
SAMPLES: Final = [sample for sample in samples() if sample.source in MAPPINGS]
# The file's source has another name, so that no rule of the parser's helps it.
RULES: Final = classify.load(None, [mapping.vocabulary for mapping in MAPPINGS.values()])


def by_parser(sample: Sample) -> list[Feedback] | None:
    """What the parser says; None for a body that it cannot read."""
    try:
        return load_parser(sample.source)(sample.body(), {})
    except MalformedFeedback:
        return None


def by_file(sample: Sample) -> list[Feedback] | None:
    """What the file says, under its own name."""
    try:
        return read_body(MAPPINGS[sample.source], sample.body())
    except MalformedFeedback:
        return None


def test_each_file_is_of_a_source_that_has_samples_and_calls_itself_otherwise() -> None:
    assert {path.stem for path in FILES} == {sample.source for sample in SAMPLES}
    assert not SOURCES.keys() & {mapping.source for mapping in MAPPINGS.values()}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_file_says_what_a_parser_says(sample: Sample) -> None:
    facts, mapped = by_parser(sample), by_file(sample)
    renamed = None if mapped is None else [replace(fact, source=sample.source, id="") for fact in mapped]
    assert renamed == facts


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_and_it_is_judged_alike(sample: Sample) -> None:
    for fact, mapped in zip(by_parser(sample) or (), by_file(sample) or (), strict=True):
        one, other = RULES(fact), RULES(mapped)
        assert (one and (one.reason, one.klass)) == (other and (other.reason, other.klass)), (one, other)

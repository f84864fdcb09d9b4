"""What the template passes to a function: read once, checked at start, wrong values named."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersend.core.errors import ConfigurationError
from aftersend.settings import load_api, load_ingest, load_tables

ENVIRON = {
    "OUTCOMES_TABLE": "Outcomes",
    "SUPPRESSIONS_TABLE": "Suppressions",
    "UNMATCHED_TEXTS_TABLE": "UnmatchedTexts",
    "SPIKE_WINDOWS_TABLE": "SpikeWindows",
    "ARCHIVE_BUCKET": "archive",
    "UNREADABLE_BODIES_QUEUE": "https://sqs.example.com/parked",
    "DIGEST_KEY": "secret",
}


def test_the_least_that_must_be_said() -> None:
    settings = load_ingest(ENVIRON)
    assert (settings.source, settings.outcomes_table, settings.digest_key) == ("", "Outcomes", b"secret")
    assert load_ingest(ENVIRON | {"SOURCE": "ses"}).source == "ses"
    assert (settings.retention, settings.workers) == (timedelta(days=180), 16)
    assert settings.policy.streak.bounces == 5


@pytest.mark.parametrize("name", ENVIRON)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_is_missing_is_named(name: str, value: str | None) -> None:
    changed = {key: each for key, each in ENVIRON.items() if key != name} | ({name: value} if value is not None else {})
    with pytest.raises(ConfigurationError, match=name):
        load_ingest(changed)


@pytest.mark.parametrize(("name", "least", "most"), [("RETENTION_DAYS", 1, 3650), ("WORKERS", 1, 64)])
def test_numbers_have_bounds(name: str, least: int, most: int) -> None:
    for wrong in (str(least - 1), str(most + 1), "-1", "many", "1.5", "1e3"):
        with pytest.raises(ConfigurationError, match=rf"{name}.*{least} to {most}"):
            load_ingest(ENVIRON | {name: wrong})
    assert load_ingest(ENVIRON | {"RETENTION_DAYS": "1", "WORKERS": "64"}).workers == 64
    assert load_ingest(ENVIRON | {name: " "}) == load_ingest(ENVIRON)


def test_the_policy_of_the_deployment() -> None:
    assert load_ingest(ENVIRON | {"POLICY": "[streak]\nbounces = 9"}).policy.streak.bounces == 9
    with pytest.raises(ConfigurationError, match=r"\$\.streak\.bounces"):
        load_ingest(ENVIRON | {"POLICY": "[streak]\nbounces = 0"})


@pytest.mark.parametrize(
    ("template", "document", "proof"),
    [
        ("", "", "message-id"),
        ("b-{token}@bounce.example.com", "", "token"),
        ("b-{token}@bounce.example.com", "[report]\nproof = 'message-id'", "message-id"),
        ("", "[report]\nproof = 'token'", "token"),
    ],
)
def test_where_bounce_addresses_carry_tokens_nothing_else_proves_a_report(
    template: str, document: str, proof: str
) -> None:
    """In every function that works on the tables, also those that never see a report: all must come to the same."""
    given = ENVIRON | {"VERP_TEMPLATE": template, "POLICY": document}
    assert load_ingest(given).policy.report.proof == load_api(given).policy.report.proof == proof
    assert load_tables(given).policy.report == load_ingest(given).policy.report

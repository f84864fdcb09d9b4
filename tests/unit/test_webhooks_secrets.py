"""The document that holds the secrets: what it may say, and that a mistake in it is named without quoting a secret."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from aftersend.core.errors import ConfigurationError
from aftersend.sources import SOURCES
from aftersend.webhooks.schemes import WebhookCredentials
from aftersend.webhooks.schemes.secret import matches_any
from aftersend.webhooks.secrets import SecretsDocument, read_document

PUSHED: Final = sorted(name for name, source in SOURCES.items() if source.proofs)
SECRET: Final = "a-secret-of-it-16"


def read(document: Any) -> SecretsDocument:
    return read_document(json.dumps(document), SOURCES)


def test_as_the_stack_generates_it() -> None:
    assert read({"path": SECRET}) == SecretsDocument(path=(SECRET,), sources={})


def test_nothing_is_a_document_too() -> None:
    assert read({}) == SecretsDocument(path=(), sources={})


@pytest.mark.parametrize("source", PUSHED)
def test_an_empty_entry_has_the_path_of_all(source: str) -> None:
    assert read({"path": SECRET, "sources": {source: {}}}).sources == {source: WebhookCredentials(path=(SECRET,))}


@pytest.mark.parametrize("source", sorted(SOURCES.keys() - PUSHED))
def test_what_is_never_pushed_cannot_be_turned_on(source: str) -> None:
    with pytest.raises(ConfigurationError, match=f"no source '{source}'"):
        read({"sources": {source: {}}})


def test_one_secret_or_several() -> None:
    found = read(
        {
            "path": [SECRET, SECRET + "-2"],
            "sources": {
                "ses": {"basic": ["user:password:2", "ü:geheim-geheim"]},
                "directmail": {"token": "a-token-of-it", "path": SECRET + "-3"},
                "mailerq": {"path": [], "bearer": ["bearer-1", "bearer-2"]},
            },
        }
    ).sources
    assert found["ses"] == WebhookCredentials(
        path=(SECRET, SECRET + "-2"), basic=("user:password:2", "ü:geheim-geheim")
    )
    assert found["directmail"] == WebhookCredentials(path=(SECRET + "-3",), token=("a-token-of-it",))
    assert found["mailerq"] == WebhookCredentials(bearer=("bearer-1", "bearer-2"))
    assert found["mailerq"].kinds() == {"bearer"}


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"path": "geheim"}, r"\$\.path: a secret is not of the form \[A-Za-z0-9\._~-\]\{16,200\}"),
        ({"path": [SECRET, "geheim"]}, r"\$\.path: a secret"),
        ({"path": [1]}, r"`\$\.path\[0\]`"),
        ({"path": "geheim/geheim/geheim"}, r"\$\.path"),
        ({"path": "geheim-geheim-geheim\n"}, r"\$\.path"),
        ({"path": None}, r"\$\.path"),
        ({"sources": []}, r"\$\.sources"),
        ({"sources": {"ses": None}}, r"\$\.sources\.ses"),
        ({"sources": {"ses": True}}, r"\$\.sources\.ses"),
        ({"sources": {"ses": []}}, r"\$\.sources\.ses"),
        ({"sources": {"ses": {"bearer": "geheim"}}}, r"\$\.sources\.ses\.bearer"),
        ({"sources": {"ses": {"bearer": "geheim geheim"}}}, r"\$\.sources\.ses\.bearer"),
        ({"sources": {"ses": {"bearer": "geheimgeheim", "other": 1}}}, "`other`"),
        ({"sources": {"ses": {"basic": "geheimgeheim"}}}, r"\$\.sources\.ses\.basic"),
        ({"sources": {"ses": {"basic": "geheim:short"}}}, r"\$\.sources\.ses\.basic"),
        ({"sources": {"ses": {"token": "geheimgeheim"}}}, r"\$\.sources\.ses\.token: ses has no way to send it"),
        ({"sources": {"mailerq": {"token": "geheimgeheim"}}}, r"\$\.sources\.mailerq\.token"),
        ({"sources": {"directmail": {"basic": "geheim:geheimgeheim"}}}, r"\$\.sources\.directmail\.basic"),
        ({"sources": {"nobody": {}}}, rf"\$\.sources: no source 'nobody', but {', '.join(PUSHED)}"),
        ({"secret": "geheimgeheim"}, "`secret`"),
        (["geheim"], "the secrets"),
        ("geheim", "the secrets"),
    ],
)
def test_a_mistake_is_named_and_no_secret_quoted(document: Any, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        read(document)
    assert "geheim" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None  # a traceback shows that too


@pytest.mark.parametrize("text", ["", "{", "geheim", "{'path': 'geheim'}", "\x00", "[" * 5000])
def test_no_json(text: str) -> None:
    with pytest.raises(ConfigurationError, match="the secrets") as caught:
        read_document(text, SOURCES)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("value", ["", "wor", "words", "WORD", "wörd", "\ud800", "word\x00", " word", "one", "onetwo"])
def test_nothing_but_the_secret(value: str) -> None:
    assert not matches_any(value, ("word",))
    assert not matches_any(value, ())
    assert value == "\ud800" or matches_any(value, ("word", value))

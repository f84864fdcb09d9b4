"""The document that holds the secrets: what it may say, how a mistake in it is told, and that it is told without it."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from aftersend.core.errors import ConfigurationError
from aftersend.webhooks.schemes import KINDS, WebhookCredentials
from aftersend.webhooks.schemes.secret import known, read

WORD: Final = "a-word-of-16-letters"


def credentials(document: Any) -> dict[str, WebhookCredentials]:
    return read(json.dumps(document), KINDS)


def test_as_the_stack_generates_it() -> None:
    assert credentials({"path": WORD}) == dict.fromkeys(KINDS, WebhookCredentials(path=(WORD,)))


def test_nothing_is_a_document_too() -> None:
    assert credentials({}) == dict.fromkeys(KINDS, WebhookCredentials())


def test_one_word_or_several() -> None:
    found = credentials(
        {
            "path": [WORD, WORD + "-2"],
            "sources": {
                "ses": {"basic": ["user:password:2", "ü:geheim-geheim"]},
                "directmail": {"token": "a-token-of-it", "path": WORD + "-3"},
                "mailerq": {"path": [], "bearer": ["bearer-1", "bearer-2"]},
            },
        }
    )
    assert found["ses"] == WebhookCredentials(path=(WORD, WORD + "-2"), basic=("user:password:2", "ü:geheim-geheim"))
    assert found["directmail"] == WebhookCredentials(path=(WORD + "-3",), token=("a-token-of-it",))
    assert found["mailerq"] == WebhookCredentials(bearer=("bearer-1", "bearer-2"))
    assert found["mailerq"].kinds() == {"bearer"}


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"path": "geheim"}, r"\$\.path: a word is not of the form \[A-Za-z0-9\._~-\]\{16,200\}"),
        ({"path": [WORD, "geheim"]}, r"\$\.path: a word"),
        ({"path": [1]}, r"`\$\.path\[0\]`"),
        ({"path": "geheim/geheim/geheim"}, r"\$\.path"),
        ({"path": "geheim-geheim-geheim\n"}, r"\$\.path"),
        ({"path": None}, r"\$\.path"),
        ({"sources": []}, r"\$\.sources"),
        ({"sources": {"ses": []}}, r"\$\.sources\.ses"),
        ({"sources": {"ses": {"bearer": "geheim"}}}, r"\$\.sources\.ses\.bearer"),
        ({"sources": {"ses": {"bearer": "geheim geheim"}}}, r"\$\.sources\.ses\.bearer"),
        ({"sources": {"ses": {"bearer": "geheimgeheim", "other": 1}}}, "`other`"),
        ({"sources": {"ses": {"basic": "geheimgeheim"}}}, r"\$\.sources\.ses\.basic"),
        ({"sources": {"ses": {"basic": "geheim:short"}}}, r"\$\.sources\.ses\.basic"),
        ({"sources": {"ses": {"token": "geheimgeheim"}}}, r"\$\.sources\.ses\.token: ses has no way to send it"),
        ({"sources": {"mailerq": {"token": "geheimgeheim"}}}, r"\$\.sources\.mailerq\.token"),
        ({"sources": {"directmail": {"basic": "geheim:geheimgeheim"}}}, r"\$\.sources\.directmail\.basic"),
        ({"sources": {"smpp": {}}}, r"\$\.sources: no source 'smpp', but directmail, mailerq, ses"),
        ({"secret": "geheimgeheim"}, "`secret`"),
        (["geheim"], "the secrets"),
        ("geheim", "the secrets"),
    ],
)
def test_a_mistake_is_named_and_no_secret_told(document: Any, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        credentials(document)
    assert "geheim" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None  # a traceback shows that too


@pytest.mark.parametrize("text", ["", "{", "geheim", "{'path': 'geheim'}", "\x00", "[" * 5000])
def test_no_json(text: str) -> None:
    with pytest.raises(ConfigurationError, match="the secrets") as caught:
        read(text, KINDS)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("said", ["", "wor", "words", "WORD", "wörd", "\ud800", "word\x00", " word", "one", "onetwo"])
def test_nothing_but_the_word(said: str) -> None:
    assert not known(said, ("word",))
    assert not known(said, ())
    assert said == "\ud800" or known(said, ("word", said))

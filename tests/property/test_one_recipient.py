"""Law 7: "an address is read strictly wherever a person or a client names one".

Whatever is written, each way in refuses it or takes it for one recipient, and no two take it for different ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import quote

from hypothesis import assume, example, given
from hypothesis import strategies as st

from aftersend.core.errors import ConfigurationError
from aftersend.core.policy import load
from aftersend.core.recipient import canonicalize_email, canonicalize_push, canonicalize_sms, parse_recipient
from tests.support.api import Answer, Api, api_context
from tests.support.facts import bounce
from tests.support.list_jobs import ingest_facts, job_context, run_export, run_import
from tests.support.ports import MemoryStore
from tests.support.strategies import hostile
from tests.unit.test_client import client

_signs = st.text(
    st.sampled_from("aAbB@.+ \t\"'<>()[],;:\\%\u00fc\u0308\u200b\ufeff\uff20\uff0e\u3002\u00a0\x00\n"), max_size=24
)
_words = st.sampled_from(
    [
        *("ann", "Ann Example", "bob@example.org", "ann@example.com", "mailto:", "email:", "EMAIL:", "sms:"),
        *("push:apns:", "+", "<", ">", " ", ",", ";", '"', "@", "example.com", "+4917012345678", "\u200b", "(", ")"),
        *("rfc822;", "erased:"),
    ]
)
TEXTS: Final = hostile | _signs | st.lists(_words, max_size=6).map("".join)


def _read(text: str) -> str | None:
    try:
        return parse_recipient(text)
    except ValueError:
        return None


def _in_path(text: str) -> str:
    """As a caller must write it: encoded, and a question mark twice."""
    return quote(text.replace("?", "%3F"), safe="", errors="surrogatepass")


def _named(answer: Answer) -> str | None:
    if answer.status >= 300:
        return None
    name: str = answer.json["recipient"]
    return name


def _checked(text: str) -> str | None:
    answer = Api(api_context())("POST", "/suppressions/check", {"recipients": ["bob@example.org", text]}).json
    bob, found = answer["results"]
    assert bob["recipient"] == "email:bob@example.org"
    assert (found["recipient"] is None) == found["suppressed"] == ("error" in found)
    name: str | None = found["recipient"]
    return name


def _asked(text: str) -> str | None:
    found = client().check([text, "bob@example.org"])
    assert found["bob@example.org"].allowed
    return found[text].recipient


def _suppressed(text: str) -> str | None:
    store = MemoryStore()
    named = _named(Api(api_context(store))("PUT", f"/suppressions/{_in_path(text)}", {"note": "x"}))
    assert {key[0] for key in store.suppressions_table} == ({named} if named else set())
    return named


def _imported(rows: Iterable[dict[str, str]], format_: str) -> str | None:
    store = MemoryStore()
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    job = run_import(job_context(store), body, format_)
    names = {key[0] for key in store.suppressions_table}
    assert len(names) == job.progress.summary.new <= 1  # type: ignore[union-attr]
    return names.pop() if names else None


def _listed(text: str) -> str | None:
    return _imported([{"recipient": text, "kind": "manual", "at": "2026-03-01T00:00:00Z"}], "aftersend")


def _exported(text: str) -> str | None:
    row = {"recipient": text, "kind": "hard", "at": "2026-03-01T00:00:00Z", "source": "ses", "active": "yes"}
    return _imported([row], "aftersend")


def _listed_by_a_provider(text: str) -> str | None:
    return _imported([{"emailaddress": text, "reason": "BOUNCE", "lastupdatetime": "2026-03-01T00:00:00Z"}], "ses")


def _sender(text: str) -> str | None:
    try:
        policy = load(f"[streams]\n{json.dumps(text, ensure_ascii=False)} = 'news'")
    except ConfigurationError:
        return None
    (sender,) = policy.streams
    return f"email:{sender}" if not sender.startswith(("@", "*")) else None


STRICT: Final[dict[str, Callable[[str], str | None]]] = {
    "check": _checked,
    "client": _asked,
    "PUT": _suppressed,
    "list": _listed,
}
OTHERS: Final[dict[str, Callable[[str], str | None]]] = {"provider": _listed_by_a_provider, "policy": _sender}


@given(TEXTS)
@example("jo tag@example.com")
@example("anna list@example.com")
@example("bert@example.com, carl@example.com")
@example("<mailto:gina@example.com>")
@example("<@relay.example:john@example.com>")
@example('"john"@example.com')
def test_every_way_in_takes_a_text_for_one_recipient_or_for_nobody(text: str) -> None:
    meant = _read(text)
    for name, way in STRICT.items():
        if name == "PUT" and ({*"\n\r"} & set(text) or "%3F" in text or not text):
            continue  # no path of ours
        assert way(text) == meant, name
    assert {way(text) for way in OTHERS.values()} <= {None, meant}
    assert _exported(text) in {meant, text.strip()}


@given(TEXTS)
def test_nobody_else_is_shown_released_or_erased(text: str) -> None:
    """Law 7: whoever is named, everybody else stays as they are."""
    assume(text and not {*"\n\r"} & set(text) and "%3F" not in text)
    meant = _read(text)
    others = ["email:ann@example.com", "email:bob@example.org", "email:tag@example.com", "email:b@a", "email:a@b"]
    people = [each for each in others if each != meant] + ([meant] if meant else [])
    store = ingest_facts([bounce(1, "hard", recipient=each) for each in people], MemoryStore())
    api = Api(api_context(store))
    path = _in_path(text)
    assert _named(api("GET", f"/recipients/{path}")) == _named(api("GET", f"/suppressions/{path}")) == meant
    assert _named(api("DELETE", f"/suppressions/{path}?note=x")) == meant
    released = {key[0] for key, row in store.suppressions_table.items() if "released_at" in json.dumps(row)}
    assert released == ({meant} if meant else set())


_reported = (
    TEXTS.map(canonicalize_email)
    | TEXTS.map(canonicalize_sms)
    | st.builds(canonicalize_push, st.sampled_from(["apns", "fcm"]), TEXTS)
)


@given(st.lists(_reported, min_size=1, max_size=5, unique=True), st.sampled_from(["csv", "jsonl"]))
def test_an_export_brings_everybody_back(names: list[str], layout: str) -> None:
    """Whatever a source has called somebody: an export that is imported again holds the same recipients."""
    names = [each for each in names if each.partition(":")[2] not in ("", "apns:", "fcm:")]
    store = ingest_facts([bounce(1, "hard", recipient=each) for each in names], MemoryStore())
    _, body = run_export(job_context(store), layout=layout)
    again = MemoryStore()
    job = run_import(job_context(again), body or b"recipient\n", "aftersend")
    assert job.progress.summary.errors == ()  # type: ignore[union-attr]
    assert {key[0] for key in again.suppressions_table} == set(names)

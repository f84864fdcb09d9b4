"""What the rules look at, prepared once from the evidence, so that every condition is one lookup."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Final, NamedTuple

from msgspec import Struct

from aftersend.classify.evidence import code_in, phase_in, phase_of, status_in
from aftersend.core.model import Evidence, Kind, Phase

# The overrides of MailerQ (parsers/mailerq_facts.py): not for good, for the whole domain, strange, for another server.
MILD: Final = frozenset(("fatal=0", "individual=0", "strange=1", "fallback=1"))
KEYS: Final = 1_024  # statuses and words whose keys are remembered
_VAGUE: Final = (".0.0", ".4.7")  # a reporter's own summary: the remote system's words, where quoted, say more


class Asked(NamedTuple):
    """All that a verdict depends on, and nothing else: the key of the memory of verdicts."""

    source: str
    kind: Kind
    code: int | None
    status: str | None
    text: str
    provider_code: str
    action: str
    phase: Phase | None
    remote: str


class Seen(Struct, frozen=True, kw_only=True):
    """The evidence as rules see it."""

    source: str
    kind: Kind
    phase: Phase | None
    found: AbstractSet[int]  # numbers of the patterns that are in the text
    codes: frozenset[str]
    statuses: frozenset[str]
    words: frozenset[str]
    remote: str
    absent: frozenset[str]
    temporary: bool
    mild: bool  # the source itself says that this is not to be held against the address for good


def ask(source: str, evidence: Evidence, kind: Kind) -> Asked:
    """The question that `evidence` puts."""
    return Asked(
        source,
        kind,
        evidence.code,
        evidence.status,
        evidence.text or "",
        evidence.provider_code or "",
        (evidence.action or "").casefold(),
        evidence.phase,
        evidence.remote_mta or "",
    )


def answer(asked: Asked) -> str:
    """The part of the text that counts: in a transcript, a permanent answer supersedes the temporary one before it."""
    text, code = asked.text, asked.code
    if code is None or code < 500 or text[:1] != "4":
        return text
    at = text.find(f" {code}")
    return text if at < 0 else text[at:]


def see(asked: Asked, found: AbstractSet[int]) -> Seen:
    """What the rules see of `asked`, where the patterns `found` are in its text."""
    status, text = asked.status, asked.text
    if status is None or status.endswith(_VAGUE):
        status = status_in(text) or status
    code = asked.code or code_in(text)
    words = word_keys(asked.provider_code)
    marks = words if asked.source == "mailerq" else frozenset()
    refused_for_now = code // 100 == 4 if code else (status or "")[:2] == "4."
    return Seen(
        source=asked.source,
        kind=asked.kind,
        phase=asked.phase or phase_in(text) or _state(asked),
        found=found,
        codes=_code_keys(code),
        statuses=_status_keys(status),
        words=words,
        remote=asked.remote or text.partition("host ")[2],
        absent=_absent(text=bool(text), status=bool(status), code=bool(code), action=bool(asked.action)),
        temporary=asked.kind is Kind.DEFERRED or (refused_for_now and "fatal=1" not in marks),
        mild=not marks.isdisjoint(MILD),
    )


def _state(asked: Asked) -> Phase | None:
    """MailerQ's states are phases: "rcptto/error"."""
    return phase_of(asked.provider_code.partition("/")[0]) if asked.source == "mailerq" else None


@lru_cache(KEYS)
def _code_keys(code: int | None) -> frozenset[str]:
    return frozenset((str(code), str(code)[0])) if code else frozenset()


@lru_cache(KEYS)
def _status_keys(status: str | None) -> frozenset[str]:
    parts = (status or "").split(".")
    if len(parts) != 3:
        return frozenset()
    first, subject, detail = parts
    return frozenset(f"{a}.{subject}.{b}" for a in (first, "x") for b in (detail, "*"))


@lru_cache(KEYS)
def word_keys(word: str) -> frozenset[str]:
    """What a rule may call a source's word: "a/b", "a/*" and "*/b", in lower case.

    Marks behind a word ("fatal=1") are words too. "x/y after=a/b" is "x/y", and means what "a/b" means: the source gave
    up with "x/y", after "a/b".
    """
    parts = word.casefold().split()
    marks = frozenset(part for part in parts if "=" in part)
    told = " ".join(part for part in parts if "=" not in part)
    before = next((mark.removeprefix("after=") for mark in marks if mark.startswith("after=")), None)
    return marks | (_pairs(before) | {told} if before else _pairs(told))


def _pairs(word: str) -> frozenset[str]:
    if not word:
        return frozenset()
    first, _, second = word.partition("/")
    return frozenset((f"{first}/{second}", f"{first}/*", f"*/{second}") if second else (first,))


@lru_cache
def _absent(**given: bool) -> frozenset[str]:
    return frozenset(name for name, is_given in given.items() if not is_given)


def domain_keys(remote: str) -> frozenset[str]:
    """The answering machine's name and all domains above it; `remote` begins with the name."""
    name = remote[:255].split("[", 1)[0].split("(", 1)[0].strip(" .").partition(" ")[0].casefold().rstrip(".:")
    labels = name.split(".")
    return frozenset(".".join(labels[at:]) for at in range(len(labels) - 1))

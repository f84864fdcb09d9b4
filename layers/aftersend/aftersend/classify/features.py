"""Extracts from the evidence what the rules look at, so that every condition is one lookup."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import product
from typing import Final, NamedTuple

from msgspec import Struct

from aftersend.classify.evidence import find_code, find_phase, find_status, parse_phase
from aftersend.classify.wrappers import Reply
from aftersend.core.model import Evidence, Kind, Phase, Protocol
from aftersend.core.smsc import expand_qualification

# Flags behind a code that spare the address: not for good, for the whole domain, strange, another server.
MILD: Final = frozenset(("fatal=0", "individual=0", "strange=1", "fallback=1"))
DOMAIN_WIDE: Final = "individual=0"
KEYS: Final = 1_024  # statuses and codes whose keys are remembered
_SMTP: Final = Protocol.SMTP  # asked for by every fact: Python 3.11 is slow to find members of an Enum
_GENERAL: Final = (".0.0", ".1.0", ".2.0", ".3.0", ".4.0", ".5.0", ".6.0", ".7.0")  # what a gateway says of its own
_FIELDS: Final = ("text", "status", "code", "action")
_ABSENT: Final = {  # what is absent, by what is given
    given: frozenset(name for name, is_given in zip(_FIELDS, given, strict=True) if not is_given)
    for given in product((False, True), repeat=len(_FIELDS))
}
_VAGUE: Final = (".0.0", ".4.7")  # a reporter's own summary: the remote system's words, where quoted, say more


class CodeForm(Struct, frozen=True, forbid_unknown_fields=True):
    """What the provider's codes of one source are made of: see `codes.toml`."""

    phase: bool = False  # they begin with the step of the SMTP conversation
    flags: bool = False  # what changes the verdict stands behind them
    qualified: bool = (
        False  # they are keys of receipts ("SR Acme UNDELIV 034"), and so are the texts: no words to judge
    )


PLAIN: Final = CodeForm()
NO_TABLES: Final[Mapping[str, str]] = {}


class VerdictKey(NamedTuple):
    """All that a verdict depends on, and nothing else: the key of the memory of verdicts."""

    source: str
    kind: Kind
    code: int | None
    protocol: Protocol
    status: str | None
    text: str
    provider_code: str
    action: str
    phase: Phase | None
    remote: str


class Features(Struct, frozen=True, kw_only=True):
    """The evidence as rules look at it."""

    source: str
    kind: Kind
    phase: Phase | None
    line: str  # the text, folded
    found: AbstractSet[int]  # numbers of the patterns that are in the text
    codes: frozenset[str]
    statuses: frozenset[str]
    provider_codes: frozenset[str]
    remote: str
    absent: frozenset[str]
    temporary: bool
    mild: bool  # the source itself says that this is not to be held against the address for good
    qualified: bool = False  # the text is a key, which only a user's rule looks at
    domain_wide: bool = False  # whoever was written to there: nothing of it counts against this address


def build_key(source: str, evidence: Evidence, kind: Kind) -> VerdictKey:
    """Return what the verdict on `evidence` depends on, as `source` reported it."""
    return VerdictKey(
        source,
        kind,
        evidence.code,
        evidence.protocol or _SMTP,
        evidence.status,
        evidence.text or "",
        evidence.provider_code or "",
        (evidence.action or "").casefold(),
        evidence.phase,
        evidence.remote_mta or "",
    )


def select_reply(key: VerdictKey) -> str:
    """Return the part of the text that counts: a permanent reply supersedes the temporary one that stands before it."""
    text, code = key.text, key.code
    if code is None or key.protocol is not _SMTP or code < 500 or text[:1] != "4":
        return text
    at = text.find(f" {code}")
    return text if at < 0 else text[at:]


def extract_features(
    key: VerdictKey,
    reply: Reply,
    line: str,
    found: AbstractSet[int],
    form: CodeForm = PLAIN,
    tables: Mapping[str, str] = NO_TABLES,
) -> Features:
    """Return what the rules look at; the text of `key` is in one line.

    `reply` is what the text of `key` quotes, `line` is that folded, `found` are the numbers of the patterns in it. The
    codes of a quoted reply count before those of what was put around it. `form` is that of the codes of the source, and
    `tables` are those of the errors of SMSCs, by their names.
    """
    text, smtp = key.text, key.protocol is _SMTP
    status, code = _choose_codes(key, reply) if smtp else (key.status, key.code)
    provider_codes = expand_provider_code(key.provider_code)
    qualification = expand_qualification(key.provider_code, tables) if form.qualified else frozenset()
    provider_codes |= qualification
    flags = provider_codes if form.flags else frozenset()
    refused_for_now = code // 100 == 4 if code and smtp else (status or "")[:2] == "4."
    return Features(
        source=key.source,
        kind=key.kind,
        phase=key.phase or (find_phase(text) if smtp else None) or _read_phase(key, form),
        line=line,
        found=found,
        codes=_expand_code(code) if smtp else _name_code(key.protocol, code),
        statuses=_expand_status(status),
        provider_codes=provider_codes,
        remote=key.remote or text.partition("host ")[2],
        absent=_ABSENT[bool(text), bool(status), bool(code), bool(key.action)],
        temporary=key.kind is Kind.DEFERRED or (refused_for_now and "fatal=1" not in flags),
        mild=not flags.isdisjoint(MILD),
        qualified=bool(qualification),
        domain_wide=DOMAIN_WIDE in flags,
    )


def _choose_codes(key: VerdictKey, reply: Reply) -> tuple[str | None, int | None]:
    """Return the status and the code that count: a specific one in the reply itself before what was made of it."""
    status, code = key.status, key.code
    if status is None or status not in reply.text:
        own = find_status(reply.text)
        is_vague = status is None or status.endswith(_VAGUE) or (reply.gateway and status.endswith(_GENERAL))
        if is_vague or (own and not own.endswith(_VAGUE)):
            status = own or (None if reply.gateway else status)
    if reply.inner or not code:
        code = find_code(reply.text) or code
    return status, code


def _read_phase(key: VerdictKey, form: CodeForm) -> Phase | None:
    """Return the phase that the provider's code begins with: "rcptto/error"."""
    return parse_phase(key.provider_code.partition("/")[0]) if form.phase else None


@lru_cache(KEYS)
def _expand_code(code: int | None) -> frozenset[str]:
    return frozenset((str(code), str(code)[0])) if code else frozenset()


@lru_cache(KEYS)
def _name_code(protocol: Protocol, code: int | None) -> frozenset[str]:
    return frozenset((f"{protocol}:{code}",)) if code is not None else frozenset()


@lru_cache(KEYS)
def _expand_status(status: str | None) -> frozenset[str]:
    parts = (status or "").split(".")
    if len(parts) != 3:
        return frozenset()
    first, subject, detail = parts
    return frozenset(f"{a}.{subject}.{b}" for a in (first, "x") for b in (detail, "*"))


@lru_cache(KEYS)
def expand_provider_code(code: str) -> frozenset[str]:
    """Return what a rule may call a provider's code: "a/b", "a/*" and "*/b", in lower case.

    Flags behind a code ("fatal=1") are codes too. "x/y after=a/b" is "x/y", and means what "a/b" means: the source gave
    up with "x/y", after "a/b".
    """
    parts = code.casefold().split()
    flags = frozenset(part for part in parts if "=" in part)
    plain = " ".join(part for part in parts if "=" not in part)
    before = next((flag.removeprefix("after=") for flag in flags if flag.startswith("after=")), None)
    return flags | (_expand_pair(before) | {plain} if before else _expand_pair(plain))


def _expand_pair(code: str) -> frozenset[str]:
    if not code:
        return frozenset()
    first, _, second = code.partition("/")
    return frozenset((f"{first}/{second}", f"{first}/*", f"*/{second}") if second else (first,))


def expand_domain(remote: str) -> frozenset[str]:
    """Return the name of the machine that answered, and all domains above it; `remote` begins with the name."""
    name = remote[:255].split("[", 1)[0].split("(", 1)[0].strip(" .").partition(" ")[0].casefold().rstrip(".:")
    labels = name.split(".")
    return frozenset(".".join(labels[at:]) for at in range(len(labels) - 1))

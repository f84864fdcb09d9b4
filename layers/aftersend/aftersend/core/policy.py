"""The document that says when an address is suppressed: its shape, its defaults, its overrides. Pure.

The defaults stand in `policy.toml`, each with its meaning. A document of the operator's overrides single fields, for
all addresses, for those of one channel, or for one stream of mail. What follows from it is computed in `causes`.
"""

# Annotations are code here: as texts, msgspec would compile each of them at a start (decision 69).

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Class, Reason, Verdict
from aftersend.core.recipient import canonicalize_email, parse_recipient, split_channel
from aftersend.core.vocabulary import MEANINGS, Channel

DOCUMENT: Final = Path(__file__).with_name("policy.toml")
COMPILED: Final = DOCUMENT.with_suffix(".json")  # where a build leaves it compiled

_Count = Annotated[int, Meta(ge=2, le=100)]
_Hours = Annotated[int, Meta(ge=0, le=24 * 365)]
_Days = Annotated[int, Meta(ge=1, le=3650)]
_Lapse = Annotated[int, Meta(ge=0, le=3650)]
_Stream = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

_Name = Annotated[str, Meta(pattern=r"^[^\s:\x00-\x1f\x7f-\x9f]{1,64}$")]

_ADDRESS: Final = frozenset({Class.HARD, Class.SOFT})  # the classes that are held against an address
FOR_A_WHILE: Final = frozenset({Class.SOFT, Class.IGNORE})  # the classes of what may pass by itself
_SEVERITY: Final = {Class.IGNORE: 0, Class.SOFT: 1, Class.HARD: 2}
# What a stream may have of its own; everything else is about the address, whatever was sent there.
_OF_STREAMS: Final = frozenset({"complaint", "unsubscribed"})
_OF_CHANNELS: Final = _OF_STREAMS | {"hard", "streak", "pause", "provider", "classes", "write_again"}


class Switch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a rule suppresses at all, and for how long."""

    suppress: bool
    lapse_days: _Lapse  # after the latest evidence; 0 has no end


class Wish(Switch, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same for what a recipient wants, who may mean one stream or all of them."""

    everywhere: bool


class Unsubscribed(Wish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same for leaving, which a source may report with a refusal of the next message."""

    provider_codes: frozenset[str]


class Streak(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When soft bounces over several messages suppress."""

    suppress: bool
    bounces: _Count
    apart_hours: _Hours
    gap_days: _Days
    lapse_days: _Days
    full_lapse_days: _Days


class Pause(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a recipient's system wants to be left alone for a while."""

    suppress: bool
    hours: Annotated[int, Meta(ge=1, le=24 * 365)]
    provider_codes: frozenset[str]
    full_hours: _Hours  # for a mailbox that is full; 0 makes no pause of it


class Guard(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When so many hard bounces of one domain look like a provider's accident."""

    watch: bool
    window_hours: Annotated[int, Meta(ge=1, le=168)]
    floor: Annotated[int, Meta(ge=10, le=1_000_000)]
    share_percent: Annotated[int, Meta(ge=1, le=100)]


class ReportProof(StrEnum):
    """What proves a report by mail."""

    MESSAGE_ID = "message-id"  # it names a message that another source knows, to a recipient that it had
    TOKEN = "token"  # noqa: S105  # it came to an address with a token of ours: see `aftersend.verp`


class Reports(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What reports by mail may do."""

    require_proof: bool
    proof: ReportProof
    token_only: frozenset[str]


_Source = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,39}$")]
_Validity = Annotated[int, Meta(ge=1, le=24 * 365)]  # hours


class Identifiers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By which of the sender's own identifiers messages can be found."""

    find_by: Annotated[tuple[_Name, ...], Meta(max_length=8)]


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole document; see `policy.toml` for every field's meaning."""

    hard: Switch
    complaint: Wish
    unsubscribed: Unsubscribed
    streak: Streak
    pause: Pause
    provider: Switch
    guard: Guard
    report: Reports
    write_again: dict[Reason, _Hours]
    identifiers: Identifiers
    validity: dict[_Source, _Validity]
    classes: dict[Reason, Class]
    streams: dict[str, _Stream]
    variants: dict[tuple[str, str], "Policy"] = {}  # by channel and stream, "" for any; made by `load`

    def select(self, recipient: str, stream: str | None = None) -> "Policy":
        """Return the policy for this recipient ("sms:+15550100") in this stream; a stream's own settings come first."""
        if not self.variants:
            return self
        channel = split_channel(recipient)[0] or ""
        wanted = ((channel, stream or ""), ("", stream or ""), (channel, ""))
        return next((self.variants[each] for each in wanted if each in self.variants), self)

    def find_stream(self, sender: str) -> str | None:
        """Find the stream that mail of `sender` belongs to: by address, else by domain, else the one for all."""
        if not self.streams:
            return None
        bare = canonicalize_email(sender).removeprefix("email:")
        wanted = (bare, "@" + bare.rpartition("@")[2], "*")
        return next((self.streams[each] for each in wanted if each in self.streams), None)

    def find_class(self, verdict: Verdict) -> Class:
        """Find the class that counts for suppression: the verdict's, or a milder one that the policy names for it."""
        named = self.classes.get(verdict.reason, verdict.klass)
        if verdict.klass not in _ADDRESS or _SEVERITY[named] > _SEVERITY[verdict.klass]:
            return verdict.klass
        return named


class _Compiled(Struct, frozen=True):
    digest: str  # of the source: another source makes it worthless
    document: dict[str, Any]


def load(document: str = "", *, proof: ReportProof = ReportProof.MESSAGE_ID) -> Policy:
    """Load the shipped policy, overridden by `document` (TOML); `proof` is used where it names none for reports.

    Raises ConfigurationError, which names the wrong field.
    """
    try:
        given = dict(msgspec.toml.decode(document)) if document else {}
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"policy: {error}") from error
    if "variants" in given:  # a field of ours that no document has
        raise ConfigurationError("policy: Object contains unknown field `variants`")
    channels = _take_tables(given, "channel", frozenset(Channel), _OF_CHANNELS)
    streams = _take_tables(given, "stream", None, _OF_STREAMS)
    base = _override(_override(_load_shipped(), {"report": {"proof": proof.value}}), given)
    variants = {
        (channel, stream): _build(_override(_override(base, of_channel), of_stream), f"{channel} {stream}".strip())
        for channel, of_channel in [("", {}), *channels.items()]
        for stream, of_stream in [("", {}), *streams.items()]
        if channel or stream
    }
    return msgspec.structs.replace(_build(base), variants=variants)


def _build(document: Mapping[str, Any], which: str = "") -> Policy:
    try:
        policy = msgspec.convert(document, Policy)
        _check(policy)
        return msgspec.structs.replace(policy, streams=_canonicalize_senders(policy.streams))
    except (msgspec.ValidationError, _Wrong) as error:  # it names the field
        raise ConfigurationError(f"policy{which and f' of {which}'}: {error}") from error


@lru_cache(maxsize=1)
def _load_shipped() -> dict[str, Any]:
    source, compiled = DOCUMENT.read_bytes(), None
    if COMPILED.is_file():
        try:
            compiled = msgspec.json.decode(COMPILED.read_bytes(), type=_Compiled)
        except msgspec.DecodeError:
            compiled = None
    if compiled is not None and compiled.digest == _digest(source):
        return compiled.document
    return dict(msgspec.toml.decode(source))


def compile_shipped() -> bytes:
    """Return the content of `COMPILED`: the same document, for which no parser of TOML is imported at a start."""
    source = DOCUMENT.read_bytes()
    return msgspec.json.encode(_Compiled(_digest(source), dict(msgspec.toml.decode(source))))


def _digest(source: bytes) -> str:
    return blake2b(source, digest_size=16).hexdigest()


def _take_tables(
    given: dict[str, Any], name: str, known: frozenset[str] | None, allowed: frozenset[str]
) -> dict[str, dict[str, Any]]:
    """Take the overrides for each channel or stream out of `given`; raises ConfigurationError that names the field."""
    tables = given.pop(name, {})
    if not isinstance(tables, dict):
        raise ConfigurationError(f"policy: Expected `object` - at `$.{name}`")
    for key, table in tables.items():
        if known is not None and key not in set(known):
            raise ConfigurationError(f"policy: {key!r} is not one of {', '.join(sorted(known))} - at `$.{name}`")
        if not isinstance(table, dict):
            raise ConfigurationError(f"policy: Expected `object` - at `$.{name}.{key}`")
        for field in table:
            if field not in allowed:
                raise ConfigurationError(f"policy: a {name} has no {field!r} of its own - at `$.{name}.{key}`")
    return tables


def _override(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the fields of `given`, table by table; what is unknown stays in, for the check to name it."""
    merged = dict(base)
    for name, value in given.items():
        both_tables = isinstance(value, dict) and isinstance(base.get(name), dict)
        merged[name] = _override(base[name], value) if both_tables else value
    return merged


class _Wrong(Exception):
    """What a field says makes no sense."""


def _canonicalize_senders(streams: Mapping[str, str]) -> dict[str, str]:
    """The table of streams with each sender as facts spell it; one that is none would never be found, and is wrong."""
    found: dict[str, str] = {}
    for given, stream in streams.items():
        try:
            sender = given if given == "*" else _sender(given)
        except ValueError:
            raise _Wrong("each sender is an address, @ with a domain behind it, or * - at `$.streams`") from None
        if sender in found:
            raise _Wrong("a sender stands there twice - at `$.streams`")
        found[sender] = stream
    return found


def _sender(given: str) -> str:
    """The one address that is named, or "@" and the one domain."""
    anybody = "a" if given.strip().startswith("@") else ""
    return parse_recipient(f"{Channel.EMAIL}:{anybody}{given.strip()}").removeprefix(f"{Channel.EMAIL}:{anybody}")


def _check(policy: Policy) -> None:
    """What types alone cannot say. Law 5: what is the sender's fault can never be turned against the recipient."""
    for reason, named in policy.classes.items():
        if named not in _SEVERITY:
            raise _Wrong(f"{named.value!r} is not one of hard, soft, ignore - at `$.classes.{reason}`")
        if named in _ADDRESS and MEANINGS[reason].permanent not in _ADDRESS:
            raise _Wrong(f"{reason.value} is never the recipient's fault - at `$.classes.{reason}`")
    for reason in policy.write_again:
        if MEANINGS[reason].temporary not in FOR_A_WHILE:
            raise _Wrong(f"no time of waiting helps against {reason.value} - at `$.write_again.{reason}`")
    if policy.streak.apart_hours > policy.streak.gap_days * 24:
        raise _Wrong("apart_hours must not exceed gap_days - at `$.streak.apart_hours`")


SHIPPED: Final = load()  # as it is without a document

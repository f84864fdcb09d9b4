"""Loads the shipped rules, and a user's rules before them.

Reading the rules from TOML takes longer than a cold start should. `python -m aftersend.classify` leaves them
compiled beside the sources, and whatever loads them afterwards takes that, as long as the sources are the same.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

from msgspec import DecodeError, Struct, json

from aftersend.classify.engine import USER, Classifier
from aftersend.classify.pattern import Matcher
from aftersend.classify.rules import MAX_RULES, Compiler, Rule, parse
from aftersend.core.errors import ConfigurationError

# The order of decision: each file is one step.
ORDER: Final = (
    "verdicts",
    "providers",
    "sender",
    "address",
    "transport",
    "late",
    "status",
    "words",
    "weak",
    "generic",
)
COMPILED: Final = "compiled.json"
FOLDER: Final = Path(__file__).with_name("rules")  # importlib.resources takes longer to import than the rules to load


class Compiled(Struct, frozen=True):
    """The shipped rules, ready to use."""

    digest: str  # of the sources
    matcher: Matcher
    rules: tuple[Rule, ...]


def shipped() -> Compiled:
    """The rules of the package, in order: a fresh copy, which a user's rules may extend."""
    sources = [FOLDER.joinpath(f"{name}.toml").read_bytes() for name in ORDER]
    digest = blake2b(b"\0".join(sources), digest_size=16).hexdigest()
    stored = FOLDER / COMPILED
    if stored.is_file():
        try:
            compiled = json.decode(stored.read_bytes(), type=Compiled)
        except DecodeError:
            compiled = None
        if compiled is not None and compiled.digest == digest:
            return compiled
    compiler = Compiler(Matcher())
    rules = tuple(compiler.rule(rule) for source in sources for rule in parse(source.decode()))
    return Compiled(digest, compiler.matcher, rules)


def load(user_rules: str | None = None) -> Classifier:
    """The classifier with the user's TOML rules before the shipped ones; raises `ConfigurationError` for a mistake."""
    if not user_rules or not user_rules.strip():
        return _plain()
    sources = parse(user_rules)
    if len(sources) > MAX_RULES:
        raise ConfigurationError(f"rules: more than {MAX_RULES}")
    seen: set[str] = set()
    for source in sources:
        if source.id in seen:
            raise ConfigurationError(f"rule {source.id}: id: used twice")
        seen.add(source.id)
    compiled = shipped()
    compiler = Compiler(compiled.matcher, USER)
    return Classifier((*map(compiler.rule, sources), *compiled.rules), compiled.matcher)


@cache
def _plain() -> Classifier:
    compiled = shipped()
    return Classifier(compiled.rules, compiled.matcher)


def compile_shipped() -> Path:
    """Stores the shipped rules compiled, beside their sources; returns where."""
    target = FOLDER / COMPILED
    target.unlink(missing_ok=True)
    target.write_bytes(json.encode(shipped()))
    return target

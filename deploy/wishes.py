"""Reads `deploy.toml`: which stack, which parameters, policy, rules, mappings. Refuses what a stack would stumble over.

A mistake in a policy or in rules stops the functions when they start; here it stops before anything is deployed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from aftersend import classify
from aftersend.core import policy
from aftersend.core.errors import ConfigurationError
from aftersend.sources import SOURCES, check_new_source
from aftersend.sources.mapping.compiled import load
from deploy.declared import Json, Wrong, check_values
from deploy.sizes import check_environment

FILE: Final = "deploy.toml"
_RULES: Final = "RulesParameter"
_NO_RULES: Final = "# No rules: there are mappings below this parameter.\n"  # SSM keeps no empty text


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """The file as it is written."""

    stack: str = "aftersend"
    region: str = ""  # empty for that of the profile
    profile: str = ""  # empty for the one in use
    policy: str = ""  # a file beside it
    rules: str = ""  # a file beside it
    mappings: list[str] = []  # files beside it, each of one source
    parameters: dict[str, str | int | bool] = {}


class Wishes(Struct, frozen=True, kw_only=True):
    """What the owner of a stack wants, checked."""

    stack: str
    region: str
    profile: str
    given: dict[str, str]  # parameters by name, as CloudFormation takes them
    rules: str = ""  # the document for the parameter in SSM that RulesParameter names
    mappings: dict[str, str] = {}  # by source, for parameters below it


def read(folder: Path, template: Json) -> Wishes:
    """Return what `deploy.toml` in `folder` wants; without the file, everything is as the template has it.

    Raise `Wrong` for what is misspelt, out of bounds or cannot be read.
    """
    path = folder / FILE
    try:
        document = _decode(path.read_text("utf-8")) if path.is_file() else Document()
        texts = {name: _read(folder, name, getattr(document, name)) for name in ("policy", "rules")}
        mappings = dict(_read_mapping(folder, file) for file in document.mappings)
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong(f"{FILE}: {error}") from error
    given = {name: _text(value) for name, value in document.parameters.items()}
    given |= _documents(document, texts, given)
    _check_validity(given.get("Policy", ""), {*SOURCES, *mappings})
    check_values(template, given)
    check_environment(template, given, document.stack)
    return Wishes(
        stack=document.stack,
        region=document.region,
        profile=document.profile,
        given=given,
        rules=texts["rules"] or (_NO_RULES if mappings else ""),
        mappings=mappings,
    )


def _decode(text: str) -> Document:
    try:
        return msgspec.convert(tomllib.loads(text), Document)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise Wrong(f"{FILE}: {error}") from error


def _read(folder: Path, name: str, file: str) -> str:
    if not file:
        return ""
    text = (folder / file).read_text("utf-8")
    load: Any = policy.load if name == "policy" else classify.load
    try:
        load(text)
    except ConfigurationError as error:
        raise Wrong(f"{file}: {error}") from error
    return text


def _read_mapping(folder: Path, file: str) -> tuple[str, str]:
    """The source that a mapping file describes, and its text."""
    text = (folder / file).read_text("utf-8")
    try:
        source = load(text).source
        check_new_source(source)
    except ConfigurationError as error:
        raise Wrong(f"{file}: {error}") from error
    return source, text


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _documents(document: Document, texts: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The parameters that stand for the two files."""
    found = {}
    if document.policy:
        found["Policy"] = texts["policy"]
    elif "Policy" in given:
        _check_policy(given["Policy"])
    if document.rules or document.mappings:
        found[_RULES] = given.get(_RULES, f"/{document.stack}/rules")
    return found


def _check_validity(text: str, known: Collection[str]) -> None:
    """Raise `Wrong` where a policy, which can be read, names a source that there is not."""
    for source in policy.load(text).validity:
        if source not in known:
            raise Wrong(f"Policy: no source of this name - at `$.validity.{source}`")


def _check_policy(text: str) -> None:
    try:
        policy.load(text)
    except ConfigurationError as error:
        raise Wrong(f"Policy: {error}") from error

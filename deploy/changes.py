"""Compares what a stack has with what its owner wants, so that nobody changes who is suppressed without seeing it.

A deployed stack has its parameters in two places: those that were asked for in CloudFormation, and those that were
settled when it was built (`deploy.settle`) in the metadata of its template.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from botocore.exceptions import ClientError
from msgspec import Struct

from aftersend.core import policy
from deploy.declared import Json, Wrong, find_asked, read_defaults
from deploy.settle import NOTES
from deploy.text import read_template
from deploy.wishes import FILE, Wishes

# What follows from a change and does not show in a list of resources.
_BESIDE: Final = {
    "KmsKeyArn": "what is stored stays under the old key: read docs/upgrades.md before the old one is taken away",
    "RulesParameter": "functions read rules when they start: docs/operations.md says how all of them start anew",
    "SyncSesSuppressions": "switched on, it follows changes only: docs/operations.md says how the list is filled",
    "MailDomain": "without a domain, reports by mail are no longer taken; with one, its rule set has to be activated",
    "VerpTemplate": "with one, a token proves a report by mail, and without, a message's id, unless the policy names "
    "`report.proof`; what is stored follows when you re-evaluate",
    "ArchiveDays": "a smaller number deletes archived bodies within two days",
}


class Deployed(Struct, frozen=True, kw_only=True):
    """What a stack has."""

    asked: dict[str, str]  # in CloudFormation
    settled: dict[str, str]  # in its template, where it is not the default


def read_deployed(formation: Any, stack: str) -> Deployed | None:
    """Return what the stack has, by a client of CloudFormation; None where there is none yet."""
    try:
        (found,) = formation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise
    if found["StackStatus"] == "REVIEW_IN_PROGRESS":  # a change set was made, and never carried out
        return None
    body = formation.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    template = read_template(body) if isinstance(body, str) else body
    return Deployed(
        asked={each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", ())},
        settled=template.get("Metadata", {}).get(NOTES, {}).get("Settings", {}),
    )


def find_changes(template: Json, wishes: Wishes, deployed: Deployed) -> dict[str, tuple[str, str]]:
    """Return each parameter that would change, before and after."""
    defaults, asked = read_defaults(template), find_asked(template)
    before = {name: each for name, each in (deployed.asked | deployed.settled).items() if name in defaults}
    kept = {name: value for name, value in deployed.asked.items() if name in asked}
    before, after = defaults | before, defaults | kept | wishes.given
    return {name: (before[name], after[name]) for name in defaults if before[name] != after[name]}


def refuse_losses(changes: Mapping[str, tuple[str, str]], wishes: Wishes) -> None:
    """Raise `Wrong` where something would change that `deploy.toml` does not speak of: that is lost, not changed."""
    lost = {name: before for name, (before, _) in changes.items() if name not in wishes.given}
    if not lost:
        return
    lines = [f"  {name} = {msgspec.json.encode(value).decode()}" for name, value in lost.items()]
    raise Wrong(
        f"The stack {wishes.stack} has what {FILE} does not say. Write it into its table [parameters], as it is or as\n"
        "it shall be (a policy or rules are better named as files):\n" + "\n".join(lines)
    )


def describe(template: Json, changes: Mapping[str, tuple[str, str]], stack: str) -> Iterator[str]:
    """Yield lines that say what changes, and for whom."""
    for name, (before, after) in changes.items():
        if name == "Policy":
            yield from _describe_policy(before, after, stack)
            continue
        about = template["Parameters"][name]["Description"].partition(". ")[0].rstrip(".")
        yield f"{name}: {before or '(nothing)'} → {after or '(nothing)'}    {about}"
        if name in _BESIDE:
            yield f"    {_BESIDE[name]}"


def _describe_policy(before: str, after: str, stack: str) -> Iterator[str]:
    old, new = (dict(_flatten(policy.load(text))) for text in (before, after))
    fields = {name: (old.get(name), new.get(name)) for name in sorted({*old, *new}) if old.get(name) != new.get(name)}
    yield "Policy: who is suppressed changes" if fields else "Policy: other words, the same meaning"
    for name, (was, will_be) in fields.items():
        yield f"    {name}: {_show(was)} → {_show(will_be)}"
    if fields:
        yield "    New feedback follows it at once, what is stored when you re-evaluate. Whom that suppresses or frees:"
        yield f"    aftersend reevaluate --stack {stack} --policy FILE --dry-run"


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    plain = msgspec.to_builtins(value, str_keys=True, order="deterministic") if not name else value
    if isinstance(plain, dict):
        for key, each in plain.items():
            yield from _flatten(each, f"{name}.{key}" if name else key)
    else:
        yield name, plain


def _show(value: Any) -> str:
    return "(nothing)" if value is None else msgspec.json.encode(value).decode()


def describe_rules(before: str, after: str, name: str) -> list[str]:
    """Return the lines in which a document of rules, or a mapping, differs; `name` is that of its parameter."""
    return [line.rstrip() for line in difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{name} of the stack", "yours", lineterm="", n=1
    )]  # fmt: skip

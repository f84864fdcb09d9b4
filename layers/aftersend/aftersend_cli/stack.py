"""A deployed stack, found by its name: CloudFormation knows what everything is called.

boto3 and yaml are imported once a stack is asked for: they take half a second, and the small package lacks them.

Source: CloudFormation API reference, DescribeStacks, GetTemplate and ListStackResources, because
DescribeStackResources stops at a hundred.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from msgspec import Struct

from aftersend.aws import connect
from aftersend.classify import Classifier
from aftersend.core.policy import Policy
from aftersend.settings import load_policy
from aftersend.storage.store import TableNames
from aftersend.storage.user_mappings import load_user_classifier, read_user_mappings
from aftersend_cli.errors import CommandError, UsageError

NOTES: Final = "Aftersend"  # in the metadata of a template that was built
_UNKNOWN: Final = "ValidationError"  # which is how CloudFormation says that there is no such stack


class StackResource(Struct, frozen=True):
    """One resource as it was made."""

    id: str  # the physical one
    type: str


class DeployedStack(Struct, frozen=True, kw_only=True):
    """What a stack is made of. Every method raises UsageError where it is none of Aftersend's."""

    name: str
    arn: str
    status: str
    parameters: Mapping[str, str]  # those that were asked for, and those that were settled when it was built
    outputs: Mapping[str, str]
    resources: Mapping[str, StackResource]

    @property
    def region(self) -> str:
        """Where it is."""
        return self.arn.split(":")[3]

    @property
    def place(self) -> str:
        """Its name, account and region, for a person."""
        return f"stack {self.name}, account {self.arn.split(':')[4]}, {self.region}"

    def find(self, logical_id: str) -> str:
        """Return what a resource of the template is called."""
        if logical_id not in self.resources:
            raise UsageError(f"{self.place} has no {logical_id}: is it one of Aftersend, and deployed whole?")
        return self.resources[logical_id].id

    def find_all(self, type_: str, prefix: str = "") -> dict[str, str]:
        """Return what the resources of a type are called, by their logical ids, which begin so."""
        found = {name: each.id for name, each in self.resources.items() if each.type == type_}
        return {name: id_ for name, id_ in found.items() if name.startswith(prefix)}

    def tables(self, find_by: tuple[str, ...] = ()) -> TableNames:
        """Return the names of both tables, how long an outcome is kept, and what the policy says it is found by."""
        days = self.parameters.get("RetentionDays", "180")
        return TableNames(
            outcomes=self.find("Outcomes"),
            suppressions=self.find("Suppressions"),
            retention=timedelta(days=int(days)),
            find_by=find_by,
            lean=self.parameters.get("LeanRows") == "true",
        )

    def read_policy(self, document: str | None = None) -> Policy:
        """Return the policy that its functions have, or would have with another `document` (TOML).

        Raises ConfigurationError where it is wrong.
        """
        text = self.parameters.get("Policy", "") if document is None else document
        return load_policy(text, self.parameters.get("VerpTemplate", ""))

    def read_mappings(self) -> dict[str, str]:
        """Return the mapping files that its owner gave it, by source; raises ConfigurationError."""
        return read_user_mappings(self.parameters.get("RulesParameter", ""), connect)

    def read_classifier(self) -> Classifier:
        """Return the rules that its functions have; raises ConfigurationError where they cannot be read."""
        return load_user_classifier(self.parameters.get("RulesParameter", ""), connect)


def make_client(service: str) -> Any:
    """Make a client of boto3's for what only commands ask."""
    import boto3  # noqa: PLC0415

    return boto3.client(service)  # type: ignore[call-overload]  # any service


def find_stack(name: str) -> DeployedStack:
    """Find a stack by its name; raises UsageError where there is none, CommandError while it is not ready."""
    formation = make_client("cloudformation")
    try:
        (found,) = formation.describe_stacks(StackName=name)["Stacks"]
    except formation.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != _UNKNOWN:
            raise
        region = formation.meta.region_name
        raise UsageError(f"there is no stack {name!r} in {region}; name another with --region or --profile") from None
    if not found["StackStatus"].endswith("_COMPLETE") or found["StackStatus"].startswith("DELETE"):
        raise CommandError(f"stack {name} is {found['StackStatus']}; wait until it is complete")
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=name)
    listed = [each for page in pages for each in page["StackResourceSummaries"] if each.get("PhysicalResourceId")]
    return DeployedStack(
        name=found["StackName"],
        arn=found["StackId"],
        status=found["StackStatus"],
        parameters=_read_settled(formation, name)
        | {each["ParameterKey"]: each.get("ParameterValue", "") for each in found.get("Parameters", ())},
        outputs={each["OutputKey"]: each.get("OutputValue", "") for each in found.get("Outputs", ())},
        resources={
            each["LogicalResourceId"]: StackResource(each["PhysicalResourceId"], each["ResourceType"])
            for each in listed
        },
    )


def _read_settled(formation: Any, name: str) -> dict[str, str]:
    """Return what was settled when the stack was built, which its template notes (docs/deploy.md), and all defaults."""
    body = formation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    template = _load_yaml(body) if isinstance(body, str) else body
    defaults = {each: str(about.get("Default", "")) for each, about in (template.get("Parameters") or {}).items()}
    notes = (template.get("Metadata") or {}).get(NOTES) or {}
    return defaults | {each: str(value) for each, value in notes.get("Settings", {}).items()}


def _load_yaml(text: str) -> Any:
    """Load YAML whose short tags of CloudFormation stand for nothing: what is read here has none."""
    import yaml  # noqa: PLC0415

    class Loader(yaml.SafeLoader):
        """Knows a constructor that others must not get."""

    Loader.add_multi_constructor("!", lambda *_: None)
    return yaml.load(text, Loader=Loader)  # noqa: S506  # a SafeLoader

"""The stack of `template.yaml` in this process: moto as a server on a free port, everything made from the template.

What moto's CloudFormation knows (tables, queues, topics, buckets, rules) it makes. What it does not know is made here
from the same template: secrets, subscriptions, what buckets notify. Queue policies and roles are left out: moto
enforces none; alarms are there, and nothing rings them.

Every value that the template computes, a function's variable or a subscription's queue, is added to the template as an
output, so that moto resolves it as it resolves everything else.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import boto3

from local.environment import environment, false_account
from local.moto_server import moto_server
from local.template import TEMPLATE, Json, translated

NAME: Final = "aftersend-local"

_MADE_BY_MOTO: Final = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::Events::EventBus",
        "AWS::Events::Rule",
        "AWS::KMS::Alias",
        "AWS::KMS::Key",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
    }
)
_SECRET: Final = re.compile(r"\{\{resolve:secretsmanager:(.+?)(?::SecretString(?::([^:}]*))?[^}]*)?\}\}")
_NOTHING: Final = "(no value)"


class Stack:
    """What the template became. `writes` counts what is written to DynamoDB, by operation."""

    def __init__(
        self,
        template: Json,
        session: boto3.Session,
        writes: Counter[str],
        endpoint: str = "",
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.endpoint = endpoint  # of the embedded services
        self.template = template
        self.session = session
        self.writes = writes
        self._parameters = dict(parameters or {})
        self._outputs: Json = {}
        self._values: dict[str, str] = {}

    def client(self, service: str) -> Any:
        """A client of the embedded services."""
        return self.session.client(service)  # type: ignore[call-overload]

    def resources(self, *types: str) -> dict[str, Json]:
        """Properties of the resources of these types by logical id, their values as the stack resolves them."""
        return {name: self._resolved(each["Properties"]) for name, each in self._existing(types).items()}

    def physical_ids(self, *types: str) -> dict[str, str]:
        """What a Ref to each resource of these types gives, by logical id; in the order of the template."""
        return {name: self._values[f"Ref{name}"] for name in self._existing(types)}

    def create(self) -> None:
        """Make everything that the template describes."""
        template = dict(self.template)
        self._make_secrets(template)
        made = {name: each for name, each in template["Resources"].items() if _is_made_by_moto(each)}
        for each in made.values():
            each.pop("DependsOn", None)
            each["Properties"].pop("Tags", None)  # they name what is waited for, too
        name_fifo_queues(made)
        self._ask(made)
        template |= {"Resources": made, "Outputs": self._outputs}
        formation = self.client("cloudformation")
        formation.create_stack(
            StackName=NAME,
            TemplateBody=json.dumps(template),
            Parameters=_parameters(template["Parameters"], self._parameters),
        )
        (created,) = formation.describe_stacks(StackName=NAME)["Stacks"]
        assert created["StackStatus"] == "CREATE_COMPLETE", created["StackStatus"]
        self._values = {output["OutputKey"]: output.get("OutputValue", "") for output in created["Outputs"]}
        self._subscribe()
        self._notify()
        self._make_alarms()

    def _existing(self, types: tuple[str, ...]) -> dict[str, Json]:
        """The resources of these types whose condition holds."""
        chosen = {name: each for name, each in self.template["Resources"].items() if each["Type"] in types}
        return {
            name: each
            for name, each in chosen.items()
            if "Condition" not in each or self._values[f"If{each['Condition']}"] == "true"
        }

    # -- values that the template computes --

    def _ask(self, made: Mapping[str, Json]) -> None:
        """Add an output for each value that will be wanted."""
        for condition in self.template.get("Conditions", {}):
            self._outputs[f"If{condition}"] = {"Value": {"Fn::If": [condition, "true", "false"]}}
        for name, each in made.items():
            reference = {"Ref": name}
            known = {"Fn::If": [each["Condition"], reference, _NOTHING]} if "Condition" in each else reference
            self._outputs[f"Ref{name}"] = {"Value": known}
        # What only a resource asks for that is not made has no value, and is asked for last: others may ask for it too.
        for each in sorted(self.template["Resources"].values(), key=lambda each: "Condition" in each):
            if each["Type"] in _WANTED:
                self._ask_for(_wanted(each), each.get("Condition"))

    def _ask_for(self, value: Any, condition: str | None) -> None:
        if _chooses_structure(value):  # an output is a text
            self._ask_for(value["Fn::If"][1:], condition)
        elif _is_computed(value):
            known, asked = _with_nothing(value), self._outputs.get(_key(value), {"Value": _NOTHING})
            self._outputs[_key(value)] = {
                "Value": {"Fn::If": [condition, known, asked["Value"]]} if condition else known
            }
        elif isinstance(value, dict | list):
            for each in value.values() if isinstance(value, dict) else value:
                self._ask_for(each, condition)

    def _resolved(self, value: Any) -> Any:
        """`value` with everything computed that was asked for; what has no value is gone."""
        if _chooses_structure(value):
            condition, *branches = value["Fn::If"]
            return self._resolved(branches[self._values[f"If{condition}"] != "true"])
        if value == {"Ref": "AWS::NoValue"}:
            return _NOTHING
        if _is_computed(value):
            return self._secret(self._values[_key(value)]) if _key(value) in self._values else value
        if isinstance(value, dict):
            resolved = {name: self._resolved(each) for name, each in value.items()}
            return {name: each for name, each in resolved.items() if each != _NOTHING}
        if isinstance(value, list):
            return [self._resolved(each) for each in value]
        return value

    # -- what moto's CloudFormation does not know --

    def _make_secrets(self, template: Json) -> None:
        """Make every secret, and have a parameter of its name stand for it: a Ref to either is its ARN."""
        manager = self.client("secretsmanager")
        parameters = dict(template.get("Parameters", {}))
        for name, each in template["Resources"].items():
            if each["Type"] == "AWS::SecretsManager::Secret":
                made = manager.create_secret(Name=f"{NAME}-{name}", SecretString=_secret_text(each["Properties"]))
                parameters[name] = {"Type": "String", "Default": made["ARN"]}
        template["Parameters"] = parameters

    def _secret(self, text: str) -> str:
        """`text` with its dynamic references to secrets replaced by what they refer to."""

        def fetch(match: re.Match[str]) -> str:
            whole = str(self.client("secretsmanager").get_secret_value(SecretId=match[1])["SecretString"])
            return str(json.loads(whole)[match[2]]) if match[2] else whole

        return _SECRET.sub(fetch, text)

    def _subscribe(self) -> None:
        topics = self.client("sns")
        for each in self.resources("AWS::SNS::Subscription").values():
            attributes = {name: _text(value) for name, value in each.items() if name not in _NO_ATTRIBUTES}
            topics.subscribe(
                TopicArn=each["TopicArn"], Protocol=each["Protocol"], Endpoint=each["Endpoint"], Attributes=attributes
            )

    def _notify(self) -> None:
        """Have buckets send notices to queues; the names of CloudFormation and of S3 differ a little."""
        names = self.physical_ids("AWS::S3::Bucket")
        for bucket, each in self.resources("AWS::S3::Bucket").items():
            notices = [
                {"QueueArn": one["Queue"], "Events": [one["Event"]], "Filter": {"Key": _rules(one["Filter"])}}
                for one in each.get("NotificationConfiguration", {}).get("QueueConfigurations", ())
            ]
            if notices:
                self.client("s3").put_bucket_notification_configuration(
                    Bucket=names[bucket], NotificationConfiguration={"QueueConfigurations": notices}
                )

    def _make_alarms(self) -> None:
        """Make alarms by name, with what they say of themselves: nothing judges here, so they stay without data."""
        watch = self.client("cloudwatch")
        for name, each in self._existing(("AWS::CloudWatch::Alarm",)).items():
            alarm = f"{NAME}-{name}-LOCAL"
            watch.put_metric_alarm(
                AlarmName=alarm,
                AlarmDescription=each["Properties"]["AlarmDescription"],
                Namespace="Aftersend",
                MetricName=name,
                Statistic="Sum",
                Period=300,
                EvaluationPeriods=1,
                Threshold=0,
                ComparisonOperator="GreaterThanThreshold",
            )
            watch.set_alarm_state(AlarmName=alarm, StateValue="INSUFFICIENT_DATA", StateReason="nothing judges here")


def name_fifo_queues(resources: Mapping[str, Json]) -> None:
    """Give names to FIFO queues: those that CloudFormation makes end as such names must, and moto's do not."""
    for name, each in resources.items():
        if each["Properties"].get("FifoQueue"):
            each["Properties"].setdefault("QueueName", f"{NAME}-{name}.fifo")


def _rules(given: Json) -> Json:
    return {"FilterRules": given["S3Key"]["Rules"]}


_NO_ATTRIBUTES: Final = frozenset({"TopicArn", "Protocol", "Endpoint", "Region"})
# Properties that are read after the stack was made, by type.
_WANTED: Final[dict[str, tuple[str, ...]]] = {
    "AWS::Lambda::EventSourceMapping": ("EventSourceArn", "BatchSize"),
    "AWS::Lambda::Function": ("Environment",),
    "AWS::S3::Bucket": ("NotificationConfiguration",),
    "AWS::SQS::Queue": ("RedrivePolicy",),
    "AWS::SNS::Subscription": ("TopicArn", "Endpoint", "RawMessageDelivery", "RedrivePolicy", "FilterPolicy"),
}


def _is_made_by_moto(resource: Json) -> bool:
    """A schedule calls a function, and functions are none of moto's."""
    return resource["Type"] in _MADE_BY_MOTO and "ScheduleExpression" not in resource["Properties"]


def _wanted(resource: Json) -> list[Any]:
    return [resource["Properties"].get(name) for name in _WANTED[resource["Type"]]]


def _is_computed(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def _chooses_structure(value: Any) -> bool:
    """Whether a condition chooses between values of which one has parts."""
    branches = value["Fn::If"][1:] if _is_computed(value) and "Fn::If" in value else []
    return any(isinstance(each, dict | list) and not _is_computed(each) for each in branches)


def _key(value: Json) -> str:
    """The name of the output that computes `value`."""
    return "V" + json.dumps(value, sort_keys=True).encode().hex()


def _with_nothing(value: Any) -> Any:
    """`value` with a word in the place of AWS::NoValue: an output cannot be nothing."""
    if value == {"Ref": "AWS::NoValue"}:
        return _NOTHING
    if isinstance(value, dict):
        return {name: _with_nothing(each) for name, each in value.items()}
    return [_with_nothing(each) for each in value] if isinstance(value, list) else value


COUNTED: Final = {"Statistics": "true"}  # where statistics are to be shown: each change of the tables is work more
# What switches on the parts of the template that a user may leave out.
_SWITCHED_ON: Final = {
    "MailDomain": "bounce.example.com",
    "Webhooks": "true",
    "SnsTopicArns": "arn:aws:sns:eu-west-1:111122223333:feedback",
    "AlibabaAccounts": "1234567890123456",
    "SesConfigurationSet": "letters",  # of the samples; moto makes none
    "MassByFirehose": "true",
}


def _parameters(declared: Json, others: Mapping[str, str]) -> list[dict[str, str]]:
    """A word for every parameter that has no default, and for those that switch something on."""
    given = {name: "local" for name, each in declared.items() if "Default" not in each} | _SWITCHED_ON | dict(others)
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]


def _secret_text(properties: Json) -> str:
    """What the template says, or a random text as it asks for."""
    generate = properties.get("GenerateSecretString")
    if generate is None:
        return str(properties.get("SecretString", ""))
    secret = secrets.token_hex(16)
    if "GenerateStringKey" not in generate:
        return secret
    return json.dumps(json.loads(generate["SecretStringTemplate"]) | {generate["GenerateStringKey"]: secret})


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@contextmanager
def running(
    template: Path = TEMPLATE, host: str = "127.0.0.1", parameters: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """The stack, as long as the context lasts; the environment points to it meanwhile.

    `host` is the address of this machine at which the embedded services listen: who reaches it may do everything.
    """
    before = boto3.DEFAULT_SESSION
    with moto_server(host) as (endpoint, writes):
        try:
            with environment(false_account(endpoint)):
                boto3.DEFAULT_SESSION = boto3.Session()
                stack = Stack(translated(template), boto3.DEFAULT_SESSION, writes, endpoint, parameters)
                stack.create()
                yield stack
        finally:
            boto3.DEFAULT_SESSION = before

"""How large the variables of a function can become: Lambda takes 4 KB of all together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from deploy.declared import Json, Wrong, read_defaults

LIMIT: Final = 4096  # bytes; AWS Lambda developer guide, "Lambda quotas"
_BESIDE: Final = 6  # the quotes, the colon and the comma around a name and its value
# What stands before a name, and the longest name that the service takes. CloudFormation makes names of the stack's, the
# resource's and twelve or thirteen letters, and cuts the first two where they are too long (CloudFormation user guide,
# "Name type"; quotas of the services); a secret's name is without the stack's, and its ARN has seven letters more.
_MADE: Final = {
    "AWS::DynamoDB::Table": ("", 255),
    "AWS::Events::EventBus": ("", 256),
    "AWS::S3::Bucket": ("", 63),
    "AWS::SQS::Queue": ("https://sqs.us-gov-west-1.amazonaws.com.cn/111122223333/", 80),
    "AWS::SecretsManager::Secret": ("arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:-abcdef", 64),
}
_RANDOM: Final = len("--") + 13
_STACK: Final = 128


def measure(template: Json, values: Mapping[str, str], stack: str = "s" * _STACK) -> dict[str, int]:
    """Return for each function the most bytes that its variables can take, with these parameters."""
    shared = template["Globals"]["Function"]["Environment"]["Variables"]
    known = {**read_defaults(template), **values, "AWS::StackName": stack, "AWS::NoValue": ""}
    return {
        name: sum(
            len(key) + _largest(value, template["Resources"], known) + _BESIDE
            for key, value in (shared | each["Properties"].get("Environment", {}).get("Variables", {})).items()
        )
        for name, each in template["Resources"].items()
        if each["Type"] == "AWS::Serverless::Function"
    }


def check_environment(template: Json, values: Mapping[str, str], stack: str) -> None:
    """Raise `Wrong` where a function would get more variables than Lambda takes."""
    for name, size in measure(template, values, stack).items():
        if size > LIMIT:
            raise Wrong(f"{name}: its variables may take {size} bytes, and Lambda takes {LIMIT}: shorten the policy")


def _largest(value: Any, resources: Json, known: Mapping[str, str]) -> int:
    match value:
        case {"Ref": str(name)}:
            return (
                len(known[name].encode())
                if name in known
                else _made(name, resources[name]["Type"], known["AWS::StackName"])
            )
        case {"Fn::GetAtt": [str(name), "Name"]}:
            return _made(name, resources[name]["Type"], known["AWS::StackName"])
        case {"Fn::If": [_, then, otherwise]}:
            return max(_largest(then, resources, known), _largest(otherwise, resources, known))
        case {"Fn::Sub": str(text)} if text.startswith("{{resolve:"):
            return _secret(resources[text.partition("${")[2].partition("}")[0]])
        case {"Fn::Sub": str(text)}:
            for name, known_value in known.items():
                text = text.replace(f"${{{name}}}", known_value)
            return len(text.encode())
        case str():
            return len(value.encode())
    raise ValueError(f"no variable: {value}")


def _made(name: str, kind: str, stack: str) -> int:
    before, longest = _MADE[kind]
    return len(before) + min(longest, len(stack) + len(name) + _RANDOM)


def _secret(resource: Json) -> int:
    return int(resource["Properties"]["GenerateSecretString"]["PasswordLength"])

"""How large the variables of a function can become: Lambda takes 4 KB of all together. Pure."""

from __future__ import annotations

import re
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
    "AWS::Cognito::UserPoolClient": ("", 128),
}
_ATTRIBUTES: Final = {"ProviderURL": len("https://cognito-idp..amazonaws.com.cn/") + 16 + 55}  # a region, and the id
_RANDOM: Final = len("--") + 13
_STACK: Final = 128
_QUEUE_NAME: Final = re.compile(r"\$\{(\w+)\.QueueName\}")


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
        case {"Ref": str(name)} if name in known:
            return len(known[name].encode())
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Name"]}:
            return _made(name, resources[name]["Type"], known["AWS::StackName"])
        case {"Fn::If": [_, *branches]}:
            return max(_largest(each, resources, known) for each in branches)
        case {"Fn::GetAtt": [_, str(attribute)]}:
            return _ATTRIBUTES[attribute]
        case {"Fn::Sub": str(text)}:
            return _measure_text(text, resources, known)
    if not isinstance(value, str):
        raise ValueError(f"no variable: {value}")
    return len(value.encode())


def _measure_text(text: str, resources: Json, known: Mapping[str, str]) -> int:
    """The bytes of a text with names in it, each as long as it may become."""
    if text.startswith("{{resolve:"):
        return _secret(resources[text.partition("${")[2].partition("}")[0]])
    for name, value in known.items():
        text = text.replace(f"${{{name}}}", value)
    longest, stack = _MADE["AWS::SQS::Queue"][1], known["AWS::StackName"]
    return len(_QUEUE_NAME.sub(lambda found: "q" * _measure_name(found[1], longest, stack), text).encode())


def _made(name: str, kind: str, stack: str) -> int:
    before, longest = _MADE[kind]
    return len(before) + _measure_name(name, longest, stack)


def _measure_name(name: str, longest: int, stack: str) -> int:
    return min(longest, len(stack) + len(name) + _RANDOM)


def _secret(resource: Json) -> int:
    return int(resource["Properties"]["GenerateSecretString"]["PasswordLength"])

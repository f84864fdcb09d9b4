"""`template.yaml` as CloudFormation: read with its short tags, and translated by SAM's own translator.

Code stays where it is: the translator wants it in S3, so a folder becomes a key, and `Code.S3Key` names the folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import boto3
import yaml
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]

from local.samples import ROOT

TEMPLATE: Final = ROOT / "template.yaml"
_CODE: Final = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}

Json = dict[str, Any]


def translated(path: Path = TEMPLATE) -> Json:
    """The CloudFormation template that SAM makes of the one at `path`; a region must be set in the environment."""
    template = yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506  # a SafeLoader, with CloudFormation's tags
    _keep_code_in_place(template)
    # With a map of managed policies the translator has no need to ask AWS for it.
    translator = Translator(managed_policy_map={}, sam_parser=Parser(), boto_session=boto3.Session())
    result: Json = translator.translate(sam_template=template, parameter_values={})
    return result


def _keep_code_in_place(template: Json) -> None:
    shared = template.get("Globals", {}).get("Function", {})
    for properties, name in [(shared, "CodeUri"), *_code_owners(template)]:
        if isinstance(properties.get(name), str):
            properties[name] = f"s3://local/{properties[name].removeprefix('./')}"


def _code_owners(template: Json) -> list[tuple[Json, str]]:
    resources = template["Resources"].values()
    return [(each.setdefault("Properties", {}), _CODE[each["Type"]]) for each in resources if each["Type"] in _CODE]


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short tags, and without YAML's dates: "2012-10-17" is a version."""


def _short(loader: yaml.CSafeLoader, tag: str, node: yaml.Node) -> Json:
    """`!Ref x` as `{"Ref": x}`, `!Sub x` as `{"Fn::Sub": x}`, and so on."""
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


def _as_written(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_multi_constructor("!", _short)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _as_written)

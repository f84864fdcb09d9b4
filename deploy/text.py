"""A template as text, read and written by libyaml: one that is large takes PyYAML's own code a second each time."""

from __future__ import annotations

from typing import Any

import yaml
from samtranslator.yaml_helper import intrinsics_multi_constructor  # type: ignore[import-untyped]


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short tags, as SAM reads them."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


def read_template(text: str) -> Any:
    """Read a template; short tags are written out."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  # a safe loader


def write_template(template: Any) -> str:
    """Write a template, in its own order."""
    return yaml.dump(template, Dumper=yaml.CSafeDumper, sort_keys=False, width=120, allow_unicode=True)

"""The user's own rules for what refusals mean, out of the parameter that the template names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aftersend.aws.errors import CallFailed
from aftersend.core.errors import ConfigurationError


def read_user_rules(parameter: str, connect: Callable[[str], Any]) -> str | None:
    """The document, or None where no parameter is named; raises ConfigurationError where it cannot be read."""
    if not parameter:
        return None
    try:
        found = connect("ssm").get_parameter(Name=parameter)
    except CallFailed as failure:
        raise ConfigurationError(f"the rules in parameter {parameter} cannot be read") from failure
    return str(found["Parameter"]["Value"])

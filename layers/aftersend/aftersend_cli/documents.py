"""Policy and rules for a command: out of files that were named, else those of the stack."""

from __future__ import annotations

import argparse
from pathlib import Path

from aftersend import classify
from aftersend.classify import Classifier
from aftersend.core import policy
from aftersend.core.errors import ConfigurationError
from aftersend.core.policy import Policy
from aftersend_cli.stack import DeployedStack


def arguments(parser: argparse.ArgumentParser, otherwise: str = "those of the stack") -> None:
    """Declare how both are named."""
    parser.add_argument("--policy", metavar="FILE", help=f"another policy, as TOML; else {otherwise}")
    parser.add_argument("--rules", metavar="FILE", help=f"other rules of your own, as TOML; else {otherwise}")


def load_documents(options: argparse.Namespace, stack: DeployedStack | None = None) -> tuple[Policy, Classifier]:
    """Return policy and rules; raises ConfigurationError where they are wrong."""
    rules = (
        stack.read_classifier()
        if stack is not None and not options.rules
        else classify.load(read_document(options.rules) or None)
    )
    chosen = stack.read_policy() if stack is not None and not options.policy else None
    return chosen or policy.load(read_document(options.policy)), rules


def read_document(name: str | None) -> str:
    """Return the text of a file, "" without one; raises ConfigurationError where it is no UTF-8."""
    if not name:
        return ""
    try:
        return Path(name).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}: not UTF-8: {error.reason}") from None

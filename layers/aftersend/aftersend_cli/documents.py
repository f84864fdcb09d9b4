"""Policy and rules for a command: out of files that were named, else those of the stack."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from aftersend import classify, settings
from aftersend.classify import Classifier
from aftersend.core.errors import ConfigurationError
from aftersend.core.policy import Policy
from aftersend_cli.stack import DeployedStack


def arguments(parser: argparse.ArgumentParser, otherwise: str = "those of the stack") -> None:
    """Declare how both are named."""
    parser.add_argument("--policy", metavar="FILE", help=f"another policy, as TOML; else {otherwise}")
    parser.add_argument("--rules", metavar="FILE", help=f"other rules of your own, as TOML; else {otherwise}")


def load_documents(options: argparse.Namespace, stack: DeployedStack | None = None) -> tuple[Policy, Classifier]:
    """Return policy and rules; raises ConfigurationError where they are wrong."""
    read_file = partial(load_policy, options.policy, stack.verp_template if stack else "")
    chosen_policy = stack.read_policy if stack and not options.policy else read_file
    chosen_rules = stack.read_classifier if stack and not options.rules else partial(load_rules, options.rules)
    return chosen_policy(), chosen_rules()


def load_policy(name: str | None, verp_template: str = "") -> Policy:
    """Return the policy in a file, without one the built-in, for a stack with bounce addresses of this form.

    Raises ConfigurationError where it is wrong.
    """
    try:
        return settings.load_policy(read_document(name), verp_template)
    except RecursionError:
        raise ConfigurationError(f"{name}: nested too deeply") from None


def load_rules(name: str | None) -> Classifier:
    """Return the rules with those in a file, if there is one; raises ConfigurationError where they are wrong."""
    try:
        return classify.load(read_document(name) or None)
    except RecursionError:
        raise ConfigurationError(f"{name}: nested too deeply") from None


def read_document(name: str | None) -> str:
    """Return the text of a file, "" without one; raises ConfigurationError where it is no UTF-8."""
    if not name:
        return ""
    try:
        return Path(name).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}: not UTF-8: {error.reason}") from None

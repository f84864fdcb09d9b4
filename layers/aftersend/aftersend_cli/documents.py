"""Policy and rules for a command: out of files that were named, else those of the stack."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from aftersend.classify import Classifier
from aftersend.core import policy
from aftersend.core.errors import ConfigurationError
from aftersend.core.policy import Policy
from aftersend.storage.user_mappings import make_user_classifier
from aftersend_cli.stack import DeployedStack


def arguments(parser: argparse.ArgumentParser, otherwise: str = "those of the stack") -> None:
    """Declare how both are named."""
    parser.add_argument("--policy", metavar="FILE", help=f"another policy, as TOML; else {otherwise}")
    parser.add_argument("--rules", metavar="FILE", help=f"other rules of your own, as TOML; else {otherwise}")


def load_documents(options: argparse.Namespace, stack: DeployedStack | None = None) -> tuple[Policy, Classifier]:
    """Return policy and rules; raises ConfigurationError where they are wrong."""
    load = stack.read_policy if stack else policy.load
    chosen_policy = stack.read_policy if stack and not options.policy else partial(load_policy, options.policy, load)
    chosen_rules = stack.read_classifier if stack and not options.rules else partial(load_rules, options.rules, stack)
    return chosen_policy(), chosen_rules()


def load_policy(name: str | None, load: Callable[[str], Policy] = policy.load) -> Policy:
    """Return the policy in a file, without one the built-in; raises ConfigurationError where it is wrong."""
    try:
        return load(read_document(name))
    except RecursionError:
        raise ConfigurationError(f"{name}: nested too deeply") from None


def load_rules(name: str | None, stack: DeployedStack | None = None) -> Classifier:
    """Return the rules with those in a file, if there is one, and with the mappings of `stack`.

    Raises ConfigurationError where they are wrong.
    """
    return make_user_classifier(read_document(name) or None, stack.read_mappings() if stack else {})


def read_document(name: str | None) -> str:
    """Return the text of a file, "" without one; raises ConfigurationError where it is no UTF-8."""
    if not name:
        return ""
    try:
        return Path(name).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}: not UTF-8: {error.reason}") from None

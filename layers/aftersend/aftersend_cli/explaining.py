"""Facts and verdicts as lines of JSON."""

from __future__ import annotations

import sys
from typing import Any, Final

import msgspec

from aftersend.classify import Classifier
from aftersend.core.model import Feedback, Verdict
from aftersend.core.vocabulary import Channel
from aftersend_cli.output import Output

_encode: Final = msgspec.json.Encoder().encode


def make_plain(fact: Feedback) -> dict[str, Any]:
    """Return a fact in the types of JSON."""
    built: dict[str, Any] = msgspec.to_builtins(fact)
    return built


def explain(
    verdict: Verdict, classifier: Classifier, code: str | None = None, channel: Channel | None = Channel.EMAIL
) -> dict[str, str]:
    """Return a verdict on evidence with the provider's `code`, with its advice, in the types of JSON."""
    return {
        "class": verdict.klass,
        "reason": verdict.reason,
        "rule": verdict.rule,
        "advice": classifier.advise(verdict, code, channel),
    }


def print_line(value: Any) -> None:
    """Print one line of JSON, at once: whoever reads it may be waiting for it."""
    sys.stdout.buffer.write(_encode(value) + b"\n")
    sys.stdout.buffer.flush()


def wants_lines(output: Output) -> bool:
    """Return whether facts and verdicts are written as JSON: wherever no person reads them as they come."""
    return output.as_json or not output.is_terminal


def show_verdict(verdict: dict[str, str] | None, text: str | None, output: Output) -> None:
    """Write for a person what a refusal means, and in whose words it came."""
    if verdict is not None:
        output.write(f"  {verdict['class']}, {verdict['reason']} (rule {verdict['rule']}): {verdict['advice']}")
    if text:
        output.quote(text)


def complain(what: str) -> int:
    """Say on standard error what is wrong with an input, and return the exit code for it."""
    sys.stderr.write(what + "\n")
    return 1

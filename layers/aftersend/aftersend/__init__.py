"""Aftersend: what became of every message, and whom not to write to again.

The way of the data, in the order in which a body passes:

    webhooks          a push is verified, queued unchanged, and only then answered
    sources           bytes in, facts out (`Feedback`), of whatever envelope carried them    pure
    classify          what a refusal means (`Verdict`)                                       pure, rules are TOML
    core.outcome      the fold: facts in, `Outcome` out                                      pure
    core.causes       whom not to write to again (`Claim`)                                   pure, the policy is TOML
    core.writes       the order of reads and writes                                          pure
    ingest            gather, decide, apply; what it works with are arguments
    storage           DynamoDB, S3 and SQS; `aws` has the clients that it is given
    api, lists, jobs  asking and deciding, whole lists, work in the background
    bootstrap         puts together what each function needs

Programs without a stack call what stands in `library`, by these names: `import aftersend; aftersend.parse_mail(mail)`.
They are loaded when they are first asked for, so that functions pay for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aftersend.core.errors import MalformedFeedback
    from aftersend.library import Channel, Evidence, Feedback, Verdict, advise, judge, judge_reply, parse, parse_mail

__all__ = [
    "Channel",
    "Evidence",
    "Feedback",
    "MalformedFeedback",
    "Verdict",
    "advise",
    "judge",
    "judge_reply",
    "parse",
    "parse_mail",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'aftersend' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module("aftersend.core.errors" if name == "MalformedFeedback" else "aftersend.library"), name)

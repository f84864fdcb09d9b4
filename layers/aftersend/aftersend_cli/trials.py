"""What a trial of rules has found, for a person to read."""

from __future__ import annotations

from typing import Any

from aftersend_cli.output import Output


def show_trial(tried: dict[str, Any], output: Output) -> None:
    """Write what rules would change of everything stored."""
    output.write(f"{tried['outcomes']} outcomes of {tried['recipients']} recipients: {tried['changed']} would change")
    output.write(f"{tried['suppressed']} suppressions would begin to hold, {tried['freed']} would hold no more")
    signs = (("+", "begins"), ("-", "ends"))
    causes = [f"{sign}{cause} {number}" for sign, name in signs for cause, number in tried[name].items()]
    if causes:
        output.write(", ".join(causes))
    changes = [
        (str(each["outcomes"]), name_meaning(each["before"]), name_meaning(each["after"])) for each in tried["changes"]
    ]
    output.table(("outcomes", "means", "would mean"), changes)
    over = [(str(each["outcomes"]), each["rule"], each["over"]) for each in tried["precedence"]]
    output.table(("outcomes", "would be decided by", "in the place of"), over)
    examples = [
        (name_meaning(each["before"]), name_meaning(each["after"]), each.get("text", "")) for each in tried["examples"]
    ]
    output.table(("means", "would mean", "an example"), examples)


def name_meaning(judged: dict[str, Any]) -> str:
    """Return what a refusal means: "mailbox_full/soft (user:mine)"; a status where nothing was judged."""
    return f"{judged['reason']}/{judged['class']} ({judged['rule']})" if "class" in judged else str(judged["status"])

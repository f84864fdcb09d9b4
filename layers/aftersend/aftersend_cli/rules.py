"""`aftersend rules`: says what a file of rules would change on a stack, and changes nothing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from aftersend_cli.endpoint import Endpoint
from aftersend_cli.errors import UsageError
from aftersend_cli.jobs import follow
from aftersend_cli.output import Output
from aftersend_cli.trials import name_meaning, show_trial

_INVALID: Final = frozenset({422})
_SHOWN: Final = 500  # texts


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    about = "check: the texts that no rule of the stack knew, at once; try: everything stored, as a job"
    parser.add_argument("action", choices=("check", "try"), help=about)
    parser.add_argument("file", metavar="FILE", help="[[rule]] tables in TOML, as docs/rules.md has them; - is stdin")
    parser.add_argument(
        "--add", action="store_true", help="put them before the stack's own rules; without it, in the place of those"
    )


def run(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    """Check or try a file of rules; 0 whatever would change. Raises UsageError where the rules cannot be loaded."""
    body = {"rules": _read(options.file), "instead": not options.add}
    if options.action == "try":
        job = follow(_ask(api, "/rules/trials", body, options.file), api)
        output.write_json(job) if output.as_json else show_trial(job["tried"], output)
        return 0
    found = _ask(api, "/rules/check", {**body, "limit": _SHOWN}, options.file)
    for mistake in found["mistakes"]:
        output.remark(_place(options.file, mistake))
    if output.as_json:
        output.write_json(found)
        return 0
    rows = [
        (str(each["seen"]), name_meaning(each["before"]), name_meaning(each["after"]), each["source"], each["text"])
        for each in found["changes"]
    ]
    output.table(("seen", "means", "would mean", "source", "text"), rows)
    part = "" if found["complete"] else ", a part of all there are"
    output.write(f"{found['texts']} texts that no rule knew{part}: {found['changed']} would be judged otherwise")
    return 0


def _ask(api: Endpoint, path: str, body: dict[str, Any], file: str) -> dict[str, Any]:
    answer = api.ask("POST", path, body=body, expected=_INVALID)
    found: dict[str, Any] = answer.json()
    if answer.status in _INVALID:
        raise UsageError("; ".join(_place(file, each) for each in found.get("mistakes", ())) or found["detail"])
    return found


def _place(file: str, mistake: dict[str, Any]) -> str:
    line = f":{mistake['line']}" if mistake.get("line") else ""
    return f"{file}{line}: {mistake['message']}"


def _read(name: str) -> str:
    raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8: {error.reason}") from None

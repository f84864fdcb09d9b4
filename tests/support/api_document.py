"""The documents of the API as they should be: `python -m tests.support.api_document` writes them.

The OpenAPI document is made of the description and of the examples, which are real answers. In docs/api.md each block
behind a line `<!-- example: operation/name -->` is such an example as a command and its answer.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from typing import Final

from aftersend.api.description import document
from aftersend.api.description.operations import ALL
from aftersend.api.document import FILE
from tests.support.api import Answer
from tests.support.api_world import Step, examples, played
from tests.support.template import ROOT

PAGE: Final = ROOT / "docs" / "api.md"
_BLOCK: Final = re.compile(r"(<!-- example: ([\w-]+/[\w-]+) -->\n)```console\n.*?^```\n", re.DOTALL | re.MULTILINE)


def openapi() -> str:
    """The text of the OpenAPI document."""
    return json.dumps(document(ALL, examples()), indent=2, ensure_ascii=False) + "\n"


def page(text: str) -> str:
    """docs/api.md with its examples as they are now; raises KeyError for one that does not exist."""
    blocks = {f"{step.operation}/{step.name}": block(step, answer) for step, answer in played()}
    return _BLOCK.sub(lambda found: found[1] + blocks[found[2]], text)


def shown(text: str) -> list[str]:
    """The examples that a text shows."""
    return [found[1] for found in _BLOCK.findall(text)]


def block(step: Step, answer: Answer) -> str:
    """A command and its answer, as a block of Markdown."""
    words = ["api", *([] if step.method == "GET" else ["-X", step.method] if step.method != "HEAD" else ["--head"])]
    words += [f'"$API{step.target}"' if "&" in step.target or "?" in step.target else f"$API{step.target}"]
    words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in step.headers.items()]
    if step.body is not None:
        words += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(step.body, indent=2))}"]
    told = [
        f"HTTP/2 {answer.status}",
        *[f"{name}: {answer.headers[name]}" for name in ("etag",) if name in answer.headers],
    ]
    if answer.text:
        is_json = "json" in answer.headers["content-type"]
        told += ["", json.dumps(answer.json, indent=2, ensure_ascii=False) if is_json else answer.text.strip()]
    return "\n".join(["```console", "$ " + " ".join(words), *told, "```", ""])


def main() -> None:
    """Write both."""
    FILE.write_text(openapi(), "utf-8")
    if PAGE.exists():
        PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{FILE}\n{PAGE}\n")


if __name__ == "__main__":
    main()

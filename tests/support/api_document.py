"""The documents of the API as they should be: `python -m tests.support.api_document` writes them.

The OpenAPI document is made of what the routes say, and of real answers to their examples. In docs/api.md each block
behind a line `<!-- example: operation/name -->` is such an example as a command and its answer.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from typing import Final

from aftersend.api.document import FILE
from aftersend.api.openapi import make_document, operation_id
from aftersend.api.routes import load_all
from aftersend.api.routing import Example, Route
from tests.support.api import Answer
from tests.support.api_world import answers, played, target
from tests.support.template import ROOT

PAGE: Final = ROOT / "docs" / "api.md"
_BLOCK: Final = re.compile(r"(<!-- example: ([\w-]+/[\w-]+) -->\n)```console\n.*?^```\n", re.DOTALL | re.MULTILINE)


def openapi() -> str:
    """The text of the OpenAPI document."""
    return json.dumps(make_document(load_all().routes, answers()), indent=2, ensure_ascii=False) + "\n"


def page(text: str) -> str:
    """docs/api.md with its examples as they are now; raises KeyError for one that does not exist."""
    blocks = {
        f"{operation_id(route)}/{example.name}": block(route, example, answer) for route, example, answer in played()
    }
    return _BLOCK.sub(lambda found: found[1] + blocks[found[2]], text)


def shown(text: str) -> list[str]:
    """The examples that a text shows."""
    return [found[1] for found in _BLOCK.findall(text)]


def block(route: Route, example: Example, answer: Answer) -> str:
    """A command and its answer, as a block of Markdown."""
    method = {"GET": [], "HEAD": ["--head"]}.get(route.method, ["-X", route.method])
    url = f"$API{target(route, example)}"
    command = ["api", *method, f'"{url}"' if "?" in url else url]
    command += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in example.headers.items()]
    if example.body is not None:
        command += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(example.body, indent=2))}"]
    lines = [
        f"HTTP/2 {answer.status}",
        *[f"{name}: {answer.headers[name]}" for name in ("etag",) if name in answer.headers],
    ]
    if answer.text:
        is_json = "json" in answer.headers["content-type"]
        lines += [
            "",
            json.dumps(answer.json, indent=2, ensure_ascii=False) if is_json else "\n".join(answer.text.splitlines()),
        ]
    return "\n".join(["```console", "$ " + " ".join(command), *lines, "```", ""])


def main() -> None:
    """Write both."""
    FILE.write_text(openapi(), "utf-8")
    if PAGE.exists():
        PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{FILE}\n{PAGE}\n")


if __name__ == "__main__":
    main()

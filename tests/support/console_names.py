"""Writes what people call each source into the console: `python -m tests.support.console_names`."""

from __future__ import annotations

import json
from typing import Final

from aftersend.console.site import STATIC
from aftersend.sources import SOURCES, name_source

FILE: Final = STATIC / "names.js"


def make_names() -> str:
    """The module of the console, made from the table of sources."""
    names = {source: name_source(source) for source in sorted(SOURCES)} | {"import": "a list", "manual": "one of you"}
    head = "// What people call the sources; made by `python -m tests.support.console_names`.\n"
    return f"{head}export const NAMES = {json.dumps(names, indent=2, ensure_ascii=False)};\n"


if __name__ == "__main__":
    FILE.write_text(make_names(), "utf-8")

"""`python -m local push`: has the server of `python -m local serve` sign bodies as their source does, and take them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local.server import PUSH

_TAKEN = range(200, 300)


def push(source: str, files: Iterable[str], host: str) -> int:
    """Push every file and say what became of it; 1 where one was not taken."""
    worst = 0
    for name in files:
        body = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        try:
            status, did = _ask(host, source, name, body)
        except (ConnectionError, TimeoutError, HTTPException) as error:
            sys.stderr.write(f"{host} does not answer ({type(error).__name__}): start `python -m local serve` first\n")
            return 1
        taken = status in _TAKEN
        (sys.stdout if taken else sys.stderr).write(f"{name}: {did}, answered {status}\n")
        worst = worst if taken else 1
    return worst


def _ask(host: str, source: str, name: str, body: bytes) -> tuple[int, str]:
    connection = HTTPConnection(host, timeout=60)
    try:
        connection.request("POST", f"{PUSH}{quote(source, safe='')}?name={quote(Path(name).name)}", body)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    finally:
        connection.close()
    try:
        found: Any = json.loads(text)
        return int(found.get("status", answer.status)), str(found["did"])
    except (ValueError, AttributeError, KeyError):  # it is another server, or refuses for a reason of its own
        return answer.status, text.strip()[:200] or answer.reason

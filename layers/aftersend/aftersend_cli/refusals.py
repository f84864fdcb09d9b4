"""`aftersend classify`: what refusals mean; replies of servers or JSON in, lines of JSON out."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Raw, Struct

from aftersend import classify
from aftersend.classify import Classifier, evidence_from
from aftersend.classify.mistakes import DEFAULT_SOURCE
from aftersend.core.errors import DECODE_ERRORS
from aftersend.core.model import Verdict
from aftersend_cli.explaining import complain, explain, print_line, show_verdict, wants_lines
from aftersend_cli.output import Output

# A reply of SMTP alone: its code or its status begins the line.
_REPLY: Final = re.compile(rb"(?:smtp; ?)?(?:[2-5]\d\d[ -]|[245]\.\d{1,3}\.\d{1,3}[ :]|[2-5]\d\d$)", re.IGNORECASE)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="replies, or {id, source, replycode, text …}; - is stdin"
    )


def run(options: argparse.Namespace, output: Output) -> int:
    """Write a verdict for every refusal; 1 where one could not be read."""
    return judge(options.file, output)


class Refusal(Struct):
    """One line of `classify`; whatever type a field has, nothing but its text is used."""

    id: Raw = Raw(b"null")
    source: Any = None
    replycode: Any = None
    status: Any = None
    text: Any = None
    command: Any = None
    action: Any = None
    provider_code: Any = None
    word: Any = None  # an older name of the same


_refusal: Final = msgspec.json.Decoder(Refusal).decode
_decode_array: Final = msgspec.json.Decoder(list[Raw]).decode


def judge(name: str, output: Output) -> int:
    """Write a verdict for every line of `name`; 1 where a line could not be read."""
    if name == "-":
        return _judge_lines(sys.stdin.buffer, output)
    with Path(name).open("rb") as lines:
        return _judge_lines(lines, output)


def _judge_lines(lines: BinaryIO, output: Output) -> int:
    classifier = classify.load()
    worst = 0
    for refusal in read_refusals(lines):
        if isinstance(refusal, str):
            worst = complain(refusal)
            continue
        explained = explain_refusal(refusal, classifier)
        if wants_lines(output):
            print_line({"id": refusal.id, **explained})
        else:
            show_verdict(explained, _text(refusal.text), output)
    return worst


def read_refusals(lines: Iterable[bytes]) -> Iterator[Refusal | str]:
    """Yield what each line holds, as soon as it came: a refusal, or what is wrong with the line.

    A line is a JSON object, or the reply of a server alone. An array of them may be spread over lines.
    """
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        if line.lstrip().startswith(b"["):
            whole = b"".join([line, *(rest for _, rest in numbered)])
            yield from _read_array(whole) if _is_array(whole) else _read_all_lines(whole.splitlines(), number)
        elif line.strip():
            yield _read_line(line, number)


def _read_array(whole: bytes) -> Iterator[Refusal | str]:
    for number, each in enumerate(_decode_array(whole), 1):
        text = _text(msgspec.json.decode(each))
        if text is not None:
            yield Refusal(text=text)
            continue
        try:
            yield _refusal(each)
        except DECODE_ERRORS as error:
            yield f"element {number}: not a JSON object: {error}"


def _is_array(whole: bytes) -> bool:
    try:
        _decode_array(whole)
    except DECODE_ERRORS:
        return False
    return True


def _read_all_lines(lines: Iterable[bytes], first: int) -> Iterator[Refusal | str]:
    return (_read_line(line, number) for number, line in enumerate(lines, first) if line.strip())


def _read_line(line: bytes, number: int) -> Refusal | str:
    if _REPLY.match(line.strip()):
        return Refusal(text=line.decode("utf-8", "replace").strip())
    try:
        return _refusal(line)
    except DECODE_ERRORS as error:
        return f"line {number}: not a JSON object: {error}"


def explain_refusal(refusal: Refusal, classifier: Classifier) -> dict[str, str]:
    """Return class, reason, rule and advice of a refusal."""
    return explain(judge_refusal(refusal, classifier), classifier, _code(refusal))


def judge_refusal(refusal: Refusal, classifier: Classifier) -> Verdict:
    """Return the verdict on a refusal."""
    evidence = evidence_from(
        code=_text(refusal.replycode),
        status=_text(refusal.status),
        text=_text(refusal.text),
        command=_text(refusal.command),
        action=_text(refusal.action),
        provider_code=_code(refusal),
    )
    return classifier.judge(source=_text(refusal.source) or DEFAULT_SOURCE, evidence=evidence)


def _code(refusal: Refusal) -> str | None:
    return _text(refusal.provider_code) or _text(refusal.word)


def _text(value: object) -> str | None:
    """A string or a number as text; anything else says nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip() or None

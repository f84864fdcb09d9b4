"""`parse`, `classify` and `expect`: bodies and refusals in, JSON Lines out. What cannot be read goes to stderr."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Raw, Struct

from aftersend import classify
from aftersend.classify import Classifier, evidence_from
from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.model import Evidence, Verdict
from aftersend.core.recipient import split_channel
from aftersend.sources import SOURCES, Parse, configure, read
from aftersend.sources.lambda_event import read_messages, read_rabbitmq
from aftersend.sources.message import NO_HEADERS, Headers, Message
from local.reports import summary
from local.samples import EVENTS, Sample, expect, explained, plain
from local.wordings import DEFAULT_SOURCE

_encode: Final = msgspec.json.Encoder().encode
# A reply of SMTP alone: its code or its status begins the line.
_REPLY: Final = re.compile(rb"(?:smtp; ?)?(?:[2-5]\d\d[ -]|[245]\.\d{1,3}\.\d{1,3}[ :]|[2-5]\d\d$)", re.IGNORECASE)


def parse(source: str, files: Iterable[str], headers: Headers = NO_HEADERS, rules: str | None = None) -> int:
    """Print every feedback in `files` with its verdict, of mails one line each; 1 where something was malformed.

    `headers` are what came beside each body, where no event of Lambda says it. `rules` is a file with rules of one's
    own, and with what one knows of SMSCs; raises ConfigurationError for a mistake in it.
    """
    document = Path(rules).read_text("utf-8") if rules else None
    classifier, parsers = classify.load(document), configure(classify.read_settings(document))
    if source == "report":
        for name in files:
            print_line(summary(name, sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes(), classifier))
        return 0
    worst = 0
    for name in files:
        for place, body in _bodies(name):
            try:
                worst |= _parse(place, Body(source, body, headers), classifier, parsers)
            except MalformedFeedback as error:
                worst = _complain(f"{place}: {error.why}")
    return worst


def _parse(place: str, given: Body, classifier: Classifier, parsers: Mapping[str, Parse]) -> int:
    """Print the feedback of one body, or of those in an event of Lambda or an array; 1 where one was malformed."""
    worst = 0
    for number, each in enumerate(unwrap(given.source, given.body), 1):
        where = place if each.body is given.body else f"{place}, body {number}"
        try:
            facts = read(each.source, each.body, each.headers or given.headers, parsers)
        except MalformedFeedback as error:
            worst = _complain(f"{where}: {error.why}")
            continue
        if not facts:
            sys.stderr.write(f"{where}: read, and there is no feedback in it\n")
        for fact in facts:
            verdict = classifier(fact)
            code, channel = (fact.evidence or Evidence()).provider_code, split_channel(fact.recipient)[0]
            shown = plain(fact) | {"recipient": fact.recipient or None}
            print_line(shown | {"verdict": explained(verdict, classifier, code, channel) if verdict else None})
    return worst


class Body(Struct):
    """A body, whose it is, and what its carrier said beside it."""

    source: str
    body: bytes
    headers: Headers = NO_HEADERS


def unwrap(source: str, text: bytes) -> list[Body]:
    """Return the bodies in an event of Lambda, or in an array that is no body itself; else the text as it is.

    Raises MalformedFeedback for an event that has not the form of one.
    """
    try:
        found = msgspec.json.decode(text)
    except DECODE_ERRORS:
        return [Body(source, text)]
    try:
        messages = _read_event(source, found) if isinstance(found, dict) else []
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedFeedback(source, f"not an event of Lambda: {type(error).__name__}: {error}") from error
    if messages:
        return [Body(each.source, each.body, each.headers) for each in messages]
    if isinstance(found, list) and found and not _is_body(source, text):
        return [Body(source, _encode(each)) for each in found]
    return [Body(source, text)]


def _read_event(source: str, event: dict[str, Any]) -> list[Message]:
    """Read what SQS, SNS and RabbitMQ hand to a function; the event of EventBridge is a body by itself."""
    if event.get("eventSource") == "aws:rmq":
        return read_rabbitmq(event, source, {}, datetime.now(UTC))
    records = event.get("Records")
    carried = isinstance(records, list) and records and {"eventSource", "EventSource"} & {*records[0]}
    return read_messages(event, source) if carried else []


def _is_body(source: str, text: bytes) -> bool:
    try:
        read(source, text)
    except MalformedFeedback:
        return False
    return True


def _bodies(name: str) -> Iterator[tuple[str, bytes]]:
    """Every body in a file, and where it stands: one body, or JSON Lines of bodies."""
    whole = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    if _is_lines(whole):
        for number, line in enumerate(whole.splitlines(), 1):
            if line.strip():
                yield f"{name}:{number}", line
    else:
        yield name, whole


def _is_lines(whole: bytes) -> bool:
    """Whether a text is JSON Lines: it is no JSON as a whole, but one of its lines is an object by itself."""
    return not _is_json(whole) and any(line.lstrip()[:1] == b"{" and _is_json(line) for line in whole.splitlines())


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=Raw)
    except DECODE_ERRORS:
        return False
    return True


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


def judge(name: str) -> int:
    """Write a verdict for every line of `name`; 1 where a line could not be read."""
    if name == "-":
        return _judge_lines(sys.stdin.buffer)
    with Path(name).open("rb") as lines:
        return _judge_lines(lines)


def _judge_lines(lines: BinaryIO) -> int:
    classifier = classify.load()
    worst = 0
    for refusal in read_refusals(lines):
        if isinstance(refusal, str):
            worst = _complain(refusal)
        else:
            print_line({"id": refusal.id, **explain_refusal(refusal, classifier)})
    return worst


def read_refusals(lines: Iterable[bytes]) -> Iterator[Refusal | str]:
    """Yield what each line holds, as soon as it came: a refusal, or what is wrong with the line.

    A line is a JSON object, or the reply of a server alone.
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            if _REPLY.match(line.strip()):
                yield Refusal(text=line.decode("utf-8", "replace").strip())
                continue
            try:
                refusal = _refusal(line)
            except DECODE_ERRORS as error:
                yield f"line {number}: not a JSON object: {error}"
            else:
                yield refusal


def explain_refusal(refusal: Refusal, classifier: Classifier) -> dict[str, str]:
    """Return class, reason, rule and advice of a refusal."""
    return explained(judge_refusal(refusal, classifier), classifier, _code(refusal))


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


def expectations(files: Iterable[str]) -> int:
    """Write the expectation of each sample in `files`; 1 where a file is no sample."""
    classifier = classify.load()
    worst = 0
    for name in files:
        path = Path(name).resolve()
        sample = Sample(path.parent.name, path)
        if path.parent.parent != EVENTS or sample.source not in SOURCES or not path.is_file():
            worst = _complain(f"{name}: not a sample: events/<source>/<case>.json")
            continue
        expect(sample, classifier)
        sys.stdout.write(f"{sample.expectation.name}: read it before you keep it\n")
    return worst


def print_line(value: Any) -> None:
    """Print one line of JSON, at once: whoever reads it may be waiting for it."""
    sys.stdout.buffer.write(_encode(value) + b"\n")
    sys.stdout.buffer.flush()


def _complain(what: str) -> int:
    sys.stderr.write(what + "\n")
    return 1

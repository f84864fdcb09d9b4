"""`aftersend parse`: the feedback in bodies, and what it means, as lines of JSON; what cannot be read is on stderr."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from aftersend import classify
from aftersend.classify import Classifier
from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.model import Evidence, Feedback
from aftersend.core.recipient import split_channel
from aftersend.sources import SOURCES, Parse, configure, read
from aftersend.sources.lambda_event import read_messages, read_rabbitmq
from aftersend.sources.message import NO_HEADERS, Headers, Message, select_headers
from aftersend_cli.documents import read_document
from aftersend_cli.explaining import complain, explain, make_plain, print_line, show_verdict, wants_lines
from aftersend_cli.mails import read_mails, summarize_mail
from aftersend_cli.output import Output, name_recipient

_encode: Final = msgspec.json.Encoder().encode


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", choices=sorted(SOURCES), help="who sent them")
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a body, a Lambda event, JSON Lines, or a mailbox; - is stdin"
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        type=_read_header,
        metavar="'NAME: VALUE'",
        help="that came beside each body",
    )
    parser.add_argument("--rules", metavar="FILE", help="rules of your own, and what you know of SMSCs")


def run(options: argparse.Namespace, output: Output) -> int:
    """Print the feedback; 1 where something was malformed."""
    return parse(options.source, options.files, output, select_headers(dict(options.header)), options.rules)


def _read_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no header, which is 'name: value'")
    return name.strip(), value.strip()


def parse(
    source: str, files: Iterable[str], output: Output, headers: Headers = NO_HEADERS, rules: str | None = None
) -> int:
    """Print every feedback in `files` with its verdict, of mails one line each; 1 where something was malformed.

    `headers` are what came beside each body, where no event of Lambda says it. `rules` is a file with rules of one's
    own, and with what one knows of SMSCs; raises ConfigurationError for a mistake in it.
    """
    document = read_document(rules) or None
    classifier, parsers = classify.load(document), configure(classify.read_settings(document))
    if source == "report":
        return max([_summarize(name, classifier, output) for name in files])
    worst = 0
    for name in files:
        for place, body in _bodies(name):
            try:
                worst |= _parse(place, Body(source, body, headers), (classifier, parsers), output)
            except MalformedFeedback as error:
                worst = complain(f"{place}: {error.why}")
    return worst


def _summarize(name: str, classifier: Classifier, output: Output) -> int:
    """Print a line for each mail that lies there; 1 where there is none."""
    place = None
    for place, mail in read_mails(name):
        _show_mail(summarize_mail(place, mail, classifier), output)
    return complain(f"{name}: there is no mail in it") if place is None else 0


def _show_mail(found: dict[str, Any], output: Output) -> None:
    if wants_lines(output):
        print_line(found)
        return
    output.write(f"{found['file']}: {found['kind']}", "bold")
    for each in found["recipients"]:
        verdict = [each[name] for name in ("class", "reason", "rule") if each[name]]
        output.write(f"  {each['recipient'] or 'nobody is named'}{''.join(f', {word}' for word in verdict)}")


def _parse(place: str, given: Body, judging: tuple[Classifier, Mapping[str, Parse]], output: Output) -> int:
    """Print the feedback of one body, or of those in an event of Lambda or an array; 1 where one was malformed."""
    worst = 0
    classifier, parsers = judging
    for number, each in enumerate(unwrap(given.source, given.body), 1):
        where = place if each.body is given.body else f"{place}, body {number}"
        try:
            facts = read(each.source, each.body, each.headers or given.headers, parsers)
        except MalformedFeedback as error:
            worst = complain(f"{where}: {error.why}")
            continue
        if not facts:
            sys.stderr.write(f"{where}: read, and there is no feedback in it\n")
        for fact in facts:
            _show_fact(fact, classifier, output)
    return worst


def _show_fact(fact: Feedback, classifier: Classifier, output: Output) -> None:
    verdict, evidence = classifier(fact), fact.evidence or Evidence()
    channel = split_channel(fact.recipient)[0]
    explained = explain(verdict, classifier, evidence.provider_code, channel) if verdict else None
    if wants_lines(output):
        print_line(make_plain(fact) | {"recipient": fact.recipient or None, "verdict": explained})
        return
    named = f"{name_recipient(fact.recipient) or 'nobody is named'}, {fact.message}"
    output.write(f"{output.moment(fact.occurred_at.isoformat())}  {fact.kind}  {named}", "bold")
    show_verdict(explained, evidence.text, output)


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

"""`mapping check`: says of a mapping file whether it loads, and what it makes of bodies.

Facts go to stdout as `parse` prints them; what a person looks at beside them goes to stderr: which fields of the
mapping found nothing in any event, which words it does not know, which times and recipients are missing.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from aftersend import classify
from aftersend.classify import Classifier
from aftersend.core.errors import ConfigurationError, MalformedFeedback
from aftersend.core.model import UNNAMED, Evidence, Feedback
from aftersend.core.recipient import split_channel
from aftersend.core.times import UNKNOWN_TIME
from aftersend.sources.envelope import peel
from aftersend.sources.mapping.compiled import SourceMapping, load
from aftersend.sources.mapping.facts import find_meaning, find_word, list_events, read_body
from aftersend.sources.mapping.paths import find_all
from aftersend_cli.explaining import explain, make_plain, print_line

_EXIT_CODES: Final = """
exit codes:
  0  the file loads, and every body can be read
  1  it does not, or one cannot
  2  the command line is wrong
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line of `mapping`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser(
        "check",
        help="try a mapping file: does it load, and what does it make of bodies",
        description="Try a mapping file (docs/mapping.md): it prints the feedback in bodies, and what it did not find.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("file", metavar="FILE", help="a mapping in TOML")
    check.add_argument("bodies", nargs="*", metavar="BODY", help="a file with what the provider posts; - is stdin")


def run(options: argparse.Namespace) -> int:
    """Check a mapping file; return the exit code."""
    try:
        mapping = load(Path(options.file).read_text("utf-8"))
    except UnicodeDecodeError as error:
        return _complain(f"{options.file}: not UTF-8: {error.reason}")
    except ConfigurationError as error:
        return _complain(f"{options.file}: {error}")
    classifier = classify.load(None, [mapping.vocabulary])
    worst = 0
    for name in options.bodies:
        body = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        worst |= _check_body(name, mapping, peel(body), classifier)
    if not options.bodies:
        sys.stdout.write(f"{options.file}: loads; {len(mapping.words)} words, {len(mapping.cases)} cases\n")
    return worst


def _check_body(name: str, mapping: SourceMapping, body: bytes, classifier: Classifier) -> int:
    try:
        events, facts = list_events(mapping, body), read_body(mapping, body)
    except MalformedFeedback as error:
        return _complain(f"{name}: {error.why}")
    for fact in facts:
        verdict = classifier(fact)
        code, channel = (fact.evidence or Evidence()).provider_code, split_channel(fact.recipient)[0]
        print_line(make_plain(fact) | {"verdict": explain(verdict, classifier, code, channel) if verdict else None})
    for line in _list_findings(mapping, events, facts):
        sys.stderr.write(f"{name}: {line}\n")
    return 0


def _list_findings(mapping: SourceMapping, events: Sequence[Any], facts: Sequence[Feedback]) -> Iterator[str]:
    """Yield what a person should look at."""
    yield f"{len(events)} events, {len(facts)} facts"
    words = Counter(find_word(mapping, each) for each in events)
    unknown = [word for word in words if not any(_is_known(mapping, each, word) for each in events)]
    if unknown:
        yield f"words unknown: {', '.join(sorted(unknown))}"
    if missing := [field for field, paths in list_fields(mapping) if not any(find_all(each, paths) for each in events)]:
        yield f"fields not found: {', '.join(missing)}"
    if any(fact.occurred_at == UNKNOWN_TIME for fact in facts):
        yield "an event without a time: it counts as the earliest of all"
    if any(fact.recipient == UNNAMED for fact in facts):
        yield "an event without a recipient: who it was is asked for by its message"


def _is_known(mapping: SourceMapping, event: Sequence[Any], word: str) -> bool:
    return find_word(mapping, event) == word and find_meaning(mapping, event, word) is not None


def list_fields(mapping: SourceMapping) -> Iterator[tuple[str, Any]]:
    """Yield each field of a mapping that has paths, as the file calls it."""
    tables = {"": mapping.fields, "engagement.": mapping.engagement, "correlation.": mapping.correlation}
    others = {"message.message_id": mapping.message_id, "message.own": mapping.own, "time.at": mapping.at}
    named = {prefix + name: paths for prefix, table in tables.items() for name, paths in table.items()} | others
    yield from ((name, paths) for name, paths in named.items() if paths)


def _complain(what: str) -> int:
    sys.stderr.write(what + "\n")
    return 1

"""Microseconds of CPU for one body of each source: reading it beside taking the same bytes apart and no more.

The bodies are the samples in events/, over and over, so what a parser remembers is warm. Both take turns, and a ratio
is the median of the ratios of single rounds.
"""

from __future__ import annotations

from email import message_from_bytes
from functools import partial
from statistics import median
from typing import Final

import msgspec

from aftersend.core.errors import MalformedFeedback
from aftersend.sources import SOURCES, read
from local.samples import samples
from tests.bench import table
from tests.bench.baseline import Call
from tests.bench.parse import ROUNDS, Rounds, microseconds, ratio

BODIES: Final = 300  # a round, or a few more


def decoded(raw: bytes) -> object:
    """JSON as dictionaries."""
    return msgspec.json.decode(raw)


def split_or_decoded(raw: bytes) -> object:
    """JSON as dictionaries, or a text cut at every "&"."""
    if raw[:1] in (b"{", b"["):
        return decoded(raw)
    return dict(part.partition("=")[::2] for part in raw.decode().split("&"))


def parsed_or_decoded(raw: bytes) -> object:
    """A mail as the standard library parses it, or JSON as dictionaries."""
    return decoded(raw) if raw[:1] == b"{" else message_from_bytes(raw)


def bare_reader(source: str) -> Call:
    """How the bytes of a source are taken apart by whoever wants nothing of them."""
    is_mail = any(sample.path.suffix == ".eml" for sample in samples() if sample.source == source)
    return parsed_or_decoded if is_mail else split_or_decoded


def bodies(source: str) -> list[bytes]:
    """The samples of a source that can be read both ways, repeated until they are enough."""
    found = [sample.body() for sample in samples() if sample.source == source]
    bare = bare_reader(source)
    readable = [body for body in found if _read(source, body) and _read_bare(bare, body)]
    return readable * -(-BODIES // len(readable))


def _read(source: str, body: bytes) -> bool:
    try:
        return bool(read(source, body))
    except MalformedFeedback:
        return False


def _read_bare(bare: Call, body: bytes) -> bool:
    try:
        return bool(bare(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def measure(source: str) -> Rounds:
    """Both ways on the same bodies, in an order that turns with each round."""
    used, rounds = bodies(source), []
    calls: list[tuple[str, Call]] = [("bare", bare_reader(source)), ("read", partial(read, source))]
    for number in range(ROUNDS):
        turn = number % len(calls)
        rounds.append({name: microseconds(call, used) for name, call in calls[turn:] + calls[:turn]})
    return rounds[1:]  # the first one warms up


def main() -> None:
    """Prints one table."""
    rows = []
    for source in sorted(SOURCES):
        rounds = measure(source)
        figures = [f"{median(took[name] for took in rounds):.1f}" for name in ("bare", "read")]
        rows.append([source, str(len(set(bodies(source)))), *figures, f"{ratio(rounds, 'read', 'bare'):.2f}"])
    table.show(
        f"CPU µs per body of each source (median of {ROUNDS - 1} rounds over its samples)",
        ["source", "samples", "bare", "read", "read/bare"],
        rows,
        ["bare: JSON becomes dictionaries (msgspec), the older text of DirectMail is split, Python parses mail."],
    )


if __name__ == "__main__":
    main()

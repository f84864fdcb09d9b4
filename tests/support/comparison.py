"""How others read the mails among our samples: who is found in them, side by side.

They are our own samples, and the specification of this parser, which is right about all of them by that. The table
says what others make of the same kinds of mails, and is no rate: rates are measured on published mails, by
`make bench-classify`.
"""

from __future__ import annotations

import email
import json
from collections.abc import Callable, Iterator
from typing import Final

from flufl.bounce import all_failures

import aftersend
from aftersend import MalformedFeedback
from aftersend.core.model import BY_MAIL, Kind
from aftersend.core.recipient import canonicalize_email
from local.samples import Sample, samples

_BOUNCES: Final = frozenset({Kind.BOUNCED, Kind.DEFERRED, Kind.REJECTED})


Read = Callable[[bytes], set[str]]


def read_ours(mail: bytes) -> set[str]:
    """Return the recipients of bounces and delays that this package finds."""
    try:
        return {fact.recipient for fact in aftersend.parse_mail(mail) if fact.kind in _BOUNCES}
    except MalformedFeedback:
        return set()


def read_flufl(mail: bytes) -> set[str]:
    """Return the recipients of bounces and delays that flufl.bounce finds."""
    temporary, permanent = all_failures(email.message_from_bytes(mail))
    return {canonicalize_email(each.decode("utf-8", "replace")) for each in {*temporary, *permanent}}


READERS: Final[dict[str, Read]] = {"aftersend": read_ours, "flufl.bounce": read_flufl}


def _list_mails() -> Iterator[tuple[Sample, set[str]]]:
    """Each mail among the samples of reports, and the recipients of whom it should report a failure."""
    for sample in samples():
        if sample.source == BY_MAIL and sample.path.suffix == ".eml":
            expected = json.loads(sample.expectation.read_text()).get("feedback", ())
            yield sample, {fact["recipient"] for fact in expected if fact["kind"] in _BOUNCES}


def _read_if_possible(read: Read, mail: bytes) -> set[str] | None:
    """Return what is found, or None where reading stopped with an exception."""
    try:
        return read(mail)
    except (LookupError, ValueError):
        return None


def compare() -> list[str]:
    """Return the lines of the table on the page of the package."""
    mails = list(_list_mails())
    failures = sum(bool(wanted) for _, wanted in mails)
    lines = []
    for name, read in READERS.items():
        found = [(_read_if_possible(read, sample.body()), wanted) for sample, wanted in mails]
        right = sum(got == wanted for got, wanted in found if wanted)
        silent = sum(got == wanted for got, wanted in found if not wanted)
        stopped = sum(got is None for got, _ in found)
        lines.append(f"| {name} | {right} of {failures} | {silent} of {len(mails) - failures} | {stopped} |")
    return lines

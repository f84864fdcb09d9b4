"""Microseconds of CPU for one event of each provider that django-anymail reads, too: its parsing beside ours.

The bodies are our samples, all that both can read. `anymail` is the parsing of its webhook view, `read` our parsing
alone, `whole` is read → classify → fold. `agreed` says of how many of our facts anymail has one with that recipient and
a kind that means the same: the samples hold traps on purpose, so it is no rate of real traffic.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from pkgutil import iter_modules
from statistics import median
from typing import Any, Final, NamedTuple

from aftersend import classify
from aftersend.core.errors import AftersendError
from aftersend.core.model import Feedback, Kind
from aftersend.core.outcome import merge
from aftersend.core.recipient import canonicalize_email
from aftersend.sources import SOURCES, UNNAMED, read
from local.samples import Sample, samples
from tests.bench import table

ROUNDS: Final = 7
KEYS: Final = (
    *("MAILGUN_WEBHOOK_SIGNING_KEY", "MANDRILL_WEBHOOK_KEY", "MAILERSEND_SIGNING_SECRET", "UNISENDER_GO_API_KEY"),
    "POSTAL_WEBHOOK_KEY",
)
# What anymail's kinds mean in ours.
MEANS: Final = {
    "queued": {Kind.SENT},
    "sent": {Kind.SENT},
    "rejected": {Kind.REJECTED},
    "failed": {Kind.REJECTED},
    "bounced": {Kind.BOUNCED},
    "deferred": {Kind.DEFERRED},
    "delivered": {Kind.DELIVERED},
    "autoresponded": {Kind.AUTO_REPLIED},
    "opened": {Kind.OPENED},
    "clicked": {Kind.CLICKED},
    "complained": {Kind.COMPLAINED},
    "unsubscribed": {Kind.UNSUBSCRIBED},
    "subscribed": {Kind.SUBSCRIBED},
    "unknown": {Kind.UNKNOWN},
}


class Body(NamedTuple):
    """A sample, what we read in it, and the request in which anymail gets it."""

    sample: Sample
    facts: list[Feedback]
    raw: bytes


def make_views() -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Yield the sources that anymail reads, each with the parsing of its view."""
    from django.conf import settings  # type: ignore[import-untyped]

    if not settings.configured:
        settings.configure(USE_TZ=True, ANYMAIL={"WEBHOOK_SECRET": "bench:bench", **dict.fromkeys(KEYS, "key")})
    modules = [each.name for each in iter_modules(import_module("anymail.webhooks").__path__)]
    for source in sorted(SOURCES):
        called = next((each for each in modules if each.startswith(source)), None)  # "unisender_go" is one, too
        if called is None:  # that of SES is called otherwise, and measured by `parse`
            continue
        name = f"anymail.webhooks.{called}"
        module = import_module(name)
        views = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == name]
        combined = [each for each in views if each.__name__.endswith("CombinedWebhookView")]
        view = (combined or [each for each in views if each.__name__.endswith("TrackingWebhookView")])[-1]
        yield source, view().parse_events


def make_request(raw: bytes) -> Any:
    """Return a request of Django with this body: JSON, or a form."""
    from django.test import RequestFactory  # type: ignore[import-untyped]

    is_json = raw.lstrip()[:1] in (b"{", b"[")
    kind = "application/json" if is_json else "application/x-www-form-urlencoded"
    return RequestFactory().generic("POST", "/", raw, content_type=kind)


def select_bodies(source: str, parse: Callable[[Any], Any]) -> list[Body]:
    """Select the samples of a source that both read without an error."""
    from anymail.exceptions import AnymailError  # type: ignore[import-untyped]
    from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]

    faults = (
        AftersendError,
        AnymailError,
        ImproperlyConfigured,
        AssertionError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    )
    found = []
    for sample in samples():
        if sample.source == source and not sample.path.stem.startswith("malformed"):
            try:
                facts = read(source, sample.body(), sample.headers)
                parse(make_request(sample.body()))
            except faults:
                continue  # one of both does not read it
            found.append(Body(sample, facts, sample.body()))
    return found


def count_agreed(body: Body, parse: Callable[[Any], Any]) -> int:
    """Count the facts of a sample that anymail has, too."""
    theirs = [(canonicalize_email(each.recipient or ""), each.event_type) for each in parse(make_request(body.raw))]
    return sum(
        any(recipient == fact.recipient and fact.kind in MEANS.get(kind, set()) for recipient, kind in theirs)
        for fact in body.facts
    )


def measure(run: Callable[[Any], object], inputs: Callable[[], list[Any]], events: int) -> float:
    """Return the microseconds of CPU for an event: the median of some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        given = inputs()
        start = time.process_time()
        for each in given:
            run(each)
        rounds.append((time.process_time() - start) / events * 1e6)
    return median(rounds)


def main() -> None:
    """Print one table."""
    classifier = classify.load()
    rows = []
    for source, parse in make_views():
        bodies = [each for each in select_bodies(source, parse) if each.facts]
        facts = [fact for each in bodies for fact in each.facts]
        if not facts:
            continue

        def whole(body: Body) -> None:
            for fact in read(body.sample.source, body.raw, body.sample.headers):
                if fact.recipient != UNNAMED:
                    merge(None, [fact], classifier)

        def requests(bodies: list[Body] = bodies) -> list[Any]:
            return [make_request(each.raw) for each in bodies]

        theirs = measure(parse, requests, len(facts))
        ours = measure(lambda body: read(body.sample.source, body.raw, body.sample.headers), lambda: bodies, len(facts))  # noqa: B023
        all_of_it = measure(whole, lambda: bodies, len(facts))  # noqa: B023
        agreed = sum(count_agreed(each, parse) for each in bodies)
        figures = [f"{each:.0f}" for each in (theirs, ours, all_of_it)]
        rows.append([source, str(len(facts)), *figures, f"{ours / theirs:.2f}", f"{agreed} of {len(facts)}"])
    table.show(
        "Microseconds of CPU for an event, beside django-anymail",
        ["provider", "events", "anymail", "read", "whole", "read/anymail", "agreed"],
        rows,
        [f"django-anymail {version('django-anymail')}; whole: read → classify → fold, which anymail does not do."],
    )


if __name__ == "__main__":
    main()

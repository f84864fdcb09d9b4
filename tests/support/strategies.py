"""Feedback for Hypothesis: few messages, recipients and times, so that it collides as often as it can."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend.core import policy
from aftersend.core.model import BY_MAIL, Context, Engagement, Evidence, Feedback, Kind, Phase, Reverted
from tests.support.facts import ANN, BOB, REFUSALS, START, VERDICTS, bounce, fact

_T = TypeVar("_T")

# A streak that few bounces make, so that Hypothesis makes many.
SHORT: Final = policy.load(
    "[streak]\nbounces = 2\napart_hours = 24\ngap_days = 3\nlapse_days = 30\n[pause]\nfull_hours = 48"
)

DAYS: Final = [START + timedelta(hours=12 * step) for step in range(14)]

_recipients: Final = st.sampled_from([ANN, ANN, ANN, BOB])
_messages: Final = st.sampled_from([f"test:{number}" for number in range(5)])
_said: Final = st.sampled_from(
    [(provider_code, code) for provider_code in sorted(VERDICTS) for code in (None, 450, 550)]
)
_forgeable: Final = st.sampled_from([False, False, False, True])
# Kinds that decide something come more often.
# What is inferred comes from no source: `test_validity` has it.
_kinds: Final = st.sampled_from(
    [
        *(kind for kind in Kind if kind is not Kind.EXPIRED),
        *[Kind.BOUNCED] * 8,
        *[Kind.DELIVERED] * 3,
        Kind.COMPLAINED,
        Kind.OPENED,
    ]
)
_attempts: Final = st.none() | st.integers(1, 20)


@st.composite
def facts(draw: st.DrawFn, kinds: st.SearchStrategy[Kind] = _kinds) -> Feedback:
    """One fact, as some path reports it."""
    kind = draw(kinds)
    evidence = None
    if kind in REFUSALS:
        provider_code, code = draw(_said)
        evidence = Evidence(provider_code=provider_code, code=code, forgeable=draw(_forgeable))
    elif kind in (Kind.COMPLAINED, Kind.UNSUBSCRIBED, Kind.DELIVERED):
        evidence = Evidence(forgeable=draw(_forgeable))
    seen = None
    if kind in (Kind.OPENED, Kind.CLICKED):
        seen = Engagement(link=draw(st.sampled_from([None, "https://example.com/a", "https://example.com/b"])))
    scope = draw(st.sampled_from([None, "news"])) if kind in (Kind.UNSUBSCRIBED, Kind.SUBSCRIBED) else None
    fact = Feedback(
        source="test",
        kind=kind,
        message=draw(_messages),
        recipient=draw(_recipients),
        occurred_at=draw(st.sampled_from(DAYS)),
        scope=scope,
        evidence=evidence,
        engagement=seen,
    )
    return vary(draw(ways), fact)


class _Way(NamedTuple):
    """How one path reports a fact: what it adds and what it leaves out decides nothing."""

    received_as: str | None
    remote_mta: str | None
    reporting_mta: str | None
    attempt: int | None
    derived: bool
    machine: bool
    context: Context | None


def _ways(random: Random, count: int) -> Iterator[_Way]:
    """`count` ways, drawn once: a fact is then reported by a single draw, which keeps the laws fast."""
    hosts = [None, "mx.example.com", "out.example.net"]
    for _ in range(count):
        names = random.sample(["campaign", "tenant", "x-order"], random.randrange(4))
        context = Context(
            sender=random.choice([None, "news@example.com", "shop@example.com"]),
            subject=random.choice([None, "Hello", "Héllo 🎉"]),
            correlation={name: random.choice("12") for name in names},
        )
        yield _Way(
            received_as=random.choice([None, "Ann@Example.com", "ANN@example.com"]),
            remote_mta=random.choice(hosts),
            reporting_mta=random.choice(hosts),
            attempt=random.choice([None, 1, 2, 9]),
            derived=random.choice([True, False]),
            machine=random.choice([True, False]),
            context=random.choice([None, context]),
        )


_WAYS: Final = [_Way(None, None, None, None, False, False, None), *_ways(Random(1), 60)]
ways: Final = st.sampled_from(_WAYS)


def vary(way: _Way, fact: Feedback) -> Feedback:
    """The same fact by another path, which reports more or less of where it was seen on its way."""
    evidence, seen = fact.evidence, fact.engagement
    if evidence is not None:
        evidence = replace(
            evidence,
            remote_mta=evidence.remote_mta if fact.kind in REFUSALS else way.remote_mta,
            reporting_mta=way.reporting_mta,
            attempt=way.attempt,
            derived=way.derived,
        )
    if seen is not None:
        seen = replace(seen, machine=way.machine)
    copy = replace(fact, evidence=evidence, engagement=seen, received_as=way.received_as, context=way.context, id="")
    assert copy.id == fact.id, "what differs is no part of a fact's identity"
    return copy


@st.composite
def feedback(draw: st.DrawFn, max_size: int = 12) -> list[Feedback]:
    """Facts about few messages, some of them reported several times and not alike."""
    once = draw(st.lists(facts(), min_size=1, max_size=max_size))
    again = draw(st.lists(st.sampled_from(once), max_size=4))
    return once + [vary(draw(ways), each) for each in again]


_reported: Final = st.sampled_from(
    [Kind.BOUNCED] * 8
    + [Kind.DEFERRED] * 4
    + [Kind.DELIVERED, Kind.REJECTED, Kind.COMPLAINED, Kind.COMPLAINT_WITHDRAWN, Kind.UNSUBSCRIBED, Kind.AUTO_REPLIED]
)
_vouchers: Final = st.sampled_from([None, Kind.SENT, Kind.SENT, Kind.DELIVERED, Kind.OPENED, Kind.BOUNCED])


@st.composite
def reports(draw: st.DrawFn, max_size: int = 12) -> list[Feedback]:
    """Reports by mail, of any number, about one or two messages to Ann, each with or without what vouches for it.

    Some are about messages of Amazon SES, and some carry a token: those are not forgeable.
    """
    mailed = []
    for number in range(draw(st.integers(1, 2))):
        sender = draw(st.sampled_from(["test", "ses"]))
        name = f"{sender}:{number}"
        for kind, at in draw(st.lists(st.tuples(_reported, st.sampled_from(DAYS)), min_size=4, max_size=max_size)):
            provider_code, code = (
                draw(_said) if kind in REFUSALS else (draw(st.sampled_from([None, "ARF/abuse"])), None)
            )
            scope = draw(st.sampled_from([None, "news"])) if kind in _WISHES else None
            evidence = Evidence(provider_code=provider_code, code=code, forgeable=draw(_tokenless))
            mailed.append(fact(kind, message=name, occurred_at=at, scope=scope, evidence=evidence, source=BY_MAIL))
        if (voucher := draw(_vouchers)) is not None:
            provider_code = draw(st.sampled_from(["soft", "hard"])) if voucher is Kind.BOUNCED else None
            mailed.append(
                fact(voucher, code=provider_code, message=name, occurred_at=draw(st.sampled_from(DAYS)), source=sender)
            )
    return mailed


_tokenless: Final = st.sampled_from([True] * 5 + [False])


@st.composite
def firsthand(draw: st.DrawFn) -> list[Feedback]:
    """What Amazon SES says of a few messages to Ann: bounces that make streaks, complaints, and what ends them."""
    said = []
    kinds = [Kind.BOUNCED] * 5 + [Kind.SENT, Kind.DELIVERED, Kind.COMPLAINED, Kind.COMPLAINED, Kind.COMPLAINT_WITHDRAWN]
    for number in draw(st.lists(st.integers(0, 3), min_size=1, max_size=8)):
        kind = draw(st.sampled_from(kinds))
        provider_code = (
            draw(st.sampled_from(["soft", "soft", "full", "hard", "block"])) if kind is Kind.BOUNCED else None
        )
        at = draw(st.sampled_from(DAYS))
        said.append(fact(kind, code=provider_code, message=f"ses:{number}", occurred_at=at, source="ses"))
    return said


_WISHES: Final = frozenset({Kind.COMPLAINED, Kind.COMPLAINT_WITHDRAWN, Kind.UNSUBSCRIBED})


@st.composite
def streaks(draw: st.DrawFn) -> list[Feedback]:
    """What makes and ends streaks: few messages to one recipient, each reported in several ways, hours apart."""
    kinds = [Kind.BOUNCED] * 6 + [Kind.DELIVERED, Kind.COMPLAINED, Kind.AUTO_REPLIED, Kind.OPENED, Kind.REJECTED]
    found = []
    for number in draw(st.lists(st.integers(0, 4), min_size=2, max_size=9)):
        kind = draw(st.sampled_from(kinds))
        provider_code = draw(st.sampled_from(["soft"] * 5 + ["hard", "block"])) if kind in REFUSALS else None
        found.append(fact(kind, draw(st.integers(0, 15)) / 2, provider_code, message=f"test:{number}"))
    return found


@st.composite
def long_histories(draw: st.DrawFn) -> list[Feedback]:
    """More bounces of one recipient than are read at once: bursts, and what lies between and among them."""
    history: list[Feedback] = []
    for number, day in enumerate(draw(st.lists(st.integers(0, 28), min_size=2, max_size=4, unique=True))):
        size, minutes = draw(st.sampled_from([1, 2, 5, 17, 40])), draw(st.sampled_from([0, 1, 25]))
        provider_code = draw(st.sampled_from(["soft", "soft", "full", "hard"]))
        moments = [day / 2 + place * minutes / 1440 for place in range(size)]
        source = draw(st.sampled_from(["test", "test", BY_MAIL]))
        history += [
            bounce(at, provider_code, f"test:{number}-{place}", source=source) for place, at in enumerate(moments)
        ]
    names = [*sorted({each.message for each in history}), "test:other", "test:another"]
    kinds = [Kind.DELIVERED] * 3 + [Kind.OPENED, Kind.COMPLAINED, Kind.REJECTED, *[Kind.BOUNCED] * 2]
    for kind, half in draw(st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 29)), max_size=6)):
        word = draw(st.sampled_from(["hard", "block", "soft"])) if kind in REFUSALS else None
        forgeable = draw(st.sampled_from([False, False, True]))
        evidence = Evidence(provider_code=word, forgeable=forgeable) if word or forgeable else None
        source = BY_MAIL if forgeable else draw(st.sampled_from(["test", "test", BY_MAIL]))
        history.append(fact(kind, half / 2, message=draw(st.sampled_from(names)), evidence=evidence, source=source))
    return history


@st.composite
def reverts(draw: st.DrawFn) -> list[Reverted]:
    """Windows of time in which evidence for one reason does not count."""
    reasons = st.sampled_from(sorted({VERDICTS[code].reason for code in ("soft", "soft", "full", "hard")}))
    ends = st.tuples(st.integers(0, 15), st.integers(0, 6), reasons)
    return [
        Reverted(START + timedelta(hours=12 * since), START + timedelta(hours=12 * (since + length)), reason)
        for since, length, reason in draw(st.lists(ends, min_size=1, max_size=3))
    ]


@st.composite
def deliveries(draw: st.DrawFn, items: Sequence[_T]) -> list[list[_T]]:
    """`items` in any order, some of it repeated, split into batches anywhere."""
    repeats = draw(st.lists(st.sampled_from(items), max_size=4))
    shuffled = draw(st.permutations([*items, *repeats]))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    edges = [0, *cuts, len(shuffled)]
    return [shuffled[start:end] for start, end in itertools.pairwise(edges) if end > start]


# What strangers write: every character that JSON, DynamoDB or a log might stumble over.
hostile: Final = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\<>@,;:()[]\x00\x1f\n\u2028\ufeff'), max_size=60
)


@st.composite
def full_evidence(draw: st.DrawFn, text: Any = hostile) -> Evidence:
    """Evidence with any field given or not."""
    maybe = st.none() | text
    return Evidence(
        code=draw(st.none() | st.integers(200, 599)),
        status=draw(st.sampled_from([None, "5.1.1", "4.2.2"])),
        text=draw(maybe),
        provider_code=draw(maybe),
        action=draw(st.sampled_from([None, "failed", "delayed"])),
        phase=draw(st.none() | st.sampled_from(Phase)),
        remote_mta=draw(maybe),
        reporting_mta=draw(maybe),
        attempt=draw(_attempts),
        event_id=draw(maybe),
        tls=draw(maybe),
        derived=draw(st.booleans()),
        forgeable=draw(st.booleans()),
    )

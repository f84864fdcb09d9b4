"""No item grows too large, whatever strangers send and however much of it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from aftersend.core.feedback_set import BOUNDS, SCOPES
from aftersend.core.model import Class, Context, Engagement, Evidence, Feedback, Kind, Phase, Reason, Verdict
from aftersend.core.outcome import merge
from aftersend.core.text import truncate
from aftersend.sources import read
from aftersend.sources.smtp_reply import MAX_TEXT
from aftersend.storage import items, packing
from tests.support import ses
from tests.support.facts import REFUSALS, START, VERDICTS, classify
from tests.support.ports import RETENTION

LIMIT = 64 * 1024


def _unpacked_size(item: items.Item) -> int:
    """The size of an item whose facts are not packed: not every text can be."""
    facts = packing.unpack_facts(item["feedback"])
    plain = facts.decode() if isinstance(facts, bytes) else facts
    return packing.measure_item(item | {"feedback": {"S": plain}})


# Characters that take the most room: quotation marks and backslashes are escaped, the others have several bytes.
_FILLERS = ['"', "\\", "é", "漢", "🎉", "a"]


def _widest(limit: int, filler: str) -> str:
    return truncate(filler * limit, limit)


# What a source says of a conversation with another system, it may say of how that was secured.
_SECURED = (Kind.DEFERRED, Kind.DELIVERED, Kind.BOUNCED, Kind.UNKNOWN)


def _largest(kind: Kind, number: int, filler: str, *, forgeable: bool = False) -> Feedback:
    """A fact with every field that its kind can have, as long as parsers let it be.

    It names mail servers, so its code is one of SMTP: what another protocol says has room for that protocol's name.
    """
    seen = kind in (Kind.OPENED, Kind.CLICKED)
    chosen = kind in (Kind.UNSUBSCRIBED, Kind.SUBSCRIBED)
    return Feedback(
        source="x" * 12,
        kind=kind,
        message="ses:" + _widest(200, filler),
        recipient="email:" + _widest(320, filler),
        occurred_at=START + timedelta(minutes=number),
        received_as=_widest(320, filler),
        scope=_widest(64, filler) + "/" + _widest(64, filler) if chosen else None,
        evidence=None
        if seen
        else Evidence(
            code=550,
            status="x" * 11,
            text=_widest(MAX_TEXT, filler),
            provider_code=_widest(64, filler),
            action=_widest(16, filler),
            phase=Phase.MAIL_FROM,
            remote_mta=_widest(64, filler),
            reporting_mta=_widest(64, filler),
            attempt=999_999,
            event_id=_widest(80, filler),
            tls=_widest(96, filler) if kind in _SECURED and not forgeable else None,
            derived=True,
            forgeable=forgeable,
        ),
        engagement=Engagement(
            ip=_widest(45, filler), user_agent=_widest(256, filler), link=_widest(512, filler), machine=True
        )
        if seen
        else None,
        context=Context(
            sender=_widest(320, filler),
            subject=_widest(256, filler),
            correlation={f"{each:02d}" + _widest(62, filler): _widest(128, filler) for each in range(16)},
        ),
    )


# What a mail may report, and how its meaning is told apart.
_REPORTED = (
    Kind.BOUNCED, Kind.REJECTED, Kind.DEFERRED, Kind.DELIVERED, Kind.AUTO_REPLIED, Kind.UNKNOWN,
    Kind.COMPLAINED, Kind.COMPLAINT_WITHDRAWN, Kind.UNSUBSCRIBED,
)  # fmt: skip
_SCOPED = (Kind.COMPLAINED, Kind.COMPLAINT_WITHDRAWN, Kind.UNSUBSCRIBED)
_LONGEST = {word: replace(verdict, rule="x" * 64) for word, verdict in VERDICTS.items()} | {
    "complaint": Verdict(klass=Class.COMPLAINT, reason=Reason.COMPLAINT, rule="x" * 64)
}


def _reported(fact: Feedback, meaning: str, scope: str) -> Feedback:
    assert fact.evidence is not None
    evidence = replace(fact.evidence, action=meaning)
    at = fact.occurred_at + timedelta(seconds=sorted(_LONGEST).index(meaning))
    scope_or_none = scope if fact.kind in _SCOPED else None
    return replace(fact, evidence=evidence, occurred_at=at, scope=scope_or_none, id="")


def _judge(fact: Feedback) -> Verdict | None:
    if fact.kind not in REFUSALS or fact.evidence is None:
        return classify(fact)
    return fact.evidence.judged or _LONGEST.get(fact.evidence.action or "")


@pytest.mark.parametrize("filler", _FILLERS)
def test_an_item_never_passes_64_kb(filler: str) -> None:
    """Design §4: "An item never passes 64 KB", with every field of every fact at its longest and every kind full."""
    facts = [_largest(kind, number, filler) for kind in Kind for number in range(BOUNDS[kind] + 3)]
    forged = [
        _reported(_largest(kind, 99 + number, filler, forgeable=True), meaning, scope)
        for kind in _REPORTED
        for scope in ("a", "b" * 64 + "c" * 64, "d")
        for meaning in ("hard", "listed", "complaint", "soft")
        for number in range(3)
    ]
    outcome = merge(None, [*facts, *forged], _judge)
    wide, scoped = 2 * 4, 2 * SCOPES
    assert len(outcome.feedback) == sum(BOUNDS.values()) + 2 * wide + 3 * scoped + 4 * 2
    size = _unpacked_size(items.encode_outcome(outcome, RETENTION))
    assert LIMIT // 3 < size <= LIMIT


@pytest.mark.parametrize("filler", _FILLERS)
def test_the_largest_body_of_ses_stays_within_the_bounds(filler: str) -> None:
    """What the largest facts above promise of a parser, observed with the largest body."""
    much = filler * 2000
    body = ses.event(
        "Bounce",
        {
            "bounceType": much,
            "bounceSubType": much,
            "bouncedRecipients": [
                {"emailAddress": f"{much}@{much}", "action": much, "status": much, "diagnosticCode": much}
            ],
            "timestamp": "2026-03-01T00:00:00Z",
            "feedbackId": much,
            "reportingMTA": much,
        },
        source=much,
        messageId=much,
        tags={f"{number}{much[:200]}": [much[:500]] for number in range(40)},
        headers=[{"name": f"X-{number}{much[:200]}", "value": much[:500]} for number in range(40)],
        commonHeaders={"subject": much},
    )
    [fact] = read("ses", ses.raw(body))
    largest = _largest(Kind.BOUNCED, 0, '"')
    for part, bound in ((fact, largest), (fact.evidence, largest.evidence), (fact.context, largest.context)):
        assert part is not None
        for name in part.__struct_fields__:
            value = getattr(part, name)
            if isinstance(value, str) and name != "kind":
                assert len(json.dumps(value, ensure_ascii=False).encode()) <= len(json.dumps(getattr(bound, name)))
    assert fact.context is not None
    assert len(fact.context.correlation) <= 16
    assert max(len(json.dumps(name, ensure_ascii=False).encode()) for name in fact.context.correlation) <= 66
    assert max(len(json.dumps(each, ensure_ascii=False).encode()) for each in fact.context.correlation.values()) <= 130

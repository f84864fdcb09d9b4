"""Facts and verdicts for tests of what comes after parsing: short to write, and independent of the real rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unittest.mock import patch

import msgspec

from aftersend.core import validity
from aftersend.core.model import Class, Evidence, Feedback, Kind, Reason, Verdict
from aftersend.sources import SOURCES, Source
from aftersend.sources.message import Message

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
ANN: Final = "email:ann@example.com"
BOB: Final = "email:bob@example.org"

# What a refusal means is in its provider code here.
VERDICTS: Final = {
    "hard": Verdict(klass=Class.HARD, reason=Reason.USER_UNKNOWN, rule="test.hard"),
    "soft": Verdict(klass=Class.SOFT, reason=Reason.SYSTEM_ERROR, rule="test.soft"),
    "full": Verdict(klass=Class.SOFT, reason=Reason.MAILBOX_FULL, rule="test.full"),
    "block": Verdict(klass=Class.BLOCK, reason=Reason.BLOCKED, rule="test.block"),
    "ignore": Verdict(klass=Class.IGNORE, reason=Reason.GREYLISTED, rule="test.ignore"),
    "listed": Verdict(klass=Class.IGNORE, reason=Reason.SUPPRESSED, rule="test.listed"),
    "large": Verdict(klass=Class.IGNORE, reason=Reason.MESSAGE_TOO_LARGE, rule="test.large"),
    "unclear": Verdict(klass=Class.UNDETERMINED, reason=Reason.UNDETERMINED, rule="test.unclear"),
}
_COMPLAINT: Final = Verdict(klass=Class.COMPLAINT, reason=Reason.COMPLAINT, rule="test.complaint")
_AUTO_REPLY: Final = Verdict(klass=Class.IGNORE, reason=Reason.AUTO_REPLY, rule="test.auto-reply")
REFUSALS: Final = (Kind.BOUNCED, Kind.REJECTED, Kind.DEFERRED)


def classify(fact: Feedback) -> Verdict | None:
    """Return the verdict that the fact's provider code names."""
    if fact.kind is Kind.COMPLAINED:
        return _COMPLAINT
    if fact.kind is Kind.AUTO_REPLIED:
        return _AUTO_REPLY
    if fact.kind is Kind.EXPIRED:
        return validity.VERDICT
    if fact.kind in REFUSALS and fact.evidence is not None:
        if fact.evidence.judged is not None:
            return fact.evidence.judged
        return VERDICTS.get(fact.evidence.provider_code or "")
    return None


def fact(kind: Kind, day: float = 0, code: str | None = None, **others: Any) -> Feedback:
    """Return a fact about Ann and one message, `day` days after the start."""
    given: dict[str, Any] = {
        "source": "test",
        "kind": kind,
        "message": "test:1",
        "recipient": ANN,
        "occurred_at": START + timedelta(days=day),
        "evidence": Evidence(provider_code=code) if code else None,
    }
    return Feedback(**(given | others))


def bounce(day: float, code: str = "soft", message: str = "test:1", **others: Any) -> Feedback:
    """Return a bounce whose verdict is that of `code`."""
    return fact(Kind.BOUNCED, day, code, message=message, **others)


def message(facts: Sequence[Feedback], name: str = "m", at: datetime = START, source: str = "test") -> Message:
    """Return a message whose body holds `facts`."""
    return Message(name, msgspec.json.encode(facts), at, source)


@contextmanager
def fake_source() -> Iterator[None]:
    """Register a source `test`, whose bodies are JSON lists of facts."""
    with patch.dict(SOURCES, {"test": Source(parser="tests.support.fake_source")}):
        yield

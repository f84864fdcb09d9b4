"""Renders outcomes as flat rows of JSON Lines, for whoever asks questions of their own. Pure.

Each field of `OutcomeRow` is a column of the Glue table in `template.yaml`. Times are texts in UTC, as
`from_iso8601_timestamp` reads them. What a server answered is left out: it may name anybody, and lies in the archive.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct, field

from aftersend.core.erasure import is_alias
from aftersend.core.model import Feedback, Outcome
from aftersend.core.receiving_system import find_system
from aftersend.core.recipient import split_channel
from aftersend.core.times import Moment
from aftersend.core.vocabulary import Channel


class OutcomeRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one message to one recipient, without the feedback that it follows from."""

    message: str
    recipient: str
    channel: str | None = None
    recipient_domain: str | None = None
    receiving_system: str | None = None
    source: str  # of the feedback that speaks
    status: str
    klass: str | None = field(name="class", default=None)
    reason: str | None = None
    rule: str | None = None
    review: str | None = None
    code: int | None = None  # of the answer that speaks, and its enhanced status code
    status_code: str | None = None
    remote_mta: str | None = None
    sender: str | None = None
    sender_domain: str | None = None
    subject: str | None = None
    first_at: Moment
    last_at: Moment
    delivered_at: Moment | None = None
    bounced_at: Moment | None = None
    complained_at: Moment | None = None
    opened_at: Moment | None = None
    clicked_at: Moment | None = None
    engaged_at: Moment | None = None
    opens: int = 0
    clicks: int = 0
    attempts: int = 0
    auto_replied: bool = False
    unproven: bool = False  # anybody could have sent all of it
    correlation: dict[str, str] = {}  # the sender's own identifiers: tags, headers, campaigns
    version: int


_SAME: Final = tuple(name for name in OutcomeRow.__struct_fields__ if name in Outcome.__struct_fields__)
_encode: Final = msgspec.json.Encoder().encode_lines


def render_outcomes(outcomes: Iterable[Outcome]) -> bytes:
    """Return a line of JSON for each outcome; those of the erased have none, as nobody could know whose they are."""
    return _encode([make_row(outcome) for outcome in outcomes if not is_alias(outcome.recipient)])


def make_row(outcome: Outcome) -> OutcomeRow:
    """Return the row of one outcome."""
    speaks = next(fact for fact in outcome.feedback if fact.id == outcome.decided_by)
    channel, address = split_channel(outcome.recipient)
    remote_mta = _find_remote_mta(outcome, speaks)
    evidence, verdict, context = speaks.evidence, outcome.verdict, outcome.context
    return OutcomeRow(
        **{name: getattr(outcome, name) for name in _SAME},
        channel=channel,
        recipient_domain=address.rpartition("@")[2] if channel is Channel.EMAIL else None,
        receiving_system=find_system(outcome.recipient, remote_mta) or None,
        source=speaks.source,
        klass=verdict.klass if verdict else None,
        reason=verdict.reason if verdict else None,
        rule=verdict.rule if verdict else None,
        code=evidence.code if evidence else None,
        status_code=evidence.status if evidence else None,
        remote_mta=remote_mta,
        sender=context.sender,
        sender_domain=context.sender.rpartition("@")[2] if context.sender else None,
        subject=context.subject,
        unproven=not outcome.proven,
        correlation=context.correlation,
    )


def _find_remote_mta(outcome: Outcome, speaks: Feedback) -> str | None:
    """The host that answered in the feedback that speaks, or the last one that is named."""
    for fact in (speaks, *reversed(outcome.feedback)):
        if fact.evidence and fact.evidence.remote_mta:
            return fact.evidence.remote_mta
    return None

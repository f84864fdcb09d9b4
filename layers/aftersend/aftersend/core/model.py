"""The structures of Aftersend: what a source says, what is known of a message, why an address is suppressed.

Everything here is immutable data. Every time is an aware UTC `datetime` cut to milliseconds and is the time of the
*event*, never of the notice that reported it.
"""

# Annotations are code here: as texts, msgspec would compile each of them at a start (decision 69).

from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Struct, field
from msgspec.structs import force_setattr

from aftersend.core.decisions import Decision, Reverted
from aftersend.core.vocabulary import Act, CauseKind, Class, Kind, Phase, Protocol, Reason, Status

__all__ = [
    "Act",
    "Cause",
    "CauseKind",
    "Class",
    "Context",
    "Decision",
    "Engagement",
    "Evidence",
    "EvidenceRef",
    "Feedback",
    "Key",
    "Kind",
    "Life",
    "Outcome",
    "Phase",
    "Protocol",
    "Reason",
    "Reverted",
    "Status",
    "Suppression",
    "Verdict",
    "is_proven",
]

Key = tuple[str, str]
UNNAMED: Final = ""  # the recipient of a fact whose source named none
IMPORTED: Final = "import:"  # begins the source of evidence that a list gave, before the name of its format
BY_MAIL: Final = "report"  # the source of what came as mail, by whichever way it was handed on

_encode: Final = msgspec.json.Encoder().encode


class Verdict(Struct, frozen=True, kw_only=True, gc=False):
    """What a refusal means: class, reason, and the rule that decided. Derived, never part of a fact."""

    klass: Class = field(name="class")
    reason: Reason
    rule: str  # id of the deciding rule


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the source gave as proof, in its own terms. Bounded: the archive has the whole."""

    code: int | None = None  # of the answer: an SMTP reply (200..599), or what `protocol` has
    protocol: Protocol | None = None  # whose code that is; None is SMTP
    status: str | None = None  # enhanced status code, RFC 3463: "5.1.1"
    text: str | None = None  # diagnostic text, at most 1,024 bytes of UTF-8
    provider_code: str | None = None  # the source's own type and sub-type: "Permanent/NoEmail"
    action: str | None = None  # RFC 3464 Action: failed, delayed, delivered, relayed, expanded
    phase: Phase | None = None
    remote_mta: str | None = None
    reporting_mta: str | None = None
    attempt: int | None = None  # 1 is the first
    event_id: str | None = None  # the source's own id of the event
    tls: str | None = None  # how the connection was secured; no part of a fact's identity
    derived: bool = False  # the recipient was inferred, not named, by the source
    forgeable: bool = False  # anybody could have sent this, and nothing in it proves otherwise
    judged: Verdict | None = None  # what it meant while it was whole; no part of a fact's identity


class Engagement(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Who opened or clicked, as far as the source reports."""

    ip: str | None = None
    user_agent: str | None = None
    link: str | None = None
    machine: bool = False  # a mail privacy proxy or a scanner fetched it, not a person


class Context(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the *sender* said of the message; the same for all its feedback."""

    sender: str | None = None
    subject: str | None = None
    correlation: dict[str, str] = {}  # the sender's own identifiers: tags, custom headers


class Feedback(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One thing that a source said about one message and one recipient: an immutable fact.

    It holds no verdict: a verdict is derived, so the same fact read under newer rules is still the same fact.

    `id` is a digest over what makes it *the same fact*, by whichever path and however often it arrives: all that
    decides something. So two copies of one fact have one verdict, and facts have one total order,
    `(occurred_at, id)`, which no path can change. Where it was seen on its way (MTAs, headers, tags) may differ.
    """

    source: str
    kind: Kind
    message: str  # the join key, named by the system that sent it: "ses:<messageId>"
    recipient: str  # canonical, with its channel: "email:user@example.com"; or UNNAMED, which no outcome has
    occurred_at: datetime
    received_as: str | None = None  # the recipient as the source spelled it, where that differs
    scope: str | None = None  # the stream that was left or joined; None is all of them
    evidence: Evidence | None = None
    engagement: Engagement | None = None
    context: Context | None = None
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            force_setattr(self, "id", blake2b(_encode(_select_decisive(self)), digest_size=10).hexdigest())

    @property
    def key(self) -> Key:
        """The outcome that this fact belongs to."""
        return self.recipient, self.message

    @property
    def order(self) -> tuple[datetime, str]:
        """The one total order of facts."""
        return self.occurred_at, self.id

    @property
    def forgeable(self) -> bool:
        """Whether anybody could have sent it, and nothing in it proves otherwise."""
        return self.evidence is not None and self.evidence.forgeable


_JUDGED: Final = frozenset({Kind.BOUNCED, Kind.DEFERRED, Kind.REJECTED})


def _select_decisive(fact: Feedback) -> tuple[object, ...]:
    """All of a fact that decides something."""
    proof: tuple[object, ...] = ()
    if (one := fact.evidence) is not None:
        proof = (one.event_id, one.code, one.status, one.text, one.provider_code, one.action, one.phase)
        if one.protocol is not None:
            proof += (one.protocol,)
        if one.forgeable:
            proof += ("forgeable",)
        if fact.kind in _JUDGED:  # rules may look at the machine that answered
            proof += (one.remote_mta,)
    if (seen := fact.engagement) is not None:
        proof += (seen.link, seen.user_agent, seen.ip)
    return fact.source, fact.kind, fact.message, fact.recipient, fact.occurred_at, fact.scope, proof


def is_proven(facts: Iterable[Feedback]) -> bool:
    """Return whether any of these facts is one that not anybody could have sent."""
    return any(not fact.forgeable for fact in facts)


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is known of one message and one recipient: the set of its feedback, and what follows from it.

    Everything below `context` is derived by `outcome.fold` and by nothing else, but for `resolved`, which a person
    decides, and `version`, which counts the writes.
    """

    message: str
    recipient: str
    feedback: tuple[Feedback, ...]  # bounded, in the order of facts
    context: Context = Context()
    status: Status
    verdict: Verdict | None = None
    decided_by: str  # id of the feedback that speaks
    first_at: datetime
    last_at: datetime
    delivered_at: datetime | None = None
    bounced_at: datetime | None = None
    complained_at: datetime | None = None
    opened_at: datetime | None = None  # the first one
    clicked_at: datetime | None = None  # the first one
    engaged_at: datetime | None = None  # the last sign of life: open, click, or a change of subscription
    opens: int = 0
    clicks: int = 0
    attempts: int = 0
    auto_replied: bool = False
    review: str | None = None  # why a person should look: undetermined, content, contradicted
    saturated: tuple[str, ...] = ()  # kinds whose bound was reached, and "correlation": there may be more of them
    due_at: datetime | None = None  # when it expires, or did, unless more is heard: see `validity`
    resolved: Decision | None = None  # the last time that a person looked; what was known by then needs no review
    version: int = 0

    @property
    def key(self) -> Key:
        """Recipient and message: the key of the table."""
        return self.recipient, self.message

    @property
    def proven(self) -> bool:
        """Whether it rests on more than what anybody could have sent."""
        return is_proven(self.feedback)


class EvidenceRef(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A piece of evidence in a cause: which feedback, when, and from which source."""

    at: datetime
    feedback: str  # feedback id
    message: str
    source: str
    reason: Reason | None = None
    rule: str | None = None  # the rule of the verdict
    provider_code: str | None = None  # the source's own type and sub-type
    derived: bool = False  # of a complaint: whose it is was inferred, not named
    forgeable: bool = False  # anybody could have sent it, and somebody vouches for the message

    @property
    def order(self) -> tuple[datetime, str]:
        """The same total order that facts have."""
        return self.at, self.feedback

    def is_inside(self, window: Reverted) -> bool:
        """Return whether this evidence does not count because of `window`."""
        return window.since <= self.at <= window.until and window.reason == self.reason


class Cause(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Why an address must not be written to. Evidence only widens, so a cause is a set too.

    Windows of time in which evidence does not count may take in both `first` and `latest` of a hard bounce, so it has
    more of its evidence, in order and bounded. `withdrawn` is the latest feedback that takes such a cause back (ARF
    not-spam for a complaint, a new subscription for an unsubscription); it may come before the evidence does.
    """

    first: EvidenceRef | None = None
    latest: EvidenceRef | None = None
    between: tuple[EvidenceRef, ...] = ()  # of a hard bounce: other evidence, which may count where those do not
    withdrawn: EvidenceRef | None = None
    named: EvidenceRef | None = None  # of a complaint whose latest evidence is derived: the latest that is not
    contradicted: EvidenceRef | None = None  # of a hard bounce: the last sign of life after it
    count: int | None = None  # bounces of a streak
    until: datetime | None = None  # None has no end


class Life(Struct, frozen=True, omit_defaults=True, gc=False):
    """What is known of a recipient's signs of life: the last ones in all outcomes, or that there is none."""

    last: EvidenceRef | None = None
    firsthand: EvidenceRef | None = None  # the last that came by no mail: what came by mail ends only what did
    pending: bool = False  # they matter from now on, and whoever sees this must find out which they are


class Suppression(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Why one recipient must not be written to in one scope ("*" is every stream)."""

    recipient: str
    scope: str = "*"
    causes: dict[CauseKind, Cause] = {}
    released_at: datetime | None = None  # evidence up to then no longer counts, but for wishes that name whose they are
    released_by: str | None = None
    note: str | None = None  # why it was released
    forced_at: datetime | None = None  # evidence up to then no longer counts, complaints and leaving neither
    reverted: tuple[Reverted, ...] = ()
    life: Life | None = None  # where a hard bounce or a row of soft ones makes it matter; None is not known
    history: tuple[Decision, ...] = ()  # who decided what: the last ones, in their order
    version: int = 0

    @property
    def key(self) -> Key:
        """Recipient and scope: the key of the table."""
        return self.recipient, self.scope

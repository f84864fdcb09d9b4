"""One sentence that says whether a recipient is written to, why, since when, and whether that may be lifted. Pure.

Every face of the product shows this sentence: the API, the command, the console, a help desk of the sender's own. So it
is made in one place, out of what is stored. It is made of three parts: who and where, what happened in whose words,
and what may be done. It says who said something: the receiving domain, the person, the provider, a colleague.

Days are days in UTC; the hour is named only where it matters, for what is over within hours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from aftersend.core.active_causes import ActiveCause, EndedBy, describe_active_causes, find_end, find_ending
from aftersend.core.model import IMPORTED, Act, Cause, CauseKind, Decision, EvidenceRef, Reason, Reverted, Suppression
from aftersend.core.recipient import split_channel
from aftersend.core.suppression import (
    WISHES,
    find_active_causes,
    select_counting_evidence,
)
from aftersend.core.times import Moment
from aftersend.core.vocabulary import Channel

NameSource = Callable[[str], str]  # what people call a source: "Amazon SES"

_ALL: Final = "*"
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


class Lift(StrEnum):
    """Whether a suppression may be lifted, strictest first: of several causes that hold the strictest counts."""

    FORCE = "force"  # a complaint: at the person's own wish alone, and with force
    CONSENT = "consent"  # the person left: only they may undo that
    ASK = "ask"  # a person decided, or asked to be forgotten
    PROVIDER = "provider"  # the provider's own list has to be left, too
    IF_KNOWN = "if-known"  # whoever lifts it has to know that what was refused works again
    WAIT = "wait"  # it ends by itself, soon
    FREE = "free"
    NOTHING = "nothing"  # nothing holds


class SuppressionAnswer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to "why does this person get nothing?"."""

    sentence: str  # all of it: for people
    lift: Lift
    lift_sentence: str  # its last part: what may be done
    ends_at: Moment | None = None  # when it ends by itself; missing where something has no end, or nothing holds


class StoredRow(Struct, frozen=True):
    """A suppression as it is stored, and the windows of evidence that does not count for now."""

    stored: Suppression
    pending: tuple[Reverted, ...] = ()


# The order in which causes are named: a person's own wishes first, and what ends by itself last.
_ORDER: Final = (
    *(CauseKind.COMPLAINT, CauseKind.UNSUBSCRIBED, CauseKind.MANUAL, CauseKind.HARD),
    *(CauseKind.PROVIDER, CauseKind.STREAK, CauseKind.PAUSE),
)
_STRICTNESS: Final = {lift: place for place, lift in enumerate(Lift)}
_SENT: Final = {
    Channel.EMAIL: "mail is sent",
    Channel.SMS: "text messages are sent",
    Channel.PUSH: "notifications are sent",
}
# Who refuses, where it is not the domain of an address.
_REFUSERS: Final = {Channel.SMS: "the network", Channel.PUSH: "the push service"}
_REFUSED_FOR_GOOD: Final = "said on {day} that it refuses messages for good"
_REFUSALS: Final[dict[Channel, dict[Reason, str]]] = {
    Channel.EMAIL: {
        Reason.USER_UNKNOWN: "said on {day} that there is no such mailbox",
        Reason.INVALID_ADDRESS: "said on {day} that the address is not a valid one",
        Reason.INVALID_DOMAIN: "takes no mail, as was found on {day}",
        Reason.MAILBOX_DISABLED: "said on {day} that the mailbox is disabled",
    },
    Channel.SMS: {
        Reason.USER_UNKNOWN: "said on {day} that nobody has this number",
        Reason.INVALID_ADDRESS: "said on {day} that this is no number that takes text messages",
        Reason.MAILBOX_DISABLED: "said on {day} that this number is out of service",
    },
    Channel.PUSH: {
        Reason.USER_UNKNOWN: "said on {day} that the app is no longer on this device",
        Reason.INVALID_ADDRESS: "said on {day} that this is none of its tokens",
    },
}
_SOFT_REASONS: Final = {
    Reason.MAILBOX_FULL: "the mailbox is full",
    Reason.EXPIRED: "nobody answered in time",
    Reason.DNS_FAILURE: "the domain could not be looked up",
    Reason.NETWORK_ERROR: "the receiving system could not be reached",
    Reason.SYSTEM_ERROR: "the receiving system has a fault",
    Reason.RECIPIENT_REFUSED: "the recipient's own filter refuses them",
    Reason.USER_UNKNOWN: "no such mailbox, for now",
    Reason.MAILBOX_DISABLED: "the mailbox is disabled, for now",
}
_NOTHING_TO_LIFT: Final = "nothing to lift"


def make_answer(
    row: StoredRow,
    now: datetime,
    *,
    everywhere: StoredRow | None = None,
    erased: Sequence[ActiveCause] = (),
    name_source: NameSource = str,
) -> SuppressionAnswer:
    """Say in one sentence what holds at `now` (UTC) for the recipient and scope of `row`.

    `everywhere` is the row of all streams, where `row` is of one; `erased` is what holds from before an erasure.
    """
    rows = [row] if everywhere is None else [row, everywhere]
    found = [each for some in rows for each in _find_active(some, now, name_source)]
    found.sort(key=lambda each: _ORDER.index(each.kind))
    who = _describe_recipient(row.stored, suppressed=bool(found or erased))
    if not found:
        return _answer_about_erased(who, erased) if erased else _answer_without_cause(who, row, now, name_source)
    strictest = min(found, key=lambda each: _STRICTNESS[each.lift])
    active = [cause for each in rows for cause in describe_active_causes(each.stored, now, each.pending)]
    ends_at = find_end([*active, *erased])
    lift = _say_what_may_be_done(strictest, ends_at)
    also = [each.say() for each in found[1:]]
    happened = found[0].say(with_release=True) + (f" (and also: {'; '.join(also)})" if also else "")
    return SuppressionAnswer(
        sentence=f"{who}: {happened}; {lift}.", lift=strictest.lift, lift_sentence=_capitalize(lift), ends_at=ends_at
    )


def join_answers(answers: Sequence[SuppressionAnswer]) -> SuppressionAnswer:
    """Join the answers of several scopes of one recipient, all streams first, into one.

    Where something holds for all streams the others add nothing; and a stream that is free is not mentioned.
    """
    first, *streams = answers
    held = [each for each in streams if each.lift is not Lift.NOTHING] if first.lift is Lift.NOTHING else []
    if not held:
        return first
    strictest = min(held, key=lambda each: _STRICTNESS[each.lift])
    sentence = " ".join(each.sentence for each in (first, *held))
    return SuppressionAnswer(
        sentence=sentence, lift=strictest.lift, lift_sentence=strictest.lift_sentence, ends_at=strictest.ends_at
    )


class _Happening(Struct, frozen=True):
    """What happened, as far as a cause knows: the evidence that is spoken of, in its order."""

    stored: Suppression
    kind: CauseKind
    refs: tuple[EvidenceRef, ...]
    name_source: NameSource

    @property
    def cause(self) -> Cause:
        """The cause as it is stored."""
        return self.stored.causes[self.kind]

    @property
    def latest(self) -> EvidenceRef:
        """The latest evidence."""
        return self.refs[-1]

    @property
    def day(self) -> str:
        """The day of the latest evidence."""
        return _say_day(self.latest.at)

    @property
    def source(self) -> str:
        """What people call the source of the latest evidence."""
        return self.name_source(self.latest.source)

    @property
    def lift(self) -> Lift:
        """Whether the cause may be lifted, where it holds."""
        if self.kind is CauseKind.COMPLAINT and self.latest.derived:
            return Lift.ASK  # whose it is was only inferred
        if self.kind is CauseKind.HARD and self.cause.contradicted is not None:
            return Lift.FREE
        return _LIFTS[self.kind]

    def say(self, *, with_release: bool = False) -> str:
        """Say what happened, and where asked for that somebody had lifted it before."""
        happened = _SAYINGS[self.kind](self)
        release = _find_release_before(self.stored, self.latest) if with_release and self.kind not in WISHES else None
        if release is None:
            return happened
        return f"although {_name_person(release.by)} had lifted it on {_say_day(release.at)}, {happened}"


def _find_active(row: StoredRow, now: datetime, name_source: NameSource) -> list[_Happening]:
    windows = (*row.stored.reverted, *row.pending)
    return [
        _Happening(row.stored, kind, tuple(select_counting_evidence(row.stored, kind, windows)), name_source)
        for kind in find_active_causes(row.stored, now, row.pending)
    ]


_LIFTS: Final = {
    CauseKind.COMPLAINT: Lift.FORCE,
    CauseKind.UNSUBSCRIBED: Lift.CONSENT,
    CauseKind.MANUAL: Lift.ASK,
    CauseKind.PROVIDER: Lift.PROVIDER,
    CauseKind.HARD: Lift.IF_KNOWN,
    CauseKind.PAUSE: Lift.WAIT,
    CauseKind.STREAK: Lift.FREE,
}


def _say_what_may_be_done(found: _Happening, ends_at: datetime | None) -> str:
    contradiction = found.cause.contradicted if found.kind is CauseKind.HARD else None
    if contradiction is not None:
        arrived = _say_day(contradiction.at)
        return f"a later message arrived on {arrived}, so the mailbox seems to work: you may lift it"
    sentence = _MAY_BE_DONE[found.lift].format(source=found.source)
    if ends_at is None:
        return sentence
    end = _say_moment(ends_at) if found.lift is Lift.WAIT else _say_day(ends_at)
    return f"{sentence}{': ' if found.lift is Lift.WAIT else '; '}it ends by itself on {end}"


_MAY_BE_DONE: Final = {
    Lift.FORCE: "only at the person's own wish: it needs the extra confirmation and a note that says how they asked",
    Lift.CONSENT: "only the person may undo that, by joining again",
    Lift.ASK: "you may lift it if that no longer holds",
    Lift.PROVIDER: "lifting it here is half of it: it must leave the list of {source} too",
    Lift.IF_KNOWN: (
        "lift it only if you know that this is over, or the next message is refused and it is suppressed again"
    ),
    Lift.WAIT: "wait",
    Lift.FREE: "you may lift it, the count then begins anew",
}


def _say_complaint(found: _Happening) -> str:
    inferred = ", as far as their provider let it be inferred" if found.latest.derived else ""
    return f"the person reported a message as spam on {found.day}{inferred}"


def _say_leaving(found: _Happening) -> str:
    return (
        f"the person left {'all streams' if found.stored.scope == _ALL else _quote(found.stored.scope)} on {found.day}"
    )


def _say_list_of_provider(found: _Happening) -> str:
    return f"{found.source} has it on a list of its own and does not even try (said {found.day})"


def _say_streak(found: _Happening) -> str:
    first, reason = _say_day(found.refs[0].at), found.latest.reason
    why = f" ({_SOFT_REASONS[reason]})" if reason in _SOFT_REASONS else ""
    span = f"{first} to {found.day}" if first != found.day else found.day
    return f"{found.cause.count or 'several'} messages in a row, {span}, were not taken{why}"


def _say_pause(found: _Happening) -> str:
    moment = _say_moment(found.latest.at)
    return f"{_name_refuser(found.stored.recipient)} asked on {moment} to be left alone for a while"


def _say_refusal(found: _Happening) -> str:
    recipient, reason = found.stored.recipient, found.latest.reason
    words = _REFUSALS[split_channel(recipient)[0] or Channel.EMAIL]
    said = words.get(reason, _REFUSED_FOR_GOOD) if reason is not None else _REFUSED_FOR_GOOD
    return f"{_name_refuser(recipient)} {said.format(day=found.day)}"


def _say_what_was_written(found: _Happening) -> str:
    decision = next((each for each in found.stored.history if each.id == found.latest.feedback), None)
    if decision is None:
        return f"it was suppressed by hand on {found.day}"
    note = f": {_quote(decision.note)}" if decision.note else ", without a note"
    return f"{_name_person(decision.by)} wrote on {_say_day(decision.at)}{note}"


_SAYINGS: Final[dict[CauseKind, Callable[[_Happening], str]]] = {
    CauseKind.COMPLAINT: _say_complaint,
    CauseKind.UNSUBSCRIBED: _say_leaving,
    CauseKind.MANUAL: _say_what_was_written,
    CauseKind.HARD: _say_refusal,
    CauseKind.PROVIDER: _say_list_of_provider,
    CauseKind.STREAK: _say_streak,
    CauseKind.PAUSE: _say_pause,
}


def _answer_about_erased(who: str, erased: Sequence[ActiveCause]) -> SuppressionAnswer:
    reason = erased[0].reason
    what = _ERASED_REASONS.get(reason, reason.value.replace("_", " ")) if reason is not None else erased[0].cause.value
    lift = "lift it only if they have come back by themselves"
    return SuppressionAnswer(
        sentence=f"{who}: somebody with this address asked to be forgotten, and was suppressed then ({what}); {lift}.",
        lift=Lift.ASK,
        lift_sentence=_capitalize(lift),
        ends_at=find_end(erased),
    )


_ERASED_REASONS: Final = {
    Reason.USER_UNKNOWN: "no such mailbox",
    Reason.INVALID_ADDRESS: "not a valid address",
    Reason.INVALID_DOMAIN: "a domain that takes no mail",
    Reason.MAILBOX_DISABLED: "a disabled mailbox",
    Reason.COMPLAINT: "a complaint",
    Reason.SUPPRESSED: "on the provider's own list",
}


def _answer_without_cause(who: str, row: StoredRow, now: datetime, name_source: NameSource) -> SuppressionAnswer:
    ended = [(kind, find_ending(row.stored, kind, now, row.pending)) for kind in row.stored.causes]
    ended.sort(key=lambda each: (each[1] is not EndedBy.PENDING, _ORDER.index(each[0])))
    said = next((_say_ended(row, kind, how, name_source) for kind, how in ended if how is not None), None)
    if said is None:
        said = "nothing speaks against it"
        if (release := row.stored.released_at) is not None:
            by = _name_person(row.stored.released_by or "somebody")
            said += f", and what was said up to {_say_moment(release)} does not count ({by} lifted it)"
    return SuppressionAnswer(
        sentence=f"{who}: {said}; {_NOTHING_TO_LIFT}.", lift=Lift.NOTHING, lift_sentence=_capitalize(_NOTHING_TO_LIFT)
    )


def _say_ended(row: StoredRow, kind: CauseKind, how: EndedBy, name_source: NameSource) -> str | None:
    """Say what happened, and why it no longer counts; None of what was only taken back, and never said."""
    stored, cause = row.stored, row.stored.causes[kind]
    if cause.first is None or cause.latest is None:
        return None
    happened = _Happening(stored, kind, (cause.first, cause.latest), name_source).say()
    return f"{happened}, but {_ENDINGS[how](row, cause, cause.latest)}"


def _say_withdrawal(_row: StoredRow, cause: Cause, _latest: EvidenceRef) -> str:
    when = f" on {_say_day(cause.withdrawn.at)}" if cause.withdrawn else ""
    if cause.withdrawn is not None and cause.withdrawn.source.startswith(IMPORTED):
        return f"the provider's list of {_say_day(cause.withdrawn.at)} does not have it any more"
    return f"the person took it back{when}"


def _say_release(row: StoredRow, _cause: Cause, latest: EvidenceRef) -> str:
    releases = [each for each in row.stored.history if each.act is Act.RELEASED and each.at >= latest.at]
    if not releases:
        by, at, note = row.stored.released_by or "somebody", row.stored.released_at or latest.at, row.stored.note
    else:  # of several the last one: it alone may have had force
        by, at, note = releases[-1].by, releases[-1].at, releases[-1].note
    return f"{_name_person(by)} lifted it on {_say_day(at)}{f' ({_quote(note)})' if note else ''}"


def _say_revival(row: StoredRow, _cause: Cause, _latest: EvidenceRef) -> str:
    life = row.stored.life.last if row.stored.life is not None else None
    return f"it has shown signs of life since{f', the last on {_say_day(life.at)}' if life else ''}"


def _say_accident(_row: StoredRow, _cause: Cause, _latest: EvidenceRef) -> str:
    return "it was taken back as the provider's accident"


def _say_incident(row: StoredRow, _cause: Cause, latest: EvidenceRef) -> str:
    window = next((each for each in row.pending if latest.is_inside(each)), None)
    when = f" ({_say_moment(window.since)} to {_say_moment(window.until)})" if window else ""
    return (
        f"so many were refused at once{when} that it looks like the provider's accident; "
        "it counts only if somebody confirms the incident"
    )


def _say_lapse(_row: StoredRow, cause: Cause, latest: EvidenceRef) -> str:
    return f"it ended on {_say_moment(cause.until or latest.at)}"


_ENDINGS: Final[dict[EndedBy, Callable[[StoredRow, Cause, EvidenceRef], str]]] = {
    EndedBy.WITHDRAWN: _say_withdrawal,
    EndedBy.RELEASED: _say_release,
    EndedBy.REVIVED: _say_revival,
    EndedBy.REVERTED: _say_accident,
    EndedBy.PENDING: _say_incident,
    EndedBy.LAPSED: _say_lapse,
}


def _find_release_before(stored: Suppression, latest: EvidenceRef) -> Decision | None:
    """Find the last time that it was lifted before this evidence came."""
    return next((each for each in reversed(stored.history) if each.act is Act.RELEASED and each.at < latest.at), None)


def _describe_recipient(stored: Suppression, *, suppressed: bool) -> str:
    channel, rest = split_channel(stored.recipient)
    sent = _SENT[channel or Channel.EMAIL]
    stream = "" if stored.scope == _ALL else f"{_quote(stored.scope)} "
    start = f"No {stream}{sent}" if suppressed else _capitalize(f"{stream}{sent}")
    return f"{start} to {_name_recipient(channel, rest)}"


def _name_recipient(channel: Channel | None, rest: str) -> str:
    if channel is not Channel.PUSH:
        return rest
    service, _, token = rest.partition(":")
    return f"the device with the {service} token {token[:8]}{'…' if len(token) > 8 else ''}"


def _name_refuser(recipient: str) -> str:
    channel, rest = split_channel(recipient)
    return _REFUSERS.get(channel or Channel.EMAIL) or rest.rpartition("@")[2] or "the receiving system"


def _name_person(by: str) -> str:
    """Name whoever decided: the last part of an ARN, else the identity as it was written down."""
    return by.rpartition("/")[2] if by.startswith("arn:") and "/" in by else by


def _quote(text: str | None) -> str:
    return f"“{' '.join((text or '').split())}”"


def _capitalize(text: str) -> str:
    return text[:1].upper() + text[1:]


def _say_day(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def _say_moment(at: datetime) -> str:
    return f"{_say_day(at)} {at.astimezone(UTC):%H:%M} UTC"

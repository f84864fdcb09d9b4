"""The one sentence about a recipient: every state that a suppression can be in, word for word."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend.core import sentence
from aftersend.core.active_causes import ActiveCause, EndedBy
from aftersend.core.model import Act, Cause, CauseKind, Decision, EvidenceRef, Life, Reason, Reverted, Suppression
from aftersend.core.sentence import Lift, StoredRow, SuppressionAnswer, join_answers, make_answer
from aftersend.core.suppression import apply_decisions, find_active_causes

NOW: Final = datetime(2026, 3, 31, 12, tzinfo=UTC)
ANN: Final = "email:ann@example.com"
AGNES: Final = "arn:aws:sts::111122223333:assumed-role/Support/agnes"
TITLES: Final = {"ses": "Amazon SES", "directmail": "Alibaba DirectMail"}


def day(number: float, month: int = 3) -> datetime:
    """A day of 2026, nine o'clock UTC."""
    return datetime(2026, month, 1, 9, tzinfo=UTC) + timedelta(days=number - 1)


def ref(at: datetime, source: str = "ses", **more: Any) -> EvidenceRef:
    return EvidenceRef(at=at, feedback=f"f{at:%d%H}", message="ses:0102-b2", source=source, **more)


def cause(*refs: EvidenceRef, **more: Any) -> Cause:
    return Cause(first=refs[0], latest=refs[-1], **more)


def lift(at: float, by: str = AGNES, note: str = "Mailbox works again.", *, force: bool = False) -> Decision:
    return Decision(at=day(at), by=by, act=Act.RELEASED, note=note, force=force)


HARD: Final = cause(ref(day(27), reason=Reason.USER_UNKNOWN))
COMPLAINT: Final = cause(ref(day(28), reason=Reason.COMPLAINT))
LEFT: Final = cause(ref(day(20)))
FULL: Final = {"reason": Reason.MAILBOX_FULL}
STREAK: Final = cause(ref(day(5), **FULL), ref(day(29), **FULL), count=5, until=day(28, 4))
PAUSE: Final = cause(ref(day(31) - timedelta(hours=1), "directmail"), until=day(32) - timedelta(hours=1))
PROVIDER: Final = cause(ref(day(25), reason=Reason.SUPPRESSED))
WRITTEN: Final = Decision(
    at=day(10), by="arn:aws:iam::111122223333:user/agnes", act=Act.ADDED, note="Asked us by telephone."
)
MANUAL: Final = Cause(
    first=EvidenceRef(at=day(10), feedback=WRITTEN.id, message="manual:1", source="manual"),
    latest=EvidenceRef(at=day(10), feedback=WRITTEN.id, message="manual:1", source="manual"),
    until=datetime(2026, 6, 21, tzinfo=UTC),
)
WINDOW: Final = Reverted(day(27), day(27) + timedelta(hours=1), Reason.USER_UNKNOWN)
ERASED: Final = [ActiveCause(cause=CauseKind.HARD, scope="*", at=day(27), reason=Reason.USER_UNKNOWN)]

IF_KNOWN: Final = (
    "lift it only if you know that this is over, or the next message is refused and it is suppressed again"
)
NO_MAILBOX: Final = "example.com said on 27 March 2026 that there is no such mailbox"
FORCE: Final = "only at the person's own wish: it needs the extra confirmation and a note that says how they asked"
REJOIN: Final = "only the person may undo that, by joining again"
REPORTED: Final = "the person reported a message as spam on 28 March 2026"
SES_LIST: Final = "Amazon SES has it on a list of its own and does not even try (said 25 March 2026)"


def row(*decisions: Decision, scope: str = "*", recipient: str = ANN, **causes: Cause) -> Suppression:
    named = {CauseKind(kind): each for kind, each in causes.items()}
    return apply_decisions(Suppression(recipient=recipient, scope=scope, causes=named), decisions)


def answer(stored: Suppression, pending: Sequence[Reverted] = (), **more: Any) -> SuppressionAnswer:
    return make_answer(StoredRow(stored, tuple(pending)), NOW, name_source=lambda name: TITLES.get(name, name), **more)


NO: Final = "No mail is sent to ann@example.com: "
YES: Final = "Mail is sent to ann@example.com: "
STATES: Final[dict[str, tuple[Suppression, str, Lift]]] = {
    "hard": (row(hard=HARD), f"{NO}{NO_MAILBOX}; {IF_KNOWN}.", Lift.IF_KNOWN),
    "complaint": (row(complaint=COMPLAINT), f"{NO}{REPORTED}; {FORCE}.", Lift.FORCE),
    "left a stream": (
        row(scope="news", unsubscribed=LEFT),
        f"No “news” mail is sent to ann@example.com: the person left “news” on 20 March 2026; {REJOIN}.",
        Lift.CONSENT,
    ),
    "left all": (row(unsubscribed=LEFT), f"{NO}the person left all streams on 20 March 2026; {REJOIN}.", Lift.CONSENT),
    "streak": (
        row(streak=STREAK),
        f"{NO}5 messages in a row, 5 March 2026 to 29 March 2026, were not taken (the mailbox is full); "
        "you may lift it, the count then begins anew; it ends by itself on 28 April 2026.",
        Lift.FREE,
    ),
    "pause": (
        row(pause=PAUSE),
        f"{NO}example.com asked on 31 March 2026 08:00 UTC to be left alone for a while; "
        "wait: it ends by itself on 1 April 2026 08:00 UTC.",
        Lift.WAIT,
    ),
    "provider": (
        row(provider=PROVIDER),
        f"{NO}{SES_LIST}; lifting it here is half of it: it must leave the list of Amazon SES too.",
        Lift.PROVIDER,
    ),
    "by hand": (
        row(WRITTEN, manual=MANUAL),
        f"{NO}agnes wrote on 10 March 2026: “Asked us by telephone.”; you may lift it if that no longer holds; "
        "it ends by itself on 21 June 2026.",
        Lift.ASK,
    ),
    "by hand, long ago": (
        row(manual=MANUAL),
        f"{NO}it was suppressed by hand on 10 March 2026; you may lift it if that no longer holds; "
        "it ends by itself on 21 June 2026.",
        Lift.ASK,
    ),
    "taken back as an accident": (
        Suppression(recipient=ANN, causes={CauseKind.HARD: HARD}, reverted=(WINDOW,)),
        f"{YES}{NO_MAILBOX}, but it was taken back as the provider's accident; nothing to lift.",
        Lift.NOTHING,
    ),
    "released": (
        row(lift(30), hard=HARD),
        f"{YES}{NO_MAILBOX}, but agnes lifted it on 30 March 2026 (“Mailbox works again.”); nothing to lift.",
        Lift.NOTHING,
    ),
    "released, refused again": (
        row(lift(30), hard=cause(HARD.latest or ref(NOW), ref(day(31), reason=Reason.USER_UNKNOWN))),
        f"{NO}although agnes had lifted it on 30 March 2026, example.com said on 31 March 2026 that there is no such "
        f"mailbox; {IF_KNOWN}.",
        Lift.IF_KNOWN,
    ),
    "released, the complaint stays": (
        row(lift(30), complaint=COMPLAINT, hard=HARD),
        f"{NO}{REPORTED}; {FORCE}.",
        Lift.FORCE,
    ),
    "complaint lifted": (
        row(lift(30, "ap:7f0c", "Wrote that it was a mistake.", force=True), complaint=COMPLAINT),
        f"{YES}{REPORTED}, but ap:7f0c lifted it on 30 March 2026 (“Wrote that it was a mistake.”); nothing to lift.",
        Lift.NOTHING,
    ),
    "joined again": (
        row(scope="news", unsubscribed=cause(ref(day(20)), withdrawn=ref(day(29)))),
        "“news” mail is sent to ann@example.com: the person left “news” on 20 March 2026, "
        "but the person took it back on 29 March 2026; nothing to lift.",
        Lift.NOTHING,
    ),
    "lapsed": (
        row(pause=cause(ref(day(20)), until=day(21))),
        f"{YES}example.com asked on 20 March 2026 09:00 UTC to be left alone for a while, "
        "but it ended on 21 March 2026 09:00 UTC; nothing to lift.",
        Lift.NOTHING,
    ),
    "contradicted": (
        row(hard=cause(HARD.latest or ref(NOW), contradicted=ref(day(29)))),
        f"{NO}{NO_MAILBOX}; a later message arrived on 29 March 2026, so the mailbox seems to work: you may lift it.",
        Lift.FREE,
    ),
    "several": (
        row(hard=HARD, provider=PROVIDER, unsubscribed=LEFT),
        f"{NO}the person left all streams on 20 March 2026 (and also: {NO_MAILBOX}; {SES_LIST}); {REJOIN}.",
        Lift.CONSENT,
    ),
    "lifted before anything came": (
        row(lift(30)),
        f"{YES}nothing speaks against it, and what was said up to 30 March 2026 09:00 UTC does not count "
        "(agnes lifted it); nothing to lift.",
        Lift.NOTHING,
    ),
    "nothing": (row(), f"{YES}nothing speaks against it; nothing to lift.", Lift.NOTHING),
    "a complaint whose it is was inferred": (
        row(complaint=cause(ref(day(28), derived=True))),
        f"{NO}{REPORTED}, as far as their provider let it be inferred; you may lift it if that no longer holds.",
        Lift.ASK,
    ),
    "joined and never left": (
        row(unsubscribed=Cause(withdrawn=ref(day(29)))),
        f"{YES}nothing speaks against it; nothing to lift.",
        Lift.NOTHING,
    ),
    "a number": (
        row(recipient="sms:+14255550156", hard=HARD),
        "No text messages are sent to +14255550156: the network said on 27 March 2026 that nobody has this number; "
        f"{IF_KNOWN}.",
        Lift.IF_KNOWN,
    ),
    "a token": (
        row(recipient="push:apns:740f47070000", hard=HARD),
        "No notifications are sent to the device with the apns token 740f4707…: the push service said on 27 March 2026 "
        f"that the app is no longer on this device; {IF_KNOWN}.",
        Lift.IF_KNOWN,
    ),
    "a number that is alive again": (
        replace(row(recipient="sms:+14255550156", hard=HARD), life=Life(last=ref(day(29)))),
        "Text messages are sent to +14255550156: the network said on 27 March 2026 that nobody has this number, "
        "but it has shown signs of life since, the last on 29 March 2026; nothing to lift.",
        Lift.NOTHING,
    ),
    "a reason without words of its own": (
        row(hard=cause(ref(day(27), reason=Reason.RECIPIENT_REFUSED))),
        f"{NO}example.com said on 27 March 2026 that it refuses messages for good; {IF_KNOWN}.",
        Lift.IF_KNOWN,
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_its_sentence(state: str) -> None:
    stored, words, may = STATES[state]
    found = answer(stored)
    assert (found.sentence, found.lift) == (words, may)
    assert found.sentence.removesuffix(".").lower().endswith(found.lift_sentence.lower())


def test_an_incident_that_nobody_has_decided() -> None:
    assert answer(row(hard=HARD), [WINDOW]).sentence == (
        f"{YES}{NO_MAILBOX}, but so many were refused at once (27 March 2026 09:00 UTC to 27 March 2026 10:00 UTC) "
        "that it looks like the provider's accident; it counts only if somebody confirms the incident; nothing to lift."
    )


def test_somebody_who_asked_to_be_forgotten() -> None:
    found = answer(row(), erased=ERASED)
    assert found.lift is Lift.ASK
    assert found.sentence == (
        f"{NO}somebody with this address asked to be forgotten, and was suppressed then (no such mailbox); "
        "lift it only if they have come back by themselves."
    )


def test_a_stream_is_held_by_what_holds_everywhere() -> None:
    stream = row(scope="news", unsubscribed=LEFT)
    found = answer(stream, everywhere=StoredRow(row(hard=HARD)))
    assert found.lift is Lift.CONSENT
    assert found.sentence == (
        "No “news” mail is sent to ann@example.com: the person left “news” on 20 March 2026 "
        f"(and also: {NO_MAILBOX}); {REJOIN}."
    )
    free = answer(row(scope="news"), everywhere=StoredRow(row(hard=HARD)))
    assert free.sentence == f"No “news” mail is sent to ann@example.com: {NO_MAILBOX}; {IF_KNOWN}."


def test_of_several_streams_only_those_that_are_held_are_named() -> None:
    free, news, offers = answer(row()), answer(row(scope="news", unsubscribed=LEFT)), answer(row(scope="offers"))
    joined = join_answers([free, news, offers])
    assert (joined.sentence, joined.lift) == (f"{free.sentence} {news.sentence}", Lift.CONSENT)
    held = answer(row(hard=HARD))
    assert join_answers([held, news]) == held
    assert join_answers([free, offers]) == free


def test_when_it_ends() -> None:
    assert answer(row(streak=STREAK)).ends_at == STREAK.until
    assert answer(row(streak=STREAK, hard=HARD)).ends_at is None
    assert answer(row()).ends_at is None


_causes = st.dictionaries(
    st.sampled_from(list(CauseKind)),
    st.sampled_from([HARD, COMPLAINT, LEFT, STREAK, PAUSE, PROVIDER, MANUAL]),
    max_size=7,
)
_lifts = st.lists(st.builds(lift, st.sampled_from([1, 22, 30]), force=st.booleans()), max_size=2)


@given(_causes, _lifts, st.sampled_from([(), (WINDOW,)]), st.sampled_from([(), (WINDOW,)]))
def test_no_state_is_without_a_sentence_and_nothing_is_to_lift_where_nothing_holds(
    causes: dict[CauseKind, Cause], lifts: list[Decision], reverted: tuple[Reverted, ...], pending: tuple[Reverted, ...]
) -> None:
    stored = apply_decisions(Suppression(recipient=ANN, causes=causes, reverted=reverted), lifts)
    found = answer(stored, pending)
    holds = bool(find_active_causes(stored, NOW, pending))
    assert (found.lift is not Lift.NOTHING) is holds
    assert found.sentence.startswith(NO if holds else YES)
    assert found.sentence.endswith(".") and "None" not in found.sentence


def test_every_way_to_end_has_its_words() -> None:
    assert set(sentence._ENDINGS) == set(EndedBy)
    assert set(sentence._SAYINGS) == set(CauseKind) == set(sentence._LIFTS) == set(sentence._ORDER)

"""Histories: what happens to some recipients, drawn from a seed. Times are minutes from the beginning."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from msgspec.structs import replace

from aftersend.core.model import UNNAMED, Evidence, Feedback, Kind

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
DAY: Final = 24 * 60
TURN: Final = 40 * DAY  # when the policy changes
END: Final = 80 * DAY
ERASURES: Final = 81 * DAY

# A refusal in the words of each source, and what the documentation says of it: class and reason.
REFUSALS: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "hard": ({"code": 550, "status": "5.1.1", "text": "550 5.1.1 user unknown"}, "hard", "user_unknown"),
    "soft": (
        {"code": 450, "status": "4.2.0", "text": "450 4.2.0 system not accepting messages"},
        "soft",
        "system_error",
    ),
    "full": ({"code": 552, "status": "5.2.2", "text": "552 5.2.2 mailbox full"}, "soft", "mailbox_full"),
    "block": (
        {"code": 554, "status": "5.7.1", "text": "554 5.7.1 client host blocked using Spamhaus"},
        "block",
        "blocked",
    ),
    "listed": ({"provider_code": "Permanent/Suppressed"}, "ignore", "suppressed"),
    "pause": ({"provider_code": "SmtpRcptFreq"}, "ignore", "rate_limited"),
    "unclear": ({"text": "zork"}, "undetermined", "undetermined"),
}
_SOURCES: Final = {"listed": "ses", "pause": "directmail"}

ACCIDENT: Final = "accident.example"  # where a provider has one
FLOOR: Final = 10  # so many recipients refused at once are an incident


@dataclass(frozen=True)
class Said:
    """A source says something of a message: a body, which comes `copies` times by any of the ways in."""

    at: int
    recipient: str
    message: str
    kind: Kind
    word: str = ""  # of REFUSALS
    scope: str | None = None
    forgeable: bool = False
    unnamed: bool = False  # the body does not name the recipient: another one names the message's
    copies: int = 1
    number: int = 0  # tells those apart that are alike otherwise

    def fact(self) -> Feedback:
        """Return the fact that must be stored."""
        given = dict(REFUSALS[self.word][0]) if self.word else {}
        evidence = Evidence(**given, forgeable=self.forgeable, event_id=f"event-{self.number}")
        return Feedback(
            source="report" if self.forgeable else _SOURCES.get(self.word, "ses"),
            kind=self.kind,
            message=self.message,
            recipient=f"email:{self.recipient}",
            occurred_at=START + timedelta(minutes=self.at),
            scope=self.scope,
            evidence=evidence,
        )

    def told(self) -> Feedback:
        """Return the fact that the body holds."""
        return replace(self.fact(), recipient=UNNAMED, id="") if self.unnamed else self.fact()


@dataclass(frozen=True)
class Decided:
    """A person decides something of a recipient: "release", "suppress" or "resolve"; or "revert" of an incident."""

    at: int
    act: str
    recipient: str
    force: bool = False


@dataclass(frozen=True)
class Asked:
    """An operator asks for something: "replay", or "garbage" that somebody sends and nobody can read."""

    at: int
    what: str


@dataclass(frozen=True)
class Erased:
    """A recipient wants to be forgotten."""

    at: int
    recipient: str


Event = Said | Decided | Asked | Erased


@dataclass
class _Draft:
    random: Random
    events: list[Event] = field(default_factory=list)
    messages: int = 0

    def say(self, at: int, recipient: str, message: str, kind: Kind, word: str = "", **others: Any) -> None:
        copies = 2 if self.random.random() < 0.2 else 1
        number = len(self.events)
        self.events.append(Said(at, recipient, message, kind, word, copies=copies, number=number, **others))

    def message(self, sender: str = "ses") -> str:
        self.messages += 1
        return f"{sender}:m{self.messages}"

    def minute(self, after: int, before: int = END) -> int:
        """A moment; some are whole days, so that there are ties."""
        at = self.random.randrange(after, max(before, after + 1))
        return at // DAY * DAY if self.random.random() < 0.15 and at // DAY * DAY >= after else at


def draw(seed: int, size: int) -> list[Event]:
    """Return a history of about `size` events."""
    draft = _Draft(Random(f"history {seed}"))  # a seed must give the same again
    random = draft.random
    number = 0
    while len(draft.events) < size:
        number += 1
        recipient = f"r{number}@{random.choice(('example.com', 'example.net', 'example.org'))}"
        draft.say(0, recipient, draft.message(), Kind.SENT)
        for story in random.sample(_STORIES, random.choice((1, 1, 1, 2))):
            story(draft, recipient)
        if random.random() < 0.3:
            act = random.choice(("release", "release", "suppress"))
            draft.events.append(Decided(draft.minute(DAY), act, recipient, force=True))
        if random.random() < 0.15:
            draft.events.append(Erased(ERASURES + number, recipient))
            if random.random() < 0.5:
                draft.say(ERASURES + number, recipient, draft.message(), Kind.BOUNCED, "hard")
    if random.random() < 0.3:
        _accident(draft)
    draft.events += [Asked(draft.minute(DAY), what) for what in ("replay", "garbage") if random.random() < 0.4]
    return sorted(draft.events, key=lambda event: event.at)


def _streak(draft: _Draft, recipient: str) -> None:
    """Soft bounces, a day and more apart or less, and perhaps a sign of life among them or at the same moment."""
    random = draft.random
    at = draft.minute(DAY, END - 30 * DAY)
    for _ in range(random.randrange(2, 7)):
        draft.say(at, recipient, draft.message(), Kind.BOUNCED, random.choice(("soft", "soft", "full", "block")))
        at += random.choice((DAY, DAY, DAY + 1, DAY - 1, 3 * DAY, 11 * DAY))
        if random.random() < 0.25:
            kind = random.choice((Kind.DELIVERED, Kind.OPENED, Kind.CLICKED))
            draft.say(at - random.choice((0, 1, DAY)), recipient, draft.message(), kind)


def _last_word(draft: _Draft, recipient: str) -> None:
    """A row that becomes long enough, and at once a sign of life that ends it, or a bounce that takes the sign away."""
    random = draft.random
    at = draft.minute(DAY, END - 20 * DAY)
    for _ in range(random.randrange(2, 5)):
        draft.say(at, recipient, draft.message(), Kind.BOUNCED, random.choice(("soft", "full")))
        at += DAY + random.randrange(60)
    message = draft.message()
    at -= DAY
    draft.say(at + random.choice((0, 1, 1, 40)), recipient, message, random.choice((Kind.DELIVERED, Kind.OPENED)))
    if random.random() < 0.3:
        draft.say(at + DAY, recipient, message, Kind.BOUNCED, "block")


def _hard(draft: _Draft, recipient: str) -> None:
    """Hard bounces, and perhaps a sign of life before, after or at the same moment."""
    random = draft.random
    at = draft.minute(DAY, END - 10 * DAY)
    for _ in range(random.choice((1, 1, 2, 3))):
        draft.say(at, recipient, draft.message(), random.choice((Kind.BOUNCED, Kind.REJECTED)), "hard")
        at += random.choice((0, 1, 60, DAY, 5 * DAY))
    if random.random() < 0.6:
        draft.say(max(0, at + random.choice((-DAY, 0, DAY))), recipient, draft.message(), Kind.DELIVERED)


def _one_message(draft: _Draft, recipient: str) -> None:
    """All that may be said of one message."""
    message, random = draft.message(), draft.random
    at = draft.minute(DAY, END - 5 * DAY)
    for kind in random.sample((Kind.SENT, Kind.DEFERRED, Kind.DELIVERED, Kind.BOUNCED, Kind.OPENED, Kind.CLICKED), 4):
        word = random.choice(("soft", "hard", "block", "unclear")) if kind in (Kind.BOUNCED, Kind.DEFERRED) else ""
        draft.say(at, recipient, message, kind, word)
        at += random.choice((0, 1, 30, DAY))


def _wishes(draft: _Draft, recipient: str) -> None:
    """Complaints and leaving, and their opposites."""
    random, message = draft.random, draft.message()
    at = draft.minute(DAY, END - 10 * DAY)
    for _ in range(random.randrange(1, 4)):
        kind = random.choice((Kind.COMPLAINED, Kind.UNSUBSCRIBED, Kind.SUBSCRIBED, Kind.COMPLAINT_WITHDRAWN))
        left = kind in (Kind.UNSUBSCRIBED, Kind.SUBSCRIBED)
        draft.say(at, recipient, message, kind, scope=random.choice((None, "news")) if left else None)
        at += random.choice((0, 1, DAY))


def _providers(draft: _Draft, recipient: str) -> None:
    """Pauses, and lists of the provider's own."""
    for _ in range(draft.random.randrange(1, 3)):
        word = draft.random.choice(("pause", "listed"))
        draft.say(draft.minute(DAY), recipient, draft.message(), Kind.BOUNCED, word)


def _reports(draft: _Draft, recipient: str) -> None:
    """Mails that anybody could have sent about one message, and perhaps somebody who vouches for it."""
    random = draft.random
    message = draft.message(random.choice(("mailerq", "mailerq", "mailerq", "ses")))  # SES proves none
    at = draft.minute(DAY, END - 10 * DAY)
    for _ in range(random.randrange(1, 8)):
        word = random.choice(("hard", "hard", "soft", "listed"))
        draft.say(at, recipient, message, Kind.BOUNCED, word, forgeable=True)
        at += random.choice((1, 60, DAY))
    if random.random() < 0.7:
        draft.say(draft.minute(DAY), recipient, message, random.choice((Kind.SENT, Kind.DELIVERED, Kind.DEFERRED)))


def _receipts(draft: _Draft, recipient: str) -> None:
    """Receipts that name no recipient, and what says of their messages whose they are, in any order."""
    random = draft.random
    at = draft.minute(DAY, END - 10 * DAY)
    for _ in range(random.randrange(1, 4)):
        message = draft.message("smpp")
        draft.say(at, recipient, message, Kind.SENT)
        for _ in range(random.choice((1, 1, 2))):
            kind = random.choice((Kind.DELIVERED, Kind.BOUNCED, Kind.BOUNCED))
            word = random.choice(("hard", "soft", "full")) if kind is Kind.BOUNCED else ""
            draft.say(at + random.choice((0, 1, 60)), recipient, message, kind, word, unnamed=True)
        at += random.choice((60, DAY, 5 * DAY))


def _accident(draft: _Draft) -> None:
    """A provider refuses so many good addresses within an hour that it is an incident, and a person reverts it."""
    at = draft.minute(DAY, TURN - 10 * DAY) // 60 * 60
    for number in range(FLOOR + 1):
        recipient = f"a{number}@{ACCIDENT}"
        draft.say(0, recipient, draft.message(), Kind.SENT)
        draft.say(at + draft.random.randrange(60), recipient, draft.message(), Kind.BOUNCED, "hard")
    draft.events.append(Decided(at + 9 * DAY, "revert", ACCIDENT))


_STORIES: Final = (_streak, *[_last_word] * 5, _hard, _one_message, _wishes, _providers, _reports, _receipts)

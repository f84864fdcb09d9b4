"""What the sources of push messages have in common: how an answer to a request becomes a fact about a token.

A service that takes a message answers for the device, as a mail server does for the mailbox, and nothing more is heard
of it: so that is `delivered`. Whether a failure is the end depends on the sender, who says so with `retry`; where they
do not, a failure of the service or of the way to it is taken for one that is tried again (`deferred`), and everything
else for the end (`bounced`). A token that is dead is not tried again, whatever is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from hashlib import blake2b
from typing import Any, Final

from msgspec import Struct

from aftersend.core.model import UNNAMED, Context, Evidence, Feedback, Kind, Protocol
from aftersend.core.recipient import parse_recipient
from aftersend.core.text import truncate, truncate_or_none
from aftersend.sources.answers import MAX_WORD, REGISTERED, SenderAnswer, make_id, read_answers

NO_ANSWER: Final = "no-answer"  # the provider code where nobody answered at all
MAX_TEXT: Final = 1_024
_ANSWERS: Final = frozenset({"", "answer"})  # what `event` may be called where the service has answered
_TAKEN: Final = range(200, 300)
_BUSY: Final = 429
_BROKEN: Final = range(500, 600)


class Retried(Enum):
    """Whether senders try again after such a failure, where this one does not say."""

    NEVER = 0  # whatever they say: there is nobody there
    NO = 1
    YES = 2


class TokenAnswer(Struct, frozen=True, kw_only=True):
    """What a service said of one token."""

    taken: bool = False
    word: str | None = None  # the service's own code
    text: str | None = None
    retried: Retried | None = None  # None: as the status and the headers have it
    at: datetime | None = None  # when it happened, where that is not when it was said
    message: str | None = None  # the service's own id of the message
    correlation: dict[str, str] = {}


# Reads what one answer says of each of its tokens: as many as it has recipients, or one where it has none.
Read = Callable[[SenderAnswer], list[TokenAnswer]]


def parse_answers(source: str, service: str, raw: bytes, read: Read) -> list[Feedback]:
    """Parse a body of our envelope: one fact for each token of each answer; raises MalformedFeedback.

    `service` is the name in the recipient: "push:apns:…".
    """
    return [fact for answer in read_answers(source, raw) for fact in _build_facts(answer, service, read)]


def _build_facts(answer: SenderAnswer, service: str, read: Read) -> Iterator[Feedback]:
    recipients = [name_token(answer, service, each) for each in answer.recipients]
    if answer.event not in _ANSWERS:
        yield from (_build_event(answer, each) for each in recipients)
        if not recipients:
            raise answer.refuse("recipient", "is missing")
        return
    found = read(answer)
    if len(found) != len(recipients or [UNNAMED]):
        raise answer.refuse("recipient", f"{len(recipients)} tokens, and {len(found)} results in the body")
    for recipient, each in zip(recipients or [UNNAMED], found, strict=True):
        yield _build_fact(answer, recipient, each)


def name_token(answer: SenderAnswer, service: str, token: str) -> str:
    """Return the canonical recipient of a token; raises MalformedFeedback where it is none of that service."""
    prefix = f"push:{service}:"
    try:
        found = parse_recipient(token if token.lower().startswith("push:") else prefix + token)
    except ValueError as error:
        raise answer.refuse("recipient", str(error)) from error
    if not found.startswith(prefix):
        raise answer.refuse("recipient", f"is no token of {service}")
    return found


def _build_event(answer: SenderAnswer, recipient: str) -> Feedback:
    """What the app tells of a token: no message was sent, so all of it is one outcome."""
    registered = answer.event == REGISTERED
    return Feedback(
        source=answer.source,
        kind=Kind.SUBSCRIBED if registered else Kind.UNKNOWN,
        message=name_message(answer.source, answer.message) if answer.message else f"{answer.source}:registration",
        recipient=recipient,
        occurred_at=answer.require_time(),
        evidence=Evidence(provider_code=truncate(answer.event, MAX_WORD)),
        context=Context(correlation=answer.correlation),
    )


def _build_fact(answer: SenderAnswer, recipient: str, found: TokenAnswer) -> Feedback:
    own = answer.message or (make_id(found.message) if found.message else None)
    if not (own or recipient):
        raise answer.refuse("recipient", "is missing, and so is message: one of them says whom it is about")
    at = found.at or answer.require_time()
    correlation = found.correlation
    if found.message and own != make_id(found.message):
        correlation = {f"{answer.source}-id": truncate(found.message, 200), **correlation}
    return Feedback(
        source=answer.source,
        kind=_find_kind(answer, found),
        message=name_message(answer.source, own or _make_digest(recipient, answer.require_time())),
        recipient=recipient,
        occurred_at=at,
        evidence=Evidence(
            code=answer.status,
            protocol=Protocol.HTTP if answer.status is not None else None,
            text=truncate_or_none(found.text, MAX_TEXT),
            provider_code=truncate_or_none(found.word, MAX_WORD),
        ),
        context=Context(correlation={**answer.correlation, **correlation}),
    )


def name_message(source: str, own: str) -> str:
    """Return the key of a message; one that is a key already stays."""
    return own if own.startswith(f"{source}:") else f"{source}:{own}"


def _make_digest(recipient: str, at: datetime) -> str:
    """An id for a message that has none: the same however often that answer is handed on."""
    return "~" + blake2b(f"{recipient} {at.isoformat()}".encode(), digest_size=12).hexdigest()


def _find_kind(answer: SenderAnswer, found: TokenAnswer) -> Kind:
    if found.taken:
        return Kind.DELIVERED
    retried = found.retried or _expect_retry(answer)
    if retried is Retried.NEVER:
        return Kind.BOUNCED
    again = retried is Retried.YES if answer.retry is None else answer.retry
    return Kind.DEFERRED if again else Kind.BOUNCED


def _expect_retry(answer: SenderAnswer) -> Retried:
    """Whether senders try again, by the status alone, or because the service asks them to (RFC 9110, 10.2.3)."""
    status = answer.status
    again = status is None or status == _BUSY or status in _BROKEN or "retry-after" in answer.headers
    return Retried.YES if again else Retried.NO


def is_taken(answer: SenderAnswer) -> bool:
    """Return whether the status says that the service took the message."""
    return answer.status in _TAKEN


def require_something(answer: SenderAnswer) -> None:
    """Raise MalformedFeedback for an answer that says nothing: no status, no body, and no error in their place."""
    if answer.status is None and answer.error is None and answer.body in (None, "", {}, []):
        raise answer.refuse("status", "is missing: the status of HTTP, or error where nobody answered")


def read_silence(answer: SenderAnswer) -> TokenAnswer | None:
    """Return what it means that nobody answered; None where somebody did."""
    if answer.status is not None or answer.body not in (None, "", {}, []):
        return None
    return TokenAnswer(word=NO_ANSWER, text=answer.error, retried=Retried.YES)


def find_text(body: Any, *names: str) -> str | None:
    """Return the first of these fields of an object that is a text; of a text the text itself, where none is named."""
    if isinstance(body, str) and not names:
        return body or None
    found = [body.get(name) for name in names] if isinstance(body, dict) else []
    return next((each for each in found if isinstance(each, str) and each.strip()), None)

"""MailerQ: every delivery attempt of a message is one fact, whichever of the result queues it is read from.

Sources: MailerQ documentation, "Result message queues", "JSON for incoming messages" and "Response patterns".
What is not obvious there:
- each message comes with all its attempts so far, so the same attempt comes again and again: by the retry queue, by the
  next retry, at the end by `results` and once more by `success` or `failure`;
- what became of a message is its last attempt's to say, and only where no other follows: the queue shows it, else
  `nextattempt` and `fatal`;
- `process/timeout` is no attempt: MailerQ gave up, and the attempt before says why;
- the code is the server's or MailerQ's own, and the status may contradict it: the code decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.model import Feedback, Kind
from aftersend.core.recipient import MAX_RECIPIENT_BYTES, canonicalize_email
from aftersend.core.text import truncate
from aftersend.core.times import UNKNOWN_TIME, parse_time
from aftersend.sources.mailerq import facts
from aftersend.sources.mailerq.body import SOURCE, Attempt, MailerqMessage, decode
from aftersend.sources.message import NO_HEADERS, Headers

# The kinds of queue in which a body may have lain: what is in it is at its end, or is not.
# The document says "failures" where the configuration says rabbitmq-failure.
ENDS: Final = {"results": True, "success": True, "failure": True, "failures": True, "retry": False}
REPORTS: Final = "reports"  # received mail: a stranger may have given it properties, so nothing but the mail is read

# Of the attempts of one message: an outcome holds fewer, and the archive has the whole.
EARLIEST: Final = 32
LATEST: Final = 32

ACCEPTED: Final = "message/accepted"
FAILED: Final = frozenset({"timeout", "lost", "invalid", "error"})
# States in which MailerQ itself refuses: no other system was asked.
OWN: Final = frozenset({"process", "suppression", "storage", "responsive", "personalize", "rewrite", "bind", "amqp"})

Numbered = tuple[int, Attempt, Attempt | None]  # its number; and where MailerQ gave up, the attempt that says why


def parse(raw: bytes, headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Parse one body: one fact for each attempt of each message, or what a received report says.

    `headers["x-queue"]` is the queue it lay in (`ENDS`, `REPORTS`), where that is known. Raises MalformedFeedback.
    A message without attempts, or without a recipient, gives nothing.
    """
    queue = headers.get("x-queue", "")
    try:
        return [fact for message in decode(raw) for fact in _read_message(message, queue)]
    except DECODE_ERRORS as error:
        raise MalformedFeedback(SOURCE, f"not a body of MailerQ: {error}") from error
    except ValueError as error:  # its text quotes the body, and whoever wrote that chose it
        raise MalformedFeedback(SOURCE, "a time is in no format that is known") from error


def _read_message(message: MailerqMessage, queue: str) -> list[Feedback]:
    attempts = None if queue == REPORTS else message.get_attempts()
    if attempts is None:
        return _read_report(message)
    recipient = message.get("recipient")
    if not attempts or not isinstance(recipient, str) or not recipient.strip():
        return []
    final = _is_final(message, attempts[-1], ENDS.get(queue))
    if not final and not facts.knows_mail(message, attempts):
        return []  # it may have a Message-ID that nobody has read yet; every later copy tells all of this again
    return list(_build_feedback(message, recipient, attempts, final=final))


def _read_report(message: MailerqMessage) -> list[Feedback]:
    """What a mail says that MailerQ received; its `recipient` is the address that it was sent to."""
    mail, recipient = message.get("mime"), message.get("recipient")
    if mail is None:
        raise MalformedFeedback(SOURCE, "neither a result nor a mail: it has no results and no mime")
    if not isinstance(mail, str):  # a message that is still to be made, on its way out
        return []
    from aftersend.sources import report  # noqa: PLC0415  # takes longer to import than all else of a start

    return report.parse_received(mail.encode(), [recipient] if isinstance(recipient, str) else [])


def _build_feedback(
    message: MailerqMessage, recipient: str, attempts: list[Attempt], *, final: bool
) -> Iterator[Feedback]:
    canonical, name = canonicalize_email(recipient), facts.make_key(message, attempts)
    received_as = None if canonical == f"email:{recipient}" else truncate(recipient, MAX_RECIPIENT_BYTES)
    context = facts.make_context(message, name)
    for number, attempt, before in _number_attempts(attempts):
        yield Feedback(
            source=SOURCE,
            kind=_find_kind(attempt, before or attempt, ended=final and attempt is attempts[-1]),
            message=name,
            recipient=canonical,
            occurred_at=_find_time(attempt),
            received_as=received_as,
            evidence=facts.make_evidence(attempt, number, before),
            context=context,
        )


def _number_attempts(attempts: list[Attempt]) -> Iterator[Numbered]:
    """Yield the attempts that become facts, with their numbers."""
    number, before = 0, None
    dropped = range(EARLIEST, len(attempts) - LATEST)
    for place, attempt in enumerate(attempts):
        gave_up = facts.name_result(attempt) == facts.GAVE_UP
        number += not gave_up
        if place not in dropped:
            yield number, attempt, before if gave_up else None
        before = before if gave_up else attempt


def _find_kind(attempt: Attempt, cause: Attempt, *, ended: bool) -> Kind:
    """What one attempt came to; where MailerQ gave up, `cause` is the attempt before."""
    result = facts.name_result(attempt)
    if result == ACCEPTED:
        return Kind.DELIVERED
    if result.partition("/")[2] not in FAILED:
        return Kind.UNKNOWN
    if not ended:
        return Kind.DEFERRED
    return Kind.REJECTED if facts.name_result(cause).partition("/")[0] in OWN else Kind.BOUNCED


def _is_final(message: MailerqMessage, last: Attempt, ends: bool | None) -> bool:
    """Whether nothing follows the last attempt: as the queue says, else the time of the next one, else `fatal`."""
    if ends is not None:
        return ends
    if facts.name_result(last) == facts.GAVE_UP:
        return True
    planned = [value for name in ("nextattempt", "delayed") if (value := message.get(name)) is not None]
    if any(_is_later(value, _find_time(last)) for value in planned):
        return False
    return facts.parse_flag(last.fatal) is not False


def _is_later(planned: Any, last: datetime) -> bool:
    """Whether an attempt is planned after the last one: the plan for one that was made stays in the message."""
    text = planned.get("time") if isinstance(planned, dict) else planned
    try:
        return not isinstance(text, str) or parse_time(text) > last
    except ValueError:
        return True


def _find_time(attempt: Attempt) -> datetime:
    return parse_time(attempt.time) if attempt.time else UNKNOWN_TIME

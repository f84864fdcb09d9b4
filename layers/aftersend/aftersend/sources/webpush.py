"""Web push: the answers of browsers' push services, which a sender hands on in our envelope.

Source: RFC 8030 (sections 5, 7.3, 8.4), RFC 8292 section 4.2 (401 and 403). Every browser's service answers in words of
its own (Mozilla autopush with `errno`, Apple with `reason`): the status decides, and the words are kept. The token is
the endpoint, whose knowledge alone allows to send there.
"""

from __future__ import annotations

from typing import Any, Final

from aftersend.core.model import Feedback
from aftersend.sources.answers import SenderAnswer
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.push import (
    Retried,
    TokenAnswer,
    find_text,
    is_taken,
    parse_answers,
    read_silence,
    require_something,
)

SOURCE: Final = "webpush"
SERVICE: Final = "web"  # of the recipient: "push:web:https://…"
GONE: Final = frozenset({404, 410})


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Parse one body of our envelope: one fact for each answer of a push service; raises MalformedFeedback."""
    return parse_answers(SOURCE, SERVICE, raw, _read)


def _read(answer: SenderAnswer) -> list[TokenAnswer]:
    for each in answer.recipients:
        if not each.lower().removeprefix(f"push:{SERVICE}:").startswith(("https://", "http://")):
            raise answer.refuse("recipient", "is no endpoint of a subscription, which is a URL")
    require_something(answer)
    if (silence := read_silence(answer)) is not None:
        return [silence]
    if is_taken(answer):
        return [TokenAnswer(taken=True, message=answer.headers.get("location"))]
    return [
        TokenAnswer(
            word=_find_word(answer.body),
            text=find_text(answer.body) or find_text(answer.body, "message", "error", "reason") or answer.error,
            retried=Retried.NEVER if answer.status in GONE else None,
        )
    ]


def _find_word(body: Any) -> str | None:
    """Apple's reason, or Mozilla's number of the error."""
    if not isinstance(body, dict):
        return None
    number = body.get("errno")
    if isinstance(number, int) and not isinstance(number, bool) and abs(number) < 100_000:
        return f"errno-{number}"
    return find_text(body, "reason")

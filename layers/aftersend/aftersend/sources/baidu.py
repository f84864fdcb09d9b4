"""Baidu Cloud Push: its answers, which a sender hands on in our envelope.

Sources: the comments of Baidu's SDKs on `error_code`, Adobe Campaign's documentation on Baidu ("Push notification error
types"): no connection, or one that was lost, is tried again; an answer with an error is not. The status of HTTP that
goes with each code is not documented, so the code decides.
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

SOURCE: Final = "baidu"
SUCCESS: Final = 0
DEAD: Final = 30608  # the binding of the device was not found


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Parse one body of our envelope: one fact for each answer of Baidu; raises MalformedFeedback."""
    return parse_answers(SOURCE, SOURCE, raw, _read)


def _read(answer: SenderAnswer) -> list[TokenAnswer]:
    require_something(answer)
    if (silence := read_silence(answer)) is not None:
        return [silence]
    body = answer.body if isinstance(answer.body, dict) else {}
    code = _find_number(body.get("error_code"))
    if code == SUCCESS or (code is None and is_taken(answer)):
        return [TokenAnswer(taken=True, message=_find_message(body))]
    word = str(code) if code is not None else None
    retried = Retried.NEVER if code == DEAD else Retried.NO if code is not None else None
    text = find_text(body, "error_msg") or find_text(answer.body) or answer.error
    return [TokenAnswer(word=word, text=text, retried=retried)]


def _find_message(body: dict[str, Any]) -> str | None:
    params = body.get("response_params")
    found = params.get("msg_id") if isinstance(params, dict) else None
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else None


def _find_number(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9 else None

"""Apple Push Notification service: its answers over HTTP/2, which a sender hands on in our envelope.

Source: Apple's documentation, "Handling notification responses from APNs". Not obvious there:
- `timestamp` beside `Unregistered` is when the token died, in milliseconds since 1970: that is when it happened, so a
  token that is registered again later is alive;
- `BadDeviceToken` may be a token of the other environment, and then every token has it: it is held against the token,
  and the spike guard (`core.spike_guard`) notices when it is all of them;
- all of 403, and most of 400, is about the sender's keys and requests.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from aftersend.core.model import Feedback
from aftersend.sources.answers import SenderAnswer, read_epoch
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

SOURCE: Final = "apns"
APNS_ID: Final = "apns-id"

DEAD: Final = ("Unregistered", "ExpiredToken", "BadDeviceToken")
_SENDER: Final = (
    *("BadCollapseId", "BadExpirationDate", "BadMessageId", "BadPriority", "BadTopic", "DeviceTokenNotForTopic"),
    *("DuplicateHeaders", "InvalidPushType", "MissingDeviceToken", "MissingTopic", "PayloadEmpty", "TopicDisallowed"),
    *("BadCertificate", "BadCertificateEnvironment", "ExpiredProviderToken", "Forbidden", "InvalidProviderToken"),
    *("MissingProviderToken", "UnrelatedKeyIdInToken", "BadEnvironmentKeyIdInToken", "BadEnvironmentKeyInToken"),
    *("BadPath", "MethodNotAllowed", "PayloadTooLarge"),
)
_DEVICE: Final = ("TooManyRequests",)  # for this one device: Campaign and others give up then
_SERVICE: Final = (
    "TooManyProviderTokenUpdates",
    "InternalServerError",
    "ServiceUnavailable",
    "Shutdown",
    "IdleTimeout",
)
# The reasons that Apple documents, and whether senders try again after them.
REASONS: Final[dict[str, Retried]] = {
    **dict.fromkeys(DEAD, Retried.NEVER),
    **dict.fromkeys((*_SENDER, *_DEVICE), Retried.NO),
    **dict.fromkeys(_SERVICE, Retried.YES),
}
_FOLDED: Final = {each.lower(): each for each in REASONS}
_GONE: Final = 410


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Parse one body of our envelope: one fact for each answer of APNs; raises MalformedFeedback."""
    return parse_answers(SOURCE, SOURCE, raw, _read)


def _read(answer: SenderAnswer) -> list[TokenAnswer]:
    require_something(answer)
    reason = find_reason(answer.body) or find_reason(answer.error)
    if reason is None and (silence := read_silence(answer)) is not None:
        return [silence]
    own = answer.headers.get(APNS_ID)
    if reason is None and is_taken(answer):
        return [TokenAnswer(taken=True, message=own)]
    retried = REASONS.get(reason or "")
    gone = answer.status == _GONE
    return [
        TokenAnswer(
            word=reason or (None if isinstance(answer.body, str) else find_text(answer.body, "reason")),
            text=find_text(answer.body) or answer.error if reason is None else None,
            retried=Retried.NEVER if gone else retried,
            at=find_death(answer.body) if gone or retried is Retried.NEVER else None,
            message=own,
        )
    ]


def find_reason(body: Any) -> str | None:
    """Return the reason in a body of APNs, or in a text that is nothing else; None where it has none.

    One that is not known is taken only from its field.
    """
    if isinstance(body, str):
        return _FOLDED.get(body.strip().lower())
    given = find_text(body, "reason")
    return _FOLDED.get(given.strip().lower(), given.strip()) if given else None


def find_death(body: Any) -> datetime | None:
    """Return when (UTC) a token died, as a body of APNs says; None where it does not, or in no way that is known."""
    given = body.get("timestamp") if isinstance(body, dict) else None
    if isinstance(given, str) and given.strip().isdecimal() and len(given) < 20:
        given = int(given)
    if not isinstance(given, int | float) or isinstance(given, bool) or given <= 0:
        return None
    try:
        return read_epoch(given)
    except (ValueError, OverflowError, OSError):
        return None

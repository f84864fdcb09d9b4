"""Firebase Cloud Messaging: its answers, which a sender hands on in our envelope.

Sources: Firebase documentation, "FCM error codes" and "HTTP v1 API" (google.firebase.fcm.v1.FcmError, ApnsError;
google.rpc.Status, BadRequest); "Legacy HTTP protocol" of before 2024, whose words are still in logs and in Adobe
Campaign's documentation (Android V1 and V2). Not obvious there:
- `errorCode` decides, whatever the status of HTTP; where it is missing, the status of Google's RPC does;
- `INVALID_ARGUMENT` is about the token only where the message or a violated field names it, and a 404 only where the
  message speaks of what was asked for: a wrong project is not found either;
- an error of APNs behind FCM says more than FCM's own;
- the `results` of the legacy protocol have no tokens: they stand in the order of those that were sent to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from aftersend.core.model import Feedback
from aftersend.core.text import truncate
from aftersend.sources import apns
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

SOURCE: Final = "fcm"
TOKEN: Final = "/token"  # noqa: S105  # behind a code that is about the token here, and about anything elsewhere
_NAMES_TOKEN: Final = ("registration token", "registration-token", "device token", "message.token")
_NAMES_ENTITY: Final = ("requested entity", "token", "not registered", "notregistered", "unregistered")
_MESSAGES: Final = "/messages/"  # in the name of a message: "projects/shop/messages/0:15…"

_DEAD: Final = (
    *("UNREGISTERED", f"INVALID_ARGUMENT{TOKEN}", f"NOT_FOUND{TOKEN}"),
    *("NotRegistered", "InvalidRegistration"),
)
_NOT_AGAIN: Final = (
    *("INVALID_ARGUMENT", "SENDER_ID_MISMATCH", "THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR", "UNAUTHENTICATED"),
    *("PERMISSION_DENIED", "NOT_FOUND", "UNSPECIFIED_ERROR", "FAILED_PRECONDITION", "OUT_OF_RANGE"),
    *("MissingRegistration", "InvalidPackageName", "MismatchSenderId", "InvalidDataKey", "InvalidTtl"),
    *("InvalidParameters", "InvalidApnsCredential", "InvalidCredentials"),
    "DeviceMessageRateExceeded",  # Android V1: the device's quota is not tried again
)
_AGAIN: Final = (
    *("UNAVAILABLE", "INTERNAL", "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "ABORTED", "CANCELLED"),
    *("Unavailable", "InternalServerError", "TopicsMessageRateExceeded"),
    "MessageTooBig",  # Android V1 tries it again, V2 does not: a sender that does not says `retry: false`
)
# The codes that are known, of both protocols, and whether senders try again after them.
CODES: Final[dict[str, Retried]] = {
    **dict.fromkeys(_DEAD, Retried.NEVER),
    **dict.fromkeys(_NOT_AGAIN, Retried.NO),
    **dict.fromkeys(_AGAIN, Retried.YES),
}
# What the Admin SDKs call them, in their errors: "messaging/registration-token-not-registered", UnregisteredError.
SDK_WORDS: Final = {
    "registration-token-not-registered": "UNREGISTERED",
    "unregistered": "UNREGISTERED",
    "unregisterederror": "UNREGISTERED",
    "invalid-registration-token": f"INVALID_ARGUMENT{TOKEN}",
    "invalid-recipient": f"INVALID_ARGUMENT{TOKEN}",
    "invalid-argument": "INVALID_ARGUMENT",
    "invalid-payload": "INVALID_ARGUMENT",
    "payload-size-limit-exceeded": "MessageTooBig",
    "invalid-package-name": "InvalidPackageName",
    "mismatched-credential": "SENDER_ID_MISMATCH",
    "sender-id-mismatch": "SENDER_ID_MISMATCH",
    "senderidmismatcherror": "SENDER_ID_MISMATCH",
    "third-party-auth-error": "THIRD_PARTY_AUTH_ERROR",
    "invalid-apns-credentials": "THIRD_PARTY_AUTH_ERROR",
    "thirdpartyautherror": "THIRD_PARTY_AUTH_ERROR",
    "authentication-error": "UNAUTHENTICATED",
    "quota-exceeded": "QUOTA_EXCEEDED",
    "quotaexceedederror": "QUOTA_EXCEEDED",
    "message-rate-exceeded": "QUOTA_EXCEEDED",
    "device-message-rate-exceeded": "DeviceMessageRateExceeded",
    "topics-message-rate-exceeded": "TopicsMessageRateExceeded",
    "server-unavailable": "UNAVAILABLE",
    "unavailable": "UNAVAILABLE",
    "internal-error": "INTERNAL",
    "unknown-error": "UNSPECIFIED_ERROR",
    # Adobe Campaign's messages, in its table of Android V2, and OAuth's words that stand there.
    "temporarily unavailable": "UNAVAILABLE",
    "failed to identify the developer account": "UNAUTHENTICATED",
    "keywords cannot be used": "InvalidDataKey",
    "notification is too heavy": "MessageTooBig",
    "unexpected error code": "UNSPECIFIED_ERROR",
    "unauthorized_client": "UNAUTHENTICATED",
    "access_denied": "UNAUTHENTICATED",
    "invalid_grant": "UNAUTHENTICATED",
    "disabled_client": "UNAUTHENTICATED",
}
_PHRASES: Final = {phrase: code for phrase, code in SDK_WORDS.items() if " " in phrase or "_" in phrase}


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Parse one body of our envelope: one fact for each token that FCM answered about; raises MalformedFeedback."""
    return parse_answers(SOURCE, SOURCE, raw, _read)


def _read(answer: SenderAnswer) -> list[TokenAnswer]:
    require_something(answer)
    body = answer.body
    if isinstance(body, list) and len(body) == 1:  # some endpoints of Google answer with an array of one
        body = body[0]
    if isinstance(body, dict):
        for name in ("results", "responses"):  # of the legacy protocol, and of the SDKs' answer for several tokens
            if isinstance(results := body.get(name), list):
                return [read_result(each, body) for each in results]
    return [_read_one(answer, body)] * max(1, len(answer.recipients))


def _read_one(answer: SenderAnswer, body: Any) -> TokenAnswer:
    """What an answer says that is about all of its tokens: mostly there is one."""
    error = _find_error(body)
    if (found := read_failure(body)) is not None:
        return found
    named = find_code(answer.error)
    if named is not None:
        return TokenAnswer(word=named, retried=CODES.get(named), text=answer.error if answer.error != named else None)
    if (silence := read_silence(answer)) is not None:
        return silence
    if is_taken(answer) and error is None and answer.error is None:
        return TokenAnswer(taken=True, message=_find_message(body))
    word = error if isinstance(error, str) else None
    return TokenAnswer(word=word, text=find_text(body) or answer.error)


def read_failure(body: Any) -> TokenAnswer | None:
    """Read what went wrong, out of a body of either protocol; None where it names no error that is known."""
    error = _find_error(body)
    if isinstance(error, dict):
        return read_error(error)
    named = find_code(error) or find_code(body)
    return TokenAnswer(word=named, retried=CODES.get(named)) if named is not None else None


def _find_error(body: Any) -> Any:
    """The error in an answer; an error of an SDK is one by itself, with its code as a text."""
    if not isinstance(body, dict):
        return None
    return body.get("error") or body.get("errorInfo") or (body if isinstance(body.get("code"), str) else None)


def read_error(error: dict[str, Any]) -> TokenAnswer:
    """Read the `error` of an answer of HTTP v1."""
    details = [each for each in _list(error.get("details")) if isinstance(each, dict)]
    text = find_text(error, "message")
    status = find_text(error, "status", "code")
    code = next((found for each in details if (found := find_text(each, "errorCode"))), status)
    behind = next(filter(None, map(_find_apns, details)), None)
    if behind is not None and code != "UNREGISTERED":
        return TokenAnswer(word=f"{code or 'APNS'}/{behind}", text=text, retried=apns.REASONS.get(behind, Retried.NO))
    if _is_about_token(code, (text or "").lower(), details):
        code = f"{code}{TOKEN}"
    known = find_code(code)
    if known is None and status != code and status in CODES:  # a new code, which is of a kind that is known
        return TokenAnswer(word=f"{truncate(code or '', 40)}/{status}", text=text, retried=CODES[status])
    return TokenAnswer(word=known or code, text=text, retried=CODES.get(known or ""))


def _is_about_token(code: str | None, text: str, details: list[dict[str, Any]]) -> bool:
    """Whether a code that may be about anything is about the token here; `text` is in lower case."""
    if code == "NOT_FOUND":
        return any(each in text for each in _NAMES_ENTITY)
    return code == "INVALID_ARGUMENT" and (
        any(each in text for each in _NAMES_TOKEN) or any(map(_violates_token, details))
    )


def _find_apns(detail: dict[str, Any]) -> str | None:
    """The reason of an ApnsError, or what its status alone says of the token."""
    kind = find_text(detail, "@type") or ""
    reason = find_text(detail, "reason")
    if not kind.endswith("ApnsError") and reason not in apns.REASONS:
        return None
    gone = detail.get("statusCode") == 410
    return apns.find_reason(detail) or ("Unregistered" if gone else None)


def _violates_token(detail: dict[str, Any]) -> bool:
    """Whether a BadRequest names the token among the violated fields."""
    violations = (each for each in _list(detail.get("fieldViolations")) if isinstance(each, dict))
    return any(find_text(each, "field") == "message.token" for each in violations)


def find_code(given: Any) -> str | None:
    """Return the code that a word stands for, of either protocol or of an SDK; None where it is none that is known."""
    if not isinstance(given, str):
        return None
    word = given.strip()
    if word in CODES:
        return word
    folded = truncate(word.lower(), 256).removeprefix("messaging/")
    return SDK_WORDS.get(folded) or next((code for phrase, code in _PHRASES.items() if phrase in folded), None)


def read_result(result: Any, body: dict[str, Any]) -> TokenAnswer:
    """Read one of several results in a body."""
    found = result if isinstance(result, dict) else {}
    if isinstance(error := found.get("error"), dict):
        return read_error(error)
    if error:
        word = find_code(error) or find_text(found, "error")
        return TokenAnswer(word=word, retried=CODES.get(word or ""), message=_find_multicast(body))
    replaced, message = find_text(found, "registration_id"), _find_message(found)
    correlation = {"registration_id": truncate(replaced, 200)} if replaced else {}
    return TokenAnswer(taken=message is not None, message=message, correlation=correlation)


def _find_multicast(body: dict[str, Any]) -> str | None:
    """What the service calls all messages of one request: each is told apart by its token."""
    number = body.get("multicast_id")
    return f"multicast-{number}" if isinstance(number, int) and not isinstance(number, bool) else None


def _find_message(body: Any) -> str | None:
    """The service's own id: of HTTP v1 the end of a name."""
    name = find_text(body, "name", "messageId")
    if name is not None:
        return name.rpartition(_MESSAGES)[2]
    number = body.get("message_id") if isinstance(body, dict) else None
    return str(number) if isinstance(number, str | int) and not isinstance(number, bool) else None


def _list(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list) else ()

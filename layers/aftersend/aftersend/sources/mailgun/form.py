"""The older form posts of Mailgun, url-encoded or in parts, read into the shape that its JSON events have.

Source: Mailgun documentation, "Webhooks (legacy)". The sender's own variables are merged into the fields and may have
the names of Mailgun's: then Mailgun's value is the first, but for the three fields of the signature, which it writes
last.
"""

from __future__ import annotations

from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.text import truncate
from aftersend.sources.events import Event, decode_object, find_text
from aftersend.sources.forms import MULTIPART, URLENCODED, read_form

SOURCE: Final = "mailgun"

_MAX_HEADERS: Final = 200  # of the message

_SIGNED: Final = frozenset({"timestamp", "token", "signature"})
# Mailgun's own fields: every other one is a variable of the sender's.
_OWN: Final = frozenset(
    (
        *("event", "recipient", "domain", "ip", "country", "region", "city", "user-agent", "device-type"),
        *("client-type", "client-name", "client-os", "campaign-id", "campaign-name", "tag", "mailing-list"),
        *(
            "timestamp",
            "token",
            "signature",
            "body-plain",
            "h",
            "message-id",
            "Message-Id",
            "url",
            "message-headers",
            "X-Mailgun-Sid",
        ),
        *("X-Mailgun-Tag", "code", "error", "notification", "reason", "description", "attachment-count"),
    )
)


def read_event(raw: bytes, content_type: str = "") -> Event:
    """Return the event of a form in the shape of `event-data`. Raises MalformedFeedback where it is no form."""
    pairs = _read_pairs(raw, content_type)
    first: Event = {}
    for name, value in pairs:
        if name in _SIGNED:
            first[name] = value
        else:
            first.setdefault(name, value)
    headers = _read_headers(find_text(first, "message-headers"))
    tags = [value for name, value in pairs if name in ("tag", "X-Mailgun-Tag")]
    return {
        "event": first.get("event"),
        "timestamp": first.get("timestamp"),
        "recipient": first.get("recipient"),
        "reason": first.get("reason"),
        "ip": first.get("ip"),
        "url": first.get("url"),
        "tags": tags,
        "client-info": {"user-agent": first.get("user-agent")},
        "delivery-status": _read_status(first),
        "message": {
            "headers": headers
            | {"message-id": find_text(first, "Message-Id", "message-id") or find_text(headers, "message-id")}
        },
        "user-variables": _find_variables(headers, pairs),
    }


def _read_status(fields: Event) -> Event:
    """What was answered. Where the code should be, there may be an enhanced status."""
    code = find_text(fields, "code")
    return {
        "code": "" if "." in code else code,
        "enhanced-code": code if "." in code else "",
        "message": find_text(fields, "error", "notification"),
        "description": find_text(fields, "description"),
    }


def _read_pairs(raw: bytes, content_type: str) -> list[tuple[str, str]]:
    """The fields of a form in either encoding; where nothing says what is between parts, their first line does."""
    body = raw.lstrip()
    if not body.startswith(b"--"):
        content_type = URLENCODED
    elif "boundary=" not in content_type:
        first = body.partition(b"\n")[0].strip()[2:80].decode("ascii", "replace")
        content_type = f"{MULTIPART}; boundary={first}"
    try:
        fields = read_form(body, content_type)
    except ValueError as error:  # its text quotes nothing
        raise MalformedFeedback(SOURCE, f"neither JSON nor a form: {error}") from error
    if not fields:
        raise MalformedFeedback(SOURCE, "neither JSON nor a form")
    return [(name.decode("utf-8", "replace"), value.decode("utf-8", "replace")) for name, value in fields]


def _read_headers(text: str) -> Event:
    """The headers of the message by their names in lower case: a list of names and values, in JSON."""
    listed = decode_object(f'{{"all":{text}}}').get("all") if text else None
    found: Event = {}
    for each in listed[:_MAX_HEADERS] if isinstance(listed, list) else []:
        if isinstance(each, list) and len(each) == 2 and isinstance(each[0], str):
            found.setdefault(each[0].lower(), each[1])
    return found


def _find_variables(headers: Event, pairs: list[tuple[str, str]]) -> Event:
    """The sender's own variables: of the message's header where it is there, else all fields that are not Mailgun's."""
    if headers:
        return decode_object(find_text(headers, "x-mailgun-variables"))
    return {truncate(name, 64): value for name, value in pairs if name not in _OWN}

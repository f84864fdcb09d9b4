"""The older form posts of Mailgun, url-encoded or in parts (RFC 7578), read into the shape that its JSON events have.

Source: Mailgun documentation, "Webhooks (legacy)". The sender's own variables are merged into the fields and may have
the names of Mailgun's: then Mailgun's value is the first, but for the three fields of the signature, which it writes
last.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from aftersend.core.errors import MalformedFeedback
from aftersend.core.text import truncate
from aftersend.sources.events import Event, decode_object, find_text

SOURCE: Final = "mailgun"

MAX_FIELDS: Final = 1_000
_MAX_HEADERS: Final = 200  # of the message

_SIGNED: Final = frozenset({"timestamp", "token", "signature"})
_NAME: Final = re.compile(rb'content-disposition:[^\r\n]{0,200}?[; ]name="([^"\r\n]{1,200})"', re.IGNORECASE)
# Mailgun's own fields: every other one is a variable of the sender's.
_OWN: Final = frozenset(
    (
        *(
            "event",
            "recipient",
            "domain",
            "ip",
            "country",
            "region",
            "city",
            "user-agent",
            "device-type",
            "client-type",
        ),
        *("client-name", "client-os", "campaign-id", "campaign-name", "tag", "mailing-list", "timestamp", "token"),
        *("signature", "body-plain", "h", "message-id", "Message-Id", "url", "message-headers", "X-Mailgun-Sid"),
        *("X-Mailgun-Tag", "code", "error", "notification", "reason", "description", "attachment-count"),
    )
)


def read_form(raw: bytes) -> Event:
    """Return the event of a form in the shape of `event-data`. Raises MalformedFeedback where it is no form."""
    pairs = _read_parts(raw) if raw.lstrip()[:2] == b"--" else _read_pairs(raw)
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


def _read_pairs(raw: bytes) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:  # no UTF-8, or too many fields; its text may quote the body
        raise MalformedFeedback(SOURCE, "neither JSON nor a form") from error
    if not pairs:
        raise MalformedFeedback(SOURCE, "neither JSON nor a form")
    return pairs


def _read_parts(raw: bytes) -> list[tuple[str, str]]:
    """The fields of a multipart form; its first line is the boundary."""
    raw = raw.lstrip()
    boundary = raw.partition(b"\n")[0].rstrip(b"\r")
    pairs = []
    for part in raw.split(boundary, MAX_FIELDS + 1)[1 : MAX_FIELDS + 1]:
        head, blank, value = part.partition(b"\r\n\r\n") if b"\r\n" in part else part.partition(b"\n\n")
        name = _NAME.search(head[:1_000])
        if blank and name:
            text = value.removesuffix(b"\n").removesuffix(b"\r")
            pairs.append((name[1].decode("utf-8", "replace"), text.decode("utf-8", "replace")))
    if not pairs:
        raise MalformedFeedback(SOURCE, "a form in parts without any field")
    return pairs


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

"""A body on its way through queues: no byte of it changes, and what came beside it stays with it.

A queue of SQS carries text, and not every text (SQS API reference, SendMessage: the characters of XML 1.0). A body that
is no such text travels as base64, and an attribute says so.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from aftersend.core.text import truncate

Headers = Mapping[str, str]  # names in lower case

NO_HEADERS: Final[Headers] = {}

# What a parser may need to know beside the body: how it is packed, and which of several queues it lay in. And what a
# person needs who finds it unread: the file and the line that it was dropped in.
FORWARDED_HEADERS: Final = ("content-type", "content-encoding", "x-queue", "x-file")

_CODING: Final = "coding"
_PREFIX: Final = "header."
_NOTHING: Final = "-"  # the text for an empty body: a queue takes no empty one

# What is no character of XML 1.0: SQS takes none of these in a message.
NOT_XML_CHARACTERS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


SOURCE: Final = "source"  # the attribute that says whose body it is
UNKNOWN: Final = "unknown"  # the source of a body whose sender named none: no parser has this name
_SOURCE_NAME: Final = re.compile("[a-z][a-z0-9_]{0,39}")


class Message(Struct, frozen=True):
    """One body as it came: `id` is its id in the queue, `received_at` when the queue took it (UTC)."""

    id: str
    body: bytes
    received_at: datetime
    source: str
    headers: dict[str, str] = {}  # of FORWARDED_HEADERS, those that came with it


def find_source(attributes: Headers, default: str = UNKNOWN) -> str:
    """Return the source that the attributes of a message name; `default` where they name none that could be one.

    It becomes part of the archive's keys, so it is held to a form.
    """
    named = attributes.get(SOURCE, "")
    return named if _SOURCE_NAME.fullmatch(named) else default or UNKNOWN


def select_headers(headers: Headers) -> dict[str, str]:
    """Return those of `headers` that travel with a body, whatever the case of their names."""
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: clean_attribute(lower[name]) for name in FORWARDED_HEADERS if lower.get(name)}


def clean_attribute(value: str) -> str:
    """Return `value` as an attribute of a message: on one line, bounded, not empty, of characters that SQS takes."""
    return NOT_XML_CHARACTERS.sub(" ", truncate(value, 256)) or "-"


def build_sqs_attributes(attributes: Headers) -> dict[str, dict[str, str]]:
    """Return attributes in the form that SQS takes them in."""
    return {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}


def build_sqs_message(text: str, attributes: Headers) -> dict[str, Any]:
    """Return what was packed as the arguments of SendMessage, or an entry of SendMessageBatch.

    The source is the message's group as well. In a standard queue a group orders nothing: it lets SQS see to it that a
    flood of one source delays the others as little as possible ("fair queues").
    """
    return {
        "MessageBody": text,
        "MessageAttributes": build_sqs_attributes(attributes),
        "MessageGroupId": attributes[SOURCE],
    }


def measure_size(text: str, attributes: Headers) -> int:
    """Return the bytes of a message as SQS counts them: names, types and values of its attributes are counted too."""
    types = len("String") * len(attributes)
    return len(text.encode()) + types + sum(len(name) + len(value.encode()) for name, value in attributes.items())


def pack(body: bytes, source: str, headers: Headers = NO_HEADERS) -> tuple[str, dict[str, str]]:
    """Return the text and the attributes of which `unpack` and `source_of` make the same again."""
    attributes = {SOURCE: source} | {_PREFIX + name: value for name, value in select_headers(headers).items()}
    if not body:
        return _NOTHING, {_CODING: "empty", **attributes}
    text = _decode_text(body)
    if text is not None:
        return text, attributes
    return base64.b64encode(body).decode(), {_CODING: "base64", **attributes}


def _decode_text(body: bytes) -> str | None:
    """The body as a text that a queue takes, or None where it is none."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if NOT_XML_CHARACTERS.search(text) else text


def unpack(text: str, attributes: Headers) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers that were packed; a text that came without our attributes is the body itself."""
    headers = select_headers(
        {name.removeprefix(_PREFIX): value for name, value in attributes.items() if _PREFIX in name}
    )
    if (text, attributes.get(_CODING)) == (_NOTHING, "empty"):
        return b"", headers
    if attributes.get(_CODING) == "base64":
        try:
            return base64.b64decode(text, validate=True), headers
        except binascii.Error:  # somebody else's attribute of this name
            pass
    return text.encode(), headers

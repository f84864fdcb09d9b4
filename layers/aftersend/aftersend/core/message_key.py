"""How a message is known: one order of ids for all sources, so that whoever reports on it means the same outcome. Pure.

A message has up to three ids, and a body names those that its writer knows. The Message-ID comes first: it travels with
the mail, so every later report can name it, by whatever road it comes. The envelope id (RFC 3461) comes back only where
every system on the way speaks DSN, and what a system calls the message itself comes back from that system alone.
"""

from __future__ import annotations

import re
from typing import Final

from aftersend.core.text import truncate

MAX_ID: Final = 200  # characters
SES_DOMAIN: Final = "amazonses.com"

_EDGES: Final = "<> \t\r\n"
_XTEXT: Final = re.compile(r"\+([0-9A-F]{2})")


def clean_message_id(value: object) -> str:
    """Return a Message-ID without its angle brackets, bounded; an empty text where `value` is none."""
    return truncate(value.strip(_EDGES), MAX_ID) if isinstance(value, str) else ""


def clean_envelope_id(value: object) -> str:
    """Return an envelope id as the sender gave it, bounded; an empty text where `value` is none.

    In a report it stands decoded (RFC 3464 section 2.2.1), but not every system decodes the xtext of RFC 3461.
    """
    if not isinstance(value, str):
        return ""
    return truncate(_XTEXT.sub(lambda found: chr(int(found[1], 16)), value).strip(_EDGES), MAX_ID)


def make_message_key(message_id: object = None, envelope_id: object = None, own: str = "") -> str:
    """Make the join key of a message, of the first of these that it has; an empty text where it has none.

    `own` is the whole key by what a source itself calls the message. An envelope id of the form of a Message-ID is
    taken for one: a sender who gives both the same value is understood by bodies that hold only one of them.
    """
    if name := clean_message_id(message_id):
        return _name_message(name)
    if name := clean_envelope_id(envelope_id):
        return _name_message(name) if "@" in name[1:-1] else f"envid:{name}"
    return own


def _name_message(name: str) -> str:
    """What Amazon SES sent has its own id before the @ (SES developer guide, "Message-ID"), and is known by that."""
    local, _, domain = name.rpartition("@")
    if local and (domain.lower() == SES_DOMAIN or domain.lower().endswith("." + SES_DOMAIN)):
        return f"ses:{local}"
    return f"rfc5322:{name}"

"""The key of a message that is known by its Message-ID. Pure."""

from __future__ import annotations

from typing import Final

from aftersend.core.text import truncate

MAX_KEY: Final = 200  # characters of a name
SES_DOMAIN: Final = "amazonses.com"


def build_message_key(message_id: str) -> str:
    """Return the key of the message with this Message-ID, in angle brackets or without; "" where it names nothing.

    What Amazon SES sent has its own id before the @ (SES developer guide, "Message-ID"), and is known by that.
    """
    name = truncate(message_id.strip("<> \t"), MAX_KEY)
    local, at, domain = name.rpartition("@")
    if at and local and (domain.lower() == SES_DOMAIN or domain.lower().endswith("." + SES_DOMAIN)):
        return f"ses:{local}"
    return f"rfc5322:{name}" if name else ""

"""PDUs of SMPP 3.4 as an SMSC writes them, in hexadecimal."""

from __future__ import annotations

import struct
from typing import Final

DELIVER_SM: Final = 0x00000005
DATA_SM: Final = 0x00000103
SUBMIT_SM_RESP: Final = 0x80000004


def tlv(tag: int, value: bytes) -> bytes:
    """Return an optional parameter."""
    return struct.pack(">HH", tag, len(value)) + value


def deliver(
    number: str, text: bytes, parameters: bytes = b"", *, esm: int = 0x04, coding: int = 0, ton: int = 1
) -> str:
    """Return a `deliver_sm` from a number."""
    body = b"\0" + bytes([ton, 1]) + number.encode() + b"\0" + b"\5\0ACME\0" + bytes([esm]) + bytes(6)
    body += bytes([coding, 0, len(text)]) + text + parameters
    return _frame(DELIVER_SM, 0, body)


def respond(message: str, status: int = 0) -> str:
    """Return a `submit_sm_resp` with the id of a message."""
    return _frame(SUBMIT_SM_RESP, status, message.encode() + b"\0" if message else b"")


def _frame(command: int, status: int, body: bytes) -> str:
    return (struct.pack(">IIII", 16 + len(body), command, status, 1) + body).hex()

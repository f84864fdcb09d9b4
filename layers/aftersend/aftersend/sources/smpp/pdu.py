"""The PDUs of SMPP 3.4 that say what became of a message: bytes in, fields out. Pure; nothing of it is ever sent.

A receipt is a `deliver_sm` (or `data_sm`) of a class that says so: its source is the number that the message went to.
What it says stands in a text, in optional parameters, or in both, and the text may stand in a parameter as well. An
acknowledgement is a `submit_sm_resp`: it has the id of the message, and names nobody.

Source: SMPP Protocol Specification 3.4, sections 4.4, 4.6, 4.7, 5.2.12, 5.3.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

MAX_BYTES: Final = 70_000  # one parameter has 65,535 at most
MAX_PARAMETERS: Final = 64

GENERIC_NACK: Final = 0x80000000
SUBMIT_RESPONSES: Final = frozenset({0x80000004, 0x80000021, 0x80000103})  # submit_sm, submit_multi, data_sm
_DELIVER: Final = 0x00000005
_DATA: Final = 0x00000103
_UCS2: Final = 8

MESSAGE_ID: Final = 0x001E
NETWORK_ERROR: Final = 0x0423
PAYLOAD: Final = 0x0424
MESSAGE_STATE: Final = 0x0427

# esm_class, section 5.2.12: what kind of message it is.
_KIND: Final = 0x3C
RECEIPT: Final = 0x04
INTERMEDIATE: Final = 0x20
_HEADER: Final = 0x40  # the message begins with a header of its own
_INTERNATIONAL: Final = 1


class MalformedPdu(ValueError):
    """Bytes that are no PDU, or one that was cut off; the text quotes none of them."""


class Pdu(Struct, frozen=True, kw_only=True):
    """What stands in a PDU, as far as it says what became of a message."""

    command: int
    status: int = 0  # command_status
    message: str = ""  # of a response: the id that the SMSC gave
    number: str = ""  # of a receipt: the source, with "+" where its type says so
    guessed: bool = False  # whether the number's type leaves open which country it is of
    kind: int = 0  # of esm_class
    text: str = ""
    parameters: dict[int, bytes] = {}


class _Reader:
    """Reads the fields of a PDU from left to right."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise MalformedPdu("is cut off")
        found, self.at = self.data[self.at : end], end
        return found

    def number(self, size: int = 1) -> int:
        return int.from_bytes(self.take(size))

    def text(self, limit: int) -> str:
        """A C-octet string of at most `limit` octets, with what ends it."""
        end = self.data.find(b"\0", self.at, self.at + limit)
        if end < 0:
            raise MalformedPdu("has a text without an end")
        found = self.data[self.at : end]
        self.at = end + 1
        return found.decode("latin-1")


def read_pdu(data: bytes) -> Pdu:
    """Read one PDU; raises MalformedPdu. Of a command that says nothing of a message, only the command."""
    if not 16 <= len(data) <= MAX_BYTES:
        raise MalformedPdu("is no PDU: it has no header, or is longer than any")
    reader = _Reader(data)
    length, command, status, _ = (reader.number(4) for _ in range(4))
    if length != len(data):
        raise MalformedPdu("has another length than it says")
    if command in SUBMIT_RESPONSES:
        message = reader.text(66) if reader.at < length else ""  # section 4.4.2: none beside an error
        return Pdu(command=command, status=status, message=message)
    if command in (_DELIVER, _DATA):
        return _read_delivery(reader, command)
    return Pdu(command=command, status=status)


def _read_delivery(reader: _Reader, command: int) -> Pdu:
    reader.text(6)  # service_type
    ton, _, number = reader.number(), reader.number(), reader.text(65)
    reader.take(2)
    reader.text(65)  # to whom: the sender's own number
    esm_class = reader.number()
    if command == _DATA:
        reader.take(1)  # registered_delivery
        coding, message = reader.number(), b""
    else:
        reader.take(2)  # protocol_id, priority_flag
        reader.text(17)
        reader.text(17)
        reader.take(2)  # registered_delivery, replace_if_present_flag
        coding = reader.number()
        reader.take(1)  # sm_default_msg_id
        message = reader.take(reader.number())
    parameters = _read_parameters(reader)
    message = message or parameters.get(PAYLOAD, b"")
    if esm_class & _HEADER and message and message[0] < len(message):
        message = message[message[0] + 1 :]
    number, guessed = name_number(number, ton)
    return Pdu(
        command=command,
        number=number,
        guessed=guessed,
        kind=esm_class & _KIND,
        text=_decode(message, coding),
        parameters=parameters,
    )


def _read_parameters(reader: _Reader) -> dict[int, bytes]:
    """The optional parameters by their tags, of which the first counts; others are skipped by their length."""
    found: dict[int, bytes] = {}
    while reader.at < len(reader.data):
        tag, size = reader.number(2), reader.number(2)
        value = reader.take(size)
        if len(found) < MAX_PARAMETERS:
            found.setdefault(tag, value)
    return found


def name_number(number: str, ton: int) -> tuple[str, bool]:
    """Return an address as a number of E.164, as far as its type says so, and whether that is a guess."""
    digits = number.strip()
    if not digits.removeprefix("+").isdigit():
        return "", True  # a name: nobody's number
    if ton == _INTERNATIONAL or digits.startswith("+"):
        return "+" + digits.removeprefix("+").removeprefix("00"), False
    return digits, True


def _decode(message: bytes, coding: int) -> str:
    """The text of a receipt. What is said to be UCS-2 and is none is read as what it looks like."""
    if coding == _UCS2:
        text = message.decode("utf-16-be", "replace")
        if ":" in text or not message.isascii():
            return text
    return message.decode("ascii", "replace")

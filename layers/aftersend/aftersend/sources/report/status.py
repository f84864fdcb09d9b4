"""Delivery status fields (RFC 3464, RFC 6533), as mail systems really write them.

Seen in the wild, and taken: a blank before the colon, "rfc/822;", comments behind values, blank lines inside a
recipient's block and none between two, fields of the message among those of the recipient, the recipient named last,
the whole quoted by somebody who forwards it.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.model import Kind
from aftersend.sources.report import addresses
from aftersend.sources.report.decode import decode_field
from aftersend.sources.report.parsed import RecipientReport

MAX_RECIPIENTS: Final = 200  # of one mail, over all of its parts
MAX_LINES: Final = 6_000

_FIELD: Final = re.compile(r"[> \t]{0,8}?([A-Za-z][A-Za-z-]{3,40})[ \t]{0,8}:[ \t]{0,8}(.*)")
_STATUS: Final = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\d|\.\d)")
_DIAGNOSTIC_TYPE: Final = re.compile(r"(?:smtp|lmtp|dns|x-[a-z0-9_-]{1,30}|x_[a-z0-9_]{1,30}) ?; ?", re.IGNORECASE)

# Where a field belongs, whatever block it stands in.
OF_MESSAGE: Final = frozenset(
    ("reporting-mta", "original-envelope-id", "dsn-gateway", "received-from-mta", "arrival-date")
)
OF_RECIPIENT: Final = frozenset(
    {
        "original-recipient",
        "final-recipient",
        "x-actual-recipient",
        "action",
        "status",
        "remote-mta",
        "diagnostic-code",
        "x-supplementary-info",
        "last-attempt-date",
        "will-retry-until",
        "final-log-id",
    }
)
_NAMES: Final = frozenset(("final-recipient", "original-recipient"))

# Section 2.3.3, and what is written instead; everything else is a failure.
ACTIONS: Final = {
    "delayed": ("delayed", Kind.DEFERRED),
    "delay": ("delayed", Kind.DEFERRED),
    "deferred": ("delayed", Kind.DEFERRED),
    "delivered": ("delivered", Kind.DELIVERED),
    "deliverable": ("delivered", Kind.DELIVERED),
    "success": ("delivered", Kind.DELIVERED),
    "relayed": ("relayed", Kind.DELIVERED),
    "expanded": ("expanded", Kind.DELIVERED),
    "expired": ("expired", Kind.BOUNCED),
}

Block = dict[str, str]


class DeliveryStatus(Struct):
    """The fields of a delivery status part."""

    message: Block
    recipients: list[Block]


def read(text: str, most: int = MAX_RECIPIENTS) -> DeliveryStatus:
    """Return the fields in `text`, grouped by recipient, `most` of these; anything else in it is passed over."""
    delivery = DeliveryStatus({}, [])
    open_block: Block = {}
    for block in _split_blocks(text):
        names = _NAMES & block.keys()
        if names and _NAMES & open_block.keys() and (names & open_block.keys() or "action" in open_block):
            open_block = _close(delivery, open_block, most)
        for name, value in block.items():
            if name in OF_MESSAGE:
                delivery.message.setdefault(name, value)
            elif name not in open_block or open_block[name] == "":
                open_block[name] = value
            elif name == "action" and not names:
                open_block = _close(delivery, open_block, most)
                open_block[name] = value
    _close(delivery, open_block, most)
    return delivery


def _close(delivery: DeliveryStatus, block: Block, most: int) -> Block:
    if block.keys() & OF_RECIPIENT and len(delivery.recipients) < most:
        delivery.recipients.append(block)
    return {}


def _split_blocks(text: str) -> list[Block]:
    """The groups of fields between blank lines. A field that comes again begins a group of its own."""
    blocks: list[Block] = [{}]
    last = ""
    for line in text.split("\n", MAX_LINES)[:MAX_LINES]:
        bare = line.strip("> \t")
        block = blocks[-1]
        match = _FIELD.match(line) if line[:1] not in " \t" or not last else None
        name = match[1].lower() if match else ""
        if not bare:
            last = ""
            if block:
                blocks.append({})
        elif match and (name in OF_MESSAGE or name in OF_RECIPIENT):
            last = name
            if name in block and name in OF_RECIPIENT:
                block = {}
                blocks.append(block)
            block[name] = match[2].strip()[:2_000]
        elif last and (line[0] in " \t>" or not match) and len(block[last]) < 2_000:
            block[last] = f"{block[last]} {bare}".strip()
        else:
            last = ""
    return blocks


def read_recipients(block: Block) -> list[RecipientReport]:
    """Return what one recipient's fields say; nothing where they name nobody.

    The recipient is the final one. Where that is an address inside the system that reports, which nobody outside writes
    to, the original one is told of as well, and first.
    """
    final = addresses.read_address(block.get("final-recipient", ""))
    original = addresses.read_original_recipient(block.get("original-recipient", ""))
    recipient = final or original or addresses.read_address(block.get("x-actual-recipient", ""))
    if recipient is None:
        return []
    outcome = read_outcome(block)
    outcome.recipient = recipient
    if original is None or addresses.is_same(original, recipient):
        return [outcome]
    outcome.original_recipient = original
    if addresses.is_internal(recipient, original):
        return [replace(outcome, recipient=original, original_recipient=None), outcome]
    return [outcome]


def read_outcome(block: Block) -> RecipientReport:
    """Return what one recipient's fields say of the message, whomever they name."""
    action, kind = _read_action(block)
    given, comment = _read_status(block.get("status", ""))
    text = strip_diagnostic_type(block.get("diagnostic-code", ""))
    if not has_words(text):
        text = _read_supplementary(block.get("x-supplementary-info", "")) or text or comment
    return RecipientReport(
        recipient="",
        kind=kind,
        action=action,
        status=choose_status(given, text),
        text=text,
        remote_mta=read_host(block.get("remote-mta", "")),
        last_attempt=block.get("last-attempt-date"),
    )


def strip_diagnostic_type(value: str) -> str | None:
    """Return a Diagnostic-Code without its type."""
    text = decode_field(value)
    typed = _DIAGNOSTIC_TYPE.match(text)
    return text[typed.end() if typed else 0 :].strip() or None


def _read_status(value: str) -> tuple[str | None, str | None]:
    """The code of "5.0.0 (no such mailbox)", and the comment behind it where it says something."""
    text = decode_field(value).strip()
    given = _STATUS.match(text)
    if given is None:
        return None, None
    comment = text[given.end() :].strip(" \t()[]-:;,")
    return given[1], comment if has_words(comment) and comment.lower() not in _EMPTY_COMMENTS else None


# The names of the classes and of "undefined" (RFC 3463), which say no more than the code.
_EMPTY_COMMENTS: Final = frozenset(
    ("failed", "failure", "permanent failure", "permanent error", "permanent", "temporary failure", "transient failure",
     "persistent transient failure", "transient", "temporary", "other undefined status", "undefined", "unspecified",
     "unknown", "undefined status", "other or undefined status", "delivery failed", "delayed", "not delivered")
)  # fmt: skip


def _read_supplementary(value: str) -> str | None:
    """The reply in "<mx.example.net #5.0.0 smtp; 550 no such user>", which stands in for a Diagnostic-Code."""
    text = decode_field(value).strip().removeprefix("<").removesuffix(">")
    text = _SUPPLEMENTARY.sub("", text, count=1)
    return strip_diagnostic_type(text.strip())


_SUPPLEMENTARY: Final = re.compile(
    r"\A[^#;]{0,260}#?[245]\.\d{1,3}\.\d{1,3}[ \t]{1,8}(?=(?:smtp|x-\S{1,20})[ \t]?;|[45]\d\d\b)", re.I
)


def has_words(text: str | None) -> bool:
    """Return whether a diagnostic says more than a number."""
    return text is not None and sum(map(str.isalpha, text[:100])) > 3


def is_specific(status: str | None) -> bool:
    """Return whether a status says what happened, so that it needs no words: neither x.0.0 and its like, nor 5.7.1."""
    return status is not None and not status.endswith(".0") and status not in _VAGUE


_VAGUE: Final = frozenset(("5.7.1", "4.7.1", "4.4.7", "5.4.7", "5.3.5", "5.5.1", "5.5.2", "5.5.4", "5.4.300"))


def read_host(value: str) -> str | None:
    """Return the host of "dns; mx.example.com (192.0.2.1, the server for the domain)"."""
    words = decode_field(value).rpartition(";")[2].split(None, 1)
    return words[0] if words else None


def _read_action(block: Block) -> tuple[str, Kind]:
    words = block.get("action", "").lower().replace("(", " ").split(None, 1)
    if words:
        return ACTIONS.get(words[0].strip(".,;"), ("failed", Kind.BOUNCED))
    if block.get("status", "").startswith("2."):
        return "delivered", Kind.DELIVERED
    return "failed", Kind.BOUNCED


def choose_status(given: str | None, text: str | None) -> str | None:
    """Return the status that is given, unless it is vague where the remote system was precise."""
    if given is None or given.endswith(".0.0"):
        found = _STATUS.search((text or "")[:200])
        if found and found[1][0] != "2" and (given is None or given[0] == found[1][0]):
            return found[1]
    return given

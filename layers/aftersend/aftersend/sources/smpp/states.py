"""What the words and numbers of SMPP mean: states of a message, and what an SMSC answers to its submission. Pure.

Source: SMPP Protocol Specification 3.4, sections 5.1.3 and 5.2.28 and appendix B; 5.0, section 4.7.15; and what SMSCs
write beside.
"""

from __future__ import annotations

from typing import Final

from aftersend.core.model import Kind
from aftersend.core.smsc import Smsc

_SENT, _BOUNCED = Kind.SENT, Kind.BOUNCED

# The words of receipts, in capitals. What is on its way is `sent`: it says nothing of the number.
KINDS: Final[dict[str, Kind]] = {
    "DELIVRD": Kind.DELIVERED,
    "DELIVERED": Kind.DELIVERED,
    "UNDELIV": _BOUNCED,
    "UNDELIVERABLE": _BOUNCED,
    "UNDELIVERED": _BOUNCED,
    "UNDELIVRD": _BOUNCED,
    "FAILED": _BOUNCED,
    "REJECTD": _BOUNCED,
    "REJECTED": _BOUNCED,
    "DELETED": _BOUNCED,
    "EXPIRED": _BOUNCED,  # the network gave up; Kind.EXPIRED is what we infer ourselves
    "ACCEPTD": _SENT,
    "ACCEPTED": _SENT,
    "ENROUTE": _SENT,
    "SCHEDLD": _SENT,
    "SCHEDULED": _SENT,
    "SENT": _SENT,
    "ACKED": _SENT,
    "BUFFRED": Kind.DEFERRED,
    "BUFFERED": Kind.DEFERRED,
}
_SUCCESS: Final = "DELIV"
_REFUSED: Final = ("_REJECTED", "_REJECTD")

# The states of the parameter message_state, in the words of receipts.
STATES: Final = {
    0: "SCHEDLD",
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
    9: "SKIPPED",
}

# What an SMSC answers to a submission: the errors that say something of the number, the message or the sender.
OK: Final = "ESME_ROK"
COMMANDS: Final = {
    0x00000000: OK,
    0x00000001: "ESME_RINVMSGLEN",
    0x00000002: "ESME_RINVCMDLEN",
    0x00000003: "ESME_RINVCMDID",
    0x00000004: "ESME_RINVBNDSTS",
    0x00000005: "ESME_RALYBND",
    0x00000006: "ESME_RINVPRTFLG",
    0x00000007: "ESME_RINVREGDLVFLG",
    0x00000008: "ESME_RSYSERR",
    0x0000000A: "ESME_RINVSRCADR",
    0x0000000B: "ESME_RINVDSTADR",
    0x0000000C: "ESME_RINVMSGID",
    0x0000000D: "ESME_RBINDFAIL",
    0x0000000E: "ESME_RINVPASWD",
    0x0000000F: "ESME_RINVSYSID",
    0x00000014: "ESME_RMSGQFUL",
    0x00000015: "ESME_RINVSERTYP",
    0x00000033: "ESME_RINVNUMDESTS",
    0x00000040: "ESME_RINVDESTFLAG",
    0x00000042: "ESME_RINVSUBREP",
    0x00000043: "ESME_RINVESMCLASS",
    0x00000045: "ESME_RSUBMITFAIL",
    0x00000048: "ESME_RINVSRCTON",
    0x00000049: "ESME_RINVSRCNPI",
    0x00000050: "ESME_RINVDSTTON",
    0x00000051: "ESME_RINVDSTNPI",
    0x00000058: "ESME_RTHROTTLED",
    0x00000061: "ESME_RINVSCHED",
    0x00000062: "ESME_RINVEXPIRY",
    0x00000064: "ESME_RX_T_APPN",
    0x00000065: "ESME_RX_P_APPN",
    0x00000066: "ESME_RX_R_APPN",
    0x00000067: "ESME_RQUERYFAIL",
    0x000000FE: "ESME_RDELIVERYFAILURE",
    0x000000FF: "ESME_RUNKNOWNERR",
}


def find_kind(status: str, smsc: Smsc, *, intermediate: bool = False) -> Kind:
    """Return what the status of a receipt says; UNKNOWN where nobody knows the word.

    An SMSC of whom the user says which words are a success and which an error is believed in that: what is neither is
    on its way. An intermediate notification is never the last word.
    """
    kind = _find(status, smsc)
    return Kind.DEFERRED if intermediate and kind is Kind.BOUNCED else kind


def _find(status: str, smsc: Smsc) -> Kind:
    word = status.upper()
    known = KINDS.get(word, Kind.UNKNOWN)
    if smsc.delivered is not None:
        if smsc.delivered.search(status):
            return Kind.DELIVERED
        known = Kind.SENT if known is Kind.DELIVERED else known
    elif word.startswith(_SUCCESS):
        return Kind.DELIVERED
    if smsc.failed is None:
        return Kind.BOUNCED if word.endswith(_REFUSED) else known
    final = known is Kind.BOUNCED
    if smsc.failed.search(status):
        return known if final else Kind.BOUNCED
    return Kind.SENT if final else known


def name_command(status: int) -> str:
    """Return the word for a command_status; of those of vendors, the number."""
    return COMMANDS.get(status, f"ESME_{status:#010x}")

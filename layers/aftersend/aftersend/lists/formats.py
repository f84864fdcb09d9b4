"""The lists that can be imported, as a table: how each is detected, and what its values mean. Pure.

Sources: Amazon SES API v2, ListSuppressedDestinations, and developer guide, "Adding email addresses in bulk";
SendGrid, Suppressions API v3 (bounces, blocks, invalid emails, spam reports, global unsubscribes) and the CSV files of
its console; Mailgun, Suppressions API and its import of CSV; Postmark, Suppressions API; Adobe Campaign, "Manage
quarantines" and "Database cleanup workflow" (schema nms:address).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import CauseKind, Reason
from aftersend.core.vocabulary import Channel

FormatName = Literal[
    "aftersend",
    "campaign-addresses",
    "ses",
    "sendgrid-bounces",
    "sendgrid-blocks",
    "sendgrid-invalid-emails",
    "sendgrid-spam-reports",
    "sendgrid-unsubscribes",
    "mailgun-bounces",
    "mailgun-complaints",
    "mailgun-unsubscribes",
    "postmark",
]
OWN_FORMAT: Final[FormatName] = "aftersend"  # the format of our own exports

_HARD, _COMPLAINT, _UNSUBSCRIBED, _MANUAL = (
    CauseKind.HARD,
    CauseKind.COMPLAINT,
    CauseKind.UNSUBSCRIBED,
    CauseKind.MANUAL,
)


class ListFormat(Struct, frozen=True, kw_only=True):
    """One list: which columns it has, and what they mean. Columns that are not named here are ignored."""

    name: FormatName
    required: frozenset[str]  # columns that it always has
    distinctive: frozenset[str] = frozenset()  # columns that no other list has together; if empty, it must be named
    recipient: str
    at: str
    kind_columns: tuple[str, ...] = ()  # that say what happened
    kinds: Mapping[str, CauseKind | None]  # by the values of those, with "/" between; None is the sender's fault
    scopes: str = ""  # the column of streams, with commas between
    status: str = ""  # the columns of a refusal: enhanced status, reply code, text
    code: str = ""
    text: str = ""
    reason: Reason | None = None  # where no text is more precise
    aliases: Mapping[str, str] = {}  # other names of columns, by which they are known here
    channel: str = ""  # the column that says by what an address is reached; mail, where there is none
    words_of: str = "import"  # the source whose words a refusal is put in
    name_failure: Callable[[str], str | None] | None = None  # the code of a refusal as that source's provider code
    # By what those are reached who are on the provider's list no more where a whole export of it does not have them.
    lifted: frozenset[Channel] = frozenset()


def _name_failure_of_campaign(code: str) -> str | None:
    from aftersend.sources.adobe import name_failure  # noqa: PLC0415  # whoever asks for jobs alone reads no list

    return name_failure("", code)


_ADDRESS_STATUSES: Final[dict[CauseKind | None, tuple[str, ...]]] = {
    CauseKind.PROVIDER: ("Quarantine", "Karantän", "I karantän", "In quarantine"),
    _COMPLAINT: ("Denylisted", "On denylist", "Blacklisted", "Blocklistad", "På blockeringslista"),
    None: ("2", "Valid", "Giltig", "With errors", "Med fel", "Erroneous", "Allowlisted", "Whitelisted"),
}


def _build_address_kinds() -> dict[str, CauseKind | None]:
    """What the statuses of `nms:address` mean. Of the numbers only 2 is documented, as valid: a label is needed.

    Who is denylisted by mail has called a message spam, who is by text message has answered STOP, and who is by push
    has turned it off.
    """
    kinds = {spelling.casefold(): kind for kind, spellings in _ADDRESS_STATUSES.items() for spelling in spellings}
    left = (f"{status.casefold()}/{channel}" for status in _ADDRESS_STATUSES[_COMPLAINT] for channel in ("sms", "push"))
    return kinds | dict.fromkeys(left, _UNSUBSCRIBED)


FORMATS: Final[dict[str, ListFormat]] = {
    each.name: each
    for each in (
        ListFormat(
            name=OWN_FORMAT,
            required=frozenset({"recipient"}),
            distinctive=frozenset({"recipient"}),
            recipient="recipient",
            at="at",
            kind_columns=("kind",),
            # Streaks and pauses follow from outcomes, which do not come along: here a person has written them down.
            kinds={"": _MANUAL} | {kind: kind for kind in CauseKind} | {"streak": _MANUAL, "pause": _MANUAL},
        ),
        ListFormat(
            name="campaign-addresses",
            required=frozenset({"address", "status", "lastmodified"}),
            distinctive=frozenset({"address", "status", "lastmodified", "errorreason"}),
            recipient="address",
            at="lastmodified",
            kind_columns=("status", "channel"),
            kinds=_build_address_kinds(),
            code="errorreason",
            text="errortext",
            aliases={
                **{"saddress": "address", "adress": "address", "statuslabel": "status", "statusname": "status"},
                **{"istatus": "status", "tslastmodified": "lastmodified", "senaständrad": "lastmodified"},
                **{"ierrorreason": "errorreason", "quarantinereason": "errorreason", "felorsak": "errorreason"},
                **{"serrortext": "errortext", "quarantinetext": "errortext", "felmeddelande": "errortext"},
                **{"messagetype": "channel", "imessagetype": "channel", "type": "channel", "itype": "channel"},
                **{"kanal": "channel", "typ": "channel", "ändrad": "lastmodified", "modified": "lastmodified"},
            },
            channel="channel",
            words_of="campaign",
            name_failure=_name_failure_of_campaign,
            lifted=frozenset({Channel.EMAIL, Channel.SMS}),  # dead tokens are purged after some days
        ),
        ListFormat(
            name="ses",
            required=frozenset({"emailaddress", "reason"}),
            distinctive=frozenset({"emailaddress", "reason"}),
            recipient="emailaddress",
            at="lastupdatetime",
            kind_columns=("reason",),
            kinds={"bounce": _HARD, "complaint": _COMPLAINT},
        ),
        ListFormat(
            name="sendgrid-bounces",
            required=frozenset({"email", "created", "reason"}),
            recipient="email",
            at="created",
            kinds={"": _HARD},
            status="status",
            text="reason",
        ),
        ListFormat(
            name="sendgrid-blocks",
            required=frozenset({"email", "created", "reason"}),
            recipient="email",
            at="created",
            kinds={"": None},
        ),
        ListFormat(
            name="sendgrid-invalid-emails",
            required=frozenset({"email", "created", "reason"}),
            recipient="email",
            at="created",
            kinds={"": _HARD},
            text="reason",
            reason=Reason.INVALID_ADDRESS,
        ),
        ListFormat(
            name="sendgrid-spam-reports",
            required=frozenset({"email", "created"}),
            distinctive=frozenset({"email", "created", "ip"}),
            recipient="email",
            at="created",
            kinds={"": _COMPLAINT},
        ),
        ListFormat(
            name="sendgrid-unsubscribes",
            required=frozenset({"email", "created"}),
            recipient="email",
            at="created",
            kinds={"": _UNSUBSCRIBED},
        ),
        ListFormat(
            name="mailgun-bounces",
            required=frozenset({"address", "code"}),
            distinctive=frozenset({"address", "code", "error"}),
            recipient="address",
            at="createdat",
            kinds={"": _HARD},
            code="code",
            text="error",
        ),
        ListFormat(
            name="mailgun-complaints",
            required=frozenset({"address", "createdat"}),
            recipient="address",
            at="createdat",
            kinds={"": _COMPLAINT},
        ),
        ListFormat(
            name="mailgun-unsubscribes",
            required=frozenset({"address"}),
            distinctive=frozenset({"address", "tags"}),
            recipient="address",
            at="createdat",
            kinds={"": _UNSUBSCRIBED},
            scopes="tags",
        ),
        ListFormat(
            name="postmark",
            required=frozenset({"emailaddress", "suppressionreason"}),
            distinctive=frozenset({"emailaddress", "suppressionreason"}),
            recipient="emailaddress",
            at="createdat",
            kind_columns=("suppressionreason", "origin"),
            kinds={
                "hardbounce": _HARD,
                "spamcomplaint": _COMPLAINT,
                "manualsuppression/recipient": _UNSUBSCRIBED,  # who followed the link in a mail
                "manualsuppression": _MANUAL,
            },
        ),
    )
}


def detect_format(columns: frozenset[str], name: str | None) -> ListFormat:
    """Return the format of a file with these columns; a file without rows has the format that is named.

    Raises MalformedFeedback where it is not the named one, or not clear.
    """
    if name is not None:
        if name not in FORMATS:
            raise MalformedFeedback("import", f"no such format; there are {', '.join(FORMATS)}")
        if columns and (lack := FORMATS[name].required - _translate(columns, FORMATS[name])):
            raise MalformedFeedback("import", f"not {name}: there is no column {' and no '.join(sorted(lack))}")
        return FORMATS[name]
    if not columns:
        raise MalformedFeedback("import", "there are no rows in it that show which list it is: name one")
    found = [each for each in FORMATS.values() if each.distinctive and each.distinctive <= _translate(columns, each)]
    if len(found) == 1:
        return found[0]
    fitting = found or [each for each in FORMATS.values() if each.required <= _translate(columns, each)]
    if fitting:
        raise MalformedFeedback("import", f"several lists have these columns: name one, {_names(fitting)}")
    raise MalformedFeedback("import", "no list that we know has these columns: name the first one recipient")


def _translate(columns: frozenset[str], format_: ListFormat) -> frozenset[str]:
    return frozenset(format_.aliases.get(name, name) for name in columns) if format_.aliases else columns


def _names(formats: Iterable[ListFormat]) -> str:
    return " or ".join(each.name for each in formats)

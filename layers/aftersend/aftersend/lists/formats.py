"""The lists that can be imported, as a table: how each is recognised, and what its words mean. Pure.

Sources: Amazon SES API v2, ListSuppressedDestinations, and developer guide, "Adding email addresses in bulk";
SendGrid, Suppressions API v3 (bounces, blocks, invalid emails, spam reports, global unsubscribes) and the CSV files of
its console; Mailgun, Suppressions API and its import of CSV; Postmark, Suppressions API.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import CauseKind, Reason

Name = Literal[
    "aftersend",
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
OURS: Final[Name] = "aftersend"  # the format of our own exports

_HARD, _COMPLAINT, _LEFT, _MANUAL = CauseKind.HARD, CauseKind.COMPLAINT, CauseKind.UNSUBSCRIBED, CauseKind.MANUAL


class Format(Struct, frozen=True, kw_only=True):
    """One list: which columns it has, and what they mean. A column that is not named here says nothing."""

    name: Name
    needs: frozenset[str]  # columns that it is never without
    tells: frozenset[str] = frozenset()  # columns that no other list has together; without any, it must be named
    who: str
    at: str
    words: tuple[str, ...] = ()  # columns that say what happened
    kinds: Mapping[str, CauseKind | None]  # by what they say, with "/" between; None is the sender's fault
    scopes: str = ""  # streams, with commas between
    status: str = ""  # of a refusal: enhanced status, reply code, text
    code: str = ""
    text: str = ""
    reason: Reason | None = None  # where no text says more


FORMATS: Final[dict[str, Format]] = {
    each.name: each
    for each in (
        Format(
            name=OURS,
            needs=frozenset({"recipient"}),
            tells=frozenset({"recipient"}),
            who="recipient",
            at="at",
            words=("kind",),
            # Streaks and pauses follow from outcomes, which do not come along: here a person has written them down.
            kinds={"": _MANUAL} | {kind: kind for kind in CauseKind} | {"streak": _MANUAL, "pause": _MANUAL},
        ),
        Format(
            name="ses",
            needs=frozenset({"emailaddress", "reason"}),
            tells=frozenset({"emailaddress", "reason"}),
            who="emailaddress",
            at="lastupdatetime",
            words=("reason",),
            kinds={"bounce": _HARD, "complaint": _COMPLAINT},
        ),
        Format(
            name="sendgrid-bounces",
            needs=frozenset({"email", "created", "reason"}),
            who="email",
            at="created",
            kinds={"": _HARD},
            status="status",
            text="reason",
        ),
        Format(
            name="sendgrid-blocks",
            needs=frozenset({"email", "created", "reason"}),
            who="email",
            at="created",
            kinds={"": None},
        ),
        Format(
            name="sendgrid-invalid-emails",
            needs=frozenset({"email", "created", "reason"}),
            who="email",
            at="created",
            kinds={"": _HARD},
            text="reason",
            reason=Reason.INVALID_ADDRESS,
        ),
        Format(
            name="sendgrid-spam-reports",
            needs=frozenset({"email", "created"}),
            tells=frozenset({"email", "created", "ip"}),
            who="email",
            at="created",
            kinds={"": _COMPLAINT},
        ),
        Format(
            name="sendgrid-unsubscribes",
            needs=frozenset({"email", "created"}),
            who="email",
            at="created",
            kinds={"": _LEFT},
        ),
        Format(
            name="mailgun-bounces",
            needs=frozenset({"address", "code"}),
            tells=frozenset({"address", "code", "error"}),
            who="address",
            at="createdat",
            kinds={"": _HARD},
            code="code",
            text="error",
        ),
        Format(
            name="mailgun-complaints",
            needs=frozenset({"address", "createdat"}),
            who="address",
            at="createdat",
            kinds={"": _COMPLAINT},
        ),
        Format(
            name="mailgun-unsubscribes",
            needs=frozenset({"address"}),
            tells=frozenset({"address", "tags"}),
            who="address",
            at="createdat",
            kinds={"": _LEFT},
            scopes="tags",
        ),
        Format(
            name="postmark",
            needs=frozenset({"emailaddress", "suppressionreason"}),
            tells=frozenset({"emailaddress", "suppressionreason"}),
            who="emailaddress",
            at="createdat",
            words=("suppressionreason", "origin"),
            kinds={
                "hardbounce": _HARD,
                "spamcomplaint": _COMPLAINT,
                "manualsuppression/recipient": _LEFT,  # who followed the link in a mail
                "manualsuppression": _MANUAL,
            },
        ),
    )
}


def recognised(columns: frozenset[str], name: str | None) -> Format:
    """The format of a file with these columns, or of one without rows, which may be any that is named.

    Raises MalformedFeedback where it is not the named one, or not clear.
    """
    if name is not None:
        if name not in FORMATS:
            raise MalformedFeedback("import", f"no such format; there are {', '.join(FORMATS)}")
        if columns and (lack := FORMATS[name].needs - columns):
            raise MalformedFeedback("import", f"not {name}: there is no column {' and no '.join(sorted(lack))}")
        return FORMATS[name]
    if not columns:
        raise MalformedFeedback("import", "there are no rows in it that tell which list it is: name one")
    found = [each for each in FORMATS.values() if each.tells and each.tells <= columns]
    if len(found) == 1:
        return found[0]
    fitting = found or [each for each in FORMATS.values() if each.needs <= columns]
    if fitting:
        raise MalformedFeedback("import", f"several lists have these columns: name one, {_names(fitting)}")
    raise MalformedFeedback("import", "no list that we know has these columns: name the first one recipient")


def _names(formats: Iterable[Format]) -> str:
    return " or ".join(each.name for each in formats)

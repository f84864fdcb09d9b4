r"""SMSCs: what the user's document says of each of them, and the key by which their errors are known. Pure.

Networks number their errors as they like, spell ids in one way when they take a message and in another in its receipt,
and write times of a zone that they do not name. So nothing of this is guessed: the document of the user's rules may
have a table for each SMSC, by the name that the sender calls it.

    [smsc.Acme]
    errors = "gsm-map"            # what its error codes mean: a table that is shipped (`classify/rules/smsc.toml`) …
    errors = {34 = "user_unknown", 4101 = "expired"}          # … or one of your own; none by default
    zone = "Europe/Berlin"        # of the dates in its receipts
    ids = "decimal"               # how receipts spell ids: text (as is), decimal, hex (numbers), bytes (hex of a text)
    sent_ids = "hex"              # how the answer to submit_sm does, and with it the sender; and TLV 0x001E
    international = true          # numbers without + are international
    id = 'id:\s*(\w{1,40})'       # expressions that take id, status and error out of the text of a receipt
    status = 'stat:\s*(\w{1,20})'
    error = 'err:\s*(\w{1,10})'
    delivered = '^DELIV'          # which status is a success, and which an error; what is neither is on its way
    failed = '^(?:UNDELIV|REJECT|EXPIRED|DELETED)'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, Final, Literal

from msgspec import Struct, ValidationError, convert

from aftersend.core.errors import ConfigurationError
from aftersend.core.vocabulary import Reason

TABLE: Final = "smsc"  # the name of these tables in the user's document
UNNAMED_SMSC: Final = "Generic"  # the name of one that nobody names, as in Adobe Campaign
MAX_SMSCS: Final = 200
MAX_NAME: Final = 64

IdForm = Literal["text", "decimal", "hex", "bytes"]

_MESSAGE: Final = "|#MESSAGE#"  # stands for the text of a receipt, which is another one each time
_QUALIFICATION: Final = r"SR (?P<smsc>.{1,80}) (?P<status>\S{1,40}) (?P<error>\S{1,24})"
_OFFSET: Final = r"([+-])(\d\d):?(\d\d)"
_ERROR: Final = r"[0-9A-Za-z_.-]{1,24}"


class SmscSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the user says of one SMSC, as written."""

    errors: str | dict[str, Reason] | None = None
    zone: str | None = None
    ids: IdForm = "text"
    sent_ids: IdForm | None = None
    international: bool = False
    id: str | None = None
    status: str | None = None
    error: str | None = None
    delivered: str | None = None
    failed: str | None = None


class Smsc(Struct, frozen=True, kw_only=True):
    """One SMSC, ready to use."""

    name: str = UNNAMED_SMSC
    plain: bool = True  # no expression of the user's takes anything out of its receipts
    zone: tzinfo | None = None  # of its dates; None is not known
    ids: IdForm = "text"
    sent_ids: IdForm = "text"
    international: bool = False
    id: re.Pattern[str] | None = None
    status: re.Pattern[str] | None = None
    error: re.Pattern[str] | None = None
    delivered: re.Pattern[str] | None = None
    failed: re.Pattern[str] | None = None


Smscs = Mapping[str, Smsc]  # by `fold_name`
NO_SMSCS: Final[Smscs] = {}


@lru_cache(1_024)
def fold_name(name: str) -> str:
    """Return the name of an SMSC as keys have it: on one line, one blank between words, in lower case."""
    return " ".join(name.casefold().split())[:MAX_NAME]


def read_settings(document: Mapping[str, Any]) -> dict[str, SmscSettings]:
    """Read the tables of SMSCs in the user's document; raises ConfigurationError, which names SMSC and field."""
    tables = document.get(TABLE, {})
    if not isinstance(tables, dict):
        raise ConfigurationError(f"{TABLE}: write [{TABLE}.NAME]")
    if len(tables) > MAX_SMSCS:
        raise ConfigurationError(f"{TABLE}: more than {MAX_SMSCS}")
    found = {}
    for name, table in tables.items():
        try:
            found[name] = convert(table, SmscSettings)
        except ValidationError as error:
            raise _mistake(name, str(error)) from error
        _check_errors(name, found[name])
    if len({*map(fold_name, found)}) < len(found):
        raise ConfigurationError(f"{TABLE}: a name stands twice")
    return found


def _check_errors(name: str, settings: SmscSettings) -> None:
    if isinstance(settings.errors, dict):
        for code in settings.errors:
            if not re.fullmatch(_ERROR, code):
                raise _mistake(name, f"errors: {code[:40]!r} is no error code")


def _mistake(name: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{TABLE}.{name[:MAX_NAME]}: {problem}")


def read_smscs(document: Mapping[str, Any]) -> dict[str, Smsc]:
    """Make ready what the user's document says of SMSCs; raises ConfigurationError for a mistake in it."""
    return {fold_name(name): _make(name, settings) for name, settings in read_settings(document).items()}


def _make(name: str, settings: SmscSettings) -> Smsc:
    from aftersend.core.expression import compile_expression  # noqa: PLC0415  # few stacks have settings of their own

    expressions = {}
    for field, groups in (("id", 1), ("status", 1), ("error", 1), ("delivered", 0), ("failed", 0)):
        if (source := getattr(settings, field)) is not None:
            try:
                expressions[field] = compile_expression(source, groups)
            except ValueError as error:
                raise _mistake(name, f"{field}: {error}") from error
    try:
        zone = find_zone(settings.zone) if settings.zone else None
    except ValueError as error:
        raise _mistake(name, f"zone: {error}") from error
    return Smsc(
        name=name,
        zone=zone,
        ids=settings.ids,
        sent_ids=settings.sent_ids or settings.ids,
        international=settings.international,
        plain=not {"id", "status", "error"} & expressions.keys(),
        **expressions,
    )


def find_zone(name: str) -> tzinfo:
    """Return the time zone of a name of the IANA or of an offset ("+02:00"); raises ValueError where there is none."""
    given = name.strip()
    if given.upper() in ("UTC", "Z", "GMT"):
        return UTC
    if found := re.fullmatch(_OFFSET, given):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
        if offset >= timedelta(days=1):
            raise ValueError("an offset is less than a day")
        return timezone(-offset if found[1] == "-" else offset)
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415  # only where a name needs it: costs a start

    try:
        return ZoneInfo(given)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("no zone of the IANA, such as Europe/Berlin, and no offset") from error


# ---- The key of errors ----------------------------------------------------------------------------------------------


def make_qualification(smsc: str, status: str, error: str) -> str:
    """Return the key by which a receipt is qualified, as Adobe Campaign writes it: "SR Acme UNDELIV 034"."""
    return f"SR {' '.join(smsc.split())[:MAX_NAME] or UNNAMED_SMSC} {status or '-'} {error or '-'}"


def quote_qualification(qualification: str) -> str:
    """Return the text of a qualification: what the table of texts without a rule collects."""
    return qualification + _MESSAGE


def is_qualification(text: str) -> bool:
    """Return whether a text is the key of a receipt, in which numbers say something, and not the words of a person."""
    return text.endswith(_MESSAGE) and re.fullmatch(_QUALIFICATION, text.removesuffix(_MESSAGE)) is not None


def expand_qualification(qualification: str, tables: Mapping[str, str]) -> frozenset[str]:
    """Return what rules may call a qualification beside itself, in lower case.

    Its status ("stat:undeliv"), the error of any status ("sr acme * 034"), any error ("sr acme undeliv *"), and what
    stands in the table of the SMSC ("gsm-map:34"): `tables` has the names of these, by `fold_name`.
    """
    found = re.fullmatch(_QUALIFICATION, qualification)
    if found is None:
        return frozenset()
    smsc, status, error = fold_name(found["smsc"]), found["status"].casefold(), found["error"].casefold()
    keys = {f"stat:{status}", f"sr {smsc} {status} *", f"sr {smsc} * {error}"}
    if (table := tables.get(smsc)) is not None and error.strip("0-"):
        keys.add(name_error(table, error))
    return frozenset(keys)


def name_error(table: str, error: str) -> str:
    """Return how rules call an error of a table: "gsm-map:34", whatever zeros stand before it."""
    return f"{table.casefold()}:{error.casefold().lstrip('0') or '0'}"

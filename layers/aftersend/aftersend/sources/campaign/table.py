"""An export of a delivery log as rows, whatever it is written in: CSV, the answer of a query as XML, JSON. Pure.

Sources: Adobe Campaign documentation, "Extract data", "Data-oriented APIs" (`xtk:queryDef#ExecuteQuery`); acc-js-sdk,
"SimpleJson" and "BadgerFish"; RFC 4180; RFC 7111 (parameters of text/csv). Adobe prescribes no columns, and its
console translates them: what the user calls them, in which zone times are, and of which table the rows are may stand at
the head of the file itself, so that a file means the same today and when it is replayed.

    # schema: nms:broadLogRcp
    # zone: Europe/Stockholm
    # column: Leveransutfall = status
    # status: 4 = received
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.sources.adobe import KINDS, fold

SOURCE: Final = "campaign"
DEFAULT_SCHEMA: Final = "nms:broadLogRcp"
ADDRESSES: Final = "nms:address"

MAX_DEPTH: Final = 6  # of an object around rows, or inside one
MAX_SETTINGS: Final = 200  # lines

LogRow = Mapping[str, str]  # by the names of FIELDS

# What a row may say, each by the folded names of its columns; of several that are there, the first one counts. A label
# comes before its number, because numbers mean something else in another table.
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "id": ("id", "broadlogid", "ibroadlogid", "deliverylogid", "logid", "primarykey", "primärnyckel"),
    "address": (
        *("address", "saddress", "adress", "email", "emailaddress", "recipientemail", "epost", "epostadress"),
        *("mobilephone", "phone", "telefon", "mobiltelefon", "number", "nummer", "token", "registrationtoken"),
    ),
    "status": ("statuslabel", "statusname", "status", "istatus", "deliverystatus", "leveransstatus"),
    "date": ("eventdate", "tsevent", "händelsedatum", "date", "datum", "contactdate", "kontaktdatum"),
    "type": ("msgfailuretype", "failuretype", "ifailuretype", "failuretypelabel", "feltyp", "typavfel"),
    "reason": (
        *("msgfailurereason", "failurereason", "ifailurereason", "reason", "felorsak", "orsak", "orsaktillfel"),
        *("failurereasonlabel", "reasonlabel"),
    ),
    "text": (
        *("msgtext", "text", "stext", "message", "errormessage", "meddelande", "felmeddelande", "feltext"),
        *("msgfirsttext", "firsttext"),
    ),
    "delivery": ("deliveryid", "ideliveryid", "delivery", "deliveryinternalname", "leverans"),
    "channel": (
        *("channel", "ichannel", "messagetype", "imessagetype", "deliverymessagetype", "msgmessagetype", "kanal"),
        *("deliverychannel", "type", "itype"),
    ),
    "provider": ("providermsgid", "providerid", "sproviderid", "msgproviderid", "providermsgidproviderid"),
}
_NEEDED: Final = ("id", "status", "date")
# Columns that only `nms:address` has, whose numbers mean something else.
_OF_ADDRESSES: Final = frozenset(
    (
        *("errorreason", "ierrorreason", "errortext", "serrortext", "numberoferrors", "errorcount", "nberrors"),
        *("quarantinereason", "iquarantinereason", "quarantinetext", "squarantinetext", "antalfel"),
    )
)


class LogSettings(Struct, frozen=True, kw_only=True):
    """What stands at the head of a file, or beside it."""

    schema: str = ""
    zone: str = ""
    channel: str = ""
    columns: dict[str, str] = {}  # folded name of a column -> name in FIELDS
    statuses: dict[str, str] = {}  # folded status -> name in KINDS


class DeliveryLog(Struct, frozen=True, kw_only=True):
    """Rows of one schema, each with its number in the file."""

    settings: LogSettings
    rows: list[tuple[int, LogRow]]
    counted: str = "row"  # what the numbers count


def read_table(raw: bytes, content_type: str = "") -> DeliveryLog:
    """Read an export; raises MalformedFeedback where it is none, or of the wrong table."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MalformedFeedback(SOURCE, "not UTF-8: export it as UTF-8") from None
    settings, body, line = _read_head(text, _read_parameters(content_type))
    begin = body.lstrip()[:1]
    if not begin:
        raise MalformedFeedback(SOURCE, "there is nothing in it")
    if begin == "<":
        return _read_xml(body.lstrip(), settings)
    return _read_json(body, settings) if begin in "{[" else _read_csv(body, settings, line)


def _read_parameters(content_type: str) -> LogSettings:
    """LogSettings that stand beside a file: `text/csv; schema="nms:broadLogRcp"; zone=Europe/Stockholm`."""
    pairs = (part.partition("=") for part in content_type.split(";")[1:])
    given = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    return LogSettings(
        schema=given.get("schema", ""),
        zone=given.get("zone", ""),
        channel=given.get("channel", ""),
    )


def _read_head(text: str, settings: LogSettings) -> tuple[LogSettings, str, int]:
    """The settings at the head of a file, what follows them, and the number of its first line."""
    line = 1
    while text.startswith("#") and line <= MAX_SETTINGS:
        head, _, text = text.partition("\n")
        name, _, value = head[1:].strip().partition(":")
        settings = _add_setting(settings, name.strip().lower(), value.strip())
        line += 1
    return settings, text, line


def _add_setting(settings: LogSettings, name: str, value: str) -> LogSettings:
    """`settings` with one more; a comment that is none changes nothing."""
    left, _, right = (part.strip() for part in value.partition("="))
    match name:
        case "schema" | "zone" | "channel":
            return replace(settings, **{name: value})
        case "column":
            if right not in FIELDS:
                raise MalformedFeedback(SOURCE, f"a column can be called {', '.join(FIELDS)}")
            return replace(settings, columns=settings.columns | {fold(left): right})
        case "status":
            if right not in KINDS:
                raise MalformedFeedback(SOURCE, f"a status can be called {', '.join(KINDS)}")
            return replace(settings, statuses=settings.statuses | {fold(left): right})
    return settings


def _read_csv(text: str, settings: LogSettings, line: int) -> DeliveryLog:
    if "\0" in text:
        raise MalformedFeedback(SOURCE, "not a text: it has bytes of zero in it")
    header = text.partition("\n")[0]
    separator = max(",;\t|", key=lambda each: (header.count(each), each == ","))
    reader = csv.reader((f"{each}\n" for each in text.split("\n")), delimiter=separator, strict=True)
    rows: list[tuple[int, LogRow]] = []
    try:
        names = [fold(name) for name in next(reader)]
        columns = _find_columns({*names}, settings)
        for values in reader:
            if not any(map(str.strip, values)):
                continue
            number = line + reader.line_num - 1
            if len(values) != len(names):
                raise MalformedFeedback(SOURCE, f"line {number} has {len(values)} fields, the header {len(names)}")
            rows.append((number, _pick(dict(zip(names, values, strict=True)), columns)))
    except csv.Error as error:  # its text quotes nothing of the file
        raise MalformedFeedback(SOURCE, f"line {line + reader.line_num - 1} is not CSV: {error}") from error
    return DeliveryLog(settings=settings, rows=rows, counted="line")


def _read_json(text: str, settings: LogSettings) -> DeliveryLog:
    try:
        try:
            found = msgspec.json.decode(text)
        except msgspec.DecodeError:  # one row on each line
            found = msgspec.json.Decoder().decode_lines(text)
        if isinstance(found, dict) and isinstance(found.get("rows"), list):
            settings = _read_envelope(found, settings)
            found = found["rows"]
        schema, rows = _find_rows(found, 0) or ("", [found])
    except DECODE_ERRORS as error:
        raise MalformedFeedback(SOURCE, f"not JSON: {error}") from error
    return _make_table(schema, [dict(_flatten(row, "", 0)) for row in rows], settings)


def _read_envelope(found: dict[str, Any], settings: LogSettings) -> LogSettings:
    """The settings of an envelope of ours around rows."""
    for name in ("schema", "zone", "channel"):
        if isinstance(value := found.get(name), str):
            settings = _add_setting(settings, name, value)
    for name, several in (("column", "columns"), ("status", "statuses")):
        table = found.get(several)
        for left, right in table.items() if isinstance(table, dict) else ():
            settings = _add_setting(settings, name, f"{left} = {right}")
    return settings


def _find_rows(found: Any, depth: int) -> tuple[str, list[Any]] | None:
    """The rows in the answer of a query, and their schema; None where there is none around them."""
    if isinstance(found, list):
        return "", found
    if not isinstance(found, dict) or depth > MAX_DEPTH:
        return None
    for key, value in found.items():
        name = key.removesuffix("-collection")
        if not name.lower().startswith("broadlog") and name != "address":
            continue
        if key != name and isinstance(value, dict):
            return _find_rows(value, depth + 1) or (f"nms:{name}", [])
        if isinstance(value, list | dict):
            schema = found.get("xtkschema") or found.get("@xtkschema")
            rows = value if isinstance(value, list) else [value]
            return schema if isinstance(schema, str) else f"nms:{name}", rows
    inner = (_find_rows(value, depth + 1) for value in found.values() if isinstance(value, dict))
    return next((each for each in inner if each is not None), None)


def _flatten(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """The texts and numbers in an object, each by the folded path to it."""
    if isinstance(value, dict) and depth < MAX_DEPTH:
        for key, inner in value.items():
            yield from _flatten(inner, path + fold(key), depth + 1)
    elif isinstance(value, str):
        yield path, value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, str(value)


def _read_xml(text: str, settings: LogSettings) -> DeliveryLog:
    # Only the answers of SOAP are XML, and nobody else should wait 9 ms for this.
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415
    from defusedxml.ElementTree import ParseError, fromstring  # noqa: PLC0415

    try:
        root = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise MalformedFeedback(SOURCE, "XML that is cut off, broken, or has a document type") from error
    names = [(each.tag.rpartition("}")[2], each) for each in root.iter()]
    if any(name == "Fault" for name, _ in names):
        raise MalformedFeedback(SOURCE, "an error of Campaign, and no answer")
    for name, element in names:
        if not name.lower().startswith("broadlog") and name not in {"address", "address-collection"}:
            continue
        collection = name.endswith("-collection")
        schema = element.get("xtkschema") or f"nms:{name.removesuffix('-collection')}"
        rows = [dict(_flatten_xml(row, "", 0)) for row in (element if collection else (element,))]
        return _make_table(schema, rows, settings)
    if any(name == "ExecuteQueryResponse" for name, _ in names):
        return DeliveryLog(settings=settings, rows=[])
    raise MalformedFeedback(SOURCE, "XML without rows of a delivery log")


def _flatten_xml(element: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    yield from ((path + fold(name.rpartition("}")[2]), value) for name, value in element.items())
    if path and element.text and element.text.strip():
        yield path, element.text.strip()
    if depth < MAX_DEPTH:
        for child in element:
            yield from _flatten_xml(child, path + fold(child.tag.rpartition("}")[2]), depth + 1)


def _make_table(schema: str, found: list[dict[str, str]], settings: LogSettings) -> DeliveryLog:
    if not settings.schema:
        settings = replace(settings, schema=schema)
    if settings.schema == ADDRESSES:
        _refuse_addresses()
    columns = _find_columns(frozenset().union(*found), settings) if found else {}
    return DeliveryLog(settings=settings, rows=[(number, _pick(row, columns)) for number, row in enumerate(found, 1)])


def _find_columns(names: AbstractSet[str], settings: LogSettings) -> dict[str, list[str]]:
    """The columns of each field, in the order in which they count; raises MalformedFeedback for another table's."""
    if settings.schema == ADDRESSES or not _OF_ADDRESSES.isdisjoint(names):
        _refuse_addresses()
    columns = {field: [name for name in known if name in names] for field, known in FIELDS.items()}
    for name, field in settings.columns.items():
        if name in names:
            columns[field].insert(0, name)
    lacking = [field for field in _NEEDED if not columns[field]]
    if lacking:
        why = (
            f"no column that is known for {' and '.join(lacking)}: name it at the head, as in '# column: NAME = status'"
        )
        raise MalformedFeedback(SOURCE, why)
    return columns


def _refuse_addresses() -> None:
    why = "an export of addresses (nms:address), not of messages: import it as a list, campaign-addresses"
    raise MalformedFeedback(SOURCE, why)


def _pick(row: Mapping[str, str], columns: Mapping[str, list[str]]) -> LogRow:
    """The fields of a row that say something."""
    found: dict[str, str] = {}
    for field, names in columns.items():
        for name in names:
            if value := row.get(name, "").strip():
                found[field] = value
                break
    return found

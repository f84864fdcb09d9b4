"""SMPP: receipts in every form, ids and dates in every spelling, PDUs, and what a user says of an SMSC."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

import msgspec
import pytest

from aftersend import bootstrap, classify, settings
from aftersend.core.errors import ConfigurationError, MalformedFeedback
from aftersend.core.model import UNNAMED, Class, Feedback, Kind, Reason
from aftersend.core.smsc import (
    Smsc,
    find_zone,
    is_qualification,
    make_qualification,
    quote_qualification,
)
from aftersend.ingest import ingest
from aftersend.sources import configure, read
from aftersend.sources.message import Message
from aftersend.sources.smpp import pdu as pdus
from aftersend.sources.smpp.receipt import Receipt, read_date, read_receipt, spell_id
from aftersend.storage.unmatched import build_count, needs_rule
from tests.support.oracle import stored
from tests.support.ports import NOW, MemoryStore, ports
from tests.support.smpp import deliver, respond, tlv
from tests.support.template import variables

ANYONE: Final = Smsc()
NUMBER: Final = "+4915550100"


def parse(document: str, **answer: Any) -> list[Feedback]:
    """Read one answer with what the user says of SMSCs."""
    parsers = configure(classify.read_settings(document)) if document else {}
    return read("smpp", msgspec.json.encode({"smsc": "Acme"} | answer), {}, parsers)


def one(document: str = "", **answer: Any) -> Feedback:
    (found,) = parse(document, **answer)
    return found


# ---- The text of a receipt -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "status", "error"),
    [
        ("id:1 sub:001 dlvrd:001 submit date:26 done date:26 stat:DELIVRD err:000 text:Hi", "1", "DELIVRD", "000"),
        ("id:1sub:001dlvrd:001submit date:26done date:26stat:UNDELIVerr:1234text:Hi", "1", "UNDELIV", "1234"),
        ("id:1 submit_date:x done_date:y stat:EXPIRED err:0\0", "1", "EXPIRED", "0"),
        ("ID:1;SUB:null;DLVRD:...;STAT:FAILED;ERR:05", "1", "FAILED", "05"),
        ("stat:REJECTED err:9 id:a-b-c", "a-b-c", "REJECTED", "9"),
        ("from gateway 7, id:1, stat:0, err:", "1", "0", ""),
        ("id:1 stat:DND_REJECTED", "1", "DND_REJECTED", ""),
        ("id:1 err: text: stat:DELIVRD", "1", "DELIVRD", ""),
        ("id:1 stat : BADSTAT err : 12", "1", "BADSTAT", "12"),
        ("id:1 stat:" + "X" * 40, "1", "X" * 20, ""),
        # Whoever wrote the message could forge a receipt in it.
        ("id:1 stat:UNDELIV err:034 text:Hello id:2 stat:DELIVRD err:000", "1", "UNDELIV", "034"),
        ("id:1 stat:UNDELIV err:034 Hello id:2 stat:DELIVRD", "1", "UNDELIV", "034"),
        ("id:1 err:034 text:Hello stat:DELIVRD", "1", "", "034"),
        ("text:stat:DELIVRD id:1", "1", "DELIVRD", ""),  # an empty text, and fields in any order
        ("text:x stat:DELIVRD id:1", "", "", ""),
        ("STOP", "", "", ""),
        ("", "", "", ""),
    ],
)  # fmt: skip
def test_the_text_of_a_receipt(text: str, name: str, status: str, error: str) -> None:
    found = read_receipt(text, ANYONE)
    assert (found.id, found.status, found.error) == (name, status, error)


WHOLE: Final = "id:12 sub:001 dlvrd:000 submit date:2603021011 done date:2603021015 stat:UNDELIV err:034 text:Hi"


@pytest.mark.parametrize("cut", range(len(WHOLE) + 1))
def test_the_form_of_the_appendix_is_read_at_once_as_its_fields_would_be(cut: int) -> None:
    for text in (WHOLE[:cut], WHOLE[:cut] + "x" + WHOLE[cut:], WHOLE[:cut] + " " + WHOLE[cut:]):
        assert read_receipt(text, ANYONE) == read_receipt(text, Smsc(plain=False))


def test_the_date_is_when_it_was_done_else_when_it_was_submitted() -> None:
    assert read_receipt("id:1 submit date:2603021011 done date:2603021015 stat:X", ANYONE).done == "2603021015"
    assert read_receipt("id:1 submit date:2603021011 stat:X", ANYONE).done == "2603021011"
    assert read_receipt("", ANYONE) == Receipt()


BERLIN: Final = find_zone("Europe/Berlin")


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2603021015", "2026-03-02T10:15:00"),
        ("260302101520", "2026-03-02T10:15:20"),
        ("202603021015", "2026-03-02T10:15:00"),  # as six pairs its month would be the 26th
        ("20260302101520", "2026-03-02T10:15:20"),
        ("260302101520004+", "2026-03-02T09:15:20"),
        ("260302101520704-", "2026-03-02T11:15:20"),
        ("2026-03-02 10:15:20", "2026-03-02T10:15:20"),
        ("2026-03-02T10:15:20+01:00", "2026-03-02T09:15:20"),
        (" 2603021015\0", "2026-03-02T10:15:00"),
        ("201011121011", "2020-10-11T12:10:11"),
        ("1590075164", "2020-05-21T15:32:44"),  # seconds since 1970: no month is the 90th
        ("0000000000", None),
        ("000000000000", None),
        ("9913021015", None),  # neither a date nor seconds of these years
        ("999999999999", None),
        ("12345", None),
        ("٢٦٠٣٠٢١٠١٥", None),
        ("2026-99-02", None),
        ("soon", None),
        ("", None),
    ],
)
def test_dates(given: str, moment: str | None) -> None:
    wanted = datetime.fromisoformat(moment).replace(tzinfo=UTC) if moment else None
    assert read_date(given, None, None) == wanted


def test_of_two_readings_of_a_date_the_nearer_to_its_arrival_counts() -> None:
    assert read_date("201011121011", UTC, datetime(2010, 11, 12, 11, tzinfo=UTC)) == datetime(
        2010, 11, 12, 10, 11, tzinfo=UTC
    )
    assert read_date("201011121011", UTC, datetime(2020, 10, 11, 13, tzinfo=UTC)) == datetime(
        2020, 10, 11, 12, 10, 11, tzinfo=UTC
    )


def test_a_date_is_of_its_zone_in_summer_and_in_winter() -> None:
    assert read_date("2603021015", BERLIN, None) == datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
    assert read_date("2607021015", BERLIN, None) == datetime(2026, 7, 2, 8, 15, tzinfo=UTC)
    assert read_date("0101010000", find_zone("+14:00"), None) == datetime(2000, 12, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Middle-earth/Shire", "+25:00", "../etc/passwd", "/etc/passwd", "x\0y", "Europe"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"zone of the IANA|less than a day"):
        find_zone(name)


@pytest.mark.parametrize(
    ("given", "form", "spelled"),
    [
        ("0000436949", "decimal", "436949"),
        ("6aad5", "hex", "436949"),
        ("6AAD5", "hex", "436949"),
        ("0x6aad5", "hex", "436949"),
        ("0416342074", "decimal", "416342074"),
        ("18d0e03a", "hex", "416342074"),
        ("000", "decimal", "0"),
        ("414243", "bytes", "ABC"),
        ("0000436949", "text", "0000436949"),
        (" 7\0", "text", "7"),
        # What is not of its form stays as it is.
        ("not-a-number", "decimal", "not-a-number"),
        ("xyz", "hex", "xyz"),
        ("1_000", "hex", "1_000"),
        ("ff", "bytes", "ff"),
        ("9" * 60, "decimal", "9" * 60),
        ("", "hex", ""),
    ],
)
def test_ids_have_one_spelling(given: str, form: Any, spelled: str) -> None:
    """Facts: `0000436949` ↔ `6aad5` and `0416342074` ↔ `18d0e03a`, seen in PDUs."""
    assert spell_id(given, form) == spelled


# ---- What is known of a message --------------------------------------------------------------------------------------

TWO_SPELLINGS: Final = '[smsc.acme]\nids = "decimal"\nsent_ids = "hex"\n'


def test_a_receipt_meets_what_was_sent_whatever_the_spelling_of_its_id() -> None:
    sent = one(TWO_SPELLINGS, recipient=NUMBER, message="18d0e03a")
    receipts = [
        one(TWO_SPELLINGS, text="id:0416342074 stat:DELIVRD"),
        one(TWO_SPELLINGS, text="id:416342074 stat:DELIVRD", tlv={"001E": "18d0e03a"}),
        one(TWO_SPELLINGS, pdu=deliver("4915550100", b"", tlv(0x1E, b"18D0E03A\0") + tlv(0x427, b"\2"))),
        one(TWO_SPELLINGS, recipient=NUMBER, pdu=respond("18d0e03a")),
    ]
    assert {each.message for each in (sent, *receipts)} == {"smpp:acme:416342074"}


def test_without_a_word_of_the_user_ids_are_what_they_are() -> None:
    assert one(text="id:0416342074 stat:DELIVRD").message == "smpp:acme:0416342074"


def test_both_spellings_stay_in_the_fact() -> None:
    found = one(TWO_SPELLINGS, text="id:0416342074 stat:DELIVRD", tlv={"0x001e": "18d0e03a"}, correlation={"order": 7})
    assert found.context is not None
    assert found.context.correlation == {
        "order": "7",
        "smpp.id": "0416342074",
        "smpp.receipted_message_id": "18d0e03a",
    }


def test_ids_of_two_smscs_are_two_messages() -> None:
    assert one(text="id:1 stat:DELIVRD").message != one(smsc="Other", text="id:1 stat:DELIVRD").message
    assert one(smsc=" ACME ", text="id:1 stat:DELIVRD").message == one(text="id:1 stat:DELIVRD").message


@pytest.mark.parametrize(
    ("document", "given", "recipient"),
    [
        ("", "+4915550100", "sms:+4915550100"),
        ("", "4915550100", "sms:4915550100"),
        ("[smsc.Acme]\ninternational = true", "4915550100", "sms:+4915550100"),
        ("[smsc.Acme]\ninternational = true", "015550100", "sms:015550100"),
        ("[smsc.Acme]\ninternational = true", "0049 1555 0100", "sms:+4915550100"),
    ],
)
def test_numbers(document: str, given: str, recipient: str) -> None:
    assert one(document, recipient=given, text="id:1 stat:DELIVRD").recipient == recipient


@pytest.mark.parametrize(
    ("number", "ton", "recipient", "derived"),
    [
        ("4915550100", 1, "sms:+4915550100", False),
        ("004915550100", 1, "sms:+4915550100", False),
        ("+4915550100", 0, "sms:+4915550100", False),
        ("4915550100", 0, "sms:4915550100", True),
        ("15550100", 2, "sms:15550100", True),
        ("ACME", 5, UNNAMED, True),
        ("", 0, UNNAMED, True),
    ],
)
def test_the_number_of_a_pdu_is_what_its_type_says(number: str, ton: int, recipient: str, derived: bool) -> None:
    found = one(pdu=deliver(number, b"id:1 stat:DELIVRD", ton=ton))
    assert found.recipient == recipient
    assert found.evidence is not None and found.evidence.derived == derived


def test_whom_the_sender_names_counts_before_the_number_of_a_pdu() -> None:
    assert one(recipient=NUMBER, pdu=deliver("15550100", b"id:1 stat:DELIVRD", ton=0)).recipient == f"sms:{NUMBER}"


# ---- What it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("DELIVRD", Kind.DELIVERED),
        ("delivered", Kind.DELIVERED),
        ("DELIV_OK", Kind.DELIVERED),
        ("UNDELIV", Kind.BOUNCED),
        ("UNDELIVERABLE", Kind.BOUNCED),
        ("FAILED", Kind.BOUNCED),
        ("REJECTD", Kind.BOUNCED),
        ("DND_REJECTED", Kind.BOUNCED),
        ("DELETED", Kind.BOUNCED),
        ("EXPIRED", Kind.BOUNCED),
        ("ACCEPTD", Kind.SENT),
        ("ENROUTE", Kind.SENT),
        ("SCHEDLD", Kind.SENT),
        ("SENT", Kind.SENT),
        ("ACKED", Kind.SENT),
        ("BUFFRED", Kind.DEFERRED),
        ("UNKNOWN", Kind.UNKNOWN),
        ("SKIPPED", Kind.UNKNOWN),
        ("foo", Kind.UNKNOWN),
        ("0", Kind.UNKNOWN),
    ],
)
def test_what_a_status_says(status: str, kind: Kind) -> None:
    found = one(text=f"id:1 stat:{status} err:000")
    assert found.kind is kind
    assert found.evidence is not None
    assert found.evidence.provider_code == f"SR Acme {status} 000"


def test_a_delivery_is_one_whatever_its_error_says() -> None:
    assert one("[smsc.Acme]\nerrors = 'gsm-map'", text="id:1 stat:DELIVRD err:001").kind is Kind.DELIVERED


def test_where_text_and_parameters_contradict_each_other_the_parameters_count() -> None:
    found = one(text="id:1 stat:DELIVRD err:000", tlv={"0427": 5, "001E": "2", "0423": "030001"})
    assert (found.kind, found.message) == (Kind.BOUNCED, "smpp:acme:2")
    assert found.evidence is not None and found.evidence.provider_code == "SR Acme UNDELIV 1"


def test_an_error_in_the_text_is_the_smscs_own_and_counts_before_that_of_the_network() -> None:
    found = one(text="id:1 stat:UNDELIV err:034", tlv={"0423": 6})
    assert found.evidence is not None and found.evidence.code == 34


@pytest.mark.parametrize("value", ["zz", "03", "030001ff", -1, 70_000, 0])
def test_what_is_no_error_of_a_network_is_none(value: object) -> None:
    found = one(text="id:1 stat:UNDELIV err:000", tlv={"0423": value})
    assert found.evidence is not None and found.evidence.code == 0


def test_an_intermediate_notification_is_not_the_last_word() -> None:
    assert one(pdu=deliver("4915550100", b"id:1 stat:UNDELIV err:027", esm=0x20)).kind is Kind.DEFERRED
    assert one(pdu=deliver("4915550100", b"id:1 stat:DELIVRD err:000", esm=0x20)).kind is Kind.DELIVERED


@pytest.mark.parametrize("esm", [0x00, 0x08, 0x10, 0x18, 0x80, 0x40])
def test_a_message_from_a_telephone_is_none_of_ours(esm: int) -> None:
    assert parse("", pdu=deliver("4915550100", b"id:1 stat:UNDELIV", esm=esm)) == []


def test_a_receipt_with_a_header_of_its_own_is_read_behind_it() -> None:
    assert (
        one(pdu=deliver("4915550100", b"\x05\x00\x03\x01\x02\x01id:1 stat:DELIVRD", esm=0x44)).message == "smpp:acme:1"
    )


@pytest.mark.parametrize(
    ("error", "kind", "klass", "reason"),
    [
        ("ESME_RINVDSTADR", Kind.REJECTED, Class.HARD, Reason.INVALID_ADDRESS),
        ("0x0000000B", Kind.REJECTED, Class.HARD, Reason.INVALID_ADDRESS),
        ("11", Kind.REJECTED, Class.HARD, Reason.INVALID_ADDRESS),
        ("ESME_RTHROTTLED", Kind.REJECTED, Class.IGNORE, Reason.RATE_LIMITED),
        ("ESME_RINVSRCADR", Kind.REJECTED, Class.BLOCK, Reason.SENDER_REJECTED),
        ("1025", Kind.REJECTED, Class.UNDETERMINED, Reason.UNDETERMINED),
        ("timeout", Kind.DEFERRED, Class.SOFT, Reason.NETWORK_ERROR),
    ],
)
def test_what_an_smsc_answers_to_a_submission(error: str, kind: Kind, klass: Class, reason: Reason) -> None:
    found = one(recipient=NUMBER, message="m", error=error, at="2026-03-02T10:11:12Z")
    verdict = classify.load()(found)
    assert verdict is not None
    assert (found.kind, verdict.klass, verdict.reason) == (kind, klass, reason)


def test_a_submission_that_is_tried_again_is_deferred() -> None:
    assert one(recipient=NUMBER, message="m", error="ESME_RTHROTTLED", retry=True).kind is Kind.DEFERRED


def test_an_smsc_that_takes_no_message_gives_it_no_id_and_it_is_known_all_the_same() -> None:
    answer = {"recipient": NUMBER, "error": "ESME_RINVDSTADR", "at": "2026-03-02T10:11:12Z"}
    assert one(**answer) == one(**answer)
    assert one(**answer).message != one(**answer | {"at": "2026-03-02T10:11:13Z"}).message


# ---- When it happened ------------------------------------------------------------------------------------------------

CAME: Final = "2026-03-02T10:15:21Z"
DATED: Final = "id:1 done date:2603021115 stat:DELIVRD"


@pytest.mark.parametrize(
    ("document", "answer", "moment"),
    [
        ("", {"text": DATED}, "2026-03-02T11:15:00"),
        ("", {"text": DATED, "at": CAME}, "2026-03-02T10:15:21"),
        ("", {"text": DATED, "at": CAME, "zone": "Europe/Berlin"}, "2026-03-02T10:15:00"),
        ("[smsc.Acme]\nzone = 'Europe/Berlin'", {"text": DATED, "at": CAME}, "2026-03-02T10:15:00"),
        ("[smsc.Acme]\nzone = 'Asia/Tokyo'", {"text": DATED, "zone": "+01:00"}, "2026-03-02T10:15:00"),
        ("", {"text": "id:1 done date:2703021115 stat:DELIVRD", "at": CAME, "zone": "UTC"}, "2026-03-02T10:15:21"),
        ("", {"text": "id:1 done date:0000000000 stat:DELIVRD", "at": CAME, "zone": "UTC"}, "2026-03-02T10:15:21"),
        ("", {"text": "id:1 stat:DELIVRD"}, "1970-01-01T00:00:00"),
    ],
)
def test_when_it_happened(document: str, answer: dict[str, str], moment: str) -> None:
    assert one(document, **answer).occurred_at == datetime.fromisoformat(moment).replace(tzinfo=UTC)


# ---- PDUs ------------------------------------------------------------------------------------------------------------


def test_a_pdu_that_says_nothing_of_a_message_is_none_of_ours() -> None:
    for command in (0x00000015, 0x80000015, 0x80000009, 0x80000005):
        assert parse("", pdu=f"00000010{command:08x}0000000000000001") == []


@pytest.mark.parametrize(
    "pdu",
    ["", "00", "zz" * 20, "00000010" + "00000005" + "0" * 16, deliver("1", b"id:1 stat:X")[:-2], "00" * 80_000],
)
def test_what_is_no_pdu_is_refused(pdu: str) -> None:
    with pytest.raises(MalformedFeedback):
        parse("", pdu=pdu or " ")


def test_the_first_of_two_equal_parameters_counts_and_others_are_skipped() -> None:
    extra = tlv(0x1400, b"x" * 300) + tlv(0x427, b"\2") + tlv(0x427, b"\5") + tlv(0x60B, b"")
    assert one(pdu=deliver("4915550100", b"id:1", extra)).kind is Kind.DELIVERED
    many = b"".join(tlv(0x1400 + number, b"x") for number in range(pdus.MAX_PARAMETERS + 10))
    assert one(pdu=deliver("4915550100", b"id:1 stat:EXPIRED", many)).kind is Kind.BOUNCED


# ---- What a user says of an SMSC -------------------------------------------------------------------------------------

ERRORS: Final = """
[smsc.Acme]
errors = "gsm-map"

[smsc."Other Networks Ltd"]
errors = {34 = "user_unknown", 4101 = "expired", E7 = "mailbox_full"}

[smsc.Quiet]
zone = "Europe/Berlin"

[[rule]]
id = "mine"
when.provider_code = "SR Quiet UNDELIV 7"
then.reason = "mailbox_full"

[[rule]]
id = "any-status"
when.provider_code = "SR Quiet * 8"
then.reason = "blocked"

[[rule]]
id = "any-error"
when.provider_code = "SR Quiet FAILED *"
then.reason = "rate_limited"
"""


@pytest.mark.parametrize(
    ("smsc", "status", "error", "klass", "reason"),
    [
        ("Acme", "UNDELIV", "001", Class.HARD, Reason.USER_UNKNOWN),
        ("ACME", "REJECTD", "1", Class.HARD, Reason.USER_UNKNOWN),
        ("Acme", "UNDELIV", "0256", Class.SOFT, Reason.MAILBOX_FULL),
        ("Acme", "UNDELIV", "777", Class.SOFT, Reason.UNDETERMINED),
        ("Acme", "UNDELIV", "000", Class.SOFT, Reason.UNDETERMINED),
        ("Other  Networks Ltd", "UNDELIV", "034", Class.HARD, Reason.USER_UNKNOWN),
        ("Other Networks Ltd", "UNDELIV", "e7", Class.SOFT, Reason.MAILBOX_FULL),
        ("Other Networks Ltd", "UNDELIV", "001", Class.SOFT, Reason.UNDETERMINED),
        ("Quiet", "UNDELIV", "001", Class.SOFT, Reason.UNDETERMINED),
        ("Quiet", "UNDELIV", "7", Class.SOFT, Reason.MAILBOX_FULL),
        ("Quiet", "REJECTD", "8", Class.BLOCK, Reason.BLOCKED),
        ("Quiet", "FAILED", "99", Class.IGNORE, Reason.RATE_LIMITED),
        ("Nobody", "UNDELIV", "001", Class.SOFT, Reason.UNDETERMINED),
        ("User Unknown", "UNDELIV", "1", Class.SOFT, Reason.UNDETERMINED),
        ("spamhaus", "REJECTD", "1", Class.UNDETERMINED, Reason.UNDETERMINED),
    ],
)
def test_errors_mean_what_the_table_of_their_smsc_says(
    smsc: str, status: str, error: str, klass: Class, reason: Reason
) -> None:
    """Issue: "none by default; UNDELIV alone is never hard". The name of an SMSC is no word of a remote system."""
    verdict = classify.load(ERRORS)(one(smsc=smsc, text=f"id:1 stat:{status} err:{error}"))
    assert verdict is not None
    assert (verdict.klass, verdict.reason) == (klass, reason)


EXPRESSIONS: Final = r"""
[smsc.Acme]
id = 'msgid=(\w{1,40})'
status = 'st=([A-Z]{1,20})'
error = 'e=(\d{1,4})'
delivered = '^OK$'
failed = '^(?:BAD|EXPIRED)$'
"""


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("OK", Kind.DELIVERED),
        ("BAD", Kind.BOUNCED),
        ("EXPIRED", Kind.BOUNCED),
        ("UNDELIV", Kind.SENT),
        ("DELIVRD", Kind.SENT),
        ("ODD", Kind.UNKNOWN),
    ],
)
def test_expressions_of_the_user_take_out_of_the_text_what_they_say(status: str, kind: Kind) -> None:
    """Source: Adobe Campaign, extended generic connector: what is neither success nor error is on its way."""
    found = one(EXPRESSIONS, text=f"msgid=abc st={status} e=0042 text:msgid=forged st=OK")
    assert (found.message, found.kind) == ("smpp:acme:abc", kind)
    assert found.evidence is not None and found.evidence.code == 42


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("smsc = 1", "smsc: write [smsc.NAME]"),
        ("[smsc.A]\ncolour = 1", "smsc.A: Object contains unknown field `colour`"),
        ("[smsc.A]\nerrors = 'nobodys'", "smsc.a: errors: there is no table 'nobodys'"),
        ("[smsc.A]\nerrors = {34 = 'tired'}", "smsc.A: Invalid enum value 'tired' - at `$.errors[...]`"),
        ("[smsc.A]\nerrors = {'3 4' = 'expired'}", "smsc.A: errors: '3 4' is no error code"),
        ("[smsc.A]\nids = 'roman'", "smsc.A: Invalid enum value 'roman' - at `$.ids`"),
        ("[smsc.A]\nid = '(a'", "smsc.A: id: a group is not closed"),
        ("[smsc.A]\nid = 'a'", "smsc.A: id: it takes 0 values with ( ), and should take 1"),
        ("[smsc.A]\nzone = 'Nowhere'", "smsc.A: zone: no zone of the IANA, such as Europe/Berlin, and no offset"),
        ("[smsc.A]\n[smsc.a]", "smsc: a name stands twice"),
        ("\n".join(f"[smsc.s{number}]" for number in range(300)), "smsc: more than 200"),
    ],
)
def test_a_mistake_in_what_a_user_says_is_named(document: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        classify.load(document)
    assert str(raised.value) == problem
    if "table" not in problem:  # which only the rules know
        with pytest.raises(ConfigurationError):
            configure(tomllib.loads(document))


# ---- The key of errors -----------------------------------------------------------------------------------------------


def test_an_error_without_an_explanation_is_collected_by_its_key() -> None:
    """Adobe Campaign's delivery log qualification: "SR <SMSC> <stat> <err>|#MESSAGE#", its numbers in it."""
    found = one(text="id:1 stat:UNDELIV err:034 text:secret", recipient=NUMBER)
    assert needs_rule(found, classify.load()(found))
    item = build_count("table", found, NOW, timedelta(days=1))["ExpressionAttributeValues"]
    assert item[":text"] == item[":example"] == {"S": "SR Acme UNDELIV 034|#MESSAGE#"}
    assert not needs_rule(found, classify.load("[smsc.Acme]\nerrors = {34 = 'expired'}")(found))


def test_two_errors_are_two_texts() -> None:
    counts = [
        build_count("table", one(text=f"id:1 stat:UNDELIV err:{error}"), NOW, timedelta(days=1)) for error in (1, 2)
    ]
    assert counts[0]["Key"] != counts[1]["Key"]


@pytest.mark.parametrize("text", ["SR is no key", "SR Acme UNDELIV 034", "550 SR Acme UNDELIV 1|#MESSAGE#", ""])
def test_the_words_of_a_person_are_no_key(text: str) -> None:
    assert not is_qualification(text)


def test_a_key_has_something_in_every_place() -> None:
    assert make_qualification("", "", "") == "SR Generic - -"
    assert is_qualification(quote_qualification(make_qualification("Two  Words", "UNDELIV", "1")))


# ---- Through the use case --------------------------------------------------------------------------------------------


def test_a_receipt_is_joined_to_whom_the_message_went_to_by_what_the_user_says_of_its_smsc() -> None:
    document = TWO_SPELLINGS + 'errors = "gsm-map"\n'
    store, parsers = MemoryStore(), configure(classify.read_settings(document))
    used = ports(store, classify=classify.load(document), parsers=parsers)
    receipt = Message("r", b"SR Acme UNDELIV 001|MESSAGE=id:0416342074 stat:UNDELIV err:001", NOW, "smpp")
    sent = Message("s", b'{"smsc":"Acme","recipient":"+4915550100","message":"18d0e03a"}', NOW, "smpp")
    assert ingest([receipt], used).unfinished == ["r"]
    assert ingest([sent, receipt], used).unfinished == []
    found = stored(store)
    assert list(found.outcomes) == [(f"sms:{NUMBER}", "smpp:acme:416342074")]
    assert list(found.suppressions) == [(f"sms:{NUMBER}", "*")]


def test_a_function_reads_what_the_user_says_of_smscs_with_the_rules() -> None:
    """One parameter for both: what errors mean is rules."""
    ssm = SimpleNamespace(
        get_parameter=lambda **_: {"Parameter": {"Value": ERRORS}},
        get_parameters_by_path=lambda **_: {"Parameters": []},
    )
    config = settings.load_ingest(variables("ProcessFeedback") | {"RULES_PARAMETER": "/rules"})
    made = bootstrap.make_ports(config, lambda name: ssm if name == "ssm" else SimpleNamespace())
    assert made.parsers.keys() >= {"smpp", "jasmin"}
    (found,) = read("smpp", b'{"smsc":"Quiet","text":"id:1 stat:UNDELIV err:7"}', {}, made.parsers)
    assert made.classify(found) == classify.load(ERRORS)(found)


@pytest.mark.parametrize(
    "body",
    [
        b"id:1 stat:DELIVRD",
        b"\xef\xbb\xbf id:1 stat:DELIVRD\n",
        b"text=id%3A1+stat%3ADELIVRD",
        b"x=1&text=id%3A1+stat%3ADELIVRD",
        b"kannel=1&message=1",
        b'[{"text":"id:1 stat:DELIVRD"}]',
        b"SR Generic DELIVRD 000|MESSAGE=id:1 stat:DELIVRD err:000",
        deliver("", b"id:1 stat:DELIVRD").encode(),
    ],
)
def test_the_same_receipt_comes_in_many_ways(body: bytes) -> None:
    (found,) = read("smpp", body)
    assert (found.message, found.recipient, found.kind) == ("smpp:generic:1", UNNAMED, Kind.DELIVERED)


def test_a_form_says_when_it_came_and_keeps_what_is_the_senders() -> None:
    (found,) = read("smpp", b"smsc=A&at=2026-03-02T10:15:21Z&order=7&text=id:1+stat:X&recipient=%2B4915550100")
    assert found.occurred_at == datetime(2026, 3, 2, 10, 15, 21, tzinfo=UTC)
    assert found.context is not None and found.context.correlation == {"order": "7"}
    with pytest.raises(MalformedFeedback, match="at: is no time"):
        read("smpp", b"text=id:1+stat:X&at=yesterday")

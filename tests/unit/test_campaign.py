"""Exports of Adobe Campaign, and events of the platform: one fact, whatever it is written in."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from aftersend import classify
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Class, Feedback, Kind, Reason
from aftersend.lists.drop import read_head
from aftersend.lists.records import FilePosition, Framing, split_records
from aftersend.sources import campaign, journey_optimizer
from aftersend.sources.campaign.receipt import parse_receipt
from local.samples import EVENTS

TEXT: Final = "550 5.1.1 user unknown"
CSV: Final = f"@id,@address,@status,@eventDate,msg/@failureType,msg/@failureReason,msg/@text\n{{}},{TEXT}\n"
ROW: Final = "7,Gone@example.net,2,2026-03-02 10:11:12,2,1"
LABELS: Final = "7,Gone@example.net,Misslyckades,2026-03-02 10:11:12,Hård,Okänd användare"
MSG: Final = {"failureType": "2", "failureReason": 1, "text": TEXT}
RECORD: Final = {"id": 7, "address": "Gone@example.net", "status": "2", "eventDate": "2026-03-02T10:11:12Z", "msg": MSG}
XML: Final = (
    "<a><broadLogRcp-collection><broadLogRcp id='7' address='Gone@example.net' status='2' "
    "eventDate='2026-03-02T10:11:12.000Z'>"
    f"<msg failureType='2' failureReason='1'><text>{TEXT}</text></msg></broadLogRcp></broadLogRcp-collection></a>"
)
SAME: Final = {
    "csv": CSV.format(ROW),
    "labels": CSV.format(LABELS),
    "semicolons": CSV.format(ROW).replace(",", ";"),
    "tabs and line breaks": CSV.format(ROW).replace(",", "\t").replace("\n", "\r\n"),
    "settings": f"# schema: nms:broadLogRcp\n# zone: Etc/UTC\n{CSV.format(ROW)}",
    "another zone": "# zone: Europe/Stockholm\n" + CSV.format(ROW.replace(" 10:", " 11:")),
    "slashes": CSV.format(ROW.replace("-", "/")),
    "json": json.dumps({"broadLogRcp": [RECORD]}),
    "one row": json.dumps(RECORD),
    "lines": json.dumps(RECORD) + "\n",
    "envelope": json.dumps({"schema": "nms:broadLogRcp", "rows": [RECORD]}),
    "xml": XML,
}


def read(text: str, content_type: str = "") -> list[Feedback]:
    return campaign.parse(text.encode(), {"content-type": content_type} if content_type else {})


@pytest.mark.parametrize("form", SAME)
def test_a_row_is_one_fact_in_every_form(form: str) -> None:
    (expected,), found = read(SAME["csv"]), read(SAME[form])
    assert found == [expected]
    assert (expected.kind, expected.recipient, expected.message) == (
        Kind.BOUNCED,
        "email:gone@example.net",
        "campaign:nms:broadLogRcp:7",
    )


def test_what_stands_beside_a_file_counts_as_what_stands_in_it() -> None:
    inside = "# schema: rt1:broadLogRcp\n# zone: Europe/Stockholm\n# channel: SMS\n" + CSV.format(ROW)
    beside = 'text/csv; charset=utf-8; schema="rt1:broadLogRcp"; zone=Europe/Stockholm; channel="SMS"'
    assert read(CSV.format(ROW), beside) == read(inside) != read(CSV.format(ROW))


@pytest.mark.parametrize("name", ["swedish-with-settings.csv", "email-console-english.csv", "sms-receipts.tsv"])
def test_a_file_is_the_same_row_by_row(name: str) -> None:
    """As a dropped file is sent: each row with the head of the file."""
    whole = (EVENTS / "campaign" / name).read_bytes()
    head = read_head(whole)
    records = split_records([whole[len(head) :]], Framing.CSV, FilePosition(len(head)))
    rows = [fact for record in records for fact in campaign.parse(head + record.data)]
    assert rows == campaign.parse(whole)
    assert rows


def test_a_row_that_has_changed_is_another_fact_of_the_message() -> None:
    (sent,) = read(CSV.format("7,Gone@example.net,1,2026-03-02 09:11:12,0,0"))
    (failed,) = read(CSV.format(ROW))
    assert sent.key == failed.key
    assert {sent.kind, failed.kind} == {Kind.SENT, Kind.BOUNCED}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SR Generic DELIVRD 000|#MESSAGE#", ("Generic", "DELIVRD", "000", "")),
        ("SR Acme North stat=UNDELIV err=034|#MESSAGE", ("Acme North", "UNDELIV", "034", "")),
        ("SR A B C EXPIRED x12 0x001E:ab 0x0427:5|MESSAGE=id:9f sub:001", ("A B C", "EXPIRED", "x12", "9f")),
        ("SR Acme UNDELIV 1|MESSAGE=id:1 text:SR Fake DELIVRD 000|x", ("Acme", "UNDELIV", "1", "1")),
        ("SR Acme UNDELIV 1|MESSAGE=text:id:7 stat:DELIVRD", ("Acme", "UNDELIV", "1", "")),
    ],
)
def test_the_line_of_a_receipt_is_split_at_its_first_bar(line: str, expected: tuple[str, ...]) -> None:
    assert parse_receipt(line) == expected


@pytest.mark.parametrize(
    "text", ["SR|x", "SR a b|x", "SRGeneric a b c|x", "550 SR Generic DELIVRD 000|x", "SR a b c", ""]
)
def test_what_is_no_line_of_a_receipt_is_a_text(text: str) -> None:
    assert parse_receipt(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("id,address,status\n1,ann@example.com,Sent\n", "no column that is known for date"),
        ("id,address,status,eventDate,errorReason\n", "import it as a list"),
        ("# column: x = recipient\n", "a column can be called id, address"),
        ("# status: 4 = gone\n", "a status can be called sent, taken"),
        ("# schema: ../x\nid,status,eventDate\n", "the schema has not the form"),
        ("id,status,eventDate\n1,Sent,2026-03-02 10:00:00,more\n", "line 2 has 4 fields, the header 3"),
        ("id,status,eventDate\n\n1,Sent,never\n", "line 3: a time is in no format"),
        ("id,status,eventDate\n,Sent,2026-03-02 10:00:00\n", "line 2: it has no id"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(text: str, why: str) -> None:
    with pytest.raises(MalformedFeedback) as raised:
        read(text)
    assert why in raised.value.why


def test_numbers_that_nobody_documents_are_unknown_until_the_file_says_what_they_are() -> None:
    body = "id,address,status,eventDate,channel\n1,+4915550100,4,2026-03-02 10:00:00,1\n"
    (unknown,), (known,) = read(body), read(f"# status: 4 = received\n{body}")
    assert (unknown.kind, unknown.evidence and unknown.evidence.provider_code) == (Kind.UNKNOWN, "4")
    assert known.kind is Kind.DELIVERED


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("", (Class.SOFT, Reason.UNDETERMINED)),
        ('[smsc.Generic]\nerrors = "gsm-map"\n', (Class.HARD, Reason.USER_UNKNOWN)),
        ('[smsc.Other]\nerrors = "gsm-map"\n', (Class.SOFT, Reason.UNDETERMINED)),
        (
            '[[rule]]\nid = "a"\nwhen.provider_code = ["SR Generic UNDELIV 001"]\nthen.reason = "network_error"\n',
            (Class.SOFT, Reason.NETWORK_ERROR),
        ),
    ],
)
def test_the_error_of_a_receipt_is_what_the_rules_say_of_it(document: str, expected: tuple[Class, Reason]) -> None:
    line = "1,+4915550100,Failed,2026-03-02 10:00:00,Hard,Refused,SR Generic UNDELIV 001|#MESSAGE#"
    (fact,) = read(CSV.format(line).replace(f",{TEXT}", ""))
    verdict = classify.load(document)(fact)
    assert verdict is not None
    assert (verdict.klass, verdict.reason) == expected


SHORT: Final[dict[str, Any]] = {
    "timestamp": "2026-03-02T15:52:25Z",
    "directMarketing": {"bounces": {"value": 1}},
    "channel": {"_id": "https://ns.adobe.com/xdm/channels/email"},
    "_experience": {
        "campaign": {
            "message": {
                "id": "9",
                "profile": {"workEmail": {"address": "gone@example.net"}},
                "reason": "unknown_user",
                "reasonMessage": TEXT,
                "quarantine": True,
            },
            "delivery": {"id": "501"},
        }
    },
}
_CAMPAIGN: Final = "https://ns.adobe.com/experience/campaign/"
FULL: Final[dict[str, Any]] = {
    "xdm:timestamp": "2026-03-02T15:52:25+00:00",
    "xdm:channel": "https://ns.adobe.com/xdm/channels/email",
    f"{_CAMPAIGN}message": {
        "xdm:id": 9,
        "xdm:profile": {"xdm:workEmail": {"xdm:address": "gone@example.net"}},
        "xdm:reason": "unknown_user",
        "xdm:reasonMessage": TEXT,
        "xdm:quarantine": True,
    },
    f"{_CAMPAIGN}delivery": {"xdm:id": 501},
}


def test_an_event_is_one_fact_however_its_keys_are_spelled() -> None:
    short, full = (journey_optimizer.parse(json.dumps(event).encode()) for event in (SHORT, FULL))
    assert len(short) == 1
    assert short == full


def test_a_correction_says_what_is_so_now() -> None:
    """Before the other keys, too: what it said before counts nowhere."""
    before = {"message": {"reason": "undefined", "reasonMessage": "* Sent.", "quarantine": False}}
    said = {"mutation": before | {"timestamp": "2026-03-01T00:00:00Z"}, **SHORT["_experience"]["campaign"]}
    event = {"_experience": {"campaign": said}, **{k: v for k, v in SHORT.items() if k != "_experience"}}
    assert journey_optimizer.parse(json.dumps(event).encode()) == journey_optimizer.parse(json.dumps(SHORT).encode())


def test_one_message_id_twice_in_a_journey_is_two_messages() -> None:
    ids = {"messageID": "m", "journeyVersionID": "v", "journeyActionID": "a", "batchInstanceID": "b1"}
    cjm: dict[str, Any] = {
        "messageDeliveryfeedback": {"feedbackStatus": "sent"},
        "emailChannelContext": {"address": "ann@example.com"},
    }
    events = [
        {
            "timestamp": "2026-03-02T10:00:00Z",
            "_experience": {"customerJourneyManagement": cjm | {"messageExecution": ids | {"batchInstanceID": batch}}},
        }
        for batch in ("b1", "b2", "b1")
    ]
    found = journey_optimizer.parse(json.dumps(events).encode())
    assert [fact.message for fact in found] == ["ajo:m:v:a:b1", "ajo:m:v:a:b2", "ajo:m:v:a:b1"]

"""Lists of providers, and what their rows mean; tests/samples/import has one of each kind, with what it says."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.errors import MalformedFeedback
from aftersend.lists import formats, rows
from aftersend.lists.entries import InvalidRow, parse_list_time, read_recipient
from aftersend.lists.formats import FORMATS
from aftersend.lists.job import ImportProgress, ImportRequest, JobState
from aftersend.lists.records import Framing
from aftersend.lists.rows import detect_layout
from tests.support.list_jobs import job_context, run_import, run_request
from tests.support.list_samples import (
    AT,
    detect_sample_format,
    find_expectation,
    find_format,
    list_samples,
    make_terms,
    read_list,
    read_sample,
)

ROW = {"recipient": "email:ann@example.com", "kind": "hard", "at": "2026-03-01T00:00:00Z"}


def name(path: Path) -> str:
    return path.name


def csv_of(rows: list[dict[str, str]], **options: Any) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), **options)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.mark.parametrize("sample", list_samples(), ids=name)
def test_a_sample_says_what_it_says(sample: Path) -> None:
    assert read_sample(sample) == msgspec.json.decode(find_expectation(sample).read_bytes())


def test_there_is_a_sample_of_every_format_and_no_expectation_without_one() -> None:
    assert {find_format(sample) for sample in list_samples()} == FORMATS.keys()
    assert {find_expectation(sample) for sample in list_samples()} == set(
        Path(list_samples()[0].parent).glob("*.expected.json")
    )


@pytest.mark.parametrize("sample", list_samples(), ids=name)
def test_a_format_is_detected_or_asked_for_by_name(sample: Path) -> None:
    """What could be two lists is not guessed: one of them may be no reason to suppress anybody."""
    name = find_format(sample)
    if FORMATS[name].distinctive:
        assert detect_sample_format(sample) == name
    else:
        with pytest.raises(MalformedFeedback, match=name):
            detect_sample_format(sample)
    head = sample.read_bytes()
    assert formats.detect_format(rows.read_column_names(detect_layout(head), head), name) is FORMATS[name]


def test_bounces_and_blocks_of_sendgrid_are_not_guessed() -> None:
    with pytest.raises(MalformedFeedback) as error:
        formats.detect_format(frozenset({"email", "created", "reason", "status"}), None)
    assert "sendgrid-bounces" in error.value.why
    assert "sendgrid-blocks" in error.value.why


def test_law_5_blocks_suppress_nobody() -> None:
    """Law 5: "Spam, policy, authentication, reputation and rate refusals […] never suppress an address"."""
    for text in ("550 5.7.1 Message rejected as spam", "550 5.1.1 user unknown"):
        row = {"email": "ann@example.com", "created": "1767225600", "status": "", "reason": text}
        assert read_list(csv_of([row]), make_terms("sendgrid-blocks")) == {"claims": [], "skipped": 1, "errors": []}


@pytest.mark.parametrize(
    "text",
    [
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
        "550 5.7.26 This mail is unauthenticated: SPF did not pass",
        "421 4.7.28 Our system has detected an unusual rate of mail from your IP address",
        "552 5.3.4 Message size exceeds fixed limit",
    ],
)
@pytest.mark.parametrize("name", ["sendgrid-bounces", "mailgun-bounces"])
def test_law_5_a_refusal_of_the_sender_suppresses_nobody_whatever_list_it_is_on(name: str, text: str) -> None:
    given = FORMATS[name]
    row = {given.recipient: "ann@example.com", given.at: "1767225600", given.text: text, "code": ""}
    assert read_list(csv_of([row]), make_terms(name)) == {"claims": [], "skipped": 1, "errors": []}


@pytest.mark.parametrize(("klass", "kinds"), [("hard", ["hard"]), ("soft", ["provider"]), ("ignore", [])])
def test_a_class_that_the_policy_names_for_a_reason_counts_for_lists_too(klass: str, kinds: list[str]) -> None:
    row = {"address": "ann@example.com", "code": "550", "error": "No such mailbox", "created_at": "2026-03-01"}
    given = make_terms("mailgun-bounces", document=f"[classes]\nuser_unknown = '{klass}'")
    found = read_list(csv_of([row]), given)
    assert ([each["kind"] for each in found["claims"]], found["errors"]) == (kinds, [])


@pytest.mark.parametrize("name", [None, "aftersend", "ses", "nonsense"])
def test_a_file_that_is_not_of_its_format_is_refused_with_a_reason(name: str | None) -> None:
    with pytest.raises(MalformedFeedback, match=r"no such format|no column|no list that we know"):
        formats.detect_format(frozenset({"one", "two"}), name)


EMPTY = (
    ("ses", b'{"SuppressedDestinationSummaries":[]}'),
    ("ses", b'{\n    "SuppressedDestinationSummaries": []\n}\n'),
    ("ses", b"Email address,Reason,Last update time\r\n"),
    ("sendgrid-bounces", b"[]"),
    ("mailgun-bounces", b'{"items":[],"paging":{"next":"https://api.example/v3"}}'),
    ("postmark", b'{"Suppressions":[]}\n'),
)


@pytest.mark.parametrize(("name", "body"), EMPTY)
def test_a_list_of_nobody_is_a_list(name: str, body: bytes) -> None:
    """As the provider answers where it suppresses nobody; without a name, nothing may show which list it is.

    Which file it was is known all the same: whoever imports it after a dry run imports this one.
    """
    job = run_import(job_context(), body, name)
    progress = ImportProgress(format=name, etag=md5(body).hexdigest())  # as S3 makes it for what is put in one piece
    assert (job.why, job.state, job.progress) == (None, JobState.DONE, progress)
    if not rows.read_column_names(detect_layout(body), body):
        assert "name one" in (run_request(job_context(), ImportRequest(dry_run=True), body).why or "")


def test_an_object_without_anything_is_a_row() -> None:
    assert read_list(b'{}\n{"recipient":"a@b.example"}\n', make_terms("aftersend", AT))["errors"] == [
        "line 1: no address"
    ]


def test_nothing_of_the_file_is_quoted_in_what_is_said_of_it() -> None:
    secret = "ann.secret@example.com"
    with pytest.raises(MalformedFeedback) as error:
        formats.detect_format(rows.read_column_names(detect_layout(f"{secret};1\n".encode()), b""), "postmark")
    texts = [error.value.why]
    for bad in ({"recipient": "secret@"}, {"kind": secret}, {"at": secret}, {"reason": secret}, {"scope": 99 * secret}):
        texts += read_list(csv_of([ROW | bad]), make_terms("aftersend"))["errors"]
    assert len(texts) == 6
    assert not [each for each in texts if "secret" in each]


@pytest.mark.parametrize(
    ("head", "framing"),
    [
        (b'{"recipient":"a@b.example"}\n{"recipient":"c@d.example"}\n', Framing.LINES),
        (b'\xef\xbb\xbf {"recipient":"a@b.example"}', Framing.LINES),
        (b'{"items":[{"address":"a@b.example"}]}', Framing.DOCUMENT),
        (b'{"data":{"items":[{"address":"a@b.example"}]}}\n', Framing.DOCUMENT),
        (b'{\n"recipient":"a@b.example"}', Framing.DOCUMENT),
        (b"  [{}]", Framing.DOCUMENT),
        (b"recipient\n", Framing.CSV),
    ],
)
def test_the_beginning_of_a_file_shows_its_framing(head: bytes, framing: Framing) -> None:
    assert detect_layout(head).framing is framing


@pytest.mark.parametrize(
    "head", [b"", b" \n", "recipient,at\n".encode("utf-16"), b"\xffrecipient\n", b'"recipient\n', b"a\rb\n"]
)
def test_what_is_no_text_is_refused(head: bytes) -> None:
    with pytest.raises(MalformedFeedback):
        detect_layout(head)


@given(
    order=st.permutations(["EmailAddress", "Reason", "LastUpdateTime", "Whatever"]),
    separator=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    spell=st.sampled_from([str.upper, str.lower, lambda text: text.replace("A", "_a").replace("T", " T")]),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
)
def test_order_case_separator_quotes_line_ends_and_bom_do_not_matter(
    order: list[str], separator: str, quoting: Any, spell: Any, end: str, bom: bool
) -> None:
    row = {
        "EmailAddress": "ann@example.com",
        "Reason": "BOUNCE",
        "LastUpdateTime": "2026-03-01T10:00:00Z",
        "Whatever": f'some "text"{separator} and more',
    }
    body = csv_of(
        [{spell(each): row[each] for each in order}], delimiter=separator, quoting=quoting, lineterminator=end
    )
    body = b"\xef\xbb\xbf" * bom + body
    assert formats.detect_format(rows.read_column_names(detect_layout(body), body), None).name == "ses"
    assert read_list(body, make_terms("ses"))["claims"] == [
        {
            "recipient": "email:ann@example.com",
            "scope": "*",
            "kind": "hard",
            "at": "2026-03-01T10:00:00.000Z",
            "provider_code": "BOUNCE",
        }
    ]


@pytest.mark.parametrize(
    "text",
    ["1767225600", "1767225600.0", "1767225600000", "2026-01-01", "2026-01-01T01:00:00+01:00", "01 Jan 2026 00:00 GMT"],
)
def test_times_in_every_spelling(text: str) -> None:
    assert parse_list_time(text) == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["99999999999999", "-5", "yesterday", "9" * 400, "2300-01-01", "0"])
def test_times_that_make_no_sense(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_list_time(text)


def test_a_row_without_a_time_takes_that_of_the_import_or_is_an_error() -> None:
    row = {"recipient": "ann@example.com", "kind": "hard"}
    assert read_list(csv_of([row]), make_terms("aftersend"))["errors"] == [
        "line 2: no time of its own, and the import names none"
    ]
    assert read_list(csv_of([row]), make_terms("aftersend", AT))["claims"][0]["at"] == "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Ann <Ann@Example.COM>", "email:ann@example.com"),
        ("email:ann@bücher.example", "email:ann@xn--bcher-kva.example"),
        ("Email:Ann@Example.com", "email:ann@example.com"),
        ("sms:+4915550100", "sms:+4915550100"),
        ("SMS:+4915550100", "sms:+4915550100"),
        ("push:fcm:abc", "push:fcm:abc"),
        ("Push:fcm:Abc", "push:fcm:Abc"),
    ],
)
def test_recipients_of_our_own_files_carry_their_channel(text: str, meant: str) -> None:
    assert read_recipient({"recipient": text}, FORMATS["aftersend"]) == meant


@pytest.mark.parametrize(
    "text", ["ann", "@example.com", "ann@", "a b@example", "sms:5", "push:", "erased:0f", "ann@b, bob@c", "x" * 999]
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(InvalidRow):
        read_recipient({"recipient": text}, FORMATS["aftersend"])
    with pytest.raises(InvalidRow):
        read_recipient({"emailaddress": text}, FORMATS["ses"])


@pytest.mark.parametrize(
    ("format_", "row", "scope", "document", "scopes"),
    [
        ("postmark", {"suppressionreason": "HardBounce"}, "news", "", ["*"]),
        ("postmark", {"suppressionreason": "ManualSuppression", "origin": "Recipient"}, "news", "", ["news"]),
        ("postmark", {"suppressionreason": "ManualSuppression"}, "news", "", ["news"]),
        ("postmark", {"suppressionreason": "SpamComplaint"}, "news", "", ["*"]),
        ("postmark", {"suppressionreason": "SpamComplaint"}, "news", "[complaint]\neverywhere = false", ["news"]),
        ("mailgun-unsubscribes", {"tags": "offers"}, "news", "", ["offers"]),
        ("mailgun-unsubscribes", {"tags": "offers"}, "news", "[unsubscribed]\neverywhere = true", ["*"]),
        ("mailgun-unsubscribes", {"tags": ""}, "news", "", ["news"]),
        ("mailgun-unsubscribes", {"tags": "offers,*"}, "news", "", ["*"]),
        ("aftersend", {"kind": "hard", "scope": "offers"}, "news", "", ["offers"]),
        ("aftersend", {"kind": "hard"}, "news", "", ["news"]),
    ],
)
def test_a_wish_is_of_a_stream_and_a_bounce_of_the_address(
    format_: str, row: dict[str, str], scope: str, document: str, scopes: list[str]
) -> None:
    given = FORMATS[format_]
    body = csv_of([{given.recipient: "ann@example.com", given.at: "1767225600", **row}])
    claims = read_list(body, make_terms(format_, scope=scope, document=document))["claims"]
    assert [each["scope"] for each in claims] == scopes


@pytest.mark.parametrize("text", ["news", "a" * 256, "\N{GRINNING FACE}" * 256, "two\N{NO-BREAK SPACE}words"])
def test_whatever_stream_a_request_may_name_a_list_may_name_too(text: str) -> None:
    found = read_list(csv_of([ROW | {"kind": "unsubscribed", "scope": text}]), make_terms("aftersend"))
    assert [each["scope"] for each in found["claims"]] == [text]


@pytest.mark.parametrize(
    ("format_", "row", "until"),
    [
        ("ses", {"reason": "BOUNCE"}, "2026-03-31T00:00:00.000Z"),
        ("ses", {"reason": "COMPLAINT"}, None),
        ("postmark", {"suppressionreason": "ManualSuppression"}, None),
        ("aftersend", {"kind": "hard"}, None),
        ("aftersend", {"kind": "hard", "until": "2027-01-01"}, "2027-01-01T00:00:00.000Z"),
    ],
)
def test_what_the_policy_gives_an_end_has_it_in_a_list_of_a_provider_too(
    format_: str, row: dict[str, str], until: str | None
) -> None:
    given = FORMATS[format_]
    rows = [{given.recipient: "ann@example.com", given.at: "2026-03-01T00:00:00Z"} | row]
    (claim,) = read_list(csv_of(rows), make_terms(format_, document="[hard]\nlapse_days = 30"))["claims"]
    assert claim.get("until") == until


def test_what_ends_must_say_when() -> None:
    for kind in ("streak", "pause"):
        errors = read_list(csv_of([ROW | {"kind": kind}]), make_terms("aftersend"))["errors"]
        assert errors == ["line 2: no end, which this kind has"]


@pytest.mark.parametrize("depth", [60, 400, 900, 5000])
def test_nesting_without_end_is_refused_and_breaks_nothing(depth: int) -> None:
    for opening, closing in (('{"a":', "}"), ("[", "]"), ('{"a":[', "]}")):
        body = f"{opening * depth}1{closing * depth}\n".encode()
        try:
            found = read_list(body, make_terms("aftersend"))
        except MalformedFeedback:
            continue
        assert not found["claims"]


@given(st.binary(max_size=400))
def test_whatever_bytes_come_they_are_read_or_an_error_says_why(body: bytes) -> None:
    for name in FORMATS:
        try:
            found = read_list(body, make_terms(name, AT))
        except MalformedFeedback:
            continue
        assert found.keys() == {"claims", "skipped", "errors"}


@given(
    st.dictionaries(
        st.sampled_from(["recipient", "kind", "at", "scope", "reason", "until", "note", "active"]), st.text()
    )
)
def test_whatever_stands_in_a_row_it_is_read_or_an_error_says_why(row: dict[str, str]) -> None:
    found = read_list(msgspec.json.encode(row), make_terms("aftersend", AT))
    assert bool(found["errors"]) or found["skipped"] or found["claims"]

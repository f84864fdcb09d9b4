"""The commands that ask the HTTP API, against the API itself behind a server: what they write, and their exit codes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aftersend_cli import dead_letters
from aftersend_cli.__main__ import main, make_parser
from aftersend_cli.endpoint import API, TOKEN, Endpoint
from aftersend_cli.errors import CommandError, NotKnownError, UsageError
from aftersend_cli.jobs import follow
from aftersend_cli.outcomes import FILTERS
from aftersend_cli.output import Output
from aftersend_cli.status import describe_span
from aftersend_cli.uploads import IncomingBody, upload
from tests.support import wsgi
from tests.support.api import Api
from tests.support.api_world import WorldAlarms, WorldArchive, WorldQueues, world
from tests.support.network import free_ports
from tests.support.template import ROOT

OLD, FULL, ANGRY = "old.account@example.net", "full.box@example.org", "annoyed@example.com"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A world of its own for each test, and its address in the environment."""
    made = world()
    with wsgi.serving(made.context) as url:
        monkeypatch.setenv(API, url)
        monkeypatch.setenv(TOKEN, wsgi.TOKEN.removeprefix("Bearer "))
        yield made


class Run:
    """What a command has written, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.code = main(arguments)
        self.out, self.err = capsys.readouterr()


def test_why_begins_with_the_sentence_and_quotes_the_refusal(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    done = Run(capsys, "why", OLD)
    lines = done.out.splitlines()
    sentence = api("GET", f"/suppressions/{OLD}").json["answer"]["sentence"]
    assert (done.code, lines[0], done.err) == (1, sentence, "")
    assert lines[1].startswith("  | 550 5.1.1 ")
    assert "2026-03-27 09:00Z" in done.out and "ses:0102-b2" in done.out


@pytest.mark.parametrize(
    ("arguments", "calls"),
    [(("why", OLD), 1), (("lift", OLD, "--note", "x", "--yes"), 2), (("message", "ses:0102-b2", "--to", OLD), 1)],
)
def test_a_support_agents_question_is_one_call_and_a_lift_two(
    arguments: tuple[str, ...], calls: int, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the page says; a lift looks first, so that it changes nothing that it has not shown."""
    asked: list[str] = []
    exchange = Endpoint.exchange

    def count(self: Endpoint, method: str, target: str, *rest: Any) -> Any:
        asked.append(method)
        return exchange(self, method, target, *rest)

    monkeypatch.setattr(Endpoint, "exchange", count)
    main(arguments)
    assert len(asked) == calls
    page = (ROOT / "docs" / "command-line.md").read_text()
    assert f"`{arguments[0]}` asks the API {('', 'once', 'twice')[calls]}" in page


@pytest.mark.parametrize(("recipient", "code"), [(FULL, 0), ("nobody@example.com", 0), (ANGRY, 1)])
def test_whether_somebody_may_be_written_to_is_the_exit_code(
    api: Api, recipient: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Run(capsys, "why", recipient).code == code
    assert Run(capsys, "why", recipient, "--stream", "news").code == code
    assert Run(capsys, "check", "--recipient", recipient).code == code
    assert api("HEAD", f"/suppressions/{recipient}").status == (200 if code else 404)


def test_json_is_the_answer_of_the_api(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(Run(capsys, "why", OLD, "--json").out) == api("GET", f"/recipients/{OLD}?limit=10").json
    outcomes = [json.loads(line) for line in Run(capsys, "message", "ses:0102-b2", "--json").out.splitlines()]
    assert outcomes == [each for page in api.pages("/messages/ses:0102-b2?limit=1") for each in page["outcomes"]]
    assert json.loads(Run(capsys, "why", "nobody@example.com", "--json").out)["status"] == 404


def test_a_message_shows_every_report_and_what_decided(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    done = Run(capsys, "message", "ses:0102-b2", "--to", OLD)
    assert done.out.startswith(f"ses:0102-b2 to {OLD}: bounced, user_unknown\n")
    assert "rule address.unknown, decides" in done.out and "  | 550 5.1.1" in done.out
    assert Run(capsys, "message", "ses:nothing").out == "Nothing is known of this message.\n"


def test_check_reads_a_list_and_writes_who_may_be_written_to(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["Ann <ann@example.com>", OLD, "nobody at all", *(f"{number}@example.com" for number in range(1500))]
    (tmp_path / "list.txt").write_text("\ufeff" + "\n".join(names) + "\n\n")
    done = Run(capsys, "check", str(tmp_path / "list.txt"), "--allowed")
    assert (done.code, done.out.splitlines()) == (1, [names[0], *names[3:]])
    shown = Run(capsys, "check", str(tmp_path / "list.txt")).out.splitlines()
    assert shown[1] == f"suppressed  {OLD}  hard"
    assert shown[2].startswith("suppressed  nobody at all  ")


def test_a_lift_shows_what_holds_asks_and_shows_what_holds_then(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    refused = Run(capsys, "lift", OLD, "--note", "It works.")
    assert refused.code == 2 and "--yes" in refused.err and "No mail is sent to" in refused.err
    done = Run(capsys, "lift", OLD, "--note", "It works.", "--yes")
    assert (done.code, done.out.startswith(f"Mail is sent to {OLD}: ")) == (0, True)
    assert "(“It works.”); nothing to lift." in done.out
    assert api("GET", f"/suppressions/{OLD}").json["suppressed"] is False


def test_a_complaint_is_lifted_with_force_alone(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    done = Run(capsys, "lift", ANGRY, "--note", "Really.", "--yes")
    assert (done.code, done.err.count("\n")) == (1, 3) and "force" in done.err
    assert Run(capsys, "lift", ANGRY, "--note", "They asked by telephone.", "--force", "--yes").code == 0
    assert api("GET", f"/suppressions/{ANGRY}").json["suppressed"] is False


def test_what_is_dangerous_asks_for_the_address(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = iter([f"{OLD}\n", "y\n", f"{ANGRY}\n"])
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True, readline=lambda: next(answers)))
    erased = Run(capsys, "forget", OLD)
    assert (erased.code, erased.out) == (
        0,
        "Erased: 2 outcomes, 1 suppressions. The address stays suppressed, without a name.\n",
    )
    assert Run(capsys, "lift", ANGRY, "--note", "Asked.", "--force").code == 1
    assert Run(capsys, "lift", ANGRY, "--note", "Asked.", "--force").code == 0


def test_somebody_who_was_never_seen_is_not_lifted(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    done = Run(capsys, "lift", "typo@exmaple.com", "--note", "x", "--yes")
    assert (done.code, "There is nothing to lift" in done.err) == (2, True)
    assert api("GET", "/suppressions/typo@exmaple.com").status == 404


def test_a_suppression_by_hand(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    done = Run(capsys, "suppress", "new@example.com", "--note", "Asked us.", "--until", "2026-06-21", "--yes")
    assert done.code == 0
    assert "“Asked us.”" in done.out and "it ends by itself on 21 June 2026." in done.out
    assert api("GET", "/suppressions/new@example.com").json["until"] == "2026-06-21T00:00:00Z"


def test_reviews_and_incidents(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    back = "back.again@example.org"
    assert back in Run(capsys, "review").out
    decided = Run(capsys, "review", "keep", "--recipient", back, "--note", "They changed jobs.", "--yes")
    assert (decided.code, decided.out) == (0, "Done.\n")
    assert Run(capsys, "review").out == "Nothing to look at.\n"
    assert (
        Run(capsys, "review", "keep", "--recipient", back, "--message", "ses:0102-a1", "--note", "x", "--yes").code == 0
    )
    assert Run(capsys, "review", "keep", "--yes").code == 2
    (incident,) = api("GET", "/incidents").json["incidents"]
    assert incident["id"] in Run(capsys, "incidents").out
    assert Run(capsys, "incidents", "revert", incident["id"], "--note", "Down.", "--yes").code == 0
    assert Run(capsys, "incidents", "revert", "0" * 20, "--yes").code == 2
    assert incident["id"] in Run(capsys, "incidents", "--state", "reverted").out
    assert Run(capsys, "incidents", "--state", "confirmed").out == "No incident is confirmed.\n"


def test_what_was_confirmed_is_listed_where_it_is_asked_for(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    (incident,) = api("GET", "/incidents").json["incidents"]
    assert Run(capsys, "incidents", "confirm", incident["id"], "--yes").code == 0
    assert Run(capsys, "incidents").out == "No incident is open or reverted.\n"
    (found,) = (
        json.loads(line) for line in Run(capsys, "incidents", "--state", "confirmed", "--json").out.splitlines()
    )
    assert (found["id"], found["state"]) == (incident["id"], "confirmed")


# ---- Lists ----------------------------------------------------------------------------------------------------------

MARCH = ("--from", "2026-03-01", "--to", "2026-04-01")


def test_outcomes_follow_pages_and_say_how_far_they_looked(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    query = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z"
    expected = [each for page in api.pages(f"/outcomes?{query}&limit=200") for each in page["outcomes"]]
    monkeypatch.setattr("aftersend_cli.outcomes.AT_ONCE", 2)
    done = Run(capsys, "outcomes", *MARCH, "--json")
    assert (done.code, [json.loads(line) for line in done.out.splitlines()]) == (0, expected)
    assert done.err == f"{len(expected)} that fit; all was looked at, back to 2026-03-01 00:00Z.\n"
    shown = Run(capsys, "outcomes", *MARCH)
    assert [line[:17] for line in shown.out.splitlines()[1:]] == [
        each["at"][:16].replace("T", " ") + "Z" for each in expected
    ]
    newest = Run(capsys, "outcomes", *MARCH, "--most", "3")
    assert [line.split() for line in newest.out.splitlines()] == [line.split() for line in shown.out.splitlines()[:4]]
    assert newest.err.startswith("The newest 3: none is missing back to 2026-03-2")


def test_outcomes_as_a_file(api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    whole = api("GET", "/outcomes?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z&format=csv&limit=200").text
    monkeypatch.setattr("aftersend_cli.outcomes.AT_ONCE", 2)
    done = Run(capsys, "outcomes", *MARCH, "--csv")
    assert (done.code, done.out) == (0, whole)
    assert f"{len(list(csv.reader(io.StringIO(whole)))) - 1} that fit" in done.err
    most = Run(capsys, "outcomes", *MARCH, "--csv", "--most", "3").out
    assert list(csv.reader(io.StringIO(most))) == list(csv.reader(io.StringIO(whole)))[:4]


@pytest.mark.parametrize(
    ("filters", "some"), [(("--reason", "mailbox_full"), FULL), (("--class", "hard", "--domain", "example.net"), OLD)]
)
def test_outcomes_have_the_filters_of_the_api(
    api: Api, filters: tuple[str, ...], some: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [json.loads(line) for line in Run(capsys, "outcomes", *MARCH, *filters, "--json").out.splitlines()]
    assert {each["recipient"] for each in found} == {f"email:{some}"}
    assert set(FILTERS) == {
        each["name"] for each in _list_parameters("/outcomes") if each["name"] not in {"from", "to", *_PAGING}
    }


_PAGING = ("format", "limit", "cursor")


def _list_parameters(path: str) -> list[dict[str, Any]]:
    document = json.loads((ROOT / "layers/aftersend/aftersend/api/openapi.json").read_text())
    return list(document["paths"][path]["get"]["parameters"])


def test_a_span_is_asked_for_as_people_say_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN, "test")
    with answering(200, {}, b'{"outcomes": [], "looked_back_to": "2026-03-01T00:00:00Z"}') as (url, asked):
        assert Run(capsys, "outcomes", "--since", "36h", "--api", url).code == 0
        assert Run(capsys, "outcomes", "--since", "36h", "--from", "2026-03-01", "--api", url).code == 2
        assert Run(capsys, "outcomes", "--from", "2026-03-02", "--to", "2026-03-01", "--api", url).code == 2
    (request,) = asked
    begin = datetime.fromisoformat(parse_qs(urlsplit(request.target).query)["from"][0])
    assert timedelta(hours=36) <= datetime.now(UTC) - begin < timedelta(hours=37)


def test_problems_are_groups_the_largest_first(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    expected = api("GET", "/problems?from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z").json
    assert json.loads(Run(capsys, "problems", *MARCH, "--json").out) == expected
    done = Run(capsys, "problems", *MARCH)
    _, *rows = done.out.splitlines()
    assert (done.code, len(expected["groups"]) > 1) == (0, True)
    for row, group in zip(rows, expected["groups"], strict=False):
        assert row.split()[:2] == [str(group["count"]), group["status"]]
        assert group["whose"] in row and group["example"]["message"] in row
    assert {line.removeprefix("- ") for line in rows if line.startswith("- ")} == {
        group["advice"] for group in expected["groups"] if "advice" in group
    }
    assert done.err == f"{expected['counted']} outcomes, back to 2026-03-01 00:00Z.\n"
    one = Run(capsys, "problems", *MARCH, "--reason", "mailbox_full")
    assert one.out.splitlines()[1].split()[:4] == ["1", "bounced", "soft", "mailbox_full"]


def test_status_says_whether_anything_is_stuck(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = Run(capsys, "status")
    assert (done.code, done.out.splitlines()[0][:58]) == (
        1,
        "0 messages were given up, 1 bodies could not be read. afte",
    )
    assert Run(capsys, "status", "--json").code == 1
    monkeypatch.setattr(WorldQueues, "counted", {"FeedbackQueue": 1200})
    well = Run(capsys, "status")
    assert (well.code, well.out.splitlines()[0]) == (0, "Nothing is stuck.")
    assert well.out.splitlines()[-1].split()[:2] == ["FeedbackQueue", "1,200"]
    assert json.loads(Run(capsys, "status", "--json").out) == api("GET", "/status").json
    assert well.out.splitlines()[1] == "None of 2 alarms rings. 1 of them have had nothing to judge by."
    monkeypatch.setattr(WorldAlarms, "ringing", "ComplaintAlarm")
    rings = Run(capsys, "status").out.splitlines()
    assert rings[2].split()[:3] == ["ComplaintAlarm", "2026-03-31", "08:00Z"]
    monkeypatch.setattr(WorldAlarms, "is_silent", True)
    assert "Nobody can tell which alarms ring" in Run(capsys, "status").out


def test_status_says_which_source_is_quiet_and_since_when(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Run(capsys, "status").out.splitlines()
    at = next(number for number, line in enumerate(lines) if "last heard of" in line)
    assert [line.split() for line in lines[at + 1 : at + 3]] == [
        ["ses", "2026-03-31", "11:56Z", "4", "min"],
        ["report", "2026-03-22", "17:00Z", "8", "days"],
    ]
    assert [each["source"] for each in api("GET", "/status").json["sources"]] == ["ses", "report"]
    monkeypatch.setattr(WorldArchive, "is_silent", True)
    assert "Nobody can tell when sources were last heard of" in Run(capsys, "status").out
    assert json.loads(Run(capsys, "status", "--json").out)["sources"] is None
    monkeypatch.setattr(WorldArchive, "is_silent", False)
    monkeypatch.setattr(WorldArchive, "list_objects_v2", lambda *_, **__: {})
    assert "No source was heard of so far." in Run(capsys, "status").out


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 min"), (59, "0 min"), (7_199, "119 min"), (7_200, "2 h"), (172_799, "47 h"), (172_800, "2 days")],
)
def test_a_span_is_told_in_the_unit_that_a_person_takes(seconds: int, said: str) -> None:
    assert describe_span(timedelta(seconds=seconds)) == said


def test_dead_letters_by_the_api(api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Run(capsys, "dead-letters", "--look").out
    looked = "        7a2c2b1e-0000-4000-8000-000000000001  ses  no field eventType"
    assert f"     1  UnreadableBodies\n{looked}\n" in shown and "     0  FeedbackDeadLetters\n" in shown
    assert "messageId" not in shown, "a body may hold addresses"
    found = [json.loads(line) for line in Run(capsys, "dead-letters", "--json").out.splitlines()]
    assert found == api("GET", "/dead-letters").json["queues"]
    assert Run(capsys, "dead-letters", "--redrive", "FeedbackQueue").code == 2
    asked = Run(capsys, "dead-letters", "--redrive", "FeedbackDeadLetters")
    assert (asked.code, "nobody is there to be asked" in asked.err) == (2, True)


def test_a_redrive_asks_the_api_until_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = {"queue": "A", "goes_back_to": "B", "by": "x", "at": "2026-03-01T00:00:00Z"}
    answers = iter([done | {"moved": 1000, "left": 500}, done | {"moved": 500, "left": 0}])
    listed = {"queues": [{"name": "A", "messages": 1500, "goes_back_to": "B"}]}

    def ask(method: str, *_: Any, **__: Any) -> Any:
        return SimpleNamespace(json=lambda: listed if method == "GET" else next(answers))

    api: Any = SimpleNamespace(ask=ask, url="https://example.com")
    options = make_parser().parse_args(["dead-letters", "--redrive", "A", "--yes"])
    assert dead_letters.by_api.run(options, api, Output()) == 0
    assert capsys.readouterr().out.endswith("1500 are back in B, about 0 are left.\n")


@pytest.mark.parametrize("by", ["day", "system", "reason", "cause"])
def test_statistics_are_those_of_the_api(by: str, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("stats", "--from", "2026-03-01", "--to", "2026-03-31", "--by", by)
    query = f"from=2026-03-01&to=2026-03-31&by={'all' if by == 'day' else by}"
    expected = api("GET", f"/statistics?{query}").json
    assert json.loads(Run(capsys, *asked, "--json").out) == expected
    assert Run(capsys, *asked, "--csv").out == api("GET", f"/statistics?{query}&format=csv").text
    done = Run(capsys, *asked)
    rated = any("rates" in each for each in expected["totals"])
    assert (done.code, rated) == (0, by not in {"reason", "cause"}), "a reason is no share of itself"
    named = expected["days"] if by == "day" else expected["totals"]
    assert named and all((each["day"] if by == "day" else each["value"]) in done.out for each in named)


COUNTED = {
    "from": "2026-03-27", "to": "2026-03-28", "by": "system",
    "limits": {"bounce": {"review": 0.05, "pause": 0.1, "floor": 200},
               "complaint": {"review": 0.001, "pause": 0.005, "floor": 1000}},
    "totals": [
        {"value": "gmail", "name": "Gmail", "messages": 1600, "counts": {"delivered": 1500, "bounced_hard": 100},
         "rates": {"bounce": {"numerator": 100, "denominator": 1600, "rate": 0.0625, "low": 0.0516, "high": 0.0755,
                              "level": "review"},
                   "complaint": {"numerator": 0, "denominator": 1500, "rate": 0.0, "low": 0.0, "high": 0.0026,
                                 "level": "fine"}}},
        {"value": "other", "messages": 3, "counts": {"delivered": 2, "bounced_hard": 1},
         "rates": {"bounce": {"numerator": 1, "denominator": 3, "low": 0.06, "high": 0.79, "level": "too_few"}}},
    ],
    "days": [{"day": "2026-03-27", "value": "gmail", "counts": {"delivered": 1500}}],
}  # fmt: skip


def test_a_rate_never_stands_without_its_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN, "test")
    with answering(200, {}, json.dumps(COUNTED).encode()) as (url, asked):
        done = Run(capsys, "stats", "--by", "system", "--from", "2026-03-27", "--to", "2026-03-28", "--api", url)
        assert json.loads(Run(capsys, "stats", "--json", "--api", url).out) == COUNTED
    assert asked[0].target.endswith("/statistics?from=2026-03-27&to=2026-03-28&by=system")
    assert asked[1].target.endswith("/statistics?by=all")
    assert re.search(r"^Gmail +6\.2 % \(100 of 1,600, 5\.2 to 7\.5 %\) REVIEW +0 of 1,500$", done.out, re.MULTILINE)
    assert re.search(r"^other +1 of 3$", done.out, re.MULTILINE), "of too few there is no rate"
    assert "bounces: reviewed from 5 %, paused from 10 %; no rate of fewer than 200" in done.out


def test_statistics_by_day_and_as_a_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(TOKEN, "test")
    with answering(200, {}, json.dumps(COUNTED).encode()) as (url, _):
        assert re.search(r"^2026-03-27 +1,500$", Run(capsys, "stats", "--api", url).out, re.MULTILINE)
    kind = {"Content-Type": "text/csv; charset=utf-8"}
    with answering(200, kind, b"day,value\r\n2026-03-27,gmail\r\n") as (
        url,
        asked,
    ):
        assert Run(capsys, "stats", "--csv", "--by", "system", "--api", url).out == "day,value\r\n2026-03-27,gmail\r\n"
    assert asked[0].target.endswith("/statistics?by=system&format=csv")


@pytest.mark.parametrize("wrong", [("--since", "0d"), ("--since", "1 day"), ("--from", "yesterday"), ("--most", "0")])
def test_a_span_that_is_none(wrong: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["outcomes", *wrong])
    assert stop.value.code == 2


LIST = (
    "recipient,kind,at,note\n"
    "ann@example.com,hard,2026-03-01T00:00:00Z,\n"
    'bob and eve,hard,2026-03-01T00:00:00Z,"two, of them"\n'
    "dan@example.com,nonsense,2026-03-01T00:00:00Z,\n"
)


def test_an_import_is_a_dry_run_first_and_writes_what_is_refused(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.csv").write_text(LIST)
    rejects = tmp_path / "rejects.csv"
    tried = Run(capsys, "import", str(tmp_path / "list.csv"), "--rejects", str(rejects))
    assert tried.code == 0
    assert "3 rows: 1 new, 0 updated, 0 unchanged, 0 skipped, 2 invalid" in tried.out
    assert tried.err == f"{rejects}: 2 refused rows, 0 skipped.\n"
    written = list(csv.reader(io.StringIO(rejects.read_text())))
    assert written[0] == ["import_line", "import_result", "import_why", "recipient", "kind", "at", "note"]
    assert [(row[0], row[1], row[3], row[6]) for row in written[1:]] == [
        ("3", "invalid", "bob and eve", "two, of them"),
        ("4", "invalid", "dan@example.com", ""),
    ]
    assert api("HEAD", "/suppressions/ann@example.com").status == 404
    applied = Run(capsys, "import", str(tmp_path / "list.csv"), "--apply", "--yes", "--json")
    job = json.loads(applied.out)
    assert job["imported"]["new"] == 1 and api("HEAD", "/suppressions/ann@example.com").status == 200
    assert job["id"] in Run(capsys, "jobs", job["id"]).out


def test_what_was_rejected_is_imported_once_it_is_mended(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "list.csv").write_text(LIST)
    rejects = tmp_path / "rejects.csv"
    Run(capsys, "import", str(tmp_path / "list.csv"), "--rejects", str(rejects))
    rejects.write_text(rejects.read_text().replace("bob and eve", "eve@example.com"))
    done = Run(capsys, "import", str(rejects), "--apply", "--yes")
    assert "2 rows: 1 new, 0 updated, 0 unchanged, 0 skipped, 1 invalid" in done.out


def test_the_list_itself_is_not_written_over(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.csv").write_text(LIST)
    done = Run(capsys, "import", str(tmp_path / "list.csv"), "--rejects", f"{tmp_path}/./list.csv")
    assert (done.code, (tmp_path / "list.csv").read_text()) == (2, LIST)


def test_every_rejected_row_is_written_and_skipped_ones_too(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The API names a hundred; of another provider's list, those who are well are skipped."""
    rows = [{"email": f"nobody {number}", "created": 1772600000, "reason": "550 unknown", "status": "5.1.1"}
            for number in range(120)]  # fmt: skip
    rows.append({"email": "well@example.com", "created": 1772600000, "reason": "554 5.7.1 blocked using a block list",
                 "status": "5.7.1"})  # fmt: skip
    (tmp_path / "list.json").write_text(json.dumps(rows))
    rejects = tmp_path / "rejects.jsonl"
    asked = ("import", str(tmp_path / "list.json"), "--format", "sendgrid-bounces", "--rejects", str(rejects), "--json")
    done = Run(capsys, *asked)
    counted = json.loads(done.out)["imported"]
    written = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert (counted["invalid"], len(counted["errors"]), counted["skipped"]) == (120, 100, 1)
    assert [each["import_result"] for each in written] == ["invalid"] * 120 + ["skipped"]
    assert [each["email"] for each in written] == [each["email"] for each in rows]
    assert "120 refused rows, 1 skipped." in done.err and "The stack says" not in done.err


def test_jobs_are_listed(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Run(capsys, "jobs").out == ""
    (tmp_path / "list.csv").write_text(LIST)
    Run(capsys, "import", str(tmp_path / "list.csv"))
    Run(capsys, "import", str(tmp_path / "list.csv"), "--apply", "--yes")
    expected = api("GET", "/jobs").json["jobs"]
    found = [json.loads(line) for line in Run(capsys, "jobs", "--json").out.splitlines()]
    assert (len(found), found) == (3, expected), "a dry run goes before what is applied"
    shown = Run(capsys, "jobs", "--most", "1")
    assert expected[0]["id"] in shown.out and expected[1]["id"] not in shown.out
    assert "3 rows, 1 new, 2 invalid" in Run(capsys, "jobs", "--kind", "import").out
    assert Run(capsys, "jobs", "--kind", "export", "--json").out == ""


def test_progress_is_a_bar_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running = {"id": "0123", "job": "import", "state": "running", "imported": {"rows": 500, "new": 499, "invalid": 1}}
    answers = iter([running | {"state": "done"}] * 2)
    endpoint: Any = SimpleNamespace(ask=lambda *_: SimpleNamespace(json=lambda: next(answers)))
    monkeypatch.setattr("aftersend_cli.jobs.FIRST_PAUSE", 0.0)
    assert follow(running, endpoint, 2000)["state"] == "done"
    assert capsys.readouterr().err == "import 0123: running 500 rows, 499 new, 1 invalid\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    follow(running, endpoint, 2000)
    assert "[######..................]  25% running: 500 rows, 499 new, 1 invalid" in capsys.readouterr().err


RIDDLE = '[[rule]]\nid = "riddle"\nwhen.text = ["refused ref"]\nthen.reason = "user_unknown"\n'


def test_a_file_of_rules_is_checked_and_tried(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(RIDDLE)
    checked = Run(capsys, "rules", "check", str(file))
    assert (checked.code, checked.err) == (0, "")
    assert re.search(r"user_unknown/hard \(user:riddle\) +ses +554 refused \[ref 42-0815\]", checked.out)
    assert checked.out.endswith("1 texts that no rule knew: 1 would be judged otherwise\n")
    tried = Run(capsys, "rules", "try", str(file), "--add")
    assert tried.code == 0
    first, second, third, *_ = tried.out.splitlines()
    assert first.endswith("recipients: 1 would change")
    assert (second, third) == ("1 suppressions would begin to hold, 0 would hold no more", "+hard 1")
    assert "554 refused [ref 42-0815]" in tried.out
    whole = json.loads(Run(capsys, "rules", "try", str(file), "--json").out)
    assert (whole["state"], whole["tried"]["instead"], whole["tried"]["suppressed"]) == ("done", True, 1)
    assert json.loads(Run(capsys, "rules", "check", str(file), "--json").out)["changed"] == 1
    assert Run(capsys, "jobs", "--kind", "trial").out.count("dry run: ") == 2
    assert "1 would change" in Run(capsys, "jobs", whole["id"]).out
    assert api("GET", "/suppressions/riddle@example.org").status == 404


def test_it_is_said_in_the_place_of_which_rules_others_would_decide(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(RIDDLE.replace("refused ref", "User unknown").replace("user_unknown", "mailbox_full"))
    done = Run(capsys, "rules", "try", str(file))
    assert re.search(r"\n1 +user:riddle +address.unknown\n", done.out)
    assert "-hard 1" in done.out
    assert api("GET", f"/suppressions/{OLD}").json["suppressed"] is True


def test_rules_that_cannot_be_loaded_are_named_by_their_line(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.toml"
    for action in ("check", "try"):
        file.write_text(RIDDLE.replace("user_unknown", "no_such"))
        done = Run(capsys, "rules", action, str(file))
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"aftersend: {file}:4: rule riddle: Invalid enum value 'no_such'")
        file.write_bytes(b"\xff")
        assert Run(capsys, "rules", action, str(file)).code == 2
    file.write_text(RIDDLE + 'example = ["550 mailbox full"]\n')
    checked = Run(capsys, "rules", "check", str(file))
    assert (checked.code, checked.err.startswith(f"{file}:5: rule riddle: example: decided by ")) == (0, True)
    assert not api("GET", "/jobs?job=trial").json["jobs"]


def test_an_upload_is_the_file_and_no_form() -> None:
    """What calls itself a form is read as one, by a server that knows forms, and nothing is left of it."""
    with answering(200) as (url, asked):
        upload(io.BytesIO(LIST.encode()), f"{url}/put?signed", len(LIST))
    (request,) = asked
    assert (request.target, request.body.decode()) == ("/put?signed", LIST)
    assert request.headers["content-type"] == "application/octet-stream"
    for elsewhere in (
        "http://example.com/",
        "http://127.0.0.1.example.com/",
        "http://127.0.0.1@example.com/",
        "ftp://x",
    ):
        with pytest.raises(UsageError, match="HTTPS"):
            upload(io.BytesIO(), elsewhere, 0)
    with pytest.raises(NotKnownError, match="not taken"):
        upload(io.BytesIO(LIST.encode()), "http://127.0.0.1:1/", len(LIST))
    with answering(403) as (url, _), pytest.raises(NotKnownError, match="not taken: HTTP Error 403"):
        upload(io.BytesIO(LIST.encode()), url, len(LIST))


def test_a_body_that_comes_in_ends_where_it_said_and_not_before() -> None:
    heard: list[int] = []
    body = IncomingBody(io.BytesIO(b"12345678"), 5, lambda: heard.append(1))
    assert (body.read(3), body.read(100), body.read(100)) == (b"123", b"45", b"")
    assert len(heard) == 3
    cut = IncomingBody(io.BytesIO(b"123"), 5)
    with pytest.raises(ConnectionError, match="hung up"):
        while cut.read():
            pass
    cut.drop()  # which is no error: nobody waits for an answer


def test_whoever_stops_looking_is_told_how_to_look_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("aftersend_cli.jobs.time.sleep", stop)
    with pytest.raises(KeyboardInterrupt):
        follow({"id": "0123", "job": "import", "state": "running"}, Endpoint("http://127.0.0.1:1", "x"))
    assert "aftersend jobs 0123 shows how far it is" in capsys.readouterr().err


def test_an_export_and_a_revert(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "list.csv"
    assert Run(capsys, "export", "-o", str(target)).code == 0
    assert OLD in target.read_text()
    arguments = ("revert", "example.net", "--reason", "user_unknown", "--since", "2026-03-27T08:00:00Z", "--until",
                 "2026-03-27T10:00:00Z", "--note", "Their directory was gone.")  # fmt: skip
    assert "1 found, 1 changed, 1 freed" in Run(capsys, *arguments).out
    assert api("HEAD", f"/suppressions/{OLD}").status == 200
    assert Run(capsys, *arguments, "--apply", "--yes").code == 0
    assert api("HEAD", f"/suppressions/{OLD}").status == 404


# ---- What is not known is neither yes nor no ------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("why", OLD), ("check", "--recipient", OLD), ("message", "ses:1")])
def test_nobody_answers(
    arguments: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv(API, f"http://127.0.0.1:{port}")
    monkeypatch.setenv(TOKEN, "test")
    done = Run(capsys, *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (3, "", 1)


@pytest.mark.parametrize(
    ("status", "code"), [(500, 3), (503, 3), (429, 3), (401, 4), (403, 4), (409, 1), (412, 1), (422, 2)]
)
def test_every_answer_has_its_exit_code(
    status: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN, "test")
    with answering(status, {"Apigw-Requestid": "abc"}, b'{"detail": "so"}') as (url, _):
        done = Run(capsys, "why", OLD, "--api", url)
    assert (done.code, done.out) == (code, "")
    assert f"so (status {status}, request abc)" in done.err


def test_an_answer_that_names_another_place_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "test")
    with answering(200) as (other, asked), answering(307, {"Location": other}) as (url, _):
        with pytest.raises(CommandError, match="307"):
            Endpoint(url, "test").ask("GET", "/recipients/a")
        assert not asked


def test_a_token_that_is_wrong_and_an_address_that_is_none(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN, "wrong")
    assert Run(capsys, "why", OLD).code == 4
    monkeypatch.delenv(API)
    assert Run(capsys, "why", OLD).code == 2
    assert Run(capsys, "why", OLD, "--api", "ftp://example.com").code == 2
    with pytest.raises(NotKnownError):
        Endpoint("http://127.0.0.1:1", "x").ask("GET", "/")


def test_what_a_remote_server_writes_cannot_turn_a_terminal_around(
    api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    note = "\u202egnp.exe <img onerror=x>"
    assert Run(capsys, "suppress", "eve@example.com", "--note", note, "--yes").code == 0
    done = Run(capsys, "why", "eve@example.com")
    assert "\u202e" not in done.out and "<img onerror=x>" in done.out


@pytest.mark.parametrize("token", [None, "t"])
@pytest.mark.parametrize("path", ["/", "/recipients/ann%40example.com", "/messages/a%2Fb%2520c", "/x%2B%3C%C3%A9%3E"])
def test_a_request_is_signed_as_botocore_signs(path: str, token: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-1"}
    for name in ("AWS_PROFILE", "AWS_CLIENT", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (given | ({"AWS_SESSION_TOKEN": token} if token else {})).items():
        monkeypatch.setenv(name, value)
    with answering(200, {}, b"{}") as (url, asked):
        Endpoint(url).ask("POST", path, {"limit": 1, "a b": "&="}, {"recipients": ["é"]})
    (request,) = asked
    expected = AWSRequest("POST", f"{url}{request.target}", data=request.body, headers={"host": url[7:]})
    expected.context["timestamp"] = request.headers["x-amz-date"]
    signer = SigV4Auth(Credentials("AKID", "x", token), "execute-api", "eu-west-1")
    if token:
        expected.headers["x-amz-security-token"] = token
    expected.headers["x-amz-date"] = request.headers["x-amz-date"]
    text = signer.string_to_sign(expected, signer.canonical_request(expected))
    assert request.headers["authorization"].endswith(f"Signature={signer.signature(text, expected)}")


class Asked(NamedTuple):
    target: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def answering(
    status: int, headers: Mapping[str, str] = MappingProxyType({}), body: bytes = b""
) -> Iterator[tuple[str, list[Asked]]]:
    """A server that gives one answer to everything, its address, and what it was asked."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            found = {name.lower(): value for name, value in self.headers.items()}
            asked.append(Asked(self.path, found, self.rfile.read(int(found.get("content-length", 0)))))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_DELETE = do_GET = do_POST = do_PUT = answer  # noqa: N815  # so they are called

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()

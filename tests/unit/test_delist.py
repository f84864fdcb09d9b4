"""Who was released here leaves the lists of the provider who had reported them, and nobody else does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws
from msgspec.structs import replace

from aftersend.core.errors import ConfigurationError, HostUnavailable
from aftersend.core.model import Act, Cause, CauseKind, Decision, EvidenceRef, Suppression
from aftersend.core.suppression import HISTORY, apply_decisions
from aftersend.http.http1 import HttpResponse
from aftersend.jobs.delist import PACE, Delisting, ListKey, describe, find_lists, read_key
from aftersend.sources import SOURCES, Source, provider_lists
from aftersend.sources.provider_lists import Holds, ProviderLists
from aftersend.storage.items import decode_suppression, encode_suppression
from aftersend_cli import delist
from aftersend_cli.__main__ import main
from local.environment import false_account
from tests.support.facts import ANN, START
from tests.support.ports import RETENTION

LATER: Final = START + timedelta(days=5)
MADE: Final[dict[str, ProviderLists]] = {
    each.__name__: each()
    for each in (
        provider_lists.sendgrid,
        provider_lists.mailgun,
        provider_lists.postmark,
        provider_lists.brevo,
        provider_lists.mailjet,
    )
}
SENDGRID: Final = MADE["sendgrid"]


def row(*kinds: str, source: str = "sendgrid", released: bool = True, force: bool = False, **more: Any) -> Suppression:
    ref = EvidenceRef(at=START, feedback="f", message="sendgrid:1", source=source)
    causes = {CauseKind(kind): Cause(first=ref, latest=ref) for kind in kinds}
    made = Suppression(recipient=ANN, causes=causes, **more)
    release = Decision(at=LATER, by="bob", act=Act.RELEASED, note="asked", force=force)
    return apply_decisions(made, [release]) if released else made


def names(found: Suppression, provider: ProviderLists = SENDGRID, name: str = "sendgrid") -> list[str]:
    return [each.name for each in find_lists(found, name, provider)]


class TestWho:
    @pytest.mark.parametrize(
        ("found", "wanted"),
        [
            (row("hard"), ["bounces", "blocks", "invalid_emails"]),
            (row("provider"), ["bounces", "blocks", "invalid_emails"]),
            (row("hard", force=True), [each.name for each in SENDGRID.lists]),
            (row("complaint", force=True), [each.name for each in SENDGRID.lists]),
            (row("complaint"), []),  # a wish that a release without force leaves standing
            (row("hard", "unsubscribed"), []),
            (row("hard", released=False), []),
            (row("hard", source="mailgun"), []),
            (row("hard", scope="news"), []),
            (replace(row("hard"), recipient="sms:+14255550156"), []),
            (row(), []),
        ],
    )
    def test_a_release_asks_for_what_its_provider_had_reported(self, found: Suppression, wanted: list[str]) -> None:
        assert names(found) == wanted

    def test_what_came_after_the_release_holds(self) -> None:
        again = EvidenceRef(at=LATER + timedelta(days=1), feedback="g", message="sendgrid:2", source="sendgrid")
        released = row("hard")
        cause = replace(released.causes[CauseKind.HARD], latest=again)
        assert names(replace(released, causes={CauseKind.HARD: cause})) == []

    @pytest.mark.parametrize("name", ["postmark", "brevo", "mailjet"])
    def test_a_list_of_both_is_left_for_a_bounce_or_by_force(self, name: str) -> None:
        """What the provider calls suppressed may be a wish that nobody has reported."""
        (one,) = MADE[name].lists
        assert one.holds is Holds.BOTH
        assert names(row("hard", source=name), MADE[name], name) == [one.name]
        assert names(row("provider", source=name), MADE[name], name) == []
        assert names(row("provider", source=name, force=True), MADE[name], name) == [one.name]

    def test_it_is_done_once_for_each_release(self) -> None:
        done = apply_decisions(row("hard"), [describe(row("hard"), {"bounces": "removed"}, "sendgrid", LATER)])
        assert names(done) == []
        assert names(done, MADE["mailgun"], "mailgun") == []
        again = Decision(at=LATER + timedelta(days=9), by="bob", act=Act.RELEASED)
        assert names(apply_decisions(done, [again])) == ["bounces", "blocks", "invalid_emails"]

    def test_it_is_done_once_though_our_clock_is_behind(self) -> None:
        early = describe(row("hard"), {"bounces": "removed"}, "sendgrid", START)
        assert names(apply_decisions(row("hard"), [early])) == []

    def test_what_was_done_decides_nothing(self) -> None:
        at = LATER + timedelta(seconds=1)
        done = apply_decisions(row("hard"), [describe(row("hard"), {"bounces": "removed"}, "sendgrid", at)])
        assert replace(done, history=()) == replace(row("hard"), history=())
        assert (done.history[-1].by, done.history[-1].note) == ("sendgrid", "bounces: removed")
        assert len(done.history) <= HISTORY


class Api:
    """A provider's API: remembers what it was asked, and answers in turn."""

    def __init__(self, *answers: int | HttpResponse | Exception) -> None:
        self.asked: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.answers = list(answers)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> HttpResponse:
        self.asked.append((method, target, headers, body))
        answer = self.answers.pop(0) if self.answers else 204
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, HttpResponse) else HttpResponse(answer, b"{}")


def take_off(
    name: str, api: Api, key: str = '{"key":"k","places":["a.example"]}', address: str = "ann@example.com"
) -> Any:
    provider = MADE[name]
    pauses: list[float] = []
    delisting = Delisting(provider, read_key(key, provider), api, pauses.append)
    try:
        return delisting.take_off(address, provider.lists)
    finally:
        assert pauses == [PACE] * len(api.asked)


class TestHow:
    @pytest.mark.parametrize(
        ("name", "asked", "header", "value"),
        [
            (
                "sendgrid",
                [
                    "DELETE /v3/suppression/bounces/a%2Bb%40example.com",
                    "DELETE /v3/suppression/blocks/a%2Bb%40example.com",
                    "DELETE /v3/suppression/invalid_emails/a%2Bb%40example.com",
                    "DELETE /v3/suppression/spam_reports/a%2Bb%40example.com",
                    "DELETE /v3/asm/suppressions/global/a%2Bb%40example.com",
                ],
                "authorization",
                "Bearer k",
            ),
            (
                "mailgun",
                [
                    "DELETE /v3/a.example/bounces/a%2Bb%40example.com",
                    "DELETE /v3/a.example/complaints/a%2Bb%40example.com",
                    "DELETE /v3/a.example/unsubscribes/a%2Bb%40example.com",
                ],
                "authorization",
                "Basic " + base64.b64encode(b"api:k").decode(),
            ),
            (
                "postmark",
                [
                    "POST /message-streams/a.example/suppressions/delete "
                    '{"Suppressions":[{"EmailAddress":"a+b@example.com"}]}'
                ],
                "x-postmark-server-token",
                "k",
            ),
            ("brevo", ["DELETE /v3/smtp/blockedContacts/a%2Bb%40example.com"], "api-key", "k"),
            (
                "mailjet",
                ['PUT /v3/REST/contact/a%2Bb%40example.com {"IsExcludedFromCampaigns":false}'],
                "authorization",
                "Basic " + base64.b64encode(b"k").decode(),
            ),
        ],
    )
    def test_each_provider_is_asked_as_it_wants_it(self, name: str, asked: list[str], header: str, value: str) -> None:
        api = Api()
        assert set(take_off(name, api, address="a+b@example.com").values()) == {"removed"}
        assert [f"{method} {target} {body.decode()}".strip() for method, target, _, body in api.asked] == asked
        assert {headers[header] for _, _, headers, _ in api.asked} == {value}
        assert {headers["host"] for _, _, headers, _ in api.asked} == {MADE[name].hosts[0]}

    def test_every_domain_is_asked(self) -> None:
        results = take_off("mailgun", Api(204, 404), '{"key":"k","places":["a.example","b.example"]}')
        assert list(results) == [
            f"{each} of {place}"
            for each in ("bounces", "complaints", "unsubscribes")
            for place in ("a.example", "b.example")
        ]
        assert list(results.values()) == ["removed", "not on it", *["removed"] * 4]

    @pytest.mark.parametrize(
        ("answer", "result"),
        [
            (200, "removed"),
            (204, "removed"),
            (304, "not on it"),
            (404, "not on it"),
            (400, "refused"),
            (422, "refused"),
        ],
    )
    def test_what_became_of_it(self, answer: int, result: str) -> None:
        assert take_off("brevo", Api(answer)) == {"blockedContacts": result}

    def test_a_provider_may_refuse_with_a_yes(self) -> None:
        """Postmark keeps who complained, and says so in an answer with 200."""
        for status, result in (("Failed", "refused"), ("Deleted", "removed")):
            answer = json.dumps({"Suppressions": [{"EmailAddress": "x", "Status": status, "Message": None}]}).encode()
            assert take_off("postmark", Api(HttpResponse(200, answer))) == {"suppressions of a.example": result}
        with pytest.raises(HostUnavailable, match="cannot be read"):
            take_off("postmark", Api(HttpResponse(200, b"<html>")))

    @pytest.mark.parametrize("answer", [301, 408, 429, 500, 502, 503])
    def test_what_may_be_better_later_is_no_answer(self, answer: int) -> None:
        with pytest.raises(HostUnavailable, match=str(answer)):
            take_off("brevo", Api(answer))

    def test_nobody_there(self) -> None:
        with pytest.raises(HostUnavailable, match="TimeoutError"):
            take_off("brevo", Api(TimeoutError()))

    @pytest.mark.parametrize("answer", [401, 403])
    def test_a_key_that_is_refused_ends_it(self, answer: int) -> None:
        with pytest.raises(ConfigurationError, match=r"api\.brevo\.com refuses the key"):
            take_off("brevo", Api(answer))


class TestKeys:
    def test_the_least(self) -> None:
        assert read_key('{"key":"k"}', SENDGRID) == ListKey("k", "api.sendgrid.com", ("",))
        assert read_key('{"key":"k"}', MADE["postmark"]).places == ("outbound",)

    def test_another_host_of_the_provider(self) -> None:
        assert read_key('{"key":"k","host":"api.eu.sendgrid.com"}', SENDGRID).host == "api.eu.sendgrid.com"

    @pytest.mark.parametrize(
        ("text", "named"),
        [
            ('{"key":"secret","host":"evil.example"}', "host: one of api.mailgun.net"),
            ('{"key":"secret"}', "places"),
            ('{"key":""}', "key: empty"),
            ('{"key":"secret\\n"}', "key: empty, or not in ASCII"),
            ('{"key":"secret","other":1}', "an object with key"),
            ('"secret"', "an object with key"),
            ("secret", "an object with key"),
            ("", "an object with key"),
        ],
    )
    def test_a_mistake_is_named_and_the_key_is_not_quoted(self, text: str, named: str) -> None:
        with pytest.raises(ConfigurationError, match=named) as caught:
            read_key(text, MADE["mailgun"])
        assert "secret" not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


# ---- The command -----------------------------------------------------------------------------------------------------


def _table(*keys: str) -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "KeySchema": [
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in keys],
            "BillingMode": "PAY_PER_REQUEST",
        },
    }


class Account:
    """A stack with three suppressions, and a key of the provider."""

    def __init__(self) -> None:
        tables = {"Suppressions": _table("recipient", "scope"), "Outcomes": _table("recipient", "message")}
        boto3.client("cloudformation").create_stack(StackName="ours", TemplateBody=json.dumps({"Resources": tables}))
        resources = boto3.client("cloudformation").describe_stack_resources(StackName="ours")["StackResources"]
        self.table = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}["Suppressions"]
        self.dynamodb: Any = boto3.client("dynamodb")
        boto3.client("secretsmanager").create_secret(Name="lists", SecretString='{"key":"k"}')
        for found in (
            row("hard"),
            replace(row("hard", released=False), recipient="email:bob@example.com"),
            replace(row("provider"), recipient="email:cid@example.com"),
        ):
            item = encode_suppression(replace(found, version=1), RETENTION, LATER)
            self.dynamodb.put_item(TableName=self.table, Item=item)

    def history(self, name: str) -> list[tuple[str, str | None]]:
        found = self.dynamodb.get_item(
            TableName=self.table, Key={"recipient": {"S": f"email:{name}@example.com"}, "scope": {"S": "*"}}
        )
        return [(each.by, each.note) for each in decode_suppression(found["Item"]).history if each.by != "bob"]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name, value in false_account("http://127.0.0.1:1").items():
        if "ENDPOINT" not in name:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CLIENT", "boto3")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    monkeypatch.setitem(SOURCES, "sendgrid", Source(parser="", lists=SENDGRID))
    monkeypatch.setattr("time.sleep", lambda _: None)
    with mock_aws():
        yield Account()


class Line(Api):
    """In the place of the transport."""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""


def command(*more: str) -> int:
    return main(["delist", "--stack", "ours", "--provider", "sendgrid", *more])


class TestCommand:
    def test_without_a_yes_nothing_is_changed(self, account: Account, capsys: pytest.CaptureFixture[str]) -> None:
        assert command("--dry-run") == 0
        assert capsys.readouterr().out == (
            "        2  blocks: would be taken off\n"
            "        2  bounces: would be taken off\n"
            "        2  invalid_emails: would be taken off\n"
        )
        for more, code, message in (
            ([], 2, "--key-secret names the secret"),
            (["--key-secret", "lists"], 2, "give --yes"),
            (["--key-secret", "nowhere", "--yes"], 1, "GetSecretValue failed"),
            (["--provider", "nobody", "--dry-run"], 2, "'nobody' has no lists that are known; there are"),
        ):
            assert command(*more) == code
            assert message in capsys.readouterr().err
        assert account.history("ann") + account.history("cid") == []

    def test_it_is_done_and_written_down_once(
        self, account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Where it stops, the next run goes on; a key that is refused ends it."""
        api = Line(401, 204, 404, 404, 503)
        monkeypatch.setattr(delist, "Transport", lambda *_: api)
        for code, message in ((1, "refuses the key"), (1, "api.sendgrid.com answers with 503"), (0, ""), (0, "")):
            assert command("--key-secret", "lists", "--yes") == code
            assert message in capsys.readouterr().err
        assert len(api.asked) == 1 + 4 + 3
        assert account.history("bob") == []
        assert sorted(account.history("ann") + account.history("cid")) == [
            ("sendgrid", "bounces: removed; blocks: not on it; invalid_emails: not on it"),
            ("sendgrid", "bounces: removed; blocks: removed; invalid_emails: removed"),
        ]

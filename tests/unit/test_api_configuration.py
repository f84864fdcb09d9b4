"""Who asks, how the stack is set up, and what a refusal would mean."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from msgspec.structs import replace

from aftersend.core import policy
from aftersend.settings import Deployment
from aftersend.sources import read
from tests.support.api import ARN, Api, api_context
from tests.support.ports import MemoryStore
from tests.support.template import ROOT

TOKEN = {"sub": "4f1c", "scope": "openid aftersend/ask aftersend/decide"}


def with_token(**claims: Any) -> Api:
    return Api(api_context(), by={"jwt": {"claims": {"sub": "4f1c"} | TOKEN | claims, "scopes": None}})


def test_a_principal_of_iam_may_do_whatever_its_policies_say() -> None:
    assert Api(api_context())("GET", "/me").json == {
        "identity": ARN,
        "name": "agnes",
        "signed_with": "iam",
        "allowed": ["ask", "decide", "bulk"],
    }
    role = "arn:aws:sts::111122223333:assumed-role/Support/ruth@example.com"
    found = Api(api_context(), by={"iam": {"userArn": role}})("GET", "/me").json
    assert (found["identity"], found["name"]) == (role, "Support/ruth@example.com")


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Ruth Adams", "email": "ruth@example.com"}, "Ruth Adams"),
        ({"cognito:username": "ruth"}, "ruth"),
        ({"email": "ruth@example.com"}, "ruth@example.com"),
        ({}, "4f1c"),
        ({"name": "x" * 500}, "x" * 100),
    ],
)
def test_a_token_says_a_name_to_show_and_what_it_allows(claims: dict[str, str], name: str) -> None:
    found = with_token(**claims)("GET", "/me").json
    assert found == {"identity": "4f1c", "name": name, "signed_with": "jwt", "allowed": ["ask", "decide"]}
    assert with_token(scope="aftersend/decide")("GET", "/me").status == 403


def test_the_configuration_has_every_value_that_holds() -> None:
    rules = policy.load('[streams]\n"news@example.com" = "news"\n[stream.orders.complaint]\nsuppress = true')
    deployment = Deployment(stack="mail", region="eu-west-1", syncs_ses_list=True)
    context = api_context(policy=rules, deployment=deployment)
    found = Api(replace(context, tables=replace(context.tables, retention=timedelta(days=90))))("GET", "/configuration")
    shown = found.json
    assert (shown["stack"], shown["region"], shown["retention_days"]) == ("mail", "eu-west-1", 90)
    assert (shown["syncs_ses_list"], shown["streams"]) == (True, ["news", "orders"])
    assert shown["policy"]["streams"] == {"news@example.com": "news"}
    assert shown["policy"].keys() == {*policy.Policy.__struct_fields__} - {"variants"}
    assert (shown["systems"]["gmail"], shown["systems"]["other"]) == ("Gmail", "others")


def test_the_version_is_that_of_the_package() -> None:
    document = tomllib.loads((ROOT / "layers" / "aftersend" / "pyproject.toml").read_text())
    assert document["project"]["dynamic"] == ["version"]
    module, _, name = document["tool"]["setuptools"]["dynamic"]["version"]["attr"].rpartition(".")
    assert Api(api_context())("GET", "/configuration").json["version"] == getattr(import_module(module), name)


# ---- What would this mean? ------------------------------------------------------------------------------------------

BOUNCE = {
    "notificationType": "Bounce",
    "mail": {"messageId": "0102", "timestamp": "2026-03-01T00:00:00Z"},
    "bounce": {
        "bounceType": "Permanent",
        "bounceSubType": "NoEmail",
        "timestamp": "2026-03-02T00:00:00Z",
        "bouncedRecipients": [{"emailAddress": "ann@example.com", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}],
    },
}


def classifying() -> tuple[Api, MemoryStore]:
    from aftersend import classify  # the shipped rules take a while

    store, judge = MemoryStore(), classify.load(None)
    return Api(api_context(store, classify=judge, advise=judge.advise_on, parse=read)), store


def test_a_refusal_and_an_event_are_judged_and_nothing_is_stored() -> None:
    api, store = classifying()

    def ask(**body: Any) -> Any:
        answer = api("POST", "/classify", {"source": "report"} | body)
        assert answer.status == 200, answer.text
        return answer.json["feedback"]

    (text,) = ask(refusal={"text": "550 5.1.1 The email account that you tried to reach does not exist"})
    assert text["kind"] == "bounced" and "recipient" not in text
    assert (text["verdict"]["class"], text["verdict"]["reason"]) == ("hard", "user_unknown")
    (waits,) = ask(refusal={"text": "user unknown", "code": 450, "deferred": True})
    assert (waits["kind"], waits["verdict"]["class"]) == ("deferred", "soft")
    (event,) = ask(source="ses", event=BOUNCE)
    assert (event["recipient"], event["message"], event["at"]) == (
        "email:ann@example.com",
        "ses:0102",
        "2026-03-02T00:00:00Z",
    )
    assert event["verdict"]["reason"] == "user_unknown" and event["evidence"]["code"] == 550
    assert not store.outcomes_table and not store.suppressions_table and not store.puts


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"refusal": {"text": "no"}, "event": {}},
        {"source": "nobody", "event": {}},
        {"source": "ses", "event": "no JSON"},
        {"refusal": {"text": "no", "recipient": "ann@example.com, bob@example.com"}},
        {"refusal": {"text": "no", "enhanced_status": "550"}},
        {"refusal": {"nonsense": 1}},
    ],
)
def test_what_cannot_be_judged_is_refused(body: dict[str, Any]) -> None:
    context = api_context(parse=read)
    assert Api(context)("POST", "/classify", {"source": "report"} | body).status == 422

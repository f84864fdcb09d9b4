"""The block of the HTTP door: nobody who does not want it has it, and what it is told fits what it understands."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from aftersend.webhooks.schemes import KINDS, SOURCES
from aftersend.webhooks.schemes.secret import read_secrets
from tests.support.template import FUNCTIONS, RESOURCES, TEMPLATE, mentioned, nodes, one

OF: Final = {
    "HasDoor": ("Door", "Receive", "NotVerified"),
    "HasDirectMail": ("DirectMail", "ProcessDirectMail"),
    "HasMailerQ": ("MailerQ", "ProcessMailerQ"),
}


def block(beginnings: tuple[str, ...]) -> dict[str, Any]:
    return {name: each for name, each in RESOURCES.items() if name.startswith(beginnings)}


@pytest.mark.parametrize("condition", OF)
def test_what_is_not_switched_on_is_not_there(condition: str) -> None:
    found = block(OF[condition])
    assert len(found) >= 8
    assert {each.get("Condition") for each in found.values()} == {condition}


def test_all_of_it_is_off_where_nobody_says_so() -> None:
    for name in ("Door", "DirectMail", "MailerQ"):
        assert TEMPLATE["Parameters"][name]["Default"] == "false"


def test_an_output_is_there_with_what_it_names() -> None:
    for name, output in TEMPLATE["Outputs"].items():
        conditions = {
            RESOURCES[each]["Condition"]
            for each in mentioned(output["Value"])
            if "Condition" in RESOURCES.get(each, {})
        }
        if conditions & OF.keys():
            assert output["Condition"] in conditions | {"HasDoorToDirectMail", "HasDoorToMailerQ"}, name


def test_only_posts_are_routed_and_only_to_the_door() -> None:
    events = FUNCTIONS["Receive"]["Events"].values()
    assert {each["Properties"]["Path"] for each in events} == {"/feedback/{source}", "/feedback/{source}/{secret}"}
    assert {each["Properties"]["Method"] for each in events} == {"POST"}
    assert {each["Properties"]["PayloadFormatVersion"] for each in events} == {"2.0"}
    assert {one(each["Properties"]["ApiId"]) for each in events} == {"DoorApi"}


def test_every_source_of_the_table_has_a_variable_for_its_queue() -> None:
    given = FUNCTIONS["Receive"]["Environment"]["Variables"]
    queues = {name for name in given if name.endswith("_QUEUE")}
    assert queues == {f"{source.upper()}_QUEUE" for source in SOURCES}
    (policy,) = RESOURCES["ReceiveRole"]["Properties"]["Policies"]
    (sending,) = [each for each in policy["PolicyDocument"]["Statement"] if each["Action"] == "sqs:SendMessage"]
    assert mentioned(sending) - {"AWS::NoValue"} == {one(given[name]) for name in queues}


def test_it_answers_before_a_provider_gives_up() -> None:
    assert FUNCTIONS["Receive"]["Timeout"] <= 15  # Amazon SNS; MNS tries again after 5


def test_the_generated_secret_is_one_that_is_understood() -> None:
    generate = RESOURCES["DoorSecret"]["Properties"]["GenerateSecretString"]
    assert generate["ExcludePunctuation"] is True
    assert generate["SecretStringTemplate"] == "{}"
    word = "aZ9" * (generate["PasswordLength"] // 3)
    found = read_secrets(f'{{"{generate["GenerateStringKey"]}":"{word}"}}', KINDS)
    assert {each.path for each in found.values()} == {(word,)}


def test_the_access_log_holds_neither_a_path_nor_an_address() -> None:
    (settings,) = [
        node["AccessLogSettings"]
        for node in nodes(RESOURCES)
        if isinstance(node, dict) and "AccessLogSettings" in node and "door" in str(node).lower()
    ]
    told = set(re.findall(r"\$context\.([\w.]+)", settings["Format"]))
    assert told == {"requestId", "routeKey", "status", "responseLatency", "integrationErrorMessage"}


TOPIC: Final = "arn:aws:sns:eu-west-1:111122223333:feedback"


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        (
            "SnsTopicArns",
            ["", TOPIC, f"{TOPIC},{TOPIC}.fifo", TOPIC.replace("aws:", "aws-cn:")],
            ["feedback", f"{TOPIC},", f",{TOPIC}", f"{TOPIC} {TOPIC}", TOPIC.replace("sns", "sqs"), f"{TOPIC},x"],
        ),
        ("AlibabaAccounts", ["", "1234567890123456", "1,2"], ["1,", ",1", "1;2", "a", "1 2"]),
        ("MnsSubscriptions", ["", "dm-events/to-aws", "a/b,c_d/e"], ["a", "a/b,", "a/b/c", "a/b c/d"]),
        (
            "PublicUrl",
            ["", "https://hooks.example.com", "https://h.example:8443/in/v1"],
            ["http://h.example", "https://h.example/", "https://h.example/?a", "https://user@h.example", "h.example"],
        ),
    ],
)
def test_what_a_parameter_takes(parameter: str, good: list[str], bad: list[str]) -> None:
    pattern = TEMPLATE["Parameters"][parameter]["AllowedPattern"]
    assert [each for each in good if not re.fullmatch(pattern, each)] == []
    assert [each for each in bad if re.fullmatch(pattern, each)] == []


def test_an_alarm_counts_the_refusals_of_every_source() -> None:
    watched = [query for query in RESOURCES["NotVerifiedAlarm"]["Properties"]["Metrics"] if "MetricStat" in query]
    sources = {
        each["Value"]
        for query in watched
        for each in query["MetricStat"]["Metric"]["Dimensions"]
        if each["Name"] == "source"
    }
    assert sources == SOURCES.keys()

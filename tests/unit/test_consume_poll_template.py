"""The ways in out of RabbitMQ and MNS, as the template makes them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aftersend import settings
from aftersend.core.errors import ConfigurationError
from aftersend.jobs.poll_mns import ROUND, WAIT
from aftersend.settings import QUEUE_WORDS
from tests.support.template import FUNCTIONS, RESOURCES, SHARED, TEMPLATE, many, mentioned, properties, variables

PARAMETERS: dict[str, Any] = TEMPLATE["Parameters"]
MAPPINGS = properties("AWS::Lambda::EventSourceMapping")


def statements(role: str) -> dict[str, dict[str, Any]]:
    """What a role may do, by the name of each statement; those under a condition as well."""
    (policy,) = RESOURCES[role]["Properties"]["Policies"]
    found = [each.get("Fn::If", [None, each])[1] for each in policy["PolicyDocument"]["Statement"]]
    return {each["Sid"]: each for each in found}


def takes(name: str, value: str) -> bool:
    """Whether a parameter may have this value."""
    return re.search(PARAMETERS[name]["AllowedPattern"], value) is not None


# ---- Amazon MQ -------------------------------------------------------------------------------------------------------


def test_each_queue_has_a_mapping_of_its_own_a_condition_and_a_word() -> None:
    words = {f"Broker{word.title()}": word for word in QUEUE_WORDS}
    assert MAPPINGS.keys() == words.keys()
    told = FUNCTIONS["Consume"]["Environment"]["Variables"]["MAILERQ_QUEUES"]["Fn::Sub"]
    assert dict(reversed(pair.split("=")) for pair in told.split(",")) == {
        word: f"${{{name}Queue}}" for name, word in words.items()
    }
    for name, mapping in MAPPINGS.items():
        assert mapping["Queues"] == [{"Ref": f"{name}Queue"}]
        assert RESOURCES[name]["Condition"] == f"Has{name}"
        condition = TEMPLATE["Conditions"][f"Has{name}"]["Fn::And"]
        assert condition == [{"Condition": "HasBroker"}, {"Fn::Not": [{"Fn::Equals": [{"Ref": f"{name}Queue"}, ""]}]}]


def test_a_mapping_is_told_how_to_log_in() -> None:
    for mapping in MAPPINGS.values():
        access = {each["Type"]: each["URI"] for each in mapping["SourceAccessConfigurations"]}
        assert access == {"BASIC_AUTH": {"Ref": "BrokerSecretArn"}, "VIRTUAL_HOST": {"Ref": "BrokerVirtualHost"}}
        assert mapping["EventSourceArn"] == {"Ref": "BrokerArn"}
        assert mapping["FunctionName"] == {"Ref": "Consume"}
        assert "FunctionResponseTypes" not in mapping  # RabbitMQ takes no single messages back


def test_lambda_may_do_what_it_needs_to_reach_a_broker() -> None:
    """Lambda developer guide, "Using Lambda with Amazon MQ", execution role permissions; logs are its own group's."""
    allowed = {action for each in statements("ConsumeRole").values() for action in many(each["Action"])}
    assert allowed >= {
        "mq:DescribeBroker",
        "secretsmanager:GetSecretValue",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_consume_does_with_a_body_what_process_does() -> None:
    """Whatever is added to the one is added to the other."""
    theirs, ours = statements("ProcessMailerQRole"), statements("ConsumeRole")
    shared = theirs.keys() - {"TakeFromQueues", "WriteLogs"}
    assert {name: ours.get(name) for name in shared} == {name: theirs[name] for name in shared}
    mine, others = (FUNCTIONS[name]["Environment"]["Variables"] for name in ("Consume", "ProcessMailerQ"))
    assert {name: value for name, value in mine.items() if name != "MAILERQ_QUEUES"} == others


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        (
            "BrokerArn",
            ["", "arn:aws:mq:eu-west-1:111122223333:broker:mail:b-00000000-0000-4000-8000-000000000001"],
            ["mail", "arn:aws:mq:eu-west-1:111122223333:broker:mail"],
        ),
        ("BrokerResultsQueue", ["", "completed_deliveries", "a.b:c/d-e"], ["a,b", "a=b", "a b", "x" * 256]),
        ("BrokerVirtualHost", ["/", "mail"], ["", "a b"]),
        (
            "MnsSchedule",
            ["rate(1 minute)", "rate(5 minutes)", "rate(10 hours)", "cron(0/10 * ? * MON-FRI *)"],
            ["", "1 minute", "rate(1 minutes)", "rate(2 minute)", "rate(0 minutes)"],
        ),
    ],
)
def test_a_parameter_takes_what_makes_sense(name: str, right: list[str], wrong: list[str]) -> None:
    assert [value for value in right if not takes(name, value)] == []
    assert [value for value in wrong if takes(name, value)] == []


# ---- MNS -------------------------------------------------------------------------------------------------------------


def told(**others: str) -> dict[str, str]:
    return variables("Poll") | {"MNS_ENDPOINT": "https://1.mns.eu-central-1.aliyuncs.com", "MNS_SECRET": "arn"} | others


def test_poll_is_given_what_it_reads() -> None:
    assert settings.load_polling(told()).target_queue == "DirectMailQueue"
    own = FUNCTIONS["Poll"]["Environment"]["Variables"]
    assert own.keys() == {"MNS_ENDPOINT", "MNS_QUEUE_NAME", "MNS_SECRET", "TARGET_QUEUE"}
    for missing in own:
        with pytest.raises(ConfigurationError, match=missing):
            settings.load_polling(told(**{missing: ""}))


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://1234567890123456.mns.cn-hangzhou.aliyuncs.com",
        "https://1.mns.eu-central-1-internal.aliyuncs.com",
        "http://1.mns.cn-hangzhou.aliyuncs.com",
        "https://1.mns.cn-hangzhou.aliyuncs.com/",
        "https://1.mns.cn-hangzhou.aliyuncs.com.example.com",
        "https://a.mns.cn-hangzhou.aliyuncs.com",
        "https://1.mns.a.b.aliyuncs.com",
    ],
)
def test_template_and_settings_take_the_same_endpoints(endpoint: str) -> None:
    try:
        taken = bool(settings.load_polling(told(MNS_ENDPOINT=endpoint)))
    except ConfigurationError:
        taken = False
    assert taken is takes("MnsEndpoint", endpoint)


def test_a_run_ends_before_it_is_stopped_and_has_time_for_a_round() -> None:
    timeout = FUNCTIONS["Poll"].get("Timeout", SHARED["Timeout"])
    assert WAIT < ROUND < timeout
    assert timeout <= 60, "runs that overlap are harmless, but they should not be the rule"


def test_a_run_that_failed_is_not_repeated() -> None:
    """The schedule runs it again; two more at once would only hide more messages."""
    assert FUNCTIONS["Poll"]["EventInvokeConfig"]["MaximumRetryAttempts"] == 0
    assert mentioned(FUNCTIONS["Poll"]["Events"]) == {"MnsSchedule"}


def test_poll_may_send_and_read_its_key_and_nothing_else() -> None:
    allowed = {name: (each["Action"], mentioned(each["Resource"])) for name, each in statements("PollRole").items()}
    assert allowed == {
        "HandOnToTheQueue": ("sqs:SendMessage", {"DirectMailQueue"}),
        "ReadTheAccessKey": ("secretsmanager:GetSecretValue", {"MnsSecretArn"}),
        "WriteLogs": (["logs:CreateLogStream", "logs:PutLogEvents"], {"PollLogs"}),
        "UseOwnKey": ("kms:Decrypt", {"KmsKeyArn"}),
    }


# ---- Both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "rule", "needed"),
    [
        ("HasBroker", "BrokerIsWhole", {"BrokerArn", "BrokerSecretArn", "MailerQ"}),
        ("HasMnsQueue", "MnsQueueIsWhole", {"MnsEndpoint", "MnsSecretArn", "DirectMail"}),
    ],
)
def test_half_a_way_in_is_refused_and_not_left_out(condition: str, rule: str, needed: set[str]) -> None:
    """A parameter without those that it needs makes nothing, and CloudFormation says so before it begins."""
    rules = TEMPLATE["Rules"][rule]
    assert mentioned(rules) == needed
    told_of = mentioned(TEMPLATE["Conditions"][condition]) | {"MailerQ", "DirectMail"} & needed
    assert told_of == needed
    assert len(rules["Assertions"]) == 2

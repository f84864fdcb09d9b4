"""What may be left out of the stack: webhooks, RabbitMQ, MNS, mail, the list of SES; what is wanted is made whole."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from aftersend import settings
from aftersend.core.errors import ConfigurationError
from aftersend.jobs.poll_mns import ROUND, WAIT
from aftersend.settings import QUEUE_KINDS
from aftersend.sources import SOURCES
from aftersend.webhooks.secrets import read_document
from tests.support.template import (
    FUNCTIONS,
    QUEUES,
    RESOURCES,
    SHARED,
    TEMPLATE,
    mentioned,
    one,
    properties,
    statements,
    variables,
)
from tests.support.template import MAPPINGS as SQS_MAPPINGS

TOPIC: Final = "arn:aws:sns:eu-west-1:111122223333:feedback"
PARAMETERS: dict[str, Any] = TEMPLATE["Parameters"]
MAPPINGS = properties("AWS::Lambda::EventSourceMapping")


def takes(name: str, value: str) -> bool:
    """Whether a parameter may have this value."""
    short = len(value) <= PARAMETERS[name].get("MaxLength", len(value))
    return short and re.search(PARAMETERS[name]["AllowedPattern"], value) is not None


# ---- Amazon MQ -------------------------------------------------------------------------------------------------------


def test_each_queue_has_a_mapping_of_its_own_a_condition_and_a_kind() -> None:
    kinds = {f"Broker{kind.title()}": kind for kind in QUEUE_KINDS}
    assert MAPPINGS.keys() == kinds.keys()
    variable = FUNCTIONS["Consume"]["Environment"]["Variables"]["MAILERQ_QUEUES"]["Fn::Sub"]
    assert dict(reversed(pair.split("=")) for pair in variable.split(",")) == {
        kind: f"${{{name}Queue}}" for name, kind in kinds.items()
    }
    for name, mapping in MAPPINGS.items():
        assert mapping["Queues"] == [{"Ref": f"{name}Queue"}]
        assert RESOURCES[name]["Condition"] == f"Has{name}"
        condition = TEMPLATE["Conditions"][f"Has{name}"]["Fn::And"]
        assert condition == [{"Condition": "HasBroker"}, {"Fn::Not": [{"Fn::Equals": [{"Ref": f"{name}Queue"}, ""]}]}]


def test_a_mapping_says_how_to_log_in() -> None:
    for mapping in MAPPINGS.values():
        access = {each["Type"]: each["URI"] for each in mapping["SourceAccessConfigurations"]}
        assert access == {"BASIC_AUTH": {"Ref": "BrokerSecretArn"}, "VIRTUAL_HOST": {"Ref": "BrokerVirtualHost"}}
        assert mapping["EventSourceArn"] == {"Ref": "BrokerArn"}
        assert mapping["FunctionName"] == {"Ref": "Consume"}
        assert "FunctionResponseTypes" not in mapping  # RabbitMQ takes no single messages back


def test_lambda_may_do_what_it_needs_to_reach_a_broker() -> None:
    """Lambda developer guide, "Using Lambda with Amazon MQ", execution role permissions; logs are its own group's."""
    assert {action for each in statements("Consume") for action in each.actions} >= {
        "mq:DescribeBroker",
        "secretsmanager:GetSecretValue",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    }


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        (
            "BrokerArn",
            ["", "arn:aws:mq:eu-west-1:111122223333:broker:mail:b-00000000-0000-4000-8000-000000000001"],
            ["mail", "arn:aws:mq:eu-west-1:111122223333:broker:mail"],
        ),
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
        ("BrokerResultsQueue", ["", "completed_deliveries", "a.b:c/d-e"], ["a,b", "a=b", "a b", "x" * 51]),
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


def poll_variables(**others: str) -> dict[str, str]:
    return variables("Poll") | {"MNS_ENDPOINT": "https://1.mns.eu-central-1.aliyuncs.com", "MNS_SECRET": "arn"} | others


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
        taken = bool(settings.load_poll(poll_variables(MNS_ENDPOINT=endpoint)))
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
    assert {each.sid: (each.actions, each.on) for each in statements("Poll")} == {
        "QueueWhatIsFetched": ({"sqs:SendMessage"}, {"FeedbackQueue"}),
        "ReadTheAccessKey": ({"secretsmanager:GetSecretValue"}, {"MnsSecretArn"}),
        "WriteLogs": ({"logs:CreateLogStream", "logs:PutLogEvents"}, {"PollLogs"}),
        "UseOwnKey": ({"kms:Decrypt"}, {"KmsKeyArn"}),
    }


# ---- Webhooks --------------------------------------------------------------------------------------------------------


def test_every_method_is_routed_to_the_webhooks_and_to_no_other_api() -> None:
    """By which of them a source may be asked, its row says (docs/webhooks.md)."""
    events = [each["Properties"] for each in FUNCTIONS["Receive"]["Events"].values()]
    assert {each["Path"] for each in events} == {"/feedback/{source}", "/feedback/{source}/{secret}"}
    assert {each["Method"] for each in events} == {"ANY"}
    assert {each["PayloadFormatVersion"] for each in events} == {"2.0"}
    assert {one(each["ApiId"]) for each in events} == {"WebhooksApi"}


def test_receive_may_queue_and_know_the_secrets_and_nothing_else() -> None:
    place = {"AWS::Partition", "AWS::Region", "AWS::AccountId"}
    assert {each.sid: (each.actions, each.on - place) for each in statements("Receive")} == {
        "QueueWhatIsProven": ({"sqs:SendMessage"}, {"FeedbackQueue"}),
        "KnowWhoPushes": ({"secretsmanager:GetSecretValue"}, {"WebhookSecrets"}),
        "ReadUserMappings": ({"ssm:GetParametersByPath"}, {"RulesParameter"}),
        "WriteLogs": ({"logs:CreateLogStream", "logs:PutLogEvents"}, {"ReceiveLogs"}),
    }


def test_it_answers_before_a_provider_gives_up() -> None:
    assert FUNCTIONS["Receive"]["Timeout"] <= 15  # Amazon SNS; MNS tries again after 5


def test_the_generated_secret_is_one_that_is_understood() -> None:
    generate = RESOURCES["WebhookSecrets"]["Properties"]["GenerateSecretString"]
    assert generate["ExcludePunctuation"] is True
    assert generate["SecretStringTemplate"] == "{}"
    secret = "aZ9" * (generate["PasswordLength"] // 3)
    assert read_document(f'{{"{generate["GenerateStringKey"]}":"{secret}"}}', SOURCES).path == (secret,)


def test_the_access_log_of_the_webhooks_holds_neither_a_path_nor_an_address() -> None:
    text = RESOURCES["WebhooksApi"]["Properties"]["AccessLogSettings"]["Format"]
    variables = set(re.findall(r"\$context\.([\w.]+)", text))
    assert variables == {"requestId", "routeKey", "status", "responseLatency", "integrationErrorMessage"}


# ---- Jobs that go on by themselves -----------------------------------------------------------------------------------

IN_PARTS: Final = [name for name, each in FUNCTIONS.items() if "RecursiveLoop" in each]


@pytest.mark.parametrize("name", IN_PARTS)
def test_a_job_comes_from_the_queue_to_which_the_rest_is_sent(name: str) -> None:
    """Lambda developer guide, "Use Lambda recursive loop detection": it stops a chain after about 16 rounds."""
    assert FUNCTIONS[name]["RecursiveLoop"] == "Allow"
    ((queue, size),) = [
        (one(mapping["Queue"]), mapping["BatchSize"]) for function, mapping in SQS_MAPPINGS.values() if function == name
    ]
    assert size == 1 or name == "Gather", "one job at a time; but files are worked together"
    given = variables(name)
    assert queue in (given.get("JOBS_QUEUE"), given.get("LIST_JOBS_QUEUE"))
    if "DEAD_LETTER_QUEUE" in given:
        assert given["DEAD_LETTER_QUEUE"] == one(QUEUES[queue]["RedrivePolicy"]["deadLetterTargetArn"])


def test_whoever_sends_to_the_queue_that_feeds_it_is_one_of_them() -> None:
    looping = {
        function
        for function, mapping in SQS_MAPPINGS.values()
        for each in statements(function)
        if "sqs:SendMessage" in each.actions and one(mapping["Queue"]) in each.on
    }
    assert looping == set(IN_PARTS)


# ---- What is left out ------------------------------------------------------------------------------------------------

# What a user switches on, by its condition, and the functions that are made then.
SWITCHES: Final = {
    "HasWebhooks": {"Receive"},
    "HasBroker": {"Consume"},
    "HasMnsQueue": {"Poll"},
    "HasMail": {"ProcessReport"},
    "HasMass": {"Gather"},
    "HasSyncSesList": {"SyncSesList"},
    "HasConsole": {"ServeConsole"},
    "HasStreams": {"Streams"},
    "HasEvents": {"PublishIncidents"},
    "HasOutgoingWebhooks": {"DeliverWebhooks"},
}


def test_what_may_be_left_out_is_off_unless_somebody_says_so() -> None:
    conditions = {name: each["Condition"] for name, each in RESOURCES.items() if "Condition" in each}
    assert {name for name in FUNCTIONS if name in conditions} == set().union(*SWITCHES.values())
    for condition, functions in SWITCHES.items():
        assert {conditions[name] for name in functions} == {condition}
        for parameter in mentioned(TEMPLATE["Conditions"][condition]):
            assert PARAMETERS[parameter]["Default"] in ("", "false", "off")


def test_whatever_names_what_may_be_left_out_is_left_out_with_it() -> None:
    """A resource or an output under no condition, or another one, would name what is not there."""
    for section in ("Resources", "Outputs"):
        for name, each in TEMPLATE[section].items():
            for other in _always(each) & RESOURCES.keys():
                wanted = RESOURCES[other].get("Condition")
                assert wanted is None or wanted == each.get("Condition") or _implies(each.get("Condition"), wanted), (
                    name
                )


def _always(tree: Any) -> set[str]:
    """Every name that `tree` refers to whether or not a condition holds."""
    if isinstance(tree, dict):
        if "Fn::If" in tree:
            return set()
        if isinstance(tree.get("Fn::Sub"), list):  # its own names may stand for something or nothing
            text, own = tree["Fn::Sub"]
            return mentioned({"Fn::Sub": [text, dict.fromkeys(own, "")]}) | _always(own)
        return (
            mentioned(tree)
            if len(tree) == 1 and next(iter(tree)).startswith(("Ref", "Fn::"))
            else set().union(*map(_always, tree.values()))
        )
    return set().union(*map(_always, tree)) if isinstance(tree, list) else set()


def _implies(condition: str | None, wanted: str) -> bool:
    conditions = TEMPLATE["Conditions"].get(condition, {}).get("Fn::And", []) if condition else []
    return {"Condition": wanted} in conditions


@pytest.mark.parametrize(
    ("rule", "needed"),
    [
        ("BrokerIsWhole", {"BrokerArn", "BrokerSecretArn"}),
        ("MnsQueueIsWhole", {"MnsEndpoint", "MnsSecretArn"}),
        ("JwtIsWhole", {"JwtIssuer", "JwtAudience"}),
    ],
)
def test_half_a_way_in_is_refused_and_not_left_out(rule: str, needed: set[str]) -> None:
    """A parameter without those that it needs makes nothing, and CloudFormation says so before it begins."""
    assert mentioned(TEMPLATE["Rules"][rule]) == needed
    assert rule in TEMPLATE["Rules"]
    wholes = {frozenset(mentioned(each)) for each in TEMPLATE["Conditions"].values()}
    assert needed in wholes or rule == "JwtIsWhole"

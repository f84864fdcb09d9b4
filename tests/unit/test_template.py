"""What `sam validate` and `sam build` do not look at: that the template agrees with the code, and with itself."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from aftersend.sources import SOURCES
from tests.support.template import (
    ALARMS,
    FUNCTIONS,
    INGESTING,
    LAYERS,
    MAPPINGS,
    POLICIES,
    QUEUES,
    RESOURCES,
    ROOT,
    RULES,
    SHARED,
    STREAMS,
    SUBSCRIPTIONS,
    TABLES,
    TEMPLATE,
    many,
    mentioned,
    nodes,
    one,
    properties,
    resource,
    statements,
)


def test_there_is_something_to_look_at() -> None:
    """The tests of the template run over what is found; nothing found would pass them all."""
    found = (QUEUES, MAPPINGS, STREAMS, SUBSCRIPTIONS, RULES, FUNCTIONS, INGESTING, LAYERS, TABLES, ALARMS, POLICIES)
    assert all(found)
    assert {each["CodeUri"] for each in FUNCTIONS.values()} == {
        f"functions/{folder.name}" for folder in (ROOT / "functions").iterdir() if (folder / "app.py").exists()
    }


# What came after the number of lines was set, by type or by name: resources, parameters, conditions and outputs,
# indexes of tables, paths of the API, and what stands above a section.
LATER: Final = {
    *("AWS::CloudWatch::Dashboard", "AWS::Glue::Database", "AWS::Glue::Table", "AWS::Logs::MetricFilter"),
    *("AWS::SES::ConfigurationSet", "AWS::SES::ConfigurationSetEventDestination"),
    *("ErrorLinesAlarm", "FailedFeedbackAlarm", "SesComplaintsAlarm", "Dashboard", "HasDashboard"),
    *("AWS::Logs::QueryDefinition", "SesMassRule", "MassBatchWindowSeconds", "HasBound"),
    *("TextMessageRule", "FeedbackQueuesPolicy", "DeliveryLogsPermission"),
    *("AwsMessaging", "HasAwsMessaging", "ExportSchedule", "HasExports"),
    *("Console", "ConsoleClientId", "ConsoleOrigin", "ConsoleHasAnIssuer", "ConsoleHasOneIssuer", "HasConsole"),
    *("MakesUserPool", "IsProtected", "ServeConsole", "ServeConsoleLogs", "ServeConsoleRole", "ConsoleUrl"),
    *("AWS::Cognito::UserPool", "AWS::Cognito::UserPoolDomain", "AWS::Cognito::UserPoolResourceServer"),
    *("AWS::Cognito::UserPoolGroup", "AWS::Cognito::UserPoolClient"),
    *("# ---- The console", "# ---- For tools of your own"),
    *("OutcomesSchedule", "HasOutcomesExport", "AnalyticsDatabaseName"),
    *("MassStream", "MassStreamLogs", "MassStreamLog", "MassStreamRole", "SesMassRole", "MassQueue", "MassDeadLetters"),
    *("MassQueuePolicy", "Gather", "GatherLogs", "GatherRole", "MassAlarm"),
    *("MassByFirehose", "MassEventTypes", "MassBufferSeconds", "HasMass", "MakesMassDestination"),
    *("MassStreamArn", "MassRoleArn", "RedriveMass"),
    *("AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"),
    *(
        "OutcomesCapacity",
        "LeastUnitsPerSecond",
        "MostUnitsPerSecond",
        "WarmUnitsPerSecond",
        "OutcomesRecovery",
        "OutcomesClass",
    ),
    *("LeanRows", "SpreadArchive"),
    *("HasProvisioned", "HasWarm", "HasVerp"),
    *("by_trouble", "by_domain", "by_month", "/jobs", "/console", "/console/{path+}"),
    *("Operate", "OperateLogs", "OperateRole", "/status", "/unmatched", "/dead-letters", "/dead-letters/{path+}"),
    *("TryRulesQueue", "TryRulesDeadLetters", "TryRules", "TryRulesLogs", "TryRulesErrorLines", "TryRulesRole"),
    *("/rules/check", "/rules/trials", "{Id: oldtrial, ReturnData"),
    *("PublishEvents", "SendWebhooks", "WebhookProcesses", "EventBusName", "WebhookEndpointsCommand"),
    *("HasEventBus", "HasOutgoingWebhooks", "HasEvents", "EventBus", "PublishPolicy", "PublishIncidents"),
    *("PublishIncidentsLogs", "PublishIncidentsRole", "PublishIncidentsErrorLines", "PublishIncidentsAlarm"),
    *("WebhookEndpoints", "EndpointStates", "WebhookQueue", "WebhookDeadLetters", "DeliverWebhooks"),
    *("DeliverWebhooksLogs", "DeliverWebhooksRole", "DeliverWebhooksErrorLines", "WebhookDeliveryAlarm"),
    *("Statistics", "StreamWindowSeconds", "HasStreams", "StatisticsTableName"),
    *("StatisticsTable", "Streams", "StreamsLogs", "StreamsRole", "StreamsAlarm"),
    *("# ---- Streams", "{default: Statistics}", "{Sid: ReadCounters", "STATISTICS_TABLE: !If"),
}


# How the headings of sections begin that came with them.
LATER_SECTIONS: Final = ("The mass of events", "Provisioned capacity", "Trials")


def test_it_is_no_longer_than_a_person_reads_and_plain_cloudformation() -> None:
    """Issue: "template.yaml ≤ 2,000 lines …; no opt-in transforms"; but for what came after it was set."""
    text = (ROOT / "template.yaml").read_text()
    names = {name for name, each in RESOURCES.items() if each["Type"] in LATER} | {
        name for name in LATER if "::" not in name
    }
    blocks = [_write_block(name) for name in names]
    blocks += [rf"^# ---- {title}.*\n(?:#.*\n)*\n" for title in LATER_SECTIONS]
    for block in blocks:
        text, count = re.subn(block, "", text, count=1, flags=re.MULTILINE)
        assert count == 1, block
    words = re.compile(rf"\b({'|'.join(names)})\b")  # a line that names one came with it
    assert len([line for line in text.splitlines() if not words.search(line)]) <= 2000
    assert TEMPLATE["Transform"] == "AWS::Serverless-2016-10-31"
    assert not [node for node in nodes(TEMPLATE) if isinstance(node, dict) and "Fn::Transform" in node]


def _write_block(name: str) -> str:
    """The pattern of all lines that are about something of the template, by its name or by a text with a blank."""
    if " " in name:
        return rf"^.*{re.escape(name)}.*\n(?:(?:#| {{16}}).*\n)*\n?"
    if name.startswith("by_"):
        return rf"^        - IndexName: {name}\b.*\n(?:          .*\n)*"
    if name.startswith("/"):
        return rf"^          {re.escape(name)}:.*\n(?:            .*\n)*"
    return rf"^  {name}:.*\n(?:    .*\n)*\n?"


# ---- The template and the folders ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_handler_is_there(name: str) -> None:
    module, function = FUNCTIONS[name]["Handler"].rsplit(".", 1)
    source = ROOT / FUNCTIONS[name]["CodeUri"] / f"{module}.py"
    assert re.search(rf"^def {function}\(_?event: .+, _?context: .+\)", source.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", [*FUNCTIONS, *LAYERS])
def test_what_is_built_by_make_has_a_target(name: str) -> None:
    assert RESOURCES[name]["Metadata"]["BuildMethod"] == "makefile"
    folder = ROOT / RESOURCES[name]["Properties"].get("CodeUri", RESOURCES[name]["Properties"].get("ContentUri"))
    assert re.search(rf"^build-(%|{name}):", (folder / "Makefile").read_text(), re.MULTILINE)


def test_runtimes_and_architectures_agree() -> None:
    (layer,) = LAYERS.values()
    makefile = (ROOT / layer["ContentUri"] / "Makefile").read_text()
    (python,) = re.findall(r"^LAMBDA_PYTHON := (.+)$", makefile, re.MULTILINE)
    assert layer["CompatibleRuntimes"] == [SHARED["Runtime"]] == [f"python{python}"]
    assert layer["CompatibleArchitectures"] == SHARED["Architectures"] == [{"Ref": "Architecture"}]
    assert not [name for name, each in FUNCTIONS.items() if {"Runtime", "Architectures", "Layers"} & each.keys()]
    assert [one(layer) for layer in SHARED["Layers"]] == list(LAYERS)


@pytest.mark.parametrize(("architecture", "machine"), [("", "x86_64"), ("x86_64", "x86_64"), ("arm64", "aarch64")])
def test_the_layer_is_built_for_the_one_architecture_that_is_asked_for(architecture: str, machine: str) -> None:
    """One switch, the template's parameter: `python -m deploy build` hands it to SAM and to the layer's Makefile."""
    assert not architecture or architecture in TEMPLATE["Parameters"]["Architecture"]["AllowedValues"]
    given = [f"ARCHITECTURE={architecture}"] if architecture else []
    (pip, *_) = make("-C", "layers/aftersend", "build-AftersendLayer", "ARTIFACTS_DIR=/a", *given)
    platforms = [pip[at + 1] for at, word in enumerate(pip) if word == "--platform"]
    assert platforms
    assert all(platform.endswith(f"_{machine}") for platform in platforms)


def pinned(path: Path) -> dict[str, str]:
    """What `path` pins, name to version; every line must have hashes, and none may name an index."""
    lines = re.sub(r" \\\n\s+", " ", path.read_text()).splitlines()
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    pins = [re.fullmatch(r"([a-z0-9-]+)==([\w.]+)( ; [^-]+)?( --hash=sha256:[0-9a-f]{64})+", line) for line in lines]
    assert all(pins), f"not pinned with hashes: {[line for line, pin in zip(lines, pins, strict=True) if not pin]}"
    return {pin[1]: pin[2] for pin in pins if pin}


def test_requirements_are_pinned_and_tests_run_on_what_is_deployed() -> None:
    deployed = pinned(ROOT / "layers" / "aftersend" / "requirements.txt")
    developed = pinned(ROOT / "requirements-dev.txt")
    assert deployed.items() <= developed.items()


def test_the_layer_ships_what_the_package_asks_for() -> None:
    """Of boto3, which Lambda's runtime has, and of what only commands need, the package asks in extras."""
    project = tomllib.loads((ROOT / "layers" / "aftersend" / "pyproject.toml").read_text())["project"]
    asked = {re.split(r"[><=~!\[ ]", each)[0] for each in project["dependencies"]}
    assert asked
    assert asked <= pinned(ROOT / "layers" / "aftersend" / "requirements.txt").keys()


def make(*arguments: str) -> list[list[str]]:
    """The commands that `make` would run, as the shell takes them apart."""
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *arguments], check=True, cwd=ROOT, capture_output=True, text=True
    )
    return [shlex.split(line) for line in done.stdout.replace("\\\n", " ").splitlines()]


def test_it_is_built_where_a_folder_has_a_blank_in_its_name(tmp_path: Path) -> None:
    python = tmp_path / "my python"
    python.symlink_to(sys.executable)
    assert make("build", "CURDIR=/my work")[-1] == [".venv/bin/python", "-m", "deploy", "build"]
    into = f"ARTIFACTS_DIR={tmp_path}/my build"
    commands = make("-C", "layers/aftersend", "build-AftersendLayer", f"PYTHON={python}", into)
    assert commands[0][:3] == [str(python), "-m", "pip"]
    assert commands[0][commands[0].index("--target") + 1] == f"{tmp_path}/my build/python"


# ---- Permissions, data, alarms, parameters ---------------------------------------------------------------------------


def allowing() -> list[dict[str, Any]]:
    """Every statement that allows something."""
    return [node for node in nodes(RESOURCES) if isinstance(node, dict) and node.get("Effect") == "Allow"]


# Service authorization reference, Amazon SES v2 and Amazon EC2: these have no type of resource, so none can be named.
ALL_OR_NOTHING = {
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ses:DeleteSuppressedDestination",
    "ses:PutSuppressedDestination",
}


def test_nothing_is_allowed_by_star() -> None:
    assert len(allowing()) > len(FUNCTIONS)
    for statement in allowing():
        assert "NotAction" not in statement
        assert "NotResource" not in statement
        assert statement.get("Principal") not in ("*", {"AWS": "*"})
        assert not [action for action in many(statement["Action"]) if "*" in action]
        if set(many(statement["Action"])) <= ALL_OR_NOTHING:
            assert statement["Resource"] == "*"
            continue
        for each in many(statement.get("Resource", [])):
            assert mentioned(each), f"{each} names nothing of this stack"
            text = each.get("Fn::Sub", "")
            assert text.count("*") == text.endswith("/*"), f"{text} is wider than one folder"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_a_role_of_its_own_and_no_policies_of_aws(name: str) -> None:
    """For a function without one, SAM makes a role that may take from every queue of the account."""
    role = one(FUNCTIONS[name]["Role"])
    assert [function for function, each in FUNCTIONS.items() if one(each["Role"]) == role] == [name]
    shared = RESOURCES[role]["Properties"].get("ManagedPolicyArns", [])
    assert mentioned(shared) - {"AWS::NoValue"} <= POLICIES.keys()
    assert all(isinstance(each, dict) for each in shared), "none is of AWS"
    assert "Policies" not in FUNCTIONS[name]
    logs = one(FUNCTIONS[name]["LoggingConfig"]["LogGroup"])
    assert [each.on for each in statements(name) if "logs:PutLogEvents" in each.actions] == [{logs}]
    assert SHARED["LoggingConfig"] == {"LogFormat": "JSON"}


def own(function: str) -> dict[str, Any]:
    """The variables that only this function is given."""
    variables: dict[str, Any] = FUNCTIONS[function]["Environment"]["Variables"]
    return variables


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_rights_to_nothing_that_its_variables_do_not_name(name: str) -> None:
    """Least privilege: what it may use is in a variable, or feeds it, or is its log. So is what policies share."""
    named = mentioned([SHARED["Environment"], FUNCTIONS[name]])
    for each in statements(name):
        assert {right for right in each.on - named if right in RESOURCES} == set(), each.sid


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_use_what_its_variables_name(name: str) -> None:
    shared = SHARED["Environment"]["Variables"] if name in INGESTING else {}
    given = shared | FUNCTIONS[name]["Environment"]["Variables"]
    named = {resource(given[key]) for key in given if key.endswith(("_TABLE", "_BUCKET", "_QUEUE")) and given[key]}
    named |= {one(mapping["Queue"]) for function, mapping in MAPPINGS.values() if function == name}
    assert named <= set().union(*(each.on for each in statements(name)))


KINDS: Final = {"_TABLE": "AWS::DynamoDB::Table", "_BUCKET": "AWS::S3::Bucket", "_QUEUE": "AWS::SQS::Queue"}


def _shouted(name: str) -> str:
    """ "FeedbackQueue" as FEEDBACK_QUEUE."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_variable_names_what_it_says(name: str) -> None:
    given = SHARED["Environment"]["Variables"] | FUNCTIONS[name]["Environment"]["Variables"]
    for variable, value in given.items():
        for ending, kind in KINDS.items():
            if variable.endswith(ending) and value:
                assert RESOURCES[resource(value)]["Type"] == kind
                assert variable in (_shouted(resource(value)), _shouted(resource(value)) + ending) or (
                    variable in {"JOBS_QUEUE", "DEAD_LETTER_QUEUE", "INBOUND_BUCKET"}  # of whoever has jobs, or mail
                )


@pytest.mark.parametrize("name", INGESTING)
def test_a_function_of_one_source_keeps_bodies_in_its_folder_and_that_of_all_in_any(name: str) -> None:
    (put,) = [each.resources for each in statements(name) if each.actions == {"s3:PutObject"}]
    source = own(name).get("SOURCE")
    assert put == [{"Fn::Sub": f"${{Archive.Arn}}/source={source}/*" if source else "${Archive.Arn}/*"}]
    assert source is None or source in SOURCES


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_encrypted_billed_by_use_and_forgets(name: str) -> None:
    table = TABLES[name]
    by_use = "PAY_PER_REQUEST"
    assert table["BillingMode"] in (by_use, {"Fn::If": ["HasProvisioned", "PROVISIONED", by_use]})
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_what_is_kept_when_a_stack_goes_does_not_stay_behind_when_it_was_never_made() -> None:
    """A first creation that fails takes away what it had made; a stack that is deleted leaves it."""
    policies = {name: each["DeletionPolicy"] for name, each in RESOURCES.items() if "DeletionPolicy" in each}
    assert set(policies.values()) == {"RetainExceptOnCreate", "Delete"}
    kept = {name for name, policy in policies.items() if policy == "RetainExceptOnCreate"}
    assert kept >= {"Outcomes", "Suppressions", "DigestKey", "Archive"}
    for name, policy in policies.items():
        assert RESOURCES[name]["UpdateReplacePolicy"] == policy.removesuffix("ExceptOnCreate")


@pytest.mark.parametrize("name", ["Outcomes", "Suppressions"])
def test_a_table_of_record_outlives_its_stack_and_can_be_restored_and_followed(name: str) -> None:
    table = TABLES[name]
    (restored,) = table["PointInTimeRecoverySpecification"].values()
    assert restored is True or TEMPLATE["Parameters"][one(restored)]["Default"] == "true"
    assert name == "Outcomes" or restored is True, "what people decided of addresses is in no archive"
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert one(table["DeletionProtectionEnabled"]) == "DeletionProtection"


def test_a_provisioned_table_has_capacity_that_grows_and_so_has_each_of_its_indexes() -> None:
    """An index whose writes are throttled throttles its table. By request, nothing may name a capacity."""
    table = TABLES["Outcomes"]
    indexes = table["GlobalSecondaryIndexes"]
    for each in (table, *indexes):
        assert each["ProvisionedThroughput"]["Fn::If"][0] == "HasProvisioned"
    found = {
        (target["ResourceId"]["Fn::Sub"], target["ScalableDimension"])
        for target in properties("AWS::ApplicationAutoScaling::ScalableTarget").values()
    }
    wanted = {("table/${Outcomes}", f"dynamodb:table:{kind}CapacityUnits") for kind in ("Read", "Write")}
    wanted |= {
        (f"table/${{Outcomes}}/index/{each['IndexName']}", "dynamodb:index:WriteCapacityUnits") for each in indexes
    }
    assert found == wanted
    scaled = {
        one(each["ScalingTargetId"]) for each in properties("AWS::ApplicationAutoScaling::ScalingPolicy").values()
    }
    assert scaled == properties("AWS::ApplicationAutoScaling::ScalableTarget").keys()
    assert [each["IndexName"] for each in indexes if "WarmThroughput" in each] == ["by_message"]


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_notifies_somebody(name: str) -> None:
    for actions in (ALARMS[name]["AlarmActions"], ALARMS[name]["OKActions"]):
        assert mentioned(actions) == {"AlarmTopic", "AlarmTopicArn"}
    of_ses = "AWS/SES" in {
        query["MetricStat"]["Metric"]["Namespace"] for query in ALARMS[name]["Metrics"][:1] if "MetricStat" in query
    }
    # SES developer guide, "Creating reputation monitoring alarms": it says nothing where nothing is sent.
    assert ALARMS[name]["TreatMissingData"] == ("ignore" if of_ses else "notBreaching")


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_uses_every_metric_that_it_reads(name: str) -> None:
    watched, *read = ALARMS[name]["Metrics"]
    if "Expression" not in watched:
        assert read == []
        return
    expression = watched["Expression"]
    text = expression["Fn::Sub"] if isinstance(expression, dict) else expression
    ids = {query["Id"] for query in read}
    assert ids == set(re.findall(r"\b[a-z]+\b", re.sub(r"\$\{\w+\}", "", text)))
    assert not [query for query in read if query["ReturnData"]]
    assert len({str(query["MetricStat"]["Period"]) for query in read}) == 1


def test_our_own_rate_has_a_floor_and_needs_two() -> None:
    """One complaint in a thousand says anything from 0.02 to 0.56 %."""
    (expression,) = [
        each["Metrics"][0]["Expression"]["Fn::Sub"] for each in ALARMS.values() if "${RateFloor}" in str(each)
    ]
    form = r"IF\(FILL\(delivered, 0\) >= \$\{RateFloor\}, IF\(FILL\(complained, 0\) >= 2, 100 \* .+, 0\), 0\)"
    assert re.fullmatch(form, expression)
    assert TEMPLATE["Parameters"]["RateFloor"]["MinValue"] >= 1000


@pytest.mark.parametrize(
    ("name", "metric", "limit"),
    [("SesBounceRateAlarm", "BounceRate", 0.05), ("SesComplaintRateAlarm", "ComplaintRate", 0.001)],
)
def test_ses_is_believed_about_the_rates_that_it_judges_by(name: str, metric: str, limit: float) -> None:
    """Ours mislead where deliveries are not published: 0.2 % of hard bounces would read as all of them."""
    (query,) = ALARMS[name]["Metrics"]
    assert query["MetricStat"]["Metric"] == {
        "Namespace": "AWS/SES",
        "MetricName": f"Reputation.{metric}",
        "Dimensions": [],
    }
    assert (ALARMS[name]["Threshold"], ALARMS[name]["ComparisonOperator"]) == (limit, "GreaterThanOrEqualToThreshold")


def test_every_queue_is_watched() -> None:
    """What is worked by its age; what lies by its number, of which Operate counts most."""
    counted = {
        name
        for name in mentioned(FUNCTIONS["Operate"]["Environment"]["Variables"])
        if name.endswith("DeadLetters") and name in QUEUES
    }
    assert {name for name in mentioned(ALARMS) if name in QUEUES} | counted == QUEUES.keys()
    assert not counted & mentioned(ALARMS)


@pytest.mark.parametrize("name", TEMPLATE["Parameters"])
def test_a_parameter_is_explained_grouped_bounded_and_used(name: str) -> None:
    parameter = TEMPLATE["Parameters"][name]
    used = mentioned([TEMPLATE["Globals"], RESOURCES, TEMPLATE["Conditions"]])
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert parameter["Description"].endswith(".")
    assert "Default" in parameter
    assert {"AllowedValues", "AllowedPattern", "MaxValue", "MaxLength"} & parameter.keys()
    assert name in used
    assert [group for group in groups if name in group["Parameters"]]


def test_every_output_is_explained() -> None:
    assert all(output["Description"].endswith(".") for output in TEMPLATE["Outputs"].values())

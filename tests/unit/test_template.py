"""What `sam validate` and `sam build` do not look at: that the template agrees with the code, and with itself."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.template import (
    ALARMS,
    FUNCTIONS,
    INGESTING,
    LAYERS,
    MAPPINGS,
    QUEUES,
    RESOURCES,
    ROOT,
    RULES,
    SHARED,
    SUBSCRIPTIONS,
    TABLES,
    TEMPLATE,
    many,
    mentioned,
    nodes,
    one,
)


def test_there_is_something_to_look_at() -> None:
    """The tests below run over what is found; nothing found would pass them all."""
    assert (len(QUEUES), len(MAPPINGS), len(SUBSCRIPTIONS), len(RULES)) == (29, 14, 4, 1)
    assert (len(FUNCTIONS), len(LAYERS), len(TABLES), len(ALARMS)) == (12, 1, 5, 20)


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
    assert layer["CompatibleArchitectures"] == SHARED["Architectures"] == ["x86_64"]
    assert RESOURCES["AftersendLayer"]["Metadata"]["BuildArchitecture"] == "x86_64"
    assert set(re.findall(r"--platform manylinux\w+?_(x86_64|aarch64)", makefile)) == {"x86_64"}
    assert not [name for name, each in FUNCTIONS.items() if {"Runtime", "Architectures", "Layers"} & each.keys()]
    assert [one(layer) for layer in SHARED["Layers"]] == list(LAYERS)


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
    """But for boto3, which Lambda's runtime has."""
    project = tomllib.loads((ROOT / "layers" / "aftersend" / "pyproject.toml").read_text())["project"]
    asked = {re.split(r"[><=~!\[ ]", each)[0] for each in project["dependencies"]}
    assert asked - pinned(ROOT / "layers" / "aftersend" / "requirements.txt").keys() == {"boto3"}


def told(*arguments: str) -> list[list[str]]:
    """The commands that `make` would run, as the shell takes them apart."""
    done = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *arguments], check=True, cwd=ROOT, capture_output=True, text=True
    )
    return [shlex.split(line) for line in done.stdout.replace("\\\n", " ").splitlines()]


def test_it_is_built_where_a_folder_has_a_blank_in_its_name(tmp_path: Path) -> None:
    python = tmp_path / "my python"
    python.symlink_to(sys.executable)
    assert told("build", "CURDIR=/my work")[-1] == ["PYTHON=/my work/.venv/bin/python", ".venv/bin/sam", "build"]
    into = f"ARTIFACTS_DIR={tmp_path}/my build"
    commands = told("-C", "layers/aftersend", "build-AftersendLayer", f"PYTHON={python}", into)
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
        for resource in many(statement.get("Resource", [])):
            assert mentioned(resource), f"{resource} names nothing of this stack"
            text = resource.get("Fn::Sub", "")
            assert text.count("*") == text.endswith("/*"), f"{text} is wider than one folder"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_a_role_of_its_own_and_no_managed_policies(name: str) -> None:
    """For a function without one, SAM makes a role that may take from every queue of the account."""
    role = RESOURCES[one(FUNCTIONS[name]["Role"])]["Properties"]
    assert "ManagedPolicyArns" not in role
    assert "Policies" not in FUNCTIONS[name]
    assert one(FUNCTIONS[name]["LoggingConfig"]["LogGroup"]) in mentioned(role)
    assert FUNCTIONS[name]["LoggingConfig"]["LogFormat"] == "JSON"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_use_what_it_is_told_of(name: str) -> None:
    shared = SHARED["Environment"]["Variables"] if name in INGESTING else {}
    given = shared | FUNCTIONS[name]["Environment"]["Variables"]
    told = {one(given[key]) for key in given if key.endswith(("_TABLE", "_BUCKET", "_QUEUE"))}
    told |= {one(mapping["Queue"]) for function, mapping in MAPPINGS.values() if function == name}
    assert told <= mentioned(RESOURCES[one(FUNCTIONS[name]["Role"])])


@pytest.mark.parametrize("name", INGESTING)
def test_a_variable_names_what_it_says(name: str) -> None:
    given = SHARED["Environment"]["Variables"] | FUNCTIONS[name]["Environment"]["Variables"]
    tables = {key: one(value) for key, value in given.items() if key.endswith("_TABLE")}
    assert tables == {f"{table.upper()}_TABLE": table for table in TABLES if table != "Jobs"}  # which is of bulk work
    assert RESOURCES[one(given["ARCHIVE_BUCKET"])]["Type"] == "AWS::S3::Bucket"
    assert one(given["DEAD_LETTER_QUEUE"]) in QUEUES


def test_archive_prefixes_are_those_of_the_sources() -> None:
    for name, each in INGESTING.items():
        source = each["Environment"]["Variables"]["SOURCE"]
        (put,) = [
            node["Resource"]["Fn::Sub"]
            for node in nodes(RESOURCES[one(each["Role"])])
            if isinstance(node, dict) and node.get("Action") == "s3:PutObject"
        ]
        assert put == f"${{Archive.Arn}}/source={source}/*", name


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_encrypted_billed_by_use_and_forgets(name: str) -> None:
    table = TABLES[name]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


@pytest.mark.parametrize("name", ["Outcomes", "Suppressions"])
def test_a_table_of_record_outlives_its_stack_and_can_be_restored_and_followed(name: str) -> None:
    table = TABLES[name]
    assert RESOURCES[name]["DeletionPolicy"] == RESOURCES[name]["UpdateReplacePolicy"] == "Retain"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert one(table["DeletionProtectionEnabled"]) == "DeletionProtection"


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_tells_somebody(name: str) -> None:
    for actions in (ALARMS[name]["AlarmActions"], ALARMS[name]["OKActions"]):
        assert mentioned(actions) == {"AlarmTopic", "AlarmTopicArn"}
    assert ALARMS[name]["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_uses_every_metric_that_it_reads(name: str) -> None:
    watched, *read = ALARMS[name]["Metrics"]
    expression = watched["Expression"]
    text = expression["Fn::Sub"] if isinstance(expression, dict) else expression
    ids = {query["Id"] for query in read}
    assert ids == set(re.findall(r"\b[a-z]+\b", text.replace("${RateFloor}", "")))
    assert not [query for query in read if query["ReturnData"]]
    assert len({str(query["MetricStat"]["Period"]) for query in read}) == 1


@pytest.mark.parametrize("name", [name for name in ALARMS if "Rate" in name])
def test_a_rate_has_a_floor(name: str) -> None:
    assert re.match(r"IF\(.+ > \$\{RateFloor\}, .+, 0\)$", ALARMS[name]["Metrics"][0]["Expression"]["Fn::Sub"])


def test_every_queue_is_watched() -> None:
    assert {name for name in mentioned(ALARMS) if name in QUEUES} == QUEUES.keys()


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

"""`make deploy`: what the owner of a stack wants is checked, kept, and never changed without a word."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]
from moto import mock_aws
from samcli.cli.types import CfnParameterOverridesType  # type: ignore[import-untyped]

from aftersend import classify
from aftersend_cli.__main__ import make_parser
from deploy import __main__ as deploying
from deploy import changes
from deploy.declared import Wrong, check_values, find_asked, read_defaults
from deploy.settle import NOTES, cut, settle
from deploy.sizes import LIMIT, measure
from deploy.text import read_template, write_template
from deploy.wishes import Wishes, read
from tests.support.template import ROOT, TEMPLATE, mentioned

STRICT: Final = "[streak]\nbounces = 3\n"
RULES: Final = """\
[[rule]]
id = "moonlight"
when.text = "only by moonlight"
then.reason = "blocked"
example = "550 only by moonlight"
"""


MAPPING: Final = """\
source = "acme"
word = "type"
recipient = "to"
message.own = "id"
time.at = "at"
words.bounce = "bounced"
"""


def wish(folder: Path, document: str = "", **files: str) -> Wishes:
    """What is read of a `deploy.toml` and the files beside it."""
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    if document:
        (folder / "deploy.toml").write_text(document)
    return read(folder, TEMPLATE)


# ---- What is wanted --------------------------------------------------------------------------------------------------


def test_without_a_file_nothing_is_given(tmp_path: Path) -> None:
    assert wish(tmp_path) == Wishes(stack="aftersend", region="", profile="", given={})


def test_the_example_is_one_and_says_nothing_until_somebody_takes_a_mark_away(tmp_path: Path) -> None:
    text = (ROOT / "deploy.example.toml").read_text()
    assert wish(tmp_path, text) == Wishes(stack="aftersend", region="", profile="", given={})
    lines = [line.removeprefix("#") if line[:1] == "#" and line[1:2].isalpha() else line for line in text.splitlines()]
    wishes = wish(tmp_path, "\n".join(lines), policy=STRICT, rules=RULES, acme=MAPPING)
    assert wishes.given["Policy"] == STRICT
    assert wishes.given["Webhooks"] == "true"
    assert wishes.given["RulesParameter"] == "/aftersend/rules"
    assert wishes.rules == RULES
    assert wishes.mappings == {"acme": MAPPING}


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("stak = 'a'", "stak"),
        ("[parameters", "deploy.toml"),
        ("[parameters]\nBatchsize = 3", "Batchsize: no such parameter; is BatchSize meant"),
        ("[parameters]\nBatchSize = 0", "BatchSize: '0' is not from 1 to 1000"),
        ("[parameters]\nBatchSize = 'many'", "BatchSize: 'many' is no number"),
        ("[parameters]\nBatchSize = 2.5", "parameters"),
        ("[parameters]\nLogDays = 2", "LogDays: '2' is none of 1, 3"),
        ("[parameters]\nWebhooks = 'yes'", "Webhooks: 'yes' is none of true, false"),
        ("[parameters]\nAlarmEmail = 'ops'", "AlarmEmail: 'ops' is not an e-mail address"),
        ("[parameters]\nSesEventTypes = 'send,sent'", "SesEventTypes: 'send,sent' is none of send"),
        ("[parameters]\nMnsEndpoint = 'https://1.mns.eu-central-1.aliyuncs.com'", "MnsEndpoint needs MnsSecretArn"),
        ("[parameters]\nJwtIssuer = 'https://login.example.com'", "JwtIssuer needs JwtAudience"),
        ("[parameters]\nPolicy = '[streak]\\nbounces = 1'", "Policy"),
        ("[parameters]\nPolicy = 'validity.sess = 84'", "Policy: .*validity.sess"),
        ("policy = 'absent.toml'", "absent.toml"),
        ("policy = 'wrong.toml'", "wrong.toml: .*bounces"),
        ("rules = 'wrong.toml'", "wrong.toml"),
        ("policy = 'long.toml'", "Policy: .* has 3024 characters, which is more than 2000"),
    ],
)
def test_what_a_stack_would_stumble_over_is_refused_before_anything_is_deployed(
    tmp_path: Path, document: str, why: str
) -> None:
    long = STRICT + f"# {'x' * 3000}\n"
    with pytest.raises(Wrong, match=why):
        wish(tmp_path, document, wrong="[streak]\nbounces = 'three'\n", long=long)


def test_every_default_is_one_that_the_template_takes_and_every_mistake_is_named() -> None:
    check_values(TEMPLATE, read_defaults(TEMPLATE))
    with pytest.raises(Wrong) as found:
        check_values(TEMPLATE, {"BatchSize": "0", "Workers": "0"})
    assert [line.partition(":")[0] for line in str(found.value).splitlines()] == ["BatchSize", "Workers"]


def largest() -> dict[str, str]:
    """Every text as long as the template lets it be, all at once."""
    return {name: "x" * each["MaxLength"] for name, each in TEMPLATE["Parameters"].items() if "MaxLength" in each}


def test_variables_fit_into_a_function_at_their_largest() -> None:
    """Lambda takes 4 KB; here with the longest of all that has a bound, and names as long as AWS makes them."""
    sizes = measure(TEMPLATE, largest())
    assert sizes
    assert {name: size for name, size in sizes.items() if size > LIMIT} == {}
    twenty = ",".join(f"arn:aws:sns:eu-central-1:111122223333:ses-feedback-of-team-{at:02}" for at in range(20))
    assert measure(TEMPLATE, {"SnsTopicArns": twenty, "Policy": "x" * 2000})["Receive"] <= LIMIT


def test_what_becomes_a_variable_has_a_bound() -> None:
    """By its length, or by the one service whose names it takes."""
    given = [TEMPLATE["Globals"]["Function"]["Environment"]]
    given += [each.get("Properties", {}).get("Environment") for each in TEMPLATE["Resources"].values()]
    for name in mentioned(given) & TEMPLATE["Parameters"].keys():
        parameter = TEMPLATE["Parameters"][name]
        named = any(word in parameter.get("AllowedPattern", "") for word in ("aliyuncs", "secretsmanager", "{0,119}"))
        assert parameter.keys() & {"MaxLength", "MaxValue", "AllowedValues"} or named or name == "LocalEndpoint", name


def test_a_policy_that_fits_by_itself_but_not_beside_the_rest_is_refused(tmp_path: Path) -> None:
    """Letters of other languages count for two or three bytes."""
    with pytest.raises(Wrong, match="shorten the policy"):
        wish(tmp_path, "policy = 'policy.toml'", policy=f"# {'漢' * 1300}\n")


# ---- What is settled -------------------------------------------------------------------------------------------------


def test_only_what_is_asked_for_is_left_and_nothing_speaks_of_the_rest() -> None:
    settled = settle(TEMPLATE, {})
    assert settled["Parameters"].keys() == find_asked(TEMPLATE)
    gone = TEMPLATE["Parameters"].keys() - settled["Parameters"].keys()
    assert gone
    assert mentioned([part for name, part in settled.items() if name != "Metadata"]) & gone == set()
    assert {name for group in groups(settled) for name in group["Parameters"]} == find_asked(TEMPLATE)


def groups(template: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    return found


def test_a_value_stands_where_its_name_stood() -> None:
    given = {"BatchSize": "7", "Policy": STRICT, "BrokerResultsQueue": "of ${mine}", "SesEventTypes": "send,open"}
    broker = "arn:aws:mq:eu-west-1:111122223333:broker:mail:b-00000000-0000-4000-8000-000000000001"
    given |= {"BrokerArn": broker, "BrokerSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:b-abcdef"}
    settled = settle(TEMPLATE, given)
    resources = settled["Resources"]
    assert resources["ProcessSes"]["Properties"]["Events"]["Bounces"]["Properties"]["BatchSize"] == 7
    assert settled["Globals"]["Function"]["Environment"]["Variables"]["POLICY"] == STRICT
    queues = resources["Consume"]["Properties"]["Environment"]["Variables"]["MAILERQ_QUEUES"]["Fn::Sub"]
    assert queues.startswith("of ${!mine}=results,=success")
    destination = resources["SesEventsDestination"]["Properties"]["EventDestination"]
    assert destination["MatchingEventTypes"] == ["send", "open"]
    assert settled["Metadata"][NOTES] == {"Settings": given}


def test_what_nobody_wants_is_left_out_and_what_is_asked_for_stays_a_condition() -> None:
    settled = settle(TEMPLATE, {"Webhooks": "true", "KmsKeyArn": ""})
    assert "Consume" not in settled["Resources"]
    assert "BrokerResults" not in settled["Resources"]
    assert "Condition" not in settled["Resources"]["Receive"]
    assert settled["Resources"]["ProcessReport"]["Condition"] == "HasMail"
    assert settled["Conditions"].keys() >= {"HasMail", "HasAlarmEmail", "HasSyncSesList"}
    assert not settled["Conditions"].keys() & {"HasWebhooks", "HasBroker", "HasBrokerRetry", "HasOwnKey", "IsLocal"}
    assert settled["Conditions"]["HasAlarmEmail"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "AlarmEmail"}, ""]}]}


def test_what_is_given_is_not_asked_for_and_what_is_the_default_is_not_noted() -> None:
    settled = settle(TEMPLATE, {"RetentionDays": "180", "AlarmEmail": "ops@example.com"})
    assert settled["Parameters"].keys() == find_asked(TEMPLATE) - {"RetentionDays", "AlarmEmail"}
    assert settled["Metadata"][NOTES] == {"Settings": {"AlarmEmail": "ops@example.com"}}


def test_an_import_is_given_what_it_imports_and_nothing_else() -> None:
    kept = {name for name, each in TEMPLATE["Resources"].items() if each.get("DeletionPolicy", "").startswith("Retain")}
    settled = settle(TEMPLATE, {"MailDomain": "bounce.example.com", "Statistics": "true"})
    template = cut(settled, kept)
    assert template["Resources"].keys() == kept
    assert "Transform" not in template
    assert mentioned(template) <= template["Parameters"].keys() | template["Resources"].keys() | {"AWS::NoValue"}
    assert [each.message for each in lint(json.dumps(template), config=ManualArgs(regions=["eu-west-1"]))] == []
    for name in ("Nothing", "ProcessSes"):
        with pytest.raises(Wrong, match=name):
            cut(settled, [name])


# ---- What changes ----------------------------------------------------------------------------------------------------

RESOURCE: Final = {"Queue": {"Type": "AWS::SQS::Queue"}}


@pytest.fixture
def formation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield boto3.client("cloudformation")


def stand(formation: Any, given: dict[str, str], **asked: str) -> None:
    """A stack as `make build` and SAM leave it; of its resources one, because others take moto long."""
    template = settle(TEMPLATE, given) | {"Resources": RESOURCE}
    kept = {name: template[name] for name in ("AWSTemplateFormatVersion", "Metadata", "Parameters", "Resources")}
    formation.create_stack(
        StackName="aftersend",
        TemplateBody=write_template(kept),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in asked.items()],
    )


def test_a_stack_that_is_not_there_has_nothing(formation: Any) -> None:
    assert changes.read_deployed(formation, "aftersend") is None


def test_what_a_stack_has_is_read_from_both_places(formation: Any) -> None:
    stand(formation, {"Policy": STRICT}, AlarmEmail="ops@example.com")
    deployed = changes.read_deployed(formation, "aftersend")
    assert deployed is not None
    assert deployed.settled == {"Policy": STRICT}
    assert deployed.asked["AlarmEmail"] == "ops@example.com"
    assert deployed.asked["RetentionDays"] == "180"


@pytest.mark.parametrize("name", sorted(TEMPLATE["Parameters"]))
def test_no_parameter_is_lost(name: str, tmp_path: Path) -> None:
    """Whatever a stack has that `deploy.toml` does not say is not undone; it is said what to write."""
    deployed = changes.Deployed(asked={}, settled={name: "elsewhere"})
    wishes = wish(tmp_path)
    found = changes.find_changes(TEMPLATE, wishes, deployed)
    assert found.keys() == {name}
    with pytest.raises(Wrong, match=f'{name} = "elsewhere"'):
        changes.refuse_losses(found, wishes)


def test_what_was_asked_for_stays_without_a_word(tmp_path: Path) -> None:
    deployed = changes.Deployed(asked={"AlarmEmail": "ops@example.com"}, settled={})
    assert changes.find_changes(TEMPLATE, wish(tmp_path), deployed) == {}


def test_a_changed_policy_is_shown_by_its_fields_and_by_whom_it_concerns(tmp_path: Path) -> None:
    deployed = changes.Deployed(asked={}, settled={"Policy": STRICT})
    wishes = wish(tmp_path, "policy = 'policy.toml'", policy=STRICT.replace("3", "4") + "[hard]\nlapse_days = 30\n")
    found = changes.find_changes(TEMPLATE, wishes, deployed)
    changes.refuse_losses(found, wishes)
    lines = list(changes.describe(TEMPLATE, found, wishes.stack))
    assert "    streak.bounces: 3 → 4" in lines
    assert "    hard.lapse_days: 0 → 30" in lines
    (command,) = [line.split() for line in lines if "--dry-run" in line]
    assert command[0] == "aftersend"
    assert make_parser().parse_args(command[1:]).stack == "aftersend", "it is a command, with its options"


def test_other_words_of_the_same_policy_are_called_that(tmp_path: Path) -> None:
    deployed = changes.Deployed(asked={}, settled={"Policy": STRICT})
    wishes = wish(tmp_path, "policy = 'policy.toml'", policy=f"# three\n{STRICT}")
    lines = list(changes.describe(TEMPLATE, changes.find_changes(TEMPLATE, wishes, deployed), wishes.stack))
    assert lines == ["Policy: other words, the same meaning"]


# ---- The command -----------------------------------------------------------------------------------------------------


class Sam:
    """Stands for the program: `build` leaves what was to be built, `deploy` writes down its options."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[list[str]] = []
        self.environments: list[dict[str, str]] = []

    def __call__(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.calls.append(command[1:])
        self.environments.append(options.get("env") or {})
        if command[1] == "build":
            built = self.root / deploying.BUILT
            built.parent.mkdir(parents=True, exist_ok=True)
            built.write_text(write_template(TEMPLATE))
        return subprocess.CompletedProcess(command, 0)

    def overrides(self) -> dict[str, str]:
        """What `deploy` was told, as SAM reads it."""
        (command,) = [each for each in self.calls if each[0] == "deploy"]
        if "--parameter-overrides" not in command:
            return {}
        given = [each for each in command[command.index("--parameter-overrides") + 1 :] if "=" in each]
        found: dict[str, str] = CfnParameterOverridesType().convert(tuple(given), None, None)
        return found


@pytest.fixture
def sam(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sam:
    (tmp_path / "template.yaml").write_text((ROOT / "template.yaml").read_text())
    stand_in = Sam(tmp_path)
    monkeypatch.setattr(subprocess, "run", stand_in)
    return stand_in


def test_a_first_deployment_builds_what_the_file_says(
    formation: Any, sam: Sam, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deploy.toml").write_text("policy = 'p.toml'\n[parameters]\nArchitecture = 'arm64'\n")
    (tmp_path / "p.toml").write_text(STRICT)
    assert deploying.main(["deploy", "--yes"], tmp_path) == 0
    assert [call[0] for call in sam.calls] == ["build", "deploy"]
    assert sam.environments[0]["ARCHITECTURE"] == "arm64"
    assert "--parameter-overrides=Architecture=arm64" in sam.calls[0]
    built = read_template((tmp_path / deploying.BUILT).read_text())
    assert built["Globals"]["Function"]["Environment"]["Variables"]["POLICY"] == STRICT
    assert built["Globals"]["Function"]["Architectures"] == ["arm64"]
    assert "There is no stack aftersend yet." in capsys.readouterr().out
    assert sam.overrides() == {}, "what --guided was answered stands in samconfig.toml"


def test_what_was_asked_for_is_handed_on_as_the_stack_has_it(formation: Any, sam: Sam, tmp_path: Path) -> None:
    """Whatever samconfig.toml has kept of older answers."""
    stand(formation, {}, AlarmEmail="ops@example.com", RetentionDays="90")
    assert deploying.main(["deploy", "--yes"], tmp_path) == 0
    assert sam.overrides() == {name: read_defaults(TEMPLATE)[name] for name in find_asked(TEMPLATE)} | {
        "AlarmEmail": "ops@example.com",
        "RetentionDays": "90",
    }


def test_nothing_is_built_or_deployed_that_would_lose_something(
    formation: Any, sam: Sam, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand(formation, {"Policy": STRICT, "BatchSize": "7"})
    assert deploying.main(["deploy", "--yes"], tmp_path) == 1
    assert sam.calls == []
    said = capsys.readouterr().out
    assert 'BatchSize = "7"' in said
    assert f"Policy = {json.dumps(STRICT)}" in said


@pytest.mark.parametrize(("answer", "deployed"), [("y", True), ("", False), ("n", False)])
def test_it_asks_after_it_has_said_what_changes(
    formation: Any, sam: Sam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], answer: str, deployed: bool,
) -> None:  # fmt: skip
    stand(formation, {"BatchSize": "7"})
    (tmp_path / "deploy.toml").write_text("[parameters]\nBatchSize = 8\n")
    said: list[str] = []

    def answered(_question: str) -> str:
        said.append(capsys.readouterr().out)
        return answer

    monkeypatch.setattr("builtins.input", answered)
    assert deploying.main(["deploy"], tmp_path) == (0 if deployed else 1)
    assert "BatchSize: 7 → 8" in said[0]
    assert bool(sam.calls) is deployed
    assert not [call for call in sam.calls if "--no-confirm-changeset" in call], "SAM shows the resources, and asks"


def test_where_nobody_is_there_to_be_asked_nothing_is_done(
    formation: Any, sam: Sam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert deploying.main(["deploy"], tmp_path) == 1
    assert "Give --yes" in capsys.readouterr().out
    assert sam.calls == []


def test_what_aws_refuses_is_one_line(
    formation: Any, sam: Sam, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deploy.toml").write_text("profile = 'nobody'\n")
    assert deploying.main(["deploy", "--yes"], tmp_path) == 1
    assert capsys.readouterr().out == "The config profile (nobody) could not be found\n"
    assert sam.calls == []


def test_rules_are_shown_and_brought_to_ssm(
    formation: Any, sam: Sam, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deploy.toml").write_text("rules = 'rules.toml'\n")
    (tmp_path / "rules.toml").write_text(RULES)
    for _ in range(2):
        assert deploying.main(["deploy", "--yes"], tmp_path) == 0
    stored = boto3.client("ssm").get_parameter(Name="/aftersend/rules")["Parameter"]
    assert (stored["Value"], stored["Version"]) == (RULES, 1), "what is the same is not written again"
    stand(formation, {"RulesParameter": "/aftersend/rules"})
    (tmp_path / "rules.toml").write_text(RULES.replace("only by", "just by"))
    capsys.readouterr()
    assert deploying.main(["deploy", "--yes"], tmp_path) == 0
    assert '+when.text = "just by moonlight"' in capsys.readouterr().out


def test_mappings_are_brought_to_ssm_below_the_rules(
    formation: Any, sam: Sam, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "deploy.toml").write_text("stack = 'mapped'\nmappings = ['acme.toml']\n")
    (tmp_path / "acme.toml").write_text(MAPPING)
    for _ in range(2):
        assert deploying.main(["deploy", "--yes"], tmp_path) == 0
    stored = boto3.client("ssm").get_parameter(Name="/mapped/rules/acme")["Parameter"]
    assert (stored["Value"], stored["Version"]) == (MAPPING, 1), "what is the same is not written again"
    assert classify.load(boto3.client("ssm").get_parameter(Name="/mapped/rules")["Parameter"]["Value"])


def test_a_mistake_ends_every_command(sam: Sam, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deploy.toml").write_text("policy = 'p.toml'\n")
    (tmp_path / "p.toml").write_text("[streak]\nbounces = 1\n")
    for command in ("check", "build", "deploy"):
        assert deploying.main([command], tmp_path) == 1
        assert "p.toml" in capsys.readouterr().out
    assert sam.calls == []

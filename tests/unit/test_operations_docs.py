"""The commands of docs/operations.md and its like are run in a shell, against stand-ins that write them down."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import pytest
from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from aftersend.api.routes import load_all
from aftersend.jobs import reevaluate, replay
from aftersend_cli.__main__ import make_parser
from deploy.__main__ import _parse
from deploy.declared import check_values
from local.__main__ import _parser
from tests.engines import ROOT
from tests.support.template import ALARMS, INGESTING, MAPPINGS, QUEUES, RESOURCES, TEMPLATE, one

TEXT: Final = (ROOT / "docs" / "operations.md").read_text()
PAGES: Final = ("operations.md", "policy.md", "upgrades.md", "deploy.md", "ses.md")
BLOCKS: Final = re.findall(
    r"^```sh\n(.*?)^```", "".join((ROOT / "docs" / page).read_text() for page in PAGES), re.MULTILINE | re.DOTALL
)
# What the pages write into files.
WRITTEN: Final = dict(re.findall(r"^cat > (\S+) <<'EOF'\n(.*?)^EOF", "".join(BLOCKS), re.MULTILINE | re.DOTALL))
JOBS: Final = {"ReevaluateQueue": reevaluate.ReevaluationJob, "ReplayQueue": replay.ReplayJob}

# Writes down what it was called with, and answers as much as the page builds upon.
_STAND_IN: Final = """\
#!{python}
import json, os, sys
name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps([name, *arguments]) + "\\n")
if arguments[:2] == ["cloudformation", "describe-stack-resource"]:
    print(arguments[arguments.index("--logical-resource-id") + 1])
elif arguments[:2] == ["cloudformation", "describe-stacks"]:
    print("https://api0.execute-api.eu-west-1.amazonaws.com")
elif arguments[:2] == ["cloudformation", "list-stack-resources"]:
    print("one-alarm\tanother-alarm")
elif arguments[:2] == ["configure", "export-credentials"]:
    print("export AWS_ACCESS_KEY_ID=id AWS_SECRET_ACCESS_KEY=secret AWS_SESSION_TOKEN=token")
elif arguments[:2] == ["lambda", "list-event-source-mappings"]:
    print("00000000-0000-4000-8000-000000000000")
elif arguments[:2] == ["iam", "create-role"]:
    print("arn:aws:iam::111122223333:role/" + arguments[arguments.index("--role-name") + 1])
elif arguments[:2] == ["sqs", "get-queue-attributes"]:
    print("arn:aws:sqs:eu-west-1:111122223333:" + arguments[arguments.index("--queue-url") + 1])
"""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Every call that the pages make, their blocks run one after another in one shell."""
    if (bash := shutil.which("bash")) is None:
        pytest.skip("no bash on the path")
    place = tmp_path_factory.mktemp("operations")
    for name in ("aftersend", "aws", "sam", "python", "make", "curl"):
        stand_in = place / name
        stand_in.write_text(_STAND_IN.format(python=sys.executable))
        stand_in.chmod(0o755)
    for name in ("policy.toml", "rules.toml"):
        (place / name).write_text('[streams]\n"news@example.com" = "news"\n')
    shutil.copy(ROOT / "deploy.example.toml", place)
    log = place / "calls"
    subprocess.run(
        [bash, "-euo", "pipefail", "-c", "\n".join(BLOCKS)],
        cwd=place, check=True, capture_output=True,
        env={"PATH": f"{place}:{os.environ['PATH']}", "CALLS": str(log)},
    )  # fmt: skip
    return [json.loads(line) for line in log.read_text().splitlines()]


def _made_by(calls: list[list[str]], name: str) -> Iterator[list[str]]:
    found = [arguments for each, *arguments in calls if each == name]
    assert found
    yield from found


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def _options(arguments: list[str]) -> dict[str, list[str]]:
    """What follows each option."""
    found: dict[str, list[str]] = {}
    name = ""
    for each in arguments:
        if each.startswith("--"):
            found[name := each.removeprefix("--")] = []
        else:
            found[name].append(each)
    return found


def _value(shape: Any, given: list[str]) -> Any:
    """As the AWS command line reads it, for the types that the page uses."""
    match shape.type_name:
        case "list" if given[0].startswith("file://"):
            return json.loads(WRITTEN[given[0].removeprefix("file://")])
        case "list":
            return given
        case "structure":
            return json.loads(given[0])
        case "integer" | "long":
            return int(given[0])
        case "boolean":
            return True
        case _:
            (text,) = given
            return text


GLOBAL: Final = {"query", "output"}
# Commands of the AWS command line that are no operations of a service.
BESIDE: Final = {("configure", "export-credentials"), ("s3", "cp")}


def test_every_command_of_aws_is_one_that_aws_knows(calls: list[list[str]]) -> None:
    for service, command, *rest in _made_by(calls, "aws"):
        if (service, command) in BESIDE:
            continue
        if command == "wait":
            waiters = Loader().load_service_model(service, "waiters-2")["waiters"]
            assert rest[0].replace("-", "_") in {xform_name(name) for name in waiters}
            continue
        model = _model(service.removesuffix("api"))  # s3api is the plain S3 of the command line
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        shape = model.operation_model(operations[command]).input_shape
        assert shape is not None
        members = {xform_name(name, "-"): name for name in shape.members}
        options = {name: given for name, given in _options(rest).items() if name not in GLOBAL}
        assert options.keys() <= members.keys(), command
        request = {members[name]: _value(shape.members[members[name]], given) for name, given in options.items()}
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), report.generate_report()


def test_every_name_is_one_of_the_template(calls: list[list[str]]) -> None:
    named = [
        _options(rest)["logical-resource-id"][0]
        for _, command, *rest in _made_by(calls, "aws")
        if command == "describe-stack-resource"
    ]
    assert len(set(named)) > 30
    assert not {name for name in named if name not in RESOURCES}


def test_what_is_redriven_goes_to_a_queue_of_which_it_is_the_dead_letter_queue(calls: list[list[str]]) -> None:
    moved = [
        tuple(_options(rest)[name][0].rpartition(":")[2] for name in ("source-arn", "destination-arn"))
        for _, command, *rest in _made_by(calls, "aws")
        if command == "start-message-move-task"
    ]
    (unreadable,) = {one(each["Environment"]["Variables"]["UNREADABLE_BODIES_QUEUE"]) for each in INGESTING.values()}
    for source, destination in moved:
        if source != unreadable:  # which are of all sources, as is the queue where they go
            assert one(QUEUES[destination]["RedrivePolicy"]["deadLetterTargetArn"]) == source
        assert destination in {one(mapping["Queue"]) for _, mapping in MAPPINGS.values()}
    dead = {one(each["RedrivePolicy"]["deadLetterTargetArn"]) for each in QUEUES.values() if "RedrivePolicy" in each}
    dead -= {name for name in dead if QUEUES[name].get("FifoQueue")}  # `aftersend webhooks resend` keeps the order
    assert {source for source, _ in moved} == dead, "every dead-letter queue has its command"


def test_what_works_by_the_clock_switches_the_mappings_of_queues(calls: list[list[str]]) -> None:
    """A schedule calls Lambda itself, with a request that Lambda takes; opened and closed for each queue."""
    switched = []
    for _, command, *rest in _made_by(calls, "aws"):
        if command == "create-schedule":
            options = _options(rest)
            target = json.loads(options["target"][0])
            assert target["Arn"].rpartition(":")[2] == "updateEventSourceMapping"
            request = json.loads(target["Input"])
            shape = _model("lambda").operation_model("UpdateEventSourceMapping").input_shape
            assert shape is not None
            spelled = {"UUID" if name == "Uuid" else name: value for name, value in request.items()}  # as SDKs spell it
            assert not ParamValidator().validate(spelled, shape).has_errors()
            assert request["Uuid"]
            name, _, state = options["name"][0].rpartition("-")
            switched.append((name.rpartition("-")[2], state, request["Enabled"]))
        if command in ("create-role", "put-role-policy"):
            (document,) = [json.loads(given[0]) for name, given in _options(rest).items() if name.endswith("document")]
            assert document["Version"] == "2012-10-17"
    worked = {one(mapping["Queue"]) for _, mapping in MAPPINGS.values()}
    assert switched and {queue for queue, _, _ in switched} <= worked
    assert sorted(switched) == sorted(
        (queue, str(on).lower(), on) for queue in {each[0] for each in switched} for on in (True, False)
    )


def test_every_job_is_one_that_the_function_takes(calls: list[list[str]]) -> None:
    sent = [_options(rest) for _, command, *rest in _made_by(calls, "aws") if command == "send-message"]
    assert {options["queue-url"][0] for options in sent} == JOBS.keys()
    for options in sent:
        msgspec.json.decode(options["message-body"][0], type=JOBS[options["queue-url"][0]])


def test_every_command_of_ours_is_one(calls: list[list[str]]) -> None:
    done = set()
    for flag, module, *arguments in _made_by(calls, "python"):
        assert flag == "-m"
        done.add(_parse(arguments).command if module == "deploy" else _parser().parse_args(arguments).command)
        assert module in ("deploy", "local")
    for arguments in _made_by(calls, "aftersend"):
        options = make_parser().parse_args(arguments)
        assert options.stack == "aftersend"
        done.add(options.command)
    assert done == {"delist", "importable", "parse", "recount", "reevaluate", "restore", "status", "sync", "webhooks"}
    targets = {target for arguments in _made_by(calls, "make") for target in arguments}
    assert targets == {"build", "deploy"}
    assert targets <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_every_parameter_is_one_of_the_template(page: str) -> None:
    """In what the pages tell to write into deploy.toml."""
    text = (ROOT / "docs" / page).read_text()
    for block in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        given = tomllib.loads(block).get("parameters", {})
        check_values(TEMPLATE, {name: str(value) for name, value in given.items()})


def test_nothing_that_every_system_has_is_shadowed() -> None:
    """Finding: `id()` hid the system's `id`."""
    defined = set(re.findall(r"^(\w+)\(\) \{", "".join(BLOCKS), re.MULTILINE))
    assert defined >= {"resource", "api"}
    assert {name for name in defined if shutil.which(name)} == set()


def test_every_variable_of_the_runbook_is_set_in_it() -> None:
    text = "".join(BLOCKS)
    used = set(re.findall(r"\$\{?([A-Za-z_]\w+)", text))
    from_awscli = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assigned = set(re.findall(r"(?:^|\s)([A-Za-z_]\w+)=", text, re.MULTILINE))
    assigned |= {name for pair in re.findall(r"for (\w+) in|read -r (\w+)", text) for name in pair}
    assert used - from_awscli - assigned == set()


def test_every_command_of_sam_is_one(calls: list[list[str]]) -> None:
    for command, *rest in _made_by(calls, "sam"):
        parameters = import_module(f"samcli.commands.{command}").cli.params
        assert {f"--{name}" for name in _options(rest)} <= {name for each in parameters for name in each.opts}, command


def _asked(arguments: list[str]) -> tuple[str, str, str | None]:
    """Method, path and body of a request."""
    method = arguments[arguments.index("-X") + 1] if "-X" in arguments else "GET"
    (url,) = [each for each in arguments if each.startswith("https://")]
    body = arguments[arguments.index("-d") + 1] if "-d" in arguments else None
    return method, urlsplit(url).path, body


def test_every_question_is_one_that_the_api_answers(calls: list[list[str]]) -> None:
    for arguments in _made_by(calls, "curl"):
        assert arguments[arguments.index("--aws-sigv4") + 1] == "aws:amz:eu-west-1:execute-api"
        assert arguments[arguments.index("--user") + 1] == "id:secret"
        assert "x-amz-security-token: token" in arguments
        method, path, body = _asked(arguments)
        route = load_all().find(path)[0].get(method)
        assert route is not None, (method, path)
        assert (body is not None) == (route.body is not None), path
        if body is not None and route.body is not None:
            msgspec.json.decode(body, type=route.body)


def test_an_attribute_of_facts_is_read_as_the_page_says() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    known: dict[str, Any] = {}
    exec(code, known)
    [fact] = known["facts"]
    assert (fact["source"], fact["kind"]) == ("ses", "delivered")
    assert not fact.keys() & {"message", "recipient"}
    exec(code.replace("attribute = ", "_ = ").replace("unpack_facts(attribute)", "unpack_facts({'S': '[]'})"), known)
    assert known["facts"] == [], "what is readable is read by the same lines"


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_has_its_section(name: str) -> None:
    (section,) = re.findall(rf"^### {name}\n(.*?)(?=^##)", TEXT, re.MULTILINE | re.DOTALL)
    assert len(section.split()) > 8


def test_every_section_of_the_alarms_is_one() -> None:
    section = TEXT.partition("\n## Alarms")[2].partition("\n## ")[0]
    assert set(re.findall(r"^### (\w+)$", section, re.MULTILINE)) == ALARMS.keys()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", text):
        place = ROOT / "docs" / (target or page)
        assert place.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", Path(place).read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}, anchor

"""`sam deploy --guided` on what `make build` builds: Enter at every question deploys, and few questions are asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from samcli.commands.deploy import command, guided_context  # type: ignore[import-untyped]
from samcli.lib.config.samconfig import SamConfig  # type: ignore[import-untyped]

from deploy.declared import find_asked
from deploy.settle import settle
from deploy.text import write_template
from tests.support.template import ROOT, TEMPLATE

# SAM's own command calls what SAM's translator has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:samcli", "ignore::DeprecationWarning:samtranslator")

EXAMPLE: Final = "samconfig.example.toml"
BUCKET: Final = "aws-sam-cli-managed-default-samclisourcebucket-1"


class Deployment:
    """What SAM was about to do when it had asked everything."""

    contexts: list[dict[str, Any]]

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, given: dict[str, str]) -> None:
        self.contexts = []
        built = folder / "built.yaml"
        built.write_text(write_template(settle(TEMPLATE, given)))
        (folder / "samconfig.toml").write_text((ROOT / EXAMPLE).read_text())
        monkeypatch.chdir(folder)
        monkeypatch.setattr(guided_context, "manage_stack", lambda **_: BUCKET)
        # It looks for a repository of images in the account; no function here is an image.
        monkeypatch.setattr(guided_context.GuidedContext, "prompt_image_repository", lambda *_: {})
        monkeypatch.setattr("samcli.commands.package.package_context.PackageContext.run", lambda _: None)
        monkeypatch.setattr(
            "samcli.commands.deploy.deploy_context.DeployContext.run", lambda made: self.contexts.append({**vars(made)})
        )
        self.result = CliRunner().invoke(command.cli, ["--guided", "-t", str(built)], input="\n" * 100)
        self.file = SamConfig(folder).get_all(["deploy"], "parameters")

    def questions(self) -> list[str]:
        """Every question, as SAM marks them."""
        return re.findall(
            r"^\t(?:\033\[1m)?([A-Z][\w .?/]+?)(?:\033\[0m)? \[[^\]]*\]: ?", self.result.output, re.MULTILINE
        )


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Deployment:
    return Deployment(monkeypatch, tmp_path, {})


def test_enter_everywhere_deploys_and_no_question_is_about_authentication(enter: Deployment) -> None:
    """Finding: "Receive has no authentication. Is this okay? [y/N]", whose default aborts."""
    assert enter.result.exit_code == 0, enter.result.output
    assert "no authentication" not in enter.result.output
    (context,) = enter.contexts
    assert context["stack_name"] == "aftersend"
    assert {*context["capabilities"]} == {"CAPABILITY_IAM"}


def test_a_handful_of_parameters_is_asked_for(enter: Deployment) -> None:
    asked = [question.removeprefix("Parameter ") for question in enter.questions() if "Parameter" in question]
    assert {*asked} == find_asked(TEMPLATE)
    assert len(asked) <= 8


def test_answers_go_to_a_file_that_git_does_not_know(enter: Deployment) -> None:
    assert "samconfig.toml" in (ROOT / ".gitignore").read_text().splitlines()
    assert not {name for name in enter.file["parameter_overrides"].split("=") if name in ("Policy", "BatchSize")}
    assert "RetentionDays" in enter.file["parameter_overrides"]


def test_what_deploy_toml_says_is_not_asked_for_and_cannot_be_undone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = Deployment(monkeypatch, tmp_path, {"RetentionDays": "90", "Policy": "[hard]\nlapse_days = 30\n"})
    assert made.result.exit_code == 0, made.result.output
    assert "RetentionDays" not in made.result.output
    assert "RetentionDays" not in made.file["parameter_overrides"]


@pytest.mark.parametrize("webhooks", ["true", "false"])
def test_nor_is_it_asked_with_webhooks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, webhooks: str) -> None:
    made = Deployment(monkeypatch, tmp_path, {"Webhooks": webhooks})
    assert made.result.exit_code == 0, made.result.output
    assert "no authentication" not in made.result.output

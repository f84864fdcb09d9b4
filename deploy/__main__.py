"""The command line: `python -m deploy check|build|deploy|importable`. `make build` and `make deploy` call it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from deploy import changes
from deploy.declared import Json, Wrong, find_asked
from deploy.settle import cut, settle
from deploy.text import read_template, write_template
from deploy.wishes import FILE, Wishes, read

ROOT: Final = Path(__file__).resolve().parents[1]
BUILT: Final = Path(".aws-sam") / "build" / "template.yaml"
_SAM: Final = str(Path(sys.executable).with_name("sam"))


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run one command; return its exit code."""
    options = _parse(arguments)
    template: Json = read_template((root / "template.yaml").read_text("utf-8"))
    try:
        wishes = read(root, template)
        if options.command == "check":
            _say(f"{FILE}: the stack takes it; parameters: {', '.join(wishes.given) or 'none'}")
        elif options.command == "build":
            build(root, wishes)
        elif options.command == "importable":
            _say(_cut(root, options.file))
        else:
            return deploy(root, template, wishes, sure=options.yes)
    except (Wrong, BotoCoreError, ClientError) as error:  # of the last two: no credentials, no permission, no network
        _say(str(error))
        return 1
    except subprocess.CalledProcessError as error:  # SAM has said why
        return int(error.returncode)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy", description=f"Deploy the stack as {FILE} says.")
    actions = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    actions.add_parser("check", help=f"look for mistakes in {FILE}, and in the policy and rules that it names")
    actions.add_parser("build", help="build what `sam deploy` deploys")
    importing = actions.add_parser("importable", help="print of what was built only the resources that a file lists")
    importing.add_argument("file", type=Path, help="resources to import, as `aws cloudformation` takes them")
    deploying = actions.add_parser("deploy", help="show what changes, ask, build and deploy")
    deploying.add_argument("--yes", action="store_true", help="ask nothing")
    return parser.parse_args(arguments)


def build(root: Path, wishes: Wishes) -> None:
    """Build by `sam build`, and settle what its owner has settled."""
    architecture = wishes.given.get("Architecture")
    command = [_SAM, "build"] + ([f"--parameter-overrides=Architecture={architecture}"] if architecture else [])
    surroundings = {"PYTHON": sys.executable} | os.environ | ({"ARCHITECTURE": architecture} if architecture else {})
    subprocess.run(command, check=True, cwd=root, env=surroundings)  # noqa: S603  # no shell, and checked words
    built = root / BUILT
    settled = settle(read_template(built.read_text("utf-8")), wishes.given)
    built.write_text(write_template(settled), "utf-8")
    _say(
        f"Settled by {FILE}: {', '.join(wishes.given)}" if wishes.given else f"No {FILE}: all is as the template has it"
    )


def _cut(root: Path, file: Path) -> str:
    """The template for `aws cloudformation create-change-set --change-set-type IMPORT`."""
    try:
        listed = [each["LogicalResourceId"] for each in json.loads(file.read_text("utf-8"))]
        built = read_template((root / BUILT).read_text("utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Wrong(f"{file}: {error!r}") from error
    return json.dumps(cut(built, listed), indent=2)


def deploy(root: Path, template: Json, wishes: Wishes, *, sure: bool) -> int:
    """Show what changes, ask unless `sure`, build, bring rules to SSM, and have SAM deploy; return the exit code."""
    import boto3  # noqa: PLC0415  # the other commands do without

    session = boto3.Session(profile_name=wishes.profile or None, region_name=wishes.region or None)
    deployed = changes.read_deployed(session.client("cloudformation"), wishes.stack)
    kept = _list_documents(wishes)
    rules_change = [line for each in kept for line in _find_change(session, *each)]
    if not _is_wanted(template, wishes, deployed, rules_change, sure=sure):
        return 1
    build(root, wishes)
    for name, text in kept:
        if _find_change(session, name, text):
            session.client("ssm").put_parameter(
                Name=name, Value=text, Type="String", Overwrite=True, Tier="Intelligent-Tiering"
            )
    command = [_SAM, "deploy", *_options(template, wishes, deployed)]
    command += ["--no-confirm-changeset"] if sure else []
    return subprocess.run(command, check=False, cwd=root).returncode  # noqa: S603  # no shell, and checked words


def _is_wanted(
    template: Json, wishes: Wishes, deployed: changes.Deployed | None, rules_change: list[str], *, sure: bool
) -> bool:
    if deployed is None:
        _say(f"There is no stack {wishes.stack} yet.")
    else:
        found = changes.find_changes(template, wishes, deployed)
        changes.refuse_losses(found, wishes)
        _say(f"Changes of the stack {wishes.stack}:")
        for line in [*changes.describe(template, found, wishes.stack), *rules_change] or ["no parameter and no rule"]:
            _say(f"  {line}")
    return sure or _ask("Build and deploy? [y/N] ") in ("y", "yes")


def _ask(question: str) -> str:
    try:
        return input(question).strip().lower()
    except EOFError:
        raise Wrong("\nNothing was done: nobody is there to be asked. Give --yes if that is what you want.") from None


def _list_documents(wishes: Wishes) -> list[tuple[str, str]]:
    """The rules and the mappings, by the names of their parameters in SSM."""
    if not wishes.rules:
        return []
    parameter = wishes.given["RulesParameter"]
    return [(parameter, wishes.rules), *((f"{parameter}/{source}", text) for source, text in wishes.mappings.items())]


def _find_change(session: Any, name: str, text: str) -> list[str]:
    """The lines in which a document differs from what is in SSM."""
    client = session.client("ssm")
    try:
        stored = client.get_parameter(Name=name)["Parameter"]["Value"]
    except client.exceptions.ParameterNotFound:
        stored = ""
    return changes.describe_rules(stored, text, name)


def _options(template: Json, wishes: Wishes, deployed: changes.Deployed | None) -> list[str]:
    """What SAM is told. What was asked for stays as the stack has it, whatever `samconfig.toml` has kept of answers."""
    found = ["--stack-name", wishes.stack]
    found += ["--region", wishes.region] if wishes.region else []
    found += ["--profile", wishes.profile] if wishes.profile else []
    if deployed is None:
        return found
    asked = find_asked(template) - wishes.given.keys()
    kept = [f'{name}="{value}"' for name, value in sorted(deployed.asked.items()) if name in asked]
    return [*found, "--parameter-overrides", *kept] if kept else found


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())

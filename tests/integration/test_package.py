"""The package without a stack: what it needs and offers, what its page says, how others do on the same mails."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pytest

import aftersend
from aftersend.console import ConsoleSite
from tests.bench import readers
from tests.support import wsgi
from tests.support.api_world import world
from tests.support.package import LAYER, copy_requirements, install_wheel, run_isolated, unpack_wheel
from tests.support.template import ROOT

PAGE: Final = (ROOT / "docs" / "package.md").read_text()
PROJECT: Final = tomllib.loads((LAYER / "pyproject.toml").read_text())["project"]
NEEDED: Final = [re.match(r"[\w-]+", each)[0] for each in PROJECT["dependencies"]]  # type: ignore[index]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The installed package, and what it needs, and nothing else."""
    place = tmp_path_factory.mktemp("small")
    return unpack_wheel(place), copy_requirements(NEEDED, place / "needed")


@pytest.mark.parametrize("script", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_every_example_of_its_page_runs_with_the_small_package_alone(script: str, small: tuple[Path, Path]) -> None:
    expected = "".join(re.findall(r"print\(.*  # (.*)\n", script))
    assert run_isolated(script, *small).stdout.replace("\n", "") == expected


def test_pip_installs_it_in_an_environment_of_its_own(small: tuple[Path, Path], tmp_path: Path) -> None:
    """Issue: "built and installed in a clean environment by a test"; with its command, which reads a bounce there."""
    (wheel,) = small[0].parent.glob("*.whl")
    programs = install_wheel(wheel, NEEDED, tmp_path / "clean")

    def run(program: str, *arguments: str, given: str | None = None) -> str:
        command = [str(programs / program), *arguments]
        where: Any = {"cwd": tmp_path, "env": {"PATH": ""}, "timeout": 120}
        return str(subprocess.run(command, check=True, capture_output=True, text=True, input=given, **where).stdout)

    assert "mailbox" in run("aftersend", "classify", given="550 5.1.1 user unknown\n")
    bounce = ROOT / "events" / "report" / "arf-abuse.eml"
    assert json.loads(run("aftersend", "parse", "report", str(bounce), "--json"))
    script = "from importlib.metadata import distributions; print(*(each.name for each in distributions()))"
    found = run("python", "-c", script).split()
    assert sorted(found) == sorted(["aftersend", *NEEDED])


def test_the_small_package_knows_every_source(small: tuple[Path, Path]) -> None:
    script = (
        "from aftersend.sources import SOURCES, load_parser; print([load_parser(each) and each for each in SOURCES])"
    )
    sources = importlib.import_module("aftersend.sources").SOURCES
    assert run_isolated(script, *small).stdout == f"{list(sources)}\n"


def test_the_small_package_imports_nothing_of_aws(small: tuple[Path, Path]) -> None:
    script = "import sys, aftersend; aftersend.judge_reply('550 user unknown'); print(*sys.modules)"
    assert not [name for name in run_isolated(script, *small).stdout.split() if "aws" in name or "boto" in name]


def test_the_package_brings_the_console_whole(small: tuple[Path, Path]) -> None:
    script = "from aftersend.console import ConsoleSite; print([*ConsoleSite().measure()])"
    assert run_isolated(script, *small).stdout == f"{[*ConsoleSite().measure()]}\n"


def run_command(small: tuple[Path, Path], *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command with the small package alone."""
    script = f"import sys; from aftersend_cli.__main__ import main; sys.exit(main({list(arguments)!r}))"
    return run_isolated(script, *small, check=False, **variables)


@pytest.mark.parametrize(
    ("arguments", "extra", "hint"),
    [
        (["sync", "--stack", "x"], "cli", False),
        (["rabbitmq", "--stack", "x", "--queue", "results=a"], "rabbitmq", False),
        (["why", "ann@example.com", "--stack", "x"], "cli", True),
        (["check", "--recipient", "ann@example.com", "--api", "https://example.com"], "cli", True),
    ],
)
def test_the_command_says_what_it_lacks(arguments: list[str], extra: str, hint: bool, small: tuple[Path, Path]) -> None:
    done = run_command(small, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert f"pip install 'aftersend[{extra}]'" in done.stderr
    assert ("AFTERSEND_TOKEN" in done.stderr) == hint


def test_the_small_package_explains_and_completes_every_command(small: tuple[Path, Path]) -> None:
    done = run_command(small, "completion", "bash")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--redrive" in done.stdout and "--dry-run" in done.stdout


TOKEN: Final = {"AFTERSEND_TOKEN": wsgi.TOKEN.removeprefix("Bearer ")}
KEYS: Final = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-west-1"}


def test_the_small_package_asks_an_api_with_a_token(small: tuple[Path, Path]) -> None:
    with wsgi.serving(world().context) as url:
        why = run_command(small, "why", "old.account@example.net", "--api", url, **TOKEN)
        check = run_command(small, "check", "--recipient", "ann@example.com", AFTERSEND_API=url, **TOKEN)
        signed = run_command(small, "check", "--recipient", "ann@example.com", "--api", url, **KEYS)
    assert (why.returncode, why.stdout.startswith("No mail is sent to old.account@example.net")) == (1, True)
    assert (check.returncode, check.stdout) == (0, "allowed  ann@example.com\n")
    assert signed.returncode == 4, "the signed request has reached an API that takes tokens alone"


def test_the_small_package_parses_and_classifies(small: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "replies.txt").write_text("550 5.1.1 User unknown\n")
    assert "user_unknown" in run_command(small, "classify", str(tmp_path / "replies.txt")).stdout
    parsed = run_command(small, "parse", "ses", str(ROOT / "events" / "ses" / "bounce-idn-recipient.json"))
    assert (parsed.returncode, parsed.stderr) == (0, "") and "bounced" in parsed.stdout


def test_its_page_names_all_that_it_offers_and_nothing_else() -> None:
    named = set(re.findall(r"^\| `(\w+)[`(]", PAGE, re.MULTILINE))
    assert named == set(aftersend.__all__)
    for name in aftersend.__all__:
        assert getattr(aftersend, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        aftersend.nothing  # noqa: B018


def test_every_extra_is_explained() -> None:
    for extra in PROJECT["optional-dependencies"]:
        assert f"aftersend[{extra}]" in PAGE


def _find_row(name: str) -> list[str]:
    """The first row of a reader on the page, without what is measured in time."""
    (row, *_) = re.findall(rf"^\| {re.escape(name)} \| (.*) \|$", PAGE, re.MULTILINE)
    return str(row).split(" | ")[:6]


def test_the_comparison_on_its_page_is_what_comes_out() -> None:
    mails = list(readers.list_own())
    rivals = {"aftersend": readers.read_ours, f"flufl.bounce {metadata.version('flufl.bounce')}": readers.read_flufl}
    for name, read in rivals.items():
        assert _find_row(name) == readers.judge(mails, [read(each.raw) for each in mails])


def test_what_readers_say_otherwise_is_grouped_by_kind() -> None:
    mails = list(readers.list_own())
    assert not readers.group_differences(mails, [readers.read_ours(each.raw) for each in mails])
    answers = [readers.read_flufl(each.raw) for each in mails]
    found = readers.group_differences(mails, answers)
    right, compared = readers.judge(mails, answers)[2].split(" of ")
    assert sum(len(each.mails) for each in found) == int(compared) - int(right) > 0
    assert "not hard, soft mailbox_full" in {each.expected for each in found}
    assert [len(each.mails) for each in found] == sorted((len(each.mails) for each in found), reverse=True)


@pytest.mark.skipif(not readers.find_sisimai(), reason="Perl has no Sisimai here: apt-get install libsisimai-perl")
def test_what_its_page_says_of_sisimai_is_what_comes_out() -> None:
    mails = list(readers.list_own())
    assert _find_row(f"Sisimai {readers.find_sisimai()}") == readers.judge(
        mails, readers.read_by_sisimai(mails).answers
    )

"""How many systems word the same refusal is judged as the files beside the rules say."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from aftersend.classify import load
from local.samples import ROOT
from local.wordings import Wording, WordingError, list_files, read_file

FILES = list_files()


def wrong(wording: Wording) -> str | None:
    """What is wrong with the verdict on a wording, for people; None where nothing is."""
    verdict = wording.judge(load())
    if (verdict.reason, verdict.klass) == (wording.reason, wording.klass):
        return None
    return (
        f"{wording.path}:{wording.line}: {wording.reason}/{wording.klass} expected, but {verdict.rule} says"
        f" {verdict.reason}/{verdict.klass}: {wording.shown}"
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_wordings_are_judged_as_their_file_says(path: Path) -> None:
    wordings = list(read_file(path))
    assert wordings, "no wording in it"
    if mistakes := [mistake for mistake in map(wrong, wordings) if mistake]:
        pytest.fail("\n" + "\n".join(mistakes), pytrace=False)


def test_there_are_wordings() -> None:
    assert FILES


def test_a_wording_stands_in_one_place() -> None:
    places: dict[object, list[str]] = {}
    for wording in (each for path in FILES for each in read_file(path)):
        places.setdefault((wording.source, wording.kind, wording.evidence), []).append(wording.place)
    assert not [each for each in places.values() if len(each) > 1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("reason\ttext\nexpired\tlate", "1: the columns must be reason, class"),
        ("reason\tclass\tcolour", "1: the columns must be reason, class"),
        ("reason\tclass\ttext\ttext", "1: the columns must be reason, class"),
        ("# about\n\nreason\tclass\ttext\nexpired\tsoft", "4: 2 cells under 3 columns"),
        ("reason\tclass\ttext\nexpired\tsoft\tlate\tmore", "2: 4 cells under 3 columns"),
        ("reason\tclass\ttext\nexpired soft late", "2: 1 cells under 3 columns"),
        ("reason\tclass\ttext\nlate\tsoft\tlate", "2: 'late' is not a valid Reason"),
        ("reason\tclass\ttext\nexpired\tharsh\tlate", "2: 'harsh' is not a valid Class"),
        ("reason\tclass\tkind\ttext\nexpired\tsoft\tlater\tlate", "2: 'later' is not a valid Kind"),
    ],
)
def test_a_line_that_is_no_wording_is_named(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "some.tsv"
    path.write_text(text)
    with pytest.raises(WordingError) as raised:
        list(read_file(path))
    assert str(raised.value).startswith(f"{path}:{problem}")


def test_every_column_counts(tmp_path: Path) -> None:
    path = tmp_path / "some.tsv"
    path.write_text(
        "reason\tclass\tsource\tkind\tcode\tstatus\tcommand\taction\tremote_mta\tprovider_code\ttext\n"
        "expired\tsoft\tses\tdeferred\t450\t4.4.7\tDATA\tfailed\tmx.b.example\tDelay/x\tlate\n"
        "expired\tsoft\t\t\t\t\t\t\t\t\tlate\n"
    )
    full, bare = read_file(path)
    assert (full.source, full.kind, full.evidence.code, full.evidence.status) == ("ses", "deferred", 450, "4.4.7")
    assert (full.evidence.phase, full.evidence.action, full.evidence.remote_mta) == ("data", "failed", "mx.b.example")
    assert (full.evidence.provider_code, full.evidence.text, full.place) == ("Delay/x", "late", "some.tsv:2")
    assert (bare.source, bare.kind, bare.evidence.text, bare.evidence.code) == ("report", "bounced", "late", None)


def test_addresses_are_made_up() -> None:
    for wording in (each for path in FILES for each in read_file(path)):
        for domain in re.findall(r"@([\w-]+\.[\w.-]*\w)", wording.shown):
            assert domain.lower().endswith(".example"), wording.place


def test_a_wheel_ships_none() -> None:
    settings = tomllib.loads((ROOT / "layers" / "aftersend" / "pyproject.toml").read_text())["tool"]["setuptools"]
    shipped = settings["package-data"]["*"]
    assert not [path.name for path in FILES if any(fnmatch(path.name, pattern) for pattern in shipped)]


def test_a_verdict_that_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "some.tsv"
    path.write_text("reason\tclass\ttext\nmailbox_full\tsoft\tmailbox full\nexpired\tsoft\tmailbox full\n")
    assert [wrong(wording) for wording in read_file(path)] == [
        None,
        f"{path}:3: expired/soft expected, but mailbox.full says mailbox_full/soft: mailbox full",
    ]

"""The shipped rules keep their own examples, name each pattern once, and are the same when they come compiled."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import json

import aftersend
from aftersend.classify import Classifier, evidence_from, load
from aftersend.classify.mistakes import find_broken_examples
from aftersend.classify.pattern import Matcher, Pattern, compile_pattern
from aftersend.classify.rules import RuleDefinition, parse, split_lines
from aftersend.classify.shipped import COMPILED, FOLDER, ORDER, Compiled, load_shipped, store_compiled
from aftersend.core.model import Reason

RULES = [rule for name in ORDER for rule in parse((FOLDER / f"{name}.toml").read_text("utf-8"))]
TEXT_RULES = [rule for rule in RULES if rule.when.text or rule.when.all]


# -- The shipped rules -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.id)
def test_a_rule_decides_its_examples_and_leaves_the_others_alone(rule: RuleDefinition) -> None:
    assert split_lines(rule.example)
    assert not list(find_broken_examples(rule, load()))


def test_examples_are_made_up() -> None:
    for rule in RULES:
        for text in split_lines(rule.example) + split_lines(rule.counter):
            for token in text.replace("<", " ").replace(">", " ").split():
                domain = token.rpartition("@")[2].strip(".,:;()'\"")
                if "@" in token and "." in domain:
                    assert domain.partition(":")[0].endswith((".example", "b..example")), (rule.id, token)


def test_every_id_is_used_once() -> None:
    ids = [rule.id for rule in RULES]
    assert len(ids) == len(set(ids))


def test_every_reason_of_a_refusal_has_a_rule() -> None:
    assert {rule.then.reason for rule in RULES} == set(Reason)


def test_every_file_is_in_the_order() -> None:
    assert {file.stem for file in FOLDER.glob("*.toml")} == set(ORDER)


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.id)
def test_no_pattern_of_a_rule_is_implied_by_another(rule: RuleDefinition) -> None:
    for value in (rule.when.text, rule.when.none):
        matcher, patterns = Matcher(), []
        for entry in split_lines(value):
            pattern = compile_pattern(entry)
            assert pattern is not None
            patterns.append((entry, pattern, matcher.add(pattern)))
        for entry, pattern, number in patterns:
            others = [matcher.find(text) - {number} for size in (0, 1, 8) for text in instances(pattern, size)]
            assert not all(others), (rule.id, entry)


def instances(pattern: Pattern, size: int) -> Iterator[str]:
    """Texts that the pattern matches, with so many words for each star: each alternative is in one of them."""
    if pattern.pieces:
        for at in range(max(map(len, pattern.pieces))):
            yield ("\u5f85" * size).join(group[at % len(group)] for group in pattern.pieces)
    for at in range(max(map(len, pattern.groups), default=0)):
        words: list[str] = []
        for number, group in enumerate(pattern.groups):
            words += ["zzq"] * (size if number else 0)
            words += [
                word[:-1] + ("zq" if size else "") if word.endswith("*") else word for word in group[at % len(group)]
            ]
        yield " ".join(words)


# -- Compiled rules ----------------------------------------------------------------------------------------------------


def test_rules_read_back_compiled_give_the_same_verdicts() -> None:
    compiled = json.decode(json.encode(load_shipped()), type=Compiled)
    again = Classifier(compiled.rules, compiled.matcher, compiled.passing)
    for rule in TEXT_RULES:
        for text in split_lines(rule.example):
            evidence = evidence_from(text=text)
            assert again.judge(source="report", evidence=evidence) == load().judge(source="report", evidence=evidence)


def test_rules_are_compiled_to_the_same_bytes_by_every_process(tmp_path: Path) -> None:
    """A set has another order in each process, and a build must not: the same sources are the same layer."""
    shutil.copytree(Path(aftersend.__file__).parent, tmp_path / "aftersend", ignore=shutil.ignore_patterns(COMPILED))
    digests = set()
    for seed in ("1", "2", "3"):
        environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-m", "aftersend.classify"], check=True, cwd=tmp_path, env=environment)
        stored = (tmp_path / "aftersend" / "classify" / "rules" / COMPILED).read_bytes()
        digests.add(hashlib.sha256(stored).hexdigest())
        assert json.decode(stored, type=Compiled) == load_shipped()
    assert len(digests) == 1


def folder_of_one_rule(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Puts a folder with one rule, "only", in the place of the shipped rules, and an empty one in that of mappings."""
    rules = folder / "rules"
    rules.mkdir()
    for name in ORDER:
        (rules / f"{name}.toml").write_text("")
    (rules / "late.toml").write_text('[[rule]]\nid = "only"\nwhen.text = "moonlight"\nthen.reason = "blocked"\n')
    monkeypatch.setattr("aftersend.classify.shipped.FOLDER", rules)
    monkeypatch.setattr("aftersend.classify.shipped.MAPPINGS", folder / "mappings")
    (folder / "mappings").mkdir()
    return rules


def test_compiled_rules_are_taken_only_while_their_sources_are_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rules = folder_of_one_rule(monkeypatch, tmp_path)
    assert store_compiled() == rules / COMPILED
    stored = (rules / COMPILED).read_bytes()
    (rules / COMPILED).write_bytes(stored.replace(b'"only"', b'"taken"'))
    assert [rule.id for rule in load_shipped().rules] == ["taken"]
    (rules / "late.toml").write_text('[[rule]]\nid = "newer"\nwhen.text = "moonlight"\nthen.reason = "blocked"\n')
    assert [rule.id for rule in load_shipped().rules] == ["newer"]
    (rules / COMPILED).write_bytes(b"{")
    assert [rule.id for rule in load_shipped().rules] == ["newer"]
    assert store_compiled()
    (tmp_path / "mappings" / "acme.toml").write_text('source = "acme"\n[reasons]\nfull = "mailbox_full"\n')
    assert [rule.id for rule in load_shipped().rules] == ["newer", "acme.provider-codes-1-mailbox_full"]

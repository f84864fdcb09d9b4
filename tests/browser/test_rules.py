"""A rule is made in a real browser: tried as it is written, then on everything stored, and nothing of it is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import pytest

from aftersend.aws import boto
from aftersend.aws.tasks import run_calls
from aftersend.core.model import Evidence
from aftersend.storage.unmatched import UnmatchedTexts
from tests.support.browser import Site, Visitor, lack, open_site
from tests.support.console_world import RIDDLE
from tests.support.facts import bounce
from tests.support.ports import NOW

CROWD: Final = 40
RIDDLES: Final = 6  # messages in these words, to as many people: see `console_world`
pytestmark = [pytest.mark.browser, pytest.mark.skipif(lack() is not None, reason=str(lack()))]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with open_site(CROWD) as made:
        stack = made.made.stack
        texts = UnmatchedTexts(stack.physical_ids("AWS::DynamoDB::Table")["UnmatchedTexts"], timedelta(days=9000))
        client = boto.adapt_client(stack.client("dynamodb"), "dynamodb")
        for number, text in enumerate((RIDDLE.format(1), RIDDLE.format(2), "550 zorp beyond words")):
            fact = bounce(number, message=f"test:{number}", evidence=Evidence(text=text))
            run_calls(texts.count(fact, NOW), {"dynamodb": client})
        yield made


@pytest.fixture
def visitor(site: Site) -> Iterator[Visitor]:
    with site.visit() as made:
        yield made


def stored(site: Site) -> list[str]:
    """Both tables, as they are."""
    tables = site.made.stack.physical_ids("AWS::DynamoDB::Table")
    client = site.made.stack.client("dynamodb")
    found = [client.scan(TableName=tables[name])["Items"] for name in ("Outcomes", "Suppressions")]
    return [json.dumps(each, sort_keys=True, default=str) for each in found]


def test_a_rule_for_what_no_rule_knew_is_tried_on_everything_in_three_steps(visitor: Visitor, site: Site) -> None:
    """Open, make a rule, try it on everything: then it says what would change, and how to make it real."""
    before = stored(site)
    visitor.open("#/operations")
    visitor.see("quuxd frobnication")
    visitor.press("Make a rule…", "tr:has-text('quuxd')")
    assert visitor.page.get_by_label("The words, in their order").input_value() == "quuxd frobnication mismatch"
    visitor.see("By today's rules these words mean: no rule knows them.")
    visitor.see("With this rule they mean: no such mailbox (The address), by user:mine.")
    visitor.see("It decides 1 of 2 texts that no rule knew.")
    visitor.press("Try on everything stored", "dialog")
    visitor.see(f"{RIDDLES} of ")
    dialog = visitor.page.locator("dialog")
    dialog.get_by_text("more suppressed").wait_for()
    said = dialog.inner_text()
    assert f"{RIDDLES}\nmore suppressed" in said or f"{RIDDLES} more suppressed" in said
    assert f"Would begin to hold: Refused for good: {RIDDLES}" in said
    assert "precedence" not in said, "no rule knew them"
    assert "aftersend reevaluate --stack aftersend-local" in said
    assert visitor.steps == 3
    assert stored(site) == before
    (job,) = site.ask("GET", "/jobs?job=trial")["jobs"]
    assert (job["state"], job["tried"]["suppressed"]) == ("done", RIDDLES)
    visitor.page.keyboard.press("Escape")
    visitor.go("#/lists/jobs", ".table")
    visitor.see("Trial of rules")


def test_it_is_tried_at_each_change_and_a_mistake_stands_at_its_field(visitor: Visitor) -> None:
    visitor.open("#/operations")
    visitor.press("Make a rule…", "tr:has-text('zorp')")
    visitor.see("It decides 1 of 2 texts")
    words = visitor.page.get_by_label("The words, in their order")
    words.fill("quuxd")
    visitor.see("This rule does not decide these words")
    words.fill("*")
    visitor.see("It cannot be loaded: rule mine: when.text: nothing to look for")
    assert words.get_attribute("aria-invalid") == "true"
    assert visitor.page.locator("dialog").get_by_role("button", name="Try on everything stored").count() == 0
    words.fill("zorp")
    visitor.see("With this rule they mean")
    visitor.page.get_by_label("What it means").select_option("blocked")
    visitor.see("our server is on a block list (Our side), by user:mine")
    visitor.page.get_by_label("A name for it").fill("no name")
    visitor.see("It cannot be loaded: rule 'no name': id")


def test_it_is_made_and_tried_by_the_keyboard_alone(visitor: Visitor) -> None:
    visitor.open("#/operations")
    visitor.see("zorp beyond words")
    page = visitor.page
    page.locator("tr:has-text('zorp') button").focus()
    page.keyboard.press("Enter")
    visitor.see("With this rule they mean")

    def find_focused() -> str:
        return str(page.evaluate("document.activeElement.textContent"))

    for _ in range(12):
        if find_focused() == "Try on everything stored":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    visitor.see("Nothing that is stored would change.")
    assert page.locator("dialog [role=status]").last.inner_text().startswith("Nothing that is stored would change.")
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    assert find_focused() == "Make a rule…"


def test_a_rule_that_changed_since_it_was_tried_is_said_to_have(visitor: Visitor) -> None:
    visitor.open("#/operations")
    visitor.press("Make a rule…", "tr:has-text('quuxd')")
    visitor.press("Try on everything stored", "dialog")
    visitor.see("more suppressed")
    visitor.page.get_by_label("What it means").select_option("mailbox_full")
    visitor.see("The rule has changed since it was tried.")
    assert visitor.page.get_by_text("more suppressed").count() == 0


def test_whoever_may_not_is_not_offered_it_and_told_why(site: Site) -> None:
    with site.visit() as visitor:
        mine = {"identity": "a", "name": "a", "signed_with": "jwt", "allowed": ["ask"]}
        visitor.page.route("**/me", lambda route: route.fulfill(json=mine))
        visitor.open("#/operations")
        visitor.press("Make a rule…", "tr:has-text('quuxd')")
        visitor.see("Your role may not work on whole lists.")
        visitor.see("With this rule they mean")
        assert visitor.page.get_by_role("button", name="Try on everything stored").count() == 0


def test_a_stack_that_does_not_answer_says_so(visitor: Visitor) -> None:
    visitor.page.route("**/rules/trials", lambda route: route.fulfill(status=503, json={"detail": "send it again"}))
    visitor.open("#/operations")
    visitor.press("Make a rule…", "tr:has-text('quuxd')")
    visitor.press("Try on everything stored", "dialog")
    visitor.page.get_by_role("alert").wait_for()
    assert visitor.page.get_by_role("button", name="Try again").count() == 1


def test_no_barrier_and_no_sideways_scrolling(visitor: Visitor) -> None:
    visitor.open("#/operations")
    visitor.press("Make a rule…", "tr:has-text('quuxd')")
    visitor.press("Try on everything stored", "dialog")
    visitor.see("more suppressed")
    closed = visitor.page.locator("dialog details:not([open]) summary")
    while closed.count():
        closed.first.click()
    for scheme, width in (("light", 1100), ("dark", 320)):
        visitor.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        visitor.page.set_viewport_size({"width": width, "height": 900})
        assert visitor.find_barriers() == []
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width
        inside = visitor.page.evaluate("(d => [d.scrollWidth, d.clientWidth])(document.querySelector('dialog'))")
        assert inside[0] <= inside[1], width

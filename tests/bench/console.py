"""The console in a real browser over a stack with ten thousand outcomes: how much is loaded, and when it is useful.

A page is opened afresh, with nothing in the browser's cache, until there is what somebody came for. The stack is the
one of this machine, whose tables are moto's: a function's answer takes longer there than DynamoDB's. Before that, tasks
of a support agent and a data person are walked and counted in steps and requests.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Final

from aftersend.console import ConsoleSite
from tests.bench import table
from tests.support.browser import Site, Visitor, lack, open_site

OUTCOMES: Final = 10_000
TURNS: Final = 5
WHOLE, FIRST = 60.0, 30.0  # KB, compressed
PLACES: Final = {
    "Address: the answer": ("#/address/old.account@example.net", "text=there is no such mailbox"),
    "Message: one of 33 recipients": ("#/message/ses:0102-b2?to=old.account@example.net", ".timeline"),
    "Review": ("#/review", ".item"),
    "Lists: newly suppressed": ("#/lists/new", ".table"),
    "Numbers: 14 days": ("#/numbers", ".chart, .empty"),
    "What went wrong: 7 days": ("#/problems", ".items"),
}
_ASSETS: Final = """() => performance.getEntriesByType('resource')
  .filter((each) => each.name.includes('/assets-'))
  .reduce((sum, each) => sum + each.encodedBodySize, 0)
  + performance.getEntriesByType('navigation')[0].encodedBodySize"""


def _ask_why(visitor: Visitor) -> None:
    visitor.look_up("old.account@example.net")
    visitor.see("there is no such mailbox")


def _ask_about_message(visitor: Visitor) -> None:
    visitor.look_up("ses:0102-b2 old.account@example.net")
    visitor.see("nothing will be tried again.")


def _lift(visitor: Visitor) -> None:
    visitor.look_up("back.again@example.org")
    visitor.press("Lift…")
    visitor.page.get_by_label("Why do you lift it?").fill("Clicked in our newsletter.")
    visitor.press("Lift it", "dialog")
    visitor.see("That is stored.")


def _check(visitor: Visitor) -> None:
    visitor.look_up("old.account@example.net, team01@example.net")
    visitor.see("1 may be written to, 1 may not")


TASKS: Final[dict[str, Callable[[Visitor], None]]] = {
    "why does this person get no mail?": _ask_why,
    "… and lift it, with a note": _lift,
    "what became of this message to them?": _ask_about_message,
    "which of these may I write to?": _check,
}


def main() -> None:
    """Print the tables, or say what is missing."""
    if why := lack():
        sys.stdout.write(f"console: {why}\n")
        return
    begin = time.perf_counter()
    measured = ConsoleSite().measure()
    made = (time.perf_counter() - begin) * 1000
    sizes = {path: size / 1024 for path, size in measured.items() if not path.endswith((".txt", ".json"))}
    weights = [(path.rpartition("/")[2] or "the page itself", f"{size:.1f} KB") for path, size in sizes.items()]
    table.show(f"The console: what is sent, compressed, made in {made:.0f} ms", ("file", "weighs"), weights)
    with open_site(OUTCOMES) as site:
        tasks = [_walk(site, name, task) for name, task in TASKS.items()]
        rows, first = [], 0.0
        for name, (place, wait) in PLACES.items():
            taken, loaded = zip(*(_open(site, place, wait) for _ in range(TURNS)), strict=True)
            first = first or max(loaded) / 1024
            rows.append((name, f"{median(taken) * 1000:.0f} ms", f"{max(loaded) / 1024:.1f} KB"))
    table.show("The console: tasks", ("task", "steps", "requests", "seconds"), tasks)
    table.show(
        f"The console over {OUTCOMES:,} outcomes, from nothing to what one came for",
        ("page", "median", "loaded"),
        rows,
        (table.goal("all of it, KB", sum(sizes.values()), WHOLE), table.goal("first screen, KB", first, FIRST)),
    )


def _walk(site: Site, name: str, task: Callable[[Visitor], None]) -> tuple[str, str, str, str]:
    with site.visit() as visitor:
        visitor.open()
        steps, asked, begin = visitor.steps, len(visitor.asked), time.perf_counter()
        task(visitor)
        taken = time.perf_counter() - begin
        return name, str(visitor.steps - steps), str(len(visitor.asked) - asked), f"{taken:.1f}"


def _open(site: Site, place: str, wait: str) -> tuple[float, float]:
    with site.visit() as visitor:
        visitor.page.set_default_timeout(300_000)
        begin = time.perf_counter()
        visitor.page.goto(site.url + place)
        visitor.page.locator(wait).first.wait_for()
        return time.perf_counter() - begin, float(visitor.page.evaluate(_ASSETS))

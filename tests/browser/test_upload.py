"""A list that is too large for the API, in a real browser: it is dropped, tried, and imported from the same file."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.browser import Site, Visitor, lack, open_site

if TYPE_CHECKING:
    from playwright.sync_api import Request

pytestmark = [pytest.mark.browser, pytest.mark.skipif(lack() is not None, reason=str(lack()))]

ROWS: Final = 110
MOST: Final = 5 * 1024 * 1024
# So few rows that they are worked in no time; what else stands in them is ignored.
LIST: Final = b"emailaddress,reason,lastupdatetime,comment\n" + b"".join(
    b"uploaded%d@example.org,BOUNCE,2026-03-01T00:00:00Z,%s\n" % (number, b"x" * 60_000) for number in range(ROWS)
)
TRIED: Final = "This is what would change. Nothing is written yet."
_DROP: Final = """async ([selector, name, path]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([await (await fetch(path)).arrayBuffer()], name, { type: 'text/csv' }));
  for (const type of ['dragover', 'drop']) {
    document.querySelector(selector).dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with open_site(0) as made:
        yield made


@pytest.fixture
def visitor(site: Site) -> Iterator[Visitor]:
    with site.visit() as made:
        yield made


def drop(visitor: Visitor, body: bytes, name: str = "bounces.csv") -> None:
    """Drop a file on the page, as a hand does."""
    visitor.page.route("**/dropped", lambda route: route.fulfill(body=body))
    visitor.page.evaluate(_DROP, [".drop", name, "dropped"])
    visitor.steps += 1


def test_a_large_list_is_dropped_tried_and_imported_from_the_same_file(visitor: Visitor, site: Site) -> None:
    assert len(LIST) > MOST
    sent: list[Request] = []
    visitor.page.on("request", lambda request: sent.append(request) if request.method in ("PUT", "POST") else None)
    visitor.page.evaluate("() => 0")
    visitor.open("#/lists/import")
    visitor.page.evaluate(
        """() => {
          window.seen = [];
          new MutationObserver(() => {
            for (const each of document.querySelectorAll('progress')) window.seen.push([each.getAttribute('aria-label'), each.value, each.max]);
          }).observe(document.body, { childList: true, subtree: true, attributes: true });
        }"""
    )
    drop(visitor, LIST)
    visitor.see(f"bounces.csv, {len(LIST) / 1024 / 1024:.1f} MB")
    visitor.press("Try it (nothing is written)")
    visitor.see(TRIED)
    article = visitor.page.locator("article").inner_text()
    assert re.search(rf"{ROWS} rows\s+{ROWS} new", article), article
    print(visitor.page.evaluate("() => window.seen"))
    visitor.press(f"Import {ROWS}")
    visitor.see("This was imported.")
    print([f"{each.method} {each.url}" for each in sent])
    print(visitor.steps)

"""Pictures of the console for README and docs: `python -m tests.support.pictures [NAME…]`, into docs/pictures/.

They are of the real page over a stack on this machine; the people in it are made up (`tests.support.console_world`).
"""

from __future__ import annotations

import sys
from typing import Final

from tests.support.browser import Site, Visitor, lack, open_site
from tests.support.template import ROOT

FOLDER: Final = ROOT / "docs" / "pictures"
LIFT: Final = "console-lift"
LARGEST: Final = 200_000  # bytes of a picture

# name: place, what must be there, scheme, width, whether the whole page is shown
SHOTS: Final = {
    "console-address": ("#/address/old.account@example.net", ".timeline, .table", "light", 1100, True),
    "console-address-dark": ("#/address/old.account@example.net", ".table", "dark", 1100, True),
    "console-address-narrow": ("#/address/annoyed@example.com", ".table", "light", 320, False),
    "console-message": ("#/message/ses:0102-b2?to=old.account@example.net", ".timeline", "light", 1100, True),
    "console-problems": ("#/problems", ".items", "light", 1100, True),
    "console-numbers": ("#/numbers", ".chart", "light", 1100, False),
    "console-numbers-dark": ("#/numbers", ".chart", "dark", 1100, False),
    "console-review": ("#/review", ".item", "light", 1100, True),
    "console-import": ("#/lists/import", ".drop", "light", 1100, False),
    "console-operations": ("#/operations", ".facts-list", "light", 1100, False),
}


def main() -> int:
    """Take all of them, or say what is missing."""
    if why := lack():
        sys.stderr.write(f"no pictures: {why}\n")
        return 1
    FOLDER.mkdir(exist_ok=True)
    names = sys.argv[1:] or [*SHOTS, LIFT]
    charts = [
        name for name in names if "numbers" in name
    ]  # of a larger sender's counters, whose outcomes are not there
    for some, messages_a_day in (([name for name in names if name not in charts], 0), (charts, 30_000)):
        if some:
            with open_site(600, messages_a_day) as site:
                site.park("sendgrid", "events[0]: no field sg_message_id")
                for name in some:
                    if name == LIFT:
                        take_dialog(site)
                    else:
                        take(site, name)
    return 0


def take_dialog(site: Site) -> None:
    """Take a picture of the dialog that lifts a suppression."""
    with site.visit(color_scheme="light") as visitor:
        visitor.open("#/address/annoyed@example.com")
        visitor.press("Lift against the complaint…")
        visitor.page.get_by_label("How did they ask for it?").fill("Wrote to us that it was a mistake.")
        save(visitor, LIFT, whole=False)


def take(site: Site, name: str) -> None:
    """Take one picture."""
    place, wait, scheme, width, whole = SHOTS[name]
    with site.visit(color_scheme=scheme, viewport={"width": width, "height": 900}) as visitor:
        visitor.page.set_default_timeout(120_000)
        visitor.open(place)
        visitor.page.locator(wait).first.wait_for()
        visitor.page.get_by_text("aftersend-local").first.wait_for(state="attached")
        visitor.page.wait_for_load_state("networkidle")
        save(visitor, name, whole=whole)


def save(visitor: Visitor, name: str, *, whole: bool) -> None:
    """Write what is on the page; raises AssertionError where the file is too large for a page that shows it."""
    path = FOLDER / f"{name}.png"
    visitor.page.screenshot(path=path, full_page=whole, animations="disabled")
    size = path.stat().st_size
    assert size <= LARGEST, f"{name}: {size} bytes"
    sys.stdout.write(f"{path.relative_to(ROOT)}  {size / 1000:.0f} KB\n")


if __name__ == "__main__":
    sys.exit(main())

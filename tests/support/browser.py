"""A person at the console, in a real browser: what they do is counted in steps, and what the page asks in requests.

A step is a page opened, a field filled and sent, a button, a confirmation. Every error that the browser reports is a
fault, and so a violation of the page's Content-Security-Policy is one.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from aftersend.console.site import STATIC
from local.pushes import serving
from local.serve import Served, served
from local.stack import COUNTED, running
from tests.support.console_world import People, fill, now
from tests.support.template import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

AXE: Final = ROOT / "tests" / "vendor" / "axe-core" / "axe.min.js.gz"
ZONE: Final = "Europe/Berlin"
# The page itself, and who is there: once for a visit, and no answer waits for it.
_ASIDE: Final = ("/assets-", "/me/", "/configuration/")
# Chromium writes this of every answer that is no success; which of them are right, each test says itself.
_ANSWERED: Final = "Failed to load resource: the server responded with a status of"


def lack() -> str | None:
    """What is missing to open a browser here."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "playwright is not installed"
    return None if shutil.which("chromium") else "no chromium here"


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium without a window, as Debian has it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


class Site:
    """The console of a stack on this machine, with people in it."""

    def __init__(self, made: Served, people: People, browser: Browser) -> None:
        self.made, self.people, self.browser = made, people, browser
        self.url = f"http://{made.server.host}/"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the API beside the page, as a colleague would."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path.lstrip("/"), data, {"content-type": "application/json"}, method=method)
        with urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def park(self, source: str, reason: str) -> None:
        """Put a body aside that nobody can read, as a function does."""
        stack = self.made.stack
        stack.client("sqs").send_message(
            QueueUrl=stack.physical_ids("AWS::SQS::Queue")["UnreadableBodies"],
            MessageBody="{}",
            MessageAttributes={
                name: {"DataType": "String", "StringValue": text}
                for name, text in (("source", source), ("reason", reason))
            },
        )

    @contextmanager
    def visit(self, **options: Any) -> Iterator[Visitor]:
        """Somebody with a browser of their own; faults are found when they leave."""
        given = {"timezone_id": ZONE, "locale": "en-GB", "viewport": {"width": 1100, "height": 900}} | options
        context = self.browser.new_context(**given)
        try:
            visitor = Visitor(self, context)
            yield visitor
            assert visitor.faults == []
        finally:
            context.close()


@contextmanager
def open_site(crowd: int, messages_a_day: int = 0) -> Iterator[Site]:
    """A stack that is served with a sender's fortnight in it, and a browser."""
    with running(parameters=COUNTED) as stack, served(stack) as made, serving(made.server), open_browser() as browser:
        made.notes.quiet = True
        people = People(now())
        fill(stack, people, crowd, messages_a_day)
        yield Site(made, people, browser)


class Visitor:
    """Somebody at the console."""

    def __init__(self, site: Site, context: BrowserContext) -> None:
        self.site, self.steps = site, 0
        self.asked: list[str] = []  # "GET /recipients/…", without what belongs to the page itself
        self.faults: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._note)
        self.page.on("request", self._count)

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_ANSWERED):
            self.faults.append(message.text)

    def _count(self, request: Any) -> None:
        url = urlsplit(request.url)
        if request.url.startswith(self.site.url) and not f"{url.path}/".startswith(_ASIDE) and url.path != "/":
            self.asked.append(f"{request.method} {unquote(url.path)}")

    def open(self, place: str = "") -> Visitor:
        """Open a page by its address behind the #."""
        self.page.goto(self.site.url + place)
        self.page.wait_for_selector("main h1, main h2")
        self.steps += 1
        return self

    def go(self, place: str, wait: str) -> None:
        """Go to another page of the same visit, until there is what `wait` selects."""
        self.page.evaluate("place => { location.hash = place }", place)
        self.page.wait_for_selector(wait)
        self.steps += 1

    def run(self, module: str, script: str, given: Any = None) -> Any:
        """Run a function of JavaScript with a module of the console as it stands in the repository, and `given`."""
        self.page.route(
            re.compile(r"/sources/"),
            lambda route: route.fulfill(path=STATIC / urlsplit(route.request.url).path.removeprefix("/sources/")),
        )
        return self.page.evaluate(
            f"async ([path, given]) => ({script})(await import(path), given)", [f"/sources/{module}", given]
        )

    def look_up(self, text: str) -> None:
        """Type into the look-up box, and send it."""
        self.page.get_by_role("search").get_by_role("textbox").fill(text)
        self.page.keyboard.press("Enter")
        self.steps += 1

    def press(self, name: str, within: str = "body") -> None:
        """Press a button or follow a link by its name, once nothing that comes in moves it from under the pointer."""
        self.page.wait_for_function("() => !document.querySelector('main .busy')")
        place = self.page.locator(within)
        place.get_by_role("button", name=name).or_(place.get_by_role("link", name=name)).first.click()
        self.steps += 1

    def fill(self, **fields: str) -> None:
        """Fill fields by the beginning of their labels: part of the step that sends them."""
        for label, text in fields.items():
            self.page.get_by_label(label.replace("_", " ")).last.fill(text)

    def see(self, text: str) -> None:
        """Wait until this text is on the page."""
        self.page.get_by_text(text).first.wait_for()

    @property
    def headline(self) -> str:
        """The first heading."""
        return str(self.page.locator("main h1").first.inner_text())

    def find_barriers(self) -> list[str]:
        """What axe finds on the page as it is."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(gzip.decompress(AXE.read_bytes()).decode())
        found = self.page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{each['id']}: {node['target']} {node.get('failureSummary', '')}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

"""A list that is too large for the API, in a real browser: it is dropped, tried, and imported from the same file.

The page is opened in each of the three ways there are, over a stack on this machine.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from wsgiref.simple_server import make_server

import pytest

from aftersend.console.hosted import PATH
from aftersend_cli.endpoint import Endpoint
from aftersend_cli.loopback import serve
from local.serve_routes import Gateway, Request
from tests.support import wsgi
from tests.support.browser import Site, Visitor, lack, open_site
from tests.support.issuer import FakeIssuer, list_faults, make_console
from tests.support.template import RESOURCES

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.skipif(lack() is not None, reason=str(lack()))]

AT_ONCE: Final = 5 * 1024 * 1024  # bytes that the API takes with a request
ROWS: Final = 110
TRY: Final = "Try it (nothing is written)"
TRIED: Final = "This is what would change. Nothing is written yet."
_DROP: Final = """async ([name, path]) => {
  const dataTransfer = new DataTransfer();
  const content = await (await fetch(path)).arrayBuffer();
  dataTransfer.items.add(new File([content], name, { type: 'text/csv' }));
  for (const type of ['dragover', 'drop']) {
    const event = new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true });
    document.querySelector('.drop').dispatchEvent(event);
  }
}"""
_WATCH: Final = """() => {
  window.progress = [];
  const look = () => document.querySelectorAll('progress').forEach(
    (each) => window.progress.push([each.getAttribute('aria-label'), each.value, each.max]));
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true });
}"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with open_site(0) as made:
        yield made


@pytest.fixture
def visitor(site: Site) -> Iterator[Visitor]:
    with site.visit() as made:
        yield made


def make_list(name: str) -> bytes:
    """So few rows that they are worked in no time; what else stands in them is ignored."""
    rows = [f"{name}{row}@example.org,BOUNCE,2026-03-01T00:00:00Z,{'x' * 60_000}\n" for row in range(ROWS)]
    body = "".join(["emailaddress,reason,lastupdatetime,comment\n", *rows]).encode()
    assert len(body) > AT_ONCE
    return body


def see(page: Page, text: str) -> None:
    """Wait until this text is on the page."""
    page.locator("main").get_by_text(text).first.wait_for()


def drop(page: Page, body: bytes) -> None:
    """Drop a file on the page, as a hand does."""
    page.route("**/dropped", lambda route: route.fulfill(body=body))
    page.evaluate(_DROP, ["bounces.csv", "dropped"])
    see(page, f"bounces.csv, {len(body) / 1024 / 1024:.1f} MB")


def import_list(page: Page, body: bytes) -> list[str]:
    """Drop a list, try it, and import it; return what was sent, as methods and paths."""
    sent: list[str] = []
    page.on("request", lambda each: sent.append(f"{each.method} {urlsplit(each.url).path}"))
    drop(page, body)
    page.get_by_role("button", name=TRY).click()
    see(page, TRIED)
    assert re.search(rf"{ROWS} rows\s+{ROWS} new", page.locator("article").inner_text())
    page.get_by_role("button", name=f"Import {ROWS}").click()
    see(page, "This was imported.")
    assert re.search(rf"{ROWS} rows\s+{ROWS} new", page.locator("article").inner_text())
    return [each for each in sent if not each.startswith("GET")]


# ---- On this machine ------------------------------------------------------------------------------------------------


def test_a_large_list_is_dropped_tried_and_imported_from_the_same_file(visitor: Visitor, site: Site) -> None:
    visitor.open("#/lists/import")
    visitor.page.evaluate(_WATCH)
    body = make_list("here")
    sent = import_list(visitor.page, body)
    tried = sent[1].removeprefix("PUT /local/uploads/")
    assert sent == [
        "POST /suppressions/import/uploads",
        f"PUT /local/uploads/{tried}",
        f"POST /jobs/{tried}/start",
        f"POST /jobs/{tried}/apply",
    ]
    seen = visitor.page.evaluate("() => window.progress")
    assert {size for _, _, size in seen} == {len(body)}
    assert {label for label, _, _ in seen} == {"Sending …", "Working …"}
    sending = [done for label, done, _ in seen if label == "Sending …"]
    assert sending == sorted(sending)
    assert sending[-1] == len(body)
    (imported, dry) = [each for each in site.ask("GET", "/jobs?job=import")["jobs"] if each.get("read") == len(body)]
    assert (dry["id"], dry["dry_run"], "dry_run" in imported) == (tried, True, False)
    assert site.ask("GET", "/suppressions/here0@example.org")["suppressed"] is True


def test_whoever_comes_back_later_finds_what_was_tried_and_imports_it(visitor: Visitor, site: Site) -> None:
    visitor.open("#/lists/import")
    drop(visitor.page, make_list("later"))
    visitor.press(TRY)
    visitor.see(TRIED)
    assert "?job=" in visitor.page.url
    with site.visit() as other:
        other.open("#/lists/jobs")
        other.page.get_by_role("row").nth(1).get_by_role("link", name="Import").click()
        other.see(TRIED)
        other.press(f"Import {ROWS}")
        other.see("This was imported.")
        other.page.reload()
        other.see("This was imported.")
        assert other.page.get_by_role("button", name=f"Import {ROWS}").count() == 0
    assert site.ask("GET", "/suppressions/later0@example.org")["suppressed"] is True


def test_a_job_is_followed_on_after_the_network_was_away(visitor: Visitor) -> None:
    visitor.open("#/lists/import")
    drop(visitor.page, make_list("away"))
    visitor.page.route("**/jobs/*", lambda route: route.abort())
    visitor.press(TRY)
    visitor.see("there was no answer")
    assert visitor.page.locator("article").count() == 0
    visitor.page.unroute("**/jobs/*")
    visitor.press("Try again")
    visitor.see(TRIED)
    visitor.faults = [each for each in visitor.faults if "net::ERR_FAILED" not in each]


def test_after_another_choice_it_is_tried_again_first(visitor: Visitor) -> None:
    visitor.open("#/lists/import")
    drop(visitor.page, make_list("chosen"))
    visitor.press(TRY)
    visitor.see(TRIED)
    visitor.page.get_by_label("Which list is it?").select_option("ses")
    visitor.see("try it again first")
    assert visitor.page.get_by_role("button", name=f"Import {ROWS}").count() == 0


def test_what_does_not_arrive_is_no_import(visitor: Visitor) -> None:
    visitor.open("#/lists/import")
    drop(visitor.page, make_list("lost"))
    visitor.page.route("**/local/uploads/*", lambda route: route.fulfill(status=502))
    visitor.press(TRY)
    visitor.see("It failed: the file did not arrive (502), and nothing was written.")
    visitor.page.unroute("**/local/uploads/*")
    visitor.press(TRY)
    visitor.see(TRIED)


def test_nobody_may_who_may_not_work_on_whole_lists(visitor: Visitor) -> None:
    visitor.page.route(
        "**/me", lambda route: route.fulfill(json={"name": "ann", "identity": "ann", "allowed": ["ask"]})
    )
    visitor.open("#/address/ann@example.com")
    visitor.see("ann@example.com")
    visitor.go("#/lists/import", "text=it needs the right “bulk”")
    assert visitor.page.locator(".drop").count() == 0


# ---- On loopback ----------------------------------------------------------------------------------------------------


def test_on_loopback_the_list_passes_through_the_command(site: Site) -> None:
    context = site.browser.new_context()
    page = context.new_page()
    faults = list_faults(page)
    hosts: set[str] = set()
    page.on("request", lambda each: hosts.add(urlsplit(each.url).netloc))
    with serve(Endpoint(site.url, "test"), {}) as server:
        page.goto(f"{server.loopback.start}")
        page.goto(f"http://127.0.0.1:{server.server_port}/#/lists/import")
        sent = import_list(page, make_list("loopback"))
        assert re.fullmatch(r"PUT /uploads/[0-9a-f]{32}", sent[1])
        assert hosts == {f"127.0.0.1:{server.server_port}"}
    assert faults == []
    assert site.ask("GET", "/suppressions/loopback0@example.org")["suppressed"] is True
    context.close()


# ---- Hosted ---------------------------------------------------------------------------------------------------------


class Hosting:
    """The HTTP API of a stack that hosts the console."""

    def __init__(self, gateway: Gateway, uploads: str) -> None:
        self._gateway, self._hosted = gateway, make_console(uploads)

    def __call__(self, environ: wsgi.Environ, start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(PATH):
            answer = self._hosted.answer(wsgi.event(environ))
            status, headers, body = answer["statusCode"], answer["headers"], base64.b64decode(answer["body"])
        else:
            content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            target = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
            asked = Request(environ["REQUEST_METHOD"], target, {"content-type": environ["CONTENT_TYPE"]}, content)
            status, headers, body, _ = self._gateway.answer(asked, "hosted")
        start_response(f"{status} -", [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]


@contextmanager
def hosting(site: Site, uploads: str) -> Iterator[str]:
    application = Hosting(site.made.server.site.gateway, uploads)
    with make_server("127.0.0.1", 0, application, handler_class=wsgi.Silent) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def let_in(site: Site, origin: str) -> None:
    """Give the bucket the rule of the template, which moto does not read there, for this origin."""
    condition, configuration, _ = RESOURCES["ListFiles"]["Properties"]["CorsConfiguration"]["Fn::If"]
    assert condition == "TakesUploads"
    ((rule),) = configuration["CorsRules"]
    rules = {"AllowedMethods": rule["AllowedMethods"], "AllowedOrigins": [origin], "MaxAgeSeconds": rule["MaxAge"]}
    stack = site.made.stack
    bucket = stack.physical_ids("AWS::S3::Bucket")["ListFiles"]
    stack.client("s3").put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rules]})


def test_the_hosted_page_puts_the_list_into_the_bucket_which_lets_in_no_other(site: Site) -> None:
    context = site.browser.new_context()
    FakeIssuer(context)
    page = context.new_page()
    faults = list_faults(page)
    with hosting(site, site.made.stack.endpoint) as url:
        let_in(site, url)
        page.goto(f"{url}/console/open#/lists/import")
        page.locator(".drop").wait_for()
        sent = import_list(page, make_list("hosted"))
        assert re.fullmatch(r"PUT /[\w.-]+/jobs/[0-9a-f]{32}/list", sent[1])
        assert faults == []
        let_in(site, "https://elsewhere.example")
        page.goto(f"{url}/console/open#/lists/import")
        page.locator(".drop").wait_for()
        drop(page, make_list("refused"))
        page.get_by_role("button", name=TRY).click()
        see(page, "It failed: the file did not arrive (0), and nothing was written.")
        assert [each for each in faults if "has been blocked by CORS policy" in each]
    assert site.ask("GET", "/suppressions/hosted0@example.org")["suppressed"] is True
    context.close()


def test_a_hosted_page_that_knows_no_bucket_names_the_command(site: Site) -> None:
    context = site.browser.new_context()
    FakeIssuer(context)
    page = context.new_page()
    with hosting(site, "") as url:
        page.goto(f"{url}/console/open#/lists/import")
        page.locator(".drop").wait_for()
        body = make_list("command")
        page.route("**/dropped", lambda route: route.fulfill(body=body))
        page.evaluate(_DROP, ["bounces.csv", "dropped"])
        page.get_by_text(
            "larger than 5.0 MB: use the command, which uploads it: aftersend import bounces.csv"
        ).wait_for()
        asked: list[str] = []
        page.on("request", lambda each: asked.append(each.url))
        page.get_by_role("button", name=TRY).click()
        page.wait_for_timeout(200)
        assert asked == []
    context.close()

"""Signing in at an issuer, and the console on loopback, in a real browser: who gets in, and who does not."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from wsgiref.simple_server import make_server

import pytest

from aftersend_cli.endpoint import Endpoint
from aftersend_cli.loopback import serve
from tests.support import wsgi
from tests.support.api_world import world
from tests.support.browser import lack, open_browser
from tests.support.issuer import ISSUER, FakeIssuer, list_faults, make_console

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

pytestmark = [pytest.mark.browser, pytest.mark.skipif(lack() is not None, reason=str(lack()))]

OLD: Final = "old.account@example.net"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as made:
        yield made


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context()
    yield made
    made.close()


# ---- Hosted ----------------------------------------------------------------------------------------------------------


class Gateway(wsgi.Application):
    """The API of a stack that hosts the console."""

    def __init__(self) -> None:
        super().__init__(world().context)
        self.hosted = make_console()

    def __call__(self, environ: wsgi.Environ, start_response: Any) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith("/console"):
            return super().__call__(environ, start_response)
        answer = self.hosted.answer(wsgi.event(environ))
        body = base64.b64decode(answer["body"])
        start_response(f"{answer['statusCode']} -", [*answer["headers"].items(), ("Content-Length", str(len(body)))])
        return [body]


@contextmanager
def hosting() -> Iterator[str]:
    with make_server("127.0.0.1", 0, Gateway(), handler_class=wsgi.Silent) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_whoever_opens_it_signs_in_and_comes_back_to_where_they_were(context: BrowserContext) -> None:
    issuer, page = FakeIssuer(context), context.new_page()
    faults = list_faults(page)
    with hosting() as url:
        page.goto(f"{url}/console/open#/address/{OLD}")
        page.get_by_text("there is no such mailbox").first.wait_for()
        assert page.url == f"{url}/console/open#/address/{OLD}"
        (asked,) = issuer.asked
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert asked["client_id"] == "console-client"
        assert "aftersend/decide" in asked["scope"].split()
        assert asked["redirect_uri"] == f"{url}/console/open"
        assert page.evaluate("Object.values({...localStorage, ...sessionStorage}).join()").find("test") == -1
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{ISSUER}/end**")
    assert faults == []


def test_a_token_that_ends_is_renewed_without_a_word(context: BrowserContext) -> None:
    issuer, page = FakeIssuer(context, lifetime=10), context.new_page()  # as good as ended when it comes
    with hosting() as url:
        page.goto(f"{url}/console/open#/address/{OLD}")
        page.get_by_text("there is no such mailbox").first.wait_for()
    assert [each["grant_type"] for each in issuer.given][:2] == ["authorization_code", "refresh_token"]
    assert len(issuer.asked) == 1


def test_whom_the_issuer_refuses_is_told_so(context: BrowserContext) -> None:
    issuer, page = FakeIssuer(context), context.new_page()
    issuer.refuses = "access_denied"
    with hosting() as url:
        page.goto(f"{url}/console/open")
        page.get_by_role("heading", name="You are not signed in").wait_for()
        assert "access_denied" in page.inner_text("main")


def test_an_answer_that_nobody_asked_for_signs_nobody_in(context: BrowserContext) -> None:
    """A stranger's code in a link would sign the visitor in as the stranger."""
    issuer, page = FakeIssuer(context), context.new_page()
    with hosting() as url:
        page.goto(f"{url}/console/open?code=stolen&state=guessed#/address/{OLD}")
        page.get_by_text("there is no such mailbox").first.wait_for()
    assert [each["code"] for each in issuer.given] == ["code-1"]


# ---- On loopback -----------------------------------------------------------------------------------------------------


@pytest.fixture
def start() -> Iterator[str]:
    """The address that the command prints."""
    with wsgi.serving(world().context) as api, serve(Endpoint(api, wsgi.TOKEN.removeprefix("Bearer ")), {}) as server:
        yield server.loopback.start


def test_the_first_visitor_is_in_and_stays_in_and_nobody_else(browser: Browser, start: str) -> None:
    mine, other = browser.new_context(), browser.new_context()
    page = mine.new_page()
    faults = list_faults(page)
    page.goto(start)
    page.get_by_role("searchbox").or_(page.get_by_role("textbox")).first.fill(OLD)
    page.keyboard.press("Enter")
    page.get_by_text("there is no such mailbox").first.wait_for()
    page.reload()
    page.get_by_text("there is no such mailbox").first.wait_for()
    assert faults == []
    assert page.evaluate("document.cookie") == ""
    stranger = other.new_page()
    page_itself = urlsplit(start)._replace(path="/", query="").geturl()
    answers = [stranger.goto(each) for each in (start, page_itself)]
    assert [each.status for each in answers if each] == [403, 401]
    mine.close()
    other.close()


def test_a_page_with_a_name_that_leads_here_reaches_nothing(browser: Browser, start: str) -> None:
    port = urlsplit(start).port
    switches = ["--no-sandbox", "--host-resolver-rules=MAP evil.example 127.0.0.1"]
    rebound = browser.browser_type.launch(executable_path=shutil.which("chromium"), args=switches)
    page = rebound.new_page()
    page.goto(start)
    answer = page.goto(f"http://evil.example:{port}/api/review")
    assert answer is not None and answer.status == 421
    rebound.close()

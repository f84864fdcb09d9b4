"""An issuer of tokens for a browser: nothing leaves this machine, and whoever comes is signed in at once."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from aftersend.console.hosted import HostedConsole
from aftersend.http.http1 import HttpResponse
from tests.support import wsgi

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

ISSUER: Final = "https://login.example.com"
DOCUMENT: Final = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "end_session_endpoint": f"{ISSUER}/end",
}


def make_console(uploads: str = "") -> HostedConsole:
    """The console behind the API of a stack, whose people sign in at this issuer."""
    document = HttpResponse(200, json.dumps(DOCUMENT).encode())
    return HostedConsole(ISSUER, "console-client", lambda _: document, uploads)


def list_faults(page: Page) -> list[str]:
    """What the browser reports from now on: a violation of the Content-Security-Policy is in it."""
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    return faults


class FakeIssuer:
    """Signs everybody in at once, gives each code one token, and minds what PKCE asks of it."""

    def __init__(self, context: BrowserContext, lifetime: int = 3600) -> None:
        self.lifetime = lifetime
        self.asked: list[dict[str, str]] = []
        self.given: list[dict[str, str]] = []
        self.refuses = ""
        context.route(f"{ISSUER}/**", self._answer)

    def _answer(self, route: Route) -> None:
        parts = urlsplit(route.request.url)
        if parts.path == "/authorize":
            self._authorize(route, {name: values[0] for name, values in parse_qs(parts.query).items()})
        elif parts.path == "/token":
            self._give(route, {name: values[0] for name, values in parse_qs(route.request.post_data or "").items()})
        else:
            route.fulfill(status=200, content_type="text/plain", body="signed out")

    def _authorize(self, route: Route, query: dict[str, str]) -> None:
        self.asked.append(query)
        answer = {"error": self.refuses} if self.refuses else {"code": f"code-{len(self.asked)}"}
        place = f"{query['redirect_uri']}?{urlencode({**answer, 'state': query['state']})}"
        route.fulfill(status=302, headers={"location": place})

    def _give(self, route: Route, body: dict[str, str]) -> None:
        self.given.append(body)
        right = body["grant_type"] == "refresh_token"
        if not right:
            digest = hashlib.sha256(body["code_verifier"].encode()).digest()
            right = base64.urlsafe_b64encode(digest).decode().rstrip("=") == self.asked[-1]["code_challenge"]
        token = {"access_token": wsgi.TOKEN.removeprefix("Bearer "), "refresh_token": "r", "expires_in": self.lifetime}
        headers = {"access-control-allow-origin": "*"}
        route.fulfill(
            status=200 if right else 400, headers=headers, json=token if right else {"error": "invalid_grant"}
        )

"""The console behind the HTTP API of a stack: its files, and where people sign in.

The files hold nothing of anybody, so they are given to everyone; the page then signs its visitor in at an issuer, and
shows the API the token that it gets there. Where the issuer has its endpoints is asked of it once a start. Sources:
OpenID Connect Discovery 1.0, 3 and 4; OAuth 2.0 for Browser-Based Applications; Lambda developer guide, "Payload format
2.0".
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from aftersend.console.site import ConsoleResponse, ConsoleSite
from aftersend.core.errors import DECODE_ERRORS, HostUnavailable
from aftersend.http.http1 import HttpResponse

PATH: Final = "/console/"
PAGE: Final = "open"  # of the path: API Gateway has no path that ends with a slash
SCOPES: Final = ("openid", "profile", "aftersend/ask", "aftersend/decide", "aftersend/bulk")
_DISCOVERY: Final = "/.well-known/openid-configuration"

Fetch = Callable[[str], HttpResponse]  # what is at an https address; raises HostUnavailable


class Issuer(Struct, frozen=True):
    """What an issuer says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    end_session_endpoint: str | None = None


class HostedConsole:
    """Answers events of API Gateway with the files of the console."""

    def __init__(self, issuer: str, client_id: str, fetch: Fetch, uploads: str = "") -> None:
        """Take who issues tokens (an https address), and what this page is called there.

        `uploads` is the origin of the bucket that takes large lists from this page; without it, none can be uploaded.
        """
        self._issuer, self._client_id, self._fetch, self._uploads = issuer, client_id, fetch, uploads
        self._site: ConsoleSite | None = None

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to an event, as API Gateway wants it; 503 while the issuer says nothing of use."""
        path = str(event["rawPath"])
        if not path.startswith(PATH):
            return _to_event(ConsoleResponse(302, {"Location": f"{PATH}{PAGE}", "Cache-Control": "no-store"}))
        try:
            self._site = self._site or self._make_site()
        except HostUnavailable as error:
            headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", "Retry-After": "5"}
            return _to_event(ConsoleResponse(503, headers, f"Nobody can sign in: {error}\n".encode()))
        given = event.get("headers", {})
        name = path.removeprefix(PATH)
        file = self._site.serve_file(
            "" if name == PAGE else name, given.get("accept-encoding", ""), given.get("if-none-match", "")
        )
        return _to_event(file)

    def _make_site(self) -> ConsoleSite:
        found = self._discover()
        settings = {
            "client-id": self._client_id,
            "authorize": found.authorization_endpoint,
            "token": found.token_endpoint,
            "scope": " ".join(SCOPES),
        }
        if found.end_session_endpoint:
            settings["end-session"] = found.end_session_endpoint
        asked = [f"https://{urlsplit(found.token_endpoint).netloc}"]
        if self._uploads:
            settings["upload"] = self._uploads
            asked.append(self._uploads)
        return ConsoleSite("/", settings, asked)

    def _discover(self) -> Issuer:
        answer = self._fetch(self._issuer.rstrip("/") + _DISCOVERY)
        if answer.status != 200:
            raise HostUnavailable(f"{self._issuer} answers {answer.status}")
        try:
            found = msgspec.json.decode(answer.content, type=Issuer)
        except DECODE_ERRORS as error:
            raise HostUnavailable(f"{self._issuer} does not say where to sign in") from error
        named = (found.authorization_endpoint, found.token_endpoint, found.end_session_endpoint or self._issuer)
        if found.issuer.rstrip("/") != self._issuer.rstrip("/") or not all(map(_is_secure, named)):
            raise HostUnavailable(f"{self._issuer} speaks of another issuer")
        return found


def _is_secure(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme == "https" and bool(parts.hostname) and not set(address) & set(" ;,'\"")


def _to_event(response: ConsoleResponse) -> dict[str, Any]:
    """Return an answer in base64, which is how API Gateway takes bytes."""
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": base64.b64encode(response.body).decode(),
        "isBase64Encoded": True,
    }

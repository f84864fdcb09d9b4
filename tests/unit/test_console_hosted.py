"""The console behind the API of a stack: whom its page may ask, and what it says while nobody can sign in."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Final

import pytest

from aftersend.console.hosted import HostedConsole
from aftersend.core.errors import HostUnavailable
from aftersend.http.http1 import HttpResponse

ISSUER: Final = "https://login.example.com"
BUCKET: Final = "https://files.s3.eu-west-1.amazonaws.com"
DOCUMENT: Final = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": "https://tokens.example.com/token",
}


def open_page(uploads: str = "", document: Any = DOCUMENT, status: int = 200) -> tuple[int, dict[str, str], str]:
    hosted = HostedConsole(
        ISSUER, "console", lambda _: HttpResponse(status, json.dumps(document).encode()), uploads=uploads
    )
    answer = hosted.answer({"rawPath": "/console/open", "headers": {}})
    return answer["statusCode"], answer["headers"], base64.b64decode(answer["body"]).decode()


def find_asked(headers: dict[str, str]) -> list[str]:
    """Whom the page may ask."""
    directives = dict(each.split(" ", 1) for each in headers["Content-Security-Policy"].split("; "))
    return directives["connect-src"].split()


def test_the_page_asks_its_own_host_and_the_issuer_for_tokens() -> None:
    status, headers, page = open_page()
    assert (status, find_asked(headers)) == (200, ["'self'", "https://tokens.example.com"])
    assert "aftersend-upload" not in page


def test_where_lists_are_uploaded_the_page_may_ask_that_bucket_too_and_no_other() -> None:
    status, headers, page = open_page(BUCKET)
    assert (status, find_asked(headers)) == (200, ["'self'", "https://tokens.example.com", BUCKET])
    assert re.findall(r'<meta name="aftersend-upload" content="([^"]+)">', page) == [BUCKET]


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (DOCUMENT, 500),
        ({}, 200),
        (DOCUMENT | {"issuer": "https://evil.example"}, 200),
        (DOCUMENT | {"token_endpoint": "http://tokens.example.com/token"}, 200),
        (DOCUMENT | {"token_endpoint": "https://tokens.example.com;script-src/token"}, 200),
    ],
)
def test_an_issuer_that_says_nothing_of_use_signs_nobody_in(document: Any, status: int) -> None:
    assert open_page(BUCKET, document, status)[0] == 503


def test_an_issuer_that_is_away_is_asked_again() -> None:
    asked: list[str] = []

    def fetch(address: str) -> HttpResponse:
        asked.append(address)
        if len(asked) == 1:
            raise HostUnavailable("login.example.com does not answer")
        return HttpResponse(200, json.dumps(DOCUMENT).encode())

    hosted = HostedConsole(ISSUER, "console", fetch)
    statuses = [hosted.answer({"rawPath": "/console/open", "headers": {}})["statusCode"] for _ in range(3)]
    assert statuses == [503, 200, 200]
    assert asked == [f"{ISSUER}/.well-known/openid-configuration"] * 2

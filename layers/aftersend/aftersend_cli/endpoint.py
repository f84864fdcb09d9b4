"""The HTTP API of a stack, as commands ask it: signed with AWS credentials, or with a token.

What is not answered is never taken for an answer: a stack that cannot be reached, that is too busy or at fault ends a
command with an exit code of its own, so that no script that sends takes silence for yes.
"""

from __future__ import annotations

import json
import os
import ssl
import time
from collections.abc import Mapping
from email.message import Message
from hashlib import sha256
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from msgspec import Struct

from aftersend.aws.sigv4 import UnsignedRequest, build_authorization
from aftersend_cli import account
from aftersend_cli.errors import CommandError, NotAllowedError, NotKnownError, UsageError

API: Final = "AFTERSEND_API"  # the address
TOKEN: Final = "AFTERSEND_TOKEN"  # a token itself, or "@" and the name of a file that holds it  # noqa: S105
OUTPUT: Final = "ApiUrl"  # of the stack
TIMEOUT: Final = 35  # seconds: API Gateway gives up after 30
_SERVICE: Final = "execute-api"
_NOT_OURS: Final = "the answer is not one of the API: is its address right?"
_FILES: Final = ("text/csv", "application/x-ndjson")
_BUSY: Final = frozenset({408, 425, 429})

Query = Mapping[str, str | int | bool | None]


class ApiAnswer(Struct, frozen=True):
    """What the API has answered."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        """Return the body, decoded; raises NotKnownError where it is no JSON, or lacks a member that is asked for."""
        try:
            found = json.loads(self.body, object_hook=_Members)
        except (ValueError, RecursionError) as error:
            raise NotKnownError(_NOT_OURS) from error
        if not isinstance(found, dict):
            raise NotKnownError(_NOT_OURS)
        return found

    def read_file(self) -> bytes:
        """Return the body, which is a file; raises NotKnownError where it is none."""
        if not self.headers.get("content-type", "").startswith(_FILES):
            raise NotKnownError(_NOT_OURS)
        return self.body

    @property
    def is_problem(self) -> bool:
        """Whether it is a problem that the API itself describes, and none of what stands before it or instead of it."""
        return self.headers.get("content-type", "").startswith("application/problem+json")


class _Members(dict[str, Any]):
    """The members of an object in an answer. What lacks one is no answer of the API."""

    def __missing__(self, name: str) -> Any:
        raise NotKnownError(_NOT_OURS)


class _NoRedirects(HTTPRedirectHandler):
    """Leaves an answer that names another place as it is: a signature is for one place alone."""

    def redirect_request(
        self, _request: Request, _file: IO[bytes], _code: int, _text: str, _headers: HTTPMessage, _place: str
    ) -> None:
        return None


def make_opener() -> OpenerDirector:
    """Make what asks hosts: it believes the authorities of AWS_CA_BUNDLE, as all tools of AWS do, where that is set.

    Proxies are the environment's, too.
    """
    authorities = os.environ.get("AWS_CA_BUNDLE")
    context = ssl.create_default_context(cafile=authorities) if authorities else None
    return build_opener(_NoRedirects, HTTPSHandler(context=context))


class Endpoint:
    """One API. Every method raises NotKnownError, NotAllowedError, UsageError or CommandError."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._open = make_opener().open

    def ask(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        expected: frozenset[int] = frozenset(),
    ) -> ApiAnswer:
        """Ask, and return the answer: one of success, or with one of the statuses that are `expected`.

        `path` is percent-encoded (`encode`). A `body` that is not bytes is sent as JSON.
        """
        given = {name: _spell(value) for name, value in (query or {}).items() if value is not None}
        target = f"{path}{'?' + urlencode(given, quote_via=quote) if given else ''}"
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body, sent["content-type"] = json.dumps(body).encode(), "application/json"
        answer = self.exchange(method, target, body, sent)
        if not 200 <= answer.status < 300 and not (answer.status in expected and answer.is_problem):
            raise _explain(answer)
        if answer.headers.get("content-type", "").startswith("text/html"):  # a page to sign in on, or of a proxy
            raise NotKnownError(_NOT_OURS)
        return answer

    def exchange(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> ApiAnswer:
        """Ask with a path and query that are encoded, and return whatever is answered."""
        url = f"{self.url}{target}"
        signed = {**headers, **self._sign(method, url, body or b"")}
        return self._send(Request(url, data=body, headers=signed, method=method))  # noqa: S310  # http or https

    def _send(self, request: Request) -> ApiAnswer:
        try:
            with self._open(request, timeout=TIMEOUT) as got:
                return _read_answer(got.status, got.headers, got.read())
        except HTTPError as answer:  # every status but those of success
            with answer:
                return _read_answer(answer.code, answer.headers, answer.read())
        except (HTTPException, OSError) as error:
            why = error.reason if isinstance(error, URLError) else error
            raise NotKnownError(f"{urlsplit(self.url).netloc} does not answer: {why}") from error

    def _sign(self, method: str, target: str, body: bytes) -> dict[str, str]:
        """Return the headers that say who asks."""
        if self._token is not None:
            return {"authorization": f"Bearer {self._token}"}
        place, who = urlsplit(target), account.find_signer(_find_region(self.url))
        signed = {"host": place.netloc, "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())}
        if who.token:
            signed["x-amz-security-token"] = who.token
        unsigned = UnsignedRequest(method, place.path or "/", place.query, signed, sha256(body).hexdigest())
        said = build_authorization(unsigned, key_id=who.key_id, secret=who.secret, region=who.region, service=_SERVICE)
        return signed | {"authorization": said}


def _read_answer(status: int, headers: Message, body: bytes) -> ApiAnswer:
    return ApiAnswer(status, {name.lower(): value for name, value in headers.items()}, body)


def encode(name: str) -> str:
    """Return a name as it stands in a path: percent-encoded, slashes too."""
    return quote(name, safe="")


def _spell(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _find_region(url: str) -> str | None:
    """The region that an address of API Gateway names."""
    labels = (urlsplit(url).hostname or "").split(".")
    return labels[2] if len(labels) > 3 and labels[1] == _SERVICE else None


def _explain(answer: ApiAnswer) -> CommandError:
    """Return what is raised for an answer that is none of success, in one line, with the id of the request."""
    try:
        problem = json.loads(answer.body)
    except (ValueError, RecursionError):
        problem = {}
    said = problem if isinstance(problem, dict) else {}
    text = said.get("detail") or said.get("title") or said.get("message") or f"the API answers {answer.status}"
    request = answer.headers.get("apigw-requestid") or said.get("instance", "")
    text = f"{text} (status {answer.status}{f', request {request}' if request else ''})"
    if answer.status in {401, 403}:
        return NotAllowedError(f"{text}; sign in, or ask for execute-api:Invoke on this path")
    if answer.status >= 500 or answer.status in _BUSY:
        return NotKnownError(f"{text}; try again")
    if answer.status in {409, 412}:
        return CommandError(text)
    return UsageError(text if answer.is_problem else f"{text}; is the address of the API right?")


def find_endpoint(api: str | None, stack: str | None) -> Endpoint:
    """Find the API: at `api`, of the stack of that name, or where the environment says. Raises UsageError."""
    url = api or (_find_outputs(stack).get(OUTPUT) if stack else os.environ.get(API))
    if not url:
        asked = f"stack {stack} has no output {OUTPUT}" if stack else f"where is the API? Give --stack, --api or {API}"
        raise UsageError(asked)
    if not _is_address(url):
        raise UsageError(f"{url!r} is no address of an API")
    return Endpoint(url, _read_token())


def _is_address(url: str) -> bool:
    try:
        place = urlsplit(url)
        named = place.scheme in {"http", "https"} and bool(place.hostname) and place.port != 0
        return named and url.isprintable() and " " not in url
    except ValueError:  # a port that is none, or half an address of IPv6
        return False


def _find_outputs(stack: str) -> Mapping[str, str]:
    from aftersend_cli.stack import find_stack  # noqa: PLC0415  # most name the address

    return find_stack(stack).outputs


def _read_token() -> str | None:
    given = os.environ.get(TOKEN)
    if given and given.startswith("@"):
        given = Path(given[1:]).read_text("utf-8").strip()
    if given and not (given.isascii() and given.isprintable()):
        raise UsageError(f"what {TOKEN} holds is no token")
    return given or None

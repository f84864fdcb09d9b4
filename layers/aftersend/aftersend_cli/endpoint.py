"""The HTTP API of a stack, as commands ask it: signed with AWS credentials, or with a token.

What is not answered is never taken for an answer: a stack that cannot be reached, that is too busy or at fault ends a
command with an exit code of its own, so that no script that sends takes silence for yes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, NoCredentialsError, NoRegionError
from botocore.httpsession import URLLib3Session
from msgspec import Struct

from aftersend_cli.errors import CommandError, NotAllowedError, NotKnownError, UsageError
from aftersend_cli.stack import find_stack

API: Final = "AFTERSEND_API"  # the address
TOKEN: Final = "AFTERSEND_TOKEN"  # a token itself, or "@" and the name of a file that holds it  # noqa: S105
OUTPUT: Final = "ApiUrl"  # of the stack
TIMEOUT: Final = 35  # seconds: API Gateway gives up after 30
_SERVICE: Final = "execute-api"
_BUSY: Final = frozenset({408, 425, 429})

Query = Mapping[str, str | int | bool | None]


class ApiAnswer(Struct, frozen=True):
    """What the API has answered."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    def json(self) -> Any:
        """Return the body, decoded; raises NotKnownError where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise NotKnownError("the answer is not one of the API: is its address right?") from error


class Endpoint:
    """One API. Every method raises NotKnownError, NotAllowedError, UsageError or CommandError."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._http = URLLib3Session(timeout=TIMEOUT)

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
        target = f"{self.url}{path}{'?' + urlencode(given, quote_via=quote) if given else ''}"
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body, sent["content-type"] = json.dumps(body).encode(), "application/json"
        request = AWSRequest(method=method, url=target, data=body, headers=sent)
        self._sign(request)
        try:
            got = self._http.send(request.prepare())
        except BotoCoreError as error:
            raise NotKnownError(f"{urlsplit(self.url).netloc} does not answer: {error}") from error
        answer = ApiAnswer(got.status_code, {name.lower(): value for name, value in got.headers.items()}, got.content)
        if not 200 <= answer.status < 300 and answer.status not in expected:
            raise _explain(answer)
        return answer

    def _sign(self, request: AWSRequest) -> None:
        if self._token is not None:
            request.headers["authorization"] = f"Bearer {self._token}"
            return
        session = boto3.Session() if boto3.DEFAULT_SESSION is None else boto3.DEFAULT_SESSION
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        region = _find_region(self.url) or session.region_name
        if region is None:
            raise NoRegionError
        SigV4Auth(credentials, _SERVICE, region).add_auth(request)


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
    except ValueError:
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
    return UsageError(text)


def find_endpoint(api: str | None, stack: str | None) -> Endpoint:
    """Find the API: at `api`, of the stack of that name, or where the environment says. Raises UsageError."""
    url = api or (find_stack(stack).outputs.get(OUTPUT) if stack else os.environ.get(API))
    if not url:
        asked = f"stack {stack} has no output {OUTPUT}" if stack else f"where is the API? Give --stack, --api or {API}"
        raise UsageError(asked)
    if urlsplit(url).scheme not in {"http", "https"}:
        raise UsageError(f"{url!r} is no address of an API")
    return Endpoint(url, _read_token())


def _read_token() -> str | None:
    given = os.environ.get(TOKEN)
    if given and given.startswith("@"):
        return Path(given[1:]).read_text("utf-8").strip()
    return given or None

"""One call to AWS: signed, sent, and tried again where that may help.

It may help where nothing whole comes back, where the service has a fault (5xx), and where it asks for patience, which
takes more tries and longer pauses. It does not where a certificate is wrong. Tries are spread by full jitter, and the
call as a whole has a bound, however slowly an answer drips. What is sent must bear being done twice: an answer
may get lost after the service has acted. Source: AWS SDKs and tools reference guide, "Retry behavior", standard mode.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from random import uniform
from ssl import SSLCertVerificationError
from typing import Final, TypeVar

import msgspec

from aftersend.aws import sigv4
from aftersend.aws.account import Account
from aftersend.aws.credentials import Credentials, find_reader
from aftersend.aws.errors import CallFailed, NoAnswer, Refusal
from aftersend.core.steps import Pause
from aftersend.http.http1 import HttpResponse, ProtocolError
from aftersend.http.multiplexer import Waits
from aftersend.http.transport import Limits, Transport, build_head

# Short waits: a service that does not answer must leave time to hand the batch back before the function is stopped.
LIMITS: Final = Limits()
TRIES: Final = 3
PAUSE: Final = 0.1  # seconds before the second try at most, doubled for the third
THROTTLED_TRIES: Final = 6  # where the service asks for patience: 6.2 seconds of pauses at most, half of it on average
THROTTLED_PAUSE: Final = 0.2
MAX_SECONDS: Final = 20.0  # of a whole call: so long after it began no try begins, and no answer is read on
RETRIED: Final = frozenset(
    {
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
Headers = tuple[tuple[str, str], ...]  # names, in lower case, and values
_T = TypeVar("_T")


class Client:
    """Calls one service at one endpoint, in the name of one account."""

    def __init__(self, account: Account, service: str, endpoint: str) -> None:
        self._account, self._service = account, service
        self._transport = Transport(endpoint, LIMITS, account.authorities)
        self._read_credentials = find_reader(account)
        self._prepare = lru_cache(maxsize=16)(self._make_head)

    def call(
        self, method: str, path: str, headers: Headers, body: bytes, read: Callable[[HttpResponse], _T]
    ) -> Waits[_T]:
        """Send a request and return what `read` makes of its response.

        `read` raises Refusal where the service says no, and ProtocolError where the response makes no sense. Raises
        Refusal, or NoAnswer after the last try.
        """
        ends, number = time.monotonic() + MAX_SECONDS, 0
        while True:
            number += 1
            tries, longest = TRIES, PAUSE
            try:
                response = yield from self._transport.exchange(self._sign(method, path, headers, body), ends)
                return read(response)
            except Refusal as refusal:
                throttled = refusal.code in RETRIED
                if response.status < 500 and not throttled:
                    raise
                tries, longest = (THROTTLED_TRIES, THROTTLED_PAUSE) if throttled else (tries, longest)
                failure: CallFailed = refusal
            except SSLCertVerificationError as error:
                raise NoAnswer(type(error).__name__) from error
            except (OSError, ProtocolError, msgspec.DecodeError) as error:
                failure = NoAnswer(type(error).__name__)
                failure.__cause__ = error
            pause = uniform(0, longest * 2 ** (number - 1))  # noqa: S311  # spreads tries, hides nothing
            if number >= tries or time.monotonic() + pause >= ends:
                raise failure
            yield Pause(pause)

    def _sign(self, method: str, path: str, headers: Headers, body: bytes) -> bytes:
        """Return the whole request of one try; its time is now."""
        digest = sha256(body).hexdigest()
        if self._service == "s3":
            headers = (*headers, ("x-amz-content-sha256", digest))
        head, signer = self._prepare(method, path, headers, int(time.time()), self._read_credentials())
        length = b"\r\ncontent-length: %d" % len(body) if body or method != "GET" else b""
        return b"".join((head, signer.sign(digest).encode(), length, b"\r\n\r\n", body))

    def _make_head(
        self, method: str, path: str, headers: Headers, second: int, credentials: Credentials
    ) -> tuple[bytes, sigv4.Signer]:
        """Return the request up to its signature, and what signs it: the same for every body within a second."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        signed = {"host": self._transport.host, "x-amz-date": now, **dict(headers)}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        signer = sigv4.Signer(
            sigv4.UnsignedRequest(method, path, "", signed),
            key_id=credentials.key_id,
            secret=credentials.secret,
            region=self._account.region,
            service=self._service,
        )
        head = build_head(method, path, signed | {"user-agent": "aftersend", "authorization": signer.prefix})
        return head.removesuffix(b"\r\n"), signer

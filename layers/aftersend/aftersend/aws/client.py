"""One call to AWS: signed, sent, and tried again where that may help.

It may help where nothing whole comes back, where the service has a fault (5xx), and where it asks for patience, which
takes more tries and longer pauses. It does not where a certificate is wrong. Tries are spread by full jitter, and the
call as a whole has a bound, however slowly an answer drips. What is sent must bear being done twice: an answer
may get lost after the service has acted. Source: AWS SDKs and tools reference guide, "Retry behavior", standard mode.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from random import uniform
from ssl import SSLCertVerificationError
from typing import Final, TypeVar

import msgspec

from aftersend.aws import sigv4
from aftersend.aws.account import Account
from aftersend.aws.credentials import find_reader
from aftersend.aws.errors import CallFailed, NoAnswer, Refusal
from aftersend.http.http1 import HttpResponse, ProtocolError
from aftersend.http.transport import Limits, Transport

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
_T = TypeVar("_T")


class Client:
    """Calls one service at one endpoint, in the name of one account."""

    def __init__(self, account: Account, service: str, endpoint: str) -> None:
        self._account, self._service = account, service
        self._transport = Transport(endpoint, LIMITS, account.authorities)
        self._read_credentials = find_reader(account)

    def call(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, read: Callable[[HttpResponse], _T]
    ) -> _T:
        """Send a request and return what `read` makes of its response.

        `read` raises Refusal where the service says no, and ProtocolError where the response makes no sense. Raises
        Refusal, or NoAnswer after the last try.
        """
        ends, number = time.monotonic() + MAX_SECONDS, 0
        while True:
            number += 1
            tries, longest = TRIES, PAUSE
            try:
                signed = self._sign(method, path, headers, body)
                response = self._transport.send(method, path, signed, body, within=ends - time.monotonic())
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
            time.sleep(pause)

    def _sign(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """Return all headers of one try; its time is now."""
        credentials, digest = self._read_credentials(), sha256(body).hexdigest()
        signed = {"host": self._transport.host, "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), **headers}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        if self._service == "s3":
            signed["x-amz-content-sha256"] = digest
        request = sigv4.UnsignedRequest(method, path, "", signed, digest)
        signed["authorization"] = sigv4.build_authorization(
            request,
            key_id=credentials.key_id,
            secret=credentials.secret,
            region=self._account.region,
            service=self._service,
        )
        signed["user-agent"] = "aftersend"
        return signed

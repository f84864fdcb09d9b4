"""Where webhooks go, and which events go there: one JSON document in Secrets Manager.

    {"endpoints": {
      "crm": {
        "url": "https://crm.example.com/hooks/aftersend",
        "secret": "whsec_…",                                       or ["whsec_new", "whsec_old"], while it is changed
        "events": ["suppression.added", "suppression.released"],   without: what is rare
        "reasons": ["user_unknown"], "classes": ["hard"], "sources": ["ses"], "scopes": ["*"], "channels": ["email"],
        "headers": {"authorization": "Bearer …"},
        "per_second": 10
      },
      "slack": {"url": "https://hooks.slack.com/services/…", "format": "slack", "events": ["incident.*"]}
    }}

The document is read anew from time to time, so a change is known everywhere a few minutes later, without a deployment.
Pure, but for the class that reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Annotated, Any, Final, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import SecretsManagerClient
from aftersend.core.errors import DECODE_ERRORS, ConfigurationError
from aftersend.core.events import EVENTS, AddressSuppressed, Event, find_subject, is_rare
from aftersend.core.recipient import split_channel
from aftersend.core.ttl_cache import TtlCache
from aftersend.core.vocabulary import Channel, Class, Reason
from aftersend.outgoing.deliver import PORTS
from aftersend.outgoing.signing import decode_secret

AGE: Final = timedelta(minutes=5)
MOST: Final = 50  # endpoints; Secrets Manager keeps 64 KB
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_HOST: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+", re.IGNORECASE
)
_TARGET: Final = re.compile(r"[!-~]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_VALUE: Final = re.compile(r"[ -~]{1,2000}")
# What a request says of itself, and what signs it.
_RESERVED: Final = frozenset({"host", "connection", "content-length", "content-type", "transfer-encoding", "expect"})


class BodyFormat(StrEnum):
    """What the body of a webhook is."""

    EVENT = "event"  # the event as JSON
    SLACK = "slack"  # a sentence about it, as incoming webhooks of Slack, Mattermost and others take it


class Endpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One receiver, and what it wants to hear of. What is empty is not asked about."""

    url: str
    secret: str | list[str] = []
    events: list[str] = []
    classes: list[Class] = []
    reasons: list[Reason] = []
    sources: list[str] = []
    scopes: list[str] = []
    channels: list[Channel] = []
    headers: dict[str, str] = {}
    incidents: bool = False  # suppressions, too, that look like a provider's accident
    per_second: Annotated[float, Meta(ge=0.01, le=1000)] = 10.0
    format: BodyFormat = BodyFormat.EVENT

    @property
    def keys(self) -> list[bytes]:
        """What its webhooks are signed with."""
        secrets = [self.secret] if isinstance(self.secret, str) else self.secret
        return [decode_secret(each) for each in secrets]

    def wants(self, event: Event) -> bool:
        """Return whether an event goes to it."""
        if isinstance(event, AddressSuppressed) and event.data.incident and not self.incidents:
            return False
        if not (any(_matches(event.type, each) for each in self.events) if self.events else is_rare(event)):
            return False
        data: Any = event.data
        asked = (
            (self.classes, getattr(data, "klass", None)),
            (self.reasons, getattr(data, "reason", None)),
            (self.sources, getattr(data, "source", None)),
            (self.scopes, getattr(data, "scope", None) or "*"),
            (self.channels, split_channel(find_subject(event))[0] if hasattr(data, "recipient") else None),
        )
        return all(not wanted or value in wanted for wanted, value in asked)


def _matches(type_: str, wanted: str) -> bool:
    return type_ == wanted or (wanted.endswith(".*") and type_.startswith(wanted[:-1]))


class _Document(Struct, frozen=True, forbid_unknown_fields=True):
    endpoints: Annotated[dict[str, Endpoint], Meta(max_length=MOST)] = {}


TYPES: Final = frozenset(
    name for each in EVENTS for name in get_args(msgspec.structs.fields(each)[1].type)
)  # every type that an event has


def read_endpoints(text: str, *, local: bool = False) -> dict[str, Endpoint]:
    """Return the endpoints in a document, by name; `local` allows plain http and this machine.

    Raises ConfigurationError that names the field, and quotes no secret.
    """
    try:
        document = msgspec.json.decode(text or "{}", type=_Document)
    except DECODE_ERRORS as error:
        raise ConfigurationError(f"the webhook endpoints: {error}") from None  # what caused it may hold the text
    for name, endpoint in document.endpoints.items():
        place = f"the webhook endpoints: $.endpoints.{name[:40]}"
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{place}: a name is of the form {_NAME.pattern}")
        for field, fault in _find_faults(endpoint, local):
            raise ConfigurationError(f"{place}.{field}: {fault}")
    return document.endpoints


def _find_faults(endpoint: Endpoint, local: bool) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an endpoint, by field."""
    if fault := _find_fault_of_url(endpoint.url, local):
        yield "url", fault
    try:
        signed = bool(endpoint.keys)
    except ValueError as error:
        yield "secret", str(error)
    else:
        if not signed and endpoint.format is BodyFormat.EVENT:
            yield "secret", "there is none: `openssl rand -base64 32` makes one, to stand after whsec_"
    for each in endpoint.events:
        if not any(_matches(known, each) for known in TYPES):
            yield "events", f"no event {each[:40]!r}, but {', '.join(sorted(TYPES))}"
    for name, value in endpoint.headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _RESERVED or name.lower().startswith("webhook-"):
            yield "headers", f"{name[:40]!r} is no header that can be set"
        elif not _VALUE.fullmatch(value):
            yield "headers", f"the value of {name!r} is not one line of ASCII"


def _find_fault_of_url(url: str, local: bool) -> str | None:
    """Why nothing can be sent to an address; what its name stands for is judged when something is."""
    try:
        address = urlsplit(url)
        port, host = address.port, address.hostname or ""
    except ValueError:
        return "it is no address"
    faults = {
        "it has blanks, or is not in ASCII": not _TARGET.fullmatch(url),
        "it has a user or a fragment": "@" in address.netloc or bool(address.fragment),
        "it has no name of a host": not host if local else not _HOST.fullmatch(host) or _is_digits(host),
        "it does not begin with https://": address.scheme not in ({"http", "https"} if local else {"https"}),
        f"its port is none of {', '.join(map(str, sorted(PORTS)))}": not local and (port or 443) not in PORTS,
    }
    return next((fault for fault, holds in faults.items() if holds), None)


def _is_digits(host: str) -> bool:
    """Whether a name would be read as an address: the last label of a domain is no number."""
    last = host.rpartition(".")[2]
    if last.isdecimal() or last[:2].lower() == "0x":
        return True
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


class Endpoints:
    """Knows the endpoints, as the document says."""

    def __init__(self, connect: Callable[[], SecretsManagerClient], secret: str, *, local: bool = False) -> None:
        self._connect, self._secret, self._local = connect, secret, local
        self._client: SecretsManagerClient | None = None
        self._documents: TtlCache[str, Mapping[str, Endpoint]] = TtlCache(AGE, max_size=1)

    def get(self, now: datetime) -> Mapping[str, Endpoint]:
        """Return all endpoints by name.

        Raises StoreUnavailable where the document cannot be read, and ConfigurationError where it makes no sense.
        """
        return self._documents.get(self._secret, now, self._read)

    def _read(self, secret_id: str) -> Mapping[str, Endpoint]:
        self._client = self._client or self._connect()
        with translate_errors("Secrets Manager: GetSecretValue"):
            text = self._client.get_secret_value(SecretId=secret_id).get("SecretString", "")
        return read_endpoints(text, local=self._local)

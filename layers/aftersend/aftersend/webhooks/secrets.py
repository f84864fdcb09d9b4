"""Which sources are on, and what their providers must know: one JSON document in Secrets Manager.

    {
      "path": "a secret",                                  the default for every source below that has none of its own
      "sources": {
        "directmail": {"token": "of the EventBridge target"},
        "mailerq":    {"path": ["new", "old"], "bearer": "a secret"},
        "acme":       {"signing_key": "as the provider shows it"},
        "ses":        {}
      }
    }

A source that is pushed is on when it has an entry here, be it an empty one, or when the template lists whom to believe
(topics of Amazon SNS, accounts of Alibaba Cloud). The path at the top alone turns nothing on. A list means that each of
its secrets is right, for as long as it takes to change it on the other side.

The document is read anew from time to time, so a change is known everywhere a few minutes later, without a deployment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import SecretsManagerClient
from aftersend.core.errors import DECODE_ERRORS, ConfigurationError
from aftersend.core.ttl_cache import TtlCache
from aftersend.settings import WebhookSettings
from aftersend.sources import SOURCES, Source
from aftersend.webhooks.schemes import Trust, WebhookCredentials

AGE: Final = timedelta(minutes=5)

# The form of a secret, by its kind. One in a path needs no escape there.
_FORMS: Final = {
    "path": re.compile(r"[A-Za-z0-9._~-]{16,200}"),
    "bearer": re.compile(r"[!-~]{8,500}"),
    "basic": re.compile(r"[^:\x00-\x1f\x7f]{1,200}:[^\x00-\x1f\x7f]{8,500}"),
    "token": re.compile(r"[!-~]{8,500}"),
    "signing_key": re.compile(r"[ -~]{1,500}"),  # the provider makes it
    "public_key": re.compile(
        r"\s*(-----BEGIN PUBLIC KEY-----)?[A-Za-z0-9+/=\s]{40,4000}(-----END PUBLIC KEY-----\s*)?"
    ),
}
_OneOrMore = str | list[str]


class SecretsDocument(Struct, frozen=True, kw_only=True):
    """What the document says: the default of the path, and the credentials of each source that has an entry."""

    path: tuple[str, ...] = ()
    sources: dict[str, WebhookCredentials] = {}


class WebhookSecrets:
    """Knows which sources are on, and whom to trust for each."""

    def __init__(self, connect: Callable[[], SecretsManagerClient], config: WebhookSettings) -> None:
        self._connect = connect
        self._client: SecretsManagerClient | None = None
        self._config = config
        self._documents: TtlCache[str, SecretsDocument] = TtlCache(AGE, max_size=1)

    def get_trust(self, name: str, source: Source, now: datetime) -> Trust | None:
        """Return whom to trust for pushes of `source`, which is called `name`; None where it is off.

        Raises StoreUnavailable where the document cannot be read, and ConfigurationError where it makes no sense.
        """
        document = self._documents.get(self._config.secrets, now, self._read)
        credentials = document.sources.get(name)
        if credentials is None:
            if not any(proof.senders and getattr(self._config, proof.senders) for proof in source.proofs):
                return None
            credentials = WebhookCredentials(path=document.path)
        return Trust(
            credentials=credentials,
            senders={each: getattr(self._config, each) for proof in source.proofs for each in proof.lists},
        )

    def _read(self, secret_id: str) -> SecretsDocument:
        self._client = self._client or self._connect()
        with translate_errors("Secrets Manager: GetSecretValue"):
            text = self._client.get_secret_value(SecretId=secret_id).get("SecretString", "")
        return read_document(text, SOURCES)


# ---- The document ----------------------------------------------------------------------------------------------------


class _Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: _OneOrMore | None = None  # None: the default
    bearer: _OneOrMore = []
    basic: _OneOrMore = []
    token: _OneOrMore = []
    signing_key: _OneOrMore = []
    public_key: _OneOrMore = []


class _Document(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: _OneOrMore = []
    sources: dict[str, Raw] = {}


_T = TypeVar("_T")


def read_document(text: str, sources: Mapping[str, Source]) -> SecretsDocument:
    """Return what the document in `text` says about those of `sources` that can be pushed.

    Raises ConfigurationError that names the field, and quotes no secret.
    """
    document = _decode(text.encode(), _Document, "$")
    # Only the rows that are named: that of a mapping file is read where it is asked for.
    pushed = {name: source for name in document.sources if (source := sources.get(name)) and source.proofs}
    for name in document.sources.keys() - pushed.keys():
        known = ", ".join(sorted(each for each, source in sources.items() if source.proofs))
        raise ConfigurationError(f"the secrets: $.sources: no source {name[:40]!r}, but {known}")
    path = _check_form(document.path, "$", "path")
    return SecretsDocument(
        path=path,
        sources={name: _read_entry(name, entry, path, pushed[name]) for name, entry in document.sources.items()},
    )


def _read_entry(name: str, entry: Raw, path: tuple[str, ...], source: Source) -> WebhookCredentials:
    place = f"$.sources.{name}"
    own = _decode(bytes(entry), _Entry, place)
    credentials = WebhookCredentials(
        path=path if own.path is None else _check_form(own.path, place, "path"),
        **{kind: _check_form(getattr(own, kind), place, kind) for kind in own.__struct_fields__ if kind != "path"},
    )
    for kind in sorted(credentials.kinds() - source.secrets):
        raise ConfigurationError(f"the secrets: {place}.{kind}: {name} has no way to send it")
    return credentials


def _check_form(secrets: _OneOrMore, place: str, kind: str) -> tuple[str, ...]:
    """Return one secret or several as a tuple; raises ConfigurationError for one of another form."""
    several = (secrets,) if isinstance(secrets, str) else tuple(secrets)
    if not all(map(_FORMS[kind].fullmatch, several)):
        raise ConfigurationError(f"the secrets: {place}.{kind}: a secret is not of the form {_FORMS[kind].pattern}")
    return several


def _decode(text: bytes, shape: type[_T], place: str) -> _T:
    try:
        return msgspec.json.decode(text, type=shape)
    except DECODE_ERRORS as error:
        where = str(error).replace("`$", f"`{place}") if "`$" in str(error) else f"{error} - at `{place}`"
        raise ConfigurationError(f"the secrets: {where}") from None  # what caused it may hold the text

"""The access key of Alibaba Cloud, out of Secrets Manager: read when first needed, and anew once it has failed."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import SecretsManagerClient
from aftersend.core.errors import ConfigurationError
from aftersend.jobs.mns_queue import AlibabaCredentials


class _Key(Struct, frozen=True):
    """What the secret holds."""

    access_key_id: str
    access_key_secret: str
    security_token: str = ""


class AccessKey:
    """Knows one secret by its name or ARN."""

    def __init__(self, connect: Callable[[], SecretsManagerClient], secret: str) -> None:
        self._connect, self._secret = connect, secret
        self._credentials: AlibabaCredentials | None = None

    def read(self) -> AlibabaCredentials:
        """Return the key; raises StoreUnavailable where it cannot be read, ConfigurationError where it is none."""
        self._credentials = self._credentials or self._fetch()
        return self._credentials

    def forget(self) -> None:
        """Have it read again the next time."""
        self._credentials = None

    def _fetch(self) -> AlibabaCredentials:
        try:
            with translate_errors("Secrets Manager: GetSecretValue"):
                text = self._connect().get_secret_value(SecretId=self._secret)["SecretString"]
            key = msgspec.json.decode(text, type=_Key)
        except (KeyError, msgspec.DecodeError) as error:
            raise ConfigurationError("the secret of MNS holds no access_key_id and access_key_secret") from error
        return AlibabaCredentials(key.access_key_id, key.access_key_secret, key.security_token)

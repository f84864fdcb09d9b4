"""Whom the operator trusts: what the template says, and the secrets, which are read anew from time to time.

So a secret that was changed is known everywhere a few minutes later, without a deployment.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from aftersend.aws.errors import CallFailed
from aftersend.core.errors import StoreUnavailable
from aftersend.core.ttl_cache import TtlCache
from aftersend.settings import WebhookSettings
from aftersend.webhooks.schemes import KINDS, Trust, WebhookCredentials, secret

AGE: Final = timedelta(minutes=5)


class SecretsManager(Protocol):
    """What is needed of a client."""

    def get_secret_value(self, **request: Any) -> Any: ...  # noqa: D102


class WebhookSecrets:
    """Knows whom to trust, for each source."""

    def __init__(self, connect: Callable[[], SecretsManager], config: WebhookSettings) -> None:
        self._connect = connect
        self._client: SecretsManager | None = None
        self._config = config
        self._secrets: TtlCache[str, dict[str, WebhookCredentials]] = TtlCache(AGE, most=1)

    def of(self, source: str, now: datetime) -> Trust:
        """Raises StoreUnavailable where the secrets cannot be read, and ConfigurationError where they make no sense."""
        secrets = self._secrets.get(self._config.secret, now, self._read)
        return Trust(
            credentials=secrets[source],
            topics=self._config.topics,
            accounts=self._config.accounts,
            subscriptions=self._config.subscriptions,
        )

    def _read(self, name: str) -> dict[str, WebhookCredentials]:
        self._client = self._client or self._connect()
        try:
            text = self._client.get_secret_value(SecretId=name).get("SecretString", "")
        except CallFailed as failure:
            raise StoreUnavailable(f"Secrets Manager: GetSecretValue failed: {failure}") from failure
        return secret.read(text, KINDS)

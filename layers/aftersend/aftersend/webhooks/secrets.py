"""Whom the operator trusts: what the template says, and the secrets, which are read anew from time to time.

So a secret that was changed is known everywhere a few minutes later, without a deployment.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import SecretsManagerClient
from aftersend.core.ttl_cache import TtlCache
from aftersend.settings import WebhookSettings
from aftersend.webhooks.schemes import KINDS, Trust, WebhookCredentials, secret

AGE: Final = timedelta(minutes=5)


class WebhookSecrets:
    """Knows whom to trust, for each source."""

    def __init__(self, connect: Callable[[], SecretsManagerClient], config: WebhookSettings) -> None:
        self._connect = connect
        self._client: SecretsManagerClient | None = None
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
        with translate_errors("Secrets Manager: GetSecretValue"):
            text = self._client.get_secret_value(SecretId=name).get("SecretString", "")
        return secret.read(text, KINDS)

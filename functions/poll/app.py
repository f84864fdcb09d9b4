"""Wiring: on a schedule, what waits in a queue of Alibaba Cloud MNS to a queue of SQS."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from msgspec import Struct

from aftersend import settings
from aftersend.aws import connect
from aftersend.aws.calls import translate_errors
from aftersend.core.errors import ConfigurationError, StoreUnavailable
from aftersend.jobs.mns_queue import AlibabaCredentials, MnsQueue
from aftersend.jobs.poll_mns import PollResult, poll
from aftersend.storage.queue import QueueSender

logger = Logger()
metrics = Metrics()


class Context(Protocol):
    """What is needed of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int: ...  # noqa: D102


class _Key(Struct, frozen=True):
    """What the secret holds."""

    access_key_id: str
    access_key_secret: str
    security_token: str = ""


@lru_cache(maxsize=1)
def _forwarder(queue_url: str) -> QueueSender:
    return QueueSender(connect("sqs"), queue_url)


@lru_cache(maxsize=1)
def _credentials(secret: str) -> AlibabaCredentials:
    """The access key; raises StoreUnavailable where it cannot be read, ConfigurationError where it is none."""
    try:
        with translate_errors("Secrets Manager: GetSecretValue"):
            text = connect("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        key = msgspec.json.decode(text, type=_Key)
    except (KeyError, msgspec.DecodeError) as error:
        raise ConfigurationError("the secret of MNS holds no access_key_id and access_key_secret") from error
    return AlibabaCredentials(key.access_key_id, key.access_key_secret, key.security_token)


def handler(_event: dict[str, Any], context: Context) -> dict[str, int]:
    """Poll the queue; raise an error where something was left that should have been taken."""
    config = settings.load_polling()
    with MnsQueue(config.endpoint, config.queue, _credentials(config.secret)) as queue:
        done = poll(queue, _forwarder(config.target_queue), lambda: context.get_remaining_time_in_millis() / 1000)
    _report(done)
    if done.problems:
        _credentials.cache_clear()  # the key may have been changed
        raise StoreUnavailable("; ".join(done.problems[:3]))
    return {"forwarded": done.forwarded}


def _report(result: PollResult) -> None:
    metrics.add_dimension("source", "directmail")
    for name, number in (("Polled", result.received), ("Forwarded", result.forwarded), ("Undeleted", result.undeleted)):
        metrics.add_metric(name, MetricUnit.Count, number)
    metrics.flush_metrics()
    logger.info("polled", extra=msgspec.to_builtins(result))

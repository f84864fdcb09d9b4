"""What the template tells a function, read once at start. The only module that knows the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from msgspec import Struct

from aftersend.core import policy
from aftersend.core.errors import ConfigurationError
from aftersend.core.policy import Policy


class IngestSettings(Struct, frozen=True, kw_only=True):
    """The settings of a function that consumes feedback."""

    source: str
    outcomes_table: str
    suppressions_table: str
    unqualified_table: str
    traffic_table: str
    archive_bucket: str
    dead_letter_queue: str
    digest_key: bytes
    policy: Policy
    retention: timedelta
    workers: int
    inbound_bucket: str = ""  # where Amazon SES puts received mail; only for reports
    rules_parameter: str = ""  # SSM parameter with the user's own rules; empty for none
    verp_template: str = ""  # form of the bounce addresses that carry a token; empty for none
    verp_keys: tuple[bytes, ...] = ()  # the first makes tokens, all verify


def load_ingest(environ: Mapping[str, str] = os.environ) -> IngestSettings:
    """Settings from the environment; raises ConfigurationError that names the variable."""
    return IngestSettings(
        source=_text(environ, "SOURCE"),
        outcomes_table=_text(environ, "OUTCOMES_TABLE"),
        suppressions_table=_text(environ, "SUPPRESSIONS_TABLE"),
        unqualified_table=_text(environ, "UNQUALIFIED_TABLE"),
        traffic_table=_text(environ, "TRAFFIC_TABLE"),
        archive_bucket=_text(environ, "ARCHIVE_BUCKET"),
        dead_letter_queue=_text(environ, "DEAD_LETTER_QUEUE"),
        digest_key=_text(environ, "DIGEST_KEY").encode(),
        policy=policy.load(environ.get("POLICY", "").strip()),
        retention=timedelta(days=_number(environ, "RETENTION_DAYS", 180, range(1, 3651))),
        workers=_number(environ, "WORKERS", 8, range(1, 65)),
        inbound_bucket=environ.get("INBOUND_BUCKET", "").strip(),
        rules_parameter=environ.get("RULES_PARAMETER", "").strip(),
        verp_template=environ.get("VERP_TEMPLATE", "").strip(),
        verp_keys=tuple(key.encode() for key in environ.get("VERP_KEY", "").split()),
    )


# What MailerQ publishes into its queues, by the words of its configuration; the queues themselves have any name.
QUEUE_WORDS: Final = frozenset({"results", "success", "failure", "retry", "reports"})


def queue_words(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """By which word each queue of RabbitMQ is known: "completed_deliveries=results,delayed_deliveries=retry".

    A name that is empty is a queue that is not used. Raises ConfigurationError for a word that means nothing.
    """
    words = {}
    for pair in environ.get("MAILERQ_QUEUES", "").split(","):
        queue, _, word = (part.strip() for part in pair.rpartition("="))
        if queue and word not in QUEUE_WORDS:
            raise ConfigurationError(f"MAILERQ_QUEUES: {word[:40]!r} is none of {', '.join(sorted(QUEUE_WORDS))}")
        if queue:
            words[queue] = word
    return words


class PollingSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that empties a queue of Alibaba Cloud MNS into one of SQS."""

    endpoint: str
    queue: str
    secret: str  # name or ARN of the secret that holds the access key
    target_queue: str


def load_polling(environ: Mapping[str, str] = os.environ) -> PollingSettings:
    """Settings from the environment; raises ConfigurationError that names the variable."""
    return PollingSettings(
        endpoint=_matching(environ, "MNS_ENDPOINT", _MNS_ENDPOINT),
        queue=_matching(environ, "MNS_QUEUE_NAME", _MNS_QUEUE),
        secret=_text(environ, "MNS_SECRET"),
        target_queue=_text(environ, "TARGET_QUEUE"),
    )


# The access key is shown to no other host than one of Alibaba's.
_MNS_ENDPOINT: Final = re.compile(r"https://[0-9]{1,20}\.mns\.[a-z0-9-]{1,40}\.aliyuncs\.com")
_MNS_QUEUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,119}")


def _matching(environ: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    value = _text(environ, name)
    if not pattern.fullmatch(value):
        raise ConfigurationError(f"the environment variable {name} is not of the form {pattern.pattern}")
    return value


class WebhookSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that takes what is pushed."""

    secret: str  # name or ARN of the secret with what providers must know
    queues: dict[str, str]  # URL of each queue by its source; of those sources that the deployment has
    public_url: str  # what the HTTP API is called outside; empty for the name that AWS gave it
    topics: frozenset[str]  # ARNs of Amazon SNS that may push
    accounts: frozenset[str]  # ids of Alibaba Cloud accounts that may push
    subscriptions: frozenset[str]  # topic/subscription of those accounts; empty for all


def load_webhooks(sources: Iterable[str], environ: Mapping[str, str] = os.environ) -> WebhookSettings:
    """Settings from the environment, for those of `sources` that have a queue; raises ConfigurationError."""
    queues = {source: environ.get(f"{source.upper()}_QUEUE", "").strip() for source in sources}
    return WebhookSettings(
        secret=_text(environ, "DOOR"),
        queues={source: url for source, url in queues.items() if url},
        public_url=environ.get("PUBLIC_URL", "").strip().rstrip("/"),
        topics=_set(environ, "SNS_TOPICS"),
        accounts=_set(environ, "ALIBABA_ACCOUNTS"),
        subscriptions=_set(environ, "MNS_SUBSCRIPTIONS"),
    )


class ApiSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function behind the HTTP API."""

    outcomes_table: str
    suppressions_table: str
    traffic_table: str
    digest_key: bytes
    policy: Policy
    retention: timedelta
    workers: int
    rules_parameter: str = ""


def load_api(environ: Mapping[str, str] = os.environ) -> ApiSettings:
    """Settings from the environment; raises ConfigurationError that names the variable."""
    return ApiSettings(
        outcomes_table=_text(environ, "OUTCOMES_TABLE"),
        suppressions_table=_text(environ, "SUPPRESSIONS_TABLE"),
        traffic_table=_text(environ, "TRAFFIC_TABLE"),
        digest_key=_text(environ, "DIGEST_KEY").encode(),
        policy=policy.load(environ.get("POLICY", "").strip()),
        retention=timedelta(days=_number(environ, "RETENTION_DAYS", 180, range(1, 3651))),
        workers=_number(environ, "WORKERS", 8, range(1, 65)),
        rules_parameter=environ.get("RULES_PARAMETER", "").strip(),
    )


class JobSettings(Struct, frozen=True, kw_only=True):
    """The settings of a function whose work comes in jobs, which it sends on to itself."""

    queue: str
    dead_letter_queue: str


def load_jobs(environ: Mapping[str, str] = os.environ) -> JobSettings:
    """Settings from the environment; raises ConfigurationError that names the variable."""
    return JobSettings(queue=_text(environ, "JOBS_QUEUE"), dead_letter_queue=_text(environ, "DEAD_LETTER_QUEUE"))


class ListJobSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that imports, exports, reverts and erases, beside those of the HTTP API."""

    jobs_table: str
    bucket: str
    queue: str


def load_list_jobs(environ: Mapping[str, str] = os.environ) -> ListJobSettings:
    """Settings from the environment; raises ConfigurationError that names the variable."""
    return ListJobSettings(
        jobs_table=_text(environ, "JOBS_TABLE"),
        bucket=_text(environ, "BULK_BUCKET"),
        queue=_text(environ, "JOBS_QUEUE"),
    )


class ReplaySettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that sends archived bodies back to work."""

    bucket: str
    queues: dict[str, str]  # URL of each queue by its source; of those sources that the deployment has


def load_replay(environ: Mapping[str, str] = os.environ) -> ReplaySettings:
    """Settings from the environment, where REPLAY_SES names the queue of "ses"; raises ConfigurationError."""
    named = {name.removeprefix("REPLAY_").lower(): environ[name].strip() for name in environ if "REPLAY_" in name[:7]}
    return ReplaySettings(
        bucket=_text(environ, "ARCHIVE_BUCKET"), queues={source: url for source, url in named.items() if url}
    )


def _set(environ: Mapping[str, str], name: str) -> frozenset[str]:
    return frozenset(environ.get(name, "").replace(",", " ").split())


def environment() -> Mapping[str, str]:
    """What the runtime itself tells: credentials, region, endpoints. `aftersend.aws.account` understands it."""
    return os.environ


def _text(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"the environment variable {name} is missing or empty")
    return value


def _number(environ: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    raw = environ.get(name, "").strip()
    if not raw:
        return default
    if not raw.isdecimal() or int(raw) not in allowed:
        raise ConfigurationError(f"the environment variable {name} is not a number from {allowed[0]} to {allowed[-1]}")
    return int(raw)

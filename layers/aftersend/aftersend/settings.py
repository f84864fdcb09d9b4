"""What the template passes to a function, read once at start. The only module that knows the environment.

A loader reads the variables of one function; each raises ConfigurationError that names the variable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from msgspec import Struct

from aftersend.core import policy
from aftersend.core.errors import ConfigurationError
from aftersend.core.policy import Policy, ReportProof

Environ = Mapping[str, str]


class TableSettings(Struct, frozen=True, kw_only=True):
    """The settings of every function that works on both tables."""

    outcomes_table: str
    suppressions_table: str
    digest_key: bytes
    policy: Policy
    retention: timedelta
    workers: int
    lean: bool = False  # whether outcomes are written in their lean form
    rules_parameter: str = ""  # SSM parameter with the user's own rules; empty for none


class IngestSettings(TableSettings, frozen=True, kw_only=True):
    """The settings of a function that brings feedback into the tables."""

    archive_bucket: str
    spread_archive: bool = False  # whether the archive's keys are spread over several beginnings
    unreadable_queue: str  # URL of the queue for bodies that nobody can read
    unmatched_texts_table: str
    spike_windows_table: str
    source: str = ""  # of messages that name none; empty where every message does
    inbound_bucket: str = ""  # where Amazon SES puts received mail; only for reports
    verp_template: str = ""  # form of the bounce addresses that carry a token; empty for none
    verp_keys: tuple[bytes, ...] = ()  # the first makes tokens, all verify


def load_ingest(environ: Environ = os.environ) -> IngestSettings:
    """Read the settings of `process`."""
    return IngestSettings(
        **_read_tables(environ),
        archive_bucket=_require(environ, "ARCHIVE_BUCKET"),
        spread_archive=_get(environ, "SPREAD_ARCHIVE") == "true",
        unreadable_queue=_require(environ, "UNREADABLE_BODIES_QUEUE"),
        unmatched_texts_table=_require(environ, "UNMATCHED_TEXTS_TABLE"),
        spike_windows_table=_require(environ, "SPIKE_WINDOWS_TABLE"),
        source=_get(environ, "SOURCE"),
        inbound_bucket=_get(environ, "INBOUND_BUCKET"),
        verp_template=_get(environ, "VERP_TEMPLATE"),
        verp_keys=tuple(key.encode() for key in environ.get("VERP_KEY", "").split()),
    )


def load_graphs(environ: Environ = os.environ) -> bool:
    """Read whether there is a dashboard, for whose graphs a function writes metrics of each source."""
    return _get(environ, "DASHBOARD") == "true"


# What MailerQ publishes into its queues, as its configuration and its manual name it; the queues have any name.
QUEUE_KINDS: Final = frozenset({"results", "success", "failure", "retry", "reports"})
# By every name that they have: the manual calls one of them otherwise.
QUEUE_KIND_NAMES: Final = {**{kind: kind for kind in QUEUE_KINDS}, "failures": "failure"}


def load_broker_queues(environ: Environ = os.environ) -> dict[str, str]:
    """Read what `consume` needs beside: what kind of queue each name of a RabbitMQ queue stands for.

    The variable is of the form "completed_deliveries=results,delayed_deliveries=retry". A name that is empty is a queue
    that is not used; an unknown kind raises ConfigurationError.
    """
    kinds = {}
    for pair in environ.get("MAILERQ_QUEUES", "").split(","):
        queue, _, kind = (part.strip() for part in pair.rpartition("="))
        if queue and kind not in QUEUE_KIND_NAMES:
            raise ConfigurationError(f"MAILERQ_QUEUES: {kind[:40]!r} is none of {', '.join(sorted(QUEUE_KIND_NAMES))}")
        if queue:
            kinds[queue] = QUEUE_KIND_NAMES[kind]
    return kinds


class PollSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that empties queues of Alibaba Cloud MNS into the feedback queue."""

    endpoint: str
    queues: tuple[str, ...]  # their names, all of the account of the endpoint
    secret: str  # name or ARN of the secret that holds the access key
    feedback_queue: str


def load_poll(environ: Environ = os.environ) -> PollSettings:
    """Read the settings of `poll`."""
    return PollSettings(
        endpoint=_match(environ, "MNS_ENDPOINT", _MNS_ENDPOINT),
        queues=tuple(_match(environ, "MNS_QUEUES", _MNS_QUEUES).split(",")),
        secret=_require(environ, "MNS_SECRET"),
        feedback_queue=_require(environ, "FEEDBACK_QUEUE"),
    )


# The access key is shown to no other host than one of Alibaba's.
_MNS_ENDPOINT: Final = r"https://[0-9]{1,20}\.mns\.[a-z0-9-]{1,40}\.aliyuncs\.com"
_MNS_QUEUES: Final = r"[A-Za-z0-9][A-Za-z0-9-]{0,119}(,[A-Za-z0-9][A-Za-z0-9-]{0,119}){0,9}"


class WebhookSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that takes what is pushed."""

    secrets: str  # name or ARN of the secret that says which sources are on, and what their providers must know
    feedback_queue: str
    public_url: str  # what the HTTP API is called outside; empty for the name that AWS gave it
    topics: frozenset[str]  # ARNs of Amazon SNS that may push
    accounts: frozenset[str]  # ids of Alibaba Cloud accounts that may push
    subscriptions: frozenset[str]  # topic/subscription of those accounts; empty for all
    rules_parameter: str = ""  # SSM parameter below which the user's mappings are; empty for none


def load_webhooks(environ: Environ = os.environ) -> WebhookSettings:
    """Read the settings of `receive`."""
    return WebhookSettings(
        secrets=_require(environ, "WEBHOOK_SECRETS"),
        feedback_queue=_require(environ, "FEEDBACK_QUEUE"),
        public_url=_get(environ, "PUBLIC_URL").rstrip("/"),
        topics=_split(environ, "SNS_TOPICS"),
        accounts=_split(environ, "ALIBABA_ACCOUNTS"),
        subscriptions=_split(environ, "MNS_SUBSCRIPTIONS"),
        rules_parameter=_get(environ, "RULES_PARAMETER"),
    )


class EventSettings(Struct, frozen=True, kw_only=True):
    """Where events go out to; of each, empty where they do not."""

    selection: str  # which go to the bus: none, rare or all
    bus: str = ""  # its name
    endpoints: str = ""  # name or ARN of the secret that says where webhooks go
    webhook_queue: str = ""
    local: bool = False  # webhooks may go to this machine


def load_events(environ: Environ = os.environ) -> EventSettings:
    """Read where the function of the streams publishes events."""
    endpoints = _get(environ, "WEBHOOK_ENDPOINTS")
    return EventSettings(
        selection=_get(environ, "PUBLISH_EVENTS") or "none",
        bus=_get(environ, "EVENT_BUS"),
        endpoints=endpoints,
        webhook_queue=_require(environ, "WEBHOOK_QUEUE") if endpoints else "",
        local=_is_local(environ),
    )


class IncidentSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that publishes incidents, beside where to."""

    spike_windows_table: str
    policy: Policy


def load_incidents(environ: Environ = os.environ) -> IncidentSettings:
    """Read what whoever publishes must know of incidents."""
    return IncidentSettings(
        spike_windows_table=_require(environ, "SPIKE_WINDOWS_TABLE"),
        policy=load_policy(_get(environ, "POLICY"), _get(environ, "VERP_TEMPLATE")),
    )


class WebhookDeliverySettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that delivers webhooks of the user's."""

    endpoints: str  # name or ARN of the secret that says where they go
    queue: str
    dead_letter_queue: str
    states_table: str
    processes: int  # of this function, at most
    local: bool  # to this machine, too, and without TLS


def load_webhook_delivery(environ: Environ = os.environ) -> WebhookDeliverySettings:
    """Read the settings of `deliver_webhooks`.

    `WEBHOOKS_TO_THIS_MACHINE` is for a developer's machine. No template gives it.
    """
    return WebhookDeliverySettings(
        endpoints=_require(environ, "WEBHOOK_ENDPOINTS"),
        queue=_require(environ, "WEBHOOK_QUEUE"),
        dead_letter_queue=_require(environ, "DEAD_LETTER_QUEUE"),
        states_table=_require(environ, "ENDPOINT_STATES_TABLE"),
        processes=_parse_number(environ, "WEBHOOK_PROCESSES", 2, range(1, 1001)),
        local=_is_local(environ),
    )


def _is_local(environ: Environ) -> bool:
    return _get(environ, "WEBHOOKS_TO_THIS_MACHINE") == "true"


class ApiSettings(TableSettings, frozen=True, kw_only=True):
    """The settings of a function behind the HTTP API."""

    spike_windows_table: str


def load_api(environ: Environ = os.environ) -> ApiSettings:
    """Read the settings of `query`."""
    return ApiSettings(**_read_tables(environ), spike_windows_table=_require(environ, "SPIKE_WINDOWS_TABLE"))


class Deployment(Struct, frozen=True, kw_only=True):
    """What the API says about the stack that it belongs to, beside the policy."""

    stack: str = ""
    region: str = ""
    syncs_ses_list: bool = False  # suppressions go to the list of Amazon SES, too
    rules_parameter: str = ""  # SSM parameter with the user's own rules; empty for none
    rights_claim: str = ""  # of a token, that lists the rights of whoever shows it; empty where scopes alone say so


def load_deployment(environ: Environ = os.environ) -> Deployment:
    """Read what `query` says about its stack."""
    return Deployment(
        stack=_get(environ, "POWERTOOLS_SERVICE_NAME"),
        region=_get(environ, "AWS_REGION"),
        syncs_ses_list=_get(environ, "SYNC_SES_SUPPRESSIONS") == "true",
        rules_parameter=_get(environ, "RULES_PARAMETER"),
        rights_claim=_get(environ, "RIGHTS_CLAIM"),
    )


class ConsoleSettings(Struct, frozen=True, kw_only=True):
    """Where whoever opens the hosted console signs in."""

    issuer: str  # an https address
    client_id: str
    uploads: str  # the origin of the bucket that takes lists from its page, if that does


def load_console(environ: Environ = os.environ) -> ConsoleSettings:
    """Read the settings of `console`."""
    return ConsoleSettings(
        issuer=_require(environ, "CONSOLE_ISSUER"),
        client_id=_require(environ, "CONSOLE_CLIENT_ID"),
        uploads=environ.get("CONSOLE_UPLOADS", ""),
    )


class OperationSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that looks into queues, beside those of the HTTP API."""

    queues: dict[str, str]  # the URL of each queue by its logical id
    unmatched_texts_table: str
    archive_bucket: str


def load_operations(environ: Environ = os.environ) -> OperationSettings:
    """Read what `operate` needs beside the settings of `query`.

    QUEUES and its like are of the form "ReportQueue=NAME ReportDeadLetters=NAME". All queues are of one account and
    region, so their URLs differ from that of the feedback queue in the name alone.
    """
    base = _require(environ, "FEEDBACK_QUEUE").rpartition("/")[0]
    named = [_require(environ, "QUEUES"), _get(environ, "MAIL_QUEUES"), _get(environ, "MASS_QUEUES")]
    pairs = (each.partition("=") for each in " ".join(named).split())
    return OperationSettings(
        queues={name: f"{base}/{queue}" for name, _, queue in pairs if queue},
        unmatched_texts_table=_require(environ, "UNMATCHED_TEXTS_TABLE"),
        archive_bucket=_require(environ, "ARCHIVE_BUCKET"),
    )


class ListJobSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that imports, exports, reverts and erases, beside those of the HTTP API."""

    jobs_table: str
    bucket: str
    queue: str
    feedback_queue: str
    unreadable_queue: str
    rules_parameter: str = ""  # SSM parameter below which the user's mappings are; empty for none


def load_list_jobs(environ: Environ = os.environ) -> ListJobSettings:
    """Read what `list_jobs` needs beside the settings of `query`."""
    return ListJobSettings(
        jobs_table=_require(environ, "LIST_JOBS_TABLE"),
        bucket=_require(environ, "LIST_FILES_BUCKET"),
        queue=_require(environ, "LIST_JOBS_QUEUE"),
        feedback_queue=_require(environ, "FEEDBACK_QUEUE"),
        unreadable_queue=_require(environ, "UNREADABLE_BODIES_QUEUE"),
        rules_parameter=_get(environ, "RULES_PARAMETER"),
    )


class TrialSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that tries rules, beside those of the HTTP API."""

    jobs_table: str
    queue: str
    unmatched_texts_table: str
    rules_parameter: str = ""  # SSM parameter with the user's own rules; empty for none


def load_trials(environ: Environ = os.environ) -> TrialSettings:
    """Read what `try_rules` needs beside the settings of `query`."""
    return TrialSettings(
        jobs_table=_require(environ, "LIST_JOBS_TABLE"),
        queue=_require(environ, "JOBS_QUEUE"),
        unmatched_texts_table=_require(environ, "UNMATCHED_TEXTS_TABLE"),
        rules_parameter=_get(environ, "RULES_PARAMETER"),
    )


class JobSettings(Struct, frozen=True, kw_only=True):
    """The settings of a function whose work comes in jobs, which it sends on to itself."""

    queue: str
    dead_letter_queue: str


def load_jobs(environ: Environ = os.environ) -> JobSettings:
    """Read what `reevaluate`, `replay` and `gather` need for their jobs."""
    return JobSettings(queue=_require(environ, "JOBS_QUEUE"), dead_letter_queue=_require(environ, "DEAD_LETTER_QUEUE"))


def load_tables(environ: Environ = os.environ) -> TableSettings:
    """Read the settings of `reevaluate`, but for its jobs."""
    return TableSettings(**_read_tables(environ))


class GatherSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that gathers objects of many records, beside those of `process` and for its jobs."""

    bucket: str
    feedback_queue: str


def load_gather(environ: Environ = os.environ) -> GatherSettings:
    """Read what `gather` needs beside the settings of `process` and for its jobs."""
    return GatherSettings(
        bucket=_require(environ, "ARCHIVE_BUCKET"), feedback_queue=_require(environ, "FEEDBACK_QUEUE")
    )


class ReplaySettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that sends archived bodies back to work, but for its jobs."""

    bucket: str
    feedback_queue: str
    mass_queue: str = ""  # URL of the queue of the function that gathers objects; empty for none
    rules_parameter: str = ""  # SSM parameter below which the user's mappings are; empty for none


def load_replay(environ: Environ = os.environ) -> ReplaySettings:
    """Read the settings of `replay`, but for its jobs."""
    return ReplaySettings(
        bucket=_require(environ, "ARCHIVE_BUCKET"),
        feedback_queue=_require(environ, "FEEDBACK_QUEUE"),
        mass_queue=_get(environ, "MASS_QUEUE"),
        rules_parameter=_get(environ, "RULES_PARAMETER"),
    )


def load_statistics_table(environ: Environ = os.environ) -> str:
    """Read the name of the table of counters; empty where nothing is counted."""
    return _get(environ, "STATISTICS_TABLE")


class StreamSettings(Struct, frozen=True, kw_only=True):
    """The settings of the function that reads the tables' streams."""

    outcomes_table: str
    statistics_table: str
    statistics: bool  # whether anything is counted
    bucket: str  # where records are parked that nobody can read
    policy: Policy


def load_streams(environ: Environ = os.environ) -> StreamSettings:
    """Read the settings of `streams`."""
    return StreamSettings(
        outcomes_table=_require(environ, "OUTCOMES_TABLE"),
        statistics_table=_require(environ, "STATISTICS_TABLE"),
        statistics=_get(environ, "STATISTICS") == "true",
        bucket=_require(environ, "ARCHIVE_BUCKET"),
        policy=load_policy(_get(environ, "POLICY"), _get(environ, "VERP_TEMPLATE")),
    )


def load_policy(document: str, verp_template: str) -> Policy:
    """Load a policy (TOML) as the functions of a stack with this `VerpTemplate` do, "" where it has none.

    Where bounce addresses carry tokens, knowing the id of a message proves nothing, unless the policy says otherwise.
    Raises ConfigurationError, which names the wrong field.
    """
    return policy.load(document, proof=ReportProof.TOKEN if verp_template.strip() else ReportProof.MESSAGE_ID)


def environment() -> Environ:
    """Return what the runtime provides: credentials, region, endpoints; `aftersend.aws.account` understands it."""
    return os.environ


def _read_tables(environ: Environ) -> dict[str, Any]:
    return {
        "outcomes_table": _require(environ, "OUTCOMES_TABLE"),
        "suppressions_table": _require(environ, "SUPPRESSIONS_TABLE"),
        "digest_key": _require(environ, "DIGEST_KEY").encode(),
        "policy": load_policy(_get(environ, "POLICY"), _get(environ, "VERP_TEMPLATE")),
        "retention": timedelta(days=_parse_number(environ, "RETENTION_DAYS", 180, range(1, 3651))),
        "workers": _parse_number(environ, "WORKERS", 16, range(1, 65)),
        "lean": _get(environ, "LEAN_ROWS") == "true",
        "rules_parameter": _get(environ, "RULES_PARAMETER"),
    }


def _get(environ: Environ, name: str) -> str:
    return environ.get(name, "").strip()


def _require(environ: Environ, name: str) -> str:
    value = _get(environ, name)
    if not value:
        raise ConfigurationError(f"the environment variable {name} is missing or empty")
    return value


def _split(environ: Environ, name: str) -> frozenset[str]:
    return frozenset(environ.get(name, "").replace(",", " ").split())


def _match(environ: Environ, name: str, pattern: str) -> str:
    value = _require(environ, name)
    if not re.fullmatch(pattern, value):
        raise ConfigurationError(f"the environment variable {name} is not of the form {pattern}")
    return value


def _parse_number(environ: Environ, name: str, default: int, allowed: range) -> int:
    raw = _get(environ, name)
    if not raw:
        return default
    if not raw.isdecimal() or int(raw) not in allowed:
        raise ConfigurationError(f"the environment variable {name} is not a number from {allowed[0]} to {allowed[-1]}")
    return int(raw)

"""Puts the pieces together that a function works a batch with: clients in, `Ports` out."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from aftersend import classify
from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import FullS3Client, SQSClient
from aftersend.core.model import Reverted
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.ports import Ports, StorePort
from aftersend.settings import IngestSettings, ListJobSettings
from aftersend.sources import parser
from aftersend.storage import user_rules
from aftersend.storage.archive import Archive
from aftersend.storage.dead_letters import DeadLetters
from aftersend.storage.inbound_mail import InboundMail
from aftersend.storage.spike_windows import SpikeWindows
from aftersend.storage.store import Store, Tables
from aftersend.storage.unmatched import UnmatchedTexts
from aftersend.verp import Verp

if TYPE_CHECKING:
    from aftersend.lists.service import ListJobService

Connect = Callable[[str], Any]  # the name of a service to a client of it: `aftersend.aws.connect`


def ports(config: IngestSettings, connect: Connect) -> Ports:
    """Everything that `ingest` needs; raises ConfigurationError where the user's rules are wrong or cannot be read."""
    parser(config.source)  # imported now, at start, where it costs no message any time
    dynamodb, s3 = connect("dynamodb"), connect("s3")
    tables = Tables(outcomes=config.outcomes_table, suppressions=config.suppressions_table, retention=config.retention)
    return Ports(
        source=config.source,
        store=Store(dynamodb, tables),
        archive=Archive(s3, config.archive_bucket),
        dead_letters=DeadLetters(partial(connect, "sqs"), config.dead_letter_queue),
        policy=config.policy,
        classify=classify.load(user_rules.read_user_rules(config.rules_parameter, connect)),
        pool=ThreadPoolExecutor(config.workers),
        clock=lambda: datetime.now(UTC),
        watch=SpikeWindows(dynamodb, config.traffic_table, config.policy.guard),
        unqualified=UnmatchedTexts(dynamodb, config.unqualified_table, config.retention),
        unpack=InboundMail(s3, config.inbound_bucket).open if config.inbound_bucket else None,
        vouch=Verp(config.verp_keys, config.verp_template).vouches if config.verp_template else None,
    )


def build_list_jobs(
    config: ListJobSettings,
    connect: Connect,
    *,
    tables: Tables,
    store: StorePort,
    policy: Policy,
    classify: Classify,
    pool: Executor,
    clock: Callable[[], datetime],
    find_reverts: Callable[[str], Sequence[Reverted]],
    connect_boto3: Callable[[], FullS3Client] | None = None,
) -> ListJobService:
    """Return what begins list jobs and goes on with them, on the tables and rules that the API works with.

    `find_reverts` gives the windows of a provider's accident, in which evidence against a recipient does not hold.
    """
    from aftersend.lists.context import JobContext  # noqa: PLC0415  # one function needs them, and others start without
    from aftersend.lists.files import ListFiles  # noqa: PLC0415
    from aftersend.lists.job_table import ListJobs  # noqa: PLC0415
    from aftersend.lists.service import ListJobService  # noqa: PLC0415
    from aftersend.storage.deletions import Deletions  # noqa: PLC0415
    from aftersend.storage.queries import Queries  # noqa: PLC0415

    dynamodb = connect("dynamodb")
    context = JobContext(
        store=store,
        queries=Queries(dynamodb, tables),
        deletions=Deletions(dynamodb, tables),
        jobs=ListJobs(dynamodb, config.jobs_table),
        files=ListFiles(connect("s3"), config.bucket, connect_boto3 or _connect_boto3),
        policy=policy,
        classify=classify,
        pool=pool,
        clock=clock,
        timer=time.monotonic,
        find_reverts=find_reverts,
    )
    send = partial(_send_later, connect("sqs"), config.queue)
    return ListJobService(context=context, send=send, new_id=lambda: secrets.token_hex(16))


@cache
def _connect_boto3() -> Any:
    """boto3's client of S3, which takes a third of a second to make and is seldom needed."""
    from aftersend.aws import boto  # noqa: PLC0415

    return boto.client("s3")


def _send_later(sqs: SQSClient, queue: str, id_: str, seconds: int) -> None:
    with translate_errors("SQS: SendMessage"):
        sqs.send_message(QueueUrl=queue, MessageBody=id_, DelaySeconds=seconds)

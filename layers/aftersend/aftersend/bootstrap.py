"""Puts together what each function works with: settings and clients, made once for each execution environment.

There is one entry point for each folder of `functions/`, called at start, where it costs no message any time. A start
is paid for in modules, so the imports stand in the entry points: a function imports what it needs and no more.
"""

# ruff: noqa: E402, PLC0415
from __future__ import annotations

import gc
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

# Before anything else is imported: what a start makes stays, and it is looked through for garbage a dozen times
# (decision 69). A batch leaves hardly any: references are counted, and few things here refer to each other.
gc.set_threshold(50_000)

from msgspec import Struct
from msgspec.structs import replace

from aftersend import settings
from aftersend.aws import connect, snapshot
from aftersend.settings import IngestSettings, ListJobSettings, TableSettings

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from aftersend.api.context import ApiContext
    from aftersend.aws.protocols import FullS3Client, S3Client, SQSClient
    from aftersend.console.hosted import HostedConsole
    from aftersend.core.model import Feedback, Reverted
    from aftersend.core.outcome import Classify
    from aftersend.core.policy import Policy
    from aftersend.jobs.gather import Gatherer
    from aftersend.jobs.poll_mns import PollResult
    from aftersend.jobs.reevaluate import ReevaluationJob, ReevaluationPorts
    from aftersend.jobs.replay import Replay, ReplayJob
    from aftersend.jobs.runner import JobRunner
    from aftersend.jobs.ses_sync import SesSync
    from aftersend.jobs.streams import StreamWorker
    from aftersend.lists.service import ListJobService
    from aftersend.outgoing.incidents import IncidentStream
    from aftersend.outgoing.publish import Publisher
    from aftersend.outgoing.sender import SenderPorts
    from aftersend.ports import Ports, StorePort, Tasks
    from aftersend.storage.early_retry import EarlyRetry
    from aftersend.storage.queue_overview import QueueOverview
    from aftersend.storage.statistics import StatisticsTable
    from aftersend.storage.store import TableNames
    from aftersend.webhooks.receive import WebhookPorts

Connect = Callable[[str], Any]  # the name of a service to a client of it: `aftersend.aws.connect`

snapshot.register(settings.environment())


class Ingestion(Struct, frozen=True, kw_only=True):
    """What `process` and `consume` work with."""

    ports: Ports
    digest_key: bytes
    source: str  # of messages that name none
    early_retry: EarlyRetry  # of queues of SQS
    broker_queues: dict[str, str] = {}  # what kind of queue each name of RabbitMQ stands for


def process() -> Ingestion:
    """Return what brings a batch of messages into the tables."""
    from aftersend.sources import load_parser
    from aftersend.storage.early_retry import EarlyRetry

    config = settings.load_ingest()
    if config.source:
        load_parser(config.source)  # at start; where any source may come, each is imported with its first body
    return Ingestion(
        ports=make_ports(config, connect),
        digest_key=config.digest_key,
        source=config.source,
        early_retry=EarlyRetry(partial(connect, "sqs"), config.unreadable_queue),
    )


def consume() -> Ingestion:
    """Return what brings a batch out of RabbitMQ into the tables."""
    made = process()
    return Ingestion(
        ports=replace(made.ports, can_wait=False),  # RabbitMQ takes no single message back
        digest_key=made.digest_key,
        source=made.source,
        early_retry=made.early_retry,
        broker_queues=settings.load_broker_queues(),
    )


def make_ports(config: IngestSettings, connect: Connect) -> Ports:
    """Return all that `ingest` needs; raises ConfigurationError where the user's rules are wrong or cannot be read."""
    from aftersend import classify
    from aftersend.classify.lazy import LazyClassifier
    from aftersend.ports import Ports
    from aftersend.sources import configure
    from aftersend.storage import user_mappings, user_rules
    from aftersend.storage.archive import Archive
    from aftersend.storage.dead_letters import DeadLetters
    from aftersend.storage.inbound_mail import InboundMail
    from aftersend.storage.spike_windows import SpikeWindows
    from aftersend.storage.store import StoreSteps
    from aftersend.storage.unmatched import UnmatchedTexts
    from aftersend.verp import Verp

    dynamodb, s3 = connect("dynamodb"), connect("s3")
    mappings = user_mappings.read_user_mappings(config.rules_parameter, connect)
    user_mappings.add_user_sources(mappings)
    rules = user_rules.read_user_rules(config.rules_parameter, connect)
    classifier = LazyClassifier(partial(user_mappings.make_user_classifier, rules, mappings))
    if rules or mappings:
        classifier.load()  # a mistake of the user's stops the start, and loses no message any time
    return Ports(
        store=StoreSteps(_name_tables(config)),
        archive=Archive(config.archive_bucket, spread=config.spread_archive),
        dead_letters=DeadLetters(partial(connect, "sqs"), config.unreadable_queue),
        policy=config.policy,
        classify=classifier,
        parsers=configure(classify.read_settings(rules)) if rules else {},
        open_tasks=_choose_tasks({"dynamodb": dynamodb, "s3": s3}, config.workers),
        clock=_now,
        spike_windows=SpikeWindows(dynamodb, config.spike_windows_table, config.policy.guard),
        unmatched_texts=UnmatchedTexts(config.unmatched_texts_table, config.retention),
        unpack={"report": InboundMail(s3, config.inbound_bucket).open} if config.inbound_bucket else {},
        prove=Verp(config.verp_keys, config.verp_template).prove if config.verp_template and config.verp_keys else None,
    )


def _name_tables(config: TableSettings) -> TableNames:
    from aftersend.storage.store import TableNames

    return TableNames(
        outcomes=config.outcomes_table,
        suppressions=config.suppressions_table,
        retention=config.retention,
        find_by=config.policy.identifiers.find_by,
        lean=config.lean,
    )


def _choose_tasks(clients: Mapping[str, Any], limit: int) -> Callable[[], Tasks]:
    """Return what opens a batch's tasks, `limit` of them at once: in one thread, or in threads where clients block."""
    from aftersend.aws.tasks import MultiplexedClient, MultiplexedTasks, PooledTasks

    if all(isinstance(client, MultiplexedClient) for client in clients.values()):
        return partial(MultiplexedTasks, clients, limit)
    return partial(PooledTasks, clients, _make_pool(limit), time.sleep)


def receive() -> WebhookPorts:
    """Return what takes pushes; raises ConfigurationError where the user's mappings are wrong or cannot be read."""
    from aftersend.storage import user_mappings
    from aftersend.webhooks.receive import WebhookPorts
    from aftersend.webhooks.secrets import WebhookSecrets

    config = settings.load_webhooks()
    user_mappings.add_user_sources(user_mappings.read_user_mappings(config.rules_parameter, connect))
    return WebhookPorts(config, WebhookSecrets(partial(connect, "secretsmanager"), config), connect("sqs"))


def query() -> ApiContext:
    """Return what the handlers of the HTTP API work with."""
    made = replace(_make_api_context(), parse=_parse)
    if not (table := settings.load_statistics_table()):
        return made
    return replace(made, open_statistics=partial(_open_statistics, table))


@cache
def _open_statistics(table: str) -> StatisticsTable:
    from aftersend.storage.statistics import StatisticsTable  # one question in many asks for it

    return StatisticsTable(connect("dynamodb"), table)


def _make_api_context() -> ApiContext:
    from aftersend.api import context

    made = context.build(settings.load_api(), connect, _name_source)
    return replace(made, deployment=settings.load_deployment())  # it says which claim of a token lists rights


def _parse(source: str, body: bytes) -> list[Feedback]:
    from aftersend import sources
    from aftersend.storage import user_mappings

    config = settings.load_api()
    user_mappings.add_user_sources(user_mappings.read_user_mappings(config.rules_parameter, connect))
    return sources.read(source, body)


def _name_source(source: str) -> str:
    from aftersend.sources import name_source  # seldom asked for, and no other question needs the sources

    return name_source(source)


def console() -> HostedConsole:
    """Return what serves the files of the console, and knows where people sign in."""
    from aftersend.console.hosted import HostedConsole
    from aftersend.webhooks.fetch import get

    config = settings.load_console()
    return HostedConsole(config.issuer, config.client_id, get, config.uploads)


def operate() -> tuple[ApiContext, QueueOverview]:
    """Return what the handlers of the HTTP API work with that look into queues, and what counts there for alarms."""
    from aftersend.storage.alarms import Alarms
    from aftersend.storage.last_heard import LastHeard
    from aftersend.storage.queue_overview import QueueOverview
    from aftersend.storage.unmatched import UnmatchedTextQueries

    made, config = _make_api_context(), settings.load_operations()
    queues = QueueOverview(partial(connect, "sqs"), config.queues)
    texts = UnmatchedTextQueries(connect("dynamodb"), config.unmatched_texts_table)
    alarms = Alarms(partial(connect, "cloudwatch"), made.deployment.stack)
    heard = LastHeard(_connect_boto3, config.archive_bucket)
    return replace(made, queues=queues, alarms=alarms, unmatched_texts=texts, last_heard=heard), queues


def list_jobs() -> ApiContext:
    """Return what the handlers of the HTTP API work with, list jobs and dropped files among them."""
    from aftersend.storage import user_mappings

    made, config = _make_api_context(), settings.load_list_jobs()
    user_mappings.add_user_sources(user_mappings.read_user_mappings(config.rules_parameter, connect))
    service = build_list_jobs(
        config,
        connect,
        tables=made.tables,
        store=made.store,
        policy=made.policy,
        classify=made.classify,
        pool=made.pool,
        clock=made.clock,
        find_reverts=made.find_pending_windows,
    )
    return replace(made, list_jobs=service)


def try_rules() -> ApiContext:
    """Return what the handlers of the HTTP API work with that try rules; raises ConfigurationError."""
    from aftersend.lists.job_table import ListJobs
    from aftersend.lists.service import JobService
    from aftersend.lists.trials import RuleTrials
    from aftersend.lists.try_rules import TrialContext, run_trial
    from aftersend.storage.unmatched import UnmatchedTextQueries
    from aftersend.storage.user_mappings import UserDocuments, read_user_mappings
    from aftersend.storage.user_rules import read_user_rules

    made, config = _make_api_context(), settings.load_trials()
    parameter = config.rules_parameter
    documents = UserDocuments(read_user_rules(parameter, connect), read_user_mappings(parameter, connect))
    context = TrialContext(
        jobs=ListJobs(connect("dynamodb"), config.jobs_table),
        clock=made.clock,
        timer=time.monotonic,
        documents=documents,
        make_ports=partial(_make_trial_ports, made),
    )
    trials = RuleTrials(
        documents=documents,
        judge=documents.load(),
        texts=UnmatchedTextQueries(connect("dynamodb"), config.unmatched_texts_table),
        service=JobService(
            context=context,
            send=partial(_send_later, connect("sqs"), config.queue),
            new_id=lambda: secrets.token_hex(16),
            run=run_trial,
        ),
    )
    return replace(made, rule_trials=trials)


def _make_trial_ports(made: ApiContext, classify: Classify) -> ReevaluationPorts:
    """Return what a re-evaluation by other rules works with; what is tried only reads."""
    from aftersend.jobs.reevaluate import ReevaluationPorts

    return ReevaluationPorts(
        store=made.store,
        queries=made.queries,
        policy=made.policy,
        classify=classify,
        pool=made.pool,
        clock=made.clock,
        digest_key=made.digest_key,
    )


def reevaluate() -> tuple[JobRunner[ReevaluationJob], Callable[[], ReevaluationPorts]]:
    """Return what works the jobs of a re-evaluation, and what makes the ports for each.

    They are made anew each time: another document of rules may lie in its parameter since the last one.
    """
    from aftersend.jobs.reevaluate import ReevaluationJob, ReevaluationPorts
    from aftersend.storage import user_mappings
    from aftersend.storage.queries import Queries
    from aftersend.storage.store import Store, TableNames

    config, dynamodb = settings.load_tables(), connect("dynamodb")
    pool = _make_pool(config.workers)
    tables = TableNames(
        outcomes=config.outcomes_table,
        suppressions=config.suppressions_table,
        retention=config.retention,
        find_by=config.policy.identifiers.find_by,
        lean=config.lean,
    )

    def make() -> ReevaluationPorts:
        return ReevaluationPorts(
            store=Store(dynamodb, tables),
            queries=Queries(dynamodb, tables),
            policy=config.policy,
            classify=user_mappings.load_user_classifier(config.rules_parameter, connect),
            pool=pool,
            clock=_now,
            digest_key=config.digest_key,
        )

    return _make_runner("reevaluate", ReevaluationJob), make


def replay() -> tuple[JobRunner[ReplayJob], Replay]:
    """Return what works the jobs of a replay, and what sends archived bodies."""
    from aftersend.aws import boto
    from aftersend.jobs.gather import ObjectPart
    from aftersend.jobs.replay import Replay, ReplayJob
    from aftersend.storage import user_mappings
    from aftersend.storage.queue import QueueSender

    config = settings.load_replay()
    user_mappings.add_user_sources(user_mappings.read_user_mappings(config.rules_parameter, connect))
    sender = QueueSender(connect("sqs"), config.feedback_queue)
    mass = _make_runner("gather", ObjectPart, config.mass_queue) if config.mass_queue else None
    send_object = (lambda key: mass.send([ObjectPart(key)])) if mass else None
    replay = Replay(boto.make_client("s3"), config.bucket, sender, send_object=send_object)
    return _make_runner("replay", ReplayJob), replay


def gather() -> tuple[Gatherer, bytes]:
    """Return what brings objects of many records into the tables, and the key of the log's digests."""
    from aftersend.ingest import ingest
    from aftersend.jobs.gather import Gatherer, ObjectPart
    from aftersend.storage.archive import AlreadyArchived
    from aftersend.storage.dead_letters import DeadLetters
    from aftersend.storage.objects import read_pieces, unpack_pieces
    from aftersend.storage.queue import QueueSender

    config, files = settings.load_ingest(), settings.load_gather()
    s3, ports = connect("s3"), replace(make_ports(config, connect), archive=AlreadyArchived())
    gatherer = Gatherer(
        _make_runner("gather", ObjectPart),
        lambda key: unpack_pieces(read_pieces(s3, files.bucket, key)),
        lambda messages, seconds_left: ingest(messages, ports, seconds_left),
        DeadLetters(partial(connect, "sqs"), config.unreadable_queue),
        QueueSender(connect("sqs"), files.feedback_queue),
    )
    return gatherer, config.digest_key


def _make_runner(name: str, kind: type[Any], queue: str = "") -> JobRunner[Any]:
    from aftersend.jobs.runner import JobRunner
    from aftersend.storage.dead_letters import DeadLetters

    jobs = settings.load_jobs()
    return JobRunner(
        name, kind, connect("sqs"), queue or jobs.queue, DeadLetters(partial(connect, "sqs"), jobs.dead_letter_queue)
    )


def poll() -> Callable[[Callable[[], float]], PollResult]:
    """Return what empties the queues of MNS; it is given what says how many seconds are left."""
    from contextlib import ExitStack

    from aftersend.jobs.mns_key import AccessKey
    from aftersend.jobs.mns_queue import MnsQueue
    from aftersend.jobs.poll_mns import poll as poll_queues
    from aftersend.storage.queue import QueueSender

    config = settings.load_poll()
    key = AccessKey(partial(connect, "secretsmanager"), config.secret)
    sender = QueueSender(connect("sqs"), config.feedback_queue)

    def run(seconds_left: Callable[[], float]) -> PollResult:
        credentials = key.read()
        with ExitStack() as opened:
            queues = [opened.enter_context(MnsQueue(config.endpoint, name, credentials)) for name in config.queues]
            result = poll_queues(queues, sender, seconds_left)
        if result.problems:
            key.forget()  # it may have been changed
        return result

    return run


def sync_ses_list() -> SesSync:
    """Return what keeps the suppression list of Amazon SES."""
    from aftersend.jobs.ses_sync import SesSync

    return SesSync(connect("sesv2"), time.sleep)


def deliver_webhooks() -> SenderPorts:
    """Return what delivers webhooks."""
    import random

    from aftersend.outgoing.addresses import is_loopback, is_public
    from aftersend.outgoing.deliver import Deliverer
    from aftersend.outgoing.endpoints import Endpoints
    from aftersend.outgoing.pace import Pace
    from aftersend.outgoing.sender import SenderPorts
    from aftersend.outgoing.states import EndpointStates

    config = settings.load_webhook_delivery()
    endpoints = Endpoints(partial(connect, "secretsmanager"), config.endpoints, local=config.local)
    return SenderPorts(
        sqs=connect("sqs"),
        queue=config.queue,
        parked=config.dead_letter_queue,
        endpoints=lambda: endpoints.get(_now()),
        states=EndpointStates(connect("dynamodb"), config.states_table, time.time),
        deliver=Deliverer(judge=is_loopback if config.local else is_public).deliver,
        pace=Pace(time.monotonic, time.sleep),
        processes=config.processes,
        pool=_make_pool(10),  # as many as a FIFO queue gives at once
        clock=time.time,
        jitter=lambda most: random.uniform(0, most),  # noqa: S311  # spreads attempts, hides nothing
    )


def make_publisher() -> Publisher | None:
    """Return what publishes events, or None where none go out."""
    from aftersend.outgoing.bus import EventBus
    from aftersend.outgoing.endpoints import Endpoints
    from aftersend.outgoing.outbox import WebhookOutbox
    from aftersend.outgoing.publish import Publisher, Selection
    from aftersend.storage.spike_windows import IncidentCache, SpikeWindows

    config = settings.load_events()
    if not config.bus and not config.webhook_queue:
        return None
    known = settings.load_incidents()
    incidents = IncidentCache(SpikeWindows(connect("dynamodb"), known.spike_windows_table, known.policy.guard), _now)
    endpoints = Endpoints(partial(connect, "secretsmanager"), config.endpoints, local=config.local)
    return Publisher(
        incidents=incidents.find_incidents,
        bus=EventBus(connect("events"), config.bus) if config.bus else None,
        selection=Selection(config.selection),
        outbox=WebhookOutbox(connect("sqs"), config.webhook_queue) if config.webhook_queue else None,
        endpoints=lambda: endpoints.get(_now()),
    )


def publish_incidents() -> IncidentStream:
    """Return what publishes incidents; raises ConfigurationError where there is nowhere to."""
    from aftersend.core.errors import ConfigurationError
    from aftersend.outgoing.incidents import IncidentStream

    publisher = make_publisher()
    if publisher is None:
        raise ConfigurationError("the environment variables EVENT_BUS and WEBHOOK_QUEUE are both empty")
    return IncidentStream(publisher, settings.load_incidents().policy.guard)


def streams() -> StreamWorker:
    """Return what works the streams of both tables."""
    from aftersend.jobs.streams import StreamWorker
    from aftersend.storage.parked_records import ParkedRecords
    from aftersend.storage.statistics import StatisticsTable

    config = settings.load_streams()
    return StreamWorker(
        config.outcomes_table,
        StatisticsTable(connect("dynamodb"), config.statistics_table),
        ParkedRecords(connect("s3"), config.bucket),
        config.policy.find_stream,
        counts=config.statistics,
        publisher=make_publisher(),
    )


def _now() -> datetime:
    return datetime.now(UTC)


def build_list_jobs(
    config: ListJobSettings,
    connect: Connect,
    *,
    tables: TableNames,
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
    from aftersend.lists.context import JobContext  # one function needs them, and others start without
    from aftersend.lists.job_table import ListJobs
    from aftersend.lists.service import ListJobService
    from aftersend.storage.deletions import Deletions
    from aftersend.storage.queries import Queries

    dynamodb, sqs = connect("dynamodb"), connect("sqs")
    context = JobContext(
        store=store,
        queries=Queries(dynamodb, tables),
        deletions=Deletions(dynamodb, tables),
        jobs=ListJobs(dynamodb, config.jobs_table),
        policy=policy,
        classify=classify,
        pool=pool,
        clock=clock,
        timer=time.monotonic,
        **_make_places(config, connect("s3"), sqs, connect_boto3),
        find_reverts=find_reverts,
    )
    send = partial(_send_later, sqs, config.queue)
    return ListJobService(context=context, send=send, new_id=lambda: secrets.token_hex(16))


def _make_places(
    config: ListJobSettings, s3: S3Client, sqs: SQSClient, connect_boto3: Callable[[], FullS3Client] | None
) -> dict[str, Any]:
    """Return where the files of list jobs lie, and where the bodies in dropped files go."""
    from aftersend.lists.files import ListFiles
    from aftersend.storage.dead_letters import DeadLetters
    from aftersend.storage.queue import QueueSender

    return {
        "files": ListFiles(s3, config.bucket, connect_boto3 or cache(_connect_boto3)),
        "feedback_queue": QueueSender(sqs, config.feedback_queue),
        "dead_letters": DeadLetters(lambda: sqs, config.unreadable_queue),
    }


def _connect_boto3() -> Any:
    """Return boto3's client of S3, which takes a third of a second to make and is seldom needed."""
    from aftersend.aws import boto

    return boto.make_client("s3")


def _send_later(sqs: SQSClient, queue: str, id_: str, seconds: int) -> None:
    from aftersend.aws.calls import translate_errors

    with translate_errors("SQS: SendMessage"):
        sqs.send_message(QueueUrl=queue, MessageBody=id_, DelaySeconds=seconds)


def _make_pool(workers: int) -> Executor:
    from concurrent.futures import ThreadPoolExecutor  # the hot path starts without

    return ThreadPoolExecutor(workers)

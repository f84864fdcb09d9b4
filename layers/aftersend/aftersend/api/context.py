"""What every handler of the API works with, made once for each execution environment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from aftersend.core import spike_guard
from aftersend.core.erasure import make_alias
from aftersend.core.model import Feedback, Reverted, Verdict
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.core.spike_guard import Incident
from aftersend.core.vocabulary import Advise, Channel, Judgement
from aftersend.settings import ApiSettings, Deployment
from aftersend.storage import user_mappings
from aftersend.storage.queries import Queries
from aftersend.storage.spike_windows import IncidentCache, SpikeWindows
from aftersend.storage.store import Store, TableNames

if TYPE_CHECKING:
    from aftersend.classify.engine import Classifier
    from aftersend.lists.service import ListJobService
    from aftersend.lists.trials import RuleTrials
    from aftersend.ports import StorePort
    from aftersend.storage.alarms import Alarms
    from aftersend.storage.last_heard import LastHeard
    from aftersend.storage.queue_overview import QueueOverview
    from aftersend.storage.statistics import StatisticsTable
    from aftersend.storage.unmatched import UnmatchedTextQueries

Connect = Callable[[str], Any]  # the name of a service to a client of it: `aftersend.aws.connect`


class ApiContext(Struct, frozen=True, kw_only=True):
    """Everything that a handler works with."""

    tables: TableNames
    store: StorePort
    queries: Queries
    spike_windows: SpikeWindows
    incidents: Callable[[], list[Incident]]  # open or reverted ones; may be some seconds old
    policy: Policy
    classify: Classify
    advise: Advise
    name_source: Callable[[str], str]  # what people call a source
    pool: Executor
    clock: Callable[[], datetime]  # UTC, in milliseconds
    digest_key: bytes
    deployment: Deployment = Deployment()
    parse: Callable[[str, bytes], list[Feedback]] | None = None  # a body of a source; raises MalformedFeedback
    open_statistics: Callable[[], StatisticsTable] | None = None  # None where nothing is counted
    list_jobs: ListJobService | None = None  # in the function that works them
    queues: QueueOverview | None = None  # in the function that looks into them
    unmatched_texts: UnmatchedTextQueries | None = None  # in the same
    alarms: Alarms | None = None  # in the same
    last_heard: LastHeard | None = None  # in the same
    rule_trials: RuleTrials | None = None  # in the function that tries rules

    def make_alias(self, recipient: str) -> str:
        """Return what stands for this recipient, should they have been erased."""
        return make_alias(recipient, self.digest_key)

    def is_stored(self, name: str) -> bool:
        """Whether anything is stored of this recipient (canonical); raises StoreUnavailable."""
        return self.queries.has_outcomes(name) or bool(self.queries.find_suppressions_of(name))

    def find_pending_windows(self, recipient: str) -> list[Reverted]:
        """Return the windows of incidents in which evidence against this recipient does not count.

        Raises StoreUnavailable where the table of incidents does not answer.
        """
        return spike_guard.find_reverted_windows(self.incidents(), recipient)


def build(config: ApiSettings, connect: Connect, name_source: Callable[[str], str]) -> ApiContext:
    """Return the context of a function; raises ConfigurationError where the settings are wrong."""
    dynamodb = connect("dynamodb")
    tables = TableNames(
        outcomes=config.outcomes_table,
        suppressions=config.suppressions_table,
        retention=config.retention,
        find_by=config.policy.identifiers.find_by,
        lean=config.lean,
    )
    rules = _Rules(config.rules_parameter, connect)
    windows = SpikeWindows(dynamodb, config.spike_windows_table, config.policy.guard)
    return ApiContext(
        tables=tables,
        store=Store(dynamodb, tables),
        queries=Queries(dynamodb, tables),
        spike_windows=windows,
        incidents=IncidentCache(windows, now).find_incidents,
        policy=config.policy,
        classify=rules.judge,
        advise=rules.advise,
        name_source=name_source,
        pool=ThreadPoolExecutor(config.workers),
        clock=now,
        digest_key=config.digest_key,
    )


def now() -> datetime:
    """Return the time (UTC) in milliseconds, as tables keep it: a finer decision would differ from itself."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class _Rules:
    """The user's rules and the shipped ones, loaded when they are first needed: most requests need none."""

    def __init__(self, parameter: str, connect: Connect) -> None:
        self._parameter = parameter
        self._connect = connect

    @cached_property
    def _classifier(self) -> Classifier:
        return user_mappings.load_user_classifier(self._parameter, self._connect)

    def judge(self, fact: Feedback) -> Verdict | None:
        return self._classifier(fact)

    def advise(self, judged: Judgement, channel: Channel | None) -> str:
        return self._classifier.advise_on(judged, channel)

"""What every handler works with, made once for each execution environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from msgspec import Struct

from aftersend.api.routing import Router
from aftersend.core import spike_guard
from aftersend.core.erasure import make_alias
from aftersend.core.model import Feedback, Key, Outcome, Reverted, Suppression, Verdict
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.core.spike_guard import Incident
from aftersend.core.writes import Answer, Request
from aftersend.settings import ApiSettings
from aftersend.storage import user_rules
from aftersend.storage.queries import Queries
from aftersend.storage.spike_windows import IncidentCache, SpikeWindows
from aftersend.storage.store import Store, Tables

if TYPE_CHECKING:
    from aftersend.lists.service import ListJobService

Connect = Callable[[str], Any]  # the name of a service to a client of it: `aftersend.aws.connect`


class Shelves(Protocol):
    """The two tables, strongly consistent: `aftersend.storage.store.Store` is one."""

    def outcomes(self, keys: Sequence[Key]) -> dict[Key, Outcome]: ...  # noqa: D102
    def suppressions(self, keys: Sequence[Key]) -> dict[Key, Suppression]: ...  # noqa: D102
    def answer(self, request: Request) -> Answer: ...  # noqa: D102


class Desk(Struct, frozen=True, kw_only=True):
    """Everything that a handler works with."""

    tables: Tables
    store: Shelves
    lookups: Queries
    watch: SpikeWindows
    incidents: Callable[[], list[Incident]]  # those that stand
    policy: Policy
    classify: Classify
    pool: Executor
    clock: Callable[[], datetime]  # in milliseconds
    digest_key: bytes
    connect: Connect
    list_jobs: ListJobService | None = None  # in the function that works them

    def alias(self, recipient: str) -> str:
        """What stands for this recipient, should they have been erased."""
        return make_alias(recipient, self.digest_key)

    def pending(self, recipient: str) -> Iterable[Reverted]:
        """The windows of a provider's accident, in which evidence against this recipient does not hold."""
        return spike_guard.find_reverted_windows(self.incidents(), recipient)


def desk_of(router: Router) -> Desk:
    """The desk of the request that is being answered."""
    return cast(Desk, router.context["desk"])


def build(config: ApiSettings, connect: Connect) -> Desk:
    """The desk of a function; raises ConfigurationError where the user's rules are wrong or cannot be read."""
    dynamodb = connect("dynamodb")
    tables = Tables(outcomes=config.outcomes_table, suppressions=config.suppressions_table, retention=config.retention)
    watch = SpikeWindows(dynamodb, config.spike_windows_table, config.policy.guard)
    return Desk(
        tables=tables,
        store=Store(dynamodb, tables),
        lookups=Queries(dynamodb, tables),
        watch=watch,
        incidents=IncidentCache(watch, now).incidents,
        policy=config.policy,
        classify=_classifier(config.rules_parameter, connect),
        pool=ThreadPoolExecutor(config.workers),
        clock=now,
        digest_key=config.digest_key,
        connect=connect,
    )


def now() -> datetime:
    """The time in milliseconds, which is what tables keep: a decision that is finer would differ from itself."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _classifier(parameter: str, connect: Connect) -> Classify:
    """The rules, loaded by whoever first needs a verdict: what is asked most often needs none."""

    @cache
    def rules() -> Classify:
        from aftersend import classify  # noqa: PLC0415

        return classify.load(user_rules.read_user_rules(parameter, connect))

    def judge(fact: Feedback) -> Verdict | None:
        return rules()(fact)

    return judge

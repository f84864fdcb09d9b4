"""Rules and policies that differ, and re-evaluation in memory: what its tests share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from aftersend.core import policy
from aftersend.core.model import Feedback, Key, Suppression, Verdict
from aftersend.core.outcome import Classify
from aftersend.core.policy import Policy
from aftersend.core.times import format_time
from aftersend.jobs.reevaluate import ReevaluationJob, ReevaluationPorts, run_slice, split
from aftersend.storage.queries import Page, RecipientPage
from tests.support.facts import VERDICTS, classify
from tests.support.ports import NOW, Inline, MemoryStore

_SHORT: Final = "[streak]\nbounces = 2\napart_hours = 24\ngap_days = 3\nlapse_days = 30\n"
DOCUMENTS: Final = [
    _SHORT,
    _SHORT.replace("bounces = 2", "bounces = 3") + "full_lapse_days = 7\n[hard]\nlapse_days = 9",
    "[streak]\nsuppress = false\n[report]\nrequire_proof = false\n[complaint]\neverywhere = false",
    _SHORT + "[report]\nrequire_proof = false\n[unsubscribed]\neverywhere = true\n[provider]\nsuppress = false",
    _SHORT + "[classes]\nuser_unknown = 'soft'\n[complaint]\nlapse_days = 5\n[unsubscribed]\nlapse_days = 4",
    _SHORT + "[hard]\nsuppress = false\n[complaint]\nsuppress = false\n[unsubscribed]\nsuppress = false",
    _SHORT + "[pause]\nprovider_codes = ['soft']\nhours = 48\n[channel.email.streak]\nbounces = 3",
    _SHORT + "[stream.news.unsubscribed]\neverywhere = true\nlapse_days = 3",
]
POLICIES: Final = [policy.load(document) for document in DOCUMENTS]

_EXCHANGES: Final[list[dict[str, str]]] = [
    {},
    {"soft": "hard", "full": "block"},
    {"hard": "soft", "listed": "hard"},
    {"soft": "listed", "block": "soft", "hard": "unclear"},
]


def _judging(exchange: dict[str, str]) -> Classify:
    def judge(fact: Feedback) -> Verdict | None:
        verdict = classify(fact)
        if verdict is None or fact.evidence is None or fact.evidence.judged is not None:
            return verdict  # what is not whole any more is not judged again, as `classify.engine` has it
        code = fact.evidence.provider_code
        return VERDICTS[exchange[code]] if code in exchange else verdict

    return judge


RULES: Final = [_judging(exchange) for exchange in _EXCHANGES]


class MemoryRecipients:
    """Pages of two recipients over a `MemoryStore`, which falls into segments by the lengths of recipients."""

    def __init__(self, store: MemoryStore, scopes: tuple[str, ...] = ("*", "news")) -> None:
        self._store, self._scopes = store, scopes

    def scan_recipients(self, segment: int, segments: int, after: Key | None) -> RecipientPage:
        keys = sorted(key for key in self._store.outcomes_table if len(key[0]) % segments == segment)
        found = [key for key in keys if after is None or key > after][:2]
        return RecipientPage(
            list(dict.fromkeys(key[0] for key in found)), found[-1] if found and found[-1] != keys[-1] else None
        )

    def find_due_outcomes(self, shard: str, by: datetime, limit: int, after: Any = None) -> Page[Key]:
        """As the index does: by its keys, which are text."""
        waiting = [
            (item["due_at"]["S"], key)
            for key, item in self._store.outcomes_table.items()
            if "waiting" in item and item["waiting"]["S"] == shard and item["due_at"]["S"] <= format_time(by)
        ]
        left = [each for each in sorted(waiting) if after is None or each > after]
        return Page([key for _, key in left[:limit]], left[limit - 1] if len(left) > limit else None)  # type: ignore[arg-type]

    def find_suppressions_of(self, recipient: str) -> list[Suppression]:
        return list(self._store.get_suppressions([(recipient, scope) for scope in self._scopes]).values())


def reevaluation(store: Any, rules: Policy, judge: Classify, queries: Any = None) -> ReevaluationPorts:
    return ReevaluationPorts(
        store=store,
        queries=queries or MemoryRecipients(store),
        policy=rules,
        classify=judge,
        pool=Inline(),
        clock=lambda: NOW,
        digest_key=b"a test's key",
    )


def run(
    job: ReevaluationJob, ports: ReevaluationPorts, seconds_left: Callable[[], float] = lambda: 0.0
) -> list[ReevaluationJob]:
    """Every segment from its beginning to its end, a slice at a time; how each stood at its end."""
    return [_to_its_end(run_slice(part, ports, seconds_left), ports, seconds_left) for part in split(job, "run")]


def _to_its_end(job: ReevaluationJob, ports: ReevaluationPorts, seconds_left: Callable[[], float]) -> ReevaluationJob:
    while job.after is not None:
        carried = msgspec.json.decode(msgspec.json.encode(job), type=ReevaluationJob)  # as a queue carries it
        job = run_slice(carried, ports, seconds_left)
    return job

"""Rules that are tried, in memory: what the API and the use case work with, and one text of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any, Final

import msgspec

from aftersend.classify import Classifier
from aftersend.classify.rules import RuleDocument
from aftersend.core import policy
from aftersend.core.outcome import Classify
from aftersend.jobs.reevaluate import ReevaluationPorts
from aftersend.lists.service import JobService
from aftersend.lists.trials import RuleTrials
from aftersend.lists.try_rules import TrialContext, run_trial
from aftersend.storage.user_mappings import UserDocuments
from tests.support.list_jobs import memory_jobs
from tests.support.ports import NOW, MemoryStore
from tests.support.reevaluation import MemoryRecipients, reevaluation

RIDDLE: Final = """\
[[rule]]
id = "riddle"
when.text = ["quuxd * mismatch"]
then.reason = "mailbox_disabled"
example = ["550 quuxd frobnication mismatch"]
"""


def trial_context(
    store: MemoryStore, documents: UserDocuments | None = None, rules: policy.Policy | None = None, **others: Any
) -> TrialContext:
    """Everything in memory but for what is given."""

    def make_ports(judge: Classify) -> ReevaluationPorts:
        return reevaluation(store, rules or policy.load(), judge, MemoryRecipients(store))

    given: dict[str, Any] = {
        "jobs": memory_jobs(),
        "clock": lambda: NOW,
        "timer": lambda: 0.0,
        "documents": documents or UserDocuments(),
        "make_ports": make_ports,
    }
    return TrialContext(**(given | others))


def rule_trials(
    context: TrialContext, texts: Any = None, send: Callable[[str, int], None] = lambda _id, _seconds: None
) -> RuleTrials:
    """What the API works with where rules are tried."""
    service = trial_service(context, send)
    return RuleTrials(documents=context.documents, judge=context.documents.load(), texts=texts, service=service)


def trial_service(context: TrialContext, send: Callable[[str, int], None]) -> JobService[TrialContext]:
    """What begins trials and goes on with them; ids of jobs begin with an f."""
    ids = count(0xF << 124)
    return JobService(context=context, send=send, new_id=lambda: f"{next(ids):032x}", run=run_trial)


class RememberingDocuments(UserDocuments, frozen=True):
    """Documents of which each classifier is made once in a process."""

    def load_with(self, rules: RuleDocument, *, instead: bool) -> Classifier:
        """As the class above."""
        return _load(self.rules or "", msgspec.json.encode(rules), instead)


@cache
def _load(own: str, rules: bytes, instead: bool) -> Classifier:  # a cache knows no names
    return UserDocuments(own).load_with(msgspec.json.decode(rules, type=RuleDocument), instead=instead)

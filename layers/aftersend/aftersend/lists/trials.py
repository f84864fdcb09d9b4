"""What the API works with where rules are tried."""

from __future__ import annotations

from msgspec import Struct

from aftersend.core.outcome import Classify
from aftersend.lists.service import JobService
from aftersend.lists.try_rules import TrialContext
from aftersend.storage.unmatched import UnmatchedTextQueries
from aftersend.storage.user_mappings import UserDocuments


class RuleTrials(Struct, frozen=True, kw_only=True):
    """The documents of the stack and how they judge, the texts that none of its rules knows, and what begins trials."""

    documents: UserDocuments
    judge: Classify
    texts: UnmatchedTextQueries
    service: JobService[TrialContext]

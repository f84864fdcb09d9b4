"""What needs no rules: the verdicts that a kind of feedback has by itself, and a classifier that waits for a refusal.

Reading the rules takes longer than all else at a start, and a batch of deliveries, opens or clicks asks for none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aftersend.core import validity
from aftersend.core.model import Class, Feedback, Kind, Reason, Verdict

if TYPE_CHECKING:
    from aftersend.classify.engine import Classifier

NO_VERDICT: Final = frozenset(
    (
        Kind.SENT,
        Kind.DELIVERED,
        Kind.OPENED,
        Kind.CLICKED,
        Kind.UNSUBSCRIBED,
        Kind.SUBSCRIBED,
        Kind.COMPLAINT_WITHDRAWN,
    )
)
KINDS: Final = {
    Kind.COMPLAINED: Verdict(klass=Class.COMPLAINT, reason=Reason.COMPLAINT, rule="kind.complained"),
    Kind.AUTO_REPLIED: Verdict(klass=Class.IGNORE, reason=Reason.AUTO_REPLY, rule="kind.auto-replied"),
    Kind.EXPIRED: validity.VERDICT,
}


class LazyClassifier:
    """A classifier that is made by `make` when the first feedback comes that only rules can judge."""

    def __init__(self, make: Callable[[], Classifier]) -> None:
        self._make = make
        self._made: Classifier | None = None

    def __call__(self, feedback: Feedback) -> Verdict | None:
        """Return the verdict on `feedback`, as `Classifier` does; raises what `make` raises."""
        kind = feedback.kind
        if kind in NO_VERDICT:
            return None
        return KINDS[kind] if kind in KINDS else self.load()(feedback)

    def load(self) -> Classifier:
        """Return the classifier; two threads may make one each, and the last stays."""
        if self._made is None:
            self._made = self._make()
        return self._made

"""Faults that are planted into the product, one at a time, to see whether the simulation finds them.

Each is a few words of one function, exchanged in its source. Where the source no longer holds them, planting fails:
then the fault is to be planted anew where its rule lives now.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from aftersend import ingest
from aftersend.core import feedback_set, outcome, plan, writes
from aftersend.jobs import runner, ses_sync
from aftersend.lists import erase
from aftersend.storage import spike_windows, store, versioned


@dataclass(frozen=True)
class Fault:
    """`new` in the place of `old`, which the source of `function` holds once."""

    name: str
    function: Any  # one that is written in Python
    old: str
    new: str

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Run with the fault."""
        source = textwrap.dedent(inspect.getsource(self.function))
        assert source.count(self.old) == 1, f"{self.name}: {self.function.__qualname__} no longer holds {self.old!r}"
        made: dict[str, Any] = {}
        exec(source.replace(self.old, self.new), self.function.__globals__, made)  # our own source
        sound = self.function.__code__
        self.function.__code__ = made[self.function.__name__].__code__  # whoever has imported it has the fault, too
        try:
            yield
        finally:
            self.function.__code__ = sound


_PUT: Final = "build_put(table, key, item)"


def _unconditional(table: str) -> str:
    return f'dict(TableName=table, Item=item) if table == "{table}" else build_put(table, key, item)'


FAULTS: Final = (
    Fault(
        "the second look after a streak was written is removed", writes.update_suppression, "elif looks:", "elif False:"
    ),
    Fault(
        "a partial BatchGetItem is taken for whole",
        store._read_batch,
        'if not answer.get("UnprocessedKeys"):',
        "if True:",
    ),
    Fault(
        "a failed write of a suppression is not handed back",
        ingest._update_suppressions,
        "batch[owner].fail(report, result)",
        "pass",
    ),
    Fault(
        "no recount where a streak or a hard bounce stands",
        writes._has_to_look,
        "stands = suppression.life or CauseKind.HARD in suppression.causes or CauseKind.STREAK in suppression.causes",
        "stands = None",
    ),
    Fault(
        "all outcomes are read for signs of life that nobody was told to join",
        writes._look,
        "return replace_life(suppression, Life(pending=True))",
        "life = find_life(_expect_outcomes((yield ReadOutcomes(suppression.recipient))), policy)",
    ),
    Fault(
        "a short page of the index of bounces is taken for whole",
        store._query,
        'if "LastEvaluatedKey" not in page or len(found) >= limit:',
        'if "LastEvaluatedKey" not in page or "IndexName" in request:',
    ),
    Fault("no version check: outcomes", versioned.put_in_steps, _PUT, _unconditional("Outcomes")),
    Fault("no version check: suppressions", versioned.put_in_steps, _PUT, _unconditional("Suppressions")),
    Fault(
        "a window's sets are replaced, and not added to",
        spike_windows.build_addition,
        """f"ADD {', '.join(f'{name} {value}' for name, value in zip(names, values, strict=True))}"
        " SET #schema = :schema",""",
        """f"SET {', '.join(f'{name} = {value}' for name, value in zip(names, values, strict=True))}"
        ", #schema = :schema",""",
    ),
    Fault(
        "no version check: deletion of a suppression",
        versioned.delete,
        "client.delete_item(**build_delete(table, key, version))",
        "client.delete_item(TableName=table, Key=key)",
    ),
    Fault(
        "reports are bounded to the two earliest and the last",
        feedback_set._bound_forgeable,
        "for (scope, _), group in groups.items() if scope in scopes for fact in (group[0], group[-1])",
        "for fact in (*facts[:2], facts[-1])",
    ),
    Fault("a lost race is not run again", writes.update_suppression, "if lost_race(answer, after):", "if False:"),
    Fault(
        "a body that could not be archived goes on",
        ingest._gather,
        "if message.id not in archived:",
        "if False:",
    ),
    Fault(
        "two facts of one moment are taken for one",
        plan.deduplicate,
        "return found.values()",
        "return {each.occurred_at: each for each in found.values()}.values()",
    ),
    Fault(
        "whoever vouches for a message brings only their own fact",
        plan.plan_updates,
        "deduplicate(outcome.feedback, new[key])",
        "deduplicate(new[key])",
    ),
    Fault(
        "a report that nothing proves counts",
        outcome.select_counting,
        "return facts if trusts_reports(facts, rules) else tuple(fact for fact in facts if not fact.forgeable)",
        "return facts",
    ),
    Fault(
        "a bounce after a delivery recounts no streak",
        plan._changes_streaks,
        "taken_back = outcome.status in _REFUSED and outcome.delivered_at is not None",
        "taken_back = False",
    ),
    Fault(
        "an erasure leaves outcomes",
        erase.erase,
        "keys = [(recipient, line.message) for line in context.queries.find_lines_of(recipient)]",
        "keys = []",
    ),
    Fault(
        "an erasure leaves suppressions",
        erase.erase,
        "[context.deletions.delete_suppression(each) for each in found]",
        "[True for each in found]",
    ),
    Fault("the last of several jobs is not sent on", runner.JobRunner.send, "for job in jobs:", "for job in jobs[:3]:"),
    Fault(
        "a re-evaluation does not look again",
        writes.update_suppression,
        "elif looks:",
        "elif looks and update.rebuild is None:",
    ),
    Fault("what SES does not take is passed over", ses_sync.SesSync.run, "break", "result.failed = None"),
    Fault(
        "an unreadable body that cannot be parked is taken for parked",
        ingest._park,
        "report.failed |= refused",
        "report.unreadable |= refused",
    ),
)

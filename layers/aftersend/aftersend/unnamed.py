"""Finds out whose a fact is that names no recipient: who else knows its message says who that is.

Receipts of text messages often name nothing but the id that the network gave. What tells that the message was sent
names its recipient; the outcome of it stands in the index by message. That index is a moment behind, so it only says
where to look: what is looked at is the table. A message that has one recipient is that recipient's. Of several none is
chosen, and what anybody could have written chooses nobody. Decision 44.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Final

from msgspec.structs import replace

from aftersend.core.errors import ServiceError
from aftersend.core.model import Feedback, Key, Outcome
from aftersend.ports import StoreStepsPort, Tasks

MAX_RECIPIENTS: Final = 100  # of one message that are looked at: of more, none could be chosen anyway

NOBODY: Final = "names no recipient, and nobody knows its message yet"
SEVERAL: Final = "names no recipient, and its message has several"

ReadMany = Callable[[Sequence[Key]], Mapping[Key, Outcome | ServiceError | None]]  # all at once, in chunks
Known = dict[str, set[str] | ServiceError]  # message -> its recipients, or why they could not be looked up


def name_recipient(fact: Feedback, recipient: str) -> Feedback:
    """Return `fact` as one about `recipient`, which its source did not name: another fact, the same for every copy."""
    evidence = fact.evidence and replace(fact.evidence, derived=True)
    return replace(fact, recipient=recipient, evidence=evidence, id="")


def find_recipients(
    named: Mapping[str, Set[str]], store: StoreStepsPort, read_many: ReadMany, tasks: Tasks
) -> dict[str, set[str] | ServiceError]:
    """Return the recipients of each message in `named`, which has those that the batch at hand names itself.

    One query of the index for each message, and one reading of the table for all that they find: what is not in the
    table any more, and what not anybody but the provider vouches for, is nobody's.
    """
    known: Known = {message: set(recipients) for message, recipients in named.items()}
    listed: dict[str, list[str]] = {}
    for message, found in zip(named, tasks.begin(store.find_recipients_of(each) for each in named)(), strict=True):
        if isinstance(found, ServiceError):
            known[message] = found
        else:
            listed[message] = found[: MAX_RECIPIENTS + 1]
    keys = [(recipient, message) for message, recipients in listed.items() for recipient in recipients]
    for (recipient, message), outcome in read_many(keys).items():
        names = known[message]
        if isinstance(outcome, ServiceError):
            known[message] = outcome
        elif isinstance(names, set) and outcome is not None and outcome.proven:
            names.add(recipient)
    return known

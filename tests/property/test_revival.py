"""A phone number or a token that is written to again and takes it is alive; a mailbox is for a person to decide."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.active_causes import EndedBy, find_ending
from aftersend.core.model import CauseKind, Feedback, Kind
from aftersend.core.suppression import compute_lapse, find_active_causes, find_contradiction_to_review
from aftersend.ingest import ingest
from tests.support.facts import ANN, START, bounce, fact, fake_source, message
from tests.support.ports import MemoryStore, ports

TOKEN, NUMBER = "push:apns:0a0b", "sms:+14255550156"
SIGNS = [Kind.DELIVERED, Kind.SUBSCRIBED]
LATER = START + timedelta(days=99)


@pytest.fixture(scope="module", autouse=True)
def _source() -> Iterator[None]:
    with fake_source():
        yield


def history(recipient: str) -> st.SearchStrategy[list[Feedback]]:
    """Refusals for good and signs of life, each of a message of its own and at a time of its own."""
    kinds = st.lists(st.sampled_from([Kind.BOUNCED, *SIGNS, Kind.SENT]), min_size=1, max_size=6)

    def tell(found: list[Kind]) -> list[Feedback]:
        made = []
        for day, kind in enumerate(found):
            given_ = {"message": f"test:{day}", "recipient": recipient}
            made.append(bounce(day, "hard", **given_) if kind is Kind.BOUNCED else fact(kind, day, **given_))
        return made

    return kinds.map(tell)


@given(st.data(), st.sampled_from([TOKEN, NUMBER, ANN]))
def test_the_last_word_of_a_token_or_a_number_counts_in_any_order(data: st.DataObject, recipient: str) -> None:
    """Law 1: "Any order of the same feedback gives the same tables", and so whether it is alive."""
    facts = data.draw(history(recipient))
    store = MemoryStore()
    for each in data.draw(st.permutations([*facts, *facts[:2]])):
        ingest([message([each])], ports(store))
    row = store.get_suppressions([(recipient, "*")]).get((recipient, "*"))
    active = find_active_causes(row, LATER) if row else ()
    deaths = [each.occurred_at for each in facts if each.kind is Kind.BOUNCED]
    signs = [each.occurred_at for each in facts if each.kind in SIGNS]
    alive = bool(deaths and signs and max(signs) > max(deaths))
    assert (CauseKind.HARD in active) == bool(deaths and not (alive and recipient != ANN))
    if row and deaths:
        assert (find_contradiction_to_review(row) is not None) == (alive and recipient == ANN)
        ended = find_ending(row, CauseKind.HARD, LATER)
        assert ended is (EndedBy.REVIVED if alive and recipient != ANN else None)
        assert compute_lapse(row) == (max(signs) if ended else None)

"""What a change of a suppression asks for at Amazon SES, and how it is carried out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from aftersend.core.errors import StoreUnavailable
from aftersend.core.model import Cause, CauseKind, EvidenceRef, Reverted, Suppression
from aftersend.core.model import Reason as Verdict
from aftersend.core.suppression import apply_reverts
from aftersend.jobs.ses_sync import PACE, ListChange, ListReason, SesSync, plan_change
from tests.support.account_list import AccountList, image, record
from tests.support.facts import ANN, START

ADDRESS = "ann@example.com"
PUT_BOUNCE, PUT_COMPLAINT, DELETE = (
    ListChange(ADDRESS, ListReason.BOUNCE),
    ListChange(ADDRESS, ListReason.COMPLAINT),
    ListChange(ADDRESS, None),
)
LATER = START + timedelta(days=5)


def cause(until: datetime | None = None, at: datetime = START) -> Cause:
    ref = EvidenceRef(at=at, feedback="f", message="ses:1", source="ses")
    return Cause(first=ref, latest=ref, until=until)


def row(*kinds: str, until: datetime | None = None, **others: Any) -> Suppression:
    given = {CauseKind(kind): cause(until) for kind in kinds}
    return Suppression(**({"recipient": ANN, "causes": given} | others))


RELEASED = {"released_at": LATER}
FORCED = {"released_at": LATER, "forced_at": LATER}
WITHDRAWN = replace(cause(), withdrawn=EvidenceRef(at=LATER, feedback="w", message="ses:1", source="ses"))


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (None, row("hard"), PUT_BOUNCE),
        (None, row("complaint"), PUT_COMPLAINT),
        (None, row("manual"), PUT_BOUNCE),
        (None, row("complaint", "hard"), PUT_COMPLAINT),
        (None, row("unsubscribed"), None),
        (None, row("streak", until=LATER), None),
        (None, row("pause", until=LATER), None),
        (None, row("provider"), None),
        (None, row("hard", until=LATER), None),  # SES knows no end
        (None, row("manual", until=LATER), None),
        (row("hard"), row("hard", note="x"), None),
        (row("hard"), row("hard", "complaint"), PUT_COMPLAINT),
        (row("hard"), row("hard", "provider"), None),  # their list has it because of us
        (row("provider"), row("hard", "provider"), PUT_BOUNCE),
        (row("hard"), row("hard", until=LATER), DELETE),  # a policy gave it an end
        (row("hard", "provider"), row("hard", "provider", until=LATER), None),
        (row("hard"), row("hard", **RELEASED), DELETE),
        (row("provider"), row("provider", **RELEASED), DELETE),
        (row("provider", until=LATER), row("provider", until=LATER, **RELEASED), DELETE),
        (row("hard", "provider"), row("hard", "provider", **RELEASED), DELETE),
        (row("hard", **RELEASED), row("hard", **RELEASED, note="x"), None),
        (row("complaint"), row("complaint", **RELEASED), None),  # only force lifts it
        (row("complaint"), row("complaint", **FORCED), DELETE),
        (row("complaint", "hard"), row("complaint", "hard", **RELEASED), None),
        (row("complaint", "hard"), row(causes={CauseKind.COMPLAINT: WITHDRAWN}), DELETE),
        (row("complaint", "hard"), row(causes={CauseKind.COMPLAINT: WITHDRAWN, CauseKind.HARD: cause()}), PUT_BOUNCE),
        (row("hard", **RELEASED), row(causes={CauseKind.HARD: cause(at=LATER + timedelta(1))}, **RELEASED), PUT_BOUNCE),
        (row("unsubscribed"), row("unsubscribed", **RELEASED), None),
        (row("hard"), None, DELETE),  # erased
        (row("provider", until=LATER), None, DELETE),  # lapsed long ago, and taken away by TTL
        (row("hard", until=LATER), None, None),  # was never put there
        (row("streak", until=LATER), None, None),
        (row("hard", **RELEASED), None, None),  # was taken off when it was released
        (None, row(), None),
        (row(), None, None),
        (None, row("hard", scope="news"), None),
        (row("hard", scope="news"), None, None),
        (None, row("hard", recipient="sms:+14255550156"), None),
        (None, row("hard", recipient="erased:0a1b"), None),
        (None, row("hard", recipient="email:nobody"), None),
        (None, None, None),
    ],
)
def test_what_a_change_asks_for(old: Suppression | None, new: Suppression | None, wanted: ListChange | None) -> None:
    assert plan_change(old, new) == wanted


def test_an_accident_leaves_the_list_once_its_echo_is_reverted_too() -> None:
    """docs/operations.md, Incidents: what SES refused for its list stands as evidence of its own."""
    hard = EvidenceRef(at=START, feedback="h", message="ses:1", source="ses", reason=Verdict.USER_UNKNOWN)
    echo = EvidenceRef(at=LATER, feedback="p", message="ses:2", source="ses", reason=Verdict.SUPPRESSED)
    accident = Reverted(START, START + timedelta(hours=1), Verdict.USER_UNKNOWN)
    alone = row(causes={CauseKind.HARD: Cause(first=hard, latest=hard)})
    assert plan_change(alone, apply_reverts(alone, [accident])) == DELETE
    both = replace(alone, causes=alone.causes | {CauseKind.PROVIDER: Cause(first=echo, latest=echo)})
    once = apply_reverts(both, [accident])
    assert plan_change(both, once) is None
    assert plan_change(once, apply_reverts(once, [Reverted(START, LATER, Verdict.SUPPRESSED)])) == DELETE


kinds = st.sets(st.sampled_from([*CauseKind]), max_size=4)
barriers = st.sampled_from([{}, RELEASED, FORCED])
rows = st.none() | st.builds(
    lambda found, ends, barrier: row(*found, until=LATER if ends else None, **barrier), kinds, st.booleans(), barriers
)


@given(st.lists(rows, min_size=1, max_size=6))
def test_the_list_follows_the_row_whatever_happens_to_it(history: list[Suppression | None]) -> None:
    """What stands without end is on the list under its reason; what we had put there and nothing holds is not.

    Every record may come twice, which changes nothing.
    """
    listed: ListReason | None = None
    before: Suppression | None = None
    for after in history:
        for _ in range(2):
            wanted = plan_change(before, after)
            listed = wanted.reason if wanted else listed
        before = after
        anew = plan_change(None, after)
        if anew is not None:
            assert listed is anew.reason
        elif after is None or CauseKind.PROVIDER not in after.causes:
            assert listed is None


@given(kinds)
def test_the_providers_own_list_never_puts_anybody_there(found: set[str]) -> None:
    """Issue: "provider cause itself must not echo back and forth"."""
    without = row(*found - {"provider"})
    assert plan_change(None, row(*found, "provider")) == plan_change(None, without)
    assert plan_change(without, row(*found, "provider")) is None


class Rig:
    """A list, and the code that keeps it; `waited` are the pauses."""

    def __init__(self) -> None:
        self.list = AccountList()
        self.waited: list[float] = []
        self.sync = SesSync(self.list.client(), self.waited.append)

    def run(self, *changes: tuple[Suppression | None, Suppression | None]) -> Any:
        records = [record(image(old), image(new), number) for number, (old, new) in enumerate(changes)]
        return self.sync.run({"Records": records})


def named(name: str, *kinds: str, **others: Any) -> Suppression:
    return row(*kinds, recipient=f"email:{name}@example.com", **others)


def test_puts_and_deletes() -> None:
    rig = Rig()
    done = rig.run(
        (None, named("a", "hard")),
        (None, named("b", "complaint")),
        (named("a", "hard"), named("a", "hard", **RELEASED)),
        (named("c", "provider"), None),
        (None, named("d", "streak", until=LATER)),
    )
    assert rig.list.listed == {"b@example.com": "COMPLAINT"}
    assert (done.counts, done.failed) == ({"Put": 2, "Deleted": 1, "Absent": 1, "Unchanged": 1}, None)
    assert rig.waited == [PACE] * 4, "one call a second, and none for what asks for nothing"


@pytest.mark.parametrize(
    "address", ["o'hara+x%y@example.com", "a/b?c#d@example.com", "user@xn--bcher-kva.example", "a&b=c@example.com"]
)
def test_an_address_is_the_same_on_the_way_in_and_out(address: str) -> None:
    rig = Rig()
    listed = row("hard", recipient=f"email:{address}")
    rig.run((None, listed))
    assert rig.list.listed == {address: "BOUNCE"}
    rig.run((listed, replace(listed, released_at=LATER)))
    assert rig.list.listed == {}


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, "TooManyRequestsException"), (500, "InternalServiceError"), (403, "AccessDeniedException")],
)
def test_a_batch_ends_where_ses_does_not_take_more_now(status: int, error: str) -> None:
    """Issue: "partial batch failure with ReportBatchItemFailures": what is before it is done, the rest comes again."""
    rig = Rig()
    changes = [(None, named(name, "hard")) for name in "abcd"]
    rig.run(changes[0])
    rig.list.failing = [(status, error)]
    done = rig.run(*changes[1:])
    assert done.failed == f"{0:021}"
    assert rig.list.listed.keys() == {"a@example.com"}
    assert done.why == f"SES: PutSuppressedDestination failed: {error}"
    assert len(rig.list.calls) == 2, "nothing is tried after it, so the order stays"
    assert rig.run(*changes[1:]).counts["Put"] == 3


def test_the_place_of_a_failure_is_its_sequence_number() -> None:
    rig = Rig()
    rig.list.failing = []
    first = rig.run((None, named("a", "hard")))
    rig.list.failing = [(429, "TooManyRequestsException")]
    records = [record(None, image(named(name, "hard")), number) for number, name in enumerate("ab", 41)]
    records.insert(0, record(None, image(named("x", "unsubscribed")), 40))
    assert first.failed is None
    assert rig.sync.run({"Records": records}).failed == f"{41:021}"


def test_a_row_of_a_newer_version_comes_back_and_what_is_before_it_is_done() -> None:
    rig = Rig()
    rows = [image(named(name, "hard")) for name in "abc"]
    assert rows[1] is not None
    rows[1] |= {"schema": {"N": "2"}}
    done = rig.sync.run({"Records": [record(None, row, number) for number, row in enumerate(rows, 7)]})
    assert (done.failed, done.counts) == (f"{8:021}", {"Put": 1})
    assert done.why is not None and "schema 2" in done.why
    assert rig.list.listed.keys() == {"a@example.com"}


def test_an_address_that_ses_does_not_take_holds_up_no_other() -> None:
    rig = Rig()
    done = rig.run((None, row("hard", recipient="email:jörg@example.com")), (None, named("b", "hard")))
    assert done.counts == {"Refused": 1, "Put": 1}
    assert rig.list.listed == {"b@example.com": "BOUNCE"}


def test_an_error_names_no_address() -> None:
    rig = Rig()
    rig.list.failing = [(500, "InternalServiceError")]
    with pytest.raises(StoreUnavailable) as caught:
        rig.sync.apply(PUT_BOUNCE)
    assert ADDRESS not in str(caught.value)

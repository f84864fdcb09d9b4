"""From MNS into SQS: nothing is deleted that SQS does not have, whatever fails."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core.errors import StoreUnavailable
from aftersend.jobs.mns_queue import ReceivedMessage
from aftersend.jobs.poll_mns import ROUND, WAIT, PollResult, poll
from aftersend.sources import SOURCES
from aftersend.storage.queue import OutgoingMessage, SendResults


class Mns:
    """A queue whose messages are hidden once received; `errors` are raised in their turn, call by call."""

    def __init__(
        self, *bodies: bytes, errors: Sequence[str] = (), expired: Sequence[str] = (), wait: int = WAIT
    ) -> None:
        self._wait = wait
        self.held = {f"r{place}": body for place, body in enumerate(bodies)}
        self._visible = list(self.held)
        self._errors = list(errors)
        self._expired = set(expired)
        self.calls: list[str] = []

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self._errors and self._errors.pop(0) == name:
            raise StoreUnavailable(f"MNS: {name}")

    def receive(self, wait: int) -> list[ReceivedMessage]:
        assert wait == self._wait
        self._call("receive")
        taken, self._visible = self._visible[:16], self._visible[16:]
        return [ReceivedMessage(self.held[receipt], receipt) for receipt in taken]

    def delete(self, receipts: Sequence[str]) -> dict[str, str]:
        assert 0 < len(receipts) <= 16
        self._call("delete")
        gone = [receipt for receipt in receipts if receipt not in self._expired]
        for receipt in gone:
            del self.held[receipt]
        return {receipt: "MessageNotExist" for receipt in receipts if receipt in self._expired}


class Sqs:
    """A queue that takes all but some bodies."""

    def __init__(self, failed: Sequence[bytes] = (), refused: Sequence[bytes] = ()) -> None:
        self.bodies: list[bytes] = []
        self.sources: set[str] = set()
        self._failed, self._refused = failed, refused

    def send(self, parcels: Sequence[OutgoingMessage]) -> SendResults:
        fates = SendResults()
        self.sources |= {parcel.source for parcel in parcels}
        for place, parcel in enumerate(parcels):
            if parcel.body in self._failed:
                fates.failed[place] = "InternalError"
            elif parcel.body in self._refused:
                fates.refused[place] = "InvalidMessageContents"
            else:
                fates.accepted.add(place)
                self.bodies.append(parcel.body)
        return fates


def always() -> float:
    return 1000.0


def bodies(number: int) -> list[bytes]:
    return [b"%d" % each for each in range(number)]


def test_everything_is_handed_on_as_it_is_and_then_deleted() -> None:
    mns, sqs = Mns(*bodies(40)), Sqs()
    assert poll([mns], sqs, always) == PollResult(received=40, forwarded=40)
    assert sqs.sources == {name for name, row in SOURCES.items() if row.polled}
    assert sqs.bodies == bodies(40)
    assert mns.held == {}
    assert mns.calls == ["receive", "delete"] * 3 + ["receive"]


def test_an_empty_queue_ends_the_run() -> None:
    mns = Mns()
    assert poll([mns], Sqs(), always) == PollResult()
    assert mns.calls == ["receive"]


def test_no_round_begins_that_might_not_end_in_time() -> None:
    clock = iter([ROUND + 20, ROUND + 1, ROUND])
    mns = Mns(*bodies(100))
    assert poll([mns], Sqs(), lambda: next(clock)).received == 32
    assert len(mns.held) == 68


def test_what_sqs_does_not_take_stays_and_ends_the_run() -> None:
    """Else it would hide more and more messages that nobody can put anywhere."""
    mns = Mns(*bodies(40))
    done = poll([mns], Sqs(failed=[b"3", b"5"]), always)
    assert done == PollResult(received=16, forwarded=14, problems=["SQS: InternalError"])
    assert list(mns.held.values())[:2] == [b"3", b"5"]


def test_what_sqs_will_never_take_stays_too_and_holds_up_nothing() -> None:
    mns = Mns(*bodies(40))
    done = poll([mns], Sqs(refused=[b"4", b"20"]), always)
    assert done == PollResult(received=40, forwarded=38, refused=2, problems=["SQS: 2 messages refused"])
    assert list(mns.held.values()) == [b"4", b"20"]


def test_where_sqs_takes_nothing_nothing_is_deleted() -> None:
    mns = Mns(*bodies(3))
    done = poll([mns], Sqs(failed=bodies(3)), always)
    assert (done.forwarded, done.problems, len(mns.held)) == (0, ["SQS: InternalError"], 3)
    assert mns.calls == ["receive"]


def test_a_receipt_that_ran_out_is_no_problem() -> None:
    """The message comes again, and is the same fact then."""
    mns = Mns(*bodies(20), expired=["r1", "r17"])
    assert poll([mns], Sqs(), always) == PollResult(received=20, forwarded=20, undeleted=2)
    assert list(mns.held) == ["r1", "r17"]


@pytest.mark.parametrize(
    ("errors", "done"),
    [
        (["receive"], PollResult(problems=["MNS: receive"])),
        (["", "delete"], PollResult(received=16, forwarded=16, undeleted=16, problems=["MNS: delete"])),
        (["", "", "receive"], PollResult(received=16, forwarded=16, problems=["MNS: receive"])),
    ],
)
def test_a_queue_that_does_not_answer_ends_the_run(errors: list[str], done: PollResult) -> None:
    mns, sqs = Mns(*bodies(40), errors=errors), Sqs()
    assert poll([mns], sqs, always) == done
    assert {*sqs.bodies, *mns.held.values()} == {*bodies(40)}


_some = st.lists(st.sampled_from(bodies(40)), max_size=5)
_errors = st.lists(st.sampled_from(["", "receive", "delete"]), max_size=6)


@given(_some, _some, _some, _errors, st.lists(st.floats(0, 2 * ROUND), max_size=5))
def test_no_body_disappears(
    failed: list[bytes], refused: list[bytes], late: list[bytes], errors: list[str], clock: list[float]
) -> None:
    """Law 4: "No body disappears." It lies in SQS, or still in MNS, however the run went."""
    mns = Mns(*bodies(40), errors=errors, expired=[f"r{body.decode()}" for body in late])
    sqs = Sqs(failed, refused)
    times = iter(clock)
    done = poll([mns], sqs, lambda: next(times, 0.0))
    assert {*sqs.bodies, *mns.held.values()} == {*bodies(40)}
    assert not {*failed, *refused} - {*mns.held.values()}
    assert done.forwarded == len(sqs.bodies)
    assert len(mns.held) == 40 - done.forwarded + done.undeleted


# ---- Several queues --------------------------------------------------------------------------------------------------


def test_several_queues_are_emptied_in_turn_and_share_the_time_to_wait() -> None:
    full, short, empty = (Mns(*each, wait=WAIT // 3) for each in (bodies(40), bodies(3), []))
    sqs = Sqs()
    assert poll([full, short, empty], sqs, always) == PollResult(received=43, forwarded=43)
    assert not full.held and not short.held
    assert [len(each.calls) for each in (full, short, empty)] == [7, 3, 1]


def test_a_queue_that_fails_holds_up_no_other() -> None:
    """A name that is wrong, or a right that is missing, for one of them."""
    broken, well = Mns(b"a", errors=["receive"], wait=WAIT // 2), Mns(*bodies(20), wait=WAIT // 2)
    done = poll([broken, well], Sqs(), always)
    assert (done.forwarded, done.problems, len(broken.held), len(well.held)) == (20, ["MNS: receive"], 1, 0)


def test_no_busy_queue_takes_all_the_time() -> None:
    times = iter([100.0, 80.0, 60.0, 40.0, 20.0])
    busy, other = Mns(*bodies(100), wait=WAIT // 2), Mns(*bodies(20), wait=WAIT // 2)
    assert poll([busy, other], Sqs(), lambda: next(times)).forwarded == 16 + 16 + 16 + 4
    assert (len(busy.held), len(other.held)) == (68, 0)

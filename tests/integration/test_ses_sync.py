"""Both ways with Amazon SES: what it says of its list is mirrored and never echoed, and a release clears both lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aftersend import classify
from aftersend.core import policy
from aftersend.core.model import Act, CauseKind, Decision, Suppression
from aftersend.core.suppression import find_active_causes
from aftersend.core.writes import Put, Refused, Request, SuppressionUpdate, update_suppression
from aftersend.ingest import ingest
from aftersend.jobs.reevaluate import ReevaluationJob
from aftersend.jobs.ses_sync import SesSync
from aftersend.sources.message import Message
from aftersend.storage.items import Item
from local.samples import EVENTS
from tests.support.account_list import AccountList, record
from tests.support.ports import MemoryStore, ports
from tests.support.reevaluation import reevaluation, run

RULES = classify.load()
POLICY = policy.load()
NOW = datetime(2026, 3, 31, tzinfo=UTC)


class Streamed(MemoryStore):
    """A store whose suppressions have a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Any:
        item = request.item if isinstance(request, Put) else None
        old = self.suppressions_table.get(item.key) if isinstance(item, Suppression) else None
        answer = super().answer(request)
        if isinstance(item, Suppression) and not isinstance(answer, Refused):
            self._tell(old, self.suppressions_table[item.key])
        return answer

    def expire(self, recipient: str) -> None:
        """What TTL does, or an erasure."""
        self._tell(self.suppressions_table.pop((recipient, "*")), None)

    def _tell(self, old: Item | None, new: Item | None) -> None:
        self.records.append(record(old, new, len(self.records)))


class World:
    """The tables, and SES behind their stream."""

    def __init__(self) -> None:
        self.store, self.ses = Streamed(), AccountList()
        self._sync = SesSync(self.ses.client(), lambda _: None)

    def ingest(self, *samples: str) -> None:
        bodies = [Message(name, (EVENTS / "ses" / f"{name}.json").read_bytes(), NOW, "ses") for name in samples]
        report = ingest(bodies, ports(self.store, classify=RULES, policy=POLICY))
        assert not report.failed and not report.unreadable
        self.follow()

    def released(self, address: str, *, force: bool = False) -> None:
        key = f"email:{address}", "*"
        release = Decision(at=NOW, by="a person", act=Act.RELEASED, force=force)
        steps = update_suppression(
            SuppressionUpdate(key, decisions=(release,)), self.store.get_suppressions([key])[key], POLICY
        )
        answer: Any = None
        try:
            while True:
                answer = self.store.answer(steps.send(answer))
        except StopIteration:
            self.follow()

    def follow(self) -> None:
        """Work the stream as it is now, twice."""
        for _ in range(2):
            done = self._sync.run({"Records": self.store.records})
            assert done.failed is None
        self.store.records = []

    def held(self, address: str) -> set[CauseKind]:
        row = self.store.get_suppressions([(f"email:{address}", "*")]).get((f"email:{address}", "*"))
        return set(find_active_causes(row, NOW)) if row else set()


@pytest.mark.parametrize(
    ("sample", "address"),
    [
        ("bounce-permanent-account-list", "stopped.before@example.net"),
        ("bounce-permanent-tenant-list", "stopped.tenant@example.net"),
        ("complaint-account-list", "asked.before@example.net"),
    ],
)
def test_what_ses_says_of_its_list_is_mirrored_and_a_release_takes_it_off(sample: str, address: str) -> None:
    """Issue: "a person's release of a provider cause deletes it at SES"."""
    world = World()
    world.ses.listed = {address: "BOUNCE"}
    world.ingest(sample)
    assert world.held(address) <= {CauseKind.PROVIDER, CauseKind.COMPLAINT}
    assert world.held(address)
    world.released(address, force=True)
    assert world.held(address) == set()
    assert world.ses.listed == {}


def test_what_is_mirrored_is_not_put_there() -> None:
    world = World()
    world.ingest("bounce-permanent-account-list")
    assert world.held("stopped.before@example.net") == {CauseKind.PROVIDER}
    assert world.ses.calls == []


def test_a_hard_bounce_goes_onto_the_list_and_its_release_takes_it_off() -> None:
    world = World()
    world.ingest("bounce-permanent-noemail", "complaint-abuse")
    ((bounced, _),) = [each for each in world.ses.listed.items() if each[1] == "BOUNCE"]
    ((complained, _),) = [each for each in world.ses.listed.items() if each[1] == "COMPLAINT"]
    world.released(bounced)
    world.released(complained)
    assert world.ses.listed == {complained: "COMPLAINT"}, "a complaint is lifted by force alone"
    world.released(complained, force=True)
    assert world.ses.listed == {}


def test_what_expires_or_is_erased_leaves_their_list_too() -> None:
    world = World()
    world.ingest("bounce-permanent-noemail")
    (address,) = world.ses.listed
    world.store.expire(f"email:{address}")
    world.follow()
    assert world.ses.listed == {}


def test_a_re_evaluation_reaches_their_list() -> None:
    world = World()
    world.ingest("bounce-permanent-noemail")
    assert world.ses.listed
    milder = policy.load("[hard]\nlapse_days = 30")
    run(ReevaluationJob(), reevaluation(world.store, milder, RULES))
    world.follow()
    assert world.ses.listed == {}, "their list knows no end, so what has one is not on it"

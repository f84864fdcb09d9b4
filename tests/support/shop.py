"""What bulk work works with, in memory: a store, a reader of its tables, a table of jobs and a bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from hashlib import md5
from typing import Any, Final, TypeVar

from aftersend.api.desk import Desk
from aftersend.aws.errors import Refusal
from aftersend.core import policy
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback, Key, Suppression
from aftersend.ingest import ingest
from aftersend.lists.job import Export, Import, Job, Request, State, begun
from aftersend.lists.jobs import Jobs
from aftersend.lists.office import BulkDesk, Office
from aftersend.lists.shop import Shop
from aftersend.lists.work import work
from aftersend.storage import items
from aftersend.storage.items import Item
from aftersend.storage.queries import Page
from tests.support.api import Api, desk
from tests.support.clients import FakeDynamoDB
from tests.support.lists import classifier
from tests.support.ports import NOW, Inline, MemoryStore, ports
from tests.support.words import message, told

ANN: Final = "arn:aws:iam::111122223333:user/ann"


class MemoryReader:
    """Reads the tables of a MemoryStore, a few items at a time."""

    def __init__(self, store: MemoryStore, size: int = 7) -> None:
        self.store, self.size = store, size
        self.held = 0  # the most that was ever handed out at once

    def page(self, after: Key | None, limit: int | None = None) -> tuple[list[Suppression], Key | None]:
        table, size = self.store.suppressions_table, limit or self.size
        keys = sorted(key for key in table if after is None or key > after)
        found = [items.decode_suppression(table[key]) for key in keys[:size]]
        self.held = max(self.held, len(found))
        return found, keys[size - 1] if len(keys) > size else None

    def on_day(self, day: str, after: Item | None) -> Page[Suppression]:
        rows = [row for row in self.store.suppressions_table.values() if row.get("day") == {"S": day}]
        rows.sort(key=_place)
        rows = [row for row in rows if after is None or _place(row) > _place(after)]
        last = rows[self.size - 1] if len(rows) > self.size else None
        return Page(list(map(items.decode_suppression, rows[: self.size])), last and _index_key(last))

    def suppressions_of(self, recipient: str) -> list[Suppression]:
        table = self.store.suppressions_table
        return [items.decode_suppression(row) for key, row in sorted(table.items()) if key[0] == recipient]

    def messages_of(self, recipient: str) -> list[str]:
        return [message for who, message in sorted(self.store.outcomes_table) if who == recipient]

    def delete_outcome(self, key: Key) -> None:
        self.store.outcomes_table.pop(key, None)

    def delete_suppression(self, suppression: Suppression) -> bool:
        row = self.store.suppressions_table.get(suppression.key)
        if row is None or row["version"] != {"N": str(suppression.version)}:
            return False
        del self.store.suppressions_table[suppression.key]
        return True


def _place(row: Item) -> tuple[str, str, str]:
    return row["at"]["S"], row["recipient"]["S"], row["scope"]["S"]


def _index_key(row: Item) -> Item:
    return {name: row[name] for name in ("day", "at", "recipient", "scope")}


class MemoryTable(FakeDynamoDB):
    """A client of DynamoDB that knows one table, with a key of `id`."""

    def __init__(self) -> None:
        self.table: dict[str, Item] = {}

    def get_item(self, **request: Any) -> Any:
        found = self.table.get(request["Key"]["id"]["S"])
        return {"Item": found} if found else {}

    def put_item(self, **request: Any) -> Any:
        item = request["Item"]
        stored = self.table.get(item["id"]["S"], {}).get("version")
        wanted = request.get("ExpressionAttributeValues", {}).get(":read")
        if stored != wanted:
            raise Refusal("ConditionalCheckFailedException", {})
        self.table[item["id"]["S"]] = item
        return {}


class MemoryObjects:
    """A bucket with uploads in parts, of which all but the last must have `least` bytes."""

    def __init__(self, piece: int = 1 << 20) -> None:
        self.bodies: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.piece = piece
        self.read = 0  # bytes

    def put(self, key: str, body: bytes) -> None:
        self.bodies[key] = body

    def pieces(self, key: str, start: int = 0, etag: str | None = None) -> Iterator[tuple[bytes, str]]:
        if key not in self.bodies:
            raise MalformedFeedback("import", "no file has been uploaded")
        while piece := self.bodies[key][start : start + self.piece]:
            if etag not in (None, found := _etag(self.bodies[key])):
                raise MalformedFeedback("import", "the file was changed while it was read")
            self.read += len(piece)
            yield piece, found
            start += len(piece)

    def begin(self, key: str, content_type: str) -> str:
        self.uploads[upload := f"{key}#{len(self.uploads)}"] = {}
        return upload

    def part(self, key: str, upload: str, number: int, body: bytes) -> str:
        self.uploads[upload][number] = body
        return _etag(body)

    def finish(self, key: str, upload: str, parts: tuple[str, ...]) -> None:
        if upload not in self.uploads:
            return
        bodies = [self.uploads[upload][number] for number in range(1, len(parts) + 1)]
        assert tuple(map(_etag, bodies)) == parts
        self.bodies[key] = b"".join(bodies)
        del self.uploads[upload]

    def address_to_put(self, key: str) -> str:
        return f"https://bucket.example/{key}?put"

    def address_to_get(self, key: str, name: str) -> str:
        return f"https://bucket.example/{key}?get={name}"


def _etag(body: bytes) -> str:
    return md5(body).hexdigest()


def shop(store: Any = None, **others: Any) -> Shop:
    """Everything in memory but for what is given; no time passes unless a clock says so."""
    store = store or MemoryStore()
    given: dict[str, Any] = {
        "store": store,
        "reader": others.get("reader") or MemoryReader(store),
        "jobs": Jobs(MemoryTable(), "Jobs"),
        "objects": MemoryObjects(),
        "policy": policy.load(),
        "classify": classifier(),
        "pool": Inline(),
        "clock": lambda: NOW,
        "timer": lambda: 0.0,
        "pending": lambda _: (),
    }
    return Shop(**(given | others))


def run(used: Shop, request: Request, body: bytes | None = None, id_: str = "job", now: datetime = NOW) -> Job:
    """One job from its beginning to its end."""
    job = used.jobs.put(begun(id_, request, ANN, now))
    if body is not None:
        used.objects.put(job.file, body)
    return finish(used, id_)


def finish(used: Shop, id_: str = "job") -> Job:
    """Work a job until it is done."""
    while (job := work(id_, used, 10.0)) is not None and job.state is State.QUEUED:
        pass
    assert job is not None
    return job


def imported(used: Shop, body: bytes, format_: str = "aftersend", id_: str = "job", **terms: Any) -> Job:
    """An import from its beginning to its end."""
    dry_run = terms.pop("dry_run", False)
    return run(used, Import(dry_run=dry_run, format=format_, **terms), body, id_)


def exported(used: Shop, **wanted: Any) -> tuple[Job, bytes]:
    """An export from its beginning to its end, and the file."""
    job = run(used, Export(**wanted))
    return job, used.objects.bodies[job.file]  # type: ignore[attr-defined]


_S = TypeVar("_S")


def ingested(facts: Iterable[Feedback], store: _S) -> _S:
    """The store, once each of these facts has been brought in."""
    with told():
        for number, each in enumerate(facts):
            assert not ingest([message([each], str(number))], ports(store)).failed
    return store


class Bulk:
    """The HTTP API with an office behind it, and the messages that it sends, as a queue would bring them back."""

    def __init__(self, store: MemoryStore | None = None, **others: Any) -> None:
        self.store = store or MemoryStore()
        self.sent: list[tuple[str, int]] = []
        shop_ = shop(self.store, **others)
        office = Office(
            shop=shop_,
            jobs=shop_.jobs,  # type: ignore[arg-type]
            objects=shop_.objects,  # type: ignore[arg-type]
            reader=shop_.reader,  # type: ignore[arg-type]
            send=lambda id_, seconds: self.sent.append((id_, seconds)),
        )
        plain = desk(self.store, clock=shop_.clock)
        fields = {name: getattr(plain, name) for name in Desk.__struct_fields__}
        self.desk = BulkDesk(office=office, **fields)
        self.office, self.shop = office, shop_
        self.api = Api(self.desk)

    def drain(self) -> None:
        """Let every message do its work."""
        while self.sent:
            self.office.go_on(self.sent.pop(0)[0], 10.0)


Ticking = Callable[[], float]


def ticking() -> Ticking:
    """A timer that says after each look that much time has passed: every bite is the last one."""
    now = [0.0]

    def timer() -> float:
        now[0] += 1000
        return now[0]

    return timer

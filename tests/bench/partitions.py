"""DynamoDB in memory that charges each partition its units and throttles, on a time that passes only where one waits.

What a key's value of a table or of an index takes is charged to a partition of its own, which gives 1,000 write units
and 3,000 read units a second, and saves what was not used for one second; a table may have a bound for all of it, as a
new one on demand has. A write is charged to the table and to every index whose entry it changes, and is refused as a
whole where one of them has nothing left. Calls are tried again as the product's client does, after the same pauses.
Sources: DynamoDB developer guide, "Best practices for designing partition keys", "Global secondary indexes" (write
throttling), "On-demand capacity mode" (initial throughput).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import ceil
from random import Random
from typing import Any, Final

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]
from msgspec import Struct

from aftersend.aws.client import THROTTLED_PAUSE, THROTTLED_TRIES
from aftersend.aws.errors import Refusal
from tests.bench.running import TABLES, measure_item
from tests.simulation.dynamodb import DynamoDB, Table
from tests.simulation.scheduler import Process, Scheduler, Task

WRITES: Final = 1000.0  # units a second of a partition
READS: Final = 3000.0
NEW_TABLE: Final = (4000.0, 12_000.0)  # units a second of a table on demand that nobody has warmed
LATENCY: Final = (0.003, 0.008)  # seconds of a call

Item = dict[str, Any]
_REFUSED: Final = "ThrottlingException"


class _Strand(Task):
    """A task that is no thread: handing the baton on a hundred thousand times takes seconds, and not minutes."""

    strand: greenlet | None = None


class Time(Scheduler):
    """Deals out turns by time alone: who waits for the earliest moment goes on. Made for very many tasks."""

    def __init__(self, random: Random, now: float) -> None:
        super().__init__(random, now)
        self._queue: list[tuple[float, int, Task]] = []
        self._serial = count()
        self._open: Counter[Task] = Counter()  # of a task that waits for others, how many have not ended
        self._waiting: dict[Task, Task] = {}
        self._hub = getcurrent()

    def spawn(self, name: str, process: Process, work: Callable[[], object], at: float = 0.0) -> Task:
        """Add a task that begins at `at`."""
        task = _Strand(name, process, work)
        task.until = max(at, self.now)
        self._push(task)
        return task

    def _give(self, task: Task) -> None:
        assert isinstance(task, _Strand)
        if task.strand is None:
            task.strand = greenlet(partial(self._begin, task), self._hub)
        self.current = task
        task.strand.switch()
        self.current = None

    @staticmethod
    def _begin(task: Task) -> None:
        try:
            task.result = task.work()
        except Exception as error:  # whoever waits for the task gets it
            task.error = error
        task.done = True

    def _hand_over(self, task: Task) -> None:
        self._hub.switch()

    def _push(self, task: Task) -> None:
        heappush(self._queue, (task.until, next(self._serial), task))

    def join(self, tasks: list[Task]) -> None:
        """Wait for the end of all of these."""
        task = self.current
        assert task is not None, "only a task can wait"
        for each in tasks:
            self._waiting[each] = task
        self._open[task] = len(tasks)
        self._hand_over(task)

    def run(self) -> None:
        """Go on until every task has ended; raises what a task has raised that nobody waits for."""
        while self._queue:
            self.now, _, task = heappop(self._queue)
            self._give(task)
            if task.done:
                self._end(task)
            elif not self._open[task]:
                self._push(task)

    def _end(self, task: Task) -> None:
        asking = self._waiting.pop(task, None)
        if asking is None:
            if task.error is not None:
                raise task.error
            return
        self._open[asking] -= 1
        if not self._open[asking]:
            asking.until = self.now
            self._push(asking)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.pause(seconds)


class Bucket:
    """Units that come at a rate, and are saved for a second."""

    def __init__(self, rate: float) -> None:
        self._rate, self._left, self._at = rate, rate, 0.0

    def has_some(self, now: float) -> bool:
        """Whether anything is left."""
        self._left, self._at = min(self._rate, self._left + (now - self._at) * self._rate), now
        return self._left > 0

    def take(self, units: float) -> None:
        """Take as much, and owe what is not there."""
        self._left -= units


class Counts(Struct):
    """What has happened."""

    calls: int = 0
    throttled: int = 0  # answers that ask for patience
    given_up: int = 0  # calls after the last try
    partitions: Counter[str] = Counter()  # throttled answers by table or index, and key


class _Partitioned(Table):
    """A table that finds the items of one hash key."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.groups: defaultdict[str, dict[tuple[str, ...], Item]] = defaultdict(dict)

    def write(self, key: tuple[str, ...], after: Item | None) -> None:
        """Store an item, or take one away; nothing is kept of what was."""
        group = self.groups[key[0]]
        if after is None:
            self.items.pop(key, None)
            group.pop(key, None)
        else:
            self.items[key] = group[key] = after


class _Memory(DynamoDB):
    """Queries of one hash key of a table look at its items alone."""

    def __init__(self) -> None:
        super().__init__({})
        self.tables = {name: _Partitioned(name) for name in TABLES}

    def query(self, **request: Any) -> Item:
        """Query of a table or of an index."""
        table = self.tables[request["TableName"]]
        values = request["ExpressionAttributeValues"]
        if not isinstance(table, _Partitioned) or ":recipient" not in values:
            return super().query(**request)
        whole, table.items = table.items, table.groups[values[":recipient"]["S"]]
        try:
            return super().query(**request)
        finally:
            table.items = whole


class Throttled:
    """A client of it, for any number of functions."""

    def __init__(self, time: Time, new_tables: bool = False) -> None:
        self.memory, self.counts = _Memory(), Counts(partitions=Counter())
        self._time = time
        self._writes: defaultdict[str, Bucket] = defaultdict(lambda: Bucket(WRITES))
        self._reads: defaultdict[str, Bucket] = defaultdict(lambda: Bucket(READS))
        if new_tables:
            for name in TABLES:
                self._writes[name], self._reads[name] = (Bucket(rate) for rate in NEW_TABLE)
        self._bounded = new_tables

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation not in _SERVED:
            raise AttributeError(operation)
        return lambda **request: self._call(operation, request)

    def _call(self, operation: str, request: Item) -> Any:
        """Try as the product's client does where the service asks for patience."""
        for tried in range(1, THROTTLED_TRIES + 1):
            self._time.pause(self._time.random.uniform(*LATENCY))
            self.counts.calls += 1
            try:
                return self._serve(operation, request)
            except Refusal as refusal:
                if refusal.code != _REFUSED:
                    raise
                if tried == THROTTLED_TRIES:
                    self.counts.given_up += 1
                    raise
            self._time.pause(self._time.random.uniform(0, THROTTLED_PAUSE * 2 ** (tried - 1)))
        raise AssertionError("the last try returns or raises")

    def _serve(self, operation: str, request: Item) -> Any:
        return _SERVED[operation](self, operation, request)

    def _read(self, operation: str, request: Item) -> Any:
        """GetItem, and Query: of one hash key."""
        table = self.memory.tables[request["TableName"]]
        key = request["Key"] if "Key" in request else request["ExpressionAttributeValues"]
        name = f"{table.name} {next(iter(next(iter(key.values())).values()))}"
        self._admit(self._reads, [name])
        answer = getattr(self.memory, operation)(**request)
        items = answer.get("Items", [answer["Item"]] if "Item" in answer else [])
        self._charge(self._reads, name, max(1, ceil(sum(map(measure_item, items)) / 4096)))
        return answer

    def _read_batch(self, _operation: str, request: Item) -> Any:
        """BatchGetItem: keys of partitions that have nothing left stay unread."""
        [(name, wanted)] = request["RequestItems"].items()
        table = self.memory.tables[name]
        done: list[Item] = []
        left: list[Item] = []
        for key in wanted["Keys"]:
            partition = f"{name} {table.key(key)[0]}"
            (done if self._has_some(self._reads, partition) else left).append(key)
        if not done:
            self._note([f"{name} {table.key(key)[0]}" for key in left[:1]])
        answer = self.memory.batch_get_item(RequestItems={name: wanted | {"Keys": done}})
        sizes = {table.key(item): measure_item(item) for item in answer["Responses"][name]}
        for key in done:
            size = sizes.get(table.key(key), 0)
            self._charge(self._reads, f"{name} {table.key(key)[0]}", max(1, ceil(size / 4096)))
        return answer | {"UnprocessedKeys": {name: wanted | {"Keys": left}} if left else {}}

    def _write(self, operation: str, request: Item) -> Any:
        """PutItem, UpdateItem and DeleteItem, on the table and on all indexes whose entries change."""
        table = self.memory.tables[request["TableName"]]
        key = table.key(request.get("Item") or request["Key"])
        before = table.items.get(key)
        partition = f"{table.name} {key[0]}"
        wanted = [partition, *_find_entries(table, request.get("Item") or before or {})]
        self._admit(self._writes, wanted)
        try:
            answer = getattr(self.memory, operation)(**request)
        except Refusal:
            self._charge(self._writes, partition, _count_units(before))
            raise
        after = table.items.get(key)
        self._charge(self._writes, partition, max(_count_units(before), _count_units(after)))
        old, new = (_find_entries(table, item or {}) for item in (before, after))
        for entry in old.keys() | new.keys():
            if old.get(entry) != new.get(entry):
                self._charge(self._writes, entry, ceil(max(old.get(entry, (0,))[0], new.get(entry, (0,))[0]) / 1024))
        return answer

    def _has_some(self, buckets: Mapping[str, Bucket], partition: str) -> bool:
        found = buckets[partition].has_some(self._time.now)
        return found and (not self._bounded or buckets[partition.split(maxsplit=1)[0]].has_some(self._time.now))

    def _admit(self, buckets: Mapping[str, Bucket], partitions: Mapping[str, Any] | list[str]) -> None:
        """Raise Refusal where one of the partitions has nothing left."""
        if empty := [each for each in partitions if not self._has_some(buckets, each)]:
            table = empty[0].split()[0]
            bounded = self._bounded and not buckets[table].has_some(self._time.now)
            self._note([f"{table} as a whole" if bounded else empty[0]])
            raise Refusal(_REFUSED, {"message": "throughput exceeds the limit of a partition or of the table"})

    def _note(self, partitions: list[str]) -> None:
        self.counts.throttled += 1
        self.counts.partitions.update(partitions)

    def _charge(self, buckets: Mapping[str, Bucket], partition: str, units: float) -> None:
        buckets[partition].take(units)
        if self._bounded:
            buckets[partition.split(maxsplit=1)[0]].take(units)


_SERVED: Final[dict[str, Callable[[Throttled, str, Item], Any]]] = {
    "get_item": Throttled._read,
    "query": Throttled._read,
    "batch_get_item": Throttled._read_batch,
    "put_item": Throttled._write,
    "update_item": Throttled._write,
    "delete_item": Throttled._write,
}


def _count_units(item: Item | None) -> int:
    return max(1, ceil(measure_item(item) / 1024)) if item else 1


def _find_entries(table: Table, item: Item) -> dict[str, tuple[int, Any]]:
    """An item's entries of global indexes, by partition: its bytes, and what is in there."""
    found = {}
    for name, index in table.indexes.items():
        own = [each["AttributeName"] for each in index["KeySchema"]]
        if name in table.local or not all(each in item for each in own):
            continue
        projection = index["Projection"]
        kept = {*own, *table.keys, *projection.get("NonKeyAttributes", ())}
        entry = item if projection["ProjectionType"] == "ALL" else {each: item[each] for each in kept if each in item}
        found[f"{table.name}.{name} {item[own[0]]['S']}"] = (measure_item(entry), entry)
    return found

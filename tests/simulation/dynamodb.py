"""DynamoDB in memory: conditions, indexes that lag, pages, streams. Tables and indexes are those of the template."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from aftersend.aws.errors import Refusal
from tests.simulation.expressions import Expression, Item, plain, project
from tests.support.template import TABLES

MOST: Final = 100  # keys of a BatchGetItem, actions of a transaction
LONGEST: Final = 4096  # bytes of an expression

_wire: Final = msgspec.json.Encoder().encode
_read: Final = msgspec.json.decode


class Table:
    """One table: its items, what each write replaced, and what its stream has to say."""

    def __init__(self, name: str) -> None:
        definition = TABLES[name]
        self.name = name
        self.keys = [each["AttributeName"] for each in definition["KeySchema"]]
        indexes = definition.get("GlobalSecondaryIndexes", []) + definition.get("LocalSecondaryIndexes", [])
        self.indexes = {each["IndexName"]: each for each in indexes}
        self.local = {each["IndexName"] for each in definition.get("LocalSecondaryIndexes", [])}
        self.items: dict[tuple[str, ...], Item] = {}
        self.undo: list[tuple[tuple[str, ...], Item | None]] = []
        self.stream: list[tuple[Item | None, Item | None]] = []

    def key(self, item: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the primary key of an item."""
        return tuple(next(iter(item[name].values())) for name in self.keys)

    def write(self, key: tuple[str, ...], after: Item | None) -> None:
        """Store an item, or take one away."""
        before = self.items.get(key)
        if before == after:
            return
        self.undo.append((key, before))
        self.stream.append((before, after))
        if after is None:
            del self.items[key]
        else:
            self.items[key] = after

    def as_it_was(self, writes_ago: int) -> dict[tuple[str, ...], Item]:
        """Return what was stored before the last so many writes."""
        items = dict(self.items)
        for key, before in reversed(self.undo[len(self.undo) - writes_ago :] if writes_ago else []):
            if before is None:
                items.pop(key, None)
            else:
                items[key] = before
        return items


class DynamoDB:
    """All tables. `lag` says how many writes an index is behind, `page` how many items a page holds at most."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.tables = {alias: Table(name) for alias, name in names.items()}
        self.lag = 0
        self.page = 1_000_000

    def get_item(self, **request: Any) -> Item:
        """GetItem."""
        table = self.tables[request["TableName"]]
        found = table.items.get(table.key(request["Key"]))
        return {"Item": project(found, request)} if found is not None else {}

    def batch_get_item(self, **request: Any) -> Item:
        """BatchGetItem."""
        [(name, wanted)] = request["RequestItems"].items()
        table = self.tables[name]
        assert 0 < len(wanted["Keys"]) <= MOST, "too many keys, or none"
        keys = [table.key(each) for each in wanted["Keys"]]
        assert len(keys) == len(set(keys)), "the same key twice"
        return {"Responses": {name: [project(table.items[key], wanted) for key in keys if key in table.items]}}

    def put_item(self, **request: Any) -> Item:
        """PutItem, under a condition."""
        table = self.tables[request["TableName"]]
        item = _read(_wire(request["Item"]))  # as the wire has it: bytes are base64
        key = table.key(item)
        self._check(request, table.items.get(key))
        table.write(key, item)
        return {}

    def delete_item(self, **request: Any) -> Item:
        """DeleteItem, under a condition."""
        table = self.tables[request["TableName"]]
        key = table.key(request["Key"])
        self._check(request, table.items.get(key))
        table.write(key, None)
        return {}

    def update_item(self, **request: Any) -> Item:
        """UpdateItem, under a condition."""
        table = self.tables[request["TableName"]]
        key = table.key(request["Key"])
        self._check(request, table.items.get(key))
        before = table.items.get(key, request["Key"])
        sent = _read(_wire(request))  # as the wire has it: bytes are base64
        after = Expression(request["UpdateExpression"], sent, before).update()
        table.write(key, after)
        return {"Attributes": dict(after)} if request.get("ReturnValues") == "ALL_NEW" else {}

    def transact_write_items(self, **request: Any) -> Item:
        """TransactWriteItems of updates: all of them or none."""
        updates = [each["Update"] for each in request["TransactItems"]]
        places = [(self.tables[each["TableName"]], each) for each in updates]
        keys = [(table.name, table.key(each["Key"])) for table, each in places]
        assert 0 < len(keys) <= MOST, "too many actions, or none"
        assert len(keys) == len(set(keys)), "the same item twice"
        assert all(len(each["UpdateExpression"]) <= LONGEST for each in updates), "an expression is too long"
        reasons = []
        for table, each in places:
            try:
                self._check(each, table.items.get(table.key(each["Key"])))
            except Refusal as refusal:
                reasons.append({"Code": "ConditionalCheckFailed", **refusal.answer})
            else:
                reasons.append({"Code": "None"})
        if any(each["Code"] != "None" for each in reasons):
            raise Refusal("TransactionCanceledException", {"CancellationReasons": reasons})
        for each in updates:
            self.update_item(**each)
        return {}

    @staticmethod
    def _check(request: Item, stored: Item | None) -> None:
        condition = request.get("ConditionExpression")
        if condition is None or Expression(condition, request, stored or {}).holds():
            return
        answer = {"Item": stored} if stored and "ReturnValuesOnConditionCheckFailure" in request else {}
        raise Refusal("ConditionalCheckFailedException", answer)

    def query(self, **request: Any) -> Item:
        """Query of a table or of an index."""
        table = self.tables[request["TableName"]]
        index = request.get("IndexName")
        schema = table.indexes[index]["KeySchema"] if index else []
        names = [each["AttributeName"] for each in schema] or table.keys
        assert not (index and index not in table.local and request.get("ConsistentRead")), "a global index lags"
        items = table.items if request.get("ConsistentRead") else table.as_it_was(min(self.lag, len(table.undo)))
        order = [*names, *(key for key in table.keys if key not in names)]
        found = [
            item
            for item in items.values()
            if all(name in item for name in names)
            and Expression(request["KeyConditionExpression"], request, item).holds()
        ]
        found.sort(key=lambda item: [plain(item[name]) for name in order])
        if not request.get("ScanIndexForward", True):
            found.reverse()
        answer = self._page(found, order, request)
        if index and table.indexes[index]["Projection"]["ProjectionType"] != "ALL":
            kept = {*order, *table.indexes[index]["Projection"].get("NonKeyAttributes", ())}
            answer["Items"] = [
                {name: value for name, value in item.items() if name in kept} for item in answer["Items"]
            ]
        answer["Items"] = [project(item, request) for item in answer["Items"]]
        return answer

    def scan(self, **request: Any) -> Item:
        """Scan of a table, whole or of one segment."""
        table = self.tables[request["TableName"]]
        segments = request.get("TotalSegments", 1)
        found = [
            item
            for key, item in table.items.items()
            if zlib.crc32(key[0].encode()) % segments == request.get("Segment", 0)
        ]
        found.sort(key=lambda item: [zlib.crc32(table.key(item)[0].encode()), *table.key(item)])
        answer = self._page(found, table.keys, request)
        answer["Items"] = [project(item, request) for item in answer["Items"]]
        return answer

    def _page(self, found: list[Item], order: list[str], request: Item) -> Item:
        """The page that begins after the start key; it names its last item where it was cut."""
        if (start := request.get("ExclusiveStartKey")) is not None:
            places = [{name: item[name] for name in order} for item in found]
            wanted = {name: start[name] for name in order}
            if wanted in places:
                found = found[places.index(wanted) + 1 :]
            else:  # it is gone: what would come after it
                back = not request.get("ScanIndexForward", True)
                mark = self._mark(wanted, order, request)
                found = [item for item in found if (self._mark(item, order, request) > mark) != back]
        limit = min(request.get("Limit", self.page), self.page)
        page = found[:limit]
        answer: Item = {"Items": page, "Count": len(page)}
        if len(found) > limit:
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in order}
        if "FilterExpression" in request:
            answer["Items"] = [each for each in page if Expression(request["FilterExpression"], request, each).holds()]
        return answer

    @staticmethod
    def _mark(item: Item, order: list[str], request: Item) -> list[Any]:
        values = [plain(item[name]) for name in order]
        return values if "KeyConditionExpression" in request else [zlib.crc32(str(values[0]).encode()), *values]

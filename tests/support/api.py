"""The HTTP API without HTTP: events as API Gateway makes them, and a context in memory but for what is given."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

from aftersend.api import app
from aftersend.api.context import ApiContext
from aftersend.core import policy, vocabulary
from aftersend.core.spike_guard import Incident, find_confirmed, find_incidents
from aftersend.core.vocabulary import Channel, Judgement
from aftersend.sources import name_source
from aftersend.storage.queries import Queries
from aftersend.storage.store import TableNames
from tests.engines import table_definitions
from tests.support.clients import FakeDynamoDB
from tests.support.facts import classify
from tests.support.ports import NOW, Inline, MemoryStore, MemoryWatch

ARN: Final = "arn:aws:iam::111122223333:user/agnes"
TABLES: Final = TableNames(outcomes="Outcomes", suppressions="Suppressions")
KEY: Final = b"a test's key"


class MemoryQueries(FakeDynamoDB):
    """Answers queries of one partition, of tables and indexes as the template has them, over a MemoryStore."""

    def __init__(self, store: MemoryStore) -> None:
        self._tables = {TABLES.outcomes: store.outcomes_table, TABLES.suppressions: store.suppressions_table}

    def query(self, **request: Any) -> dict[str, Any]:
        definition = table_definitions()[request["TableName"]]
        keys = [each["AttributeName"] for each in definition["KeySchema"]]
        index = next(
            (each for each in definition["GlobalSecondaryIndexes"] if each["IndexName"] == request.get("IndexName")),
            {"KeySchema": definition["KeySchema"], "Projection": {"ProjectionType": "ALL"}},
        )
        names = [each["AttributeName"] for each in index["KeySchema"]]
        condition = request["KeyConditionExpression"].removeprefix("#name = :value")
        assert request["ExpressionAttributeNames"]["#name"] == names[0]
        order = [*names, *[key for key in keys if key not in names]]
        values = request["ExpressionAttributeValues"]
        found = [item for item in self._tables[request["TableName"]].values() if item.get(names[0]) == values[":value"]]
        if condition == f" AND {names[-1]} BETWEEN :low AND :high":
            found = [each for each in found if values[":low"]["S"] <= each[names[1]]["S"] <= values[":high"]["S"]]
        elif condition:
            assert condition in (" AND #at < :at", " AND #at > :at")
            name, at = request["ExpressionAttributeNames"]["#at"], values[":at"]["S"]
            found = [each for each in found if (each[name]["S"] < at if "<" in condition else each[name]["S"] > at)]
        found = sorted(
            (item for item in found if all(name in item for name in names)),
            key=lambda item: [item[name]["S"] for name in order],
            reverse=not request.get("ScanIndexForward", True),
        )
        if "ExclusiveStartKey" in request:
            start = {name: request["ExclusiveStartKey"][name] for name in order}
            found = found[[{name: item[name] for name in order} for item in found].index(start) + 1 :]
        limit = request.get("Limit", len(found))
        page = found[:limit]
        if index["Projection"]["ProjectionType"] == "ALL":
            shown = page
        else:
            projected = [*order, *index["Projection"].get("NonKeyAttributes", ())]
            shown = [{name: item[name] for name in projected if name in item} for item in page]
        more = {"LastEvaluatedKey": {name: page[-1][name] for name in order}} if page and len(found) > limit else {}
        return {"Items": shown, **more}


@dataclass
class Answer:
    """What came back, read."""

    status: int
    headers: dict[str, str]
    text: str
    log: app.RequestLog

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Api:
    """The API over one context; `by` is who asks."""

    context: ApiContext
    by: Mapping[str, Any] = field(default_factory=lambda: {"iam": {"userArn": ARN}})

    def __call__(
        self,
        method: str,
        target: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; `target` as it stands in a URL: percent-encoded, with its query string."""
        answer, log = app.answer(event(method, target, body, headers, self.by), self.context)
        return Answer(
            answer["statusCode"],
            {name.lower(): value for name, value in answer["headers"].items()},
            answer["body"] or "",
            log,
        )

    def pages(self, target: str) -> Iterator[Any]:
        """Every page of a list."""
        found = self("GET", target).json
        while True:
            yield found
            if "next" not in found:
                return
            found = self("GET", f"{target}{'&' if '?' in target else '?'}cursor={found['next']}").json


def event(
    method: str,
    target: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    by: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What API Gateway hands to the function: the path decoded, and ended at a question mark that was encoded."""
    path, _, query = target.partition("?")
    given = {"content-type": "application/json"} if body is not None else {}
    return {
        "version": "2.0",
        "routeKey": "ANY /{path+}",
        "rawPath": unquote(path).partition("?")[0],
        "rawQueryString": query,
        "headers": given | {name.lower(): value for name, value in (headers or {}).items()},
        "requestContext": {
            "stage": "$default",
            "requestId": "test",
            "http": {"method": method, "path": unquote(path).partition("?")[0]},
            **({"authorizer": by} if by is not None else {}),
        },
        "isBase64Encoded": False,
        **({} if body is None else {"body": body if isinstance(body, str) else json.dumps(body)}),
    }


class Watching(MemoryWatch):
    """Knows incidents, too."""

    def __init__(self, rules: policy.Guard) -> None:
        super().__init__()
        self._rules = rules

    def find_incidents(self) -> list[Incident]:
        return [found for traffic in self.windows.values() for found in find_incidents(traffic, self._rules)]

    def find_confirmed(self) -> list[Incident]:
        return [found for traffic in self.windows.values() for found in find_confirmed(traffic)]


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def advise(judged: Judgement, channel: Channel | None) -> str:
    """What to do, where no rule says so: a test that asks for more gives the classifier's."""
    return vocabulary.advise(judged.reason, channel)


def api_context(store: Any = None, **others: Any) -> ApiContext:
    """A context, all in memory but for what is given."""
    used = store or MemoryStore()
    rules = policy.load()
    watch = Watching(rules.guard)
    given: dict[str, Any] = {
        "tables": TABLES,
        "store": used,
        "queries": Queries(MemoryQueries(used), TABLES) if isinstance(used, MemoryStore) else None,
        "spike_windows": watch,
        "incidents": watch.find_incidents,
        "policy": rules,
        "classify": classify,
        "advise": advise,
        "name_source": name_source,
        "pool": Inline(),
        "clock": Clock(),
        "digest_key": KEY,
    }
    return ApiContext(**(given | others))

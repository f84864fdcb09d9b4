"""Queries of the embedded stack find by the lookup what moto finds by a walk, after every kind of write."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from local.environment import environment, false_account
from local.moto_server import moto_server

NAMES = {"AttributeNames": ["who", "what", "where", "when"]}


@pytest.fixture
def table() -> Any:
    with moto_server() as (endpoint, _), environment(false_account(endpoint)):
        client = boto3.Session().client("dynamodb")
        client.create_table(
            TableName="People",
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in NAMES["AttributeNames"]],
            KeySchema=[{"AttributeName": "who", "KeyType": "HASH"}, {"AttributeName": "what", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_place",
                    "KeySchema": [
                        {"AttributeName": "where", "KeyType": "HASH"},
                        {"AttributeName": "when", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


def test_a_query_finds_what_there_is_after_every_kind_of_write(table: Any) -> None:
    def put(who: str, what: str, **more: str) -> None:
        item = {"who": who, "what": what, **more}
        table.put_item(TableName="People", Item={name: {"S": text} for name, text in item.items()})

    def ask(name: str, value: str, index: str = "") -> list[str]:
        request = {"IndexName": index} if index else {}
        found = table.query(
            TableName="People",
            KeyConditionExpression="#name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": {"S": value}},
            **request,
        )
        return [each["what"]["S"] for each in found["Items"]]

    assert ask("where", "home", "by_place") == []
    put("ann", "b", where="home", when="2")
    put("ann", "a", where="home", when="3")
    put("bob", "c", where="home", when="1")
    put("bob", "d", where="home")  # without the second key of the index it is not there
    assert ask("where", "home", "by_place") == ["c", "b", "a"]
    assert ask("who", "ann") == ["a", "b"]
    key = {"who": {"S": "ann"}, "what": {"S": "b"}}
    table.update_item(
        TableName="People",
        Key=key,
        UpdateExpression="SET #where = :there",
        ExpressionAttributeNames={"#where": "where"},
        ExpressionAttributeValues={":there": {"S": "work"}},
    )
    assert (ask("where", "home", "by_place"), ask("where", "work", "by_place")) == (["c", "a"], ["b"])
    table.delete_item(TableName="People", Key=key)
    assert (ask("where", "work", "by_place"), ask("who", "ann")) == ([], ["a"])
    update = {
        "TableName": "People",
        "Key": {"who": {"S": "bob"}, "what": {"S": "c"}},
        "UpdateExpression": "REMOVE #where",
        "ExpressionAttributeNames": {"#where": "where"},
    }
    table.transact_write_items(TransactItems=[{"Update": update}])
    assert ask("where", "home", "by_place") == ["a"]

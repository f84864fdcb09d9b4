"""The table of how endpoints are doing: an item for each that fails or wants nothing any more, and none for the others.

So an endpoint that works costs no write. An item belongs to one address: whoever gives an endpoint another one begins
anew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final

from msgspec.structs import replace

from aftersend.aws.calls import translate_errors
from aftersend.aws.errors import Refusal
from aftersend.aws.protocols import DynamoDBClient
from aftersend.outgoing.schedule import EndpointState, compute_pause
from aftersend.storage.schema import ATTRIBUTE, decoder, encode_schema

SCHEMA: Final = 1  # what this version writes, and the highest that it reads: see `aftersend.storage.schema`
RETENTION: Final = timedelta(days=30)  # after the last failure
_CONDITION: Final = "ConditionalCheckFailedException"
_FAIL: Final = "ADD failures :one SET address = :address, last_error = :error, expires_at = :expires, #schema = :schema"


class EndpointStates:
    """Reads and writes states; every method raises StoreUnavailable where DynamoDB does not answer.

    `clock` gives seconds since 1970.
    """

    def __init__(self, client: DynamoDBClient, table: str, clock: Callable[[], float]) -> None:
        self._client, self._table, self._clock = client, table, clock

    def get(self, name: str, url: str) -> EndpointState:
        """Return how the endpoint of this name is doing at this address."""
        with translate_errors("DynamoDB: GetItem"):
            found = self._client.get_item(TableName=self._table, Key=_build_key(name), ConsistentRead=True)
        item = found.get("Item")
        return _decode(item) if item and item.get("address", {}).get("S") == _digest(url) else EndpointState()

    def fail(self, name: str, url: str, error: str) -> EndpointState:
        """Note a failure, and return the state that follows from it; failures at the same time all count."""
        values = {
            ":one": {"N": "1"},
            ":address": {"S": _digest(url)},
            ":error": {"S": error[:200]},
            ":expires": {"N": self._compute_expiry()},
            ":schema": encode_schema(SCHEMA)[ATTRIBUTE],
        }
        try:
            with translate_errors("DynamoDB: UpdateItem", expected=(_CONDITION,)):
                found = self._client.update_item(
                    TableName=self._table,
                    Key=_build_key(name),
                    UpdateExpression=_FAIL,
                    ConditionExpression="attribute_not_exists(endpoint) OR address = :address",
                    ExpressionAttributeNames={"#schema": ATTRIBUTE},
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                )
        except Refusal:  # it was about another address
            state = EndpointState(failures=1, last_error=error[:200])
            self._put(name, url, state)
            return state
        state = _decode(found["Attributes"])
        if pause := compute_pause(state.failures):
            state = replace(state, open_until=self._clock() + pause)
            self._put(name, url, state)
        return state

    def disable(self, name: str, url: str, error: str) -> None:
        """Note that an endpoint wants nothing any more."""
        self._put(name, url, EndpointState(failures=1, disabled=True, last_error=error[:200]))

    def begin_probe(self, name: str, url: str, before: EndpointState) -> bool:
        """Return whether this process is the one to try an endpoint whose breaker has closed; others wait once more."""
        until = self._clock() + compute_pause(before.failures)
        after = EndpointState(failures=before.failures, open_until=until, last_error=before.last_error)
        try:
            with translate_errors("DynamoDB: PutItem", expected=(_CONDITION,)):
                self._client.put_item(
                    TableName=self._table,
                    Item=self._encode(name, url, after),
                    ConditionExpression="open_until = :seen",
                    ExpressionAttributeValues={":seen": {"N": repr(before.open_until)}},
                )
        except Refusal:
            return False
        return True

    def clear(self, name: str) -> None:
        """Forget all that is known of an endpoint: it works."""
        with translate_errors("DynamoDB: DeleteItem"):
            self._client.delete_item(TableName=self._table, Key=_build_key(name))

    def _put(self, name: str, url: str, state: EndpointState) -> None:
        with translate_errors("DynamoDB: PutItem"):
            self._client.put_item(TableName=self._table, Item=self._encode(name, url, state))

    def _encode(self, name: str, url: str, state: EndpointState) -> dict[str, Any]:
        return {
            **_build_key(name),
            **encode_schema(SCHEMA),
            "address": {"S": _digest(url)},
            "failures": {"N": str(state.failures)},
            "open_until": {"N": repr(state.open_until)},
            "disabled": {"BOOL": state.disabled},
            "last_error": {"S": state.last_error},
            "expires_at": {"N": self._compute_expiry()},
        }

    def _compute_expiry(self) -> str:
        return str(int(self._clock() + RETENTION.total_seconds()))


def _build_key(name: str) -> dict[str, Any]:
    return {"endpoint": {"S": name}}


def _digest(url: str) -> str:
    """An address may hold a secret."""
    return blake2b(url.encode(), digest_size=10).hexdigest()


@decoder(SCHEMA)
def _decode(item: dict[str, Any]) -> EndpointState:
    return EndpointState(
        failures=int(item["failures"]["N"]),
        open_until=float(item["open_until"]["N"]) if "open_until" in item else 0.0,
        disabled=item["disabled"]["BOOL"] if "disabled" in item else False,
        last_error=item["last_error"]["S"],
    )


def decode_state(item: dict[str, Any]) -> tuple[str, EndpointState]:
    """Return an endpoint's name and its state; raises Unreadable for an item that this version has not written."""
    return str(item["endpoint"]["S"]), _decode(item)

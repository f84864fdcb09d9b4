"""Deletes outcomes and suppressions, which only an erasure does. Source: DynamoDB API reference, DeleteItem."""

from __future__ import annotations

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import DynamoDBClient
from aftersend.core.model import Key, Suppression
from aftersend.storage import items, versioned
from aftersend.storage.store import TableNames


class Deletions:
    """Deletes items of the two tables. Every method raises StoreUnavailable where DynamoDB does not do it."""

    def __init__(self, client: DynamoDBClient, tables: TableNames) -> None:
        self._client = client
        self._tables = tables

    def delete_outcome(self, key: Key) -> None:
        """Delete an outcome, whatever it is by now."""
        with translate_errors("DynamoDB: DeleteItem"):
            self._client.delete_item(TableName=self._tables.outcomes, Key=items.build_outcome_key(key))

    def delete_suppression(self, suppression: Suppression) -> bool:
        """Delete a suppression if it is still as it was read, and return whether it was."""
        key = items.build_suppression_key(suppression.key)
        return versioned.delete(self._client, self._tables.suppressions, key, suppression.version)

"""What a stack holds: outcomes, suppressions, dead letters, archived objects. Reads everything; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from aftersend import settings
from aftersend.core.model import Outcome, Suppression
from aftersend.storage import items
from local.stack import Stack
from local.template import Json


class Contents(NamedTuple):
    """Both tables, each in the order of its keys."""

    outcomes: list[Outcome]
    suppressions: list[Suppression]


class DeadLetter(NamedTuple):
    """One message in a dead-letter queue; with its source and the reason, where a function put it there."""

    queue: str
    source: str | None
    reason: str | None
    body: str


class Tables:
    """Reads what a function writes; its `variables` say where."""

    def __init__(self, stack: Stack, variables: Mapping[str, str]) -> None:
        self._settings = settings.load_ingest(variables)
        self._dynamodb, self._sqs, self._s3 = (stack.client(name) for name in ("dynamodb", "sqs", "s3"))
        queues = stack.physical_ids("AWS::SQS::Queue")
        targets = {
            str(each["RedrivePolicy"]["deadLetterTargetArn"]).rpartition(":")[2]
            for each in stack.resources("AWS::SQS::Queue").values()
            if "RedrivePolicy" in each
        }
        self._dead_letters = {name: url for name, url in queues.items() if url.rpartition("/")[2] in targets}

    def contents(self) -> Contents:
        """Everything in both tables."""
        outcomes = map(items.decode_outcome, self._scan(self._settings.outcomes_table))
        suppressions = map(items.decode_suppression, self._scan(self._settings.suppressions_table))
        return Contents(sorted(outcomes, key=_key), sorted(suppressions, key=_key))

    def count(self) -> tuple[int, int]:
        """How many outcomes and suppressions there are, as far as the tables know without being read."""
        names = (self._settings.outcomes_table, self._settings.suppressions_table)
        found = [self._dynamodb.describe_table(TableName=name)["Table"]["ItemCount"] for name in names]
        return int(found[0]), int(found[1])

    def dead_letters(self) -> list[DeadLetter]:
        """Everything in every queue that is some queue's dead-letter queue."""
        return [letter for name, url in self._dead_letters.items() for letter in self._letters(name, url)]

    def archived(self) -> int:
        """How many objects the archive holds."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._settings.archive_bucket)
        return sum(page["KeyCount"] for page in pages)

    def _scan(self, table: str) -> Iterator[Json]:
        for page in self._dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
            yield from page["Items"]

    def _letters(self, queue: str, url: str) -> Iterator[DeadLetter]:
        """Look at every message, and give it back."""
        seen: list[Any] = []
        while found := self._sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60, MessageAttributeNames=["All"]
        ).get("Messages"):
            seen += found
        for message in seen:
            self._sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
            attributes = {name: each["StringValue"] for name, each in message.get("MessageAttributes", {}).items()}
            yield DeadLetter(queue, attributes.get("source"), attributes.get("reason"), message["Body"])


def _key(item: Outcome | Suppression) -> tuple[str, str]:
    return item.key

"""The part of the stack that functions talk to, on moto's server: tables, archive, unreadable bodies.

For single functions only: moto loses writes that come at the same time for the same key.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
from moto.server import ThreadedMotoServer

from local.environment import false_account
from tests.engines import CAPACITY
from tests.support.template import TABLES, variables

BUCKET: Final = "archive"
PARKED: Final = "UnreadableBodies"
Row = dict[str, Any]


class Cloud:
    """A server, and what lies in it."""

    def __init__(self, address: str, port: int) -> None:
        self.endpoint = f"http://{address}:{port}"

    def client(self, service: str) -> Any:
        account = false_account(self.endpoint)
        return boto3.client(
            service,  # type: ignore[call-overload]  # any service
            endpoint_url=self.endpoint,
            region_name=account["AWS_REGION"],
            aws_access_key_id=account["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=account["AWS_SECRET_ACCESS_KEY"],
        )

    def create(self) -> None:
        """Make everything, empty."""
        for name in TABLES:
            self.create_table(name)
        region = {"LocationConstraint": false_account(self.endpoint)["AWS_REGION"]}
        self.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=region)
        self.client("sqs").create_queue(QueueName=PARKED)

    def clear(self) -> None:
        """Throw everything away."""
        for name in self.client("dynamodb").list_tables()["TableNames"]:
            self.drop_table(name)
        for line in self.objects():
            self.client("s3").delete_object(Bucket=BUCKET, Key=line)
        self.client("s3").delete_bucket(Bucket=BUCKET)
        self.client("sqs").delete_queue(QueueUrl=self.parking())

    def create_table(self, name: str) -> None:
        wanted = ("AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes")
        definition = {part: TABLES[name][part] for part in wanted if part in TABLES[name]}
        if indexes := definition.get("GlobalSecondaryIndexes"):
            plain = [{part: index[part] for part in index.keys() - CAPACITY} for index in indexes]
            definition["GlobalSecondaryIndexes"] = plain
        self.client("dynamodb").create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **definition)

    def drop_table(self, name: str) -> None:
        self.client("dynamodb").delete_table(TableName=name)

    def environment(self, function: str) -> dict[str, str]:
        """The variables that the template and SAM give the function, with this cloud in the place of AWS."""
        made = {name: name for name in TABLES} | {
            "Archive": BUCKET,
            PARKED: self.parking(),
            "DigestKey": "a test's key",
        }
        graphs = {"DASHBOARD": "true"}  # so that whatever a function can write of a batch is written
        return false_account(self.endpoint) | variables(function, made) | graphs

    def parking(self) -> str:
        return str(self.client("sqs").get_queue_url(QueueName=PARKED)["QueueUrl"])

    def rows(self, table: str) -> list[Row]:
        """Every item of a table, as plain text and numbers, in the order of its keys."""
        found = self.client("dynamodb").scan(TableName=table)["Items"]
        rows = [{name: next(iter(value.values())) for name, value in item.items()} for item in found]
        return sorted(rows, key=lambda row: (row["recipient"], row.get("message", row.get("scope"))))

    def objects(self) -> list[str]:
        return [each["Key"] for each in self.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", ())]

    def archived(self) -> list[str]:
        """Every body in the archive."""
        bodies = []
        for key in self.objects():
            packed = self.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
            bodies += [json.loads(line)["body"] for line in gzip.decompress(packed).splitlines()]
        return bodies

    def parked(self) -> list[tuple[str, dict[str, str]]]:
        """Every body that could not be read, with its attributes."""
        found = self.client("sqs").receive_message(
            QueueUrl=self.parking(), MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [
            (each["Body"], {name: value["StringValue"] for name, value in each["MessageAttributes"].items()})
            for each in found.get("Messages", ())
        ]


@contextmanager
def serving(address: str = "127.0.0.1") -> Iterator[Cloud]:
    """A server on `address` as long as the context lasts."""
    server = ThreadedMotoServer(address, port=0, verbose=False)
    server.start()
    try:
        yield Cloud(*server.get_host_and_port())
    finally:
        server.stop()

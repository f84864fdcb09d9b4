"""What is called of each service's client: boto3's methods by their names, keyword arguments and answers as boto3's.

`aftersend.aws.connect` makes clients that fit; so do boto3's own, but for the errors that they raise. Each protocol has
the operations that the package calls, which are those of the tables in `aftersend.aws.services`.
"""

from __future__ import annotations

from typing import Any, Protocol


class DynamoDBClient(Protocol):
    """Amazon DynamoDB: items of a table by key, by index, and page by page."""

    def batch_get_item(self, **request: Any) -> Any: ...  # noqa: D102
    def delete_item(self, **request: Any) -> Any: ...  # noqa: D102
    def get_item(self, **request: Any) -> Any: ...  # noqa: D102
    def put_item(self, **request: Any) -> Any: ...  # noqa: D102
    def query(self, **request: Any) -> Any: ...  # noqa: D102
    def scan(self, **request: Any) -> Any: ...  # noqa: D102
    def transact_write_items(self, **request: Any) -> Any: ...  # noqa: D102
    def update_item(self, **request: Any) -> Any: ...  # noqa: D102


class S3Client(Protocol):
    """Amazon S3: whole objects, or ranges of them."""

    def get_object(self, **request: Any) -> Any: ...  # noqa: D102
    def put_object(self, **request: Any) -> Any: ...  # noqa: D102


class FullS3Client(S3Client, Protocol):
    """Amazon S3 as boto3 alone has it: listings, uploads in parts and presigned addresses besides objects."""

    def list_objects_v2(self, **request: Any) -> Any: ...  # noqa: D102
    def create_multipart_upload(self, **request: Any) -> Any: ...  # noqa: D102
    def upload_part(self, **request: Any) -> Any: ...  # noqa: D102
    def complete_multipart_upload(self, **request: Any) -> Any: ...  # noqa: D102
    def generate_presigned_url(self, operation: str, /, **request: Any) -> Any: ...  # noqa: D102


class EventBridgeClient(Protocol):
    """Amazon EventBridge."""

    def put_events(self, **request: Any) -> Any: ...  # noqa: D102


class SQSClient(Protocol):
    """Amazon SQS: messages into a queue, alone or up to ten at once."""

    def send_message(self, **request: Any) -> Any: ...  # noqa: D102
    def send_message_batch(self, **request: Any) -> Any: ...  # noqa: D102


class FullSQSClient(SQSClient, Protocol):
    """The operations of SQS that somebody needs who looks into queues, moves what lies there, or says when it shows."""

    def receive_message(self, **request: Any) -> Any: ...  # noqa: D102
    def delete_message(self, **request: Any) -> Any: ...  # noqa: D102
    def get_queue_attributes(self, **request: Any) -> Any: ...  # noqa: D102
    def change_message_visibility_batch(self, **request: Any) -> Any: ...  # noqa: D102
    def change_message_visibility(self, **request: Any) -> Any: ...  # noqa: D102


class SSMClient(Protocol):
    """AWS Systems Manager: parameters."""

    def get_parameter(self, **request: Any) -> Any: ...  # noqa: D102
    def get_parameters_by_path(self, **request: Any) -> Any: ...  # noqa: D102


class SecretsManagerClient(Protocol):
    """AWS Secrets Manager: secrets."""

    def get_secret_value(self, **request: Any) -> Any: ...  # noqa: D102


class CloudWatchClient(Protocol):
    """Amazon CloudWatch: the state of alarms."""

    def describe_alarms(self, **request: Any) -> Any: ...  # noqa: D102


class SESClient(Protocol):
    """Amazon SES (API version 2): the account's suppression list."""

    def delete_suppressed_destination(self, **request: Any) -> Any: ...  # noqa: D102
    def put_suppressed_destination(self, **request: Any) -> Any: ...  # noqa: D102

"""Which services are known, and which of their operations: tables. What stands in none cannot be called, by boto3's
client neither: nothing is to work on one machine and fail on another. What boto3 alone does is asked of `aws.boto`.
"""

from __future__ import annotations

from typing import Any, Final

from aftersend.aws.account import Account
from aftersend.aws.json_service import JsonService
from aftersend.aws.s3 import S3

OPERATIONS: Final = {
    "dynamodb": (
        *("batch_get_item", "delete_item", "get_item", "put_item", "query", "scan", "transact_write_items"),
        "update_item",
    ),
    "events": ("put_events",),
    "s3": ("get_object", "put_object"),
    "secretsmanager": ("get_secret_value",),
    "sqs": (
        *("send_message", "send_message_batch", "receive_message", "delete_message", "get_queue_attributes"),
        *("change_message_visibility", "change_message_visibility_batch"),
    ),
    "ssm": ("get_parameter", "get_parameters_by_path"),
}
# What boto3 alone does here: work that is rare, and no batch waits for it.
FOR_BOTO3: Final = {
    "cloudwatch": ("describe_alarms",),
    "s3": (
        *("list_objects_v2", "generate_presigned_url"),
        *("create_multipart_upload", "upload_part", "complete_multipart_upload"),
    ),
    "sesv2": ("delete_suppressed_destination", "put_suppressed_destination"),
}
# What services that speak JSON are called in it, and its version.
_TARGETS: Final = {
    "dynamodb": ("DynamoDB_20120810", "1.0"),
    "events": ("AWSEvents", "1.1"),
    "secretsmanager": ("secretsmanager", "1.1"),
    "sqs": ("AmazonSQS", "1.0"),
    "ssm": ("AmazonSSM", "1.1"),
}


def make_client(service: str, account: Account) -> Any:
    """Make a client of ours for one of the services in OPERATIONS."""
    if service == "s3":
        return S3(account)
    return JsonService(account, service, *_TARGETS[service], OPERATIONS[service])

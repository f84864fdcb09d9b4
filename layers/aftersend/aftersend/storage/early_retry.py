"""A message that failed alone comes again soon, instead of staying hidden for the rest of its queue's time-out.

A queue holds 120,000 messages in flight, those that failed among them: hidden for seven minutes each, three of a
thousand fill it at 95,000 a second. What fails alone mostly met others at one item, or a partition that was throttled
for a moment, so a second try after half a minute ends it. Where much of a batch fails, the store does, and nothing is
won by asking it sooner.

Source: SQS developer guide, "Visibility timeout" (ChangeMessageVisibility; "In-flight messages and quotas"); Lambda
developer guide, "Using Lambda with Amazon SQS".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import FullSQSClient
from aftersend.core.errors import ServiceError

SOON: Final = 30  # seconds
FEW: Final = 10  # messages of a batch, and what one call takes


class EarlyRetry:
    """Calls messages back that have failed for the first time. All queues are of one account and region."""

    def __init__(self, connect: Callable[[], FullSQSClient], queue: str) -> None:
        """Take the URL of any queue, from which those of the others differ in the name alone."""
        self._connect = connect
        self._base = queue.rpartition("/")[0]
        self._client: FullSQSClient | None = None

    def call_back(self, event: Mapping[str, Any], failed: Collection[str]) -> str:
        """Let those of `failed` (ids of messages) show again soon; return why not, where it does not work.

        Those then show when the queue says.
        """
        records = [each for each in event.get("Records", ()) if each.get("messageId") in failed]
        if not 0 < len(records) <= FEW:
            return ""
        entries = [
            {"Id": str(number), "ReceiptHandle": each["receiptHandle"], "VisibilityTimeout": SOON}
            for number, each in enumerate(records)
            if each["attributes"]["ApproximateReceiveCount"] == "1"
        ]
        if not entries:
            return ""
        name = records[0]["eventSourceARN"].rpartition(":")[2]
        try:
            with translate_errors("SQS: ChangeMessageVisibilityBatch"):
                self._sqs.change_message_visibility_batch(QueueUrl=f"{self._base}/{name}", Entries=entries)
        except ServiceError as error:
            return str(error)
        return ""

    @property
    def _sqs(self) -> FullSQSClient:
        self._client = self._client or self._connect()
        return self._client

"""Queues, buckets and the list of SES in memory: what the functions call beside DynamoDB."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from aftersend.aws.errors import Refusal

Json = dict[str, Any]


class Letter:
    """A message in a queue."""

    def __init__(self, id_: str, body: str, attributes: Json, sent: float, visible: float) -> None:
        self.id, self.body, self.attributes, self.sent, self.visible = id_, body, attributes, sent, visible
        self.receives = 0

    def record(self, queue: str) -> Json:
        """Return the message of a queue as Lambda shows it to a function."""
        shown = {
            name: {"stringValue": each["StringValue"], "dataType": each["DataType"]}
            for name, each in self.attributes.items()
        }
        return {
            "messageId": self.id,
            "receiptHandle": self.id,
            "body": self.body,
            "attributes": {"SentTimestamp": str(int(self.sent * 1000)), "ApproximateReceiveCount": str(self.receives)},
            "messageAttributes": shown,
            "eventSource": "aws:sqs",
            "eventSourceARN": f"arn:aws:sqs:eu-west-1:111122223333:{queue}",
        }


class Queue:
    """A queue with its dead letters. `visibility` is in seconds."""

    def __init__(self, name: str, visibility: float, receives: int) -> None:
        self.name, self.visibility, self.receives = name, visibility, receives
        self.letters: list[Letter] = []
        self.dead: list[Letter] = []

    def receive(self, now: float, most: int, pick: Callable[[list[Letter]], list[Letter]]) -> list[Letter]:
        """Return some of those that can be seen, which are hidden from now on; what came too often is dead."""
        seen = pick([letter for letter in self.letters if letter.visible <= now])
        taken: list[Letter] = []
        for letter in seen[:most]:
            letter.receives += 1
            letter.visible = now + self.visibility
            if letter.receives > self.receives:
                self.letters.remove(letter)
                self.dead.append(letter)
            else:
                taken.append(letter)
        return taken

    def delete(self, letter: Letter) -> None:
        """Take a message out, if it is there."""
        if letter in self.letters:
            self.letters.remove(letter)


class SQS:
    """All queues. `sent` is called with each message that has come in."""

    def __init__(self, queues: dict[str, Queue], clock: Callable[[], float], sent: Callable[[Queue, Letter], None]):
        self.queues, self._clock, self._sent = queues, clock, sent
        self._numbers = 0

    def send_message(self, **request: Any) -> Json:
        """SendMessage."""
        queue, now = self.queues[request["QueueUrl"]], self._clock()
        assert request["MessageBody"], "SQS takes no empty message"
        self._numbers += 1
        visible = now + request.get("DelaySeconds", 0)
        letter = Letter(
            f"{queue.name}-{self._numbers}", request["MessageBody"], request.get("MessageAttributes", {}), now, visible
        )
        queue.letters.append(letter)
        self._sent(queue, letter)
        return {"MessageId": letter.id}

    def send_message_batch(self, **request: Any) -> Json:
        """SendMessageBatch."""
        entries = request["Entries"]
        assert 0 < len(entries) <= 10, "SQS takes one to ten"
        done = []
        for entry in entries:
            self.send_message(
                **{name: value for name, value in entry.items() if name != "Id"} | {"QueueUrl": request["QueueUrl"]}
            )
            done.append({"Id": entry["Id"]})
        return {"Successful": done}

    def change_message_visibility_batch(self, **request: Any) -> Json:
        """ChangeMessageVisibilityBatch, of messages that are in the queue."""
        queue, now = self.queues[request["QueueUrl"].rpartition("/")[2]], self._clock()
        hidden = {each["ReceiptHandle"]: now + each["VisibilityTimeout"] for each in request["Entries"]}
        for letter in queue.letters:
            letter.visible = hidden.get(letter.id, letter.visible)
        return {"Successful": [{"Id": each["Id"]} for each in request["Entries"]]}


class S3:
    """All buckets."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.objects: dict[tuple[str, str], tuple[bytes, float]] = {}

    def put_object(self, **request: Any) -> Json:
        """PutObject."""
        self.objects[request["Bucket"], request["Key"]] = bytes(request["Body"]), self._clock()
        return {"ETag": '"e"'}

    def get_object(self, **request: Any) -> Json:
        """GetObject, whole."""
        found = self.objects.get((request["Bucket"], request["Key"]))
        if found is None:
            raise Refusal("NoSuchKey", {})
        return {"Body": BytesIO(found[0]), "ETag": '"e"', "ContentLength": len(found[0])}

    def list_objects_v2(self, **request: Any) -> Json:
        """ListObjectsV2."""
        keys = sorted(key for bucket, key in self.objects if bucket == request["Bucket"])
        found = [key for key in keys if key.startswith(request["Prefix"]) and key > request.get("StartAfter", "")]
        times = {key: datetime.fromtimestamp(int(self.objects[request["Bucket"], key][1]), UTC) for key in found}
        return {"Contents": [{"Key": key, "LastModified": times[key]} for key in found[: request["MaxKeys"]]]}


class SES:
    """The suppression list of an account of Amazon SES: address to reason."""

    def __init__(self) -> None:
        self.listed: dict[str, str] = {}

    def put_suppressed_destination(self, **request: Any) -> Json:
        """PutSuppressedDestination."""
        self.listed[request["EmailAddress"]] = request["Reason"]
        return {}

    def delete_suppressed_destination(self, **request: Any) -> Json:
        """DeleteSuppressedDestination."""
        if self.listed.pop(request["EmailAddress"], None) is None:
            raise Refusal("NotFoundException", {})
        return {}

"""What Lambda does, for this machine: loads the handlers that the template names, and feeds them from its queues.

A handler runs with the variables that the template gives it, gets the event that an SQS event source mapping makes,
and hands back what must come again: that stays in its queue, everything else is deleted.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Mapping as TypingMapping
from contextlib import contextmanager, redirect_stdout
from threading import RLock
from types import ModuleType
from typing import Any, Final, NamedTuple, Protocol, cast

import msgspec
from moto.events.models import EventPattern

from local.environment import REGION, environment
from local.samples import ROOT
from local.stack import Stack
from local.template import Json

_FOLLOW: Final = ("Streams", "PublishIncidents")  # the functions that count and publish
_MOST: Final = 10  # SQS hands out no more messages at once
_MOST_CHANGES: Final = (
    150  # of a stream at once: moto reads what is added to a counter by calling itself, once for each
)

# Moto loses updates when threads write at the same time, so a function writes one after the other here. Webhooks go to
# this machine and nowhere else: a receiver is at hand (`local.hooks`), and nobody outside hears of what is tried here.
_HERE: Final = {"WORKERS": "1", "WEBHOOKS_TO_THIS_MACHINE": "true"}


# Variables and standard output belong to the whole process, so only one function works in it at a time.
_ONE_AT_A_TIME: Final = RLock()


class Invocation(NamedTuple):
    """What a function answered, and the lines that it logged meanwhile."""

    answer: Json
    logs: str = ""


class FunctionFailed(Exception):
    """A function that runs in a process of its own ended with an error; the text says which, and no more."""


class Invocable(Protocol):
    """A function, wherever it runs."""

    def invoke(self, event: Json) -> Invocation:
        """Run the handler with `event`."""
        ...


class _Context:
    """What handlers ask of Lambda's context."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Nobody stops a function here."""
        return 900_000


class Function:
    """One function of the template: its real `module`, in this process. `logs` holds what it printed."""

    def __init__(self, name: str, properties: Json) -> None:
        self.name = name
        self.variables = read_variables(name, properties)
        self.logs = io.StringIO()
        with _ONE_AT_A_TIME, self._surroundings():
            self.module, self._handler = load_handler(name, properties)

    def __call__(self, event: Json) -> Json:
        """What the handler answers to `event`. An error that it raises is a fault of ours, and is raised here too."""
        return self.invoke(event).answer

    def invoke(self, event: Json) -> Invocation:
        """The same, with what it logged."""
        with _ONE_AT_A_TIME, self._surroundings():
            before = self.logs.tell()
            answer: Json = self._handler(event, _Context()) or {}
            return Invocation(answer, self.logs.getvalue()[before:])

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        with environment(self.variables), redirect_stdout(self.logs):
            self._redirect_logger()
            yield

    def _redirect_logger(self) -> None:
        """All functions of a stack have one logger here, which would go on to write where the first one wrote."""
        for handler in logging.getLogger(self.variables.get("POWERTOOLS_SERVICE_NAME")).handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(self.logs)


def read_variables(name: str, properties: Json) -> dict[str, str]:
    """Return the variables that the template gives a function, and those that Lambda does."""
    variables = {key: str(value) for key, value in properties["Environment"]["Variables"].items()}
    return variables | _HERE | {"AWS_LAMBDA_FUNCTION_NAME": name}


def load_handler(name: str, properties: Json) -> tuple[ModuleType, Callable[[Json, object], Any]]:
    """Load the handler "module.function" from the folder of its code, the module under a name of its own."""
    folder = ROOT / properties["Code"]["S3Key"]
    module_name = properties["Handler"].rpartition(".")[0]
    spec = importlib.util.spec_from_file_location(f"local_function_{name}", folder / f"{module_name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module, getattr(module, properties["Handler"].rpartition(".")[2])


class Mapping:
    """One event source mapping of the template: a queue, and the function that it feeds."""

    def __init__(self, queues: Any, properties: Json, function: Callable[[Json], Json], name: str = "") -> None:
        self.name = name  # of the function
        self._queues = queues
        self._arn = properties["EventSourceArn"]
        self._size = int(properties.get("BatchSize", _MOST))
        self._again: list[str] = []  # handles of what must come again
        self._function = function
        self.url = str(queues.get_queue_url(QueueName=self._arn.rpartition(":")[2])["QueueUrl"])

    def drain(self) -> Iterator[tuple[int, int]]:
        """Work batch after batch until the queue shows no message; how many were done and how many must come again."""
        while batch := self._receive():
            answer = self._function({"Records": [_record(message, self._arn) for message in batch]})
            again = {each["itemIdentifier"] for each in answer.get("batchItemFailures", ())}
            done = [message for message in batch if message["MessageId"] not in again]
            self._again += [message["ReceiptHandle"] for message in batch if message["MessageId"] in again]
            self._delete(done)
            yield len(done), len(batch) - len(done)

    def show_again(self) -> int:
        """Let those come again at once that must, as the queue does after its visibility timeout; how many they are."""
        for handle in self._again:
            self._queues.change_message_visibility(QueueUrl=self.url, ReceiptHandle=handle, VisibilityTimeout=0)
        shown = len(self._again)
        self._again.clear()
        return shown

    def _receive(self) -> list[Json]:
        """As many messages as a batch may hold."""
        batch: list[Json] = []
        while len(batch) < self._size:
            answer = self._queues.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=min(_MOST, self._size - len(batch)),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            if not answer.get("Messages"):
                break
            batch += answer["Messages"]
        return batch

    def _delete(self, messages: list[Json]) -> None:
        for start in range(0, len(messages), _MOST):
            chunk = messages[start : start + _MOST]
            entries = [{"Id": str(at), "ReceiptHandle": each["ReceiptHandle"]} for at, each in enumerate(chunk)]
            self._queues.delete_message_batch(QueueUrl=self.url, Entries=entries)


class StreamMapping:
    """One event source mapping of the template: the stream of a table, and the function that it feeds."""

    def __init__(self, stack: Stack, properties: Json, function: Callable[[Json], Json], name: str) -> None:
        self.name = name  # of the function
        self._client, self._arn = stack.client("dynamodbstreams"), str(properties["EventSourceArn"])
        self._size = min(int(properties["BatchSize"]), _MOST_CHANGES)
        self._function = function
        filters = properties.get("FilterCriteria", {}).get("Filters", [])
        self._patterns = [EventPattern.load(each["Pattern"]) for each in filters]
        self._places: dict[str, Json] = {}  # where each shard goes on

    def drain(self) -> Iterator[tuple[int, int]]:
        """Work batch after batch until nothing new is there; how many were done and how many must come again."""
        for shard in self._client.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]:
            while records := self._read(shard["ShardId"]):
                chosen = [each for each in records if self._lets_in(each)]
                failed = self._call(shard["ShardId"], chosen)
                numbers = [_number(each) for each in records]
                passed = numbers.index(failed) if failed else len(records)
                if passed:
                    start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": numbers[passed - 1]}
                    self._places[shard["ShardId"]] = start
                done = [_number(each) for each in chosen].index(failed) if failed else len(chosen)
                if chosen:
                    yield done, len(chosen) - done
                if failed:
                    break

    def _lets_in(self, record: Json) -> bool:
        """Whether a filter of the mapping names the record, where there are any."""
        return not self._patterns or any(each.matches_event(cast(Any, record)) for each in self._patterns)

    def _call(self, shard: str, records: list[Json]) -> str | None:
        """Have the function work the records; the number of the first that must come again."""
        if not records:
            return None
        event = {"Records": records, "shardId": shard, "eventSourceARN": self._arn, "state": {}}
        failures = self._function(event)["batchItemFailures"]
        return str(failures[0]["itemIdentifier"]) if failures else None

    def _read(self, shard: str) -> list[Json]:
        start = self._places.get(shard, {"ShardIteratorType": "TRIM_HORIZON"})
        place = self._client.get_shard_iterator(StreamArn=self._arn, ShardId=shard, **start)["ShardIterator"]
        found = self._client.get_records(ShardIterator=place, Limit=self._size)["Records"]
        return [_show_record(record) for record in found]


def _number(record: Json) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def _show_record(record: Json) -> Json:
    """A record as Lambda shows it to a function: times are numbers, binary attributes base64."""
    moment = record["dynamodb"]["ApproximateCreationDateTime"]
    whole: Json = msgspec.json.decode(msgspec.json.encode(record))
    whole["dynamodb"]["ApproximateCreationDateTime"] = moment.timestamp()
    return whole


def _record(message: Json, arn: str) -> Json:
    """A message as Lambda shows it to a function (Lambda developer guide, "Using Lambda with Amazon SQS")."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {
                **({"stringValue": each["StringValue"]} if "StringValue" in each else {}),
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": each["DataType"],
            }
            for name, each in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    }


class Lambdas:
    """Every function of the stack, and every queue that feeds one."""

    def __init__(self, stack: Stack) -> None:
        functions = stack.resources("AWS::Lambda::Function")
        self.functions = {name: Function(name, properties) for name, properties in functions.items()}
        self.mappings = list_mappings(stack, self.functions)
        self.streams = list_streams(stack, self.functions)

    def count(self) -> int:
        """Work the streams of the tables, where the stack counts, to their end; how many changes were counted.

        It is not done with every batch of the queues: moto copies all tables for each transaction.
        """
        return sum(done for stream in self.streams for done, _ in stream.drain())

    def drain(self) -> Counter[str]:
        """Work every queue until it is empty; how many batches, and how many messages were done or must come again."""
        counts: Counter[str] = Counter()
        for mapping in self.mappings:
            for done, again in mapping.drain():
                counts.update(batches=1, done=done, again=again)
        return counts

    def drain_again(self) -> Counter[str]:
        """Work once more what had to come again; the counts are those of this time."""
        for mapping in self.mappings:
            mapping.show_again()
        return self.drain()


def list_mappings(stack: Stack, functions: TypingMapping[str, Callable[[Json], Json]]) -> list[Mapping]:
    """Return every mapping of the stack that feeds one of `functions` from a queue."""
    queues = stack.client("sqs")
    return [
        Mapping(queues, properties, functions[_function_of(properties)], _function_of(properties))
        for properties in stack.resources("AWS::Lambda::EventSourceMapping").values()
        if ":sqs:" in str(properties["EventSourceArn"])
    ]


def list_streams(stack: Stack, functions: TypingMapping[str, Callable[[Json], Json]]) -> list[StreamMapping]:
    """Return the mappings of the stack from the streams of its tables to the functions that count and publish.

    The other one that reads a stream keeps the list of Amazon SES, which nobody plays here.
    """
    return [
        StreamMapping(stack, properties, functions[name], name)
        for properties in stack.resources("AWS::Lambda::EventSourceMapping").values()
        if (name := _function_of(properties)) in _FOLLOW
    ]


def _function_of(properties: Json) -> str:
    """The logical id of the function that a mapping feeds."""
    return str(properties["FunctionName"]["Ref"])

"""Puts bodies into a queue of SQS, several in one call, and says of each whether the queue has it now.

Source: SQS API reference, SendMessageBatch: at most ten messages and 1 MiB a call, attributes counted; each message has
its own fate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field

from aftersend.aws.errors import CallFailed
from aftersend.aws.protocols import SQSClient
from aftersend.sources.envelope import MAX_BYTES
from aftersend.sources.message import NO_HEADERS, Headers, build_sqs_message, measure_size, pack

MOST_AT_ONCE: Final = 10


class OutgoingMessage(Struct, frozen=True):
    """A body, whose it is, and what its carrier said beside it."""

    source: str
    body: bytes
    headers: Headers = NO_HEADERS


class SendResults(Struct):
    """What became of each parcel, by its place. Only what is `accepted` is safe."""

    accepted: set[int] = field(default_factory=set)
    refused: dict[int, str] = field(default_factory=dict)  # why: theirs, the queue will never take it
    failed: dict[int, str] = field(default_factory=dict)  # why: ours, it can be tried again


class QueueSender:
    """Sends to one queue."""

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, parcels: Sequence[OutgoingMessage]) -> SendResults:
        """Send all of them, in their order; raises nothing."""
        fates = SendResults()
        for entries in _batches(parcels, fates):
            try:
                answer = self._client.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
            except CallFailed as failure:
                answer = {"Failed": [{"Id": entry["Id"], "Code": str(failure)} for entry in entries]}
            _note(answer, entries, fates)
        return fates


def _batches(parcels: Sequence[OutgoingMessage], fates: SendResults) -> Iterator[list[dict[str, Any]]]:
    """The entries of each call; what no call can carry is refused here."""
    entries: list[dict[str, Any]] = []
    load = 0
    for place, parcel in enumerate(parcels):
        text, attributes = pack(parcel.body, parcel.source, parcel.headers)
        size = measure_size(text, attributes)
        if size > MAX_BYTES:
            fates.refused[place] = f"{size} bytes are more than the {MAX_BYTES} that a queue takes"
            continue
        if entries and (len(entries) == MOST_AT_ONCE or load + size > MAX_BYTES):
            yield entries
            entries, load = [], 0
        entries.append({"Id": str(place), **build_sqs_message(text, attributes)})
        load += size
    if entries:
        yield entries


def _note(answer: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], fates: SendResults) -> None:
    """Read the answer to one call; what it has no word of has failed."""
    accepted = {int(each["Id"]) for each in answer.get("Successful", ())}
    failed = {int(each["Id"]): each for each in answer.get("Failed", ())}
    for place in (int(entry["Id"]) for entry in entries):
        if place in accepted:
            fates.accepted.add(place)
            continue
        failure = failed.get(place, {"Code": "missing in the answer"})
        where = fates.refused if failure.get("SenderFault") else fates.failed
        where[place] = str(failure.get("Code"))

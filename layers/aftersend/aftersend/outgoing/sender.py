"""Works a batch of the queue of webhooks: delivers, and says of each that was not taken when it is tried again.

What the receiver has taken is done. What it has not is hidden in the queue until its next attempt, by its age
(`schedule`), and whatever came after it in its group waits behind it. What is given up, or has nowhere to go, is parked
with the reason: nothing of it is lost, and `aftersend webhooks` sends it again. An endpoint that fails is left alone
for a while, so a dead one costs few calls; where the queue is crowded with its events they are parked at once, so that
others' find their way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct, field

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import FullSQSClient
from aftersend.core.errors import DECODE_ERRORS, ServiceError
from aftersend.outgoing.deliver import SECONDS, Attempt
from aftersend.outgoing.endpoints import Endpoint
from aftersend.outgoing.outbox import Webhook
from aftersend.outgoing.pace import Pace
from aftersend.outgoing.schedule import (
    CROWDED,
    FAILURES,
    GIVEN_UP,
    LONGEST_WAIT,
    SLOW_DOWN,
    EndpointState,
    compute_wait,
    is_open,
)
from aftersend.outgoing.signing import sign

ENDS: Final = SECONDS + 5.0  # seconds that must be left to begin with an attempt, and to note what became of it
_PARKED: Final = "Parked"
_decode: Final = msgspec.json.Decoder(Webhook).decode


class StatesPort(Protocol):
    """How endpoints are doing: `states.EndpointStates`."""

    def get(self, name: str, url: str) -> EndpointState: ...  # noqa: D102
    def fail(self, name: str, url: str, error: str) -> EndpointState: ...  # noqa: D102
    def disable(self, name: str, url: str, error: str) -> None: ...  # noqa: D102
    def begin_probe(self, name: str, url: str, before: EndpointState) -> bool: ...  # noqa: D102
    def clear(self, name: str) -> None: ...  # noqa: D102


class SenderPorts(Struct, frozen=True, kw_only=True):
    """What sending works with."""

    sqs: FullSQSClient
    queue: str
    parked: str  # URL of the queue where lies what was given up
    endpoints: Callable[[], Mapping[str, Endpoint]]
    states: StatesPort
    deliver: Callable[[str, Mapping[str, str], bytes], Attempt]
    pace: Pace
    processes: int  # that send at the same time, at most: they share the rate of an endpoint
    pool: Executor
    clock: Callable[[], float]  # seconds since 1970
    jitter: Callable[[float], float]  # a number from 0 to that


class SendReport(Struct):
    """What became of a batch."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)  # what comes again, by the id of its message, and why
    parked: dict[str, str] = field(default_factory=dict)


class _Fate(Struct, frozen=True):
    """What became of one webhook: it is done, or comes again in so many seconds, because of `why`."""

    count: str
    wait: float | None = None
    why: str = ""


def send_batch(event: Mapping[str, Any], ports: SenderPorts, seconds_left: Callable[[], float]) -> SendReport:
    """Deliver the records of a batch, groups at once and each group in its order.

    Raises ConfigurationError or StoreUnavailable where nobody knows the endpoints: the whole batch comes again then.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for record in event["Records"]:
        groups.setdefault(record["attributes"].get("MessageGroupId", record["messageId"]), []).append(record)
    endpoints = ports.endpoints()
    report = SendReport()
    work = _Batch(ports, endpoints, seconds_left)
    for fates in ports.pool.map(work.send_group, groups.values()):
        for record, fate in fates:
            report.counts[fate.count] += 1
            if fate.wait is not None:
                report.failed[record["messageId"]] = fate.why
            elif fate.count == _PARKED:
                report.parked[record["messageId"]] = fate.why
    return report


class _Batch:
    """One batch, and what it was told: endpoints, and the time that there is."""

    def __init__(
        self, ports: SenderPorts, endpoints: Mapping[str, Endpoint], seconds_left: Callable[[], float]
    ) -> None:
        self._ports, self._endpoints, self._seconds_left = ports, endpoints, seconds_left

    def send_group(self, records: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], _Fate]]:
        """Deliver records one after the other, up to the first that comes again: the others wait behind it."""
        fates: list[tuple[Mapping[str, Any], _Fate]] = []
        waits = False
        for record in records:
            fate = _Fate("Behind", 0.0, "it waits behind another") if waits else self._send(record)
            if fate.wait is not None:
                waits = True
                fate = self._hide(record, fate)
            fates.append((record, fate))
        return fates

    def _send(self, record: Mapping[str, Any]) -> _Fate:
        try:
            webhook = _decode(record["body"])
            endpoint = self._endpoints.get(webhook.endpoint)
            if endpoint is None:
                return self._park(record, "there is no such endpoint any more")
            return self._send_to(endpoint, webhook, record)
        except DECODE_ERRORS:
            return self._park(record, "it is no webhook")
        except ServiceError as trouble:
            return _Fate("Failed", 30.0, str(trouble))

    def _send_to(self, endpoint: Endpoint, webhook: Webhook, record: Mapping[str, Any]) -> _Fate:
        ports, name = self._ports, webhook.endpoint
        state = ports.states.get(name, endpoint.url)
        if state.disabled:
            return self._park(record, f"the endpoint wants nothing any more: {state.last_error}")
        now = ports.clock()
        if is_open(state, now) or (
            state.failures >= FAILURES and not ports.states.begin_probe(name, endpoint.url, state)
        ):
            return self._leave_alone(record, state, now)
        turn = ports.pace.wait(name, endpoint.per_second / ports.processes, self._seconds_left() - ENDS)
        if turn > 0 or self._seconds_left() < ENDS:
            return _Fate("Later", turn, "it is not its turn")
        body = webhook.body.encode()
        headers = {
            **endpoint.headers,
            "content-type": "application/json",
            **sign(endpoint.keys, webhook.id, int(ports.clock()), body),
        }
        return self._note(endpoint, webhook, record, state, ports.deliver(endpoint.url, headers, body))

    def _note(
        self, endpoint: Endpoint, webhook: Webhook, record: Mapping[str, Any], state: EndpointState, attempt: Attempt
    ) -> _Fate:
        """Note what became of an attempt."""
        ports, name = self._ports, webhook.endpoint
        if attempt.is_taken:
            ports.pace.speed_up(name)
            if not state.is_clean:
                ports.states.clear(name)
            return _Fate("Delivered")
        if attempt.status == 410:
            ports.states.disable(name, endpoint.url, attempt.summary)
            return self._park(record, f"the endpoint wants nothing any more: {attempt.summary}")
        if attempt.status in SLOW_DOWN:
            ports.pace.slow_down(name)
        ports.states.fail(name, endpoint.url, attempt.summary)
        wait = compute_wait(self._find_age(record), attempt.retry_after)
        if wait is None:
            return self._park(record, f"it was not taken for a day: {attempt.summary}")
        return _Fate("Refused", wait + ports.jitter(wait / 10), attempt.summary)

    def _leave_alone(self, record: Mapping[str, Any], state: EndpointState, now: float) -> _Fate:
        """Have a webhook wait until somebody has tried whether its endpoint is back."""
        why = f"the endpoint is left alone: {state.last_error}"
        if self._find_age(record) >= GIVEN_UP:
            return self._park(record, f"it was not taken for a day: {state.last_error}")
        wait = max(state.open_until - now, 1.0)
        if self._count_hidden() >= CROWDED:
            return self._park(record, f"too many wait: {state.last_error}")
        return _Fate("LeftAlone", wait + self._ports.jitter(30.0), why)

    def _count_hidden(self) -> int:
        name = "ApproximateNumberOfMessagesNotVisible"
        with translate_errors("SQS: GetQueueAttributes"):
            found = self._ports.sqs.get_queue_attributes(QueueUrl=self._ports.queue, AttributeNames=[name])
        return int(found.get("Attributes", {}).get(name, 0))

    def _find_age(self, record: Mapping[str, Any]) -> float:
        """Seconds since it was put into the queue."""
        return self._ports.clock() - int(record["attributes"]["SentTimestamp"]) / 1000

    def _park(self, record: Mapping[str, Any], why: str) -> _Fate:
        """Park a webhook, as it is; raises StoreUnavailable where the queue does not take it."""
        attributes = record["attributes"]
        with translate_errors("SQS: SendMessage"):
            self._ports.sqs.send_message(
                QueueUrl=self._ports.parked,
                MessageBody=record["body"],
                MessageAttributes={"reason": {"DataType": "String", "StringValue": why}},
                MessageGroupId=attributes["MessageGroupId"],
                MessageDeduplicationId=record["messageId"],
            )
        return _Fate(_PARKED, None, why)

    def _hide(self, record: Mapping[str, Any], fate: _Fate) -> _Fate:
        """Hide a message until it is to be tried again; where that fails, it shows again when the queue says."""
        seconds = min(int(fate.wait or 0), int(LONGEST_WAIT))
        try:
            with translate_errors("SQS: ChangeMessageVisibility"):
                self._ports.sqs.change_message_visibility(
                    QueueUrl=self._ports.queue, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds
                )
        except ServiceError as trouble:
            return _Fate(fate.count, fate.wait, f"{fate.why}; {trouble}")
        return fate

"""`aftersend webhooks`: where events go out to, how the endpoints are doing, and what was given up; sends it again."""

from __future__ import annotations

import argparse
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from aftersend.core.errors import DECODE_ERRORS
from aftersend.outgoing.endpoints import Endpoint, read_endpoints
from aftersend.outgoing.outbox import Webhook
from aftersend.outgoing.schedule import EndpointState
from aftersend.outgoing.states import decode_state
from aftersend_cli.asking import confirm
from aftersend_cli.errors import UsageError
from aftersend_cli.output import Output
from aftersend_cli.stack import DeployedStack, make_client

_COUNT: Final = "ApproximateNumberOfMessages"
_HIDDEN: Final = "ApproximateNumberOfMessagesNotVisible"
_SHOWN: Final = 10  # messages that were given up
_WORKED_FOR: Final = 60  # seconds for which what is taken out of the queue is hidden from others


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", nargs="?", choices=("show", "resend", "configure"), default="show")
    parser.add_argument(
        "what", nargs="*", help="resend: names of endpoints, or none for all; configure: a file with the endpoints"
    )


def run(options: argparse.Namespace, stack: DeployedStack, output: Output) -> int:
    """Show endpoints, send to them again, or say which there are."""
    stack.find("Outcomes")
    if "WebhookEndpoints" not in stack.resources:
        raise UsageError(f"{stack.place} sends no webhooks: deploy it with SendWebhooks=true")
    actions = {"show": _show, "resend": _resend, "configure": _configure}
    return actions[options.action](options, stack, output)


def _configure(options: argparse.Namespace, stack: DeployedStack, output: Output) -> int:
    """Write the document, once it makes sense; raises ConfigurationError that names the field."""
    if len(options.what) != 1:
        raise UsageError("configure takes one file")
    try:
        text = Path(options.what[0]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{options.what[0]}: {error}") from None
    endpoints = read_endpoints(text)
    plan = [f"send webhooks to {_describe(name, each)}" for name, each in endpoints.items()]
    confirm(stack.place, plan or ["send no webhooks any more"], yes=options.yes)
    make_client("secretsmanager").put_secret_value(SecretId=stack.find("WebhookEndpoints"), SecretString=text)
    output.show({"endpoints": sorted(endpoints)}, "Functions know of it within five minutes.")
    return 0


def _describe(name: str, endpoint: Endpoint) -> str:
    """What of an endpoint is no secret: of its address the host."""
    events = ", ".join(endpoint.events) or "what is rare"
    return f"{name} at {urlsplit(endpoint.url).hostname}: {events}"


def _show(_options: argparse.Namespace, stack: DeployedStack, output: Output) -> int:
    queues = make_client("sqs")
    states = _read_states(stack)
    endpoints = {
        name: {"sends": _describe(name, each), "state": _describe_state(states.get(name))}
        for name, each in _read_document(stack).items()
    }
    counts = {
        label: _count(queues, stack.find(queue))
        for label, queue in (("wait", "WebhookQueue"), ("were given up", "WebhookDeadLetters"))
    }
    given_up = list(_list_given_up(queues, stack.find("WebhookDeadLetters")))
    if output.as_json:
        output.write_json({"endpoints": endpoints, "queues": counts, "given_up": given_up})
        return 0
    for each in endpoints.values():
        output.write(each["sends"])
        output.write(f"    {each['state']}")
    output.write_counts(counts)
    output.table(("endpoint", "event", "id", "why it was given up"), [tuple(each.values()) for each in given_up])
    return 0


def _count(queues: Any, url: str) -> int:
    found = queues.get_queue_attributes(QueueUrl=url, AttributeNames=[_COUNT, _HIDDEN])["Attributes"]
    return int(found[_COUNT]) + int(found[_HIDDEN])


def _list_given_up(queues: Any, url: str) -> Iterator[dict[str, str]]:
    """Yield the first messages that were given up, without what they hold: of an event its type and id."""
    found = queues.receive_message(
        QueueUrl=url, MaxNumberOfMessages=_SHOWN, VisibilityTimeout=1, MessageAttributeNames=["All"]
    )
    for each in found.get("Messages", ()):
        webhook = _decode(each["Body"])
        reason = each.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "it was received too often")
        yield {
            "endpoint": webhook.endpoint if webhook else "",
            "type": webhook.type if webhook else "",
            "id": webhook.id if webhook else each["MessageId"],
            "reason": reason,
        }


def _describe_state(state: EndpointState | None) -> str:
    if state is None or state.is_clean:
        return "works"
    if state.disabled:
        return f"wants nothing any more ({state.last_error}): resend to it, or give it another address"
    return f"failed {state.failures} times in a row: {state.last_error}"


def _read_document(stack: DeployedStack) -> dict[str, Endpoint]:
    secret = make_client("secretsmanager").get_secret_value(SecretId=stack.find("WebhookEndpoints"))
    return read_endpoints(secret.get("SecretString", ""))


def _read_states(stack: DeployedStack) -> dict[str, EndpointState]:
    pages = make_client("dynamodb").get_paginator("scan").paginate(TableName=stack.find("EndpointStates"))
    return dict(decode_state(item) for page in pages for item in page["Items"])


def _resend(options: argparse.Namespace, stack: DeployedStack, output: Output) -> int:
    known = _read_document(stack)
    if unknown := set(options.what) - known.keys():
        raise UsageError(f"no endpoint {min(unknown)!r}; there are: {', '.join(sorted(known)) or 'none'}")
    chosen = set(options.what) or set(known)
    confirm(stack.place, [f"send again what was given up for {', '.join(sorted(chosen))}"], yes=options.yes)
    table, dynamodb = stack.find("EndpointStates"), make_client("dynamodb")
    for name in chosen:  # whoever is sent to again begins anew, and is no longer one that wants nothing
        dynamodb.delete_item(TableName=table, Key={"endpoint": {"S": name}})
    sent = Counter(resend(make_client("sqs"), stack.find("WebhookDeadLetters"), stack.find("WebhookQueue"), chosen))
    counts = {name: sent[name] for name in sorted(chosen)}
    output.write_json({"sent": counts}) if output.as_json else output.write_counts(counts)
    return 0


def resend(queues: Any, parked: str, queue: str, endpoints: set[str]) -> Iterator[str]:
    """Move what was given up for these endpoints back to the queue, and yield the endpoint of each.

    It is in the queue before it leaves the other: whoever is stopped between the two sends one twice, and loses none.
    """
    while found := _receive(queues, parked):
        for each in found:
            webhook = _decode(each["Body"])
            if webhook is None or webhook.endpoint not in endpoints:
                continue
            queues.send_message(
                QueueUrl=queue,
                MessageBody=each["Body"],
                MessageGroupId=each["Attributes"]["MessageGroupId"],
                MessageDeduplicationId=secrets.token_hex(16),  # or the queue would take it for a repeat
            )
            queues.delete_message(QueueUrl=parked, ReceiptHandle=each["ReceiptHandle"])
            yield webhook.endpoint


def _receive(queues: Any, parked: str) -> list[Mapping[str, Any]]:
    found = queues.receive_message(
        QueueUrl=parked,
        MaxNumberOfMessages=10,
        VisibilityTimeout=_WORKED_FOR,
        AttributeNames=["MessageGroupId"],
    )
    return list(found.get("Messages", ()))


def _decode(body: str) -> Webhook | None:
    try:
        return msgspec.json.decode(body, type=Webhook)
    except DECODE_ERRORS:
        return None

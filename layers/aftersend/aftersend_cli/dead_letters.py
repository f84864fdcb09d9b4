"""`aftersend dead-letters`: what lies in the queues of a stack that nobody works, why, and the way back."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from aftersend_cli.asking import confirm
from aftersend_cli.errors import UsageError
from aftersend_cli.output import clean
from aftersend_cli.stack import DeployedStack, make_client

QUEUE: Final = "AWS::SQS::Queue"
COUNT: Final = "ApproximateNumberOfMessages"
_MARKS: Final = ("DeadLetters", "UnreadableBodies")  # in the logical ids of queues that nobody works
_LOOKED_AT: Final = 10  # messages of a queue
_SEEN_FOR: Final = 30  # seconds for which what was looked at is hidden from others


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--look", action="store_true", help="show the sources and reasons of the first messages, too")
    parser.add_argument("--redrive", metavar="QUEUE", help="send what lies in it back to the queue that it came from")


def run(options: argparse.Namespace, stack: DeployedStack) -> int:
    """Show them, or send one back."""
    queues = find_idle_queues(stack)
    client = make_client("sqs")
    if options.redrive:
        return _redrive(options, stack, queues, client)
    for name, url in sorted(queues.items()):
        count = client.get_queue_attributes(QueueUrl=url, AttributeNames=[COUNT])["Attributes"][COUNT]
        sys.stdout.write(f"{count:>6}  {name}\n")
        if options.look and count != "0":
            _show_messages(client, url)
    return 0


def find_idle_queues(stack: DeployedStack) -> dict[str, str]:
    """Return the addresses of the queues that nobody works, by their logical ids; raises UsageError for none."""
    found = {name: url for name, url in stack.find_all(QUEUE).items() if any(mark in name for mark in _MARKS)}
    if not found:
        raise UsageError(f"{stack.place} has no dead-letter queues: is it one of Aftersend?")
    return found


def _show_messages(client: Any, url: str) -> None:
    """Show sources and reasons. Nothing of a body: it may hold addresses."""
    found = client.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=_LOOKED_AT,
        VisibilityTimeout=_SEEN_FOR,
        MessageAttributeNames=["All"],
    )
    for each in found.get("Messages", ()):
        attributes = {name: value.get("StringValue", "") for name, value in each.get("MessageAttributes", {}).items()}
        source, reason = attributes.get("source", "-"), attributes.get("reason", "it failed too often")
        sys.stdout.write(f"        {each['MessageId']}  {clean(source)}  {clean(reason)}\n")


def _redrive(options: argparse.Namespace, stack: DeployedStack, queues: dict[str, str], client: Any) -> int:
    if options.redrive not in queues:
        raise UsageError(f"{stack.place} has no dead-letter queue {options.redrive!r}: {', '.join(sorted(queues))}")
    attributes = client.get_queue_attributes(QueueUrl=queues[options.redrive], AttributeNames=["All"])["Attributes"]
    plan = f"send {attributes[COUNT]} messages of {options.redrive} back to where they came from"
    confirm(stack.place, [plan], yes=options.yes)
    client.start_message_move_task(SourceArn=attributes["QueueArn"])
    sys.stdout.write("They are on their way back.\n")
    return 0

"""`aftersend dead-letters`: what lies in the queues of a stack that nobody works, why, and the way back.

By the stack's name it looks into the queues itself, with the rights of whoever asks; by an API's address it asks that.
"""

from __future__ import annotations

import argparse
from types import SimpleNamespace
from typing import Any, Final

from aftersend_cli.asking import confirm
from aftersend_cli.endpoint import Endpoint, encode
from aftersend_cli.errors import UsageError
from aftersend_cli.output import Output
from aftersend_cli.stack import DeployedStack, make_client

QUEUE: Final = "AWS::SQS::Queue"
COUNT: Final = "ApproximateNumberOfMessages"
_MARKS: Final = ("DeadLetters", "UnreadableBodies")  # in the logical ids of queues that nobody works
_LOOKED_AT: Final = 10  # messages of a queue
_TOO_OFTEN: Final = "it failed too often"
_SEEN_FOR: Final = 30  # seconds for which what was looked at is hidden from others


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--look", action="store_true", help="show the sources and reasons of the first messages, too")
    parser.add_argument("--redrive", metavar="QUEUE", help="send what lies in it back to the queue that it came from")


def _run_by_stack(options: argparse.Namespace, stack: DeployedStack, output: Output) -> int:
    queues = find_idle_queues(stack)
    client = make_client("sqs")
    if options.redrive:
        return _redrive(options, stack, queues, client, output)
    for name, url in sorted(queues.items()):
        count = int(client.get_queue_attributes(QueueUrl=url, AttributeNames=[COUNT])["Attributes"][COUNT])
        shown = _look(client, url) if options.look and count else []
        _show_queue({"name": name, "messages": count}, shown, output)
    return 0


def _run_by_api(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    if options.redrive:
        return _redrive_by_api(options, api, output)
    for each in api.ask("GET", "/dead-letters").json()["queues"]:
        found = (
            api.ask("GET", f"/dead-letters/{encode(each['name'])}").json() if options.look and each["messages"] else {}
        )
        _show_queue(each, found.get("shown", []), output)
    return 0


def _show_queue(queue: dict[str, Any], shown: list[dict[str, Any]], output: Output) -> None:
    if output.as_json:
        output.write_json(queue | ({"shown": shown} if shown else {}))
        return
    output.write(f"{queue['messages']:>6}  {queue['name']}")
    for each in shown:  # nothing of a body: it may hold addresses; --json has how it begins
        output.write(f"        {each['id']}  {each.get('source', '-')}  {each.get('reason', _TOO_OFTEN)}")


def _redrive_by_api(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    path = f"/dead-letters/{encode(options.redrive)}"
    queue = next(
        (each for each in api.ask("GET", "/dead-letters").json()["queues"] if each["name"] == options.redrive), None
    )
    if queue is None:
        raise UsageError(f"there is no queue {options.redrive!r} that nobody works")
    plan = f"send {queue['messages']} messages of {options.redrive} back to {queue.get('goes_back_to', 'work')}"
    confirm(api.url, [plan], yes=options.yes)
    moved = 0
    while True:  # a thousand at a time
        done = api.ask("POST", f"{path}/redrive", body={"messages": "all"}).json()
        moved += done["moved"]
        if not done["left"] or not done["moved"]:
            break
    said = f"{moved} are back in {done['goes_back_to']}, about {done['left']} are left."
    output.show(done | {"moved": moved}, said)
    return 0


def find_idle_queues(stack: DeployedStack) -> dict[str, str]:
    """Return the addresses of the queues that nobody works, by their logical ids; raises UsageError for none."""
    found = {name: url for name, url in stack.find_all(QUEUE).items() if any(mark in name for mark in _MARKS)}
    if not found:
        raise UsageError(f"{stack.place} has no dead-letter queues: is it one of Aftersend?")
    return found


def _look(client: Any, url: str) -> list[dict[str, Any]]:
    """Return the first messages, without their bodies."""
    found = client.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=_LOOKED_AT,
        VisibilityTimeout=_SEEN_FOR,
        MessageAttributeNames=["All"],
    )
    shown = []
    for each in found.get("Messages", ()):
        attributes = {name: value.get("StringValue", "") for name, value in each.get("MessageAttributes", {}).items()}
        named = {name: attributes[name] for name in ("source", "reason") if name in attributes}
        shown.append({"id": each["MessageId"], **named})
    return shown


def _redrive(
    options: argparse.Namespace, stack: DeployedStack, queues: dict[str, str], client: Any, output: Output
) -> int:
    if options.redrive not in queues:
        raise UsageError(f"{stack.place} has no dead-letter queue {options.redrive!r}: {', '.join(sorted(queues))}")
    attributes = client.get_queue_attributes(QueueUrl=queues[options.redrive], AttributeNames=["All"])["Attributes"]
    plan = f"send {attributes[COUNT]} messages of {options.redrive} back to where they came from"
    confirm(stack.place, [plan], yes=options.yes)
    client.start_message_move_task(SourceArn=attributes["QueueArn"])
    output.show({"queue": options.redrive, "messages": int(attributes[COUNT])}, "They are on their way back.")
    return 0


by_stack: Final = SimpleNamespace(arguments=arguments, run=_run_by_stack)
by_api: Final = SimpleNamespace(arguments=arguments, run=_run_by_api)

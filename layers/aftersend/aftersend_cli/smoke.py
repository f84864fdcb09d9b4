"""`aftersend smoke`: proves a deployed stack, by one bounce that goes the whole way.

A bounce is published to the stack's topic, or with `--from` a mail is sent to the mailbox simulator of Amazon SES,
which bounces it. Then the outcome and the suppression are waited for, shown and deleted. What does not come about is
looked for on the way, from its beginning, and what is there instead is named.

Source: Amazon SES developer guide, "Using the mailbox simulator": labels are allowed, bounces do not count for the
account's rate, and the address gets on no suppression list of SES.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from msgspec import Struct

from aftersend.aws import connect
from aftersend.core.active_causes import describe_active_causes
from aftersend.core.model import Key, Outcome, Suppression
from aftersend.core.times import format_time
from aftersend.sources import read
from aftersend.storage.deletions import Deletions
from aftersend.storage.store import Store
from aftersend_cli.asking import confirm
from aftersend_cli.errors import CommandError
from aftersend_cli.output import Output
from aftersend_cli.stack import DeployedStack, make_client

_T = TypeVar("_T")

TOPIC: Final = "SesBouncesTopic"
QUEUE: Final = "SesBouncesQueue"
FUNCTION: Final = "ProcessSes"
_QUEUES: Final = "AWS::SQS::Queue"
_LOGS: Final = "AWS::Logs::LogGroup"
_OURS: Final = "Ses"  # how the names of everything begin that feedback of SES goes through
_EVERYWHERE: Final = "*"
_PAUSE: Final = 0.5  # seconds between two looks
_AGAIN: Final = 3.0  # seconds in which what was deleted might be written once more, by a copy of the message


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "--from", dest="sender", metavar="ADDRESS", help="send from this verified address through Amazon SES"
    )
    parser.add_argument("--configuration-set", metavar="NAME", help="to send with; else the one that the stack made")
    parser.add_argument(
        "--wait", type=_read_seconds, default=120.0, metavar="SECONDS", help="for each step, at most (default 120)"
    )


def _read_seconds(text: str) -> float:
    if not text.isdecimal() or not 1 <= int(text) <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to 3600")
    return float(text)


class Probe(Struct, frozen=True):
    """One bounce: where it goes in, and under which key it must be found."""

    key: Key
    way: str
    started: float  # on the monotonic clock


def run(options: argparse.Namespace, stack: DeployedStack, output: Output) -> int:
    """Send, wait, show and clean up; raises CommandError that says where to look for what has not come."""
    label = f"aftersend-smoke-{secrets.token_hex(4)}"
    configuration = options.configuration_set or stack.outputs.get("SesConfigurationSetName", "")
    with_set = f" with the configuration set {configuration}" if configuration else ", with no configuration set"
    act = (
        f"send a mail from {options.sender} to the simulator of Amazon SES{with_set}"
        if options.sender
        else f"publish a bounce to {stack.find(TOPIC)}"
    )
    plan = [act, "wait for its outcome and its suppression", "delete both; the archive keeps the body for its days"]
    confirm(stack.place, plan, yes=options.yes)
    tables = stack.tables()
    client: Any = connect("dynamodb")
    watch = _Watch(Store(client, tables), options.wait, output)
    if options.sender:
        probe = send_mail(options.sender, label, configuration, output)
    else:
        check_subscription(stack)
        probe = publish(stack, label, output)
    try:
        return watch.follow(probe, stack)
    finally:
        clean_up(probe, watch.store, Deletions(client, tables), output)


# ---- In ----------------------------------------------------------------------------------------------------------


def publish(stack: DeployedStack, label: str, output: Output) -> Probe:
    """Publish a bounce that names somebody whom there is not; raises CommandError where the topic refuses."""
    recipient, message = f"{label}@example.com", f"{label}-{secrets.token_hex(8)}"
    body = make_bounce(recipient, message, datetime.now(UTC))
    client, started = make_client("sns"), time.monotonic()
    try:
        client.publish(TopicArn=stack.find(TOPIC), Message=body)
    except client.exceptions.ClientError as error:
        raise CommandError(f"{stack.find(TOPIC)} takes nothing from you: {_code(error)}") from None
    _tell(output, "published", started, f"to {TOPIC}, message {message}")
    return Probe(_find_key(body), TOPIC, started)


def send_mail(sender: str, label: str, configuration: str, output: Output) -> Probe:
    """Send a mail that will bounce; raises CommandError where SES refuses it."""
    recipient = f"bounce+{label}@simulator.amazonses.com"
    text = {"Data": "A test of aftersend smoke; nobody reads it."}
    client, started = make_client("sesv2"), time.monotonic()
    try:
        sent = client.send_email(
            FromEmailAddress=sender,
            Destination={"ToAddresses": [recipient]},
            Content={"Simple": {"Subject": {"Data": label}, "Body": {"Text": text}}},
            **({"ConfigurationSetName": configuration} if configuration else {}),
        )
    except client.exceptions.ClientError as error:
        why = error.response["Error"].get("Message", "")
        raise CommandError(f"Amazon SES does not send from {sender}: {_code(error)}: {why}") from None
    message = str(sent["MessageId"])
    _tell(output, "sent", started, f"to the simulator, message {message}")
    return Probe(_find_key(make_bounce(recipient, message, datetime.now(UTC))), "Amazon SES", started)


def make_bounce(recipient: str, message: str, at: datetime) -> str:
    """Return a bounce as Amazon SES publishes it (developer guide, "Examples of event data")."""
    evidence = {
        "emailAddress": recipient,
        "action": "failed",
        "status": "5.1.1",
        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
    }
    bounce = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [evidence]}
    mail = {"messageId": message, "timestamp": format_time(at), "destination": [recipient]}
    return json.dumps({"eventType": "Bounce", "bounce": bounce | {"timestamp": format_time(at)}, "mail": mail})


def _find_key(body: str) -> Key:
    (fact,) = read("ses", body.encode())
    return fact.key


def check_subscription(stack: DeployedStack) -> None:
    """Raise CommandError where what is published to the topic goes to no queue of the stack."""
    topic, queue = stack.find(TOPIC), stack.find(QUEUE)
    found = make_client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    wanted = found["Attributes"]["QueueArn"]
    pages = make_client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    if wanted not in {each["Endpoint"] for page in pages for each in page["Subscriptions"]}:
        raise CommandError(f"the topic {topic} is not subscribed by the queue {wanted}: deploy the stack again")


# ---- Through -----------------------------------------------------------------------------------------------------


class _Watch:
    """Waits for what a probe leads to."""

    def __init__(self, store: Store, seconds: float, output: Output) -> None:
        self.store, self._seconds, self._output = store, seconds, output

    def follow(self, probe: Probe, stack: DeployedStack) -> int:
        """Show outcome and suppression as they come; raises CommandError where one does not."""
        outcome = self._wait(lambda: self.store.get_outcomes([probe.key]).get(probe.key))
        if outcome is None:
            raise CommandError(f"no outcome after {self._seconds:.0f} s. {' '.join(look(probe, stack))}")
        _tell(self._output, "outcome", probe.started, describe(outcome))
        key = (probe.key[0], _EVERYWHERE)
        held = self._wait(lambda: _holding(self.store.get_suppressions([key]).get(key)))
        if held is None:
            raise CommandError(
                f"no suppression after {self._seconds:.0f} s, although the outcome is there. Look at the policy of the "
                f"stack (does a hard bounce suppress?), at GET /incidents of its API, and into {_name_logs(stack)}."
            )
        _tell(self._output, "suppression", probe.started, ", ".join(_describe_causes(held)))
        return 0

    def _wait(self, ask: Callable[[], _T | None]) -> _T | None:
        end = time.monotonic() + self._seconds
        while (found := ask()) is None and time.monotonic() < end:
            time.sleep(_PAUSE)
        return found


def describe(outcome: Outcome) -> str:
    """Return what became of a message, and why."""
    verdict = outcome.verdict
    return outcome.status + (f": {verdict.klass}, {verdict.reason}, by the rule {verdict.rule}" if verdict else "")


def _holding(found: Suppression | None) -> Suppression | None:
    return found if found is not None and describe_active_causes(found, datetime.now(UTC)) else None


def _describe_causes(held: Suppression) -> Iterator[str]:
    for each in describe_active_causes(held, datetime.now(UTC)):
        yield f"{each.cause} {f'until {format_time(each.until)}' if each.until else 'without end'}"


# ---- Where it was lost -------------------------------------------------------------------------------------------


def look(probe: Probe, stack: DeployedStack) -> Iterator[str]:
    """Yield what is to be seen on the way, and where to look next."""
    waiting = list(_list_messages(stack))
    yield from waiting
    if probe.way != TOPIC:
        yield (
            "Does SES publish bounces of this identity? `aws sesv2 get-configuration-set-event-destinations "
            "--configuration-set-name …` lists where to; the default of the identity counts, else --configuration-set."
        )
    elif not waiting:
        yield "All its queues are empty, so the function took the message and stored nothing."
    yield f"Look into {_name_logs(stack)}."


def _list_messages(stack: DeployedStack) -> Iterator[str]:
    """Yield what lies in each queue on the way; numbers of SQS are approximate, and other feedback counts too."""
    sqs = make_client("sqs")
    queues = stack.find_all(_QUEUES, _OURS) | stack.find_all(_QUEUES, "UnreadableBodies")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    for name, url in queues.items():
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        waiting, taken = (int(attributes.get(each, 0)) for each in names)
        if waiting or taken:
            yield f"{name} ({url}) holds {waiting} that wait and {taken} that a function has taken or has failed on."


def _name_logs(stack: DeployedStack) -> str:
    group = stack.find_all(_LOGS, FUNCTION).get(f"{FUNCTION}Logs")
    return f"the log of {FUNCTION}" + (f": aws logs tail {group} --since 10m" if group else "")


# ---- Out ---------------------------------------------------------------------------------------------------------


def clean_up(probe: Probe, store: Store, deletions: Deletions, output: Output) -> None:
    """Delete what the probe has made; a copy of its message that comes while this runs is looked after, too."""
    started, key = time.monotonic(), (probe.key[0], _EVERYWHERE)
    while True:
        deletions.delete_outcome(probe.key)
        held = store.get_suppressions([key]).get(key)
        if held is None:
            break
        deletions.delete_suppression(held)
        if time.monotonic() > started + _AGAIN:
            break
    _tell(output, "cleaned up", started, f"outcome and suppression of {probe.key[0]}")


def _tell(output: Output, step: str, started: float, what: str) -> None:
    """Write a step as it is done, with the seconds since the bounce went out."""
    taken = round(time.monotonic() - started, 1)
    output.show({"step": step, "seconds": taken, "what": what}, f"{step:12}{taken:6.1f} s  {what}")
    sys.stdout.flush()


def _code(error: Any) -> str:
    return str(error.response["Error"]["Code"])

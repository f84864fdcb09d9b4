"""`aftersend rabbitmq`: feeds from the result queues of any RabbitMQ, for those whose broker is not Amazon MQ.

Batches go to the queue FeedbackQueue of a stack, or are worked in this process as the function `consume` does, with the
settings of a deployed stack in its variables. Credentials are never shown.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Mapping, Sequence

from aftersend.aws import connect
from aftersend.core.errors import ConfigurationError
from aftersend.settings import QUEUE_KIND_NAMES
from aftersend.storage.queue import QueueSender
from aftersend_cli import sinks
from aftersend_cli.amqp import Consumer, parameters
from aftersend_cli.asking import confirm
from aftersend_cli.errors import UsageError
from aftersend_cli.stack import find_stack

URL_VARIABLE = "RABBITMQ_URL"


def run(options: argparse.Namespace) -> int:
    """Consume until a signal says stop; raises UsageError where the arguments do not say well enough how."""
    try:
        broker = parameters(options.url or os.environ.get(URL_VARIABLE, ""))
        kinds = parse_queues(options.queue)
        to = find_stack(options.stack).find("FeedbackQueue") if options.stack else options.to
        sink = sinks.to_queue(QueueSender(connect("sqs"), to), kinds) if to else None
        sink = sink or _make_handler_sink(kinds, broker.virtual_host)
    except (ValueError, ConfigurationError) as error:
        raise UsageError(str(error)) from None
    plan = [f"take all that lies in {queue} of {broker.host}, as {kind}" for queue, kind in kinds.items()]
    confirm(f"to {to}" if to else "into the tables that the variables name", plan, yes=options.yes)
    consumer = Consumer(broker, list(kinds), sink, prefetch=options.prefetch, parking=options.parking if to else "")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, consumer.stop)
    consumer.run()
    return 0


def _make_handler_sink(kinds: Mapping[str, str], virtual_host: str) -> sinks.Sink:
    """Return the function `consume` as a sink, with its variable of queues set as the template sets it."""
    os.environ["MAILERQ_QUEUES"] = ",".join(f"{queue}={kind}" for queue, kind in kinds.items())
    return sinks.to_handler(sinks.handler(), virtual_host)


def parse_queues(pairs: Sequence[str]) -> dict[str, str]:
    """Parse arguments "kind=queue" into queue -> kind of what lies in it; raises ValueError for what is none."""
    found = {}
    for pair in pairs:
        kind, _, queue = pair.partition("=")
        if kind not in QUEUE_KIND_NAMES or not queue or "," in queue:
            raise ValueError(f"{pair!r} is not kind=queue, the kind one of {', '.join(sorted(QUEUE_KIND_NAMES))}")
        found[queue] = QUEUE_KIND_NAMES[kind]
    return found

"""`aftersend rabbitmq`: feeds from the result queues of any RabbitMQ, for those whose broker is not Amazon MQ.

Batches go to the queue FeedbackQueue of a stack, or are worked in this process as the function `consume` does, with the
settings of a deployed stack in its variables. Credentials are never shown. The client of RabbitMQ is imported once it
is needed: the small package lacks it, and explains the command all the same.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aftersend.aws import connect
from aftersend.core.errors import ConfigurationError
from aftersend.settings import QUEUE_KIND_NAMES
from aftersend.storage.queue import QueueSender
from aftersend_cli.asking import confirm
from aftersend_cli.errors import UsageError
from aftersend_cli.output import Output
from aftersend_cli.stack import find_stack

if TYPE_CHECKING:
    from aftersend_cli.sinks import Sink

URL_VARIABLE = "RABBITMQ_URL"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--url", help="amqps://user:password@host/vhost; else the variable RABBITMQ_URL")
    parser.add_argument(
        "--queue", action="append", required=True, metavar="WORD=NAME", help="results=completed_deliveries; repeatable"
    )
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--stack", metavar="NAME", help="hand bodies on to the feedback queue of this stack")
    way.add_argument("--to", metavar="URL", help="the same, by its address, for who may not ask CloudFormation")
    way.add_argument("--handler", action="store_true", help="work them in this process, as its variables say")
    parser.add_argument(
        "--prefetch", type=_read_prefetch, default=100, metavar="N", help="messages of a queue at once (default 100)"
    )
    parser.add_argument(
        "--parking", default="aftersend-parked", metavar="NAME", help="queue for bodies that SQS will not take"
    )


def _read_prefetch(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:  # AMQP 0-9-1, basic.qos: a short, 0 for no bound
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 65535")
    return int(text)


def run(options: argparse.Namespace, output: Output) -> int:
    """Consume until a signal says stop; raises UsageError where the arguments do not say well enough how."""
    from aftersend_cli import sinks  # noqa: PLC0415
    from aftersend_cli.amqp import Consumer, parameters  # noqa: PLC0415

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
    output.show({"messages": consumer.run()})
    return 0


def _make_handler_sink(kinds: Mapping[str, str], virtual_host: str) -> Sink:
    """Return the function `consume` as a sink, with its variable of queues set as the template sets it."""
    from aftersend_cli import sinks  # noqa: PLC0415

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

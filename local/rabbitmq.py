"""`python -m local rabbitmq`: feeds from the result queues of any RabbitMQ, for those whose broker is not Amazon MQ.

Batches go to the function `consume` in this process, which has the settings of a deployed stack in its variables, or to
the queue of MailerQ that the stack has in SQS. Credentials are never shown.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence

from botocore.exceptions import BotoCoreError

from aftersend.aws import connect
from aftersend.core.errors import ConfigurationError
from aftersend.settings import QUEUE_KINDS
from aftersend.storage.queue import QueueSender
from local import sinks
from local.amqp import Consumer, parameters, say

URL_VARIABLE = "RABBITMQ_URL"


def serve(*, url: str | None, pairs: Sequence[str], to: str | None, prefetch: int, parking: str) -> int:
    """Consume until a signal says stop; 1 where the arguments do not say well enough how."""
    try:
        broker, kinds = parameters(url or os.environ.get(URL_VARIABLE, "")), parse_queues(pairs)
        if to:
            sink = sinks.to_queue(QueueSender(connect("sqs"), to), kinds)
        else:
            sink = _make_handler_sink(kinds, broker.virtual_host)
    except (ValueError, ConfigurationError, BotoCoreError) as error:
        say(str(error))
        return 1
    consumer = Consumer(broker, list(kinds), sink, prefetch=prefetch, parking=parking if to else "")
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
        if kind not in QUEUE_KINDS or not queue or "," in queue:
            raise ValueError(f"{pair!r} is not kind=queue, the kind one of {', '.join(sorted(QUEUE_KINDS))}")
        found[queue] = kind
    return found

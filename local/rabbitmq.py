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
from aftersend.settings import QUEUE_WORDS
from aftersend.storage.queue import QueueSender
from local import sinks
from local.amqp import Consumer, parameters, say

URL_VARIABLE = "RABBITMQ_URL"


def serve(*, url: str | None, pairs: Sequence[str], to: str | None, prefetch: int, parking: str) -> int:
    """Consume until a signal says stop; 1 where it was not told well enough how."""
    try:
        broker, named = parameters(url or os.environ.get(URL_VARIABLE, "")), words(pairs)
        sink = sinks.to_queue(QueueSender(connect("sqs"), to), named) if to else _here(named, broker.virtual_host)
    except (ValueError, ConfigurationError, BotoCoreError) as error:
        say(str(error))
        return 1
    consumer = Consumer(broker, list(named), sink, prefetch=prefetch, parking=parking if to else "")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, consumer.stop)
    consumer.run()
    return 0


def _here(named: Mapping[str, str], virtual_host: str) -> sinks.Sink:
    """The function `consume`, told of the queues in the way in which the template tells it."""
    os.environ["MAILERQ_QUEUES"] = ",".join(f"{queue}={word}" for queue, word in named.items())
    return sinks.to_handler(sinks.handler(), virtual_host)


def words(pairs: Sequence[str]) -> dict[str, str]:
    """Queue -> the word for what lies in it, of arguments "word=queue"; raises ValueError for what is none."""
    found = {}
    for pair in pairs:
        word, _, queue = pair.partition("=")
        if word not in QUEUE_WORDS or not queue or "," in queue:
            raise ValueError(f"{pair!r} is not word=queue, the word one of {', '.join(sorted(QUEUE_WORDS))}")
        found[queue] = word
    return found

"""The arguments of `aftersend rabbitmq`, which are explained without the client of RabbitMQ, too."""

from __future__ import annotations

import argparse


def declare(parser: argparse.ArgumentParser) -> None:
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

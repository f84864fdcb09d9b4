"""Puts the pieces together that a function works a batch with: clients in, `Ports` out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aftersend import classify
from aftersend.ports import Ports
from aftersend.settings import IngestSettings
from aftersend.sources import parser
from aftersend.storage import user_rules
from aftersend.storage.archive import Archive
from aftersend.storage.dead_letters import DeadLetters
from aftersend.storage.inbound_mail import InboundMail
from aftersend.storage.spike_windows import SpikeWindows
from aftersend.storage.store import Store, Tables
from aftersend.storage.unmatched import UnmatchedTexts
from aftersend.verp import Verp

Connect = Callable[[str], Any]  # the name of a service to a client of it: `aftersend.aws.connect`


def ports(config: IngestSettings, connect: Connect) -> Ports:
    """Everything that `ingest` needs; raises ConfigurationError where the user's rules are wrong or cannot be read."""
    parser(config.source)  # imported now, at start, where it costs no message any time
    dynamodb, s3 = connect("dynamodb"), connect("s3")
    tables = Tables(outcomes=config.outcomes_table, suppressions=config.suppressions_table, retention=config.retention)
    return Ports(
        source=config.source,
        store=Store(dynamodb, tables),
        archive=Archive(s3, config.archive_bucket),
        dead_letters=DeadLetters(partial(connect, "sqs"), config.dead_letter_queue),
        policy=config.policy,
        classify=classify.load(user_rules.read_user_rules(config.rules_parameter, connect)),
        pool=ThreadPoolExecutor(config.workers),
        clock=lambda: datetime.now(UTC),
        watch=SpikeWindows(dynamodb, config.traffic_table, config.policy.guard),
        unqualified=UnmatchedTexts(dynamodb, config.unqualified_table, config.retention),
        unpack=InboundMail(s3, config.inbound_bucket).open if config.inbound_bucket else None,
        vouch=Verp(config.verp_keys, config.verp_template).vouches if config.verp_template else None,
    )

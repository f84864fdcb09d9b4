"""`aftersend delist`: takes who was released here off the lists of the provider who had reported them.

What was done goes into the history of each suppression. It can be run as often as anybody likes, from a schedule too.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from aftersend.aws import connect
from aftersend.aws.calls import translate_errors
from aftersend.core.errors import ConfigurationError, ServiceError, Unreadable
from aftersend.core.model import Decision, Key, Suppression
from aftersend.core.policy import Policy
from aftersend.core.steps import run_steps
from aftersend.core.writes import SuppressionUpdate, update_suppression
from aftersend.http.transport import Limits, Transport
from aftersend.jobs.delist import Delisting, describe, find_lists, read_key
from aftersend.ports import StorePort
from aftersend.sources import SOURCES
from aftersend.sources.provider_lists import ProviderList, ProviderLists
from aftersend.storage.items import decode_suppression
from aftersend.storage.store import Store
from aftersend_cli.asking import confirm
from aftersend_cli.errors import UsageError
from aftersend_cli.output import Output
from aftersend_cli.scanning import scan_table, write_counts
from aftersend_cli.stack import DeployedStack

_LIMITS = Limits(body=1 << 20)
_Found = tuple[Suppression, tuple[ProviderList, ...]]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--provider", metavar="SOURCE", required=True, help="the source whose provider keeps the lists")
    parser.add_argument(
        "--key-secret",
        metavar="SECRET",
        help='name or ARN of the secret that holds {"key": …}, and where needed "host" and "places"',
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say how many would be taken off which list, and change nothing"
    )


def run(options: argparse.Namespace, stack: DeployedStack, output: Output) -> int:
    """Do it and say what became of it; 1 where something does not answer or cannot be read: it can be run again."""
    table = stack.find("Suppressions")
    provider = find_provider(options.provider)
    unreadable: list[Unreadable] = []
    dynamodb: Any = connect("dynamodb")
    found = _find_all(scan_table(dynamodb, table, decode_suppression, unreadable), options.provider, provider)
    if options.dry_run:
        counts = Counter(f"{each.name}: would be taken off" for _, lists in found for each in lists)
        write_counts(counts, unreadable, output, dry_run=True)
        return 1 if unreadable else 0
    if not options.key_secret:
        raise UsageError("--key-secret names the secret with the key of the provider's API")
    plan = [
        f"take who was released in {table} off the lists of {options.provider}, with the key in {options.key_secret}",
        f"write into the history of each in {table} what became of it",
    ]
    confirm(stack.place, plan, yes=options.yes)
    key = read_key(_read_secret(options.key_secret), provider)
    policy = stack.read_policy()
    store = Store(dynamodb, stack.tables(policy.identifiers.find_by))
    counts, failed = Counter(), False
    try:
        with Transport(f"https://{key.host}", _LIMITS) as transport:
            delisting = Delisting(provider, key, transport)
            _take_all_off(found, options.provider, delisting, store, policy, counts)
    except (ServiceError, ConfigurationError) as error:
        sys.stderr.write(f"{error}\n")
        failed = True
    write_counts(counts, unreadable, output, dry_run=False)
    return 1 if failed or unreadable else 0


def find_provider(name: str) -> ProviderLists:
    """Return the lists of the provider of a source; raises UsageError where it has none that are known."""
    known = {source: row.lists for source, row in SOURCES.items() if row.lists is not None}
    if name not in known:
        raise UsageError(f"{name[:40]!r} has no lists that are known; there are {', '.join(sorted(known)) or 'none'}")
    return known[name]


def _find_all(rows: Iterator[Suppression], name: str, provider: ProviderLists) -> Iterator[_Found]:
    for row in rows:
        if lists := find_lists(row, name, provider):
            yield row, lists


def _take_all_off(
    found: Iterator[_Found],
    name: str,
    delisting: Delisting,
    store: StorePort,
    policy: Policy,
    counts: Counter[str],
) -> None:
    for row, lists in found:
        results = delisting.take_off(row.recipient.partition(":")[2], lists)
        counts.update(f"{each}: {became}" for each, became in results.items())
        write_down(describe(row, results, name, datetime.now(UTC)), row.key, store, policy)


def write_down(decision: Decision, key: Key, store: StorePort, policy: Policy) -> None:
    """Write into the history of a suppression what was done, unless it is gone by now; raises ServiceError."""
    stored = store.get_suppressions([key]).get(key)
    if stored is not None:
        update = SuppressionUpdate(key, decisions=(decision,), look=False)
        run_steps(update_suppression(update, stored, policy), store.answer)


def _read_secret(name: str) -> str:
    with translate_errors("Secrets Manager: GetSecretValue"):
        return str(connect("secretsmanager").get_secret_value(SecretId=name).get("SecretString", ""))

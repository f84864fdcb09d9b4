"""Which mailbox provider a recipient's mail goes to: Gmail, Outlook.com, GMX, a gateway such as Proofpoint, or "other".

The domain of the address is asked first, because Amazon SES names no host that answered (a delivery has an IP address,
a bounce nothing); then the host, which tells whose servers serve a company's own domain. Both are compared by whole
labels from their end, and the longest that is known wins: `olc.protection.outlook.com` is Outlook.com, any other
`protection.outlook.com` is Microsoft 365. No name is looked up: strangers choose these names.

The table is shipped beside this module (`receiving_systems.tsv`): hosts from the published settings of senders, from
public bounces and from MX records, domains from Thunderbird's database of providers and from MX records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from aftersend.core.recipient import split_channel
from aftersend.core.vocabulary import Channel

OTHER: Final = "other"  # a mailbox whose provider the table does not know
NONE: Final = ""  # a number, a token, or somebody who was erased: no mailbox
_TABLE: Final = Path(__file__).with_name("receiving_systems.tsv")
_END_OF_HOST: Final = re.compile(r"[\s(\[:]")  # of "mx.example.net (192.0.2.1)", "mx.example.net:25"


class ReceivingSystem(Struct, frozen=True, kw_only=True):
    """A row of the table: whose mailboxes, or whose filters in front of mailboxes."""

    id: str
    name: str
    kind: str  # consumer, hosted (the mailboxes of companies), gateway (filters alone), mobile
    hosts: tuple[str, ...]  # ends of the names of their mail servers
    domains: tuple[str, ...]  # ends of addresses that are theirs alone


def find_system(recipient: str, remote_mta: str | None) -> str:
    """Return the id of the system that `recipient` (canonical) reads at, as far as it or the answering host says so.

    It is OTHER where neither is known, and NONE for what is no address of e-mail.
    """
    channel, address = split_channel(recipient)
    if channel is not Channel.EMAIL:
        return NONE
    domains, hosts = _load_suffixes()
    found = _find_longest(domains, address.rpartition("@")[2])
    if found is None and remote_mta:
        found = _find_longest(hosts, _END_OF_HOST.split(remote_mta.strip(), maxsplit=1)[0])
    return found or OTHER


@cache
def load_systems() -> Mapping[str, ReceivingSystem]:
    """Read the shipped table once, and return its rows by their id."""
    lines = _TABLE.read_text(encoding="utf-8").splitlines()
    _, *rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return {
        key: ReceivingSystem(id=key, name=name, kind=kind, hosts=tuple(hosts.split()), domains=tuple(domains.split()))
        for key, name, kind, hosts, domains in rows
    }


@cache
def _load_suffixes() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The ids by ends of addresses, and by ends of hosts."""
    systems = load_systems().values()
    domains = {domain: system.id for system in systems for domain in system.domains}
    return domains, {host: system.id for system in systems for host in system.hosts}


def _find_longest(known: Mapping[str, str], name: str) -> str | None:
    return next((known[end] for end in _list_ends(name.lower().rstrip(".")) if end in known), None)


def _list_ends(name: str) -> Iterator[str]:
    """Yield `name` and what is left of it without its first labels, the longest first."""
    while name:
        yield name
        name = name.partition(".")[2]

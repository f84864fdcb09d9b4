"""Whose mailbox it is: the domain first, the answering host second, the longest end that is known."""

from __future__ import annotations

import re

import pytest

from aftersend.core import receiving_system
from aftersend.core.receiving_system import NONE, OTHER, find_system, load_systems

_NAME = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*").fullmatch


@pytest.mark.parametrize(
    ("recipient", "host", "system"),
    [
        ("email:ann@gmail.com", None, "gmail"),
        ("email:ann@googlemail.com", None, "gmail"),
        ("email:ann@gmail.com", "mx.proofpoint.example", "gmail"),
        ("email:ann@gmail.com", "mxa-0012.gslb.pphosted.com", "gmail"),  # the domain says more than the host
        ("email:ann@tampabay.rr.com", None, "spectrum"),  # whole labels in front
        ("email:ann@notgmail.com", None, OTHER),  # half a label is none
        ("email:ann@gmail.com.example", None, OTHER),
        ("email:ann@yahoo.co.jp", None, "yahoo_jp"),
        ("email:ann@yahoo.com", None, "yahoo"),
        ("email:ann@sky.com", "mx-eu.mail.am0.yahoodns.net", "sky"),
        ("email:ann@shop.example", None, OTHER),
        ("email:ann@shop.example", "192.0.2.7", OTHER),
        ("email:ann@shop.example", "aspmx.l.google.com", "google_workspace"),
        ("email:ann@shop.example", "alt1.gmail-smtp-in.l.google.com", "gmail"),
        ("email:ann@shop.example", "smtp.google.com.", "google_workspace"),  # a final dot
        ("email:ann@shop.example", "SHOP-EXAMPLE.Mail.Protection.Outlook.com", "microsoft_365"),
        ("email:ann@shop.example", "hotmail-com.olc.protection.outlook.com", "outlook"),  # the longer end
        ("email:ann@shop.example", "hotmail-com.olc.protection.outlook.com:25", "outlook"),
        ("email:ann@shop.example", "mx00.gmx.net (212.227.15.9)", "gmx"),
        ("email:ann@shop.example", "mx00.gmx.net[212.227.15.9]:25", "gmx"),
        ("email:ann@shop.example", "us-smtp-inbound-1.mimecast.com", "mimecast"),
        ("email:ann@shop.example", "mx-aol.mail.gm0.yahoodns.net", "aol"),
        ("email:ann@shop.example", "mta7.am0.yahoodns.net", "yahoo"),
        ("email:ann@shop.example", "esa1.hc1234-56.iphmx.com", "cisco"),
        ("email:ann@shop.example", "notmimecast.com", OTHER),
        ("email:ann@shop.example", "com", OTHER),
        ("email:ann@shop.example", " ", OTHER),
        ("email:ann@[192.0.2.7]", "[192.0.2.7]", OTHER),
        ("email:undisclosed recipients", None, OTHER),
        ("email:", None, OTHER),
        ("sms:+14255550156", "aspmx.l.google.com", NONE),
        ("push:fcm:gmail.com", None, NONE),
        ("erased:0123456789", "aspmx.l.google.com", NONE),
    ],
)
def test_the_domain_and_then_the_host_tell_the_system(recipient: str, host: str | None, system: str) -> None:
    assert find_system(recipient, host) == system


def test_every_end_of_the_table_leads_to_its_own_row() -> None:
    for system in load_systems().values():
        for domain in system.domains:
            assert find_system(f"email:ann@{domain}", None) == system.id, domain
            assert find_system(f"email:ann@host.{domain}", None) == system.id, domain
        for host in system.hosts:
            assert find_system("email:ann@shop.example", host) == system.id, host
            assert find_system("email:ann@shop.example", f"mx1.{host.upper()}.") == system.id, host


def test_the_table_is_well_formed() -> None:
    systems = load_systems()
    assert OTHER not in systems and NONE not in systems
    for system in systems.values():
        assert re.fullmatch(r"[a-z0-9_]{1,32}", system.id), system.id
        assert system.name and system.kind in {"consumer", "hosted", "gateway", "mobile"}, system.id
        assert system.hosts or system.domains, system.id
        assert all(map(_NAME, system.hosts + system.domains)), system.id
    text = receiving_system._TABLE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if not line.startswith("#")][1:]
    assert len(rows) == len(systems)  # no id stands for two rows
    for ends in ([s.hosts for s in systems.values()], [s.domains for s in systems.values()]):
        every = [end for some in ends for end in some]
        assert len(every) == len(set(every))  # and no end for two systems

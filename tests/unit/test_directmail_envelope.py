"""MNS and base64: the body comes out of what it was wrapped in, and mischief stays where it is."""

from __future__ import annotations

import base64
import json
import subprocess
import sys

import pytest

from aftersend.sources.envelope import MAX_DEPTH, peel
from aftersend.sources.envelope_mns import MAX_XML, unpack
from tests.support.directmail import in_base64, in_json, in_xml

BODY = b"event=deliver&env_id=1&rcpt=ann@example.net&err_msg=550 <no> & never&failed_type=SmtpNxBox"
VENDORS = b"""<?xml version="1.0" encoding="utf-8"?>
<Notification xlmns="http://mns.aliyuncs.com/doc/v1/">
  <TopicOwner>1234567890123456</TopicOwner>
  <Message>event=Open&amp;env_id=1</Message>
  <PublishTime>1772446275123</PublishTme>
</Notification>"""


@pytest.mark.parametrize(
    "carried",
    [
        BODY,
        in_base64(BODY),
        in_xml(BODY),
        in_json(BODY),
        in_xml(in_base64(BODY)),
        in_base64(in_xml(in_base64(BODY))),
        b"\n " + in_xml(BODY) + b"\n",
        base64.encodebytes(BODY * 3)[:-1],
        in_xml(BODY).replace(b"event=deliver", b"<![CDATA[event=deliver]]>"),
        in_xml(BODY).replace(b"event=deliver", b"event=<!-- -->deliver"),
    ],
)
def test_the_body_comes_out(carried: bytes) -> None:
    assert peel(carried) in (BODY, BODY * 3)


def test_a_cloud_event_comes_out_whole() -> None:
    event = json.dumps({"type": "dm:Trace:Open", "source": "acs.dm", "data": {"rcpt": "a@b.example"}}).encode()
    for carry in (in_base64, in_xml, in_json):
        assert peel(carry(event)) == event


def test_the_vendor_s_own_sample_is_read() -> None:
    """Its `xlmns` is no name space, and its last element is closed with another name."""
    assert peel(VENDORS) == b"event=Open&env_id=1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"QUFB",
        in_base64(b"any other text that nobody would send"),
        in_base64(b"event=Open&env_id=1")[:-1],
        in_base64(in_base64(b"event=Open&env_id=1")),
        b"event=Open&env_id=1",
        b"<Notification/>",
        b"<Notification><Message/></Notification>",
        b"<Notification><Message>event=Open",
        b"<Error><Message>event=Open</Message></Error>",
        b"<x><Notification><Message>event=Open</Message></Notification></x>",
        b"<Notification><a><Message>event=Open</Message></a></Notification>",
        b"<Notification>\xff<Message>event=Open</Message></Notification>",
        b'{"TopicOwner":"1"}',
        b'{"TopicOwner":"1","Message":""}',
        b'{"Message":"event=Open"}',
    ],
)
def test_what_is_no_such_envelope_is_left_alone(body: bytes) -> None:
    assert peel(body) == body


@pytest.mark.parametrize(
    "declaration",
    [
        b"<!DOCTYPE Notification>",
        b'<!DOCTYPE n [<!ENTITY a "event=Open">]>',
        b'<!DOCTYPE n [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
        b'<!DOCTYPE n SYSTEM "http://mns.example/n.dtd">',
        b'<!DOCTYPE n [<!ENTITY a "aa"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]>',
    ],
)
def test_a_document_type_or_an_entity_is_refused(declaration: bytes) -> None:
    body = declaration + b"<Notification><Message>&a;</Message></Notification>"
    assert peel(body) == body
    plain = declaration + b"<Notification><Message>event=Open</Message></Notification>"
    assert peel(plain) == plain


def test_only_the_first_message_counts_and_only_its_own_text() -> None:
    twice = b"<Notification><Message>event=Open</Message><Message>event=Click</Message></Notification>"
    assert peel(twice) == b"event=Open"
    within = b"<Notification><Message>a<b>c</b>d</Message></Notification>"
    assert peel(within) == b"acd"


def test_no_declaration_changes_the_encoding() -> None:
    body = in_xml("event=Open&rcpt=é".encode())
    for name in (b"utf-7", b"utf-16", b"idna", b"no-such-codec"):
        assert peel(body.replace(b'encoding="utf-8"', b'encoding="%s"' % name)) == "event=Open&rcpt=é".encode()


def test_xml_has_a_size() -> None:
    space = MAX_XML - len(in_xml(b""))
    assert unpack(in_xml(b"a" * space)) == b"a" * space
    assert unpack(in_xml(b"a" * (space + 1))) is None


def test_nesting_has_an_end() -> None:
    body = BODY
    for _ in range(MAX_DEPTH + 1):
        body = in_json(body)
    assert peel(body) == in_json(BODY)


def test_only_xml_waits_for_the_library_that_reads_it() -> None:
    """Design §10, cold start: what only one source needs is imported when that comes."""
    code = """
import sys
from aftersend.sources import read
read("directmail", b"event=Open&env_id=1&rcpt=a@b.example&operate_time=2026-03-02 18:11:14")
assert "defusedxml" not in sys.modules
read("directmail", b"<Notification><Message>event=Open&amp;env_id=1&amp;rcpt=a@b.example</Message></Notification>")
assert "defusedxml" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=_environment())
    assert done.returncode == 0, done.stderr


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path)}

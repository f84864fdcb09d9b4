"""Bodies of DirectMail, made for tests: any event, by either route, in any of the envelopes that can carry it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from xml.sax.saxutils import escape

from hypothesis import strategies as st
from msgspec import Struct

from aftersend.sources.directmail import NOT_TRIED, TRIED
from aftersend.sources.message import Message
from tests.support.facts import START

CHINA: Final = timezone(timedelta(hours=8))


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened, before any route names it."""

    what: str = "deliver"  # as the older text says it, in lower case
    number: int = 1  # of the message
    rcpt: str = "ann@example.net"
    at: datetime = START
    status: str = "2"
    code: str = "550"
    said: str = "550 5.1.1 user unknown"
    failed: str = "SmtpNxBox"
    url: str = ""

    @property
    def message_id(self) -> str:
        return f"m{self.number}@example.com"


SENDER: Final = "edm@send.example.com"
_TYPES: Final = {
    "open": "dm:Trace:Open",
    "click": "dm:Trace:Click",
    "complaint": "dm:Feedback:FblReport",
    "unsubscribe": "dm:Feedback:UnSubscribe",
    "subscribe": "dm:Feedback:Subscribe",
}


def _fields(event: Event, style: str) -> dict[str, str]:
    """What both routes report, in the order of the documents; `style` is how times are written."""
    at = event.at.astimezone(CHINA).strftime(style)
    seconds = str(int(event.at.timestamp()))
    if event.what == "complaint":
        fields = {"send_email": SENDER, "block_email": event.rcpt, "message_id": event.message_id}
        return fields | {"block_time": seconds, "send_time": seconds}
    fields = {"env_id": str(60_000 + event.number), "from": SENDER, "rcpt": event.rcpt}
    if event.what != "deliver":
        return fields | {"operate_time": at} | ({"url": event.url} if event.what == "click" else {})
    ids = {"msg_id": event.message_id, "account": SENDER}
    end = {"status": event.status, "err_code": event.code, "err_msg": event.said, "failed_type": event.failed}
    return fields | ids | {"end_time": at} | end


def as_text(event: Event) -> bytes:
    """As MNS carries it."""
    fields = _fields(event, "%Y-%m-%d %H:%M:%S")
    what = event.what.capitalize() if event.what in ("open", "click") else event.what
    return "&".join(f"{name}={value}" for name, value in ({"event": what} | fields).items()).encode()


_RENAMED: Final = {"end_time": "deliver_time"}


def as_event(event: Event) -> bytes:
    """As EventBridge carries it."""
    fields = {_RENAMED.get(name, name): value for name, value in _fields(event, "%Y-%m-%dT%H:%M:%S").items()}
    if event.what in ("unsubscribe", "subscribe"):
        fields["envid"] = fields.pop("env_id")
    kind = _TYPES.get(event.what) or f"dm:Deliver:{'Succeed' if event.code == '250' else 'Fail'}"
    data: dict[str, Any] = fields | {"tag": "spring", "outbound_ip": "192.0.2.7", "is_dedicated_ip": True}
    return _cloud_event(kind, data, event.at)


def _cloud_event(kind: str, data: dict[str, Any], at: datetime) -> bytes:
    envelope = {
        "id": f"{kind}-{at.timestamp()}",
        "source": "acs.dm",
        "specversion": "1.0",
        "type": kind,
        "time": at.astimezone(CHINA).isoformat(),
        "aliyunpublishtime": at.astimezone(CHINA).strftime("%Y-%m-%dT%H:%M:%S.179PRC"),
        "data": data,
    }
    return json.dumps(envelope, ensure_ascii=False).encode()


def in_base64(body: bytes) -> bytes:
    return base64.b64encode(body)


def in_xml(body: bytes) -> bytes:
    """As MNS pushes it in the format XML."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><Notification xmlns="http://mns.aliyuncs.com/doc/v1/">'
        "<TopicOwner>1234567890123456</TopicOwner><TopicName>dm-events</TopicName>"
        f"<Message>{escape(body.decode())}</Message><PublishTime>1772446275123</PublishTime></Notification>"
    ).encode()


def in_json(body: bytes) -> bytes:
    """As MNS pushes it in the format JSON."""
    notification = {"TopicOwner": "1234567890123456", "TopicName": "dm-events", "Message": body.decode()}
    return json.dumps(notification | {"PublishTime": "1772446275123"}).encode()


def in_array(body: bytes) -> bytes:
    """As some targets of EventBridge get it; only a CloudEvent comes so."""
    return b"[" + body + b"]" if body.startswith(b"{") else body


def bare(body: bytes) -> bytes:
    return body


ROUTES: Final[tuple[Callable[[Event], bytes], ...]] = (as_text, as_event)
ENVELOPES: Final[tuple[Callable[[bytes], bytes], ...]] = (
    bare,
    in_array,
    in_base64,
    in_xml,
    in_json,
    lambda body: in_xml(in_base64(body)),
    lambda body: in_json(in_base64(body)),
    lambda body: in_base64(in_xml(in_base64(body))),
)


def message(body: bytes, name: str = "m") -> Message:
    return Message(name, body, START, "directmail")


_texts: Final = st.sampled_from(
    [
        "550 5.1.1 user unknown",
        "452 4.2.2 mailbox full",
        "550 5.7.1 message rejected as spam",
        "550-5.1.1 no such user\r\n550 5.1.1 see https://help.example.net/?a=1&status=0&b=2",
        "554 opaque & odd = text",
        "邮箱不存在",
        "",
    ]
)
# Of the deliveries, those that can mean something for the address come more often.
_whats: Final = st.sampled_from(["deliver"] * 8 + [*_TYPES])
_failures: Final = st.sampled_from(
    [*sorted(TRIED | NOT_TRIED), "SmtpNxBox", "SmtpNxBox", "SmtpFullBox", "SendOk", "New"]
)


@st.composite
def events(draw: st.DrawFn, whats: st.SearchStrategy[str] = _whats) -> Event:
    """An event about one of few messages to few recipients."""
    delivered = draw(st.integers(0, 3)) == 0
    code = "250" if delivered else draw(st.sampled_from(["550", "421", "524", "559", ""]))
    return Event(
        what=draw(whats),
        number=draw(st.integers(1, 4)),
        rcpt=draw(st.sampled_from(["ann@example.net", "Ann <ANN@example.net>", "bob@bücher.example"])),
        at=START + timedelta(hours=12 * draw(st.integers(0, 13))),
        status="0" if delivered else draw(st.sampled_from(["2", "3", "4", "0", ""])),
        code=code,
        said="250 OK" if delivered else draw(_texts),
        failed="SendOk" if delivered else draw(_failures),
        url=draw(st.sampled_from(["https://shop.example.com/?a=1&status=0", "https://shop.example.com/"])),
    )


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """An event by either route, in any envelope."""
    route, envelope = draw(st.sampled_from(ROUTES)), draw(st.sampled_from(ENVELOPES))
    return envelope(route(draw(events())))

"""What DirectMail reports of one event, in every spelling: the older text and the CloudEvents name things differently.

Sources: DirectMail documentation, "Set up asynchronous notifications" and "Set up event publishing"; EventBridge
documentation, "Direct Mail events". Their tables and their examples disagree (`msgid` and `msg_id`), and so do the
types of one family (`env_id` and `envid`). Every field is optional, and a number may come as a string.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

Value = str | int | None


class Data(Struct, kw_only=True, gc=False, rename={"sender": "from", "notify_message_id": "X-Notify-Message-ID"}):
    """One event. The names are those of the source, each spelling by itself."""

    event: str | None = None
    env_id: Value = None
    envid: Value = None
    msg_id: str | None = None
    msgid: str | None = None
    message_id: str | None = None
    account: str | None = None
    sender: str | None = None
    send_email: str | None = None
    rcpt: str | None = None
    block_email: str | None = None
    recv_time: Value = None
    send_time: Value = None
    end_time: Value = None
    deliver_time: Value = None
    operate_time: Value = None
    block_time: Value = None
    status: Value = None
    err_code: Value = None
    err_msg: str | None = None
    failed_type: str | None = None
    region: str | None = None
    outbound_ip: str | None = None
    tag: str | None = None
    url: str | None = None
    notify_message_id: Value = None
    header: Any = None


class CloudEvent(Data, kw_only=True, gc=False):
    """A CloudEvent around the data; or the data alone, where a rule of EventBridge passes on nothing else."""

    type: str | None = None
    source: str | None = None
    time: str | None = None
    data: Data | None = None


NAMES: Final = Data.__struct_encode_fields__

decode: Final = msgspec.json.Decoder(list[CloudEvent] | CloudEvent).decode


def convert_fields(fields: dict[str, str]) -> Data:
    """Convert the fields of a text, which have been taken apart already; raises msgspec.ValidationError."""
    return msgspec.convert(fields, Data)


def find_first(*values: Value) -> str:
    """Return the first of these values that is not empty, as text; an empty text where all are."""
    for value in values:
        if value is not None and (text := str(value).strip()):
            return text
    return ""

"""What all events of DirectMail have in common: the key of the message, the recipient, the context, the time.

Times without an offset are in UTC+8, China's time, as the product's own samples show it, or in the offset of the
CloudEvent's own `time`, where there is one. A complaint gives seconds since 1970 instead.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from aftersend.core.errors import MalformedFeedback
from aftersend.core.message_key import MAX_ID, make_message_key
from aftersend.core.model import Context, Engagement, Evidence, Feedback, Kind
from aftersend.core.recipient import MAX_RECIPIENT_BYTES, canonicalize_email
from aftersend.core.text import truncate
from aftersend.core.times import UNKNOWN_TIME, parse_time
from aftersend.sources.directmail.body import Data, find_first

SOURCE: Final = "directmail"
CHINA: Final = "+08:00"

_OFFSET: Final = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")
_PRC: Final = "PRC"  # how EventBridge writes China's time in places
_SECONDS: Final = 10  # digits of seconds since 1970, from 2001 to 2286; more are milliseconds
_NOTIFY: Final = "X-Notify-Message-ID"


class FeedbackFactory:
    """Builds the feedback of one event; `event_time` is that of the CloudEvent around it, where there is one."""

    def __init__(self, data: Data, event_time: str | None) -> None:
        self._data = data
        self._event_time = event_time
        self.recipient = find_first(data.rcpt, data.block_email)
        self._env_id = truncate(find_first(data.env_id, data.envid), MAX_ID)
        message_id = find_first(data.msg_id, data.msgid, data.message_id)
        self._message = make_message_key(message_id, own=f"directmail:{self._env_id}" if self._env_id else "")

    @property
    def complete(self) -> bool:
        """Whether the event says whom and which message it is about."""
        return bool(self.recipient and self._message)

    def build(self, kind: Kind, evidence: Evidence | None = None, engagement: Engagement | None = None) -> Feedback:
        """Build the one fact of the event; raises MalformedFeedback and, where its time is none, ValueError."""
        if not self.complete:
            raise MalformedFeedback(SOURCE, "the event names no recipient, or no message")
        canonical = canonicalize_email(self.recipient)
        return Feedback(
            source=SOURCE,
            kind=kind,
            message=self._message,
            recipient=canonical,
            occurred_at=self._find_time(),
            received_as=None
            if canonical == f"email:{self.recipient}"
            else truncate(self.recipient, MAX_RECIPIENT_BYTES),
            evidence=evidence,
            engagement=engagement,
            context=self._make_context(),
        )

    def _find_time(self) -> datetime:
        """When it happened, as the event says or the CloudEvent around it; else when DirectMail took the message."""
        data = self._data
        own = find_first(data.end_time, data.deliver_time, data.operate_time, data.block_time)
        return parse_local_time(
            own or find_first(self._event_time, data.recv_time, data.send_time), _find_offset(self._event_time)
        )

    def _make_context(self) -> Context:
        data = self._data
        found = {
            _NOTIFY: truncate(find_first(data.notify_message_id, _find_header(data.header)), 128),
            "tag": truncate(find_first(data.tag), 128),
            "env_id": "" if self._message.startswith(SOURCE) else truncate(self._env_id, 128),
        }
        sender = find_first(data.sender, data.account, data.send_email)
        return Context(
            sender=_canonicalize_sender(sender) if sender else None,
            correlation={name: value for name, value in found.items() if value},
        )


def _find_header(headers: object) -> str | None:
    """The one custom header that DirectMail hands back."""
    if isinstance(headers, dict):
        for name, value in headers.items():
            if isinstance(name, str) and name.lower() == _NOTIFY.lower() and isinstance(value, str):
                return value
    return None


@lru_cache(maxsize=256)
def _canonicalize_sender(spelled: str) -> str:
    """Remembered, because the same few addresses come with every event."""
    return canonicalize_email(spelled).removeprefix("email:")


def _find_offset(event_time: str | None) -> str:
    """The offset that a CloudEvent's own time has, or China's."""
    found = _OFFSET.search((event_time or "").strip())
    return found[0] if found else CHINA


def parse_local_time(text: str, zone: str = CHINA) -> datetime:
    """Parse the UTC instant of a time as DirectMail writes it, where `zone` is the offset of one that names none.

    Raises ValueError where it is no time.
    """
    if not text:
        return UNKNOWN_TIME
    if text.isdecimal() and len(text) in (_SECONDS, _SECONDS + 3):
        seconds = int(text) / (1 if len(text) == _SECONDS else 1000)
        return parse_time(datetime.fromtimestamp(seconds, UTC).isoformat())
    text = text[:64]
    if text.endswith(_PRC):
        return parse_time(text.removesuffix(_PRC) + CHINA)
    return parse_time(text if _OFFSET.search(text) else text + zone)

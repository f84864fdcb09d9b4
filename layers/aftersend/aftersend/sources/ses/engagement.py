"""Amazon SES opens and clicks: they name no recipient, so they belong to one only where the message had one."""

from __future__ import annotations

from aftersend.core.model import Engagement, Feedback, Kind
from aftersend.core.text import truncate_or_none
from aftersend.sources.ses import body
from aftersend.sources.ses.feedback import FeedbackBuilder
from aftersend.sources.user_agents import read_user_agent


def read_open(event: body.SesEvent, builder: FeedbackBuilder) -> list[Feedback]:
    """Return that the only recipient of the message has opened it; nothing where there are several."""
    return _read_interaction(Kind.OPENED, event.open, builder)


def read_click(event: body.SesEvent, builder: FeedbackBuilder) -> list[Feedback]:
    """Return that the only recipient of the message has followed a link in it; nothing where there are several."""
    return _read_interaction(Kind.CLICKED, event.click, builder)


def _read_interaction(kind: Kind, seen: body.Interaction | None, builder: FeedbackBuilder) -> list[Feedback]:
    seen = seen or body.Interaction()
    if len(builder.destinations) != 1:
        return []
    agent, machine = read_user_agent(seen.user_agent)
    engagement = Engagement(
        ip=truncate_or_none(seen.ip_address, 45),
        user_agent=agent,
        link=truncate_or_none(seen.link, 512),
        machine=machine,
    )
    return [builder.build(builder.destinations[0], kind, builder.parse_time(seen.timestamp), None, engagement)]

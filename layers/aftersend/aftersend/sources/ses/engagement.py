"""Amazon SES opens and clicks: they name no recipient, so they belong to one only where the message had one."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from aftersend.core.model import Engagement, Feedback, Kind
from aftersend.core.text import truncate_or_none
from aftersend.sources.ses import body
from aftersend.sources.ses.facts import Facts


def opened(event: body.Event, facts: Facts) -> list[Feedback]:
    """That the only recipient of the message has opened it; nothing where there are several."""
    return _seen(Kind.OPENED, event.open, facts)


def clicked(event: body.Event, facts: Facts) -> list[Feedback]:
    """That the only recipient of the message has followed a link in it; nothing where there are several."""
    return _seen(Kind.CLICKED, event.click, facts)


def _seen(kind: Kind, seen: body.Seen | None, facts: Facts) -> list[Feedback]:
    seen = seen or body.Seen()
    if len(facts.destinations) != 1:
        return []
    agent, machine = _agent(seen.user_agent)
    engagement = Engagement(
        ip=truncate_or_none(seen.ip_address, 45),
        user_agent=agent,
        link=truncate_or_none(seen.link, 512),
        machine=machine,
    )
    return [facts.about(facts.destinations[0], kind, facts.time(seen.timestamp), None, engagement)]


@lru_cache(maxsize=1024)
def _agent(reported: str | None) -> tuple[str | None, bool]:
    """Who fetched, and whether that was a machine."""
    agent = truncate_or_none(reported, 256)
    return agent, agent is not None and (agent in _MACHINES or any(name in agent for name in _PROXIES))


# Apple's mail privacy proxies send this and nothing more; the others name themselves.
_MACHINES: Final = frozenset({"Mozilla/5.0"})
_PROXIES: Final = (
    "GoogleImageProxy",
    "YahooMailProxy",
    "Barracuda",
    "Mimecast",
    "Proofpoint",
    "SafeLinks",
    "BingPreview",
)

"""Tells people from machines: who fetched a tracking picture or followed a link, by the name that it gave itself."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from aftersend.core.text import truncate_or_none

MAX_AGENT: Final = 256

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


@lru_cache(maxsize=1024)
def read_user_agent(reported: str | None) -> tuple[str | None, bool]:
    """Return a user agent, bounded, and whether it is a machine: a mail privacy proxy or a scanner, and no person."""
    agent = truncate_or_none(reported, MAX_AGENT)
    return agent, agent is not None and (agent in _MACHINES or any(name in agent for name in _PROXIES))

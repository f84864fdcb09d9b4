"""Amazon SES subscription events: which streams a contact left and joined.

A stream is a contact list (`list`) or one of its topics (`list/topic`). Only changes become facts: an event shows
all preferences before and after.
"""

from __future__ import annotations

from collections.abc import Iterator

from aftersend.core.model import Evidence, Feedback, Kind
from aftersend.core.text import truncate
from aftersend.sources.ses import body
from aftersend.sources.ses.feedback import FeedbackBuilder

_CHANGES = {"OptOut": Kind.UNSUBSCRIBED, "OptIn": Kind.SUBSCRIBED}


def read_subscription(event: body.SesEvent, builder: FeedbackBuilder) -> list[Feedback]:
    """Return one fact for each stream that the only recipient of the message has left or joined."""
    changed = event.subscription or body.Subscription()
    if len(builder.destinations) != 1:
        return []
    at = builder.parse_time(changed.timestamp)
    evidence = Evidence(provider_code=truncate(f"Subscription/{changed.source or 'unknown'}", 64))
    found = []
    for kind, topic in list(_find_changes(changed)) or [(Kind.UNKNOWN, None)]:
        scope = "/".join(truncate(part, 64) for part in (changed.contact_list, topic) if part) or None
        found.append(builder.build(builder.destinations[0], kind, at, evidence, scope=scope))
    return found


def _find_changes(changed: body.Subscription) -> Iterator[tuple[Kind, str | None]]:
    """Kind and topic of each change; no topic is the whole list."""
    new = changed.new_topic_preferences or body.Preferences()
    old = changed.old_topic_preferences or body.Preferences()
    if new.unsubscribe_all and not old.unsubscribe_all:
        yield Kind.UNSUBSCRIBED, None
        return
    if old.unsubscribe_all and not new.unsubscribe_all:
        yield Kind.SUBSCRIBED, None
    before = {topic.topic_name: topic.subscription_status for topic in old.topic_subscription_status or ()}
    for topic in new.topic_subscription_status or ():
        kind = _CHANGES.get(topic.subscription_status or "")
        if kind is not None and before.get(topic.topic_name) != topic.subscription_status:
            yield kind, topic.topic_name

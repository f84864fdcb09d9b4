"""What an incident of the spike guard is called, wherever it is named: in the API and in events that go out. Pure."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from aftersend.core.spike_guard import Incident
from aftersend.core.times import format_time


def make_incident_id(incident: Incident) -> str:
    """Return the id of an incident, twenty hexadecimal digits: the same for the same domain, window and reason."""
    window = incident.window
    named = (window.domain, format_time(window.since), format_time(window.until), incident.reason)
    return blake2b(msgspec.json.encode(named), digest_size=10).hexdigest()

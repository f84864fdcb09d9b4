"""Windows of the spike guard as their table holds them."""

from __future__ import annotations

from aftersend.core.policy import Guard
from aftersend.core.spike_guard import Traffic
from aftersend.storage.items import Item
from aftersend.storage.schema import encode_schema
from aftersend.storage.spike_windows import SCHEMA, build_window_key, encode_sets, encode_state


def encode_window(traffic: Traffic, rules: Guard) -> Item:
    """The item of a window of which this is known, once all that follows from it stands beside."""
    known = encode_schema(SCHEMA) | {"version": {"N": str(traffic.version)}}
    return build_window_key(traffic.window) | known | encode_sets(traffic) | encode_state(traffic, rules)

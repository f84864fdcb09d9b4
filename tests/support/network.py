"""Ports for servers that tests start."""

from __future__ import annotations

import random
import socket


def free_ports(number: int) -> list[int]:
    """Below those that the system hands out to who connects: whoever asks for one, now or before the server listens,
    must not take it.
    """
    found: list[int] = []
    while len(found) < number:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            if port not in found and probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found

"""How an address appears in logs."""

from __future__ import annotations

import re

from aftersend.core.digest import digest
from tests.support.facts import ANN, BOB


def test_one_address_has_one_digest_under_one_key() -> None:
    assert digest(ANN, b"key") == digest(ANN, b"key")
    assert len({digest(ANN, b"key"), digest(BOB, b"key"), digest(ANN, b"other")}) == 3


def test_a_digest_shows_nothing() -> None:
    assert re.fullmatch("[0-9a-f]{16}", digest(ANN, b"key"))
    assert re.fullmatch("[0-9a-f]{16}", digest("email:\N{SNOWMAN}@example.com", b"k" * 100))

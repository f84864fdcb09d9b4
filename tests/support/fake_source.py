"""The parser of a source that only tests have: a body is a JSON list of facts."""

from __future__ import annotations

from typing import Final

import msgspec

from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Feedback
from aftersend.sources.message import NO_HEADERS, Headers

_decode: Final = msgspec.json.Decoder(list[Feedback]).decode


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    try:
        return _decode(raw)
    except msgspec.DecodeError as error:
        raise MalformedFeedback("test", "no list of facts") from error

"""The parser of a source that only tests have: a body is a JSON list of facts."""

from __future__ import annotations

from typing import Final

import msgspec

from aftersend.carrier import NO_HEADERS, Headers
from aftersend.errors import MalformedFeedback
from aftersend.model import Feedback

_decode: Final = msgspec.json.Decoder(list[Feedback]).decode


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    try:
        return _decode(raw)
    except msgspec.DecodeError as error:
        raise MalformedFeedback("told", "no list of facts") from error

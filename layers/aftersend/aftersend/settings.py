"""What the template tells a function, read once at start. The only module that knows the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct

from aftersend import policy
from aftersend.errors import ConfigurationError
from aftersend.policy import Policy


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of a function that consumes feedback."""

    source: str
    outcomes_table: str
    suppressions_table: str
    unqualified_table: str
    archive_bucket: str
    dead_letter_queue: str
    digest_key: bytes
    policy: Policy
    retention: timedelta
    workers: int
    inbound_bucket: str = ""  # where Amazon SES puts received mail; only for reports
    rules_parameter: str = ""  # SSM parameter with the user's own rules; empty for none
    verp_template: str = ""  # form of the bounce addresses that carry a token; empty for none
    verp_keys: tuple[bytes, ...] = ()  # the first makes tokens, all verify


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment; raises ConfigurationError that names the variable."""
    return Settings(
        source=_text(environ, "SOURCE"),
        outcomes_table=_text(environ, "OUTCOMES_TABLE"),
        suppressions_table=_text(environ, "SUPPRESSIONS_TABLE"),
        unqualified_table=_text(environ, "UNQUALIFIED_TABLE"),
        archive_bucket=_text(environ, "ARCHIVE_BUCKET"),
        dead_letter_queue=_text(environ, "DEAD_LETTER_QUEUE"),
        digest_key=_text(environ, "DIGEST_KEY").encode(),
        policy=policy.load(environ.get("POLICY", "").strip()),
        retention=timedelta(days=_number(environ, "RETENTION_DAYS", 180, range(1, 3651))),
        workers=_number(environ, "WORKERS", 8, range(1, 65)),
        inbound_bucket=environ.get("INBOUND_BUCKET", "").strip(),
        rules_parameter=environ.get("RULES_PARAMETER", "").strip(),
        verp_template=environ.get("VERP_TEMPLATE", "").strip(),
        verp_keys=tuple(key.encode() for key in environ.get("VERP_KEY", "").split()),
    )


def _text(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"the environment variable {name} is missing or empty")
    return value


def _number(environ: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    raw = environ.get(name, "").strip()
    if not raw:
        return default
    if not raw.isdecimal() or int(raw) not in allowed:
        raise ConfigurationError(f"the environment variable {name} is not a number from {allowed[0]} to {allowed[-1]}")
    return int(raw)

"""The environment of the embedded stack: it points to this machine, and to nothing of the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

REGION: Final = "eu-west-1"
_PROFILES: Final = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_ENDPOINT_OF: Final = "AWS_ENDPOINT_URL_"  # and the name of a service: it would win over the one for all


def false_account(endpoint: str) -> dict[str, str]:
    """Credentials that no AWS takes; neither files nor proxies of the user's are looked at."""
    direct = ",".join(dict.fromkeys(("127.0.0.1", urlsplit(endpoint).hostname or "127.0.0.1")))
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_USE_FIPS_ENDPOINT": "false",
        "AWS_USE_DUALSTACK_ENDPOINT": "false",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": direct,
        "no_proxy": direct,
    }


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """These variables, as long as the context lasts; the user's profiles and endpoints are out of sight meanwhile."""
    endpoints = {name for name in os.environ if name.startswith(_ENDPOINT_OF)}
    before = {name: os.environ.pop(name, None) for name in {*values, *_PROFILES, *endpoints}}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

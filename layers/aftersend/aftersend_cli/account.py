"""Whose account of AWS commands work in, and who signs what they ask.

boto3 takes a fifth of a second to import, and the small package comes without it, so it is asked only where the
environment does not say it all: for a profile, SSO, a role, or the files of the AWS CLI.
"""

from __future__ import annotations

import os
from typing import Any

from msgspec import Struct


class Signer(Struct, frozen=True, kw_only=True):
    """Who signs, and for which region."""

    key_id: str
    secret: str
    token: str | None
    region: str


def use_account(profile: str | None, region: str | None) -> None:
    """Have every client of this process use a profile and a region; None for what the environment says."""
    if region:
        os.environ.update(AWS_REGION=region, AWS_DEFAULT_REGION=region)  # the one is read by Lambda, the other by boto3
    elif not profile and os.environ.get("AWS_REGION"):
        os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])  # boto3 would not find it otherwise
    if profile:
        import boto3  # noqa: PLC0415

        boto3.setup_default_session(profile_name=profile, region_name=region)
        os.environ["AWS_CLIENT"] = "boto3"  # which knows profiles; ours knows the variables of Lambda


def find_signer(region: str | None) -> Signer:
    """Return who signs for `region`, or for the one that is configured; raises a BotoCoreError where nobody does."""
    given = os.environ
    chosen = region or given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION")
    key_id, secret = given.get("AWS_ACCESS_KEY_ID"), given.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret and chosen and "AWS_PROFILE" not in given and "AWS_CLIENT" not in given:
        return Signer(key_id=key_id, secret=secret, token=given.get("AWS_SESSION_TOKEN"), region=chosen)
    return _ask_boto3(region)


def _ask_boto3(region: str | None) -> Signer:
    import boto3  # noqa: PLC0415
    from botocore.exceptions import NoCredentialsError, NoRegionError  # noqa: PLC0415

    session: Any = boto3.DEFAULT_SESSION or boto3.Session()
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    chosen = region or session.region_name
    if chosen is None:
        raise NoRegionError
    frozen = credentials.get_frozen_credentials()
    return Signer(key_id=frozen.access_key, secret=frozen.secret_key, token=frozen.token, region=chosen)

"""The environment of the embedded stack: nothing of the user's leads out of it, and all of it comes back."""

from __future__ import annotations

import os

import boto3
import pytest

from aftersend.aws import account, services
from local.environment import environment, false_account

HERE = "http://127.0.0.1:5000"
USERS = {
    "AWS_PROFILE": "production",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.example.com",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://secrets.example.com",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
}


@pytest.fixture(autouse=True)
def of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in USERS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("service", services.OPERATIONS)
def test_every_service_is_on_this_machine(service: str) -> None:
    with environment(false_account(HERE)):
        ours = account.read_account(os.environ)
        theirs = boto3.session.Session().client(service)  # type: ignore[call-overload]  # any service
    assert ours is not None
    assert ours.endpoint(service) == theirs.meta.endpoint_url == HERE


def test_what_is_the_users_comes_back() -> None:
    before = dict(os.environ)
    with environment(false_account(HERE)), environment({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"}):
        assert os.environ["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:9000"
    assert dict(os.environ) == before

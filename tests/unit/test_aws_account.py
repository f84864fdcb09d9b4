"""Who signs and where requests go, as the environment says; and where boto3 has to be asked instead."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, Final

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders
from botocore.config import Config
from botocore.regions import EndpointResolver

from aftersend import aws
from aftersend.aws import services
from aftersend.aws.account import Account, ContainerEndpoint, read_account
from aftersend.aws.json_service import JsonService
from aftersend.core.errors import ConfigurationError
from aftersend.http.http1 import HttpResponse
from aftersend.http.transport import Transport

LAMBDA = {
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
}


def _read(**more: str) -> Account:
    found = read_account(LAMBDA | more)
    assert found is not None
    return found


def test_lambda_gives_everything() -> None:
    found = _read()
    assert (found.key_id, found.secret, found.token, found.region) == ("AKID", "s3cr3t", "token", "eu-west-1")
    assert found.endpoint("dynamodb") == "https://dynamodb.eu-west-1.amazonaws.com"
    assert found.authorities is None


def test_nothing_that_prints_an_account_prints_its_secrets() -> None:
    assert "s3cr3t" not in f"{_read()} {_read()!r}"
    assert "token" not in f"{_read()} {_read()!r}"


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_without_credentials_in_the_environment_boto3_looks_for_them(missing: str) -> None:
    assert read_account({name: value for name, value in LAMBDA.items() if name != missing}) is None
    assert read_account(LAMBDA | {missing: ""}) is None


def test_a_region_is_needed_under_either_name() -> None:
    assert read_account(LAMBDA | {"AWS_REGION": ""}) == _read()
    assert read_account(LAMBDA | {"AWS_DEFAULT_REGION": ""}) == _read()
    assert read_account(LAMBDA | {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}) is None


def test_two_regions_lead_both_clients_to_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may use both clients: rare work is boto3's."""
    for name, value in (given := {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "eu-central-1"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    assert _read(**given).region == boto3.session.Session().region_name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/var/run/secrets/token"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials"),
        ("AWS_PROFILE", "staging"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "True"),
        ("HTTPS_PROXY", "http://proxy:3128"),
        ("https_proxy", "http://proxy:3128"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:5000/below"),
        ("AWS_DEFAULT_REGION", "us-iso-east-1"),
        ("AWS_DEFAULT_REGION", "eusc-de-east-1"),
    ],
)
def test_what_only_boto3_knows_is_left_to_it(name: str, value: str) -> None:
    assert read_account(LAMBDA | {name: value}) is None


URI: Final = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
KEYLESS: Final = {name: value for name, value in LAMBDA.items() if name in {"AWS_REGION", "AWS_DEFAULT_REGION"}}


@pytest.mark.parametrize("host", ["127.0.0.1:9001", "localhost:80", "[::1]:9001", "169.254.170.2", "169.254.170.23"])
def test_without_credentials_in_the_environment_a_local_address_hands_them_out(host: str) -> None:
    """As with SnapStart. What it wants to see is shown to it alone."""
    url = f"http://{host}/2021-04-23/credentials"
    found = read_account(KEYLESS | {URI: url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "s3cr3t"})
    assert found is not None
    assert (found.key_id, found.secret, found.token) == ("", "", "")
    assert found.container == ContainerEndpoint(url, "s3cr3t")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/credentials",
        "http://127.0.0.1.example.com/credentials",
        "http://127.0.0.1@example.com/credentials",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/credentials",
        "https://127.0.0.1/credentials",
        "file:///etc/passwd",
        "",
    ],
)
def test_no_other_address_is_asked_for_credentials(url: str) -> None:
    assert read_account(KEYLESS | {URI: url}) is None


def test_credentials_in_the_environment_come_first_unless_they_are_as_old_as_a_snapshot() -> None:
    """As boto3 has it: a process that uses both acts in one name."""
    given = {URI: "http://127.0.0.1:9001/credentials"}
    assert _read(**given, AWS_LAMBDA_INITIALIZATION_TYPE="on-demand") == _read()
    assert _read(AWS_LAMBDA_INITIALIZATION_TYPE="snap-start") == _read()
    found = _read(**given, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
    assert (found.key_id, found.container) == ("", ContainerEndpoint(given[URI]))


@pytest.mark.parametrize("off", ["false", "False", ""])
def test_what_is_switched_off_is_not_there(off: str) -> None:
    assert read_account(LAMBDA | {"AWS_USE_FIPS_ENDPOINT": off, "HTTPS_PROXY": ""}) == _read()


def test_endpoints_come_from_the_environment_the_services_own_first() -> None:
    found = _read(AWS_ENDPOINT_URL="http://127.0.0.1:5000", AWS_ENDPOINT_URL_S3="http://127.0.0.1:9000")
    assert found.endpoint("dynamodb") == "http://127.0.0.1:5000"
    assert found.endpoint("s3") == "http://127.0.0.1:9000"
    assert _read(AWS_ENDPOINT_URL="").endpoint("sqs") == "https://sqs.eu-west-1.amazonaws.com"


@pytest.mark.parametrize("service", services.OPERATIONS)
def test_a_services_own_variable_is_called_as_boto3_calls_it(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the service's id: secretsmanager is "Secrets Manager"."""
    name = str(SESSION.get_service_model(service).service_id).replace(" ", "_").upper()
    monkeypatch.setenv(variable := f"AWS_ENDPOINT_URL_{name}", "http://127.0.0.1:9000")
    theirs = boto3.client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")  # type: ignore[call-overload]  # any service
    ours = _read(**{variable: "http://127.0.0.1:9000"})
    assert ours.endpoint(service) == theirs.meta.endpoint_url == "http://127.0.0.1:9000"


def test_endpoints_of_the_environment_can_be_switched_off() -> None:
    found = _read(AWS_ENDPOINT_URL="http://127.0.0.1:5000", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true")
    assert found.endpoint("dynamodb") == "https://dynamodb.eu-west-1.amazonaws.com"


def test_certificates_of_ones_own_are_named_by_the_environment() -> None:
    assert _read(AWS_CA_BUNDLE="/etc/own.pem").authorities == "/etc/own.pem"


SESSION = botocore.session.Session()


@pytest.mark.parametrize("service", services.OPERATIONS)
@pytest.mark.parametrize("partition", SESSION.get_available_partitions())
def test_every_region_of_every_partition_is_where_botocore_has_it(service: str, partition: str) -> None:
    resolver = EndpointResolver(SESSION.get_data("endpoints"))
    ours = partition in {"aws", "aws-cn", "aws-us-gov"}
    regions = SESSION.get_available_regions(service, partition_name=partition)
    assert regions or not ours
    for region in regions:
        found = read_account(LAMBDA | {"AWS_REGION": region, "AWS_DEFAULT_REGION": region})
        assert (found is not None) == ours, "the others are for boto3"
        known = resolver.construct_endpoint(service, region)
        assert known is not None
        assert found is None or found.endpoint(service) == f"https://{known['hostname']}"


@pytest.mark.parametrize("bucket", ["archive", "an-archive-of-ours", "archive.example.com"])
@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1", "cn-north-1"])
def test_an_object_has_the_address_that_boto3_gives_it(
    bucket: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(self: Transport, method: str, target: str, *_: Any, **__: Any) -> HttpResponse:
        addresses.append(f"{method} https://{self.host}{target}")
        return HttpResponse(200, b"")

    def caught(request: Any, **_: Any) -> Any:
        addresses.append(f"{request.method} {request.url}")
        headers: Any = HTTPHeaders()
        return AWSResponse(request.url, 200, headers, SimpleNamespace(stream=lambda: iter([b""])))

    addresses: list[str] = []
    monkeypatch.setattr(Transport, "send", send)
    mine = services.make_client("s3", _read(AWS_DEFAULT_REGION=region))
    config = Config(s3={"us_east_1_regional_endpoint": "regional"})  # and not the global one of old
    theirs = boto3.client("s3", region_name=region, aws_access_key_id="a", aws_secret_access_key="b", config=config)
    theirs.meta.events.register("before-send.s3.PutObject", caught)
    for client in (mine, theirs):
        client.put_object(Bucket=bucket, Key="a/é b", Body=b"")
    assert addresses[0] == addresses[1]


def test_connect_gives_our_client_on_lambda_and_boto3s_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aftersend.settings.environment", lambda: LAMBDA)
    assert isinstance(aws.connect("dynamodb"), JsonService)
    monkeypatch.setattr("aftersend.settings.environment", lambda: LAMBDA | {"AWS_PROFILE": "staging"})
    monkeypatch.setattr("boto3.client", lambda service, config: _Named(service))
    for service, operations in services.OPERATIONS.items():
        client = aws.connect(service)
        for operation in operations:
            assert getattr(client, operation)(Name=1) == (service, operation, {"Name": 1})


def test_the_operator_can_switch_our_client_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for wanted in ("", "lean", " lean "):
        assert read_account(LAMBDA | {"AWS_CLIENT": wanted}) == _read()
    assert read_account(LAMBDA | {"AWS_CLIENT": "boto3"}) is None
    for wrong in ("Boto3", "boto", "none"):
        with pytest.raises(ConfigurationError, match="AWS_CLIENT"):
            read_account(LAMBDA | {"AWS_CLIENT": wrong})
    monkeypatch.setattr("aftersend.settings.environment", lambda: LAMBDA | {"AWS_CLIENT": "boto3"})
    monkeypatch.setattr("boto3.client", lambda service, config: _Named(service))
    for service, operations in services.OPERATIONS.items():
        for operation in operations:
            assert getattr(aws.connect(service), operation)(Name=1) == (service, operation, {"Name": 1})


class _Named:
    """A client of which every operation says how it was called."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __getattr__(self, name: str) -> Any:
        return lambda **request: (self._service, name, request)

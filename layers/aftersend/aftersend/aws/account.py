"""Whose requests they are and where they go, as the environment says. Pure: the environment is an argument.

On Lambda the credentials are variables, and last as long as the execution environment; with SnapStart a variable says
at which local address they are. `read_account` gives nothing where there is anything that only boto3 knows: credentials
that come in another way, profiles, proxies, special endpoints; nor where the operator wants boto3's clients
(`AWS_CLIENT=boto3`).

Sources: Lambda developer guide, "Defined runtime environment variables" and "Activating and managing Lambda SnapStart";
AWS SDKs and tools reference guide, "Service-specific endpoints" and "Container credential provider".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from aftersend.core.errors import ConfigurationError

_FOR_BOTO3: Final = (
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_PROFILE",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "https_proxy",
    "http_proxy",
)
# Domains of the partitions by the beginning of their regions. Those that are not here are for boto3.
_DOMAINS: Final = {"cn-": "amazonaws.com.cn", "us-iso": None, "eu-iso": None, "eusc-": None}
_ENDPOINT: Final = "AWS_ENDPOINT_URL"
# In variables, where that is not the endpoint's own name.
_SPELLINGS: Final = {"events": "EVENTBRIDGE", "secretsmanager": "SECRETS_MANAGER"}
# Where credentials may come from without TLS: this machine, and the addresses of Amazon's own agents beside it.
_LOCAL: Final = frozenset({"127.0.0.1", "::1", "localhost", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"})
_OFF: Final = frozenset({"", "false"})
_CLIENT: Final = "AWS_CLIENT"
_LEAN: Final = {"": True, "lean": True, "boto3": False}


class ContainerEndpoint(Struct, frozen=True):
    """Where credentials are handed out, and what to show there. Its representation does not show that."""

    url: str
    authorization: str = ""  # the value of the header of this name

    def __repr__(self) -> str:
        return f"ContainerEndpoint({self.url})"


class Account(Struct, frozen=True, kw_only=True):
    """Credentials, and where the services are. Its representation shows no secret."""

    region: str
    key_id: str = ""
    secret: str = ""
    token: str = ""  # of temporary credentials
    container: ContainerEndpoint | None = None  # that hands out others than these
    domain: str = "amazonaws.com"
    endpoints: Mapping[str, str] = {}  # by the variable's name; those that the environment names
    authorities: str | None = None  # a file with the certificates to trust; the system's own if there is none

    def __repr__(self) -> str:
        return f"Account({self.region})"

    def find_endpoint(self, service: str) -> str | None:
        """Return the endpoint that the environment names for the service, or for all of them."""
        name = _SPELLINGS.get(service, service.upper())
        return self.endpoints.get(f"{_ENDPOINT}_{name}") or self.endpoints.get(_ENDPOINT)

    def endpoint(self, service: str) -> str:
        """Return where the service is."""
        return self.find_endpoint(service) or f"https://{service}.{self.region}.{self.domain}"


def read_account(environ: Mapping[str, str]) -> Account | None:
    """Return the account that the environment describes completely, or None where boto3 is to be asked.

    Raises ConfigurationError for an `AWS_CLIENT` other than "lean", which is the default, and "boto3".
    """
    wanted = environ.get(_CLIENT, "").strip()
    if wanted not in _LEAN:
        raise ConfigurationError(f"the environment variable {_CLIENT} is neither lean nor boto3")
    if not _LEAN[wanted]:
        return None
    credentials = _read_credentials(environ)
    region = environ.get("AWS_DEFAULT_REGION") or environ.get("AWS_REGION")  # where both are, boto3 takes the first
    if not (credentials and region) or any(environ.get(name, "").lower() not in _OFF for name in _FOR_BOTO3):
        return None
    domain = next((found for start, found in _DOMAINS.items() if region.startswith(start)), "amazonaws.com")
    ignored = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() not in _OFF
    endpoints = {} if ignored else {name: environ[name] for name in environ if name.startswith(_ENDPOINT)}
    if domain is None or any(urlsplit(endpoint).path.strip("/") for endpoint in endpoints.values()):
        return None
    return Account(
        **credentials,
        region=region,
        domain=domain,
        endpoints=endpoints,
        authorities=environ.get("AWS_CA_BUNDLE") or None,
    )


def _read_credentials(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return what an account knows of its credentials; nothing where they come in another way.

    Variables go before an address, as with every SDK, but not in a function of a snapshot: what its environment holds
    is as old as that.
    """
    key_id, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    url = environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
    if key_id and secret and not (url and environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"):
        return {"key_id": key_id, "secret": secret, "token": environ.get("AWS_SESSION_TOKEN", "")}
    address = urlsplit(url)
    if address.scheme != "http" or address.hostname not in _LOCAL:
        return {}
    return {"container": ContainerEndpoint(url, environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", ""))}

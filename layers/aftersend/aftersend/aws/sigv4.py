"""Signature Version 4: what the `Authorization` header says of one request. Pure.

What does not depend on the body is prepared: requests that differ in their bodies alone, as most do that are sent to
one service within a second, have all but the last two digests of their signature in common.

Source: IAM user guide, "Create a signed AWS API request"; of S3, "Authenticating requests: using the authorization
header". The rules where they differ stand in `_canonicalize_path`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from msgspec import Struct

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_PATH: Final = "/~"  # besides letters, digits and "_.-", what stands in a path as it is


class UnsignedRequest(Struct, frozen=True):
    """What is signed. `path` and `query` are as they go over the wire: percent-encoded, and with no "?" between.

    `headers` are all that are signed, with lower-case names; one is `host`, another `x-amz-date`, as 20260302T101112Z.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    digest: str = ""  # of the body: SHA-256 in hexadecimal; a `Signer` is given that of each


def encode_path(path: str) -> str:
    """Return a path as it goes over the wire: percent-encoded."""
    return "/".join(map(_encode_segment, path.split("/")))


@lru_cache(maxsize=64)
def _encode_segment(segment: str) -> str:
    """Remembered, because the folders of an hour come again and again."""
    return quote(segment, safe=_PATH)


def build_authorization(request: UnsignedRequest, *, key_id: str, secret: str, region: str, service: str) -> str:
    """Return the value of the `Authorization` header."""
    signer = Signer(request, key_id=key_id, secret=secret, region=region, service=service)
    return signer.prefix + signer.sign(request.digest)


class Signer:
    """Signs one request with any body, in the name of one account."""

    def __init__(self, request: UnsignedRequest, *, key_id: str, secret: str, region: str, service: str) -> None:
        now = request.headers["x-amz-date"]
        scope = f"{now[:8]}/{region}/{service}/aws4_request"
        names = sorted(request.headers)
        signed = ";".join(names)
        lines = "".join([f"{name}:{' '.join(request.headers[name].split())}\n" for name in names])
        path, query = _canonicalize_path(request.path, service), _canonicalize_query(request.query)
        self._canonical = sha256(f"{request.method}\n{path}\n{query}\n{lines}\n{signed}\n".encode())
        self._string_to_sign = f"{_ALGORITHM}\n{now}\n{scope}\n"
        self._signature = hmac.new(_derive_key(secret, scope), digestmod="sha256")
        self.prefix = f"{_ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={signed}, Signature="

    def sign(self, digest: str) -> str:
        """Return what follows `prefix` in the value of the header; `digest` is the body's SHA-256 in hexadecimal."""
        canonical = self._canonical.copy()
        canonical.update(digest.encode())
        signature = self._signature.copy()
        signature.update(f"{self._string_to_sign}{canonical.hexdigest()}".encode())
        return signature.hexdigest()


def _canonicalize_path(path: str, service: str) -> str:
    """S3 signs a path as it is, where "a/../b" is a name like any other; all others tidy it and encode it once more."""
    if service == "s3":
        return path
    return "/" if path == "/" else quote(_normalize_path(path), safe=_PATH)


def _normalize_path(path: str) -> str:
    """Return the path without empty segments, "." and ".."."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    end = "/" if segments and path.endswith("/") else ""
    return f"/{'/'.join(segments)}{end}"


def _canonicalize_query(query: str) -> str:
    """Pairs in order; each has an equals sign."""
    if not query:
        return ""
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    return "&".join(f"{name}={value}" for name, value in pairs)


@lru_cache(maxsize=8)
def _derive_key(secret: str, scope: str) -> bytes:
    """Return the signing key of one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key

"""How a push can prove who sent it, as data: a source's row names the proofs that its provider can give.

Pure data on purpose: `aftersend.webhooks.schemes` has one implementation for each `scheme`, and knows no provider. All
that differs between two providers that prove themselves in the same way is a parameter here. Which secrets, keys and
lists the operator has configured is not said here either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, get_type_hints

import msgspec
from msgspec import Struct

from aftersend.core.errors import ConfigurationError

# What a provider can be given to send along: the last part of the path, or the header Authorization.
SECRETS: Final = frozenset({"path", "bearer", "basic"})
_PATH: Final = frozenset({"path"})
_AUTHORIZATION: Final = "authorization"

Digest = Literal["sha1", "sha256", "sha512"]
Encoding = Literal["hex", "base64"]
KeyEncoding = Literal["text", "base64"]  # base64: what it stands for is the key, without the prefix `whsec_`

# A text that is signed is written with {names}: of a header, or one of these.
NAMES: Final = re.compile(r"\{([a-z0-9-]+)\}")
BODY: Final = "body"  # as it came
DIGEST: Final = "sha256"  # the 32 bytes of the body's SHA-256
QUERY: Final = "query"  # its pairs in the order of their names, encoded anew


class Proof(Struct, frozen=True, kw_only=True):
    """One way in which a push proves who sent it."""

    scheme: str  # a key of aftersend.webhooks.schemes.SCHEMES
    secrets: frozenset[str]  # kinds of secrets that such a push can carry
    needs: frozenset[str] = frozenset()  # of these at least one must be configured, or nothing would be proven
    key: str = ""  # the kind of key that its signature is checked with; where one is configured, it is required
    marks: tuple[str, ...] = ()  # headers of which one shows that a push carries it; none: every push is taken to
    senders: str = ""  # the list of senders that are believed, a field of WebhookSettings; a source that has one is on
    narrowed: str = ""  # another list there: which of their channels are believed; all, where it is empty

    @property
    def lists(self) -> tuple[str, ...]:
        """The lists of the operator's that it asks for: fields of WebhookSettings."""
        return tuple(name for name in (self.senders, self.narrowed) if name)


class Hmac(Proof, frozen=True, kw_only=True):
    """A header holds the HMAC of a text, which the body is a part of or not."""

    header: str
    signed: str
    digest: Digest
    encoding: Encoding
    prefix: str  # of the header's value, before the signature
    key_encoding: KeyEncoding
    time: str  # the header that says when it was signed; empty: none does
    window: float  # seconds that this may lie before or after our clock


class StandardWebhooks(Proof, frozen=True, kw_only=True):
    """The headers id, timestamp and signature after one of the prefixes; signatures are a list."""

    prefixes: tuple[str, ...]
    key_encoding: KeyEncoding
    window: float  # seconds


class PublicKey(Proof, frozen=True, kw_only=True):
    """A header holds a signature in base64, made with a private key."""

    header: str
    signed: str
    algorithm: Literal["ecdsa-sha256", "rsa-sha1", "rsa-sha256"]


class TokenInBody(Proof, frozen=True, kw_only=True):
    """The body has the HMAC of a time and of a token that is used once; the rest of the body is not signed."""

    members: tuple[str, ...]  # of a body in JSON, each of which has timestamp, token and signature
    window: float  # seconds


class DigestInBody(Proof, frozen=True, kw_only=True):
    """A member of the body holds the digest of the body, with the key in its own place."""

    member: str
    digest: Literal["md5"]


class UrlForm(Proof, frozen=True, kw_only=True):
    """A header holds the HMAC of the address and of the fields of a form."""

    header: str
    digest: Digest
    body_hash: str  # a parameter of the address: the digest of a body that is no form; empty: there is no such body
    test_key: str  # what everybody knows, and signs nothing but a form that says nothing


class Jwt(Proof, frozen=True, kw_only=True):
    """A header holds a JSON Web Token (RFC 7519) that claims the digests of the body and of the address."""

    header: str  # in `authorization` it follows the word Bearer
    algorithms: tuple[str, ...]  # HS256, HS384, HS512: no other is ever tried
    issuer: str
    url_hash: str  # the claim that has the digest of the address; empty: there is none
    max_age: float  # seconds from `iat` to our clock, either way; 0: `exp` and `nbf` must be there instead
    leeway: float  # seconds for `exp` and `nbf`


def secret(*kinds: str) -> Proof:
    """Return the proof by nothing but a secret, of `kinds` (all of SECRETS, if none is named)."""
    carried = frozenset(kinds) or SECRETS
    return Proof(scheme="secret", secrets=carried, needs=carried)


def sns(topics: str = "topics") -> Proof:
    """Return the proof of Amazon SNS: its signature, for a topic on the list that is called `topics`."""
    return Proof(scheme="sns", secrets=SECRETS, senders=topics, marks=("x-amz-sns-message-type",))


def sns_raw(topics: str = "topics") -> Proof:
    """Return the proof of Amazon SNS with raw message delivery: a secret, for nobody signs such a message."""
    return Proof(scheme="sns_raw", secrets=SECRETS, needs=SECRETS, senders=topics, marks=("x-amz-sns-rawdelivery",))


def mns() -> Proof:
    """Return the proof of Alibaba Cloud MNS: its signature and the secret in the path, for an account on the list."""
    return Proof(
        scheme="mns",
        secrets=_PATH,
        needs=_PATH,
        senders="accounts",
        narrowed="subscriptions",
        marks=("x-mns-signing-cert-url",),
    )


def eventbridge() -> Proof:
    """Return the proof of Alibaba Cloud EventBridge: its signature, and the secret in the path or the token."""
    carried = frozenset({"path", "token"})
    return Proof(scheme="eventbridge", secrets=carried, needs=carried, marks=("x-eventbridge-signature-v2",))


def hmac_body(
    header: str,
    *,
    signed: str = "{body}",
    digest: Digest = "sha256",
    encoding: Encoding = "hex",
    prefix: str = "",
    key_encoding: KeyEncoding = "text",
    time: str = "",
    window: float = 300,
) -> Proof:
    """Return the proof by an HMAC in `header`, of the text `signed`, by a `signing_key`.

    Where `signed` holds neither {body} nor {sha256}, a secret is needed besides.
    """
    return Hmac(
        scheme="hmac_body",
        secrets=_list_carried(header),
        needs=frozenset() if _covers_body(signed) else _list_carried(header),
        key="signing_key",
        marks=(header,),
        header=header,
        signed=signed,
        digest=digest,
        encoding=encoding,
        prefix=prefix,
        key_encoding=key_encoding,
        time=time,
        window=window,
    )


def standard_webhooks(
    *, prefixes: tuple[str, ...] = ("svix-", "webhook-"), key_encoding: KeyEncoding = "base64", window: float = 300
) -> Proof:
    """Return the proof of Standard Webhooks, which Svix made: `signing_key` is as shown there, `whsec_` and all.

    With `key_encoding` "text" the bytes of the whole text are the key, prefix and all.
    """
    return StandardWebhooks(
        scheme="standard_webhooks",
        secrets=SECRETS,
        key="signing_key",
        marks=tuple(f"{prefix}signature" for prefix in prefixes),
        prefixes=prefixes,
        key_encoding=key_encoding,
        window=window,
    )


def ecdsa(header: str, *, signed: str = "{body}") -> Proof:
    """Return the proof by ECDSA and SHA-256 (DER, base64) in `header`, checked with a `public_key`."""
    return _make_public_key(header, signed, "ecdsa-sha256")


def rsa(header: str, *, digest: Literal["sha1", "sha256"] = "sha256", signed: str = "{body}") -> Proof:
    """Return the proof by RSA (PKCS #1 v1.5, base64) in `header`, checked with a `public_key`."""
    return _make_public_key(header, signed, "rsa-sha1" if digest == "sha1" else "rsa-sha256")


def token_in_body(*, members: tuple[str, ...] = ("signature", "parent-signature"), window: float = 43_200) -> Proof:
    """Return the proof by the HMAC of a time and a token in the body, by a `signing_key`; a secret is needed besides.

    In a form its fields are `timestamp`, `token` and `signature`, the last of each.
    """
    return TokenInBody(
        scheme="token_in_body", secrets=SECRETS, needs=SECRETS, key="signing_key", members=members, window=window
    )


def digest_in_body(member: str) -> Proof:
    """Return the proof by the MD5 of the body in `member`, made with the `signing_key` in the place of it."""
    return DigestInBody(scheme="digest_in_body", secrets=SECRETS, key="signing_key", member=member, digest="md5")


def url_form(header: str, *, digest: Digest = "sha1", body_hash: str = "", test_key: str = "") -> Proof:
    """Return the proof by the HMAC (base64) of the address and the fields of a form, by a `signing_key`."""
    return UrlForm(
        scheme="url_form",
        secrets=SECRETS,
        key="signing_key",
        marks=(header,),
        header=header,
        digest=digest,
        body_hash=body_hash,
        test_key=test_key,
    )


def jwt(
    header: str,
    *,
    algorithms: tuple[str, ...] = ("HS256",),
    issuer: str,
    url_hash: str = "",
    max_age: float = 0,
    leeway: float = 1,
) -> Proof:
    """Return the proof by a token in `header` that claims the digest of the body, by a `signing_key`."""
    return Jwt(
        scheme="jwt",
        secrets=_list_carried(header),
        key="signing_key",
        marks=(header,),
        header=header,
        algorithms=algorithms,
        issuer=issuer,
        url_hash=url_hash,
        max_age=max_age,
        leeway=leeway,
    )


def _make_public_key(
    header: str, signed: str, algorithm: Literal["ecdsa-sha256", "rsa-sha1", "rsa-sha256"]
) -> PublicKey:
    return PublicKey(
        scheme="public_key",
        secrets=_list_carried(header),
        needs=frozenset() if _covers_body(signed) else _list_carried(header),
        key="public_key",
        marks=(header,),
        header=header,
        signed=signed,
        algorithm=algorithm,
    )


def _list_carried(header: str) -> frozenset[str]:
    """What can be carried beside a signature: Authorization holds one thing only."""
    return _PATH if header == _AUTHORIZATION else SECRETS


def _covers_body(signed: str) -> bool:
    return not {BODY, DIGEST}.isdisjoint(NAMES.findall(signed))


# ---- Proofs that are written in a file -------------------------------------------------------------------------------

# What a file may name: not the schemes that need lists of the operator's, or another provider's host.
MAKERS: Final[dict[str, Callable[..., Proof]]] = {
    each.__name__: each
    for each in (hmac_body, standard_webhooks, ecdsa, rsa, token_in_body, digest_in_body, url_form, jwt)
}


def build_proof(values: Mapping[str, Any]) -> Proof:
    """Return the proof that a table of a file describes: `scheme` is a name in MAKERS, the rest are its parameters.

    `{"scheme": "secret", "kinds": ["path"]}` is the one by a secret alone. Raises ConfigurationError that names the
    key.
    """
    given = dict(values)
    scheme = given.pop("scheme", "secret")
    if scheme == "secret":
        kinds = _convert("kinds", given.pop("kinds", []), tuple[Literal["path", "bearer", "basic"], ...])
        _refuse_unknown(given, ())
        return secret(*kinds)
    maker = MAKERS.get(scheme) if isinstance(scheme, str) else None
    if maker is None:
        raise ConfigurationError(f"scheme: one of {', '.join(sorted([*MAKERS, 'secret']))}")
    types = {name: hint for name, hint in get_type_hints(maker).items() if name != "return"}
    _refuse_unknown(given, types)
    found = {name: _convert(name, value, types[name]) for name, value in given.items()}
    for name in ("header", "signed", "member"):
        if name in found and not _FORMS[name](found[name]):
            raise ConfigurationError(f"{name}: not of a form that can be right")
    try:
        return maker(**found)
    except TypeError as error:  # a parameter that has no default is missing
        raise ConfigurationError(f"{scheme}: {str(error).partition(': ')[2] or error}") from error


_FORMS: Final[dict[str, Callable[[str], object]]] = {
    "header": re.compile(r"[a-z0-9-]{1,64}").fullmatch,
    "member": re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch,
    "signed": lambda text: NAMES.search(text) and not {"{", "}"} & set(NAMES.sub("", text)),
}


def _refuse_unknown(given: Mapping[str, Any], known: Any) -> None:
    for name in given:
        if name not in known:
            raise ConfigurationError(f"{name[:40]}: unknown here; known are {', '.join(known) or 'none'}")


def _convert(name: str, value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{name}: {error}") from error

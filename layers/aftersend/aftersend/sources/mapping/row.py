"""Of a mapping file what a row needs: a function that takes pushes starts without what reads bodies. Pure."""

from __future__ import annotations

import tomllib
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, ValidationError, convert

from aftersend.core.errors import ConfigurationError
from aftersend.core.vocabulary import Channel
from aftersend.sources.proofs import Proof, build_proof, secret

MAX_KB: Final = 1000  # of a pushed body


class PushFields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the provider pushes."""

    largest_kb: Annotated[int, Meta(ge=1, le=MAX_KB)] = MAX_KB  # of a body
    success: Annotated[int, Meta(ge=200, le=299)] = 204  # the HTTP status that it wants for an answer
    answer: Annotated[str, Meta(max_length=200)] = ""  # the text of that answer, for a provider that looks at it
    methods: frozenset[Literal["POST", "GET"]] = frozenset({"POST"})  # by which it pushes; of GET the query is the body
    probes: frozenset[Literal["GET", "HEAD"]] = frozenset()  # by which it asks whether anybody is there
    proof: list[dict[str, Any]] = []  # how it proves who it is, each as `proofs.build_proof` takes it; else by a secret

    def build_proofs(self) -> tuple[Proof, ...]:
        """Build the proofs; raises ConfigurationError that names the field."""
        return tuple(_build_proof(number, each) for number, each in enumerate(self.proof)) or (secret(),)


def _build_proof(number: int, values: dict[str, Any]) -> Proof:
    try:
        return build_proof(values)
    except ConfigurationError as error:
        raise ConfigurationError(f"push.proof[{number}].{error}") from None


class RowFields(Struct, frozen=True, kw_only=True):
    """What a row takes from a mapping file."""

    source: str
    title: str = ""
    channel: Channel = Channel.EMAIL
    push: PushFields = PushFields()


def read_row(text: str) -> RowFields:
    """Read what a row says of a mapping file that was checked before; raises ConfigurationError where it was not."""
    try:
        return convert(tomllib.loads(text), RowFields)
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigurationError(f"not a mapping: {error}") from error

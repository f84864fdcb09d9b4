"""An erased address stays suppressed under an alias, and nothing of it is kept that names or leads to a person.

The alias is an HMAC (RFC 2104) under the deployment's own key: whoever has an address and the key can ask, nobody can
read the address out of it. It begins with a word of its own before the address is added, so that it has nothing in
common with the digest that stands for the same address in logs (`aftersend.core.digest`). Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from aftersend.core.causes import Claim
from aftersend.core.model import Cause, EvidenceRef, Reverted, Suppression
from aftersend.core.suppression import find_active_causes, find_release

CHANNEL: Final = "erased"  # where a recipient has "email": no list of recipients of a channel holds an alias
_DIGITS: Final = 40
_MOMENT: Final = timedelta(milliseconds=1)


def make_alias(recipient: str, key: bytes) -> str:
    """What stands for `recipient`, which is canonical, once it has been erased."""
    digest = hmac.digest(key, b"erased\0" + recipient.encode(), "sha256")
    return f"{CHANNEL}:{digest.hex()[:_DIGITS]}"


def is_alias(recipient: str) -> bool:
    """Whether this stands for somebody who has been erased."""
    return recipient.startswith(f"{CHANNEL}:")


def strip_suppressions(
    suppressions: Iterable[Suppression], alias: str, now: datetime, taken_back: Sequence[Reverted] = ()
) -> list[Suppression]:
    """What keeps an erased address suppressed: of each scope the causes that hold at `now`, stripped.

    What lies in an accident that a person has taken back holds nobody; what nobody has judged yet is kept.
    Whoever asks whether an address may be written to asks for its alias too, and whoever releases it releases both.
    """
    kept = []
    for suppression in suppressions:
        causes = {
            kind: _stripped(suppression.causes[kind]) for kind in find_active_causes(suppression, now, taken_back)
        }
        if causes:
            kept.append(Suppression(recipient=alias, scope=suppression.scope, causes=causes))
    return kept


def merge_into_alias(kept: Suppression, own: Suppression, stored: Suppression) -> list[Claim]:
    """What `kept`, made of `own`, adds to what is `stored` under the alias.

    Its days are cut down, but not to before a release that the evidence itself came after.
    """
    claims = []
    for kind, cause in kept.causes.items():
        release = find_release(stored, kind)
        latest, true = cause.latest, own.causes[kind].latest
        if release and latest and true and latest.at <= release < true.at:
            cause = replace(cause, latest=replace(latest, at=release + _MOMENT))  # noqa: PLW2901
        claims.append(Claim(*kept.key, kind, cause))
    return claims


def _stripped(cause: Cause) -> Cause:
    """When, why and how long: what is left of a cause without message, feedback and words."""
    return Cause(first=_bare(cause.first), latest=_bare(cause.latest), until=cause.until)


def _bare(mark: EvidenceRef | None) -> EvidenceRef | None:
    """A mark's day and reason. Its very moment could be found again in the provider's logs."""
    if mark is None:
        return None
    day = mark.at.replace(hour=0, minute=0, second=0, microsecond=0)
    return EvidenceRef(at=day, feedback="", message="", source="", reason=mark.reason)

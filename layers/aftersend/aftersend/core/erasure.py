"""An erased address stays suppressed under an alias, and nothing of it remains that names or leads to a person.

The alias is an HMAC (RFC 2104) under the deployment's own key: whoever has an address and the key can ask, nobody can
read the address out of it. Its input begins with a label of its own in front of the address, so that it has nothing in
common with the digest that stands for the same address in logs (`aftersend.core.digest`). Pure.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from aftersend.core.causes import Claim
from aftersend.core.model import Cause, CauseKind, EvidenceRef, Reverted, Suppression
from aftersend.core.suppression import find_active_causes, find_release

CHANNEL: Final = "erased"  # where a recipient has "email": no list of recipients of a channel holds an alias
_DIGITS: Final = 40
_MOMENT: Final = timedelta(milliseconds=1)


def make_alias(recipient: str, key: bytes) -> str:
    """Make what stands for `recipient`, which is canonical, once it has been erased."""
    digest = hmac.digest(key, b"erased\0" + recipient.encode(), "sha256")
    return f"{CHANNEL}:{digest.hex()[:_DIGITS]}"


def is_alias(recipient: str) -> bool:
    """Return whether this stands for somebody who has been erased."""
    return recipient.startswith(f"{CHANNEL}:")


def strip_suppressions(
    suppressions: Iterable[Suppression], alias: str, now: datetime, taken_back: Sequence[Reverted] = ()
) -> list[Suppression]:
    """Return what keeps an erased address suppressed: of each scope the causes that hold at `now` (UTC), stripped.

    What lies in an accident that a person has taken back holds nobody; what nobody has judged yet still counts.
    Whoever asks whether an address may be written to asks for its alias too, and whoever releases it releases both.
    """
    stripped = []
    for suppression in suppressions:
        causes = {kind: _strip(suppression.causes[kind]) for kind in find_active_causes(suppression, now, taken_back)}
        if causes:
            stripped.append(Suppression(recipient=alias, scope=suppression.scope, causes=causes))
    return stripped


def merge_into_alias(stripped: Suppression, own: Suppression, stored: Suppression) -> list[Claim]:
    """Return what `stripped`, made of `own`, adds to what is `stored` under the alias.

    Its days are cut down, but not to before a release that the evidence itself came after.
    """
    claims = []
    for kind, cause in stripped.causes.items():
        whole = own.causes[kind]
        named = _keep_after_release(cause.named, whole.named, kind, stored)
        latest = _keep_after_release(cause.latest, whole.latest, kind, stored)
        claims.append(Claim(*stripped.key, kind, replace(cause, named=named, latest=latest)))
    return claims


def _keep_after_release(
    cut: EvidenceRef | None, whole: EvidenceRef | None, kind: CauseKind, stored: Suppression
) -> EvidenceRef | None:
    """`cut`, moved behind a release that lies between its day and the true moment of the evidence."""
    if cut is None or whole is None:
        return cut
    release = find_release(stored, kind, cut)
    return replace(cut, at=release + _MOMENT) if release and cut.at <= release < whole.at else cut


def _strip(cause: Cause) -> Cause:
    """When, why and how long: what is left of a cause without message, feedback and texts."""
    first, named, latest = (_cut_ref(ref) for ref in (cause.first, cause.named, cause.latest))
    return Cause(first=first, named=named, latest=latest, until=cause.until)


def _cut_ref(ref: EvidenceRef | None) -> EvidenceRef | None:
    """The day and the reason of a piece of evidence. Its very moment could be found again in the provider's logs."""
    if ref is None:
        return None
    day = ref.at.replace(hour=0, minute=0, second=0, microsecond=0)
    return EvidenceRef(at=day, feedback="", message="", source="", reason=ref.reason, derived=ref.derived)

"""Whose certificates are believed: for hosts of Amazon's, Amazon's own roots first; for all others, the system's.

A system trusts some 140 authorities, and reading them takes 25 ms of every start. AWS answers with certificates of five
roots, which lie beside this module. Where they do not do, as behind a proxy that opens what it lets through, the
system's are read as well, once: nothing is refused that the system trusts.

Source of the five and of the advice to have them all: Amazon Trust Services, https://www.amazontrust.com/repository/,
"Trust Store and Pinning Recommendations".
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Final

AMAZON_ROOTS: Final = Path(__file__).with_name("amazon-roots.pem")
_AMAZON_DOMAIN: Final = ".amazonaws.com"


class Trust:
    """The context for TLS with some hosts. May be shared between threads, and between all of those hosts."""

    def __init__(self, context: SSLContext, *, widens: bool) -> None:
        self.context = context
        self._narrow = context if widens else None

    def widen(self, failed: SSLContext) -> bool:
        """Believe the system's authorities as well from now on, because with `failed` a certificate was not verified.

        Returns whether another try with `context` may help: not where `failed` knew them already.
        """
        if failed is not self._narrow:
            return False
        if self.context is failed:  # else another thread has met the same
            wide = create_default_context(cafile=str(AMAZON_ROOTS))
            wide.load_default_certs()
            self.context = wide
        return True


def find_trust(host: str, authorities: str | None = None) -> Trust:
    """Return whom to believe about `host`: the certificates in the file `authorities` alone, if there is one.

    Raises OSError (SSLError too) where the file cannot be read, or holds no certificate.
    """
    return _make_trust(authorities, authorities is None and host.endswith(_AMAZON_DOMAIN))


@lru_cache(maxsize=4)
def _make_trust(authorities: str | None, amazon: bool) -> Trust:
    """Make a context once for all hosts that it is for: reading certificates takes a good part of a start."""
    return Trust(create_default_context(cafile=str(AMAZON_ROOTS) if amazon else authorities), widens=amazon)


def forget() -> None:
    """Read the certificates again, with the next connection to a host that none was made to."""
    _make_trust.cache_clear()

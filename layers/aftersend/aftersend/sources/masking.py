"""Takes the addresses of other people out of a fact, before it is stored. Pure.

A remote system quotes whom it likes: everybody who was in the same transaction, the address that a mail was forwarded
from, a list's members. Whoever of them asks to be erased must not stay in somebody else's outcome, where nobody would
look for them. So what is stored of a recipient holds no address but theirs; the archive has the whole. What is masked
depends on the fact alone, so whatever path it comes by it stays the same fact.
"""

from __future__ import annotations

import re
from typing import Final, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from aftersend import verp
from aftersend.core.model import Feedback
from aftersend.core.recipient import canonicalize_email

_EDGES: Final = frozenset(("", " ", "<", ">", ",", ";", ":", "(", ")"))  # between an address and what is around it
MASK: Final = "x"  # in place of the name before the "@": what reads addresses still reads one, and of that domain

_NAME: Final = r"[^\s<>\"'(),:;@\[\]]"
_DOMAIN: Final = r"(?:\[[0-9A-Za-z.:]{1,50}\]|[^\s<>\"'(),:;@\[\]/?&=%!|*]++)"
_ADDRESS: Final = re.compile(
    rf"(?P<name>(?:(?<!{_NAME})|(?<=[/?&=%!|*])){_NAME}++|\"[^\"@]{{1,64}}\")@(?P<domain>{_DOMAIN})"
)
# As links hold one, and as bounce addresses do ("b+ann=example.com@relay.example").
_IN_LINK: Final = re.compile(r"(?P<name>(?<![^\s/?&=#;:,])[^\s/?&=#;:,%@]++)%40(?P<domain>[\w.-]++)", re.IGNORECASE)
_IN_NAME: Final = re.compile(r"(?P<name>(?<![\w.])[\w.]++)=(?P<domain>[\w-]++(?:\.[\w-]++)++)(?=[^@\s]*@)")
# RFC 2142, RFC 5321 section 4.5.1: of a machine, not of a person.
_ROLES: Final = frozenset({"postmaster", "abuse", "mailer-daemon", "hostmaster"})

_S = TypeVar("_S", bound=Struct)


def mask_others(fact: Feedback) -> Feedback:
    """Return `fact` without the addresses of anybody but its recipient; itself, where there are none."""
    evidence, engagement, context = fact.evidence, fact.engagement, fact.context
    if evidence is not None:
        evidence = _mask_fields(evidence, ("text", "provider_code"), fact.recipient)
    if engagement is not None:
        engagement = _mask_fields(engagement, ("link",), fact.recipient)
    if context is not None:
        known = context.correlation
        context = _mask_fields(context, ("subject",), fact.recipient)
        masked = {name: _MASKING.get(name, mask_text)(value, fact.recipient) for name, value in known.items()}
        context = context if masked == known else replace(context, correlation=masked)
    received_as = mask_text(fact.received_as, fact.recipient) if fact.received_as else fact.received_as
    if (evidence, engagement, context, received_as) == (fact.evidence, fact.engagement, fact.context, fact.received_as):
        return fact
    # What decides may have changed with it, so it is another fact: the same for all who tell it.
    return replace(fact, evidence=evidence, engagement=engagement, context=context, received_as=received_as, id="")


def mask_text(text: str, recipient: str) -> str:
    """Return `text` with a mask for the name in every address that is not that of `recipient` (canonical)."""
    own = recipient.partition(":")[2]
    if _names_nobody_else(text, own):
        return text

    def masked(found: re.Match[str]) -> str:
        name, domain = found["name"], found["domain"]
        before = name.rfind("...") + 3  # a sentence that ends where the address begins
        if before > 2:
            name = name[before:]
        given = f"{name}@{domain}".casefold()
        if name.casefold() in _ROLES or given == own or own.replace("@", "=") in name.casefold():
            return found[0]
        if not name or canonicalize_email(given.rstrip(".")) == recipient:
            return found[0]
        return found["name"][: len(found["name"]) - len(name)] + MASK + found[0][len(found["name"]) :]

    text = mask_names(text, recipient)
    if "@" in text:
        text = _ADDRESS.sub(masked, text)
    return _IN_LINK.sub(masked, text) if "%40" in text else text


def _names_nobody_else(text: str, own: str) -> bool:
    """Whether the only address in a text is plainly that of its recipient, as it is in most."""
    if "@" not in text:
        return "%40" not in text
    if "%40" in text or "=" in text or "@" not in own:
        return False
    start = text.lower().find(own)
    end = start + len(own)
    return start >= 0 and text.count("@") == 1 and text[start - 1 : start] in _EDGES and text[end : end + 1] in _EDGES


def mask_names(text: str, recipient: str) -> str:
    """Return `text` with a mask for everybody but `recipient` who is named inside the name of a bounce address."""
    own = recipient.partition(":")[2].replace("@", "=")

    def masked(found: re.Match[str]) -> str:
        return found[0] if found[0].casefold().startswith(own) else f"{MASK}={found['domain']}"

    if "=" not in text or "@" not in text or own in text.casefold():
        return text
    return _IN_NAME.sub(masked, text)


def _mask_fields(struct: _S, names: tuple[str, ...], recipient: str) -> _S:
    changes = {}
    for name in names:
        text = getattr(struct, name)
        if text and (masked := mask_text(text, recipient)) != text:
            changes[name] = masked
    return replace(struct, **changes) if changes else struct


# The bounce address that a report came to is the sender's own, with their reference in it.
_MASKING: Final = {verp.CORRELATION: mask_names, verp.RETURNED: mask_names}

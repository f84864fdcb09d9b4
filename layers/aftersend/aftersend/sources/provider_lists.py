"""The lists on which providers keep whom they do not send to, and how an address is taken off, as data.

A source's row names the one of its provider; `aftersend.jobs.delist` has the one implementation, and knows no provider.
Sources: the API references of Twilio SendGrid ("Suppressions"), Mailgun ("Suppressions"), Postmark ("Suppressions
API"), Brevo ("Unblock or resubscribe a transactional contact"), Mailjet ("Contacts").
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct


class Holds(StrEnum):
    """Why a provider has put somebody on a list."""

    FAILURES = "failures"  # what it could not deliver
    WISHES = "wishes"  # complaints, and who left: a person's own
    BOTH = "both"


class ProviderList(Struct, frozen=True, kw_only=True):
    """One list, and the request that takes an address off it."""

    name: str  # as the provider calls it
    holds: Holds
    path: str  # with {address} and {place}, each of which is escaped
    method: Literal["DELETE", "POST", "PUT"] = "DELETE"
    body: str = ""  # JSON, with {address} in the place of a text
    failed: tuple[str, str] = ("", "")  # a member of an answer with 200, and what it says where it was not done


class ProviderLists(Struct, frozen=True, kw_only=True):
    """The lists of one provider, and how its API is asked."""

    hosts: tuple[str, ...]  # a key is shown to no other; the first is asked where none is named
    auth: Literal["bearer", "basic", "header"]
    header: str = "authorization"
    user: str = ""  # of `basic`; empty: the key is user:password
    places: tuple[str, ...] = ()  # what {place} stands for, where the operator names none
    lists: tuple[ProviderList, ...]

    @property
    def needs_place(self) -> bool:
        """Whether a domain or a stream has to be named."""
        return any("{place}" in each.path for each in self.lists)


def sendgrid() -> ProviderLists:
    """Return the lists of SendGrid; the key needs the right `suppression.delete`, and of groups nothing is changed."""
    failures = ("bounces", "blocks", "invalid_emails")
    return ProviderLists(
        hosts=("api.sendgrid.com", "api.eu.sendgrid.com"),
        auth="bearer",
        lists=(
            *(_delete(name, Holds.FAILURES, f"/v3/suppression/{name}/{{address}}") for name in failures),
            _delete("spam_reports", Holds.WISHES, "/v3/suppression/spam_reports/{address}"),
            _delete("global_unsubscribes", Holds.WISHES, "/v3/asm/suppressions/global/{address}"),
        ),
    )


def mailgun() -> ProviderLists:
    """Return the lists of Mailgun, which has them for each domain; the operator names the domains."""
    return ProviderLists(
        hosts=("api.mailgun.net", "api.eu.mailgun.net"),
        auth="basic",
        user="api",
        lists=(
            _delete("bounces", Holds.FAILURES, "/v3/{place}/bounces/{address}"),
            _delete("complaints", Holds.WISHES, "/v3/{place}/complaints/{address}"),
            _delete("unsubscribes", Holds.WISHES, "/v3/{place}/unsubscribes/{address}"),
        ),
    )


def postmark() -> ProviderLists:
    """Return the list of Postmark, which has one for each message stream; who complained stays on it."""
    return ProviderLists(
        hosts=("api.postmarkapp.com",),
        auth="header",
        header="x-postmark-server-token",
        places=("outbound",),
        lists=(
            ProviderList(
                name="suppressions",
                holds=Holds.BOTH,
                method="POST",
                path="/message-streams/{place}/suppressions/delete",
                body='{"Suppressions":[{"EmailAddress":{address}}]}',
                failed=("Status", "Failed"),
            ),
        ),
    )


def brevo() -> ProviderLists:
    """Return the list of Brevo's transactional contacts."""
    return ProviderLists(
        hosts=("api.brevo.com",),
        auth="header",
        header="api-key",
        lists=(_delete("blockedContacts", Holds.BOTH, "/v3/smtp/blockedContacts/{address}"),),
    )


def mailjet() -> ProviderLists:
    """Return the list of Mailjet that its API changes: contacts that are left out of campaigns."""
    return ProviderLists(
        hosts=("api.mailjet.com", "api.us.mailjet.com"),
        auth="basic",
        lists=(
            ProviderList(
                name="exclusion",
                holds=Holds.BOTH,
                method="PUT",
                path="/v3/REST/contact/{address}",
                body='{"IsExcludedFromCampaigns":false}',
            ),
        ),
    )


def _delete(name: str, holds: Holds, path: str) -> ProviderList:
    return ProviderList(name=name, holds=holds, path=path)


ADDRESS: Final = "{address}"
PLACE: Final = "{place}"

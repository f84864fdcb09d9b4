"""The words and numbers of Adobe Campaign and Journey Optimizer: statuses, failures, channels. Pure.

Sources: Campaign v8 and Classic v7 documentation, "Understand delivery failures", "Delivery statuses", in English and
in Swedish; the formulas of "Indicator calculation" and the queries of "Database cleanup workflow", which give the few
numbers that are documented; Adobe's XDM repository, "mutationevent", which gives each reason a word. Those words are
the names here. Labels are compared by their letters and digits alone.

Where a number means something else in another table (2 is a failure in a delivery log, and "Valid" in `nms:address`),
it stands in the table of that schema alone; what is documented nowhere (statuses 3 to 5) stands in none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from aftersend.core.model import Kind
from aftersend.core.text import truncate
from aftersend.core.vocabulary import Channel


def fold(text: str) -> str:
    """Return a name or a label as its letters and digits alone, in lower case."""
    return "".join(filter(str.isalnum, text.casefold()))


def _spell(names: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """The table by every spelling of a name, its own among them."""
    return {fold(spelling): name for name, spellings in names.items() for spelling in (name, *spellings)}


# Statuses of a delivery log, by their names here.
KINDS: Final[dict[str, Kind | None]] = {
    "sent": Kind.SENT,
    "taken": Kind.SENT,  # into account by the service provider: the MTA of Adobe, or that of text messages
    "received": Kind.DELIVERED,  # on the mobile
    "failed": Kind.BOUNCED,
    "ignored": Kind.REJECTED,
    "cancelled": Kind.REJECTED,
    "pending": None,  # nothing has happened yet; with a failure, another attempt follows
    "prepared": None,
    "not_applicable": None,
}
STATUSES: Final = _spell(
    {
        "sent": (
            *("1", "Delivered", "Skickat", "Skickad", "Levererat", "Sent to the service provider"),
            *("Skickat till tjänsteleverantören", "Skickat till tjänstleverantören"),
        ),
        "taken": (
            *("Taken into account by the service provider", "Taken into account"),
            *("Tjänsteleverantören har tagit hänsyn till", "Som tagits med i beräkningen av tjänsteleverantören"),
            *("Har tagits med i beräkningen av tjänsteleverantören", "Tjänstleverantören har tagit hänsyn till"),
        ),
        "received": ("Received on mobile", "Mottaget", "Mottaget på mobilen", "Mottagen på mobilen"),
        "failed": ("2", "Failure", "Failed", "Misslyckades", "Misslyckad", "Misslyckat", "Fel"),
        "ignored": ("Ignorerad", "Ignorerat", "Ignoreras"),
        "cancelled": (
            *("7", "Canceled", "Delivery cancelled", "Delivery canceled"),
            *("Leveransen har avbrutits", "Leveransen avbröts", "Leverans avbruten"),
        ),
        "pending": ("6", "Väntande", "Väntar"),
        "prepared": ("Förberedd", "Förberett"),
        "not_applicable": ("Not applicable", "Ej tillämpligt", "Inte tillämpligt"),
    }
)

# Statuses of an address (`nms:address`), which no message has.
OF_ADDRESSES: Final = frozenset(
    map(fold, ("Valid", "Giltig", "With errors", "Med fel", "Erroneous", "Quarantine", "Karantän", "I karantän"))
) | frozenset(map(fold, ("Denylisted", "Blacklisted", "On denylist", "Allowlisted", "Whitelisted", "Blocklistad")))

TYPES: Final = _spell(
    {
        "soft": ("1", "Mjuk", "Mjukt", "Mjukt fel", "Soft bounce", "Soft error"),
        "hard": ("2", "Hård", "Hårt", "Hårt fel", "Hard bounce", "Hard error"),
        "ignored": ("3", "Ignorerad", "Ignorerat"),
        "undefined": ("0", "Not defined", "Ej definierad", "Odefinierad"),
    }
)

REASONS: Final = _spell(
    {
        "undefined": ("0", "Not defined", "Ej definierad", "Odefinierad"),
        "unknown_user": ("1", "User unknown", "Unknown user", "Okänd användare"),
        "invalid_domain": ("2", "Invalid domain", "Ogiltig domän"),
        "unreachable": ("3", "Onåbar", "Oåtkomlig"),
        "disabled": ("4", "Account disabled", "Kontot är inaktiverat"),
        "mailbox_full": ("5", "Mailbox full", "Inbox full", "Postlådan är full"),
        "not_connected": ("6", "Not connected", "Inte ansluten"),
        "address_undefined": (
            *("7", "Address not specified", "Address empty", "Address not defined", "Adressen har inte angetts"),
        ),
        "denylisted": (
            *("8", "Denylisted address", "On denylist", "Denylist", "Blacklisted", "Blacklisted address"),
            *("Address on denylist", "Blocklist adress", "Blocklistad adress"),
        ),
        "quarantine": ("9", "Address in quarantine", "Quarantined address", "Quarantined", "Adress i karantän"),
        "duplicate": ("10", "Double", "Dubbel"),
        "typology_rule": ("11", "Excluded by a SQL rule", "Exkluderad av en SQL-regel"),
        "business_ranking": ("12", "Excluded after arbitration", "Uteslutet efter skiljedom"),
        "quality": ("14", "Bad-quality address", "Felaktig adress"),
        "unchecked": ("15", "Unqualified address", "Okvalificerad adress"),
        "offer_missing": ("16", "Not eligible for the offers", "Erbjudandena är inte giltiga"),
        "over_delivery_limit": ("17", "Target limited in size", "Målet är begränsat"),
        "refused": ("20", "Rejected", "Avvisad"),
        "error_ignored": ("25", "Error ignored", "Felet ignorerades"),
        "control_group": ("127", "Control address", "Kontrolladress"),
        "cancelled": ("Delivery cancelled", "Delivery canceled"),
        "expired": (),
        "too_long": ("Text too long",),
        "untranslatable": ("Character not supported by encoding",),
    }
)
# Reasons for which nothing was sent: Campaign's own lists, and what the sender had decided.
OWN_LISTS: Final = frozenset({"denylisted", "quarantine"})
EXCLUSIONS: Final = frozenset(
    (
        *("address_undefined", "duplicate", "typology_rule", "business_ranking", "quality", "unchecked"),
        *("offer_missing", "over_delivery_limit", "control_group", "cancelled"),
    )
)

# The classes of Adobe's own MTA, by their numbers: Journey Optimizer names them ("Email error types"), and Campaign's
# texts may be tagged with them (Momen_Code10_InvalidRecipient).
CLASSES: Final = {
    "1": "undetermined",
    "10": "invalid_recipient",
    "15": "recipient_refused",
    "20": "soft_bounce",
    "21": "dns_failure",
    "22": "mailbox_full",
    "23": "too_large",
    "24": "timeout",
    "25": "admin_failure",
    "30": "generic_bounce_no_rcpt",
    "40": "generic_bounce",
    "50": "mail_block",
    "51": "spam_block",
    "52": "spam_content",
    "54": "relaying_denied",
    "60": "auto_reply",
    "70": "transient_failure",
    "100": "challenge_response",
}

# Channels of a delivery, and the service of a token where the channel says it.
CHANNELS: Final[dict[str, tuple[Channel, str]]] = {
    fold(spelling): found
    for found, spellings in (
        ((Channel.EMAIL, ""), ("0", "Email", "E-post", "Mail", "E-postadress")),
        ((Channel.SMS, ""), ("1", "SMS", "Mobile", "Mobile (SMS)", "Mobil (SMS)")),
        ((Channel.PUSH, "apns"), ("41", "iOS", "iOS push", "apns", "Mobile application (iOS)", "Push iOS")),
        ((Channel.PUSH, "fcm"), ("42", "Android", "Android push", "fcm", "Mobile application (Android)")),
    )
    for spelling in spellings
}


def name_failure(type_: str, reason: str, channel: Channel = Channel.EMAIL) -> str | None:
    """Return type and reason of a failure as one word of Campaign's, such as "hard/unknown_user"; None without both.

    "Refused" is also what every failure of a text message or a push is called that nobody has qualified yet: there it
    says nothing, and is called "unqualified".
    """
    if not type_ and not reason:
        return None
    found = REASONS.get(fold(reason), truncate(reason.strip(), 40)) or "undefined"
    if found == "refused" and channel is not Channel.EMAIL:
        found = "unqualified"
    return f"{TYPES.get(fold(type_), 'undefined')}/{found}"

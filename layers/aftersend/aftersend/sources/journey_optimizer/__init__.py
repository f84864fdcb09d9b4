"""Adobe Experience Platform: feedback of messages of Journey Optimizer, and events of Adobe Campaign.

Sources: Adobe's XDM repository (see `xdm`); Journey Optimizer documentation, "Datasets query examples", "Email error
types"; Campaign documentation on the events that it sends to the platform. What is not obvious there:
- both come by export of a data set, up to two hours late, or by a stream, and never signed;
- `messageID` is not unique where a journey sends the same action again, so four ids together are the key;
- an event of Campaign may be a correction: `mutation` has what was said before, and the top level what is so now;
- a message to a seed, a proof, a test profile or the control group is no message to a recipient;
- an e-mail that was "sent" was accepted by Adobe's MTA or by the other side's: nobody says that it arrived.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from aftersend.classify.evidence import evidence_from
from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.message_key import MAX_ID
from aftersend.core.model import UNNAMED, Context, Evidence, Feedback, Kind, Protocol
from aftersend.core.recipient import canonicalize_email, canonicalize_push, canonicalize_sms
from aftersend.core.text import truncate
from aftersend.core.times import parse_time
from aftersend.core.vocabulary import Channel
from aftersend.sources.adobe import CLASSES, EXCLUSIONS, OWN_LISTS, fold, name_failure
from aftersend.sources.journey_optimizer.xdm import XdmEvent, index, unwrap
from aftersend.sources.message import NO_HEADERS, Headers

SOURCE: Final = "journey_optimizer"
MAX_TEXT: Final = 1_024

# What Journey Optimizer says of a message.
FEEDBACK: Final = {
    "sent": Kind.SENT,
    "delivered": Kind.DELIVERED,
    "read": Kind.OPENED,
    "bounce": Kind.BOUNCED,
    "out_of_band": Kind.BOUNCED,  # a bounce that came as mail
    "delay": Kind.DEFERRED,
    "denylist": Kind.REJECTED,
    "exclude": Kind.REJECTED,
    "duplicate": Kind.REJECTED,
    "error": Kind.REJECTED,
}
# What somebody did with it (`messageInteraction.interactionType`).
INTERACTIONS: Final = {
    "open": Kind.OPENED,
    "click": Kind.CLICKED,
    "spamcomplaint": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED,
}
# What an event of Campaign counts, and the types of events of the platform.
METRICS: Final = {
    "non-deliverables": Kind.BOUNCED,
    "nondeliverables": Kind.BOUNCED,
    "bounces": Kind.BOUNCED,
    "hardbounces": Kind.BOUNCED,
    "softbounces": Kind.BOUNCED,
    "clicks": Kind.CLICKED,
    "opens": Kind.OPENED,
    "unsubscriptions": Kind.UNSUBSCRIBED,
    "deliveries": Kind.DELIVERED,
    "sends": Kind.SENT,
}
EVENT_TYPES: Final = {
    "emailbounced": Kind.BOUNCED,
    "emailbouncedsoft": Kind.BOUNCED,
    "emailclicked": Kind.CLICKED,
    "emailopened": Kind.OPENED,
    "emaildelivered": Kind.DELIVERED,
    "emailsent": Kind.SENT,
    "emailunsubscribed": Kind.UNSUBSCRIBED,
}
# How a class of Adobe's MTA is named: by its number, by its label, and as one sample has it.
_CLASSES: Final = CLASSES | {fold(name): name for name in CLASSES.values()} | {"messageboxisfull": "mailbox_full"}
_NOT_RECIPIENTS: Final = (
    *("message/seedmember", "message/proofmember", "message/testmember", "message/controlgroupmember"),
    *("campaign/seedmember", "campaign/proofmember", "campaign/testmember", "campaign/controlgroupmember"),
    *("messageprofile/istestexecution", "messageexecution/isproof", "/testprofile"),
)
_JOURNEY: Final = "messagedeliveryfeedback/feedbackstatus"
_IDS: Final = ("messageid", "journeyversionid", "journeyactionid", "batchinstanceid")
_SERVICES: Final = dict.fromkeys(("apns", "apnssandbox", "ios"), "apns") | dict.fromkeys(
    ("fcm", "gcm", "android"), "fcm"
)


def parse(raw: bytes, _headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Parse one event, an array of events, or one on each line; raises MalformedFeedback.

    An event about no message gives nothing, and so does one about a message that went to no recipient.
    """
    try:
        return [fact for event in _read_events(raw) for fact in _read_event(index(unwrap(event)))]
    except DECODE_ERRORS as error:
        raise MalformedFeedback(SOURCE, f"not an event of the platform: {error}") from error
    except ValueError as error:  # its text quotes the body
        raise MalformedFeedback(SOURCE, "a time is in no format that is known") from error


def _read_events(raw: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        found = msgspec.json.decode(raw)
    except msgspec.DecodeError:  # one event on each line
        found = msgspec.json.Decoder().decode_lines(raw)
    for event in found if isinstance(found, list) else [found]:
        if not isinstance(event, dict):
            raise MalformedFeedback(SOURCE, "an event is no object")
        yield event


def _read_event(event: XdmEvent) -> Iterator[Feedback]:
    if any(event.is_true(name) for name in _NOT_RECIPIENTS):
        return
    kind, evidence = _read_journey(event) if _is_of_journey(event) else _read_campaign(event)
    channel, service = _find_channel(event)
    message = _make_key(event, channel)
    if kind is None or not message:
        return
    time = event.find("/timestamp")
    if not isinstance(time, str):
        raise MalformedFeedback(SOURCE, "an event has no time")
    if evidence is not None and channel is not Channel.EMAIL:  # the numbers in such a text are no replies of SMTP
        evidence = _as_of_channel(evidence, channel)
    yield Feedback(
        source=SOURCE,
        kind=kind,
        message=message,
        recipient=_find_recipient(event, channel, service),
        occurred_at=parse_time(time[:64]),
        evidence=evidence,
        context=_make_context(event),
    )


def _is_of_journey(event: XdmEvent) -> bool:
    return event.find(_JOURNEY, "messageexecution/messageid", "messageinteraction/interactiontype") is not None


def _read_journey(event: XdmEvent) -> tuple[Kind | None, Evidence | None]:
    """What became of a message of Journey Optimizer, and what proves it; (None, None) where it says neither."""
    status = event.find_text(_JOURNEY).lower()
    if not status:
        done = event.find_text("messageinteraction/interactiontype")
        kind = INTERACTIONS.get(done.lower(), Kind.UNKNOWN) if done else None
        return kind, _keep_word(kind, done)
    kind = FEEDBACK.get(status, Kind.UNKNOWN)
    if kind in {Kind.SENT, Kind.DELIVERED, Kind.OPENED}:
        return kind, None
    if kind is Kind.UNKNOWN:
        return kind, _keep_word(kind, status)
    reason = event.find_text("messagefailure/reason", "messagefailure/failurereason", "messageexclusion/reason")
    code = event.find_text("messagefailure/code", "messagefailure/failurecode", "messageexclusion/code")
    type_ = event.find_text("messagefailure/type", "messagefailure/failuretype").lower()[:20] or "undefined"
    label = _CLASSES.get(fold(reason))
    named = status if kind is Kind.REJECTED else label or _CLASSES.get(fold(code)) or "undefined"
    attempt = event.find("messagedeliveryfeedback/retrycount")
    evidence = evidence_from(text="" if label else truncate(reason, MAX_TEXT), provider_code=f"{type_}/{named}")
    if isinstance(attempt, int) and not isinstance(attempt, bool) and 0 <= attempt < 1_000:
        evidence = msgspec.structs.replace(evidence, attempt=attempt + 1)
    return kind, evidence


def _keep_word(kind: Kind | None, word: str) -> Evidence | None:
    """The raw word of a type that is not known."""
    return Evidence(provider_code=truncate(word, 64)) if kind is Kind.UNKNOWN else None


def _read_campaign(event: XdmEvent) -> tuple[Kind | None, Evidence | None]:
    """What became of a message of Campaign, and what proves it; (None, None) where an event says neither."""
    reason = event.find_text("message/reason", "campaign/reason")
    text = truncate(event.find_text("message/reasonmessage", "campaign/reasonmessage"), MAX_TEXT)
    quarantined = event.is_true("message/quarantine") or event.is_true("campaign/quarantine")
    failure = name_failure("hard" if quarantined else "", reason)
    word = (failure or "").partition("/")[2]
    if word not in {"", "undefined"}:
        kind = Kind.REJECTED if word in OWN_LISTS | EXCLUSIONS else Kind.BOUNCED
        return kind, evidence_from(text=text, provider_code=failure)
    counted = _find_counted(event)
    if counted is Kind.BOUNCED:
        return counted, evidence_from(text=text, provider_code=failure)
    return counted, None


def _find_counted(event: XdmEvent) -> Kind | None:
    for name, kind in METRICS.items():
        inner = event.find(f"{name}/value", f"{name}/sends")
        value = inner.get("value") if isinstance(inner, dict) else inner
        if isinstance(value, int | float) and value > 0:
            return kind
    type_ = event.find_text("/eventtype").rpartition(".")[2].lower()
    return EVENT_TYPES.get(type_)


def _find_channel(event: XdmEvent) -> tuple[Channel, str]:
    """By what a message travelled, and the service of its token, where it has one."""
    address = event.find("/channel", "messageprofile/channel", "channel/id", "delivery/channel", "campaign/channel")
    if isinstance(address, dict):
        address = address.get("_id") or address.get("@id")
    name = address.rpartition("/")[2].lower() if isinstance(address, str) else ""
    platform = event.find_text("pushchannelcontext/platform", "pushproviderdetail/platform").lower() or name
    if name == "whatsapp":  # a number there is an account there, and no telephone that takes text messages
        return Channel.PUSH, "whatsapp"
    if name == "push" or name in _SERVICES or event.find("pushchannelcontext/token") is not None:
        return Channel.PUSH, _SERVICES.get(platform, "")
    return (Channel.SMS if name == "sms" or event.find("smschannelcontext/address") else Channel.EMAIL), ""


def _make_key(event: XdmEvent, channel: Channel) -> str:
    """The join key; an empty text for an event of no message."""
    ids = [event.find_text(f"messageexecution/{name}") for name in _IDS]
    if ids[0] or event.find_text("messageexecution/id"):
        return _join_ids("ajo", ids if ids[0] else [event.find_text("messageexecution/id")])
    id_ = event.find_text("message/id", "campaign/broadlogid")
    schema = "nms:broadLogAppSubRcp" if channel is Channel.PUSH else "nms:broadLogRcp"
    return f"campaign:{schema}:{truncate(id_, MAX_ID)}" if id_ else ""


def _join_ids(prefix: str, ids: list[str]) -> str:
    """One id of several, as they are where they are short enough."""
    joined = ":".join(ids).rstrip(":")
    if len(truncate(joined, MAX_ID)) < len(joined):
        joined = blake2b(joined.encode("utf-8", "replace"), digest_size=16).hexdigest()
    return f"{prefix}:{truncate(joined, MAX_ID)}"


_ADDRESSES: Final = (
    *("emailchannelcontext/address", "workemail/address", "personalemail/address", "email/address"),
    *("message/address", "campaign/address"),
)
_NUMBERS_OF: Final = (
    *("smschannelcontext/address", "smschannelcontext/number", "whatsappchannelcontext/address"),
    *("mobilephone/number", "homephone/number", "message/address", "campaign/address"),
)
_TOKENS: Final = ("pushchannelcontext/token", "pushnotificationdetails/token")


def _find_recipient(event: XdmEvent, channel: Channel, service: str) -> str:
    """Who it went to; UNNAMED where an event names nobody by an address, as those of push may."""
    if channel is Channel.EMAIL:
        address = event.find_text(*_ADDRESSES) or _find_identity(event, "email")
        return canonicalize_email(address) if address else UNNAMED
    if service == "whatsapp" or channel is Channel.SMS:
        number = event.find_text(*_NUMBERS_OF) or _find_identity(event, "phone")
        if not number or channel is Channel.SMS:
            return canonicalize_sms(number) if number else UNNAMED
        return canonicalize_push(service, canonicalize_sms(number).removeprefix("sms:"))
    token = event.find_text(*_TOKENS)
    return canonicalize_push(service, token) if token and service else UNNAMED


def _find_identity(event: XdmEvent, namespace: str) -> str:
    """The first identity of a namespace: {"Email": [{"id": …}]}."""
    listed = event.find(f"identitymap/{namespace}")
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and isinstance(found := entry.get("id", entry.get("xdm:id")), str):
            return found[:512]
    return ""


def _as_of_channel(evidence: Evidence, channel: Channel) -> Evidence:
    protocol = Protocol.SMPP if channel is Channel.SMS else Protocol.HTTP
    return msgspec.structs.replace(evidence, code=None, status=None, phase=None, protocol=protocol)


def _make_context(event: XdmEvent) -> Context | None:
    found = {
        "campaign": event.find_text("messageexecution/campaignid", "marketingcampaign/id", "campaign/campaignid"),
        "journey": event.find_text("messageexecution/journeyversionid"),
        "delivery": event.find_text("delivery/id", "campaign/deliveryid"),
        "external": event.find_text("message/externalid", "external/id", "campaign/externalid"),
    }
    correlation = {name: truncate(value, 128) for name, value in found.items() if value}
    return Context(correlation=correlation) if correlation else None

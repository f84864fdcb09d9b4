"""The facts of a body, as a mapping reads them. Pure: bytes in, facts out, and nothing but MalformedFeedback raised."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import msgspec

from aftersend.classify.evidence import parse_phase
from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.message_key import MAX_ID, make_message_key
from aftersend.core.model import UNNAMED, Context, Engagement, Evidence, Feedback, Kind
from aftersend.core.recipient import (
    MAX_RECIPIENT_BYTES,
    MAX_TOKEN_BYTES,
    canonicalize_email,
    canonicalize_push,
    canonicalize_sms,
)
from aftersend.core.text import truncate, truncate_host, truncate_or_none
from aftersend.core.vocabulary import Channel
from aftersend.sources.forms import read_form
from aftersend.sources.mapping.compiled import EventMeaning, Found, SourceMapping
from aftersend.sources.mapping.paths import MAX_VALUES, find_all, find_events
from aftersend.sources.mapping.values import is_yes, to_number, to_text, to_time
from aftersend.sources.message import NO_HEADERS, Headers
from aftersend.sources.smtp_reply import parse_reply

MAX_EVENTS: Final = 2_500  # of one body
MAX_FACTS: Final = 10_000
MAX_CUSTOM: Final = 16
MAX_CODE: Final = 64

_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}").fullmatch
_UNKNOWN: Final = EventMeaning(Kind.UNKNOWN)
_ENGAGED: Final = frozenset({Kind.OPENED, Kind.CLICKED, Kind.UNSUBSCRIBED, Kind.SUBSCRIBED, Kind.COMPLAINED})

_decode: Final = msgspec.json.Decoder().decode

Scopes = Sequence[Any]  # an event, and behind it what it lies in


def read_body(mapping: SourceMapping, body: bytes, headers: Headers = NO_HEADERS) -> list[Feedback]:
    """Return the facts that a body tells; raises MalformedFeedback."""
    facts: list[Feedback] = []
    for scopes in list_events(mapping, body, headers):
        facts += _read_event(mapping, scopes)
        if len(facts) > MAX_FACTS:
            raise MalformedFeedback(mapping.source, f"more than {MAX_FACTS} facts in one body")
    return facts


def list_events(mapping: SourceMapping, body: bytes, headers: Headers = NO_HEADERS) -> list[list[Any]]:
    """Return the events of a body, each with what it lies in behind it; raises MalformedFeedback."""
    decoded = _decode_body(mapping, body, headers)
    if not isinstance(decoded, dict | list):
        raise MalformedFeedback(mapping.source, "neither an object nor a list of them")
    events = list(islice(find_events(decoded, mapping.events), MAX_EVENTS + 1))
    if len(events) > MAX_EVENTS:
        raise MalformedFeedback(mapping.source, f"more than {MAX_EVENTS} events in one body")
    return events


def _decode_body(mapping: SourceMapping, body: bytes, headers: Headers) -> Any:
    try:
        if mapping.form == "json" or body.lstrip()[:1] in (b"{", b"["):
            return _decode(body)
        form = _decode_form(body, headers.get("content-type", ""))
        return _decode(form.get(mapping.field, "")) if mapping.field else form
    except DECODE_ERRORS as error:
        raise MalformedFeedback(mapping.source, f"not JSON: {error}") from error
    except ValueError as error:
        raise MalformedFeedback(mapping.source, "not a form, or one of too many fields") from error


def _decode_form(body: bytes, content_type: str) -> dict[str, str]:
    """The fields of a form, of repeated names the first."""
    pairs = read_form(body.strip(), content_type)
    return {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in reversed(pairs)}


def find_word(mapping: SourceMapping, scopes: Scopes) -> str:
    """Return the word that says what an event is, as the provider writes it; an empty text where it has none."""
    return _find_text(scopes, mapping.fields["word"])


def find_meaning(mapping: SourceMapping, scopes: Scopes, word: str) -> EventMeaning | None:
    """Return what an event with this word is; None where the mapping knows it not."""
    folded = word.casefold()
    for case in mapping.cases:
        if (not case.words or folded in case.words) and all(test.holds(scopes) for test in case.tests):
            return case.meaning
    return mapping.words.get(folded)


def _read_event(mapping: SourceMapping, scopes: Scopes) -> Iterator[Feedback]:
    word = find_word(mapping, scopes)
    known = find_meaning(mapping, scopes, word)
    if known is None and not word:
        raise MalformedFeedback(mapping.source, "an event that does not say what it is")
    meaning = known or _UNKNOWN
    if meaning.kind is None:
        return
    message = _find_message(mapping, scopes)
    recipients = _find_recipients(mapping, scopes)
    if not message:
        if known is None and not recipients:  # an event of another sort, about no message
            return
        raise MalformedFeedback(mapping.source, "the event names no message")
    yield from _build(mapping, scopes, meaning, word, message, recipients)


def _find_recipients(mapping: SourceMapping, scopes: Scopes) -> list[str]:
    """Whom an event names, each once; nobody where it names those that it may be about, and they are several."""
    named = _list_texts(find_all(scopes, mapping.fields["recipient"]))
    if len(named) > MAX_VALUES:
        raise MalformedFeedback(mapping.source, f"more than {MAX_VALUES} recipients of one event")
    if not named and len(sole := _list_texts(find_all(scopes, mapping.fields["sole_recipient"]))) == 1:
        return sole
    return named


def _list_texts(values: Sequence[Any]) -> list[str]:
    texts = (
        to_text(each) for value in values for each in (value[: MAX_VALUES + 1] if isinstance(value, list) else [value])
    )
    return [*dict.fromkeys(filter(None, texts))]


def _find_message(mapping: SourceMapping, scopes: Scopes) -> str:
    own = _find_text(scopes, mapping.own)
    if mapping.before:
        own = own.partition(mapping.before)[0]
    own = truncate(own.strip("<> "), MAX_ID)
    return make_message_key(_find_text(scopes, mapping.message_id), own=f"{mapping.prefix}:{own}" if own else "")


def _build(
    mapping: SourceMapping, scopes: Scopes, meaning: EventMeaning, word: str, message: str, recipients: Sequence[str]
) -> Iterator[Feedback]:
    kind = meaning.kind
    assert kind is not None
    try:
        at = to_time(
            next(iter(find_all(scopes, mapping.at)), None), mapping.time.unit, mapping.time.zone, mapping.time.formats
        )
    except ValueError as error:  # its text quotes the body, and the reason is logged: no address may stand in it
        raise MalformedFeedback(mapping.source, "a time is in no format that is known") from error
    evidence = _make_evidence(mapping, scopes, meaning, word)
    engagement = _make_engagement(mapping, scopes, meaning) if kind in _ENGAGED else None
    context = _make_context(mapping, scopes)
    scope = truncate_or_none(_find_text(scopes, mapping.fields["scope"]), 64)
    for given in recipients or (UNNAMED,):
        canonical, spelled = _canonicalize(mapping, given)
        yield Feedback(
            source=mapping.source,
            kind=kind,
            message=message,
            recipient=canonical,
            occurred_at=at,
            received_as=spelled,
            scope=scope,
            evidence=evidence,
            engagement=engagement,
            context=context,
        )


def _canonicalize(mapping: SourceMapping, given: str) -> tuple[str, str | None]:
    """The recipient, and how the source spells it where that differs."""
    if given == UNNAMED:
        return UNNAMED, None
    match mapping.channel:
        case Channel.SMS:
            canonical, limit = canonicalize_sms(given), MAX_RECIPIENT_BYTES
        case Channel.PUSH:
            canonical, limit = canonicalize_push(mapping.service, given), MAX_TOKEN_BYTES
        case Channel.EMAIL:
            canonical, limit = canonicalize_email(given), MAX_RECIPIENT_BYTES
    same = canonical.endswith(f":{given}")
    return canonical, None if same else truncate(given, limit)


def _make_evidence(mapping: SourceMapping, scopes: Scopes, meaning: EventMeaning, word: str) -> Evidence:
    fields = mapping.fields
    code, status, text = parse_reply(_find_text(scopes, fields["text"]))
    own = to_number(_find_first(scopes, fields["code"]))
    own_status = _find_text(scopes, fields["status"])
    return Evidence(
        code=own if own is not None and 200 <= own <= 599 else code,
        status=own_status if _STATUS(own_status) else status,
        text=text,
        provider_code=_make_provider_code(meaning.code or word, _find_text(scopes, fields["detail"])),
        phase=parse_phase(_find_text(scopes, fields["command"])[:64]),
        remote_mta=truncate_host(_find_text(scopes, fields["remote_mta"])),
        reporting_mta=truncate_host(_find_text(scopes, fields["reporting_mta"])),
        attempt=to_number(_find_first(scopes, fields["attempt"])),
        event_id=truncate_or_none(_find_text(scopes, fields["event_id"]), 128),
    )


def _make_provider_code(word: str, detail: str) -> str | None:
    """The word, and behind a slash what the provider says more exactly."""
    return truncate_or_none(f"{word}/{detail}" if detail and detail != word else word, MAX_CODE)


def _make_engagement(mapping: SourceMapping, scopes: Scopes, meaning: EventMeaning) -> Engagement | None:
    found = {name: _find_first(scopes, paths) for name, paths in mapping.engagement.items()}
    seen = Engagement(
        ip=truncate_or_none(to_text(found["ip"]), 64),
        user_agent=truncate_or_none(to_text(found["user_agent"]), 256),
        link=truncate_or_none(to_text(found["link"]), 512),
        machine=meaning.machine or is_yes(found["machine"]),
    )
    return None if seen == _NOBODY else seen


_NOBODY: Final = Engagement()


def _make_context(mapping: SourceMapping, scopes: Scopes) -> Context:
    """Sender, subject, and the sender's own identifiers: of more than MAX_CUSTOM the first by name."""
    found: dict[str, str] = {}
    for name, paths in mapping.correlation.items():
        for value in find_all(scopes, paths):
            found |= _list_identifiers(name, value, found.get(name))
    clean = {truncate(name, 64): truncate(text, 128) for name, text in found.items() if name and text}
    sender = _find_text(scopes, mapping.fields["sender"])
    return Context(
        sender=_canonicalize_sender(truncate(sender, 2 * MAX_RECIPIENT_BYTES)) if sender else None,
        subject=truncate_or_none(_find_text(scopes, mapping.fields["subject"]), 256),
        correlation=dict(sorted(clean.items())[:MAX_CUSTOM]),
    )


def _list_identifiers(name: str, value: Any, before: str | None) -> dict[str, str]:
    """What a path of the table of correlation gives: one value, several in one, or an object of them by their names."""
    if isinstance(value, dict):
        return {key: to_text(each) for key, each in islice(value.items(), 4 * MAX_CUSTOM) if isinstance(key, str)}
    values = value if isinstance(value, list) else [value]
    texts = [before or "", *map(to_text, values[: 4 * MAX_CUSTOM])]
    return {name: ", ".join(text for text in texts if text)}


@lru_cache(maxsize=256)
def _canonicalize_sender(spelled: str) -> str:
    """Remembered, because the same few addresses come with every event."""
    return canonicalize_email(spelled).removeprefix("email:")


def _find_first(scopes: Scopes, paths: Found) -> Any:
    return next(iter(find_all(scopes, paths)), None) if paths else None


def _find_text(scopes: Scopes, paths: Found) -> str:
    return to_text(_find_first(scopes, paths))

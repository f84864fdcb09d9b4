"""The facts of a body, as a mapping reads them. Pure: bytes in, facts out, and nothing but MalformedFeedback raised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final

import msgspec

from aftersend.classify.evidence import parse_phase
from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.core.message_key import MAX_ID, make_message_key
from aftersend.core.model import Context, Engagement, Evidence, Feedback, Kind
from aftersend.core.recipient import canonicalize_email, canonicalize_push, canonicalize_sms
from aftersend.core.text import truncate, truncate_host, truncate_or_none
from aftersend.core.vocabulary import Channel
from aftersend.sources.events import EventFacts, make_context, make_engagement, make_provider_code, read_reply
from aftersend.sources.forms import read_form
from aftersend.sources.mapping.compiled import EventMeaning, Found, SourceMapping
from aftersend.sources.mapping.paths import MAX_VALUES, find_all, find_events, find_first
from aftersend.sources.mapping.values import find_inside, is_yes, to_number, to_text, to_time
from aftersend.sources.message import NO_HEADERS, Headers

MAX_EVENTS: Final = 2_500  # of one body
MAX_FACTS: Final = 10_000

_LONGEST_TEXT: Final = 4_096  # of a reply, characters that are looked at

_UNKNOWN: Final = EventMeaning(Kind.UNKNOWN)
_ENGAGED: Final = frozenset({Kind.OPENED, Kind.CLICKED})
_SOFT: Final = ("fatal=0",)  # what the provider says is not for good, whatever the text says

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
    return _find_text(scopes, mapping.fields["word"]).removeprefix(mapping.word_prefix)


def find_meaning(mapping: SourceMapping, scopes: Scopes, word: str) -> EventMeaning | None:
    """Return what an event with this word is; None where the mapping knows it not."""
    case = next((case for case in mapping.cases if case.holds(word, scopes)), None)
    return case.meaning if case else mapping.words.get(word.casefold())


def _read_event(mapping: SourceMapping, scopes: Scopes) -> Iterator[Feedback]:
    word = find_word(mapping, scopes)
    meaning = find_meaning(mapping, scopes, word)
    if meaning is None and not word:
        raise MalformedFeedback(mapping.source, "an event that does not say what it is")
    meaning = meaning or _UNKNOWN
    if meaning.kind is None:
        return
    engaged = meaning.kind in _ENGAGED
    evidence = _make_engaged_evidence(mapping, scopes) if engaged else _make_evidence(mapping, scopes, meaning, word)
    engagement = _make_engagement(mapping, scopes, meaning) if engaged else None
    message, at, context = _find_message(mapping, scopes), _find_time(mapping, scopes), _make_context(mapping, scopes)
    scope = _find_text(scopes, mapping.fields["scope"])
    for recipient in _find_recipients(mapping, scopes) or [""]:
        facts = EventFacts(
            source=mapping.source,
            message=message,
            recipient=recipient,
            at=at,
            context=context,
            canonicalize=_CANONICALIZE.get(mapping.channel) or partial(canonicalize_push, mapping.service),
        )
        yield from facts.build(meaning.kind, evidence, engagement, scope=scope)


_CANONICALIZE: Final = {Channel.EMAIL: canonicalize_email, Channel.SMS: canonicalize_sms}


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


def _find_time(mapping: SourceMapping, scopes: Scopes) -> datetime:
    time = mapping.time
    try:
        return to_time(find_first(scopes, mapping.at), time.unit, mapping.zone, time.formats)
    except ValueError as error:  # its text quotes the body, and the reason is logged: no address may stand in it
        raise MalformedFeedback(mapping.source, "a time is in no format that is known") from error


def _make_evidence(mapping: SourceMapping, scopes: Scopes, meaning: EventMeaning, word: str) -> Evidence:
    fields = mapping.fields
    reply = find_inside(mapping.text_inside, _find_text(scopes, fields["text"])[:_LONGEST_TEXT])
    given = to_number(find_first(scopes, fields["code"]))
    code, status, text = read_reply(reply, given, _find_text(scopes, fields["status"]))
    detail = _find_text(scopes, fields["detail"])
    return Evidence(
        code=code,
        status=status,
        text=text,
        provider_code=make_provider_code(
            meaning.code or word, detail if detail != word else "", flags=_SOFT if meaning.soft else ()
        ),
        phase=parse_phase(_find_text(scopes, fields["command"])[:64]),
        remote_mta=truncate_host(_find_text(scopes, fields["remote_mta"])),
        reporting_mta=truncate_host(_find_text(scopes, fields["reporting_mta"])),
        attempt=to_number(find_first(scopes, fields["attempt"])),
        event_id=truncate_or_none(_find_text(scopes, fields["event_id"]), MAX_ID),
    )


def _make_engaged_evidence(mapping: SourceMapping, scopes: Scopes) -> Evidence | None:
    """Nothing that two reports of one open or click might differ in."""
    event_id = truncate_or_none(_find_text(scopes, mapping.engagement["event_id"]), MAX_ID)
    return Evidence(event_id=event_id) if event_id else None


def _make_engagement(mapping: SourceMapping, scopes: Scopes, meaning: EventMeaning) -> Engagement:
    found = {name: _find_text(scopes, paths) for name, paths in mapping.engagement.items()}
    return make_engagement(
        ip=found["ip"],
        user_agent=found["user_agent"],
        link=found["link"],
        machine=meaning.machine or is_yes(found["machine"]),
    )


def _make_context(mapping: SourceMapping, scopes: Scopes) -> Context:
    """Sender, subject, and the sender's own identifiers; of an object all of them, by their names."""
    found: dict[str, object] = {}
    for name, paths in mapping.correlation.items():
        values = find_all(scopes, paths)
        value = values if len(values) > 1 else next(iter(values), None)
        found |= value if isinstance(value, dict) else {name: value}
    return make_context(
        sender=_find_text(scopes, mapping.fields["sender"]),
        subject=_find_text(scopes, mapping.fields["subject"]),
        identifiers=found,
    )


def _find_text(scopes: Scopes, paths: Found) -> str:
    return to_text(find_first(scopes, paths)) if paths else ""

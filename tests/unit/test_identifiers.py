"""The sender's own identifiers: which are kept, which a message can be found by, and what the API shows of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.core import policy
from aftersend.core.errors import ConfigurationError
from aftersend.core.feedback_set import CORRELATIONS
from aftersend.core.model import Context, Evidence, Feedback, Kind
from aftersend.core.outcome import IDENTIFIERS, merge
from aftersend.ingest import ingest
from aftersend.sources import read
from aftersend.storage.items import encode_outcome
from aftersend.storage.store import make_row
from local.samples import EVENTS
from tests.support import mailerq, ses
from tests.support.api import Api, api_context
from tests.support.facts import ANN, BOB, bounce, classify, fact, fake_source, message
from tests.support.ports import NOW, RETENTION, MemoryStore, ports

HEADER: Final = "X-Notify-Message-ID"
NAMES: Final = (HEADER, "order")


def named(**identifiers: str) -> Context:
    return Context(correlation={name.replace("_", "-"): value for name, value in identifiers.items()})


def over(*facts: Feedback, names: Sequence[str] = NAMES) -> Api:
    """The API over these facts, where the policy names these identifiers."""
    store = MemoryStore(tuple(names))
    with fake_source():
        assert not ingest([message(facts)], ports(store, classify=classify)).failed
    return Api(api_context(store, policy=_rules(names)))


def _rules(names: Sequence[str]) -> policy.Policy:
    return policy.load(f"[identifiers]\nfind_by = {json.dumps(list(names))}")


def find(api: Api, identifier: str) -> list[tuple[str, str]]:
    found = api("GET", f"/messages?identifier={quote(identifier, safe='')}")
    return [(each["recipient"], each["message"]) for each in found.json["outcomes"]] if found.status == 200 else []


# ---- Messages are found ----------------------------------------------------------------------------------------------


def test_every_recipient_s_outcome_of_a_message_is_found_and_no_other() -> None:
    order = named(order="42")
    facts = [fact(Kind.DELIVERED, 1, context=order), bounce(1, "hard", recipient=BOB, context=order)]
    api = over(
        *facts, fact(Kind.DELIVERED, 1, message="test:2", context=named(order="43")), fact(Kind.SENT, message="test:3")
    )
    assert sorted(find(api, "order:42")) == [(ANN, "test:1"), (BOB, "test:1")]
    assert find(api, "order:43") == [(ANN, "test:2")]
    assert api("GET", "/messages?identifier=order:44").status == 404


def test_what_is_found_is_the_outcome_itself() -> None:
    api = over(bounce(1, "hard", context=named(order="42")))
    (found,) = api("GET", "/messages?identifier=order:42").json["outcomes"]
    assert found == api("GET", "/recipients/ann@example.com/messages/test:1").json
    assert found["correlation"] == {"order": "42"}


@pytest.mark.parametrize("limit", [1, 4, 25])
def test_many_come_in_pages(limit: int) -> None:
    facts = [
        fact(Kind.DELIVERED, 1, recipient=f"email:u{at}@example.com", context=named(order="42")) for at in range(9)
    ]
    pages = list(over(*facts).pages(f"/messages?identifier=order:42&limit={limit}"))
    assert sorted(each["recipient"] for page in pages for each in page["outcomes"]) == sorted(
        each.recipient for each in facts
    )
    assert all(len(page["outcomes"]) <= limit for page in pages)


@pytest.mark.parametrize(
    ("asked", "is_found"),
    [
        (f"{HEADER}:a:b/c?d 1", True),
        (f"{HEADER.lower()}:a:b/c?d 1", True),  # names of headers are the same in any case
        (f"{HEADER}:A:b/c?d 1", False),
        (f"{HEADER}:a", False),
    ],
)
def test_a_value_may_hold_any_sign_and_counts_as_it_is(asked: str, is_found: bool) -> None:
    api = over(fact(Kind.SENT, context=Context(correlation={"x-notify-message-id": "a:b/c?d 1"})))
    assert bool(find(api, asked)) == is_found


@pytest.mark.parametrize("asked", ["order", "order:", ":42", "", "x" * 201, "order:a%00b"])
def test_what_is_no_identifier_is_refused(asked: str) -> None:
    assert over()("GET", f"/messages?identifier={asked}").status == 422


@pytest.mark.parametrize(("names", "listed"), [((), "none"), (NAMES, "X-Notify-Message-ID, order")])
def test_one_that_the_policy_does_not_name_is_refused_with_those_that_it_does(names: Any, listed: str) -> None:
    answer = over(fact(Kind.SENT, context=named(tag="x")), names=names)("GET", "/messages?identifier=tag:x")
    assert (answer.status, answer.json["type"]) == (422, "urn:aftersend:problem:identifier-not-indexed")
    assert answer.json["detail"].rpartition(": ")[2] == listed


_SES: Final = ses.delivery("2026-03-01T00:00:00Z", tags={"order": ["s1"]}, headers=[{"name": HEADER, "value": "s2"}])
_MAILERQ: Final = mailerq.message(mailerq.attempt(*mailerq.ACCEPTED), order=4711, tags=["spring", "shop"])
_DIRECTMAIL: Final = (EVENTS / "directmail" / "failed-type-SmtpNxBox-event.json").read_bytes()


@pytest.mark.parametrize(
    ("source", "body", "name", "value"),
    [
        ("ses", ses.raw(_SES), "order", "s1"),  # a tag
        ("ses", ses.raw(_SES), HEADER, "s2"),
        ("mailerq", mailerq.raw(_MAILERQ), "order", "4711"),  # a property of the sender's own
        ("mailerq", mailerq.raw(_MAILERQ), "tags", "spring, shop"),
        ("directmail", _DIRECTMAIL, HEADER, json.loads(_DIRECTMAIL)["data"]["header"][HEADER]),
        ("directmail", _DIRECTMAIL, "tag", json.loads(_DIRECTMAIL)["data"]["tag"]),
    ],
)
def test_what_each_source_lets_its_sender_set_is_found(source: str, body: bytes, name: str, value: str) -> None:
    (one,) = read(source, body)
    assert find(over(one, names=[name]), f"{name}:{value}") == [(one.recipient, one.message)]


def test_a_message_of_mailerq_without_an_id_is_found_by_a_property_of_its_sender() -> None:
    """What it is called otherwise is a digest, which its sender cannot know."""
    body = mailerq.message(mailerq.attempt(*mailerq.ACCEPTED), order="A-1")
    del body["message-id"]
    (one,) = read("mailerq", mailerq.raw(body))
    assert one.message.startswith("mailerq:")
    api = over(one)
    assert find(api, "order:A-1") == [(one.recipient, one.message)]
    (line,) = api("GET", f"/recipients/{quote(one.recipient)}").json["outcomes"]
    assert (line["message"], line["correlation"]["order"]) == (one.message, "A-1")


# ---- The index -------------------------------------------------------------------------------------------------------


def test_an_outcome_stands_in_the_index_only_where_the_policy_names_one_of_its_identifiers() -> None:
    outcome = merge(None, [bounce(1, context=named(order="42"))], classify)
    assert "identifier" not in encode_outcome(outcome, RETENTION)
    assert "identifier" not in encode_outcome(outcome, RETENTION, (HEADER,))
    assert encode_outcome(outcome, RETENTION, NAMES)["identifier"] == {"S": "order:42"}
    assert make_row(outcome, RETENTION, NOW, NAMES)["identifier"] == {"S": "order:42"}


def test_what_only_a_stranger_says_is_not_found() -> None:
    forged = bounce(1, context=named(order="42"), evidence=Evidence(forgeable=True))
    assert "identifier" not in encode_outcome(merge(None, [forged], classify), RETENTION, NAMES)
    known = merge(None, [forged, fact(Kind.SENT)], classify)
    assert encode_outcome(known, RETENTION, NAMES)["identifier"] == {"S": "order:42"}


_names: Final = st.sampled_from(["order", "Order", HEADER, HEADER.lower(), "tag", "a", "z"])
_contexts: Final = st.builds(Context, correlation=st.dictionaries(_names, st.sampled_from(["1", "2"]), max_size=5))


@given(st.lists(_contexts, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_law_1_any_order_of_the_same_feedback_gives_the_same_identifier(contexts: list[Context], random: Any) -> None:
    facts = [fact(Kind.DEFERRED, day, context=each) for day, each in enumerate(contexts)]
    whole = encode_outcome(merge(None, facts, classify), RETENTION, NAMES)
    random.shuffle(facts)
    outcome = None
    for each in facts:
        outcome = merge(outcome, [each], classify)
    assert outcome is not None
    assert encode_outcome(outcome, RETENTION, NAMES).get("identifier") == whole.get("identifier")


@pytest.mark.parametrize(
    "document",
    ['find_by = ["a:b"]', 'find_by = [""]', 'find_by = ["a b"]', 'find_by = "order"', f"find_by = {['x'] * 9}"],
)
def test_a_name_that_none_can_have_is_a_mistake_in_the_policy(document: str) -> None:
    with pytest.raises(ConfigurationError, match=r"identifiers\.find_by"):
        policy.load(f"[identifiers]\n{document}")


# ---- The bound -------------------------------------------------------------------------------------------------------


def shown(count: int, parts: int = 1) -> Any:
    """The outcome of a message with this many identifiers, of which each of some feedback has a part."""
    names = [f"id-{at:02}" for at in range(count)]
    facts = [
        fact(Kind.SENT, part, context=Context(correlation=dict.fromkeys(names[part::parts], "1")))
        for part in range(parts)
    ]
    return over(*facts)("GET", "/recipients/ann@example.com/messages/test:1").json


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_that_some_may_be_missing_is_said(parts: int) -> None:
    """Which are kept depends on their names alone, and so does that it is said."""
    few, full, many = (shown(count, parts) for count in (CORRELATIONS - 1, CORRELATIONS, CORRELATIONS + 5))
    assert IDENTIFIERS not in few.get("saturated", [])
    assert IDENTIFIERS in full["saturated"] and IDENTIFIERS in many["saturated"]
    assert [*many["correlation"]] == [f"id-{at:02}" for at in range(CORRELATIONS)]


@pytest.mark.parametrize("source", ["ses", "mailerq"])
def test_no_parser_drops_identifiers_without_a_trace(source: str) -> None:
    """Those that have no value do not count, and take no other's place."""
    values = {f"x-{at:02}": "" if at % 3 else str(at) for at in range(0, 90)}
    headers = [{"name": name, "value": value} for name, value in values.items()]
    body = {
        "ses": ses.raw(ses.delivery("2026-03-01T00:00:00Z", headers=headers)),
        "mailerq": mailerq.raw(mailerq.message(mailerq.attempt(*mailerq.ACCEPTED)) | values),
    }[source]
    (one,) = read(source, body)
    assert IDENTIFIERS in merge(None, [one], classify).saturated

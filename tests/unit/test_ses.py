"""Amazon SES where no sample of events/ says it: what is missing, empty or spelled in another way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aftersend import classify
from aftersend.core.causes import make_claim
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Context, Feedback, Kind
from aftersend.core.outcome import fold
from aftersend.core.policy import load
from aftersend.sources import ses
from tests.support.ses import UNKNOWN_USER, Body, bounce, complaint, delay, delivery, event, raw, seen

CLASSIFY = classify.load()
AT = "2026-03-02T10:00:00.000Z"
ANN, BOB = "ann@example.com", "bob@example.org"


def _read(body: Body) -> list[Feedback]:
    return ses.parse(raw(body))


def _only(body: Body) -> Feedback:
    [fact] = _read(body)
    return fact


def _with(body: Body, part: str, **changes: Any) -> Body:
    return body | {part: body[part] | changes}


def _evidence(fact: Feedback) -> Any:
    assert fact.evidence is not None
    return fact.evidence


@pytest.mark.parametrize(
    ("word", "said", "kind"),
    [
        ("Transient/General", {}, Kind.AUTO_REPLIED),
        ("Transient/General", {"action": "failed"}, Kind.BOUNCED),
        ("Transient/General", {"status": "4.0.0"}, Kind.BOUNCED),
        ("Transient/General", {"diagnosticCode": "mailbox unavailable"}, Kind.BOUNCED),
        ("Transient/MailboxFull", {}, Kind.BOUNCED),
        ("Undetermined/Undetermined", {}, Kind.BOUNCED),
        ("Permanent/General", {"action": " Delayed "}, Kind.DEFERRED),
        ("Permanent/General", {"action": "relayed"}, Kind.DELIVERED),
        ("Permanent/General", {"action": "expanded"}, Kind.DELIVERED),
        ("Permanent/General", {"action": "delivered"}, Kind.DELIVERED),
        ("Permanent/General", {"action": "new"}, Kind.BOUNCED),
    ],
)
def test_what_a_bounce_is(word: str, said: Body, kind: Kind) -> None:
    """Design §4: an auto-reply "only where the evidence says so (no `action: failed`, no status, no SMTP text)"."""
    assert _only(bounce(AT, word, said)).kind is kind


@pytest.mark.parametrize("named", [None, [], [{"emailAddress": ""}]])
def test_a_bounce_that_names_nobody_is_that_of_the_only_recipient(named: object) -> None:
    """Law 5: and of several, nobody's."""
    body = _with(bounce(AT, "Permanent/NoEmail"), "bounce", bouncedRecipients=named)
    fact = _only(body)
    assert (fact.kind, fact.recipient, _evidence(fact).derived) == (Kind.BOUNCED, "email:" + ANN, True)
    both = _read(_with(body, "mail", destination=[ANN, BOB, "", "Ann <ANN@example.com>"]))
    assert [(each.kind, each.recipient) for each in both] == [
        (Kind.UNKNOWN, "email:" + ANN),
        (Kind.UNKNOWN, "email:" + BOB),
    ]


def test_a_status_of_its_own_goes_before_that_in_the_text() -> None:
    assert _evidence(_only(bounce(AT, said=UNKNOWN_USER | {"status": "5.2.1"}))).status == "5.2.1"
    assert _evidence(_only(bounce(AT, said=UNKNOWN_USER | {"status": None}))).status == "5.1.1"


def test_a_delay_says_what_it_can() -> None:
    body = _with(delay(AT), "deliveryDelay", delayType=None, delayedRecipients=[{"emailAddress": ANN}])
    assert (_evidence(_only(body)).provider_code, _evidence(_only(body)).status) == ("Delay/Undetermined", None)
    recipients = [{"emailAddress": ANN, "diagnosticCode": "421 4.4.1 try again later"}]
    assert _evidence(_only(_with(body, "deliveryDelay", delayedRecipients=recipients))).status == "4.4.1"
    recipients[0]["status"] = "4.4.7"
    assert _evidence(_only(_with(body, "deliveryDelay", delayedRecipients=recipients))).status == "4.4.7"


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("Bounce", Kind.AUTO_REPLIED),  # without a word of why, as out-of-office replies come
        ("Complaint", Kind.COMPLAINED),
        ("Delivery", Kind.DELIVERED),
        ("DeliveryDelay", Kind.DEFERRED),
        ("Send", Kind.SENT),
        ("Reject", Kind.REJECTED),
        ("Rendering Failure", Kind.REJECTED),
        ("Open", Kind.OPENED),
        ("Click", Kind.CLICKED),
        ("Subscription", Kind.UNKNOWN),
        ("New", Kind.UNKNOWN),
    ],
)
def test_an_event_without_its_own_object_still_says_what_its_type_says(type_: str, kind: Kind) -> None:
    fact = _only(event(type_))
    assert (fact.kind, fact.recipient, fact.occurred_at.day) == (kind, "email:" + ANN, 1)


@pytest.mark.parametrize("destination", [None, [], [""], ["", ""]])
def test_a_message_to_nobody_says_nothing(destination: object) -> None:
    assert _read(event("Send", {}, destination=destination)) == []


@pytest.mark.parametrize(
    ("given_type", "kind", "word"),
    [
        ("abuse", Kind.COMPLAINED, "Complaint/abuse"),
        ("Not-Spam", Kind.COMPLAINT_WITHDRAWN, "Complaint/Not-Spam"),
        ("auth-failure", Kind.UNKNOWN, "Complaint/auth-failure"),
        ("opt-out", Kind.UNSUBSCRIBED, "Complaint/opt-out"),
        ("opt-out-list", Kind.UNSUBSCRIBED, "Complaint/opt-out-list"),
        ("new", Kind.COMPLAINED, "Complaint/new"),
        (None, Kind.COMPLAINED, "Complaint"),
    ],
)
def test_what_a_complaint_is(given_type: str | None, kind: Kind, word: str) -> None:
    fact = _only(complaint(AT, given_type))
    assert (fact.kind, _evidence(fact).provider_code, _evidence(fact).derived) == (kind, word, False)


def test_of_several_that_may_have_complained_each_is_a_candidate() -> None:
    named = [{"emailAddress": ANN}, {"emailAddress": BOB}]
    both = _read(_with(complaint(AT), "complaint", complainedRecipients=named))
    assert [(each.recipient, _evidence(each).derived) for each in both] == [
        ("email:" + ANN, True),
        ("email:" + BOB, True),
    ]
    assert _evidence(_only(_with(complaint(AT), "complaint", complainedRecipients=[]))).derived


@pytest.mark.parametrize("named", [None, [], [""]])
def test_a_delivery_that_names_nobody_is_that_of_the_destination(named: object) -> None:
    fact = _only(_with(delivery(AT), "delivery", recipients=named))
    assert (fact.recipient, _evidence(fact).derived) == ("email:" + ANN, True)
    assert not _evidence(_only(delivery(AT))).derived


@pytest.mark.parametrize("host", ["dns; mx.example.com", "dns;mx.example.com", "mx.example.com"])
def test_a_host_is_the_same_in_every_spelling(host: str) -> None:
    assert _evidence(_only(_with(bounce(AT), "bounce", reportingMTA=host))).reporting_mta == "mx.example.com"


@pytest.mark.parametrize(
    ("agent", "machine"),
    [
        ("Mozilla/5.0", True),
        ("Mozilla/5.0 (X11)", False),
        ("Mozilla/5.0 (via ggpht.com GoogleImageProxy)", True),
        ("YahooMailProxy; https://help.yahoo.com/", True),
        ("Barracuda Sentinel", True),
        ("x Mimecast y", True),
        ("Proofpoint", True),
        ("SafeLinks/1", True),
        ("BingPreview/1.0b", True),
        (None, False),
    ],
)
def test_who_fetches_for_others_is_a_machine(agent: str | None, machine: bool) -> None:
    """What a machine has opened contradicts no bounce."""
    fact = _only(_with(seen("Open", AT), "open", userAgent=agent))
    assert fact.engagement is not None
    assert (fact.engagement.machine, fact.engagement.user_agent) == (machine, agent)


def test_of_several_recipients_nobody_is_known_to_have_opened() -> None:
    """Design §4: "attribute them only where the message had one destination"."""
    several = _with(seen("Open", AT), "mail", destination=[ANN, BOB])
    assert _read(several) == []
    assert _only(_with(several, "mail", destination=[ANN, "Ann <ANN@example.com>"])).recipient == "email:" + ANN


@pytest.mark.parametrize(
    "spelled", ["Rendering Failure", "RenderingFailure", "RENDERING_FAILURE", "rendering failure", "Rendering_Failure"]
)
def test_a_type_is_the_same_in_every_spelling(spelled: str) -> None:
    fact = _only(event("Rendering Failure", {"errorMessage": "no name"}) | {"eventType": spelled})
    assert (fact.kind, _evidence(fact).provider_code, _evidence(fact).text) == (
        Kind.REJECTED,
        "RenderingFailure",
        "no name",
    )


@pytest.mark.parametrize(
    ("body", "facts"),
    [
        ({"eventType": "AmazonSnsSubscriptionSucceeded"}, []),
        ({"data": {"x": 1}}, []),
        ({"notificationType": "Received", "mail": {"messageId": "m"}}, []),
        ({}, None),
        ({"eventType": "Send"}, None),
        ({"eventType": "Send", "data": {"x": 1}}, None),
        ({"notificationType": "Received"}, None),
        ({"eventType": "Send", "mail": {"messageId": ""}}, None),
    ],
)
def test_what_tells_of_no_message(body: Body, facts: list[Feedback] | None) -> None:
    if facts is not None:
        assert _read(body) == facts
        return
    with pytest.raises(MalformedFeedback):
        _read(body)


@pytest.mark.parametrize("text", [b"Successfully validated SNS topic for x", b"\r\n You have chosen to subscribe to"])
def test_set_up_messages_say_nothing(text: bytes) -> None:
    assert ses.parse(text) == []
    with pytest.raises(MalformedFeedback):
        ses.parse(b"x" + text)


def test_an_event_without_a_time_of_its_own_is_at_the_time_of_the_message() -> None:
    own, none = bounce(AT), _with(bounce(AT), "bounce", timestamp=None)
    assert (_only(own).occurred_at.day, _only(none).occurred_at.day) == (2, 1)
    assert _only(_with(none, "mail", timestamp=None)).occurred_at.year == 1970
    with pytest.raises(MalformedFeedback, match="a time is in no format"):
        _read(_with(own, "bounce", timestamp="soon"))


def test_what_the_sender_said_of_the_message() -> None:
    headers = [
        {"name": "X-Order", "value": " 4711 "},
        {"name": "x-order", "value": "lower"},
        {"name": "X-Order", "value": "again"},
        {"name": "X-Empty", "value": " "},
        {"name": "X-Null", "value": None},
        {"name": "X-Nothing"},
        {"name": "X-SES-Outgoing", "value": "1.2.3.4"},
        {"name": "X-Mailer", "value": "mutt"},
        {"name": "Subject", "value": "hello"},
        {"name": "Message-ID", "value": "<mine@example.com>"},
    ]
    tags = {
        "campaign": ["spring", "other"],
        "ses:source-ip": ["1.2.3.4"],
        "ses:new": ["x"],
        "none": [],
        "null": None,
        "empty": [""],
    }
    fact = _only(
        event("Send", {}, headers=headers, tags=tags, source="News <News@Example.com>", commonHeaders={"subject": "Hi"})
    )
    assert fact.context is not None
    assert (fact.context.sender, fact.context.subject) == ("news@example.com", "Hi")
    assert fact.context.correlation == {
        "campaign": "spring",
        "X-Order": "4711",
        "x-order": "lower",
        "Message-ID": "<mine@example.com>",
    }
    theirs = event("Send", {}, headers=[{"name": "Message-ID", "value": "<010f-1@eu-west-1.amazonses.com>"}])
    context = _only(theirs).context
    assert context is not None
    assert context.correlation == {}


def test_what_the_sender_said_is_bounded_whatever_comes_first() -> None:
    tags = {f"tag{number:02d}": ["x"] for number in reversed(range(20))}
    context = _only(event("Send", {}, tags=tags)).context
    assert context is not None
    assert list(context.correlation) == [f"tag{number:02d}" for number in range(16)]


def test_the_spelling_as_received_is_kept_beside_the_canonical_one() -> None:
    assert _only(bounce(AT, recipient="Ann <ANN@example.com>")).received_as == "Ann <ANN@example.com>"
    assert _only(bounce(AT, recipient=ANN)).received_as is None


def _preferences(all_: bool | None = None, **topics: str) -> Body:
    statuses = [{"topicName": name, "subscriptionStatus": status} for name, status in topics.items()]
    return {"unsubscribeAll": all_, "topicSubscriptionStatus": statuses}


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (_preferences(), _preferences(True), [(Kind.UNSUBSCRIBED, "list")]),
        (_preferences(True), _preferences(True), [(Kind.UNKNOWN, "list")]),
        (_preferences(True), _preferences(False), [(Kind.SUBSCRIBED, "list")]),
        (_preferences(a="OptIn"), _preferences(a="OptOut"), [(Kind.UNSUBSCRIBED, "list/a")]),
        (_preferences(a="OptOut"), _preferences(a="OptIn"), [(Kind.SUBSCRIBED, "list/a")]),
        (_preferences(a="OptOut"), _preferences(a="OptOut", b="OptOut"), [(Kind.UNSUBSCRIBED, "list/b")]),
        (_preferences(a="OptIn"), _preferences(True, a="OptOut"), [(Kind.UNSUBSCRIBED, "list")]),
        (
            _preferences(True, a="OptOut"),
            _preferences(False, a="OptIn"),
            [(Kind.SUBSCRIBED, "list"), (Kind.SUBSCRIBED, "list/a")],
        ),
        (_preferences(a="OptIn"), _preferences(a="new"), [(Kind.UNKNOWN, "list")]),
        (None, None, [(Kind.UNKNOWN, "list")]),
    ],
)
def test_only_what_changed_was_left_or_joined(
    old: Body | None, new: Body | None, changes: list[tuple[Kind, str]]
) -> None:
    details = {
        "contactList": "list",
        "timestamp": AT,
        "source": "UnsubscribeHeader",
        "newTopicPreferences": new,
        "oldTopicPreferences": old,
    }
    body = event("Subscription", details)
    assert [(each.kind, each.scope) for each in _read(body)] == changes
    assert {_evidence(each).provider_code for each in _read(body)} == {"Subscription/UnsubscribeHeader"}
    assert _read(_with(body, "mail", destination=[ANN, BOB])) == []
    nameless = json.loads(json.dumps(body))
    nameless["subscription"] |= {"contactList": None, "source": None}
    assert {_evidence(each).provider_code for each in _read(nameless)} == {"Subscription/unknown"}
    assert [each.scope for each in _read(nameless)] == [
        scope.removeprefix("list").lstrip("/") or None for _, scope in changes
    ]


@pytest.mark.parametrize("named", [None, [], [{"emailAddress": ""}]])
@pytest.mark.parametrize("kind", ["abuse", None, "fraud", "not-spam", "opt-out"])
def test_a_complaint_that_names_nobody_of_several_is_nobodys(named: object, kind: str | None) -> None:
    """Law 5: as with a bounce, whoever complained is not known, and a person should look."""
    body = _with(complaint(AT, kind), "complaint", complainedRecipients=named)
    body = body | {"mail": body["mail"] | {"destination": [ANN, BOB]}}
    facts = _read(body)
    assert [(fact.recipient, fact.kind) for fact in facts] == [
        (f"email:{ANN}", Kind.UNKNOWN),
        (f"email:{BOB}", Kind.UNKNOWN),
    ]
    assert all(_evidence(fact).derived for fact in facts)
    outcome = fold(tuple(facts[:1]), Context(), CLASSIFY)
    assert (outcome.review, outcome.complained_at) == ("undetermined", None)


def test_several_named_candidates_complain_and_are_marked() -> None:
    """SES names everybody of the provider whose list it hears from: "Amazon SES complaint object"."""
    body = _with(complaint(AT), "complaint", complainedRecipients=[{"emailAddress": ANN}, {"emailAddress": BOB}])
    facts = _read(body)
    assert [(fact.kind, _evidence(fact).derived) for fact in facts] == [(Kind.COMPLAINED, True)] * 2
    claim = make_claim(facts[0], CLASSIFY(facts[0]), load())
    assert claim is not None
    assert claim.cause.latest is not None
    assert claim.cause.latest.derived


@pytest.mark.parametrize(
    ("value", "scope"),
    [
        ("shop; topic=weekly", "shop/weekly"),
        ("shop;topic=weekly", "shop/weekly"),
        ("  shop ; Topic = weekly ", "shop/weekly"),
        ("shop", "shop"),
        ("shop; other=weekly", "shop"),
        ("", None),
        (None, None),
    ],
)
def test_who_left_a_topic_is_refused_in_that_stream(value: str | None, scope: str | None) -> None:
    """SES developer guide, "list management": the header of a message that is sent to a topic."""
    headers = [{"name": "X-SES-List-Management-Options", "value": value}]
    body = bounce(AT, "Permanent/UnsubscribedRecipient")
    fact = _only(body | {"mail": body["mail"] | {"headers": headers}})
    assert (fact.kind, fact.scope) == (Kind.BOUNCED, scope)
    assert _only(bounce(AT, "Permanent/NoEmail") | {"mail": body["mail"] | {"headers": headers}}).scope is None


def test_having_left_a_topic_that_is_not_named_suppresses_nothing() -> None:
    """Order confirmations go on; the event about leaving itself names the topic."""
    left = _only(bounce(AT, "Permanent/UnsubscribedRecipient"))
    assert make_claim(left, CLASSIFY(left), load()) is None

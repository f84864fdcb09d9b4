"""SendGrid, Mailgun, Postmark, Brevo, Resend, Mailjet: what the samples show one by one must also hold together."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from aftersend import classify
from aftersend.core.causes import make_claim
from aftersend.core.model import CauseKind, Class, Evidence, Feedback, Kind, Outcome, Reason, Status
from aftersend.core.outcome import merge
from aftersend.core.policy import SHIPPED
from aftersend.sources import UNNAMED, read
from local.samples import EVENTS

CLASSIFIER = classify.load()


def load(sample: str, **changes: Any) -> Any:
    """The body of a sample with other values, for a body of one event."""
    body = json.loads(Path(EVENTS, f"{sample}.json").read_bytes())
    (body[0] if isinstance(body, list) else body).update(changes)
    return body


def facts(sample: str, **changes: Any) -> list[Feedback]:
    """What a sample says with other values; of its own, where there are none."""
    source = sample.partition("/")[0]
    if not changes:
        (path,) = (path for path in (EVENTS / source).glob(f"{Path(sample).name}.*") if ".expected" not in path.name)
        return read(source, path.read_bytes())
    return read(source, json.dumps(load(sample, **changes)).encode())


def fact(sample: str, **changes: Any) -> Feedback:
    (one,) = facts(sample, **changes)
    return one


def fold(found: tuple[Feedback, ...]) -> Outcome:
    outcome: Outcome | None = None
    for each in found:
        outcome = merge(outcome, [each], CLASSIFIER)
    assert outcome is not None
    return outcome


# -- One message -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "samples",
    [
        "sendgrid/processed delivered open click bounce-late-without-message-id dropped-machine-in-message-id",
        "mailgun/accepted delivered failed-permanent failed-temporary-full opened clicked complained rejected",
        "postmark/bounce-HardBounce delivery open click change-left change-hard-bounce",
        "brevo/request delivered soft-bounce-no-mx hard-bounce click unsubscribed",
        "resend/sent delivered bounced-permanent-no-email complained opened",
        "mailjet/sent open bounce-user-unknown unsub",
    ],
)
def test_all_events_of_one_message_meet(samples: str) -> None:
    source, _, names = samples.partition("/")
    assert len({fact(f"{source}/{name}").message for name in names.split()}) == 1


@pytest.mark.parametrize("source", ["sendgrid", "mailgun", "postmark", "resend"])
def test_what_names_nobody_names_its_message(source: str) -> None:
    nameless, named = fact(f"{source}/nobody-named"), fact(f"{source}/nobody-named-before")
    assert (nameless.recipient, named.recipient) == (UNNAMED, "email:alone@example.com")
    assert nameless.message == named.message


def test_two_messages_of_one_machine_stay_two() -> None:
    """What SendGrid dropped early has only the name of a machine in its id."""
    one = fact("sendgrid/dropped-machine-in-message-id")
    other = fact(
        "sendgrid/dropped-machine-in-message-id",
        **{"smtp-id": "<Another0mTRzS1c8w2YhXo@ismtpd0006p1sjc2.sendgrid.net>"},
    )
    assert one.recipient == other.recipient
    assert one.message != other.message


def test_ids_beyond_floating_point_stay_apart() -> None:
    ids = [2**53 + 1, 2**53 + 2, 2**63 - 1, 2**63 - 2]
    keys = [fact("mailjet/sent", MessageID=each).message for each in ids]
    assert keys == [f"mailjet:{each}" for each in ids]


def test_a_form_is_read_the_same_in_both_encodings() -> None:
    parts, pairs = fact("mailgun/form-in-parts"), fact("mailgun/form-bounced")
    assert (parts.message, parts.kind, parts.occurred_at) == (pairs.message, pairs.kind, pairs.occurred_at)


# -- One fact ----------------------------------------------------------------------------------------------------------


def test_a_repeated_notice_of_mailgun_is_one_fact() -> None:
    again = fact("mailgun/failed-permanent", signature={"timestamp": "1772449999", "token": "other", "signature": "1"})
    assert again.id == fact("mailgun/failed-permanent").id


def test_the_first_opening_is_one_whichever_event_tells_it() -> None:
    plain, unique = fact("brevo/opened"), fact("brevo/unique-opened")
    assert plain.id == unique.id
    assert fold((plain, unique)).opens == 1
    by_proxy = (fact("brevo/proxy-open"), fact("brevo/unique-proxy-open"))
    assert len({each.id for each in by_proxy}) == 1
    assert all(each.engagement is not None and each.engagement.machine for each in by_proxy)


def test_a_complaint_by_two_webhooks_of_postmark_is_one_fact() -> None:
    by_complaints = fact("postmark/bounce-SpamComplaint", RecordType="SpamComplaint", TypeCode=512)
    assert by_complaints.id == fact("postmark/bounce-SpamComplaint").id


def test_events_with_one_id_are_two_where_they_say_two_things() -> None:
    assert len({each.id for each in facts("sendgrid/same-event-id-twice")}) == 2


# -- What was never tried, and mirrors of lists ------------------------------------------------------------------------


@pytest.mark.parametrize("mirror", ["change-hard-bounce", "change-complaint"])
def test_a_change_of_postmark_s_list_is_no_second_bounce(mirror: str) -> None:
    story = (fact("postmark/delivery"), fact("postmark/bounce-HardBounce"), fact(f"postmark/{mirror}"))
    for order in permutations(story):
        end = fold(order)
        assert (end.status, end.bounced_at) == (Status.BOUNCED, story[1].occurred_at)
        assert end.verdict is not None
        assert (end.verdict.klass, end.verdict.reason) == (Class.HARD, Reason.USER_UNKNOWN)
    claim = make_claim(story[2], CLASSIFIER(story[2]), SHIPPED)
    assert claim is not None
    assert claim.kind is CauseKind.PROVIDER


@pytest.mark.parametrize("change", ["change-by-customer", "change-by-admin"])
def test_what_the_sender_wrote_into_the_list_says_nothing_of_a_message(change: str) -> None:
    delivered, listed = fact("postmark/delivery"), fact(f"postmark/{change}")
    assert listed.message != delivered.message
    claim = make_claim(listed, CLASSIFIER(listed), SHIPPED)
    assert claim is not None
    assert (claim.kind, claim.recipient) == (CauseKind.PROVIDER, delivered.recipient)


NEVER_TRIED = (
    "sendgrid/dropped-bounced",
    "sendgrid/dropped-unsubscribed",
    "sendgrid/dropped-spam-reported",
    "mailgun/failed-suppressed-605",
    "mailgun/failed-suppressed-606",
    "mailgun/failed-suppressed-607",
    "mailgun/form-dropped-suppressed",
    "postmark/bounce-ManuallyDeactivated",
    "brevo/blocked-blacklist",
    "brevo/blocked-unsubscribed",
    "resend/suppressed",
    "resend/bounced-permanent-suppressed",
    "mailjet/blocked-preblocked",
    "mailjet/bounce-blacklisted",
)


@pytest.mark.parametrize("sample", NEVER_TRIED)
def test_what_was_never_tried_is_no_bounce(sample: str) -> None:
    one = fact(sample)
    verdict = CLASSIFIER(one)
    assert one.kind is Kind.REJECTED
    assert verdict is not None
    assert (verdict.klass, verdict.reason) == (Class.IGNORE, Reason.SUPPRESSED)


# -- Whom it is about --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sample",
    ["bounced-one-of-two", "complained-with-copy", "complained-with-copies-as-fields", "delivered-to-two"],
)
def test_nothing_counts_against_one_of_several(sample: str) -> None:
    for one in facts(f"resend/{sample}"):
        assert one.kind is Kind.UNKNOWN
        assert make_claim(one, CLASSIFIER(one), SHIPPED) is None


# -- Never the recipient's fault when it is the sender's ---------------------------------------------------------------

_SENDERS_FAULT = (
    "550 5.7.1 Service unavailable; client host blocked using Spamhaus",
    "550 5.7.1 SPF check failed",
    "554 5.7.1 Message rejected as spam",
    "550 5.7.1 rejected by policy",
    "421 4.7.0 too many messages from your IP, slow down",
)
_WORDS_OF_DEATH = {
    "sendgrid": ("bounce", "bounce/Invalid Address", "bounce/Unclassified"),
    "mailgun": ("failed/bounce", "bounced", "dropped/hardfail"),
    "postmark": ("HardBounce",),
    "brevo": ("hard_bounce",),
    "mailjet": ("recipient/user unknown", "recipient/mailbox inactive"),
    "resend": ("Permanent/General", "Permanent/NoEmail"),
}


@pytest.mark.parametrize("text", _SENDERS_FAULT)
@pytest.mark.parametrize(("source", "codes"), _WORDS_OF_DEATH.items())
def test_no_word_turns_the_sender_s_fault_against_the_address(source: str, codes: tuple[str, ...], text: str) -> None:
    for code in codes:
        verdict = CLASSIFIER.judge(source=source, evidence=Evidence(text=text, provider_code=code))
        assert verdict.klass in (Class.BLOCK, Class.IGNORE), (code, verdict)


@pytest.mark.parametrize(("source", "codes"), [each for each in _WORDS_OF_DEATH.items() if each[0] != "resend"])
def test_words_of_one_provider_decide_for_no_other(source: str, codes: tuple[str, ...]) -> None:
    for other in _WORDS_OF_DEATH.keys() - {source}:
        for code in codes:
            verdict = CLASSIFIER.judge(source=other, evidence=Evidence(provider_code=code))
            assert verdict.klass is not Class.HARD, (other, code, verdict)

"""The order of decision row by row, and what no table of wordings can say (those are in `classify/wordings/`)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from aftersend.classify import Classifier, evidence_from, load
from aftersend.classify.features import build_key, extract_features
from aftersend.classify.wrappers import peel
from aftersend.core.model import Class, Evidence, Feedback, Kind, Phase, Protocol, Reason, Verdict
from aftersend.core.vocabulary import MEANINGS, Channel, advise

NOW = datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)


def judge(text: str = "", *, source: str = "report", kind: Kind = Kind.BOUNCED, **fields: object) -> Verdict:
    """The verdict on a text and other fields, as the loose fields of a report give them."""
    return load().judge(source=source, evidence=evidence_from(text=text, **fields), kind=kind)  # type: ignore[arg-type]


def said(verdict: Verdict) -> str:
    """Reason and class in short."""
    return f"{verdict.reason}/{verdict.klass}"


def feedback(kind: Kind, evidence: Evidence | None = None, source: str = "ses") -> Feedback:
    """A feedback of that kind."""
    return Feedback(
        source=source, kind=kind, message="ses:1", recipient="email:a@b.example", occurred_at=NOW, evidence=evidence
    )


# -- Kinds ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        Kind.SENT,
        Kind.DELIVERED,
        Kind.OPENED,
        Kind.CLICKED,
        Kind.UNSUBSCRIBED,
        Kind.SUBSCRIBED,
        Kind.COMPLAINT_WITHDRAWN,
    ],
)
def test_kinds_that_refuse_nothing_have_no_verdict(kind: Kind) -> None:
    assert load()(feedback(kind, Evidence(code=550, text="550 5.1.1 user unknown"))) is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.COMPLAINED, "complaint/complaint"),
        (Kind.AUTO_REPLIED, "auto_reply/ignore"),
        (Kind.EXPIRED, "expired/soft"),
    ],
)
def test_kinds_that_are_their_own_verdict(kind: Kind, expected: str) -> None:
    verdict = load()(feedback(kind, Evidence(text="550 5.1.1 user unknown")))
    assert verdict is not None
    assert said(verdict) == expected


@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.DEFERRED, Kind.REJECTED])
def test_a_refusal_always_has_a_verdict(kind: Kind) -> None:
    for evidence in (None, Evidence(), Evidence(text="entirely new wording")):
        verdict = load()(feedback(kind, evidence))
        assert verdict == Verdict(klass=Class.UNDETERMINED, reason=Reason.UNDETERMINED, rule="nothing")


def test_an_unknown_type_is_judged_only_by_a_rule_that_knows_its_word() -> None:
    known = load()(feedback(Kind.UNKNOWN, Evidence(provider_code="Complaint/auth-failure")))
    assert known is not None
    assert said(known) == "auth_failed/block"
    assert load()(feedback(Kind.UNKNOWN, Evidence(provider_code="Novelty/1", text="550 5.1.1 user unknown"))) is None


# -- Codes of providers -----------------------------------------------------------------------------------------------


def test_a_missing_domain_has_its_own_codes_at_directmail() -> None:
    for code in ("524", "526"):
        gone = judge("DNS lookup failed", source="directmail", provider_code="SysOutDnsResolveFail", code=code)
        assert said(gone) == "invalid_domain/hard"
    later = judge("DNS lookup failed", source="directmail", provider_code="SysOutDnsResolveFail", code="423")
    assert said(later) == "dns_failure/soft"


def test_mailerq_errors_are_read_from_the_text() -> None:
    for state in ("rcptto", "data", "message"):
        assert (
            said(judge("5.1.1 no such user", source="mailerq", provider_code=f"{state}/error", code=550))
            == "user_unknown/hard"
        )
    nowhere = judge("domain does not exist", source="mailerq", provider_code="dns/error", code=512, status="5.1.2")
    assert said(nowhere) == "invalid_domain/hard"


def test_the_states_of_mailerq_are_phases() -> None:
    verdict = judge("550 5.1.1 no such user", source="mailerq", provider_code="mailfrom/error")
    assert said(verdict) == "sender_rejected/block"


# -- The order of decision ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["delayed", "relayed", "expanded", "delivered", "Delayed"])
def test_what_did_not_fail_is_ignored_whatever_the_reason(action: str) -> None:
    assert said(judge("550 5.1.1 user unknown", action=action)) == "user_unknown/ignore"
    assert judge(action=action).klass is Class.IGNORE


def test_an_unknown_action_counts_as_failed() -> None:
    assert judge("550 5.1.1 user unknown", action="expired").klass is Class.HARD


def test_verdicts_that_are_no_delivery_attempt_come_before_any_text() -> None:
    verdict = judge("550 5.1.1 user unknown", source="ses", provider_code="Permanent/OnAccountSuppressionList")
    assert said(verdict) == "suppressed/ignore"


@pytest.mark.parametrize(
    ("phase", "reason"),
    [("CONN", "blocked"), ("EHLO", "blocked"), ("AUTH", "protocol_error"), ("MAIL FROM", "sender_rejected")],
)
def test_before_rcpt_to_nothing_is_held_against_the_address(phase: str, reason: str) -> None:
    verdict = judge("550 5.1.1 user unknown", command=phase)
    assert verdict.reason == reason
    assert verdict.klass in {Class.BLOCK, Class.IGNORE}
    assert judge("550 5.1.1 user unknown", command="RCPT TO").klass is Class.HARD


def test_the_sender_is_read_before_the_address() -> None:
    text = "550 5.1.1 <a@b.example>: Recipient address rejected: blocked using zen.spamhaus.org, mailbox unavailable"
    assert said(judge(text)) == "blocked/block"


def test_the_text_overrides_the_status() -> None:
    assert said(judge("550 5.7.1 user unknown")) == "user_unknown/hard"
    assert said(judge("550 5.1.1 Mailbox full")) == "mailbox_full/soft"


def test_a_specific_status_overrides_the_words_of_the_source() -> None:
    verdict = judge("something new", source="ses", provider_code="Transient/MailboxFull", status="5.1.1", code=550)
    assert said(verdict) == "user_unknown/hard"


def test_the_words_of_the_source_override_a_generic_status() -> None:
    verdict = judge("something new", source="ses", provider_code="Transient/MailboxFull", status="5.0.0", code=550)
    assert said(verdict) == "mailbox_full/soft"
    assert (
        said(judge("something new", source="ses", provider_code="Permanent/NoEmail", status="5.7.1"))
        == "user_unknown/hard"
    )


def test_a_generic_status_overrides_the_reply_code() -> None:
    assert said(judge("554 5.3.0 something new")) == "system_error/soft"
    assert said(judge("554 something new")) == "policy_rejected/block"


@pytest.mark.parametrize("code", [550, 551, 553, 559])
def test_these_codes_alone_decide_nothing(code: int) -> None:
    assert said(judge(f"{code} something new")) == "undetermined/undetermined"


def test_recipients_are_judged_by_their_own_status_before_the_type_of_the_bounce() -> None:
    """AWS's own example: Permanent/General with one recipient failed and one delayed."""
    failed = judge("smtp; 550 5.1.1 user unknown", source="ses", provider_code="Permanent/General", action="failed")
    delayed = judge(source="ses", provider_code="Permanent/General", action="delayed", status="4.0.0")
    assert (said(failed), said(delayed)) == ("user_unknown/hard", "undetermined/ignore")


def test_transient_general_with_a_reply_is_the_bounce_that_the_reply_tells() -> None:
    assert said(judge("550 5.1.1 user unknown", source="ses", provider_code="Transient/General")) == "user_unknown/hard"
    failed = judge(source="ses", provider_code="Transient/General", action="failed", status="5.0.0")
    assert said(failed) == "undetermined/soft"


def test_permanent_general_is_hard_only_without_a_text() -> None:
    assert (
        judge("nobody has seen this wording", source="ses", provider_code="Permanent/General").klass
        is Class.UNDETERMINED
    )
    assert judge(source="ses", provider_code="Permanent/General", status="4.0.0").klass is Class.SOFT


# -- The class ---------------------------------------------------------------------------------------------------------


def test_a_temporary_code_makes_a_dead_address_soft() -> None:
    assert said(judge("450 4.1.1 <a@b.example> no such mailbox")) == "user_unknown/soft"
    assert said(judge("no such mailbox", status="4.1.1")) == "user_unknown/soft"
    assert said(judge("no such mailbox")) == "user_unknown/hard"


def test_the_reply_code_weighs_more_than_the_status() -> None:
    assert judge("no such mailbox", code=550, status="4.4.7").klass is Class.HARD
    assert judge("no such mailbox", code=450, status="5.1.1").klass is Class.SOFT


def test_what_will_be_tried_again_is_never_hard() -> None:
    for text in ("550 5.1.1 user unknown", "lookup of b.example responded with code NXDOMAIN"):
        assert judge(text, kind=Kind.DEFERRED).klass is Class.SOFT


# -- Traps (more in `wordings/traps.tsv`) -----------------------------------------------------------------------------


def test_an_unknown_user_named_only_after_data_is_unknown_all_the_same() -> None:
    assert said(judge("550 Unknown user a@b.example", command="DATA")) == "user_unknown/hard"


def test_an_absence_notice_without_evidence_is_no_bounce() -> None:
    assert said(judge(source="ses", provider_code="Transient/General")) == "auto_reply/ignore"
    assert judge(source="ses", provider_code="Undetermined/Undetermined").klass is Class.UNDETERMINED


def test_a_warning_is_no_bounce() -> None:
    verdict = judge("THIS IS A WARNING MESSAGE ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.", action="delayed")
    assert said(verdict) == "expired/ignore"


def test_a_catch_all_is_decided_by_the_message() -> None:
    assert said(judge("550 no such user", source="directmail", provider_code="SmtpZPermErr")) == "user_unknown/hard"
    assert (
        said(judge("550 blocked by our blacklist", source="directmail", provider_code="UnkSmtpError"))
        == "blocked/block"
    )


def test_too_large_is_neither_spam_nor_quota() -> None:
    assert said(judge("552 5.3.4 message too big for system")) == "message_too_large/ignore"
    assert said(judge("something new", status="5.2.3")) == "message_too_large/ignore"


# -- The memory --------------------------------------------------------------------------------------------------------


def test_equal_evidence_is_judged_once() -> None:
    first = Evidence(text="550 5.1.1 user unknown", attempt=1, event_id="x")
    second = Evidence(text="550 5.1.1 user unknown", attempt=2, event_id="y")
    classifier = load()
    assert classifier.judge(source="report", evidence=first) is classifier.judge(source="report", evidence=second)


def test_forgetting_changes_no_verdict() -> None:
    classifier = load()
    before = classifier.judge(source="report", evidence=Evidence(text="552 mailbox full"))
    classifier.forget()
    after = classifier.judge(source="report", evidence=Evidence(text="552 mailbox full"))
    assert before == after
    assert before is not after


def test_the_plain_classifier_is_built_once() -> None:
    assert load() is load(None) is load("  \n")
    assert isinstance(load(), Classifier)


def test_a_phase_told_by_the_source_is_believed() -> None:
    evidence = Evidence(code=550, text="550 user unknown (in reply to RCPT TO command)", phase=Phase.MAIL_FROM)
    assert load().judge(source="report", evidence=evidence).klass is Class.BLOCK


# -- Other protocols ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("protocol", "code"), [(Protocol.HTTP, 410), (Protocol.HTTP, 550), (Protocol.SMPP, 450)])
def test_a_code_of_another_protocol_is_no_reply_of_smtp(protocol: Protocol, code: int) -> None:
    """410 is "gone" in HTTP, and what an SMSC calls 450 is its own affair: neither is temporary, neither decides."""
    evidence = Evidence(code=code, protocol=protocol, text="550 5.1.1 in the text of a message")
    features = extract_features(build_key("x", evidence, Kind.BOUNCED), peel(""), "", frozenset())
    assert (features.codes, features.statuses, features.phase) == (frozenset({f"{protocol}:{code}"}), frozenset(), None)
    assert not features.temporary
    assert load().judge(source="x", evidence=Evidence(code=code, protocol=protocol)).rule == "nothing"


def test_a_rule_names_the_codes_of_another_protocol() -> None:
    rules = load("""
[[rule]]
id = "gone"
when.source = ["x"]
when.code = ["http:410"]
then.reason = "user_unknown"
""")
    assert rules.judge(source="x", evidence=Evidence(code=410, protocol=Protocol.HTTP)).klass is Class.HARD
    assert rules.judge(source="x", evidence=Evidence(code=410)).rule == "nothing"


def test_the_protocol_of_a_code_is_part_of_what_a_fact_is() -> None:
    one, other = (feedback(Kind.BOUNCED, Evidence(code=404, protocol=said)) for said in (None, Protocol.HTTP))
    assert one.id != other.id


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.PUSH])
@pytest.mark.parametrize("reason", Reason)
def test_advice_fits_the_channel(channel: Channel, reason: Reason) -> None:
    """Neither a telephone number nor a token has a mailbox, a domain or an SPF record."""
    assert not re.search(r"(?i)mail|spf|mx record|address|domain|attachment", advise(reason, channel))
    assert advise(reason) == advise(reason, None) == MEANINGS[reason].advice

"""The policy's document: what a channel or a stream may have of its own, pauses, lapses, streams by sender."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from aftersend.core.causes import make_claim
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import CauseKind, Class, Context, Evidence, Kind, Reason, Suppression, Verdict
from aftersend.core.outcome import merge
from aftersend.core.policy import load
from aftersend.core.suppression import find_active_causes
from aftersend.core.suppression import merge_claims as absorb_claims
from aftersend.ingest import ingest
from tests.support.facts import ANN, START, VERDICTS, bounce, classify, fact, fake_source, message
from tests.support.ports import MemoryStore, ports
from tests.support.streaks import find_streak

SMS = "sms:+15550100"
MOMENT = timedelta(milliseconds=1)


def _day(day: float) -> datetime:
    return START + timedelta(days=day)


def test_a_channel_may_have_a_policy_of_its_own() -> None:
    policy = load("[channel.sms.hard]\nsuppress = false\n[channel.sms.streak]\nbounces = 2")
    hard, texted = bounce(1, "hard"), bounce(1, "hard", recipient=SMS)
    assert make_claim(hard, classify(hard), policy) is not None
    assert make_claim(texted, classify(texted), policy) is None
    for recipient, stands in ((ANN, False), (SMS, True)):
        facts = [bounce(2 * day, message=f"test:{day}", recipient=recipient) for day in range(2)]
        assert (find_streak([merge(None, [each], classify) for each in facts], policy) is not None) == stands


def test_a_stream_may_have_a_policy_of_its_own_and_is_heard_before_the_channel() -> None:
    policy = load(
        "[channel.email.complaint]\neverywhere = true\n[stream.news.complaint]\neverywhere = false\nlapse_days = 90"
    )
    for scope, meant, days in (("news", "news", 90), ("orders", "*", None), (None, "*", None)):
        claim = make_claim(fact(Kind.COMPLAINED, 1, scope=scope), None, policy)
        assert claim is not None
        assert (claim.scope, claim.cause.until) == (meant, _day(1 + days) if days else None)


def test_where_channel_and_stream_both_say_something_both_are_heard() -> None:
    policy = load("[channel.email.complaint]\nlapse_days = 10\n[stream.news.complaint]\neverywhere = false")
    for recipient, scope, meant, days in (
        (ANN, "news", "news", 10),
        (ANN, "orders", "*", 10),
        (ANN, None, "*", 10),
        (SMS, "news", "news", None),
        (SMS, "orders", "*", None),
    ):
        claim = make_claim(fact(Kind.COMPLAINED, 1, scope=scope, recipient=recipient), None, policy)
        assert claim is not None
        assert (claim.scope, claim.cause.until) == (meant, _day(1 + days) if days else None)


def test_bounces_may_have_to_be_as_far_apart_as_they_may_be() -> None:
    policy = load("[streak]\nbounces = 2\napart_hours = 240\ngap_days = 10")
    for day, stands in ((9, False), (10, True), (11, False)):
        row = [merge(None, [bounce(at, message=f"test:{at}")], classify) for at in (0, day)]
        assert (find_streak(row, policy) is not None) == stands


@pytest.mark.parametrize(("pause", "bounces"), [(14, 5), (31, 3)])
def test_who_is_written_to_seldom_has_a_streak_where_the_gap_is_longer(pause: int, bounces: int) -> None:
    row = [merge(None, [bounce(pause * at, message=f"test:{at}")], classify) for at in range(bounces)]
    assert find_streak(row, load()) is None
    assert find_streak(row[1:], load(f"[streak]\nbounces = {bounces}\ngap_days = {pause + 1}")) is None
    streak = find_streak(row, load(f"[streak]\nbounces = {bounces}\ngap_days = {pause + 1}"))
    assert streak is not None
    assert find_streak(row, load(f"[streak]\nbounces = {bounces}\ngap_days = {pause - 1}")) is None


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("[channel.fax.hard]\nsuppress = true", r"'fax' is not one of email, push, sms - at `\$\.channel`"),
        ("[channel.sms.guard]\nwatch = true", r"a channel has no 'guard' of its own - at `\$\.channel\.sms`"),
        ("[stream.news.hard]\nsuppress = true", r"a stream has no 'hard' of its own - at `\$\.stream\.news`"),
        ("[stream.news.complaint]\nsuppress = 1", r"policy of news: Expected `bool`.*`\$\.complaint\.suppress`"),
        ("[channel.sms.streak]\nbounces = 1", r"policy of sms: Expected `int` >= 2.*`\$\.streak\.bounces`"),
        ("[streams]\n'*' = 'no spaces'", r"matching regex.*`\$\.streams\[\.\.\.\]`"),
        ("[streams]\n'example.com' = 'news'", r"each sender is an address.* - at `\$\.streams`"),
        ("[streams]\n'' = 'news'", r"each sender is an address.* - at `\$\.streams`"),
        ("[streams]\n'@' = 'news'", r"each sender is an address.* - at `\$\.streams`"),
        ("[streams]\n'a@b.example' = 'x'\n'A@B.example' = 'y'", r"stands there twice - at `\$\.streams`"),
        ("[channel.sms.streak]\napart_hours = 999", r"policy of sms: apart_hours .*`\$\.streak\.apart_hours`"),
        ("channel = 1", r"Expected `object` - at `\$\.channel`"),
        ("[channel]\nsms = 1", r"Expected `object` - at `\$\.channel\.sms`"),
        ("[variants]", "unknown field `variants`"),
        ("[guard]\nfloor = 1", r">= 10 - at `\$\.guard\.floor`"),
    ],
)
def test_what_is_wrong_is_named(document: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        load(document)


@pytest.mark.parametrize("given", ["News@Example.com", "@EXAMPLE.com", "@bücher.example", "News <news@example.com>"])
def test_a_sender_is_found_however_the_document_spells_it(given: str) -> None:
    policy = load(f"[streams]\n'{given}' = 'news'")
    for sender in ("news@example.com", "NEWS@Example.com") if "bücher" not in given else ("a@xn--bcher-kva.example",):
        assert policy.find_stream(sender) == "news"


@pytest.mark.parametrize(("days", "end"), [(0, None), (30, 31)])
def test_a_cause_lapses_when_the_policy_says_so(days: int, end: float | None) -> None:
    policy = load(f"[hard]\nlapse_days = {days}")
    claim = make_claim(bounce(1, "hard"), VERDICTS["hard"], policy)
    assert claim is not None
    known = absorb_claims(Suppression(recipient=ANN), [claim])
    assert claim.cause.until == (None if end is None else _day(end))
    assert find_active_causes(known, _day(31) - MOMENT) == (CauseKind.HARD,)
    assert find_active_causes(known, _day(31)) == (() if end else (CauseKind.HARD,))


def test_a_streak_of_full_mailboxes_may_lapse_at_another_time() -> None:
    policy = load("[streak]\nbounces = 2\nfull_lapse_days = 7")
    for code, days in (("full", 7), ("soft", 30)):
        facts = [bounce(2 * day, "soft", f"test:{day}") for day in range(2)] + [bounce(4, code, "test:9")]
        cause = find_streak([merge(None, [each], classify) for each in facts], policy)
        assert cause is not None and cause.until == _day(4 + days)


@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.REJECTED])
def test_who_asks_for_a_pause_gets_one(kind: Kind) -> None:
    """Design §6: "recipient asked for a pause (DirectMail SmtpRcptFreq): 24 hours"."""
    asked = fact(kind, 1, "SmtpRcptFreq")
    verdict = Verdict(klass=Class.IGNORE, reason=Reason.RATE_LIMITED, rule="test")
    claim = make_claim(asked, verdict, load())
    assert claim is not None
    assert (claim.kind, claim.scope, claim.cause.until) == (CauseKind.PAUSE, "*", _day(2))
    assert make_claim(asked, verdict, load("[pause]\nsuppress = false")) is None
    assert make_claim(fact(kind, 1, "SmtpMfFreq"), verdict, load()) is None


@pytest.mark.parametrize("kind", [Kind.BOUNCED, Kind.REJECTED])
def test_a_full_mailbox_is_left_alone_where_the_policy_says_so(kind: Kind) -> None:
    """DirectMail on SmtpFullBox: "Please stop sending letters to the recipient"."""
    full, verdict = fact(kind, 1, "SmtpFullBox"), Verdict(klass=Class.SOFT, reason=Reason.MAILBOX_FULL, rule="test")
    policy = load("[pause]\nfull_hours = 72")
    assert make_claim(full, verdict, load()) is None
    claim = make_claim(full, verdict, policy)
    assert claim is not None
    assert (claim.kind, claim.scope, claim.cause.until) == (CauseKind.PAUSE, "*", _day(4))
    assert make_claim(full, verdict, load("[pause]\nfull_hours = 72\nsuppress = false")) is None
    assert make_claim(fact(Kind.DEFERRED, 1, "SmtpFullBox"), verdict, policy) is None
    ignored = load('[pause]\nfull_hours = 72\n[classes]\nmailbox_full = "ignore"')
    assert make_claim(full, verdict, ignored) is None
    asked = make_claim(fact(kind, 1, "SmtpRcptFreq"), verdict, policy)
    assert asked is not None and asked.cause.until == _day(2)


def test_full_mailboxes_in_a_row_still_make_a_streak() -> None:
    policy = load("[pause]\nfull_hours = 72\n[streak]\nbounces = 2")
    facts = [bounce(2 * day, "full", f"test:{day}") for day in range(2)]
    assert find_streak([merge(None, [each], classify) for each in facts], policy) is not None


STREAMS = """[streams]
"news@send.example.com" = "news"
"@send.example.com" = "others"
"*" = "rest"
"""


@pytest.mark.parametrize(
    ("sender", "stream"),
    [
        ("news@send.example.com", "news"),
        ("The News <NEWS@send.example.com>", "news"),
        ("shop@send.example.com", "others"),
        ("shop@example.com", "rest"),
        ("", "rest"),
    ],
)
def test_the_senders_address_goes_before_its_domain_and_that_before_all_others(sender: str, stream: str) -> None:
    assert load(STREAMS).find_stream(sender) == stream
    assert load().find_stream(sender) is None


def test_who_leaves_leaves_the_stream_that_the_sender_belongs_to() -> None:
    """Issue: "the template lets a user route sender addresses to their own stream (`scope`)"."""
    news = Context(sender="news@send.example.com")
    facts = [
        fact(Kind.UNSUBSCRIBED, 1, context=news),
        fact(Kind.UNSUBSCRIBED, 1, scope="named", context=news, message="test:2"),
        fact(Kind.UNSUBSCRIBED, 1, message="test:3"),
        fact(Kind.BOUNCED, 1, evidence=Evidence(provider_code="hard"), context=news, message="test:4"),
    ]
    store = MemoryStore()
    with fake_source():
        assert not ingest([message(facts)], ports(store, policy=load(STREAMS))).failed
        assert not ingest([message(facts)], ports(store, policy=load(STREAMS))).failed
    found = {
        key[1]: sorted(each.causes) for key, each in store.get_suppressions(list(store.suppressions_table)).items()
    }
    assert found == {"news": ["unsubscribed"], "named": ["unsubscribed"], "*": ["hard", "unsubscribed"]}

"""Texts are folded to words and masks; patterns match words; facts are read out of loose fields."""

# ruff: noqa: E501
from __future__ import annotations

import pytest

from aftersend.classify import evidence_from, normalise
from aftersend.classify.evidence import MAX_TEXT, join_lines
from aftersend.classify.pattern import MAX_CHOICES, REACH, SPAN, Matcher, compile_pattern
from aftersend.classify.text import LIMIT
from aftersend.classify.wrappers import peel
from aftersend.core.model import Phase


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("550 5.1.1 <a@b.example>... User Unknown", "ADDR user unknown"),
        ("550-5.1.1 User\r\n550 5.1.1 unknown", "user unknown"),
        ("550-User\r\n550-unknown", "user unknown"),
        ("550 #5.1.0 Address rejected.", "address rejected"),
        ("#<#5.1.1 smtp;550>", "smtp"),
        ("user_unknown/disabled", "user unknown disabled"),
        ("user doesn\u2019t exist", "user doesnt exist"),
        ("E-Mail is non-existent!", "email is non existent"),
        ("host mx.b.example[192.0.2.1]:25 busy", "host HOST IP NUM busy"),
        ("2001:db8::1 and [IPv6:2001:db8::2] blocked", "IP and IP blocked"),
        ("<spam.user+blocked@virus.example>", "ADDR"),
        ('<"user unknown"@b.example>: moved', "xADDR moved".replace("xADDR", "ADDR")),
        ("(a@b.example:blocked)", "ADDR blocked"),
        ("mailto:a@b.example", "ADDR"),
        ("at http://spam.example/unknown-user?x=1 now", "at URL now"),
        ("http://www.spamhaus.org/query/bl", "spamhaus query bl"),
        ("bl.spamcop.net", "spamcop"),
        ("https://support.google.com/mail/?p=NoSuchUser x1 - gsmtp", "googlesupport mail p nosuchuser x1 gsmtp"),
        ("user unknown.Please check", "user unknown please check"),
        ("RESOLVER.ADR.RecipNotFound; not found", "resolver adr recipnotfound not found"),
        ("OFR_506 TSS04 IB212 BL000001", "ofr506 tss04 ib212 bl000001"),
        ("id 4A3B2C1D9E, 12345 bytes", "id NUM bytes"),
        ("a@b.example, c@d.example", "ADDR"),
        ("not allowed...a@b.example", "not allowed ADDR"),
        ("\u7528\u6237\u4e0d\u5b58\u5728\u3002", "\u7528\u6237\u4e0d\u5b58\u5728"),
        ("\x1b$B%f!<%6!<\x1b(B Neko", "\u30e6\u30fc\u30b6\u30fc neko"),
        (" $B%f!<%6!< (B Neko", "\u30e6\u30fc\u30b6\u30fc neko"),
        ("Não existe: ENDEREÇO inválido", "nao existe endereco invalido"),
        ("Kullan\u0131c\u0131 BULUNAMADI", "kullanici bulunamadi"),
        ("Địa chỉ", "dia chi"),
        ("e\u0301 \u00e9 \uff55\uff53\uff45\uff52", "e e user"),
        ("\uff8d\uff9e\uff70\uff7c\uff9e", "\u30da\u30fc\u30b8".replace("\u30da", "\u30d9")),
        ("\u0627\u0644\u0645\u064f\u0633\u062a\u062e\u062f\u0645", "\u0627\u0644\u0645\u0633\u062a\u062e\u062f\u0645"),
        ("", ""),
        ("550 5.1.1", ""),
    ],
)
def test_folding(text: str, words: str) -> None:
    assert normalise(text).strip() == words


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("550-no such\r\n550-user\r\n550 here", "550-no such user here"),
        ("550-no such 550-user 550 here", "550-no such user here"),
        ("550-5.1.1 no such 550-5.1.1 user 550 5.1.1 here", "550-5.1.1 no such user here"),
        ("550-no mailbox 550 5.7.1 listed", "550-no mailbox 5.7.1 listed"),
        ("550-5.1.1 no (in 550 5.1.1 reply to RCPT TO)", "550-5.1.1 no (in reply to RCPT TO)"),
        ("host mx said: 550-no such 550 user", "host mx said: 550-no such user"),
        ("450-busy 550 no such user", "450-busy 550 no such user"),  # another reply
        ("550-no such 550 user; 550 again", "550-no such user; 550 again"),  # the first has ended
        ("550 no such 550 user", "550 no such 550 user"),
        ("x-550-1 and 550-2", "x-550-1 and 550-2"),
        ("", ""),
    ],
)
def test_the_lines_of_a_reply_are_one(text: str, joined: str) -> None:
    assert join_lines(text) == joined


def test_wrappers_fall_away() -> None:
    plain = normalise("550 5.1.1 <a@b.example>: moonlight")
    for wrapped in (
        "host mx.b.example[192.0.2.1] said: 550 5.1.1 <a@b.example>: moonlight (in reply to RCPT TO command)",
        "Remote host said: 550 5.1.1 <a@b.example>: moonlight",
        "550 5.1.1 <a@b.example>: Recipient address rejected: moonlight",
        "Remote Server returned '550 5.1.1 <a@b.example>: moonlight'",
    ):
        assert normalise(wrapped) == plain


def test_the_key_of_a_text_does_not_name_persons_machines_or_messages() -> None:
    first = normalise("451 4.7.1 <x@one.example> deferred at mx1.one.example [192.0.2.1] id 8F0A1B22C3, try 17")
    second = normalise("451 4.7.1 <y.z@two.example> deferred at mx2.two.example [2001:db8::9] id 77CAFE00D1, try 4711")
    assert first == second


def test_only_the_beginning_of_a_text_is_read() -> None:
    assert "late" not in normalise("x " * LIMIT + "late")


# -- Patterns -----------------------------------------------------------------------------------------------------------


def found(pattern: str, text: str) -> bool:
    """Whether a text holds a pattern."""
    compiled, matcher = compile_pattern(pattern), Matcher()
    assert compiled is not None
    matcher.add(compiled)
    return bool(matcher.find(normalise(text)))


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("user unknown", "550 User Unknown.", True),
        ("user unknown", "superuser unknown", False),
        ("user unknown", "user is unknown", False),
        ("user * unknown", "user is unknown", True),
        ("user * unknown", "user unknown", True),
        ("user * unknown", "unknown user", False),
        ("user * unknown", "user " + "so " * REACH + "unknown", True),
        ("user * unknown", "user " + "so " * (REACH + 1) + "unknown", False),
        ("user * unknown", "user " + "so " * (REACH + 1) + "user so unknown", True),
        ("a1 * b1 * c1", "a1 so b1 so c1", True),
        ("a1 * b1 * c1", "a1 so c1 so b1", False),
        ("no * no", "no", False),
        ("no * no", "no no", True),
        ("blacklist*", "blacklisted", True),
        ("blacklist*", "blacklist", True),
        ("blacklist*", "black", False),
        ("exceed* * quota", "exceeded his quota", True),
        ("ADDR does not exist", "<x@y.example> does not exist", True),
        ("ADDR does not exist", "addr does not exist", False),
        ("User's E-Mail", "users email", True),
        ("\u5bb9\u91cf\u4e0d\u8db3", "\u90ae\u7bb1\u5bb9\u91cf\u4e0d\u8db3\uff0c\u9000\u56de", True),
        ("\u5bb9\u91cf\u4e0d\u8db3", "\u5bb9\u91cf\u8db3", False),
        ("(user|box) * (gone|not here)", "the user is gone", True),
        ("(user|box) * (gone|not here)", "box not here", True),
        ("(user|box) * (gone|not here)", "user not", False),
        ("(user|box) * (gone|not here)", "gone user", False),
        ("(no|not a) such (user|)", "not a such thing", True),
        ("(user|) unknown", "unknown", True),
        ("\u6536\u4ef6\u4eba * \u4e0d\u5b58\u5728", "\u6536\u4ef6\u4eba <a@b.example> \u4e0d\u5b58\u5728", True),
        ("\u6536\u4ef6\u4eba * \u4e0d\u5b58\u5728", "\u4e0d\u5b58\u5728 \u6536\u4ef6\u4eba", False),
        (
            "\u6536\u4ef6\u4eba * \u4e0d\u5b58\u5728",
            "\u6536\u4ef6\u4eba" + "\u5f88" * SPAN + "\u4e0d\u5b58\u5728",
            True,
        ),
        (
            "\u6536\u4ef6\u4eba * \u4e0d\u5b58\u5728",
            "\u6536\u4ef6\u4eba" + "\u5f88" * (SPAN + 1) + "\u4e0d\u5b58\u5728",
            False,
        ),
        ("(\u7528\u6237|\u5730\u5740)(\u4e0d\u5b58\u5728|\u65e0\u6548)", "\u8be5\u5730\u5740 \u65e0\u6548", True),
        ("\u043d\u0430\u0439\u0434\u0435\u043d", "\u043d\u0430\u0439\u0434\u0435\u043d\u0430", True),
        (
            "\u043d\u0435 \u043d\u0430\u0439\u0434\u0435\u043d",
            "\u043d\u0435 \u043d\u0430\u0439\u0434\u0435\u043d\u0430",
            False,
        ),
        (
            "\u0e44\u0e21\u0e48\u0e1e\u0e1a \u0e1c\u0e39\u0e49\u0e43\u0e0a\u0e49",
            "\u0e44\u0e21\u0e48\u0e1e\u0e1a\u0e1c\u0e39\u0e49\u0e43\u0e0a\u0e49\u0e19\u0e35\u0e49",
            True,
        ),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert found(pattern, text) is expected


def test_patterns_share_a_matcher_without_disturbing_each_other() -> None:
    matcher = Matcher()
    sources = ["user unknown", "user * unknown", "user*", "unknown user", "is unknown"]
    numbers = {source: matcher.add(compile_pattern(source)) for source in sources}  # type: ignore[arg-type]
    assert matcher.find("the users unknown") == {numbers["user*"]}
    assert matcher.find("the user is unknown") == {
        numbers["user * unknown"],
        numbers["user*"],
        numbers["is unknown"],
    }


def test_a_matcher_that_has_read_may_still_learn() -> None:
    matcher = Matcher()
    matcher.add(compile_pattern("red moon"))  # type: ignore[arg-type]
    assert not matcher.find("blue moon")
    matcher.add(compile_pattern("blue moon"))  # type: ignore[arg-type]
    assert matcher.find("blue moon") == {1}


def test_alternatives_are_bounded() -> None:
    many = "(" + "|".join(f"w{number}" for number in range(21)) + ")"
    with pytest.raises(ValueError, match=f"more than {MAX_CHOICES} choices"):
        compile_pattern(f"{many} {many}")
    assert compile_pattern(f"{many} * {many}") is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "*",
        "()",
        "(a|)",
        "(user|a*)",
        "(ADDR|HOST)",
    ],
)
def test_a_choice_of_nothing_is_no_pattern(pattern: str) -> None:
    assert compile_pattern(pattern) is None


# -- Wrappers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("host mx.b.example[192.0.2.1] said: 550 moonlight", "550 moonlight"),
        ("<a@b.example>: host mx.b.example said:\n 550-moonlight\n 550 tonight", "550-moonlight tonight"),
        ("Remote host said: moonlight tonight", "moonlight tonight"),
        ("5.1.0 - Unknown address error 550-'5.7.1 moonlight' (delivery attempts: 0)", "550-'5.7.1 moonlight'"),
        ("5.3.0 - Other mail system problem 554-'moonlight'", "554-'moonlight'"),
        ("<192.0.2.3 #5.0.0 smtp; 550 moonlight>", "550 moonlight>"),
        ("Mailbox unavailable. The server response was: 5.7.1 moonlight", "5.7.1 moonlight"),
        ("Can't send mail - all recipients were rejected: 550 5.7.1 moonlight", "550 5.7.1 moonlight"),
        ("SMTPAddressFailedException: 550 5.7.1 moonlight", "550 5.7.1 moonlight"),
        ('Expected response code "250" but got code "550", with message "550 moonlight"', '550 moonlight"'),
        ("Earlier attempt: 421 4.7.0 too busy 550 5.1.1 moonlight", "550 5.1.1 moonlight"),
        ("host a.example said: 550 host b.example said: 554 moonlight", "554 moonlight"),
    ],
)
def test_the_innermost_reply_is_handed_on(text: str, inner: str) -> None:
    reply = peel(join_lines(text))
    assert reply.text.startswith(inner)
    assert reply.inner


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 moonlight",
        "550-moonlight 550 tonight",
        "host mx.b.example said: 550 5.1.1",  # it quotes a code and no word
        "Message expired; host mx.b.example said: 451 moonlight",
        "Sender verify failed; the callout said: 550 moonlight",
        "the user said moonlight 550 times",
    ],
)
def test_what_quotes_nothing_is_left_alone(text: str) -> None:
    assert peel(text).text == text


@pytest.mark.parametrize(
    "footer",
    [
        "This email has been scanned for all viruses by the Moonlight Security System.",
        "This e-mail may contain confidential information.",
        "If you are not the intended recipient any use is prohibited and spam will be reported",
        "Diese E-Mail kann vertrauliche Informationen enthalten",
        "Ce message et ses pièces jointes sont confidentiels",
        "Este mensaje puede contener información confidencial",
        "Scanned by MoonAV",
    ],
)
def test_footers_fall_away(footer: str) -> None:
    assert peel(footer).text == ""
    assert peel(f"moonlight tonight. {footer}").text.strip(" .") == "moonlight tonight"


# -- Evidence -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code", "status", "phase"),
    [
        ({"text": "smtp; 550 5.1.1 user unknown"}, 550, "5.1.1", None),
        ({"text": "550-5.1.1 user unknown"}, 550, "5.1.1", None),
        ({"text": "550 #5.1.1 user unknown"}, 550, "5.1.1", None),
        ({"text": "#550 5.1.1 not found"}, 550, "5.1.1", None),
        ({"text": "host x said: 451 busy"}, 451, None, None),
        ({"text": "host x[2001:db8::400] and 2001:db8:450::1 said: 551 busy"}, 551, None, None),
        ({"text": "did not like our RCPT TO:551 busy"}, 551, None, Phase.RCPT_TO),
        ({"text": "550: : busy"}, 550, None, None),
        ({"text": "no code here, 550 of them"}, 550, None, None),
        ({"text": "version 5.1.1.2 at 192.0.2.5"}, None, None, None),
        ({"code": "550", "status": "5.2.1", "text": "450 4.1.1 x"}, 550, "5.2.1", None),
        ({"code": 421}, 421, None, None),
        ({"code": "", "status": ""}, None, None, None),
        ({"code": "abc", "status": "abc"}, None, None, None),
        ({"code": "999"}, None, None, None),
        ({"status": "5.1.1 (bad destination mailbox address)"}, None, "5.1.1", None),
        ({"command": "RCPT TO:<a@b.example>"}, None, None, Phase.RCPT_TO),
        ({"command": "MAIL"}, None, None, Phase.MAIL_FROM),
        ({"command": "mail_from"}, None, None, Phase.MAIL_FROM),
        ({"command": "CONN"}, None, None, Phase.CONNECT),
        ({"command": "EHLO"}, None, None, Phase.EHLO),
        ({"command": "DATA"}, None, None, Phase.DATA),
        ({"command": "NONSENSE"}, None, None, None),
        ({"text": "x (in reply to RCPT TO command)"}, None, None, Phase.RCPT_TO),
        ({"text": "x (in reply to end of DATA command)"}, None, None, Phase.DATA),
        ({"text": "x (in reply to MAIL FROM command)"}, None, None, Phase.MAIL_FROM),
        ({"text": "SMTP error from remote mail server after RCPT TO:<a@b.example>: x"}, None, None, Phase.RCPT_TO),
        ({"text": "SMTP error from remote mail server after MAIL FROM:<a@b.example>"}, None, None, Phase.MAIL_FROM),
        ({"text": "SMTP error after pipelined end of data: x"}, None, None, Phase.DATA),
        ({"text": "SMTP error after initial connection: x"}, None, None, Phase.CONNECT),
        ({"text": "mx.b.example did not like our RCPT TO: x"}, None, None, Phase.RCPT_TO),
        ({"text": "server refused to talk to me: x"}, None, None, Phase.CONNECT),
        ({"text": ">>> MAIL From:<a@b.example> <<< 250 ok >>> RCPT To:<c@d.example> <<< x"}, None, None, Phase.RCPT_TO),
        ({"text": "192.0.2.1 does not like recipient. x"}, None, None, Phase.RCPT_TO),
        ({"text": "Remote host said: x [RCPT_TO]"}, None, None, Phase.RCPT_TO),
        ({"command": "DATA", "text": "x (in reply to RCPT TO command)"}, None, None, Phase.DATA),
        ({"text": "550-x (in reply\r\n to RCPT TO command)"}, 550, None, Phase.RCPT_TO),
        ({"text": "SMTP error from remote mail server after\n MAIL FROM:<a@b.example>"}, None, None, Phase.MAIL_FROM),
    ],
)
def test_facts_from_loose_fields(
    fields: dict[str, object], code: int | None, status: str | None, phase: Phase | None
) -> None:
    evidence = evidence_from(**fields)  # type: ignore[arg-type]
    assert (evidence.code, evidence.status, evidence.phase) == (code, status, phase)


def test_empty_fields_are_absent() -> None:
    evidence = evidence_from(text="  ", provider_code="", action="", remote_mta=" ")
    assert (evidence.text, evidence.provider_code, evidence.action, evidence.remote_mta) == (None, None, None, None)


@pytest.mark.parametrize("character", ["x", "\u00e9", "\u7528", "\U0001f408"])
@pytest.mark.parametrize("length", [255, 256, 257, 1023, 1024, 1025, 5000])
def test_a_long_text_is_cut_between_characters_and_keeps_its_end(character: str, length: int) -> None:
    text = evidence_from(text=character * length + " end").text
    assert text is not None
    assert len(text.encode()) <= MAX_TEXT
    assert text.endswith(" end")
    assert set(text) <= {character, " ", "e", "n", "d"}

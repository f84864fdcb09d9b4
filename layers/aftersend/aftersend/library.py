"""What a program calls that has no stack: it parses what was received, and judges refusals. Pure, and without AWS.

    import aftersend
    for fact in aftersend.parse_mail(mail):
        print(fact.recipient, fact.kind, aftersend.judge(fact))

The rules are the shipped ones, loaded once. Nothing is stored: outcomes, suppressions and their order are what the
stack is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from aftersend.core.model import BY_MAIL, Evidence, Feedback, Verdict
from aftersend.core.vocabulary import Channel
from aftersend.sources import read
from aftersend.sources.message import NO_HEADERS

if TYPE_CHECKING:
    from aftersend.classify import Classifier


def parse(source: str, body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> list[Feedback]:
    """Parse one body of `source` ("ses", "mailerq", …), out of any envelope, and return the facts in it.

    `headers` are those that came beside the body, names in lower case; few sources need them. Raises MalformedFeedback
    where the body cannot be read, and where there is no such source.
    """
    return read(source, body, headers)


def parse_mail(mail: bytes) -> list[Feedback]:
    """Parse a mail (RFC 5322): a bounce, a complaint in ARF, an automatic answer, or several in a mailbox.

    Returns one fact for each recipient; none where the mail reports nothing. Anybody can have written a mail, so its
    facts are marked as forgeable. Raises MalformedFeedback where it is no mail at all.
    """
    return read(BY_MAIL, mail)


def judge(fact: Feedback) -> Verdict | None:
    """Return what a fact means for its recipient: class, reason and rule; None where it is no refusal."""
    return _load_classifier()(fact)


def judge_reply(text: str, *, code: int | None = None, status: str | None = None) -> Verdict:
    """Judge one refusal by its text, with the SMTP code and the enhanced status where those are known apart."""
    from aftersend.classify import evidence_from  # noqa: PLC0415  # not before something is judged

    evidence = evidence_from(code=code, status=status, text=text)
    return _load_classifier().judge(source=BY_MAIL, evidence=evidence)


def advise(verdict: Verdict, channel: Channel = Channel.EMAIL) -> str:
    """Return one sentence on what to do about a verdict, to a recipient who is reached by `channel`."""
    return _load_classifier().advise(verdict, channel=channel)


@cache
def _load_classifier() -> Classifier:
    from aftersend.classify import load  # noqa: PLC0415  # not before something is judged

    return load()


__all__ = ["Channel", "Evidence", "Feedback", "Verdict", "advise", "judge", "judge_reply", "parse", "parse_mail"]

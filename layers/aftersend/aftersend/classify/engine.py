"""Gives every refusal one verdict: collects the rules that could match, and lets the first in order decide.

The order of decision is the order of the rules (`load.ORDER`): the user's own, verdicts that are no delivery attempt,
what the text says of the sender, then of the address, then of the way; the specific enhanced status; the source's own
words; what vague texts and generic codes say; the bare reply code. Two things stand above all rules: what answered a
command before RCPT TO is never held against the address, and what did not fail (Action: delayed …) is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from aftersend.classify.evidence import code_in, phase_in, phase_of, status_in
from aftersend.classify.pattern import Matcher
from aftersend.classify.rules import Rule
from aftersend.classify.text import normalise
from aftersend.model import Class, Evidence, Feedback, Kind, Phase, Reason, Verdict
from aftersend.vocabulary import class_of

MEMO: Final = 8_192  # verdicts kept
USER: Final = "user:"  # begins the id of a user's rule

NO_VERDICT: Final = frozenset(
    (
        Kind.SENT,
        Kind.DELIVERED,
        Kind.OPENED,
        Kind.CLICKED,
        Kind.UNSUBSCRIBED,
        Kind.SUBSCRIBED,
        Kind.EXPIRED,
        Kind.COMPLAINT_WITHDRAWN,
    )
)
NOT_FAILED: Final = frozenset(("delayed", "relayed", "expanded", "delivered"))
# What an address-like refusal means when it answered a command that named no recipient yet.
EARLY: Final = {
    Phase.CONNECT: Reason.BLOCKED,
    Phase.EHLO: Reason.BLOCKED,
    Phase.AUTH: Reason.PROTOCOL_ERROR,
    Phase.MAIL_FROM: Reason.SENDER_REJECTED,
}
_KINDS: Final = {
    Kind.COMPLAINED: Verdict(klass=Class.COMPLAINT, reason=Reason.COMPLAINT, rule="kind.complained"),
    Kind.AUTO_REPLIED: Verdict(klass=Class.IGNORE, reason=Reason.AUTO_REPLY, rule="kind.auto-replied"),
}
_NOTHING: Final = "nothing"  # the rule id where no rule decided
_VAGUE: Final = (".0.0", ".4.7")  # a reporter's own summary: the remote system's words, where quoted, say more


class Seen(Struct, frozen=True, kw_only=True):
    """What the rules look at, prepared once: every condition is one lookup."""

    source: str
    kind: Kind
    phase: Phase | None
    found: set[int]  # numbers of the patterns that are in the text
    codes: frozenset[str]
    statuses: frozenset[str]
    words: frozenset[str]
    remote: str
    absent: frozenset[str]
    temporary: bool


class Classifier:
    """Rules in order, indexed by what they look for."""

    def __init__(self, rules: Sequence[Rule], matcher: Matcher) -> None:
        self.rules = tuple(rules)
        self._matcher = matcher
        self._by_pattern: dict[int, list[int]] = {}
        self._by_code: dict[str, list[int]] = {}
        self._by_status: dict[str, list[int]] = {}
        self._by_word: dict[str, list[int]] = {}
        self._always: list[int] = []
        self._index()
        self.decide = lru_cache(MEMO)(self._decide)

    def __call__(self, feedback: Feedback) -> Verdict | None:
        """The verdict on `feedback`; None where its kind carries none."""
        kind = feedback.kind
        if kind in NO_VERDICT:
            return None
        if kind in _KINDS:
            return _KINDS[kind]
        verdict = self.judge(source=feedback.source, evidence=feedback.evidence or Evidence(), kind=kind)
        return None if kind is Kind.UNKNOWN and verdict.rule == _NOTHING else verdict

    def judge(self, *, source: str, evidence: Evidence, kind: Kind = Kind.BOUNCED) -> Verdict:
        """The verdict on `evidence` as `source` reported it; equal evidence is judged once."""
        return self.decide(
            source,
            kind,
            evidence.code,
            evidence.status,
            evidence.text or "",
            evidence.word or "",
            (evidence.action or "").casefold(),
            evidence.phase,
            evidence.remote_mta or "",
        )

    def _decide(  # noqa: PLR0913
        self,
        source: str,
        kind: Kind,
        code: int | None,
        status: str | None,
        text: str,
        word: str,
        action: str,
        phase: Phase | None,
        remote: str,
    ) -> Verdict:
        found = self._matcher.found_in(normalise(_answer(text, code)).split()) if text else set()
        seen = _see(source, kind, code, status, text, word, action, phase, remote, found)
        rule = self._first(seen)
        verdict = _verdict(rule, seen) if rule else Verdict(klass=Class.UNDETERMINED, reason=Reason.UNDETERMINED, rule=_NOTHING)
        if action in NOT_FAILED:
            return Verdict(klass=Class.IGNORE, reason=verdict.reason, rule=verdict.rule)
        return verdict

    def _first(self, seen: Seen) -> Rule | None:
        candidates = set(self._always)
        for number in seen.found:
            candidates.update(self._by_pattern.get(number, ()))
        for index, keys in ((self._by_status, seen.statuses), (self._by_code, seen.codes), (self._by_word, seen.words)):
            for key in keys:
                candidates.update(index.get(key, ()))
        for at in sorted(candidates):
            if _holds(self.rules[at], seen):
                return self.rules[at]
        return None

    def _index(self) -> None:
        """Puts each rule under the one thing that it cannot do without."""
        for at, rule in enumerate(self.rules):
            for number in rule.any or tuple(rule.all)[:1]:
                self._by_pattern.setdefault(number, []).append(at)
            if not (rule.any or rule.all):
                self._index_by_field(at, rule)

    def _index_by_field(self, at: int, rule: Rule) -> None:
        for index, keys in ((self._by_word, rule.words), (self._by_status, rule.statuses), (self._by_code, rule.codes)):
            if keys is not None:
                for key in keys:
                    index.setdefault(key, []).append(at)
                return
        self._always.append(at)


def _see(  # noqa: PLR0913
    source: str,
    kind: Kind,
    code: int | None,
    status: str | None,
    text: str,
    word: str,
    action: str,
    phase: Phase | None,
    remote: str,
    found: set[int],
) -> Seen:
    given = {"text": text.strip(), "status": status, "code": code, "action": action}
    quoted = status_in(text) if status is None or status.endswith(_VAGUE) else None
    status = quoted or status
    code = code or code_in(text)
    return Seen(
        source=source,
        kind=kind,
        phase=phase or phase_in(text) or (phase_of(word.partition("/")[0]) if source == "mailerq" else None),
        found=found,
        codes=frozenset((str(code), str(code)[0])) if code else frozenset(),
        statuses=_status_keys(status),
        words=_word_keys(word),
        remote=remote or text.partition("host ")[2],
        absent=frozenset(name for name, value in given.items() if not value),
        temporary=kind is Kind.DEFERRED or (code // 100 == 4 if code else (status or "")[:2] == "4."),
    )


def _answer(text: str, code: int | None) -> str:
    """The part of a transcript that counts: a permanent answer supersedes the temporary one before it."""
    if code is None or code < 500 or text[:1] != "4":
        return text
    at = text.find(f" {code}")
    return text if at < 0 else text[at:]


@lru_cache(1_024)
def _status_keys(status: str | None) -> frozenset[str]:
    parts = (status or "").split(".")
    if len(parts) != 3:
        return frozenset()
    klass, subject, detail = parts
    return frozenset(f"{a}.{subject}.{b}" for a in (klass, "x") for b in (detail, "*"))


@lru_cache(1_024)
def _word_keys(word: str) -> frozenset[str]:
    if not word:
        return frozenset()
    first, _, second = word.casefold().partition("/")
    return frozenset((f"{first}/{second}", f"{first}/*", f"*/{second}") if second else (first,))


def _domain_keys(remote: str) -> frozenset[str]:
    """The answering machine's name and all domains above it; `remote` begins with the name."""
    name = remote[:255].split("[", 1)[0].split("(", 1)[0].strip(" .").partition(" ")[0].casefold().rstrip(".:")
    labels = name.split(".")
    return frozenset(".".join(labels[at:]) for at in range(len(labels) - 1))


def _holds(rule: Rule, seen: Seen) -> bool:
    """Whether every condition of `rule` is met."""
    found = seen.found
    if (rule.any and rule.any.isdisjoint(found)) or not rule.all <= found or not rule.none.isdisjoint(found):
        return False
    if rule.kinds is not None and seen.kind not in rule.kinds:
        return False
    if rule.phases is not None and seen.phase not in rule.phases:
        return False
    if rule.sources is not None and seen.source not in rule.sources:
        return False
    for wanted, given in ((rule.codes, seen.codes), (rule.statuses, seen.statuses), (rule.words, seen.words)):
        if wanted is not None and wanted.isdisjoint(given):
            return False
    if rule.domains is not None and rule.domains.isdisjoint(_domain_keys(seen.remote)):
        return False
    return rule.absent <= seen.absent


def _verdict(rule: Rule, seen: Seen) -> Verdict:
    reason, then = rule.then.reason, rule.then
    temporary = seen.temporary
    if then.final is not None and seen.kind is not Kind.DEFERRED:
        temporary = not then.final
    klass = then.klass or class_of(reason, temporary=temporary)
    if klass is Class.HARD and not rule.id.startswith(USER):
        if seen.phase in EARLY:
            reason = EARLY[seen.phase]
            klass = class_of(reason, temporary=temporary)
        elif temporary:
            klass = Class.SOFT
    return Verdict(klass=klass, reason=reason, rule=rule.id)

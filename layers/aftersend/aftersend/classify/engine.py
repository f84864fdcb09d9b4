"""Gives every refusal one verdict: collects the rules that could match, and lets the first in order decide.

The order of decision is the order of the rules (`shipped.ORDER`): the user's own; verdicts that are no delivery
attempt; what the text says of the sender, then of the address, then of the way; the specific enhanced status; the
source's own words; what vague texts and generic codes say; the bare reply code. Two things stand above all rules: what
answered a command before RCPT TO is never held against the address, and what did not fail (it was delayed, relayed …)
is ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from aftersend.classify.pattern import Matcher
from aftersend.classify.rules import Rule
from aftersend.classify.seen import Asked, Seen, answer, ask, domain_keys, see, word_keys
from aftersend.classify.text import normalise
from aftersend.core.model import Class, Evidence, Feedback, Kind, Phase, Reason, Verdict
from aftersend.core.vocabulary import advice, class_of

MEMORY: Final = 8_192  # verdicts remembered, and as many folded texts
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
KINDS: Final = {
    Kind.COMPLAINED: Verdict(klass=Class.COMPLAINT, reason=Reason.COMPLAINT, rule="kind.complained"),
    Kind.AUTO_REPLIED: Verdict(klass=Class.IGNORE, reason=Reason.AUTO_REPLY, rule="kind.auto-replied"),
}
NOTHING: Final = Verdict(klass=Class.UNDETERMINED, reason=Reason.UNDETERMINED, rule="nothing")  # no rule decided
_UNKNOWN: Final = Kind.UNKNOWN  # asked for by every rule that is tried: Python 3.11 is slow to find members of an Enum
NOT_FAILED: Final = frozenset(("delayed", "relayed", "expanded", "delivered"))
# What a refusal of "the address" means when it answered a command that had not named the recipient yet.
EARLY: Final = {
    Phase.CONNECT: Reason.BLOCKED,
    Phase.EHLO: Reason.BLOCKED,
    Phase.AUTH: Reason.PROTOCOL_ERROR,
    Phase.MAIL_FROM: Reason.SENDER_REJECTED,
}


class Classifier:
    """Rules in order, indexed by what they look for."""

    def __init__(self, rules: Sequence[Rule], matcher: Matcher) -> None:
        self.rules = tuple(rules)
        self._by_pattern: dict[int, list[int]] = {}
        self._by_code: dict[str, list[int]] = {}
        self._by_status: dict[str, list[int]] = {}
        self._by_word: dict[str, list[int]] = {}
        self._always: list[int] = []
        self._advice = {rule.id: rule.then.advice for rule in self.rules if rule.then.advice}
        self._index()
        self._found = lru_cache(MEMORY)(lambda line: matcher.found_in(line.split()))
        self._remembered = lru_cache(MEMORY)(self._decide)

    def __call__(self, feedback: Feedback) -> Verdict | None:
        """The verdict on `feedback`; None where its kind carries none."""
        kind = feedback.kind
        if kind in NO_VERDICT:
            return None
        if kind in KINDS:
            return KINDS[kind]
        verdict = self.judge(source=feedback.source, evidence=feedback.evidence or Evidence(), kind=kind)
        return None if kind is Kind.UNKNOWN and verdict.rule == NOTHING.rule else verdict

    def judge(self, *, source: str, evidence: Evidence, kind: Kind = Kind.BOUNCED) -> Verdict:
        """The verdict on `evidence` as `source` reported it; what it depends on is judged once."""
        return self._remembered(ask(source, evidence, kind))

    def advice(self, verdict: Verdict, provider_code: str | None = None) -> str:
        """What to do about `verdict` on evidence with this code of the provider.

        It is what the rule that decided says, else what a rule for the word says that gives the same reason (another
        may have decided by the text), else what goes with the reason.
        """
        told = [self._advice.get(verdict.rule)]
        for key in sorted(word_keys(provider_code or "")):
            rules = (self.rules[at] for at in self._by_word.get(key, ()))
            told += [rule.then.advice for rule in rules if rule.then.reason is verdict.reason]
        return next(filter(None, told), advice(verdict.reason))

    def forget(self) -> None:
        """Empties the memories: what follows is judged afresh."""
        self._remembered.cache_clear()
        self._found.cache_clear()

    def _decide(self, asked: Asked) -> Verdict:
        seen = see(asked, self._found(normalise(answer(asked))) if asked.text else frozenset())
        rule = self._first(seen)
        verdict = _verdict(rule, seen) if rule else NOTHING
        if asked.action in NOT_FAILED:
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


def _holds(rule: Rule, seen: Seen) -> bool:
    """Whether every condition of `rule` is met: first the patterns, which fail most often."""
    found = seen.found
    if (rule.any and rule.any.isdisjoint(found)) or not rule.all <= found or not rule.none.isdisjoint(found):
        return False
    if rule.kinds is None and rule.words is None and seen.kind is _UNKNOWN:
        return False  # an unknown type is judged only by a rule that knows its word, or asks for that kind
    for choices, one in ((rule.kinds, seen.kind), (rule.phases, seen.phase), (rule.sources, seen.source)):
        if choices is not None and one not in choices:
            return False
    for wanted, given in ((rule.codes, seen.codes), (rule.statuses, seen.statuses), (rule.words, seen.words)):
        if wanted is not None and wanted.isdisjoint(given):
            return False
    if rule.domains is not None and rule.domains.isdisjoint(domain_keys(seen.remote)):
        return False
    return rule.absent <= seen.absent


def _verdict(rule: Rule, seen: Seen) -> Verdict:
    """What `rule` says: never hard on what came too early or is temporary, unless a user says so in so many words."""
    reason, then = rule.then.reason, rule.then
    temporary = seen.temporary
    if then.final is not None and seen.kind is not Kind.DEFERRED:
        temporary = not then.final
    klass = then.klass or class_of(reason, temporary=temporary)
    if klass is Class.HARD and (then.klass is None or not rule.id.startswith(USER)):
        if seen.phase in EARLY:
            reason = EARLY[seen.phase]
            klass = class_of(reason, temporary=temporary)
        elif temporary or seen.mild:
            klass = Class.SOFT
    return Verdict(klass=klass, reason=reason, rule=rule.id)

"""Gives every refusal one verdict: collects the rules that could match, and lets the first in order decide.

The order of decision is the order of the rules (`shipped.ORDER`): the user's own; verdicts that are no delivery
attempt; what the text says of the sender, then of the address, then of the way; the specific enhanced status; the
provider's own code; what vague texts and generic codes say; the bare reply code. Three things stand above all rules:
what answered a command before RCPT TO is never held against the address, what is said to be for a while never for good,
and what did not fail (it was delayed, relayed …) is ignored. What is judged is the innermost reply (`wrappers.peel`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from aftersend.classify.evidence import join_lines
from aftersend.classify.features import (
    NO_TABLES,
    PLAIN,
    CodeForm,
    Features,
    VerdictKey,
    build_key,
    expand_domain,
    expand_provider_code,
    extract_features,
    select_reply,
)
from aftersend.classify.lazy import KINDS, NO_VERDICT
from aftersend.classify.pattern import Matcher
from aftersend.classify.rules import Rule
from aftersend.classify.text import normalise, says_why
from aftersend.classify.wrappers import peel
from aftersend.core.model import Class, Evidence, Feedback, Kind, Phase, Reason, Verdict
from aftersend.core.vocabulary import Channel, Judgement, advise, find_class

MEMORY: Final = 8_192  # verdicts remembered, and as many folded texts
WORDS: Final = "words"  # absent where a text says nothing: found out only where a rule asks for it
USER: Final = "user:"  # begins the id of a user's rule

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

    def __init__(
        self,
        rules: Sequence[Rule],
        matcher: Matcher,
        passing: frozenset[int] = frozenset(),
        codes: Mapping[str, CodeForm] | None = None,
        tables: Mapping[str, str] = NO_TABLES,
    ) -> None:
        self.rules = tuple(rules)
        self._codes = codes or {}  # by source
        self._tables = tables  # of the errors of SMSCs, by their names
        self._passing = passing  # patterns of words that say that a refusal is for a while
        self._by_pattern: dict[int, list[int]] = {}
        self._by_code: dict[str, list[int]] = {}
        self._by_status: dict[str, list[int]] = {}
        self._by_provider_code: dict[str, list[int]] = {}
        self._always: list[int] = []
        self._advice = {rule.id: rule.then.advice for rule in self.rules if rule.then.advice}
        self._index()
        self._find = lru_cache(MEMORY)(matcher.find)
        self._decide_once = lru_cache(MEMORY)(self._decide)

    def __call__(self, feedback: Feedback) -> Verdict | None:
        """Return the verdict on `feedback`; None where its kind carries none."""
        kind = feedback.kind
        if kind in NO_VERDICT:
            return None
        if kind in KINDS:
            return KINDS[kind]
        if (evidence := feedback.evidence) is not None and evidence.judged is not None:
            return evidence.judged  # while it was whole
        verdict = self.judge(source=feedback.source, evidence=evidence or Evidence(), kind=kind)
        return None if kind is Kind.UNKNOWN and verdict.rule == NOTHING.rule else verdict

    def judge(self, *, source: str, evidence: Evidence, kind: Kind = Kind.BOUNCED) -> Verdict:
        """Return the verdict on `evidence` as `source` reported it; equal evidence is judged once."""
        return self._decide_once(build_key(source, evidence, kind))

    def advise(
        self, verdict: Verdict, provider_code: str | None = None, channel: Channel | None = Channel.EMAIL
    ) -> str:
        """Return what to do about `verdict` on evidence with this code of the provider; see `advise_on`."""
        judged = Judgement(reason=verdict.reason, rule=verdict.rule, provider_code=provider_code)
        return self.advise_on(judged, channel)

    def advise_on(self, judged: Judgement, channel: Channel | None) -> str:
        """Return what to do about a refusal, about a recipient of `channel`.

        It is what the rule that decided says, else what a rule for the provider's code says that gives the same reason
        (another may have decided by the text), else what goes with the reason.
        """
        candidates = [self._advice.get(judged.rule or "")]
        for key in sorted(expand_provider_code(judged.provider_code or "")):
            rules = (self.rules[at] for at in self._by_provider_code.get(key, ()))
            candidates += [rule.then.advice for rule in rules if _is_about(rule, judged)]
        return next(filter(None, candidates), advise(judged.reason, channel))

    def forget(self) -> None:
        """Empty the memories, so that what follows is judged afresh."""
        self._decide_once.cache_clear()
        self._find.cache_clear()

    def _decide(self, key: VerdictKey) -> Verdict:
        text = join_lines(key.text)
        if text != key.text:
            key = key._replace(text=text)
        reply = peel(select_reply(key))
        line = normalise(reply.text) if reply.text else ""
        form = self._codes.get(key.source, PLAIN)
        features = extract_features(key, reply, line, self._find(line) if line else frozenset(), form, self._tables)
        rule = self._find_rule(features)
        verdict = _make_verdict(rule, features, self._passing) if rule else NOTHING
        if key.action in NOT_FAILED:
            return Verdict(klass=Class.IGNORE, reason=verdict.reason, rule=verdict.rule)
        return verdict

    def _find_rule(self, features: Features) -> Rule | None:
        by_pattern, candidates = self._by_pattern, self._always.copy()
        for number in features.found:
            if number in by_pattern:
                candidates += by_pattern[number]
        for index, keys in (
            (self._by_status, features.statuses),
            (self._by_code, features.codes),
            (self._by_provider_code, features.provider_codes),
        ):
            for key in keys:
                if key in index:
                    candidates += index[key]
        for at in sorted(set(candidates)):
            rule = self.rules[at]
            if features.qualified and (rule.any or rule.all) and not rule.id.startswith(USER):
                continue  # the name of an SMSC may be any word
            if _holds(rule, features):
                return rule
        return None

    def _index(self) -> None:
        """Put each rule under the one thing that it cannot do without."""
        for at, rule in enumerate(self.rules):
            for number in rule.any or tuple(rule.all)[:1]:
                self._by_pattern.setdefault(number, []).append(at)
            if not (rule.any or rule.all):
                self._index_by_field(at, rule)

    def _index_by_field(self, at: int, rule: Rule) -> None:
        for index, keys in (
            (self._by_provider_code, rule.provider_codes),
            (self._by_status, rule.statuses),
            (self._by_code, rule.codes),
        ):
            if keys is not None:
                for key in keys:
                    index.setdefault(key, []).append(at)
                return
        self._always.append(at)


def _holds(rule: Rule, features: Features) -> bool:
    """Say whether every condition of `rule` is met: first the patterns, which fail most often."""
    found = features.found
    if (rule.any and rule.any.isdisjoint(found)) or not rule.all <= found or not rule.none.isdisjoint(found):
        return False
    if rule.plain or (rule.kinds is None and rule.provider_codes is None and features.kind is _UNKNOWN):
        return features.kind is not _UNKNOWN  # which is judged only by a rule that knows its code, or asks for it
    for choices, one in ((rule.kinds, features.kind), (rule.phases, features.phase), (rule.sources, features.source)):
        if choices is not None and one not in choices:
            return False
    for wanted, given in (
        (rule.codes, features.codes),
        (rule.statuses, features.statuses),
        (rule.provider_codes, features.provider_codes),
    ):
        if wanted is not None and wanted.isdisjoint(given):
            return False
    if rule.domains is not None and rule.domains.isdisjoint(expand_domain(features.remote)):
        return False
    return rule.absent <= features.absent or (
        WORDS in rule.absent and rule.absent <= features.absent | {WORDS} and not says_why(features.line)
    )


def _is_about(rule: Rule, judged: Judgement) -> bool:
    """Say whether `rule`, which knows the provider's code, gives that reason: other sources may have the same code."""
    of_source = judged.source is None or rule.sources is None or judged.source in rule.sources
    return of_source and rule.then.reason is judged.reason


def _make_verdict(rule: Rule, features: Features, passing: frozenset[int]) -> Verdict:
    """Make the verdict of `rule`: hard on nothing that came too early or is temporary, unless a user's rule says so.

    It is temporary by its code, and where a text says so with one of the patterns of `passing`.
    """
    reason, then = rule.then.reason, rule.then
    temporary = features.temporary
    passes = not passing.isdisjoint(features.found)
    if then.final is not None and features.kind is not Kind.DEFERRED and not (temporary and passes):
        temporary = not then.final
    klass = then.klass or find_class(reason, temporary=temporary)
    if klass is Class.HARD and (then.klass is None or not rule.id.startswith(USER)):
        if features.phase in EARLY:
            reason = EARLY[features.phase]
            klass = find_class(reason, temporary=temporary)
        elif temporary or features.mild or (passes and not then.final):
            klass = Class.SOFT
    if features.domain_wide and then.klass is None and klass in (Class.HARD, Class.SOFT):
        klass = Class.IGNORE
    return Verdict(klass=klass, reason=reason, rule=rule.id)

"""Compiles and matches the patterns of rules: words, and `*` for up to eight words; never slow, whatever the text.

A pattern is folded as texts are (`text.fold`), so case, punctuation and line breaks do not matter, and it matches whole
words: "user unknown" does not match "superuser unknown". A `*` alone stands for up to eight words or none, a `*` at the
end of a word for the rest of it ("blacklist*"). Masks are written in capitals: "ADDR does not exist". A pattern that is
one word of a script other than Latin matches anywhere, because such scripts may not have blanks between words.

All patterns are looked up at once: the phrases between the stars form one tree of words, along which the text is read
from left to right, one step a word. There is no way back, so the time is linear in the length of the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, field

from aftersend.classify.text import MASKS, fold

REACH: Final = 8  # words that a lone `*` may stand for
MIN_PREFIX: Final = 2  # letters before the `*` at the end of a word
MAX_PREFIX: Final = 24
MEMORY: Final = 4_096  # words of texts whose symbols are remembered

_PLAIN: Final = str.maketrans(dict.fromkeys(" *"))
_END: Final = ""  # the key under which a node of the tree holds its phrase's number: no word is empty

Phrase = tuple[str, ...]
Span = tuple[int, int]
Node = dict[str, Any]
Known = tuple[tuple[str, ...], tuple[Node, ...], tuple[int, ...]]


class Pattern(Struct, frozen=True):
    """One compiled pattern: phrases that must follow each other, or characters to be found anywhere."""

    phrases: tuple[Phrase, ...]
    anywhere: str = ""


def compile_pattern(source: str) -> Pattern | None:
    """Return the compiled form of `source`; None where it holds nothing to look for."""
    plain = source.translate(_PLAIN)
    if not (plain.isalpha() and plain.isascii() and plain.islower()):
        source = " ".join(_fold_unit(unit) for unit in source.split())
        if len(source.split()) == 1 and not source[0].isascii() and not source.isascii():
            return Pattern((), source.strip("*"))
    phrases: list[list[str]] = [[]]
    for unit in source.split():
        if unit.strip("*"):
            phrases[-1].append(unit)
        else:
            phrases.append([])
    words = [unit for phrase in phrases for unit in phrase if unit not in MASKS]
    if not words or any("*" in word[:-1] or len(word) <= MIN_PREFIX for word in words if "*" in word):
        return None
    return Pattern(tuple(tuple(phrase) for phrase in phrases if phrase))


def _fold_unit(unit: str) -> str:
    """Fold one blank-separated piece of a pattern as a text would be, but for masks and stars."""
    if unit in MASKS or not unit.strip("*"):
        return unit
    folded = fold(unit.rstrip("*")).strip()
    return folded + "*" if unit.endswith("*") and folded else folded


class Matcher(Struct, kw_only=True):
    """Finds which of its patterns are in a text. It can be stored and read back."""

    tree: Node = field(default_factory=dict)
    count: int = 0  # patterns
    whole: list[list[int]] = field(default_factory=list)  # for each phrase, the patterns that are just that
    last: list[list[tuple[int, tuple[int, ...]]]] = field(default_factory=list)  # … that end with it: all their phrases
    sizes: list[int] = field(default_factory=list)  # for each phrase that is part of a longer pattern, its words
    anywhere: list[tuple[str, int]] = field(default_factory=list)
    words: set[str] = field(default_factory=set)  # that stand in a phrase as such
    beginnings: set[str] = field(default_factory=set)  # that stand in a phrase with a star
    known: dict[str, Known] = field(default_factory=dict)  # a bounded memory of `_learn`

    def add(self, pattern: Pattern) -> int:
        """Take `pattern` in, and return its number."""
        number, self.count = self.count, self.count + 1
        self.known.clear()
        if pattern.anywhere:
            self.anywhere.append((pattern.anywhere, number))
            return number
        sequence = tuple(self._add_phrase(phrase) for phrase in pattern.phrases)
        if len(sequence) == 1:
            self.whole[sequence[0]].append(number)
        else:
            self.last[sequence[-1]].append((number, sequence))
            for part, phrase in zip(sequence, pattern.phrases, strict=True):
                self.sizes[part] = len(phrase)
        return number

    def _add_phrase(self, phrase: Phrase) -> int:
        """Put `phrase` into the tree, unless it is there, and return its number."""
        node = self.tree
        for symbol in phrase:
            if symbol[-1] == "*":
                self.beginnings.add(symbol[:-1])
            else:
                self.words.add(symbol)
            node = node.setdefault(symbol, {})
        number: int = node.setdefault(_END, len(self.whole))
        if number == len(self.whole):
            self.whole.append([])
            self.last.append([])
            self.sizes.append(0)
        return number

    def find(self, words: Sequence[str]) -> set[int]:
        """Return the numbers of the patterns that are in the folded `words`."""
        found: set[int] = set()
        spans = self._find_phrases(words, found)
        for phrase in spans:
            for number, sequence in self.last[phrase]:
                if sequence[0] in spans and _can_follow(sequence, spans):
                    found.add(number)
        line = " ".join(words)
        if not line.isascii():
            found.update(number for characters, number in self.anywhere if characters in line)
        return found

    def _find_phrases(self, words: Sequence[str], found: set[int]) -> dict[int, list[Span]]:
        """Add patterns of one phrase to `found`; return where the phrases of others are: first word, word after."""
        spans: dict[int, list[Span]] = {}
        active: Sequence[Node] = ()
        known, whole, sizes = self.known, self.whole, self.sizes
        for at, word in enumerate(words, 1):
            symbols, reached, ended = known.get(word) or self._learn(word)
            for node in active:
                for symbol in symbols:
                    if symbol in node:  # seldom: most words do not go on with the one before
                        child = node[symbol]
                        reached = (*reached, child)
                        if _END in child:
                            ended = (*ended, child[_END])
            active = reached
            for phrase in ended:
                if sizes[phrase]:
                    spans.setdefault(phrase, []).append((at - sizes[phrase], at))
                found.update(whole[phrase])
        return spans

    def _learn(self, word: str) -> Known:
        """Return the symbols that `word` may stand for, itself and its beginnings; what they begin, and end."""
        if len(self.known) >= MEMORY:
            self.known.clear()
        ends = range(MIN_PREFIX, min(len(word), MAX_PREFIX) + 1)
        symbols = [f"{word[:end]}*" for end in ends if word[:end] in self.beginnings]
        if word in self.words:
            symbols.append(word)
        begun = tuple(self.tree[one] for one in symbols if one in self.tree)
        self.known[word] = learnt = tuple(symbols), begun, tuple(node[_END] for node in begun if _END in node)
        return learnt


def _can_follow(sequence: Sequence[int], spans: dict[int, list[Span]]) -> bool:
    """Say whether one span of each phrase can be chosen so that each is within reach of the one before."""
    ends = [end for _, end in spans[sequence[0]]]
    for phrase in sequence[1:]:
        joined, nearest = [], 0  # both lists ascend: two pointers
        for start, end in spans.get(phrase, ()):
            while nearest + 1 < len(ends) and ends[nearest + 1] <= start:
                nearest += 1
            if ends[nearest] <= start <= ends[nearest] + REACH:
                joined.append(end)
        if not joined:
            return False
        ends = joined
    return True

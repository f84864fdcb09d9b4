"""Compiles and matches the patterns of rules: words, and `*` for up to eight words; never slow, whatever the text.

A pattern is folded as texts are (`text.fold`), so case, marks, punctuation and line breaks do not matter, and it
matches whole words: "user unknown" does not match "superuser unknown". A `*` alone stands for up to eight words or
none, a `*` at the end of a word for the rest of it ("blacklist*"). Masks are written in capitals: "ADDR does not
exist". Alternatives stand in parentheses: "(user|mailbox) * (unknown|not found)".

Scripts without blanks between words are matched by characters: in a pattern of Chinese, Japanese, Korean, Thai, Lao,
Khmer or Burmese blanks do not count, in the text neither, and a lone `*` stands for up to 24 characters. A pattern that
is one word of any other script than Latin matches within words too, because they are inflected.

All patterns are looked up at once: the phrases between the stars form one tree of words, along which the text is read
from left to right, one step a word. There is no way back, so the time is linear in the length of the text. What a step
finds depends on the places in the tree and on the word alone, and is remembered, so that most steps are one look-up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Final

from msgspec import Struct, field

from aftersend.classify.text import MASKS, fold

REACH: Final = 8  # words that a lone `*` may stand for
SPAN: Final = 24  # characters that it may stand for in scripts without blanks
MIN_PREFIX: Final = 2  # letters before the `*` at the end of a word
MAX_PREFIX: Final = 24
MAX_CHOICES: Final = 400  # phrases that the alternatives between two stars may make
MEMORY: Final = 16_384  # steps that are remembered

_CHOICE: Final = re.compile(r"\(([^()]*)\)")
_STAR: Final = re.compile(r"(?<!\S)\*+(?!\S)")
# Scripts without blanks between words, or (Korean) with blanks that everyone sets elsewhere.
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\u3005-\u30ff\u3130-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
)
_UNSPACED_WORD: Final = re.compile(f"[a-z0-9]*[{_UNSPACED}][a-z0-9{_UNSPACED}]*")  # it may hold an abbreviation
_BLANK_BESIDE: Final = re.compile(f"(?<=[{_UNSPACED}]) | (?=[{_UNSPACED}])")
_BARE: Final = str.maketrans(dict.fromkeys(" *"))
_END: Final = ""  # the key under which a node of the tree holds its phrase's number: no word is empty

Phrase = tuple[str, ...]
Group = frozenset[int]  # numbers of phrases, any of which will do
Span = tuple[int, int]
Node = dict[str, Any]
# Where a text has been read to: by the word that follows, the step; under _END the nodes of the tree.
State = dict[str, Any]
Ended = tuple[tuple[int, ...], tuple[tuple[int, int], ...]]  # patterns found; parts of others, and how long they are
Step = tuple[State, Ended | None]


class Pattern(Struct, frozen=True):
    """One compiled pattern: groups that must follow each other, of phrases or pieces of text any of which will do."""

    groups: tuple[tuple[Phrase, ...], ...] = ()
    pieces: tuple[tuple[str, ...], ...] = ()


def expand_choices(source: str) -> list[str]:
    """Return the texts that `source` stands for, one for each choice of its alternatives; itself where it has none.

    Raise `ValueError` where they are more than 400.
    """
    parts = _CHOICE.split(source)  # text, choices, text, choices … text
    if len(parts) == 1:
        return [source]
    choices = [part.split("|") if at % 2 else [part] for at, part in enumerate(parts)]
    count = 1
    for each in choices:
        count *= len(each)
        if count > MAX_CHOICES:
            raise ValueError(f"more than {MAX_CHOICES} choices")
    return ["".join(chosen) for chosen in product(*choices)]


def compile_pattern(source: str) -> Pattern | None:
    """Return the compiled form of `source`; None where it, or one of its choices, holds nothing to look for.

    Raise `ValueError` where its alternatives make too many choices.
    """
    groups = [[_fold_phrase(choice) for choice in expand_choices(part)] for part in _STAR.split(source)]
    groups = [group for group in groups if any(group)]
    phrases = [phrase for group in groups for phrase in group]
    if not phrases or not all(phrases):
        return None
    words = [word for phrase in phrases for word in phrase if word not in MASKS]
    if all(word in MASKS for phrase in phrases for word in phrase):
        return None
    if any("*" in word[:-1] or len(word) <= MIN_PREFIX for word in words if "*" in word):
        return None
    if _is_unspaced(phrases, alone=len(groups) == 1):
        return Pattern(pieces=tuple(tuple("".join(phrase).replace("*", "") for phrase in group) for group in groups))
    return Pattern(tuple(map(tuple, groups)))


def _fold_phrase(source: str) -> Phrase:
    plain = source.translate(_BARE)
    if plain.isalpha() and plain.isascii() and plain.islower():
        return tuple(source.split())
    return tuple(word for unit in source.split() for word in _fold_unit(unit).split())


def _fold_unit(unit: str) -> str:
    """Fold one blank-separated piece of a pattern as a text would be, but for masks and stars."""
    if unit in MASKS:
        return unit
    folded = fold(unit.rstrip("*")).strip()
    return folded + "*" if unit.endswith("*") and folded else folded


def _is_unspaced(phrases: Sequence[Phrase], *, alone: bool) -> bool:
    """Say whether these are looked for by characters: all of scripts without blanks, or one word of any but Latin."""
    if all(_UNSPACED_WORD.fullmatch(word.rstrip("*")) for phrase in phrases for word in phrase):
        return True
    return alone and all(len(phrase) == 1 and not phrase[0][:1].isascii() for phrase in phrases)


class Matcher(Struct, kw_only=True):
    """Finds which of its patterns are in a text. It can be stored and read back."""

    tree: Node = field(default_factory=dict)
    count: int = 0  # patterns
    whole: list[list[int]] = field(default_factory=list)  # for each phrase, the patterns that are just that
    last: list[list[int]] = field(default_factory=list)  # … the patterns of several groups that end with it
    sequences: dict[int, tuple[Group, ...]] = field(default_factory=dict)  # of these, by their numbers: the groups
    sizes: list[int] = field(default_factory=list)  # for each phrase that is part of a longer pattern, its words
    pieces: dict[str, int] = field(default_factory=dict)  # texts that are looked for by characters, by their numbers
    lengths: dict[str, list[int]] = field(default_factory=dict)  # of the pieces that begin with a character
    pieces_whole: list[list[int]] = field(default_factory=list)  # as `whole`, of pieces
    pieces_last: list[list[int]] = field(default_factory=list)  # as `last`
    words: set[str] = field(default_factory=set)  # that stand in a phrase as such
    beginnings: set[str] = field(default_factory=set)  # that stand in a phrase with a star
    states: dict[str, State] = field(default_factory=dict)  # a bounded memory of `_step`, by the nodes; "" is the first
    steps: int = 0  # in it

    def add(self, pattern: Pattern) -> int:
        """Take `pattern` in, and return its number."""
        number, self.count = self.count, self.count + 1
        self._forget()
        if pattern.pieces:
            parts = tuple(frozenset(map(self._add_piece, group)) for group in pattern.pieces)
            self._enter(number, parts, self.pieces_whole, self.pieces_last)
            return number
        sequence = tuple(frozenset(map(self._add_phrase, group)) for group in pattern.groups)
        self._enter(number, sequence, self.whole, self.last)
        if len(sequence) > 1:
            for phrase in (phrase for group in pattern.groups for phrase in group):
                self.sizes[self._add_phrase(phrase)] = len(phrase)
        return number

    def _enter(self, number: int, sequence: tuple[Group, ...], whole: list[list[int]], last: list[list[int]]) -> None:
        """Put a pattern under each of the phrases, or pieces, that can end it."""
        places = whole if len(sequence) == 1 else last
        for part in sequence[-1]:
            places[part].append(number)
        if len(sequence) > 1:
            self.sequences[number] = sequence

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

    def _add_piece(self, piece: str) -> int:
        number = self.pieces.setdefault(piece, len(self.pieces))
        if number == len(self.pieces_whole):
            self.pieces_whole.append([])
            self.pieces_last.append([])
            lengths = self.lengths.setdefault(piece[0], [])
            if len(piece) not in lengths:
                lengths.append(len(piece))
        return number

    def find(self, line: str) -> set[int]:
        """Return the numbers of the patterns that are in the folded `line`."""
        found: set[int] = set()
        spans = self._find_phrases(line.split(), found)
        self._find_sequences(spans, self.last, REACH, found)
        if not line.isascii():
            self._find_pieces(_BLANK_BESIDE.sub("", line).strip(), found)
        return found

    def _find_pieces(self, line: str, found: set[int]) -> None:
        """Add the patterns that are looked for by characters in `line`."""
        spans: dict[int, list[Span]] = {}
        pieces, lengths = self.pieces, self.lengths
        for at, character in enumerate(line):
            if character in lengths:
                for length in lengths[character]:
                    piece = pieces.get(line[at : at + length])
                    if piece is not None:
                        found.update(self.pieces_whole[piece])
                        spans.setdefault(piece, []).append((at, at + length))
        self._find_sequences(spans, self.pieces_last, SPAN, found)

    def _find_sequences(
        self, spans: Mapping[int, list[Span]], last: Sequence[Sequence[int]], reach: int, found: set[int]
    ) -> None:
        """Add the patterns of several groups whose phrases, or pieces, stand at `spans` within reach."""
        sequences = self.sequences
        for part in spans:
            for number in last[part]:
                sequence = sequences[number]
                if not sequence[0].isdisjoint(spans) and number not in found and _can_follow(sequence, spans, reach):
                    found.add(number)

    def _find_phrases(self, words: Sequence[str], found: set[int]) -> dict[int, list[Span]]:
        """Add patterns of one phrase to `found`; return where the phrases of others are: first word, word after."""
        spans: dict[int, list[Span]] = {}
        state = self.states.setdefault("", {_END: ()})
        for at, word in enumerate(words, 1):
            state, ended = state.get(word) or self._step(state, word)
            if ended:  # seldom: most words end no phrase
                found.update(ended[0])
                for phrase, size in ended[1]:
                    if phrase in spans:
                        spans[phrase].append((at - size, at))
                    else:
                        spans[phrase] = [(at - size, at)]
        return spans

    def _step(self, state: State, word: str) -> Step:
        """Return, and remember, what follows when `word` is read in `state`."""
        symbols = self._list_symbols(word)
        nodes = [node[symbol] for node in (self.tree, *state[_END]) for symbol in symbols if symbol in node]
        ended = [node[_END] for node in nodes if _END in node]
        numbers = tuple({number for phrase in ended for number in self.whole[phrase]})
        parts = tuple((phrase, self.sizes[phrase]) for phrase in ended if self.sizes[phrase])
        if self.steps >= MEMORY:
            self._forget()
        self.steps += 1
        following = self.states.setdefault(",".join(str(id(node)) for node in nodes), {_END: nodes})
        step: Step = following, (numbers, parts) if ended else None
        state[word] = step
        return step

    def _list_symbols(self, word: str) -> list[str]:
        """Return the symbols of the tree that `word` may stand for: itself and its beginnings."""
        ends = range(MIN_PREFIX, min(len(word), MAX_PREFIX) + 1)
        symbols = [f"{word[:end]}*" for end in ends if word[:end] in self.beginnings]
        if word in self.words:
            symbols.append(word)
        return symbols

    def _forget(self) -> None:
        """Begin the memory of steps afresh; a text that is being read goes on with what it holds."""
        self.states, self.steps = {}, 0


def _can_follow(sequence: Sequence[Group], spans: Mapping[int, list[Span]], reach: int) -> bool:
    """Say whether a span of each group can be chosen so that each is within reach of the one before."""
    ends = [end for _, end in _gather(sequence[0], spans)]
    ends.sort()  # longer phrases may begin before shorter ones, and end behind them
    for group in sequence[1:]:
        joined, nearest, last = [], 0, len(ends) - 1  # both lists ascend: two pointers
        for start, end in _gather(group, spans):
            while nearest < last and ends[nearest + 1] <= start:
                nearest += 1
            if ends[nearest] <= start <= ends[nearest] + reach:
                joined.append(end)
        if not joined:
            return False
        joined.sort()
        ends = joined
    return True


def _gather(group: Group, spans: Mapping[int, list[Span]]) -> Sequence[Span]:
    """Return where any of a group stands, in order."""
    present = [spans[part] for part in spans if part in group]
    return present[0] if len(present) == 1 else sorted([span for each in present for span in each])

r"""Expressions that a user writes to take a value out of a text: a part of Python's, compiled so that none is slow.

Regular expressions can take exponential time, because they try again with less of what they took. These never do: what
a repetition takes it keeps (it is possessive), and a choice that was made stands (a group is atomic). So the time is
bounded by the length of the expression times the square of that of the text. Everything that would need more is no part
of them: repeated groups, lazy repetitions, back-references and looking around. Pure.

    id:\s*(\w{1,40})          one group: what is taken
    (?:status|stat):(\S+)     alternatives, in a group that takes nothing: the first that fits stands
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 200  # characters of an expression
MAX_REPEAT: Final = 200  # as often as a repetition with numbers may say
MAX_TEXT: Final = 1_000  # characters of a text that are looked at

# One atom, what repeats it, or what holds groups together, from left to right.
_TOKEN: Final = re.compile(
    r"""
    (?P<repeat>[*+?]|\{\d{1,3}(?:,\d{0,3})?\})(?P<extra>[?+])?
  | (?P<open>\((?:\?:)?(?!\?)) | (?P<close>\)) | (?P<choice>\|)
  | (?P<edge>\^|\$|\\b)
  | (?P<atom>\\[dDsSwW.\-+*?()\[\]{}|/^$\\:;,=_"'\#@%&!<>~ ]|\\x[0-9a-fA-F]{2}
      |\[\^?\]?(?:[^\]\\\[]|\\[dDsSwW.\-+*?()\[\]{}|/^$\\:;,=_"'\#@%&!<>~ ])*\]|[^\\(){}\[\]*+?|^$])
    """,
    re.VERBOSE,
)


def compile_expression(source: str, groups: int = 1) -> re.Pattern[str]:
    """Compile an expression that takes `groups` values; letters are the same in both cases.

    Raises ValueError, whose text says what is wrong and where, for what is none of these.
    """
    if len(source) > MAX_LENGTH:
        raise ValueError(f"an expression has at most {MAX_LENGTH} characters")
    written, at, taken, open_groups = "", 0, 0, list[str]()
    repeatable = False
    while at < len(source):
        token = _TOKEN.match(source, at)
        if token is None:
            raise ValueError(f"character {at + 1} begins nothing that an expression may have")
        if token["repeat"]:
            _check_repetition(token, at, repeatable=repeatable)
            written += token["repeat"] + "+"
        elif token["open"]:
            capturing = token["open"] == "("
            taken += capturing
            open_groups.append("))" if capturing else ")")
            written += "((?>" if capturing else "(?>"
        elif token["close"]:
            if not open_groups:
                raise ValueError(f"character {at + 1} closes no group")
            written += open_groups.pop()
        else:
            written += token[0]
        repeatable = bool(token["atom"])
        at = token.end()
    if open_groups:
        raise ValueError("a group is not closed")
    if taken != groups:
        raise ValueError(f"it takes {taken} values with ( ), and should take {groups}")
    try:
        return re.compile(written, re.IGNORECASE)
    except re.error as error:
        raise ValueError(str(error)) from error


def _check_repetition(token: re.Match[str], at: int, *, repeatable: bool) -> None:
    if token["extra"]:
        raise ValueError(f"character {token.end()}: a repetition takes all it can, and gives nothing back")
    if not repeatable:
        raise ValueError(f"character {at + 1} repeats no single character: groups are not repeated")
    if any(int(number) > MAX_REPEAT for number in re.findall(r"\d+", token["repeat"])):
        raise ValueError(f"character {at + 1}: at most {MAX_REPEAT} times")


def take(expression: re.Pattern[str], text: str) -> str | None:
    """Return what the expression takes out of `text`, or None where it does not fit."""
    found = expression.search(text[:MAX_TEXT])
    return found[1] if found else None

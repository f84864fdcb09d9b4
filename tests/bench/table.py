"""Figures as one table on the terminal: what was measured, what it came to, and whether the goal is met."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str] = ()) -> None:
    """Print a title, a table with its first column to the left and all others to the right, and notes below."""
    lines = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    out = [f"\n{title}", "", _line(lines[0], widths), "  ".join("-" * width for width in widths)]
    out += [_line(line, widths) for line in lines[1:]]
    out += ["", *(f"  {note}" for note in notes)]
    sys.stdout.write("\n".join(out) + "\n")
    sys.stdout.flush()


def goal(name: str, figure: float, bound: float, *, least: bool = False) -> str:
    """One line that says whether `figure` keeps its bound: at most, or with `least` at least."""
    met = figure >= bound if least else figure <= bound
    return f"{'met   ' if met else 'MISSED'}  {name}: {figure:.2f}, goal {'≥' if least else '≤'} {bound:g}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = [
        cell.ljust(width) if at == 0 else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join([first, *rest]).rstrip()

"""Classifies refusals: one reason and one class for every provider's words, with the rule that decided.

What stands here is imported when it is asked for: parsers use a module or two of this folder, and a function that has
met no refusal yet needs no classifier.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aftersend.classify.engine import Classifier
    from aftersend.classify.evidence import evidence_from
    from aftersend.classify.shipped import load, read_settings
    from aftersend.classify.text import normalise

__all__ = ["Classifier", "evidence_from", "load", "normalise", "read_settings"]

_MODULES: Final = {
    "Classifier": "engine",
    "evidence_from": "evidence",
    "load": "shipped",
    "normalise": "text",
    "read_settings": "shipped",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)

"""Classifies refusals: one reason and one class for every provider's words, with the rule that decided."""

from __future__ import annotations

from aftersend.classify.engine import Classifier
from aftersend.classify.evidence import evidence_from
from aftersend.classify.shipped import load, read_settings
from aftersend.classify.text import normalise

__all__ = ["Classifier", "evidence_from", "load", "normalise", "read_settings"]

"""`expect`: writes what samples say now as their expectation."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from aftersend import classify
from aftersend.sources import SOURCES
from aftersend_cli.explaining import complain
from local.samples import EVENTS, Sample, expect


def expectations(files: Iterable[str]) -> int:
    """Write the expectation of each sample in `files`; 1 where a file is no sample."""
    classifier = classify.load()
    worst = 0
    for name in files:
        path = Path(name).resolve()
        sample = Sample(path.parent.name, path)
        if path.parent.parent != EVENTS or sample.source not in SOURCES or not path.is_file():
            worst = complain(f"{name}: not a sample: events/<source>/<case>.json")
            continue
        expect(sample, classifier)
        sys.stdout.write(f"{sample.expectation.name}: read it before you keep it\n")
    return worst

"""Sources described by a mapping file instead of code: where in a body stands what, and what its words mean. Pure.

    mapping = compiled.load(text)               checks the whole file; raises ConfigurationError that names the field
    facts.read_body(mapping, body, headers)     its facts, as any parser's: raises MalformedFeedback and nothing else

The format is explained in docs/mapping.md. The files in `shipped` are sources like those that have code; a stack takes
others that its owner wrote (`storage.user_mappings`). Nothing is imported here: see `row`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

SHIPPED: Final = Path(__file__).with_name("shipped")

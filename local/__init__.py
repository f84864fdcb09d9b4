"""The bundle on one machine, without AWS and without Docker: `python -m local --help`.

The layer is used from its folder, as SAM builds it from there: nothing has to be installed but its requirements.
"""

import sys
from pathlib import Path

_LAYER = str(Path(__file__).resolve().parent.parent / "layers" / "aftersend")
if _LAYER not in sys.path:
    sys.path.insert(0, _LAYER)

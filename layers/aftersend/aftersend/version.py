"""The version of the package. It stands here alone: `pyproject.toml` reads it from here, as functions do."""

from typing import Final

VERSION: Final = "0.1.0"

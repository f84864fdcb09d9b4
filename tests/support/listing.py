"""A bucket as far as somebody lists it: keys, when each was written, and how often it was asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.support.clients import FakeS3


class Listing(FakeS3):
    """Lists keys as S3 does, a page at a time (S3 API reference, ListObjectsV2)."""

    def __init__(self, written: Mapping[str, datetime]) -> None:
        self.written = dict(written)
        self.asked = 0

    def list_objects_v2(self, **request: Any) -> Any:
        self.asked += 1
        prefix, delimiter, after = request["Prefix"], request.get("Delimiter", ""), request.get("StartAfter", "")
        page: dict[str, bool] = {}  # what stands in it, and whether it is a folder
        for key in sorted(self.written):
            if key.startswith(prefix) and key > after:
                rest = key[len(prefix) :]
                is_folder = bool(delimiter) and delimiter in rest
                page[prefix + rest[: rest.index(delimiter) + 1] if is_folder else key] = is_folder
        shown = dict(list(page.items())[: request.get("MaxKeys", 1000)])
        return {
            "CommonPrefixes": [{"Prefix": each} for each, is_folder in shown.items() if is_folder],
            "Contents": [
                {"Key": each, "LastModified": self.written[each]} for each, is_folder in shown.items() if not is_folder
            ],
        }

"""When each source was last heard of, by what lies in the archive: every body is kept there before it is worked.

Folders are listed down to the latest hour of a source and no further, so what is asked depends on how many sources
there are, not on how much they have told: three calls for a source, 52 where its keys are spread over all the places
that `aftersend.storage.archive` names. Of an hour with more objects than a page has, the page says when: keys are
digests, so its latest is one of a thousand that are spread over the hour. Source: S3 API reference, ListObjectsV2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.protocols import FullS3Client
from aftersend.core.times import Moment

MAX_SOURCES: Final = 100
HORIZON: Final = timedelta(days=900)  # with the other folders of a source, its days fit a page of S3, which has 1,000
_SOURCE: Final = "source="
_DAY: Final = "date="


class HeardSource(Struct, frozen=True, kw_only=True):
    """When a source was last heard of."""

    source: str
    last_at: Moment  # its latest body was archived, whether anybody could read that or not


class LastHeard:
    """Reads the archive's listing."""

    def __init__(self, connect: Callable[[], FullS3Client], bucket: str) -> None:
        self._connect, self._bucket = connect, bucket

    @cached_property
    def _client(self) -> FullS3Client:
        return self._connect()

    def list_sources(self, pool: Executor, now: datetime) -> list[HeardSource]:
        """Return the sources that were heard of within HORIZON, the latest first.

        Raises StoreUnavailable where S3 does not answer or refuses us.
        """
        since = f"{_DAY}{now - HORIZON:%Y-%m-%d}"
        folders = self._list_folders(_SOURCE, MaxKeys=MAX_SOURCES)
        times = pool.map(lambda each: self._find_last(each, since), folders)
        found = [
            HeardSource(source=_name(folder).removeprefix(_SOURCE), last_at=at)
            for folder, at in zip(folders, times, strict=True)
            if at is not None
        ]
        return sorted(found, key=lambda each: each.last_at, reverse=True)

    def _find_last(self, source: str, since: str) -> datetime | None:
        """When the latest object below the folder of a source was written."""
        days: list[str] = []
        for folder in self._list_folders(source, StartAfter=source + since):
            is_day = _name(folder).startswith(_DAY)
            days += [folder] if is_day else self._list_folders(folder, StartAfter=folder + since)
        hours = [hour for day in _keep_latest(days) for hour in self._list_folders(day)]
        return max((at for hour in _keep_latest(hours) for at in self._list_times(hour)), default=None)

    def _list_folders(self, prefix: str, **request: Any) -> list[str]:
        answer = self._list(Prefix=prefix, Delimiter="/", **request)
        return [str(each["Prefix"]) for each in answer.get("CommonPrefixes", ())]

    def _list_times(self, prefix: str) -> list[datetime]:
        return [each["LastModified"] for each in self._list(Prefix=prefix).get("Contents", ())]

    def _list(self, **request: Any) -> Any:
        with translate_errors("S3: ListObjectsV2"):
            return self._client.list_objects_v2(Bucket=self._bucket, **request)


def _name(folder: str) -> str:
    return folder.rstrip("/").rpartition("/")[2]


def _keep_latest(folders: Sequence[str]) -> list[str]:
    """The folders of the latest day or hour, which each place of a source may have."""
    last = max(map(_name, folders), default="")
    return [each for each in folders if _name(each) == last]

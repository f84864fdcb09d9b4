"""Puts a file where the API says: an address of the stack's own bucket, good for one size and for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request

from aftersend_cli.endpoint import make_opener
from aftersend_cli.errors import CommandError, NotKnownError, UsageError

LARGEST: Final = 1024 * 1024 * 1024  # bytes of a list: the API takes no more
_PATIENCE: Final = 600.0  # seconds in which nothing moves
_PIECE: Final = 1 << 20  # bytes


class Readable(Protocol):
    """What bytes are read from, piece by piece."""

    def read(self, size: int = ..., /) -> bytes: ...  # noqa: D102


class IncomingBody:
    """The body of a request while it comes in, piece by piece: as many bytes as the request has said.

    `note` is called for each piece. Whoever sends it and hangs up before the end is a ConnectionError.
    """

    def __init__(self, source: Readable, size: int, note: Callable[[], None] = lambda: None) -> None:
        self._source, self.left, self._note = source, size, note

    def read(self, size: int = _PIECE, /) -> bytes:
        """Return the next bytes, and none once all have been read."""
        piece = self._source.read(min(size, self.left))
        if self.left and not piece:
            raise ConnectionError("whoever sends the file has hung up")
        self.left -= len(piece)
        self._note()
        return piece

    def drop(self) -> None:
        """Read what is left and forget it: a browser hears no answer before it has sent all."""
        while piece := self._source.read(min(_PIECE, self.left)):
            self.left -= len(piece)
            self._note()


def pass_on(body: IncomingBody, job: Mapping[str, Any]) -> None:
    """Put a body where a job waits for its list, by the job as the API itself has just shown it.

    Raises what `upload` does, and UsageError for a job that waits for none. Then, too, the body has been read.
    """
    try:
        if "upload" not in job:
            raise UsageError("this job waits for no list")
        upload(body, job["upload"]["url"], body.left)
    except CommandError:
        body.drop()
        raise


def upload(body: Readable, url: str, size: int) -> None:
    """Put `size` bytes at an address that the API has answered with.

    Raises UsageError for an address that anybody could listen to, NotKnownError where the file is not taken.
    """
    place = urlsplit(url)
    if place.scheme != "https" and (place.scheme, place.hostname) != ("http", "127.0.0.1"):
        raise UsageError("the API names no address of HTTPS to upload to")
    # Without a type of its own, a body would be sent as a form, and read as one.
    headers = {"content-length": str(size), "content-type": "application/octet-stream"}
    request = Request(url, body, headers, method="PUT")  # noqa: S310  # above
    try:
        make_opener().open(request, timeout=_PATIENCE).close()
    except OSError as error:
        if isinstance(error, HTTPError):
            error.close()
        raise NotKnownError(f"the upload was not taken: {error}") from error

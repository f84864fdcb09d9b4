"""Large objects of S3, read piece by piece, and unpacked on the way: neither is ever held whole.

Sources: S3 API reference, GetObject (`Range`), "Error responses"; RFC 1952, 2.2 (a file of gzip may have several
members).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from aftersend.aws.calls import translate_errors
from aftersend.aws.errors import Refusal
from aftersend.aws.protocols import S3Client
from aftersend.core.errors import MalformedFeedback

PIECE_SIZE: Final = 1024 * 1024  # bytes that are asked for at once, and that are unpacked at once
MOST_UNPACKED: Final = 1024 * 1024 * 1024  # bytes: a little gzip can hold a lot of nothing

_GZIP: Final = b"\x1f\x8b"
_GONE: Final = frozenset({"NoSuchKey", "404"})
_BEYOND: Final = frozenset({"InvalidRange", "416"})


def read_pieces(client: S3Client, bucket: str, key: str) -> Iterator[bytes]:
    """Yield the bytes of an object, piece by piece.

    Raises MalformedFeedback where there is no such object, or another one since it is read, and StoreUnavailable where
    S3 does not answer or refuses us.
    """
    start, etag = 0, None
    while True:
        request = {"Bucket": bucket, "Key": key, "Range": f"bytes={start}-{start + PIECE_SIZE - 1}"}
        try:
            with translate_errors("S3: GetObject", expected=_BEYOND | _GONE):
                answer = client.get_object(**request)
                piece, found = answer["Body"].read(), answer["ETag"]
        except Refusal as refusal:
            if refusal.code in _BEYOND:
                return
            raise MalformedFeedback("object", "it is gone") from refusal
        if etag not in (None, found):
            raise MalformedFeedback("object", "it was changed while it was read")
        yield piece
        start, etag = start + len(piece), found
        if len(piece) < PIECE_SIZE:
            return


def unpack_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what is packed with gzip in `pieces`, in pieces again; what is not packed comes as it is.

    Raises MalformedFeedback for what cannot be unpacked, ends too early, or is more than MOST_UNPACKED.
    """
    begun = iter(pieces)
    first = b""
    while len(first) < len(_GZIP) and (piece := next(begun, b"")):
        first += piece
    if not first.startswith(_GZIP):
        yield from chain([first], begun)
        return
    unpacker, total = _Unpacker(), 0
    for piece in chain([first], begun):
        for found in unpacker.feed(piece):
            total += len(found)
            if total > MOST_UNPACKED:
                raise MalformedFeedback("object", f"more than {MOST_UNPACKED} bytes are packed in it")
            yield found
    if unpacker.is_open:
        raise MalformedFeedback("object", "gzip that ends too early")


class _Unpacker:
    """Unpacks the members of a file of gzip, one behind the other."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self.is_open = False  # whether a member has begun and not ended

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield what is packed in this piece; no part of it is larger than PIECE_SIZE."""
        while piece:
            if not self.is_open:
                piece = piece.lstrip(b"\0")  # padding
                self._member = zlib.decompressobj(wbits=31)
                self.is_open = bool(piece)
                continue
            try:
                yield self._member.decompress(piece, PIECE_SIZE)
            except zlib.error as error:
                raise MalformedFeedback("object", "gzip that cannot be unpacked") from error
            self.is_open = not self._member.eof
            piece = self._member.unconsumed_tail if self.is_open else self._member.unused_data

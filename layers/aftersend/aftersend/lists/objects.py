"""The bucket of bulk work: lists come in pieces, exports go out in parts, and people get addresses to do either.

boto3 does what `aftersend.aws` has no client of its own for, and is imported when that is first asked for. Sources: S3
API reference, CreateMultipartUpload, UploadPart (a part has 5 MB at least, but for the last); user guide, "Working with
presigned URLs".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from aftersend.aws.calls import translate_errors
from aftersend.aws.errors import Refusal
from aftersend.aws.protocols import FullS3Client, S3Client
from aftersend.core.errors import MalformedFeedback

PIECE: Final = 1024 * 1024  # bytes of a list that are asked for at once
PART: Final = 5 * 1024 * 1024  # bytes of a part of an export, at least
LASTS: Final = 3600  # seconds that an address works

_MISSING: Final = frozenset({"NoSuchKey", "404"})
_BEYOND: Final = frozenset({"InvalidRange", "416"})


class Objects:
    """One bucket. Every method raises StoreUnavailable where S3 does not answer or refuses us."""

    def __init__(self, client: S3Client, bucket: str, whole: Callable[[], FullS3Client]) -> None:
        self._client = client
        self._bucket = bucket
        self._boto3 = whole

    def put(self, key: str, body: bytes) -> None:
        """Store a small object."""
        self._send(self._client.put_object, Key=key, Body=body)

    def pieces(self, key: str, start: int = 0, etag: str | None = None) -> Iterator[tuple[bytes, str]]:
        """An object from `start` on, piece by piece, each with the entity tag of the whole.

        Raises MalformedFeedback where there is none, or where it is not the one of `etag` any more.
        """
        while True:
            piece, found = self._piece(key, start)
            if etag is not None and found not in (etag, ""):
                raise MalformedFeedback("import", "the file was changed while it was read")
            if piece:
                etag = found
                yield piece, found
            if len(piece) < PIECE:
                return
            start += len(piece)

    def _piece(self, key: str, start: int) -> tuple[bytes, str]:
        request = {"Bucket": self._bucket, "Key": key, "Range": f"bytes={start}-{start + PIECE - 1}"}
        try:
            with translate_errors("S3: GetObject", expected=_BEYOND | _MISSING):
                answer = self._client.get_object(**request)
                return answer["Body"].read(), str(answer["ETag"])
        except Refusal as refusal:
            if refusal.code in _BEYOND:
                return b"", ""
            raise MalformedFeedback("import", "no file has been uploaded") from refusal

    def begin(self, key: str, content_type: str) -> str:
        """Begin to write a large object; the id of the upload."""
        return str(self._send(self._boto3().create_multipart_upload, Key=key, ContentType=content_type)["UploadId"])

    def part(self, key: str, upload: str, number: int, body: bytes) -> str:
        """Write the part of this number, from 1 on, in the place of one that may be there; its entity tag."""
        answer = self._send(self._boto3().upload_part, Key=key, UploadId=upload, PartNumber=number, Body=body)
        return str(answer["ETag"])

    def finish(self, key: str, upload: str, parts: tuple[str, ...]) -> None:
        """Put the parts together. Once they are, there is no such upload any more."""
        listed = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(parts, 1)]
        with suppress(Refusal), translate_errors("S3: CompleteMultipartUpload", expected={"NoSuchUpload"}):
            self._boto3().complete_multipart_upload(
                Bucket=self._bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": listed}
            )

    def address_to_put(self, key: str) -> str:
        """Where to put an object, for a while and with nothing else."""
        return self._address("put_object", key)

    def address_to_get(self, key: str, name: str) -> str:
        """Where to get an object, for a while and with nothing else; it is saved under `name`."""
        return self._address("get_object", key, ResponseContentDisposition=f'attachment; filename="{name}"')

    def _address(self, operation: str, key: str, **more: str) -> str:
        parameters = {"Bucket": self._bucket, "Key": key, **more}
        return str(self._boto3().generate_presigned_url(operation, Params=parameters, ExpiresIn=LASTS))

    def _send(self, call: Callable[..., Any], **request: Any) -> Any:
        with translate_errors("S3: a bulk call"):
            return call(Bucket=self._bucket, **request)

"""The bucket of list jobs: lists are read piece by piece, exports are written in parts, and people get URLs for both.

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

PIECE_SIZE: Final = 1024 * 1024  # bytes of a list that are asked for at once
PART_SIZE: Final = 5 * 1024 * 1024  # bytes of a part of an export, at least
URL_LIFETIME: Final = 3600  # seconds

_MISSING: Final = frozenset({"NoSuchKey", "404"})
_BEYOND: Final = frozenset({"InvalidRange", "416"})


class ListFiles:
    """One bucket. Every method raises StoreUnavailable where S3 does not answer or refuses us."""

    def __init__(self, client: S3Client, bucket: str, connect_boto3: Callable[[], FullS3Client]) -> None:
        self._client = client
        self._bucket = bucket
        self._boto3 = connect_boto3

    def put(self, key: str, body: bytes) -> None:
        """Store a small object."""
        self._send("PutObject", self._client.put_object, Key=key, Body=body)

    def read(self, key: str, start: int = 0, etag: str | None = None) -> Iterator[tuple[bytes, str]]:
        """Read an object from byte `start` on, piece by piece, each with the entity tag of the whole.

        Raises MalformedFeedback where there is none, or where it is not the one of `etag` any more.
        """
        while True:
            piece, found = self._read_piece(key, start)
            if etag is not None and found not in (etag, ""):
                raise MalformedFeedback("import", "the file was changed while it was read")
            if piece:
                etag = found
                yield piece, found
            if len(piece) < PIECE_SIZE:
                return
            start += len(piece)

    def _read_piece(self, key: str, start: int) -> tuple[bytes, str]:
        request = {"Bucket": self._bucket, "Key": key, "Range": f"bytes={start}-{start + PIECE_SIZE - 1}"}
        try:
            with translate_errors("S3: GetObject", expected=_BEYOND | _MISSING):
                answer = self._client.get_object(**request)
                return answer["Body"].read(), str(answer["ETag"])
        except Refusal as refusal:
            if refusal.code in _BEYOND:
                return b"", ""
            raise MalformedFeedback("import", "no file has been uploaded, or its 7 days are over") from refusal

    def begin_upload(self, key: str, content_type: str) -> str:
        """Begin to write a large object, and return the id of the upload."""
        create = self._boto3().create_multipart_upload
        return str(self._send("CreateMultipartUpload", create, Key=key, ContentType=content_type)["UploadId"])

    def upload_part(self, key: str, upload_id: str, number: int, body: bytes) -> str:
        """Write the part of this number, from 1 on, in the place of one that may be there; returns its entity tag."""
        upload = self._boto3().upload_part
        answer = self._send("UploadPart", upload, Key=key, UploadId=upload_id, PartNumber=number, Body=body)
        return str(answer["ETag"])

    def complete_upload(self, key: str, upload_id: str, etags: tuple[str, ...]) -> None:
        """Put the parts together. Once they are, there is no such upload any more, which is no error."""
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        with suppress(Refusal), translate_errors("S3: CompleteMultipartUpload", expected={"NoSuchUpload"}):
            self._boto3().complete_multipart_upload(
                Bucket=self._bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
            )

    def presign_put(self, key: str, size: int) -> str:
        """Return a URL to which anybody who has it may upload an object of `size` bytes, for a while.

        The length is signed: S3 refuses any other. Source: SigV4 query parameters, X-Amz-SignedHeaders.
        """
        return self._presign("put_object", key, ContentLength=size)

    def presign_get(self, key: str, name: str) -> str:
        """Return a URL from which anybody who has it may download an object, for a while; it is saved as `name`."""
        return self._presign("get_object", key, ResponseContentDisposition=f'attachment; filename="{name}"')

    def _presign(self, operation: str, key: str, **more: str | int) -> str:
        parameters = {"Bucket": self._bucket, "Key": key, **more}
        return str(self._boto3().generate_presigned_url(operation, Params=parameters, ExpiresIn=URL_LIFETIME))

    def _send(self, operation: str, call: Callable[..., Any], **request: Any) -> Any:
        with translate_errors(f"S3: {operation}"):
            return call(Bucket=self._bucket, **request)

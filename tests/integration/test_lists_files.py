"""The bucket of list jobs on moto's S3, with the client of functions and with boto3's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

from aftersend.aws import boto, services
from aftersend.aws.account import Account
from aftersend.core.errors import MalformedFeedback, StoreUnavailable
from aftersend.lists import files
from aftersend.lists.files import ListFiles
from local.environment import false_account

_serial = count()


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    moto = ThreadedMotoServer(port=0, verbose=False)
    moto.start()
    address, port = moto.get_host_and_port()
    yield false_account(f"http://{address}:{port}")
    moto.stop()


@pytest.fixture
def bucket(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> ListFiles:
    for variable, value in server.items():
        monkeypatch.setenv(variable, value)
    region = {"LocationConstraint": server["AWS_REGION"]}
    name = f"lists-{next(_serial)}"
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=region)  # type: ignore[arg-type]
    account = Account(
        key_id="local",
        secret="local",
        region=server["AWS_REGION"],
        endpoints={"AWS_ENDPOINT_URL": server["AWS_ENDPOINT_URL"]},
    )
    return ListFiles(services.make_client("s3", account), name, lambda: boto.make_client("s3"))


def whole(bucket: ListFiles, key: str, start: int = 0) -> bytes:
    return b"".join(piece for piece, _ in bucket.read(key, start))


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 20, 35])
def test_an_object_comes_in_pieces_from_anywhere(bucket: ListFiles, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PIECE_SIZE", 10)
    body = bytes(range(size))
    bucket.put("list", body)
    for start in (0, 1, 10, 40):
        assert whole(bucket, "list", start) == body[start:]
    assert all(len(piece) <= 10 for piece, _ in bucket.read("list"))


def test_an_object_that_changes_on_the_way_is_noticed(bucket: ListFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PIECE_SIZE", 10)
    bucket.put("list", b"x" * 25)
    pieces = bucket.read("list")
    _, etag = next(pieces)
    bucket.put("list", b"y" * 25)
    with pytest.raises(MalformedFeedback, match="changed"):
        next(pieces)
    with pytest.raises(MalformedFeedback, match="changed"):
        next(bucket.read("list", 10, etag))


def test_an_object_that_is_not_there_is_the_callers_affair(bucket: ListFiles) -> None:
    with pytest.raises(MalformedFeedback, match="no file"):
        whole(bucket, "nothing")


def test_a_large_object_is_put_together_from_parts(bucket: ListFiles) -> None:
    upload = bucket.begin_upload("export", "text/csv")
    large = b"x" * files.PART_SIZE
    bucket.upload_part("export", upload, 1, b"a" * files.PART_SIZE)
    parts = (bucket.upload_part("export", upload, 1, large), bucket.upload_part("export", upload, 2, b"end"))
    bucket.complete_upload("export", upload, parts)
    assert whole(bucket, "export") == large + b"end"
    bucket.complete_upload("export", upload, parts)  # whoever does not know that it is done, does it again
    assert whole(bucket, "export") == large + b"end"


def test_addresses_work_without_credentials(bucket: ListFiles) -> None:
    with urlopen(Request(bucket.presign_put("list", 4), b"mine", {"content-type": "text/csv"}, method="PUT")) as answer:
        assert answer.status == 200
    assert "content-length" in bucket.presign_put("list", 4)  # signed: S3 takes no other size
    address = bucket.presign_get("list", "mine.csv")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in address
    with urlopen(address) as answer:
        assert answer.read() == b"mine"
        assert answer.headers["content-disposition"] == 'attachment; filename="mine.csv"'


def test_a_bucket_that_refuses_is_a_fault_of_ours(bucket: ListFiles) -> None:
    gone = ListFiles(bucket._client, "another", bucket._boto3)
    calls: list[Any] = [
        lambda: gone.put("list", b""),
        lambda: whole(gone, "list"),
        lambda: gone.begin_upload("export", "text/csv"),
        lambda: gone.complete_upload("export", "upload", ("etag",)),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            call()

"""DynamoDB clients that misbehave: they count, refuse, and leave keys unread, before a real one answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from aftersend.aws.errors import Refusal

Fault = Callable[[str, dict[str, Any]], Exception | None]


def service_error(code: str) -> Refusal:
    """What a client raises for an error of the service."""
    return Refusal(code, {"message": "for ann@example.com"})


def _unexpected(_client: object, *_: Any, **__: Any) -> Any:
    """Fail: a test says which operations it expects by defining them."""
    raise AssertionError("a call that this test does not expect")


class FakeDynamoDB:
    """A client of DynamoDB; every operation fails that a subclass does not define."""

    batch_get_item = delete_item = get_item = put_item = query = scan = update_item = _unexpected
    transact_write_items = _unexpected


class FakeS3:
    """A client of S3; every operation fails that a subclass does not define."""

    get_object = put_object = list_objects_v2 = generate_presigned_url = _unexpected
    create_multipart_upload = upload_part = complete_multipart_upload = _unexpected


class FakeSQS:
    """A client of SQS; every operation fails that a subclass does not define."""

    send_message = send_message_batch = change_message_visibility = get_queue_attributes = _unexpected


class Watched(FakeDynamoDB):
    """A client that counts its calls and, before each, asks `fault` whether it should fail."""

    def __init__(self, client: Any, fault: Fault | None = None) -> None:
        self._client = client
        self._fault = fault
        self.calls: Counter[str] = Counter()

    def _call(self, name: str, request: dict[str, Any]) -> Any:
        self.calls[name] += 1
        error = self._fault(name, request) if self._fault else None
        if error is not None:
            raise error
        return getattr(self._client, name)(**request)

    def put_item(self, **request: Any) -> Any:
        return self._call("put_item", request)

    def get_item(self, **request: Any) -> Any:
        return self._call("get_item", request)

    def query(self, **request: Any) -> Any:
        return self._call("query", request)

    def batch_get_item(self, **request: Any) -> Any:
        return self._call("batch_get_item", request)

    def scan(self, **request: Any) -> Any:
        return self._call("scan", request)

    def update_item(self, **request: Any) -> Any:
        return self._call("update_item", request)

    def delete_item(self, **request: Any) -> Any:
        return self._call("delete_item", request)


class Sparing(Watched):
    """A client whose BatchGetItem reads a few keys and leaves the others unprocessed, `rounds` times."""

    def __init__(self, client: Any, rounds: int) -> None:
        super().__init__(client)
        self._rounds = rounds

    def batch_get_item(self, **request: Any) -> Any:
        [(table, wanted)] = request["RequestItems"].items()
        if self._rounds == 0:
            return super().batch_get_item(**request)
        self._rounds -= 1
        taken, left = wanted["Keys"][:2], wanted["Keys"][2:]
        answer = super().batch_get_item(RequestItems={table: wanted | {"Keys": taken}})
        return answer | {"UnprocessedKeys": {table: wanted | {"Keys": left}} if left else {}}

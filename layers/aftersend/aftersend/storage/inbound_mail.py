"""Mail that Amazon SES received and put into our bucket: the notice names the object, here the mail is put inside.

Source: SES developer guide, receipt rule action S3 (objects up to 40 MB) and its notification.
"""

# Annotations are code here: as texts, msgspec would compile each of them at a start (decision 69).

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.errors import Refusal
from aftersend.aws.protocols import S3Client
from aftersend.core.errors import DECODE_ERRORS, MalformedFeedback
from aftersend.sources.envelope import MAX_BYTES, peel

# What S3 says of an object that nobody will ever read there, and what that means.
_UNREADABLE: Final = {
    "NoSuchKey": "gone",
    "404": "gone",
    "KeyTooLongError": "gone",
    "InvalidRange": "empty",  # an object without a first byte
}


class _Action(Struct, rename="camel"):
    type: str = ""
    bucket_name: str = ""
    object_key: str = ""


class _Receipt(Struct, rename="camel"):
    action: _Action | None = None
    recipients: list[str] = []
    spf_verdict: Raw = Raw()
    dkim_verdict: Raw = Raw()
    dmarc_verdict: Raw = Raw()
    spam_verdict: Raw = Raw()
    virus_verdict: Raw = Raw()


class _Notice(Struct):
    receipt: _Receipt | None = None


_decode: Final = msgspec.json.Decoder(_Notice).decode


class InboundMail:
    """Reads mails out of one bucket, and out of no other: a notice is a stranger's word until it names ours."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def open(self, body: bytes) -> bytes:
        """`body` with the beginning of the mail that it is about, as the SNS action would send it; else as it is.

        What a report says stands in front of the message that it returns, so the rest of a large mail is not fetched.
        The envelope and the verdicts of SES stay with it: the mail itself may say anything.

        Raises MalformedFeedback where it names another bucket, no object or one that is gone or empty, StoreUnavailable
        where S3 does not answer.
        """
        receipt = _receipt(body)
        action = receipt.action
        if action is None or action.type != "S3":
            return body
        if action.bucket_name != self._bucket:
            raise MalformedFeedback("report", "the notice names a bucket that is not ours")
        if not action.object_key:
            raise MalformedFeedback("report", "the notice names no mail")
        return _inside(self._fetch(action.object_key), receipt)

    def _fetch(self, key: str) -> bytes:
        try:
            with translate_errors("S3: GetObject", expected=_UNREADABLE):
                found = self._client.get_object(Bucket=self._bucket, Key=key, Range=f"bytes=0-{MAX_BYTES - 1}")
                return bytes(found["Body"].read(MAX_BYTES))
        except Refusal as refusal:
            raise MalformedFeedback(
                "report", f"the mail that the notice names is {_UNREADABLE[refusal.code]}"
            ) from refusal


def _inside(mail: bytes, receipt: _Receipt) -> bytes:
    """The notification of the SNS action that carries `mail`; msgspec writes bytes as base64."""
    carried: dict[str, Any] = {"recipients": receipt.recipients, "action": {"type": "SNS", "encoding": "BASE64"}}
    for name in ("spf", "dkim", "dmarc", "spam", "virus"):
        if verdict := getattr(receipt, f"{name}_verdict"):
            carried[f"{name}Verdict"] = verdict
    return msgspec.json.encode({"notificationType": "Received", "receipt": carried, "content": mail})


def _receipt(body: bytes) -> _Receipt:
    try:
        notice = _decode(peel(body))
    except DECODE_ERRORS:  # a mail as it is, not a notice
        return _Receipt()
    return notice.receipt or _Receipt()

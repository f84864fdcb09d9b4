"""Texts that no rule knows, counted, so that an operator sees which of them deserve a rule.

One item for each text, normalised: what names a person, a machine or a single message is masked. Its `seen` holds the
ids of the feedback that said so, up to a bound: a set counts each of them once however often it arrives, which a number
would not. Source of the idea: Adobe Campaign's delivery log qualification.

A text that has come often enough is not asked about any more: a refused write costs as much as one that is done, and
one item takes a few hundred a second. When a provider says something new to everybody, feedback must not fail for a
statistic.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from msgspec import Struct

from aftersend.aws.calls import translate_errors
from aftersend.aws.errors import Refusal
from aftersend.aws.protocols import DynamoDBClient
from aftersend.core.errors import Unreadable
from aftersend.core.model import Class, Feedback, Reason, Verdict
from aftersend.core.smsc import is_qualification
from aftersend.core.steps import Call, Steps
from aftersend.core.text import truncate
from aftersend.core.times import format_time
from aftersend.storage.schema import ATTRIBUTE, decoder
from aftersend.storage.versioned import CONDITION_FAILED

SCHEMA: Final = 1  # what this version writes, and the highest that it adds to: see `aftersend.storage.schema`
MAX_SEEN: Final = 100  # a text that came this often deserves a rule, whatever the exact number
_MAX_REMEMBERED: Final = 10_000  # texts that have come often enough


def needs_rule(fact: Feedback, verdict: Verdict | None) -> bool:
    """Return whether nothing but a text was there to judge by, and no rule knew it.

    The errors of an SMSC that no table explains are such, although its word alone says that a message did not arrive.
    """
    text = fact.evidence.text if fact.evidence is not None else None
    if text is None or verdict is None:
        return False
    unexplained = verdict.reason is Reason.UNDETERMINED and is_qualification(text)
    return unexplained or verdict.klass is Class.UNDETERMINED


def build_count(table: str, fact: Feedback, now: datetime, retention: timedelta) -> dict[str, Any]:
    """Build the request that adds one feedback to the texts that no rule knows.

    It is refused where the feedback is in already, where enough are, and where a newer version wrote the item.
    """
    from aftersend.classify.text import normalise  # noqa: PLC0415  # few batches hold a text that no rule knows

    assert fact.evidence is not None
    given = fact.evidence.text or ""
    masked = mask_person(given, fact.recipient, _ANYBODY)
    text = truncate(masked if is_qualification(given) else normalise(masked), 512)
    first = {
        "source": {"S": fact.source},
        "text": {"S": text or "-"},
        "example": {"S": mask_person(given, fact.recipient, "ADDR") or "-"},
        "first_at": {"S": format_time(fact.occurred_at)},
        "code": {"S": str(fact.evidence.code or "-")},
        "status": {"S": fact.evidence.status or "-"},
    }
    unchanged = ", ".join(f"#{name} = if_not_exists(#{name}, :{name})" for name in first)
    return {
        "TableName": table,
        "Key": {"digest": {"S": blake2b(f"{fact.source}\0{text}".encode(), digest_size=12).hexdigest()}},
        "UpdateExpression": f"ADD seen :ids SET {unchanged}, #schema = :schema, expires_at = :expires",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        "ConditionExpression": (
            "attribute_not_exists(digest) OR (#schema <= :schema AND size(seen) < :enough AND NOT contains(seen, :id))"
        ),
        "ExpressionAttributeNames": {f"#{name}": name for name in (*first, ATTRIBUTE)},
        "ExpressionAttributeValues": {
            **{f":{name}": value for name, value in first.items()},
            f":{ATTRIBUTE}": {"N": str(SCHEMA)},
            ":ids": {"SS": [fact.id]},
            ":id": {"S": fact.id},
            ":enough": {"N": str(MAX_SEEN)},
            ":expires": {"N": str(int((now + retention).timestamp()))},
        },
    }


_ANYBODY: Final = "a@b"  # what `normalise` masks as an address
_ADDRESS: Final = re.compile(r"[^\s<>\"'(),:;@]{1,64}@[^\s<>\"'(),:;@]{1,255}")


def mask_person(text: str, recipient: str, mask: str) -> str:
    """Return a text with `mask` for addresses, and for the name before the "@" of the one that it is about.

    Of a phone or a token it is the whole of it. Whoever is erased must not stay here, where nobody would look for them.
    """
    name = recipient.partition(":")[2]
    local = name.rpartition("@")[0] if "@" in name else name.rpartition(":")[2].lstrip("+")
    without = _ADDRESS.sub(mask, text)
    return re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", mask, without, flags=re.IGNORECASE) if local else without


MAX_READ: Final = 5_000  # texts that one list looks at; some 10 MB
_AT_ONCE: Final = 500


class UnmatchedText(Struct, frozen=True, kw_only=True):
    """A text that no rule knows."""

    source: str
    text: str  # normalised
    example: str
    seen: int  # up to MAX_SEEN
    first_at: str  # the time of the first that was counted
    code: str | None
    status: str | None


@decoder(SCHEMA)
def decode_text(item: dict[str, Any]) -> UnmatchedText:
    """Return the text that `build_count` has counted; raises Unreadable for any other item."""
    code, status = (item[name]["S"] for name in ("code", "status"))
    return UnmatchedText(
        source=item["source"]["S"],
        text=item["text"]["S"].strip(),
        example=item["example"]["S"],
        seen=len(item["seen"]["SS"]),
        first_at=item["first_at"]["S"],
        code=None if code == "-" else code,
        status=None if status == "-" else status,
    )


class UnmatchedTexts:
    """Counts texts in one table. Safe to share between threads."""

    def __init__(self, table: str, retention: timedelta) -> None:
        self._table = table
        self._retention = retention
        self._full: set[str] = set()

    def count(self, fact: Feedback, now: datetime) -> Steps[None]:
        """Count the text of `fact` once; raises StoreUnavailable where the table does not take it.

        An item of a higher schema stays as it is, and the text is not counted there: it is a statistic, and no feedback
        fails for it.
        """
        request = build_count(self._table, fact, now, self._retention)
        digest = request["Key"]["digest"]["S"]
        if digest in self._full:
            return
        try:
            with translate_errors("DynamoDB: UpdateItem", expected={CONDITION_FAILED}):
                yield Call("dynamodb", "update_item", request)
        except Refusal as refusal:
            stored = refusal.answer.get("Item", {}).get("seen", {}).get("SS", ())
            if len(stored) >= MAX_SEEN and len(self._full) < _MAX_REMEMBERED:
                self._full.add(digest)


class UnmatchedTextQueries:
    """Reads the texts of one table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table

    def list_texts(self) -> tuple[list[UnmatchedText], bool]:
        """Return texts, and whether these are all: of more than MAX_READ a part that is as good as any.

        Raises StoreUnavailable where the table does not answer. An item of a higher schema is passed over.
        """
        found: list[UnmatchedText] = []
        request: dict[str, Any] = {"TableName": self._table, "Limit": _AT_ONCE}
        for _ in range(MAX_READ // _AT_ONCE):
            with translate_errors("DynamoDB: Scan"):
                page = self._client.scan(**request)
            for item in page["Items"]:
                with suppress(Unreadable):
                    found.append(decode_text(item))
            if "LastEvaluatedKey" not in page:
                return found, True
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return found, False

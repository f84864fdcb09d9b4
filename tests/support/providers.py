"""Providers as docs/adding-a-source.md writes their rows, and webhooks of this process to which they push."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Final

from aftersend import settings
from aftersend.aws.errors import Refusal
from aftersend.sources import Source, proofs, provider_lists
from aftersend.sources.message import unpack
from aftersend.webhooks.receive import PushResponse, WebhookPorts, receive
from aftersend.webhooks.secrets import WebhookSecrets
from local.signing import Authority, Push
from tests.support.template import ROOT
from tests.support.webhooks import PATH, http_event

_PAGE: Final = (ROOT / "docs" / "adding-a-source.md").read_text()
_ROWS: Final = re.findall(r"^\| (.+?) \| `(proofs\..+?)` \| `(.+?)` \|$", _PAGE, re.M)


def _build(proof: str, others: str) -> Source:
    row = f"Source(parser='', proofs=({proof},), {others})"
    made: Source = eval(row, {"Source": Source, "proofs": proofs, "provider_lists": provider_lists})
    return made


# By a name of one word, for those of the page that share a row each has it.
PROVIDERS: Final[dict[str, Source]] = {
    re.sub(r"\W.*", "", name.strip()).lower(): _build(proof, others)
    for names, proof, others in _ROWS
    for name in names.split(",")
}


class Webhooks:
    """The webhooks with a queue and a document of secrets in memory; `now` (UTC) is their clock."""

    def __init__(self, document: Any, now: datetime, **variables: str) -> None:
        self.document, self.now = document, now
        self.sent: list[dict[str, Any]] = []
        self.broken = False
        given = {"WEBHOOK_SECRETS": "arn", "FEEDBACK_QUEUE": "https://queue"} | variables
        config = settings.load_webhooks(given)
        self.ports = WebhookPorts(config, WebhookSecrets(lambda: self, config), self, clock=lambda: self.now)

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        return {"SecretString": json.dumps(self.document)}

    def send_message(self, **message: Any) -> None:
        if self.broken:
            raise Refusal("ServiceUnavailable", {})
        self.sent.append(message)

    def send_message_batch(self, **_: Any) -> None:
        raise AssertionError("a push is one message")

    def push(self, push: Push, method: str = "POST") -> PushResponse:
        """What is answered."""
        return receive(http_event(push, method), self.ports)

    def queued(self) -> list[tuple[bytes, dict[str, str]]]:
        """Body and headers of everything that was queued since last asked."""
        found = [
            unpack(
                each["MessageBody"],
                {name: value["StringValue"] for name, value in each["MessageAttributes"].items()},
            )
            for each in self.sent
        ]
        self.sent.clear()
        return found


def document(authority: Authority, path: str = PATH, **more: Any) -> dict[str, Any]:
    """The secrets of every provider, with the keys that `authority` signs with, and `more` for who can send it."""
    entries = {
        name: authority.list_keys(row.proofs) | {kind: each for kind, each in more.items() if kind in row.secrets}
        for name, row in PROVIDERS.items()
    }
    return {"path": path, "sources": entries} if path else {"sources": entries}


NOW: Final = datetime(2026, 3, 2, 10, 11, 15, tzinfo=UTC)

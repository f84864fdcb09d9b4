"""A receiver of webhooks on this machine, as one of the user's would be: it verifies, and shows what arrives.

Only here may a webhook go to this machine, and without TLS: the functions of the embedded stack are told so by a
variable that no template gives them.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aftersend.core.errors import VerificationError
from aftersend.sources.proofs import StandardWebhooks, standard_webhooks
from aftersend.webhooks.schemes.contract import PushRequest, Trust, WebhookCredentials
from aftersend.webhooks.schemes.standard_webhooks import check
from local.serve_routes import Request, Response
from local.stack import Stack
from local.template import Json

HERE: Final = {"SendWebhooks": "true", "StreamWindowSeconds": "0"}  # parameters of the stack
PATH: Final = "/local/webhooks"
_KEPT: Final = 50
_TEXT: Final = {"content-type": "text/plain; charset=utf-8"}


class WebhookReceiver:
    """Takes webhooks of the embedded stack at PATH, and shows the last ones there."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        self.received: deque[Json] = deque(maxlen=_KEPT)
        self.refused = self.taken = 0  # requests, and events

    def register(self, stack: Stack, host: str, **wanted: Any) -> None:
        """Have the stack send what is rare here: the document that says where webhooks go gets one endpoint.

        `wanted` says what else of it: see `aftersend.outgoing.endpoints.Endpoint`.
        """
        endpoint = {"url": f"http://{host}{PATH}", "secret": self._secret, "incidents": True, **wanted}
        name = stack.resources("AWS::Lambda::Function")["DeliverWebhooks"]["Environment"]["Variables"]
        stack.client("secretsmanager").put_secret_value(
            SecretId=name["WEBHOOK_ENDPOINTS"], SecretString=json.dumps({"endpoints": {"here": endpoint}})
        )

    def answer(self, request: Request) -> Response:
        """Take a webhook, once its signature holds; or show those that came."""
        if request.method != "POST":
            return Response(200, _TEXT, "".join(map(_show, self.received)).encode() or b"Nothing has come yet.\n")
        try:
            self._verify(request.headers, request.body)
        except VerificationError as error:
            self.refused += 1
            return Response(401, _TEXT, f"{error}\n".encode(), str(error))
        event: Json = json.loads(request.body)
        if event["id"] not in {each["id"] for each in self.received}:  # it may come twice, and is one event
            self.received.append(event)
            self.taken += 1
            self._say(f"  webhook: {_show(event).rstrip()}")
        return Response(204, {}, b"")

    def _verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """As every receiver should: the scheme is that by which pushes of others are verified."""
        lowered = {name.lower(): value for name, value in headers.items()}
        request = PushRequest(source="here", url="", path=PATH, headers=lowered, body=body)
        proof = standard_webhooks(prefixes=("webhook-",))
        assert isinstance(proof, StandardWebhooks)
        check(request, proof, Trust(credentials=WebhookCredentials(signing_key=(self._secret,))), datetime.now(UTC))


def _show(event: Json) -> str:
    data = event["data"]
    about = data.get("recipient") or data.get("domain")
    details = ", ".join(str(data[name]) for name in ("cause", "class", "reason", "end", "review") if name in data)
    return f"{event['timestamp']}  {event['type']}  {about}  {details}\n"

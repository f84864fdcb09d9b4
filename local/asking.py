"""The API of the demo: a suppression is looked up, lifted by a person, and brought back by a later bounce."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import quote

from rich.console import Console

from aftersend.core.model import CauseKind, Outcome, Status
from aftersend.core.times import format_time
from local.hooks import WebhookReceiver
from local.lambdas import Lambdas
from local.stack import Stack
from local.tables import Contents

_PATIENCE: Final = 60  # seconds
_NOBODY: Final = "nobody.yet@example.com"


def story(host: str, stack: Stack, lambdas: Lambdas, contents: Contents, out: Console) -> Iterator[str]:
    """Ask the API at `host`, and show what it answers; yields what is not as it must be."""
    who = _bounced(contents)
    out.print("\n[bold]May I write to them?[/] The API, over HTTP")
    for act, wanted in ((None, True), (_release, False), (_bounce, True)):
        if act is not None:
            out.print(f"  {act(host, stack, lambdas, who)}")
        found = _check(host, [who, _NOBODY])
        out.print(f"  POST /suppressions/check   {_describe(found)}")
        if (who in found, _NOBODY in found) != (wanted, False):
            yield f"the API says {sorted(found)} of {who}, which should be {'suppressed' if wanted else 'allowed'}"


def count_week(host: str, lambdas: Lambdas, contents: Contents, out: Console) -> Iterator[str]:
    """Show how the fullest week went, where the stack counts; yields what does not agree with the tables."""
    if not lambdas.streams:
        return
    lambdas.count()
    days = Counter(each.first_at.date() for each in contents.outcomes if each.proven)
    last = max(days, key=lambda day: (sum(days[day - timedelta(days=ago)] for ago in range(7)), day))
    first = last - timedelta(days=6)
    found = _ask(host, "GET", f"/statistics?from={first}&to={last}&by=system")
    out.print(f"\n[bold]How are we doing?[/] GET /statistics?from={first}&to={last}&by=system")
    for each in found["totals"][:5]:
        hard, name = each["counts"].get("bounced_hard", 0), each.get("name", each["value"])
        out.print(f"  {name:24}{each['messages']:6} messages, {hard:4} refused for good")
    whole = _ask(host, "GET", f"/statistics?from={first}&to={last}")["totals"]
    counted = sum(each["messages"] for each in whole)
    stored = sum(number for day, number in days.items() if first <= day <= last)
    if counted != stored:
        yield f"{counted} messages of that week are counted, and {stored} are stored"


def show_webhooks(lambdas: Lambdas, receiver: WebhookReceiver, contents: Contents, out: Console) -> Iterator[str]:
    """Show what a receiver of webhooks got, where the stack sends any; yields what is missing."""
    if "DeliverWebhooks" not in lambdas.functions:
        return
    lambdas.drain()  # what counting has published
    wanted = sum(each.status is Status.COMPLAINED and each.proven for each in contents.outcomes)
    out.print("\n[bold]Who else wants to know?[/] Signed webhooks, verified by a receiver here")
    for event in list(receiver.received)[:3]:
        out.print(f"  {event['type']:20} {event['data']['recipient'].partition(':')[2]}")
    out.print(f"  {receiver.taken} complaints came, each once; {receiver.refused} requests refused")
    if receiver.taken < wanted or receiver.refused:
        yield f"{receiver.taken} webhooks came for {wanted} complaints, and {receiver.refused} were refused"


def list_bounces(host: str, contents: Contents, out: Console) -> Iterator[str]:
    """Show what bounced on the day with the most of it; yields what does not agree with the tables."""
    days = Counter(each.bounced_at.date() for each in contents.outcomes if each.bounced_at and _is_listed(each))
    day, number = max(days.items(), key=lambda found: (found[1], found[0]))
    path = f"/outcomes?from={day}T00:00:00Z&to={day + timedelta(days=1)}T00:00:00Z&status=bounced&limit=50"
    found = _ask(host, "GET", path)
    out.print(f"\n[bold]What bounced on {day}?[/] GET {path}")
    for each in found["outcomes"][:5]:
        out.print(f"  {each['recipient'].partition(':')[2]:34} {each['class']}, {each['reason']}", soft_wrap=True)
    if len(found["outcomes"]) != min(number, 50):
        yield f"{len(found['outcomes'])} bounces of {day} are listed, and {number} are stored"


def _is_listed(outcome: Outcome) -> bool:
    return outcome.status is Status.BOUNCED and outcome.proven


def _bounced(contents: Contents) -> str:
    """An address that is suppressed for a hard bounce and nothing else."""
    hard = (each for each in contents.suppressions if list(each.causes) == [CauseKind.HARD] and each.scope == "*")
    known = {each.recipient for each in contents.outcomes if each.status is Status.BOUNCED}
    addresses = (each.recipient for each in hard if each.recipient in known and each.recipient.startswith("email:"))
    return next(addresses).removeprefix("email:")


def _check(host: str, recipients: list[str]) -> dict[str, list[str]]:
    """The causes of those that are suppressed, by recipient."""
    answer = _ask(host, "POST", "/suppressions/check", {"recipients": recipients})
    return {each["given"]: [why["cause"] for why in each["why"]] for each in answer["results"] if each["suppressed"]}


def _describe(found: dict[str, list[str]]) -> str:
    return ", ".join(f"{who} is suppressed: {' and '.join(causes)}" for who, causes in found.items()) or "all allowed"


def _release(host: str, _stack: Stack, _lambdas: Lambdas, who: str) -> str:
    _ask(host, "DELETE", f"/suppressions/{quote(who)}?note={quote('they called: the mailbox is back')}")
    return "DELETE /suppressions/…     a person lifts it, and says why"


def _bounce(_host: str, stack: Stack, lambdas: Lambdas, who: str) -> str:
    """A bounce that is later than the release."""
    at = format_time(datetime.now(UTC) + timedelta(seconds=1))
    evidence = {
        "emailAddress": who,
        "action": "failed",
        "status": "5.1.1",
        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
    }
    bounce = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [evidence], "timestamp": at}
    mail = {"messageId": "0100019500000001-later", "timestamp": at, "destination": [who]}
    (topic,) = (arn for name, arn in stack.physical_ids("AWS::SNS::Topic").items() if name == "SesBouncesTopic")
    stack.client("sns").publish(
        TopicArn=topic, Message=json.dumps({"eventType": "Bounce", "bounce": bounce, "mail": mail})
    )
    lambdas.drain()
    return "SNS ▶ SQS ▶ ProcessSes     a later bounce: 550 5.1.1 user unknown"


def _ask(host: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    connection = HTTPConnection(host, timeout=_PATIENCE)
    headers = {"content-type": "application/json"} if body else {}
    try:
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path} answered {answer.status}")
    return json.loads(text) if text else {}

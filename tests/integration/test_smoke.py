"""`aftersend smoke` against the embedded stack: what it shows of one that works, and where it sends who has one that
does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import pytest

from aftersend_cli import smoke
from aftersend_cli.__main__ import main
from aftersend_cli.stack import make_client
from local.lambdas import Lambdas
from local.stack import NAME, Stack, running
from local.tables import Tables
from local.template import Json

SENDER: Final = "news@example.com"
STEP: Final = re.compile(r"(published|sent|outcome|suppression|cleaned up) +\d+\.\d s  .+")


class World:
    """An embedded stack, and what works its queues."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.lambdas = stack, Lambdas(stack)
        self.tables = Tables(stack, self.lambdas.functions["ProcessSes"].variables)

    def smoke(self, *arguments: str, wait: int = 60) -> int:
        return main(["smoke", "--stack", NAME, "--wait", str(wait), *arguments])

    @contextmanager
    def working(self, replaced: Callable[[Json], Json] | None = None) -> Iterator[None]:
        """Queues are worked, by `replaced` for every function, while somebody waits: no other time passes."""
        functions = [mapping._function for mapping in self.lambdas.mappings]
        if replaced is not None:
            for mapping in self.lambdas.mappings:
                mapping._function = replaced
        now = 0.0

        def sleep(seconds: float) -> None:
            nonlocal now
            now += seconds
            self.lambdas.drain()

        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(smoke, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
                yield
        finally:
            for mapping, function in zip(self.lambdas.mappings, functions, strict=True):
                mapping._function = function

    def empty_queues(self) -> None:
        for url in self.stack.physical_ids("AWS::SQS::Queue").values():
            self.stack.client("sqs").purge_queue(QueueUrl=url)


@pytest.fixture(scope="module")
def embedded() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, running() as stack:
        patch.setenv("MOTO_SQS_ENFORCE_STRICT_QUEUE_PURGE_BEHAVIOUR", "false")  # else one a minute
        yield World(stack)


@pytest.fixture
def world(embedded: World) -> Iterator[World]:
    embedded.empty_queues()
    yield embedded
    embedded.empty_queues()
    contents = embedded.tables.contents()
    assert (contents.outcomes, contents.suppressions) == ([], []), "it has cleaned up"


def test_a_stack_that_works(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with world.working():
        assert world.smoke("--yes") == 0
    output, errors = capsys.readouterr()
    place, *plan = errors.splitlines()
    assert place == f"stack {NAME}, account 123456789012, eu-west-1"
    assert plan[0].startswith("  publish a bounce to arn:aws:sns:")
    steps = output.splitlines()
    assert [line.split("  ")[0].strip() for line in steps] == ["published", "outcome", "suppression", "cleaned up"]
    assert all(STEP.fullmatch(line) for line in steps)
    assert "bounced: hard, user_unknown, by the rule " in steps[1]
    assert steps[2].endswith("hard without end")


def test_it_asks_and_where_nobody_is_there_it_refuses(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    assert world.smoke() == 2
    assert "give --yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True, readline=lambda: "\n"))
    assert world.smoke() == 1
    assert capsys.readouterr().err.endswith("Go on? [y/N] aftersend: nothing was done\n")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True, readline=lambda: "y\n"))
    with world.working():
        assert world.smoke() == 0


def test_a_mail_to_the_simulator(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What Amazon SES would publish then is published here by who stands in the place of the simulator."""
    world.stack.client("sesv2").create_email_identity(EmailIdentity=SENDER)
    real, sent = make_client, list[dict[str, Any]]()
    topics = world.stack.physical_ids("AWS::SNS::Topic")

    def send_email(**request: Any) -> Any:
        answer = real("sesv2").send_email(**request)
        sent.append(request)
        (to,) = request["Destination"]["ToAddresses"]
        bounce = smoke.make_bounce(to, answer["MessageId"], datetime.now(UTC))
        real("sns").publish(TopicArn=topics["SesBouncesTopic"], Message=bounce)
        return answer

    simulator = SimpleNamespace(send_email=send_email)
    monkeypatch.setattr(smoke, "make_client", lambda name: simulator if name == "sesv2" else real(name))
    with world.working():
        assert world.smoke("--from", SENDER, "--configuration-set", "letters", "--yes") == 0
    assert [step for step in capsys.readouterr().out.splitlines() if step.startswith("sent")]
    (request,) = sent
    assert request["ConfigurationSetName"] == "letters"
    assert re.fullmatch(
        r"bounce\+aftersend-smoke-\w+@simulator\.amazonses\.com", *request["Destination"]["ToAddresses"]
    )


# ---- Where it says to look ---------------------------------------------------------------------------------------


def test_who_may_not_send(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.smoke("--from", "stranger@example.org", "--yes") == 1
    assert "Amazon SES does not send from stranger@example.org: MessageRejected" in capsys.readouterr().err


def test_a_mail_that_ses_publishes_nothing_of(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.stack.client("sesv2").create_email_identity(EmailIdentity="silent@example.com")
    assert world.smoke("--from", "silent@example.com", "--yes", wait=1) == 1
    assert "get-configuration-set-event-destinations" in capsys.readouterr().err


def test_a_topic_that_is_not_subscribed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    sns, topic = world.stack.client("sns"), world.stack.physical_ids("AWS::SNS::Topic")["SesBouncesTopic"]
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    try:
        assert world.smoke("--yes") == 1
    finally:
        sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=subscription["Endpoint"],
            Attributes={"RawMessageDelivery": "true"},
        )  # fmt: skip
    assert f"the topic {topic} is not subscribed by the queue {subscription['Endpoint']}" in capsys.readouterr().err


def test_a_queue_that_nobody_works(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert world.smoke("--yes", wait=1) == 1
    errors = capsys.readouterr().err
    assert "no outcome after 1 s. SesBouncesQueue (http" in errors
    assert "holds 1 that wait and 0 that a function has taken" in errors
    assert "Look into the log of ProcessSes" in errors
    assert errors.partition("aftersend: ")[2].count("\n") == 1


def test_a_function_that_fails(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(event: Json) -> Json:
        return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in event["Records"]]}

    with world.working(fail):
        assert world.smoke("--yes", wait=2) == 1
    assert "holds 0 that wait and 1 that a function has taken or has failed on" in capsys.readouterr().err


def test_what_lies_among_dead_letters(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    queues = world.stack.physical_ids("AWS::SQS::Queue")
    for name in ("SesBouncesDeadLetters", "UnreadableBodies"):
        world.stack.client("sqs").send_message(QueueUrl=queues[name], MessageBody="{}")
    assert world.smoke("--yes", wait=1) == 1
    errors = capsys.readouterr().err
    assert re.search(r"SesBouncesDeadLetters \(\S+\) holds 1 ", errors)
    assert re.search(r"UnreadableBodies \(\S+\) holds 1 ", errors)


def test_a_table_that_stays_empty(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    with world.working(lambda _: {}):
        assert world.smoke("--yes", wait=2) == 1
    assert "so the function took the message and stored nothing" in capsys.readouterr().err


def test_a_suppression_that_does_not_come(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the policy says that hard bounces suppress nobody."""
    monkeypatch.setattr(smoke, "_holding", lambda _: None)
    with world.working():
        assert world.smoke("--yes", wait=5) == 1
    errors = capsys.readouterr().err
    assert "no suppression after 5 s, although the outcome is there" in errors
    assert "GET /incidents" in errors


def test_a_bounce_of_smoke_is_one_of_amazon_ses() -> None:
    body = smoke.make_bounce("ann@example.com", "m-1", datetime(2026, 3, 2, tzinfo=UTC))
    assert smoke._find_key(body) == ("email:ann@example.com", "ses:m-1")

"""What webhooks are made of: what is cache, what is configured, and what API Gateway hands on."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aftersend import settings
from aftersend.aws.errors import Refusal
from aftersend.core.errors import ConfigurationError, StoreUnavailable
from aftersend.core.ttl_cache import TtlCache
from aftersend.settings import WebhookSettings
from aftersend.sources import SOURCES
from aftersend.webhooks.request import read_request
from aftersend.webhooks.secrets import AGE, WebhookSecrets

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


class TestKept:
    def test_a_value_is_made_once_while_it_is_new(self) -> None:
        made: list[str] = []

        def make(key: str) -> int:
            made.append(key)
            return len(made)

        cache: TtlCache[str, int] = TtlCache(HOUR, max_size=2)
        moments = (NOW, NOW + HOUR - timedelta(seconds=1), NOW + HOUR)
        assert [cache.get("a", moment, make) for moment in moments] == [1, 1, 2]
        assert made == ["a", "a"]

    def test_the_first_goes_first(self) -> None:
        cache: TtlCache[str, str] = TtlCache(HOUR, max_size=2)
        for key in ("a", "b", "a", "c"):
            cache.get(key, NOW, str.upper)
        assert cache.get("b", NOW, lambda _: "anew") == "B"
        assert cache.get("a", NOW, lambda _: "anew") == "anew"

    def test_as_many_are_kept_as_there_is_room_for(self) -> None:
        cache: TtlCache[int, int] = TtlCache(HOUR, max_size=16)
        for key in range(17):
            cache.get(key, NOW, int)
        assert [cache.get(key, NOW, lambda _: -1) for key in range(1, 17)] == [*range(1, 17)]
        assert cache.get(0, NOW, lambda _: -1) == -1

    def test_one_that_is_made_again_goes_last(self) -> None:
        cache: TtlCache[str, str] = TtlCache(HOUR, max_size=2)
        cache.get("a", NOW, str.upper)
        cache.get("b", NOW + HOUR / 2, str.upper)
        cache.get("a", NOW + HOUR, str.upper)
        cache.get("c", NOW + HOUR, str.upper)
        assert cache.get("a", NOW + HOUR, lambda _: "anew") == "A"
        assert cache.get("b", NOW + HOUR, lambda _: "anew") == "anew"

    def test_also_where_there_was_room(self) -> None:
        cache: TtlCache[str, str] = TtlCache(HOUR, max_size=3)
        for key, at in (("a", NOW), ("b", NOW + HOUR / 2), ("a", NOW + HOUR), ("c", NOW + HOUR), ("d", NOW + HOUR)):
            cache.get(key, at, str.upper)
        assert cache.get("a", NOW + HOUR, lambda _: "anew") == "A"
        assert cache.get("b", NOW + HOUR, lambda _: "anew") == "anew"

    def test_an_error_is_not_kept(self) -> None:
        cache: TtlCache[str, int] = TtlCache(HOUR, max_size=2)
        with pytest.raises(ZeroDivisionError):
            cache.get("a", NOW, lambda _: 1 // 0)
        assert cache.get("a", NOW, lambda _: 7) == 7


class Manager:
    """Secrets Manager with one secret, or with none."""

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.asked: list[str] = []

    def get_secret_value(self, **asked: Any) -> dict[str, str]:
        self.asked.append(asked["SecretId"])
        if self.text is None:
            raise Refusal("AccessDeniedException", {})
        return {"SecretString": self.text}


def configured(**changes: Any) -> WebhookSettings:
    return settings.load_webhooks({"WEBHOOK_SECRETS": "the-arn", "FEEDBACK_QUEUE": "https://q", **changes})


SES, MAILERQ = SOURCES["ses"], SOURCES["mailerq"]
ON = '{"path":"a-secret-of-16-or-more","sources":{"ses":{},"mailerq":{}}}'
OTHER = '{"path":"another-secret-of-it","sources":{"ses":{},"mailerq":{}}}'


class TestSecrets:
    def test_it_is_read_when_it_is_needed_and_again_after_a_while(self) -> None:
        manager = Manager(ON)
        connected: list[int] = []

        def connect() -> Manager:
            connected.append(1)
            return manager

        secrets = WebhookSecrets(connect, configured(SNS_TOPICS="t1,t2", ALIBABA_ACCOUNTS="1", MNS_SUBSCRIPTIONS="t/s"))
        assert connected == []
        trust = secrets.get_trust("ses", SES, NOW)
        assert trust is not None
        assert trust.credentials.path == ("a-secret-of-16-or-more",)
        assert trust.senders == {"topics": {"t1", "t2"}}
        mns = secrets.get_trust("directmail", SOURCES["directmail"], NOW)
        assert mns is not None
        assert mns.senders == {"accounts": {"1"}, "subscriptions": {"t/s"}}
        manager.text = OTHER
        before = secrets.get_trust("mailerq", MAILERQ, NOW + AGE - timedelta(seconds=1))
        after = secrets.get_trust("mailerq", MAILERQ, NOW + AGE)
        assert before is not None
        assert after is not None
        assert (before.credentials.path, after.credentials.path) == (
            ("a-secret-of-16-or-more",),
            ("another-secret-of-it",),
        )
        assert (manager.asked, connected) == (["the-arn"] * 2, [1])

    def test_what_cannot_be_read_is_our_trouble_and_asked_for_again(self) -> None:
        manager = Manager(None)
        secrets = WebhookSecrets(lambda: manager, configured())
        with pytest.raises(StoreUnavailable, match="GetSecretValue failed: AccessDeniedException"):
            secrets.get_trust("ses", SES, NOW)
        manager.text = '{"sources":{"ses":{}}}'
        trust = secrets.get_trust("ses", SES, NOW)
        assert trust is not None
        assert trust.credentials.kinds() == set()

    def test_what_makes_no_sense_is_the_operators(self) -> None:
        with pytest.raises(ConfigurationError, match="the secrets"):
            WebhookSecrets(lambda: Manager("[]"), configured()).get_trust("ses", SES, NOW)


class TestSettings:
    def test_the_least(self) -> None:
        config = configured()
        assert (config.secrets, config.feedback_queue, config.public_url) == ("the-arn", "https://q", "")
        assert (config.topics, config.accounts, config.subscriptions) == (frozenset(), frozenset(), frozenset())

    def test_lists_and_addresses(self) -> None:
        config = configured(
            PUBLIC_URL=" https://hooks.example.com/in/ ",
            SNS_TOPICS="a, b ,,c",
            ALIBABA_ACCOUNTS="1,2",
            MNS_SUBSCRIPTIONS="t/s",
        )
        assert config.public_url == "https://hooks.example.com/in"
        assert config.topics == {"a", "b", "c"}
        assert (sorted(config.accounts), sorted(config.subscriptions)) == (["1", "2"], ["t/s"])

    @pytest.mark.parametrize("name", ["WEBHOOK_SECRETS", "FEEDBACK_QUEUE"])
    def test_without_these_nothing_starts(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match=name):
            configured(**{name: " "})


def event(**changes: Any) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": "/feedback/ses/secret",
        "rawQueryString": "",
        "headers": {"content-type": "text/plain"},
        "pathParameters": {"source": "ses", "secret": "secret"},
        "requestContext": {"domainName": "api.example", "http": {"method": "POST", "path": "/feedback/ses/secret"}},
        "body": "Grüße",
        "isBase64Encoded": False,
        **changes,
    }


class TestRequest:
    def test_the_usual(self) -> None:
        found = read_request(event(), "")
        assert (found.source, found.secret, found.method) == ("ses", "secret", "POST")
        assert (found.url, found.path) == ("https://api.example/feedback/ses/secret", "/feedback/ses/secret")
        assert (found.body, found.headers) == ("Grüße".encode(), {"content-type": "text/plain"})

    def test_bytes_come_as_base64(self) -> None:
        body = bytes(range(256))
        found = read_request(event(body=base64.b64encode(body).decode(), isBase64Encoded=True), "")
        assert found.body == body

    @pytest.mark.parametrize("missing", ["body", "headers", "rawQueryString", "isBase64Encoded"])
    def test_what_api_gateway_leaves_out(self, missing: str) -> None:
        left = {name: value for name, value in event().items() if name != missing}
        assert read_request(left, "").source == "ses"

    def test_a_path_without_a_secret(self) -> None:
        assert read_request(event(pathParameters={"source": "ses"}), "").secret == ""

    def test_a_query_is_part_of_what_was_called(self) -> None:
        found = read_request(event(rawQueryString="a=b&c=%20"), "")
        assert found.url == "https://api.example/feedback/ses/secret?a=b&c=%20"
        assert found.path == "/feedback/ses/secret?a=b&c=%20"

    @pytest.mark.parametrize(
        ("public", "raw", "url", "path"),
        [
            ("https://h.example", "/feedback/x", "https://h.example/feedback/x", "/feedback/x"),
            ("https://h.example/in", "/feedback/x", "https://h.example/in/feedback/x", "/in/feedback/x"),
            ("https://h.example/in", "/in/feedback/x", "https://h.example/in/feedback/x", "/in/feedback/x"),
            ("https://h.example", "/prod/feedback/x", "https://h.example/feedback/x", "/feedback/x"),
            ("", "/prod/feedback/x", "https://api.example/prod/feedback/x", "/prod/feedback/x"),
            ("https://h.example:8443", "/other", "https://h.example:8443/other", "/other"),
        ],
    )
    def test_the_address_that_the_provider_called(self, public: str, raw: str, url: str, path: str) -> None:
        """A name of one's own may stand for a stage or a folder, or add one."""
        found = read_request(event(rawPath=raw), public)
        assert (found.url, found.path) == (url, path)

"""A stack takes a source that nobody shipped: its mapping lies in a parameter below that of the user's rules."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from aftersend import bootstrap
from aftersend.aws.errors import CallFailed
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import Class, Reason
from aftersend.sources import SOURCES, check_new_source, load_parser, read
from aftersend.storage.user_mappings import (
    add_user_sources,
    load_user_classifier,
    make_user_classifier,
    read_user_mappings,
)
from aftersend.webhooks.receive import PushResult, receive
from tests.support.webhooks import http_event, url

ACME: Final = """
source = "acme"
word = "type"
recipient = "to"
detail = "why"
[message]
own = "id"
[time]
at = "at"
[words]
bounce = "bounced"
[reasons]
gone = "user_unknown"
[push]
success = 201
[[push.proof]]
scheme = "secret"
kinds = ["bearer"]
"""
RULES: Final = '[[rule]]\nid = "mine"\nwhen.text = "moonlight"\nthen.reason = "blocked"\n'
BODY: Final = b'{"type":"bounce","to":"ann@example.com","id":"7","at":"2026-03-02T10:11:12Z","why":"gone"}'


class Outside:
    """SSM, Secrets Manager and SQS, as far as they are asked here; parameters come a page each."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self.parameters = dict(parameters)
        self.asked: list[dict[str, str]] = []
        self.sent: list[Any] = []

    def connect(self, _service: str) -> Outside:
        return self

    def get_parameter(self, **request: str) -> Any:
        return {"Parameter": {"Value": self.parameters[request["Name"]]}}

    def get_parameters_by_path(self, **request: str) -> Any:
        self.asked.append(request)
        below = sorted(name for name in self.parameters if name.startswith(request["Path"] + "/"))
        at = int(request.get("NextToken", 0))
        page = [{"Name": name, "Value": self.parameters[name]} for name in below[at : at + 1]]
        return {"Parameters": page} | ({"NextToken": str(at + 1)} if at + 1 < len(below) else {})

    def get_secret_value(self, **_request: str) -> Any:
        document = {
            "path": "a-secret-in-the-path-of-it",
            "sources": {"acme": {"path": [], "bearer": "the-bearer-of-it"}},
        }
        return {"SecretString": json.dumps(document)}

    def send_message(self, **request: Any) -> Any:
        self.sent.append(request)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    for name in ("acme", "other"):
        SOURCES.pop(name, None)
    load_parser.cache_clear()


def test_mappings_are_read_page_by_page_from_below_the_rules() -> None:
    outside = Outside({"/rules": RULES, "/rules/acme": ACME, "/rules/other": "b", "/rules-of-others/x": "c"})
    assert read_user_mappings("/rules", outside.connect) == {"acme": ACME, "other": "b"}
    assert outside.asked == [{"Path": "/rules"}, {"Path": "/rules", "NextToken": "1"}]


def test_without_a_parameter_nothing_is_asked() -> None:
    outside = Outside({})
    assert read_user_mappings("", outside.connect) == {}
    assert outside.asked == []


def test_what_cannot_be_read_is_an_error_of_the_operators() -> None:
    class Refusing(Outside):
        def get_parameters_by_path(self, **_request: str) -> Any:
            raise CallFailed("AccessDeniedException", 400, "")

    with pytest.raises(ConfigurationError, match="below parameter /rules cannot be read"):
        read_user_mappings("/rules", Refusing({}).connect)


@pytest.mark.parametrize(
    ("name", "document", "problem"),
    [
        ("acme", ACME.replace("user_unknown", "gone_away"), r"mapping acme: reasons\.gone: Invalid enum value"),
        ("other", ACME, r"mapping other: source: 'acme' is not what its parameter is called"),
        ("acme", ACME + "colour = 1", r"mapping acme: push\.proof\[0\]\.colour"),
    ],
)
def test_a_mistake_stops_the_function_with_the_field(name: str, document: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        make_user_classifier(None, {name: document})


@pytest.mark.parametrize("name", ["ses", "sweego"])
def test_a_name_that_aftersend_has_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="give yours another name"):
        check_new_source(name)
    with pytest.raises(ConfigurationError, match="give yours another name"):
        add_user_sources({name: ACME})


def test_rules_and_words_judge_together() -> None:
    outside = Outside({"/rules": RULES, "/rules/acme": ACME})
    add_user_sources(read_user_mappings("/rules", outside.connect))
    (fact,) = read("acme", BODY)
    verdict = load_user_classifier("/rules", outside.connect)(fact)
    assert verdict is not None
    assert (verdict.klass, verdict.reason) == (Class.HARD, Reason.USER_UNKNOWN)


def test_a_push_of_it_is_taken_as_its_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = Outside({"/rules": "# none", "/rules/acme": ACME})
    for name, value in {"WEBHOOK_SECRETS": "s", "FEEDBACK_QUEUE": "https://q", "RULES_PARAMETER": "/rules"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(bootstrap, "connect", outside.connect)
    ports = bootstrap.receive()
    event = http_event(_push("the-bearer-of-it"))
    response = receive(event, ports)
    assert (response.status, response.result) == (201, PushResult.ACCEPTED)
    assert outside.sent[0]["MessageGroupId"] == "acme"
    assert receive(http_event(_push("another-bearer")), ports).status == 403


def _push(bearer: str) -> Any:
    from local.signing import Push  # it takes a while to import

    address = url("acme", "").rstrip("/")
    return Push(address, {"content-type": "application/json", "authorization": f"Bearer {bearer}"}, BODY)

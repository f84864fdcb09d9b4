"""docs/adding-a-source.md: a source is its parser, its row, its rules, its samples and its page, and nothing else.

The source of that page is added here as it says, and everything that sources go through takes it.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from unittest.mock import patch

import msgspec
import pytest

from aftersend import settings, sources
from aftersend.classify.shipped import load_shipped
from aftersend.core.errors import MalformedFeedback
from aftersend.core.model import Kind
from aftersend.core.vocabulary import Channel
from aftersend.sources import SOURCES, UNNAMED, Source, proofs, read
from aftersend.sources.message import unpack
from aftersend.sources.proofs import MAKERS, build_proof
from aftersend.webhooks.receive import PushResult, WebhookPorts, receive
from aftersend.webhooks.schemes import SCHEMES
from aftersend.webhooks.secrets import WebhookSecrets
from local import __main__ as command_line
from local.pushes import SIGNERS
from local.samples import Sample, samples
from local.signing import Authority
from tests.support.template import ROOT
from tests.support.webhooks import http_event, url

PAGE: Final = (ROOT / "docs" / "adding-a-source.md").read_text()
MODULE, ROW = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SECRET: Final = "a-secret-in-the-path-of-it"
GOOD: Final = {
    "type": "bounce",
    "time": "2026-03-02T10:11:12Z",
    "message_id": "m",
    "recipient": "Ann <ANN@example.com>",
}
BODY: Final = msgspec.json.encode(GOOD | {"reason": "550 5.1.1 no such user"})


@pytest.fixture(scope="module", autouse=True)
def acme() -> Iterator[Source]:
    """The source of the page, added with its parser and its row."""
    module = ModuleType("aftersend.sources.acme")
    with patch.dict(sys.modules, {module.__name__: module}):
        exec(compile(MODULE, "acme.py", "exec"), module.__dict__)
        row = eval(f"{{{ROW}}}", {"Source": Source, "proofs": proofs, "_KB": 1024})
        with patch.dict(SOURCES, row):
            yield SOURCES["acme"]
    sources.load_parser.cache_clear()


class TestItsParser:
    def test_it_reads_what_acme_posts(self) -> None:
        (found,) = read("acme", BODY)
        assert (found.kind, found.message, found.recipient) == (Kind.BOUNCED, "acme:m", "email:ann@example.com")
        assert found.evidence is not None
        assert (found.evidence.code, found.evidence.status, found.evidence.provider_code) == (550, "5.1.1", "bounce")

    @pytest.mark.parametrize(
        "body",
        [
            b"ann@example.com",
            b"\xffann@example.com",
            b'{"type": ' + b"[" * 100_000,
            b'{"x": ' + b"[" * 100_000,
            msgspec.json.encode(GOOD | {"time": "ann@example.com"}),
            msgspec.json.encode(GOOD | {"time": ["ann@example.com"]}),
        ],
        ids=["text", "bytes", "deep", "deep and unknown", "time", "type"],
    )
    def test_what_it_cannot_read_is_malformed_for_a_reason_that_quotes_nobody(self, body: bytes) -> None:
        with pytest.raises(MalformedFeedback) as raised:
            read("acme", body)
        assert "ann" not in raised.value.why


class Outside:
    """Secrets Manager and SQS."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.sent: list[dict[str, Any]] = []

    def get_secret_value(self, **_: Any) -> dict[str, str]:
        return {"SecretString": json.dumps(self.document)}

    def send_message(self, **message: Any) -> None:
        self.sent.append(message)

    def send_message_batch(self, **_: Any) -> None:
        raise AssertionError("a push is one message")


def ports(outside: Outside) -> WebhookPorts:
    config = settings.load_webhooks({"WEBHOOK_SECRETS": "arn", "FEEDBACK_QUEUE": "https://queue"})
    return WebhookPorts(config, WebhookSecrets(lambda: outside, config), outside)


class TestItsRow:
    def test_its_pushes_are_taken_into_the_feedback_queue(self, acme: Source, tmp_path: Path) -> None:
        outside = Outside({"path": SECRET, "sources": {"acme": {}}})
        (tmp_path / "bounce.json").write_bytes(BODY)
        push = _as_its_provider(acme, Sample("acme", tmp_path / "bounce.json"), SECRET)
        response = receive(http_event(push), ports(outside))
        assert (response.status, response.result) == (200, PushResult.ACCEPTED)
        (message,) = outside.sent
        attributes = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
        assert (message["QueueUrl"], message["MessageGroupId"]) == ("https://queue", "acme")
        body, headers = unpack(message["MessageBody"], attributes)
        assert attributes["source"] == "acme"
        assert read(attributes["source"], body, headers) == read("acme", BODY)

    @pytest.mark.parametrize(
        ("document", "body", "secret", "status"),
        [
            ({"path": SECRET}, BODY, SECRET, 404),
            ({"path": SECRET, "sources": {"acme": {}}}, BODY, "another-secret-of-it", 403),
            ({"sources": {"acme": {}}}, BODY, SECRET, 403),
            ({"path": SECRET, "sources": {"acme": {}}}, b"x" * (256 * 1024 + 1), SECRET, 413),
            ({"path": SECRET, "sources": {"acme": {"token": "a-token-of-it"}}}, BODY, SECRET, 503),
        ],
        ids=["off", "wrong secret", "nothing could prove it", "too large", "a secret that it cannot send"],
    )
    def test_others_are_not(
        self, acme: Source, tmp_path: Path, document: Any, body: bytes, secret: str, status: int
    ) -> None:
        outside = Outside(document)
        (tmp_path / "bounce.json").write_bytes(body)
        push = _as_its_provider(acme, Sample("acme", tmp_path / "bounce.json"), secret)
        assert receive(http_event(push), ports(outside)).status == status
        assert outside.sent == []

    def test_the_command_line_knows_it(self, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
        (tmp_path / "bounce.json").write_bytes(BODY)
        assert command_line.main(["parse", "acme", str(tmp_path / "bounce.json")]) == 0
        printed = json.loads(capsysbinary.readouterr().out)
        assert (printed["recipient"], printed["verdict"]["class"]) == ("email:ann@example.com", "hard")


def _as_its_provider(source: Source, sample: Sample, secret: str) -> Any:
    """A push as `local` makes it, by the proof that the row names."""
    (proof,) = source.proofs
    return SIGNERS[proof.scheme](Authority(), proof, url(sample.source, secret), sample, datetime.now(UTC))


KNOWN: Final = [name for name in SOURCES if name != "acme"]
SAMPLES: Final = samples()


@pytest.mark.parametrize("source", KNOWN)
def test_a_source_has_its_samples_and_its_page(source: str) -> None:
    assert [each for each in SAMPLES if each.source == source]
    assert (ROOT / "docs" / f"{source}.md").is_file()


@pytest.mark.parametrize("source", KNOWN)
def test_its_samples_are_about_recipients_of_its_channels(source: str) -> None:
    channels = {
        fact.recipient.partition(":")[0]
        for sample in SAMPLES
        if sample.source == source
        for fact in _facts(sample)
        if fact.recipient != UNNAMED
    }
    assert channels == SOURCES[source].channels
    assert channels <= set(Channel)


def _facts(sample: Sample) -> list[Any]:
    try:
        return list(read(sample.source, sample.body(), sample.headers))
    except MalformedFeedback:
        return []


def test_every_scheme_is_known_to_those_who_check_and_to_those_who_push() -> None:
    assert SIGNERS.keys() == SCHEMES.keys()
    assert {proof.scheme for source in SOURCES.values() for proof in source.proofs} == SCHEMES.keys()
    assert {build_proof(each).scheme for each in LEAST.values()} <= SCHEMES.keys()
    assert {*LEAST} == {*MAKERS}


# The least that a file has to say of each proof that it may name.
LEAST: Final = {
    "hmac_body": {"scheme": "hmac_body", "header": "signature"},
    "standard_webhooks": {"scheme": "standard_webhooks"},
    "ecdsa": {"scheme": "ecdsa", "header": "signature"},
    "rsa": {"scheme": "rsa", "header": "signature"},
    "token_in_body": {"scheme": "token_in_body"},
    "digest_in_body": {"scheme": "digest_in_body", "member": "auth"},
    "url_form": {"scheme": "url_form", "header": "signature"},
    "jwt": {"scheme": "jwt", "header": "authorization", "issuer": "Acme"},
}


@pytest.mark.parametrize("folder", ["layers", "functions", "local", "tests/bench"])
def test_sources_are_listed_in_one_place(folder: str) -> None:
    """A display of two names or more would have to learn of the next source.

    The formats of exported lists are none: some are called as the provider is, and a source needs no format.
    """
    listed = {
        path.relative_to(ROOT).as_posix(): sorted(names)
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if len(names := _elements(node) & {*KNOWN}) > 1
    }
    package = "layers/aftersend/aftersend"
    assert listed.keys() <= {f"{package}/sources/__init__.py", f"{package}/lists/formats.py"}


def _elements(node: ast.AST) -> set[str]:
    """The texts that stand directly in a display of a tuple, list, set or dictionary."""
    match node:
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements) | ast.Dict(keys=elements):
            return {each.value for each in elements if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    return set()


def test_what_is_for_all_sources_names_none() -> None:
    """Another one would need a second place there. What is about one of them is said in its row, or in its rules."""
    package = ROOT / "layers" / "aftersend" / "aftersend"
    folders = ("api", "classify", "jobs", "webhooks")
    paths = [path for name in folders for path in (package / name).rglob("*.py")]
    paths += [package / f"{name}.py" for name in ("client", "ingest", "observability")]
    named = {
        f"{path.relative_to(package)}:{node.lineno}"
        for path in paths
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in {*SOURCES}
    }
    assert not named


def test_forms_of_codes_are_of_sources_that_there_are() -> None:
    assert load_shipped().codes.keys() <= SOURCES.keys()


def test_the_page_explains_every_field_of_a_row() -> None:
    page = (ROOT / "docs" / "adding-a-source.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \| ", page, re.MULTILINE)) == set(Source.__struct_fields__)


@pytest.mark.parametrize("source", KNOWN)
def test_people_have_a_name_for_it(source: str) -> None:
    assert SOURCES[source].title

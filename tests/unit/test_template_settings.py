"""The template tells functions what their settings read, and alarms watch metrics that the code writes."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from aftersend import settings
from aftersend.core import policy
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import CauseKind, Class, Kind, Reason
from aftersend.ingest import BatchReport
from aftersend.verp import Verp
from aftersend.webhooks import receive
from aftersend.webhooks.schemes import SOURCES
from tests.support.template import ALARMS, FUNCTIONS, INGESTING, ROOT, SHARED, TEMPLATE, variables


class Recorder(dict[str, str]):
    """An environment that remembers what was looked for in it."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


LIBRARIES: Final = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "AWS_ENDPOINT_URL"}
ONLY_FOR: Final = {
    "INBOUND_BUCKET": "report",
    "VERP_KEY": "report",
    "VERP_TEMPLATE": "report",
}  # variables that only one source needs


def test_the_http_door_is_given_what_it_reads() -> None:
    environment = Recorder(variables("Receive"))
    config = settings.load_webhooks(SOURCES, environment)
    assert environment.asked == FUNCTIONS["Receive"]["Environment"]["Variables"].keys()
    assert config.queues == {"ses": "SesEventsQueue", "directmail": "DirectMailQueue", "mailerq": "MailerQQueue"}
    assert config.secret == "DoorSecret"


@pytest.mark.parametrize("name", INGESTING)
def test_every_setting_is_given_and_every_variable_is_read(name: str) -> None:
    environment = Recorder(variables(name))
    source = settings.load_ingest(environment).source
    if "MAILERQ_QUEUES" in environment:  # what takes from RabbitMQ is told of its queues
        assert set(settings.queue_words(environment).values()) == {"results"}, "by default"
    others = {variable for variable, only in ONLY_FOR.items() if only != source}
    assert environment.asked - others == environment.keys() - LIBRARIES


@pytest.mark.parametrize(("variable", "parameter"), [("RETENTION_DAYS", "RetentionDays"), ("WORKERS", "Workers")])
def test_the_template_allows_no_number_that_the_settings_refuse(variable: str, parameter: str) -> None:
    allowed = TEMPLATE["Parameters"][parameter]
    for number in (allowed["MinValue"], allowed["MaxValue"]):
        settings.load_ingest(variables("ProcessSes") | {variable: str(number)})
    for number in (allowed["MinValue"] - 1, allowed["MaxValue"] + 1):
        with pytest.raises(ConfigurationError, match=variable):
            settings.load_ingest(variables("ProcessSes") | {variable: str(number)})


def test_outcomes_are_kept_as_long_as_a_streak_needs_them() -> None:
    """A streak is counted from stored outcomes, so one whose first bounces have expired is none any more."""
    rules = policy.load().streak
    reach = (rules.bounces - 1) * rules.gap_days + max(rules.lapse_days, rules.full_lapse_days)
    retention = TEMPLATE["Parameters"]["RetentionDays"]
    assert retention["Default"] >= reach
    assert f"below {reach} days" in retention["Description"]
    assert f"{reach} days" in (ROOT / "docs" / "policy.md").read_text()


VERP: Final = ("b-{token}@bounce.example.com", "{token}={local}={domain}@b.example.com", "b-{TOKEN}@b.example.com")
NO_VERP: Final = ("bounce@example.com", "bounce@{token}.example.com", "{token}", "{token}@", "b-{token}@{domain}")


@pytest.mark.parametrize("form", [*VERP, *NO_VERP])
def test_the_template_takes_no_form_of_bounce_addresses_that_stops_the_function(form: str) -> None:
    taken = re.fullmatch(TEMPLATE["Parameters"]["VerpTemplate"]["AllowedPattern"], form) is not None
    try:
        Verp((b"0" * 64,), form)
    except ConfigurationError:
        understood = False
    else:
        understood = True
    assert taken == understood == (form in VERP[:2])


def emitted() -> set[str]:
    """The name of every metric that the code can write."""
    words = (("Feedback", Kind), ("Verdict", Class), ("Reason", Reason), ("Suppressed", CauseKind))
    report = BatchReport(failed={"1": ""}, malformed={"2": ""})
    report.counts.update((what, word) for what, kind in words for word in kind)
    return {*report.numbers(), *receive.PushResult}


def own_metrics() -> list[dict[str, Any]]:
    metrics = [query["MetricStat"]["Metric"] for each in ALARMS.values() for query in each["Metrics"][1:]]
    return [metric for metric in metrics if not metric["Namespace"].startswith("AWS/")]


def test_alarms_watch_metrics_that_are_written() -> None:
    given = SHARED["Environment"]["Variables"]
    sources = {each["Environment"]["Variables"]["SOURCE"] for each in INGESTING.values()}
    assert own_metrics()
    for metric in own_metrics():
        assert metric["MetricName"] in emitted()
        assert metric["Namespace"] == given["POWERTOOLS_METRICS_NAMESPACE"]
        dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        assert dimensions.keys() == {"service", "source"}
        assert dimensions["service"] == given["POWERTOOLS_SERVICE_NAME"]
        assert dimensions["source"] in sources

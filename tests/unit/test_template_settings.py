"""The template gives functions what their settings read, and alarms watch metrics that the code writes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from io import StringIO
from typing import Any, Final, cast

import pytest
from aws_lambda_powertools import Logger

from aftersend import observability, settings
from aftersend.core import policy
from aftersend.core.errors import ConfigurationError
from aftersend.core.model import CauseKind, Class, Kind, Reason
from aftersend.ingest import BatchReport
from aftersend.settings import ApiSettings, Deployment, JobSettings, ListJobSettings, PollSettings, ReplaySettings
from aftersend.sources import SOURCES
from aftersend.storage.early_retry import SOON
from aftersend.verp import Verp
from aftersend.webhooks.receive import PushResponse, PushResult
from tests.support.template import (
    ALARMS,
    FUNCTIONS,
    INGESTING,
    ROOT,
    SHARED,
    TEMPLATE,
    mentioned,
    one,
    properties,
    variables,
)


class Recorder(dict[str, str]):
    """An environment that remembers what was looked for in it."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


# By the folder of its code, what a function loads when it starts: see `aftersend.bootstrap`.
LOADERS: Final[dict[str, tuple[Callable[[Any], Any], ...]]] = {
    "process": (settings.load_ingest, settings.load_graphs),
    "consume": (settings.load_ingest, settings.load_broker_queues, settings.load_graphs),
    "receive": (settings.load_webhooks,),
    "poll": (settings.load_poll,),
    "query": (settings.load_api, settings.load_deployment, settings.load_statistics_table),
    "operate": (settings.load_api, settings.load_deployment, settings.load_operations),
    "try_rules": (settings.load_api, settings.load_deployment, settings.load_trials),
    "list_jobs": (settings.load_api, settings.load_deployment, settings.load_list_jobs),
    "reevaluate": (settings.load_tables, settings.load_jobs, settings.load_graphs),
    "gather": (settings.load_ingest, settings.load_gather, settings.load_jobs, settings.load_graphs),
    "replay": (settings.load_replay, settings.load_jobs),
    "sync_ses_list": (),
    "console": (settings.load_console,),
    "deliver_webhooks": (settings.load_webhook_delivery,),
    "streams": (settings.load_streams, settings.load_events),
    "publish_incidents": (settings.load_events, settings.load_incidents),
}
# What has no default in a test: a deployment that has them names them.
GIVEN: Final = {
    "MNS_ENDPOINT": "https://1.mns.eu-central-1.aliyuncs.com",
    "MNS_SECRET": "arn",
    "CONSOLE_ISSUER": "https://login.example.com",
    "CONSOLE_CLIENT_ID": "console",
}
# What a function is given only where something is on that it can do without.
OFF: Final = {"Query": {"STATISTICS_TABLE"}}
LIBRARIES: Final = {"POWERTOOLS_SERVICE_NAME", "AWS_ENDPOINT_URL", "AWS_CLIENT"}


def loaded(function: str, **others: str) -> tuple[list[Any], set[str]]:
    """What a function loads of the variables that the template gives it, and what it asked for."""
    given = variables(function)
    environment = Recorder(given | {name: value for name, value in GIVEN.items() if name in given} | others)
    loaders = LOADERS[FUNCTIONS[function]["CodeUri"].removeprefix("functions/")]
    return [load(environment) for load in loaders], environment.asked


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_setting_is_given_and_every_variable_is_read(name: str) -> None:
    """Variables that all functions are given are read by some; those of one function are read by it."""
    _, asked = loaded(name)
    optional = {
        "AWS_REGION",
        "RIGHTS_CLAIM",
        "SYNC_SES_SUPPRESSIONS",
        "SOURCE",
        "INBOUND_BUCKET",
        "VERP_KEY",
        "VERP_TEMPLATE",
    }  # of some sources or some functions, and empty for the others
    optional |= {"WEBHOOKS_TO_THIS_MACHINE"}  # of a developer's machine: no template may give it
    assert asked - variables(name).keys() <= optional
    own = FUNCTIONS[name]["Environment"]["Variables"]
    emptied = {variable for variable in own.keys() & SHARED["Environment"]["Variables"].keys() if own[variable] == ""}
    assert own.keys() - emptied <= asked


def test_no_stack_sends_webhooks_to_where_it_runs() -> None:
    assert "WEBHOOKS_TO_THIS_MACHINE" not in (ROOT / "template.yaml").read_text()


def test_what_all_functions_are_given_is_read_by_some() -> None:
    asked: set[str] = set().union(*(loaded(name)[1] for name in FUNCTIONS))
    assert SHARED["Environment"]["Variables"].keys() - LIBRARIES <= asked


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_missing_is_named(name: str) -> None:
    """But for what may be empty, of which the function can do without."""
    _, asked = loaded(name)
    empty = {variable for variable in asked if _does_without(name, variable)}
    needed = {variable for variable in asked if variable.endswith(("_TABLE", "_QUEUE", "_SECRETS"))}
    assert needed & empty <= OFF.get(name, set()) | {"MASS_QUEUE"}
    for variable in asked - empty:
        with pytest.raises(ConfigurationError, match=variable):
            loaded(name, **{variable: " "})


def _does_without(name: str, variable: str) -> bool:
    try:
        loaded(name, **{variable: " "})
    except ConfigurationError:
        return False
    return True


def test_settings_hold_what_the_variables_name() -> None:
    """By the logical ids of the template, which stand for what is made of them."""
    api = ApiSettings(
        outcomes_table="Outcomes",
        suppressions_table="Suppressions",
        spike_windows_table="SpikeWindows",
        digest_key=b"DigestKey",
        policy=policy.load(""),
        retention=settings.load_api(variables("Query")).retention,
        workers=16,
    )
    assert loaded("Query", AWS_REGION="eu-west-1", SYNC_SES_SUPPRESSIONS="true")[0] == [
        api,
        Deployment(stack="aftersend", region="eu-west-1", syncs_ses_list=True),
        "StatisticsTable",
    ]
    assert loaded("RunListJobs")[0] == [
        api,
        Deployment(stack="aftersend"),
        ListJobSettings(
            jobs_table="ListJobs",
            bucket="ListFiles",
            queue="ListJobsQueue",
            feedback_queue="FeedbackQueue",
            unreadable_queue="UnreadableBodies",
        ),
    ]
    assert loaded("Poll")[0] == [
        PollSettings(
            endpoint=GIVEN["MNS_ENDPOINT"], queues=("directmail",), secret="arn", feedback_queue="FeedbackQueue"
        )
    ]
    assert loaded("Replay")[0] == [
        ReplaySettings(bucket="Archive", feedback_queue="FeedbackQueue", mass_queue="MassQueue"),
        JobSettings(queue="ReplayQueue", dead_letter_queue="ReplayDeadLetters"),
    ]
    assert set(loaded("Consume")[0][1].values()) == {"results"}, "by default"


@pytest.mark.parametrize("name", INGESTING)
def test_a_function_of_one_source_knows_it(name: str) -> None:
    source = loaded(name)[0][0].source
    assert source in SOURCES or source == ""


@pytest.mark.parametrize(("variable", "parameter"), [("RETENTION_DAYS", "RetentionDays"), ("WORKERS", "Workers")])
def test_the_template_allows_no_number_that_the_settings_refuse(variable: str, parameter: str) -> None:
    allowed = TEMPLATE["Parameters"][parameter]
    for number in (allowed["MinValue"], allowed["MaxValue"]):
        loaded("ProcessSes", **{variable: str(number)})
    for number in (allowed["MinValue"] - 1, allowed["MaxValue"] + 1):
        with pytest.raises(ConfigurationError, match=variable):
            loaded("ProcessSes", **{variable: str(number)})


def test_outcomes_are_kept_as_long_as_a_streak_needs_them() -> None:
    """A streak is counted from stored outcomes, so one whose first bounces have expired is none any more."""
    rules = policy.load().streak
    reach = (rules.bounces - 1) * rules.gap_days + max(rules.lapse_days, rules.full_lapse_days)
    retention = TEMPLATE["Parameters"]["RetentionDays"]
    assert retention["Default"] >= reach
    assert f"below {reach} days" in retention["Description"]
    assert f"which is {reach} days" in (ROOT / "docs" / "policy.md").read_text()


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


# ---- Metrics ---------------------------------------------------------------------------------------------------------


class Metrics:
    """Powertools' metrics, as far as they are used: what is written under which dimensions."""

    service = "aftersend"

    def __init__(self) -> None:
        self.written: set[tuple[str, tuple[str, ...], str]] = set()  # name, dimensions, source
        self._sets: list[dict[str, str]] = [{"service": self.service}]
        self._names: list[str] = []

    def add_dimension(self, name: str, value: str) -> None:
        self._sets[0][name] = value

    def add_dimensions(self, **dimensions: str) -> None:
        self._sets.append(dimensions)

    def add_metric(self, name: str, _unit: object, _value: float) -> None:
        self._names.append(name)

    def flush_metrics(self) -> None:
        self.written |= {
            (name, tuple(sorted(each)), each.get("source", "")) for name in self._names for each in self._sets
        }
        self._sets, self._names = [{"service": self.service}], []


class Silent:
    """A logger that writes nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


def emitted(*, graphs: bool = True) -> set[tuple[str, tuple[str, ...], str]]:
    """Every metric that the code can write of a batch of any source, of a push, and of what lies."""
    vocabularies = (("Feedback", Kind), ("Verdict", Class), ("Reason", Reason), ("Suppressed", CauseKind))
    metrics: Any = Metrics()
    logger: Any = Silent()
    for source in SOURCES:
        counts = Counter((source, what, str(value)) for what, kind in vocabularies for value in kind)
        report = BatchReport(
            sources={"1": source}, failed={"1": ""}, unreadable={"1": ""}, counts=counts, ages={source: 1.0}
        )
        observability.report_batch(report, b"k", logger, metrics, graphs=graphs)
        for result in PushResult:
            code = "secret" if result is PushResult.VERIFICATION_FAILED else ""
            observability.report_push(
                PushResponse(status=200, result=result, source=source, code=code), logger, metrics
            )
    observability.report_lying({"Any": 3}, logger, metrics, dead_letters=2, dead_jobs=1)
    written: set[tuple[str, tuple[str, ...], str]] = metrics.written
    return written


FILTERS: Final = properties("AWS::Logs::MetricFilter")


def of_filters() -> list[tuple[str, Any]]:
    """Namespace and name of every metric that a filter of a log makes."""
    return [
        (made["MetricNamespace"], made["MetricName"])
        for each in FILTERS.values()
        for made in each["MetricTransformations"]
    ]


def test_alarms_watch_metrics_that_are_written_under_these_dimensions() -> None:
    given = SHARED["Environment"]["Variables"]
    written, seen = emitted(), 0
    for query in (query for each in ALARMS.values() for query in each["Metrics"] if "MetricStat" in query):
        metric = query["MetricStat"]["Metric"]
        if metric["Namespace"].startswith("AWS/"):
            continue
        seen += 1
        if not metric["Dimensions"]:
            assert (metric["Namespace"], metric["MetricName"]) in of_filters()
            continue
        dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        assert (metric["MetricName"], tuple(sorted(dimensions)), dimensions.get("source", "")) in written
        assert metric["Namespace"] == observability.NAMESPACE
        assert dimensions["service"] == given["POWERTOOLS_SERVICE_NAME"]
    assert seen


@pytest.mark.parametrize("name", FUNCTIONS)
def test_errors_in_the_log_of_every_function_are_counted(name: str) -> None:
    logs = one(FUNCTIONS[name]["LoggingConfig"]["LogGroup"])
    (found,) = [each for each in FILTERS.values() if one(each["LogGroupName"]) == logs]
    (alarm,) = [each for each in ALARMS.values() if each["Metrics"][0].get("MetricStat", {}).get("Metric", {}).get(
        "MetricName") == found["MetricTransformations"][0]["MetricName"]]  # fmt: skip
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (0, 1)
    # So Powertools' logger and Lambda's runtime name it; of a function that was stopped, only the report says so.
    # Lambda developer guide, "Log-level filtering"; Telemetry API, "platform.report".
    ended = '($.type = "platform.report" && $.record.status != "success")'
    assert found["FilterPattern"] == f'{{ ($.level = "ERROR") || {ended} }}'
    assert SHARED["LoggingConfig"] == {"LogFormat": "JSON"}, "which has reports, and levels"
    assert TEMPLATE["Resources"][f"{name}ErrorLines"].get("Condition") == TEMPLATE["Resources"][logs].get("Condition")


def test_with_a_dashboard_each_source_has_four_metrics_and_without_none() -> None:
    """CloudWatch asks $0.30 a month for each, from the hour in which it is first written."""
    for source in SOURCES:
        assert len({name for name, _, of in emitted() if of == source}) == 4, source
    without = emitted(graphs=False)
    assert {of for _, _, of in without} == {""}
    assert {name for name, _, _ in without} == {"Failed", "VerificationFailed", "DeadLetters", "DeadJobs"}


def test_nothing_is_written_of_dead_letters_where_nothing_lies() -> None:
    """An hour without a number costs nothing."""
    metrics: Any = Metrics()
    lines: list[str] = []

    class Lines(Silent):
        def warning(self, message: str, extra: dict[str, Any]) -> None:
            lines.append(f"{message} {extra}")

    observability.report_lying({}, cast(Any, Lines()), metrics, dead_letters=0, dead_jobs=0)
    assert (metrics.written, lines) == (set(), [])
    observability.report_lying({"A": 2}, cast(Any, Lines()), metrics, dead_letters=0, dead_jobs=2)
    assert {name for name, _, _ in metrics.written} == {"DeadJobs"}
    assert lines == ["lying {'queues': {'A': 2}}"]


def test_every_count_of_a_batch_is_in_its_line_also_what_is_no_metric() -> None:
    lines: list[dict[str, Any]] = []

    class Lines(Silent):
        def info(self, _message: str, extra: dict[str, Any]) -> None:
            lines.append(extra)

    counts = Counter({("ses", "Reason", "user_unknown"): 2, ("ses", "Suppressed", "hard"): 1})
    report, logger, metrics = BatchReport(sources={"1": "ses"}, counts=counts), Lines(), Metrics()
    observability.report_batch(report, b"k", logger, metrics, graphs=True)  # type: ignore[arg-type]  # as much as is used
    (line,) = lines
    assert (line["source"], line["counts"]) == ("ses", {"ReasonUserUnknown": 2, "SuppressedHard": 1, "Suppressed": 1})
    assert {name for name, _, _ in metrics.written} == {"Suppressed"}


# ---- From "it always fails" to the first alarm -----------------------------------------------------------------------

PERIOD: Final = 300


def seconds_to_alarm(failures: list[float], alarm: dict[str, Any]) -> float:
    """When the alarm rings: at the end of the first period by which enough of the last ones hold a failure."""
    needed, among = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]), alarm["EvaluationPeriods"]
    bad = sorted({int(at // PERIOD) for at in failures})
    return min(
        (last + 1) * PERIOD for last in bad if len([each for each in bad if last - among < each <= last]) >= needed
    )


@pytest.mark.parametrize("name", ["FailedFeedbackAlarm", *(name for name in ALARMS if name.startswith("Process"))])
def test_a_function_that_always_fails_is_told_of_within_a_quarter_of_an_hour(name: str) -> None:
    """Even when only one message comes: it is tried again when it is visible again. Once failed is not told of.

    The alarm of the oldest message would not ring: SQS leaves messages that were received three times out of it.
    """
    hidden = max(each["VisibilityTimeout"] for each in properties("AWS::SQS::Queue").values()
                 if each.get("VisibilityTimeout") and "MaximumMessageSize" in each)  # fmt: skip
    slowest = 0.0
    for start in range(PERIOD):
        tries = [start, *(start + SOON + at * hidden for at in range(8))]  # it fails alone, and is called back first
        slowest = max(slowest, seconds_to_alarm(tries, ALARMS[name]) - start)
        with pytest.raises(ValueError, match="empty"):
            seconds_to_alarm(tries[:1], ALARMS[name])
    assert slowest <= 900
    busy = [float(at) for at in range(0, 3600, 10)]
    assert seconds_to_alarm(busy, ALARMS[name]) <= 600


# ---- The dashboard ---------------------------------------------------------------------------------------------------


def dashboard() -> dict[str, Any]:
    text, own = TEMPLATE["Resources"]["MainDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    filled = re.sub(r"\$\{(?!!)([\w:]+)\}", lambda name: f"@{name[1]}", text).replace("${!", "${")
    body: dict[str, Any] = json.loads(filled)
    assert own.keys() <= {name.removeprefix("@") for name in re.findall(r"@\w+", filled)}
    return body


def test_the_dashboard_is_one_and_its_widgets_do_not_overlap() -> None:
    """CloudWatch user guide, "Dashboard body structure and syntax": a grid that is 24 wide."""
    taken: set[tuple[int, int]] = set()
    for widget in dashboard()["widgets"]:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert widget["properties"]["title"]
        assert widget["properties"]["region"] == "@AWS::Region"


SEARCH: Final = re.compile(
    r"""SEARCH\('\{Aftersend,(?P<dimensions>[\w,]+)\} service="@AWS::StackName" MetricName="(?P<name>\w+)"'"""
    r""", '\w+', 300\)"""
)


def test_the_dashboard_shows_metrics_that_exist() -> None:
    written = {(name, dimensions) for name, dimensions, _ in emitted()}
    filtered = {str(name["Fn::Sub"]).replace("${", "@").replace("}", "") for _, name in of_filters()}
    resources = TEMPLATE["Resources"]
    seen = set()
    _, own = resources["MainDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    shown = [metric for widget in dashboard()["widgets"] for metric in widget["properties"].get("metrics", [])]
    for metric in shown:
        if isinstance(metric[0], dict):
            search = SEARCH.fullmatch(metric[0]["expression"])
            assert search, metric
            assert (search["name"], tuple(search["dimensions"].split(","))) in written
            seen.add(search["name"])
            continue
        namespace, name, *dimensions = [each for each in metric if isinstance(each, str)]
        seen.add(name)
        if namespace == observability.NAMESPACE:
            assert name in filtered or (name, tuple(dimensions[::2])) in written
            continue
        names, dimension = OF_AWS[namespace]
        assert name in names
        assert dimensions[:1] == ([dimension] if dimension else [])
        for value in dimensions[1:]:
            what = value.removeprefix("@")
            assert what in resources or mentioned(own[what]) & resources.keys()
    assert seen >= {"FeedbackDelivered", "FeedbackBounced", "Suppressed", "Failed", "Reputation.BounceRate"}
    watched = {
        str(query["MetricStat"]["Metric"]["MetricName"])
        for each in ALARMS.values()
        for query in each["Metrics"]
        if "MetricStat" in query
    }
    assert {name for name, _ in written} - seen - watched == set(), "nobody looks at what costs money"


# CloudWatch's own: Amazon SQS, API Gateway and Lambda developer guides, "metrics".
OF_AWS: Final = {
    "AWS/SQS": ({"ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"}, "QueueName"),
    "AWS/ApiGateway": ({"5xx"}, "ApiId"),
    "AWS/Lambda": ({"Errors", "Throttles", "IteratorAge", "Duration"}, "FunctionName"),
    "AWS/DynamoDB": ({"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"}, "TableName"),
    "AWS/SES": ({"Reputation.BounceRate", "Reputation.ComplaintRate", "Delivery", "Complaint"}, None),
}


@pytest.mark.parametrize("name", ALARMS)
def test_alarms_of_aws_are_about_something_of_this_stack(name: str) -> None:
    for query in (query for query in ALARMS[name]["Metrics"] if "MetricStat" in query):
        metric = query["MetricStat"]["Metric"]
        if metric["Namespace"] in OF_AWS:
            names, dimension = OF_AWS[metric["Namespace"]]
            assert metric["MetricName"] in names
            dimensions = metric.get("Dimensions", [])
            assert [each["Name"] for each in dimensions] == ([dimension] if dimension else [])
            assert mentioned(dimensions) <= TEMPLATE["Resources"].keys()


# ---- Queries of the logs ---------------------------------------------------------------------------------------------

QUERIES: Final = {name: each["QueryString"] for name, each in properties("AWS::Logs::QueryDefinition").items()} | {
    widget["properties"]["title"]: widget["properties"]["query"]
    for widget in dashboard()["widgets"]
    if widget["type"] == "log"
}
# CloudWatch Logs user guide, "CloudWatch Logs Insights language query syntax".
COMMANDS: Final = {"filter", "stats", "sort", "fields", "limit", "SOURCE"}
WORDS: Final = {"sum", "max", "count", "bin", "by", "as", "and", "or", "desc", "5m"}
FIELD: Final = re.compile(r"@?[A-Za-z][\w.]*|\d\w*")


@cache
def written_lines() -> list[dict[str, Any]]:
    """Lines of the log as Powertools writes them, of a batch with everything that can be counted and of a push."""
    out = StringIO()
    logger: Any = Logger(service="queries", stream=out)
    vocabularies = (("Feedback", Kind), ("Verdict", Class), ("Reason", Reason), ("Suppressed", CauseKind))
    counts = Counter(("ses", what, str(value)) for what, kind in vocabularies for value in kind)
    ids = {"1": "ses", "2": "ses", "3": "ses", "4": "ses"}
    report = BatchReport(sources=ids, failed={"1": "why"}, unreadable={"2": "why"}, waiting={"3"}, handed_back={"4"},
                         counts=counts, ages={"ses": 1.5}, suppressed=[("email:ann@example.com", "hard")])  # fmt: skip
    observability.report_batch(report, b"k", logger, cast(Any, Metrics()), graphs=False)
    push = PushResponse(status=403, result=PushResult.VERIFICATION_FAILED, source="ses", code="stale", reason="old")
    observability.report_push(push, logger, cast(Any, Metrics()))
    return [json.loads(line) for line in out.getvalue().splitlines()]


def holds(line: Mapping[str, Any], path: str) -> bool:
    found: Any = line
    for name in path.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return False
        found = found[name]
    return True


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_asks_for_fields_that_a_line_of_the_log_has(name: str) -> None:
    lines = written_lines()
    assert len(lines) == 2
    text = QUERIES[name]
    (words,) = re.findall(r"message = '(\w+)'", text) or [lines[1]["message"]]
    (line,) = [line for line in lines if line["message"] == words]
    assert not re.search(r"level = '(?!WARNING|ERROR)", text)
    aliases = {*re.findall(r" as (\w+)", text)}
    asked: set[str] = set()
    for command in text.split("|"):
        verb, _, rest = command.strip().partition(" ")
        assert verb in COMMANDS
        asked |= {*FIELD.findall(re.sub(r"'[^']*'", "", rest))} if verb != "limit" else set()
    unknown = {each for each in asked - aliases - WORDS if not (each.isdecimal() or each == "@timestamp")}
    assert {each for each in unknown if not holds(line, each)} == set()
    assert unknown


@pytest.mark.parametrize("name", properties("AWS::Logs::QueryDefinition"))
def test_a_query_reads_the_logs_of_functions_that_are_there(name: str) -> None:
    definition = TEMPLATE["Resources"][name]
    groups = {one(each["LoggingConfig"]["LogGroup"]): function for function, each in FUNCTIONS.items()}
    asked = mentioned(definition["Properties"]["LogGroupNames"]) - TEMPLATE["Conditions"].keys() - {"AWS::NoValue"}
    assert asked <= groups.keys()
    if definition.get("Condition") is None:
        assert asked == {logs for logs, function in groups.items() if function in INGESTING}

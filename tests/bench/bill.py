"""What a stack costs a month, from its template, measured usage and a list of prices. Pure: nothing is measured here.

A bill is a list of lines. What stands still costs by what the template makes with the parameters as they are given;
what moves costs by the feedback, as often as each way of the data was measured to use a service for one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

Json = dict[str, Any]
Prices = Mapping[str, Mapping[str, float]]

GB: Final = 10**9
MILLION: Final = 10**6
DAY: Final = 86400


class Usage(Struct, frozen=True, kw_only=True):
    """What one feedback was measured to use, in batches of one size: an average of many."""

    writes: float  # write units of DynamoDB, indexes and all tables together
    reads: float
    calls: float  # of DynamoDB
    cpu: float  # seconds
    puts: float  # objects of the archive
    archived: float  # bytes of them
    logged: float  # bytes
    body: float  # bytes of the feedback itself, as it is published
    stored: float  # bytes that outcomes and suppressions, with their indexes, grow by
    outcome_writes: float = 0.0  # units of the table of outcomes alone, among those above
    outcome_reads: float = 0.0
    metrics: int = 0  # how many metrics there are in all, however much feedback comes


class Line(Struct, frozen=True):
    """What one thing costs, in dollars a month."""

    name: str
    dollars: float


class Stack(Struct, frozen=True, kw_only=True):
    """What a template makes, as far as it costs: with values of parameters instead of their names."""

    resources: dict[str, Json]
    parameters: Json
    shared: Json  # of all functions

    def of(self, kind: str) -> dict[str, Json]:
        """The properties of all resources of one type, by their logical names."""
        return {name: each.get("Properties", {}) for name, each in self.resources.items() if each["Type"] == kind}

    @property
    def mappings(self) -> dict[str, Json]:
        """What Lambda polls queues for: the properties of each mapping of SQS."""
        found = {
            f"{name}.{event}": each["Properties"]
            for name, function in self.of("AWS::Serverless::Function").items()
            for event, each in function.get("Events", {}).items()
            if each["Type"] == "SQS"
        }
        others = self.of("AWS::Lambda::EventSourceMapping")
        queues = set(self.of("AWS::SQS::Queue"))
        return found | {name: each for name, each in others.items() if _names(each.get("EventSourceArn"), queues)}


def read_stack(template: Json, given: Mapping[str, Any] | None = None) -> Stack:
    """Read what a template makes with its defaults, but for what is `given`."""
    parameters = {name: each.get("Default", "") for name, each in template.get("Parameters", {}).items()}
    parameters |= given or {}
    conditions = template.get("Conditions", {})

    def holds(condition: Any) -> bool:
        match condition:
            case str(name) | {"Condition": str(name)}:
                return holds(conditions[name])
            case {"Fn::Equals": [one, other]}:
                return str(settle(one)) == str(settle(other))
            case {"Fn::Not": [inner]}:
                return not holds(inner)
            case {"Fn::And": several}:
                return all(map(holds, several))
            case {"Fn::Or": several}:
                return any(map(holds, several))
        raise ValueError(f"no condition: {condition}")

    def settle(tree: Any) -> Any:
        match tree:
            case {"Fn::If": [condition, then, otherwise]}:
                return settle(then if holds(condition) else otherwise)
            case {"Ref": str(name)} if name in parameters:
                return parameters[name]
            case dict():
                settled = {name: settle(each) for name, each in tree.items()}
                return {name: each for name, each in settled.items() if each != {"Ref": "AWS::NoValue"}}
            case list():
                return [each for each in map(settle, tree) if each != {"Ref": "AWS::NoValue"}]
        return tree

    made = {
        name: settle({part: each for part, each in resource.items() if part != "Condition"})
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or holds(resource["Condition"])
    }
    return Stack(resources=made, parameters=parameters, shared=settle(template.get("Globals", {}).get("Function", {})))


def _names(tree: Any, wanted: set[str]) -> bool:
    match tree:
        case {"Fn::GetAtt": [str(name), *_]} | {"Ref": str(name)}:
            return name in wanted
        case {"Fn::GetAtt": str(text)}:
            return text.partition(".")[0] in wanted
    return False


# ---- What stands still -----------------------------------------------------------------------------------------------


def price_fixed(stack: Stack, prices: Prices, metrics: int) -> list[Line]:
    """Price what costs the same whether anything comes or not: `metrics` is how many a stack in use has."""
    watch = prices["cloudwatch"]
    lines = [
        Line("metrics of CloudWatch", metrics * watch["metrics"]),
        Line("alarms", sum(map(_count_metrics, stack.of("AWS::CloudWatch::Alarm").values())) * watch["alarms"]),
        Line("dashboards", len(stack.of("AWS::CloudWatch::Dashboard")) * watch["dashboards"]),
        Line("secrets", len(stack.of("AWS::SecretsManager::Secret")) * prices["secrets"]["secrets"]),
        Line("keys", len(stack.of("AWS::KMS::Key")) * prices["kms"]["keys"]),
        Line("polls of empty queues", _count_polls(stack, prices) * prices["sqs"]["requests"] / MILLION),
        Line("least capacity", sum(_price_capacity(each, prices) for each in _throughputs(stack))),
        Line("schedules", sum(_price_schedule(stack, prices, each) for each in _schedules(stack))),
    ]
    return [line for line in lines if line.dollars]


def subtract_free(lines: Sequence[Line], free: Mapping[str, float]) -> list[Line]:
    """Subtract what is free every month from the lines of the same names."""
    return [replace(line, dollars=max(0.0, line.dollars - free.get(line.name, 0.0))) for line in lines]


def _count_metrics(alarm: Json) -> int:
    """An alarm costs as often as it looks at a metric; what it computes of them costs nothing."""
    return sum("MetricStat" in each for each in alarm["Metrics"]) if "Metrics" in alarm else 1


def _count_polls(stack: Stack, prices: Prices) -> float:
    """Requests a month that find nothing, of all mappings."""
    polling = prices["polling"]
    month = prices["time"]["days"] * DAY
    pollers = sum(
        polling["pollers" if "MaximumConcurrency" in each.get("ScalingConfig", {}) else "fewest"]
        for each in stack.mappings.values()
    )
    return pollers * month / polling["seconds"]


def _schedules(stack: Stack) -> list[Json]:
    events = [
        event
        for function in stack.of("AWS::Serverless::Function").values()
        for event in function.get("Events", {}).values()
    ]
    return [
        each["Properties"]
        for each in events
        if each["Type"] == "Schedule" and each["Properties"].get("State") != "DISABLED"
    ]


def _price_schedule(stack: Stack, prices: Prices, event: Json) -> float:
    """Price the runs of a schedule that has a rate; each counts every queue that nobody polls, at most."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", str(event["Schedule"]))
    if not found:
        return 0.0
    runs = prices["time"]["days"] * DAY / (int(found[1]) * {"minute": 60, "hour": 3600, "day": DAY}[found[2]])
    idle = len(stack.of("AWS::SQS::Queue")) - len(stack.mappings)
    time = prices["function"]["scheduled_seconds"] * _price_second(stack, prices)
    requests = (prices["lambda"]["requests"] + idle * prices["sqs"]["requests"]) / MILLION
    return runs * (requests + time)


def _price_second(stack: Stack, prices: Prices) -> float:
    architecture = stack.shared.get("Architectures", ["x86_64"])[0]
    return float(stack.shared["MemorySize"]) / 1024 * prices["lambda"][f"gb_seconds_{architecture}"]


def _throughputs(stack: Stack) -> list[Json]:
    tables = [each for each in stack.of("AWS::DynamoDB::Table").values() if each.get("BillingMode") == "PROVISIONED"]
    indexes = [index for each in tables for index in each.get("GlobalSecondaryIndexes", [])]
    return [each["ProvisionedThroughput"] for each in [*tables, *indexes] if "ProvisionedThroughput" in each]


def _price_capacity(throughput: Json, prices: Prices) -> float:
    dynamodb, hours = prices["dynamodb"], prices["time"]["hours"]
    writes, reads = float(throughput["WriteCapacityUnits"]), float(throughput["ReadCapacityUnits"])
    return hours * (writes * dynamodb["write_hour"] + reads * dynamodb["read_hour"])


# ---- What moves ------------------------------------------------------------------------------------------------------


def mix(one: Usage, other: Usage, share: float) -> Usage:
    """Mix two usages: `share` of one, and the rest of the other; of metrics there are as many as of either."""
    parts = {name: share * getattr(one, name) + (1 - share) * getattr(other, name) for name in Usage.__struct_fields__}
    return Usage(**parts | {"metrics": max(one.metrics, other.metrics)})


def find_object(stack: Stack, prices: Prices, feedback: float, body: float) -> float:
    """Find how many records an object of Firehose has, of so much feedback a month that comes evenly: at least one.

    It is written after a time or when it is large enough, whichever is first.
    """
    [stream] = stack.of("AWS::KinesisFirehose::DeliveryStream").values()
    hints = stream["ExtendedS3DestinationConfiguration"]["BufferingHints"]
    comes = feedback / (prices["time"]["days"] * DAY) * float(hints["IntervalInSeconds"])
    return max(1.0, min(comes, float(hints["SizeInMBs"]) * MILLION / body))


def find_batch(stack: Stack, prices: Prices, feedback: float) -> float:
    """Find how many messages a function gets at once, of so much feedback a month that comes evenly.

    A batch begins with the first message that a poller finds, and ends with its window or when it is full. All but a
    few come through one mapping, the one that waits for the largest batches.
    """
    polling, month = prices["polling"], prices["time"]["days"] * DAY
    busiest = max(stack.mappings.values(), key=lambda each: (_batch_size(each), _window(each)))
    pollers = polling["pollers" if "MaximumConcurrency" in busiest.get("ScalingConfig", {}) else "fewest"]
    return min(_batch_size(busiest), 1 + feedback / month / pollers * _window(busiest))


def _batch_size(mapping: Json) -> float:
    return float(mapping.get("BatchSize", 10))


def _window(mapping: Json) -> float:
    return float(mapping.get("MaximumBatchingWindowInSeconds", 0))


def price_queued(stack: Stack, prices: Prices, feedback: float, batch: float, usage: Usage) -> list[Line]:
    """Price so much feedback a month that comes by a topic and a queue, in batches of this size."""
    requests = 1 + 2 / min(batch, prices["polling"]["receive"])
    return [
        Line("SNS", feedback * prices["sns"]["publishes"] / MILLION),
        Line("SQS", feedback * requests * prices["sqs"]["requests"] / MILLION),
        *_price_work(stack, prices, feedback, batch, usage),
        Line("S3: PUT", feedback * usage.puts * prices["s3"]["puts"] / MILLION),
        *_price_kept(stack, prices, feedback, batch, usage),
    ]


def price_gathered(stack: Stack, prices: Prices, feedback: float, batch: float, usage: Usage) -> list[Line]:
    """Price so much feedback a month that comes by Firehose as objects, each of which one function gathers.

    The object is the archive: Firehose puts it, and the function reads it.
    """
    firehose = prices["firehose"]
    billed = -(-usage.body // firehose["rounded"]) * firehose["rounded"]
    return [
        Line("Firehose", feedback * billed * firehose["gb"] / GB),
        *_price_work(stack, prices, feedback, batch, usage),
        Line("SQS", feedback / batch * 3 * prices["sqs"]["requests"] / MILLION),
        Line("S3: PUT", feedback / batch * (prices["s3"]["puts"] + prices["s3"]["gets"]) / MILLION),
        *_price_kept(stack, prices, feedback, batch, usage),
    ]


def _price_work(stack: Stack, prices: Prices, feedback: float, batch: float, usage: Usage) -> list[Line]:
    dynamodb = prices["dynamodb"]
    seconds = count_seconds(stack, prices, batch, usage) * feedback
    write, read = _price_units(stack, prices)
    other_writes = (usage.writes - usage.outcome_writes) * dynamodb["writes"] / MILLION
    other_reads = (usage.reads - usage.outcome_reads) * dynamodb["reads"] / MILLION
    return [
        Line("Lambda: requests", feedback / batch * prices["lambda"]["requests"] / MILLION),
        Line("Lambda: time", seconds * _price_second(stack, prices)),
        Line("DynamoDB: writes", feedback * (usage.outcome_writes * write + other_writes)),
        Line("DynamoDB: reads", feedback * (usage.outcome_reads * read + other_reads)),
    ]


def _price_units(stack: Stack, prices: Prices) -> tuple[float, float]:
    """Price a write and a read unit of the table of outcomes: by request, or of capacity that follows the load."""
    dynamodb, table = prices[_find_class(stack)], find_outcomes(stack)
    if table.get("BillingMode") != "PROVISIONED":
        return dynamodb["writes"] / MILLION, dynamodb["reads"] / MILLION
    used = 3600 * find_use(find_target(stack) / 100, prices["load"]["peak"])
    return dynamodb["write_hour"] / used, dynamodb["read_hour"] / used


def find_outcomes(stack: Stack) -> Json:
    """Find the table of outcomes."""
    return next(each for name, each in stack.of("AWS::DynamoDB::Table").items() if name.startswith("Outcomes"))


def _find_class(stack: Stack) -> str:
    infrequent = find_outcomes(stack).get("TableClass") == "STANDARD_INFREQUENT_ACCESS"
    return "dynamodb_infrequent" if infrequent else "dynamodb"


def find_target(stack: Stack) -> float:
    """Find at which use of its capacity, in percent, a table grows or shrinks."""
    policies = stack.of("AWS::ApplicationAutoScaling::ScalingPolicy").values()
    return float(next(each["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for each in policies))


def find_use(target: float, peak: float) -> float:
    """Find how much of its capacity a table uses, on average of a day whose load swings up to `peak` times its mean.

    Capacity grows within minutes, and shrinks once an hour, as DynamoDB allows: it is what the last hour took at most,
    over the target. Source: DynamoDB developer guide, "Managing throughput capacity automatically with auto scaling".
    """
    steps = 288  # of five minutes
    load = [1 + (peak - 1) * math.sin(2 * math.pi * step / steps) for step in range(steps)]
    capacity = [max(load[step - back] for back in range(13)) / target for step in range(steps)]
    return sum(load) / sum(capacity)


def count_seconds(stack: Stack, prices: Prices, batch: float, usage: Usage) -> float:
    """Count the seconds a function takes for one feedback: of computing, and of waiting for calls, some at once."""
    function = prices["function"]
    processor = min(1.0, float(stack.shared["MemorySize"]) / function["full_processor"])
    at_once = min(batch, float(stack.parameters.get("Workers", 1)))
    return usage.cpu / processor + usage.calls * function["call_seconds"] / at_once


def _price_kept(stack: Stack, prices: Prices, feedback: float, batch: float, usage: Usage) -> list[Line]:
    """What is kept, once as much goes every month as comes."""
    dynamodb, month = prices["dynamodb"], prices["time"]["days"]
    months = {name: float(stack.parameters[f"{name}Days"]) / month for name in ("Retention", "Archive", "Log")}
    stored, kept = feedback * usage.stored * months["Retention"] / GB, prices[_find_class(stack)]
    backed = find_outcomes(stack).get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False)
    quiet = stack.shared.get("LoggingConfig", {}).get("SystemLogLevel") == "WARN"
    platform = 0.0 if quiet else prices["function"]["platform_log"] / batch
    logged, watch = feedback * (usage.logged + platform) / GB, prices["cloudwatch"]
    return [
        Line("DynamoDB: storage", stored * kept["gb_month"]),
        Line("DynamoDB: recovery", stored * dynamodb["backup_gb_month"] if str(backed).lower() == "true" else 0.0),
        Line("S3: storage", feedback * usage.archived * months["Archive"] / GB * prices["s3"]["gb_month"]),
        Line("logs", logged * (watch["logs_gb"] + months["Log"] * watch["logs_gb_month"])),
    ]


# ---- What others would cost ------------------------------------------------------------------------------------------


def price_workers(prices: Prices, feedback: float, stored: float) -> float:
    """Price a database in two zones with `stored` gigabytes, and workers that read a queue, a month.

    There are some workers even where little comes, and more of both where much does.
    """
    peers, month = prices["peers"], prices["time"]
    rate = feedback / (month["days"] * DAY)
    workers, databases = max(peers["workers"], rate / peers["worker_rate"]), max(1.0, rate / peers["database_rate"])
    requests = 1 + 2 / prices["polling"]["receive"]
    brought = feedback * (prices["sns"]["publishes"] + requests * prices["sqs"]["requests"]) / MILLION
    machines = month["hours"] * (databases * peers["database_hour"] + workers * peers["worker_hour"])
    return brought + machines + max(peers["database_gb"], stored) * peers["database_gb_month"]


def price_vdm(prices: Prices, feedback: float, each: float) -> float:
    """Price what SES offers itself, a month, of messages of which `each` feedback comes: it is charged by message."""
    return feedback / each * prices["peers"]["vdm"] / MILLION

"""The arithmetic of `python -m tests.bench money`, on a template and prices that a person can add up."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace

from deploy.declared import check_values
from tests.bench import bill
from tests.bench.bill import Line, Stack, Usage
from tests.bench.money import GOALS, read_advice, read_prices
from tests.support.template import TEMPLATE

PRICES: Final[Any] = {
    "time": {"hours": 100, "days": 10},
    "lambda": {"requests": 2.0, "gb_seconds_x86_64": 0.01, "gb_seconds_arm64": 0.005},
    "sqs": {"requests": 1.0},
    "sns": {"publishes": 3.0},
    "s3": {"puts": 5.0, "gets": 1.0, "gb_month": 0.1},
    "dynamodb": {
        "writes": 4.0,
        "reads": 1.0,
        "gb_month": 0.5,
        "backup_gb_month": 0.25,
        "write_hour": 0.01,
        "read_hour": 0.001,
    },
    "cloudwatch": {"metrics": 0.5, "alarms": 0.1, "dashboards": 3.0, "logs_gb": 1.0, "logs_gb_month": 0.5},
    "secrets": {"secrets": 0.4},
    "kms": {"keys": 1.0},
    "firehose": {"gb": 2.0, "rounded": 1000},
    "polling": {"pollers": 5, "fewest": 2, "seconds": 20, "receive": 10},
    "dynamodb_infrequent": {"writes": 5.0, "reads": 2.0, "gb_month": 0.1, "write_hour": 0.02, "read_hour": 0.002},
    "load": {"peak": 1.0},
    "function": {"full_processor": 1024, "call_seconds": 0.01, "platform_log": 1000, "scheduled_seconds": 2.0},
    "peers": {
        "database_hour": 1.0,
        "database_gb_month": 0.5,
        "database_gb": 10,
        "database_rate": 150,
        "worker_hour": 0.1,
        "workers": 2,
        "worker_rate": 100,
        "vdm": 80.0,
    },
}
QUEUE: Final = {"Type": "AWS::SQS::Queue"}
BUFFER: Final = {"IntervalInSeconds": {"Ref": "Buffer"}, "SizeInMBs": 1}
TINY: Final[Any] = {
    "Parameters": {
        "Mass": {"Default": "false"},
        "Buffer": {"Default": 300},
        "Workers": {"Default": 4},
        "Window": {"Default": 5},
        "RetentionDays": {"Default": 20},
        "ArchiveDays": {"Default": 30},
        "LogDays": {"Default": 10},
    },
    "Conditions": {
        "HasMass": {"Fn::Equals": [{"Ref": "Mass"}, "true"]},
        "HasNone": {"Fn::Not": [{"Condition": "HasMass"}]},
        "HasBoth": {"Fn::And": [{"Condition": "HasMass"}, {"Condition": "HasNone"}]},
        "HasAny": {"Fn::Or": [{"Condition": "HasMass"}, {"Condition": "HasNone"}]},
    },
    "Globals": {"Function": {"MemorySize": 512, "Architectures": ["arm64"]}},
    "Resources": {
        "Process": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "Events": {
                    "Slow": {
                        "Type": "SQS",
                        "Properties": {
                            "BatchSize": 100,
                            "MaximumBatchingWindowInSeconds": {"Ref": "Window"},
                            "ScalingConfig": {"MaximumConcurrency": 5},
                        },
                    },
                    "Quick": {"Type": "SQS", "Properties": {"BatchSize": 10}},
                    "Hourly": {"Type": "Schedule", "Properties": {"Schedule": "rate(2 hours)"}},
                    "Nightly": {"Type": "Schedule", "Properties": {"Schedule": "cron(0 3 * * ? *)"}},
                    "Never": {"Type": "Schedule", "Properties": {"Schedule": "rate(1 day)", "State": "DISABLED"}},
                }
            },
        },
        "Queue": QUEUE,
        **{f"{name}DeadLetters": QUEUE for name in ("A", "B", "C", "D")},
        "Mapped": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}, "BatchSize": 1},
        },
        "Streamed": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {"EventSourceArn": {"Fn::GetAtt": ["Outcomes", "StreamArn"]}},
        },
        "Outcomes": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": {"Fn::If": ["HasMass", "PROVISIONED", "PAY_PER_REQUEST"]},
                "ProvisionedThroughput": {
                    "Fn::If": [
                        "HasMass",
                        {"WriteCapacityUnits": 10, "ReadCapacityUnits": 5},
                        {"Ref": "AWS::NoValue"},
                    ]
                },
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            },
        },
        "One": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Errors"}},
        "Rate": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {"Metrics": [{"MetricStat": {}}, {"MetricStat": {}}, {"Expression": "a/b"}]},
        },
        "Never": {"Type": "AWS::CloudWatch::Alarm", "Condition": "HasBoth", "Properties": {}},
        "Board": {"Type": "AWS::CloudWatch::Dashboard", "Condition": "HasAny", "Properties": {}},
        "Key": {"Type": "AWS::SecretsManager::Secret", "Condition": "HasNone"},
        "Scaling": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 50}},
        },
        "Stream": {
            "Type": "AWS::KinesisFirehose::DeliveryStream",
            "Condition": "HasMass",
            "Properties": {"ExtendedS3DestinationConfiguration": {"BufferingHints": BUFFER}},
        },
    },
}
USAGE: Final = Usage(
    writes=1.5,
    reads=2.0,
    calls=3.0,
    cpu=0.001,
    puts=0.25,
    archived=100.0,
    logged=50.0,
    body=1500.0,
    stored=200.0,
    metrics=4,
)
MILLION: Final = 1e6


def stack(**given: Any) -> Stack:
    return bill.read_stack(TINY, given)


def as_dict(lines: list[Line]) -> dict[str, float]:
    return {line.name: round(line.dollars, 9) for line in lines}


def test_what_stands_still_is_counted_in_the_template() -> None:
    polls = (5 + 2 + 2) * 10 * 86400 / 20
    assert as_dict(bill.price_fixed(stack(), PRICES, 4)) == {
        "metrics of CloudWatch": 2.0,
        "alarms": 0.3,
        "dashboards": 3.0,
        "secrets": 0.4,
        "polls of empty queues": round(polls / MILLION, 9),
        # 120 runs: a request of Lambda, two queues that nobody polls, and two seconds of half a GB
        "schedules": round(120 * ((2 + 2 * 1) / MILLION + 2 * 0.5 * 0.005), 9),
    }


def test_a_parameter_changes_what_is_made() -> None:
    before, after = (as_dict(bill.price_fixed(each, PRICES, 0)) for each in (stack(), stack(Mass="true")))
    assert before.keys() - after.keys() == {"secrets"}
    assert after.keys() - before.keys() == {"least capacity"}
    assert after["least capacity"] == pytest.approx(100 * (10 * 0.01 + 5 * 0.001))


def test_capacity_that_follows_the_load_is_paid_for_by_its_use() -> None:
    usage = replace(USAGE, outcome_writes=1.0, outcome_reads=1.5)
    found = as_dict(bill.price_queued(stack(Mass="true"), PRICES, MILLION, 2, usage))
    # An even load uses what the target says: half of each unit. What other tables take is paid for by request.
    assert found["DynamoDB: writes"] == pytest.approx(MILLION * 0.01 / 3600 / 0.5 + 0.5 * 4.0)
    assert found["DynamoDB: reads"] == pytest.approx(MILLION * 1.5 * 0.001 / 3600 / 0.5 + 0.5 * 1.0)


@pytest.mark.parametrize(("peak", "least", "most"), [(1.0, 0.7, 0.7), (1.5, 0.65, 0.7), (2.0, 0.6, 0.7)])
def test_a_load_that_swings_uses_less_of_its_capacity(peak: float, least: float, most: float) -> None:
    assert least - 1e-9 <= bill.find_use(0.7, peak) <= most + 1e-9
    assert bill.find_use(0.7, peak) >= bill.find_use(0.7, peak + 0.1)


def test_a_class_of_tables_has_prices_of_its_own() -> None:
    made = stack()
    infrequent = {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
    table = made.resources["Outcomes"] | {"Properties": made.resources["Outcomes"]["Properties"] | infrequent}
    made = replace(made, resources=made.resources | {"Outcomes": table})
    found = as_dict(bill.price_queued(made, PRICES, MILLION, 2, replace(USAGE, outcome_writes=1.5, outcome_reads=2.0)))
    assert (found["DynamoDB: writes"], found["DynamoDB: reads"]) == (7.5, 4.0)
    assert found["DynamoDB: storage"] == pytest.approx(0.04)


def test_the_page_for_large_senders_names_parameters_for_each_size_that_the_template_takes() -> None:
    advice = read_advice()
    assert advice.keys() == GOALS.keys()
    for given in advice.values():
        check_values(TEMPLATE, given)
    made = bill.read_stack(TEMPLATE, advice["5 G"])
    lines = bill.price_gathered(
        made, read_prices(), MILLION, 1000, replace(USAGE, outcome_writes=1.0, outcome_reads=1.0)
    )
    assert all(line.dollars > 0 for line in lines if line.name != "DynamoDB: recovery")


def test_what_is_free_is_subtracted_and_nothing_becomes_negative() -> None:
    lines = [Line("alarms", 3.0), Line("dashboards", 2.0), Line("keys", 1.0)]
    left = bill.subtract_free(lines, {"alarms": 1.0, "dashboards": 9.0})
    assert left == [Line("alarms", 2.0), Line("dashboards", 0.0), Line("keys", 1.0)]


@pytest.mark.parametrize(("rate", "batch"), [(0, 1), (0.4, 1.4), (99, 100), (1e6, 100)])
def test_a_batch_is_what_one_poller_finds_in_its_window(rate: float, batch: float) -> None:
    assert bill.find_batch(stack(), PRICES, rate * 10 * 86400) == pytest.approx(batch)


def test_what_comes_by_a_queue_is_priced_line_by_line() -> None:
    assert as_dict(bill.price_queued(stack(), PRICES, MILLION, 2, USAGE)) == {
        "SNS": 3.0,
        "SQS": 1 + 1.0,  # one is sent, and two are received and deleted at once
        "Lambda: requests": 1.0,
        "Lambda: time": 42.5,  # a million times 2 ms of half a processor and 15 ms of two calls at once, of half a GB
        "DynamoDB: writes": 6.0,
        "DynamoDB: reads": 2.0,
        "S3: PUT": 1.25,
        "DynamoDB: storage": 0.2,  # 0.2 GB for two months
        "DynamoDB: recovery": 0.1,
        "S3: storage": 0.03,  # 0.1 GB for three
        "logs": 0.825,  # 0.05 GB of ours and 0.5 of the platform's
    }


def test_large_batches_receive_ten_at_once_and_wait_for_several_calls() -> None:
    found = as_dict(bill.price_queued(stack(), PRICES, MILLION, 100, USAGE))
    assert found["SQS"] == pytest.approx(1.2)
    assert found["Lambda: time"] == pytest.approx(MILLION * (0.002 + 3 * 0.01 / 4) * 0.5 * 0.005)


def test_what_comes_by_firehose_is_rounded_up_and_has_its_object_for_an_archive() -> None:
    found = as_dict(bill.price_gathered(stack(Mass="true"), PRICES, MILLION, 1000, USAGE))
    assert found["Firehose"] == pytest.approx(2 * 2.0)  # 1,500 bytes are billed as 2,000
    assert found["S3: PUT"] == pytest.approx(1000 * (5 + 1) / MILLION)
    assert "SNS" not in found


@pytest.mark.parametrize(("rate", "records"), [(0, 1), (1, 300), (1e6, 1e6 / 1500)])
def test_an_object_ends_with_its_time_or_its_size(rate: float, records: float) -> None:
    made = stack(Mass="true")
    assert bill.find_object(made, PRICES, rate * 10 * 86400, USAGE.body) == pytest.approx(records)


def test_a_quiet_platform_logs_nothing() -> None:
    shared = TINY["Globals"]["Function"] | {"LoggingConfig": {"SystemLogLevel": "WARN"}}
    quiet = bill.read_stack(TINY | {"Globals": {"Function": shared}})
    assert as_dict(bill.price_queued(quiet, PRICES, MILLION, 2, USAGE))["logs"] == pytest.approx(0.05 * 1.5)


def test_usages_are_mixed_by_their_share() -> None:
    other = bill.Usage(**dict.fromkeys(Usage.__struct_fields__, 0))
    mixed = bill.mix(USAGE, other, 0.25)
    assert (mixed.writes, mixed.body, mixed.metrics) == (0.375, 375.0, 4)


def test_others_are_priced_by_the_same_list() -> None:
    small = 3 + 1.2 + 100 * (1.0 + 2 * 0.1) + 10 * 0.5
    assert bill.price_workers(PRICES, MILLION, 1) == pytest.approx(small)
    busy = 300 * 10 * 86400
    large = busy * 4.2 / MILLION + 100 * (2 * 1.0 + 3 * 0.1) + 20 * 0.5
    assert bill.price_workers(PRICES, busy, 20) == pytest.approx(large)
    assert bill.price_vdm(PRICES, MILLION, 4) == pytest.approx(20.0)


def test_the_list_of_prices_has_what_the_template_needs() -> None:
    """Every line of the real bill has its price, whatever is turned on."""
    made, prices = bill.read_stack(TEMPLATE, {"Dashboard": "true"}), read_prices()
    lines = [
        *bill.price_fixed(made, prices, 1),
        *bill.price_queued(made, prices, MILLION, 10, USAGE),
        *bill.price_gathered(made, prices, MILLION, 10, USAGE),
    ]
    assert all(line.dollars > 0 for line in lines)
    assert prices["free"].keys() <= {line.name for line in lines}
    assert bill.price_workers(prices, MILLION, 1) > bill.price_vdm(prices, MILLION, 4) > 0

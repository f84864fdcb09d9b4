"""The way of a message through the template's topics and queues: nothing gets lost, nothing comes from elsewhere."""

from __future__ import annotations

from typing import Final

import pytest

from aftersend.jobs.gather import read_parts
from aftersend.sources import SOURCES
from aftersend.sources.envelope import MAX_BYTES
from aftersend.storage.archive import FIREHOSE, is_file_of_firehose
from local.envelopes import DETAIL_TYPES
from tests.support.gathering import make_notice
from tests.support.template import (
    DEAD_LETTERS,
    FORTNIGHT,
    FUNCTIONS,
    GIVEN_UP,
    INGESTING,
    MAPPINGS,
    QUEUES,
    RESOURCES,
    RULES,
    SHARED,
    SUBSCRIPTIONS,
    TEMPLATE,
    Statement,
    many,
    mentioned,
    nodes,
    one,
    properties,
    statements,
    variables,
)


@pytest.mark.parametrize("name", QUEUES)
def test_a_queue_is_redriven_or_is_where_things_are_redriven_to(name: str) -> None:
    """A dead-letter queue may have one as well: it makes the other a queue that SQS moves messages out of."""
    assert "RedrivePolicy" in QUEUES[name] or name in DEAD_LETTERS
    assert QUEUES[name]["MessageRetentionPeriod"] == FORTNIGHT
    assert QUEUES[name]["SqsManagedSseEnabled"] is True


def is_fifo(queue: str) -> bool:
    """Whether a queue keeps an order: it has no batching window, and what waits in it is looked at often."""
    return bool(QUEUES[queue].get("FifoQueue"))


def test_a_message_is_tried_at_least_five_times() -> None:
    for name, each in QUEUES.items():
        if name not in DEAD_LETTERS and is_fifo(name):  # parked by its age; SQS counts no further than this
            assert each["RedrivePolicy"]["maxReceiveCount"] == 1000
        elif name not in DEAD_LETTERS:
            assert one(each["RedrivePolicy"]["maxReceiveCount"]) == "MaximumReceives"
    assert TEMPLATE["Parameters"]["MaximumReceives"]["MinValue"] >= 5


def test_no_two_queues_share_a_dead_letter_queue() -> None:
    targets = [one(each["RedrivePolicy"]["deadLetterTargetArn"]) for each in QUEUES.values() if "RedrivePolicy" in each]
    targets += [place for place in GIVEN_UP.values() if place in QUEUES]
    assert sorted(targets) == sorted(DEAD_LETTERS)


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_message_stays_hidden_while_it_is_worked(name: str) -> None:
    """AWS asks for six times the function's time-out, and the batch window."""
    function, mapping = MAPPINGS[name]
    window = mapping.get("MaximumBatchingWindowInSeconds")
    assert (window is None) == is_fifo(one(mapping["Queue"]))
    longest = TEMPLATE["Parameters"][one(window)]["MaxValue"] if window else 0
    timeout = FUNCTIONS[function].get("Timeout", SHARED["Timeout"])
    assert QUEUES[one(mapping["Queue"])]["VisibilityTimeout"] >= 6 * timeout + longest


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_mapping_takes_single_messages_back_and_is_bounded(name: str) -> None:
    _, mapping = MAPPINGS[name]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    if is_fifo(one(mapping["Queue"])):  # whoever shares a rate must know of how many
        assert TEMPLATE["Parameters"][one(mapping["ScalingConfig"]["MaximumConcurrency"])]["MinValue"] >= 2
        assert mapping["BatchSize"] <= 10
        return
    bound, otherwise = mapping["ScalingConfig"]["Fn::If"][1:]
    assert mapping["ScalingConfig"]["Fn::If"][0] == "HasBound"
    assert (one(bound["MaximumConcurrency"]), otherwise) == ("MaximumConcurrency", {"Ref": "AWS::NoValue"})
    assert TEMPLATE["Parameters"][one(mapping["MaximumBatchingWindowInSeconds"])]["MinValue"] >= 1  # or 10 at most


def test_every_queue_that_is_no_dead_letter_queue_is_consumed_once() -> None:
    assert sorted(one(mapping["Queue"]) for _, mapping in MAPPINGS.values()) == sorted(QUEUES.keys() - DEAD_LETTERS)


def test_unreadable_bodies_can_be_moved_back() -> None:
    """Whichever function parks them, there is one queue, and one way back: through the function of all sources.

    SQS moves messages only out of a queue that is some queue's dead-letter queue. Nothing may come there by itself, so
    that queue is none that is worked, and has the most tries that SQS counts.
    """
    (parked,) = {one(each["Environment"]["Variables"]["UNREADABLE_BODIES_QUEUE"]) for each in INGESTING.values()}
    ((above, redrive),) = [
        (name, each["RedrivePolicy"]) for name, each in QUEUES.items() if parked in mentioned(each.get("RedrivePolicy"))
    ]
    assert above in DEAD_LETTERS
    assert redrive["maxReceiveCount"] == 1000
    (back,) = [queue for queue, function in fed() if function in INGESTING and "SOURCE" not in variables(function)]
    assert {parked, back} <= mentioned(TEMPLATE["Outputs"]["RedriveUnreadableBodies"])


def test_the_function_of_all_sources_can_read_whatever_the_functions_of_one_can() -> None:
    """What is moved back or replayed comes to it. Its variables name all that any of theirs name of its source."""
    (everything,) = [each for each in INGESTING.values() if "SOURCE" not in each["Environment"]["Variables"]]
    for name, each in INGESTING.items():
        if RESOURCES[name]["Properties"]["CodeUri"] == everything["CodeUri"]:
            assert each["Environment"]["Variables"].keys() - {"SOURCE"} <= everything["Environment"]["Variables"].keys()


def test_everything_that_is_pushed_polled_or_replayed_goes_to_one_queue() -> None:
    """Issue: "one feedback queue …"; whoever sends there knows its URL, and may send nothing else there."""
    (queue,) = [queue for queue, function in fed() if function in INGESTING and "SOURCE" not in variables(function)]
    senders = {name for name, each in FUNCTIONS.items() if "FEEDBACK_QUEUE" in each["Environment"]["Variables"]}
    assert senders == {name for name in FUNCTIONS for each in statements(name) if sends(each) and queue in each.on}
    for name in senders:
        assert one(FUNCTIONS[name]["Environment"]["Variables"]["FEEDBACK_QUEUE"]) == queue


def sends(statement: Statement) -> bool:
    return "sqs:SendMessage" in statement.actions


def test_a_queue_of_bodies_takes_the_largest() -> None:
    """What is packed or parked weighs up to MAX_BYTES, and a body is heavier there than where it came from: it has the
    reason beside it. What the queues of a region take by default may be a quarter of that.
    """
    bodies = {queue for queue, function in fed() if function in INGESTING}
    bodies |= {one(QUEUES[queue]["RedrivePolicy"]["deadLetterTargetArn"]) for queue in bodies}
    bodies |= {one(each["Environment"]["Variables"]["UNREADABLE_BODIES_QUEUE"]) for each in INGESTING.values()}
    assert {queue: QUEUES[queue].get("MaximumMessageSize") for queue in bodies} == dict.fromkeys(bodies, MAX_BYTES)


def fed() -> list[tuple[str, str]]:
    """Every queue that feeds a function, and that function."""
    return [(one(mapping["Queue"]), function) for function, mapping in MAPPINGS.values()]


def allowed_senders() -> dict[str, set[tuple[str, str]]]:
    """Queue -> who may send to it: service, and the one resource, or for S3 the account, it must come from."""
    senders: dict[str, set[tuple[str, str]]] = {name: set() for name in QUEUES}
    for policy in properties("AWS::SQS::QueuePolicy").values():
        queues = [
            one(resource) for each in policy["PolicyDocument"]["Statement"] for resource in many(each["Resource"])
        ]
        assert sorted(set(queues)) == sorted(one(queue) for queue in policy["Queues"])
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Action"] == "sqs:SendMessage"
            (condition,) = statement["Condition"].values()
            (origin,) = map(one, condition.values())
            for resource in many(statement["Resource"]):
                senders[one(resource)].add((statement["Principal"]["Service"], origin))
    return senders


def test_only_the_one_topic_or_rule_may_send_to_a_queue_and_to_its_dead_letter_queue() -> None:
    wanted: dict[str, set[tuple[str, str]]] = {name: set() for name in QUEUES}
    for each in SUBSCRIPTIONS.values():
        assert each["RawMessageDelivery"] is True
        for queue in (one(each["Endpoint"]), one(each["RedrivePolicy"])):
            wanted[queue].add(("sns.amazonaws.com", one(each["TopicArn"])))
    for rule, each in RULES.items():
        for target in each["Targets"]:
            for queue in (one(target["Arn"]), one(target["DeadLetterConfig"])):
                wanted[queue].add(("events.amazonaws.com", rule))
    for each in nodes(properties("AWS::S3::Bucket")):
        for notice in each.get("QueueConfigurations", ()) if isinstance(each, dict) else ():
            wanted[one(notice["Queue"])].add(("s3.amazonaws.com", "AWS::AccountId"))
    assert allowed_senders() == wanted


def test_what_never_reached_a_queue_lies_in_that_queues_dead_letter_queue() -> None:
    pairs = [(one(each["Endpoint"]), one(each["RedrivePolicy"])) for each in SUBSCRIPTIONS.values()]
    targets = [target for rule in RULES.values() for target in rule["Targets"]]
    pairs += [(one(target["Arn"]), one(target["DeadLetterConfig"])) for target in targets]
    assert pairs == [(queue, one(QUEUES[queue]["RedrivePolicy"]["deadLetterTargetArn"])) for queue, _ in pairs]


def test_the_rules_take_every_event_of_one_configuration_set_and_no_other() -> None:
    """Another stack's mail stays out, and what SES says of the account, which has other detail types."""
    name = {"Fn::If": ["MakesConfigurationSet", {"Ref": "SesEvents"}, {"Ref": "SesConfigurationSet"}]}
    taken: list[str] = []
    for rule in (RULES["SesEventBridgeRule"], RULES["SesMassRule"]):
        pattern = dict(rule["EventPattern"])
        taken += pattern.pop("detail-type")
        assert pattern == {"source": ["aws.ses"], "detail": {"mail": {"tags": {"ses:configuration-set": [name]}}}}
    assert sorted(taken) == sorted(DETAIL_TYPES.values())
    assert TEMPLATE["Outputs"]["SesConfigurationSetName"]["Value"] == name


def test_what_suppresses_somebody_waits_for_no_mass() -> None:
    """The mass is worked in large batches, minutes later; bounces, complaints and who leaves within seconds."""
    windows = {
        one(mapping["Queue"]): one(mapping["MaximumBatchingWindowInSeconds"])
        for _, mapping in MAPPINGS.values()
        if not is_fifo(one(mapping["Queue"]))
    }
    slow = {queue for queue, window in windows.items() if window == "MassBatchWindowSeconds"}
    fast = {queue for queue, window in windows.items() if window == "BatchWindowSeconds"}
    assert (slow, fast) == ({"SesEventsQueue"}, windows.keys() - slow)
    mass = RULES["SesMassRule"]
    assert {one(target["Arn"]) for target in mass["Targets"]} == slow
    assert {*mass["EventPattern"]["detail-type"]} == {DETAIL_TYPES[kind] for kind in MASS}
    parameters = TEMPLATE["Parameters"]
    assert parameters["BatchWindowSeconds"]["Default"] == 5
    assert parameters["MassBatchWindowSeconds"]["MaxValue"] == 300


MASS: Final = ("Send", "Delivery", "Open", "Click")


def test_what_aws_says_of_text_messages_is_taken_where_somebody_wants_it() -> None:
    """It has no attribute that names its source: the row of the source does, by what EventBridge calls it."""
    rule = RULES["TextMessageRule"]
    (called,) = rule["EventPattern"]["source"]
    assert [name for name, row in SOURCES.items() if row.eventbridge == called] == ["aws_sms"]
    assert "Registration Status Change" not in rule["EventPattern"]["detail-type"]
    for name in ("TextMessageRule", "FeedbackQueuesPolicy", "DeliveryLogsPermission"):
        assert RESOURCES[name]["Condition"] == "HasAwsMessaging"


def test_logs_may_invoke_the_function_for_this_account_and_what_fails_is_kept() -> None:
    permission = RESOURCES["DeliveryLogsPermission"]["Properties"]
    assert (permission["Principal"], permission["SourceAccount"]) == ("logs.amazonaws.com", {"Ref": "AWS::AccountId"})
    function = FUNCTIONS[one(permission["FunctionName"])]
    assert one(function["DeadLetterQueue"]["TargetArn"]) == "FeedbackDeadLetters"


def test_the_configuration_set_publishes_to_the_bus_of_the_rule_what_changes_no_mail() -> None:
    """SES puts a picture and other links into mails where opens and clicks are asked for; somebody has to want that."""
    destination = properties("AWS::SES::ConfigurationSetEventDestination")["SesEventsDestination"]
    assert destination["ConfigurationSetName"] == {"Ref": "SesEvents"}
    event = destination["EventDestination"]
    assert event["EventBridgeDestination"]["EventBusArn"]["Fn::Sub"].endswith(":event-bus/default")
    condition, _, all_types = event["MatchingEventTypes"]["Fn::If"]
    assert (event["Enabled"], condition, all_types) == (True, "HasMass", {"Ref": "SesEventTypes"})
    types = TEMPLATE["Parameters"]["SesEventTypes"]
    assert {*types["AllowedValues"]} - {*types["Default"].split(",")} == {"open", "click"}
    assert {each.lower() for each in types["AllowedValues"]} == {name.replace(" ", "").lower() for name in DETAIL_TYPES}


def test_the_mass_comes_in_files_and_what_suppresses_within_seconds() -> None:
    """No event type is published twice by the configuration set made here, and none is left out."""
    destinations = properties("AWS::SES::ConfigurationSetEventDestination")
    quick = destinations["SesEventsDestination"]["EventDestination"]["MatchingEventTypes"]["Fn::If"][1]
    mass = destinations["SesMassDestination"]["EventDestination"]
    assert mass["MatchingEventTypes"] == {"Ref": "MassEventTypes"}
    assert one(mass["KinesisFirehoseDestination"]["DeliveryStreamARN"]) == "MassStream"
    allowed = TEMPLATE["Parameters"]["MassEventTypes"]
    every = TEMPLATE["Parameters"]["SesEventTypes"]["AllowedValues"]
    assert sorted([*quick, *allowed["AllowedValues"]]) == sorted(every)
    assert {*allowed["AllowedValues"]} - {*allowed["Default"].split(",")} == {"open", "click"}


def test_what_firehose_writes_is_what_is_notified_and_read() -> None:
    """The folder in the archive is one in the template, in the code and in the role."""
    (stream,) = properties("AWS::KinesisFirehose::DeliveryStream").values()
    written = stream["ExtendedS3DestinationConfiguration"]
    condition, notified, _ = RESOURCES["Archive"]["Properties"]["NotificationConfiguration"]["Fn::If"]
    (notice,) = notified["QueueConfigurations"]
    (rule,) = notice["Filter"]["S3Key"]["Rules"]
    assert (condition, rule["Name"], rule["Value"]) == ("HasMass", "prefix", f"source=ses/{FIREHOSE}")
    assert written["Prefix"].startswith(rule["Value"])
    assert not written["ErrorOutputPrefix"].startswith(rule["Value"])
    key = written["Prefix"].replace("!{timestamp:yyyy-MM-dd}", "2026-03-02").replace("!{timestamp:HH}", "10") + "a.gz"
    (part,) = read_parts(make_notice(key).encode())
    assert part.key == key
    assert is_file_of_firehose(key)
    (read,) = [each.resources for each in statements("Gather") if each.actions == {"s3:GetObject"}]
    assert read == [{"Fn::Sub": f"${{Archive.Arn}}/{rule['Value']}*"}]


def test_only_this_accounts_ses_may_publish() -> None:
    policies = properties("AWS::SNS::TopicPolicy").values()
    assert mentioned([each["Topics"] for each in policies]) == {
        one(each["TopicArn"]) for each in SUBSCRIPTIONS.values()
    }
    for each in policies:
        (statement,) = each["PolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "ses.amazonaws.com"}
        assert statement["Action"] == "sns:Publish"
        assert many(statement["Resource"]) == each["Topics"]
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}

"""The host of Amazon SNS is that of the topic's region and partition, in every partition there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import botocore
import pytest

from aftersend.core.errors import VerificationError
from aftersend.sources import proofs
from aftersend.webhooks.schemes import PushRequest, Trust, WebhookCredentials, check
from aftersend.webhooks.schemes.sns_host import PARTITIONS, find_host
from local.signing import Authority, sns
from tests.support.webhooks import NOW, url

KNOWN: Final[list[dict[str, Any]]] = json.loads(
    (Path(botocore.__file__).parent / "data" / "partitions.json").read_text()
)["partitions"]
REGIONS: Final = [
    (each["id"], region, each["outputs"]["dnsSuffix"])
    for each in KNOWN
    for region in each["regions"]
    if not region.endswith("-global")  # not a region of its own: SNS has no host there
]


def topic(partition: str, region: str) -> str:
    return f"arn:{partition}:sns:{region}:111122223333:feedback"


def test_the_partitions_are_those_of_the_sdk() -> None:
    assert {name: domain for name, (_, domain) in PARTITIONS.items()} == {
        each["id"]: each["outputs"]["dnsSuffix"] for each in KNOWN
    }


@pytest.mark.parametrize(("partition", "region", "domain"), REGIONS)
def test_every_region_of_the_sdk_has_its_host(partition: str, region: str, domain: str) -> None:
    assert find_host(topic(partition, region)) == f"sns.{region}.{domain}"


@pytest.mark.parametrize(("partition", "region", "domain"), REGIONS)
def test_no_region_is_one_of_another_partition(partition: str, region: str, domain: str) -> None:
    for other in PARTITIONS.keys() - {partition}:
        with pytest.raises(VerificationError, match="not a topic"):
            find_host(topic(other, region))


@pytest.mark.parametrize(
    "region",
    [
        *(
            "s3-us-west-2",
            "s3-accelerate",
            "s3-website-us-east-1",
            "us-west-2.evil",
            "us-west",
            "us-west-",
            "us-west-0",
        ),
        *(
            "us-west-2/",
            "us_west_2",
            "US-WEST-2",
            "us-w\u00e9st-2",
            "us-west-2\n",
            "us-west-123",
            "",
            "*",
            "us-gov-west-1",
        ),
    ],
)
def test_what_is_no_region_has_no_host(region: str) -> None:
    with pytest.raises(VerificationError, match="not a topic"):
        find_host(topic("aws", region))


@pytest.mark.parametrize(
    "arn", ["", "arn:aws:sqs:eu-west-1:111122223333:feedback", "arn:aws:sns:eu-west-1:1:feedback", "arn:aws:sns"]
)
def test_what_is_no_topic_has_no_host(arn: str) -> None:
    with pytest.raises(VerificationError, match="not a topic"):
        find_host(arn)


@pytest.mark.parametrize(("partition", "region", "domain"), REGIONS)
def test_a_push_of_every_region_is_signed_by_a_certificate_of_its_own_host(
    partition: str, region: str, domain: str
) -> None:
    """And the list of topics is the one that the proof names: a second source of SNS has its own."""
    arn, theirs = topic(partition, region), f"https://sns.{region}.{domain}/a.pem"
    trust = Trust(credentials=WebhookCredentials(), senders={"their_topics": frozenset({arn})})
    for place in (theirs, "https://sns.s3-us-west-2.amazonaws.com/a.pem", "https://sns.eu-west-3.amazonaws.com/a.pem"):
        push = sns(AUTHORITY, url("ses"), "{}", NOW, TopicArn=arn, SigningCertURL=place)
        request = PushRequest(source="ses", url=push.url, path="/", headers=push.headers, body=push.body)
        if place == theirs:
            made = check(request, [proofs.sns("their_topics")], trust, NOW)
            assert made.signature is not None
            assert made.signature.certificate_url == place
            with pytest.raises(VerificationError, match="not on the list"):
                check(request, [proofs.sns()], trust, NOW)
        else:
            with pytest.raises(VerificationError, match="not a certificate"):
                check(request, [proofs.sns("their_topics")], trust, NOW)


AUTHORITY: Final = Authority()

"""The host of Amazon SNS that belongs to a topic: built from the topic's own region and partition, and never matched.

A pattern of hosts takes in what is no host of SNS: `sns.s3-us-west-2.amazonaws.com` is a storage bucket called "sns".
Source: the partitions of the AWS SDKs, `partitions.json`.
"""

from __future__ import annotations

import re
from typing import Final

from aftersend.core.errors import VerificationError
from aftersend.webhooks.schemes.contract import FailureCode, quote_name

# By partition: how the names of its regions begin, and the domain of its hosts.
PARTITIONS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "aws": (("us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"), "amazonaws.com"),
    "aws-cn": (("cn",), "amazonaws.com.cn"),
    "aws-eusc": (("eusc-de",), "amazonaws.eu"),
    "aws-iso": (("us-iso",), "c2s.ic.gov"),
    "aws-iso-b": (("us-isob",), "sc2s.sgov.gov"),
    "aws-iso-e": (("eu-isoe",), "cloud.adc-e.uk"),
    "aws-iso-f": (("us-isof",), "csp.hci.ic.gov"),
    "aws-us-gov": (("us-gov",), "amazonaws.com"),
}
_TOPIC: Final = re.compile(
    r"arn:(aws[a-z-]{0,12}):sns:([a-z-]{2,12})-([a-z]{4,12}-[1-9][0-9]?):[0-9]{12}:[\w.-]{1,256}", re.A
)


def find_host(topic: str) -> str:
    """Return the host of SNS in the region of this topic (an ARN).

    Raises VerificationError where it is no topic, or its region is none of its partition's.
    """
    match = _TOPIC.fullmatch(topic)
    starts, domain = PARTITIONS.get(match[1], ((), "")) if match else ((), "")
    if match is None or match[2] not in starts:
        raise VerificationError(FailureCode.SENDER, f"not a topic of SNS: {quote_name(topic)}")
    return f"sns.{match[2]}-{match[3]}.{domain}"

"""AWS as far as it is used here: low-level clients by service, and the two ways in which a call can fail.

    from aftersend.aws import connect
    from aftersend.aws.errors import CallFailed, NoAnswer, Refusal

    connect("dynamodb").put_item(TableName=..., Item=...)  # keyword arguments and answers are boto3's

`connect(service)` gives the lean client of this package where the process has credentials that last as long as it does,
as on Lambda, and boto3's behind the same seam everywhere else, or everywhere with `AWS_CLIENT=boto3`. Both raise
`Refusal(code, answer)` where the service says no and `NoAnswer` where nothing comes back; nobody else in the package
has to know boto3. Both may be shared between threads, and both know the same operations and no more:
`aftersend.aws.services` has the table.
"""

from __future__ import annotations

from typing import Any


def connect(service: str) -> Any:
    """Make a client of one of the services in the tables, once and outside the handler; see `aws.protocols`.

    Raises ConfigurationError where the environment variable `AWS_CLIENT` is neither "lean" nor "boto3".
    """
    from aftersend import settings  # noqa: PLC0415  # who only signs needs none of it
    from aftersend.aws import account, services  # noqa: PLC0415

    found = account.read_account(settings.environment()) if service in services.OPERATIONS else None
    if found is not None:
        return services.make_client(service, found)
    from aftersend.aws import boto  # noqa: PLC0415  # takes a third of a second, which the hot path must not pay

    return boto.make_client(service)

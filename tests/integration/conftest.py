"""What the integration tests share: one RabbitMQ for all of them, where this machine has the program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import roles
from tests.support.rabbitmq import Broker, Unavailable
from tests.support.tls import Certificates


@pytest.fixture(scope="session", autouse=True)
def enforced_roles() -> Iterator[None]:
    """Functions of the embedded stack may do what their roles allow, and no more."""
    with roles.enforced():
        yield


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running broker; tests leave no queue behind, and start it again where they end it."""
    folder = tmp_path_factory.mktemp("rabbitmq")
    try:
        made = Broker(folder, Certificates(folder, "localhost"))
    except Unavailable as lack:
        pytest.skip(str(lack))
    try:
        made.start()
        yield made
    except Unavailable as lack:
        pytest.skip(str(lack))
    finally:
        made.stop()

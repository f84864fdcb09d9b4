"""A real RabbitMQ for tests: started on free ports with a folder and a name of its own, and stopped again.

Needs the program `rabbitmq-server` (Debian's package of that name); says so where it is missing.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pika  # type: ignore[import-untyped]
from pika.exceptions import AMQPError  # type: ignore[import-untyped]

from tests.support.network import free_ports
from tests.support.tls import Certificates

_PATIENCE: Final = 60.0  # seconds until it takes connections
# Debian's program on the path changes the user and the folder first; this is the one behind it.
_DEBIAN: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
USER: Final = "mailer"
PASSWORD: Final = "the-broker's-password"


class Unavailable(Exception):
    """This machine has no RabbitMQ; the message says what is missing."""


def program() -> str:
    """The server's program; raises Unavailable."""
    found = str(_DEBIAN) if _DEBIAN.exists() else shutil.which("rabbitmq-server")
    if found is None or shutil.which("epmd") is None:
        raise Unavailable("no rabbitmq-server on this machine")
    return found


class Broker:
    """A server in `folder`. It may be stopped and started again: what is durable is still there then."""

    def __init__(self, folder: Path, tls: Certificates) -> None:
        self._folder = folder
        self.certificates = tls
        self.port, names, dist, self._tls_port = free_ports(4)
        self._environment = os.environ | {
            "HOME": str(folder),  # of the cookie that its parts know each other by
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(dist),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "no-plugins"),
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        self._program = program()
        (folder / "rabbitmq.conf").write_text(_config(self._tls_port, tls))
        self._server: subprocess.Popen[bytes] | None = None
        self._register: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{quote(PASSWORD)}@127.0.0.1:{self.port}/%2F"

    @property
    def tls_url(self) -> str:
        return f"amqps://{USER}:{quote(PASSWORD)}@localhost:{self._tls_port}/%2F"

    def start(self) -> None:
        if self._register is None:  # else the server would start one that outlives it
            self._register = subprocess.Popen(["epmd"], env=self._environment, stdout=subprocess.DEVNULL)
        with (self._folder / "out").open("ab") as out:
            self._server = subprocess.Popen(
                [self._program],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if time.monotonic() > deadline or self._server.poll() is not None:
                raise Unavailable(f"rabbitmq-server did not start: {(self._folder / 'out').read_text()[-500:]}")
            time.sleep(0.1)

    def write_down(self) -> None:
        """Have the server write to its disk which queues there are: it may keep that in memory for seconds.

        Source: Erlang's documentation of mnesia, `sync_log/0`, and of disk_log, delayed writes.
        """
        command = [str(Path(self._program).resolve().with_name("rabbitmqctl")), "--quiet", "eval", "mnesia:sync_log()."]
        done = subprocess.run(
            command, env=self._environment, cwd=self._folder, check=True, capture_output=True, timeout=_PATIENCE
        )
        assert done.stdout.strip() == b"ok", done.stdout

    def kill(self) -> None:
        """End the server at once, as a loss of power would."""
        if self._server is not None:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
            self._server = None

    def stop(self) -> None:
        """End the server, and Erlang's register of names."""
        self.kill()
        if self._register is not None:
            self._register.kill()
            self._register.wait()
            self._register = None

    def _answers(self) -> bool:
        try:
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
        except (AMQPError, OSError):
            return False
        return True

    @contextmanager
    def channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            connection.close()

    def declare(self, *queues: str) -> None:
        with self.channel() as channel:
            for queue in queues:
                channel.queue_declare(queue, durable=True)

    def delete(self, *queues: str) -> None:
        with self.channel() as channel:
            for queue in queues:
                channel.queue_delete(queue)

    def publish(self, queue: str, bodies: Sequence[bytes], **properties: Any) -> None:
        """Publish persistent messages; returns when the broker has them all."""
        kept = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent.value, **properties)
        with self.channel() as channel:
            channel.tx_select()
            for body in bodies:
                channel.basic_publish("", queue, body, kept)
            channel.tx_commit()

    def ready(self, queue: str) -> int:
        """How many messages wait in a queue, those not counted that somebody holds."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def take(self, queue: str) -> list[tuple[Any, bytes]]:
        """Every message that waits, out of the queue: properties and body."""
        with self.channel() as channel:
            found = []
            while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
                found.append((got[1], got[2]))
            return found


def _config(port: int, tls: Certificates) -> str:
    lines = [
        "log.file.level = error",
        f"default_user = {USER}",
        f"default_pass = {PASSWORD}",
        f"listeners.ssl.default = 127.0.0.1:{port}",
        f"ssl_options.cacertfile = {tls.authority}",
        f"ssl_options.certfile = {tls.certificate}",
        f"ssl_options.keyfile = {tls.key}",
        "ssl_options.verify = verify_none",
        "ssl_options.fail_if_no_peer_cert = false",
    ]
    return "\n".join(lines) + "\n"

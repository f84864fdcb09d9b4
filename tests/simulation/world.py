"""The whole stack in one process under one seed: the functions' own handlers, over services that are simulated."""

from __future__ import annotations

import base64
import importlib.util
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from hashlib import blake2b
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

import msgspec

from aftersend import bootstrap, observability
from aftersend.api import context as api_context
from aftersend.aws import boto
from aftersend.aws.errors import NoAnswer, Refusal
from aftersend.aws.tasks import MultiplexedTasks
from aftersend.core.errors import StoreUnavailable
from aftersend.core.steps import Pause
from aftersend.http.multiplexer import Multiplexer, Waits
from aftersend.jobs import replay as replays
from aftersend.ports import BatchReport
from aftersend.sources.message import build_sqs_message, pack
from aftersend.storage import spike_windows, versioned
from aftersend.storage import store as stores
from tests.simulation.dynamodb import DynamoDB
from tests.simulation.faults import Faults
from tests.simulation.history import ERASURES, START, TURN, Asked, Decided, Erased, Event, Said
from tests.simulation.scheduler import Crashed, Lock, Pool, Process, Scheduler
from tests.simulation.services import S3, SES, SQS, Letter, Queue
from tests.support.api import ARN
from tests.support.api import event as http_event
from tests.support.facts import fake_source
from tests.support.template import ROOT

Json = dict[str, Any]

BEFORE: Final = "[streak]\nbounces = 3\n[guard]\nfloor = 10\n"
AFTER: Final = (
    *(BEFORE, BEFORE, BEFORE, BEFORE),  # most operators change nothing, and nobody judges anew what was missed
    "[streak]\nbounces = 2\n[guard]\nfloor = 10\n",
    "[streak]\nbounces = 4\ngap_days = 3\n[complaint]\nlapse_days = 100\n[guard]\nfloor = 10\n",
    "[unsubscribed]\neverywhere = true\n[complaint]\nlapse_days = 200\n[streak]\nbounces = 3\n[guard]\nfloor = 10\n",
)
# Of most recipients feedback comes in bulk, every so many days within seconds, so that it meets in several workers.
BULK: Final = (None, (1, 0.1), (1, 0.1), (1, 60.0), (7, 0.1), (7, 60.0))
GARBAGE: Final = "this is no list of facts"
_TABLES: Final = {
    "OUTCOMES_TABLE": "Outcomes",
    "SUPPRESSIONS_TABLE": "Suppressions",
    "UNMATCHED_TEXTS_TABLE": "UnmatchedTexts",
    "SPIKE_WINDOWS_TABLE": "SpikeWindows",
    "LIST_JOBS_TABLE": "ListJobs",
}
_PLACES: Final = {
    "ARCHIVE_BUCKET": "archive",
    "LIST_FILES_BUCKET": "lists",
    "UNREADABLE_BODIES_QUEUE": "unreadable",
    "DEAD_LETTER_QUEUE": "jobs-dead",
    "FEEDBACK_QUEUE": "process",
    "LIST_JOBS_QUEUE": "list_jobs",
    "DIGEST_KEY": "a test's key",
    "SOURCE": "test",
    "POWERTOOLS_SERVICE_NAME": "simulation",
    "POWERTOOLS_METRICS_NAMESPACE": "simulation",
}
_FED: Final = ("process", "reevaluate", "replay", "list_jobs")  # functions with a queue, which has their name
_ATTEMPTS: Final = 400  # of a person or a broker, before it is a fault that they do not get through


class Unexpected(Exception):
    """Something came to pass that the documentation rules out."""


class Failing:
    """A client of one service: each of its operations is a call to the world, which may go wrong."""

    def __init__(self, world: World, service: str, real: Any) -> None:
        self._world, self._service, self._real = world, service, real

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        act = getattr(self._real, operation)
        return lambda **request: self._world.call(f"{self._service}.{operation}", request, act)


class FailingInWaits(Failing):
    """The same as our own clients are: its calls can be under way at once in one thread."""

    def call(self, operation: str, request: Mapping[str, Any]) -> Waits[Any]:
        return self._world.wait_for(f"{self._service}.{operation}", {**request}, getattr(self._real, operation))


class World:
    """Everything there is. `order` says which of the possible orders of the same history this is."""

    def __init__(self, seed: int, order: int = 0, without: Sequence[str] = ()) -> None:
        self.random = Random(f"world {seed} {order}")  # a seed must give the same again
        self.name = f"{seed} {order}"
        self.faults = Faults(self.name, without)
        self.scheduler = Scheduler(self.random, START.timestamp())
        self.pool = Pool(self.scheduler)
        self.after = Random(f"policy {seed}").choice(AFTER)
        self.policy = BEFORE
        self.dynamodb = DynamoDB({name: name for name in _TABLES.values()})
        self.queues = {name: Queue(name, 420.0 if name == "process" else 1140.0, 6) for name in _FED}
        self.queues |= {name: Queue(name, 420.0, 1000) for name in ("unreadable", "jobs-dead")}
        self.sqs = SQS(self.queues, lambda: self.scheduler.now, self._note_sent)
        self.s3, self.ses = S3(lambda: self.scheduler.now), SES()
        self.services: Json = {"dynamodb": self.dynamodb, "s3": self.s3, "sqs": self.sqs, "sesv2": self.ses}
        self.sent: list[str] = []  # every body that somebody has handed over
        self.counts: Counter[str] = Counter()  # what functions counted: their metrics
        self.happened: Counter[str] = Counter()
        self.trace = blake2b(digest_size=16)
        self.lines: list[str] | None = None  # of the trace, where somebody wants to read it
        self.bulk: dict[str, tuple[int, float]] = {}  # by recipient
        self.owned: set[str] = set()  # messages whose recipient somebody names
        self._idle: defaultdict[str, list[tuple[Process, ModuleType]]] = defaultdict(list)
        self._processes = 0
        self._streamed = 0
        self._streaming = False

    # ---- What functions find

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Put this world in the place of AWS, of threads, of the clock and of chance."""
        msgspec.json.Decoder(replays.ReplayJob)  # before another class stands where its annotations look
        clock = _make_clock(self)
        slept = SimpleNamespace(sleep=self.scheduler.pause, monotonic=self._now)
        pool = lambda _width: self.pool  # noqa: E731
        with ExitStack() as stack:
            for module in (bootstrap, api_context, stores, replays):
                stack.enter_context(patch.object(module, "datetime", clock))
            stack.enter_context(patch.object(bootstrap, "_make_pool", pool))
            stack.enter_context(patch.object(api_context, "ThreadPoolExecutor", pool))
            stack.enter_context(patch.object(bootstrap, "connect", self._connect))
            stack.enter_context(patch.object(boto, "make_client", self._connect))
            stack.enter_context(patch.object(bootstrap, "time", slept))
            stack.enter_context(patch.object(bootstrap, "secrets", SimpleNamespace(token_hex=self._token)))
            stack.enter_context(patch.object(stores, "time", slept))
            stack.enter_context(patch.object(versioned, "random", self.random))
            stack.enter_context(patch.object(spike_windows, "Lock", partial(Lock, self.scheduler)))
            stack.enter_context(patch.object(stores.Store.__init__, "__defaults__", (None, self.scheduler.pause)))
            timed = partial(Multiplexer, clock=lambda: self.scheduler.now, sleep=self.scheduler.pause)
            stack.enter_context(patch.object(MultiplexedTasks.__init__, "__defaults__", (timed,)))
            stack.enter_context(patch.object(observability, "report_batch", self._count))
            stack.enter_context(fake_source())
            yield

    def _connect(self, service: str) -> Failing:
        """Every other process works its batches in one thread, as with our clients; the others as with boto3's."""
        kind = FailingInWaits if self._processes % 2 else Failing
        return kind(self, service, self.services[service])

    def _token(self, size: int) -> str:
        return self.random.randbytes(size).hex()

    def _count(self, report: BatchReport, *_others: object, **_named: object) -> None:
        for (_, what, which), number in report.counts.items():
            self.counts[f"{what} {which}"] += number

    def _now(self) -> float:
        process = self.scheduler.current.process if self.scheduler.current else None
        if process is None:
            return self.scheduler.now
        return self.scheduler.now + process.skew if process.pinned is None else process.pinned

    def note(self, line: str) -> None:
        """Write a line into the trace."""
        self.trace.update(f"{self.scheduler.now:.6f} {line}\n".encode())
        if self.lines is not None:
            self.lines.append(f"{datetime.fromtimestamp(self.scheduler.now, UTC):%m-%d %H:%M:%S} {line}")

    # ---- Calls, and what befalls them

    def call(self, name: str, request: Json, act: Callable[..., Any]) -> Any:
        """Carry out one call of the present task, once it is its turn."""
        process, fault, seconds = self._begin_call(name)
        self.scheduler.pause(seconds)
        return self._end_call(process, name, fault, request, act)

    def wait_for(self, name: str, request: Json, act: Callable[..., Any]) -> Waits[Any]:
        """The same, for a task that has several under way."""
        process, fault, seconds = self._begin_call(name)
        yield Pause(seconds)
        return self._end_call(process, name, fault, request, act)

    def _begin_call(self, name: str) -> tuple[Process, str, float]:
        """Return whose call this is, what befalls it, and the seconds that it takes."""
        task = self.scheduler.current
        assert task is not None, "only a task can call"
        process = task.process
        process.calls += 1
        fault = self.faults.draw(f"{process.name} call {process.calls}", name.partition(".")[2])
        slow = fault.startswith("slow")
        return process, fault, self.random.uniform(5, 120) if slow else self.random.uniform(0.001, 0.02)

    def _end_call(self, process: Process, name: str, fault: str, request: Json, act: Callable[..., Any]) -> Any:
        self.note(f"{process.name} {name} {_digest(request)} {fault}")
        if fault in ("crash before", "crash after"):
            if fault == "crash after":
                self._act_unheard(request, act)
            process.crashed = True
            raise Crashed
        if fault == "throttled":
            raise Refusal("ThrottlingException", {})
        if fault == "unanswered":
            raise NoAnswer("TimeoutError")
        return self._act(fault, request, act)

    def _act(self, fault: str, request: Json, act: Callable[..., Any]) -> Any:
        if fault == "answer lost":
            self._act_unheard(request, act)
            raise NoAnswer("TimeoutError")
        if fault == "answer lost, tried again":
            self._act_unheard(request, act)
        if fault == "partial batch":
            return _answer_partly(request, act)
        if fault == "refused entry":
            return _refuse_one(request, act)
        if fault == "short page":
            self.dynamodb.page = 1 + self.random.randrange(2)
        if fault == "stale index":
            self.dynamodb.lag = self.random.randrange(1, 12)
        try:
            return act(**request)
        finally:
            self.dynamodb.page, self.dynamodb.lag = 1_000_000, 0

    @staticmethod
    def _act_unheard(request: Json, act: Callable[..., Any]) -> None:
        """Carry out a call of which nobody hears what came of it."""
        with suppress(Refusal):
            act(**request)

    # ---- Functions, and what feeds them

    def invoke(self, function: str, event: Json, pinned: float | None = None) -> Any:
        """Call a handler in a process that is free, or in a new one; raises Crashed where that ended."""
        process, module = self._find_process(function, pinned)
        task = self.scheduler.current
        assert task is not None
        outer, task.process = task.process, process
        try:
            milliseconds = self.random.choice((30_000, 900_000, 900_000))
            answer = module.handler(event, SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds))
        except StoreUnavailable:
            self._idle[function].append((process, module))
            raise
        finally:
            task.process = outer
        self._idle[function].append((process, module))
        self._note_stream()
        return answer

    def _find_process(self, function: str, pinned: float | None) -> tuple[Process, ModuleType]:
        idle = self._idle[function]
        if pinned is None and idle:
            process, module = idle.pop(self.random.randrange(len(idle)))
            process.pinned = None
            return process, module
        self._processes += 1
        process = Process(f"{function}#{self._processes}", self.random.uniform(-2, 2))
        process.pinned = pinned
        variables = _TABLES | _PLACES | {"POLICY": self.policy, "JOBS_QUEUE": function}
        with patch.dict("os.environ", variables):
            module = _load(function)
        if hasattr(module, "datetime"):
            module.datetime = _make_clock(self)  # type: ignore[attr-defined]
        return process, module

    def deploy(self, policy: str) -> None:
        """Start all functions anew, with another policy."""
        self.policy = policy
        self._idle.clear()

    def spawn(self, name: str, work: Callable[[], object], after: float = 0.0) -> None:
        """Let somebody do something `after` seconds from now: a service, or a person."""
        self.scheduler.spawn(name, Process(name), work, self.scheduler.now + after)

    def _note_sent(self, queue: Queue, letter: Letter) -> None:
        if queue.name in _FED:
            self._poll_later(queue, letter.visible - self.scheduler.now + self.random.uniform(0, 0.2))

    def _poll_later(self, queue: Queue, after: float) -> None:
        self.spawn(f"poll {queue.name}", lambda: self._poll(queue), after)

    def _poll(self, queue: Queue) -> None:
        """Hand one batch to the function, and take out of the queue what it has done."""
        most = self.random.choice((1, 1, 3, 10))
        batch = queue.receive(self.scheduler.now, most, lambda seen: self.random.sample(seen, len(seen)))
        if not batch:
            return
        self._poll_later(queue, queue.visibility + 1)
        if any(letter.visible <= self.scheduler.now for letter in queue.letters):
            self._poll_later(queue, self.random.uniform(0, 1))
        self.happened[f"batches of {queue.name}"] += 1
        try:
            answer = self.invoke(queue.name, {"Records": [letter.record(queue.name) for letter in batch]})
        except Crashed:
            self.happened["crashes"] += 1
            return
        again = {each["itemIdentifier"] for each in answer.get("batchItemFailures", ())}
        for letter in batch:
            fault = self.faults.draw(f"{letter.id} {letter.receives}", "delete")
            if letter.id not in again and fault != "not deleted":
                queue.delete(letter)
            self.happened["handed back"] += letter.id in again

    def _note_stream(self) -> None:
        if not self._streaming and self._streamed < len(self.dynamodb.tables["Suppressions"].stream):
            self._streaming = True
            self.spawn("stream", self._stream, self.random.uniform(0, 5))

    def _stream(self) -> None:
        """Hand the stream of suppressions to its function, record by record in their order."""
        stream = self.dynamodb.tables["Suppressions"].stream
        for _ in range(_ATTEMPTS):
            if self._streamed >= len(stream):
                break
            size = self.random.randrange(1, 10)
            places = range(self._streamed, min(self._streamed + size, len(stream)))
            records = [_stream_record(place, *stream[place]) for place in places]
            try:
                failed = self.invoke("sync_ses_list", {"Records": records})["batchItemFailures"]
            except Crashed:
                self.happened["crashes"] += 1
                continue
            self._streamed = int(failed[0]["itemIdentifier"]) if failed else places[-1] + 1
        else:
            raise Unexpected("the stream of suppressions gets no further")
        self._streaming = False

    # ---- People, brokers and sources

    def play(self, events: Sequence[Event]) -> None:
        """Let the whole history happen, until nothing is left to do."""
        for recipient in sorted({event.recipient for event in events if isinstance(event, Said)}):
            drawn = Random(f"{self.name} {recipient}")  # by themselves: whoever else is there has no say
            if (bulk := drawn.choice(BULK)) is not None:
                self.bulk[recipient] = bulk
        self.owned = {event.message for event in events if isinstance(event, Said) and not event.unnamed}
        self.faults.healed = True
        self._happen([event for event in events if event.at == 0])
        self.faults.healed = False
        self._happen([event for event in events if 0 < event.at < TURN])
        if self.after != BEFORE:
            self.deploy(self.after)
            self._ask_for("reevaluate", "{}")
        self._happen([event for event in events if TURN <= event.at < ERASURES])
        self._happen([event for event in events if event.at >= ERASURES])

    def _happen(self, events: Sequence[Event]) -> None:
        for event in events:
            moment = max((START + timedelta(minutes=event.at)).timestamp() - self.scheduler.now, 0.0)
            self.happened[type(event).__name__ if not isinstance(event, Decided) else event.act] += 1
            match event:
                case Said():
                    self._say(event, moment)
                case Decided():
                    self.spawn(event.act, lambda event=event: self._decide(event), moment)  # type: ignore[misc]
                case Asked(what="replay"):
                    self.spawn("ask", lambda event=event: self._replay(event), moment)  # type: ignore[misc]
                case Asked():
                    self.spawn("garbage", lambda: self._deliver(GARBAGE), moment)
                case Erased():
                    self.spawn("erase", lambda event=event: self._erase(event), moment + 0.1)  # type: ignore[misc]
        self.scheduler.run()
        self._redrive()

    def _redrive(self) -> None:
        """The operator moves dead letters back, when nothing goes wrong any more, and receipts that came too early."""
        healed, self.faults.healed = self.faults.healed, True
        for _ in range(3):
            parked = self.queues["unreadable"].letters
            for letter in [each for each in parked if each.body != GARBAGE]:
                parked.remove(letter)
                self._deliver(letter.body)
            for queue in self.queues.values():
                for letter in queue.dead:
                    letter.receives, letter.visible = 0, self.scheduler.now
                    self.happened["redriven"] += 1
                    queue.letters.append(letter)
                    self._poll_later(queue, 1)
                queue.dead.clear()
            self.scheduler.run()
        self.faults.healed = healed

    def _say(self, said: Said, moment: float) -> None:
        told = said.told() if said.message in self.owned else said.fact()
        body = msgspec.json.encode([told]).decode()
        for _ in range(said.copies):
            late = self.random.choice((0.0, 30.0, 3600.0, 86400.0, 4 * 86400.0)) * self.random.random()
            if said.recipient in self.bulk:  # with all else that was held back
                days, spread = self.bulk[said.recipient]
                arrives = self.scheduler.now + moment
                late = days * 86400.0 - arrives % (days * 86400.0) + self.random.uniform(0, spread)
            if said.at >= ERASURES:  # while they are erased
                late = self.random.uniform(0, 0.3)
            late = 0.0 if self.faults.healed else late
            if self.random.random() < 0.2:
                self.spawn("broker", lambda: self._publish(body), moment + late)
            else:
                self.spawn("deliver", lambda: self._deliver(body), moment + late)

    def _deliver(self, body: str) -> None:
        self.sent.append(body)
        self.note(f"delivers {_digest(body)}")
        text, attributes = pack(body.encode(), "test")
        self.sqs.send_message(QueueUrl="process", **build_sqs_message(text, attributes))

    def _publish(self, body: str) -> None:
        """Hand a body to `consume`, as a broker does: again and again until it is taken."""
        self.sent.append(body)
        delivery = {"data": _base64(body), "basicProperties": {}}
        event = {"eventSource": "aws:rmq", "rmqMessagesByQueue": {"results::/": [delivery]}}
        for _ in range(_ATTEMPTS):
            try:
                self.invoke("consume", event)
            except (Crashed, StoreUnavailable):
                self.scheduler.pause(1)
            else:
                return
        raise Unexpected("a broker cannot get rid of a body")

    def _ask_for(self, queue: str, body: str) -> None:
        self.happened[f"asked for {queue}"] += 1
        self.sqs.send_message(QueueUrl=queue, MessageBody=body)

    def _replay(self, asked: Asked) -> None:
        """Ask for the month before, or early on for the days before: a folder that nothing comes into any more."""
        today = START + timedelta(minutes=asked.at)
        if today.month > START.month:
            folders = [f"date={today.replace(day=1) - timedelta(days=1):%Y-%m}"]
        else:
            folders = [f"date={today - timedelta(days=days):%Y-%m-%d}/" for days in (1, 2)]
        for folder in folders:
            self._ask_for("replay", json.dumps({"source": "test", "folder": folder}))

    def ask(self, function: str, method: str, target: str, body: Any = None, pinned: float | None = None) -> Json:
        """Ask the API until it answers, as a person does."""
        status = 0
        for _ in range(_ATTEMPTS):
            try:
                answer = self.invoke(function, http_event(method, target, body, by={"iam": {"userArn": ARN}}), pinned)
            except Crashed:
                self.happened["crashes"] += 1
                continue
            status = int(answer["statusCode"])
            if status < 500:
                return {"status": status, "body": json.loads(answer["body"] or "null")}
            self.scheduler.pause(0.05)
        raise Unexpected(f"{method} {target.partition('?')[0]} never gets through: {status}")

    def _decide(self, decided: Decided) -> None:
        at = (START + timedelta(minutes=decided.at)).timestamp()
        note = f"decision of minute {decided.at}"
        if decided.act == "revert":
            self._revert(decided, at, note)
            return
        target = f"/suppressions/{decided.recipient}"
        if decided.act == "release":
            query = f"note={note.replace(' ', '+')}&force={str(decided.force).lower()}"
            answer = self.ask("query", "DELETE", f"{target}?{query}", pinned=at)
        else:
            answer = self.ask("query", "PUT", target, {"note": note}, pinned=at)
        if answer["status"] not in (200, 201):
            raise Unexpected(f"{decided.act} is answered {answer['status']}: {answer['body']}")

    def _revert(self, decided: Decided, at: float, note: str) -> None:
        for _ in range(_ATTEMPTS):
            found = self.ask("query", "GET", "/incidents", pinned=at)["body"]["incidents"]
            incidents = [each for each in found if each["domain"] == decided.recipient]
            if incidents:
                target = f"/incidents/{incidents[0]['id']}/decision"
                if self.ask("query", "PUT", target, {"decision": "revert", "note": note}, at)["status"] == 204:
                    return
            self.scheduler.pause(1)
        raise Unexpected("an incident is not listed")

    def _erase(self, erased: Erased) -> None:
        answer = self.ask("list_jobs", "DELETE", f"/recipients/{erased.recipient}")
        if answer["status"] != 200:
            raise Unexpected(f"an erasure is answered {answer['status']}: {answer['body']}")


def _make_clock(world: World) -> type[datetime]:
    class Clock(datetime):
        """`datetime` whose present is the world's."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(world._now(), tz)

    return Clock


def _load(function: str) -> ModuleType:
    """Return the function's module, made anew: a new process."""
    spec = importlib.util.spec_from_file_location(f"simulated_{function}", ROOT / "functions" / function / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("logger", "metrics"):
        if hasattr(module, name):
            setattr(module, name, _Silent())
    return module


class _Silent:
    """Logs and counts nothing."""

    service = "simulation"

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments, **_named: None


def _answer_partly(request: Json, act: Callable[..., Any]) -> Json:
    """BatchGetItem under load: some keys are left unprocessed."""
    [(table, wanted)] = request["RequestItems"].items()
    half = len(wanted["Keys"]) // 2
    done, left = wanted["Keys"][:half], wanted["Keys"][half:]
    found = act(RequestItems={table: {**wanted, "Keys": done}})["Responses"] if done else {table: []}
    return {"Responses": found, "UnprocessedKeys": {table: {**wanted, "Keys": left}}}


def _refuse_one(request: Json, act: Callable[..., Any]) -> Json:
    """SendMessageBatch of which the last entry is not taken."""
    *entries, last = request["Entries"]
    done = act(**{**request, "Entries": entries}) if entries else {"Successful": []}
    return {**done, "Failed": [{"Id": last["Id"], "Code": "InternalError", "SenderFault": False}]}


def _stream_record(place: int, before: Json | None, after: Json | None) -> Json:
    images = {"OldImage": before, "NewImage": after, "SequenceNumber": str(place)}
    return {"eventSource": "aws:dynamodb", "dynamodb": {name: each for name, each in images.items() if each}}


def _digest(value: Any) -> str:
    return blake2b(msgspec.json.encode(value, order="sorted"), digest_size=6).hexdigest()


def _base64(body: str) -> str:
    return base64.b64encode(body.encode()).decode()

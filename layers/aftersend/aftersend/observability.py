"""What functions report of their work: lines of log, and metrics by source. Addresses appear only as keyed digests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from aftersend.core.digest import digest

if TYPE_CHECKING:  # a function needs one of these, and does not wait for the others to be imported
    from aws_lambda_powertools import Logger, Metrics

    from aftersend.jobs.poll_mns import PollResult
    from aftersend.jobs.reevaluate import ReevaluationJob
    from aftersend.jobs.replay import ReplayJob
    from aftersend.jobs.runner import RunResult
    from aftersend.jobs.ses_sync import SyncResult
    from aftersend.jobs.streams import StreamResult
    from aftersend.lists.job import ListJob
    from aftersend.outgoing.incidents import IncidentsResult
    from aftersend.outgoing.sender import SendReport
    from aftersend.ports import BatchReport
    from aftersend.webhooks.receive import PushResponse

_T = TypeVar("_T")

NAMESPACE: Final = "Aftersend"  # of all metrics, as alarms and dashboard in template.yaml name it

# What the dashboard's graphs read. CloudWatch asks 30 cents a month for each of these and each source; every count, the
# reasons and the causes too, stands in the lines of the log, for which the template has queries.
_METRICS: Final = frozenset({"FeedbackDelivered", "FeedbackBounced", "FeedbackComplained", "Suppressed"})
_TOTALS: Final = ("Feedback", "Suppressed")  # over all kinds, over all causes


def make_logger(service: str | None = None, stream: IO[str] | None = None) -> Logger:
    """Make a logger that writes one line of JSON, with an encoder that takes a fifth of the time of Powertools' own.

    What is logged here is named by words; Powertools would try to read each of them as JSON first.
    """
    from aws_lambda_powertools import Logger  # noqa: PLC0415  # not all who report log

    return Logger(service=service, stream=stream, json_serializer=_encode_line, json_deserializer=str)


def make_metrics() -> Metrics:
    """Make what writes metrics of this stack, whose name Powertools reads from the function's variables."""
    from aws_lambda_powertools import Metrics  # noqa: PLC0415  # as above

    return Metrics(namespace=NAMESPACE)


def _encode_line(line: Mapping[str, Any]) -> str:
    return msgspec.json.encode(line, enc_hook=str).decode()


def report_batch(report: BatchReport, key: bytes, logger: Logger, metrics: Metrics, *, graphs: bool) -> None:
    """Write a line for each source in a batch, and its metrics where there are `graphs`; `key` is that of the digests.

    Whom the batch has suppressed stands in its first line, whichever source said so.
    """
    suppressed = [f"{digest(who, key)} {cause}" for who, cause in report.suppressed[:50]]
    for source, numbers in (report.sum_by_source() or {"": {}}).items():
        counts = numbers | _add_up(numbers)
        if graphs:
            _write_metrics({name: number for name, number in counts.items() if name in _METRICS}, metrics, source)
        failed = _choose(report.failed, source, report)
        log = logger.warning if failed else logger.info
        log(
            "batch",
            extra={
                "source": source,
                "counts": counts,
                "age": report.ages.get(source),
                "suppressed": suppressed,
                "unreadable": _choose(report.unreadable, source, report),
                "failed": failed,
                "waiting": [*_choose(dict.fromkeys(sorted(report.waiting)), source, report)],
                "handed_back": [*_choose(dict.fromkeys(sorted(report.handed_back)), source, report)],
            },
        )
        suppressed = []
    # Of all sources together: alarms about a function do not know which it has met.
    _write_metrics({"Failed": len(report.failed)} if report.failed else {}, metrics)


def _add_up(counts: Mapping[str, int]) -> dict[str, int]:
    totals = {total: sum(number for name, number in counts.items() if name.startswith(total)) for total in _TOTALS}
    return {name: number for name, number in totals.items() if number}


def _choose(by_id: Mapping[str, _T], source: str, report: BatchReport) -> dict[str, _T]:
    """Choose from what is known of messages, by their ids, what is of this source: as much as a line should hold."""
    if not by_id:
        return {}
    return dict(list({id_: each for id_, each in by_id.items() if report.sources.get(id_, "") == source}.items())[:10])


def _write_metrics(counts: Mapping[str, int], metrics: Metrics, source: str = "") -> None:
    if not counts:
        return  # there would be no metric to write
    if source:
        metrics.add_dimension("source", source)
    for name, number in counts.items():
        metrics.add_metric(name, MetricUnit.Count, number)
    metrics.flush_metrics()


def report_lying(
    queues: Mapping[str, int], logger: Logger, metrics: Metrics, *, dead_letters: int, dead_jobs: int
) -> None:
    """Count for the alarms what lies in dead-letter queues, and log in which; nothing is written where nothing lies."""
    counts = {"DeadLetters": dead_letters, "DeadJobs": dead_jobs}
    _write_metrics({name: number for name, number in counts.items() if number}, metrics)
    if queues:
        logger.warning("lying", extra={"queues": queues})


def report_push(response: PushResponse, logger: Logger, metrics: Metrics) -> None:
    """Log a push that was not accepted, without its path, which may hold a secret; an alarm counts those unproven."""
    if response.result == "VerificationFailed":
        _write_metrics({response.result: 1}, metrics)
    if response.result != "Accepted":
        details = {name: getattr(response, name) for name in ("source", "scheme", "code", "reason")}
        log = logger.error if response.status >= 500 else logger.info if response.status < 300 else logger.warning
        log(response.result, extra={name: text for name, text in details.items() if text})


def report_poll(done: PollResult, logger: Logger) -> None:
    """Log what was fetched out of queues of MNS."""
    logger.info("drained", extra=msgspec.to_builtins(done))


def report_sync(done: SyncResult, logger: Logger) -> None:
    """Log what was brought to the suppression list of Amazon SES."""
    log = logger.error if done.failed else logger.info
    log("synced", extra={**done.counts, "failed": done.failed, "why": done.why})


def report_incidents(done: IncidentsResult, logger: Logger) -> dict[str, Any]:
    """Log what was published of incidents, and return the answer that hands back what must come again."""
    log = logger.error if done.failed else logger.info
    log("incidents", extra={"published": done.published, "failed": done.failed, "why": done.why})
    return _hand_back({done.failed: done.why} if done.failed else {})


def report_webhooks(done: SendReport, logger: Logger, metrics: Metrics) -> dict[str, Any]:
    """Count and log what became of webhooks, and return the answer that hands back those that must come again."""
    for name, number in done.counts.items():
        metrics.add_metric(f"Webhook{name}", MetricUnit.Count, number)
    metrics.flush_metrics()
    log = logger.warning if done.failed or done.parked else logger.info
    log(
        "webhooks",
        extra={
            "counts": done.counts,
            "waiting": dict(list(done.failed.items())[:10]),
            "parked": dict(list(done.parked.items())[:10]),
        },
    )
    return _hand_back(done.failed)


def report_streams(done: StreamResult, logger: Logger) -> None:
    """Log what was counted of a batch of a stream; a record that is parked is an error line of its own."""
    for number, why in done.parked.items():
        logger.error("parked", extra={"sequence": number, "why": why})
    log = logger.warning if done.failed else logger.info
    log("changes", extra={"counts": +done.counts, "failed": done.failed, "why": done.why})


def report_reevaluation(job: ReevaluationJob, logger: Logger) -> None:
    """Log how far a segment is, and at its end what became, or would become, of it."""
    details = {"run": job.run, "segment": job.segment, "segments": job.segments, "dry_run": job.dry_run}
    if job.after is not None:
        logger.info("re-evaluating", extra=details | {"counts": job.changes.counts})
    else:
        logger.info("re-evaluated", extra=details | msgspec.to_builtins(job.changes))


def report_replay(job: ReplayJob, ended: bool, logger: Logger) -> None:
    """Log how far a replay is."""
    details = {"run": job.run, "replayed": job.source, "folder": job.folder, "counts": job.counts}
    logger.info("replayed" if ended else "replaying", extra=details)


def report_jobs(done: RunResult, logger: Logger) -> dict[str, Any]:
    """Log which messages were not done, and return the answer that hands back those that must come again."""
    for what, why in (done.failed | done.parked).items():
        logger.error("not done", extra={"message_id": what, "why": why})
    return _hand_back(done.failed)


def report_list_jobs(jobs: Sequence[ListJob], failed: Mapping[str, str], logger: Logger) -> dict[str, Any]:
    """Log how far list jobs are, and return the answer that hands back those messages that must come again."""
    from aftersend.api.list_job_schemas import summarize_job  # noqa: PLC0415  # of one function alone

    for job in jobs:
        details = msgspec.to_builtins(summarize_job(job))
        del details["by"]  # the name of a session is often somebody's address; the job itself has it
        if "tried" in details:
            del details["tried"]["examples"]  # what servers said is no part of a log
        logger.info("worked", extra=details)
    for id_, why in failed.items():
        logger.error("not worked", extra={"message_id": id_, "why": why})
    return _hand_back(failed)


def _hand_back(failed: Mapping[str, str]) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}

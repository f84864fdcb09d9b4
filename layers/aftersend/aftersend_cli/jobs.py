"""`aftersend jobs`, `import`, `export` and `revert`: what works on whole lists, followed until it is done."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from functools import partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from aftersend_cli.asked import add_note, pages, read_number
from aftersend_cli.asking import confirm_change
from aftersend_cli.endpoint import Endpoint, Query, encode
from aftersend_cli.errors import CommandError, UsageError
from aftersend_cli.output import Output
from aftersend_cli.spans import read_moment
from aftersend_cli.trials import show_trial
from aftersend_cli.uploads import upload

AT_ONCE: Final = 4_000_000  # bytes of a list that a request carries; a larger one is uploaded
FIRST_PAUSE: Final = 2.0  # seconds between two looks at a job; they grow
LONGEST_PAUSE: Final = 15.0
_TYPES: Final = {".csv": "text/csv", ".tsv": "text/csv", ".txt": "text/csv", ".jsonl": "application/x-ndjson"}
_MORE: Final = frozenset({"queued", "running"})
_BAR: Final = 24  # columns
_REFUSED: Final = 10  # rows that are shown
_LISTED: Final = 50  # jobs, unless more are asked for
_COUNTED: Final = ("new", "updated", "unchanged", "skipped", "invalid", "lifted")


def follow(job: dict[str, Any], api: Endpoint, rows: int | None = None) -> dict[str, Any]:
    """Follow a job until it is done, with its progress on standard error; raises CommandError where it failed.

    `rows` is how many there are, as far as that is known: then a terminal has a bar.
    """
    pause = FIRST_PAUSE
    try:
        while job["state"] in _MORE:
            _show_progress(job, rows)
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
            job = api.ask("GET", f"/jobs/{encode(job['id'])}").json()
    except KeyboardInterrupt:
        sys.stderr.write(f"\nThe stack works on without this: aftersend jobs {job['id']} shows how far it is.\n")
        raise
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    if job["state"] == "failed":
        raise CommandError(f"job {job['id']} failed: {job.get('why', '')}")
    return job


def _show_progress(job: dict[str, Any], rows: int | None) -> None:
    done = _find_counts(job)
    counted = ", ".join(f"{value:,} {name}" for name, value in done.items() if isinstance(value, int) and value)
    line = f"{job['job']} {job['id']}: {job['state']} {counted}"
    if not sys.stderr.isatty():
        sys.stderr.write(f"{line}\n")
    else:
        if rows and "rows" in done:
            line = f"{draw_bar(done['rows'], rows)} {job['state']}: {counted}"
        sys.stderr.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
    sys.stderr.flush()


def draw_bar(done: int, of: int) -> str:
    """Draw how much of a whole is done; more than the whole, which is estimated, is the whole."""
    share = min(done / of, 1.0)
    full = int(share * _BAR)
    return f"[{'#' * full}{'.' * (_BAR - full)}] {share:4.0%}"


def _find_counts(job: dict[str, Any]) -> dict[str, Any]:
    return (
        job.get("imported")
        or job.get("exported")
        or job.get("reverted")
        or job.get("dropped")
        or job.get("tried")
        or {}
    )


def _show_job(job: dict[str, Any], output: Output) -> None:
    if output.as_json:
        output.write_json(job)
        return
    dry = " (a dry run: nothing was written)" if job.get("dry_run") else ""
    output.write(f"{job['job']} {job['id']}: {job['state']}{dry}", "bold")
    if (imported := job.get("imported")) is not None:
        counted = ", ".join(f"{imported.get(name, 0)} {name}" for name in _COUNTED)
        output.write(f"{imported.get('rows', 0)} rows: {counted}")
        errors = imported.get("errors", ())
        output.table(("line", "why it is refused"), [(str(each["line"]), each["why"]) for each in errors[:_REFUSED]])
        if len(errors) > _REFUSED:
            output.remark(f"These are the first {_REFUSED}; import --rejects FILE writes all of them.")
    if (exported := job.get("exported")) is not None:
        output.write(f"{exported['rows']} rows")
    if (reverted := job.get("reverted")) is not None:
        output.write(f"{reverted['found']} found, {reverted['changed']} changed, {reverted['freed']} freed")
    if (dropped := job.get("dropped")) is not None:
        read = f"{dropped['read']:,} of {dropped['size']:,} bytes"
        output.write(f"{dropped['file']}: {read}, {dropped['sent']:,} bodies sent, {dropped['parked']:,} unreadable")
    if (tried := job.get("tried")) is not None:
        show_trial(tried, output)
    if job.get("why"):
        output.write(job["why"], "bad")


# ---- aftersend jobs -------------------------------------------------------------------------------------------------


def _declare_jobs(parser: argparse.ArgumentParser) -> None:
    about = "of a job that was begun: the import, export or revert said it; without it, jobs are listed"
    parser.add_argument("job", nargs="?", metavar="ID", help=about)
    parser.add_argument(
        "--kind", choices=("import", "export", "outcomes", "revert", "drop", "trial"), help="list only these"
    )
    parser.add_argument("--state", metavar="NAME", help="list only these: waiting, queued, running, done or failed")
    parser.add_argument("--most", type=read_number, metavar="N", help=f"the newest N alone (default {_LISTED})")


def _run_jobs(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    if options.job:
        _show_job(api.ask("GET", f"/jobs/{encode(options.job)}").json(), output)
        return 0
    found = pages(api, "/jobs", {"job": options.kind, "state": options.state}, "jobs")
    rows = []
    for each in islice(found, options.most or (None if output.as_json else _LISTED)):
        output.write_json(each) if output.as_json else rows.append(_make_row(each, output))
    if not output.as_json:
        output.table(("id", "job", "state", "begun", "by", "what came of it"), rows)
        output.remark(f"{len(rows)} jobs, the newest first." if rows else "There are none of the last thirty days.")
    return 0


def _make_row(job: dict[str, Any], output: Output) -> tuple[str, ...]:
    counted = ", ".join(
        f"{value:,} {name}" for name, value in _find_counts(job).items() if isinstance(value, int) and value
    )
    dry = "dry run: " if job.get("dry_run") else ""
    by = job["by"].rpartition("/")[2]
    return (
        job["id"],
        job["job"],
        job["state"],
        output.moment(job["created_at"]),
        by,
        job.get("why") or f"{dry}{counted}",
    )


# ---- aftersend import -----------------------------------------------------------------------------------------------


def _declare_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="CSV, JSON or JSON Lines: a provider's list, or one of yours")
    parser.add_argument("--format", metavar="NAME", help="which list it is, where its columns do not say it")
    parser.add_argument("--stream", metavar="NAME", help="of complaints and unsubscriptions that name none")
    parser.add_argument(
        "--at", type=read_moment, metavar="TIME", help="the time of rows that have none: 2026-03-01T00:00:00Z"
    )
    parser.add_argument(
        "--full", action="store_true", help="it is all of the provider's list at --at: lift who is not in it any more"
    )
    parser.add_argument("--apply", action="store_true", help="import it; without this, it is a dry run and no more")
    parser.add_argument(
        "--rejects", metavar="FILE", help="write the rows that are refused or skipped there, each with its reason"
    )


def _run_import(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    path = Path(options.file)
    if not path.is_file():
        raise UsageError(f"{options.file}: there is no such file")
    if options.rejects and path.resolve() == Path(options.rejects).resolve():
        raise UsageError(f"{options.rejects} is the list itself: name another file for what is refused")
    tried = _try(path, options, api)
    if options.rejects:
        _write_rejects(path, tried, options, output)
    if not options.apply:
        _show_job(tried, output)
        return 0
    counted = ", ".join(f"{tried['imported'].get(name, 0)} {name}" for name in _COUNTED)
    confirm_change(f"{path.name}: {counted}", "Import it.", yes=options.yes)
    job = api.ask("POST", f"/jobs/{encode(tried['id'])}/apply").json()  # of the file as it was tried
    _show_job(follow(job, api, tried["imported"]["rows"]), output)
    return 0


def _estimate_rows(path: Path) -> int | None:
    """Count the lines of a list that has a row in each; None for a JSON document."""
    if path.suffix.lower() not in _TYPES:
        return None
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(partial(file.read, 1 << 20), b""))


def _try(path: Path, options: argparse.Namespace, api: Endpoint) -> dict[str, Any]:
    """Make a dry run of a list, and return its job once it is done."""
    at, rows = options.at.isoformat() if options.at else None, _estimate_rows(path)
    query: Query = {"dry_run": True, "format": options.format, "scope": options.stream, "at": at}
    query = {**query, "full": options.full or None}
    size = path.stat().st_size
    if size <= AT_ONCE:
        headers = {"content-type": _TYPES.get(path.suffix.lower(), "application/json")}
        got = api.ask("POST", "/suppressions/import", query, path.read_bytes(), headers)
        return follow(got.json(), api, rows)
    job = api.ask("POST", "/suppressions/import/uploads", {**query, "bytes": size}).json()
    with path.open("rb") as body:
        upload(body, job["upload"]["url"], size)
    return follow(api.ask("POST", f"/jobs/{encode(job['id'])}/start").json(), api, rows)


def _write_rejects(path: Path, tried: dict[str, Any], options: argparse.Namespace, output: Output) -> None:
    from aftersend_cli.rejects import write_rejects  # noqa: PLC0415  # reads rows, which no other command here does

    found = write_rejects(path, Path(options.rejects), tried.get("format"), options.at)
    output.remark(f"{options.rejects}: {found.invalid} refused rows, {found.skipped} skipped.")
    theirs = tried["imported"].get("invalid", 0), tried["imported"].get("skipped", 0)
    if theirs != found:
        said = f"{theirs[0]} refused and {theirs[1]} skipped"
        output.remark(f"The stack says {said}: its own rules, policy or version judge some rows otherwise.")


# ---- aftersend export -----------------------------------------------------------------------------------------------


def _declare_export(parser: argparse.ArgumentParser) -> None:
    about = "of the file (default: csv; with --json, jsonl)"
    parser.add_argument("--format", choices=("csv", "jsonl", "addresses", "tokens"), help=about)
    parser.add_argument("--channel", choices=("email", "sms", "push"), help="one channel; addresses need it")
    parser.add_argument("--stream", metavar="NAME", help="what holds for one stream")
    parser.add_argument("--all", action="store_true", help="what does not hold any more, too")
    parser.add_argument("-o", "--output", metavar="FILE", help="write it there; without it, to standard output")


def _run_export(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    query: Query = {
        "format": options.format or ("jsonl" if output.as_json else "csv"),
        "channel": options.channel,
        "scope": options.stream,
        "active": not options.all,
        "limit": 1000,
    }
    target = Path(options.output).open("wb") if options.output else None  # noqa: SIM115  # closed below, or not ours
    rows, cursor = 0, None
    try:
        while True:
            page = api.ask("GET", "/suppressions/export", {**query, "cursor": cursor})
            (target or sys.stdout.buffer).write(page.read_file())
            rows += page.body.count(b"\n")
            cursor = page.headers.get("next-cursor")
            if cursor is None:
                break
    finally:
        if target is not None:
            target.close()
    if target is not None:
        output.show({"file": options.output, "lines": rows}, f"{rows} lines are in {options.output}.")
    return 0


# ---- aftersend revert -----------------------------------------------------------------------------------------------


def _declare_revert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("domain", metavar="DOMAIN", help="whose accident it was: example.com, sms, push:apns")
    parser.add_argument("--reason", required=True, metavar="REASON", help="that it gave: user_unknown")
    parser.add_argument("--since", required=True, metavar="TIME", help="2026-03-02T08:00:00Z")
    parser.add_argument("--until", required=True, metavar="TIME", help="2026-03-02T14:00:00Z")
    parser.add_argument("--force", action="store_true", help="people's own wishes, too")
    parser.add_argument("--apply", action="store_true", help="do it; without this, it is a dry run and no more")
    add_note(parser)


def _run_revert(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    body = {name: getattr(options, name) for name in ("domain", "reason", "since", "until", "note", "force")}
    tried = follow(api.ask("POST", "/suppressions/revert", body=body | {"dry_run": True}).json(), api)
    if not options.apply:
        _show_job(tried, output)
        return 0
    would = tried["reverted"]
    said = f"{would['found']} suppressions of {options.domain} have such evidence, {would['freed']} would be free"
    confirm_change(said, f"Take it back: “{options.note}”", yes=options.yes)
    _show_job(follow(api.ask("POST", "/suppressions/revert", body=body | {"dry_run": False}).json(), api), output)
    return 0


jobs: Final = SimpleNamespace(arguments=_declare_jobs, run=_run_jobs)
import_list: Final = SimpleNamespace(arguments=_declare_import, run=_run_import)
export_list: Final = SimpleNamespace(arguments=_declare_export, run=_run_export)
revert: Final = SimpleNamespace(arguments=_declare_revert, run=_run_revert)

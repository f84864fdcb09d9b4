"""Readers of bounces side by side: this package, flufl.bounce, and Sisimai where Perl has it (libsisimai-perl).

    python -m tests.bench readers                    (AFTERSEND_CORPUS=DIR for published mails, too)

Of mails that report a failure or a delay: in how many anything is recognised, in how many exactly the right recipients
are found, and of how many of those recipients it is said right whether they are dead, and why. Of all others: of how
many nothing is claimed to have failed. The expectations of our own mails are ours, of published ones Sisimai's, so each
is at home on one of them. Reasons have other names there: those that mean the same are taken for the same.

Below each table stands in what this package differs from the expectation on whether a recipient is dead: what it says,
what is expected, in how many recipients, and in which mails. What to think of each kind stands in docs/package.md.
"""

from __future__ import annotations

import email
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import aftersend
from aftersend import MalformedFeedback
from aftersend.core.model import BY_MAIL, Kind
from aftersend.core.recipient import canonicalize_email
from local.samples import samples
from tests.bench import table
from tests.support.package import unpack_wheel

SCRIPT: Final = Path(__file__).with_suffix(".pl")
ROUNDS: Final = 3
BOUNCES: Final = frozenset({Kind.BOUNCED, Kind.DEFERRED, Kind.REJECTED})
_NO_FAILURE: Final = frozenset({"feedback", "vacation", "delivered"})  # as Sisimai calls them
_NOT_FAILURES: Final = frozenset({"arf", "autoreply"})  # kinds of published mails
# What Sisimai calls a reason, and what we do; where it knows fewer, one of its names stands for several of ours.
SAME: Final[dict[str, frozenset[str]]] = {
    "userunknown": frozenset({"user_unknown", "invalid_address"}),
    "hasmoved": frozenset({"user_unknown", "mailbox_disabled"}),
    "suspend": frozenset({"mailbox_disabled"}),
    "hostunknown": frozenset({"invalid_domain"}),
    "notaccept": frozenset({"invalid_domain"}),
    "mailboxfull": frozenset({"mailbox_full"}),
    "filtered": frozenset({"recipient_refused", "user_unknown"}),
    "exceedlimit": frozenset({"message_too_large"}),
    "mesgtoobig": frozenset({"message_too_large"}),
    "expired": frozenset({"expired", "network_error"}),
    "networkerror": frozenset({"network_error", "dns_failure"}),
    "systemerror": frozenset({"system_error"}),
    "mailererror": frozenset({"system_error"}),
    "systemfull": frozenset({"system_error"}),
    "syntaxerror": frozenset({"protocol_error"}),
    "toomanyconn": frozenset({"rate_limited"}),
    "speeding": frozenset({"rate_limited"}),
    "blocked": frozenset({"blocked", "dns_failure"}),
    "badreputation": frozenset({"blocked"}),
    "requireptr": frozenset({"blocked", "auth_failed"}),
    "authfailure": frozenset({"auth_failed"}),
    "norelaying": frozenset({"relay_denied"}),
    "rejected": frozenset({"sender_rejected"}),
    "spamdetected": frozenset({"spam_content"}),
    "policyviolation": frozenset({"policy_rejected"}),
    "securityerror": frozenset({"policy_rejected", "auth_failed"}),
    "notcompliantrfc": frozenset({"content_rejected", "policy_rejected"}),
    "contenterror": frozenset({"content_rejected"}),
    "virusdetected": frozenset({"content_rejected"}),
    "undefined": frozenset({"undetermined"}),
    "onhold": frozenset({"undetermined"}),
}


class Said(NamedTuple):
    """What is said of one recipient; None for what a reader does not say."""

    dead: bool | None
    reasons: frozenset[str] | None  # that it may be, in our words
    word: str = ""  # the reason in words of its own


class Mail(NamedTuple):
    """One mail, and what is right: nobody where nothing failed."""

    path: Path
    raw: bytes
    right: dict[str, Said]


Answer = dict[str, Said] | None  # by recipient; None where reading stopped with an exception


class Reading(NamedTuple):
    """What a reader made of all mails, and seconds of CPU for each."""

    answers: list[Answer]
    seconds: float


def list_own() -> Iterator[Mail]:
    """Yield the mails among our samples, with the failures and delays that each should report."""
    for sample in samples():
        if sample.source != BY_MAIL or sample.path.suffix != ".eml":
            continue
        given = json.loads(sample.expectation.read_text()).get("feedback", ())
        expected = [fact for fact in given if fact["kind"] in BOUNCES]
        right = {each["recipient"]: _say(each["verdict"]["class"], each["verdict"]["reason"]) for each in expected}
        yield Mail(sample.path, sample.body(), right)


def _list_published(corpus: Path) -> Iterator[Mail]:
    for line in (corpus / "mails.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        named = [] if row["kind"] in _NOT_FAILURES else row["expected"]
        right = {
            canonicalize_email(each["recipient"]): Said(
                each["hardbounce"], SAME.get(each["reason"], frozenset()), each["reason"]
            )
            for each in named
        }
        yield Mail(corpus / row["file"], (corpus / row["file"]).read_bytes(), right)


# ---- Readers ---------------------------------------------------------------------------------------------------------


def read_ours(mail: bytes) -> Answer:
    """Return what this package finds."""
    try:
        facts = [fact for fact in aftersend.parse_mail(mail) if fact.kind in BOUNCES]
    except MalformedFeedback:
        return {}
    judged = {fact.recipient: aftersend.judge(fact) for fact in facts}
    return {name: _say(each.klass, each.reason) for name, each in judged.items() if each}


def _say(klass: str, reason: str) -> Said:
    return Said(klass == "hard", frozenset({reason}), f"{klass} {reason}")


def read_flufl(mail: bytes) -> Answer:
    """Return what flufl.bounce finds."""
    from flufl.bounce import all_failures  # imported by the side that is measured

    try:
        temporary, permanent = all_failures(email.message_from_bytes(mail))
    except (LookupError, ValueError):
        return None
    found = {each: each in permanent for each in {*temporary, *permanent}}
    return {canonicalize_email(each.decode("utf-8", "replace")): Said(dead, None) for each, dead in found.items()}


def read_all(read: Callable[[bytes], Answer], mails: Sequence[Mail]) -> Reading:
    """Return what a reader in Python makes of all of them."""
    answers: list[Answer] = []
    taken = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        answers = [read(each.raw) for each in mails]
        taken.append(time.process_time() - begun)
    return Reading(answers, median(taken) / len(mails))


def read_by_sisimai(mails: Sequence[Mail]) -> Reading:
    """Return what Sisimai makes of all of them, read in one process."""
    command = ["perl", str(SCRIPT), *(str(each.path) for each in mails)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout.splitlines()
    read = [json.loads(line) for line in lines]
    answers: list[Answer] = [None if each["failed"] else _take_sisimai(each["found"]) for each in read]
    return Reading(answers, sum(each["seconds"] for each in read) / len(mails))


def _take_sisimai(found: Sequence[dict[str, str]]) -> Answer:
    return {
        canonicalize_email(each["recipient"]): Said(int(each["soft"]) == 0, SAME.get(each["reason"], frozenset()))
        for each in found
        if each["reason"] not in _NO_FAILURE
    }


def find_sisimai() -> str:
    """Return its version; "" where there is none."""
    if not shutil.which("perl"):
        return ""
    command = ["perl", "-MSisimai", "-e", "print Sisimai->version"]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60).stdout


# ---- The table -------------------------------------------------------------------------------------------------------


def judge(mails: Sequence[Mail], answers: Sequence[Answer]) -> list[str]:
    """Return the cells of a reader's row: recognised, recipients, hard or not, reason, silence, exceptions."""
    pairs = list(zip(mails, answers, strict=True))
    failing = [(mail.right, answer or {}) for mail, answer in pairs if mail.right]
    named = [(said, answer[who]) for right, answer in failing for who, said in right.items() if who in answer]
    dead = [(said.dead, got.dead) for said, got in named if got.dead is not None]
    why = [(said.reasons, got.reasons) for said, got in named if got.reasons is not None]
    return [
        _share(sum(bool(answer) for _, answer in failing), len(failing)),
        _share(sum(answer.keys() == right.keys() for right, answer in failing), len(failing)),
        _share(sum(one == other for one, other in dead), len(dead)),
        _share(sum(bool((one or set()) & (other or set())) for one, other in why), len(why)),
        _share(sum(not answer for mail, answer in pairs if not mail.right), len(pairs) - len(failing)),
        str(sum(answer is None for answer in answers)),
    ]


class Difference(NamedTuple):
    """What a reader says otherwise than expected on whether recipients are dead, and of which."""

    said: str
    expected: str
    mails: list[str]  # one for each recipient


def group_differences(mails: Sequence[Mail], answers: Sequence[Answer]) -> list[Difference]:
    """Return in what a reader differs from the expectations, by what both call it, the most frequent first."""
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for mail, answer in zip(mails, answers, strict=True):
        for who, right in mail.right.items():
            got = (answer or {}).get(who)
            if got and got.dead is not None and got.dead != right.dead:
                expected = f"{'hard' if right.dead else 'not hard'}, {right.word}"
                kinds[got.word, expected].append(mail.path.stem)
    found = [Difference(*kind, names) for kind, names in kinds.items()]
    return sorted(found, key=lambda each: (-len(each.mails), each.said, each.expected))


def _show_differences(found: Sequence[Difference]) -> None:
    rows = [[each.said, each.expected, str(len(each.mails))] for each in found]
    notes = [f"{each.said} | {each.expected}: {' '.join(dict.fromkeys(each.mails))}" for each in found]
    table.show("Hard or not: where aftersend differs", ("aftersend", "expected", "recipients"), rows, notes)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else "-"


def _measure_import(*command: str) -> float:
    """Milliseconds of CPU that a process takes for an import, beyond those of one that imports nothing."""
    bare = [command[0], "-e" if command[0] == "perl" else "-c", "1"]
    return 1000 * (_measure_process(command) - _measure_process(bare))


def _measure_process(command: Sequence[str]) -> float:
    taken = []
    for _ in range(ROUNDS * 3):
        before = getrusage(RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        after = getrusage(RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return median(taken)


HEAD: Final = ("", "recognised", "recipients", "hard or not", "reason", "silent", "stopped", "CPU a mail", "import")


def main() -> None:
    """Print a table for our own mails, and one for published ones where they are named."""
    logging.disable(logging.CRITICAL)  # flufl.bounce tells of each detector that has failed
    version = find_sisimai()
    imports = {
        "aftersend": _measure_import(sys.executable, "-c", "import aftersend; aftersend.parse_mail, aftersend.judge"),
        "flufl.bounce": _measure_import(sys.executable, "-c", "import flufl.bounce"),
    }
    if version:
        imports[f"Sisimai {version}"] = _measure_import("perl", "-MSisimai", "-e", "1")
    else:
        sys.stdout.write("Sisimai is not measured: this machine's Perl has none (apt-get install libsisimai-perl)\n")
    sets = {"our own mails": list(list_own())}
    if corpus := os.environ.get("AFTERSEND_CORPUS"):
        sets["published mails, as Sisimai expects them"] = list(_list_published(Path(corpus)))
    for title, mails in sets.items():
        readings = [read_all(read_ours, mails), read_all(read_flufl, mails)]
        readings += [read_by_sisimai(mails)] if version else []
        rows = [
            [name, *judge(mails, got.answers), f"{1000 * got.seconds:.2f} ms", f"{imports[name]:.0f} ms"]
            for name, got in zip(imports, readings, strict=True)
        ]
        table.show(f"Readers of bounces: {len(mails)} of {title}", HEAD, rows)
        if differences := group_differences(mails, readings[0].answers):
            _show_differences(differences)
    wheel, unpacked = _measure_wheel()
    sizes = [("wheel", f"{wheel / 1024:.0f} KB"), ("installed", f"{unpacked / 1024:.0f} KB")]
    table.show("The package", ("what", "size"), sizes)


def _measure_wheel() -> tuple[int, int]:
    """Build the wheel; its bytes, and those of what it installs."""
    with TemporaryDirectory() as place:
        site = unpack_wheel(Path(place))
        (wheel,) = Path(place).glob("*.whl")
        return wheel.stat().st_size, sum(each.stat().st_size for each in site.rglob("*") if each.is_file())


if __name__ == "__main__":
    main()

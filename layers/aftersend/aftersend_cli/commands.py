"""The commands: one table says of each what it does, whom it asks, and whether it asks before it writes.

Help, completion, the page of the command and the tests that every command has to pass follow from this table; nothing
else lists commands.
"""

from __future__ import annotations

from enum import Enum
from importlib import import_module
from typing import Any, Final, NamedTuple


class Asks(Enum):
    """Whom a command asks: that decides which options it takes, and what its `run` is given."""

    API = "the HTTP API of a stack"  # run(options, endpoint, output)
    STACK = "a stack itself"  # run(options, stack, output)
    NAMED = "what its own arguments name"  # run(options, output)
    NOBODY = "nobody: it works on this machine alone"  # run(options, output)


class Command(NamedTuple):
    """One command: what it does, an example of each of its uses, and whether it asks before it writes."""

    place: str  # the module that has `arguments` and `run`, and behind a colon what in it has them
    asks: Asks
    help: str
    examples: tuple[str, ...]
    writes: bool = False
    of_stack: str = ""  # the place for when a stack is named: it looks into the stack itself then


def load(place: str) -> Any:
    """Return what has `arguments` and `run`; a command imports nothing that only others need."""
    module, _, attribute = place.partition(":")
    found = import_module(f"aftersend_cli.{module}")
    return getattr(found, attribute) if attribute else found


COMMANDS: Final = {
    "why": Command(
        "why",
        Asks.API,
        "say in one sentence whether somebody is written to, why, since when, and whether it may be lifted",
        ("ann@example.com --stack aftersend", "ann@example.com --stream news", "- --json < address.txt"),
    ),
    "message": Command(
        "message",
        Asks.API,
        "show what became of a message, with every report and what decided",
        ("ses:0102-b2 --to ann@example.com", "order=4711"),
    ),
    "check": Command(
        "check",
        Asks.API,
        "say which of these may be written to",
        ("list.txt --stream news", "--allowed < list.txt > allowed.txt", "--recipient ann@example.com"),
    ),
    "outcomes": Command(
        "outcomes:outcomes",
        Asks.API,
        "list what went wrong, the newest first, and say how far that was looked",
        (
            "--since 24h",
            "--since 7d --reason mailbox_full --system gmail",
            "--from 2026-03-01 --to 2026-04-01 --csv > march.csv",
        ),
    ),
    "problems": Command(
        "outcomes:problems",
        Asks.API,
        "show what went wrong in groups, the largest first: why, where, in whose words, and whose it is to mend",
        ("--since 24h", "--since 7d --sender @news.example.com", "--class block --json"),
    ),
    "stats": Command(
        "stats",
        Asks.API,
        "count what became of messages, with rates beside the limits that Amazon SES judges by",
        ("--since 30d", "--by system --since 7d", "--by reason --from 2026-03-01 --to 2026-03-31 --csv > march.csv"),
    ),
    "status": Command("status", Asks.API, "say whether anything is stuck", ("", "--json")),
    "lift": Command(
        "decide:lift",
        Asks.API,
        "lift a suppression",
        ('ann@example.com --note "Wrote that the mailbox works again."',),
        writes=True,
    ),
    "suppress": Command(
        "decide:suppress",
        Asks.API,
        "suppress somebody by hand",
        ('ann@example.com --note "Asked us by telephone." --until 2026-06-21',),
        writes=True,
    ),
    "forget": Command(
        "decide:forget", Asks.API, "erase all that is stored of somebody", ("ann@example.com",), writes=True
    ),
    "review": Command(
        "review:review",
        Asks.API,
        "show what a person should look at, and decide it",
        ("--why undetermined", 'keep --recipient ann@example.com --message ses:0102-b2 --note "Their filter."'),
        writes=True,
    ),
    "incidents": Command(
        "review:incidents",
        Asks.API,
        "show providers' accidents, and decide whether they count",
        ("", 'revert 63744764214fc1b8fa8a --note "Their directory was down."'),
        writes=True,
    ),
    "import": Command(
        "jobs:import_list",
        Asks.API,
        "import a list: a dry run, unless it is applied",
        ("bounces.csv", "bounces.csv --format sendgrid-bounces --apply --rejects refused.csv"),
        writes=True,
    ),
    "export": Command(
        "jobs:export_list",
        Asks.API,
        "export the list of suppressions",
        ("-o list.csv", "--format addresses --channel email -o exclude.csv"),
    ),
    "revert": Command(
        "jobs:revert",
        Asks.API,
        "take back what a provider said by accident: a dry run, unless it is applied",
        (
            "example.com --reason user_unknown --since 2026-03-02T08:00:00Z --until 2026-03-02T14:00:00Z "
            '--note "Their directory was gone."',
        ),
        writes=True,
    ),
    "jobs": Command(
        "jobs:jobs",
        Asks.API,
        "list imports, exports and reverts, or show how far one is",
        ("", "--kind import --state failed", "0123…cdef --json"),
    ),
    "rules": Command(
        "rules",
        Asks.API,
        "say what a file of rules would change: texts that no rule knew, or everything stored",
        ("check rules.toml --stack aftersend", "try rules.toml --stack aftersend", "try one.toml --add --json"),
    ),
    "dead-letters": Command(
        "dead_letters:by_api",
        Asks.API,
        "show what lies in the dead-letter queues, and why; send a queue back to work",
        ("--look", "--stack aftersend --look", "--stack aftersend --redrive FeedbackDeadLetters"),
        writes=True,
        of_stack="dead_letters:by_stack",
    ),
    "console": Command(
        "console",
        Asks.API,
        "open the console in a browser of this machine, signed in as you are here",
        ("--stack aftersend --profile mail", "--stack aftersend --no-browser --port 8400"),
    ),
    "smoke": Command(
        "smoke",
        Asks.STACK,
        "prove a stack: send a bounce through it, show what it makes of it, and delete that",
        ("--stack aftersend", "--stack aftersend --from news@example.com --yes"),
        writes=True,
    ),
    "webhooks": Command(
        "webhooks",
        Asks.STACK,
        "show where events go out to, and what was given up; send that again; say which endpoints there are",
        ("--stack aftersend", "resend crm --stack aftersend", "configure endpoints.json --stack aftersend --yes"),
        writes=True,
    ),
    "reevaluate": Command(
        "reevaluate",
        Asks.STACK,
        "bring what is stored to other rules or another policy",
        ("--stack aftersend --policy policy.toml --dry-run", "--stack aftersend --rules rules.toml --profile mail"),
        writes=True,
    ),
    "restore": Command(
        "restore",
        Asks.STACK,
        "join restored tables with those in use",
        ("--stack aftersend --from-outcomes restored-outcomes --from-suppressions restored-suppressions",),
        writes=True,
    ),
    "recount": Command(
        "recount",
        Asks.STACK,
        "prove that counters are what the tables say, or make them so",
        ("--stack aftersend", "--stack aftersend --apply"),
        writes=True,
    ),
    "sync": Command(
        "sync",
        Asks.STACK,
        "bring the suppression list of Amazon SES to what a stack says",
        ("--stack aftersend --dry-run", "--stack aftersend --yes"),
        writes=True,
    ),
    "delist": Command(
        "delist",
        Asks.STACK,
        "take who was released off the lists of the provider who had reported them",
        (
            "--stack aftersend --provider sendgrid --dry-run",
            "--stack aftersend --provider mailgun --key-secret mailgun-lists --yes",
        ),
        writes=True,
    ),
    "rabbitmq": Command(
        "rabbitmq",
        Asks.NAMED,
        "feed a stack from RabbitMQ, until a signal says stop",
        (
            "--stack aftersend --queue results=completed_deliveries",
            "--to https://sqs.eu-west-1.amazonaws.com/111122223333/feedback --queue results=completed_deliveries --yes",
        ),
        writes=True,
    ),
    "parse": Command(
        "feedback",
        Asks.NOBODY,
        "print the feedback in bodies, events of Lambda or mailboxes, and what it means",
        ("ses bounce.json", "report bounces.mbox", "mailerq body.json --header 'x-queue: retry'"),
    ),
    "classify": Command(
        "refusals",
        Asks.NOBODY,
        "say what refusals mean: replies of servers, or JSON",
        ("replies.jsonl", "- < replies.txt"),
    ),
    "completion": Command(
        "completion", Asks.NOBODY, "write what makes a shell complete commands", ("bash", "zsh", "fish")
    ),
}

"""A bounce mail and a feedback-loop report of the demo, and what each was found to say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich import box
from rich.table import Table

from aftersend.classify import Classifier
from aftersend_cli.mails import summarize_mail
from local.samples import Sample

SHOWN: Final = ("report/dsn-postfix-two-recipients", "report/dsn-of-ses-message", "report/arf-of-ses-message")


def mails(samples: Iterable[Sample], classifier: Classifier) -> Table:
    """One row for each recipient of the mails that are shown."""
    table = Table(
        title="Reports by mail, three of them",
        title_justify="left",
        title_style="bold",
        box=box.HORIZONTALS,
        expand=True,
        pad_edge=False,
        header_style="bright_black",
    )
    for name in ("mail", "kind", "recipient", "code, status", "what it means"):
        table.add_column(name, overflow="fold")
    for sample in samples:
        if sample.name not in SHOWN:
            continue
        found = summarize_mail(sample.path.name, sample.body(), classifier)
        for each in found["recipients"]:
            code = ", ".join(str(part) for part in (each["replycode"], each["status"]) if part) or "-"
            meaning = f"{each['class']}, {each['reason']} ({each['rule']})"
            table.add_row(found["file"], found["kind"], each["recipient"], code, meaning)
    return table

"""Writes the dashboard for Grafana: `python -m tests.support.grafana`. Its panels ask what stands in docs/queries/.

The data source is Athena's plugin; braces in a query become variables of the dashboard.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from local.samples import ROOT

QUERIES: Final = ROOT / "docs" / "queries"
FILE: Final = ROOT / "docs" / "grafana.json"
_SOURCE: Final = {"type": "grafana-athena-datasource", "uid": "${athena}"}
_TABLE_FORMAT: Final = 1  # of the plugin: rows as they come
# Query -> title, kind of panel, width of 24.
_PANELS: Final = {
    "bounce-rate-by-day": ("Refused for good, percent of a day (UTC)", "barchart", 24),
    "who-refuses-us": ("Who refuses us, for something of ours", "table", 12),
    "complaint-rate-by-sender": ("Complaints by sending domain", "table", 12),
    "seconds-to-deliver": ("Seconds to delivery", "table", 12),
    "hours-to-open": ("Hours from delivery to open", "barchart", 12),
    "rules-at-work": ("Rules at work", "table", 24),
}
_HEIGHT: Final = 9


def read_query(name: str) -> str:
    """Return the text of a query, without its comment."""
    lines = (QUERIES / f"{name}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))


def make_dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    return {
        "title": "Aftersend",
        "uid": "aftersend",
        "schemaVersion": 39,
        "tags": ["mail"],
        "editable": True,
        "timezone": "utc",
        "templating": {
            "list": [
                {"name": "athena", "label": "Data source", "type": "datasource", "query": _SOURCE["type"]},
                {
                    "name": "day",
                    "label": "Export of",
                    "type": "query",
                    "datasource": _SOURCE,
                    "refresh": 1,
                    "query": {"format": _TABLE_FORMAT, "rawSQL": "SELECT DISTINCT day FROM outcomes ORDER BY day DESC"},
                },
            ]
        },
        "panels": list(_make_panels()),
    }


def _make_panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = []
    x = y = 0
    for number, (name, (title, kind, width)) in enumerate(_PANELS.items(), 1):
        if x + width > 24:
            x, y = 0, y + _HEIGHT
        sql = re.sub(r"\{(\w+)\}", r"${\1}", read_query(name))
        panels.append(
            {
                "id": number,
                "title": title,
                "type": kind,
                "datasource": _SOURCE,
                "gridPos": {"x": x, "y": y, "w": width, "h": _HEIGHT},
                "targets": [{"refId": "A", "datasource": _SOURCE, "format": _TABLE_FORMAT, "rawSQL": sql}],
            }
        )
        x += width
    return panels


if __name__ == "__main__":
    FILE.write_text(json.dumps(make_dashboard(), indent=1) + "\n")

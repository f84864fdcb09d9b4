"""The pages on list jobs name what there is."""

from __future__ import annotations

import re
from typing import get_args

from aftersend.api import erasure, list_jobs
from aftersend.api.list_jobs import Layout
from aftersend.lists.export_rows import ADDRESS_COLUMNS, COLUMNS
from aftersend.lists.formats import FORMATS
from tests.support.template import ROOT

PAGE = (ROOT / "docs" / "lists.md").read_text()
CAMPAIGN = (ROOT / "docs" / "campaign.md").read_text()


def rows(text: str, heading: str) -> list[list[str]]:
    """The table under a line that begins so."""
    lines = text[text.index(heading) :].splitlines()
    table = lines[2 : next(at for at, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def test_every_format_is_explained_with_what_it_is_detected_by() -> None:
    table = {row[0].strip("`"): row[2] for row in rows(PAGE, "| `format` | list |")}
    assert table.keys() == FORMATS.keys()
    for name, columns in table.items():
        named = {each.lower() for each in re.findall(r"`(\w+)`", columns)}
        assert named == FORMATS[name].distinctive, name


def test_every_layout_is_explained_with_its_columns() -> None:
    table = {row[0].strip("`"): row[2] for row in rows(PAGE, "| `format` | a row is |")}
    assert tuple(table) == get_args(Layout)
    assert table["csv"] == f"`{','.join(COLUMNS)}`"
    assert f"`{','.join(ADDRESS_COLUMNS)}`" in table["addresses"]


def test_the_contract_with_campaign_has_every_column_in_its_order() -> None:
    assert tuple(row[0].strip("`") for row in rows(CAMPAIGN, "| column | type |")) == ADDRESS_COLUMNS


def test_every_route_is_named() -> None:
    named = {tuple(found) for found in re.findall(r"`(GET|POST|DELETE) (/[\w/{}]+)`", PAGE)}
    routes = {(each.method, each.path) for each in (*list_jobs.route.routes, *erasure.route.routes)}
    assert routes <= named


def test_every_parameter_of_an_import_is_explained() -> None:
    explained = [row[0].strip("`") for row in rows(PAGE, "| parameter | is |")]
    assert {*explained} == {*list_jobs.UploadQuery.__struct_fields__}

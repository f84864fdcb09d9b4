"""Which routes there are. A module of them is imported with the first request to a path that begins as its own do.

One question in ten needs jobs, files or statistics, and a start is paid for in modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Final

from aftersend.api.routing import Route, RouteTable

# The modules of this package by the first part of the paths of their routes, in the order of the OpenAPI document.
_MODULES: Final = {
    "checks": ("suppressions",),
    "suppressions": ("suppressions",),
    "recipients": ("recipients",),
    "messages": ("messages", "recipients"),
    "outcomes": ("outcomes",),
    "problem_groups": ("problems",),
    "review": ("review",),
    "incidents": ("incidents",),
    "statistics": ("statistics",),
    "list_jobs": ("jobs", "suppressions"),
    "erasure": ("recipients",),
    "classification": ("classify",),
    "rules": ("rules",),
    "configuration": ("configuration", "me"),
    "operations": ("dead-letters", "status", "unmatched"),
    "document": ("openapi.json",),
}


def find(path: str, method: str) -> tuple[Mapping[str, Route], Mapping[str, str]]:
    """Return the routes of a path by their methods, and what stands for its names; see `RouteTable.find`."""
    first = path.partition("/")[2].partition("/")[0]
    known = any(first in firsts for firsts in _MODULES.values())  # what is none is not remembered
    return _load(first).find(path, method) if known else ({}, {})


@cache
def _load(first: str) -> RouteTable:
    """Return the routes whose paths begin like this."""
    return RouteTable(route for name, firsts in _MODULES.items() if first in firsts for route in _import_routes(name))


@cache
def load_all() -> RouteTable:
    """Return all routes: for the document, and for tests."""
    return RouteTable(route for name in _MODULES for route in _import_routes(name))


def _import_routes(name: str) -> list[Route]:
    routes: list[Route] = import_module(f"aftersend.api.{name}").route.routes
    return routes

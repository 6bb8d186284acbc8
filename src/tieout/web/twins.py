"""Which call of the API gives what a page shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

PREFIX = "/api/v1"
# A page (a regular expression of its path) → the path of the API, and what both take in a query.
# `tests/web/test_twins.py` asks every one of them.
TWINS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (r"/me", "/me", ()),
    (r"/flows", "/flows", ()),
    (r"/runs", "/runs", ("flow",)),
    (r"/runs/([^/]+)", "/runs/{}", ()),
    (r"/rejects", "/rejects", ("flow",)),
    (r"/tie-outs/([^/]+)", "/tie-outs/{}", ()),
    (r"/approvals", "/approvals", ()),
    (r"/approvals/([^/]+)", "/approvals/{}", ()),
    (r"/journals", "/journals", ()),
    (r"/mappings", "/mappings", ("dimension",)),
    (r"/calendar", "/schedules", ()),
    (r"/connections", "/connections", ()),
    (r"/connections/([^/]+)", "/connections/{}", ()),
    (r"/evidence", "/packs", ()),
    (r"/settings/people", "/users", ()),
    (r"/audit", "/audit", ()),
)


def twin_of(path: str, query: Mapping[str, str]) -> str:
    """The path and query of that call; empty when there is none."""
    for page, call, taken in TWINS:
        if match := re.fullmatch(page, path):
            asked = {name: query[name] for name in taken if query.get(name)}
            return PREFIX + call.format(*match.groups()) + (f"?{urlencode(asked)}" if asked else "")
    return ""

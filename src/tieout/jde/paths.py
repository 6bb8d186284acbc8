"""Where the services of an AIS server are: which version of them, and behind which gateway."""

from __future__ import annotations

import re

from tieout.project import JdeConnection

V2, V1 = "/v2", ""  # what stands before the path of a service (jde-ais.md §1.1)
_PART = re.compile(r"(?:/v\d)?/([a-z-]+)")


def under(connection: JdeConnection, path: str) -> str | None:
    """Where a gateway has the service of a path; None: where the others are."""
    found = _PART.match(path)
    part = found[1] if found else ""
    return next((place for name, place in connection.prefixes.items() if name == part), None)

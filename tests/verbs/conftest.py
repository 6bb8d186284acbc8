"""An office of people on either database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desks import Office
from ward import ward, well

__all__ = ["ward", "well"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))])
def empty_office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """An instance without users."""
    postgres = request.param == "postgresql"
    home = tmp_path / "home"
    office = Office(home, request.getfixturevalue("postgres_url") if postgres else "")
    yield office
    office.close()


@pytest.fixture
def office(empty_office: Office) -> Office:
    """An instance with the usual people."""
    return empty_office.people()

"""The practice systems of the contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from anaplan_practice import Practice, practice
from journal_practice import Desk, journal_practice, make_books


@pytest.fixture
def anaplan(tmp_path: Path) -> Iterator[Practice]:
    """A fresh practice Anaplan with a small model, signed in."""
    with practice(tmp_path) as served:
        yield served


@pytest.fixture(scope="session")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of the demo company, made once; tests work on copies."""
    file = tmp_path_factory.mktemp("books") / "jde.sqlite"
    make_books(file)
    return file


@pytest.fixture
def desk(tmp_path: Path, books: Path) -> Iterator[Desk]:
    """A practice JD Edwards with the demo company, and a caller of its orchestrations."""
    with journal_practice(tmp_path, books) as served:
        yield served

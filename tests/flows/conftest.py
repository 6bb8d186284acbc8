"""Books loaded and tied once, and a copy of them for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from books import Books, Make, assert_tied


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Closed books of the demo company, loaded and mended as `tieout demo --once` does."""
    made = Books(tmp_path_factory.mktemp("loaded") / "home")
    assert_tied(made, made.load_everything())
    made.close()
    return made


@pytest.fixture(scope="session")
def unloaded(tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Closed books whose members are in Anaplan, and whose actuals were never loaded."""
    made = Books(tmp_path_factory.mktemp("unloaded") / "home")
    for flow in ("companies", "accounts", "cost_centers"):
        assert made.run(flow).outcome == "complete"
    made.close()
    return made


@pytest.fixture
def books(loaded: Books, tmp_path: Path) -> Iterator[Books]:
    """Loaded books of this test alone."""
    copied = loaded.copy(tmp_path / "home")
    yield copied
    copied.close()


@pytest.fixture
def new_books(unloaded: Books, tmp_path: Path) -> Iterator[Books]:
    """Books of this test alone whose actuals were never loaded."""
    copied = unloaded.copy(tmp_path / "home")
    yield copied
    copied.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes books from a seed."""
    made: list[Books] = []

    def make_books(**options: object) -> Books:
        home = tmp_path / f"home{len(made)}"
        made.append(Books(home, **options))  # type: ignore[arg-type]  # any option
        return made[-1]

    yield make_books
    for each in made:
        each.close()

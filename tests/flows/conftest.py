"""Books loaded and tied once, and a copy of them for every test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from books import Books, Make, assert_tied, told
from small_plan import SmallPlan, Template, copy_of, small_template
from table_books import FLOWS, map_unplanned, with_tables

Templates = Callable[[str], Template]


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


@pytest.fixture(scope="session")
def small_plans(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """Closed small books by name, each made once: "entered", "approved", "without
    numbers", "token alone".

    A plan of two companies is entered; in the last two it is prepared and approved, and not sent.
    """
    made: dict[str, Template] = {}

    def template(name: str) -> Template:
        if name not in made:
            made[name] = small_template(tmp_path_factory.mktemp("small") / "home", name)
        return made[name]

    return template


@pytest.fixture
def small(small_plans: Templates, tmp_path: Path) -> Iterator[Callable[[str], SmallPlan]]:
    """Small books of this test alone, by what they begin with; the ones before are closed."""
    opened: list[SmallPlan] = []

    def open_copy(name: str) -> SmallPlan:
        close()
        home, tokens = small_plans(name)
        opened.append(copy_of(home, tmp_path / "small", tokens))
        return opened[-1]

    def close() -> None:
        for each in opened:
            each.close()
            shutil.rmtree(each.books.home)
        opened.clear()

    yield open_copy
    close()


@pytest.fixture(scope="session")
def new_tables(unloaded: Books, tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Closed books with both flows, neither ever run, and a unit that is not planned."""
    made = with_tables(unloaded.copy(tmp_path_factory.mktemp("new_tables") / "home"))
    made.close()
    return made


@pytest.fixture(scope="session")
def tabled(new_tables: Books, tmp_path_factory: pytest.TempPathFactory) -> Books:
    """Closed books whose balances and payables are in Anaplan and proved."""
    made = new_tables.copy(tmp_path_factory.mktemp("tabled") / "home")
    map_unplanned(made)
    for flow in FLOWS:
        run = made.run(flow)
        assert run.outcome == "complete", told(made, run)
    made.close()
    return made


@pytest.fixture
def tables(tabled: Books, tmp_path: Path) -> Iterator[Books]:
    """Loaded tables of this test alone."""
    copied = tabled.copy(tmp_path / "tables")
    yield copied
    copied.close()


@pytest.fixture
def never_loaded(new_tables: Books, tmp_path: Path) -> Iterator[Books]:
    """Tables of this test alone that were never loaded."""
    copied = new_tables.copy(tmp_path / "new")
    yield copied
    copied.close()

"""The practice Anaplan of the tests in this folder, and one for small systems made by a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from planning import PASSWORD, USER, Planning

from tieout.sim.anaplan.demo_model import make_demo_model
from tieout.sim.anaplan.state import State
from tieout.sim.anaplan.system import AnaplanSystem
from tieout.sim.box import System
from tieout.sim.clock import PracticeClock


@pytest.fixture
def planning(tmp_path: Path) -> Iterator[Planning]:
    """The practice Anaplan with the demo model."""
    practice = PracticeClock()
    state = State(tmp_path / "anaplan.sqlite")
    make_demo_model(state, PASSWORD, email=USER)
    one = Planning(AnaplanSystem(state, practice), practice)
    yield one
    one.stop()


@pytest.fixture
def served() -> Iterator[Callable[[System], Planning]]:
    """Serves a small system written in the test, and connects a client to it."""
    made: list[Planning] = []

    def serve_it(system: System) -> Planning:
        made.append(Planning(system, PracticeClock()))
        return made[-1]

    yield serve_it
    for one in made:
        one.stop()

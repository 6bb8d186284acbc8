"""A home to be made sick, and the doctor who looks at it."""

from __future__ import annotations

import dataclasses
import shutil
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from desks import Office

from tieout.settings import Environment
from tieout.store.own_sqlite import sqlite3
from tieout.verbs import doctoring, setting_up
from tieout.verbs.checking import Looking

CREDENTIALS = {"username": "canary-user-3f", "password": "canary pass/9+d2"}
GIVEN: dict[str, Any] = {"clock_url": "", "kill_at": "", "log_level": "WARNING"}


class Shifted:
    """A clock that goes otherwise than that of this machine."""

    def __init__(self, seconds: float) -> None:
        self._by = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._by

    def monotonic(self) -> float:
        return self.now().timestamp()

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody waits here")


@dataclass
class Ward:
    """A home to be made sick, and how it is looked at."""

    home: Path
    looking: Looking

    def set(self, **environment: Any) -> None:
        """The environment says something else."""
        told = dataclasses.replace(self.looking.environment, **environment)
        self.look_with(environment=told)

    def look_with(self, **options: Any) -> None:
        """The doctor takes something else for much, or has another clock."""
        self.looking = dataclasses.replace(self.looking, **options)

    def edit(self, statement: str) -> None:
        """Somebody writes into the database."""
        with sqlite3.connect(self.home / "tieout.sqlite") as database:
            database.execute(statement)
        database.close()

    def found(self) -> dict[str, Any]:
        return doctoring.examine(self.looking)

    def check(self, code: str) -> dict[str, Any]:
        """The worst of what is told under a code."""
        told = [check for check in self.found()["checks"] if check["code"] == code]
        return max(told, key=lambda check: ("good", "notice", "trouble").index(check["state"]))


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of an instance in good health, which nobody has open."""
    office = Office(tmp_path_factory.mktemp("well") / "home")
    setting_up.connect(office.owner, "erp", CREDENTIALS)
    office.close()
    return office.home


@pytest.fixture
def ward(well: Path, tmp_path: Path) -> Ward:
    home = tmp_path / "home"
    shutil.copytree(well, home)
    (tmp_path / "elsewhere").mkdir()
    environment = Environment(
        home=home, database=f"sqlite:///{home / 'tieout.sqlite'}", records=str(home / "records"),
        anchor=str(tmp_path / "elsewhere" / "checkpoints.jsonl"), **GIVEN,
    )  # fmt: skip
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        free = door.getsockname()[1]
    return Ward(home, Looking(environment, port=free))

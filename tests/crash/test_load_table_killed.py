"""Whoever kills Tieout while it loads a table, on PostgreSQL, loses nothing and loads once."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from demo_home import Home, free_ports

from tieout.app import Instance
from tieout.settings import Environment
from tieout.verbs import practice, setting_up
from tieout.verbs.demo import PROJECT
from tieout.verbs.demo_tables import PAYABLES

LINES = 600
CAMPAIGN = {"killed", "all"} & set(os.environ.get("TIEOUT_CAMPAIGN", "").split(","))
STARTED_IMPORT = re.compile(r"POST .*/imports/\d+/tasks/?$")
BEFORE_THE_IMPORT = (
    "read the table:inside", "read the table:after", "fold into cells:inside",
    "check the members:between", "write the file:inside", "upload the file:inside",
)  # fmt: skip
FROM_THE_IMPORT_ON = (
    "start the import:inside", "start the import:after", "wait for the import:inside",
    "keep the dump:inside", "read back:after", "compare:inside", "close the run:inside",
)  # fmt: skip
KILLS = 1  # of either kind, drawn by the seed; a campaign takes all


@pytest.fixture
def home(postgres_url: str, tmp_path: Path) -> Iterator[Home]:
    """An instance on PostgreSQL that loads open payables, beside practice systems."""
    made = Home(tmp_path / "home")
    found = practice.start_practice(
        made.path, "--lines", str(LINES), "--port", str(free_ports())
    )  # fmt: skip
    instance = Instance(
        Environment(
            home=made.path, database=postgres_url, records="", clock_url="", kill_at="",
            log_level="WARNING",
        )
    )  # fmt: skip
    try:
        setting_up.make_instance(instance)
        text = PROJECT.format(
            jde=found["jde"], anaplan=found["anaplan"], companies='"00001"'
        )  # fmt: skip
        setting_up.apply_project(instance, text + PAYABLES)
        for name, user in (("erp", "jde"), ("planning", "anaplan")):
            setting_up.connect(instance, name, practice.credentials(made.path)[user])
    finally:
        instance.close()
    yield made
    made.stop()


def drawn(dice: Random, kills: tuple[str, ...]) -> list[str]:
    if CAMPAIGN:
        return list(kills)
    return sorted(dice.sample(kills, KILLS), key=kills.index)


@pytest.mark.needs("postgres")
def test_a_table_whose_load_is_killed_again_and_again_is_loaded_by_one_import(
    home: Home, postgres_url: str, dice: Random
) -> None:
    env = {"TIEOUT_DATABASE": postgres_url}
    home.practice()
    home.forget_requests()

    for kill_at in drawn(dice, BEFORE_THE_IMPORT) + drawn(dice, FROM_THE_IMPORT_ON):
        died = home.run("run", "payables", env=env | {"TIEOUT_KILL_AT": kill_at})
        assert died.code == -signal.SIGKILL, (kill_at, died)
    ended = home.run("run", "payables", "--json", env=env)

    assert ended.code == 0, ended
    assert ended.json["outcome"] == "complete", ended.json["sentence"]
    started = [asked for asked in home.requests("anaplan") if STARTED_IMPORT.match(asked)]
    assert len(started) == 1
    assert home.control("jde", "state")["sessions"] == 0
    tied = home.run("tie-out", "--flow", "payables", "--last", "--json", env=env)
    assert (tied.code, tied.json["ok"]) == (0, True)
    assert all(row["cells_differing"] == 0 for row in tied.json["table_tie_out"])
    again = home.run("run", "payables", "--json", env=env)
    assert again.json["sentence"].startswith("Nothing new")

"""Claims about the copy of a SQLite database that others write to meanwhile."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tieout.errors import Refused
from tieout.store.backup import PAGES_AT_ONCE, copy_database
from tieout.store.database import Database

PAGES = 4 * PAGES_AT_ONCE  # of 4096 bytes
BYTES = PAGES * 4096
SECONDS_MAX = 60.0  # for what takes less than one


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = Database.at(tmp_path_factory.mktemp("large") / "tieout.sqlite")
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE counted (n INTEGER)"))
        connection.execute(text("INSERT INTO counted VALUES (0)"))
        connection.execute(text("CREATE TABLE large (b BLOB)"))
        connection.execute(text(f"INSERT INTO large VALUES (zeroblob({BYTES}))"))
    yield made
    made.close()


def test_a_database_that_is_written_to_without_pause_is_copied_all_the_same(
    database: Database, tmp_path: Path
) -> None:
    done, wrote = threading.Event(), 0

    def copy() -> None:
        copy_database(database, tmp_path / "copy")
        done.set()

    copying = threading.Thread(target=copy, daemon=True)
    copying.start()
    until = threading.Timer(SECONDS_MAX, done.set)
    until.start()
    while not done.is_set():
        with database.begin() as connection:
            connection.execute(text("UPDATE counted SET n = n + 1"))
        wrote += 1
    came = until.is_alive()
    until.cancel()
    copying.join(SECONDS_MAX)
    assert came, f"it did not end beside {wrote} transactions"

    copied = Database.at(tmp_path / "copy")
    with copied.read() as connection:
        assert connection.execute(text("SELECT n FROM counted")).scalar_one() <= wrote
        assert connection.execute(text("SELECT length(b) FROM large")).scalar_one() == BYTES
    copied.close()


def test_a_place_that_takes_no_more_is_told_in_a_sentence(
    database: Database, tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES // 2, before[1]))
    try:
        with pytest.raises(Refused, match="could not be written"):
            copy_database(database, tmp_path / "copy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

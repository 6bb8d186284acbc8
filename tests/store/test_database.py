"""The database keeps what it acknowledged, and every failure of it is one clear sentence."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from tieout.clock import SystemClock
from tieout.errors import Misconfigured, Refused, Unavailable
from tieout.store import audit
from tieout.store.audit import VERIFY_PAGE_ROWS_MAX, Telling
from tieout.store.connecting import journal_mode, refuse_unsound_sqlite
from tieout.store.database import Database, lock, saying_what_failed
from tieout.store.own_sqlite import sqlite3
from tieout.store.runs import NewRun
from tieout.store.steps import Step
from tieout.store.store import Store

Command = Callable[[Store, str, str], list[str]]
Files = Callable[[], list[Path]]
FULL = "The disk of this instance"


@pytest.fixture
def embedded(tmp_path: Path) -> Store:
    opened = Store(tmp_path, SystemClock())
    opened.migrate()
    return opened


def setting(store: Store, name: str) -> object:
    with store.database.read() as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar()


def test_the_embedded_database_is_set_up_to_lose_nothing(embedded: Store) -> None:
    assert setting(embedded, "synchronous") == 2, "FULL"
    assert setting(embedded, "foreign_keys") == 1
    assert setting(embedded, "busy_timeout") == 30_000
    assert setting(embedded, "journal_mode") == journal_mode(sqlite3.sqlite_version_info).lower()
    assert (embedded.home / "tieout.sqlite").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("library", "mode"),
    [((3, 40, 1), "DELETE"), ((3, 51, 2), "DELETE"), ((3, 51, 3), "WAL"), ((4, 0, 0), "WAL")],
)
def test_the_write_ahead_log_waits_for_a_library_without_its_bug(
    library: tuple[int, ...], mode: str
) -> None:
    assert journal_mode(library) == mode


def test_a_python_whose_sqlite_breaks_the_durable_engine_is_refused() -> None:
    for python, library in (((3, 11), (3, 40, 1)), ((3, 12), (3, 42, 0)), ((3, 14), (3, 51, 3))):
        refuse_unsound_sqlite(python, library)
    with pytest.raises(Misconfigured, match=r"Python 3\.12 here uses SQLite 3\.41\.2"):
        refuse_unsound_sqlite((3, 12), (3, 41, 2))


def test_a_reader_is_not_held_up_by_another_reader(embedded: Store) -> None:
    with embedded.database.read() as one, embedded.database.read() as two:
        for connection in (one, two):
            assert connection.execute(text("SELECT count(*) FROM audit")).scalar() == 0


def test_a_database_held_by_another_program_is_told_so_and_not_called_broken(
    embedded: Store,
) -> None:
    with embedded.begin() as connection:
        connection.execute(text("PRAGMA busy_timeout = 10"))  # this connection stays in the pool
    other = sqlite3.connect(embedded.home / "tieout.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="held by another program"):
        embedded.apply_config("x", "Anna")
    other.execute("ROLLBACK")
    assert embedded.apply_config("x", "Anna").version == 1


def test_a_step_waits_more_than_once_for_a_database_that_another_program_holds(
    embedded: Store,
) -> None:
    run = embedded.new_run(NewRun("actuals", "load_actuals", "Anna")).id
    with embedded.begin() as connection:
        connection.execute(text("PRAGMA busy_timeout = 10"))  # this connection stays in the pool
    other = sqlite3.connect(embedded.home / "tieout.sqlite", isolation_level=None)
    refused: list[object] = []

    def function(step: Step) -> dict[str, object]:
        other.execute("BEGIN IMMEDIATE")
        return {"rows": 1}

    @event.listens_for(embedded.database.engine, "handle_error")
    def let_go(context: object) -> None:
        refused.append(context)
        other.execute("ROLLBACK")

    assert embedded.run_step(run, "read", function) == {"rows": 1}
    assert len(refused) == 1
    assert len(embedded.steps(run)) == 1
    other.close()


def test_who_checks_the_whole_trail_keeps_no_writer_waiting(embedded: Store) -> None:
    tellings = [Telling("Anna", "did", str(n), {}) for n in range(VERIFY_PAGE_ROWS_MAX + 1)]
    with embedded.begin() as connection:
        connection.execute(text("PRAGMA busy_timeout = 10"))  # this connection stays in the pool
        audit.append(connection, embedded.clock.now(), *tellings)
    pages = embedded.audit_pages()
    checked = len(next(pages))
    assert embedded.apply_config("x", "Anna").version == 1, "written between two pages"
    assert checked + sum(len(page) for page in pages) == len(tellings) + 1
    assert embedded.verify_audit().entries == len(tellings) + 1
    assert embedded.verify_audit().whole


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tieout.sqlite").write_bytes(b"This is no database. " * 100)
    with pytest.raises(Refused, match="damaged, or is not a database"):
        Store(tmp_path, SystemClock()).check()


def test_a_database_taken_away_while_it_is_open_is_missed_and_not_begun_anew(
    embedded: Store,
) -> None:
    embedded.apply_config("x", "Anna")
    file = embedded.home / "tieout.sqlite"
    file.rename(embedded.home / "taken")
    for _ in range(2):
        with pytest.raises(Refused, match="is not there, or was replaced"):
            embedded.apply_config("y", "Anna")
        embedded.close()  # the second try opens a new connection
    assert not file.exists()
    (embedded.home / "taken").rename(file)
    assert embedded.apply_config("y", "Anna").version == 2


def test_an_error_does_not_carry_what_was_to_be_written(store: Store) -> None:
    wrong = text("INSERT INTO app_nowhere VALUES (:amount)")
    with pytest.raises(DBAPIError) as error, store.begin() as connection:
        connection.execute(wrong, {"amount": "canary"})
    assert "canary" not in str(error.value)


def test_a_database_that_may_not_grow_says_so_and_changes_nothing(embedded: Store) -> None:
    with embedded.begin() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(Refused, match=FULL):
        embedded.apply_config("x" * 1_000_000, "Anna")
    assert embedded.config() is None
    assert embedded.audit() == []
    with embedded.begin() as connection:
        connection.execute(text("PRAGMA max_page_count = 100000"))
    assert embedded.apply_config("x" * 1_000_000, "Anna").version == 1


def said(command: list[str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_disk_too_full_for_a_record_stops_the_step_with_one_sentence(
    store: Store, run: str, child: Command, files: Files
) -> None:
    sentences = said(child(store, "file_too_large", run))
    assert len(sentences) == 2
    for sentence in sentences:
        assert sentence.startswith(FULL)
        assert "Nothing was changed" in sentence
        assert "Make room" in sentence
    assert files() == []
    assert store.steps(run) == store.kept(run) == []


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
def test_a_disk_too_full_for_the_database_changes_nothing(
    store: Store, run: str, child: Command
) -> None:
    before = store.verify_audit()
    sentences = said(child(store, "database_too_large", run))
    assert len(sentences) == 2
    assert all(sentence.startswith(FULL) for sentence in sentences)
    assert store.mapping_version() == 0
    assert store.steps(run) == []
    assert store.verify_audit() == before
    assert store.run_step(run, "read", lambda step: {"rows": 1}) == {"rows": 1}


# PostgreSQL


@pytest.fixture
def server(postgres_url: str) -> Database:
    return Database(postgres_url)


@pytest.mark.needs("postgres")
def test_a_full_disk_of_the_server_is_the_same_sentence(server: Database) -> None:
    full = "DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$"
    with pytest.raises(Refused, match=FULL), server.begin() as connection:
        connection.execute(text(full))


@pytest.mark.needs("postgres")
def test_two_transactions_that_wait_for_each_other_both_finish(server: Database) -> None:
    together = threading.Barrier(2)
    tries: list[str] = []

    def one(order: str) -> str:
        def write(connection: Connection) -> str:
            first_try = order not in tries
            tries.append(order)
            lock(connection, order[0])
            if first_try:
                together.wait()
            lock(connection, order[1])
            return order

        return server.transact(write)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(one, ["ab", "ba"])) == ["ab", "ba"]
    assert len(tries) == 3, "the database ended one of them, which was repeated"


@pytest.mark.needs("postgres")
@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_a_connection_cut_inside_a_commit_does_the_step_once(store: Store, run: str) -> None:
    cuts: list[int] = []

    def cut_once(connection: Connection) -> None:
        cuts.append(1)
        if len(cuts) == 1:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    def function(step: Step) -> dict[str, object]:
        step.keep_bytes("chunk", b"chunk 0", ".csv.gz")
        step.after(cut_once)
        return {"rows": 1}

    assert store.run_step(run, "read", function) == {"rows": 1}
    assert len(cuts) == 2
    assert len(store.kept(run)) == len(store.steps(run)) == 1
    assert store.verify_audit().whole


def test_a_server_that_does_not_answer_is_unavailable_and_its_password_is_not_told() -> None:
    database = Database("postgresql+psycopg://tieout:canary@127.0.0.1:1/tieout")
    with pytest.raises(Unavailable) as unavailable:
        database.version()
    assert "canary" not in unavailable.value.sentence() + unavailable.value.evidence
    assert "does not answer" in unavailable.value.what


def test_other_failures_stay_what_they_are() -> None:
    with pytest.raises(FileNotFoundError), saying_what_failed():
        Path("/nowhere/at/all").read_bytes()

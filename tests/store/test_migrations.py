"""A database comes up from empty to the schema of this program, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from tieout.errors import Misconfigured
from tieout.store import (
    baselines,
    bindings,
    budget,
    cancels,
    catalogue,
    configs,
    executors,
    known_keys,
    leases,
    looks,
    notices,
    schedules,
    seats,
    sign_in_schema,
)
from tieout.store.database import Database
from tieout.store.migrate import MIGRATIONS, migrate
from tieout.store.migrations.versions import m0001_first_tables as first_tables
from tieout.store.schema import SCHEMA_VERSION, VERSION_TABLE, metadata
from tieout.store.store import Store


def test_the_migrations_make_exactly_the_tables_the_program_knows(store: Store) -> None:
    with store.database.read() as connection:
        options = {"version_table": VERSION_TABLE, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        found = inspect(connection)
        for table in metadata.sorted_tables:
            rules = {check["name"] for check in found.get_check_constraints(table.name)}
            known = {c.name for c in table.constraints if type(c).__name__ == "CheckConstraint"}
            assert rules == known
    store.check()


def test_every_table_but_the_trail_stays_apart_from_those_of_the_durable_engine() -> None:
    names = {table.name for table in metadata.sorted_tables} | {VERSION_TABLE}
    assert {name for name in names if not name.startswith("app_")} == {"audit"}


def test_the_program_needs_the_newest_migration() -> None:
    versions = sorted(path.name[1:5] for path in (MIGRATIONS / "versions").glob("m*.py"))
    assert versions[-1] == SCHEMA_VERSION


def test_migrating_again_changes_nothing(store: Store) -> None:
    store.apply_config("[flows]\n", "Anna")
    store.migrate()
    config = store.config()
    assert config is not None
    assert (config.version, config.text) == (1, "[flows]\n")


def test_an_old_program_refuses_a_newer_database_and_leaves_it(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    for refusing in (store.check, store.migrate):
        with pytest.raises(Misconfigured, match="written by a newer Tieout"):
            refusing()
    assert store.database.version() == "9999"


def test_a_database_without_tables_is_not_used_by_mistake(tmp_path: Path) -> None:
    database = Database.at(tmp_path / "tieout.sqlite")
    with pytest.raises(Misconfigured, match="has schema none"):
        database.check()
    database.close()


def bring_up(url: str, times: int) -> None:
    together = threading.Barrier(times)

    def one(_who: int) -> None:
        database = Database(url)
        together.wait()
        migrate(database)
        database.check()
        database.close()

    with ThreadPoolExecutor(times) as threads:
        list(threads.map(one, range(times)))


def test_several_processes_may_start_on_an_empty_file_at_once(tmp_path: Path) -> None:
    Database.at(tmp_path / "tieout.sqlite").close()
    bring_up(f"sqlite:///{tmp_path}/tieout.sqlite", 4)


@pytest.mark.needs("postgres")
def test_several_workers_may_start_on_an_empty_server_at_once(postgres_url: str) -> None:
    bring_up(postgres_url, 4)


FIRST_REJECTS = next(table for table in first_tables.TABLES if "app_reject (" in table)


def test_an_instance_of_the_first_schema_keeps_what_it_has(store: Store, run: str) -> None:
    store.apply_config("[flows]\n", "Anna")
    began = store.run(run).started_at
    serial = "INTEGER NOT NULL PRIMARY KEY" if store.database.is_sqlite else "BIGSERIAL PRIMARY KEY"
    with store.begin() as connection:
        newer = (
            sign_in_schema.password.name, sign_in_schema.session.name, sign_in_schema.tried.name,
            sign_in_schema.identity.name, sign_in_schema.asked_elsewhere.name,
            sign_in_schema.command.name, known_keys.app_key.name,
            notices.app_notice.name, bindings.app_binding.name, catalogue.app_catalogue.name,
            catalogue.app_catalogued.name, configs.app_proposal.name, cancels.app_cancel.name,
            looks.app_look.name, schedules.app_fire_run.name, schedules.app_fire.name,
            schedules.app_schedule.name, seats.app_seat_line.name, seats.app_seat.name,
            leases.app_lease.name, budget.app_budget.name, executors.app_executor.name,
            baselines.app_baseline_balance.name, baselines.app_baseline.name, "app_checkpoint",
            "app_certification", "app_journal", "app_batch", "app_plan_scope", "app_token",
            "app_user", "app_pile", "app_reject", "app_purged", "app_purge", "app_hold",
        )  # fmt: skip
        for table in newer:
            connection.execute(text(f"DROP TABLE {table}"))
        for column in ("why", "proposed_by"):
            connection.execute(text(f"ALTER TABLE app_config DROP COLUMN {column}"))
        for column in ("ends_at", "renewal_at", "renewal_by"):
            connection.execute(text(f"ALTER TABLE app_secret DROP COLUMN {column}"))
        connection.execute(text("DROP INDEX app_run_by_outcome"))
        connection.execute(text("DROP INDEX app_run_part_of"))
        connection.execute(text("ALTER TABLE app_run DROP COLUMN part_of"))
        for statement in (
            FIRST_REJECTS.replace("{serial}", serial),
            "CREATE INDEX app_reject_open ON app_reject (flow, state)",
            "CREATE INDEX app_reject_run ON app_reject (run)",
        ):
            connection.execute(text(statement))
        connection.execute(text(
            "INSERT INTO app_reject SELECT 7, id, flow, 'unmatched-member', 'reject', 'account "
            "8740', 'account', '8740', '00001', '-12.50', 'USD', 3, 'what', 'remedy', '', 'open', "
            "NULL FROM app_run"
        ))  # fmt: skip
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0001'"))
    with pytest.raises(Misconfigured, match="has schema 0001"):
        store.check()
    store.migrate()
    test_the_migrations_make_exactly_the_tables_the_program_knows(store)
    config = store.config()
    assert config is not None
    assert config.text == "[flows]\n"
    assert store.verify_audit().whole
    (kept,) = store.rejects()
    assert (kept.id, kept.state, kept.stands, kept.first_seen) == (7, "open", True, began)
    assert (kept.owner, kept.why, str(kept.finding.amount)) == (None, "", "-12.50")


def test_an_instance_from_before_the_trail_was_sealed_is_refused_and_left(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(text("DROP TABLE app_checkpoint"))
        connection.execute(text("ALTER TABLE audit DROP COLUMN seal"))
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0003'"))
    with pytest.raises(Misconfigured, match="was not sealed yet"):
        store.migrate()
    assert store.database.version() == "0003"

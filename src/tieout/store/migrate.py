"""Brings the database of an instance to the schema this program needs."""

from __future__ import annotations

from pathlib import Path

from tieout.store.database import Database, lock, newer_schema
from tieout.store.schema import SCHEMA_VERSION, VERSION_TABLE

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Run the missing migrations in one transaction; a newer database is refused untouched.

    Several processes may call it at once: one does the work, the others find it done.
    """
    # A sixth of the start-up of every command, and needed by nearly none.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext

    with database.begin() as connection:
        lock(connection, "migrate")
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        found = context.get_current_revision() or ""
        if found > SCHEMA_VERSION:
            raise newer_schema(found)
        if found == SCHEMA_VERSION:
            return
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, SCHEMA_VERSION)

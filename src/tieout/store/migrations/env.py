"""Runs the migrations on the connection that `store.migrate` hands over."""

from alembic import context

from tieout.store.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transaction_per_migration=False,  # all or nothing: a killed upgrade leaves the old schema
)
context.run_migrations()

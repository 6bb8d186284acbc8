"""The processes that execute runs, each with when it was last heard of."""

from alembic import op

revision = "0008"
down_revision = "0007"

EXECUTOR = """
    CREATE TABLE app_executor (
        id TEXT NOT NULL,
        host TEXT NOT NULL,
        machine TEXT NOT NULL,
        pid INTEGER NOT NULL,
        abi TEXT NOT NULL,
        began BIGINT NOT NULL,
        beat BIGINT NOT NULL,
        PRIMARY KEY (id)
    )
"""


UNFINISHED = "CREATE INDEX app_run_by_outcome ON app_run (outcome, started_at)"


def upgrade() -> None:
    """Make the table, and find unfinished runs by an index."""
    op.execute(EXECUTOR)
    op.execute(UNFINISHED)

"""The processes that execute runs, each with when it was last heard of."""

from alembic import op

revision = "0008"
down_revision = "0007"

EXECUTOR = """
    CREATE TABLE app_executor (
        id TEXT NOT NULL,
        host TEXT NOT NULL,
        pid INTEGER NOT NULL,
        abi TEXT NOT NULL,
        began BIGINT NOT NULL,
        beat BIGINT NOT NULL,
        PRIMARY KEY (id)
    )
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(EXECUTOR)

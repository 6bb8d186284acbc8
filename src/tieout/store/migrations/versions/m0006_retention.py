"""Legal holds, purges, and what stays of what was purged."""

from alembic import op

revision = "0006"
down_revision = "0005"

TABLES = (
    """
    CREATE TABLE app_hold (
        name TEXT NOT NULL,
        flow TEXT NOT NULL,
        company TEXT NOT NULL,
        why TEXT NOT NULL,
        placed_by TEXT NOT NULL,
        placed_at TEXT NOT NULL,
        released_by TEXT,
        released_at TEXT,
        released_why TEXT NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE app_purge (
        n INTEGER NOT NULL,
        purged_at TEXT NOT NULL,
        purged_by TEXT NOT NULL,
        digest TEXT NOT NULL,
        why TEXT NOT NULL,
        PRIMARY KEY (n)
    )
    """,
    """
    CREATE TABLE app_purged (
        object TEXT NOT NULL,
        purge INTEGER NOT NULL,
        kind TEXT NOT NULL,
        age TEXT NOT NULL,
        flow TEXT NOT NULL,
        run TEXT NOT NULL,
        rows BIGINT NOT NULL,
        bytes BIGINT NOT NULL,
        sha256 TEXT NOT NULL,
        totals TEXT NOT NULL,
        PRIMARY KEY (object),
        FOREIGN KEY (purge) REFERENCES app_purge (n),
        FOREIGN KEY (run) REFERENCES app_run (id)
    )
    """,
    "CREATE INDEX app_purged_run ON app_purged (run)",
)


def upgrade() -> None:
    """Make the tables."""
    for table in TABLES:
        op.execute(table)

"""The runs that people asked to end before their end."""

from alembic import op

revision = "0011"
down_revision = "0010"

CANCEL = """
    CREATE TABLE app_cancel (
        run TEXT NOT NULL,
        asked_by TEXT NOT NULL,
        why TEXT NOT NULL,
        asked_at TEXT NOT NULL,
        PRIMARY KEY (run),
        FOREIGN KEY (run) REFERENCES app_run (id)
    )
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(CANCEL)

"""The keys of an instance, by their names: the one that seals, the next one, and those before."""

from alembic import op

revision = "0013"
down_revision = "0012"

KEY = """
    CREATE TABLE app_key (
        fingerprint TEXT NOT NULL,
        state TEXT NOT NULL,
        since TEXT NOT NULL,
        set_by TEXT NOT NULL,
        PRIMARY KEY (fingerprint)
    )
"""


def upgrade() -> None:
    """Make the table; the key that seals is entered by the program, which can read it."""
    op.execute(KEY)

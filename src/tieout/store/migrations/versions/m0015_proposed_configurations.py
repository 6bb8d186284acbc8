"""Why a configuration was applied, what waits to be, and what the systems were seen to hold."""

from alembic import op

revision = "0015"
down_revision = "0011"

PROPOSAL = """
    CREATE TABLE app_proposal (
        id TEXT NOT NULL,
        state TEXT NOT NULL,
        base INTEGER NOT NULL,
        text TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        why TEXT NOT NULL,
        proposed_by TEXT NOT NULL,
        proposed_at TEXT NOT NULL,
        decided_by TEXT,
        decided_at TEXT,
        reason TEXT NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT app_proposal_state CHECK (state IN ('prepared', 'applied', 'declined', 'void'))
    )
"""


def upgrade() -> None:
    """Make the tables, and the columns of what is known from now on."""
    for column in ("why", "proposed_by"):
        op.execute(f"ALTER TABLE app_config ADD COLUMN {column} TEXT")
    op.execute(PROPOSAL)

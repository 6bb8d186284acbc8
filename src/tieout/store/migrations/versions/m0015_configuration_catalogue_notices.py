"""Configurations with their reasons, what the systems were seen to hold, and notices."""

from alembic import op

revision = "0015"
down_revision = "0013"

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
BINDING = """
    CREATE TABLE app_binding (
        flow TEXT NOT NULL,
        kind TEXT NOT NULL,
        configured TEXT NOT NULL,
        model TEXT NOT NULL,
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        told TEXT NOT NULL,
        bound_at TEXT NOT NULL,
        run TEXT NOT NULL,
        PRIMARY KEY (flow, kind, configured)
    )
"""
CATALOGUE = """
    CREATE TABLE app_catalogue (
        connection TEXT NOT NULL,
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        told TEXT NOT NULL,
        first_seen TEXT NOT NULL,
        changed_at TEXT NOT NULL,
        change TEXT NOT NULL,
        gone_at TEXT,
        PRIMARY KEY (connection, kind, id)
    )
"""
CATALOGUED = """
    CREATE TABLE app_catalogued (
        connection TEXT NOT NULL,
        place TEXT NOT NULL,
        about TEXT NOT NULL,
        looked_at TEXT NOT NULL,
        looked_by TEXT NOT NULL,
        PRIMARY KEY (connection)
    )
"""
NOTICE = """
    CREATE TABLE app_notice (
        notice TEXT NOT NULL,
        about TEXT NOT NULL,
        event TEXT NOT NULL,
        told TEXT NOT NULL,
        state TEXT NOT NULL,
        made_at TEXT NOT NULL,
        next_at TEXT NOT NULL,
        tries INTEGER NOT NULL,
        trouble TEXT NOT NULL,
        PRIMARY KEY (notice, about),
        CONSTRAINT app_notice_state CHECK (
            state IN ('begun', 'waiting', 'sending', 'sent', 'uncertain', 'failed')
        )
    )
"""


def upgrade() -> None:
    """Make the tables, and the columns of what is known from now on."""
    for column in ("why", "proposed_by"):
        op.execute(f"ALTER TABLE app_config ADD COLUMN {column} TEXT")
    for table in (PROPOSAL, BINDING, CATALOGUE, CATALOGUED, NOTICE):
        op.execute(table)
    op.execute("CREATE INDEX app_notice_next ON app_notice (state, next_at)")

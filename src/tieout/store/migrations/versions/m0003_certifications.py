"""What people certify: that a company's period ties, signed by two of them."""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLE = """
    CREATE TABLE app_certification (
        flow TEXT NOT NULL,
        company TEXT NOT NULL,
        fiscal_year INTEGER NOT NULL,
        period INTEGER NOT NULL,
        state TEXT NOT NULL,
        digest TEXT NOT NULL,
        cells INTEGER NOT NULL,
        run TEXT NOT NULL,
        prepared_by TEXT NOT NULL,
        prepared_at TEXT NOT NULL,
        certified_by TEXT,
        certified_at TEXT,
        reopened_by TEXT,
        reason TEXT NOT NULL,
        PRIMARY KEY (flow, company, fiscal_year, period),
        CONSTRAINT app_certification_state
            CHECK (state IN ('prepared', 'certified', 'reopened')),
        FOREIGN KEY (run) REFERENCES app_run (id)
    )
"""


def upgrade() -> None:
    """Make the table."""
    op.execute(TABLE)

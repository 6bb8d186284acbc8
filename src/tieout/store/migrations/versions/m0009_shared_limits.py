"""What all processes share: the requests a tenant allows."""

from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = (
    """
    CREATE TABLE app_budget (
        tenant TEXT NOT NULL,
        used_until BIGINT NOT NULL,
        held_until BIGINT NOT NULL,
        PRIMARY KEY (tenant)
    )
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for table in TABLES:
        op.execute(table)

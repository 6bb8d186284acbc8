"""Which run a part of a large read belongs to."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE app_run ADD COLUMN part_of TEXT REFERENCES app_run (id)")
    op.execute("CREATE INDEX app_run_part_of ON app_run (part_of)")

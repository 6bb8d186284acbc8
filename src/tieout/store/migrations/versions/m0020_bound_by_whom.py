"""Who bound a user to a subject could be that subject: kept, so that they count at approvals."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """A column; what people have bound so far went through their hands."""
    op.execute("ALTER TABLE app_identity ADD COLUMN handed_by TEXT DEFAULT '' NOT NULL")
    op.execute(
        "UPDATE app_identity SET handed_by = bound_by "
        'WHERE bound_by <> issuer AND bound_by <> "user"'
    )

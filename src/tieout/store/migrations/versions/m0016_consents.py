"""Until when the certificate of a credential holds, and who renews a consent at this moment."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Three columns."""
    op.execute("ALTER TABLE app_secret ADD COLUMN ends_at TEXT")
    op.execute("ALTER TABLE app_secret ADD COLUMN renewal_at TEXT")
    op.execute("ALTER TABLE app_secret ADD COLUMN renewal_by TEXT")

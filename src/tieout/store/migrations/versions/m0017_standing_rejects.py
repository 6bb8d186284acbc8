"""The rejects that no run has settled are found without reading those that were."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """An index of what stands, which is little beside what ever was found."""
    op.execute("CREATE INDEX app_reject_standing ON app_reject (id) WHERE settled_run IS NULL")

"""What stands of one flow is found without reading what stands of others, or was settled."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """An index of what stands, by its flow: every run of the flow looks through it."""
    op.execute("CREATE INDEX app_reject_of_flow ON app_reject (flow, id) WHERE settled_run IS NULL")

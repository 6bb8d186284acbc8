"""What all processes share: requests of a tenant, models of Anaplan, sessions of JD Edwards."""

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
    """
    CREATE TABLE app_lease (
        tenant TEXT NOT NULL,
        workspace TEXT NOT NULL,
        model TEXT NOT NULL,
        model_name TEXT NOT NULL,
        run TEXT NOT NULL,
        executor TEXT NOT NULL,
        state TEXT NOT NULL,
        kind TEXT NOT NULL,
        anaplan_id TEXT NOT NULL,
        name TEXT NOT NULL,
        known TEXT NOT NULL,
        task_id TEXT,
        taken_at TEXT NOT NULL,
        changed_at TEXT NOT NULL,
        PRIMARY KEY (tenant, workspace, model)
    )
    """,
    """
    CREATE TABLE app_seat (
        connection TEXT NOT NULL,
        number INTEGER NOT NULL,
        executor TEXT NOT NULL,
        run TEXT NOT NULL,
        session TEXT NOT NULL,
        taken BIGINT NOT NULL,
        PRIMARY KEY (connection, number)
    )
    """,
    """
    CREATE TABLE app_seat_line (
        connection TEXT NOT NULL,
        executor TEXT NOT NULL,
        run TEXT NOT NULL,
        since BIGINT NOT NULL,
        looked BIGINT NOT NULL,
        PRIMARY KEY (connection, executor, run)
    )
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for table in TABLES:
        op.execute(table)

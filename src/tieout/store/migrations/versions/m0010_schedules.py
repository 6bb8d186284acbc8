"""Schedules, what became of their due times, and what was seen of companies' current periods."""

from alembic import op

revision = "0010"
down_revision = "0009"

SCHEDULE = """
    CREATE TABLE app_schedule (
        name TEXT NOT NULL,
        rule TEXT NOT NULL,
        calendar TEXT NOT NULL,
        dealt_with TEXT NOT NULL,
        next_due TEXT,
        paused_until TEXT,
        paused_by TEXT,
        paused_why TEXT,
        skipped_by TEXT,
        skipped_why TEXT,
        PRIMARY KEY (name)
    )
"""

FIRE = """
    CREATE TABLE app_fire (
        schedule TEXT NOT NULL,
        due TEXT NOT NULL,
        state TEXT NOT NULL,
        times INTEGER NOT NULL,
        cause TEXT NOT NULL,
        by TEXT NOT NULL,
        why TEXT NOT NULL,
        flows TEXT NOT NULL,
        place INTEGER NOT NULL,
        decided_at TEXT NOT NULL,
        ended_at TEXT,
        sentence TEXT NOT NULL,
        PRIMARY KEY (schedule, due),
        CONSTRAINT app_fire_state CHECK (state IN (
            'running', 'complete', 'stopped', 'asked', 'skipped', 'paused', 'missed', 'left out'
        ))
    )
"""

FIRE_RUN = """
    CREATE TABLE app_fire_run (
        schedule TEXT NOT NULL,
        due TEXT NOT NULL,
        place INTEGER NOT NULL,
        run TEXT NOT NULL,
        PRIMARY KEY (schedule, due, place),
        UNIQUE (run),
        FOREIGN KEY(run) REFERENCES app_run (id)
    )
"""

LOOK = """
    CREATE TABLE app_look (
        connection TEXT NOT NULL,
        asked_at TEXT,
        looked_at TEXT,
        patterns_at TEXT,
        companies TEXT NOT NULL,
        patterns TEXT NOT NULL,
        trouble TEXT NOT NULL,
        PRIMARY KEY (connection)
    )
"""


def upgrade() -> None:
    """Make the tables."""
    for table in (SCHEDULE, FIRE, FIRE_RUN, LOOK):
        op.execute(table)
    op.execute("CREATE INDEX app_schedule_due ON app_schedule (next_due)")
    op.execute("CREATE INDEX app_fire_state_index ON app_fire (state)")

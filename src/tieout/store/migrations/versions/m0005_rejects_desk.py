"""Rejects get an owner, the last decision about them, and the moment their cause was first seen."""

from alembic import op

revision = "0005"
down_revision = "0004"

WORDS = {
    "{states}": "CHECK (state IN ('open', 'assigned', 'fixed', 'sent again', 'waived'))",
    "{kept}": "id, run, flow, rule, severity, subject, dimension, member, company, amount, "
    "currency, cells, what, remedy, vendor_words, state, settled_run",
    # What was found before this migration was first seen, as far as is known, by its own run.
    "{since}": "(SELECT started_at FROM app_run WHERE app_run.id = app_reject.run)",
}

# SQLite cannot change a CHECK, so the table is made anew.
SQLITE = (
    """
    CREATE TABLE app_reject_new (
        id INTEGER NOT NULL PRIMARY KEY,
        run TEXT NOT NULL,
        flow TEXT NOT NULL,
        rule TEXT NOT NULL,
        severity TEXT NOT NULL,
        subject TEXT NOT NULL,
        dimension TEXT NOT NULL,
        member TEXT NOT NULL,
        company TEXT NOT NULL,
        amount TEXT,
        currency TEXT NOT NULL,
        cells INTEGER NOT NULL,
        what TEXT NOT NULL,
        remedy TEXT NOT NULL,
        vendor_words TEXT NOT NULL,
        state TEXT NOT NULL,
        settled_run TEXT,
        line INTEGER,
        first_seen TEXT NOT NULL,
        owner TEXT,
        decided_by TEXT,
        decided_at TEXT,
        why TEXT NOT NULL,
        decided_on INTEGER,
        CONSTRAINT app_reject_state {states},
        FOREIGN KEY (run) REFERENCES app_run (id),
        FOREIGN KEY (settled_run) REFERENCES app_run (id)
    )
    """,
    "INSERT INTO app_reject_new ({kept}, first_seen, why) "
    "SELECT {kept}, {since}, '' FROM app_reject",
    "DROP TABLE app_reject",
    "ALTER TABLE app_reject_new RENAME TO app_reject",
    "CREATE INDEX app_reject_open ON app_reject (flow, state)",
    "CREATE INDEX app_reject_run ON app_reject (run)",
)
POSTGRESQL = (
    "ALTER TABLE app_reject ADD COLUMN line INTEGER, ADD COLUMN first_seen TEXT, "
    "ADD COLUMN owner TEXT, ADD COLUMN decided_by TEXT, ADD COLUMN decided_at TEXT, "
    "ADD COLUMN why TEXT, ADD COLUMN decided_on BIGINT",
    "UPDATE app_reject SET why = '', first_seen = {since}",
    "ALTER TABLE app_reject ALTER COLUMN first_seen SET NOT NULL, ALTER COLUMN why SET NOT NULL, "
    "DROP CONSTRAINT app_reject_state, ADD CONSTRAINT app_reject_state {states}",
)


def upgrade() -> None:
    """Widen the table; every reject keeps its number and its state."""
    connection = op.get_bind()
    for statement in SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL:
        for word, meaning in WORDS.items():
            statement = statement.replace(word, meaning)  # noqa: PLW2901 - filled in step by step
        connection.exec_driver_sql(statement)

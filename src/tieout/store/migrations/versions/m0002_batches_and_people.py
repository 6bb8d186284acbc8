"""What people approve and what reaches JD Edwards; who may act, and their tokens."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    """
    CREATE TABLE app_plan_scope (
        ledger TEXT NOT NULL,
        company TEXT NOT NULL,
        fiscal_year INTEGER NOT NULL,
        flow TEXT NOT NULL,
        run TEXT NOT NULL,
        PRIMARY KEY (ledger, company, fiscal_year),
        FOREIGN KEY (run) REFERENCES app_run (id)
    )
    """,
    """
    CREATE TABLE app_batch (
        id TEXT NOT NULL,
        flow TEXT NOT NULL,
        run TEXT NOT NULL,
        state TEXT NOT NULL,
        digest TEXT NOT NULL,
        lines INTEGER NOT NULL,
        amount TEXT NOT NULL,
        summary TEXT NOT NULL,
        prepared_by TEXT NOT NULL,
        prepared_at TEXT NOT NULL,
        decided_by TEXT,
        decided_at TEXT,
        reason TEXT NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT app_batch_state CHECK (state IN ('prepared', 'approved', 'declined', 'void')),
        FOREIGN KEY (run) REFERENCES app_run (id)
    )
    """,
    "CREATE INDEX app_batch_flow ON app_batch (flow, state)",
    """
    CREATE TABLE app_journal (
        batch TEXT NOT NULL,
        number INTEGER NOT NULL,
        company TEXT NOT NULL,
        ledger TEXT NOT NULL,
        fiscal_year INTEGER NOT NULL,
        period INTEGER NOT NULL,
        currency TEXT NOT NULL,
        key TEXT NOT NULL,
        token TEXT NOT NULL,
        "transaction" TEXT NOT NULL,
        batch_number TEXT,
        document_number TEXT,
        lines INTEGER NOT NULL,
        debit TEXT NOT NULL,
        credit TEXT NOT NULL,
        state TEXT NOT NULL,
        sent_at TEXT,
        looks INTEGER NOT NULL,
        looked_at TEXT,
        evidence TEXT NOT NULL,
        resent BOOLEAN NOT NULL,
        PRIMARY KEY (batch, number),
        CONSTRAINT app_journal_state CHECK (state IN (
            'reserved', 'sending', 'uncertain', 'absent', 'created', 'ready', 'posted', 'verified',
            'partial', 'refused', 'deleted', 'voided', 'drifted'
        )),
        FOREIGN KEY (batch) REFERENCES app_batch (id)
    )
    """,
    """
    CREATE UNIQUE INDEX app_journal_key ON app_journal (key)
    WHERE state NOT IN ('absent', 'refused')
    """,
    "CREATE INDEX app_journal_scope ON app_journal (ledger, company, fiscal_year)",
    "CREATE INDEX app_journal_state_now ON app_journal (state)",
    """
    CREATE TABLE app_user (
        name TEXT NOT NULL,
        roles TEXT NOT NULL,
        added_at TEXT NOT NULL,
        added_by TEXT NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE app_token (
        id TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        "user" TEXT NOT NULL,
        scopes TEXT NOT NULL,
        what_for TEXT NOT NULL,
        made_at TEXT NOT NULL,
        made_by TEXT NOT NULL,
        handed_by TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        revoked_at TEXT,
        revoked_by TEXT,
        PRIMARY KEY (id),
        UNIQUE (sha256),
        FOREIGN KEY ("user") REFERENCES app_user (name)
    )
    """,
    'CREATE INDEX app_token_user ON app_token ("user")',
)


def upgrade() -> None:
    """Make the tables of plan write-back and of people."""
    for statement in TABLES:
        op.get_bind().exec_driver_sql(statement)

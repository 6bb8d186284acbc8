"""What people sign as converted: balances without journals, a set of them for each signature."""

from alembic import op

revision = "0007"
down_revision = "0006"

BASELINE = """
    CREATE TABLE app_baseline (
        id TEXT NOT NULL,
        flow TEXT NOT NULL,
        company TEXT NOT NULL,
        state TEXT NOT NULL,
        digest TEXT NOT NULL,
        balances INTEGER NOT NULL,
        gross TEXT NOT NULL,
        why TEXT NOT NULL,
        prepared_by TEXT NOT NULL,
        prepared_at TEXT NOT NULL,
        decided_by TEXT,
        decided_at TEXT,
        reason TEXT NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT app_baseline_state CHECK (state IN ('prepared', 'signed', 'withdrawn'))
    )
"""
BALANCE = """
    CREATE TABLE app_baseline_balance (
        baseline TEXT NOT NULL,
        company TEXT NOT NULL,
        ledger TEXT NOT NULL,
        currency TEXT NOT NULL,
        account_id TEXT NOT NULL,
        fiscal_year INTEGER NOT NULL,
        period INTEGER NOT NULL,
        amount TEXT NOT NULL,
        PRIMARY KEY (baseline, company, ledger, currency, account_id, fiscal_year, period),
        FOREIGN KEY (baseline) REFERENCES app_baseline (id)
    )
"""
INDEXES = (
    "CREATE INDEX app_baseline_flow ON app_baseline (flow, state)",
    "CREATE INDEX app_baseline_place ON app_baseline_balance (company, ledger, fiscal_year)",
)


def upgrade() -> None:
    """Make the tables and their indexes."""
    for statement in (BASELINE, BALANCE, *INDEXES):
        op.execute(statement)

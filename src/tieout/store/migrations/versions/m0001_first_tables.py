"""The first tables: runs, steps, records, positions, credentials, configuration, audit."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    """
    CREATE TABLE app_config (
        version INTEGER NOT NULL,
        applied_at TEXT NOT NULL,
        applied_by TEXT NOT NULL,
        text TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        PRIMARY KEY (version)
    )
    """,
    """
    CREATE TABLE app_mapping (
        dimension TEXT NOT NULL,
        source TEXT NOT NULL,
        effective_from TEXT NOT NULL,
        version INTEGER NOT NULL,
        target TEXT,
        set_at TEXT NOT NULL,
        set_by TEXT NOT NULL,
        why TEXT NOT NULL,
        PRIMARY KEY (dimension, source, effective_from, version)
    )
    """,
    """
    CREATE TABLE app_secret (
        name TEXT NOT NULL,
        sealed TEXT NOT NULL,
        key_fingerprint TEXT NOT NULL,
        set_at TEXT NOT NULL,
        set_by TEXT NOT NULL,
        PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE audit (
        seq {big} NOT NULL,
        at TEXT NOT NULL,
        actor TEXT NOT NULL,
        act TEXT NOT NULL,
        object TEXT NOT NULL,
        detail TEXT NOT NULL,
        run TEXT NOT NULL,
        step TEXT NOT NULL,
        previous TEXT NOT NULL,
        sealed_by TEXT NOT NULL,
        seal TEXT NOT NULL,
        hash TEXT NOT NULL,
        PRIMARY KEY (seq),
        UNIQUE (hash)
    )
    """,
    "CREATE INDEX audit_object ON audit (object)",
    "CREATE INDEX audit_run ON audit (run)",
    """
    CREATE TABLE app_run (
        id TEXT NOT NULL,
        flow TEXT NOT NULL,
        kind TEXT NOT NULL,
        number INTEGER NOT NULL,
        started_by TEXT NOT NULL,
        trigger TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        outcome TEXT NOT NULL,
        sentence TEXT NOT NULL,
        exit_code INTEGER,
        config_version INTEGER,
        asked TEXT NOT NULL,
        figures TEXT NOT NULL,
        PRIMARY KEY (id),
        CONSTRAINT app_run_number UNIQUE (flow, number),
        CONSTRAINT app_run_outcome CHECK (
            outcome IN ('waiting', 'running', 'complete', 'needs_attention', 'failed', 'cancelled')
        ),
        FOREIGN KEY (config_version) REFERENCES app_config (version)
    )
    """,
    "CREATE INDEX app_run_started ON app_run (started_at)",
    """
    CREATE TABLE app_call (
        seq {serial},
        run TEXT NOT NULL,
        step TEXT NOT NULL,
        n INTEGER NOT NULL,
        system TEXT NOT NULL,
        method TEXT NOT NULL,
        path TEXT NOT NULL,
        status INTEGER NOT NULL,
        ms INTEGER NOT NULL,
        bytes_in BIGINT NOT NULL,
        bytes_out BIGINT NOT NULL,
        tries INTEGER NOT NULL,
        at TEXT NOT NULL,
        FOREIGN KEY (run) REFERENCES app_run (id)
    )
    """,
    "CREATE INDEX app_call_run ON app_call (run, step)",
    """
    CREATE TABLE app_chunk (
        run TEXT NOT NULL,
        file TEXT NOT NULL,
        n INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        bytes BIGINT NOT NULL,
        received_at TEXT NOT NULL,
        PRIMARY KEY (run, file, n),
        FOREIGN KEY (run) REFERENCES app_run (id)
    )
    """,
    """
    CREATE TABLE app_manifest (
        seq {serial},
        id TEXT NOT NULL,
        run TEXT NOT NULL,
        step TEXT NOT NULL,
        flow TEXT NOT NULL,
        kind TEXT NOT NULL,
        company TEXT NOT NULL,
        ledger TEXT NOT NULL,
        fiscal_year INTEGER NOT NULL,
        path TEXT NOT NULL,
        rows BIGINT NOT NULL,
        bytes BIGINT NOT NULL,
        sha256 TEXT NOT NULL,
        sums TEXT NOT NULL,
        written_at TEXT NOT NULL,
        superseded_by TEXT,
        UNIQUE (id),
        FOREIGN KEY (run) REFERENCES app_run (id),
        UNIQUE (path),
        FOREIGN KEY (superseded_by) REFERENCES app_run (id)
    )
    """,
    "CREATE INDEX app_manifest_current ON app_manifest (flow, kind, company, ledger, fiscal_year)",
    "CREATE INDEX app_manifest_run ON app_manifest (run, step)",
    """
    CREATE TABLE app_open_cell (
        flow TEXT NOT NULL,
        company TEXT NOT NULL,
        account TEXT NOT NULL,
        business_unit TEXT NOT NULL,
        member TEXT NOT NULL,
        ledger TEXT NOT NULL,
        currency TEXT NOT NULL,
        fiscal_year INTEGER NOT NULL,
        period INTEGER NOT NULL,
        reason TEXT NOT NULL,
        amount TEXT NOT NULL,
        since_run TEXT NOT NULL,
        PRIMARY KEY (flow, company, account, business_unit, member, ledger, currency),
        FOREIGN KEY (since_run) REFERENCES app_run (id)
    )
    """,
    """
    CREATE TABLE app_position (
        flow TEXT NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        run TEXT NOT NULL,
        moved_at TEXT NOT NULL,
        PRIMARY KEY (flow, name),
        FOREIGN KEY (run) REFERENCES app_run (id)
    )
    """,
    """
    CREATE TABLE app_reject (
        id {serial},
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
        CONSTRAINT app_reject_state CHECK (
            state IN ('open', 'fixed', 'sent again', 'waived')
        ),
        FOREIGN KEY (run) REFERENCES app_run (id),
        FOREIGN KEY (settled_run) REFERENCES app_run (id)
    )
    """,
    "CREATE INDEX app_reject_open ON app_reject (flow, state)",
    "CREATE INDEX app_reject_run ON app_reject (run)",
    """
    CREATE TABLE app_step (
        run TEXT NOT NULL,
        name TEXT NOT NULL,
        seq INTEGER NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT NOT NULL,
        result TEXT NOT NULL,
        PRIMARY KEY (run, name),
        FOREIGN KEY (run) REFERENCES app_run (id)
    )
    """,
    """
    CREATE TABLE app_task (
        run TEXT NOT NULL,
        step TEXT NOT NULL,
        kind TEXT NOT NULL,
        anaplan_id TEXT NOT NULL,
        known TEXT NOT NULL,
        task_id TEXT,
        state TEXT NOT NULL,
        intended_at TEXT NOT NULL,
        changed_at TEXT NOT NULL,
        PRIMARY KEY (run, step, kind, anaplan_id),
        FOREIGN KEY (run) REFERENCES app_run (id)
    )
    """,
)

CHAIN_RULES_SQLITE = (
    """
    CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """,
    """
    CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """,
    # INSERT OR REPLACE deletes without asking the trigger above whichever entry has the number or
    # the hash of the new one, so this one asks first.
    """
    CREATE TRIGGER audit_follows BEFORE INSERT ON audit
    WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit)
        OR NEW.previous IS NOT COALESCE(
            (SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), '{start}'
        )
        OR EXISTS (SELECT 1 FROM audit WHERE hash = NEW.hash)
    BEGIN SELECT RAISE(ABORT, 'an audit entry must follow the last one'); END
    """,
)

CHAIN_RULES_POSTGRESQL = (
    """
    CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$
    """,
    """
    CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_refuse()
    """,
    """
    CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()
    """,
    """
    CREATE FUNCTION audit_follow() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.seq IS DISTINCT FROM (SELECT COALESCE(MAX(seq), 0) + 1 FROM audit)
            OR NEW.previous IS DISTINCT FROM COALESCE(
                (SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), '{start}'
            )
        THEN RAISE EXCEPTION 'an audit entry must follow the last one';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER audit_follows BEFORE INSERT ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_follow()
    """,
)
CHAIN_START = "0" * 64


def upgrade() -> None:
    """Make every table and the triggers that keep the audit trail append-only."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    words = {
        "{serial}": "INTEGER NOT NULL PRIMARY KEY" if sqlite else "BIGSERIAL PRIMARY KEY",
        "{big}": "INTEGER" if sqlite else "BIGINT",
        "{start}": CHAIN_START,
    }
    for statement in (*TABLES, *(CHAIN_RULES_SQLITE if sqlite else CHAIN_RULES_POSTGRESQL)):
        for word, meaning in words.items():
            statement = statement.replace(word, meaning)  # noqa: PLW2901 - filled in step by step
        op.get_bind().exec_driver_sql(statement)

"""Passwords, sessions, tries, identities, commands of the API, and when somebody left."""

from alembic import op

revision = "0015"
down_revision = "0014"

CREDENTIAL = """
    CREATE TABLE app_password (
        "user" TEXT NOT NULL,
        argon2 TEXT NOT NULL,
        set_at TEXT NOT NULL,
        set_by TEXT NOT NULL,
        handed_by TEXT NOT NULL,
        temporary BOOLEAN NOT NULL,
        PRIMARY KEY ("user"),
        FOREIGN KEY ("user") REFERENCES app_user (name)
    )
"""
SESSION = """
    CREATE TABLE app_session (
        id TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        known_sha256 TEXT NOT NULL,
        "user" TEXT NOT NULL,
        scopes TEXT NOT NULL,
        way TEXT NOT NULL,
        handed_by TEXT NOT NULL,
        address TEXT NOT NULL,
        browser TEXT NOT NULL,
        made_at TEXT NOT NULL,
        seen_at TEXT NOT NULL,
        ends_at TEXT NOT NULL,
        ended_at TEXT,
        ended_by TEXT,
        PRIMARY KEY (id),
        UNIQUE (sha256),
        UNIQUE (known_sha256),
        FOREIGN KEY ("user") REFERENCES app_user (name)
    )
"""
TRIED = """
    CREATE TABLE app_tried (
        who TEXT NOT NULL,
        tries INTEGER NOT NULL,
        last_at TEXT NOT NULL,
        PRIMARY KEY (who)
    )
"""
IDENTITY = """
    CREATE TABLE app_identity (
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        "user" TEXT NOT NULL,
        bound_at TEXT NOT NULL,
        bound_by TEXT NOT NULL,
        PRIMARY KEY (issuer, subject),
        FOREIGN KEY ("user") REFERENCES app_user (name)
    )
"""
ASKED_ELSEWHERE = """
    CREATE TABLE app_asked_elsewhere (
        state_sha256 TEXT NOT NULL,
        told TEXT NOT NULL,
        asked_at TEXT NOT NULL,
        PRIMARY KEY (state_sha256)
    )
"""
COMMAND = """
    CREATE TABLE app_command (
        "user" TEXT NOT NULL,
        key TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        status INTEGER,
        answer TEXT NOT NULL,
        asked_at TEXT NOT NULL,
        PRIMARY KEY ("user", key)
    )
"""


def upgrade() -> None:
    """Make the tables, and the columns of what is known from now on."""
    for table in (CREDENTIAL, SESSION, TRIED, IDENTITY, ASKED_ELSEWHERE, COMMAND):
        op.execute(table)
    op.execute('CREATE INDEX app_session_user ON app_session ("user")')
    op.execute("CREATE INDEX app_command_asked ON app_command (asked_at)")
    for column in ("closed_at", "closed_by"):
        op.execute(f"ALTER TABLE app_user ADD COLUMN {column} TEXT")
    op.execute("ALTER TABLE app_token ADD COLUMN used_at TEXT")

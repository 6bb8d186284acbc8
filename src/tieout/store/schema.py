"""The tables of one instance, as the newest migration leaves them.

The durable engine keeps its own tables in the same SQLite file, so ours begin with `app_`;
`audit` has the name the design gives it. `tests/store/test_migrations.py` holds this file and
`migrations/` together.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)  # fmt: skip

from tieout.store.columns import Json, Moment, Money, Words

SCHEMA_VERSION = "0020"  # the newest file in migrations/versions
VERSION_TABLE = "app_schema"  # kept by Alembic: one row, the version of this database

RUN_OUTCOMES = ("waiting", "running", "complete", "needs_attention", "failed", "cancelled")
UNFINISHED = ("waiting", "running")
BATCH_STATES = ("prepared", "approved", "declined", "void")
JOURNAL_STATES = (
    "reserved", "sending", "uncertain", "absent", "created", "ready", "posted", "verified",
    "partial", "refused", "deleted", "voided", "drifted",
)  # fmt: skip
CERTIFICATION_STATES = ("prepared", "certified", "reopened")
NEVER_THERE = text("state NOT IN ('absent', 'refused')")  # which journals hold their business key

metadata = MetaData()
SERIAL = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only INTEGER keys itself


def _one_of(column: str, words: tuple[str, ...], name: str) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


def _run() -> Column[str]:
    return Column("run", Text, ForeignKey("app_run.id"), nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Words, nullable=False)


app_config = Table(
    "app_config", metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("applied_at", Moment, nullable=False),
    Column("applied_by", Words, nullable=False),
    Column("text", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("why", Words),  # NULL: nobody was asked
    Column("proposed_by", Words),  # the first of two people, where two were needed
)  # fmt: skip

app_secret = Table(
    "app_secret", metadata,
    Column("name", Text, primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("key_fingerprint", Text, nullable=False),
    Column("set_at", Moment, nullable=False),
    Column("set_by", Words, nullable=False),
    Column("ends_at", Moment),  # of the certificate in it, if there is one
    Column("renewal_at", Moment),  # since when it is renewed, or a renewal was lost
    Column("renewal_by", Text),  # by whom; "": by nobody, it was lost
)  # fmt: skip

app_run = Table(
    "app_run",
    metadata,
    Column("id", Text, primary_key=True),
    Column("flow", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("started_by", Words, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("outcome", Text, nullable=False),
    _text("sentence"),
    Column("exit_code", Integer),
    Column("config_version", Integer, ForeignKey("app_config.version")),
    Column("asked", Json, nullable=False),  # what the run was asked for: period, replayed run, …
    Column("figures", Json, nullable=False),
    Column("part_of", Text, ForeignKey("app_run.id")),  # the run whose steps this one carries out
    UniqueConstraint("flow", "number", name="app_run_number"),
    _one_of("outcome", RUN_OUTCOMES, "app_run_outcome"),
    Index("app_run_started", "started_at"),
    Index("app_run_by_outcome", "outcome", "started_at"),
    Index("app_run_part_of", "part_of"),
)

app_step = Table(
    "app_step",
    metadata,
    Column("run", Text, ForeignKey("app_run.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment, nullable=False),
    Column("result", Json, nullable=False),
)

app_manifest = Table(
    "app_manifest",
    metadata,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    _run(),
    Column("step", Text, nullable=False),
    Column("flow", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("company", Text, nullable=False),
    Column("ledger", Text, nullable=False),
    Column("fiscal_year", Integer, nullable=False),
    Column("path", Text, nullable=False, unique=True),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("sums", Json, nullable=False),
    Column("written_at", Moment, nullable=False),
    Column("superseded_by", Text, ForeignKey("app_run.id")),
    Index("app_manifest_current", "flow", "kind", "company", "ledger", "fiscal_year"),
    Index("app_manifest_run", "run", "step"),
)

app_position = Table(
    "app_position",
    metadata,
    Column("flow", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Json, nullable=False),
    _run(),
    Column("moved_at", Moment, nullable=False),
)

app_open_cell = Table(
    "app_open_cell", metadata,
    Column("flow", Text, primary_key=True),
    Column("company", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("business_unit", Text, primary_key=True),
    Column("member", Text, primary_key=True),
    Column("ledger", Text, primary_key=True),
    Column("currency", Text, primary_key=True),
    Column("fiscal_year", Integer, nullable=False),
    Column("period", Integer, nullable=False),
    Column("reason", Words, nullable=False),
    Column("amount", Money, nullable=False),
    Column("since_run", Text, ForeignKey("app_run.id"), nullable=False),
)  # fmt: skip

app_mapping = Table(
    "app_mapping",
    metadata,
    Column("dimension", Text, primary_key=True),
    Column("source", Words, primary_key=True),
    Column("effective_from", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("target", Words),  # NULL withdraws the mapping: the code maps to itself again
    Column("set_at", Moment, nullable=False),
    Column("set_by", Words, nullable=False),
    _text("why"),
)

app_task = Table(
    "app_task",
    metadata,
    Column("run", Text, ForeignKey("app_run.id"), primary_key=True),
    Column("step", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("anaplan_id", Text, primary_key=True),
    Column("known", Json, nullable=False),
    Column("task_id", Text),
    Column("state", Text, nullable=False),
    Column("intended_at", Moment, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

app_chunk = Table(
    "app_chunk",
    metadata,
    Column("run", Text, ForeignKey("app_run.id"), primary_key=True),
    Column("file", Text, primary_key=True),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("sha256", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("received_at", Moment, nullable=False),
)

app_call = Table(
    "app_call",
    metadata,
    Column("seq", SERIAL, primary_key=True, autoincrement=True),
    _run(),
    Column("step", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("system", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("path", Words, nullable=False),
    Column("status", Integer, nullable=False),
    Column("ms", Integer, nullable=False),
    Column("bytes_in", BigInteger, nullable=False),
    Column("bytes_out", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Index("app_call_run", "run", "step"),
)

# One (ledger, company, fiscal year) belongs to one flow: two would each take away what the other
# has sent.
app_plan_scope = Table(
    "app_plan_scope",
    metadata,
    Column("ledger", Text, primary_key=True),
    Column("company", Text, primary_key=True),
    Column("fiscal_year", Integer, primary_key=True, autoincrement=False),
    Column("flow", Text, nullable=False),
    _run(),
)

app_batch = Table(
    "app_batch",
    metadata,
    Column("id", Text, primary_key=True),
    Column("flow", Text, nullable=False),
    _run(),
    Column("state", Text, nullable=False),
    Column("digest", Text, nullable=False),  # SHA-256 over the exact lines
    Column("lines", Integer, nullable=False),
    Column("amount", Money, nullable=False),
    Column("summary", Json, nullable=False),
    Column("prepared_by", Words, nullable=False),
    Column("prepared_at", Moment, nullable=False),
    Column("decided_by", Words),
    Column("decided_at", Moment),
    _text("reason"),
    _one_of("state", BATCH_STATES, "app_batch_state"),
    Index("app_batch_flow", "flow", "state"),
)

app_journal = Table(
    "app_journal",
    metadata,
    Column("batch", Text, ForeignKey("app_batch.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("company", Text, nullable=False),
    Column("ledger", Text, nullable=False),
    Column("fiscal_year", Integer, nullable=False),
    Column("period", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("token", Text, nullable=False),  # the reference on every line, by which JDE is asked
    Column("transaction", Text, nullable=False),
    Column("batch_number", Text),
    Column("document_number", Text),
    Column("lines", Integer, nullable=False),
    Column("debit", Money, nullable=False),
    Column("credit", Money, nullable=False),
    Column("state", Text, nullable=False),
    Column("sent_at", Moment),
    Column("looks", Integer, nullable=False),  # since it was last sent
    Column("looked_at", Moment),
    Column("evidence", Json, nullable=False),
    Column("resent", Boolean, nullable=False),
    _one_of("state", JOURNAL_STATES, "app_journal_state"),
    Index("app_journal_key", "key", unique=True, sqlite_where=NEVER_THERE,
          postgresql_where=NEVER_THERE),
    Index("app_journal_scope", "ledger", "company", "fiscal_year"),
    Index("app_journal_state_now", "state"),
)  # fmt: skip

# That a company's period ties, as two people signed it; the digest is that of its compared cells.
app_certification = Table(
    "app_certification", metadata,
    Column("flow", Text, primary_key=True),
    Column("company", Text, primary_key=True),
    Column("fiscal_year", Integer, primary_key=True, autoincrement=False),
    Column("period", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("cells", Integer, nullable=False),
    _run(),  # that compared them
    Column("prepared_by", Words, nullable=False),
    Column("prepared_at", Moment, nullable=False),
    Column("certified_by", Words),
    Column("certified_at", Moment),
    Column("reopened_by", Text),  # the run that found another digest
    _text("reason"),
    _one_of("state", CERTIFICATION_STATES, "app_certification_state"),
)  # fmt: skip

app_user = Table(
    "app_user",
    metadata,
    Column("name", Text, primary_key=True),
    Column("roles", Json, nullable=False),
    Column("added_at", Moment, nullable=False),
    Column("added_by", Words, nullable=False),
    Column("closed_at", Moment),  # acts no more from then on
    Column("closed_by", Words),
)

app_token = Table(
    "app_token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sha256", Text, nullable=False, unique=True),  # of the token, which is shown only once
    Column("user", Text, ForeignKey("app_user.name"), nullable=False),
    Column("scopes", Json, nullable=False),
    _text("what_for"),
    Column("made_at", Moment, nullable=False),
    Column("made_by", Words, nullable=False),
    Column(
        "handed_by", Words, nullable=False
    ),  # the other person who has seen it, or one before it
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("revoked_by", Words),
    Column("used_at", Moment),  # last, to the minute
    Index("app_token_user", "user"),
)

app_checkpoint = Table(
    "app_checkpoint", metadata,
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("line", Text, nullable=False),  # what was signed, with its signature
)  # fmt: skip

audit = Table(
    "audit",
    metadata,
    Column("seq", SERIAL, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("sealed_by", Text, nullable=False),
    Column("seal", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Index("audit_object", "object"),
    Index("audit_run", "run"),
)

"""What stands on the desk is counted as it comes and goes, and found in any order by an index."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from alembic import op
from sqlalchemy import Connection, Row, text

revision = "0018"
down_revision = "0017"

ROWS_AT_ONCE = 10_000
NUMBER = {"sqlite": "INTEGER", "postgresql": "BIGINT"}
SERIAL = {"sqlite": "INTEGER", "postgresql": "BIGSERIAL"}
ALIKE = ("flow", "run", "rule", "company", "state", "owner", "currency")
PILE = """
    CREATE TABLE app_pile (
        id {serial} NOT NULL,
        flow TEXT NOT NULL,
        run TEXT NOT NULL,
        rule TEXT NOT NULL,
        company TEXT NOT NULL,
        state TEXT NOT NULL,
        owner TEXT NOT NULL,
        currency TEXT NOT NULL,
        rows BIGINT NOT NULL,
        cells BIGINT NOT NULL,
        amounts BIGINT NOT NULL,
        amount TEXT NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY (run) REFERENCES app_run (id),
        CONSTRAINT app_pile_alike UNIQUE (flow, run, rule, company, state, owner, currency)
    )
"""
STANDING = """
    SELECT id, flow, run, rule, company, state, COALESCE(owner, '') AS owner, currency, cells,
        amount
    FROM app_reject
    WHERE settled_run IS NULL AND severity <> 'note' AND id > :after ORDER BY id LIMIT :rows
"""
FILL = """
    INSERT INTO app_pile (id, flow, run, rule, company, state, owner, currency, rows, cells,
        amounts, amount)
    VALUES (:id, :flow, :run, :rule, :company, :state, :owner, :currency, :rows, :cells,
        :amounts, :amount)
"""
DESK = (
    ("app_reject_age", "first_seen, id, pile"), ("app_reject_company", "company, id, pile"),
    ("app_reject_weight", "weight, id, pile"), ("app_reject_cells", "cells, id, pile"),
    ("app_reject_pile", "pile, first_seen, id"),
)  # fmt: skip


def upgrade() -> None:
    """Two columns, the piles of what stands now, and the indexes."""
    connection = op.get_bind()
    kind = connection.dialect.name
    connection.exec_driver_sql(PILE.format(serial=SERIAL[kind]))
    op.execute(f"ALTER TABLE app_reject ADD COLUMN pile {NUMBER[kind]}")
    op.execute("ALTER TABLE app_reject ADD COLUMN weight TEXT DEFAULT '' NOT NULL")
    _pile_up(connection)
    op.execute("DROP INDEX app_reject_run")
    op.execute("CREATE INDEX app_reject_run ON app_reject (run, first_seen, id)")
    op.execute("CREATE INDEX app_reject_member ON app_reject (member, flow, pile)")
    op.execute("CREATE INDEX app_reject_line ON app_reject (run, line) WHERE line IS NOT NULL")
    for name, columns in DESK:
        op.execute(f"CREATE INDEX {name} ON app_reject ({columns}) WHERE pile IS NOT NULL")


def _pile_up(connection: Connection) -> None:
    """Put what stands on its piles."""
    piles: dict[tuple[Any, ...], dict[str, Any]] = {}
    on = text("UPDATE app_reject SET pile = :pile, weight = :weight WHERE id = :at")
    for rows in _standing(connection):
        told = []
        for row in rows:
            key = tuple(getattr(row, name) for name in ALIKE)
            new = {"id": len(piles) + 1, "rows": 0, "cells": 0, "amounts": 0, "amount": Decimal(0)}
            pile = piles.setdefault(key, dict(zip(ALIKE, key, strict=True)) | new)
            amount = None if row.amount is None else Decimal(row.amount)
            pile["rows"] += 1
            pile["cells"] += row.cells
            if amount is not None:
                pile["amounts"] += 1
                pile["amount"] += abs(amount)
            told.append({"at": row.id, "pile": pile["id"], "weight": _weight(amount)})
        connection.execute(on, told)
    for pile in piles.values():
        connection.execute(text(FILL), pile | {"amount": format(pile["amount"], "f")})
    if piles and connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence('app_pile', 'id'), :last)"),
            {"last": len(piles)},
        )


def _standing(connection: Connection) -> Iterator[list[Row[Any]]]:
    after = 0
    while True:
        asked = {"after": after, "rows": ROWS_AT_ONCE}
        rows = list(connection.execute(text(STANDING), asked))
        if not rows:
            return
        after = rows[-1].id
        yield rows


def _weight(amount: Decimal | None) -> str:
    """Text in the order of the amounts, as `store.piles.weight` was at this migration."""
    if amount is None:
        return ""
    largest = 10**36 - 1
    scaled = min(int(abs(amount).scaleb(12)), largest)
    return f"1{largest - scaled:036d}" if amount < 0 else f"2{scaled:036d}"

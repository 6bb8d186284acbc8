"""Every row of a table's run is accounted for: one that is lost keeps it from being complete."""

from __future__ import annotations

import csv
import hashlib
import io
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from books import Books, told
from table_books import key_of, map_unplanned, one_balance
from tampering import remove_a_row

from tieout.errors import Misconfigured
from tieout.store.runs import Run
from tieout.verbs import exporting_tables, seeing


def account(books: Books, run: Run) -> dict[str, dict[str, int]]:
    """What became of the rows of every passage, by "verb what"; whether it agrees under ""."""
    shown = seeing.show(books.instance, run.id)["accounted"]
    found = {
        f"{p['verb']} {p['what']}": {w["as"]: w["rows"] for w in p["went"]}
        for p in shown["passages"]
    }
    return found | {"": {"agree": shown["agree"]}}


def test_every_row_of_a_table_is_accounted_for_from_jde_to_anaplan(never_loaded: Books) -> None:
    held = never_loaded.run("balances")
    waiting = account(never_loaded, held)
    assert waiting[""] == {"agree": True}
    assert "sent rows" not in waiting
    map_unplanned(never_loaded)
    run = never_loaded.run("balances")
    found = account(never_loaded, run)
    rows, sent = run.figures["rows_read"], run.figures["rows_sent"]
    assert found[""] == {"agree": True}
    assert found["read rows"] == {"in the mirror": rows}
    assert found["mirrored rows"] == {"in cells": rows, "without a member": 0}
    assert found["touched cells"] == {"to send": sent}
    assert found["sent numbers"] == {"accepted": sent * 15, "rejected": 0, "ignored": 0}
    passages = seeing.show(never_loaded.instance, run.id)["accounted"]["passages"]
    (folded,) = [p for p in passages if p["verb"] == "mirrored"]
    assert {"USD", "EUR", "JPY", "KWD"} <= folded["came"]["sums"].keys()
    quiet = account(never_loaded, never_loaded.run("balances"))
    assert quiet[""] == {"agree": True}


LOST = {  # kind of file → when a row is taken out of it, and the passage that must miss it
    "rows": ("read the table:after", "read rows"),
    "cells": ("fold into cells:after", "mirrored rows"),
    "touched": ("fold into cells:after", "touched cells"),
    "to_send": ("check the members:after", "to send cells"),
    "sent": ("write the file:after", "wrote rows"),
    "file": ("write the file:after", "wrote bytes"),
    "anaplan": ("read back:after", "read back numbers of Anaplan"),
    "compared": ("compare:after", "folded numbers of the table"),
}  # fmt: skip


def test_a_row_of_a_table_that_is_lost_between_two_steps_is_missed_there(
    tables: Books, dice: Random
) -> None:
    ledger, missed = tables.systems.jde.ledger, set()
    for some in (("rows", "touched", "sent"), ("cells", "to_send", "file"), ("anaplan",),
                 ("compared",)):  # fmt: skip
        meanwhile: dict[str, Any] = {}
        for kind in some:
            moment, before = LOST[kind][0], meanwhile.get(LOST[kind][0], lambda: None)
            meanwhile[moment] = lambda kind=kind, before=before: (
                before(), remove_a_row(tables, kind, dice, "balances"))  # fmt: skip
        row = one_balance(tables)  # so that there is something new to keep
        ledger.update("F0902", {"AN03": int(row["AN03"]) + 1}, key_of(row))
        run = tables.run("balances", full=True, meanwhile=meanwhile)
        assert run.outcome == "needs_attention", told(tables, run)
        assert tables.findings(run, "not-accounted")
        passages = seeing.show(tables.instance, run.id)["accounted"]["passages"]
        apart = {f"{p['verb']} {p['what']}" for p in passages if not p["agrees"]}
        assert {LOST[kind][1] for kind in some} <= apart, (apart, told(tables, run))
        missed |= {*some}
    assert missed == LOST.keys()
    assert tables.run("balances", full=True).outcome == "complete"


def test_a_comparison_of_a_table_is_handed_out_with_its_hash_and_the_way_of_its_rows(
    tables: Books, tmp_path: Path
) -> None:
    for name in ("t.xlsx", "t.html", "t.csv"):
        told_of = exporting_tables.export(tables.instance, "balances", tmp_path / name, cells=True)
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == told_of["sha256"]
    text = (tmp_path / "t.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    facts = {row[0]: row[1] for row in rows[: rows.index([])] if len(row) == 2}
    assert facts["Conditions"].startswith("LT is AA; CO is 00001, ")
    cells = rows[rows.index(["Every number", "All that were compared."]) + 2 :]
    assert len(cells) == int(facts["Numbers"])
    assert all(Decimal(row[8]) == 0 for row in cells), "the table less Anaplan"
    lines = ["Company,Account,Cost Center,Fiscal Year,item,value,shown"]
    lines += [",".join([*row[:5], f"{Decimal(row[6]):.4f}", f"{Decimal(row[7]):.4f}"])
              for row in cells]  # fmt: skip
    digest = hashlib.sha256(("\n".join(lines) + "\n").encode()).hexdigest()
    assert facts["SHA-256 of the compared numbers"] == digest
    assert ["read the table", "read", "rows"] in [row[:3] for row in rows]


def test_a_table_that_was_never_compared_has_nothing_to_hand_out(
    never_loaded: Books, tmp_path: Path
) -> None:
    with pytest.raises(Misconfigured, match="No run of balances has compared"):
        exporting_tables.export(never_loaded.instance, "balances", tmp_path / "t.csv")
    assert list(tmp_path.glob("t.*")) == []

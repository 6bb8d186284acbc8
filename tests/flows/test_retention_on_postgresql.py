"""Files are made few and old ones purged on PostgreSQL, and what stays still ties."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from books import Books, assert_tied, told
from retained import LONG_AGO, RULES, advance, by_kind, files, purge
from table_books import payables_of_anaplan, payables_of_jde, with_tables

from tieout.verbs import retaining

LINES = 300
LOADS = 9  # of a few lines each, so that there is something to make few


@pytest.fixture
def on_postgresql(postgres_url: str, tmp_path: Path) -> Iterator[Books]:
    """Books on a PostgreSQL database of their own, loaded several times, with rules of 30 days."""
    made = with_tables(Books(tmp_path / "home", lines=LINES, database=postgres_url))
    made.change_flow("[flows.accounts]", f'{RULES}compacted = "30 days"\n\n[flows.accounts]')
    listed = ", ".join(f'"{company}"' for company in made.companies)
    made.change_flow(f"companies = [{listed}]\nfrom_period", 'companies = ["00001"]\nfrom_period')
    made.companies = ["00001"]
    made.load_everything()
    for _ in range(LOADS):
        made.event("backdated", company="00001", period="2025-03")
        assert made.run().outcome == "complete"
    voucher = next(row for row in made.systems.jde.ledger.rows("F0411") if row["AAP"])
    for amount in (100, 200):
        made.systems.jde.ledger.update("F0411", {"AAP": amount}, {"DOC": voucher["DOC"]})
        run = made.run("payables")
        assert run.outcome == "complete", told(made, run)
    yield made
    made.close()


@pytest.mark.needs("postgres")
def test_compaction_and_purge_keep_what_counts_on_postgresql_too(on_postgresql: Books) -> None:
    books = on_postgresql
    before = len(books.store.current("actuals", "lines"))

    done = retaining.compact(books.instance, "actuals")

    assert done["ok"], done
    assert len(books.store.current("actuals", "lines")) < before
    advance(books, LONG_AGO)
    books.event("late_post")
    assert books.run().outcome == "complete"  # everything is read again
    shown = retaining.preview(books.instance)
    assert {k for k, kind in by_kind(shown).items() if kind["rows"]} >= {"workings", "uploads"}
    assert {item["flow"] for item in shown["items"]} >= {"actuals", "payables"}
    there = files(books)

    purge(books)

    assert there - files(books) == {item["path"] for item in shown["items"] if item["path"]}
    assert_tied(books, books.tie_out())
    assert books.run("payables").sentence.startswith("Nothing new")
    left = {code: p for code, p in payables_of_anaplan(books).items() if p[2] != "0"}
    assert left == payables_of_jde(books)

"""A large read that is cut into parts is read like one that is not."""

from __future__ import annotations

from books import Books

from tieout.store import parts


def test_a_first_load_in_parts_ties(new_books: Books) -> None:
    new_books.change_flow("[connections.erp]\n", "[connections.erp]\nparts = 8\npage_rows = 10\n")
    run = new_books.run()
    with new_books.store.database.read() as connection:
        found = parts.of_run(connection, run.id)
    assert [part.outcome for part in found] == ["complete"] * 8

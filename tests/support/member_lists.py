"""Members on both sides: the tables of JD Edwards, the file that was sent, Anaplan's list."""

from __future__ import annotations

from books import Books


def members(books: Books, name: str) -> dict[str, dict[str, str]]:
    """The list's members by code, as the file that was uploaded last tells them."""
    rows = books.uploaded(f"{name}.csv")
    found = {row["Code"]: row for row in rows}
    assert len(found) == len(rows), "a code stands twice in the file"
    return found


def items(books: Books, name: str) -> dict[str, tuple[str, str]]:
    """Code → name and parent's name in the practice Anaplan, read from its own state."""
    state = books.systems.anaplan.state
    with state.lock:
        rows = state.rows(
            "select i.code, i.name, coalesce(p.name, '') from items i "
            "join objects o on o.id = i.list left join items p on p.id = i.parent "
            "and p.list = i.list where o.name = ? and i.code <> ''",
            name,
        )
    return {code: (item, parent) for code, item, parent in rows}


def rows_of(books: Books, table: str) -> list[dict[str, object]]:
    """Every row of a table of the practice JD Edwards."""
    return [dict(row) for row in books.systems.jde.ledger.rows(table)]


def codes_of_accounts(books: Books) -> dict[str, list[dict[str, object]]]:
    """Code → the rows of F0901 that share it."""
    found: dict[str, list[dict[str, object]]] = {}
    for row in rows_of(books, "F0901"):
        code = f"{row['OBJ']}.{row['SUB']}" if row["SUB"] else str(row["OBJ"])
        found.setdefault(code, []).append(row)
    return found

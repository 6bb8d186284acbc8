"""A run that lies for days, and is carried on: what Anaplan forgot meanwhile is sent again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from books import Books, Cells, assert_quiet, assert_tied, changed

from tieout.engine.story import Interrupted
from tieout.sim.anaplan.files import put_content
from tieout.store.runs import Run

STALE = "Company,Account,Cost Center,Time,Amount\n"


def many_chunks(books: Books) -> Cells:
    """So many cells to send, in pieces so small, that the file has several chunks."""
    secret = 'secret = "secret://planning"'
    books.change_flow(secret, f"{secret}\nchunk_bytes = 1000")
    for period in range(1, 12):
        for company in ("00001", "00060", "00200"):
            books.event("backdated", company=company, period=f"2025-{period:02}")
    return changed(books.anaplan(), books.expected())


def die() -> None:
    raise Interrupted("the machine is switched off")


def interrupted(books: Books, moment: str) -> Run:
    """The run that died at `moment`."""
    with pytest.raises(Interrupted):
        books.run(meanwhile={moment: die})
    run = books.store.unfinished_run("actuals")
    assert run is not None
    return run


def pass_by(books: Books, **hours: float) -> None:
    """Nobody looks for so long."""
    books.clock.practice.advance(timedelta(**hours).total_seconds())


def old_default_file(books: Books) -> None:
    """An administrator once left a file for everybody: one wrong value in every cell."""
    rows = [",".join((*cell, "4711")) for cell in books.anaplan()]
    state = books.systems.anaplan.state
    with state.change():
        model = state.row("select id from models")[0]
        file = state.named(model, "file", "GL Actuals.csv")
        text = STALE + "\n".join(rows) + "\n"
        put_content(state, books.clock.practice.now(), model, file.id, "", [text.encode()])


def chunks_put(books: Books) -> int:
    return sum(e["method"] == "PUT" and "/chunks/" in e["path"] for e in books.requests("anaplan"))


@pytest.mark.parametrize("hours", [1, 25, 49])
@pytest.mark.parametrize("moment", ["upload the file:inside", "upload the file:after"])
def test_a_file_uploaded_days_ago_is_uploaded_again_before_the_import_starts(
    books: Books, moment: str, hours: int
) -> None:
    touched = many_chunks(books)
    old_default_file(books)
    run = interrupted(books, moment)
    sent = chunks_put(books)
    assert sent > 1
    tasks = books.tasks()
    pass_by(books, hours=hours)

    ended = books.carry_on(run, {})

    assert_tied(books, ended)
    assert books.tasks() == tasks + 1
    assert chunks_put(books) == (sent if hours > 24 else 0)
    assert books.uploaded_cells() == touched
    assert_quiet(books)

"""The file that a run uploaded is rebuilt from the run's own records, to the byte."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

import polars as pl
import pytest
from books import Books, assert_tied, told
from tampering import edit_frame, packed, unpacked, write_anew

from tieout.errors import Misconfigured
from tieout.store.runs import Run
from tieout.verbs import seeing, setting_up


def reproduced(books: Books, run: Run) -> dict[str, Any]:
    """The comparison with the file as Anaplan was given it."""
    return seeing.reproduce(books.instance, run.id)


def uploaded_text(books: Books, run: Run) -> bytes:
    """The text of the chunks that the run uploaded."""
    chunks = map(books.store.read_bytes, books.store.kept(run.id, kind="file"))
    return b"".join(map(unpacked, chunks))


def assert_same(books: Books, run: Run) -> None:
    found, text = reproduced(books, run), uploaded_text(books, run)
    assert (found["same"], found["exit_code"]) == (True, 0), found
    assert (found["bytes"], found["rows"]) == (len(text), run.figures["rows_sent"])
    assert found["sha256"] == found["uploaded_sha256"] == hashlib.sha256(text).hexdigest()


def test_a_file_in_many_chunks_is_rebuilt_to_the_byte(books: Books) -> None:
    books.send_in_small_pieces()
    run = books.run()
    assert_tied(books, run)
    assert len(books.store.kept(run.id, kind="file")) > 1

    assert_same(books, run)


def test_what_changed_since_then_changes_no_byte_of_an_old_file(books: Books) -> None:
    """Mappings, amounts, members, periods and configuration are those of the run."""
    first = books.store.run("actuals-1")
    books.event("late_post")
    run = books.run()
    row = books.uploaded()[0]
    code = row["Account"]
    before = {each.id: reproduced(books, each) for each in (first, run)}

    setting_up.set_mapping(
        books.instance, "account", code, "6560", "to see that it changes nothing"
    )
    books.event("move_period")
    books.event("recode")
    books.set_actuals('unmatched = "load rest"')
    books.change_flow('flip = ["4000-4999"]', 'flip = ["5000-5999"]')
    later = books.run()

    assert reproduced(books, later)["same"], told(books, later)
    for each in (first, run):
        assert_same(books, each)
        assert reproduced(books, each) == before[each.id]
    assert not [r for r in books.uploaded() if r["Account"] == code and r["Amount"] != "0"]


def test_held_cells_that_only_stand_beside_are_rebuilt_as_they_were_proved(books: Books) -> None:
    """An import that clears its target is given all cells, those in doubt with their old value."""
    books.set_actuals('import_clears = "all"')
    books.person("set_clear_mode", **{"import": "Load GL Actuals", "mode": "all"})
    books.event("died_post", period="2025-05")
    books.event("backdated", company="00060")
    run = books.run()
    assert run.exit_code == 6, told(books, run)
    assert books.open_cells()
    assert run.figures["rows_sent"] > 1_000
    books.event("late_post")
    books.run()

    assert_same(books, run)


def test_cells_that_left_the_ledger_are_rebuilt_as_zeros(books: Books) -> None:
    books.event("recode")
    run = books.run()
    assert_tied(books, run)
    assert "0" in {row["Amount"] for row in books.uploaded()}

    assert_same(books, run)


def test_the_members_of_a_list_are_rebuilt_too(books: Books) -> None:
    found = reproduced(books, books.store.run("accounts-1"))

    assert found["same"]
    assert found["rows"] > 100


def test_a_file_that_is_not_the_one_of_the_records_is_told_with_its_first_difference(
    books: Books, dice: Random
) -> None:
    run = books.store.run("actuals-1")
    lines = uploaded_text(books, run).splitlines(keepends=True)
    at = dice.randrange(1, len(lines))
    changed = lines[at].replace(b"\n", b"1\n")
    (chunk,) = books.store.kept(run.id, kind="file")
    text = b"".join([*lines[:at], changed, *lines[at + 1 :]])
    write_anew(books, chunk, packed(text), chunk.rows)

    found = reproduced(books, run)

    assert (found["ok"], found["exit_code"]) == (False, 6)
    assert found["sha256"] != found["uploaded_sha256"]
    assert found["first_difference"] == {
        "line": at + 1,
        "rebuilt": lines[at].decode().rstrip(),
        "uploaded": changed.decode().rstrip(),
    }


def test_account_balances_that_were_tampered_with_since_show_in_the_rebuilt_file(
    books: Books,
) -> None:
    run = books.store.run("actuals-1")
    for manifest in books.store.kept(run.id, kind="buckets"):
        edit_frame(books, manifest, lambda f: f.with_columns(amount=pl.col("amount") + 1))

    found = reproduced(books, run)

    assert (found["exit_code"], found["first_difference"]["line"]) == (6, 2)


def test_a_run_that_uploaded_nothing_has_no_file_to_rebuild(books: Books) -> None:
    run = books.tie_out()

    with pytest.raises(Misconfigured, match="wrote no file"):
        reproduced(books, run)

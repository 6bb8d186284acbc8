"""What Anaplan rejects or ignores is told row by row, stays open, and goes alone the next time."""

from __future__ import annotations

import csv
from decimal import Decimal

import pytest
from books import Books, Cell, Meanwhile, assert_quiet, assert_tied, changed, told
from expected import Expected

from tieout.store.runs import Run

LOAD = {"import": "Load GL Actuals"}


def assert_attention(books: Books, run: Run, rule: str) -> None:
    assert run.outcome == "needs_attention", told(books, run)
    assert run.exit_code in (5, 6), told(books, run)
    assert rule in books.rules(run), told(books, run)
    assert books.open_cells()


def touched_by_a_late_post(books: Books) -> dict[Cell, Decimal]:
    books.event("late_post")
    return changed(books.anaplan(), books.expected())


NEW_ACCOUNT, NEW_CODE = "7995.NEW", "30.7995.NEW"


def load_while_the_new_account_is_gone(books: Books) -> tuple[Run, dict[Cell, Decimal]]:
    """A run during which a member leaves the list after it was checked; the touched cells."""
    books.event("add_account", code=NEW_CODE, amount="77.10")
    assert books.run("accounts").outcome == "complete"
    touched_by_a_late_post(books)
    touched = changed(books.anaplan(), books.expected())
    item = {"list": "GL Accounts", "item": NEW_ACCOUNT}
    run = books.run(
        meanwhile={
            "start the import:before": lambda: books.person(
                "change_item", code="GONE", name="Gone", **item
            )
        }
    )
    books.person("change_item", list="GL Accounts", item="GONE", code=NEW_ACCOUNT)
    return run, touched


def test_rows_that_anaplan_rejects_are_told_with_amount_and_anaplans_words(books: Books) -> None:
    run, touched = load_while_the_new_account_is_gone(books)

    rejected = {c: v for c, v in touched.items() if c[1] == NEW_ACCOUNT}
    assert_attention(books, run, "import-rejected")
    (found,) = (r.finding for r in books.findings(run, "import-rejected"))
    assert (found.amount, found.company) == (Decimal("77.10"), "00001")
    assert NEW_ACCOUNT in found.subject
    assert NEW_ACCOUNT in found.vendor_words
    (dump,) = books.store.kept(run.id, kind="dump")
    assert NEW_ACCOUNT in books.store.read_bytes(dump).decode()
    assert books.open_cells() == rejected.keys()
    assert changed(books.anaplan(), books.expected()) == rejected


def test_after_mending_only_the_rejected_cells_go_again(books: Books) -> None:
    run, touched = load_while_the_new_account_is_gone(books)
    open_before = books.store.rejects(flow="actuals", state="open")
    assert run.id in {r.run for r in open_before}

    assert_tied(books, books.run())

    assert books.uploaded_cells() == {c: v for c, v in touched.items() if c[1] == NEW_ACCOUNT}
    left = books.store.rejects(flow="actuals", state="open")
    assert not [r for r in left if r.finding.severity != "note"]
    assert_quiet(books)


def test_one_rejected_row_is_one_cell_to_send_again(books: Books) -> None:
    run, touched = load_while_the_new_account_is_gone(books)
    rejected = {c: v for c, v in touched.items() if c[1] == NEW_ACCOUNT}
    (found,) = books.findings(run, "import-rejected")
    assert found.finding.line is not None
    books.event("late_post", company="00001")
    others = changed(books.anaplan(), books.expected()).keys() - rejected.keys()
    assert {c[0] for c in others} == {"00001"}

    last = books.run(rejects=[found.id])

    assert last.exit_code == 6, told(books, last)
    assert books.uploaded_cells() == rejected
    assert books.open_cells() == others


def test_a_calculated_target_ignores_rows_and_the_run_says_so(books: Books) -> None:
    touched = touched_by_a_late_post(books)
    held = books.anaplan()
    calculated = {"module": "GL Actuals", "line_item": "Amount"}

    def calculate() -> None:
        books.person("set_formula", formula="Units * Price", **calculated)

    run = books.run(meanwhile={"start the import:before": calculate})

    assert_attention(books, run, "import-ignored")
    ignored = books.findings(run, "import-ignored")[0].finding
    assert ignored.cells == len(touched)
    assert "ignored" in ignored.vendor_words
    assert books.anaplan() == held
    books.person("set_formula", formula="", **calculated)
    assert_tied(books, books.run())
    assert books.uploaded_cells() == touched


def test_a_renamed_column_stops_the_run_before_anything_is_uploaded(books: Books) -> None:
    touched = touched_by_a_late_post(books)
    position, tasks, held = books.position(), books.tasks(), books.anaplan()
    books.person("rename_column", column="Amount", to="Value", **LOAD)
    books.requests("anaplan")

    run = books.run()

    assert run.outcome == "failed", told(books, run)
    assert run.exit_code == 3, told(books, run)
    (finding,) = [r.finding for r in books.store.rejects(run=run.id)]
    assert "Amount" in finding.what
    assert "Value" in finding.what
    asked = books.requests("anaplan")
    assert not [e for e in asked if "/files/" in e["path"] and e["method"] != "GET"]
    assert (books.position(), books.tasks(), books.anaplan()) == (position, tasks, held)
    books.person("rename_column", column="Value", to="Amount", **LOAD)
    assert_tied(books, books.run())
    assert books.uploaded_cells() == touched


@pytest.mark.parametrize("column", ["Amount", "Account", "Time"])
def test_a_column_renamed_during_the_run_is_not_complete(books: Books, column: str) -> None:
    touched_by_a_late_post(books)

    def rename() -> None:
        books.person("rename_column", column=column, to="Value", **LOAD)

    run = books.run(meanwhile={"start the import:before": rename})

    assert run.outcome == "needs_attention", told(books, run)
    assert run.exit_code in (5, 6)
    books.person("rename_column", column="Value", to=column, **LOAD)
    assert_tied(books, books.run())


def test_an_import_that_is_gone_stops_the_run_and_lists_those_there_are(books: Books) -> None:
    touched_by_a_late_post(books)
    position, held = books.position(), books.anaplan()
    books.person("rename_import", to="Load Actuals (old)", **LOAD)

    run = books.run()

    assert run.outcome == "failed", told(books, run)
    assert run.exit_code == 3
    (finding,) = [r.finding for r in books.store.rejects(run=run.id)]
    assert "Load Actuals (old)" in finding.what
    assert (books.position(), books.anaplan()) == (position, held)
    books.person("rename_import", **{"import": "Load Actuals (old)", "to": "Load GL Actuals"})
    assert_tied(books, books.run())


def test_a_count_that_is_not_ours_is_told(books: Books) -> None:
    touched = touched_by_a_late_post(books)
    books.fault(
        "anaplan", "replace", method="GET", path=r"/imports/\d+/tasks/\w+", times=99,
        find=r'"totalRowCount","\d+"', body='"totalRowCount","999"',
    )  # fmt: skip

    run = books.run()

    assert_attention_without_open_cells(books, run)
    assert books.findings(run, "import-count")[0].finding.cells == 999 - len(touched)
    books.no_more_faults()
    assert changed(books.expected(), books.anaplan()) == {}


def assert_attention_without_open_cells(books: Books, run: Run) -> None:
    assert (run.outcome, run.exit_code) == ("needs_attention", 5), told(books, run)
    assert not books.open_cells()


def test_a_month_that_anaplans_calendar_lacks_is_rejected_and_the_others_load(
    books: Books,
) -> None:
    path = Expected(books.home / "sim" / "jde.sqlite")
    with (books.home / "months.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["pattern", "year", "period", "member"])
        for (pattern, year), ends in path._ends.items():
            for period, end in enumerate(ends[:12], 1):
                month = f"{end:%b %y}" if (pattern, year, period) != ("R", 2025, 5) else "Mai 25"
                table.writerow([pattern, year, period, month])
    path.close()
    held = books.anaplan()
    books.event("backdated", company="00060", period="2025-03", amount="812.55")
    books.set_actuals('periods = "months.csv"')

    run = books.run()

    assert run.outcome == "needs_attention", told(books, run)
    assert run.exit_code in (5, 6)
    may = {c for c in held if c[3] == "May 25"}
    assert may & changed(held, books.anaplan()).keys()
    assert changed(books.anaplan(), books.expected()).keys() <= may
    (books.home / "months.csv").write_text(
        (books.home / "months.csv").read_text().replace("Mai 25", "May 25")
    )
    last = books.run(full=True)
    assert_tied(books, last)


def test_while_one_company_is_stopped_the_cells_of_the_others_load(books: Books) -> None:
    books.event("add_account", code=NEW_CODE, amount="77.10")
    books.event("backdated", company="00060", amount="812.55")
    touched = changed(books.anaplan(), books.expected())
    others = {cell: value for cell, value in touched.items() if cell[0] != "00001"}
    assert others

    run = books.run()

    assert_attention(books, run, "company-stopped")
    assert run.exit_code == 5
    assert books.uploaded_cells() == others
    left = changed(books.anaplan(), books.expected())
    assert left == {cell: value for cell, value in touched.items() if cell[0] == "00001"}


@pytest.mark.parametrize("where", ["upload the file:before", "start the import:before"])
def test_a_model_locked_during_the_run_fails_with_one_sentence_and_nothing_moved(
    books: Books, where: str
) -> None:
    touched = touched_by_a_late_post(books)
    position, held = books.position(), books.anaplan()
    locking: Meanwhile = {where: lambda: books.person("lock_model")}

    run = books.run(meanwhile=locking)

    assert run.outcome != "complete", told(books, run)
    assert run.sentence
    assert (books.position(), books.anaplan()) == (position, held)
    books.person("unlock_model")
    assert_tied(books, books.run())
    assert books.uploaded_cells() == touched

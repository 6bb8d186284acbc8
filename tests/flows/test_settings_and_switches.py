"""Other settings of a flow, and what is contested about the vendors: the same cells."""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest
from books import Books, Make, Meanwhile, assert_quiet, assert_tied, changed, told

from tieout.sim.anaplan.switches import SWITCHES
from tieout.sim.jde.switches import _CHOICES, DEFAULTS

SWITCHES_SAMPLE = 8
UNEXPECTED = 1
HOURS = 3600.0


def events_happen(books: Books) -> None:
    for name in ("late_post", "backdated", "move_period", "void_reenter"):
        books.event(name)


@pytest.mark.parametrize(
    "line",
    [
        'detect = "gl_date"',
        "overlap_days = 0",
        'unmatched = "load rest"',
        "sweep_days = 1",
    ],
)
def test_what_happened_is_found_under_other_settings_too(books: Books, line: str) -> None:
    books.set_actuals(line)
    assert_tied(books, books.run())
    events_happen(books)
    touched = changed(books.anaplan(), books.expected())

    assert_tied(books, books.run())

    assert books.uploaded_cells() == touched
    assert_quiet(books)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('import = "Load GL Actuals"', 'import = "Load Actuals Process"'),
        ('read_back = { view = "GL Actuals" }', 'read_back = { export = "GL Actuals Export" }'),
        ('secret = "secret://erp"', 'secret = "secret://erp"\nreaders = 1\npage_rows = 7'),
        ('secret = "secret://erp"', 'secret = "secret://erp"\nreaders = 4'),
    ],
)
def test_processes_exports_and_other_page_sizes_load_the_same(
    books: Books, old: str, new: str
) -> None:
    books.change_flow(old, new)
    events_happen(books)
    touched = changed(books.anaplan(), books.expected())

    assert_tied(books, books.run())

    sent = books.uploaded_cells()
    if old.startswith("secret"):
        assert sent == touched
    else:  # another import or view: nothing is proved there yet, so everything goes again
        assert sent == {**books.expected(), **touched}
    assert_quiet(books)


def test_a_row_rejected_inside_a_process_is_told_and_its_dump_kept(books: Books) -> None:
    books.change_flow('import = "Load GL Actuals"', 'import = "Load Actuals Process"')
    books.event("add_account", amount="77.10")
    assert books.run("accounts").outcome == "complete"
    item = {"list": "GL Accounts", "item": "7995.NEW"}
    gone: Meanwhile = {
        "start the import:before": lambda: books.person("change_item", code="GONE", **item)
    }

    run = books.run(meanwhile=gone)

    assert (run.outcome, run.exit_code) == ("needs_attention", 5), told(books, run)
    (found,) = (r.finding for r in books.findings(run, "import-rejected"))
    assert "7995.NEW" in found.subject
    assert books.store.kept(run.id, kind="dump")


def test_a_scope_that_begins_later_leaves_the_earlier_cells_alone(books: Books) -> None:
    held = books.anaplan()
    books.change_flow('from_period = "2024-01"', 'from_period = "2025-01"')
    books.event("backdated", period="2024-05")
    books.event("backdated", period="2025-05")

    run = books.run()

    assert run.outcome == "complete", told(books, run)
    differing = changed(held, books.anaplan())
    assert differing
    assert {cell[3] for cell in differing} == {"May 25"}
    books.change_flow('from_period = "2025-01"', 'from_period = "2024-01"')
    assert_tied(books, books.run())


def test_an_adjusting_period_that_the_policy_refuses_is_told_and_not_loaded(books: Books) -> None:
    books.change_flow('{ default = "fold" }', '{ default = "fold", "00060" = "refuse" }')
    books.event("backdated", company="00060", period="2024-13", amount="812.55")

    run = books.run()

    assert (run.outcome, run.exit_code) == ("needs_attention", 6), told(books, run)
    assert "period-refused" in books.rules(run)
    assert {cell[0] for cell in books.open_cells()} == {"00060"}


def test_a_preview_says_how_much_would_be_sent_and_changes_nothing(books: Books) -> None:
    events_happen(books)
    touched = changed(books.anaplan(), books.expected())
    before = (books.anaplan(), books.position(), books.tasks())

    run = books.run(preview=True)

    assert run.outcome == "complete"
    assert run.figures["rows_to_send"] == len(touched)
    assert str(len(touched)) in run.sentence
    assert (books.anaplan(), books.position(), books.tasks()) == before
    assert_tied(books, books.run())
    assert books.uploaded_cells() == touched


# ---------------------------------------------------------------------- time passes


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        ("look for changes:before", 0.6),
        ("plan the reads:before", 13.0),
        ("upload the file:before", 0.7),
        ("wait for the import:before", 0.7),
        ("read back:before", 1.0),
    ],
)
def test_sessions_that_run_out_during_a_run_are_renewed(
    books: Books, moment: str, hours: float
) -> None:
    events_happen(books)

    assert_tied(books, books.run(meanwhile={moment: lambda: advance(books, hours)}))


def advance(books: Books, hours: float) -> None:
    books.clock.practice.advance(hours * HOURS)


@pytest.mark.parametrize("moment", ["plan the reads:before", "upload the file:before",
                                    "start the import:before", "read back:before"])  # fmt: skip
def test_systems_that_restart_during_a_run_are_signed_in_to_again(
    books: Books, moment: str
) -> None:
    events_happen(books)

    def restart() -> None:
        books.control("jde", "restart")
        books.control("anaplan", "restart")

    assert_tied(books, books.run(meanwhile={moment: restart}))


def test_a_file_that_expired_before_its_import_is_not_complete(books: Books) -> None:
    events_happen(books)
    position = books.position()

    run = books.run(meanwhile={"start the import:before": lambda: advance(books, 49.0)})

    assert run.outcome != "complete" or not changed(books.expected(), books.anaplan())
    if run.outcome == "failed":
        assert books.position() == position
    assert_tied(books, books.run())


# ---------------------------------------------------------------------- contested behaviour


def alternatives() -> list[tuple[str, str, Any]]:
    """Every other choice of every switch of both practice systems."""
    found: list[tuple[str, str, Any]] = []
    for name, default in DEFAULTS.items():
        choices = _CHOICES.get(name, (True, False) if isinstance(default, bool) else ())
        found += [("jde", name, value) for value in choices if value != default]
    for name, (default, allowed) in SWITCHES.items():
        found += [("anaplan", name, value) for value in allowed or () if value != default]
    return found


def sampled() -> list[tuple[str, str, Any]]:
    every = alternatives()
    if "switches" in os.environ.get("TIEOUT_CAMPAIGN", ""):
        return every
    return Random(f"{os.environ['TIEOUT_SEED']} switches").sample(every, SWITCHES_SAMPLE)


@pytest.mark.parametrize(("system", "switch", "value"), sampled())
def test_a_contested_behaviour_of_a_vendor_changes_no_cell(
    books: Books, system: str, switch: str, value: Any
) -> None:
    books.control(system, "switch", name=switch, value=value)
    events_happen(books)
    position, held = books.position(), books.anaplan()

    run = books.run(full=True)

    if run.outcome == "complete":
        assert_tied(books, run)
        return
    assert run.exit_code != UNEXPECTED, told(books, run)
    print(f"{system} {switch} = {value}: {run.sentence}")
    if run.outcome == "failed":
        assert (books.position(), books.anaplan()) == (position, held)
    else:
        assert changed(books.expected(), books.anaplan()).keys() <= books.open_cells()


@pytest.mark.parametrize("links", ["stop", "continue"])
def test_under_a_low_fetch_limit_every_event_is_still_found(make: Make, links: str) -> None:
    books = make(lines=600)
    books.control("jde", "switch", name="fetch_limit_links", value=links)
    books.control("jde", "switch", name="fetch_limit_rows", value=150)
    assert_tied(books, books.load_everything())

    events_happen(books)
    touched = changed(books.anaplan(), books.expected())
    assert touched

    assert_tied(books, books.run())
    assert books.uploaded_cells() == touched

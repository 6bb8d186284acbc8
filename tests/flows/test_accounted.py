"""Every row of a run is accounted for: one that is lost anywhere keeps it from being Complete."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import pytest
from books import Books, assert_quiet, assert_tied, changed, told
from tampering import remove_a_row, remove_a_row_of_before, remove_an_uploaded_row

from tieout.core.tally import CONTROL
from tieout.store.runs import Run
from tieout.verbs import seeing

EVERY_PLACE = "rows" in os.environ.get("TIEOUT_CAMPAIGN", "")
RULE = "not-accounted"


def account(books: Books, run: Run) -> dict[str, dict[str, int]]:
    """What became of the rows of every passage, by "verb what"; agreeing counts are asserted."""
    shown = seeing.show(books.instance, run.id)["accounted"]
    found: dict[str, dict[str, int]] = {}
    for passage in shown["passages"]:
        went = {w["as"]: w["rows"] for w in passage["went"]}
        assert passage["agrees"] is (passage["missing"]["rows"] == 0), passage
        assert passage["came"]["rows"] == sum(went.values()) + passage["missing"]["rows"]
        found.setdefault(f"{passage['verb']} {passage['what']}", {}).update(went)
    assert shown["agree"] is not bool(books.findings(run, RULE))
    return found


def assert_counted(books: Books, run: Run) -> dict[str, dict[str, int]]:
    """The account agrees at every step."""
    assert not books.findings(run, RULE), told(books, run)
    return account(books, run)


def test_a_first_load_accounts_for_every_line_from_the_ledger_to_anaplan(new_books: Books) -> None:
    run = new_books.run()

    found = assert_counted(new_books, run)
    lines = run.figures["rows_read"]
    assert found["read lines"] == {
        "in the mirror": lines, "new": lines, "not posted": 0, "repeated": 0
    }  # fmt: skip
    mirrored = found["mirrored lines"]
    assert mirrored["summarised detail"] > 0, "the practice company has summarised history"
    assert mirrored["folded into account balances"] + mirrored["summarised detail"] == lines
    touched = found["touched cells"]
    assert sum(n for name, n in touched.items() if name.startswith("wait (")) == len(
        new_books.open_cells()
    )
    assert touched["to send"] == run.figures["rows_sent"] == len(new_books.uploaded())
    assert found["sent rows"] == {
        "accepted": run.figures["rows_sent"], "rejected": 0, "ignored": 0
    }  # fmt: skip
    assert found["folded cells of the ledger"]["compared"] == run.figures["cells"]
    passages = seeing.show(new_books.instance, run.id)["accounted"]["passages"]
    sums = {name for p in passages for name in p["came"]["sums"]}
    assert sums == {"AA USD", "AA EUR", "AA JPY", "AA KWD", CONTROL}


def test_a_line_that_moved_is_new_in_its_period_and_closed_where_it_was(books: Books) -> None:
    books.event("move_period")
    run = books.run()
    assert_tied(books, run)

    shown = seeing.show(books.instance, run.id)["accounted"]
    assert shown["closed"] == assert_counted(books, run)["read lines"]["new"] > 0


def test_lines_that_were_voided_are_changed_and_those_beside_them_are_not(books: Books) -> None:
    books.event("void_reenter")
    run = books.run()
    assert_tied(books, run)

    read = assert_counted(books, run)["read lines"]
    assert read["changed"] > 0
    assert read["new"] + read["changed"] + read["unchanged"] == read["in the mirror"]


def test_when_everything_is_read_anew_every_line_is_unchanged(books: Books) -> None:
    run = books.run(full=True)

    read = assert_counted(books, run)["read lines"]
    assert read == {
        "in the mirror": run.figures["rows_read"], "new": 0, "changed": 0,
        "unchanged": run.figures["rows_read"], "not posted": 0, "repeated": 0,
    }  # fmt: skip


def test_lines_that_had_to_be_read_again_are_counted_as_repeated(books: Books) -> None:
    """A journal is posted after its account was read."""
    run = books.run(full=True, meanwhile={"prove:before": lambda: books.event("backdated")})

    assert_tied(books, run)
    found = assert_counted(books, run)
    read, mirrored = found["read lines"], found["mirrored lines"]
    assert read["repeated"] == mirrored["repeated"] > 0
    assert read["new"] > 0
    assert read["in the mirror"] == run.figures["rows_read"]


@dataclass(frozen=True)
class Place:
    """A kept file, when a row is taken out of it, and the passage that must miss it."""

    kind: str
    moment: str
    step: str
    passage: str


PLACES = (
    Place("lines", "read lines, 1 of 1:after", "read lines", "read lines"),
    Place("folds", "read lines, 1 of 1:after", "prove", "mirrored lines"),
    Place("buckets", "prove:after", "fold into cells", "proved account balances"),
    Place("buckets", "look again, 1:after", "fold into cells", "proved account balances"),
    Place("cells", "fold into cells:after", "compare", "folded cells of the ledger"),
    Place("touched", "fold into cells:after", "check the members", "touched cells"),
    Place("to_send", "check the members:after", "write the file", "to send cells"),
    Place("sent", "write the file:after", "write the file", "wrote rows"),
    Place("file", "write the file:after", "upload the file", "wrote bytes"),
    Place("anaplan", "read back:after", "compare", "read back cells of Anaplan"),
    Place("compared", "compare:after", "close the run", "compared cells"),
)


def assert_missed(books: Books, dice: Random, places: Sequence[Place]) -> None:
    """A row is taken out of each place in one run: it is not Complete, and each is missed."""
    books.event("late_post")

    def tamper(place: Place) -> Callable[[], None]:
        return lambda: remove_a_row(books, place.kind, dice)

    run = books.run(meanwhile={place.moment: tamper(place) for place in places})

    assert (run.outcome, run.exit_code) in [("needs_attention", c) for c in (5, 6)], told(
        books, run
    )
    account(books, run)
    told_of = {r.finding.subject for r in books.findings(run, RULE)}
    assert {f"step {place.step}" for place in places} <= told_of, told(books, run)
    passages = seeing.show(books.instance, run.id)["accounted"]["passages"]
    apart = {f"{p['verb']} {p['what']}" for p in passages if not p["agrees"]}
    assert {place.passage for place in places} <= apart, told(books, run)


# Rows that are missed independently of each other, so that one run can lose them all; the campaign
# (TIEOUT_CAMPAIGN=rows) takes one row alone in each run.
TOGETHER = [
    [p for p in PLACES if p.kind in kinds]
    for kinds in (
        {"lines", "touched", "sent", "compared"}, {"folds", "to_send", "anaplan"},
        {"cells", "file"}, {"buckets"},
    )
]  # fmt: skip
LOST = [[p] for p in PLACES] if EVERY_PLACE else TOGETHER


@pytest.mark.parametrize("places", LOST, ids=lambda places: "-".join(p.kind for p in places))
def test_a_row_taken_out_of_a_kept_file_is_missed_at_the_step_that_needed_it(
    books: Books, dice: Random, places: list[Place]
) -> None:
    assert_missed(books, dice, places)


def test_a_balance_that_an_earlier_run_proved_and_that_is_lost_since_is_read_again(
    books: Books, dice: Random
) -> None:
    """Its cell would be sent without it, and every comparison would agree with that."""
    count = sum(m.rows for m in books.store.current("actuals", "buckets"))
    remove_a_row_of_before(books, "buckets", "00070", dice)
    books.event("backdated", company="00060", period="2025-03")

    run = books.run()

    assert_tied(books, run)
    assert count <= assert_counted(books, run)["proved account balances"]["in cells"] <= count + 2


def test_a_row_that_anaplan_lost_of_the_file_is_missed_among_those_it_counts(books: Books) -> None:
    books.event("late_post")
    touched = changed(books.anaplan(), books.expected())

    run = books.run(meanwhile={"upload the file:after": lambda: remove_an_uploaded_row(books)})

    assert run.outcome == "needs_attention", told(books, run)
    (missed,) = (r.finding for r in books.findings(run, RULE))
    assert (missed.subject, missed.cells) == ("step wait for the import", 1)
    assert f"1 of {len(touched)} rows" in missed.what
    assert_tied(books, books.run())
    assert_quiet(books)


def say_nothing(books: Books) -> None:
    """Anaplan says that the import ended, and not what became of its rows."""
    books.fault(
        "anaplan", "replace", method="GET", path=r"/imports/\d+/tasks/\w+", times=99,
        find=r'"details":\s*\[\{.*?\]\s*\}\]', body='"details":[]',
    )  # fmt: skip


def test_a_count_that_anaplan_does_not_tell_is_settled_by_the_read_back(books: Books) -> None:
    books.event("late_post")
    touched = changed(books.anaplan(), books.expected())
    say_nothing(books)

    run = books.run()

    assert_tied(books, run)
    assert assert_counted(books, run)["sent rows"] == {
        "accepted, by the read-back": len(touched),
        "rejected or ignored, by the read-back": 0,
    }


def test_rows_that_an_import_ignores_in_silence_are_settled_by_the_read_back(books: Books) -> None:
    books.event("late_post")
    touched = changed(books.anaplan(), books.expected())
    calculated = {"module": "GL Actuals", "line_item": "Amount"}
    say_nothing(books)

    run = books.run(
        meanwhile={
            "start the import:before": lambda: books.person(
                "set_formula", formula="Units * Price", **calculated
            )
        }
    )

    assert run.outcome == "needs_attention", told(books, run)
    assert assert_counted(books, run)["sent rows"] == {
        "accepted, by the read-back": 0,
        "rejected or ignored, by the read-back": len(touched),
    }


def test_a_page_that_lacks_a_row_never_makes_a_run_complete(books: Books) -> None:
    books.event("late_post")
    books.fault(
        "jde", "replace", path="dataservice", body_match="F0911.*BROWSE|BROWSE.*F0911", times=999,
        find=r'"rowset":\[\{[^{}]*\},', body='"rowset":[',
    )  # fmt: skip

    run = books.run()

    assert books.faults_hit("jde")
    assert run.outcome != "complete", told(books, run)
    books.no_more_faults()
    assert_tied(books, books.run())

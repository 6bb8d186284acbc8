"""From a reject to its cell and back; and what people decide about rejects proves nothing."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import pytest
from books import Books, Cells, assert_tied, changed, told

from tieout.core.findings import Finding, Severity
from tieout.errors import Refused
from tieout.flows.drill import Wanted
from tieout.flows.loading import REJECTS_SHOWN_MAX
from tieout.store.runs import NewRun, Run
from tieout.verbs import certifying, rejecting, tracing
from tieout.verbs.setting_up import set_mapping

NEW_ACCOUNT, NEW_CODE = "7995.NEW", "30.7995.NEW"


def load_while_the_new_account_is_gone(books: Books) -> Run:
    """A run whose one row with a new account Anaplan rejects."""
    books.event("add_account", code=NEW_CODE, amount="77.10")
    assert books.run("accounts").outcome == "complete"
    books.event("late_post")
    item = {"list": "GL Accounts", "item": NEW_ACCOUNT}
    return books.run(meanwhile={
        "start the import:before": lambda: books.person(
            "change_item", code="GONE", name="Gone", **item
        )
    })  # fmt: skip


def test_a_reject_leads_to_its_cell_and_the_cell_to_its_reject(books: Books) -> None:
    run = load_while_the_new_account_is_gone(books)
    (reject,) = books.findings(run, "import-rejected")
    (row,) = (r for r in rejecting.desk(books.instance) if r["id"] == reject.id)
    assert (row["currency"], row["amount"], row["chunk"]) == ("USD", Decimal("77.10"), 1)

    there = rejecting.trace(books.instance, reject.id)

    (figures,) = there["cells"]
    assert {figures[n] for n in ("company", "account")} == {"00001", NEW_ACCOUNT}
    assert books.open_cells() == {
        tuple(figures[n] for n in ("company", "account", "business_unit", "member"))
    }
    assert there["reject"]["id"] == reject.id
    key = {n: figures[n] for n in ("company", "account", "business_unit", "member")}
    back = tracing.trace(books.instance, Wanted(**key))
    for story in (there["story"], back["story"]):
        assert reject.id in [f["id"] for f in story["findings"]]
        (sent,) = story["loads"]
        assert sent["rejected"] == [reject.finding.vendor_words]
        assert (sent["run"], sent["line"], sent["chunk"]) == (run.id, row["line"], 1)
        assert sent["task"]
    other = next(c for c in books.anaplan() if c[0] == "00060")
    quiet = tracing.trace(books.instance, Wanted(**dict(zip(key, other, strict=True))))
    assert reject.id not in [f["id"] for f in quiet["story"]["findings"]]


def test_what_the_flow_of_its_account_found_is_told_with_a_cell(books: Books) -> None:
    company, account, unit, member = sorted(books.anaplan())[0]
    rejected = Finding("import-rejected", Severity.REJECT, account, "Anaplan rejected line 2.")
    parent = Finding("parent-differs", Severity.REJECT, f"member {account}", "Another parent.")
    elsewhere = Finding("parent-differs", Severity.REJECT, "member 9", "Another parent.")
    run = books.store.new_run(NewRun("accounts", "load_members", "anna")).id
    books.store.run_step(run, "find", lambda s: s.reject([rejected, parent, elsewhere]) or {})

    wanted = Wanted(company=company, account=account, business_unit=unit, member=member)
    story = tracing.trace(books.instance, wanted)["story"]

    assert [f["what"] for f in story["findings"]] == [rejected.what, parent.what]


def test_a_reject_of_a_member_leads_to_the_cells_that_wait_for_it(books: Books) -> None:
    (unit, _), *_ = sorted(books.mapping().items())
    set_mapping(books.instance, "business_unit", unit, None, "a test")
    run = books.run()
    (reject,) = books.findings(run, "unmatched-member")
    cells = rejecting.trace(books.instance, reject.id)["cells"]
    assert {c["business_unit"] for c in cells} == {unit}
    assert len(cells) == reject.finding.cells


def test_a_waiver_makes_no_run_complete_and_stays_until_the_thing_is_mended(books: Books) -> None:
    (unit, target), *_ = sorted(books.mapping().items())
    set_mapping(books.instance, "business_unit", unit, None, "a test")
    first = books.run()
    ids = [r["id"] for r in rejecting.desk(books.instance)]
    rejecting.waive(books.instance, ids, "closes in May")
    waiting = books.open_cells()

    again = books.run()

    assert (again.outcome, again.exit_code) == (first.outcome, 5), told(books, again)
    assert again.sentence == first.sentence
    assert (again.figures["rejects"], books.open_cells()) == (first.figures["rejects"], waiting)
    assert rejecting.desk(books.instance) == []
    assert rejecting.waived(books.instance) == len(ids)
    set_mapping(books.instance, "business_unit", unit, target, "mended")
    assert_tied(books, books.run())
    assert rejecting.waived(books.instance) == 0
    left = books.store.rejects(flow="actuals", standing=True)
    assert not [r for r in left if r.finding.severity != "note"]


def test_a_waived_finding_forbids_certification_as_before(books: Books) -> None:
    books.event("late_post")
    books.fault(
        "anaplan", "replace", method="GET", path=r"/imports/\d+/tasks/\w+", times=99,
        find=r'"totalRowCount","\d+"', body='"totalRowCount","999"',
    )  # fmt: skip
    run = books.run()
    (reject,) = books.findings(run, "import-count")
    rejecting.waive(books.instance, [reject.id], "Anaplan counts its own rows")
    with pytest.raises(Refused, match="import-count"):
        certifying.prepare(books.instance, "actuals", "00001", "2025-05")


def test_of_more_rejected_rows_than_are_listed_every_one_is_in_the_sum(new_books: Books) -> None:
    """The rows beyond the list are one finding for each company."""
    expected = new_books.expected()
    set_mapping(new_books.instance, "business_unit", "J77", "30", "as the demo does")
    company = max({c[0] for c in expected}, key=lambda code: sum(c[0] == code for c in expected))
    item = {"list": "Companies", "item": company}
    run = new_books.run(meanwhile={
        "start the import:before": lambda: new_books.person(
            "change_item", code="GONE", name="Gone", **item
        )
    })  # fmt: skip
    lost: Cells = changed(new_books.anaplan(), new_books.expected())
    assert len(lost) > REJECTS_SHOWN_MAX
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for cell, amount in lost.items():
        sums[cell[0]] += abs(amount)

    found = [r.finding for r in new_books.findings(run, "import-rejected")]

    assert sum(f.cells for f in found) >= len(lost)
    told_of: defaultdict[str, Decimal] = defaultdict(Decimal)
    for f in found:
        assert f.amount is not None
        told_of[f.company] += abs(f.amount)
    assert told_of == sums
    assert [f.line for f in found if f.cells > 1] == [None]

    new_books.person("change_item", list="Companies", item="GONE", code=company, name=company)
    first, *_, rest = new_books.findings(run, "import-rejected")
    assert new_books.run(rejects=[first.id]).exit_code == 6
    states = [r.state for r in new_books.findings(run, "import-rejected")]
    assert (states[0], states[-1]) == ("fixed", rest.state)
    assert rest.finding.line is None
    assert_tied(new_books, new_books.run())
    assert {r.state for r in new_books.findings(run, "import-rejected")} == {"fixed"}


def test_a_replay_of_one_reject_leaves_the_other_standing_with_its_owner(books: Books) -> None:
    """A row that was not sent was not mended either, though Anaplan does not reject it now."""
    unit = sorted(c[2] for c in books.expected() if c[0] == "00060")[0]
    items = {"7995.NEW": "30", "7996.NEW": unit}
    for account, center in items.items():
        books.event("add_account", code=f"{center}.{account}", amount="77.10")
    assert books.run("accounts").outcome == "complete"

    def coded(old: str, new: str) -> None:
        books.person("change_item", list="GL Accounts", item=old, code=new)

    run = books.run(meanwhile={
        "start the import:before": lambda: [coded(a, f"GONE{a}") for a in items]
    })  # fmt: skip
    first, other = books.findings(run, "import-rejected")
    assert first.finding.company != other.finding.company, told(books, run)
    rejecting.assign(books.instance, [other.id], "owner")
    for account in items:
        coded(f"GONE{account}", account)

    again = books.run(rejects=[first.id])

    assert books.rules(again) == {"not-asked-for"}, told(books, again)
    states = {r.id: (r.state, r.stands) for r in books.findings(run, "import-rejected")}
    assert states == {first.id: ("fixed", False), other.id: ("assigned", True)}
    assert_tied(books, books.run())
    assert books.findings(run, "import-rejected")[1].state == "fixed"

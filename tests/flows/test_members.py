"""Accounts, cost centers, companies: once per code, kept current, never deleted."""

from __future__ import annotations

import pytest
from books import Books, Make, told
from member_lists import codes_of_accounts, items, members, rows_of

from tieout.sim.company.names import CATEGORIES

PLANNED_TYPES = {"CC", "IS", "BS"}
CLOSED_CODES = {"N", "P"}


@pytest.fixture
def empty(make: Make) -> Books:
    """Books into whose model nothing was ever loaded."""
    return make(lines=300)


def test_accounts_arrive_once_per_code_under_their_category(empty: Books) -> None:
    run = empty.run("accounts")

    assert run.outcome == "complete", told(empty, run)
    expected = codes_of_accounts(empty)
    sent = members(empty, "GL Accounts")
    assert sent.keys() == expected.keys()
    assert len(expected) < sum(map(len, expected.values()))
    shown = items(empty, "GL Accounts")
    assert shown.keys() - {code for code, _ in CATEGORIES.items()} == expected.keys()
    names = dict(CATEGORIES.items())
    for code, rows in expected.items():
        parents = {names.get(str(row["R001"]), "") for row in rows}
        assert shown[code][1] in parents, code


def test_conflicting_names_are_settled_by_the_majority_and_noted(empty: Books) -> None:
    run = empty.run("accounts")

    conflicting = {
        code: rows
        for code, rows in codes_of_accounts(empty).items()
        if len({str(row["DL01"]) for row in rows}) > 1
    }
    assert conflicting, "the demo company has no conflicting names"
    notes = [r.finding for r in empty.findings(run, "name-conflict")]
    assert sum(f.cells for f in notes if f.subject == "description") == len(conflicting)
    sent = members(empty, "GL Accounts")
    for code, rows in conflicting.items():
        names = [str(row["DL01"]) for row in rows]
        most = max(names.count(name) for name in names)
        wanted = min(name for name in names if names.count(name) == most)
        assert sent[code]["Name"].strip() == wanted.strip(), code


def test_cost_centers_are_those_of_the_filter_and_closed_ones_are_inactive(empty: Books) -> None:
    run = empty.run("cost_centers")

    assert run.outcome == "complete", told(empty, run)
    wanted = {
        str(row["MCU"]).strip(): row
        for row in rows_of(empty, "F0006")
        if row["STYL"] in PLANNED_TYPES
    }
    sent = members(empty, "Cost Centers")
    assert sent.keys() == wanted.keys()
    assert len(wanted) < len(rows_of(empty, "F0006"))
    closed = {code for code, row in wanted.items() if row["PECC"] in CLOSED_CODES}
    assert closed
    assert {code for code, row in sent.items() if row["Active"] == "FALSE"} == closed
    assert {code: row["Company"] for code, row in sent.items()} == {
        code: row["CO"] for code, row in wanted.items()
    }


def test_companies_arrive_without_the_template_company(empty: Books) -> None:
    assert empty.run("companies").outcome == "complete"

    wanted = {str(row["CO"]) for row in rows_of(empty, "F0010")} - {"00000"}
    assert members(empty, "Companies").keys() == wanted == items(empty, "Companies").keys()


@pytest.mark.parametrize("flow", ["companies", "accounts", "cost_centers"])
def test_a_second_run_of_members_with_nothing_new_asks_anaplan_nothing(
    books: Books, flow: str
) -> None:
    books.requests("anaplan")

    run = books.run(flow)

    assert run.sentence.startswith("Nothing new"), told(books, run)
    assert books.requests("anaplan") == []


def test_a_renamed_account_goes_again_and_alone(books: Books) -> None:
    code, rows = next((c, r) for c, r in sorted(codes_of_accounts(books).items()) if len(r) == 1)
    ledger = books.systems.jde.ledger
    ledger.update("F0901", {"DL01": "Renamed today"}, {"AID": rows[0]["AID"]})

    run = books.run("accounts")

    assert run.outcome == "complete", told(books, run)
    assert {c: r["Name"] for c, r in members(books, "GL Accounts").items()} == {
        code: "Renamed today"
    }
    assert items(books, "GL Accounts")[code][0] == "Renamed today"
    assert books.run("accounts").sentence.startswith("Nothing new")


def test_an_account_moved_to_another_category_moves_in_anaplan(books: Books) -> None:
    code, rows = next((c, r) for c, r in sorted(codes_of_accounts(books).items()) if len(r) == 1)
    other = next(c for c in dict(CATEGORIES.items()) if c != rows[0]["R001"])
    books.systems.jde.ledger.update("F0901", {"R001": other}, {"AID": rows[0]["AID"]})

    run = books.run("accounts")

    assert run.outcome == "complete", told(books, run)
    assert items(books, "GL Accounts")[code][1] == dict(CATEGORIES.items())[other]


def test_a_unit_closed_in_jde_becomes_inactive_and_is_not_deleted(books: Books) -> None:
    unit = next(
        str(row["MCU"])
        for row in rows_of(books, "F0006")
        if row["STYL"] == "CC" and row["PECC"] == ""
    )
    books.systems.jde.ledger.update("F0006", {"PECC": "N"}, {"MCU": unit})

    assert books.run("cost_centers").outcome == "complete"

    assert members(books, "Cost Centers")[unit.strip()]["Active"] == "FALSE"
    assert unit.strip() in items(books, "Cost Centers")


def test_an_account_removed_from_jde_stays_in_anaplan_and_is_told_while_it_has_balances(
    books: Books,
) -> None:
    books.event("add_account", amount="1.00")
    assert books.run("accounts").outcome == "complete"
    assert "7995.NEW" in items(books, "GL Accounts")
    books.systems.jde.ledger.delete("F0901", {"OBJ": "7995", "SUB": "NEW"})

    run = books.run("accounts")

    assert (run.outcome, run.exit_code) == ("needs_attention", 5), told(books, run)
    (found,) = (r.finding for r in books.findings(run, "member-gone"))
    assert found.member == "7995.NEW"
    assert "7995.NEW" in items(books, "GL Accounts")


def test_an_account_added_in_jde_goes_alone(books: Books) -> None:
    before = items(books, "GL Accounts")
    books.event("add_account")

    assert books.run("accounts").outcome == "complete"

    assert members(books, "GL Accounts").keys() == {"7995.NEW"}
    assert items(books, "GL Accounts").keys() - before.keys() == {"7995.NEW"}


def test_a_member_deleted_by_hand_in_anaplan_is_sent_again_when_asked(books: Books) -> None:
    books.person("change_item", list="GL Accounts", item="6080.MGMT", code="OTHER", name="Other")

    run = books.run("accounts", full=True)

    assert run.outcome == "complete", told(books, run)
    assert "6080.MGMT" in items(books, "GL Accounts")

"""Claims about what a ledger holds and is about to hold, whoever wrote it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest
from journal_office import TOKEN, Office
from journal_practice import LABOR, RENT, RESERVE

from tieout.core.buckets import fold_balances
from tieout.errors import Unavailable
from tieout.jde import in_flight

DAY = date(2026, 1, 31)


def ids(bureau: Office) -> tuple[str, str]:
    return bureau.desk.account(RENT), bureau.desk.account(LABOR)


Amounts = dict[tuple[str, int, int], Decimal]


def amounts(frame: pl.DataFrame, column: str = "amount") -> Amounts:
    names = ["account_id", "fiscal_year", "period"]
    summed = frame.group_by(names).agg(pl.col(column).sum())
    return {row[:3]: row[3] for row in summed.iter_rows()}


def balances(bureau: Office) -> Amounts:
    return amounts(fold_balances(in_flight.balances(bureau.jde, "BA", [2026])), "balance")


def test_unposted_lines_of_any_author_are_shown_until_they_are_posted(bureau: Office) -> None:
    rent, labor = ids(bureau)
    before = in_flight.unposted(bureau.jde, "BA", [2026])
    bureau.submit(gl_date=DAY)
    bureau.desk.plan(Reference2="FOREIGN")
    rows = in_flight.unposted(bureau.jde, "BA", [2026])
    assert rows.height == before.height + 4
    ours = rows.filter(pl.col("reference_2") == TOKEN)
    assert amounts(ours) == {
        (rent, 2026, 1): Decimal("100.25"), (labor, 2026, 1): Decimal(-40),
    }  # fmt: skip
    assert set(rows["user"]) >= {"TIEOUT"}
    (batch,) = ours["batch_number"].unique()
    bureau.desk.people("approve", batch)
    bureau.desk.people("post", batch)
    assert in_flight.unposted(bureau.jde, "BA", [2026]).height == before.height + 2
    assert in_flight.unposted(bureau.jde, "BA", [2027]).is_empty()
    assert in_flight.unposted(bureau.jde, "BA").height >= before.height + 2


def test_rows_that_wait_in_the_batch_file_are_shown_until_they_are_entered(
    bureau: Office,
) -> None:
    rent, labor = ids(bureau)
    bureau.desk.orchestrations(next={"process": False})
    bureau.submit(gl_date=DAY)
    rows = in_flight.unprocessed(bureau.jde, "BA")
    assert rows.select("account_id", "amount", "gl_date", "ledger", "reference_2").rows() == [
        (rent, Decimal("100.2500"), DAY, "BA", TOKEN),
        (labor, Decimal("-40.0000"), DAY, "BA", TOKEN),
    ]
    assert in_flight.unprocessed(bureau.jde, "AA").is_empty()
    bureau.desk.orchestrations(process=True)
    assert in_flight.unprocessed(bureau.jde, "BA").is_empty()


def test_a_row_without_ledger_counts_for_every_ledger_it_might_fall_to(bureau: Office) -> None:
    bureau.desk.orchestrations(next={"process": False})
    bureau.submit({"LedgerType": None}, gl_date=DAY)
    rows = in_flight.unprocessed(bureau.jde, "BA")
    assert rows["ledger"].to_list() == ["", ""]


def test_an_account_that_stands_in_the_batch_file_by_its_parts_is_found(bureau: Office) -> None:
    bureau.desk.orchestrations(next={"process": False})
    bureau.submit(gl_date=DAY)
    accounts = in_flight.posting_accounts(bureau.jde)
    rent, labor = ids(bureau)
    parts = accounts.filter(pl.col("account_id") == rent).row(0, named=True)
    rows = in_flight.unprocessed(bureau.jde, "BA").with_columns(
        account_id=pl.Series(["", labor]),
        **{n: pl.Series([parts[n], ""]) for n in in_flight.CODE},
    )
    assert in_flight.with_account_ids(rows, accounts)["account_id"].to_list() == [rent, labor]
    unknown = rows.with_columns(object_account=pl.lit("none"))
    assert in_flight.with_account_ids(unknown, accounts)["account_id"].to_list() == ["", labor]


def test_balances_are_summed_over_subledger_and_currency(bureau: Office) -> None:
    rent, _ = ids(bureau)
    before = balances(bureau).get((rent, 2026, 1), Decimal(0))
    same = {"AID": rent, "CTRY": 20, "FY": 26, "LT": "BA", "CO": "00001", "MCU": "30"}
    bureau.desk.ledger.insert("F0902", [
        same | {"SBL": "X", "SBLT": "A", "AN01": 1000, "AN03": -5},
        same | {"CRCD": "USD", "CO": "00060", "AN01": 23},
        same | {"SBL": "Y", "SBLT": "A", "AN02": 7}, same | {"SBL": "Z", "SBLT": "A", "AN02": -7},
    ])  # fmt: skip
    found = balances(bureau)
    assert found[rent, 2026, 1] - before == Decimal("10.23")
    assert found[rent, 2026, 3] == Decimal("-0.05")
    with pytest.raises(ValueError, match="no fiscal years"):
        in_flight.balances(bureau.jde, "BA", [])


def test_a_post_moves_the_balance_by_exactly_the_lines(bureau: Office) -> None:
    rent, labor = ids(bureau)
    before = balances(bureau)
    bureau.submit(gl_date=DAY)
    batch = batch_of_ours(bureau)
    bureau.desk.people("approve", batch)
    bureau.desk.people("post", batch)
    after = balances(bureau)
    for account, amount in ((rent, Decimal("100.25")), (labor, Decimal(-40))):
        cell = (account, 2026, 1)
        assert after[cell] - before.get(cell, Decimal(0)) == amount


@pytest.mark.parametrize("companies", [(), ("00001",)])
def test_accounts_and_units_come_with_their_posting_edit_codes(
    bureau: Office, companies: tuple[str, ...]
) -> None:
    accounts = in_flight.posting_accounts(bureau.jde, companies)
    units = in_flight.posting_units(bureau.jde, companies)
    if companies:
        assert set(accounts["company"]) == set(units["company"]) == {"00001"}
    assert accounts.filter(pl.col("account_id") == bureau.desk.account(RENT)).height == 1
    locked = accounts.filter(account_id=bureau.desk.account("30.9200"))["posting_edit"].to_list()
    assert locked != [""]
    assert units.filter(business_unit="30").height == 1


def test_a_ledger_that_moves_while_it_is_read_is_read_again(bureau: Office) -> None:
    bureau.submit(gl_date=DAY)
    before = in_flight.unposted(bureau.jde, "BA", [2026]).height
    batch = batch_of_ours(bureau)
    moving(bureau, "delete", batch, nth=2)
    assert in_flight.unposted(bureau.jde, "BA", [2026]).height == before - 2


def moving(bureau: Office, do: str, batch: int, nth: int) -> None:
    """Let a person act in the moment before a later request of a table is answered."""
    act = {"do": do, "batch_type": "G", "batch_number": batch}
    bureau.desk.ais.control("faults", add={
        "kind": "delay", "path": "dataservice", "nth": nth,
        "meanwhile": {"people": act},
    })  # fmt: skip


def batch_of_ours(bureau: Office) -> int:
    rows = in_flight.unposted(bureau.jde, "BA", [2026])
    (batch,) = rows.filter(pl.col("reference_2") == TOKEN)["batch_number"].unique()
    return int(batch)


@pytest.mark.parametrize("nth", range(1, 12))
def test_a_post_at_any_moment_of_the_reading_counts_no_line_twice_and_none_never(
    bureau: Office, nth: int
) -> None:
    cell = (bureau.desk.account(RENT), 2026, 1)
    before = balances(bureau).get(cell, Decimal(0))
    bureau.submit(gl_date=DAY)
    batch = batch_of_ours(bureau)
    bureau.desk.people("approve", batch)
    moving(bureau, "post", batch, nth)
    found = in_flight.held(bureau.jde, "BA", [2026])
    posted = amounts(fold_balances(found.balances), "balance").get(cell, Decimal(0)) - before
    waits = amounts(found.unposted.filter(pl.col("reference_2") == TOKEN))
    assert posted + waits.get(cell, Decimal(0)) == Decimal("100.25")
    assert found.unprocessed.is_empty()


def test_a_ledger_that_does_not_rest_is_left_for_later(bureau: Office) -> None:
    bureau.submit(gl_date=DAY)
    batch, rent = batch_of_ours(bureau), bureau.desk.account(RENT)
    act = {"do": "add", "batch_type": "G", "batch_number": batch,
           "lines": [{"account": rent, "amount": 5}]}  # fmt: skip
    bureau.desk.ais.control("faults", add={
        "kind": "delay", "path": "dataservice", "times": 99, "meanwhile": {"people": act},
    })  # fmt: skip
    with pytest.raises(Unavailable, match="changed while it was read"):
        in_flight.held(bureau.jde, "BA", [2026])


def test_what_is_in_flight_names_its_author_and_its_batch(bureau: Office) -> None:
    before = in_flight.held(bureau.jde, "BA", [2026]).in_flight("BN").height
    numbers = bureau.orchestrator.reserve(RESERVE)
    bureau.submit({"BatchNumber": numbers.batch_number} | OURS, gl_date=DAY)
    bureau.desk.orchestrations(next={"process": False})
    bureau.desk.plan(Reference2="WAITS", ControlBatch="C7")
    rows = in_flight.held(bureau.jde, "BA", [2026]).in_flight("BN")
    assert rows.height == before + 4
    ours = rows.filter("ours")
    assert set(ours["batch"]) == {f"G {numbers.batch_number}"}
    assert sorted(ours["amount"]) == [Decimal(-40), Decimal("100.25")]
    waits = rows.filter(batch="C7")
    assert waits.select("author", "ledger", "gl_date", "company", "ours").unique().rows() == [
        ("TIEOUT", "BA", DAY, "00001", False)
    ]


# ------------------------------------------------------------------------ what is ours

OURS = {"Explanation": f"Anaplan plan {TOKEN}"}  # it ends with the reference, as ours do


def now(bureau: Office) -> tuple[in_flight.Entered, in_flight.Held]:
    return in_flight.ledger_now(bureau.jde, "BA", [2026], "BN")


def marks(bureau: Office) -> list[tuple[str, int, int]]:
    found = in_flight.entered(bureau.jde, "BA", [2026], "BN")[0].marks
    return sorted(found.select("reference", "lines", "voided").iter_rows())


OTHERS = [
    {"Explanation": "Budget of the controller"},
    {"Explanation": f"{TOKEN} comes first"},
    {"Explanation": None},
    OURS | {"DocumentType": "BX"},
    OURS | {"Reference2": None},
]


@pytest.mark.parametrize("inputs", OTHERS)
def test_a_line_is_ours_only_by_its_type_and_a_reference_that_ends_its_explanation(
    bureau: Office, inputs: dict[str, str | None]
) -> None:
    before = now(bureau)[1].in_flight("BN").filter("ours").height
    bureau.submit(inputs, gl_date=DAY)
    assert marks(bureau) == []
    assert now(bureau)[1].in_flight("BN").filter("ours").height == before == 0
    bureau.submit(OURS | {"ControlBatch": "SECOND"}, gl_date=DAY)
    assert marks(bureau) == [(TOKEN, 2, 0)]
    assert now(bureau)[1].in_flight("BN").filter("ours").height == 2


def test_a_line_is_ours_by_either_of_its_references(bureau: Office) -> None:
    bureau.submit(OURS | {"Reference1": TOKEN, "Reference2": "SOMEBODY"}, gl_date=DAY)
    other = {"Reference1": "SOMEBODY", "Reference2": "SECOND"}
    second = {"Explanation": "Anaplan plan SECOND", "ControlBatch": "SECOND"}
    bureau.submit(other | second, gl_date=DAY)
    assert marks(bureau) == [(TOKEN, 2, 0), ("SECOND", 2, 0)]


def test_rows_of_ours_in_the_batch_file_are_told_by_document(bureau: Office) -> None:
    for name in ("FIRST", "SECOND"):
        bureau.desk.orchestrations(next={"process": False})
        bureau.submit(
            {"Reference2": name, "Explanation": f"plan {name}", "ControlBatch": name,
             "TransactionNumber": name}, gl_date=DAY,
        )  # fmt: skip
    rows = now(bureau)[1].in_flight("BN").filter("ours")
    assert sorted(rows.select("batch", "document").unique().rows()) == [
        ("FIRST", "FIRST FIRST"), ("SECOND", "SECOND SECOND"),
    ]  # fmt: skip
    assert marks(bureau) == [], "none is in the account ledger yet"


def test_documents_of_our_type_are_counted_in_each_cell_whether_posted_or_not(
    bureau: Office,
) -> None:
    assert in_flight.entered(bureau.jde, "BA", [2026], "BN")[0].documents.is_empty()
    bureau.submit(gl_date=DAY)
    bureau.desk.people("approve", batch_of_ours(bureau))
    bureau.desk.people("post", batch_of_ours(bureau))
    bureau.submit({"ControlBatch": "SECOND", "Reference2": "SECOND"}, gl_date=date(2026, 2, 28))
    bureau.submit({"ControlBatch": "OTHER", "DocumentType": "BX"}, gl_date=DAY)
    found = in_flight.entered(bureau.jde, "BA", [2026], "BN")[0].documents
    assert sorted(found.select(in_flight.CELL).rows()) == sorted(
        ("00001", "BA", account, 2026, period) for account in ids(bureau) for period in (1, 2)
    )
    assert found["document"].n_unique() == 2
    assert set(found["document_type"]) == {"BN"}


def test_only_posted_lines_are_added_up_and_by_cell(bureau: Office) -> None:
    def posted() -> Amounts:
        return amounts(in_flight.entered(bureau.jde, "BA", [2026], "BN")[0].posted)

    before, (rent, labor) = posted(), ids(bureau)
    bureau.submit(gl_date=DAY)
    assert posted() == before
    batch = batch_of_ours(bureau)
    bureau.desk.people("approve", batch)
    bureau.desk.people("post", batch)
    after = posted()
    for account, amount in ((rent, Decimal("100.25")), (labor, Decimal(-40))):
        cell = (account, 2026, 1)
        assert after.pop(cell) - before.pop(cell, Decimal(0)) == amount
    assert after == before


def test_a_voided_journal_of_ours_says_so_by_its_reference(bureau: Office) -> None:
    bureau.submit(OURS, gl_date=DAY)
    batch = batch_of_ours(bureau)
    bureau.desk.people("approve", batch)
    bureau.desk.people("post", batch)
    assert marks(bureau) == [(TOKEN, 2, 0)]
    bureau.desk.people("void", batch)
    ((reference, lines, voided),) = marks(bureau)
    assert reference == TOKEN
    assert 0 < voided <= lines


@pytest.mark.parametrize("nth", range(1, 20))
def test_a_post_at_any_moment_leaves_balances_and_posted_lines_of_one_moment(
    bureau: Office, nth: int
) -> None:
    bureau.submit(OURS, gl_date=DAY)
    batch = batch_of_ours(bureau)
    earlier, cell = seen(bureau), (bureau.desk.account(RENT), 2026, 1)
    bureau.desk.people("approve", batch)
    moving(bureau, "post", batch, nth)
    later = seen(bureau)
    moved = [now.get(cell, Decimal(0)) - then.get(cell, Decimal(0))
             for now, then in zip(later, earlier, strict=True)]  # fmt: skip
    assert moved in ([Decimal(0)] * 3, [Decimal("100.25"), Decimal("100.25"), Decimal("-100.25")])


def seen(bureau: Office) -> tuple[Amounts, Amounts, Amounts]:
    """Balances, posted lines and waiting lines by cell, as one reading of the ledger tells them."""
    found, holds = now(bureau)
    waits = holds.unposted.filter(pl.col("reference_2") == TOKEN)
    return amounts(fold_balances(holds.balances), "balance"), amounts(found.posted), amounts(waits)


def test_an_account_ledger_that_does_not_rest_is_left_for_later(bureau: Office) -> None:
    bureau.submit(OURS, gl_date=DAY)
    act = {"do": "add", "batch_type": "G", "batch_number": batch_of_ours(bureau),
           "lines": [{"account": bureau.desk.account(RENT), "amount": 5}]}  # fmt: skip
    bureau.desk.ais.control("faults", add={
        "kind": "delay", "path": "dataservice", "times": 99, "meanwhile": {"people": act},
    })  # fmt: skip
    with pytest.raises(Unavailable, match="changed while it was read"):
        in_flight.entered(bureau.jde, "BA", [2026], "BN")

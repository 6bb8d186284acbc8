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


def test_documents_of_our_type_are_remembered_by_jd_edwards(bureau: Office) -> None:
    assert in_flight.documents_held(bureau.jde, "BN", "BA", [2026]).is_empty()
    bureau.submit(gl_date=DAY)
    bureau.submit({"ControlBatch": "SECOND", "Reference2": "SECOND"}, gl_date=date(2026, 2, 28))
    found = in_flight.documents_held(bureau.jde, "BN", "BA", [2026])
    shown = found.select(*in_flight.CELL, "reference_2", "count").rows()
    assert sorted(shown) == sorted([
        ("00001", "BA", account, 2026, period, reference, 1)
        for account in ids(bureau) for period, reference in ((1, TOKEN), (2, "SECOND"))
    ])  # fmt: skip
    assert found["document"].n_unique() == 2


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
    before = in_flight.held(bureau.jde, "BA", [2026]).in_flight.height
    numbers = bureau.orchestrator.reserve(RESERVE)
    bureau.submit({"BatchNumber": numbers.batch_number}, gl_date=DAY)
    bureau.desk.orchestrations(next={"process": False})
    bureau.desk.plan(Reference2="WAITS", ControlBatch="C7")
    rows = in_flight.held(bureau.jde, "BA", [2026]).in_flight
    assert rows.height == before + 4
    ours = rows.filter(pl.col("reference_2") == TOKEN)
    assert set(ours["batch"]) == {f"G {numbers.batch_number}"}
    waits = rows.filter(pl.col("reference_2") == "WAITS")
    assert waits.select("author", "batch", "ledger", "gl_date", "company").unique().rows() == [
        ("TIEOUT", "C7", "BA", DAY, "00001")
    ]

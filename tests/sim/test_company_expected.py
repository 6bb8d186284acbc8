"""The practice ledger, read by a second path, ties and holds every odd case it should."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from expected import Expected, Key, differing

from tieout.sim.company.make import make_company
from tieout.sim.jde.ledger import Ledger

LINES = 5_000
REMARKS_NEEDED = (",", '"', "\n", "=cmd|", "+1", "ü", "大", "<b>", "\t")


class Company:
    """A made company: its ledger, its notes and the second path."""

    def __init__(self, folder: Path, *, trouble: bool = False, seed: int = 3) -> None:
        self.ledger = Ledger(folder / "jde.sqlite")
        make_company(self.ledger, seed=seed, lines=LINES, trouble=trouble)
        self.notes: dict[str, Any] = json.loads(self.ledger.recall("demo") or "{}")
        self.expected = Expected(folder / "jde.sqlite")

    def gaps(self, *ledgers: str) -> dict[Key, Decimal]:
        """Lines against balances; the purged year has no lines and is left out."""
        known = self.expected.balances(ledgers or ("AA",))
        kept = {k: a for k, a in known.items() if (k.company, k.fiscal_year) != ("00060", 2023)}
        return differing(self.expected.lines(ledgers or ("AA",)), kept)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    made = Company(tmp_path_factory.mktemp("company"))
    yield made
    made.expected.close()
    made.ledger.close()


def test_lines_equal_balances_in_every_account_period_and_ledger(company: Company) -> None:
    assert company.gaps("AA", "BA", "CA") == {}
    assert len(company.expected.lines()) > 3_000


@pytest.mark.parametrize("round_", range(3))
def test_any_seed_makes_a_ledger_that_ties(tmp_path: Path, dice: Random, round_: int) -> None:
    made = Company(tmp_path, seed=dice.randrange(10**9))
    assert made.gaps("AA", "BA", "CA") == {}


def test_each_company_nets_to_zero_in_each_period(company: Company) -> None:
    nets: dict[tuple[str, int, int], Decimal] = {}
    for key, amount in company.expected.lines().items():
        at = (key.company, key.fiscal_year, key.period)
        nets[at] = nets.get(at, Decimal()) + amount
    assert len(nets) == 24 * 5 + 2
    assert set(nets.values()) == {0}


def test_cells_stand_in_calendar_months_of_two_years_in_every_company(company: Company) -> None:
    cells = company.expected.cells(first=(2023, 4))
    months = {(cell[0], cell[3]) for cell in cells}
    assert len(months) == 24 * 5
    assert {month[-2:] for _, month in months} == {"24", "25"}


def test_units_posted_equal_the_units_ledger(company: Company) -> None:
    units = company.expected.units()
    assert len(units) == 8
    assert all(lines == balances for lines, balances in units.values())
    assert units[company.notes["units"], (2025, 6)] == (Decimal(600), Decimal(600))


def test_a_yen_has_no_decimals_and_a_dinar_three(company: Company) -> None:
    exponents: dict[str, set[int]] = {}
    for key, amount in company.expected.lines(("AA", "CA")).items():
        exponents.setdefault(key.currency, set()).add(int(amount.as_tuple().exponent))
    assert exponents == {"USD": {-2}, "EUR": {-2}, "JPY": {0}, "KWD": {-3}}


def test_a_recoded_account_shows_its_new_text_and_keeps_the_old_in_the_ledger(
    company: Company,
) -> None:
    account = company.notes["recoded"]
    texts = {
        (row["MCU"].strip(), row["OBJ"]) for row in company.ledger.rows("F0911", {"AID": account})
    }
    assert texts == {("32", "6480")}
    codes = {(k.account, k.business_unit) for k in company.expected.lines()}
    assert ("6490.RECODED", "34") in codes


def test_a_unit_outside_the_cost_center_filter_holds_1204_dollars(company: Company) -> None:
    assert company.ledger.rows("F0006", {"MCU": "J77"})[0]["STYL"] == "JB"
    held = {k.account: a for k, a in company.expected.lines().items() if k.business_unit == "J77"}
    assert set(held) == {"6450", "6550.REBUILD"}
    total = sum(a for k, a in company.expected.lines().items() if k.business_unit == "J77")
    assert total == Decimal("1204.00")


def test_a_job_account_has_another_level_of_detail_and_a_code_of_its_own(company: Company) -> None:
    row = company.ledger.rows("F0901", {"AID": company.notes["project account"]})[0]
    assert (row["LDA"], row["OBJ"], row["SUB"]) == ("9", "7100", "REBUILD")
    total = sum(a for k, a in company.expected.lines().items() if k.account == "7100.REBUILD")
    assert total == Decimal("806.50")


def test_a_summary_counts_once_and_its_details_are_still_there(company: Company) -> None:
    account, _ = company.notes["summary"]
    rows = company.ledger.rows("F0911", {"AID": account})
    assert sorted((r["DCT"], r["SUMM"], r["AA"]) for r in rows) == [
        ("BF", "", 333_333), ("JE", "Y", 111_111), ("JE", "Y", 222_222),
    ]  # fmt: skip
    lines = company.expected.lines()
    held = [a for k, a in lines.items() if (k.account, k.business_unit) == ("6490.LAB", "35")]
    assert held == [Decimal("3333.33")]


def test_the_purged_year_has_balances_and_no_lines(company: Company) -> None:
    at = {"CO": "00060", "FY": 23}
    assert company.ledger.rows("F0911", at) == []
    assert len(company.ledger.rows("F0902", at)) > 50


def test_a_void_stays_posted_and_is_reversed_on_another_date(company: Company) -> None:
    number = int(company.notes["void"]["document"].split()[1])
    rows = company.ledger.rows("F0911", {"DOC": number, "LT": "AA"})
    assert {row["RE"] for row in rows} == {"V"}
    assert {row["POST"] for row in rows} == {"P"}
    assert sum(row["AA"] for row in rows) == 0
    assert len({(row["DGJ"], row["PN"]) for row in rows}) == 2


def test_a_late_post_moved_its_batch_but_not_its_lines(company: Company) -> None:
    for name, moved in (("late", False), ("late restamped", True)):
        batch = {"ICUT": "G", "ICU": company.notes[name]["batch"]}
        header = company.ledger.rows("F0011", batch)[0]
        stamps = {row["UPMJ"] for row in company.ledger.rows("F0911", batch)}
        assert header["UPMJ"] == 125_275
        assert (stamps == {125_275}) is moved


def test_mirrors_of_reversing_entries_wait_unposted(company: Company) -> None:
    waiting = company.ledger.rows("F0911", {"EXA": "Accrual, reverses", "POST": ""})
    assert {row["DGJ"] for row in waiting} == {125_305, 126_001}
    batch = {"ICUT": waiting[0]["ICUT"], "ICU": waiting[0]["ICU"]}
    originals = company.ledger.rows("F0911", {**batch, "RE": "R"})
    assert {row["POST"] for row in originals} == {"P"}


def test_every_posting_edit_code_and_history_case_is_there(company: Company) -> None:
    edits = {row["PEC"] for row in company.ledger.rows("F0901")}
    assert edits == {"", "B", "I", "L", "M", "N", "S", "U"}
    kinds = {row[0] for row in company.ledger.query("SELECT DISTINCT DCT FROM F0911")}
    assert {"##", "AE", "BF", "BN", "JE", "PV", "RI"} <= kinds
    posted = {row[0] for row in company.ledger.query("SELECT DISTINCT POST FROM F0911")}
    assert posted == {"", "M", "P"}
    units = {row["MCU"].strip(): row["PECC"] for row in company.ledger.rows("F0006")}
    assert units["40"] == "N"
    pairs = company.ledger.query(
        "SELECT AID FROM F0902 WHERE LT = 'AA' GROUP BY AID, CTRY, FY, SBL HAVING count(*) > 1"
    )
    assert len(pairs) == 1
    summary = company.ledger.rows("F0901", {"PEC": "S"})[0]["AID"]
    assert {row["SBL"] for row in company.ledger.rows("F0902", {"AID": summary})} == {""}
    assert "" not in {row["SBL"] for row in company.ledger.rows("F0911", {"AID": summary})}
    forward = company.ledger.query("SELECT count(*) FROM F0902 WHERE OBJ LIKE '7%' AND APYC <> 0")
    assert forward[0][0] > 0


def test_remarks_hold_what_breaks_careless_files(company: Company) -> None:
    remarks = [row[0] for row in company.ledger.query("SELECT DISTINCT EXR FROM F0911")]
    missing = [sign for sign in REMARKS_NEEDED if not any(sign in text for text in remarks)]
    assert missing == []
    assert max(map(len, remarks)) <= 30


def test_company_00000_holds_rows_that_belong_to_nobody(company: Company) -> None:
    assert len(company.ledger.rows("F0911", {"CO": "00000"})) == 2
    assert not [key for key in company.expected.lines() if key.company == "00000"]


def test_the_switched_on_company_alone_does_not_tie(tmp_path: Path) -> None:
    made = Company(tmp_path, trouble=True)
    gaps = made.gaps()
    assert {key.company for key in gaps} == {"00900"}
    assert {key.account for key in gaps} == {"6010", "6020", "6430", "2150"}
    amounts = {key.account: gap for key, gap in gaps.items() if key.account != "2150"}
    assert amounts == {
        "6010": Decimal("-18000.00"), "6020": Decimal("4750.80"), "6430": Decimal("615.05"),
    }  # fmt: skip
    assert {row[0] for row in made.expected.wrong_periods()} == {"00900"}
    in_use = made.ledger.rows("F0011", {"IST": "U"})
    assert len(in_use) == 2

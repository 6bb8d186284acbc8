"""The demo company is a ledger an auditor would accept, whatever the seed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tieout.sim.company.calendar import days_of, from_julian, julian, period_of
from tieout.sim.company.make import make_company
from tieout.sim.jde.ledger import Ledger

LINES = 6_000
GROUPS_MAX = 2_000
POSTED = "POST = 'P' AND CO <> '00000'"
COUNTED = f"{POSTED} AND DCT <> 'BF'"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    made = Ledger(tmp_path_factory.mktemp("company") / "jde.sqlite")
    make_company(made, seed=7, lines=LINES)
    yield made
    made.close()


def count(ledger: Ledger, statement: str) -> int:
    return int(ledger.query(statement)[0][0])


def test_it_has_exactly_the_posted_lines_that_were_asked_for(ledger: Ledger) -> None:
    asked = f"SELECT count(*) FROM F0911 WHERE LT = 'AA' AND {POSTED}"
    assert count(ledger, asked) == LINES


def test_every_company_balances_in_every_period_in_base_and_foreign_currency(
    ledger: Ledger,
) -> None:
    nets = ledger.query(
        "SELECT CO, LT, CTRY, FY, PN, CRCD, sum(AA) FROM F0911 "
        f"WHERE LT IN ('AA', 'CA') AND {COUNTED} "
        "GROUP BY CO, LT, CTRY, FY, PN, CASE LT WHEN 'CA' THEN CRCD END"
    )
    assert {row[0] for row in nets} == {"00001", "00060", "00070", "00090", "00200"}
    assert [row for row in nets if row[-1]] == []


def test_every_journal_balances_within_its_company(ledger: Ledger) -> None:
    open_documents = ledger.query(
        "SELECT DCT, DOC, KCO, DGJ, CO, sum(AA) FROM F0911 WHERE LT = 'AA' AND CO <> '00000' "
        "AND DCT NOT IN ('BF', 'AE') AND DOC NOT IN (SELECT DOC FROM F0911 WHERE DCT = 'AE') "
        "GROUP BY DCT, DOC, KCO, DGJ, CO HAVING sum(AA) <> 0"
    )
    assert open_documents == []


def test_balances_hold_the_posted_lines_of_every_account_year_and_period(ledger: Ledger) -> None:
    lines = {
        tuple(row[:5]): row[5]
        for row in ledger.query(
            "SELECT AID, LT, CTRY * 100 + FY, PN, CASE LT WHEN 'CA' THEN CRCD ELSE '' END c, "
            f"sum(AA) FROM F0911 WHERE {COUNTED} GROUP BY AID, LT, CTRY, FY, PN, c"
        )
    }
    held: dict[tuple[object, ...], int] = {}
    for row in ledger.rows("F0902"):
        purged = row["CO"] == "00060" and row["FY"] == 23
        if row["LT"] == "AU" or row["CO"] == "00000" or purged:
            continue
        currency = row["CRCD"] if row["LT"] == "CA" else ""
        for period in range(1, 15):
            key = (row["AID"], row["LT"], row["CTRY"] * 100 + row["FY"], period, currency)
            held[key] = held.get(key, 0) + row[f"AN{period:02}"]
    differing = {k for k in lines.keys() | held.keys() if lines.get(k, 0) != held.get(k, 0)}
    assert differing == set()


def test_each_year_opens_with_what_the_year_before_left(ledger: Ledger) -> None:
    forward: dict[tuple[str, int], int] = {}
    for row in ledger.rows("F0902", {"LT": "AA"}):
        if row["CO"] == "00000" or "4000" <= row["OBJ"] <= "8999":
            continue
        key = (row["CO"], row["FY"])
        forward[key] = forward.get(key, 0) + row["APYC"]
    assert len(forward) == 12
    assert set(forward.values()) == {0}


def test_period_and_year_of_every_line_follow_the_pattern_of_its_company(ledger: Ledger) -> None:
    patterns = {row["CO"]: row["DTPN"] for row in ledger.rows("F0010")}
    lines = ledger.query("SELECT DISTINCT CO, DGJ, CTRY * 100 + FY, PN FROM F0911")
    wrong = [r for r in lines if period_of(patterns[r[0]], from_julian(r[1])) != (r[2], r[3])]
    assert wrong == []


def test_fiscal_years_are_named_by_the_end_of_their_first_period() -> None:
    day = from_julian(125_319)
    assert day.isoformat() == "2025-11-15"
    assert period_of("B", day) == (2025, 2)
    assert period_of("A", from_julian(125_365)) == (2025, 13)
    assert period_of("R", from_julian(125_365)) == (2025, 12)
    assert period_of("C", from_julian(125_026)) == (2025, 2)
    assert julian(days_of("C", 2025, 1)[1]) == 125_025


def test_some_postings_stand_in_period_13(ledger: Ledger) -> None:
    found = ledger.query(f"SELECT CO, count(*) FROM F0911 WHERE PN = 13 AND {POSTED} GROUP BY CO")
    assert [row[0] for row in found] == ["00060"]
    assert found[0][1] > 10


def test_the_fingerprint_stays_under_two_thousand_groups(ledger: Ledger) -> None:
    for column in ("OBJ", "MCU"):
        groups = f"SELECT DISTINCT LT, CTRY, FY, CO, {column} FROM F0902"
        assert count(ledger, f"SELECT count(*) FROM ({groups})") < GROUPS_MAX


def test_members_have_codes_and_names_of_their_own(ledger: Ledger) -> None:
    codes: dict[str, set[str]] = {}
    for row in ledger.rows("F0901"):
        codes.setdefault(f"{row['OBJ']}.{row['SUB']}", set()).add(row["DL01"])
    two_names = {code: names for code, names in codes.items() if len(names) > 1}
    assert set(two_names) == {"7010."}
    names = [name for found in codes.values() for name in found]
    assert len(names) == len(set(names))
    units = [row["DL01"] for row in ledger.rows("F0006")]
    assert len(units) == len(set(units)) > 60
    assert 400 < len(codes) < 500


def test_hiding_an_allocation_center_leaves_every_company_at_zero(ledger: Ledger) -> None:
    nets = ledger.query(
        f"SELECT trim(MCU), FY, PN, sum(AA), count(*) FROM F0911 WHERE LT = 'AA' AND {POSTED} "
        "AND trim(MCU) IN ('45', '60Z', '210') GROUP BY MCU, FY, PN"
    )
    assert len(nets) > 60
    assert {row[3] for row in nets} == {0}


def test_the_same_seed_makes_the_same_ledger_and_another_seed_another(
    tmp_path: Path, dice: Random
) -> None:
    seed = dice.randrange(10**6)
    books = []
    for number, chosen in enumerate((seed, seed, seed + 1)):
        made = Ledger(tmp_path / f"{number}.sqlite")
        make_company(made, seed=chosen, lines=1_000)
        books.append([made.rows(table) for table in ("F0911", "F0902", "F0011", "F0901")])
        made.close()
    assert books[0] == books[1]
    assert books[0][0] != books[2][0]
    assert books[0][3] == books[2][3]


def test_batch_headers_count_their_documents_and_debits(ledger: Ledger) -> None:
    headers = {(row["ICUT"], row["ICU"]): row for row in ledger.rows("F0011")}
    found = ledger.query(
        "SELECT ICUT, ICU, count(DISTINCT DCT || DOC || KCO), "
        "sum(CASE WHEN AA > 0 AND DCT <> 'BF' THEN AA ELSE 0 END) FROM F0911 WHERE LT <> 'CA' "
        "GROUP BY ICUT, ICU HAVING min(CO) = '00001' AND max(CO) = '00001'"
    )
    assert len(found) > 100
    for batch_type, number, documents, debits in found:
        header = headers[batch_type, number]
        assert (header["DOCN"], header["NDO"]) == (documents, documents)
        assert (header["AICU"], header["AME"]) == (debits, debits)
    assert {row["IST"] for row in headers.values()} == {"", "A", "D", "E"}

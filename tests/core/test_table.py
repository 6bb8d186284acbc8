"""Rows of a table folded into cells: currencies, decimals, codes, and what is held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from tieout.core import table as core
from tieout.core.frames import AMOUNT
from tieout.core.table import Money, Shape, shape_of
from tieout.core.table_tie_out import compare, difference_findings, table_of
from tieout.core.table_words import field_of, meant, problems, source_of
from tieout.errors import Refused

MONEY = Money(
    {"00001": "USD", "00070": "JPY", "00090": "KWD"}, {"XA": "EUR"},
    {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3},
)  # fmt: skip
FIELDS = {
    "CO": "text", "LT": "code", "CRCD": "code", "CRCX": "code", "OBJ": "code", "SUB": "code",
    "DUE": "date", "AA": "amount of ledger", "FA": "amount of CRCD", "U": "number 2",
}  # fmt: skip
COLUMNS = {"Company": "CO", "Account": "OBJ.SUB", "Amount": "AA"}
ROW = {"CO": "00001", "LT": "AA", "CRCD": "", "CRCX": "", "OBJ": "1110", "SUB": "",
       "DUE": date(2025, 3, 9), "AA": Decimal(0), "FA": Decimal(0), "U": Decimal(0)}  # fmt: skip
TYPES = {"DUE": pl.Date, "AA": AMOUNT, "FA": AMOUNT, "U": AMOUNT}


def rows(*some: dict[str, object]) -> pl.LazyFrame:
    schema = {name: TYPES.get(name, pl.String) for name in ROW}
    return pl.DataFrame([ROW | one for one in some], schema=schema).lazy()


def shape(columns: dict[str, str] | None = None, identify: Sequence[str] = ()) -> Shape:
    return shape_of(FIELDS, columns or COLUMNS, identify or ("Company", "Account"))


def cells(of: Shape, *some: dict[str, object], fields: str = "") -> pl.DataFrame:
    return core.fold(core.rows_as_meant(rows(*some), of, MONEY, {}), of)


def test_rows_of_one_cell_add_up_and_a_blank_subsidiary_leaves_no_dot() -> None:
    of = shape()
    found = cells(
        of, {"AA": Decimal("1.10")}, {"AA": Decimal("-0.05")},
        {"AA": Decimal("7"), "SUB": "BEAR"},
    )  # fmt: skip
    assert found.select("Company", "Account", "Amount", "rows", "held").rows() == [
        ("00001", "1110", Decimal("1.0500"), 2, ""), ("00001", "1110.BEAR", Decimal("7"), 1, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "currency"),
    [
        ({}, "USD"), ({"CO": "00070"}, "JPY"), ({"LT": "XA"}, "EUR"),
        ({"CRCX": "KWD", "LT": "XA"}, "KWD"), ({"LT": "CA", "CRCD": "KWD"}, "KWD"),
        ({"LT": "BA", "CRCD": "KWD"}, "USD"), ({"CO": "00999"}, ""),
    ],
)  # fmt: skip
def test_the_currency_of_an_amount_is_the_ledgers_else_the_companys_and_of_ca_the_rows(
    row: dict[str, object], currency: str
) -> None:
    found = cells(shape(), row | {"AA": Decimal(1)})
    assert found[core.currency_column("Amount")].to_list() == [currency]


@pytest.mark.parametrize(
    ("row", "held"),
    [
        ({"AA": Decimal("1.23")}, ""), ({"AA": Decimal("1.234")}, "decimals"),
        ({"AA": Decimal("-0.001")}, "decimals"), ({"AA": Decimal("1.234"), "CO": "00090"}, ""),
        ({"AA": Decimal("1.2345"), "CO": "00090"}, "decimals"),
        ({"AA": Decimal("12"), "CO": "00070"}, ""),
        ({"AA": Decimal("1.5"), "CO": "00070"}, "decimals"),
    ],
)  # fmt: skip
def test_an_amount_finer_than_its_currency_holds_its_cell(
    row: dict[str, object], held: str
) -> None:
    of = shape()
    found = cells(of, row)
    assert found["held"].to_list() == [held]
    assert [f.rule for f in core.held_findings(found, of)] == ([held] if held else [])


@pytest.mark.parametrize(
    ("company", "raw", "shown"),
    [("00001", 123_456, "1234.56"), ("00070", 123_456, "123456"), ("00090", -123_456, "-123.456")],
)
def test_amounts_as_the_database_keeps_them_get_the_decimals_of_their_currency_back(
    company: str, raw: int, shown: str
) -> None:
    of = shape_of(FIELDS | {"AA": "amount of company stored"}, COLUMNS, ("Company", "Account"))
    (value,) = cells(of, {"CO": company, "AA": Decimal(raw)})["Amount"].to_list()
    assert value == Decimal(shown)


def test_amounts_of_two_currencies_are_never_added() -> None:
    of = shape({"Company": "CO", "Amount": "FA"}, ("Company",))
    found = cells(of, {"CRCD": "EUR", "FA": Decimal(1)}, {"CRCD": "KWD", "FA": Decimal(2)})
    assert found["held"].to_list() == ["table-currencies"]
    apart = shape({"Company": "CO", "Currency": "CRCD", "Amount": "FA"}, ("Company", "Currency"))
    both = cells(apart, {"CRCD": "EUR", "FA": Decimal(1)}, {"CRCD": "KWD", "FA": Decimal(2)})
    assert both.select("Currency", core.currency_column("Amount"), "held").rows() == [
        ("EUR", "EUR", ""), ("KWD", "KWD", "")
    ]  # fmt: skip
    # An empty currency of a row that says nothing is none.
    alone = cells(of, {"CRCD": "EUR", "FA": Decimal(1)}, {"CRCD": "KWD", "FA": Decimal(0)})
    assert alone["held"].to_list() == [""]


def test_rows_without_a_member_and_codes_too_long_are_told_and_not_sent() -> None:
    of = shape({"Account": "OBJ.SUB-LT", "Amount": "AA"}, ("Account",))
    blank = {"OBJ": "", "SUB": "", "LT": "", "AA": Decimal(1)}
    meant_rows = core.rows_as_meant(rows(blank, {"OBJ": "x" * 61}), of, MONEY, {})
    (left_out,) = core.without_member(meant_rows, of, "F0911")
    assert (left_out.rule, left_out.cells) == ("table-no-member", 1)
    assert core.fold(meant_rows, of)["held"].to_list() == ["code-too-long"]


def test_texts_that_contradict_each_other_hold_an_item() -> None:
    of = shape({"Company": "CO", "Due": "DUE", "Amount": "AA"}, ("Company",))
    found = cells(of, {"AA": Decimal(1)}, {"AA": Decimal(1), "DUE": date(2025, 3, 10)})
    assert found["held"].to_list() == ["table-conflict"]
    assert cells(of, {"DUE": None})["Due"].to_list() == [""]
    assert cells(of, {})["Due"].to_list() == ["2025-03-09"]


def test_a_date_can_be_the_month_that_anaplan_shows() -> None:
    of = shape({"Time": "DUE as %b %y", "Amount": "AA"}, ("Time",))
    assert cells(of, {"AA": Decimal(1)})["Time"].to_list() == ["Mar 25"]


def test_codes_go_through_the_mapping_as_it_is_at_the_end() -> None:
    of = shape()
    table = pl.DataFrame(
        {"source": ["1110", "1110"], "target": ["CASH", "BANK"],
         "effective_from": ["", "2025-04"]}
    )  # fmt: skip
    meant_rows = core.rows_as_meant(rows({}), of, MONEY, {"Account": table})
    assert core.fold(meant_rows, of)["Account"].to_list() == ["BANK"]


def shown(*some: tuple[str, str, str]) -> pl.DataFrame:
    data = [(c, a, Decimal(v)) for c, a, v in some]
    return pl.DataFrame(data, schema=dict(shape().schema), orient="row")


def test_what_differs_is_sent_and_what_no_row_stands_behind_goes_to_zero() -> None:
    of = shape()
    found = cells(of, {"AA": Decimal(1)}, {"AA": Decimal(2), "SUB": "NEW"}, {"SUB": "ZERO"})
    proved = shown(("00001", "1110", "1"), ("00001", "OLD", "5"), ("00001", "EMPTY", "0"))
    assert core.changed(found, proved, of)["Account"].to_list() == ["1110.NEW"]
    items = core.changed(found, proved, of, items=True)
    assert items["Account"].to_list() == ["1110.NEW", "1110.ZERO"]
    gone = core.left_behind(found, proved, of)
    assert gone.select("Account", "Amount").rows() == [("OLD", Decimal(0))]
    assert gone.schema == found.schema


def test_the_tie_out_tells_every_number_that_differs_by_its_kind_and_amount() -> None:
    of = shape()
    found = cells(
        of, {"AA": Decimal(1)}, {"AA": Decimal(2), "SUB": "B"}, {"AA": Decimal(3), "SUB": "C"},
        {"AA": Decimal(4), "SUB": "D"},
    )  # fmt: skip
    anaplan = shown(("00001", "1110", "1"), ("00001", "1110.B", "2.5"), ("00001", "HAND", "9"))
    waiting = found.filter(pl.col("Account") == "1110.D").with_columns(held=pl.lit("no member"))
    compared = compare(found, anaplan, waiting, of)
    told = {f.rule: (f.cells, f.amount) for f in difference_findings(compared, of, "F0902")}
    assert told == {
        "anaplan-differs": (1, Decimal("0.5")), "anaplan-wiped": (1, Decimal(3)),
        "not-of-the-table": (1, None),
    }  # fmt: skip
    sums = table_of(compared)
    assert sums["cells_differing"].sum() == 4  # the one that waits differs, too
    assert sums["difference"].sum() == Decimal("16.5")


@pytest.mark.parametrize(
    ("words", "given", "value"),
    [("date", "2025-12-31", date(2025, 12, 31)), ("whole", 25, 25), ("whole", "25", 25),
     ("amount", "1.5", Decimal("1.5")), ("code", "AA", "AA"), ("text", "00001", "00001")],
)  # fmt: skip
def test_a_condition_means_what_its_field_is(words: str, given: str | int, value: object) -> None:
    assert meant(field_of(words), given) == value


@pytest.mark.parametrize(
    ("words", "given"),
    [("date", "31.12.2025"), ("whole", "x"), ("amount", "1,5"), ("code", 1), ("text", 25)],
)
def test_a_condition_that_its_field_cannot_be_is_refused(words: str, given: str | int) -> None:
    with pytest.raises(ValueError, match=r"is (not|a number)"):
        meant(field_of(words), given)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"A": "NO"}, "names NO, which is no field"), ({"A": "OBJ."}, "names no field"),
        ({"A": "OBJ as %b"}, "only a date can be shown"), ({"A": ""}, "names no field"),
        ({"A": "DUE as %b", "B": "OBJ"}, ""),
    ],
)  # fmt: skip
def test_a_column_that_names_no_field_is_refused(columns: dict[str, str], words: str) -> None:
    told = problems(shape().fields, columns)
    assert (words in told[0]) if words else not told


def test_an_amount_needs_the_fields_that_its_currency_follows() -> None:
    fields = {"AA": field_of("amount of ledger"), "FA": field_of("amount of CRCD stored")}
    told = problems(fields, {})
    assert [t.rpartition(" ")[2] for t in told] == ["LT", "CO", "CRCD"]
    assert source_of("KCO-DCT").between == ("-",)


def test_two_keys_that_look_alike_as_one_code_are_refused_and_never_added() -> None:
    """Rule 7: a blank part is left out of a code, so `30` and blank read as blank and `30`."""
    fields = {"MCU": "code", "OBJ": "code", "AA": "number 2"}
    of = shape_of(fields, {"Account": "MCU.OBJ", "Amount": "AA"}, ["Account"])
    same = [("30", ""), ("", "30")]
    table = pl.DataFrame(
        {"MCU": [u for u, _ in same], "OBJ": [o for _, o in same], "AA": [Decimal(5), Decimal(7)]}
    )
    with pytest.raises(Refused, match=r"MCU\.OBJ.*'30'"):
        core.refuse_look_alikes(table.lazy(), of, "F0902")
    core.refuse_look_alikes(table.head(1).lazy(), of, "F0902")
    core.refuse_look_alikes(pl.concat([table.head(1)] * 2).lazy(), of, "F0902")

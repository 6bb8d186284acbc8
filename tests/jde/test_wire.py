"""Claims about how we speak to JD Edwards: dates, padding, conditions, and totals in every form."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tieout.core.frames import LINE_KEY, LINES
from tieout.errors import Refused
from tieout.jde import aggregate, query, wire
from tieout.jde.tables import (
    ACCOUNT_BALANCES,
    ACCOUNT_LEDGER,
    ACCOUNTS,
    BUSINESS_UNITS,
    CURRENCIES,
    TABLES,
)

US = wire.Dialect("MM/dd/yyyy", ".")
GERMAN = wire.Dialect("dd.MM.yyyy", ",")

JULIAN = [
    (99365, date(1999, 12, 31)), (100001, date(2000, 1, 1)), (124060, date(2024, 2, 29)),
    (124366, date(2024, 12, 31)), (125001, date(2025, 1, 1)), (1, date(1900, 1, 1)), (0, None),
]  # fmt: skip


@pytest.mark.parametrize(("julian", "day"), JULIAN)
def test_julian_dates_of_the_documents(julian: int, day: date | None) -> None:
    assert wire.from_julian(julian) == day
    assert wire.to_julian(day) == julian


def test_every_day_from_1900_to_2099_survives_the_julian_form() -> None:
    day = date(1900, 1, 1)
    while day.year < 2100:
        assert wire.from_julian(wire.to_julian(day)) == day
        day += timedelta(days=1)


@pytest.mark.parametrize("wrong", [125000, 125366, 100367, 99366, -1, 200001, 999999, 1000])
def test_an_impossible_julian_date_is_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match="not a Julian date"):
        wire.from_julian(wrong)


@pytest.mark.parametrize("wrong", [date(1899, 12, 31), date(2100, 1, 1)])
def test_a_date_without_julian_form_is_refused(wrong: date) -> None:
    with pytest.raises(ValueError, match="no Julian form"):
        wire.to_julian(wrong)


FORMATS = [
    ({"simpleDateFormat": "MM/dd/yyyy"}, "01/31/2025"),
    ({"simpleDateFormat": "dd.MM.yyyy"}, "31.01.2025"),
    ({"simpleDateFormat": "yyyy-MM-dd"}, "2025-01-31"),
    ({"simpleDateFormat": "dd/MM/yy"}, "31/01/25"),
    ({"dateFormat": "MDE", "dateSeperator": "/"}, "01/31/2025"),
    ({"dateFormat": "DME", "dateSeperator": "-"}, "31-01-2025"),
    ({"dateFormat": "EMD", "dateSeperator": "."}, "2025.01.31"),
]


@pytest.mark.parametrize(("user", "text"), FORMATS)
def test_date_literals_follow_the_user_that_signed_in(user: dict[str, Any], text: str) -> None:
    assert wire.dialect_of(user).date(date(2025, 1, 31)) == text


@pytest.mark.parametrize("user", [{}, {"simpleDateFormat": "EEE"}, {"dateFormat": "XYZ"}])
def test_an_unknown_date_format_is_refused(user: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="not understood"):
        wire.dialect_of(user)


LITERALS = [
    ("business_unit", "30", "          30"), ("business_unit", "M30", "         M30"),
    ("object_account", "000456", "000456"), ("company", "00001", "00001"),
    ("line_number", "1.00", "1"), ("line_number", "1.50", "1,5"), ("document", 4711, "4711"),
    ("gl_date", date(2025, 1, 31), "31.01.2025"), ("amount", Decimal("-0.50"), "-0,5"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value", "text"), LITERALS)
def test_literals_are_padded_and_printed_as_jde_holds_them(
    column: str, value: query.Value, text: str
) -> None:
    assert wire.literal(ACCOUNT_LEDGER.column(column), value, GERMAN) == text


def shown(where: query.Where | None) -> str:
    """The condition as text, with the groups AIS will build, to compare with a formula."""

    def group(told: dict[str, Any]) -> str:
        joiner = " & " if told.get("matchType", "MATCH_ALL") == "MATCH_ALL" else " | "
        simple = [condition(c) for c in told["condition"]]
        text = joiner.join(simple)
        for part in told.get("complexQuery", []):
            mark = " & " if part["andOr"] == "AND" else " | "
            text = f"({text}){mark}({group(part['query'])})"
        return text

    def condition(told: dict[str, Any]) -> str:
        values = ",".join(
            v["content"]
            if v["specialValueId"] == "LITERAL"
            else f"{v['specialValueId']} {v['content']}"
            for v in told["value"]
        )
        return f"{told['controlId'].removeprefix('F0911.')} {told['operator']} {values}".strip()

    return group(wire.query(ACCOUNT_LEDGER, where, US))


CONDITIONS = [
    (None, ""),
    (query.equal("posted", "P"), "POST EQUAL P"),
    (query.equal("posted", ""), "POST STR_BLANK"),
    (query.not_equal("posted", "P"), "POST NOT_EQUAL P"),
    (query.equal("LT", "AA"), "LT EQUAL AA"),
    (query.one_of("ledger", ["AA"]), "LT EQUAL AA"),
    (query.one_of("ledger", ["AA", "CA"]), "LT LIST AA,CA"),
    (query.one_of("currency", ["", "USD"]), "CRCD STR_BLANK | CRCD EQUAL USD"),
    (query.at_least("updated", query.DaysAgo(3)), "UPMJ GREATER_EQUAL TODAY_MINUS_DAY 3"),
    (query.between("gl_date", date(2025, 1, 1), date(2025, 1, 31)),
     "DGJ BETWEEN 01/01/2025,01/31/2025"),
    (query.equal("fiscal_year", 2025), "CTRY EQUAL 20 & FY EQUAL 25"),
    (query.every(query.equal("posted", "P"), query.one_of("fiscal_year", [2024, 2025])),
     "POST EQUAL P & CTRY EQUAL 20 & FY LIST 24,25"),
    (query.every(query.equal("posted", "P"), query.one_of("currency", ["", "USD"])),
     "(POST EQUAL P) & (CRCD STR_BLANK | CRCD EQUAL USD)"),
    (query.either(query.equal("fiscal_year", 2025), query.equal("posted", "P")),
     "(POST EQUAL P) | (CTRY EQUAL 20 & FY EQUAL 25)"),
    (query.every(query.one_of("currency", ["", "USD"]), query.one_of("posted", ["", "P"])),
     "(CRCD STR_BLANK | CRCD EQUAL USD) & (POST STR_BLANK | POST EQUAL P)"),
]  # fmt: skip


@pytest.mark.parametrize(("where", "text"), CONDITIONS, ids=[t for _, t in CONDITIONS])
def test_conditions_keep_their_meaning(where: query.Where | None, text: str) -> None:
    assert shown(where) == text


def test_rows_after_a_key_are_asked_for_column_by_column() -> None:
    after = wire.after([("document_type", "JE"), ("document", 5), ("line_extension", "")])
    where = query.every(query.equal("posted", "P"), after)
    assert shown(where) == (
        "(POST EQUAL P) & (((DCT GREATER JE) | (DCT EQUAL JE & DOC GREATER 5))"
        " | (DCT EQUAL JE & DOC EQUAL 5 & EXTL STR_NOT_BLANK))"
    )


def test_fiscal_years_of_two_centuries_are_not_asked_for_at_once() -> None:
    with pytest.raises(ValueError, match="cannot be asked for at once"):
        shown(query.one_of("fiscal_year", [1999, 2000]))


def test_an_unknown_column_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="F0911 has no column 'ZZZ'"):
        shown(query.equal("ZZZ", "x"))


def test_two_codes_that_become_one_when_trimmed_stop_the_run() -> None:
    names = list(BUSINESS_UNITS.key)
    wire.distinct_keys(BUSINESS_UNITS, pl.DataFrame({names[0]: ["30", "40"]}))
    with pytest.raises(Refused, match="differ only in blanks: 30"):
        wire.distinct_keys(BUSINESS_UNITS, pl.DataFrame({names[0]: ["30", "30", "40"]}))


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda t: t.name)
def test_every_table_has_its_key_and_each_alias_once(table: wire.Table) -> None:
    assert set(table.key) <= set(table.names)
    assert (
        len({c.alias for c in table.columns})
        == len(table.columns)
        == len(table.physical(table.names))
    )


# --- totals ---------------------------------------------------------------------------------------


def total(
    day: Any, amount: Any = Decimal("1.5"), time: Any = 91625, count: Any = 2
) -> dict[str, Any]:
    """One element of the output, as documented."""
    group = {"F0911.CO": "00001", "F0911.DGJ": day}
    return {"groupBy": group, "F0911.AA_SUM": amount, "F0911.UPMT_MAX": time, "COUNT": count}


def spelled(item: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The same element with other names."""
    group = {name.replace("F0911.", prefix): value for name, value in item["groupBy"].items()}
    return {n.replace("F0911.", prefix): v for n, v in item.items()} | {"groupBy": group}


def wrapped(value: Any) -> dict[str, Any]:
    return {"internalValue": value}


FORMS: dict[str, dict[str, Any]] = {
    "as documented": total(1527811200000),
    "midnight in New York": total(1527825600000),
    "midnight in Berlin": total(1527804000000),
    "without prefix": spelled(total("20180601"), ""),
    "texts": spelled(total("1527811200000", "1.50", "91625", "2"), "F0911_"),
    "wrapped scalars": total(
        wrapped("2018-06-01"), wrapped(Decimal("1.5")), wrapped(91625), wrapped(2)
    ),
}  # fmt: skip


def totals(*items: dict[str, Any]) -> pl.DataFrame:
    told = {"ds_F0911": {"output": list(items)}}
    return aggregate.frame(
        ACCOUNT_LEDGER, told, ["company", "gl_date"], ["amount"], ["updated_time"]
    )


@pytest.mark.parametrize("item", FORMS.values(), ids=FORMS.keys())
def test_totals_are_read_in_every_form_a_release_prints(item: dict[str, Any]) -> None:
    assert totals(item).rows() == [("00001", date(2018, 6, 1), Decimal("1.5000"), 91625, 2)]


def test_no_groups_are_no_rows() -> None:
    assert totals().height == 0
    assert totals().schema["amount"] == pl.Decimal(38, 4)


WRONG_TOTALS = {
    "a sum with five decimals": {"F0911.AA_SUM": Decimal("0.00001")},
    "a sum that is no number": {"F0911.AA_SUM": "n/a"},
    "half a row": {"COUNT": Decimal("1.5")},
    "a date in words": {"groupBy": {"F0911.CO": "1", "F0911.DGJ": "June"}},
    "a group left out": {"groupBy": {"F0911.CO": "1"}},
    "a count of nothing": {"COUNT": None},
    "a count below zero": {"COUNT": -1},
    "a count in Arabic digits": {"COUNT": "\u0662"},
    "a count beyond all rows": {"COUNT": 10**30},
    "a sum of nothing over rows": {"F0911.AA_SUM": None},
    "a sum with an underscore": {"F0911.AA_SUM": "1_000"},
    "a sum of forty digits": {"F0911.AA_SUM": Decimal("1" * 40)},
    "a sum that is infinite": {"F0911.AA_SUM": "Infinity"},
    "a sum that is a list": {"F0911.AA_SUM": [1]},
    "a day that is none": {"groupBy": {"F0911.CO": "1", "F0911.DGJ": "20251332"}},
    "another day that is none": {"groupBy": {"F0911.CO": "1", "F0911.DGJ": "2025-13-32"}},
    "a moment after all days": {"groupBy": {"F0911.CO": "1", "F0911.DGJ": 999999999999999}},
    "a time beyond its type": {"F0911.UPMT_MAX": 10**12},
    "half a time": {"F0911.UPMT_MAX": Decimal("1.5")},
}


@pytest.mark.parametrize("change", WRONG_TOTALS.values(), ids=WRONG_TOTALS.keys())
def test_totals_that_cannot_be_trusted_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        totals(FORMS["as documented"] | change)


@pytest.mark.parametrize("zeros", ["00000000", 0, "0", "", None])
def test_a_group_of_rows_without_a_date_is_one_without_a_date(zeros: Any) -> None:
    item = FORMS["as documented"] | {"groupBy": {"F0911.CO": "00001", "F0911.DGJ": zeros}}
    assert totals(item)["gl_date"].to_list() == [None]


def test_a_sum_of_no_rows_may_be_left_empty() -> None:
    assert totals(total("20180601", None, 0, 0))["amount"].to_list() == [Decimal(0)]


@pytest.mark.parametrize("pair", [(Decimal("20.7"), 25), (20, Decimal("25.9")), (20, "x")])
def test_half_a_century_or_year_is_refused(pair: tuple[Any, Any]) -> None:
    group = {"F0911.CTRY": pair[0], "F0911.FY": pair[1]}
    told = {"ds_F0911": {"output": [{"groupBy": group, "COUNT": 1}]}}
    with pytest.raises(Refused, match=r"whole number|number year"):
        aggregate.frame(ACCOUNT_LEDGER, told, ["fiscal_year"], [], [])


@pytest.mark.parametrize("period", [99999, 10**17])
def test_a_period_beyond_all_periods_is_refused(period: int) -> None:
    told = {"ds_F0911": {"output": [{"groupBy": {"F0911.PN": period}, "COUNT": 1}]}}
    with pytest.raises(Refused, match="out of range"):
        aggregate.frame(ACCOUNT_LEDGER, told, ["period"], [], [])


@pytest.mark.parametrize("rows", [0, 2])
def test_one_total_told_in_none_or_two_rows_is_refused(rows: int) -> None:
    told = {"ds_F0911": {"output": [{"COUNT": 1}] * rows}}
    with pytest.raises(Refused, match=f"one total of F0911 with {rows} rows"):
        aggregate.frame(ACCOUNT_LEDGER, told, [], [], [])


def test_totals_of_another_shape_are_refused() -> None:
    with pytest.raises(Refused, match="unknown form"):
        aggregate.frame(ACCOUNT_LEDGER, {"ds_F0911": {}}, [], [], [])


def test_balances_have_fourteen_periods_and_their_debits() -> None:
    assert [n for n in ACCOUNT_BALANCES.names if n.startswith(("net_", "debit_"))] == [
        *(f"net_{n:02}" for n in range(1, 15)), *(f"debit_{n:02}" for n in range(1, 15)),
    ]  # fmt: skip
    assert ACCOUNT_BALANCES.column("net_14").alias == "AN14"
    assert ACCOUNTS.column("category_43").alias == "R043"
    assert BUSINESS_UNITS.column("category_50").alias == "RP50"
    assert CURRENCIES.column("decimals").alias == "CDEC"


def test_lines_come_in_the_schema_that_the_rules_work_on() -> None:
    assert list(ACCOUNT_LEDGER.schema.items()) == list(LINES.items())
    assert ACCOUNT_LEDGER.key == LINE_KEY

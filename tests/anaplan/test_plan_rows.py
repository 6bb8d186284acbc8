"""Claims about an exported plan: amounts to the last digit, and no row lost or guessed at."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tieout.anaplan.exports import ExportLayout
from tieout.anaplan.plan_rows import control_rows, plan_rows
from tieout.core.findings import RULES, Finding, Severity
from tieout.core.frames import PLAN, PLAN_CONTROL
from tieout.errors import Misconfigured, Refused

COLUMNS = {
    "Companies": "company", "GL Accounts": "account", "Cost Centers": "business_unit",
    "Versions": "version", "Time": "period", "Amount": "amount", "Approved": "approved",
    "Approver": "approver",
}  # fmt: skip
CONTROLS = {
    "Companies": "company", "Versions": "version", "Time": "period", "Rows": "rows",
    "Total": "amount",
}  # fmt: skip
SHORT = {"C": "company", "A": "account", "B": "business_unit", "T": "period", "Amount": "amount"}
ROW = "Alpha,Rent,Store 30,Budget 2026,Jan 26,100.25,true,ada"
CONTROL = "Alpha,Budget 2026,Jan 26,2,100.5"
PLAIN_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,18})?", re.ASCII)
exact_texts = st.from_regex(PLAIN_NUMBER, fullmatch=True)
other_texts = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters='\r\n\0",'), min_size=1, max_size=45),
    st.text("0123456789.-+eE ()$", min_size=1, max_size=45),
    st.from_regex(r"-?[0-9]{18,23}(\.[0-9]{17,20})?", fullmatch=True),
).filter(lambda text: not PLAIN_NUMBER.fullmatch(text))


def layout(columns: Sequence[str]) -> ExportLayout:
    return ExportLayout("116000000001", "Approved Plan", tuple(columns), ",", '"', "UTF-8", "", ())


def read(*rows: str, columns: dict[str, str] | None = None) -> tuple[pl.DataFrame, list[Finding]]:
    names = COLUMNS if columns is None else columns
    data = "\n".join([",".join(names), *rows, ""]).encode()
    return plan_rows(data, layout([*names]), names)


def with_amounts(texts: Sequence[str]) -> tuple[pl.DataFrame, list[Finding]]:
    return read(*(f"Alpha,Rent,30,Jan 26,{text}" for text in texts), columns=SHORT)


def control(*rows: str, columns: dict[str, str] | None = None) -> pl.DataFrame:
    names = CONTROLS if columns is None else columns
    return control_rows("\n".join([",".join(names), *rows, ""]).encode(), layout([*names]), names)


# ------------------------------------------------------------------------ what a row says


def test_a_row_is_read_by_the_meaning_of_its_columns() -> None:
    frame, findings = read(ROW, ROW.replace("true,ada", "FALSE,"))
    assert findings == []
    assert frame.schema == pl.Schema(dict(PLAN))
    assert frame.rows() == [
        ("Alpha", "Rent", "Store 30", "Jan 26", "Budget 2026", "", Decimal("100.25"), True, "ada"),
        ("Alpha", "Rent", "Store 30", "Jan 26", "Budget 2026", "", Decimal("100.25"), False, ""),
    ]


def test_an_export_without_versions_currencies_and_approvals_is_approved_as_a_whole() -> None:
    frame, findings = read("Alpha,Rent,30,Jan 26,1", columns=SHORT)
    assert findings == []
    row = frame.row(0, named=True)
    assert (row["version"], row["currency"], row["approved"], row["approver"]) == (
        "", "", True, None,
    )  # fmt: skip


def test_a_column_with_a_currency_is_read_and_an_ignored_one_is_not() -> None:
    names = SHORT | {"Cur": "currency", "X": "ignored"}
    frame, _ = read("Alpha,Rent,30,Jan 26,1,EUR,x", columns=names)
    assert frame["currency"].to_list() == ["EUR"]


def test_texts_keep_commas_quotation_marks_breaks_blanks_and_leading_zeros() -> None:
    frame, _ = read('"Alpha, ""Inc""\nNorth",00456, 30 ,,Jan 26,1,true,')
    assert frame.row(0)[:4] == ('Alpha, "Inc"\nNorth', "00456", " 30 ", "Jan 26")


def test_a_blank_amount_is_no_zero_and_no_finding_of_the_reader() -> None:
    frame, findings = with_amounts(["", "0"])
    assert frame["amount"].to_list() == [None, Decimal(0)]
    assert findings == []


# ------------------------------------------------------------------------ numbers


@given(st.lists(exact_texts, min_size=1, max_size=20))
@example(["9" * 20 + "." + "9" * 18, "-" + "9" * 20 + "." + "9" * 18])
@example(["0." + "0" * 17 + "1", "-0", "00000000000000000007", "0.1", "0.30000000000000004"])
def test_every_plain_number_is_read_to_the_last_digit(texts: list[str]) -> None:
    frame, findings = with_amounts(texts)
    assert findings == []
    assert frame["amount"].to_list() == [Decimal(text) for text in texts]


@given(other_texts)
@example("1,000.00".replace(",", "\u00a0"))
@example("(5)")
@example("1e5")
@example("+1")
@example(".5")
@example("5.")
@example(" 1")
@example("--1")
@example("$1")
@example("NaN")
@example("\u0661")  # a digit of another script
@example("1.0000000000000000001")
@example("0" * 21)
def test_any_other_text_is_a_finding_and_never_a_number(text: str) -> None:
    frame, findings = with_amounts(["7", text, "8"])
    assert frame["amount"].to_list() == [Decimal(7), None, Decimal(8)]
    assert [(f.rule, f.severity, f.cells) for f in findings] == [
        ("plan-unreadable", Severity.REJECT, 1)
    ]


def test_a_thousands_separator_is_never_taken_for_a_decimal_point() -> None:
    frame, findings = with_amounts(['"1,000"', '"1.000,00"'])
    assert frame["amount"].to_list() == [None, None]
    assert [f.cells for f in findings] == [2]


def test_unreadable_values_are_told_once_per_column_and_kind_with_examples() -> None:
    amounts = ["abc", "(5)", "abc", "1e5", "n/a", "0." + "1" * 19, "1" * 21, "1"]
    rows = [f"Alpha,Rent,30,,Jan 26,{amount},maybe,ada" for amount in amounts]
    frame, findings = read(*rows)
    assert frame.height == len(rows)
    told = {f.subject: f for f in findings}
    assert {subject: f.cells for subject, f in told.items()} == {
        "column Amount, no plain number": 5,
        "column Amount, more than 18 decimals": 1,
        "column Amount, more than 20 digits before the decimal point": 1,
        "column Approved, neither true nor false": 8,
    }
    words = told["column Amount, no plain number"].what
    assert "'Approved Plan'" in words
    assert "'abc', '(5)', '1e5'." in words
    assert "n/a" not in words
    assert all(f.remedy.startswith("Ask the ") and f.rule in RULES for f in findings)


@pytest.mark.parametrize("text", ["yes", "1", "", "true ", "tru\u0435"])
def test_what_is_neither_true_nor_false_does_not_approve(text: str) -> None:
    frame, findings = read(f"Alpha,Rent,30,,Jan 26,1,{text},ada")
    assert frame["approved"].to_list() == [False]
    assert [f.rule for f in findings] == ["plan-unreadable"]


def test_twenty_thousand_rows_take_well_under_a_second() -> None:
    rows = [f"Alpha,Rent,30,,Jan 26,{n}.123456789012345678,true,ada" for n in range(20_000)]
    data = "\n".join([",".join(COLUMNS), *rows, ""]).encode()
    before = time.process_time()
    frame, findings = plan_rows(data, layout([*COLUMNS]), COLUMNS)
    assert time.process_time() - before < 1
    assert (frame.height, findings) == (20_000, [])


# ------------------------------------------------------------------------ files that are refused


@pytest.mark.parametrize("data", [b"", b"\n", ",".join(COLUMNS).encode()])
def test_an_empty_export_prepares_nothing(data: bytes) -> None:
    with pytest.raises(Refused, match="The export 'Approved Plan' is empty") as caught:
        plan_rows(data, layout([*COLUMNS]), COLUMNS)
    assert caught.value.untouched == "Nothing was prepared."
    assert caught.value.do
    assert caught.value.who


@pytest.mark.parametrize(
    "headers",
    [
        [*COLUMNS, "More"], [*COLUMNS][:-1], [*reversed(COLUMNS)], ["companies", *[*COLUMNS][1:]],
        [*[*COLUMNS][:-1], "Approved"],
    ],
)  # fmt: skip
def test_a_file_with_other_columns_than_described_is_refused(headers: list[str]) -> None:
    data = "\n".join([",".join(headers), ",".join("1" * len(headers)), ""]).encode()
    with pytest.raises(Refused, match="came with the columns") as caught:
        plan_rows(data, layout([*COLUMNS]), COLUMNS)
    assert caught.value.untouched == "Nothing was prepared."


@pytest.mark.parametrize(
    "row", [ROW + ",more", ROW.rsplit(",", 1)[0], ROW.replace("Alpha", '"Alpha'), "", "\udcff"]
)
def test_a_row_with_other_fields_than_the_header_is_refused(row: str) -> None:
    text = "\n".join([",".join(COLUMNS), ROW, row, ROW, ""])
    with pytest.raises(Refused, match="export 'Approved Plan'"):
        plan_rows(text.encode("utf-8", "surrogateescape"), layout([*COLUMNS]), COLUMNS)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (SHORT | {"Amount": "ignored"}, "no column means 'amount'"),
        (SHORT | {"A": "acount"}, "'acount' means nothing"),
        (SHORT | {"T": "account"}, "several columns mean 'account'"),
        (SHORT | {"T": "member"}, "'member' means nothing"),
    ],
)
def test_meanings_that_do_not_make_a_plan_are_refused(columns: dict[str, str], words: str) -> None:
    with pytest.raises(Misconfigured, match=words):
        read("Alpha,Rent,30,Jan 26,1", columns=columns)


def test_columns_that_the_export_does_not_have_are_refused() -> None:
    with pytest.raises(Misconfigured, match="it has no columns 'A', 'B', 'T', 'Amount'"):
        plan_rows(b"C\n1\n", layout(["C"]), SHORT)


# ------------------------------------------------------------------------ the control export


def test_a_control_row_says_how_many_rows_and_how_much() -> None:
    frame = control(CONTROL, "Alpha,Budget 2026,Feb 26,3.00,-0.000000000000000001")
    assert frame.schema == pl.Schema(dict(PLAN_CONTROL))
    assert frame.rows() == [
        ("Alpha", "Jan 26", "Budget 2026", 2, Decimal("100.5")),
        ("Alpha", "Feb 26", "Budget 2026", 3, Decimal("-1E-18")),
    ]


def test_a_control_export_without_versions_has_none() -> None:
    names = {"C": "company", "T": "period", "Rows": "rows", "Total": "amount"}
    assert control("Alpha,Jan 26,2,1", columns=names)["version"].to_list() == [""]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("Alpha,V,Jan 26,2,", "'Total' of the export 'Approved Plan' holds nothing in 1 row"),
        ("Alpha,V,Jan 26,2,abc", "'Total' .* holds no plain number in 1 row: 'abc'"),
        ("Alpha,V,Jan 26,,1", "'Rows' .* holds no whole number in 1 row"),
        ("Alpha,V,Jan 26,2.5,1", "'Rows' .* holds no whole number in 1 row: '2.5'"),
        ("Alpha,V,Jan 26,-2,1", "'Rows' .* holds no whole number in 1 row: '-2'"),
        ("Alpha,V,Jan 26,2,0." + "1" * 19, "'Total' .* holds more than 18 decimals in 1 row"),
    ],
)
def test_a_control_export_that_cannot_be_read_is_refused(row: str, words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        control(CONTROL, row)
    assert caught.value.untouched == "Nothing was prepared."


def test_an_empty_control_export_is_refused() -> None:
    with pytest.raises(Refused, match="is empty"):
        control()

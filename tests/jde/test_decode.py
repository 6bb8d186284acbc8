"""Claims about the decoding of pages: exact, loud, and the same by C, by Python and by the book."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date
from decimal import Decimal, localcontext
from functools import partial
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tieout.errors import Refused
from tieout.jde import decode, tables
from tieout.jde.page import ComplaintError, decode_page
from tieout.jde.tables import ACCOUNT_LEDGER, TABLES
from tieout.jde.wire import Column, Table

EXAMPLES = int(os.environ.get("TIEOUT_FUZZ_EXAMPLES", "200"))
SEED = int(os.environ.get("TIEOUT_SEED", "0"))
COLUMNS = (
    Column("CO", "company"), Column("MCU", "business_unit", "code", width=12),
    Column("AA", "amount", "amount"), Column("DOC", "document", "integer"),
    Column("UPMT", "updated_time", "integer", pl.Int32),
    Column("PN", "period", "integer", pl.Int16),
    Column("JELN", "line_number", "printed"), Column("DGJ", "gl_date", "date"),
    Column("EXR", "remark"),
)  # fmt: skip
TABLE = Table("F0911", ("document",), COLUMNS)
ROW = {
    "CO": '"00001"', "MCU": '"          30"', "AA": "-1234.5", "DOC": "4711", "UPMT": "91625",
    "PN": "6", "JELN": "1.00", "DGJ": '"20180630"', "EXR": '" "',
}  # fmt: skip
IN_C = pytest.param(
    decode.rows_in_c, id="C", marks=pytest.mark.skipif(
        decode._decode is None, reason="left out, needs the C decoder"
    ),
)  # fmt: skip
DECODERS = pytest.mark.parametrize(
    "decoder", [IN_C, pytest.param(decode.rows_in_python, id="Python")]
)


def page(rowset: str) -> bytes:
    start = '{"fs_DATABROWSE_F0911":{"data":{"gridData":{"columns":{"F0911_CO":"Co "},"rowset":'
    rows = rowset.count('"F0911_DOC"') or rowset.count('"\\u0046\\u0030911_DOC"')
    end = f',"summary":{{"records":{rows},"moreRecords":false}}}}}},"errors":[]}},"sysErrors":[]}}'
    return (start + rowset + end).encode("utf-8", "surrogatepass")


def row(**changes: str) -> str:
    return "{" + ",".join(f'"F0911_{a}":{v}' for a, v in (ROW | changes).items()) + "}"


def decoded(decoder: decode.Decoder, rowset: str) -> pl.DataFrame:
    return decode.rows(page(rowset), COLUMNS, "F0911", decoder)[0]


@DECODERS
def test_a_row_is_decoded_as_the_documents_print_it(decoder: decode.Decoder) -> None:
    frame = decoded(decoder, f"[{row()}, {row(DGJ='null', MCU='null', AA='0')}]")
    assert frame.schema == {c.name: c.polars for c in COLUMNS}
    assert frame.rows() == [
        ("00001", "30", Decimal("-1234.5000"), 4711, 91625, 6, "1.00", date(2018, 6, 30), ""),
        ("00001", "", Decimal("0.0000"), 4711, 91625, 6, "1.00", None, ""),
    ]


# Amounts of guide/dataplane.md §2 and beyond: what a double or a rounding reader gets wrong.
EXACT = [
    "0.29", "1.15", "1.2345678E7", "9999999999999.99", "99999999999999.99", "1234567890123456.78",
    "-0.0001", "0e5", "-0", "1e-4", "10E-5", "123456789012345678901234567890.1234", "1.50000",
    "1e33", "9999999999999999999999999999999999.9999",
]  # fmt: skip
LOST = ["0.00005", "1.23456", "1e-5", "1e34", "99999999999999999999999999999999999", "1e999999999"]
NO_NUMBER = [
    '"1.5"',
    "null",
    "true",
    "NaN",
    "Infinity",
    "01",
    "+1",
    ".5",
    "1.",
    "1e",
    "-",
    "[1]",
    "{}",
]


@DECODERS
@pytest.mark.parametrize("amount", EXACT)
def test_an_amount_keeps_every_digit(decoder: decode.Decoder, amount: str) -> None:
    with localcontext(prec=60):
        assert decoded(decoder, f"[{row(AA=amount)}]")["amount"].to_list() == [Decimal(amount)]


@DECODERS
@pytest.mark.parametrize("amount", LOST + NO_NUMBER)
def test_an_amount_that_cannot_be_kept_is_refused(decoder: decode.Decoder, amount: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decoded(decoder, f"[{row(AA=amount)}]")


WRONG_ROWS = {
    "missing column": row().replace('"F0911_CO":"00001",', ""),
    "unknown column": row().replace("{", '{"F0911_XX":1,', 1),
    "column given twice": row().replace("{", '{"F0911_CO":"00002",', 1),
    "column given twice, once escaped": row().replace("{", '{"F0911_\\u0043O":"00002",', 1),
    "column given twice, once spaced": row().replace("{", '{"F0911_CO" :"00002",', 1),
    "trailing comma": row().replace("}", ",}"),
    "half a character": row(EXR='"\\ud83d"'),
    "unknown escape": row(EXR='"\\x41"'),
    "raw line feed in a text": row(EXR='"a\nb"'),
    "number for a text": row(CO="1"),
    "fraction of a document": row(DOC="1.5"),
    "period beyond 16 bits": row(PN="32768"),
    "document beyond 64 bits": row(DOC="9223372036854775808"),
    "time beyond 32 bits": row(UPMT="2147483648"),
    "29 February of a common year": row(DGJ='"20250229"'),
    "date in the user's format": row(DGJ='"30/06/2018"'),
    "Julian date": row(DGJ="118181"),
    "row that is no object": "[1]",
}


@DECODERS
@pytest.mark.parametrize("wrong", WRONG_ROWS.values(), ids=WRONG_ROWS.keys())
def test_a_row_that_is_not_as_asked_for_is_refused(decoder: decode.Decoder, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decoded(decoder, f"[{row()},{wrong}]")


@DECODERS
def test_order_blanks_and_escapes_do_not_matter(decoder: decode.Decoder) -> None:
    turned = json.dumps(json.loads(row(), parse_float=str), ensure_ascii=True, indent=1)
    turned = turned.replace('"-1234.5"', "-1234.5").replace('"1.00"', "1.00")
    backwards = "{" + ",".join(reversed(row()[1:-1].split(","))) + "}"
    remark = '"5\\u00b5 \\ud83d\\ude00 },{ \\"F0911_AA\\":1 : \\n\\/  "'
    frame = decoded(decoder, f"[ {turned} ,\n{backwards},{row(EXR=remark)}]")
    assert frame.n_unique() == 2
    assert frame["remark"][2] == '5µ 😀 },{ "F0911_AA":1 : \n/'


# --- three readers of the same page ---------------------------------------------------------------


def by_the_book(rowset: str) -> list[tuple[Any, ...]]:
    """The third reader: the standard library and Decimal, value by value."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def number(text: str) -> tuple[str]:
        return (text,)

    def no_constant(name: str) -> None:
        raise AssertionError(name)

    found = json.loads(
        rowset, object_pairs_hook=unique, parse_float=number, parse_int=number,
        parse_constant=no_constant,
    )  # fmt: skip
    rows = []
    for item in found:
        assert set(item) == {f"F0911_{c.alias}" for c in COLUMNS}
        rows.append(tuple(value_by_the_book(c, item[f"F0911_{c.alias}"]) for c in COLUMNS))
    return rows


def value_by_the_book(column: Column, value: Any) -> Any:
    if column.kind in ("text", "code", "date"):
        assert value is None or isinstance(value, str)
        text = value or ""
        text.encode()
        if column.kind == "text":
            return text.rstrip(" ")
        text = text.strip(" ")
        if column.kind == "code":
            return text
        assert text == "" or (len(text) == 8 and text.isascii() and text.isdigit())
        day = date(int(text[:4]), int(text[4:6]), int(text[6:])) if text else None
        assert day is None or 1900 <= day.year <= 2999
        return day
    assert isinstance(value, tuple)
    if column.kind == "printed":
        return value[0]
    with localcontext(prec=100):
        exact = Decimal(value[0])
        if column.kind == "amount":
            assert exact == exact.quantize(Decimal("0.0001"))
            assert abs(exact) < Decimal(10) ** 34
            return exact
        assert exact == int(exact)
        bits = {pl.Int16: 16, pl.Int32: 32}.get(column.dtype, 64)
        assert -(2 ** (bits - 1)) <= exact < 2 ** (bits - 1)
        return int(exact)


READERS = [decode.rows_in_python] + ([decode.rows_in_c] if decode._decode else [])


def outcome(read: Callable[[], Any]) -> Any:
    """What a reader makes of a page: its rows, or the fact that it refuses."""
    try:
        return read()
    except (ValueError, Refused, AssertionError, ArithmeticError, RecursionError, TypeError):
        return "refused"


def whole_page(decoder: decode.Decoder, body: bytes) -> tuple[Any, ...]:
    found = decode_page(body, TABLE, TABLE.names, decoder)
    return found.frame.rows(), found.more, found.next_query


digits = st.integers(0, 10**9).map(str) | st.integers(0, 10**29).map(str)
exact = st.builds(
    "{}{}{}".format, st.sampled_from(["", "", "-"]), digits,
    st.sampled_from(["", "", ".0", ".5", ".25", ".1000", ".00000", ".5E2", "e-2", "E+4", "E0"]),
)  # fmt: skip
small = st.integers(-32_768, 32_767).map(str) | st.sampled_from(["6.00", "1E2", "0", "-0", "0.0"])
days = st.dates(date(1900, 1, 1), date(2999, 12, 31)).map(lambda d: f'"{d:%Y%m%d}"')
days |= st.sampled_from(["null", '" "', '""', '"20240229"', '" 20240229 "'])
characters = st.characters(exclude_categories=["Cs"]) | st.sampled_from(' ":,{}\\é\n😀')
plain_texts = st.text(characters, max_size=30).map(lambda t: t + " " * (len(t) % 3))
texts = st.builds(
    lambda text, ascii_only: json.dumps(text, ensure_ascii=ascii_only), plain_texts, st.booleans()
) | st.sampled_from(["null", '""', '" "', '"\\u0000"', '"\\/\\b\\f"'])
GOOD = {
    "text": texts, "code": texts, "amount": exact | small, "integer": small,
    "printed": exact | small, "date": days,
}  # fmt: skip
BAD = st.sampled_from([
    "0.12345", "1e40", "1e-30", "40000", "-2147483649", "99999999999999999999", "1.5", "1e", "-",
    "01", "null", "true", "[]", "{}", "5", '"5"', '"a', '"\\ud800"', '"\\uDE00\\u0041"', '"\\x"',
    '"\t"',
    '"20250229"', '"2024-02-29"', '"00000000"', '"18991231"', '"30000101"', "20240101", "",
])  # fmt: skip
spaces = st.sampled_from(["", "", "", " ", "\n", "\t \r"])


@st.composite
def rowsets(draw: st.DrawFn) -> str:
    """Rows as a server may print them, now and then with one thing wrong."""
    wrong = draw(
        st.sampled_from(["", "", "", "", "value", "twice", "missing", "unknown", "escaped"])
    )
    rows = []
    for _ in range(draw(st.integers(0, 4))):
        usual = draw(st.booleans())
        pairs = [
            (f'"F0911_{c.alias}"', ROW[c.alias] if usual else draw(GOOD[c.kind])) for c in COLUMNS
        ]
        pairs = draw(st.permutations(pairs)) if draw(st.booleans()) else pairs
        place = draw(st.integers(0, len(pairs) - 1))
        if wrong == "value":
            pairs[place] = (pairs[place][0], draw(BAD))
        if wrong == "twice":
            pairs.append(pairs[place])
        if wrong == "missing":
            pairs.pop(place)
        if wrong == "unknown":
            pairs.insert(place, ('"F0911_XX"', "1"))
        if wrong == "escaped":  # not wrong, only unusual
            pairs[place] = (pairs[place][0].replace("F0", "\\u0046\\u0030"), pairs[place][1])
        gap = draw(spaces)
        rows.append("{" + ",".join(f"{gap}{k}{gap}:{gap}{v}{gap}" for k, v in pairs) + "}")
    return "[" + ",".join(rows) + "]"


@seed(SEED)
@settings(max_examples=EXAMPLES)
@given(rowsets())
def test_three_readers_make_the_same_of_every_page(rowset: str) -> None:
    expected = outcome(lambda: by_the_book(rowset))
    for reader in READERS:
        got = outcome(lambda reader=reader: decoded(reader, rowset).rows())
        assert got == expected, reader.__name__


@pytest.mark.skipif(decode._decode is None, reason="left out, needs the C decoder")
@seed(SEED)
@settings(max_examples=EXAMPLES)
@given(rowsets(), st.randoms(use_true_random=False))
def test_damaged_pages_are_refused_by_both_decoders_or_by_none(rowset: str, dice: Random) -> None:
    body = page(rowset)
    for _ in range(20):
        damaged = damage(body, dice)
        outcomes = [outcome(partial(whole_page, reader, damaged)) for reader in READERS]
        assert outcomes[0] == outcomes[-1], damaged


def damage(body: bytes, dice: Random) -> bytes:
    """The page cut off, or with a byte or two changed, or both."""
    damaged = bytearray(body)
    if dice.random() < 0.3:
        del damaged[dice.randrange(len(damaged)) :]
    for _ in range(dice.randrange(0, 3) if damaged else 0):
        damaged[dice.randrange(len(damaged))] = dice.choice(
            b'"\\{}[]:,0e.-u \x00\n\x7f\xc3\xed\xff'
        )
    return bytes(damaged)


# --- the envelope ---------------------------------------------------------------------------------


def browse(**parts: Any) -> bytes:
    grid = {"rowset": [], "summary": {"records": 0, "moreRecords": False}} | parts.pop("grid", {})
    page = {"fs_DATABROWSE_F0911": {"data": {"gridData": grid}, "errors": []}, "sysErrors": []}
    return json.dumps(page | parts).encode()


def test_the_next_link_is_taken_without_its_host() -> None:
    link = {"rel": "next", "href": "http://10.0.0.1:1/jderest/v2/dataservice/next?a=1&token=x%2B|y"}
    found = decode_page(browse(links=[link]), ACCOUNT_LEDGER, ["company"])
    assert found.next_query == "a=1&token=x%2B%7Cy"


COMPLAINTS = {
    "sysErrors": {"sysErrors": [{"TITLE": "JAS_MSG347: expired", "DESC": "x"}]},
    "exception": {"exception": "java.lang.X", "message": "JAS_MSG347"},
    "errors of the form": {
        "fs_DATABROWSE_F0911": {"errors": [{"CODE": "1", "TITLE": "JAS_MSG347"}]}
    },
    "error of an aggregate": {"ds_F0911": {"error": {"message": "JAS_MSG347"}}},
}


@pytest.mark.parametrize("parts", COMPLAINTS.values(), ids=COMPLAINTS.keys())
def test_an_error_inside_a_successful_answer_is_heard(parts: dict[str, Any]) -> None:
    with pytest.raises(ComplaintError, match="JAS_MSG347") as complaint:
        decode_page(browse(**parts), ACCOUNT_LEDGER, ["company"])
    assert complaint.value.expired


@pytest.mark.parametrize(
    "grid",
    [{"summary": {"records": 3, "moreRecords": False}}, {"summary": {"records": 0}}, {"rowset": 5}],
)
def test_a_page_that_contradicts_itself_is_refused(grid: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"rows"):
        decode_page(browse(grid=grid), ACCOUNT_LEDGER, ["company"])


def test_html_is_not_taken_for_an_empty_page() -> None:
    with pytest.raises(Refused, match="HTML"):
        decode_page(b"<html><body>rowset</body></html>", ACCOUNT_LEDGER, ["company"])


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_table_is_decoded_into_its_declared_schema(name: str) -> None:
    table = TABLES[name]
    printed = {"amount": 1, "integer": 20, "printed": 1, "date": "20250101"}
    item = {f"{name}_{c.alias}": printed.get(c.kind, "  X ") for c in table.columns}
    grid = {"rowset": [item], "summary": {"records": 1, "moreRecords": False}}
    body = json.dumps({f"fs_DATABROWSE_{name}": {"data": {"gridData": grid}}}).encode()
    frame = decode_page(body, table, table.names).frame
    assert frame.schema == pl.Schema(table.schema)
    assert all(key in frame.columns for key in table.key)


EVERY_TABLE = [t for t in vars(tables).values() if isinstance(t, Table)]
SAMPLES = {"amount": "12.5", "integer": "7", "printed": "1.00", "date": '"20250131"'}


@DECODERS
@pytest.mark.parametrize("table", EVERY_TABLE, ids=lambda t: t.name)
def test_every_table_that_is_read_can_be_decoded_also_by_its_texts_alone(
    decoder: decode.Decoder, table: Table
) -> None:
    texts = [c for c in table.columns if c.kind not in SAMPLES]
    for columns in filter(None, (list(table.columns), texts)):
        members = (f'"{table.name}_{c.alias}":{SAMPLES.get(c.kind, TEXT)}' for c in columns)
        empty = page("@").replace(b"F0911", table.name.encode())
        body = empty.replace(b"@", ("[{" + ",".join(members) + "}]").encode())

        found = decode.rows(body, columns, table.name, decoder)[0]

        assert found.columns == [c.name for c in columns]
        assert found.height == 1


TEXT = '" A "'

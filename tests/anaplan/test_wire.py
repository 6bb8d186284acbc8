"""Claims about files and cells on the wire: exact, complete, and the same bytes each time."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planning import ACTUALS, actuals

from tieout.anaplan import wire
from tieout.core.frames import AMOUNT
from tieout.errors import Refused

CELLS = ["Companies", "Time"]
amounts = st.integers(-(10**20), 10**20).map(lambda n: Decimal(n).scaleb(-4))
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=20)


def test_amounts_leave_as_plain_decimals_without_zeros_at_the_end() -> None:
    frame = actuals(
        ("00001", "5005", "30", "Jan 24", "100"),
        ("00001", "5005", "30", "Feb 24", "-0.5"),
        ("00001", "5005", "30", "Mar 24", "0"),
        ("00001", "5005", "30", "Apr 24", "1234567890.1234"),
    )
    lines = wire.import_csv(frame, ACTUALS).decode().splitlines()
    assert lines[0] == "Company,Account,Cost Center,Time,Amount"
    assert [line.rsplit(",", 1)[1] for line in lines[1:]] == ["100", "-0.5", "0", "1234567890.1234"]


@given(st.lists(st.tuples(texts, amounts), min_size=1, max_size=20))
def test_whatever_text_and_amount_comes_back_as_it_was(rows: list[tuple[str, Decimal]]) -> None:
    frame = pl.DataFrame(
        {"name": [t for t, _ in rows], "amount": pl.Series([a for _, a in rows], dtype=AMOUNT)}
    )
    text = wire.import_csv(frame, {"Name": "name", "Amount": "amount"}).decode()
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert [(t, Decimal(a)) for t, a in read[1:]] == rows


def test_a_missing_amount_is_never_sent_as_a_blank() -> None:
    frame = pl.DataFrame({"a": pl.Series([Decimal(1), None], dtype=AMOUNT)})
    with pytest.raises(ValueError, match="1 amounts of 'a' are missing"):
        wire.import_csv(frame, {"A": "a"})


@given(st.integers(1, 200), st.integers(1, 5))
def test_chunks_join_to_the_file_whatever_their_size(size: int, frames: int) -> None:
    frame = actuals(*[("00001", "5005", "30", f"M{n}", str(n)) for n in range(10)])
    parts = list(wire.chunks([frame] * frames, ACTUALS, chunk_bytes=size))
    head, *rows = wire.import_csv(frame, ACTUALS).splitlines(keepends=True)
    assert b"".join(gzip.decompress(p) for p in parts) == head + b"".join(rows) * frames
    assert all(len(gzip.decompress(p)) == size for p in parts[:-1])
    assert parts == list(wire.chunks([frame] * frames, ACTUALS, chunk_bytes=size))


def test_more_chunks_than_anaplan_takes_are_refused() -> None:
    frame = actuals(*[("00001", "5005", "30", f"M{n}", str(n)) for n in range(100)])
    with pytest.raises(Refused, match="more than 1000 chunks"):
        list(wire.chunks([frame], ACTUALS, chunk_bytes=1))


def test_exactly_as_many_chunks_as_anaplan_takes_are_sent() -> None:
    frame = actuals(("00001", "5005", "30", "Jan 24", "100"))
    size = len(wire.import_csv(frame, ACTUALS, header=False))
    header = len(wire.import_csv(frame, ACTUALS, header=True)) - size
    frames = [frame] * (wire.CHUNKS_MAX - -(-header // size))
    whole = sum(1 for _ in wire.chunks(frames, ACTUALS, chunk_bytes=size))
    assert whole == wire.CHUNKS_MAX
    with pytest.raises(Refused, match="more than 1000 chunks"):
        list(wire.chunks([*frames, frame], ACTUALS, chunk_bytes=size))


def test_both_published_layouts_of_a_dump_are_read_by_the_names_of_their_columns() -> None:
    of_list = (
        b'"_Status_","Code","Parent","_Line_","_Error_1_"\n"W","5005","X","7","Invalid parent"\n'
    )
    of_module = (
        b'"Company","Amount","_Line_","_Error_1_","_Error_2_"\n'
        b'"00001","a,b","2","Invalid number: a,b","Invalid date: ,,,"\n'
        b'"00002","""q""","3","Invalid number: ""q""",""\n'
    )
    rows = wire.dump_rows(of_list)
    assert rows.select("line", "status", "errors").rows() == [(7, "W", "Invalid parent")]
    rows = wire.dump_rows(of_module)
    assert rows.select("line", "status", "errors", "Amount").rows() == [
        (2, "", "Invalid number: a,b; Invalid date: ,,,", "a,b"),
        (3, "", 'Invalid number: "q"', '"q"'),
    ]


def test_an_older_spelling_and_an_unknown_dump_are_kept_readable() -> None:
    rows = wire.dump_rows(b'"__Error__0","Code"\n"Invalid name","A"\n')
    assert rows["errors"].to_list() == ["Invalid name"]
    assert rows["line"].to_list() == [None]
    assert wire.dump_rows(b"").height == 0


def test_one_column_for_each_dimension_and_one_for_the_value() -> None:
    page = b'Companies,Time,Value\n"Alpha, Inc",Jan 24,100.5\nBeta,Feb 24,0\nBeta,Mar 24,\n'
    got = wire.cells(page, CELLS, None).frame
    assert got.rows() == [("Alpha, Inc", "Jan 24", Decimal("100.5000"))]
    assert got.schema["value"] == AMOUNT


def test_months_side_by_side_are_unpivoted() -> None:
    page = b"Companies,Jan 24,Feb 24\nAlpha,1,2\nBeta,0,-3.25\n"
    got = wire.cells(page, CELLS, None).frame.sort("Companies", "Time")
    assert got.rows() == [
        ("Alpha", "Feb 24", Decimal(2)),
        ("Alpha", "Jan 24", Decimal(1)),
        ("Beta", "Feb 24", Decimal("-3.25")),
    ]


@pytest.mark.parametrize("repeated", [b"", b"Companies,Time,Value\n"])
def test_later_pages_with_and_without_the_header_are_read(repeated: bytes) -> None:
    first = wire.cells(b"Companies,Time,Value\nAlpha,Jan 24,1\n", CELLS, None)
    second = wire.cells(repeated + b"Beta,Jan 24,2\n", CELLS, first.header)
    assert second.frame.rows() == [("Beta", "Jan 24", Decimal(2))]


@pytest.mark.parametrize(
    "page",
    [
        b"Companies,Time,Value\nAlpha,Jan 24,1\nBeta,Jan",
        b'Companies,Time,Value\nAlpha,"Jan, 24"\n',
        b"Companies,Time,Value\nAlpha,Jan 24,1,2\n",
        b"Companies,Period,Jan 24,Feb 24\nAlpha,x,1,2\n",
        b"<html>no</html>",
    ],
)
def test_a_page_that_does_not_fit_the_view_is_refused(page: bytes) -> None:
    with pytest.raises(Refused):
        wire.cells(page, [*CELLS, "Accounts"] if b"Period" in page else CELLS, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.30000000000000004", "0.3"),
        ("1234567.8900000001", "1234567.89"),
        ("1E5", "100000"),
        ("-1.5e-3", "-0.0015"),
        ("-0", "0"),
        ("", "0"),
        ("12345678901234567890.1234", "12345678901234567890.1234"),
        ("12345678901.2300014", "12345678901.23"),
        ("-98765432109876.546875", "-98765432109876.5469"),
        ("9" * 34, "9" * 34),
    ],
)
def test_numbers_are_exact_and_only_the_noise_of_a_double_is_dropped(text: str, value: str) -> None:
    got = wire.amounts(pl.Series(["7", text]), "view")
    assert got.to_list() == [Decimal(7), Decimal(value)]


@pytest.mark.parametrize(
    "text",
    ["1,234.56", "(5)", "1.23456", "abc", "NaN", "Infinity", "1e99", "1_000", "\uff11\uff12",
     "\u0661", "9" * 35, "9" * 40, "9" * 4_000, "1e", "--1", "1234567.12345", "12345678901.23451"],
)  # fmt: skip
def test_what_is_no_plain_amount_is_refused_and_not_rounded(text: str) -> None:
    with pytest.raises(Refused, match="where an amount was expected"):
        wire.amounts(pl.Series(["7", text]), "view")


def test_a_page_that_is_not_utf_8_is_refused_and_no_name_is_changed() -> None:
    with pytest.raises(Refused, match="UTF-8"):
        wire.rows_of(b"a,b\n\xff\xfe,2\n", "view")


@pytest.mark.parametrize(
    ("tail", "fits"), [(b'"x, ""y"" z","1"\n', True), (b'"x, y"\n', False), (b'"x","1\n', False)]
)
def test_the_fields_of_a_large_page_are_counted_across_its_slices(tail: bytes, fits: bool) -> None:
    """A quotation mark may stand on either side of every border between two slices."""
    line = b'"Name, of 5005 ""A""","123.45"\n'
    for shift in range(len(line)):
        head = b'"a","b"\n' + b'"' + b"," * shift + b'","1"\n'
        page = head + line * (2 * wire.SLICE_BYTES // len(line)) + tail
        if fits:
            assert wire.rows_of(page, "view").height == page.count(b"\n") - 1
            continue
        with pytest.raises(Refused):
            wire.rows_of(page, "view")


def test_counting_the_fields_of_a_page_takes_little_memory_beside_it() -> None:
    page = b"a,b\n" + b'"Name of 00001","123.45"\n' * 1_000_000
    tracemalloc.start()
    wire.rows_of(page, "view")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(page)


def test_a_leaf_that_has_the_name_of_a_total_s_code_stays_a_leaf() -> None:
    got = wire.list_items(
        [
            {"id": "1", "name": "4000", "parent": "Total", "parentId": "9"},
            {"id": "2", "name": "Cash", "code": "4001", "parent": "4000", "parentId": "1"},
            {"id": "3", "name": "Sales", "code": "4000", "parent": "Total", "parentId": "9"},
            {"id": "9", "name": "Total"},
        ]
    )
    assert got.filter("is_parent")["id"].to_list() == ["1", "9"]


@pytest.mark.parametrize(
    "answer",
    [
        {"meta": []},
        {"meta": {"paging": "x"}},
        {"meta": {"paging": {"totalSize": "many"}}},
        {"meta": {"paging": {"totalSize": [1]}}},
        {"lists": {"id": "1"}},
        {"lists": ["1"]},
    ],
)
def test_a_collection_of_another_shape_is_refused_in_words(answer: dict[str, object]) -> None:
    with pytest.raises(Refused):
        wire.page_of(answer, "lists")


def test_items_that_others_roll_up_into_are_marked() -> None:
    items = [
        {"id": "201000000001", "name": "Total", "code": "T"},
        {"id": "201000000002", "name": "Sales", "code": "5005", "parent": "Total"},
        {"id": "201000000003", "name": "Region"},
        {"id": "201000000004", "name": "Store", "parentId": "201000000003", "properties": {}},
    ]
    got = wire.list_items(items)
    assert got.select("code", "is_parent").rows() == [
        ("T", True), ("5005", False), ("", True), ("", False),
    ]  # fmt: skip
    assert wire.list_items([]).columns == ["id", "name", "code", "parent", "is_parent"]


def test_a_value_that_is_longer_than_any_text_of_anaplan_is_refused() -> None:
    assert wire.rows_of(b"A,B\n1," + b"x" * 65_536, "export").height == 1
    with pytest.raises(Refused, match="more than 65,536 characters"):
        wire.rows_of(b"A,B\n1," + b"x" * 65_537, "export")

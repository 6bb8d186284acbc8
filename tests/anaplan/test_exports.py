"""Claims about an export's layout: what does not fit the flow is told before anything is run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tieout.anaplan.exports import ExportLayout, check_export_columns, export_layout
from tieout.errors import Misconfigured, Refused

# As Anaplan's help shows it, but for the columns; it says nothing of a layout there.
TOLD: dict[str, Any] = {
    "columnCount": 3, "dataTypes": ["ENTITY", "NUMBER", "BOOLEAN"], "delimiter": '"',
    "encoding": "UTF-8", "exportFormat": "text/csv", "headerNames": ["Company", "Amount", "Ok"],
    "listNames": ["", "", ""], "rowCount": 20432, "separator": ",",
}  # fmt: skip
LAYOUT = ExportLayout(
    "116000000001", "Approved Plan", ("Company", "Amount", "Ok"), ",", '"', "UTF-8", "",
    ("ENTITY", "NUMBER", "BOOLEAN"),
)  # fmt: skip
COLUMNS = {"Company": "company", "Amount": "amount", "Ok": "ignored"}


def described(**changes: Any) -> ExportLayout:
    return export_layout(LAYOUT.id, LAYOUT.name, {"exportMetadata": TOLD | changes})


def test_an_export_is_known_by_its_columns_in_file_order_and_how_it_is_written() -> None:
    assert described() == LAYOUT
    assert described(layout="TABULAR_MULTI_COLUMN").layout == "TABULAR_MULTI_COLUMN"
    check_export_columns(LAYOUT, COLUMNS)


@pytest.mark.parametrize("encoding", ["UTF-8", "utf-8", "UTF8"])
def test_utf_8_has_several_spellings(encoding: str) -> None:
    check_export_columns(described(encoding=encoding), COLUMNS)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"exportMetadata": None},
        {"exportMetadata": ["Company"]},
        {"exportMetadata": TOLD | {"headerNames": None}},
        {"exportMetadata": TOLD | {"headerNames": []}},
        {"exportMetadata": TOLD | {"headerNames": "Company"}},
        {"exportMetadata": TOLD | {"headerNames": ["Company", 7]}},
        {"exportMetadata": TOLD | {"dataTypes": [None]}},
        {"exportMetadata": TOLD | {"separator": [","]}},
        {"exportMetadata": TOLD | {"encoding": 8}},
    ],
)
def test_an_export_described_in_another_shape_is_refused_in_words(answer: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        export_layout("1", "Approved Plan", answer)
    assert not isinstance(caught.value, Misconfigured)


@pytest.mark.parametrize(
    ("layout", "columns", "words"),
    [
        (LAYOUT, COLUMNS | {"Approved": "approved"}, "it has no columns 'Approved'"),
        (LAYOUT, {"Company": "company", "Ok": "approved"}, "its columns 'Amount' are not named"),
        (replace(LAYOUT, headers=("Company", "Amount", "Ok", "Ok")), COLUMNS, "are called 'Ok'"),
        (replace(LAYOUT, encoding="UTF-16LE"), COLUMNS, "is written in UTF-16LE"),
        (replace(LAYOUT, encoding=""), COLUMNS, "an encoding not told"),
        (replace(LAYOUT, separator="\t"), COLUMNS, r"are separated by '\\t'"),
        (replace(LAYOUT, separator=""), COLUMNS, "are separated by 'nothing told'"),
        (replace(LAYOUT, delimiter="'"), COLUMNS, 'texts stand in "\'"'),
    ],
)
def test_an_export_that_does_not_fit_the_flow_is_refused_by_name(
    layout: ExportLayout, columns: dict[str, str], words: str
) -> None:
    with pytest.raises(Misconfigured, match=words) as caught:
        check_export_columns(layout, columns)
    assert "'Approved Plan'" in caught.value.what
    assert "'Company', 'Amount', 'Ok'" in caught.value.what  # the columns that exist
    assert caught.value.untouched == "Nothing was prepared."
    assert caught.value.who


def test_everything_that_does_not_fit_is_told_in_one_sentence() -> None:
    layout = replace(LAYOUT, headers=("A", "A"), encoding="X", separator=";", delimiter="")
    with pytest.raises(Misconfigured) as caught:
        check_export_columns(layout, COLUMNS)
    for words in ("'Company'", "'A'", "are called", "written in X", "';'", "nothing told"):
        assert words in caught.value.what
    assert caught.value.what.count("; ") == 5

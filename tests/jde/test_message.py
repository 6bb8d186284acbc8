"""Claims about the message of an orchestration: nothing approved is lost on its way into JSON."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tieout.jde.message import ISO, message
from tieout.jde.orchestrations import GENERIC, STANDARD, Input, Orchestration
from tieout.jde.wire import Dialect

COLUMNS = (Input("Account", "String"), Input("Amount", "Numeric"), Input("Note"))
INPUTS = (
    Input("Batch", "Numeric"),
    Input("Company", "String"),
    Input("GLDate", "Date"),
    Input("Lines", columns=COLUMNS),
)
FLAT = {"Batch": 4711, "Company": "00001", "GLDate": date(2026, 1, 31), "Note": None}
ROWS = [
    {"Account": "00012592", "Amount": Decimal("12345678901.2300"), "Note": "a"},
    {"Account": "00000007", "Amount": Decimal("-0.10"), "Note": None},
]
encode = msgspec.json.Encoder(decimal_format="number").encode


def told(form: str, flat: Any = FLAT, rows: Any = ROWS, dates: Dialect = ISO) -> Any:
    return message(Orchestration("X", INPUTS, form), flat, "Lines", rows, dates)


def test_a_generic_message_is_flat_with_exact_numbers_and_rows_in_their_order() -> None:
    assert encode(told(GENERIC)) == (
        b'{"Batch":4711,"Company":"00001","GLDate":"2026-01-31","Lines":['
        b'{"Account":"00012592","Amount":12345678901.23,"Note":"a"},'
        b'{"Account":"00000007","Amount":-0.1}]}'
    )


def test_a_jde_standard_message_has_pairs_of_name_and_value_as_text() -> None:
    body = told(STANDARD)
    assert body["inputs"][0] == {"name": "Batch", "value": "4711"}
    assert body["inputs"][2] == {"name": "GLDate", "value": "2026-01-31"}
    (array,) = body["detailInputs"]
    assert array["name"] == "Lines"
    assert array["repeatingInputs"][0]["inputs"][1] == {"name": "Amount", "value": "12345678901.23"}


def test_dates_can_be_told_as_the_user_of_the_session_writes_them() -> None:
    assert told(GENERIC, dates=Dialect("dd/MM/yyyy"))["GLDate"] == "31/01/2026"


def test_a_number_for_a_text_input_is_text_and_text_for_a_number_is_a_number() -> None:
    body = told(GENERIC, {"Company": 1, "Batch": "4711"})
    assert (body["Company"], body["Batch"]) == ("1", Decimal(4711))


WRONG = [
    ("Batch", "04711"), ("Batch", "1e3"), ("Batch", ""), ("Batch", True), ("Batch", 0.1),
    ("Batch", Decimal("NaN")), ("Batch", Decimal("1234567890123456")), ("Batch", 10**15),
    ("Batch", date(2026, 1, 31)), ("GLDate", "2026-01-31"),
    ("GLDate", datetime(2026, 1, 31)),  # noqa: DTZ001 - no moment is a G/L date
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG, ids=str)
def test_what_an_input_does_not_take_exactly_is_never_sent(name: str, value: Any) -> None:
    for form in (GENERIC, STANDARD):
        with pytest.raises(ValueError, match=r"number|date|characters|digits"):
            told(form, {name: value})

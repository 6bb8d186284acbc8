"""Claims about reading back: every cell by name, exact, once, and the request cleaned up."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from planning import ACTUALS, Planning, actuals

from tieout.errors import Refused, Unavailable

ROWS = [
    ("00001", "5005", "30", "Jan 24", "100.50"),
    ("00001", "8740.TRAVEL", "30", "Feb 24", "-3"),
    ("00060", "5005", "40", "Dec 26", "12345678901.2345"),
    ("00060", "5005", "40", "Nov 26", "0"),
]


@pytest.fixture
def loaded(planning: Planning) -> Planning:
    planning.fill_lists()
    action = planning.client.action("Load GL Actuals")
    assert planning.load(action, actuals(*ROWS), ACTUALS).outcome == "ok"
    return planning


def test_the_cells_of_a_view_are_those_that_were_loaded_by_name(loaded: Planning) -> None:
    got = loaded.cells()
    assert sorted(got["value"].to_list()) == [
        Decimal(-3),
        Decimal("100.5"),
        Decimal("12345678901.2345"),
    ]
    assert set(got["GL Accounts"]) == {"Name of 5005", "Name of 8740.TRAVEL"}
    items = loaded.client.list_items(loaded.client.find("lists", "GL Accounts").id)
    joined = got.join(items.rename({"name": "GL Accounts"}), on="GL Accounts")
    assert set(joined["code"]) == {"5005", "8740.TRAVEL"}


def test_the_read_request_is_deleted_when_all_is_read_and_when_it_breaks(loaded: Planning) -> None:
    def deleted() -> int:
        log = loaded.box.control("log", {})["log"]
        return sum(e["method"] == "DELETE" and "/readRequests/" in e["path"] for e in log)

    loaded.cells()
    assert deleted() == 1
    loaded.fault("status", path="/pages/0$", status=404, body="{}", times=9)
    with pytest.raises(Refused, match="does not know"):
        loaded.cells()
    assert deleted() == 2


def test_pages_are_fetched_while_the_rest_is_still_being_made(loaded: Planning) -> None:
    whole = loaded.cells()
    loaded.fault(
        "replace", method="GET", path=r"/readRequests/\w+$",
        find=r'"requestState":\s*"COMPLETE"', body='"requestState":"IN_PROGRESS"',
    )  # fmt: skip
    assert loaded.cells().equals(whole)


@pytest.mark.parametrize(
    ("find", "body"),
    [
        (r'"successful":\s*true', '"successful":false'),
        (r'"requestState":\s*"COMPLETE"', '"requestState":"CANCELLED"'),
        (r'"requestState":\s*"COMPLETE"', '"requestState":"SOMETHING_NEW"'),
    ],
)
def test_a_read_that_failed_is_refused_and_never_empty(
    loaded: Planning, find: str, body: str
) -> None:
    loaded.fault("replace", path=r"/readRequests", find=find, body=body, times=99)
    with pytest.raises(Refused, match="could not read the view"):
        loaded.cells()


def test_a_read_that_does_not_end_is_given_up_before_anaplan_forgets_it(loaded: Planning) -> None:
    loaded.fault(
        "replace", method="GET", path=r"/readRequests/\w+$", times=100_000,
        find=r'"requestState":\s*"COMPLETE"', body='"requestState":"IN_PROGRESS"',
    )  # fmt: skip
    loaded.fault(
        "replace", method="POST", path=r"/readRequests$", times=100_000,
        find=r'"requestState":\s*"COMPLETE"', body='"requestState":"IN_PROGRESS"',
    )  # fmt: skip
    with pytest.raises(Unavailable, match="25 minutes"):
        loaded.cells()


def test_a_view_without_any_cell_gives_a_frame_with_its_columns(planning: Planning) -> None:
    got = planning.cells()
    assert got.height == 0
    assert "GL Accounts" in got.columns
    assert got.schema["value"] == pl.Decimal(38, 4)


def test_codes_stay_text_and_a_list_without_items_is_empty(planning: Planning) -> None:
    assert planning.client.list_items(planning.client.find("lists", "Companies").id).height == 0
    planning.fill_lists()
    got = planning.client.list_items(planning.client.find("lists", "Companies").id)
    assert got["code"].to_list() == ["00001", "00060"]
    assert got["name"].to_list() == ["Name of 00001", "Name of 00060"]


def test_an_export_is_read_back_as_the_same_cells(loaded: Planning) -> None:
    client = loaded.client
    export = client.find("exports", "GL Actuals Export")
    task = client.start("exports", export.id, client.task_ids("exports", export.id))
    assert client.wait("exports", export.id, task, name=export.name).outcome == "ok"
    dimensions = client.dimensions(client.find("views", "GL Actuals").id)
    got = client.read_export(export.id, dimensions).select(*dimensions, "value")
    assert got.sort(dimensions).equals(loaded.cells().sort(dimensions))

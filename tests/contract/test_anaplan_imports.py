"""Practice Anaplan: what an import does to lists and modules, row by row."""

from __future__ import annotations

import time

import pytest
from anaplan_practice import ACCOUNTS_HEAD, LEDGER_HEAD, Practice, counts

AMOUNT = ("Amount", "00001", "5005", "Jan 24")
KEY = "00001,5005,Jan 24,"


def ledger(*rows: str) -> str:
    return LEDGER_HEAD + "".join(f"{row}\n" for row in rows)


def accounts(anaplan: Practice) -> dict[str, tuple[str, str]]:
    """Code → (name, parent's name)."""
    items = anaplan.get(f"/lists/{anaplan.id('list', 'Accounts')}/items")["listItems"]
    return {i.get("code", ""): (i["name"], i.get("parent", "")) for i in items}


def errors(anaplan: Practice, name: str = "Load Ledger") -> list[str]:
    return [line.rsplit('","', 1)[1].rstrip('"') for line in anaplan.dump_of(name)[1:]]


def test_rows_of_one_cell_add_up(anaplan: Practice) -> None:
    """A055"""
    anaplan.load("Load Ledger", ledger(KEY + "1.10,,,,", KEY + "2.20,,,,"))
    assert anaplan.cells() == {AMOUNT: "3.3"}
    anaplan.load("Load Ledger", ledger(KEY + "5,,,,"))
    assert anaplan.cells() == {AMOUNT: "5"}  # within one file only


def test_a_server_may_keep_the_last_row_of_a_cell(anaplan: Practice) -> None:
    """A055"""
    anaplan.switch("module_duplicates", "last")
    anaplan.load("Load Ledger", ledger(KEY + "1.10,,,,", KEY + "2.20,,,,"))
    assert anaplan.cells() == {AMOUNT: "2.2"}


def test_the_first_of_two_list_rows_wins(anaplan: Practice) -> None:
    """A056"""
    rows = "6000,First,PL,TRUE,1\n6000,Second,PL,TRUE,1\n"
    result = anaplan.load("Load Accounts", ACCOUNTS_HEAD + rows)
    assert accounts(anaplan)["6000"] == ("First", "Profit and loss")
    assert counts(result["details"][0])["failedCount"] == "1"
    assert errors(anaplan, "Load Accounts") == ["Duplicate key: 6000"]


def test_a_list_import_may_be_set_to_refuse_duplicates(anaplan: Practice) -> None:
    """A056"""
    anaplan.person("set_import", **{"import": "Load Accounts", "duplicates": "reject"})
    rows = "6000,First,PL,TRUE,1\n6000,Second,PL,TRUE,1\n"
    result = anaplan.load("Load Accounts", ACCOUNTS_HEAD + rows)
    assert result["successful"] is False
    assert result["details"][0]["type"] == "hierarchyImportDuplicateSourceKey"
    assert "6000" not in accounts(anaplan)


def test_a_row_with_an_unknown_member_or_period_is_rejected(anaplan: Practice) -> None:
    """A057"""
    result = anaplan.load(
        "Load Ledger",
        ledger("00009,5005,Jan 24,1,,,,", "00001,77,Jan 24,1,,,,", "00001,5005,Jan 31,1,,,,"),
    )
    assert errors(anaplan) == [
        "Item not found in list: 00009", "Item not found in list: 77",
        "Item not found in calendar: Jan 31",
    ]  # fmt: skip
    assert counts(result["details"][0])["failedCount"] == "3"
    assert anaplan.cells() == {}


def test_a_row_with_an_unknown_line_item_is_rejected(anaplan: Practice) -> None:
    """A057"""
    text = f"Company,Account,Time,Line Item,Value\n{KEY}Amount,4\n{KEY}Amuont,5\n"
    anaplan.load("Load Long", text)
    assert errors(anaplan, "Load Long") == ["Invalid line item identifier: Amuont"]
    assert anaplan.cells() == {AMOUNT: "4"}


@pytest.mark.parametrize("row", ["00001,PL,Jan 24,1,,,,", "00001,5005,Q1 FY24,1,,,,"])
def test_a_value_for_a_total_is_ignored_not_failed(anaplan: Practice, row: str) -> None:
    """A058"""
    anaplan.load("Load Accounts", ACCOUNTS_HEAD + "5005,Rent,PL,TRUE,1\n")
    result = anaplan.load("Load Ledger", ledger(row))
    told = counts(result["details"][0])
    assert (told["ignoredCount"], told["failedCount"]) == ("1", "0")
    assert result["failureDumpAvailable"] is False
    assert anaplan.cells() == {}


def test_a_value_for_a_calculated_line_item_is_ignored(anaplan: Practice) -> None:
    """A058"""
    result = anaplan.load("Load Ledger", ledger(KEY + "1,,,,9"))
    told = {d["localMessageText"].split(":")[0]: counts(d) for d in result["details"]}
    assert told["Twice"]["ignoredCount"] == "1"
    assert set(anaplan.cells()) == {AMOUNT}
    anaplan.person("set_formula", module="Ledger", line_item="Amount", formula="1 + 1")
    result = anaplan.load("Load Ledger", ledger(KEY + "2,,,,"))
    assert counts(result["details"][0])["ignoredCount"] == "1"
    assert anaplan.cells() == {AMOUNT: "1"}


def cleared(anaplan: Practice, mode: str) -> set[str]:
    """What is left of five cells after a file of two, under a clear setting of the import."""
    anaplan.load("Load Accounts", ACCOUNTS_HEAD + "6000,Travel,,TRUE,1\n")
    before = ("5005,Jan 24", "5005,Feb 24", "6000,Jan 24", "6000,Mar 24")
    anaplan.load("Load Ledger", ledger(*(f"00001,{r},1,,,," for r in before)))
    by_hand = {"members": ["00001", "5005", "Apr 24"], "value": "9"}
    anaplan.person("set_cell", module="Ledger", line_item="Amount", **by_hand)
    anaplan.person("set_clear_mode", **{"import": "Load Ledger", "mode": mode})
    after = ("5005,Jan 24", "6000,Feb 24")
    anaplan.load("Load Ledger", ledger(*(f"00001,{r},2,,,," for r in after)))
    return {f"{key[2]} {key[3]}" for key in anaplan.cells()}


LOADED = {"5005 Jan 24", "6000 Feb 24"}


def test_only_imported_cells_change_when_nothing_is_cleared(anaplan: Practice) -> None:
    """A059"""
    old = {"5005 Feb 24", "6000 Jan 24", "6000 Mar 24", "5005 Apr 24"}
    assert cleared(anaplan, "none") == LOADED | old


def test_clearing_mapped_items_wipes_the_box_around_the_file(anaplan: Practice) -> None:
    """A059"""
    assert cleared(anaplan, "mapped_source") == LOADED | {"6000 Mar 24", "5005 Apr 24"}


def test_clearing_all_mapped_items_wipes_what_was_ever_mapped(anaplan: Practice) -> None:
    """A059, A086"""
    assert cleared(anaplan, "mapped") == LOADED | {"5005 Apr 24"}


def test_clearing_all_mapped_items_may_mean_those_of_the_file(anaplan: Practice) -> None:
    """A086"""
    anaplan.switch("all_mapped_items", "source")
    assert cleared(anaplan, "mapped") == LOADED | {"6000 Mar 24", "5005 Apr 24"}


def test_clearing_everything_leaves_the_file_alone(anaplan: Practice) -> None:
    """A059"""
    assert cleared(anaplan, "all") == LOADED


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("1.234.5,,,,", "Invalid number: 1.234.5"),
        ('"1,234.50",,,,', "Invalid number: 1,234.50"),
        ("1,,maybe,,", "Invalid Boolean (yes/no/true/false): maybe"),
        ("1,,,31.12.2024,", "Invalid date: 31.12.2024"),
    ],
)
def test_a_cell_that_is_no_number_boolean_or_date_is_rejected(
    anaplan: Practice, row: str, word: str
) -> None:
    """A060"""
    anaplan.load("Load Ledger", ledger(KEY + row))
    assert errors(anaplan) == [word]


def test_numbers_booleans_dates_and_texts_are_read(anaplan: Practice) -> None:
    """A060"""
    anaplan.load("Load Ledger", ledger(KEY + '-0.50,"a, ""b""",Yes,2024-12-31,'))
    assert sorted((k[0], v) for k, v in anaplan.cells().items()) == [
        ("Amount", "-0.5"), ("Due", "2024-12-31"), ("Note", 'a, "b"'), ("Open", "true"),
    ]  # fmt: skip


def test_a_list_import_creates_renames_and_moves_but_never_deletes(anaplan: Practice) -> None:
    """A061"""
    first = "6100,Fuel,6000,TRUE,1\n6000,Travel,PL,TRUE,1\n"
    result = anaplan.load("Load Accounts", ACCOUNTS_HEAD + first)
    assert counts(result["details"][0])["successCreateCount"] == "2"
    assert accounts(anaplan)["6100"] == ("Fuel", "Travel")  # the parent came later in the file
    anaplan.load("Load Accounts", ACCOUNTS_HEAD + "6100,Petrol,PL,TRUE,1\n")
    assert accounts(anaplan) == {
        "PL": ("Profit and loss", ""), "5005": ("Rent", ""),
        "6000": ("Travel", "Profit and loss"), "6100": ("Petrol", "Profit and loss"),
    }  # fmt: skip


def test_a_short_row_lacks_its_last_cells(anaplan: Practice) -> None:
    """A061"""
    result = anaplan.load("Load Accounts", ACCOUNTS_HEAD + "6000,Travel\n\n6100\n")
    told = counts(result["details"][0])
    assert (told["successCreateCount"], told["ignoredCount"]) == ("2", "1")
    assert accounts(anaplan)["6000"] == ("Travel", "")
    assert accounts(anaplan)["6100"] == ("6100", "")


def test_a_list_row_needs_a_key(anaplan: Practice) -> None:
    """A061"""
    anaplan.load("Load Accounts", ACCOUNTS_HEAD + ",Nameless,PL,TRUE,1\n")
    assert errors(anaplan, "Load Accounts") == ["Error parsing key - no values"]


@pytest.mark.parametrize("parent", ["Nope", "6100"])
def test_an_unknown_or_circular_parent_is_a_warning(anaplan: Practice, parent: str) -> None:
    """A062"""
    rows = f"6000,Travel,{parent},TRUE,1\n6100,Fuel,6000,TRUE,1\n"
    result = anaplan.load("Load Accounts", ACCOUNTS_HEAD + rows)
    told = counts(result["details"][0])
    assert (told["warningsRowCount"], told["failedCount"]) == ("1", "0")
    assert errors(anaplan, "Load Accounts") == ["Invalid parent"]
    again = counts(anaplan.load("Load Accounts", ACCOUNTS_HEAD + rows)["details"][0])
    assert (again["warningsUpdateCount"], again["successUpdateCount"]) == ("1", "1")
    assert (again["totalUpdateCount"], again["totalRowCount"]) == ("2", "2")
    assert {"6000", "6100"} <= set(accounts(anaplan))


def test_a_child_of_a_rejected_row_says_so(anaplan: Practice) -> None:
    """A062"""
    rows = "6000,Rent,PL,TRUE,1\n6100,Fuel,6000,TRUE,1\n"
    anaplan.load("Load Accounts", ACCOUNTS_HEAD + rows)
    assert errors(anaplan, "Load Accounts") == [
        "Name or code already exists: Rent", "Has dependency on rejected row",
    ]  # fmt: skip


def test_a_wrong_property_loads_the_row_without_it(anaplan: Practice) -> None:
    """A060, A062"""
    anaplan.load("Load Accounts", ACCOUNTS_HEAD + "6000,Travel,PL,perhaps,x\n")
    assert anaplan.dump_of("Load Accounts")[1].startswith('"W","6000"')
    assert accounts(anaplan)["6000"] == ("Travel", "Profit and loss")


def test_the_wrong_encoding_garbles_without_an_error(anaplan: Practice) -> None:
    """A063"""
    state = anaplan.system.state
    file = state.named(anaplan.model, "file", "Ledger.csv")
    file.data["encoding"] = "ISO-8859-1"
    state.save(anaplan.model, file)
    result = anaplan.load("Load Ledger", ledger(KEY + "1,Zürich,,,"))
    assert result["failureDumpAvailable"] is False
    assert anaplan.cells()["Note", "00001", "5005", "Jan 24"] == "ZÃ¼rich"


def test_an_unmatched_quote_fails_the_import(anaplan: Practice) -> None:
    """A063"""
    result = anaplan.load("Load Ledger", ledger(KEY + '1,"open,,,'))
    assert (result["successful"], result["details"][0]["type"]) == (False, "unmatchedTextDelimiter")


def test_a_name_taken_by_another_member_is_refused_or_numbered(anaplan: Practice) -> None:
    """A064"""
    rows = "6000,Rent,PL,TRUE,1\n"
    anaplan.load("Load Accounts", ACCOUNTS_HEAD + rows)
    assert errors(anaplan, "Load Accounts") == ["Name or code already exists: Rent"]
    anaplan.person("set_import", **{"import": "Load Accounts", "unique_names": "suffix"})
    for _ in range(2):
        anaplan.load("Load Accounts", ACCOUNTS_HEAD + rows + "6001,Rent,PL,TRUE,1\n")
    assert {c: n for c, (n, _) in accounts(anaplan).items() if c != "PL"} == {
        "5005": "Rent", "6000": "Rent~1", "6001": "Rent~2",
    }  # fmt: skip


def test_a_blank_amount_is_zero_or_ignored(anaplan: Practice) -> None:
    """A065"""
    anaplan.load("Load Ledger", ledger(KEY + "1,,,,"))
    anaplan.switch("blank_number", "ignore")
    anaplan.load("Load Ledger", ledger(KEY + ",,,,"))
    assert anaplan.cells() == {AMOUNT: "1"}
    anaplan.switch("blank_number", "zero")
    anaplan.load("Load Ledger", ledger(KEY + ",,,,"))
    assert anaplan.cells() == {}


def test_a_member_is_found_by_code_before_name(anaplan: Practice) -> None:
    """A066"""
    anaplan.load("Load Accounts", ACCOUNTS_HEAD + "6000,5005,PL,TRUE,1\n")
    anaplan.load("Load Ledger", ledger(KEY + "1,,,,", "00001,Rent,Feb 24,2,,,,"))
    assert {(k[2], k[3]) for k in anaplan.cells()} == {("5005", "Jan 24"), ("5005", "Feb 24")}


def test_blanks_around_a_cell_do_not_count(anaplan: Practice) -> None:
    """A067"""
    text = ledger(" 00001 ,5005,Jan 24, 1 ,,,,")
    anaplan.load("Load Ledger", text)
    assert anaplan.cells() == {AMOUNT: "1"}
    anaplan.switch("trim_cells", False)
    assert anaplan.load("Load Ledger", text)["failureDumpAvailable"] is True


def test_counters_of_a_module_import_may_be_missing(anaplan: Practice) -> None:
    """A087"""
    assert counts(anaplan.load("Load Ledger", ledger(KEY + "1,,,,"))["details"][0])
    anaplan.switch("module_values", "absent")
    detail = anaplan.load("Load Ledger", ledger(KEY + "1,,,,"))["details"][0]
    assert detail["values"] == []
    assert detail["localMessageText"].startswith("Amount: 1 ")


def test_a_byte_order_mark_is_no_part_of_the_first_header(anaplan: Practice) -> None:
    """A088"""
    text = "\ufeff" + ledger(KEY + "1,,,,")
    anaplan.load("Load Ledger", text)
    assert anaplan.cells() == {AMOUNT: "1"}
    anaplan.switch("strip_mark", False)
    assert anaplan.load("Load Ledger", text)["successful"] is False


def test_amounts_are_kept_exactly_or_as_doubles(anaplan: Practice) -> None:
    """A089"""
    rows = ledger(KEY + "12345678901234.123,,,,", KEY + "0.0001,,,,")
    anaplan.load("Load Ledger", rows)
    assert anaplan.cells() == {AMOUNT: "12345678901234.1231"}
    anaplan.switch("number_precision", "double")
    anaplan.load("Load Ledger", rows)
    assert anaplan.cells() == {AMOUNT: "12345678901234.123"}


def test_sixty_thousand_rows_load_in_seconds(anaplan: Practice) -> None:
    months = [f"{m} {y}" for y in (24, 25) for m in ("Jan", "Feb", "Mar", "Apr", "May", "Jun")]
    members = [f"{n}" for n in range(10_000, 15_000)]
    rows = "".join(f"{m},Account {m},PL,TRUE,1\n" for m in members)
    anaplan.load("Load Accounts", ACCOUNTS_HEAD + rows)
    lines = [f"00001,{m},{t},{m}.25,,,," for m in members for t in months]
    anaplan.upload("Load Ledger", ledger(*lines))
    task = anaplan.start("imports", "Load Ledger")
    begun = time.process_time()
    anaplan.finish(task)
    assert time.process_time() - begun < 5  # seconds of CPU; 0.5 on an idle machine
    assert len(anaplan.cells()) == 60_000

"""Any table of JD Edwards into Anaplan: F0902 balances into cells, F0411 payables into a list."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from books import Books, told
from table_books import (
    FLOWS,
    UNPLANNED,
    balances_of_anaplan,
    balances_of_jde,
    key_of,
    map_unplanned,
    one_balance,
    payables_of_anaplan,
    payables_of_jde,
)

from tieout.errors import Misconfigured
from tieout.flows.load_table import SEEN
from tieout.verbs import rejecting, replaying, running, seeing, setting_up
from tieout.verbs import tables as of_tables

KILLS = 5  # of one run, at moments that the seed draws
PAGE_ROWS = 100  # so that what is read takes many pages


def assert_both_sides_agree(books: Books) -> None:
    """Anaplan holds what the second path says, to the cent."""
    assert balances_of_anaplan(books) == balances_of_jde(books)
    shown = payables_of_anaplan(books)
    wanted = payables_of_jde(books)
    assert {code: shown[code] for code in wanted} == wanted
    assert {a for code, p in shown.items() if code not in wanted for a in p[2:]} <= {"0"}


def test_both_tables_are_in_anaplan_to_the_cent_and_a_second_run_asks_it_nothing(
    tables: Books,
) -> None:
    assert_both_sides_agree(tables)
    assert payables_of_jde(tables)
    tables.requests("anaplan")

    runs = [tables.run(flow) for flow in FLOWS]

    assert [r.outcome for r in runs] == ["complete", "complete"]
    assert all(r.sentence.startswith("Nothing new") for r in runs)
    assert tables.requests("anaplan") == []


def test_what_changed_goes_alone_and_what_left_goes_to_zero_and_is_told(tables: Books) -> None:
    ledger = tables.systems.jde.ledger
    row = one_balance(tables)
    ledger.update("F0902", {"AN03": int(row["AN03"]) + 12_345}, key_of(row))
    paid, gone = list(payables_of_jde(tables))[:2]
    for code, change in ((paid, {"AAP": 0, "FAP": 0, "PST": "P"}), (gone, None)):
        key = dict(zip(("KCO", "DCT", "DOC", "SFX"), code.split("-"), strict=False))
        where = {**key, "DOC": int(key["DOC"])}
        if change:
            ledger.update("F0411", change, where)
        else:
            ledger.delete("F0411", where)

    balances, payables = (tables.run(flow) for flow in FLOWS)

    assert balances.outcome == "complete", told(tables, balances)
    assert (balances.figures["rows_sent"], balances.figures["rows_changed"]) == (1, 1)
    assert payables.outcome == "complete", told(tables, payables)
    assert payables.figures["rows_gone"] == 2
    (left,) = tables.findings(payables, "row-left")
    assert (left.finding.severity, left.finding.cells) == ("note", 2)
    assert payables_of_anaplan(tables)[paid][2:] == ("0", "0")
    assert_both_sides_agree(tables)


def test_nothing_is_emptied_while_a_table_shows_no_row_unless_a_person_says_so(
    tables: Books,
) -> None:
    before = payables_of_anaplan(tables)
    tables.systems.jde.ledger.update("F0411", {"POST": " "}, {"POST": "D"})

    run = tables.run("payables")

    assert (run.outcome, run.exit_code) == ("needs_attention", 6), told(tables, run)
    assert tables.rules(run) == {"table-empty"}
    assert payables_of_anaplan(tables) == before
    assert tables.run("payables", full=True).outcome == "complete"
    assert {p[2:] for p in payables_of_anaplan(tables).values()} == {("0", "0")}


def test_a_member_that_anaplan_lacks_stops_the_table_or_only_its_cells_as_configured(
    never_loaded: Books,
) -> None:
    stopped = never_loaded.run("balances")

    assert (stopped.outcome, stopped.exit_code) == ("needs_attention", 5)
    assert never_loaded.rules(stopped) == {"unmatched-member"}
    assert balances_of_anaplan(never_loaded) == {}
    assert never_loaded.store.position("balances", SEEN) is None

    never_loaded.change_flow('table = "F0902"', 'table = "F0902"\nunmatched = "load rest"')
    rest = never_loaded.run("balances")
    assert (rest.outcome, rest.exit_code) == ("needs_attention", 5)
    wanted = {
        cell: amount for cell, amount in balances_of_jde(never_loaded).items()
        if cell[2] != UNPLANNED
    }  # fmt: skip
    assert balances_of_anaplan(never_loaded) == wanted
    assert never_loaded.store.position("balances", SEEN) is None

    map_unplanned(never_loaded)
    whole = never_loaded.run("balances")
    assert whole.outcome == "complete", told(never_loaded, whole)
    assert_cells = balances_of_jde(never_loaded)
    assert balances_of_anaplan(never_loaded) == assert_cells
    assert not never_loaded.store.rejects(flow="balances", standing=True)


def test_a_mapping_moves_a_number_and_leaves_nothing_where_it_was(tables: Books) -> None:
    setting_up.set_mapping(tables.instance, "business_unit", "32", "31", "merged")

    run = tables.run("balances")

    assert run.outcome == "complete", told(tables, run)
    assert balances_of_anaplan(tables) == balances_of_jde(tables)
    assert not [cell for cell in balances_of_anaplan(tables) if cell[2] == "32"]


def test_what_a_person_typed_over_is_told_by_the_tie_out_and_mended_by_the_next_run(
    tables: Books,
) -> None:
    position = tables.store.position("balances", SEEN)
    cell = next(c for c in balances_of_jde(tables) if c[2:] == ("1", "2025", "Opening"))
    account = cell[1]
    for year in ("2025", "2026"):
        tables.person(
            "set_cell", module="Account Balances", line_item="Opening", value="1.23",
            members=["00001", account, "1", year],
        )  # fmt: skip

    looked = tables.run("balances", kind="tie_out")

    assert (looked.outcome, looked.exit_code) == ("needs_attention", 6), told(tables, looked)
    found = of_tables.tied(tables.instance, "balances")
    assert (found["ok"], sum(r["cells_differing"] for r in found["table_tie_out"])) == (False, 1)
    assert tables.store.position("balances", SEEN) == position
    mended = tables.run("balances")
    assert mended.outcome == "complete", told(tables, mended)
    assert of_tables.tied(tables.instance, "balances")["ok"]
    cells = balances_of_anaplan(tables)
    # The year that no condition selects is somebody else's: it is left as it is.
    assert cells.pop(("00001", account, "1", "2026", "Opening")) == Decimal("1.23")
    assert cells == balances_of_jde(tables)


def test_a_row_that_anaplan_rejects_is_a_finding_with_its_words_and_the_position_stays(
    tables: Books,
) -> None:
    position = tables.store.position("payables", SEEN)
    ledger = tables.systems.jde.ledger
    voucher = next(row for row in ledger.rows("F0411", {"CO": "00001"}) if row["AAP"])
    ledger.insert("F0411", [{**voucher, "DOC": 999_001}])
    code = f"{voucher['KCO']}-{voucher['DCT']}-999001-{voucher['SFX']}-0"
    tables.person("add_item", list="Open Payables", code="BY-HAND", name=code)

    run = tables.run("payables")

    assert (run.outcome, run.exit_code) == ("needs_attention", 5), told(tables, run)
    assert tables.store.position("payables", SEEN) == position
    (reject,) = tables.findings(run, "import-rejected")
    assert (reject.finding.subject, reject.finding.line) == (code, 2)
    assert reject.finding.vendor_words
    tables.person("change_item", list="Open Payables", item="BY-HAND", name="By hand")
    assert tables.run("payables").outcome == "complete"
    assert_both_sides_agree(tables)


def test_an_amount_that_moves_between_two_rows_while_they_are_read_is_never_torn(
    tables: Books,
) -> None:
    """Of a journal that is posted between two pages one side alone would be read."""
    posted = {"name": "backdated", "company": "00001", "period": "2025-03"}
    touched = {cell["account"] for cell in tables.event(**posted)["touched"]}
    assert tables.run("balances").outcome == "complete"
    order = [
        r["AID"] for r in tables.systems.jde.ledger.rows("F0902", {"LT": "AA"})
        if r["FY"] in (24, 25) and r["CO"] in tables.companies
    ]  # fmt: skip
    first, last = (pick(n for n, aid in enumerate(order) if aid in touched) for pick in (min, max))
    secret = 'secret = "secret://erp"'
    tables.change_flow(secret, f"{secret}\npage_rows = {PAGE_ROWS}")
    assert first // PAGE_ROWS < last // PAGE_ROWS
    between = first // PAGE_ROWS + 1
    tables.fault(
        "jde", "delay", path="dataservice/next", nth=between, meanwhile={"event": posted}
    )  # fmt: skip

    run = tables.run("balances")

    assert run.outcome == "complete", told(tables, run)
    assert tables.faults_hit("jde") == 1
    assert (run.figures["rows_changed"], run.figures["rows_sent"]) == (2, 2)
    kept = tables.store.kept(run.id, kind="rows")  # of one of three reads
    assert sum(manifest.rows for manifest in kept) == run.figures["rows_read"]
    assert balances_of_anaplan(tables) == balances_of_jde(tables)


MOMENTS_MAX = 4 * 11  # of a run that loads: before, inside, after and between its steps


def test_a_run_that_dies_at_any_moment_is_carried_on_and_loads_once(
    tables: Books, dice: Random
) -> None:
    ledger = tables.systems.jde.ledger
    for flow, module in (("balances", "F0902"), ("payables", "F0411")):
        tasks = tables.tasks()
        if module == "F0902":
            row = one_balance(tables)
            ledger.update("F0902", {"AN03": int(row["AN03"]) + 7}, key_of(row))
        else:
            code = next(iter(payables_of_jde(tables)))
            ledger.delete("F0411", {"DOC": int(code.split("-")[2])})
        deaths = 0
        for moments in sorted(dice.sample(range(1, MOMENTS_MAX), KILLS)):
            deaths += tables.run_killed(moments, flow) is not None
        assert deaths
        unfinished = tables.store.unfinished_run(flow)
        last = tables.carry_on(unfinished, {}) if unfinished else tables.store.runs(flow=flow)[0]
        assert last.outcome == "complete", told(tables, last)
        assert tables.tasks() == tasks + 1
    assert_both_sides_agree(tables)


@pytest.mark.parametrize("configured", ["nothing", "all"])
def test_an_import_that_clears_its_module_leaves_no_cell_empty(
    tables: Books, configured: str
) -> None:
    """Where nobody configured that it clears, the wipe is told, and healed by sending all."""
    tables.person("set_clear_mode", **{"import": "Load Account Balances", "mode": "all"})
    if configured != "nothing":
        said = f'table = "F0902"\nimport_clears = "{configured}"'
        tables.change_flow('table = "F0902"', said)
        assert tables.run("balances").outcome == "complete"
    row = one_balance(tables)
    tables.systems.jde.ledger.update("F0902", {"AN03": int(row["AN03"]) + 5}, key_of(row))

    run = tables.run("balances")

    if configured == "nothing":
        assert (run.exit_code, tables.rules(run)) == (6, {"anaplan-wiped"})
        run = tables.run("balances")
    assert run.outcome == "complete", told(tables, run)
    assert balances_of_anaplan(tables) == balances_of_jde(tables)


def test_rows_that_a_fetch_limit_hides_are_read_by_key_or_refused(tables: Books) -> None:
    for switch, value in (("fetch_limit_rows", 300), ("fetch_limit_links", "silent")):
        tables.control("jde", "switch", name=switch, value=value)

    run = tables.run("balances", full=True)

    assert run.outcome == "complete", told(tables, run)
    assert balances_of_anaplan(tables) == balances_of_jde(tables)


def test_a_business_view_is_loaded_like_the_table_that_owns_its_columns(tables: Books) -> None:
    tables.change_flow('table = "F0411"', 'table = "V0411A"\nowner = "F0411"')
    assert tables.run("payables").outcome == "complete"
    code = next(iter(payables_of_jde(tables)))
    tables.systems.jde.ledger.delete("F0411", {"DOC": int(code.split("-")[2])})

    run = tables.run("payables")

    assert run.outcome == "complete", told(tables, run)
    assert run.figures["rows_gone"] == 1
    assert_both_sides_agree(tables)


def test_a_preview_says_what_would_go_and_sends_nothing(tables: Books) -> None:
    row = one_balance(tables)
    tables.systems.jde.ledger.update("F0902", {"AN03": int(row["AN03"]) + 1}, key_of(row))
    before, tasks = balances_of_anaplan(tables), tables.tasks()

    run = tables.run("balances", preview=True)

    assert run.sentence.startswith("1 of "), run.sentence
    assert run.figures["rows_to_send"] == 1
    assert (balances_of_anaplan(tables), tables.tasks()) == (before, tasks)
    assert tables.run("balances").figures["rows_sent"] == 1


def test_a_cell_is_traced_to_the_rows_behind_it_and_the_file_it_was_sent_in(
    tables: Books,
) -> None:
    row = one_balance(tables)
    account = str(row["OBJ"]) + (f".{row['SUB']}" if row["SUB"] else "")
    members = ["00001", account, str(row["MCU"]).strip(), "2025"]

    found = of_tables.trace(tables.instance, "balances", members)

    assert found["found"] == 1
    story = found["story"]
    assert str(row["AID"]) in {r["AID"] for r in story["rows"]}
    shown = {c["item"]: c["shown"] for c in found["cells"]}
    assert shown["Period 3"] == sum(r["AN03"] for r in story["rows"])
    (load,) = story["loads"]
    assert (load["run"], load["rejected"]) == (tables.store.runs(flow="balances")[-1].id, [])
    assert load["numbers"]["Period 3"] == shown["Period 3"]
    with pytest.raises(Misconfigured, match="No cell of balances"):
        of_tables.trace(tables.instance, "balances", ["nowhere"])


def test_the_other_verbs_work_for_a_table_or_say_why_not(never_loaded: Books) -> None:
    instance = never_loaded.instance
    run = never_loaded.run("balances")
    (reject,) = never_loaded.findings(run, "unmatched-member")

    assert rejecting.trace(instance, reject.id)["cells"][0]["Cost Center"] == UNPLANNED
    assert seeing.show(instance, run.id)["findings"][0]["member"] == UNPLANNED
    assert replaying.of_run(instance, run.id).asked == {"replay": run.id}
    for asked, words in (
        ({"unlock": "a reason"}, "no periods that could be locked"),
        ({"rejects": [reject.id]}, "no cells that could be sent alone"),
    ):
        with pytest.raises(Misconfigured, match=words):
            running.run_flow(instance, "balances", asked=asked)
    with pytest.raises(Misconfigured, match="loads no periods"):
        replaying.of_period(instance, "balances", "2025-03")
    map_unplanned(never_loaded)
    again = never_loaded.run("balances", replay=run.id)
    assert again.outcome == "complete", told(never_loaded, again)
    found = seeing.reproduce(instance, again.id)
    assert found["ok"], found


def test_a_key_that_is_none_is_told_as_such(never_loaded: Books) -> None:
    never_loaded.change_flow('key = ["DOC", "DCT", "KCO", "SFX", "SFXE"]', 'key = ["DCT"]')
    run = never_loaded.run("payables")
    assert run.outcome == "failed"
    assert "Rows of F0411 share the key that is declared for it (DCT)" in run.sentence
    assert "Declare the whole primary key" in run.sentence


def test_a_table_of_many_rows_is_read_by_several_sessions_and_each_row_once(
    never_loaded: Books,
) -> None:
    map_unplanned(never_loaded)
    never_loaded.requests("jde")
    run = never_loaded.run("balances")
    asked = [r["path"] for r in never_loaded.requests("jde")]

    assert run.outcome == "complete", told(never_loaded, run)
    assert len([path for path in asked if path.endswith("/tokenrequest")]) == 2
    assert run.figures["rows_read"] == len(
        [r for r in never_loaded.systems.jde.ledger.rows("F0902", {"LT": "AA"})
         if r["FY"] in (24, 25) and r["CO"] in never_loaded.companies]
    )  # fmt: skip
    assert balances_of_anaplan(never_loaded) == balances_of_jde(never_loaded)
    assert not len(never_loaded.systems.jde.sessions), "a session was left behind"

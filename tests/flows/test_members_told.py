"""Members: what a preview leaves alone, what another model forgets, and who left JD Edwards."""

from __future__ import annotations

from books import Books, told
from member_lists import codes_of_accounts, items, members, rows_of

from tieout.store.runs import Run
from tieout.verbs import seeing, setting_up

GONE = "7995.NEW"


def rename_an_account(books: Books, name: str = "Renamed today") -> str:
    """One account gets another name in JD Edwards; its code."""
    code, rows = next((c, r) for c, r in sorted(codes_of_accounts(books).items()) if len(r) == 1)
    books.systems.jde.ledger.update("F0901", {"DL01": name}, {"AID": rows[0]["AID"]})
    return code


def blank_code(books: Books) -> dict[str, object]:
    """A bad load leaves an account of a shared code without object and subsidiary; its old row."""
    row = next(r[0] for _, r in sorted(codes_of_accounts(books).items()) if len(r) > 1)
    ledger = books.systems.jde.ledger
    ledger.update("F0901", {"OBJ": "", "SUB": ""}, {"AID": row["AID"]})
    return row


def add_account(books: Books, *, amount: str = "") -> None:
    """A new account is loaded, with postings of an amount or without any."""
    if amount:
        books.event("add_account", amount=amount)
    else:
        like = next(r for r in rows_of(books, "F0901") if r["OBJ"] == "6080")
        ledger = books.systems.jde.ledger
        ledger.insert("F0901", [like | {"AID": "99999999", "OBJ": "7995", "SUB": "NEW"}])
    assert books.run("accounts").outcome == "complete"
    assert GONE in items(books, "GL Accounts")


def drop_account(books: Books) -> None:
    """The account is taken out of F0901 again."""
    books.systems.jde.ledger.delete("F0901", {"OBJ": "7995", "SUB": "NEW"})


def delete_unit(books: Books) -> dict[str, object]:
    """A planned unit is taken out of F0006; its row."""
    row = next(r for r in rows_of(books, "F0006") if r["STYL"] == "CC" and r["PECC"] == "")
    books.systems.jde.ledger.delete("F0006", {"MCU": row["MCU"]})
    return row


def notes(books: Books, run: Run, rule: str) -> list[str]:
    return [r.finding.what for r in books.findings(run, rule) if r.finding.severity == "note"]


def test_a_preview_of_members_says_what_would_go_and_asks_anaplan_nothing(books: Books) -> None:
    rename_an_account(books)
    books.requests("anaplan")

    run = books.run("accounts", preview=True)

    assert books.requests("anaplan") == []
    assert (run.outcome, run.exit_code) == ("complete", 0), told(books, run)
    assert (run.figures["rows_to_send"], run.figures["rows_sent"]) == (1, 0)
    assert "1 of " in run.sentence
    assert "nothing was sent" in run.sentence


def test_a_load_after_a_preview_of_members_sends_what_the_preview_told(books: Books) -> None:
    code = rename_an_account(books)
    books.run("accounts", preview=True)

    assert books.run("accounts").figures["rows_sent"] == 1
    assert items(books, "GL Accounts")[code][0] == "Renamed today"


def test_a_preview_of_members_leaves_no_open_finding_and_settles_none(books: Books) -> None:
    blank_code(books)
    loaded = books.run("accounts")
    before = [(r.id, r.state) for r in books.store.rejects(flow="accounts")]
    assert books.rules(loaded) == {"code-too-long"}

    run = books.run("accounts", preview=True)

    assert run.figures["would_reject"] == 1
    assert [(r.id, r.state) for r in books.store.rejects(flow="accounts")] == before


def test_members_are_sent_again_by_a_full_run_and_not_to_unlock_periods(books: Books) -> None:
    tasks = books.tasks()
    unlocked = books.run("accounts", unlock="closing again")
    assert unlocked.sentence.startswith("Nothing new"), told(books, unlocked)
    assert books.tasks() == tasks

    assert books.run("accounts", full=True).figures["rows_sent"] > 100


def test_members_proved_under_another_name_of_the_model_count_no_more(books: Books) -> None:
    ((model,),) = books.systems.anaplan.state.rows("select id from models")
    books.change_flow('model = "FP&A 2026"', f'model = "{model}"')

    run = books.run("accounts")

    assert run.outcome == "complete", told(books, run)
    assert run.figures["rows_sent"] == len(codes_of_accounts(books))
    assert books.run("accounts").sentence.startswith("Nothing new")


def test_members_proved_by_another_import_count_no_more(books: Books) -> None:
    books.person("rename_import", **{"import": "Load GL Accounts", "to": "Load Accounts"})
    books.change_flow('import = "Load GL Accounts"', 'import = "Load Accounts"')

    run = books.run("accounts")

    assert run.outcome == "complete", told(books, run)
    assert run.figures["rows_sent"] == len(codes_of_accounts(books))


def test_a_finding_about_a_member_is_fixed_when_a_later_run_no_longer_has_it(books: Books) -> None:
    row = blank_code(books)
    first = books.run("accounts")
    assert (first.exit_code, books.rules(first)) == (5, {"code-too-long"})
    again = books.run("accounts")
    assert again.exit_code == 5, told(books, again)
    assert [r.state for r in books.findings(first, "code-too-long")] == ["sent again"]
    corrected = {"OBJ": row["OBJ"], "SUB": row["SUB"]}
    books.systems.jde.ledger.update("F0901", corrected, {"AID": row["AID"]})

    assert books.run("accounts").outcome == "complete"

    assert [r.state for r in books.findings(again, "code-too-long")] == ["fixed"]
    assert seeing.rejects(books.instance, flow="accounts", standing=True) == []


def test_notes_are_told_and_never_open(books: Books) -> None:
    run = books.run("accounts", full=True)

    shown = seeing.rejects(books.instance, run=run.id)
    assert {f["severity"] for f in shown} == {"note"}
    assert {f["state"] for f in shown} == {"noted"}
    assert seeing.rejects(books.instance, flow="accounts", standing=True) == []


def test_a_cost_center_that_jde_has_no_longer_is_sent_as_inactive_once(books: Books) -> None:
    unit = str(delete_unit(books)["MCU"]).strip()

    run = books.run("cost_centers")

    assert run.outcome == "complete", told(books, run)
    sent = members(books, "Cost Centers")
    assert {code: row["Active"] for code, row in sent.items()} == {unit: "FALSE"}
    assert unit in items(books, "Cost Centers")
    assert unit in notes(books, run, "member-gone")[0]
    assert books.run("cost_centers").sentence.startswith("Nothing new")


def test_a_lost_cost_center_is_sent_as_inactive_by_the_run_after_a_failed_one(
    books: Books,
) -> None:
    unit = str(delete_unit(books)["MCU"]).strip()
    books.fault("anaplan", "status", path="/imports/", method="POST", status=403, times=1)
    assert books.run("cost_centers").outcome == "failed"

    run = books.run("cost_centers")

    assert run.outcome == "complete", told(books, run)
    assert members(books, "Cost Centers")[unit]["Active"] == "FALSE"


def test_an_account_without_amounts_that_jde_has_no_longer_is_noted_once(books: Books) -> None:
    add_account(books)
    drop_account(books)

    run = books.run("accounts")

    assert run.outcome == "complete", told(books, run)
    assert GONE in notes(books, run, "member-gone")[0]
    assert GONE in items(books, "GL Accounts")
    quiet = books.run("accounts")
    assert quiet.sentence.startswith("Nothing new"), told(books, quiet)


def test_an_account_with_amounts_that_jde_has_no_longer_needs_attention_until_settled(
    books: Books,
) -> None:
    add_account(books, amount="1.00")
    drop_account(books)
    tasks = books.tasks()

    for _ in range(2):
        run = books.run("accounts")
        assert (run.outcome, run.exit_code) == ("needs_attention", 5), told(books, run)
        assert "1 finding (member-gone); 0 members sent" in run.sentence
        (found,) = books.findings(run, "member-gone")
        assert (found.finding.dimension, found.finding.member) == ("account", GONE)
    assert books.tasks() == tasks, "nothing of it can be mended by another import"
    setting_up.set_mapping(books.instance, "account", GONE, "6080.MGMT", "no longer there")

    mapped = books.run("accounts")

    assert mapped.outcome == "complete", told(books, mapped)
    assert [r.state for r in books.findings(run, "member-gone")] == ["fixed"]
    assert books.run("accounts").sentence.startswith("Nothing new")


def test_an_account_gone_from_jde_is_settled_by_removing_it_from_the_list(books: Books) -> None:
    add_account(books, amount="1.00")
    drop_account(books)
    assert books.run("accounts").exit_code == 5
    books.person("change_item", list="GL Accounts", item=GONE, code="OTHER", name="Other")

    assert books.run("accounts").outcome == "complete"
    assert books.run("accounts").sentence.startswith("Nothing new")


def test_a_member_that_comes_back_to_jde_is_sent_as_active_again(books: Books) -> None:
    row = delete_unit(books)
    assert books.run("cost_centers").outcome == "complete"
    books.systems.jde.ledger.insert("F0006", [row])

    assert books.run("cost_centers").outcome == "complete"

    assert members(books, "Cost Centers")[str(row["MCU"]).strip()]["Active"] == "TRUE"


def test_two_accounts_whose_codes_read_alike_are_refused_instead_of_added_up(books: Books) -> None:
    """A point inside an object reads like the one before a subsidiary."""
    rows = next(rows for rows in _by_unit(books).values() if len(rows) > 1)
    codes = ({"OBJ": "60.1", "SUB": ""}, {"OBJ": "60", "SUB": "1"})
    ledger = books.systems.jde.ledger
    for row, code in zip(rows, codes, strict=False):
        ledger.update("F0901", code, {"AID": row["AID"]})

    for flow in ("accounts", "actuals"):
        run = books.run(flow, full=True)

        assert run.outcome == "failed", told(books, run)
        assert "have one code in Anaplan: 60.1" in run.sentence
        assert "Nothing was sent" in run.sentence


def _by_unit(books: Books) -> dict[str, list[dict[str, object]]]:
    """The rows of F0901 of each business unit of a company."""
    found: dict[str, list[dict[str, object]]] = {}
    for row in rows_of(books, "F0901"):
        if row["CO"] == "00001":
            found.setdefault(str(row["MCU"]), []).append(row)
    return found

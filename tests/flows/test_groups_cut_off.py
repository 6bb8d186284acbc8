"""Groups that a fetch limit cuts off a total without a word are missed by no run (J075)."""

from __future__ import annotations

from books import Books, Make, assert_quiet, assert_tied, changed, told

LIMIT_ROWS = 20
FIRST_DAY, DAYS = 123_100, 30  # stamps of the accounts, CYYDDD: more days than groups are shown


def cut_off(books: Books, limit: int = LIMIT_ROWS) -> None:
    """From now on a total shows its first groups only, and does not say that there are more."""
    books.control("jde", "switch", name="fetch_limit_rows", value=limit)
    books.control("jde", "switch", name="fetch_limit_groups", value="silent")


def whole_again(books: Books) -> None:
    books.control("jde", "switch", name="fetch_limit_groups", value="whole")


def test_a_first_load_and_every_event_tie_when_groups_are_cut_off(make: Make) -> None:
    books = make(lines=600)
    cut_off(books)
    last = books.load_everything()
    assert_tied(books, last)
    assert books.findings(last, "batch-without-lines") == []
    assert_quiet(books)
    for name in ("late_post", "backdated", "move_period", "void_reenter"):
        books.event(name)
    touched = changed(books.anaplan(), books.expected())

    assert_tied(books, books.run())

    assert books.uploaded_cells() == touched
    assert_quiet(books)


def test_an_account_recoded_on_a_day_that_is_cut_off_is_found(books: Books) -> None:
    answer = books.event("recode")  # which account the next one will be
    ledger = books.systems.jde.ledger
    for n, row in enumerate(ledger.rows("F0901")):
        ledger.update("F0901", {"UPMJ": FIRST_DAY + n % (DAYS - 1)}, {"AID": row["AID"]})
    ledger.update("F0901", {"UPMJ": FIRST_DAY + DAYS}, {"AID": answer["account"]})
    cut_off(books)
    books.run("accounts")
    assert_tied(books, books.run())
    assert_quiet(books)
    unit, object_account, *rest = answer["code_before"].split(".")
    books.event(
        "recode", account=answer["account"], unit=unit, object=object_account,
        subsidiary="".join(rest),
    )  # fmt: skip
    books.run("accounts")
    touched = changed(books.anaplan(), books.expected())
    assert touched

    assert_tied(books, books.run())

    assert books.uploaded_cells() == touched
    assert_quiet(books)


def test_unposted_lines_are_noted_for_every_company_when_groups_are_cut_off(books: Books) -> None:
    def noted(run_id: str) -> set[tuple[str, str]]:
        found = books.store.rejects(run=run_id)
        return {(r.finding.company, r.finding.what) for r in found if r.finding.rule == "unposted"}

    whole = noted(books.run(full=True).id)
    run = books.run(
        full=True,
        meanwhile={
            "check what is shown:before": lambda: cut_off(books, limit=2),
            "check what is shown:after": lambda: whole_again(books),
        },
    )

    assert_tied(books, run)
    assert noted(run.id) == whole, told(books, run)
    assert len(whole) > 2


def test_posted_batches_of_other_ledgers_are_not_said_to_be_hidden_when_groups_are_cut_off(
    new_books: Books,
) -> None:
    limit = {"check what is shown:before": lambda: cut_off(new_books, limit=2)}

    run = new_books.run(meanwhile=limit)

    assert new_books.findings(run, "batch-without-lines") == [], told(new_books, run)


def test_accounts_that_left_jde_with_amounts_are_all_told_when_groups_are_cut_off(
    books: Books,
) -> None:
    ledger = books.systems.jde.ledger
    for place in ("NEW", "OLD", "ODD"):
        books.event("add_account", code=f"30.7995.{place}", amount="1.00")
    assert books.run("accounts").outcome == "complete"
    ledger.delete("F0901", {"OBJ": "7995"})

    run = books.run(
        "accounts", meanwhile={"compare with the last load:before": lambda: cut_off(books, 2)}
    )

    gone = {r.finding.member for r in books.findings(run, "member-gone")}
    assert gone == {"7995.NEW", "7995.OLD", "7995.ODD"}, told(books, run)

"""What stands on the desk is counted as it comes and goes, and found in any order by an index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from sqlalchemy import event, insert, text

from tieout.core.findings import Finding, Severity
from tieout.core.listing import Wanted, read_cursor
from tieout.store import desk, migrate, piles, rejects
from tieout.store.listing import LOOKED_ROWS_MAX
from tieout.store.reject_schema import app_reject
from tieout.store.rejects import Decision
from tieout.store.runs import NewRun
from tieout.store.store import Store

MISSING = Finding(
    "unmatched-member", Severity.REJECT, "account 8740", "Anaplan has no account 8740.",
    company="00001", dimension="account", member="8740", amount=Decimal("1204.00"),
    currency="USD", cells=3,
)  # fmt: skip
NOTE = replace(MISSING, severity=Severity.NOTE, subject="batch 1234")
RULES, COMPANIES = ("unmatched-member", "not-proved"), ("00001", "00060", "")
SORTS = ("id", "first_seen", "company", "amount", "cells")
FILTERS: tuple[dict[str, str], ...] = (
    {}, {"rule": "not-proved"}, {"company": "00060"}, {"state": "waived"}, {"owner": "ben"},
    {"rule": "not-proved", "company": "00001"}, {"member": "code 7"}, {"what": "7"},
)  # fmt: skip


def found(store: Store, *findings: Finding, settles: bool = True, flow: str = "actuals") -> str:
    """A run that finds this and, unless it breaks off, settles what earlier runs had found."""
    run = store.new_run(NewRun(flow, "load_actuals", "Anna", alone=False)).id
    store.run_step(run, "find", lambda step: step.reject(findings) or {})
    if settles:
        earlier = [r.id for r in store.rejects(flow=flow, standing=True) if r.run != run]
        store.run_step(run, "close", lambda step: step.settle(earlier, "fixed") or {})
    return run


def decided(store: Store, verb: str, ids: Sequence[int], *to: str, why: str = "") -> None:
    """Pat decides."""
    decision = Decision("pat", store.clock.now(), why)
    with store.begin() as connection:
        getattr(rejects, verb)(connection, ids, *to, decision)


def drawn(dice: Random, n: int) -> Finding:
    severity = dice.choice([Severity.REJECT, Severity.REJECT, Severity.DIFFERENCE, Severity.NOTE])
    return replace(
        MISSING, severity=severity, rule=dice.choice(RULES), company=dice.choice(COMPANIES),
        subject=f"account {n}", member=f"code {n % 9}", cells=dice.randrange(5),
        currency=dice.choice(["USD", "JPY"]), what=f"Anaplan has no account {n}.",
        amount=dice.choice([None, Decimal(dice.randrange(-99, 99)) / 4]),
    )  # fmt: skip


def counted_anew(store: Store) -> Counter[tuple[Any, ...]]:
    """What stands, by all that its piles tell apart, each with its rows, cells and amounts."""
    told: Counter[tuple[Any, ...]] = Counter()
    for r in store.rejects(standing=True):
        f = r.finding
        if f.severity is Severity.NOTE:
            continue
        key = (r.flow, r.run, f.rule, f.company, r.state, r.owner or "", f.currency)
        told[(*key, "rows")] += 1
        told[(*key, "cells")] += f.cells
        if f.amount is not None:
            told[(*key, "amounts")] += 1
            told[(*key, "amount")] += abs(f.amount)  # type: ignore[assignment]  # a sum
    return +told


def as_kept(store: Store) -> Counter[tuple[Any, ...]]:
    told: Counter[tuple[Any, ...]] = Counter()
    with store.database.read() as connection:
        kept = piles.listed(connection)
    assert all(pile.rows for pile in kept)
    for pile in kept:
        key = tuple(getattr(pile, name) for name in piles.ALIKE)
        for name in ("rows", "cells", "amounts", "amount"):
            told[(*key, name)] += getattr(pile, name)
    return +told


def test_what_stands_is_counted_the_same_as_if_it_were_counted_now(
    store: Store, dice: Random
) -> None:
    for round_ in range(6):
        many = [drawn(dice, n) for n in range(dice.randrange(1, 30))]
        found(store, *many, settles=bool(dice.randrange(2)), flow=dice.choice(["actuals", "plan"]))
        here = [r for r in store.rejects(standing=True) if r.finding.severity is not Severity.NOTE]
        open_, waived = ([r.id for r in here if (r.state == "waived") is w] for w in (False, True))
        if open_:
            decided(store, "assign", dice.sample(open_, len(open_) // 3 + 1), "ben")
            decided(store, "waive", dice.sample(open_, len(open_) // 3 + 1), why="as agreed")
        if waived:
            decided(store, "reopen", waived[:1], why="not after all")
        assert as_kept(store) == counted_anew(store), round_
        with store.database.read() as connection:
            assert piles.miscounted(connection) == 0, round_
    standing = [r for r in store.rejects(standing=True) if r.finding.severity is not Severity.NOTE]
    with store.begin() as connection:
        ids = [r.id for r in store.rejects(standing=True)]
        piles.take(connection, ids)
        connection.execute(app_reject.update().values(pile=None))
        assert piles.miscounted(connection) == len(standing), "they stand, and lie on no pile"
    assert as_kept(store) == Counter()


def test_text_by_which_amounts_are_sorted_sorts_as_the_amounts_do(dice: Random) -> None:
    amounts = [
        Decimal(dice.randrange(-(10**9), 10**9)).scaleb(-dice.randrange(6)) for _ in "x" * 99
    ]
    amounts += [Decimal(0), Decimal("-0.001"), Decimal("1e15"), Decimal("-1e15"), Decimal("1e30")]
    assert sorted(amounts, key=piles.weight) == sorted(amounts)
    assert piles.weight(None) < min(map(piles.weight, amounts))


@pytest.fixture
def many(store: Store, dice: Random) -> Store:
    """A desk of a hundred rejects, some of them somebody's, some waived."""
    found(store, *(drawn(dice, n) for n in range(120)), NOTE)
    ids = [r.id for r in store.rejects() if r.finding.severity is not Severity.NOTE]
    decided(store, "assign", ids[::7], "ben")
    decided(store, "waive", ids[1::7], why="as agreed")
    return store


def pages(store: Store, wanted: Wanted) -> list[int]:
    """The numbers of all pages, one after the other."""
    told: list[int] = []
    while True:
        with store.database.read() as connection:
            page = desk.page(connection, wanted)
        assert len(page.rejects) <= wanted.rows
        told += [reject.id for reject in page.rejects]
        if not page.listed.after:
            return told
        wanted = replace(wanted, start=read_cursor(page.listed.after))


@pytest.mark.parametrize("found_by", FILTERS, ids=lambda one: " ".join(one) or "none")
def test_every_order_of_the_desk_has_each_of_its_rejects_once(
    many: Store, found_by: dict[str, str]
) -> None:
    def agrees(reject: Any) -> bool:
        f = reject.finding
        told = {"rule": f.rule, "company": f.company, "state": reject.state, "member": f.member}
        told["owner"] = reject.owner or ""
        word = found_by.get("what", "")
        exact = {k: v for k, v in found_by.items() if k != "what"}
        return word in f.what and all(told[k] == v for k, v in exact.items())

    there = [
        r for r in many.rejects(standing=True)
        if r.finding.severity is not Severity.NOTE and agrees(r)
    ]  # fmt: skip
    least = Decimal(-(10**9))
    orders: dict[str, Any] = {
        "id": lambda r: r.id, "first_seen": lambda r: (r.first_seen, r.id),
        "company": lambda r: (r.finding.company, r.id),
        "amount": lambda r: (least if r.finding.amount is None else r.finding.amount, r.id),
        "cells": lambda r: (r.finding.cells, r.id),
    }  # fmt: skip
    assert there
    for sort in SORTS:
        for down in (False, True):
            expected = [r.id for r in sorted(there, key=orders[sort], reverse=down)]
            assert pages(many, Wanted(sort, down, found_by, rows=7)) == expected, (sort, down)


def plans(store: Store, wanted: Wanted) -> list[str]:
    """How the database finds what the desk asks it for."""
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    engine = store.database.engine
    event.listen(engine, "before_cursor_execute", note)
    with store.database.read() as connection:
        desk.page(connection, wanted)
    event.remove(engine, "before_cursor_execute", note)
    told = []
    sqlite = store.database.is_sqlite
    with store.begin() as connection:
        if not sqlite:  # of some hundred rows it would rather read all
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        for statement, parameters in asked:
            if "app_reject" in statement:
                how = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
                rows = connection.exec_driver_sql(how + statement, parameters)
                told.append("\n".join(str(row[-1]) for row in rows))
    return told


def test_no_order_and_no_filter_of_the_desk_reads_all_that_was_ever_found(many: Store) -> None:
    for sort in SORTS:
        for found_by in FILTERS:
            for plan in plans(many, Wanted(sort, False, found_by)):
                for line in plan.splitlines():
                    whole = line.startswith("SCAN app_reject") and " INDEX " not in line
                    assert not whole, (sort, found_by, plan)
                    assert "Seq Scan on app_reject" not in line, (sort, found_by, plan)


def test_a_word_is_compared_with_no_more_rejects_than_are_looked_through(many: Store) -> None:
    for found_by in ({"what": "9"}, {"what": "9", "company": "00001"}):
        for plan in plans(many, Wanted("first_seen", True, found_by)):
            # PostgreSQL once compared it with each of a million, to sort out the others then.
            assert "(what ~~*" not in plan, plan


def test_a_filter_by_a_word_looks_through_a_part_and_says_where_to_go_on(store: Store) -> None:
    run = found(store, MISSING, settles=False)
    (first,) = store.rejects()
    row = {c.name: getattr(first, c.name, None) for c in app_reject.c if c.name != "id"}
    told = {name: getattr(first.finding, name) for name in Finding.__slots__}
    row |= told | {"severity": "reject", "run": run, "weight": piles.weight(MISSING.amount)}
    with store.begin() as connection:
        connection.execute(
            insert(app_reject),
            [row | {"pile": 1, "what": "one"} for _ in range(LOOKED_ROWS_MAX)]
            + [row | {"pile": 1, "what": "the last of all"}],
        )
    wanted = Wanted("id", found_by={"what": "THE LAST"})
    with store.database.read() as connection:
        page = desk.page(connection, wanted)
        assert not page.rejects
        assert page.listed.looked == LOOKED_ROWS_MAX
        page = desk.page(connection, replace(wanted, start=read_cursor(page.listed.after)))
    assert [reject.finding.what for reject in page.rejects] == ["the last of all"]
    assert not page.listed.after


def test_an_instance_from_before_the_piles_has_on_them_what_stands(
    store: Store, dice: Random
) -> None:
    found(store, *(drawn(dice, n) for n in range(40)))
    found(store, *(drawn(dice, n) for n in range(20, 60)))
    with store.begin() as connection:
        weights = dict(connection.execute(text("SELECT id, weight FROM app_reject")).all())
        newer = ("age", "company", "weight", "cells", "pile", "member", "line", "run", "of_flow")
        for name in newer:
            connection.execute(text(f"DROP INDEX app_reject_{name}"))
        connection.execute(text("CREATE INDEX app_reject_run ON app_reject (run)"))
        connection.execute(text("DROP TABLE app_pile"))
        for column in ("pile", "weight"):
            connection.execute(text(f"ALTER TABLE app_reject DROP COLUMN {column}"))
        connection.execute(text("ALTER TABLE app_identity DROP COLUMN handed_by"))
        connection.execute(text("UPDATE app_schema SET version_num = '0017'"))
    migrate.migrate(store.database)
    assert as_kept(store) == counted_anew(store)
    with store.database.read() as connection:
        on = connection.execute(text("SELECT id, weight FROM app_reject WHERE pile IS NOT NULL"))
        assert all(weights[id_] == weight for id_, weight in on.all())
    found(store, *(drawn(dice, n) for n in range(50, 70)))
    assert as_kept(store) == counted_anew(store)

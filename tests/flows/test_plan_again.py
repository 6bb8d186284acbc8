"""A plan that is prepared again: nothing twice, and what changed moves by its difference."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from plan_faults import FAULTS, everything_answered, heal, next_run, settle
from plan_life import Life
from small_plan import COST, LEDGER, REVENUE, WAGES, SmallPlan, by_months

from tieout.core.findings import Severity
from tieout.engine.story import Failpoint, Interrupted
from tieout.errors import NotAllowed, Refused
from tieout.sim.anaplan.state import TIME_ID, Item
from tieout.verbs import replaying, setting_up

Small = Callable[[str], SmallPlan]
CELL = ("00001", COST, "Jan 26")
YES = {"approved": True, "approver": "controller@example.com"}
BOOKED = ("10.5005", 2026, 1)


def posted(p: SmallPlan) -> None:
    """What was approved is sent, posted by people and verified."""
    for batch in p.approved_batches():
        p.follows(batch)
    p.everything_posted()
    settle(p)
    assert {j.state for j in p.journals() if not j.given_up} == {"verified"}


def documents(p: SmallPlan) -> list[tuple[int, int]]:
    """Document number and sum of every document in the plan's ledger, in stored units."""
    return p.ledger.query(
        "SELECT DOC, sum(AA) FROM F0911 WHERE LT = ? GROUP BY DOC ORDER BY DOC", (LEDGER,)
    )


def test_the_same_plan_prepared_again_makes_no_document(small: Small) -> None:
    p = small("approved")
    posted(p)
    before = documents(p)

    again = p.prepares()

    assert (again.outcome, again.exit_code) == ("complete", 0), again.sentence
    assert p.waiting() == []
    assert documents(p) == before
    assert len(before) == 2


def test_one_changed_amount_is_one_document_with_that_difference(small: Small) -> None:
    p = small("approved")
    posted(p)
    before = documents(p)
    p.enter([CELL], amount="90")

    p.approved()
    posted(p)

    (new,) = [d for d in documents(p) if d not in before]
    assert new[1] == 667  # 90.00 less the 83.33 that are there
    assert p.held() == p.wanted(by_months)


def test_120_then_100_then_120_then_100_are_four_documents_and_never_a_fifth(
    small: Small,
) -> None:
    p = small("approved")
    posted(p)
    for amount in ("120", "100", "120", "100"):
        before = documents(p)
        p.enter([CELL], amount=amount)

        p.approved()
        posted(p)

        assert len(documents(p)) == len(before) + 1
        assert p.held()[BOOKED] == Decimal(amount)
        assert p.prepares().exit_code == 0
    assert [sum_ for _, sum_ in documents(p)][-4:] == [3667, -2000, 2000, -2000]


@pytest.mark.parametrize("known", ["nothing", "prepared", "approved"])
@pytest.mark.parametrize("there", ["posted", "created", "unprocessed"])
def test_yesterdays_database_and_another_run_make_no_document(
    small: Small, known: str, there: str
) -> None:
    p = small("entered")
    life = Life(p)
    if known == "nothing":
        life.save()
    p.prepares()
    if known == "prepared":
        life.save()
    life.approve()
    if known == "approved":
        life.save()
    if there == "unprocessed":
        next_run(process=False)(p)
    (batch,) = p.approved_batches()
    p.follows(batch)
    if there == "posted":
        posted(p)
    before, filed = documents(p), len(p.ledger.rows("F0911Z1"))
    assert filed == 4

    life.restore()
    settle(p)
    again = p.prepares() if known == "nothing" else None
    for waiting in p.waiting():
        p.approve(waiting, [ask["rule"] for ask in waiting.summary["asks"]])
        p.follows(waiting)
    settle(p)

    assert documents(p) == before
    assert len(p.ledger.rows("F0911Z1")) == filed, again and again.sentence
    if there == "unprocessed":  # nobody waits for these rows any more, so a person has to know
        told = p.prepares()
        assert p.rules(told) == {"journal-unprocessed"}, told.sentence
    heal(p)
    p.books.control("jde", "orchestrations", process=True)
    p.everything_posted()
    settle(p)
    assert p.held() == p.wanted(by_months)
    assert len(documents(p)) == 2
    assert p.prepares().exit_code == 0


def test_what_is_let_prepared_again_is_prepared_although_an_earlier_preparation_had_died(
    small: Small,
) -> None:
    p = small("approved")
    posted(p)
    (journal, *_) = p.journals()
    p.people_do("void", journal)
    p.checks(every=True)
    with pytest.raises(Interrupted):
        p.prepares(moment=dies_at("nothing to prepare", "after"))

    run = p.prepares(again=[journal.name])

    assert run.exit_code == 7, run.sentence
    assert [b.run for b in p.waiting()] == [run.id]


def test_a_batch_of_which_nothing_was_sent_goes_again_under_its_own_keys(small: Small) -> None:
    p = small("approved")
    (batch,) = p.approved_batches()
    tokens = {j.name: j.token for j in p.journals(batch)}
    shown = replaying.batch_again(p.as_("anna"), batch.id, look=True)
    assert (shown["journals"], documents(p)) == (list(tokens), [])
    with pytest.raises(NotAllowed):
        replaying.batch_again(p.as_("ada"), batch.id)

    p.told(replaying.batch_again, p.as_("anna"), batch.id)

    assert len(documents(p)) == len(tokens)
    assert {j.name: j.token for j in p.journals(batch)} == tokens
    with pytest.raises(Refused, match="only an approved batch of which nothing was sent"):
        replaying.batch_again(p.as_("anna"), batch.id)
    assert len(documents(p)) == len(tokens)


def dies_at(step: str, point: str) -> Failpoint:
    """This process dies at one moment of a step."""

    def moment(name: str, at: str) -> None:
        if (name, at) == (step, point):
            raise Interrupted(f"{name}:{at}")

    return moment


def test_lines_that_come_after_they_were_prepared_again_are_taken_for_that_journal(
    small: Small,
) -> None:
    p = small("approved")
    (late,) = [f for f in FAULTS if f.name == "202, done an hour later"]
    late.arm(p)
    p.follows(p.approved_batches()[0])
    absent = [j for j in p.journals() if j.state == "absent"]
    assert absent
    p.books.no_more_faults()
    assert p.prepares().exit_code == 7
    (again,) = p.waiting()
    assert {j.token for j in p.journals(again)} == {j.token for j in absent}

    heal(p)  # the call runs that was proved absent
    p.approve(again, [ask["rule"] for ask in again.summary["asks"]])
    everything_answered(p)

    assert p.prepares().exit_code == 0
    assert len(documents(p)) == 2
    assert p.held() == p.wanted(by_months)
    assert not [j for j in p.journals() if j.state == "reserved"]


def add_times(p: SmallPlan, *names: str) -> None:
    """The modeller has periods of other names in the model's calendar."""
    state = p.books.systems.anaplan.state
    with state.lock:
        (model,) = state.row("select id from models")
        items = [Item(str(7_000_000_000 + n), name, "", "") for n, name in enumerate(names)]
        state.add_items(model, TIME_ID, items)
        state.db.commit()


def planned_by_table(p: SmallPlan, company: str, rows: dict[str, tuple[str, int, int]]) -> None:
    """The flow plans one company whose periods have names of their own: pattern, year, period."""
    p.enter(list(p.plan()), approved=False)  # of companies that are not planned any more
    add_times(p, *rows)
    table = "pattern,year,period,member\n" + "".join(
        f"{pattern},{year},{period},{name}\n" for name, (pattern, year, period) in rows.items()
    )
    (p.books.home / "periods.csv").write_text(table)
    p.change_flow('companies = ["00001", "00070"]', f'companies = ["{company}"]')
    p.change_flow(
        'period_13 = { default = "fold" }',
        'period_13 = { default = "separate" }\nperiods = "periods.csv"',
    )


def test_thirds_and_twelfths_are_quantised_once_per_cell_in_every_currency(small: Small) -> None:
    p = small("entered")
    companies = ("00001", "00070", "00060", "00090", "00200")
    listed = ", ".join(f'"{c}"' for c in companies)
    p.change_flow('companies = ["00001", "00070"]', f"companies = [{listed}]")
    months = ("Jan 26", "Feb 26", "Mar 26")
    for n, amount in enumerate(("83.3333", "-12.3455", "0.0005")):
        p.enter([(c, a, months[n]) for c in companies for a in (REVENUE, COST)],
                amount=amount, **YES)  # fmt: skip

    p.approved()
    posted(p)

    plain = {c: by_months for c in companies if c != "00200"}
    wanted = p.wanted(lambda company, month: plain.get(company, by_months)(company, month))
    held = p.held()
    assert {k: v for k, v in held.items() if not k[0].startswith("201")} == {
        k: v for k, v in wanted.items() if not k[0].startswith("201")
    }
    assert held["10.4010", 2026, 1] == Decimal("-83.33")  # revenue stands in credit
    assert held["10.4010", 2026, 2] == Decimal("12.35")  # half goes up, away from zero
    assert held["71.5005", 2026, 1] == 83
    assert held["91.5005", 2025, 4] == Decimal("83.333")
    assert held["91.5005", 2025, 6] == Decimal("0.001")
    assert p.prepares().exit_code == 0


def test_a_plan_of_period_13_is_booked_into_period_13_alone(small: Small) -> None:
    p = small("entered")
    rows = {"P12 FY26": ("A", 2026, 12), "P13 FY26": ("A", 2026, 13)}
    planned_by_table(p, "00060", rows)
    p.enter([("00060", a, "P12 FY26") for a in (REVENUE, COST)], amount="1200.005", **YES)
    p.enter([("00060", a, "P13 FY26") for a in (REVENUE, COST)], amount="13.1350", **YES)

    p.approved()
    posted(p)

    assert p.held() == {
        ("61.4010", 2026, 12): Decimal("-1200.01"), ("61.5005", 2026, 12): Decimal("1200.01"),
        ("61.4010", 2026, 13): Decimal("-13.14"), ("61.5005", 2026, 13): Decimal("13.14"),
    }  # fmt: skip
    assert p.prepares().exit_code == 0


def test_a_plan_of_weeks_4_4_5_is_booked_into_the_periods_its_labels_mean(small: Small) -> None:
    p = small("entered")
    rows = {f"445 P{n:02}": ("C", 2026, n) for n in range(1, 13)}
    planned_by_table(p, "00200", rows)
    for name, (_, _, period) in rows.items():
        p.enter([("00200", COST, name)], amount=f"{period}.3335", **YES)
        p.enter([("00200", REVENUE, name)], amount=f"-{period}.3335", **YES)

    p.approved()
    posted(p)

    assert p.held() == {
        (account, 2026, n): Decimal(f"{n}.33")
        for n in range(1, 13) for account in ("201.4010", "201.5005")
    }  # fmt: skip
    ends = p.ledger.query("SELECT PN, min(DGJ) FROM F0911 WHERE LT = ? GROUP BY PN", (LEDGER,))
    pattern = p.ledger.rows("F0008", {"DTPN": "C", "CTRY": 20, "FY": 26})[0]
    assert dict(ends) == {n: pattern[f"D{n:02}J"] for n in range(1, 13)}
    assert p.prepares().exit_code == 0


def test_a_plan_whose_account_was_mapped_elsewhere_is_not_entered_a_second_time(
    small: Small,
) -> None:
    p = small("approved")
    posted(p)
    before = documents(p)
    (wages,) = p.ledger.rows("F0901", {"MCU": "10", "OBJ": WAGES})
    header = "company,account,business_unit,account_id,subledger,subledger_type"
    told = f"{header}\n00001,{COST},10,{wages['AID']},,\n"
    (p.books.home / "targets.csv").write_text(told)
    p.change_flow('label = "', 'targets = "targets.csv"\nlabel = "')
    setting_up.set_mapping(p.as_("anna"), "account", WAGES, COST, "one account in the plan")

    run = p.prepares()

    found = {f.rule: f for f in (r.finding for r in p.store.rejects(run=run.id))}
    assert "plan-moved" in found, sorted(found)
    assert found["plan-moved"].company == "00001"
    assert not [j for b in p.waiting() for j in p.journals(b) if j.company == "00001"]
    assert documents(p) == before


@pytest.mark.parametrize("now", ["A,2026,13", "A,2027,1"])
def test_a_plan_whose_label_means_another_period_is_not_booked_a_second_time_unasked(
    small: Small, now: str
) -> None:
    p = small("entered")
    planned_by_table(p, "00060", {"YE FY26": ("A", 2026, 12)})
    p.enter([("00060", a, "YE FY26") for a in (REVENUE, COST)], amount="1200", **YES)
    p.approved()
    posted(p)
    before = documents(p)
    table = p.books.home / "periods.csv"
    table.write_text(table.read_text().replace("A,2026,12", now))

    run = p.prepares()

    found = {f.rule: f for f in (r.finding for r in p.store.rejects(run=run.id))}
    assert "plan-moved" in found, (run.sentence, sorted(found))
    assert (found["plan-moved"].cells, found["plan-moved"].amount) == (2, 2400)
    assert "in 2026-12" in found["plan-moved"].what
    if now == "A,2027,1":  # a label may be given to another year on purpose: who approves is asked
        assert found["plan-moved"].severity is Severity.ASK
        assert len(p.waiting()) == 1
    else:
        assert p.waiting() == []
    assert documents(p) == before

    table.write_text(table.read_text().replace(now, "A,2026,12"))
    assert p.prepares().exit_code == 0


def target_under(p: SmallPlan, subledger: str) -> None:
    """The table of targets books the costs of one company under a subledger of their account."""
    (cost,) = p.ledger.rows("F0901", {"MCU": "10", "OBJ": COST})
    header = "company,account,business_unit,account_id,subledger,subledger_type"
    told = f"{header}\n00001,{COST},10,{cost['AID']},{subledger},A\n"
    (p.books.home / "targets.csv").write_text(told)


@pytest.mark.parametrize("there", ["posted", "created"])
def test_a_plan_whose_target_names_another_subledger_is_not_left_under_the_old_one(
    small: Small, there: str
) -> None:
    p = small("entered")
    target_under(p, "00001001")
    p.change_flow('label = "', 'targets = "targets.csv"\nlabel = "')
    p.approved()
    if there == "posted":
        posted(p)
    else:
        (batch,) = p.approved_batches()
        p.follows(batch)
    before = documents(p)
    target_under(p, "00001002")

    for amount in ("83.3333", "90"):  # the same plan, and one that was raised
        p.enter([CELL], amount=amount)
        run = p.prepares()
        found = {f.rule: f for f in (r.finding for r in p.store.rejects(run=run.id))}
        assert "plan-moved" in found, (run.sentence, sorted(found))
        assert (found["plan-moved"].company, found["plan-moved"].cells) == ("00001", 1)
        assert "in 2026-01 under subledger 00001001" in found["plan-moved"].what
        assert run.exit_code == 5, run.sentence
        assert p.waiting() == []
    assert documents(p) == before

    target_under(p, "00001001")
    p.approved()
    posted(p)
    assert p.held()[BOOKED] == 90
    lines = p.ledger.rows("F0911", {"LT": LEDGER, "MCU": "10", "OBJ": COST})
    assert {line["SBL"] for line in lines} == {"00001001"}
    assert p.prepares().exit_code == 0

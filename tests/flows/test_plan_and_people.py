"""What people at JD Edwards did to earlier journals is seen before the next are prepared."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from plan_faults import on_call, settle
from small_plan import COST, LEDGER, SmallPlan, by_months

from tieout.errors import Refused
from tieout.store.runs import Run

Small = Callable[[str], SmallPlan]
CELL = ("00001", COST, "Jan 26")


def sent(p: SmallPlan) -> None:
    """What was approved is in JD Edwards and waits for people there."""
    for batch in p.approved_batches():
        p.follows(batch)


def found(p: SmallPlan, run: Run) -> set[tuple[str, str]]:
    """Rule and severity of what a run found about earlier journals."""
    rejects = [r.finding for r in p.books.findings(run)]
    return {(f.rule, str(f.severity)) for f in rejects if f.rule.startswith("journal-")}


def test_an_amount_that_somebody_edited_is_asked_about_and_brought_back(small: Small) -> None:
    p = small("approved")
    sent(p)
    journal = next(j for j in p.journals() if j.company == "00001")
    p.people_do("edit", journal, line=1, amount="1.00")

    run = p.prepares()

    assert found(p, run) == {("journal-drifted", "ask")}
    batch = p.waiting()[0]
    with pytest.raises(Refused, match="asks first"):
        p.approve(batch)
    p.approve(batch, ["journal-drifted"])
    p.follows(batch)
    p.everything_posted()
    settle(p)
    assert p.held() == p.wanted(by_months)


def test_an_absent_journal_is_asked_about_before_its_amounts_go_again(small: Small) -> None:
    p = small("without numbers")
    on_call("cut_before", times=9)(p)
    sent(p)
    p.books.no_more_faults()
    lost = [j.name for j in p.journals() if j.state == "absent"]
    assert lost, [j.state for j in p.journals()]

    run = p.prepares()

    assert ("journal-absent", "ask") in found(p, run)
    batch = p.waiting()[0]
    assert {ask["subject"] for ask in batch.summary["asks"]} >= {f"journal {n}" for n in lost}
    again = [j for j in p.journals(batch) if "sent_before" in j.evidence]
    assert {j.evidence["sent_before"] for j in again} == set(lost)
    assert {j.posting.sends for j in again} == {1}, "what was sent before is proved absent anew"


def test_what_a_complete_plan_does_not_name_goes_to_zero_when_a_person_says_so(
    small: Small,
) -> None:
    p = small("approved")
    sent(p)
    p.everything_posted()
    settle(p)
    p.change_flow(
        f'versions = {{ "Budget 2026" = "{LEDGER}" }}',
        f'versions = {{ "Budget 2026" = "{LEDGER}" }}\nscope = "complete"\nuniverse = '
        '{ companies = ["00001", "00070"], accounts = "4000-6999", periods = "2026-01..2026-12" }',
    )
    p.enter([CELL], approved=False, approver="")
    assert p.prepares().figures["journals"] == 0, "present but not approved: left as it is"

    p.enter([CELL], amount="0", approved=False, approver="")  # the export leaves it out now
    run = p.prepares()

    assert run.exit_code == 7, run.sentence
    batch = p.waiting()[0]
    assert [z["lines"] for z in batch.summary["zeroed"]] == [1]
    assert [ask["rule"] for ask in batch.summary["asks"]] == ["plan-zeroed"]
    with pytest.raises(Refused, match="asks first"):
        p.approve(batch)
    p.approve(batch, ["plan-zeroed"])
    p.follows(batch)
    p.everything_posted()
    settle(p)
    assert ("10.5005", 2026, 1) not in p.held()
    assert p.held() == p.wanted(by_months)


def test_a_yes_to_a_changed_journal_is_for_what_was_seen_then(small: Small) -> None:
    p = small("approved")
    sent(p)
    journal = next(j for j in p.journals() if j.company == "00001")
    p.people_do("edit", journal, line=1, amount="1.00")
    p.prepares()
    assert found(p, p.prepares(again=[journal.name])) == set(), "it is known, and nobody is asked"

    p.people_do("edit", journal, line=1, amount="2.00")

    assert found(p, p.prepares()) == {("journal-drifted", "ask")}


def test_an_unposted_line_counts_by_its_date_whatever_year_it_carries(small: Small) -> None:
    """The post gives it the period of its date; until then a loader may have written none."""
    p = small("approved")
    sent(p)
    rows = p.lines(next(j for j in p.journals() if j.company == "00001"))
    line = next(row for row in rows if row["PN"] == 1)
    theirs = {"DCT": "JE", "DOC": 99_001, "ICU": 99_001, "EXA": "by hand", "R1": "", "R2": ""}
    p.ledger.insert("F0911", [line | theirs | {"CTRY": 0, "FY": 0, "PN": 0, "TORG": "EVA"}])

    run = p.prepares()

    assert "others-in-flight" in p.rules(run), run.sentence

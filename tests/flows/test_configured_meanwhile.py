"""A configuration that is applied while a run waits: nothing is sent as it was before that."""

from __future__ import annotations

from collections.abc import Callable

from books import Books, assert_tied, told
from small_plan import SmallPlan

from tieout.verbs import setting_up


def test_a_run_that_waited_while_a_period_was_locked_sends_nothing_into_it(books: Books) -> None:
    before = books.anaplan()
    books.event("late_post", company="00001", period="2025-02")
    begun = books._begun("actuals", "", {})
    books.set_actuals('locked_through = "2025-03"')

    run = books.carry_on(begun, {})

    assert run.outcome == "failed", told(books, run)
    assert "actuals was changed in the configuration (version 2)" in run.sentence
    assert "Nothing was sent" in run.sentence
    assert books.anaplan() == before

    run = books.run()

    assert books.rules(run) == {"locked-period"}, told(books, run)
    assert books.anaplan() == before


def test_a_run_that_waited_while_another_flow_was_changed_loads(books: Books) -> None:
    books.event("late_post", company="00001", period="2025-02")
    begun = books._begun("actuals", "", {})
    books.change_flow('where = { STYL = ["CC", "IS", "BS"] }', 'where = { STYL = ["CC", "IS"] }')

    assert_tied(books, books.carry_on(begun, {}))


def test_what_was_approved_is_void_when_the_plan_is_configured_otherwise_before_it_leaves(
    small: Callable[[str], SmallPlan],
) -> None:
    plan = small("approved")
    [batch] = plan.batches()
    applied = plan.store.config()
    assert applied is not None
    text = applied.text.replace('companies = ["00001", "00070"]', 'companies = ["00070"]')
    assert text != applied.text
    setting_up.apply_project(plan.as_("ada"), text)

    [run] = plan.submit(batch)

    assert (run.outcome, run.exit_code) == ("needs_attention", 7), run.sentence
    assert "plan was changed in the configuration" in run.sentence
    assert [b.state for b in plan.batches()] == ["void"]
    assert not plan.new_documents()

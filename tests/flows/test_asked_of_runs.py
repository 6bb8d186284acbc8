"""What a person may ask of a run, and how the last one is shown."""

from __future__ import annotations

from typing import Any

import pytest
from books import Books

from tieout.app import PROJECT_FILE
from tieout.core.policy import OWNER
from tieout.errors import Misconfigured
from tieout.store.runs import Ending, NewRun, Run
from tieout.verbs import running, seeing
from tieout.verbs.overview import overview

CARRIED_OUT_SECONDS_MAX = 120.0


def ended(books: Books, ending: Ending, **asked: Any) -> Run:
    """A run of the actuals that ended so, as the store keeps it."""
    run = books.store.new_run(NewRun("actuals", "load_actuals", OWNER, asked=asked))
    return books.store.finish_run(run.id, ending)


@pytest.mark.parametrize("code", [5, 6])
def test_the_page_is_not_green_when_a_preview_follows_a_run_that_needs_attention(
    books: Books, code: int
) -> None:
    assert overview(books.instance)["good"]
    bad = ended(books, Ending("needs_attention", "48 cells are open.", code, {}))
    ended(books, Ending("complete", "Nothing was sent.", 0, {}), preview=True)

    found = overview(books.instance)

    assert not found["good"]
    assert "Actuals needs attention." in found["verdict"]
    assert {f["flow"]: f["last"]["run"] for f in found["flows"]}["actuals"] == bad.id


@pytest.mark.parametrize("code", [5, 6])
def test_the_last_tie_out_is_as_good_as_the_run_that_made_it(books: Books, code: int) -> None:
    assert seeing.tied(books.instance, "actuals")["ok"]
    ended(books, Ending("needs_attention", "48 cells are open.", code, {}))
    ended(books, Ending("complete", "Nothing was sent.", 0, {}), preview=True)

    found = seeing.tied(books.instance, "actuals")

    assert (found["ok"], found["exit_code"]) == (False, code)
    assert found["sentence"] == "48 cells are open."


def test_a_run_that_hides_a_unit_of_its_books_leaves_neither_page_nor_tie_out_green(
    books: Books,
) -> None:
    books.event("hide_unit")
    run = books.run()
    assert run.exit_code == 6

    assert not overview(books.instance)["good"]
    assert seeing.tied(books.instance, "actuals")["exit_code"] == 6


def test_a_members_flow_cannot_be_tied_out_and_the_sentence_names_those_that_can(
    books: Books,
) -> None:
    with pytest.raises(Misconfigured, match="loads no actuals") as told:
        running.tie_out_now(books.instance, "accounts")
    assert "actuals" in told.value.do
    with pytest.raises(Misconfigured, match="no flow"):
        running.tie_out_now(books.instance, "nowhere")


def test_members_have_no_periods_to_unlock(books: Books) -> None:
    with pytest.raises(Misconfigured, match="no periods"):
        running.run_flow(books.instance, "accounts", asked={"unlock": "closing"})


def test_only_a_run_of_the_same_flow_can_be_replayed(books: Books) -> None:
    before = len(books.store.runs())
    with pytest.raises(Misconfigured, match="no run nowhere-7"):
        running.run_flow(books.instance, "actuals", asked={"replay": "nowhere-7"})
    with pytest.raises(Misconfigured, match="accounts-1 is a run of accounts"):
        running.run_flow(books.instance, "actuals", asked={"replay": "accounts-1"})
    assert len(books.store.runs()) == before


def test_a_preview_tells_the_killed_run_that_it_carried_to_its_end(books: Books) -> None:
    killed = books.run_killed(2)
    assert killed is not None

    done = running.preview(books.instance, "actuals")

    assert done.first is not None
    assert done.first.id == killed.id
    assert done.first.finished
    assert (done.run.asked, done.run.outcome) == ({"preview": True}, "complete")


def test_a_waiting_run_is_carried_out_although_the_project_file_was_edited_since(
    books: Books,
) -> None:
    config = books.store.config()
    assert config is not None
    run = books.store.new_run(
        NewRun(
            "accounts", "load_members", OWNER, outcome="waiting",
            config_version=config.version,
        )
    )  # fmt: skip
    (books.home / PROJECT_FILE).write_text(config.text + "\n# edited, not applied\n")

    with running.executing(books.instance) as engine:
        done = engine.carry_out(run.id, CARRIED_OUT_SECONDS_MAX)

    assert done.outcome == "complete", done.sentence

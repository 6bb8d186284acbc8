"""A story told in one thread ends like one told by the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from engine_program import Peer, four_steps

from tieout.engine.inline import tell_here
from tieout.engine.story import Interrupted, Run, Story
from tieout.errors import Trouble, Unavailable, Uncertain
from tieout.store.steps import Step
from tieout.store.store import Store


class World:
    """Connections that note whether they were given back."""

    def __init__(self) -> None:
        self.signed_out = False

    @contextlib.contextmanager
    def opened(self, run: str) -> Iterator[World]:
        try:
            yield self
        finally:
            self.signed_out = True


def raising(error: BaseException) -> Story:
    def story(run: Run, world: object) -> Mapping[str, Any]:
        run.step("read ledger", fails)
        return {}

    def fails(step: Step) -> Mapping[str, Any]:
        step.tell("kept", "nothing")
        raise error

    return story


def nothing(step: Step) -> dict[str, Any]:
    return {}


def test_the_interrupted_story_is_told_from_where_it_stopped(
    store: Store, ask: Callable[[], str], peer: Peer
) -> None:
    def power_cut(step: str, point: str) -> None:
        if (step, point) == ("send cells", "after"):
            raise Interrupted

    run = ask()
    world_for = lambda run: contextlib.nullcontext(peer)  # noqa: E731 - two words
    with pytest.raises(Interrupted):
        tell_here(store, run, four_steps, world_for, power_cut)
    assert store.run(run).outcome == "running"

    ended = tell_here(store, run, four_steps, world_for)

    assert (ended.outcome, ended.exit_code, ended.figures) == ("complete", 0, {"rows_sent": 6})
    assert peer.calls() == ["read balances", "read ledger", "send 2501.50", "read position"]


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        (Unavailable("AIS does not answer."), "failed"),
        (Uncertain("The task may have been started."), "needs_attention"),
    ],
)
def test_a_trouble_ends_the_run_with_its_sentence_and_its_exit_code(
    store: Store, ask: Callable[[], str], trouble: Trouble, outcome: str
) -> None:
    world = World()

    ended = tell_here(store, ask(), raising(trouble), world.opened)

    assert ended.outcome == outcome
    assert (ended.sentence, ended.exit_code) == (trouble.what, trouble.exit_code)
    assert store.steps(ended.id) == []
    assert world.signed_out


def test_an_unexpected_error_ends_the_run_and_its_details_stay_in_the_log(
    store: Store, ask: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    world = World()

    ended = tell_here(store, ask(), raising(KeyError("GLAA of 00001")), world.opened)

    assert (ended.outcome, ended.exit_code) == ("failed", 1)
    assert "GLAA" not in ended.sentence
    assert "GLAA" in caplog.text
    assert world.signed_out


def test_a_full_disk_is_told_in_words(store: Store, ask: Callable[[], str]) -> None:
    full = OSError(28, "No space left on device")

    ended = tell_here(store, ask(), raising(full), World().opened)

    assert ended.outcome == "failed"
    assert ended.sentence.startswith("The disk of this instance is full")


def test_the_second_step_of_one_name_is_refused(store: Store, ask: Callable[[], str]) -> None:
    def story(run: Run, world: object) -> Mapping[str, Any]:
        run.step("read ledger", nothing)
        run.step("read ledger", nothing)
        return {}

    ended = tell_here(store, ask(), story, World().opened)

    assert (ended.outcome, ended.exit_code) == ("failed", 1)
    assert [step.name for step in store.steps(ended.id)] == ["read ledger"]


def test_a_run_that_has_ended_is_not_told_again(store: Store, ask: Callable[[], str]) -> None:
    run = ask()
    first = tell_here(store, run, raising(Unavailable("AIS does not answer.")), World().opened)

    again = tell_here(store, run, four_steps, World().opened)

    assert again == first


@pytest.mark.parametrize("told", [{"outcome": "running"}, {"figures": {"rows": 1.5}}])
def test_a_story_with_an_impossible_end_fails_instead_of_hanging(
    store: Store, ask: Callable[[], str], told: dict[str, Any]
) -> None:
    ended = tell_here(store, ask(), lambda run, world: told, World().opened)

    assert (ended.outcome, ended.exit_code) == ("failed", 1)


def test_a_failed_sign_out_takes_nothing_from_a_complete_run(
    store: Store, ask: Callable[[], str]
) -> None:
    @contextlib.contextmanager
    def world_for(run: str) -> Iterator[None]:
        yield
        raise Unavailable("The token service does not answer.")

    ended = tell_here(store, ask(), lambda run, world: {"sentence": "Done."}, world_for)

    assert (ended.outcome, ended.sentence) == ("complete", "Done.")

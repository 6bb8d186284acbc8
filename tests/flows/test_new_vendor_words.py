"""What a vendor may add tomorrow: states, types and fields that nobody has seen yet."""

from __future__ import annotations

import json
import re
from random import Random

import pytest
from books import Books, told

UNEXPECTED = 1  # the exit code of a crash
FLOW = "companies"  # small, with a task, a list and a read-back like any other
KNOWN = ["COMPLETE", "CANCELLED", "CANCELLING", "IN_PROGRESS", "NOT_STARTED"]
EXTRA = '{"newField":{"inside":[1,"two",null,{"deep":true}]},"otherNew":"COMPLETE",'
EVERYWHERE = 9_999


def words(dice: Random) -> list[str]:
    """JSON values where a word of the vendor stood: odd spellings, other types, and drawn ones."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
    drawn = ["".join(dice.choices(letters, k=dice.randint(1, 24))) for _ in range(3)]
    odd = ["complete", " COMPLETE", "COMPLETE\u00a0", "COMPLETED", "", "ZUSTAND Ü"]
    texts = [json.dumps(word) for word in (*dice.sample(odd, 3), *drawn) if word not in KNOWN]
    return [*texts, dice.choice(["null", "7", "[]", "{}", "true"])]


def new_word(books: Books, path: str, key: str, word: str) -> None:
    """From now on Anaplan says another word under a key."""
    books.fault(
        "anaplan", "replace", path=path, times=EVERYWHERE,
        find=rf'"{key}"\s*:\s*("[^"]*"|true|false)', body=f'"{key}":{word}',
    )  # fmt: skip


def test_a_task_whose_end_has_an_unknown_name_is_never_a_success_and_never_a_crash(
    new_books: Books, dice: Random
) -> None:
    for word in words(dice):
        new_word(new_books, r"/tasks/[^/]+$", "taskState", word)

        run = new_books.run(FLOW, full=True)

        assert run.outcome != "complete", (word, told(new_books, run))
        assert run.exit_code != UNEXPECTED, (word, told(new_books, run))
        assert run.sentence.endswith("."), word
        assert new_books.faults_hit("anaplan")
        new_books.no_more_faults()
    after = new_books.run(FLOW, full=True)
    assert after.outcome == "complete", told(new_books, after)


def test_only_the_plain_word_true_makes_a_task_successful(new_books: Books, dice: Random) -> None:
    for word in dice.sample(['"true"', "1", "null", '"YES"', "[]", '"NEW_WORD"'], 3):
        new_word(new_books, r"/tasks/[^/]+$", "successful", word)

        run = new_books.run(FLOW, full=True)

        assert run.outcome != "complete", (word, told(new_books, run))
        assert run.exit_code != UNEXPECTED, (word, told(new_books, run))
        new_books.no_more_faults()


@pytest.mark.parametrize("key", ["activeState", "importType"])
def test_an_unknown_state_of_the_model_or_type_of_an_import_is_no_crash(
    new_books: Books, dice: Random, key: str
) -> None:
    for word in words(dice):
        new_word(new_books, r"/(models|imports|workspaces)", key, word)

        run = new_books.run(FLOW, full=True)

        assert new_books.faults_hit("anaplan"), f"nobody asked for {key}"
        assert run.exit_code != UNEXPECTED, (word, told(new_books, run))
        assert re.search(r"\w\.$", run.sentence), (word, run.sentence)
        new_books.no_more_faults()
    assert new_books.run(FLOW, full=True).outcome == "complete"


def test_fields_that_are_new_in_every_answer_of_both_systems_change_nothing(
    new_books: Books,
) -> None:
    for system in ("jde", "anaplan"):
        new_books.fault(system, "replace", path=".", times=EVERYWHERE, find=r"^\{", body=EXTRA)

    runs = [new_books.run(flow, full=True) for flow in ("accounts", FLOW, "actuals")]

    assert [r.outcome for r in runs[:2]] == ["complete", "complete"], told(new_books, runs[0])
    assert new_books.rules(runs[2]) == {"unmatched-member", "company-stopped"}
    assert new_books.faults_hit("jde") > 0
    assert new_books.faults_hit("anaplan") > 0

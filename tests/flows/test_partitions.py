"""What steps tell of partitions: all of them, however many companies a group has."""

from __future__ import annotations

from random import Random

from tieout.flows.partitions import packed, unpacked
from tieout.store.steps import result_text

COMPANIES = [f"{n:05}" for n in range(1, 1001)]


def test_the_partitions_of_a_thousand_companies_fit_into_the_result_of_a_step(dice: Random) -> None:
    whole = [[c, ledger, y] for c in COMPANIES for ledger in ("AA", "CA", "UA") for y in
             range(2020, 2027)]  # fmt: skip
    dice.shuffle(whole)
    result_text("read the balances", {"partitions": packed(whole)})
    assert unpacked(packed(whole)) == sorted(whole)


def test_partitions_of_any_companies_and_years_are_told_as_they_are(dice: Random) -> None:
    some = [
        [dice.choice(COMPANIES), dice.choice(["AA", "CA"]), dice.randrange(2020, 2027)]
        for _ in range(3_000)
    ]
    told = packed(some)
    result_text("read the balances", {"partitions": told})
    assert unpacked(told) == sorted(map(list, {tuple(one) for one in some}))
    assert unpacked([]) == []

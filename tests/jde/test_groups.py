"""Groups of a total are whole or told to be missing: cut off, or moved while they are counted."""

from __future__ import annotations

from typing import Any

import pytest

from tieout.errors import Refused, Unavailable
from tieout.jde.tables import ACCOUNT_LEDGER
from tieout.strict_json import JSON_VALUES_MAX

Desk = Any  # the fixture's class lives in conftest


def test_groups_that_no_way_of_asking_shows_are_refused_with_the_limit_named(
    ledger: Desk,
) -> None:
    ledger.fault(
        "replace", body_match="groupBy", times=99, body="",
        find=r',\{"groupBy":\{"F0911.DOC":105\}[^}]*\}',
    )  # fmt: skip
    with pytest.raises(Refused, match="counts 10 rows of F0911 but shows 9: a DB fetch limit"):
        ledger.client().groups(ACCOUNT_LEDGER, group_by=("document",))


def test_a_line_posted_while_groups_are_counted_is_in_its_group(ledger: Desk) -> None:
    def post() -> None:
        ledger.post(11)
        ledger.ais.between_totals = lambda: None

    ledger.ais.between_totals = post
    found = ledger.client().groups(ACCOUNT_LEDGER, group_by=("document",))
    assert found["document"].to_list() == [*range(101, 112)]


def test_groups_of_a_ledger_that_never_rests_are_given_up(ledger: Desk) -> None:
    ledger.ais.between_totals = lambda: ledger.post(len(ledger.ais.tables["F0911"]) - 1)
    with pytest.raises(Unavailable, match="changed while it was read, 3 times"):
        ledger.client().groups(ACCOUNT_LEDGER, group_by=("document",))


def test_totals_of_more_groups_than_other_answers_may_have_values_are_read(ledger: Desk) -> None:
    ledger.post(260_000)

    found = ledger.client().totals(ACCOUNT_LEDGER, group_by=("document",))

    assert 4 * found.height > JSON_VALUES_MAX, "or this shows nothing"
    assert found["count"].sum() == 260_000

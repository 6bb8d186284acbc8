"""The rejects desk: who may decide what, how old things are, and how they leave as a table."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest
from desks import DAY_SECONDS, Office

from tieout.core.findings import Finding, Severity
from tieout.errors import Misconfigured, NotAllowed
from tieout.store.runs import NewRun
from tieout.verbs import overview, rejecting, setting_up

HELD = Finding(
    "unmatched-member", Severity.REJECT, "account 0874", "Anaplan has no account 0874.",
    "Map it.", "00001", "account", "0874", Decimal("-1204.50"), "USD", 3,
)  # fmt: skip
YEN = replace(HELD, subject="account 0875", member="0875", amount=Decimal(900), currency="JPY")
UNCOUNTED = Finding("import-count", Severity.REJECT, "Load GL Actuals", "Other rows counted.")
NOTE = replace(UNCOUNTED, rule="unposted", severity=Severity.NOTE)


def found(office: Office, *findings: Finding) -> str:
    run = office.store.new_run(NewRun("companies", "load_members", "anna", alone=False)).id
    office.store.run_step(run, "find", lambda step: step.reject(findings) or {})
    return run


def ids(office: Office, rule: str) -> list[int]:
    return [r.id for r in office.store.rejects(standing=True) if r.finding.rule == rule]


def test_rejects_are_given_to_users_and_to_nobody_else(office: Office) -> None:
    found(office, HELD)
    for name in ("dora", "finn", "eve"):
        with pytest.raises(NotAllowed, match="may not settle rejects"):
            rejecting.assign(office.desk(name), ids(office, HELD.rule), "anna")
    for nobody in ("gus", "owner", ""):
        with pytest.raises(Misconfigured, match="There is no user") as refusal:
            rejecting.assign(office.desk("anna"), ids(office, HELD.rule), nobody)
        assert "anna, ben, carla" in refusal.value.sentence()
    (done,) = rejecting.assign(office.desk("anna"), [1], "dora", "look at it")["rejects"]
    assert (done["state"], done["owner"], done["why"]) == ("assigned", "dora", "look at it")
    assert done["decided_by"] == "anna"


def test_an_owner_without_users_looks_after_rejects(empty_office: Office) -> None:
    found(empty_office, HELD)
    (done,) = rejecting.assign(empty_office.owner, [1], "owner")["rejects"]
    assert done["owner"] == "owner"
    assert rejecting.waive(empty_office.owner, [1], "nothing but practice")["ok"]


def test_an_amount_is_waived_by_an_approver_and_always_for_a_reason(office: Office) -> None:
    found(office, HELD, UNCOUNTED)
    held, uncounted = ids(office, HELD.rule), ids(office, UNCOUNTED.rule)
    with pytest.raises(NotAllowed, match="may not waive amounts: that takes the role approver"):
        rejecting.waive(office.desk("anna"), [*uncounted, *held], "closes in May")
    for name in ("dora", "finn", "eve"):
        with pytest.raises(NotAllowed, match="may not settle rejects"):
            rejecting.waive(office.desk(name), uncounted, "closes in May")
    for desk, verb in (("ben", rejecting.waive), ("anna", rejecting.reopen)):
        with pytest.raises(Misconfigured, match="for a reason, and none was given"):
            verb(office.desk(desk), held, "  ")
    assert len(ids(office, HELD.rule)) == 1
    assert {r.state for r in office.store.rejects()} == {"open"}
    rejecting.waive(office.desk("anna"), uncounted, "Anaplan counts twice")
    rejecting.waive(office.desk("ben"), held, "closes in May")
    assert rejecting.desk(office.desk("dora")) == []
    assert rejecting.waived(office.desk("dora")) == 2
    assert overview.overview(office.desk("dora"))["findings"] == []
    rejecting.reopen(office.desk("anna"), held, "it stays open after all")
    assert [r["state"] for r in rejecting.desk(office.desk("dora"))] == ["open"]


def test_causes_have_their_sums_by_currency_the_oldest_age_owners_and_states(
    office: Office,
) -> None:
    found(office, replace(HELD, amount=Decimal("4.50")), NOTE)
    office.clock.sleep(3 * DAY_SECONDS)
    found(office, HELD, YEN, UNCOUNTED)
    rejecting.assign(office.desk("anna"), ids(office, HELD.rule)[:1], "carla")
    desk = rejecting.desk(office.desk("dora"))

    cause, other = rejecting.groups(desk)

    assert (cause["group"], cause["flow"], cause["rows"]) == (HELD.rule, "companies", 2)
    assert cause["amounts"] == {"USD": Decimal("1204.50"), "JPY": Decimal(900)}
    assert cause["age_seconds"] // DAY_SECONDS == 3
    assert cause["owners"] == {"carla": 1, "nobody": 1}
    assert cause["states"] == {"assigned": 1, "open": 1}
    assert cause["ids"] == ids(office, HELD.rule)
    assert (other["group"], other["amounts"], other["age_seconds"]) == (UNCOUNTED.rule, {}, 0)
    assert {g["group"]: g["rows"] for g in rejecting.groups(desk, "owner")} == {
        "carla": 1, "nobody": 2,
    }  # fmt: skip
    every = rejecting.desk(office.desk("dora"), standing=False)
    assert {g["group"]: g["rows"] for g in rejecting.groups(every, "state")} == {
        "assigned": 1, "open": 2, "sent again": 1,
    }  # fmt: skip
    assert [r["age_seconds"] for r in every if r["state"] in ("noted", "sent again")] == [None] * 2


def test_a_table_of_rejects_starts_no_formula_and_keeps_numbers_and_zeros(office: Office) -> None:
    risky = replace(
        HELD, subject="=HYPERLINK(1)", what="-1+1", remedy="+1", vendor_words='@A1 "said"',
    )  # fmt: skip
    found(office, risky)
    rejecting.assign(office.desk("anna"), [1], "carla", "\tcmd")

    (row,) = csv.DictReader(io.StringIO(rejecting.as_csv(rejecting.desk(office.desk("dora")))))

    assert list(row) == list(rejecting.COLUMNS)
    assert (row["company"], row["member"]) == ("00001", "0874")
    assert (row["amount"], row["cells"], row["id"]) == ("-1204.50", "3", "1")
    assert (row["subject"], row["what"], row["remedy"]) == ("'=HYPERLINK(1)", "'-1+1", "'+1")
    assert (row["vendor_words"], row["why"]) == ('\'@A1 "said"', "'\tcmd")
    assert (row["owner"], row["state"], row["settled_run"]) == ("carla", "assigned", "")


def test_a_mapping_still_leads_to_the_run_whose_reject_is_assigned(office: Office) -> None:
    run = found(office, HELD)
    rejecting.assign(office.desk("anna"), [1], "carla")
    assert setting_up.sent_by(office.desk("anna"), "account", "0874") == [f"tieout replay {run}"]


def test_a_reject_about_no_single_cell_or_member_says_so(office: Office) -> None:
    run = found(office, UNCOUNTED)
    with pytest.raises(Misconfigured, match="no single cell or member") as refusal:
        rejecting.trace(office.desk("dora"), 1)
    assert run in refusal.value.sentence()

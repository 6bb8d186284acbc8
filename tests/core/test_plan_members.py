"""A plan names members as Anaplan shows them; only one lowest member can be meant, or nobody is."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_frames import plan

from tieout.core.findings import RULES, Finding, Severity
from tieout.core.frames import PLAN
from tieout.core.plan_members import FINDINGS_MAX, in_codes


def members(*pairs: str, totals: tuple[str, ...] = ()) -> pl.DataFrame:
    """`Rent=5005` → a lowest member of that name and code."""
    known = [(*pair.split("="), False) for pair in pairs]
    known += [(*pair.split("="), True) for pair in totals]
    schema = {"name": pl.String, "code": pl.String, "is_parent": pl.Boolean}
    return pl.DataFrame(known, schema=schema, orient="row")


def lowest(*pairs: str) -> pl.DataFrame:
    return members(*pairs).select("name", "code")


ACCOUNTS = lowest("Rent=5005", "Travel=8740", "4000=4010", "Sales=4000", "Same=Same", "Loose=")
KNOWN = {
    "company": lowest("Alpha=00001", "Beta=00060"),
    "account": ACCOUNTS,
    "business_unit": lowest("Store 30=30"),
}
NAMES = {"company": "Alpha", "account": "Rent", "business_unit": "Store 30"}


def told(findings: list[Finding]) -> list[tuple[str, int, Decimal | None]]:
    return [(f.subject, f.cells, f.amount) for f in findings]


def test_names_become_codes_in_every_dimension_and_nothing_else_changes() -> None:
    rows = plan(NAMES, NAMES | {"company": "Beta", "amount": None, "member": "Feb 26"})
    found, findings = in_codes(rows, KNOWN)
    assert findings == []
    codes = {"company": "00001", "account": "5005", "business_unit": "30"}
    expected = plan(codes, codes | {"company": "00060", "amount": None, "member": "Feb 26"})
    assert found.equals(expected)
    assert found.schema == pl.Schema(dict(PLAN))


def test_codes_stay_codes_also_beside_names() -> None:
    found, findings = in_codes(plan({"account": "5005"}, {"account": "Travel"}), KNOWN)
    assert found["account"].to_list() == ["5005", "8740"]
    assert findings == []


def test_a_member_whose_name_is_its_code_is_not_two_members() -> None:
    found, findings = in_codes(plan({"account": "Same"}), KNOWN)
    assert (found["account"].to_list(), findings) == (["Same"], [])


def test_the_name_of_one_member_and_the_code_of_another_is_nobody() -> None:
    rows = plan({"account": "4000"}, {"account": "4000", "amount": Decimal(-7)}, NAMES)
    found, findings = in_codes(rows, KNOWN)
    assert found["account"].to_list() == ["4000", "4000", "5005"]
    assert told(findings) == [("account 4000", 2, Decimal(107))]
    assert "the name of one member" in findings[0].what


def test_two_members_of_one_name_are_nobody() -> None:
    _, findings = in_codes(plan(NAMES), KNOWN | {"account": lowest("Rent=5005", "Rent=5006")})
    assert told(findings) == [("account Rent", 1, Decimal(100))]


@pytest.mark.parametrize("value", ["All accounts", "", "rent", "Rent "])
def test_a_value_that_no_lowest_member_has_is_told_and_its_rows_stay(value: str) -> None:
    rows = plan({"account": value}, NAMES | {"account": value, "amount": Decimal(-50)})
    found, findings = in_codes(rows, KNOWN)
    assert found["account"].to_list() == [value, value]
    assert told(findings) == [(f"account {value or '(blank)'}", 2, Decimal(150))]
    finding = findings[0]
    assert (finding.rule, finding.severity) == ("plan-member", Severity.REJECT)
    assert (finding.dimension, finding.member) == ("account", value)
    assert finding.rule in RULES
    assert finding.remedy.startswith("Ask the planner")


def test_a_total_is_no_lowest_member_even_if_a_lowest_member_has_its_name_as_code() -> None:
    known = {"account": members("Sales=4000", "Rent=5005", totals=("4000=PL", "Costs=C"))}
    found, findings = in_codes(plan(*({"account": a} for a in ("4000", "Costs", "C"))), known)
    assert found["account"].to_list() == ["4000", "Costs", "C"]
    assert sorted(f.member for f in findings) == ["4000", "C", "Costs"]


def test_a_member_without_a_code_cannot_reach_the_ledger() -> None:
    found, findings = in_codes(plan({"account": "Loose"}), KNOWN)
    assert found["account"].to_list() == ["Loose"]
    assert "without a code" in findings[0].what
    assert findings[0].remedy.startswith("Ask the Anaplan administrator")


def test_an_unapproved_plan_of_an_unknown_member_is_only_noted() -> None:
    unknown = {"account": "X", "approved": False}
    _, findings = in_codes(plan(unknown), KNOWN)
    assert [f.severity for f in findings] == [Severity.NOTE]
    _, findings = in_codes(plan(unknown, unknown | {"approved": True}), KNOWN)
    assert [f.severity for f in findings] == [Severity.REJECT]


def test_a_dimension_whose_members_are_not_given_stays_as_it_is() -> None:
    found, findings = in_codes(plan(NAMES), {"account": ACCOUNTS})
    assert found.select("company", "account", "business_unit").row(0) == (
        "Alpha", "5005", "Store 30",
    )  # fmt: skip
    assert findings == []


def test_a_wrong_list_gives_a_bounded_number_of_findings_and_every_row_is_counted() -> None:
    rows = plan(*({"account": f"X{n}", "amount": Decimal(n)} for n in range(50)))
    _, findings = in_codes(rows, KNOWN)
    assert len(findings) == FINDINGS_MAX + 1
    assert findings[0].member == "X49"
    assert findings[-1].subject == "30 more values of account"
    assert sum(f.cells for f in findings) == 50
    assert sum(f.amount or 0 for f in findings) == sum(range(50))


def test_absurd_amounts_of_an_unknown_member_add_up() -> None:
    huge = Decimal("99999999999999999999.99")
    _, findings = in_codes(plan(*[{"account": "X", "amount": huge}] * 3), KNOWN)
    assert findings[0].amount == 3 * huge


words = st.sampled_from(["a", "b", "c", "d", "e", ""])


@given(
    st.lists(st.tuples(words, words, st.booleans()), max_size=8),
    st.lists(words, min_size=1, max_size=8),
)
def test_a_value_changes_only_where_one_lowest_member_alone_can_be_meant(
    known: list[tuple[str, str, bool]], values: list[str]
) -> None:
    """Against a search through the list, value by value."""
    schema = {"name": pl.String, "code": pl.String, "is_parent": pl.Boolean}
    table = pl.DataFrame(known, schema=schema, orient="row")
    found, findings = in_codes(plan(*({"account": v} for v in values)), {"account": table})
    expected, faulty = [], set()
    for value in values:
        meant = {m for m in known if m[0] == value or (value and m[1] == value)}
        codes = {code for _, code, _ in meant}
        if any(total for _, _, total in meant) or len(codes) != 1 or codes == {""}:
            expected.append(value)
            faulty.add(value)
        else:
            expected.append(codes.pop())
    assert found["account"].to_list() == expected
    assert {f.member for f in findings} == faulty

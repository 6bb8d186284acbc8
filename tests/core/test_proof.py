"""Rules 4, 8, 15 and 17: what is proved, what is held back and why, and what must net to zero."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from core_frames import IN_USE, buckets, f0902, rows, scope, total
from hypothesis import given
from hypothesis import strategies as st

from tieout.core import proof
from tieout.core.buckets import account_years
from tieout.core.findings import RULES
from tieout.core.frames import AMOUNT, BUCKET_KEY, BUCKETS, empty

ALL = scope()
KEY = list(BUCKET_KEY)


def in_use(*given_rows: dict[str, Any]) -> pl.DataFrame:
    """What batches in use put into the bucket of company 00001, January 2025."""
    return rows(IN_USE, given_rows, company="00001", ledger="AA", account_id="00000001",
                fiscal_year=2025, period=1)  # fmt: skip


NOTHING_SIGNED = empty(proof.BASELINES)


def baseline(amount: object) -> pl.DataFrame:
    """What people signed for the same bucket."""
    return rows(proof.BASELINES, [{"signed": amount}], company="00001", ledger="AA",
                account_id="00000001", fiscal_year=2025, period=1, currency="")  # fmt: skip


def tied(
    bucket: dict[str, Any], batch: dict[str, Any] | None = None, within: Any = ALL,
    signed: pl.DataFrame = NOTHING_SIGNED,
) -> tuple[str, str]:  # fmt: skip
    """State and reason of one bucket."""
    batches = in_use(batch) if batch else in_use()
    found = proof.tie(buckets(bucket | {"state": ""}), within, batches, signed)
    (row,) = found.select("state", "reason").rows()
    return row


DIED = {"in_use_amount": 40, "in_use_lines": 2}
OTHER = {"in_use_amount": 15, "in_use_lines": 1}
CLASSES: list[tuple[dict[str, Any], dict[str, Any] | None, str]] = [
    ({"amount": 100, "balance": 100}, None, ""),
    ({"amount": 0, "balance": 0, "lines": 0}, None, ""),
    ({"amount": 100, "balance": 60}, None, proof.UNEXPLAINED),
    ({"amount": 100, "balance": "99.99"}, None, proof.UNEXPLAINED),
    ({"amount": 100, "balance": -100}, None, proof.UNEXPLAINED),
    ({"amount": 100, "balance": 60}, DIED, proof.DIED_POST),
    ({"amount": 100, "balance": 60}, OTHER, proof.BATCH_IN_USE),
    ({"amount": 100, "balance": 100}, OTHER, proof.BATCH_IN_USE),
    ({"amount": 40, "balance": 0, "has_balance": False}, DIED, proof.DIED_POST),
    ({"amount": 40, "balance": 0, "has_balance": False}, None, proof.NO_BALANCE_ROW),
    ({"amount": 0, "balance": 0, "has_balance": False}, None, ""),
    ({"amount": 0, "balance": 60, "lines": 0}, None, proof.NO_JOURNALS),
    ({"amount": 0, "balance": 60, "lines": 2}, None, proof.UNEXPLAINED),
    ({"amount": 100, "balance": 100, "misdated": 1}, None, proof.WRONG_PERIOD),
    ({"amount": 100, "balance": 60, "misdated": 1}, DIED, proof.WRONG_PERIOD),
    ({"amount": "0.005", "balance": "0.005"}, None, proof.TOO_MANY_DECIMALS),
    ({"amount": 100, "balance": "100.001"}, DIED, proof.TOO_MANY_DECIMALS),
]


@pytest.mark.parametrize(("bucket", "batch", "reason"), CLASSES)
def test_a_bucket_falls_in_the_class_a_controller_would_name(
    bucket: dict[str, Any], batch: dict[str, Any] | None, reason: str
) -> None:
    exact = {k: Decimal(v) if k in ("amount", "balance") else v for k, v in bucket.items()}
    assert tied(exact, batch) == ("held" if reason else "tied", reason)


def test_every_reason_to_hold_has_a_remedy_and_a_rule() -> None:
    reasons = {reason for _, _, reason in CLASSES if reason} | {proof.NO_LONGER_SHOWN}
    assert reasons == set(proof.REMEDIES)
    held = buckets(*({"state": "held", "reason": r, "amount": 1} for r in sorted(reasons)))
    found = proof.held_findings(held, ALL)
    assert len(found) == len(reasons)
    assert {f.rule for f in found} == {"decimals", "no-longer-shown", "not-proved"}
    assert all(f.rule in RULES and f.remedy for f in found)


def test_unposted_lines_never_explain_a_posted_difference() -> None:
    """Rule 1: a batch that is not in use explains nothing, whatever it holds."""
    assert tied({"amount": 100, "balance": 60}) == ("held", proof.UNEXPLAINED)


@pytest.mark.parametrize(
    ("company", "ledger", "currency", "amount", "reason"),
    [
        ("00001", "AA", "", "1234.56", ""),
        ("00001", "AA", "", "1234.567", proof.TOO_MANY_DECIMALS),
        ("00070", "AA", "", "123456", ""),
        ("00070", "AA", "", "1234.56", proof.TOO_MANY_DECIMALS),
        ("00070", "AA", "", "1234.5", proof.TOO_MANY_DECIMALS),
        ("00090", "AA", "", "123.456", ""),
        ("00090", "AA", "", "-123.4567", proof.TOO_MANY_DECIMALS),
        ("00001", "CA", "JPY", "700", ""),
        ("00001", "CA", "JPY", "0.01", proof.TOO_MANY_DECIMALS),
        ("00070", "CA", "USD", "0.01", ""),
        ("00001", "CA", "KWD", "0.001", ""),
        ("00001", "CA", "XYZ", "0.01", ""),  # no row in F0013: the dictionary's two decimals
        ("00001", "CA", "XYZ", "0.001", proof.TOO_MANY_DECIMALS),
        ("00001", "BA", "JPY", "0.01", ""),  # outside CA the company decides
        ("00070", "XA", "", "0.01", ""),  # a ledger kept in euro, whatever the company has
        ("00090", "XA", "", "0.001", proof.TOO_MANY_DECIMALS),
    ],
)
def test_an_amount_finer_than_its_currency_is_held(
    company: str, ledger: str, currency: str, amount: str, reason: str
) -> None:
    """Trap 7: 123456 of the database is 1,234.56, 123,456 or 123.456."""
    bucket = {
        "company": company, "ledger": ledger, "currency": currency, "amount": Decimal(amount),
    }  # fmt: skip
    assert tied(bucket)[1] == reason


def test_a_balance_that_speaks_alone_is_checked_for_its_decimals_too() -> None:
    early = scope(detail="2025-02")
    bucket = {"amount": Decimal(0), "balance": Decimal("1.005")}
    assert tied(bucket, within=early) == ("held", proof.TOO_MANY_DECIMALS)


@pytest.mark.parametrize(
    ("detail", "period", "state"),
    [
        ("2025-06", 5, "balance"), ("2025-06", 6, "held"), ("2025-06", 7, "held"),
        ("2024-12", 1, "held"), ("2026-01", 14, "balance"),
    ],
)  # fmt: skip
def test_before_the_first_detail_the_balance_speaks_alone(
    detail: str, period: int, state: str
) -> None:
    bucket = {"amount": Decimal(0), "lines": 0, "balance": Decimal(60), "period": period}
    assert tied(bucket, within=scope(detail=detail))[0] == state


@given(st.lists(st.integers(-3, 3), max_size=8), st.lists(st.integers(-3, 3), max_size=8))
def test_proving_changes_no_amount_and_loses_no_bucket(left: list[int], right: list[int]) -> None:
    given_rows = [
        {"account_id": f"{n:08d}", "amount": a, "balance": b}
        for n, (a, b) in enumerate(zip(left, right, strict=False))
    ]
    before = buckets(*given_rows)
    after = proof.tie(before, ALL, in_use(), NOTHING_SIGNED)
    assert after.drop("state", "reason").equals(before.drop("state", "reason"))
    free = after.filter(pl.col("state") == "tied")
    assert (free["amount"] == free["balance"]).all()
    not_tied = proof.not_tied(after)
    assert not_tied.height + free.height == before.height


def test_a_doubled_batch_row_stops_the_program_before_it_doubles_a_bucket() -> None:
    with pytest.raises(pl.exceptions.ComputeError):
        proof.tie(buckets({"amount": 1}), ALL, in_use(OTHER, OTHER), NOTHING_SIGNED)


# ------------------------------------------------------------- what is shown no longer


def vanished(now: pl.DataFrame, before: pl.DataFrame, *shown: dict[str, Any]) -> pl.DataFrame:
    """Buckets held where F0902 no longer shows the account and year."""
    return proof.hold_vanished(now, before, account_years(f0902(*shown)))


def test_an_account_that_f0902_shows_no_longer_keeps_its_last_amount_and_is_held() -> None:
    before = buckets({"amount": 70, "period": 1}, {"amount": 5, "period": 2})
    found = vanished(empty(BUCKETS), before, {"account_id": "00000002"})
    assert found["amount"].to_list() == [70, 5]
    assert found["reason"].unique().to_list() == [proof.NO_LONGER_SHOWN]
    assert proof.worth_reading(found).is_empty()


def test_an_account_stays_held_until_it_is_shown_again() -> None:
    before = buckets({"amount": 70})
    once = vanished(empty(BUCKETS), before)
    twice = vanished(empty(BUCKETS), once)
    assert twice.equals(once)
    back = vanished(buckets({"amount": 71}), twice, {"net_01": 71})
    assert back.select("amount", "state").rows() == [(Decimal(71), "tied")]


def test_a_period_that_went_to_zero_is_not_held_while_its_year_is_shown() -> None:
    found = vanished(empty(BUCKETS), buckets({"amount": 70}), {"net_02": 5})
    assert found.is_empty()


def test_an_account_that_moved_to_another_company_has_not_vanished() -> None:
    """After a recode R09806 writes the new company into F0902: the old company goes to zero."""
    found = vanished(empty(BUCKETS), buckets({"amount": 70}), {"company": "00060", "net_01": 70})
    assert found.is_empty()


def test_lines_that_never_had_a_balance_row_cannot_vanish() -> None:
    before = buckets({"amount": 70, "balance": 0, "has_balance": False})
    assert vanished(empty(BUCKETS), before).is_empty()


# ------------------------------------------------------------------------ completeness


@given(st.lists(st.tuples(st.sampled_from(["AA", "BA"]), st.integers(-2, 2)), max_size=10))
def test_a_company_that_must_balance_nets_to_zero_or_is_named(
    postings: list[tuple[str, int]],
) -> None:
    one = scope("00001")
    whole = buckets(
        *(
            {"account_id": f"{n:08d}", "ledger": ledger, "amount": amount}
            for n, (ledger, amount) in enumerate(postings)
        )
    )
    gap = sum(amount for ledger, amount in postings if ledger == "AA")
    found = [f for f in proof.completeness(whole, one) if f.rule == "not-zero"]
    assert [f.amount for f in found] == ([gap] if gap else [])
    assert (total(proof.not_zero(whole, one), "f0902") == 0) is (gap == 0)


def test_a_hidden_unit_is_noticed_although_both_tables_agree() -> None:
    """Row security hides a unit from F0911 and F0902 alike; every bucket ties, the sum does not."""
    shown = buckets({"amount": 100}, {"account_id": "00000002", "amount": -60})
    (finding,) = proof.completeness(shown, scope("00001"))
    assert (finding.rule, finding.amount, finding.currency) == ("not-zero", 40, "USD")


def test_companies_and_months_do_not_balance_each_other() -> None:
    crossed = buckets(
        {"amount": 5}, {"amount": -5, "company": "00060"},
        {"amount": 7, "period": 2}, {"amount": -7, "period": 3},
    )  # fmt: skip
    found = proof.not_zero(crossed, ALL)
    assert found.select("company", "period", "f0902").rows() == [
        ("00001", 1, 5), ("00001", 2, 7), ("00001", 3, -7), ("00060", 1, -5),
    ]  # fmt: skip


def test_foreign_currencies_do_not_balance_each_other() -> None:
    """Rule 5."""
    crossed = buckets(
        {"ledger": "CA", "currency": "EUR", "amount": 5},
        {"ledger": "CA", "currency": "GBP", "amount": -5},
    )
    found = proof.completeness(crossed, scope("00001"))
    assert [(f.rule, f.amount, f.currency) for f in found] == [
        ("not-zero", 5, "EUR"), ("not-zero", -5, "GBP"),
    ]  # fmt: skip


def test_held_differences_are_told_per_currency_and_never_added_over_currencies() -> None:
    held = buckets(
        {"ledger": "CA", "currency": "EUR", "amount": 5, "balance": 0, "state": "held"},
        {"ledger": "CA", "currency": "JPY", "amount": 700, "balance": 0, "state": "held"},
        {"amount": 9, "balance": 0, "state": "held"},
    ).with_columns(reason=pl.lit(proof.UNEXPLAINED))
    found = proof.held_findings(held, ALL)
    assert [(f.amount, f.currency) for f in found] == [(9, "USD"), (5, "EUR"), (700, "JPY")]


def test_held_differences_are_told_without_signs_so_that_none_cancels_another() -> None:
    held = buckets(
        {"amount": 9, "balance": 0, "state": "held"},
        {"account_id": "2", "amount": 0, "balance": 9, "state": "held"},
    ).with_columns(reason=pl.lit(proof.UNEXPLAINED))
    (found,) = proof.held_findings(held, ALL)
    assert (found.amount, found.cells) == (18, 2)


def test_one_of_a_kind_is_told_in_the_singular() -> None:
    held = buckets({"amount": 9, "balance": 0, "state": "held"}).with_columns(
        reason=pl.lit(proof.UNEXPLAINED)
    )
    (found,) = proof.held_findings(held, ALL)
    assert found.what.startswith("1 account balance held: ")
    (batch,) = proof.batches_without_lines(
        [("G", 1)], pl.DataFrame({"batch_type": [], "batch_number": []})
    )
    assert "no line of 1 posted batch." in batch.what


def test_a_configured_company_without_any_balance_is_named() -> None:
    found = proof.completeness(buckets({"amount": 0}), scope("00001", "00070"))
    assert [(f.rule, f.company) for f in found] == [("company-without-rows", "00070")]


def test_lines_without_any_balance_row_do_not_make_a_company_present() -> None:
    found = proof.completeness(buckets({"amount": 5, "has_balance": False}), scope("00001"))
    assert "company-without-rows" in {f.rule for f in found}


def test_a_posted_batch_of_which_no_line_is_shown_is_named() -> None:
    shown = pl.DataFrame({"batch_type": ["G", "V"], "batch_number": [1, 2]})
    assert proof.batches_without_lines([("G", 1), ("V", 2)], shown) == []
    (finding,) = proof.batches_without_lines([("G", n) for n in range(1, 9)], shown)
    assert finding.cells == 7
    assert finding.subject == "batches G 2, G 3, G 4, G 5, G 6…"


@pytest.mark.parametrize(
    ("bucket", "signed", "found"),
    [
        ({"amount": 0, "balance": 60, "lines": 0}, 60, (proof.BALANCE, proof.BASELINE)),
        ({"amount": 40, "balance": 100, "lines": 2}, 60, (proof.BALANCE, proof.BASELINE)),
        ({"amount": 0, "balance": "60.01", "lines": 0}, 60, (proof.HELD, proof.NO_JOURNALS)),
        ({"amount": 60, "balance": 60}, 60, (proof.TIED, "")),  # the journals came after all
        ({"amount": 60, "balance": 0}, 60, (proof.HELD, proof.UNEXPLAINED)),  # the other way
        ({"amount": 0, "balance": 60, "lines": 0, "misdated": 1}, 60,
         (proof.HELD, proof.WRONG_PERIOD)),
    ],
)  # fmt: skip
def test_a_signed_baseline_loads_exactly_the_balance_that_was_signed(
    bucket: dict[str, Any], signed: object, found: tuple[str, str]
) -> None:
    assert tied(bucket, signed=baseline(signed)) == found


def test_before_detail_from_a_signed_balance_is_told_apart_from_one_that_nobody_signed() -> None:
    early = scope("00001", first="2024-01", detail="2025-06")
    bucket = {"amount": 0, "balance": 60, "lines": 0}
    assert tied(bucket, within=early, signed=baseline(60)) == (proof.BALANCE, proof.BASELINE)
    assert tied(bucket, within=early, signed=baseline(59)) == (proof.BALANCE, "")


def test_buckets_that_rest_on_a_baseline_are_read_again_only_when_baselines_moved() -> None:
    found = buckets({"state": proof.BALANCE, "reason": proof.BASELINE})
    assert proof.worth_reading(found).is_empty()
    assert proof.worth_reading(found, baselines_moved=True).height == 1


def test_what_is_held_of_a_denominated_ledger_is_told_in_its_own_currency() -> None:
    """Rule 4: XA is kept in euros (F0025), whatever the currency of the company."""
    held = buckets({"ledger": "XA", "amount": 9, "state": "held"}).with_columns(
        balance=pl.lit(3).cast(AMOUNT), reason=pl.lit(proof.UNEXPLAINED)
    )
    told = [*proof.held_findings(held, ALL), *proof.completeness(held, scope("00001"))]
    assert [(f.rule, f.amount, f.currency) for f in told] == [
        ("not-proved", 6, "EUR"), ("not-zero", 3, "EUR"),
    ]  # fmt: skip

"""Cells: buckets folded by account, business unit and period member, with Anaplan's sign."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from tieout.core.findings import Finding, Severity, counted
from tieout.core.frames import AMOUNT, BUCKET_KEY, CELL_KEY, CELLS, ZERO, as_schema, sorted_by
from tieout.core.mapping import UNKNOWN_MARK, through_mapping
from tieout.core.proof import HELD, taken

_KEY = list(CELL_KEY)
NONE: Mapping[str, str] = {}  # no ledger is kept in a currency of its own
PART_ROWS = 50_000  # of small companies that are folded or compared at once; bounds memory

UNKNOWN_ACCOUNT = "unknown account"
PERIOD_REFUSED = "no member for the period"
LOCKED = "locked period"
TWO_CURRENCIES = "companies of several currencies"


def account_code(rule: str) -> pl.Expr:
    """The code of an account by the flow's `account_code`."""
    joined = pl.concat_str(
        pl.col("object_account"),
        pl.when(pl.col("subsidiary") != "")
        .then(pl.lit(".") + pl.col("subsidiary"))
        .otherwise(pl.lit("")),
    )
    return {
        "object": pl.col("object_account"),
        "object.subsidiary": joined,
        "account": pl.col("business_unit") + pl.lit(".") + joined,
        "account_id": pl.col("account_id"),
    }[rule]


def flipped(ranges: Sequence[str]) -> pl.Expr:
    """Whether an object account lies in a range such as `4000-4999` (text order, as JDE sorts).

    A range ends with everything that begins with its last code: 4999 and 49995 are inside, 5000
    and 0456 are not. Objects are text: `000456` and `456` are two objects.
    """
    expression = pl.lit(False)
    for text in ranges:
        first, _, last = text.partition("-")
        last = last or first
        start = pl.col("object_account").str.slice(0, len(last))
        expression = expression | ((pl.col("object_account") >= first) & (start <= last))
    return expression


def shown_members(members: pl.DataFrame, tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """`Scope.member_frame` with the company codes of Anaplan, as cells and `compare` have them."""
    return through_mapping(members, "company", tables.get("company"))


def company_currencies(members: pl.DataFrame) -> dict[str, str]:
    """Company code → base currency, of `shown_members`; "" where companies of several meet."""
    several = pl.col("base_currency").n_unique() > 1
    found = members.group_by("company").agg(
        pl.when(several).then(pl.lit("")).otherwise(pl.col("base_currency").first()).first()
    )
    return dict(found.iter_rows())


def kept_in(currencies: Mapping[str, str], denominated: Mapping[str, str]) -> pl.Expr:
    """The currency that amounts of cells are in, "" where several may meet.

    Their own; else that of their ledger (F0025: ledger → currency), else that of their company
    (`company_currencies`; facts/jde-gl.md §2.6).
    """
    of_company = pl.col("company").replace_strict(
        dict(currencies), default="", return_dtype=pl.String
    )
    of_ledger = pl.col("ledger").replace_strict(
        dict(denominated), default="", return_dtype=pl.String
    )
    return (
        pl.when(pl.col("currency") != "").then(pl.col("currency"))
        .when(of_ledger != "").then(of_ledger)
        .otherwise(of_company)
    )  # fmt: skip


def in_parts(sizes: Mapping[str, int], together: Collection[str] = ()) -> list[list[str]]:
    """Companies (with their rows) in parts of PART_ROWS rows, a larger one alone, in their order.

    Cells of two companies meet only where a mapping brings them together: those of `together` are
    left out, to be taken as a part of their own.
    """
    parts: list[list[str]] = []
    size = 0
    for company, rows in sorted(sizes.items()):
        if company in together:
            continue
        if parts and size + rows <= PART_ROWS:
            parts[-1].append(company)
            size += rows
        else:
            parts.append([company])
            size = rows
    return parts


def remembered(before: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """F0901 as it is now, and accounts it showed before and shows no longer, marked `gone`.

    Without them the cell of a hidden account would look empty and be sent as zero (rule 18).
    """
    lost = before.join(now, on="account_id", how="anti").with_columns(gone=pl.lit(True))
    return pl.concat([now.with_columns(gone=pl.lit(False)), lost], how="diagonal")


def placed(
    buckets: pl.DataFrame,
    accounts: pl.DataFrame,
    members: pl.DataFrame,
    *,
    code: str,
    flip: Sequence[str],
    tables: Mapping[str, pl.DataFrame],
    by_currency: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Every bucket with the cell it is folded into (CELL_KEY) and what it brings there.

    Beside them stand `ledger_company` and `ledger_currency` (the bucket's own), account_id,
    business_unit and account as JD Edwards has them (`ledger_unit`, `ledger_account`), shown_year,
    shown_period, base_currency, sign, f0911, balance, shown (in Anaplan's sign) and held.

    `accounts`: account_id, business_unit, object_account, subsidiary as F0901 has them now, and
    perhaps `gone` (`remembered`); `members`: `Scope.member_frame`, with the companies of JD
    Edwards; `tables`: a mapping table per dimension (`mapping.resolved`). `by_currency`: where
    currency is a dimension of the cells, the ledgers that are kept in a currency of their own; then
    every cell names the one it is in, also outside of CA (facts/jde-gl.md §2.6).
    """
    needed = [*BUCKET_KEY, "state", "reason", "amount", "balance"]
    rows = _with_codes(buckets.select(needed), accounts, members, code)
    held = (
        pl.when(pl.col("state") == HELD).then(pl.col("reason"))
        .when(~pl.col("known")).then(pl.lit(UNKNOWN_ACCOUNT))
        .when(pl.col("member").str.starts_with("?")).then(pl.lit(PERIOD_REFUSED))
        .otherwise(pl.lit(""))
    )  # fmt: skip
    flips = flipped(flip).fill_null(False)
    rows = rows.with_columns(
        f0911=taken(),
        sign=pl.when(flips).then(-1).otherwise(1).cast(pl.Int8),
        held=held,
        ledger_company=pl.col("company"),
        ledger_currency=pl.col("currency"),
        ledger_unit=pl.col("business_unit"),
        ledger_account=pl.col("account"),
    ).with_columns(
        shown=pl.when(pl.col("sign") < 0).then(-pl.col("f0911")).otherwise(pl.col("f0911"))
    )
    if by_currency is not None:
        kept_in = pl.col("ledger").replace_strict(by_currency, default=pl.col("base_currency"))
        named = pl.when(pl.col("currency") == "").then(kept_in).otherwise(pl.col("currency"))
        rows = rows.with_columns(currency=named)
    for dimension in ("account", "business_unit", "company"):
        rows = through_mapping(rows, dimension, tables.get(dimension))
    return rows


def fold(
    buckets: pl.DataFrame,
    accounts: pl.DataFrame,
    members: pl.DataFrame,
    *,
    code: str,
    flip: Sequence[str],
    tables: Mapping[str, pl.DataFrame],
    by_currency: Mapping[str, str] | None = None,
) -> pl.DataFrame:
    """Buckets → CELLS, one row per cell; arguments as in `placed`.

    A bucket takes F0902's value where F0902 speaks alone; a held bucket holds its cell.
    """
    rows = placed(
        buckets, accounts, members, code=code, flip=flip, tables=tables, by_currency=by_currency
    )
    one_sign = pl.col("sign").max() == pl.col("sign").min()
    several = pl.col("base_currency").min() != pl.col("base_currency").max()
    mixed = several & (pl.col("currency").first() == "")
    at = (pl.col("shown_year") * 100 + pl.col("shown_period")).min()
    cells = (
        rows.group_by(_KEY)
        .agg(
            at=at,
            ledger_company=pl.col("ledger_company").min(),
            sign=pl.when(one_sign).then(pl.col("sign").min()).otherwise(1),
            f0911=pl.col("f0911").sum().cast(AMOUNT),
            f0902=pl.col("balance").sum().cast(AMOUNT),
            value=pl.col("shown").sum().cast(AMOUNT),
            buckets=pl.len().cast(pl.Int64),
            held=pl.col("held").max(),
            mixed=mixed,
        )
        .with_columns(
            fiscal_year=pl.col("at") // 100,
            period=pl.col("at") % 100,
            held=pl.when(pl.col("mixed")).then(pl.lit(TWO_CURRENCIES)).otherwise(pl.col("held")),
        )
    )
    return sorted_by(as_schema(cells, CELLS), _KEY)


def _with_codes(
    buckets: pl.DataFrame, accounts: pl.DataFrame, members: pl.DataFrame, code: str
) -> pl.DataFrame:
    """Buckets with the account, business unit and member that hold them, before any mapping.

    A doubled account or period would double amounts, so it stops the program. What has no code in
    Anaplan stands under its own with a question mark: `?00012592`, `?2025-13`.
    """
    known = accounts.select(
        "account_id",
        "business_unit",
        "object_account",
        "subsidiary",
        known=~accounts.get_column("gone", default=pl.lit(False)),
    )
    number = pl.col("shown_period").cast(pl.String).str.zfill(2)
    no_member = pl.concat_str(pl.lit("?"), "shown_year", pl.lit("-"), number)
    return (
        buckets.join(known, on="account_id", how="left", validate="m:1")
        .join(members, on=["company", "fiscal_year", "period"], how="inner", validate="m:1")
        .with_columns(pl.col("known").fill_null(False), account=account_code(code))
        .with_columns(
            pl.col("account").fill_null(pl.lit(UNKNOWN_MARK) + pl.col("account_id")),
            pl.col("business_unit").fill_null("?"),
            member=pl.when(pl.col("member") == "").then(no_member).otherwise(pl.col("member")),
        )
    )


def refused_findings(
    cells: pl.DataFrame, currencies: Mapping[str, str], denominated: Mapping[str, str] = NONE
) -> list[Finding]:
    """Amounts in periods that have no member: the policy refuses them, or no table names one."""
    refused = cells.filter(pl.col("held") == PERIOD_REFUSED)
    refused = refused.with_columns(currency=kept_in(currencies, denominated))
    groups = refused.group_by("company", "ledger", "currency", "fiscal_year", "period").agg(
        cells=pl.len(), amount=pl.col("f0911").abs().sum().cast(AMOUNT)
    )
    return [
        Finding(
            "period-refused", Severity.DIFFERENCE,
            f"company {row['company']}, {row['fiscal_year']}-{row['period']:02d}",
            f"No member of Anaplan's calendar for period {row['fiscal_year']}-{row['period']:02d} "
            f"of company {row['company']}: {counted(row['cells'], 'cell')} not sent.",
            "Set `period_13` of the company to fold or separate, or name a member in the table of "
            "periods.", row["company"], "period", amount=row["amount"],
            currency=row["currency"], cells=row["cells"],
        )
        for row in groups.sort("company", "ledger", "currency", "fiscal_year", "period").iter_rows(
            named=True
        )
    ]  # fmt: skip


def touched(cells: pl.DataFrame, proved: pl.DataFrame) -> pl.DataFrame:
    """CELL_KEY, value, held, gone, shown of every cell whose value is not the one proved before.

    A cell that is gone from the ledger is touched with an explicit zero (rule 13); one that never
    had a value and is zero is not. `proved`: CELL_KEY, shown (what Anaplan last showed).
    """
    gone = pl.col("value").is_null()
    joined = cells.join(proved, on=_KEY, how="full", coalesce=True).with_columns(
        gone.alias("gone"),
        pl.col("value").fill_null(ZERO),
        pl.col("shown").fill_null(ZERO),
        pl.col("held").fill_null(""),
    )
    changed = joined.filter(pl.col("value") != pl.col("shown"))
    return sorted_by(changed.select(*_KEY, "value", "held", "gone", "shown"), _KEY)

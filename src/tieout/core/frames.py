"""The declared schemas of the frames that travel through the product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

# Four decimals hold every ISO currency; a fifth is refused when a page is decoded.
AMOUNT_DECIMALS = 4
AMOUNT = pl.Decimal(38, AMOUNT_DECIMALS)
ZERO = pl.lit(0).cast(AMOUNT)

Schema = Mapping[str, "pl.DataType | type[pl.DataType]"]

# One posted or unposted line of the account ledger (F0911), known by its first seven columns.
LINE_KEY = (
    "document_type", "document", "document_company", "gl_date", "line_number", "ledger",
    "line_extension",
)  # fmt: skip
LINES: Schema = {
    "document_type": pl.String,
    "document": pl.Int64,
    "document_company": pl.String,
    "gl_date": pl.Date,
    "line_number": pl.String,
    "ledger": pl.String,
    "line_extension": pl.String,
    "posted": pl.String,
    "company": pl.String,
    "account_id": pl.String,
    "business_unit": pl.String,
    "object_account": pl.String,
    "subsidiary": pl.String,
    "subledger": pl.String,
    "subledger_type": pl.String,
    "fiscal_year": pl.Int32,
    "period": pl.Int16,
    "currency": pl.String,
    "base_currency": pl.String,
    "amount": AMOUNT,
    "batch_type": pl.String,
    "batch_number": pl.Int64,
    "updated": pl.Date,
    "updated_time": pl.Int32,
    "explanation": pl.String,
    "remark": pl.String,
    "reference_2": pl.String,
    "reversal": pl.String,
    "summarized": pl.String,
}

# A bucket is what F0902 proves: summed over subledger and, except in ledger CA, over currency.
BUCKET_KEY = ("company", "ledger", "currency", "account_id", "fiscal_year", "period")
BUCKETS: Schema = {
    "company": pl.String,
    "ledger": pl.String,
    "currency": pl.String,
    "account_id": pl.String,
    "fiscal_year": pl.Int32,
    "period": pl.Int16,
    "lines": pl.Int64,
    "misdated": pl.Int64,  # lines whose period is not the one of their G/L date
    "amount": AMOUNT,  # what the posted lines say (F0911)
    "has_balance": pl.Boolean,  # whether F0902 has a row for this account and year
    "balance": AMOUNT,  # what F0902 says
    "debit": AMOUNT,  # F0902's debit column of the period
    "read": pl.Int64,  # the read of the mirror that holds its lines
    "state": pl.String,
    "reason": pl.String,
}

# F0902 of one account and period (BALANCES), each subledger for itself (PLAN_BALANCES), and which
# accounts and years it has a row for at all.
BALANCES: Schema = {
    "company": pl.String,
    "ledger": pl.String,
    "currency": pl.String,
    "account_id": pl.String,
    "fiscal_year": pl.Int32,
    "period": pl.Int16,
    "balance": AMOUNT,
    "debit": AMOUNT,
}
PLAN_BALANCES: Schema = {**BALANCES, **dict.fromkeys(("subledger", "subledger_type"), pl.String)}
ACCOUNT_YEARS: Schema = {
    "company": pl.String,
    "ledger": pl.String,
    "currency": pl.String,
    "account_id": pl.String,
    "fiscal_year": pl.Int32,
}

# A cell is what Anaplan holds: one amount per company, account, business unit and period member.
CELL_KEY = ("company", "account", "business_unit", "member", "ledger", "currency")
CELLS: Schema = {
    "company": pl.String,
    "account": pl.String,
    "business_unit": pl.String,
    "member": pl.String,
    "ledger": pl.String,
    "currency": pl.String,
    "ledger_company": pl.String,  # the company of JD Edwards, before any mapping
    "fiscal_year": pl.Int32,
    "period": pl.Int16,
    "sign": pl.Int8,  # -1 where Anaplan shows the ledger's amount with the opposite sign
    "f0911": AMOUNT,
    "f0902": AMOUNT,
    "value": AMOUNT,  # what Anaplan should show
    "buckets": pl.Int64,
    "held": pl.String,  # why the cell may not be loaded; "" when it may
}

# What Anaplan exports: an amount as it stands there, with more decimals than any currency has.
PLAN_DECIMALS = 18
PLAN_AMOUNT = pl.Decimal(38, PLAN_DECIMALS)
PLAN_KEY = ("company", "account", "business_unit", "member", "version")
PLAN: Schema = {
    **dict.fromkeys(PLAN_KEY, pl.String),  # Anaplan's codes; version "" when the plan has one
    "currency": pl.String,  # "": the base currency of the company
    "amount": PLAN_AMOUNT,  # in Anaplan's sign; null where the cell was blank
    "approved": pl.Boolean,
    "approver": pl.String,  # null when the export has no such column
}

# What the control export of a plan says: how many rows, and how much they add up to.
CONTROL_KEY = ("company", "member", "version")
PLAN_CONTROL: Schema = {
    **dict.fromkeys(CONTROL_KEY, pl.String),  # version "" when the control export has none
    "rows": pl.Int64,
    "amount": PLAN_AMOUNT,
}

# Which account takes a plan cell that several accounts share, and under which subledger.
TARGETS: Schema = {
    **dict.fromkeys(("company", "account", "business_unit"), pl.String),
    **dict.fromkeys(("account_id", "subledger", "subledger_type"), pl.String),
}

# A ledger cell is what one journal line moves: a bucket of the plan's ledger, in base currency.
LEDGER_CELL = ("company", "ledger", "account_id", "fiscal_year", "period")
_LEDGER_CELL: Schema = {name: BUCKETS[name] for name in LEDGER_CELL}
PLACE = (*LEDGER_CELL, "subledger", "subledger_type")  # where in its cell an amount stands
PLAN_CELLS: Schema = {
    **_LEDGER_CELL,  # the company of JD Edwards
    **dict.fromkeys(("account", "business_unit", "member", "version"), pl.String),  # Anaplan's
    "currency": pl.String,
    "decimals": pl.Int8,
    "gl_date": pl.Date,
    "subledger": pl.String,
    "subledger_type": pl.String,
    "sign": pl.Int8,  # -1 where Anaplan shows the ledger's amount with the opposite sign
    "target": AMOUNT,  # in ledger sign, rounded
    "rounded": PLAN_AMOUNT,  # what rounding added, in ledger sign
    "approved": pl.Boolean,
    "approver": pl.String,
    "reason": pl.String,  # the rules that refuse it; "" when it may be sent
}

# What JD Edwards shows of a ledger beside its balances: unposted F0911 and unprocessed F0911Z1.
IN_FLIGHT: Schema = {
    "company": pl.String,
    "ledger": pl.String,
    "account_id": pl.String,  # "" where the line names its account in another way
    **dict.fromkeys(("subledger", "subledger_type"), pl.String),
    "gl_date": pl.Date,
    "amount": AMOUNT,
    "ours": pl.Boolean,
    "author": pl.String,
    "batch": pl.String,
}

DIFFERENCES: Schema = {
    **_LEDGER_CELL,
    **dict.fromkeys(("account", "business_unit", "member"), pl.String),
    "currency": pl.String,
    "decimals": pl.Int8,
    "gl_date": pl.Date,
    "subledger": pl.String,
    "subledger_type": pl.String,
    "target": AMOUNT,
    "posted": AMOUNT,
    "in_flight": AMOUNT,  # of any author
    "others": AMOUNT,  # of it, what others entered
    "difference": AMOUNT,
    "zeroed": pl.Boolean,  # the plan does not name it and is complete
}

JOURNAL_LINES: Schema = {
    "transaction_number": pl.String,  # the journal it belongs to
    "line": pl.Int32,  # from 1 in its journal
    "company": pl.String,
    "account_id": pl.String,
    "subledger": pl.String,
    "subledger_type": pl.String,
    "amount": AMOUNT,
    "remark": pl.String,
}


def empty(schema: Schema) -> pl.DataFrame:
    """A frame of `schema` without rows."""
    return pl.DataFrame(schema=dict(schema))


def sorted_by(frame: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """`frame.sort(key)`, leaving out columns with one value: comparing their text takes longest."""
    ends = frame.select(
        pl.col(name).null_count().gt(0) | (pl.col(name).min() != pl.col(name).max()) for name in key
    )
    by = [name for name in key if ends.item(0, name)] if frame.height else []
    return frame.sort(by) if by else frame


def as_schema(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """`frame` with exactly the columns and types of `schema`; a missing column is an error."""
    if frame.schema == schema:
        return frame
    return frame.select(pl.col(name).cast(kind) for name, kind in schema.items())
